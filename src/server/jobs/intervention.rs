//! What operators do about jobs: try one again from the beginning, or decide that it shall not happen.
//!
//! Each is in the audit trail, in the same transaction.

use jiff::Timestamp;

use crate::model::audit::{Action, Fact};
use crate::model::job::JobState;
use crate::server::access::Admin;
use crate::server::accounts::Intent;
use crate::server::error::Error;
use crate::server::jobs::schedule::expiry;
use crate::server::state::AppState;
use crate::server::store::jobs::{Intervention, Job};

/// Tries a job again, now and as if it had never been tried.
///
/// # Errors
/// `NotFound`; `Refused` for one that is done, discarded, or being worked on.
pub async fn retry(state: &AppState, admin: &Admin, id: &str, intent: &Intent) -> Result<Job, Error> {
    let job = find_open(state, id).await?;
    let after = intervene(state, admin, job, (Action::RetryJob, Intervention::Retry), intent).await?;
    state.wake.notify_one();
    Ok(Job { state: JobState::Waiting, ..after })
}

/// Decides that a job shall not happen. Its key stays, so that the same effect is not asked for again.
///
/// # Errors
/// As of `retry`.
pub async fn discard(state: &AppState, admin: &Admin, id: &str, intent: &Intent) -> Result<Job, Error> {
    let job = find_open(state, id).await?;
    let expires_at = expiry(job.kind, state.settings.retention.jobs, Timestamp::now());
    let before = job.cause.as_deref().map(|cause| format!("; before: {cause}")).unwrap_or_default();
    let cause = format!("discarded: {}{before}", intent.reason.as_deref().unwrap_or("no reason was given"));
    let discard = Intervention::Discard { cause, expires_at };
    let after = intervene(state, admin, job, (Action::DiscardJob, discard), intent).await?;
    Ok(Job { state: JobState::Discarded, ..after })
}

/// The same for a page, where a reason has to be given.
///
/// # Errors
/// As of `discard`; `Refused` without a reason.
pub async fn discard_for(state: &AppState, admin: &Admin, id: &str, reason: &str) -> Result<Job, Error> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(Error::Refused { field: "reason", message: "Say why it shall not happen.".to_owned() });
    }
    discard(state, admin, id, &Intent { reason: Some(reason.to_owned()), is_rehearsal: false }).await
}

async fn find_open(state: &AppState, id: &str) -> Result<Job, Error> {
    let job = state.store.jobs.find(id).await?.ok_or(Error::NotFound { what: "This job" })?;
    match job.state {
        JobState::Waiting | JobState::Dead | JobState::Unsure => Ok(job),
        JobState::Done => Err(refused("It is done.")),
        JobState::Discarded => Err(refused("It was discarded.")),
    }
}

async fn intervene(
    state: &AppState,
    admin: &Admin,
    job: Job,
    (action, intervention): (Action, Intervention),
    intent: &Intent,
) -> Result<Job, Error> {
    if intent.is_rehearsal {
        return Ok(job);
    }
    let fact = Fact {
        actor: admin.actor(),
        action,
        subject: job.id.clone(),
        before: None,
        after: None,
        reason: intent.reason.clone(),
    };
    if state.store.jobs.intervene(&job.id, intervention, &fact).await? {
        Ok(job)
    } else {
        Err(refused("It is being worked on at this moment."))
    }
}

fn refused(message: &str) -> Error {
    Error::Refused { field: "id", message: message.to_owned() }
}
