//! Table `[alerts]`: who hears of what needs an operator, and when quiet is too quiet.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::server::mail::Mailbox;
use crate::server::settings::effects::{Effects, web_address};
use crate::server::settings::reader::Reader;

#[derive(Clone, Debug)]
pub struct Alerts {
    pub mail: Vec<Mailbox>,
    /// A secret, because the addresses of chat systems are.
    pub webhook_url: Option<SecretString>,
    /// At most one message about the same thing in this time.
    pub window: Duration,
    /// No event for so long, although some came before, is an alert; none: never.
    pub silence_after: Option<Duration>,
}

impl Alerts {
    pub fn read(reader: &mut Reader<'_>, effects: Option<&Effects>, can_mail: bool) -> Option<Self> {
        let mail = read_mail(reader);
        if !mail.is_empty() && !can_mail && !reader.has_problem("ROLLCALL_SMTP_URL") {
            reader.problem::<()>("ROLLCALL_SMTP_URL", "is required with ROLLCALL_ALERT_MAIL");
        }
        let webhook_url = read_webhook_url(reader);
        let is_idle = effects.is_some_and(|effects| effects.secret.is_some() && effects.webhook.is_none());
        if is_idle && webhook_url.is_none() {
            reader.warning("ROLLCALL_WEBHOOK_SECRET", "has no effect without ROLLCALL_WEBHOOK_URL");
        }
        let window = reader.number("alerts", "window", &["ROLLCALL_ALERT_WINDOW"], (1, 10_080));
        let silence = reader.number("alerts", "silence-after", &["ROLLCALL_SILENCE_AFTER"], (0, 8_760));
        let silence = Duration::from_secs(silence? * 3_600);
        Some(Self {
            mail,
            webhook_url,
            window: Duration::from_secs(window? * 60),
            silence_after: (!silence.is_zero()).then_some(silence),
        })
    }
}

fn read_mail(reader: &mut Reader<'_>) -> Vec<Mailbox> {
    let listed = reader.list("alerts", "mail", &["ROLLCALL_ALERT_MAIL"]);
    let mut mailboxes = Vec::new();
    for text in listed {
        match Mailbox::parse(&text) {
            Some(mailbox) => mailboxes.push(mailbox),
            None => reader.problem::<()>("ROLLCALL_ALERT_MAIL", "must be addresses, separated by commas").unwrap_or(()),
        }
    }
    mailboxes
}

fn read_webhook_url(reader: &mut Reader<'_>) -> Option<SecretString> {
    let (variable, url) = reader.secret(&["ROLLCALL_ALERT_WEBHOOK_URL"])?;
    if web_address(url.expose_secret()).is_some() {
        return Some(url);
    }
    reader.problem(&variable, "must be an address such as https://hooks.example.com/alerts")
}
