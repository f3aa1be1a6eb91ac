//! A message to the operators, by mail or to a webhook: at least once, and never with anything personal in it.
//!
//! What is worth a message is decided in `watch`.

use html_escape::encode_text;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::alert::{AlertKind, AlertState, Cause, Causes, advice_on, silence_of};
use crate::model::health::SilenceCause;
use crate::model::job::JobKind;
use crate::server::error::Error;
use crate::server::jobs::webhook::end_of as end_of_answer;
use crate::server::jobs::welcome::end_of as end_of_mail;
use crate::server::jobs::{End, Later};
use crate::server::mail::{self, Message};
use crate::server::outgoing::{self, Signer};
use crate::server::settings::effects::web_address;
use crate::server::state::AppState;
use crate::server::store::jobs::Job;

pub const KIND: JobKind = JobKind::Alert;

/// By which way a notice goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    Mail,
    Webhook,
}

/// What operators are told: a job's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    pub channel: Channel,
    pub kind: AlertKind,
    pub cause: String,
    pub state: AlertState,
    pub count: i64,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// Notices of an earlier version have none.
    #[serde(default)]
    pub causes: Causes,
}

/// Sends one notice one way.
pub async fn run(state: &AppState, job: &Job) -> Result<End, Error> {
    let notice: Option<Notice> = job.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
    let Some(notice) = notice else { return Ok(End::Dead("it has nothing to say".to_owned())) };
    match notice.channel {
        Channel::Mail => Ok(mail(state, job, &notice).await),
        Channel::Webhook => Ok(post(state, job, &notice).await),
    }
}

async fn mail(state: &AppState, job: &Job, notice: &Notice) -> End {
    let to = state.settings.alerts.mail.clone();
    let Some(mailer) = state.mailer.as_ref().filter(|_| !to.is_empty()) else { return End::Done("not configured") };
    let text = text(state, notice);
    let html = format!("<!doctype html><html lang=\"en\"><body><pre>{}</pre></body></html>", encode_text(&text));
    let message = Message { to, subject: subject(notice), text, html, id: job.id.replace(':', ".") };
    let sent = async { mailer.open(&message).await?.send().await }.await;
    match sent {
        Ok(()) => End::Done("sent"),
        // Twice is better than not at all.
        Err(error @ mail::Error::Unsure) => {
            End::Later(Later { cause: error.to_string(), is_passing: false, pause: None })
        }
        Err(error) => end_of_mail(&error),
    }
}

async fn post(state: &AppState, job: &Job, notice: &Notice) -> End {
    let url = state.settings.alerts.webhook_url.as_ref().and_then(|url| web_address(url.expose_secret()));
    let Some(url) = url else { return End::Done("not configured") };
    let body = json!({
        "type": match notice.state { AlertState::Open => "alert.opened", AlertState::Closed => "alert.closed" },
        // Chat systems show this one.
        "text": format!("{}\n{}", subject(notice), text(state, notice)),
        "data": {
            "kind": notice.kind.as_str(),
            "cause": notice.cause,
            "count": notice.count,
            "firstSeenAt": notice.first_seen_at.to_string(),
            "lastSeenAt": notice.last_seen_at.to_string(),
            "causes": notice.causes.leading,
            "otherCauses": notice.causes.others,
            "url": address(state, notice),
            "advice": advice_on(notice.kind, &notice.cause),
        },
    })
    .to_string();
    let secret = state.settings.effects.secret.as_ref();
    let signer = secret.and_then(|secret| Signer::new(secret.expose_secret()).ok());
    let message = outgoing::Message { id: &job.id, body: &body };
    end_of_answer(state.sender.post(&url, signer.as_ref(), message).await)
}

fn subject(notice: &Notice) -> String {
    let headline = silence_of(notice.kind, &notice.cause).map_or(notice.kind.headline(), SilenceCause::headline);
    match notice.state {
        AlertState::Open => format!("[Rollcall] {headline}"),
        AlertState::Closed => format!("[Rollcall] Over: {headline}"),
    }
}

fn text(state: &AppState, notice: &Notice) -> String {
    let over = match notice.state {
        AlertState::Open => advice_on(notice.kind, &notice.cause),
        AlertState::Closed => "This has not been seen any more.".into(),
    };
    let cause = if notice.cause.is_empty() { String::new() } else { format!("Cause: {}\n", notice.cause) };
    format!(
        "{over}\n\n{cause}Count: {count}\nFirst seen: {first}\nLast seen: {last}\n{causes}\n{url}\n",
        count = notice.count,
        first = notice.first_seen_at,
        last = notice.last_seen_at,
        causes = causes(&notice.causes),
        url = address(state, notice),
    )
}

/// One line for each that leads.
fn causes(causes: &Causes) -> String {
    let line = |Cause { cause, count, first_seen_at, last_seen_at }: &Cause| {
        format!("- {cause}: {count}, first seen {first_seen_at}, last seen {last_seen_at}\n")
    };
    let lines: String = causes.leading.iter().map(line).collect();
    let lines = if lines.is_empty() { lines } else { format!("By cause:\n{lines}") };
    if causes.others > 0 { format!("{lines}- and {} more causes\n", causes.others) } else { lines }
}

/// Where all of it is: of events by cause, where each can be retried or muted.
fn address(state: &AppState, notice: &Notice) -> String {
    let path = if notice.causes.leading.is_empty() { "/admin/sync" } else { "/admin/sync/failures" };
    format!("{}{path}", state.settings.public_url())
}
