//! Begins, continues, pauses and cancels runs. One runs at a time, whoever asks.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::model::audit::Action;
use crate::model::run::{RunKind, RunOptions, RunState, Starter, Wish};
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::runs::{Lease, Progress, Run};
use crate::server::store::users::new_id;
use crate::server::sync::instance::refusal;
use crate::server::sync::scan::timer::{PROOF, set_next};

/// Somebody who was not heard of for so long is dead, and another carries on.
const LEASE_FOR: Duration = Duration::from_secs(4);
/// An import is continued however old it is; of the others, what they found would be old news.
const CONTINUED_FOR: SignedDuration = SignedDuration::from_hours(1);
/// What changed at Clerk while the last run looked is looked at again.
const OVERLAP: SignedDuration = SignedDuration::from_mins(10);
/// How long whoever is at a run may take to hear what is wanted.
const HEARD_WITHIN: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// How long a walk may take to its next checkpoint: less than its lease lasts, which was renewed when the wish was heard.
const CHECKPOINT_WITHIN: Duration = Duration::from_secs(3);

/// Holds a walk at its next checkpoint, so that nothing it did is done again by whoever carries on.
#[derive(Default)]
pub struct Halt {
    is_wanted: AtomicBool,
    is_reached: Notify,
}

impl Halt {
    /// Ends when the walk stands at a checkpoint, or has not come to one in time.
    pub async fn reach(&self) {
        self.is_wanted.store(true, Ordering::Relaxed);
        // Late, it is dropped where it is; what it does may be done twice.
        let _ = timeout(CHECKPOINT_WITHIN, self.is_reached.notified()).await;
    }

    /// At a checkpoint: goes by, or stands still to be dropped.
    pub async fn pass(&self) {
        if self.is_wanted.load(Ordering::Relaxed) {
            self.is_reached.notify_one();
            pending::<()>().await;
        }
    }
}

/// From now on, for this owner.
pub fn lease(owner: &str) -> Lease<'_> {
    let now = Timestamp::now();
    Lease { owner, now, until: now.saturating_add(LEASE_FOR).unwrap_or(Timestamp::MAX) }
}

/// What somebody wants done.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub kind: RunKind,
    pub starter: Starter,
    pub options: RunOptions,
    /// From the beginning, though there is a checkpoint.
    pub anew: bool,
}

impl Wanted {
    /// In the words of the command line.
    pub fn describe(&self) -> String {
        let RunOptions { dry_run, allow_deletions } = self.options;
        let options = [(dry_run, "dry-run"), (allow_deletions, "allow-deletions"), (self.anew, "anew")];
        let said = options.into_iter().filter_map(|(is_so, word)| is_so.then_some(word));
        [self.kind.as_str()].into_iter().chain(said).collect::<Vec<_>>().join(", ")
    }
}

/// What came of wanting it.
#[derive(Clone, Debug)]
pub enum Begun {
    /// From the beginning; the lease is ours.
    New(Box<Run>),
    /// From its checkpoint; the lease is ours.
    Continued(Box<Run>),
    /// Somebody is at another run, or at this one.
    Busy(Box<Run>),
    /// It cannot be begun, for this reason.
    Refused(String),
}

/// Begins a run, or continues one that waits or whose process died.
///
/// # Errors
/// MongoDB's or Clerk's.
pub async fn begin(state: &AppState, wanted: Wanted, owner: &str) -> Result<Begun, Error> {
    // Where Clerk cannot be asked now, the run will wait for it.
    if let Ok(Some(reason)) = refusal(state).await {
        return Ok(Begun::Refused(reason));
    }
    let runs = &state.store.runs;
    if let Some(running) = runs.find_running().await? {
        if is_same(&running, wanted) {
            if let Some(run) = runs.take(&running.id, lease(owner)).await? {
                return Ok(Begun::Continued(Box::new(run)));
            }
            return Ok(Begun::Busy(Box::new(running)));
        }
        let cause = "put aside: its process died, and another run was wanted";
        if !runs.put_aside(&running.id, RunState::Failed, cause, Timestamp::now()).await? {
            return Ok(Begun::Busy(Box::new(running)));
        }
    }
    if let Some(waiting) = find_waiting(state, wanted).await? {
        if !wanted.anew {
            let continued = runs.resume(&waiting.id, Some(lease(owner))).await?;
            return Ok(continued.map_or(Begun::Busy(Box::new(waiting)), |run| Begun::Continued(Box::new(run))));
        }
        runs.put_aside(&waiting.id, RunState::Cancelled, "begun anew", Timestamp::now()).await?;
    }
    let since = if wanted.kind == RunKind::CatchUp { last_look(state).await? } else { None };
    if wanted.kind == RunKind::CatchUp && since.is_none() {
        return Ok(Begun::Refused("there is nothing to catch up from: backfill or reconcile first".to_owned()));
    }
    let run = new_run(wanted, owner, since);
    if runs.insert(&run).await? {
        if run.kind == RunKind::Proof {
            // It is the one that was to come.
            runs.forget_due(PROOF).await?;
        }
        return Ok(Begun::New(Box::new(run)));
    }
    Ok(runs
        .find_running()
        .await?
        .map_or(Begun::Refused("another run began".to_owned()), |running| Begun::Busy(Box::new(running))))
}

