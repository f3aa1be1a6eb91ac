//! Table `[mail]`: through whom mail goes out, as whom, and whether newcomers are welcomed.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::server::mail::{Mailbox, Relay};
use crate::server::settings::reader::Reader;

#[derive(Clone, Debug)]
pub struct Mail {
    /// None: no mail goes out.
    pub smtp: Option<Smtp>,
    /// Whether newcomers get the welcome mail (A2-35).
    pub welcome: bool,
    pub welcome_subject: String,
}

#[derive(Clone, Debug)]
pub struct Smtp {
    /// Carries the password.
    pub url: SecretString,
    pub from: Mailbox,
    /// For each step of the conversation.
    pub timeout: Duration,
}

impl Mail {
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = read_url(reader);
        let from = read_from(reader);
        let timeout = reader.number("mail", "timeout", &["ROLLCALL_SMTP_TIMEOUT"], (1, 10));
        let welcome = reader.parsed("mail", "welcome", &["ROLLCALL_WELCOME"], "true or false");
        let welcome_subject = reader.required_text("mail", "welcome-subject", &["ROLLCALL_WELCOME_SUBJECT"]);
        let has_url = url.is_some() || reader.has_problem("ROLLCALL_SMTP_URL");
        if welcome == Some(true) && !has_url {
            reader.problem::<()>("ROLLCALL_SMTP_URL", "is required when ROLLCALL_WELCOME is true");
        }
        if url.is_some() && from.is_none() && !reader.has_problem("ROLLCALL_MAIL_FROM") {
            reader.problem::<()>("ROLLCALL_MAIL_FROM", "is required with ROLLCALL_SMTP_URL");
        }
        let timeout = Duration::from_secs(timeout?);
        let smtp = url.zip(from).map(|(url, from)| Smtp { url, from, timeout });
        Some(Self { smtp, welcome: welcome?, welcome_subject: welcome_subject? })
    }
}

fn read_url(reader: &mut Reader<'_>) -> Option<SecretString> {
    let (variable, url) = reader.secret(&["ROLLCALL_SMTP_URL"])?;
    match Relay::parse(url.expose_secret()) {
        Ok(_) => Some(url),
        Err(error) => reader.problem(&variable, error),
    }
}

fn read_from(reader: &mut Reader<'_>) -> Option<Mailbox> {
    let text = reader.text("mail", "from", &["ROLLCALL_MAIL_FROM"])?;
    match Mailbox::parse(&text) {
        Some(mailbox) => Some(mailbox),
        None => reader.problem("ROLLCALL_MAIL_FROM", "must be an address, or a name with one: App <app@example.com>"),
    }
}
