//! What operators do about one event: carry it out again, whatever became of it, or decide that it shall not be tried again.
//!
//! Each is in the audit trail, in the same transaction. A replay is an attempt like every other: the stored body, the same
//! `apply`, the same guarded write, so that nothing newer is ever overwritten by it.

use jiff::Timestamp;

use crate::model::audit::{Action, Fact};
use crate::model::event::EventState;
use crate::server::access::{Admin, Viewer};
use crate::server::accounts::Intent;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::events::intervention::Intervention;
use crate::server::store::events::{Event, Origin, Outcome, Record};
use crate::server::sync::consequences::Consequence;
use crate::server::sync::fold::{end, read};
use crate::server::sync::inspection::NO_EVENT;
use crate::server::sync::ports::{LEASE, Ports};
use crate::server::sync::process::{Repeated, record_again, repeat};
use crate::server::sync::rehearsal::{Recording, Rehearsed, has_body};

/// An event that was carried out again, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    pub id: String,
    pub before: EventState,
    pub outcome: Outcome,
    /// What comes of it, if something is written.
    pub consequence: Option<Consequence>,
}

/// Carries an event out again. `is_quiet`: no mail and no webhook goes out for what changes.
///
/// # Errors
/// `NotFound`; `Refused` without a body; MongoDB's. What else an attempt meets is its outcome.
pub async fn replay(
    state: &AppState,
    admin: &Admin,
    id: &str,
    is_quiet: bool,
    intent: &Intent,
) -> Result<Replayed, Error> {
    ensure_own_name(admin)?;
    let event = find_whole(state, id).await?;
    let due_at = state.now().saturating_add(LEASE).unwrap_or(Timestamp::MAX);
    let fact = fact_of(admin, Action::ReplayEvent, id, intent);
    if !state.store.events.intervene(id, Intervention::Reopen { due_at }, &fact).await? {
        return Err(NO_EVENT);
    }
    let (outcome, consequence) = match carry_out(state, &event, is_quiet).await {
        Ok(ended) => ended,
        // It is open, and somebody looks at it when it is due.
        Err(error) => {
            error.log("replay_event");
            (recorded(find(state, id).await?), None)
        }
    };
    Ok(Replayed { id: event.id, before: event.state, outcome, consequence })
}

/// What that would come to over what is stored now, or would be after those that were recorded before. It is recorded.
///
/// # Errors
/// As of `replay`.
pub async fn rehearse_replay(
    state: &AppState,
    admin: &Admin,
    id: &str,
    recording: &mut Recording,
) -> Result<Replayed, Error> {
    ensure_own_name(admin)?;
    let event = find_whole(state, id).await?;
    let batch = recording.rehearse(state, std::slice::from_ref(&event)).await?;
    let Rehearsed { outcome, consequence } = batch.rehearsed.first().cloned().ok_or(NO_EVENT)?;
    recording.keep(batch);
    Ok(Replayed { id: event.id, before: event.state, outcome, consequence })
}

async fn carry_out(state: &AppState, event: &Event, is_quiet: bool) -> Result<(Outcome, Option<Consequence>), Error> {
    let Repeated { records, consequences, passing } = match read(event, state.reading()) {
        Ok(said) => repeat(state, vec![said], is_quiet).await?,
        Err(outcome) => {
            let records = vec![Record { event: Origin::Stored(event.id.clone()), outcome }];
            Repeated { records, consequences: Vec::new(), passing: None }
        }
    };
    if let Some(error) = passing {
        return Err(error);
    }
    let outcome = records.first().map(|record| record.outcome.clone()).ok_or(NO_EVENT)?;
    record_again(state, records).await?;
    Ok((outcome, consequences.into_iter().next()))
}

/// Decides that an event which waits, failed, or was given up shall not be tried again: it is settled then.
///
/// # Errors
/// `NotFound`; `Refused` for one that is finished.
pub async fn discard(
    state: &AppState,
    admin: &Admin,
    id: &str,
    reason: &str,
    intent: &Intent,
) -> Result<Outcome, Error> {
    ensure_own_name(admin)?;
    let event = find(state, id).await?;
    let finished = |state: EventState| refused(&format!("It is finished: {}.", state.as_str()));
    if !event.state.is_open() {
        return Err(finished(event.state));
    }
    let outcome = end(EventState::Discarded, format!("discarded: {reason}"));
    if intent.is_rehearsal {
        return Ok(outcome);
    }
    let discard = Intervention::Discard { decision: outcome.decision.clone() };
    if state.store.events.intervene(id, discard, &fact_of(admin, Action::DiscardEvent, id, intent)).await? {
        Ok(outcome)
    } else {
        Err(finished(find(state, id).await?.state))
    }
}

/// The same for a page, where a reason has to be given.
///
/// # Errors
/// As of `discard`; `Refused` without a reason.
pub async fn discard_for(state: &AppState, admin: &Admin, id: &str, reason: &str) -> Result<Outcome, Error> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::Refused {
            field: "reason",
            message: "Say why: it becomes the event's decision.".to_owned(),
        });
    }
    let intent = Intent { reason: Some(reason.to_owned()), is_rehearsal: false };
    discard(state, admin, id, reason, &intent).await
}

async fn find(state: &AppState, id: &str) -> Result<Event, Error> {
    state.store.events.find(id).await?.ok_or(NO_EVENT)
}

async fn find_whole(state: &AppState, id: &str) -> Result<Event, Error> {
    let event = find(state, id).await?;
    if has_body(&event) { Ok(event) } else { Err(refused("Its body is not kept any more.")) }
}

fn recorded(event: Event) -> Outcome {
    Outcome { state: event.state, decision: event.decision.unwrap_or_default(), due_at: event.due_at, is_wait: false }
}

/// Nobody does this in another's name (D4-17).
pub fn ensure_own_name(admin: &Admin) -> Result<(), Error> {
    let is_impersonated = admin.viewer().and_then(Viewer::actor).is_some();
    if is_impersonated { Err(Error::Forbidden) } else { Ok(()) }
}

fn fact_of(admin: &Admin, action: Action, id: &str, intent: &Intent) -> Fact {
    Fact {
        actor: admin.actor(),
        action,
        subject: id.to_owned(),
        before: None,
        after: None,
        reason: intent.reason.clone(),
    }
}

fn refused(message: &str) -> Error {
    Error::Refused { field: "id", message: message.to_owned() }
}