/// The same, and waits as long as a dead process may still hold the lease: a living one renews it before that.
///
/// # Errors
/// MongoDB's or Clerk's.
pub async fn begin_patiently(state: &AppState, wanted: Wanted, owner: &str) -> Result<Begun, Error> {
    let until = Instant::now() + LEASE_FOR + Duration::from_secs(1);
    let mut first = None;
    loop {
        let begun = begin(state, wanted, owner).await?;
        let Begun::Busy(run) = &begun else { return Ok(begun) };
        let seen = (run.id.clone(), run.lease_until);
        if *first.get_or_insert_with(|| seen.clone()) != seen || Instant::now() > until {
            return Ok(begun);
        }
        sleep(LOOK_AGAIN).await;
    }
}

fn is_same(run: &Run, wanted: Wanted) -> bool {
    run.kind == wanted.kind && run.options == wanted.options && !wanted.anew
}

/// The last that was wanted in this way, if it waits at a checkpoint that is worth something.
async fn find_waiting(state: &AppState, wanted: Wanted) -> Result<Option<Run>, Error> {
    let last = state.store.runs.find_newest_like(wanted.kind, wanted.options).await?;
    let age = |run: &Run| Timestamp::now().duration_since(run.moved_at);
    Ok(last.filter(|run| {
        let waits = matches!(run.state, RunState::Paused | RunState::Failed);
        waits && (run.kind == RunKind::Backfill || age(run) < CONTINUED_FOR)
    }))
}

/// From when on changes may have been missed.
async fn last_look(state: &AppState) -> Result<Option<Timestamp>, Error> {
    let runs = &state.store.runs;
    let done = |kind| runs.find_newest(kind, &[RunState::Done]);
    let (backfill, reconcile, catch_up) =
        tokio::try_join!(done(RunKind::Backfill), done(RunKind::Reconcile), done(RunKind::CatchUp))?;
    let last = [backfill, reconcile, catch_up].into_iter().flatten().map(|run| run.started_at).max();
    Ok(last.map(|at| at.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN)))
}

pub fn new_run(wanted: Wanted, owner: &str, since: Option<Timestamp>) -> Run {
    let lease = lease(owner);
    Run {
        id: new_id(),
        kind: wanted.kind,
        state: RunState::Running,
        starter: wanted.starter,
        options: wanted.options,
        wish: None,
        started_at: lease.now,
        finished_at: None,
        moved_at: lease.now,
        since,
        lease_owner: Some(owner.to_owned()),
        lease_until: Some(lease.until),
        total: 0,
        here: 0,
        progress: Progress::default(),
        counted: None,
        cause: None,
        replay: None,
        expires_at: None,
    }
}

/// Pauses or cancels this run, and no other that began meanwhile; returns it as it is then, or as it ended. `None`: there is
/// none.
///
/// # Errors
/// MongoDB's; `Busy` if whoever is at it does not hear.
pub async fn interrupt(state: &AppState, id: &str, wish: Wish) -> Result<Option<Run>, Error> {
    let runs = &state.store.runs;
    let (ends, cause) = match wish {
        Wish::Pause => (RunState::Paused, "paused by an operator"),
        Wish::Cancel => (RunState::Cancelled, "cancelled by an operator"),
    };
    let until = Instant::now() + HEARD_WITHIN;
    while Instant::now() < until {
        let Some(now) = runs.find(id).await? else { return Ok(None) };
        if now.state != RunState::Running {
            return Ok(Some(now));
        }
        // Of one that nobody is at, nobody need be told.
        if !runs.put_aside(id, ends, cause, Timestamp::now()).await? {
            runs.tell(id, wish).await?;
        } else if let Some(put) = runs.find(id).await? {
            set_next(state, &put).await?;
            return Ok(Some(put));
        }
        sleep(LOOK_AGAIN).await;
    }
    Err(Error::Busy)
}

/// The run that is meant where none is named: to be paused, the one that is going on; to be resumed, the one that waits; to be
/// cancelled, either.
///
/// # Errors
/// MongoDB's.
pub async fn find_meant(state: &AppState, action: Action) -> Result<Option<Run>, Error> {
    let runs = &state.store.runs;
    let running = if action == Action::ResumeRun { None } else { runs.find_running().await? };
    if running.is_some() || action == Action::PauseRun {
        return Ok(running);
    }
    let newest = runs.list_newest(50).await?;
    Ok(newest.into_iter().find(|run| matches!(run.state, RunState::Paused | RunState::Failed)))
}

/// Gives back a run in the middle, to be carried on later by the same wish or by a server.
///
/// # Errors
/// MongoDB's.
pub async fn leave(state: &AppState, id: &str, owner: &str) -> Result<Option<Run>, Error> {
    let runs = &state.store.runs;
    runs.release(owner).await?;
    runs.put_aside(id, RunState::Paused, "interrupted", Timestamp::now()).await?;
    Ok(runs.find(id).await?)
}
