//! What an admin asks for on a page or by a command: a run to begin, a run to pause, resume or cancel, events to carry out
//! again, one person to bring up to date. Each is in the audit trail before it happens.
//!
//! On a page a run is begun and left to whichever server looks first (`timer`): nobody's request has to stay open for it.

use jiff::Timestamp;

use crate::model::audit::{Action, Fact};
use crate::model::event_filter::ReplayPlan;
use crate::model::run::{RunKind, RunOptions, RunState, Starter, Wish};
use crate::model::user::SyncSource;
use crate::server::access::Admin;
use crate::server::accounts::Intent;
use crate::server::clerk::lenient::is_id;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::events::Outcome;
use crate::server::store::runs::Run;
use crate::server::store::users::new_id;
use crate::server::sync::apply::apply;
use crate::server::sync::effects::metadata_of;
use crate::server::sync::fold::outcome_of;
use crate::server::sync::intervention::ensure_own_name;
use crate::server::sync::ports::Ports;
use crate::server::sync::questions::ask;
use crate::server::sync::refresh::refresh_person;
use crate::server::sync::scan::control::{Begun, Wanted, begin, begin_patiently, interrupt, leave, new_run};
use crate::server::sync::scan::replay::{MOST_COUNTED, until_now};
use crate::server::sync::scan::report::report;

const NO_RUN: Error = Error::NotFound { what: "This run" };
/// So many may be picked by hand.
pub const MOST_PICKED: usize = 200;

/// Begins a walk through Clerk's list, or continues the one that waits, for whichever server looks first.
///
/// # Errors
/// `Refused` while another run is going on; MongoDB's or Clerk's.
pub async fn start(
    state: &AppState,
    admin: &Admin,
    kind: RunKind,
    options: RunOptions,
    reason: Option<String>,
) -> Result<Run, Error> {
    let owner = new_id();
    let wanted = Wanted { kind, starter: Starter::Page, options, anew: false };
    let run = match take_up(state, admin, wanted, &owner, reason).await? {
        Begun::New(run) | Begun::Continued(run) => *run,
        Begun::Busy(run) => return Err(busy(&run)),
        Begun::Refused(reason) => return Err(refused("kind", &reason)),
    };
    state.store.runs.release(&owner).await?;
    Ok(run)
}

/// What it takes to let a reconciliation delete however many: a fresh hand, the word `delete`, and a reason (E-13, D4-25).
///
/// # Errors
/// `Refused` for the word or the reason; as of `demand_fresh_hand`.
pub fn demand_clearance(state: &AppState, admin: &Admin, typed: &str, reason: Option<&str>) -> Result<(), Error> {
    admin.demand_fresh_hand(state)?;
    if typed.trim() != "delete" {
        return Err(refused("typed", "That is not the word, so nothing was begun."));
    }
    if reason.is_none() {
        return Err(refused("reason", "Say why."));
    }
    Ok(())
}

/// The same for whoever carries it on at once: the lease is `owner`'s. A command waits for a dead process to lose it.
///
/// # Errors
/// MongoDB's or Clerk's.
pub async fn take_up(
    state: &AppState,
    admin: &Admin,
    wanted: Wanted,
    owner: &str,
    reason: Option<String>,
) -> Result<Begun, Error> {
    ensure_own_name(admin)?;
    let begun = if wanted.starter == Starter::Command {
        begin_patiently(state, wanted, owner).await?
    } else {
        begin(state, wanted, owner).await?
    };
    let (Begun::New(run) | Begun::Continued(run)) = &begun else { return Ok(begun) };
    let fact = fact_of(admin, Action::StartRun, &run.id, Some(&wanted.describe()), reason);
    if let Err(error) = state.store.audit.append(&fact).await {
        // What is not in the trail does not happen; what waited goes on waiting.
        state.store.runs.release(owner).await?;
        let wish = if matches!(begun, Begun::New(_)) { Wish::Cancel } else { Wish::Pause };
        interrupt(state, &run.id, wish).await?;
        return Err(error.into());
    }
    Ok(begun)
}

/// Puts down a run in the middle, for whoever carries it on is told to stop.
///
/// # Errors
/// MongoDB's.
pub async fn put_down(state: &AppState, admin: &Admin, id: &str, owner: &str) -> Result<Option<Run>, Error> {
    let recorded = state.store.audit.append(&fact_of(admin, Action::PauseRun, id, Some("interrupted"), None)).await;
    let left = leave(state, id, owner).await?;
    recorded?;
    Ok(left)
}

/// Begins to carry events out again.
///
/// # Errors
/// `Refused` if it is not said which, if none match, or while another run is going on; MongoDB's.
pub async fn replay(state: &AppState, admin: &Admin, plan: ReplayPlan, intent: &Intent) -> Result<Run, Error> {
    ensure_own_name(admin)?;
    if plan.ids.is_empty() && plan.filter.is_empty() {
        return Err(refused("q", "Say which events: all of them is not a choice."));
    }
    if plan.ids.len() > MOST_PICKED {
        return Err(refused("ids", &format!("Pick {MOST_PICKED} at most, or say which by a filter.")));
    }
    let plan = ReplayPlan { filter: until_now(plan.filter), ..plan };
    let total = count(state, &plan, MOST_COUNTED).await?;
    if total == 0 {
        return Err(refused("q", "No event matches."));
    }
    if let Some(running) = state.store.runs.find_running().await? {
        return Err(busy(&running));
    }
    let options = RunOptions { dry_run: intent.is_rehearsal, allow_deletions: false };
    let wanted = Wanted { kind: RunKind::Replay, starter: Starter::Page, options, anew: true };
    let mut run = Run { total, replay: Some(plan.clone()), ..new_run(wanted, "", None) };
    (run.lease_owner, run.lease_until) = (None, None);
    let about = plan.describe();
    state
        .store
        .audit
        .append(&fact_of(admin, Action::ReplayEvents, &run.id, Some(&about), intent.reason.clone()))
        .await?;
    if state.store.runs.insert(&run).await? {
        return Ok(run);
    }
    state.store.audit.append(&fact_of(admin, Action::Undone, &run.id, None, None)).await?;
    Err(refused("q", "Another run has just begun."))
}

