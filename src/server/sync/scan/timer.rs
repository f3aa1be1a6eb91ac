//! What runs by the clock, in whichever process looks first: a reconciliation and the proof of it, catch-ups in between,
//! every run whose process died, and what is forgotten.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::model::run::{RunKind, RunOptions, RunState, Starter};
use crate::server::erasure::hide_erased;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::runs::Run;
use crate::server::store::users::new_id;
use crate::server::sync::scan::carry_on;
use crate::server::sync::scan::control::{Begun, Wanted, begin, lease};

const LOOK_EVERY: Duration = Duration::from_secs(2);
const RECONCILE: &str = "reconcile";
const CATCH_UP: &str = "catch-up";
/// Of the proof that follows a reconciliation.
pub const PROOF: &str = "proof";
/// What could not be done is tried again after this.
const TRY_AGAIN: SignedDuration = SignedDuration::from_mins(5);
/// After a reconciliation by hand.
const BY_HAND: SignedDuration = SignedDuration::from_secs(60);
/// How often what is too old leaves the audit trail, and the ids of the erased; MongoDB sees to the rest by itself.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// Looks until `stop` says so. A run in the middle is left to another process.
pub async fn run(state: Arc<AppState>, mut stop: watch::Receiver<bool>) {
    let owner = new_id();
    let looking = async {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            look.tick().await;
            if let Err(error) = do_what_is_due(&state, &owner).await {
                error.log("run_by_the_clock");
            }
        }
    };
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = looking => {}
    }
    if let Err(error) = state.store.runs.release(&owner).await {
        Error::from(error).log("release_run");
    }
}

async fn do_what_is_due(state: &AppState, owner: &str) -> Result<(), Error> {
    if is_due(state, "forget", Some(FORGET_EVERY)).await? {
        state.store.audit.forget(state.settings.retention.audit, Timestamp::now()).await?;
        hide_erased(state, Timestamp::now()).await?;
    }
    if let Some(left) = state.store.runs.find_running().await? {
        if let Some(taken) = state.store.runs.take(&left.id, lease(owner)).await? {
            tracing::info!(run.kind = taken.kind.as_str(), "carrying on with a run that was left behind");
            end_of(carry_on(state, taken, &|_| ()).await)?;
        }
        return Ok(());
    }
    let (sync, runs) = (&state.settings.sync, &state.store.runs);
    if is_due(state, RECONCILE, sync.reconcile_every).await? {
        carry_out(state, RunKind::Reconcile, owner).await?;
    }
    let now = Timestamp::now();
    if runs.put_off(PROOF, now, after(now, TRY_AGAIN)).await? {
        carry_out(state, RunKind::Proof, owner).await?;
    }
    if is_due(state, CATCH_UP, sync.catch_up_every).await? {
        carry_out(state, RunKind::CatchUp, owner).await?;
    }
    Ok(())
}

/// A reconciliation is followed by the proof of it: at once where the clock wanted it; else a while later, so that whoever
/// began it by hand can begin something else. Not where nothing runs by the clock.
///
/// # Errors
/// MongoDB's.
pub async fn want_proof(state: &AppState, starter: Starter, now: Timestamp) -> Result<(), Error> {
    if state.settings.sync.reconcile_every.is_none() {
        return Ok(());
    }
    let pause = if starter == Starter::Timer { SignedDuration::ZERO } else { BY_HAND };
    Ok(state.store.runs.set_due(PROOF, now.saturating_add(pause).unwrap_or(Timestamp::MAX)).await?)
}

/// When the clock wants next what it wanted: soon, if it did not come to its end. Said before the run ends: until then it is
/// due in minutes, and somebody else would begin another. Safe to repeat.
///
/// # Errors
/// MongoDB's.
pub async fn set_next(state: &AppState, run: &Run) -> Result<(), Error> {
    if run.starter != Starter::Timer {
        return Ok(());
    }
    let (runs, now) = (&state.store.runs, Timestamp::now());
    match (run.kind, run.state, state.settings.sync.reconcile_every) {
        (RunKind::Reconcile, RunState::Failed, Some(_)) => runs.set_due(RECONCILE, after(now, TRY_AGAIN)).await?,
        (RunKind::Reconcile, _, Some(every)) => runs.set_due(RECONCILE, after(now, every)).await?,
        (RunKind::Proof, RunState::Failed, _) => runs.set_due(PROOF, after(now, TRY_AGAIN)).await?,
        _ => {}
    }
    Ok(())
}

fn after(at: Timestamp, pause: impl Into<jiff::TimestampArithmetic>) -> Timestamp {
    at.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

async fn is_due(state: &AppState, timer: &str, every: Option<Duration>) -> Result<bool, Error> {
    let Some(every) = every else { return Ok(false) };
    let now = Timestamp::now();
    let next = if timer == RECONCILE { after(now, TRY_AGAIN) } else { after(now, every) };
    Ok(state.store.runs.is_due(timer, now, next, after(now, every)).await?)
}

/// What could not be begun may be the next time.
async fn carry_out(state: &AppState, kind: RunKind, owner: &str) -> Result<(), Error> {
    let wanted = Wanted { kind, starter: Starter::Timer, options: RunOptions::default(), anew: false };
    match begin(state, wanted, owner).await? {
        Begun::New(run) => end_of(carry_on(state, *run, &|_| ()).await),
        Begun::Continued(run) => {
            if kind == RunKind::Proof {
                // It is the one that was to come, as a new one is from its beginning on.
                state.store.runs.forget_due(PROOF).await?;
            }
            end_of(carry_on(state, *run, &|_| ()).await)
        }
        Begun::Busy(_) => Ok(()),
        Begun::Refused(reason) => {
            tracing::debug!(run.kind = kind.as_str(), reason, "a run could not be begun");
            Ok(())
        }
    }
}

/// That another process has the run now is no fault.
fn end_of(ended: Result<Run, Error>) -> Result<(), Error> {
    match ended {
        Err(Error::Conflict) => Ok(()),
        ended => ended.map(|_| ()),
    }
}
