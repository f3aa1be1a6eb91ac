//! Table `[inngest]`: whether Inngest may call us, and whether webhooks are handed to it, under Inngest's own variables.
//!
//! Off unless a signing key is set, or a development server; the mode follows from the settings alone.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::server::inngest::keys::SigningKey;
use crate::server::inngest::origins::{DevServer, Overrides, origin, origins};
use crate::server::inngest::{Config, Mode};
use crate::server::settings::Environment;
use crate::server::settings::reader::Reader;

/// Where our handler is mounted.
const PATH: &str = "/api/inngest";

const SIGNING_KEY: &str = "INNGEST_SIGNING_KEY";
const EVENT_KEY: &str = "INNGEST_EVENT_KEY";

#[derive(Clone, Debug)]
pub struct Inngest {
    /// Whether `/api/inngest` answers.
    pub is_on: bool,
    pub protocol: Config,
    /// Verified webhooks are carried out by Inngest's calls instead of the local worker.
    pub relay: bool,
    /// When the local worker carries out a relayed event that Inngest did not.
    pub fallback: Duration,
}

impl Inngest {
    pub fn read(reader: &mut Reader<'_>, environment: Environment, public_url: Option<&Url>) -> Option<Self> {
        let server = read_dev_server(reader, environment);
        let mode =
            if matches!(server, Some(DevServer::On | DevServer::At(_))) { Mode::Development } else { Mode::Cloud };
        let signing_key = read_signing_key(reader, SIGNING_KEY, mode);
        let fallback_key = read_signing_key(reader, "INNGEST_SIGNING_KEY_FALLBACK", mode);
        let event_key = read_event_key(reader);
        let overrides = Overrides {
            base: read_origin(reader, "base-url", "INNGEST_BASE_URL"),
            api: read_origin(reader, "api-base-url", "INNGEST_API_BASE_URL"),
            events: read_origin(reader, "event-api-base-url", "INNGEST_EVENT_API_BASE_URL"),
        };
        let serve_url = read_serve_url(reader, public_url);
        let app_id = read_app_id(reader);
        let relay = reader.parsed("inngest", "relay", &["ROLLCALL_INNGEST_RELAY"], "true or false");
        let fallback = reader.number("inngest", "fallback", &["ROLLCALL_INNGEST_FALLBACK"], (1, 86_400));
        let environment = read_environment_name(reader);
        let is_on = mode == Mode::Development || signing_key.is_some();
        if !is_on && (event_key.is_some() || fallback_key.is_some()) {
            reader.warning(SIGNING_KEY, "is not set, so Inngest stays off whatever else is set for it");
        }
        if relay == Some(true) && !is_on {
            reader.problem::<()>(SIGNING_KEY, "is required to hand webhooks to Inngest, which then calls us");
        }
        if relay == Some(true) && mode == Mode::Cloud && event_key.is_none() {
            reader.problem::<()>(EVENT_KEY, "is required to hand webhooks to Inngest");
        }
        let (api_origin, event_origin) = origins(&server?, &overrides);
        let protocol = Config {
            app_id: app_id?,
            mode,
            api_origin,
            event_origin,
            serve_url: serve_url?,
            environment,
            event_key,
            signing_key,
            signing_key_fallback: fallback_key,
        };
        Some(Self { is_on, protocol, relay: relay?, fallback: Duration::from_secs(fallback?) })
    }
}

/// In development mode anybody may call: that is no way to serve the public.
fn read_dev_server(reader: &mut Reader<'_>, environment: Environment) -> Option<DevServer> {
    const NAME: &str = "INNGEST_DEV";
    let Some(text) = reader.text("inngest", "dev", &[NAME]) else { return Some(DevServer::Off) };
    let Some(server) = DevServer::parse(&text) else {
        return reader.problem(NAME, "must be 1, 0, or the address of Inngest's development server");
    };
    if server != DevServer::Off && environment == Environment::Production {
        return reader.problem(
            NAME,
            "is for development: calls are not signed. With an Inngest of your own, set INNGEST_BASE_URL instead",
        );
    }
    Some(server)
}

fn read_signing_key(reader: &mut Reader<'_>, name: &'static str, mode: Mode) -> Option<SigningKey> {
    let (variable, secret) = reader.secret(&[name])?;
    match SigningKey::parse(secret.expose_secret(), mode) {
        Ok(key) => Some(key),
        Err(error) => reader.problem(&variable, error),
    }
}

fn read_event_key(reader: &mut Reader<'_>) -> Option<SecretString> {
    let (variable, secret) = reader.secret(&[EVENT_KEY])?;
    let key = secret.expose_secret().trim();
    if key.is_empty() || key.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return reader.problem(&variable, "must be one word, as Inngest's dashboard shows it");
    }
    Some(SecretString::from(key.to_owned()))
}

fn read_origin(reader: &mut Reader<'_>, key: &str, name: &str) -> Option<Url> {
    let text = reader.text("inngest", key, &[name])?;
    match origin(&text, "http") {
        Some(url) => Some(url),
        None => reader.problem(name, "must be scheme, host and port only, such as https://inngest.example.com"),
    }
}

/// The public URL and our path, unless a proxy in front of us shows others. Never taken from a request.
fn read_serve_url(reader: &mut Reader<'_>, public_url: Option<&Url>) -> Option<Url> {
    const ORIGIN: [&str; 2] = ["INNGEST_SERVE_ORIGIN", "INNGEST_SERVE_HOST"];
    const PATH_NAME: &str = "INNGEST_SERVE_PATH";
    let mut url = match reader.text("inngest", "serve-origin", &ORIGIN) {
        None => public_url.cloned(),
        Some(text) => origin(&text, "https").or_else(|| {
            let name = reader.name_of("inngest", "serve-origin", &ORIGIN);
            reader.problem(&name, "must be scheme, host and port only, such as https://app.example.com")
        }),
    };
    let path = reader.text("inngest", "serve-path", &[PATH_NAME]).unwrap_or_else(|| PATH.to_owned());
    if !path.starts_with('/') || path.starts_with("//") || path.contains(['?', '#', ' ']) {
        return reader.problem(PATH_NAME, "must be a path such as /api/inngest");
    }
    if let Some(url) = &mut url {
        url.set_path(&path);
    }
    url
}

fn read_app_id(reader: &mut Reader<'_>) -> Option<String> {
    const NAME: &str = "ROLLCALL_INNGEST_APP_ID";
    let id = reader.required_text("inngest", "app-id", &[NAME])?;
    let is_id = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if id.len() > 64 || !is_id(&id) {
        return reader.problem(NAME, "must be letters, digits, dashes, dots and underscores, at most 64");
    }
    Some(id)
}

/// It is sent as a header.
fn read_environment_name(reader: &mut Reader<'_>) -> Option<String> {
    let name = reader.text("inngest", "env", &["INNGEST_ENV"])?.trim().to_owned();
    if name.bytes().any(|byte| !(b' '..=b'~').contains(&byte)) {
        return reader.problem("INNGEST_ENV", "must be plain text, such as the name of a branch");
    }
    Some(name)
}
