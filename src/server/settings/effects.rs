//! Table `[effects]`: what a change makes happen elsewhere.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::server::outgoing::Signer;
use crate::server::settings::reader::Reader;

#[derive(Clone, Debug)]
pub struct Effects {
    /// Whether our id and the role are written into Clerk's public metadata (A2-07).
    pub metadata: bool,
    pub webhook: Option<Webhook>,
    /// Signs what is sent to any webhook, the operators' too.
    pub secret: Option<SecretString>,
    /// For one call to whomever an effect goes.
    pub timeout: Duration,
}

/// Who is told of every change, and how they know that it was us.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub url: Url,
    pub secret: SecretString,
}

impl Effects {
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let metadata = reader.parsed("effects", "metadata", &["ROLLCALL_METADATA"], "true or false");
        let secret = read_secret(reader);
        let webhook = read_webhook(reader, secret.clone());
        let timeout = reader.number("effects", "timeout", &["ROLLCALL_EFFECT_TIMEOUT"], (1, 20));
        Some(Self { metadata: metadata?, webhook, secret, timeout: Duration::from_secs(timeout?) })
    }
}

fn read_webhook(reader: &mut Reader<'_>, secret: Option<SecretString>) -> Option<Webhook> {
    let url = reader.text("effects", "webhook-url", &["ROLLCALL_WEBHOOK_URL"])?;
    let Some(url) = web_address(&url) else {
        return reader.problem(
            "ROLLCALL_WEBHOOK_URL",
            "must be an address such as https://hooks.example.com/users, without a user in it",
        );
    };
    if secret.is_none() && !reader.has_problem("ROLLCALL_WEBHOOK_SECRET") {
        return reader.problem("ROLLCALL_WEBHOOK_SECRET", "is required with ROLLCALL_WEBHOOK_URL: whsec_ and base64");
    }
    Some(Webhook { url, secret: secret? })
}

fn read_secret(reader: &mut Reader<'_>) -> Option<SecretString> {
    let (_, secret) = reader.secret(&["ROLLCALL_WEBHOOK_SECRET"])?;
    match Signer::new(secret.expose_secret()) {
        Ok(_) => Some(secret),
        Err(error) => reader.problem("ROLLCALL_WEBHOOK_SECRET", error),
    }
}

/// `http` or `https` with a host; a user or password in it would be printed with the address.
pub fn web_address(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.has_host();
    (matches!(url.scheme(), "http" | "https") && is_plain).then_some(url)
}
