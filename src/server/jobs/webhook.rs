//! One change told to the application's own systems: at least once, under an id by which they recognise a repetition.
//!
//! Signed after Standard Webhooks. The order is not promised: the receiver compares `updatedAt`. One that answers 410 is
//! switched off, durably and for every process, until somebody turns it on again or the address is another.

use aws_lc_rs::digest;
use http::StatusCode;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use url::Url;

use crate::model::alert::AlertKind;
use crate::model::audit::{Action, Fact};
use crate::model::job::JobKind;
use crate::server::access::Admin;
use crate::server::accounts::Intent;
use crate::server::error::Error;
use crate::server::inngest::keys::hex;
use crate::server::jobs::{End, Later, watch};
use crate::server::outgoing::{self, Answer, Message, Signer};
use crate::server::state::AppState;
use crate::server::store::Store;
use crate::server::store::jobs::Job;

pub const KIND: JobKind = JobKind::Webhook;

/// Sends the body that was made with the change.
pub async fn run(state: &AppState, job: &Job) -> Result<End, Error> {
    let Some(webhook) = &state.settings.effects.webhook else { return Ok(End::Done("not configured")) };
    let Some(body) = &job.body else { return Ok(End::Dead("it has nothing to say".to_owned())) };
    let Ok(signer) = Signer::new(webhook.secret.expose_secret()) else {
        return Ok(End::Dead("the secret cannot sign".to_owned()));
    };
    let endpoint = endpoint_id(&webhook.url);
    if state.store.endpoints.find_gone(&endpoint).await?.is_some() {
        return Ok(End::Dead("the endpoint is switched off: it answered 410".to_owned()));
    }
    let sent = state.sender.post(&webhook.url, Some(&signer), Message { id: &job.id, body }).await;
    let end = end_of(sent);
    if sent.is_ok_and(|answer| answer.status == StatusCode::GONE) {
        state.store.endpoints.mark_gone(&endpoint, Timestamp::now()).await?;
        watch::report(state, AlertKind::EndpointGone, "", 1, Timestamp::now()).await?;
    }
    Ok(end)
}

/// Since when the configured endpoint is switched off.
///
/// # Errors
/// MongoDB away.
pub async fn find_off(store: &Store, url: &Url) -> Result<Option<Timestamp>, Error> {
    Ok(store.endpoints.find_gone(&endpoint_id(url)).await?)
}

/// Sends to it again; answers since when it was switched off. `None`: it was not.
///
/// # Errors
/// MongoDB away.
pub async fn turn_on(state: &AppState, admin: &Admin, url: &Url, intent: &Intent) -> Result<Option<Timestamp>, Error> {
    let Some(since) = find_off(&state.store, url).await? else { return Ok(None) };
    if intent.is_rehearsal {
        return Ok(Some(since));
    }
    let (actor, subject, reason) = (admin.actor(), endpoint_id(url), intent.reason.clone());
    let before = Some(format!("off since {since}"));
    let fact = Fact { actor, action: Action::TurnOnWebhook, subject, before, after: None, reason };
    state.store.audit.append(&fact).await?;
    state.store.endpoints.forget(&fact.subject).await?;
    Ok(Some(since))
}

/// No address is stored: some hold a secret.
fn endpoint_id(url: &Url) -> String {
    format!("sha256:{}", hex(digest::digest(&digest::SHA256, url.as_str().as_bytes()).as_ref()))
}

/// What an answer means for the message.
pub fn end_of(sent: Result<Answer, outgoing::Error>) -> End {
    let Answer { status, retry_after } = match sent {
        Ok(answer) => answer,
        Err(error @ outgoing::Error::Unsignable) => return End::Dead(error.to_string()),
        Err(error) => return End::passing(error.to_string()),
    };
    let later = |is_passing, pause| {
        End::Later(Later { cause: format!("answered with {}", status.as_u16()), is_passing, pause })
    };
    match status {
        status if status.is_success() => End::Done("sent"),
        StatusCode::GONE => End::Dead("answered with 410: gone for good".to_owned()),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => later(true, retry_after),
        StatusCode::REQUEST_TIMEOUT => later(true, None),
        status => later(status.is_server_error(), None),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_answer_means_one_thing() {
        let pause = Some(Duration::from_secs(9));
        let end = |status| end_of(Ok(Answer { status: StatusCode::from_u16(status).unwrap(), retry_after: pause }));
        let later = |status: u16, is_passing, pause| {
            End::Later(Later { cause: format!("answered with {status}"), is_passing, pause })
        };
        for status in [200, 202, 204] {
            assert_eq!(end(status), End::Done("sent"));
        }
        assert!(matches!(end(410), End::Dead(_)));
        for status in [301, 302, 400, 401, 404] {
            assert_eq!(end(status), later(status, false, None));
        }
        for status in [429, 503] {
            assert_eq!(end(status), later(status, true, pause));
        }
        for status in [408, 500, 502, 504] {
            assert_eq!(end(status), later(status, true, None));
        }
        assert_eq!(end_of(Err(outgoing::Error::TimedOut)), End::passing("no answer in time"));
    }
}