/// How many events it is about, counted up to `most`.
///
/// # Errors
/// MongoDB's.
pub async fn count(state: &AppState, plan: &ReplayPlan, most: u64) -> Result<u64, Error> {
    if plan.ids.is_empty() {
        return Ok(state.store.events.count_matching(&plan.filter, most).await?);
    }
    Ok(state.store.events.find_many(&plan.ids).await?.len() as u64)
}

/// Pauses, cancels or resumes this run; a rehearsal only says whether it could be.
///
/// # Errors
/// `Refused` if it has ended or another is going on; MongoDB's; `Busy` if whoever is at it does not hear.
pub async fn control(state: &AppState, admin: &Admin, id: &str, action: Action, intent: &Intent) -> Result<Run, Error> {
    ensure_own_name(admin)?;
    let runs = &state.store.runs;
    let run = runs.find(id).await?.ok_or(NO_RUN)?;
    let is_open = matches!(run.state, RunState::Running | RunState::Paused | RunState::Failed);
    let is_fitting = match action {
        Action::PauseRun => run.state == RunState::Running,
        Action::ResumeRun => matches!(run.state, RunState::Paused | RunState::Failed),
        _ => is_open,
    };
    if !is_fitting {
        return Err(refused("id", &format!("It is {}.", run.state.as_str())));
    }
    if action == Action::ResumeRun
        && let Some(running) = runs.find_running().await?
    {
        return Err(busy(&running));
    }
    if intent.is_rehearsal {
        return Ok(run);
    }
    let fact = fact_of(admin, action, id, None, intent.reason.clone());
    let fact = Fact { before: Some(run.state.as_str().to_owned()), ..fact };
    state.store.audit.append(&fact).await?;
    let after = match (action, run.state) {
        (Action::PauseRun, _) => interrupt(state, id, Wish::Pause).await?,
        (Action::ResumeRun, _) => match runs.resume(id, None).await? {
            Some(run) => Some(run),
            None => return Err(runs.find_running().await?.map_or(NO_RUN, |running| busy(&running))),
        },
        (_, RunState::Running) => interrupt(state, id, Wish::Cancel).await?,
        (_, _) => {
            runs.put_aside(id, RunState::Cancelled, "cancelled by an operator", Timestamp::now()).await?;
            runs.find(id).await?
        }
    };
    after.ok_or(NO_RUN)
}

/// Brings one person up to date, as Clerk says, whether they are stored or not; a rehearsal asks Clerk as well.
///
/// # Errors
/// `Invalid` for what cannot be an id; MongoDB's or Clerk's.
pub async fn refresh(state: &AppState, admin: &Admin, clerk_id: &str, intent: &Intent) -> Result<Outcome, Error> {
    ensure_own_name(admin)?;
    if !is_id(clerk_id) {
        return Err(Error::Invalid { field: "id", message: "This is no id of Clerk's.".to_owned() });
    }
    if intent.is_rehearsal {
        let incoming = ask(state, clerk_id, SyncSource::Refetch).await?;
        let stored = state.store.users.find(clerk_id).await?;
        return Ok(outcome_of(&apply(stored.as_ref(), &incoming, "", Timestamp::now())));
    }
    let reason = intent.reason.clone();
    state.store.audit.append(&fact_of(admin, Action::RefreshUser, clerk_id, None, reason)).await?;
    let (outcome, user) = refresh_person(state, clerk_id, SyncSource::Refetch, None).await?;
    state.store.findings.mark_mended(clerk_id, Timestamp::now()).await?;
    // Clerk's metadata may be what differed.
    let living = user.filter(|user| state.plan.metadata && user.deleted_at.is_none());
    state.add_jobs(&living.iter().map(metadata_of).collect::<Vec<_>>()).await?;
    Ok(outcome)
}

/// The walk of this name.
///
/// # Errors
/// `Invalid` for any other.
pub fn walk_named(name: &str) -> Result<RunKind, Error> {
    let known = RunKind::WALKS.into_iter().find(|kind| kind.as_str() == name);
    known.ok_or_else(|| Error::Invalid { field: "kind", message: "There is no such run.".to_owned() })
}

/// What may be wanted of a run.
///
/// # Errors
/// `Invalid` for anything else.
pub fn action_named(name: &str) -> Result<Action, Error> {
    match name {
        "pause" => Ok(Action::PauseRun),
        "resume" => Ok(Action::ResumeRun),
        "cancel" => Ok(Action::CancelRun),
        _ => Err(Error::Invalid { field: "wish", message: "A run is paused, resumed or cancelled.".to_owned() }),
    }
}

fn fact_of(admin: &Admin, action: Action, subject: &str, after: Option<&str>, reason: Option<String>) -> Fact {
    Fact {
        actor: admin.actor(),
        action,
        subject: subject.to_owned(),
        before: None,
        after: after.map(str::to_owned),
        reason,
    }
}

fn busy(run: &Run) -> Error {
    refused("kind", &format!("One run at a time: {}.", report(run).statement))
}

fn refused(field: &'static str, message: &str) -> Error {
    Error::Refused { field, message: message.to_owned() }
}
