//! What the functions called by Inngest do.
//!
//! An event is believed as far as it can be proven: one that is in our inbox (our own relay sent it) is carried out from
//! the inbox, whatever the call says of it; any other is a hint whom to ask Clerk about (D3-28).

use serde_json::{Value, json};

use crate::model::run::{RunKind, RunOptions, Starter};
use crate::model::user::SyncSource;
use crate::server::clerk::lenient::timestamp_of;
use crate::server::error::Error;
use crate::server::inngest::call::{Call, Event};
use crate::server::inngest::functions::Task;
use crate::server::state::AppState;
use crate::server::store::events::Outcome;
use crate::server::store::users::new_id;
use crate::server::sync::apply::News;
use crate::server::sync::process::carry_out;
use crate::server::sync::refresh::refresh_person;
use crate::server::sync::scan::carry_on;
use crate::server::sync::scan::control::{Begun, Wanted, begin};
use crate::server::sync::scan::report::report;

/// Does what a function is for; the answer is for Inngest's log of the run, and names nobody.
///
/// # Errors
/// `Invalid` when an event names no person; else what stood in the way, which another call may not meet.
pub async fn run(state: &AppState, task: Task, call: &Call) -> Result<Value, Error> {
    if task == Task::ReconcileUsers {
        return reconcile_users(state).await;
    }
    let mut outcomes = Vec::with_capacity(call.events.len());
    for event in &call.events {
        outcomes.push(sync_user(state, event).await?);
    }
    match outcomes.as_slice() {
        [one] => Ok(shown(one)),
        several => Ok(several.iter().map(shown).collect()),
    }
}

/// As much of a reconciliation as a call has time for; the rest is carried on by whichever server looks first.
async fn reconcile_users(state: &AppState) -> Result<Value, Error> {
    let options = RunOptions::default();
    let wanted = Wanted { kind: RunKind::Reconcile, starter: Starter::Inngest, options, anew: false };
    let owner = new_id();
    let run = match begin(state, wanted, &owner).await? {
        Begun::New(run) | Begun::Continued(run) => *run,
        Begun::Busy(run) => return Ok(json!({ "run": run.id, "state": "running", "kind": run.kind.as_str() })),
        Begun::Refused(message) => return Err(Error::Refused { field: "reconcile-users", message }),
    };
    let within = state.settings.server.request_timeout * 2 / 3;
    let Ok(ended) = tokio::time::timeout(within, carry_on(state, run.clone(), &|_| ())).await else {
        state.store.runs.release(&owner).await?;
        return Ok(json!({ "run": run.id, "state": "running" }));
    };
    let report = report(&ended?);
    Ok(json!({
        "run": report.id,
        "state": report.state.as_str(),
        "seen": report.counts.seen,
        "written": report.counts.written,
        "deleted": report.counts.deleted,
        "skipped": report.counts.skipped,
    }))
}

/// `sync-user` and `delete-user` are the same: what becomes of a person is for Clerk to say, not for the event's name. While Clerk's
/// answer may lag behind the event, the call fails, to be repeated.
async fn sync_user(state: &AppState, event: &Event) -> Result<Outcome, Error> {
    if let Some(id) = &event.id
        && let Some(outcome) = carry_out(state, id).await?
    {
        return Ok(outcome);
    }
    let nobody = || Error::Invalid { field: "event", message: "names no person".to_owned() };
    let person = event.person().ok_or_else(nobody)?;
    let news = event.sent_at.and_then(timestamp_of).map(|at| News {
        at,
        is_deletion: event.is_deletion(),
        updated_at: person.updated_at.and_then(timestamp_of),
    });
    refresh_person(state, &person.id, SyncSource::Inngest, news).await.map(|(outcome, _)| outcome)
}

fn shown(outcome: &Outcome) -> Value {
    json!({ "state": outcome.state.as_str(), "decision": outcome.decision })
}
