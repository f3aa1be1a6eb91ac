//! Walks through everybody at Clerk: one engine for backfill, reconciliation, proof and catch-up (C-1).
//!
//! | part | what it does |
//! |---|---|
//! | `control` | begins, continues, pauses and cancels runs; one runs at a time |
//! | `place` | where in Clerk's list a run is, and the next page from there |
//! | `compare` | pure: what differs about one person |
//! | `examine` | looks again before a difference counts, so that live traffic raises no false alarm |
//! | `mend` | writes by the engine's own path; tombstones last, and not too many |
//! | `census` | both counts at one moment, without which nothing is complete |
//! | `replay` | stored events carried out again: a run like the others, through events in place of Clerk's list |
//! | `requests` | what admins ask for on pages, with its entry of the audit trail |
//! | `timer` | what runs by the clock, and what a dead process left behind |
//!
//! Clerk lists by the moment of joining, so each page is held against those who joined in the same span here: whoever is
//! here and not on the page is asked for. That finds deletions with one small query a page, and holds nobody in memory
//! but a page. A run survives `kill -9` anywhere: its checkpoint is in MongoDB after each page, everything it does may be
//! done twice, and a walk is dropped in the middle without ceremony when the lease is lost. When an operator wants it, the
//! walk goes as far as its next checkpoint, so that nothing is done twice, unless that takes too long.

pub mod census;
pub mod compare;
pub mod control;
pub mod examine;
pub mod mend;
pub mod place;
pub mod replay;
pub mod report;
pub mod requests;
pub mod timer;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::join;
use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::model::alert::AlertKind;
use crate::model::run::{RunKind, RunState, Wish};
use crate::server::clerk;
use crate::server::clerk::client::LARGEST_PAGE;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::jobs::watch;
use crate::server::state::AppState;
use crate::server::store::runs::{Progress, Run};
use crate::server::sync::instance::refusal;
use crate::server::sync::scan::control::{Halt, lease};
use crate::server::sync::scan::examine::{compare_page, find_gone, weigh_if_many, weigh_suspects};
use crate::server::sync::scan::mend::{bury_held, most_deletions, write_page};
use crate::server::sync::scan::place::fetch;

const BEAT: Duration = Duration::from_secs(1);
/// Attempts at what passes by itself: with their pauses, some minutes.
const MOST_ATTEMPTS: u32 = 12;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Somebody who changes during a catch-up moves to the front and the others back; somebody who goes moves them forward.
const OVERLAP: usize = 50;

/// Who wants to see each checkpoint.
pub type Watcher<'a> = dyn Fn(&Run) + Send + Sync + 'a;

/// Carries on with a run whose lease is ours, until it ends or an operator wants it to pause. Dropped in the middle, it can
/// be carried on by anybody.
///
/// # Errors
/// `Conflict` when somebody else has it now; else MongoDB's. What Clerk refuses is how the run ended.
pub fn carry_on<'a>(state: &'a AppState, run: Run, watcher: &'a Watcher<'a>) -> BoxFuture<'a, Result<Run, Error>> {
    carry_to_its_end(state, run, watcher).boxed()
}

async fn carry_to_its_end(state: &AppState, run: Run, watcher: &Watcher<'_>) -> Result<Run, Error> {
    let (id, owner) = (run.id.clone(), run.lease_owner.clone().unwrap_or_default());
    let halt = Halt::default();
    let mut walk = pin!(walk(state, run, watcher, &halt));
    let walked = tokio::select! {
        walked = &mut walk => walked,
        wish = keep_lease(state, &id, &owner) => {
            let wish = wish?;
            tokio::select! {
                walked = &mut walk => walked,
                () = halt.reach() => return yield_to(state, &id, &owner, wish).await,
            }
        }
    };
    let refused = matches!(walked, Err(Error::Clerk(clerk::Error::Unauthorized)));
    let ended = match walked {
        Ok(run) => run,
        Err(error) => {
            let run = mine(state, &id, &owner).await?;
            Run { state: RunState::Failed, cause: Some(error.cause()), ..run }
        }
    };
    let now = Timestamp::now();
    if ended.kind == RunKind::Reconcile && ended.state == RunState::Done && !ended.options.dry_run {
        timer::want_proof(state, ended.starter, now).await?;
    }
    let is_routine = ended.kind == RunKind::CatchUp && ended.progress.counts.differences() == 0;
    let expires_at = is_routine.then(|| now.saturating_add(state.settings.retention.events).ok()).flatten();
    let ended = Run { finished_at: Some(now), moved_at: now, expires_at, ..ended };
    // The alarm first: of a run that has ended nobody would say it any more.
    if refused {
        watch::raise(state, AlertKind::KeyRefused, "").await?;
    }
    match tell(state, &ended).await {
        // What MongoDB will not have for good must not keep a run from its end.
        Err(error) if !error.is_passing() => error.log("tell_of_run"),
        told => told?,
    }
    timer::set_next(state, &ended).await?;
    if !state.store.runs.end(&ended).await? {
        return Err(Error::Conflict);
    }
    let counts = &ended.progress.counts;
    tracing::info!(
        run.kind = ended.kind.as_str(),
        run.state = ended.state.as_str(),
        cause = ended.cause,
        seen = counts.seen,
        differences = counts.differences(),
        written = counts.written,
        deleted = counts.deleted,
        skipped = counts.skipped,
        "a run ended"
    );
    Ok(ended)
}

/// Alerts. Safe to repeat.
async fn tell(state: &AppState, run: &Run) -> Result<(), Error> {
    let now = Timestamp::now();
    let counts = &run.progress.counts;
    let is_held = run.state == RunState::Stopped && !run.progress.held.is_empty();
    let mends = run.kind == RunKind::Reconcile && !run.options.dry_run;
    if is_held || (mends && run.state == RunState::Done) {
        let held = if is_held { run.progress.held.len() as u64 } else { 0 };
        watch::report(state, AlertKind::DeletionsHeld, "", held, now).await?;
    }
    if run.kind == RunKind::Proof && run.state == RunState::Done {
        watch::report(state, AlertKind::Drift, "", counts.differences() + counts.unsettled, now).await?;
    }
    if run.kind == RunKind::Proof && matches!(run.state, RunState::Done | RunState::Stopped) {
        watch::report(state, AlertKind::Drift, "counts", u64::from(run.state == RunState::Stopped), now).await?;
    }
    Ok(())
}

/// Ends when an operator wants something; `Conflict` when somebody else has the run.
async fn keep_lease(state: &AppState, id: &str, owner: &str) -> Result<Wish, Error> {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        match state.store.runs.renew(id, lease(owner)).await {
            Ok(None) => return Err(Error::Conflict),
            Ok(Some(Run { wish: Some(wish), .. })) => return Ok(wish),
            // MongoDB is away, which the walk meets as well.
            Ok(Some(_)) | Err(_) => {}
        }
    }
}

async fn yield_to(state: &AppState, id: &str, owner: &str, wish: Wish) -> Result<Run, Error> {
    let (now, run) = (Timestamp::now(), mine(state, id, owner).await?);
    let ended = match wish {
        Wish::Pause => Run { state: RunState::Paused, moved_at: now, ..run },
        Wish::Cancel => Run { state: RunState::Cancelled, moved_at: now, finished_at: Some(now), ..run },
    };
    timer::set_next(state, &ended).await?;
    if state.store.runs.end(&ended).await? { Ok(ended) } else { Err(Error::Conflict) }
}

/// The run as it was at its last checkpoint.
async fn mine(state: &AppState, id: &str, owner: &str) -> Result<Run, Error> {
    let run = state.store.runs.find(id).await?;
    run.filter(|run| run.lease_owner.as_deref() == Some(owner)).ok_or(Error::Conflict)
}

/// Again and again while it passes by itself; what does not, or not within minutes, is the answer.
pub async fn patiently<T, F>(mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut attempts = 0;
    loop {
        attempts += 1;
        match attempt().await {
            Err(error) if error.is_passing() && attempts < MOST_ATTEMPTS => {
                pause_after(attempts, &error).await;
            }
            ended => return ended,
        }
    }
}

/// Longer after each attempt, and as long as is asked for.
async fn pause_after(attempts: u32, error: &Error) {
    let pause = Duration::from_millis(250 << attempts.min(7)).min(LONGEST_PAUSE);
    sleep(pause.max(error.retry_after().unwrap_or_default())).await;
}

async fn walk(state: &AppState, mut run: Run, watcher: &Watcher<'_>, halt: &Halt) -> Result<Run, Error> {
    if run.kind != RunKind::Replay
        && let Some(reason) = patiently(|| refusal(state)).await?
    {
        return Ok(Run { state: RunState::Failed, cause: Some(reason), ..run });
    }
    if run.progress.pages == 0 && run.kind != RunKind::Replay {
        run.total = patiently(|| async { Ok(state.clerk.count_users().await?) }).await?;
        let started_at = run.started_at;
        run.here = patiently(|| async { Ok(state.store.users.count_living_before(started_at).await?) }).await?;
    }
    let walk = Walk {
        state,
        watcher,
        halt,
        began_at: Instant::now(),
        began_with: run.progress.counts.seen,
        step: AtomicU64::new(run.progress.pages),
        is_repeated: AtomicBool::new(true),
    };
    let walked = match run.kind {
        RunKind::CatchUp => walk.those_who_changed(run).await,
        RunKind::Replay => walk.events(run).await,
        RunKind::Backfill | RunKind::Reconcile | RunKind::Proof => walk.everybody(run).await,
    };
    Ok(foretell(state, walked?))
}

/// A rehearsal says so where the run itself would stop at the safety limit.
fn foretell(state: &AppState, run: Run) -> Run {
    let most = most_deletions(&run, state.settings.sync.most_deletions);
    let gone = run.progress.counts.gone;
    if run.state != RunState::Done || !run.options.dry_run || gone <= most as u64 {
        return run;
    }
    let cause = format!(
        "it would stop instead, for {gone} people are here and not at Clerk, which is over the limit of {most}; nobody \
         would be deleted"
    );
    Run { cause: Some(cause), ..run }
}

struct Walk<'a> {
    state: &'a AppState,
    watcher: &'a Watcher<'a>,
    halt: &'a Halt,
    began_at: Instant,
    began_with: u64,
    /// Which step is being done, and whether somebody may have tried it before.
    step: AtomicU64,
    is_repeated: AtomicBool,
}

impl Walk<'_> {
    /// Page by page to the end marker, which is an empty page: a short one may only be short. The next page is fetched
    /// while the last is worked on.
    async fn everybody(&self, mut run: Run) -> Result<Run, Error> {
        // A run whose process died after that has only tombstones left to do.
        if !run.progress.is_walked {
            run = match self.pages(run).await? {
                stopped if stopped.state == RunState::Stopped => return Ok(stopped),
                walked => walked,
            };
        }
        let run = self.bury(run).await?;
        if run.state == RunState::Stopped { Ok(run) } else { census::complete(self.state, run).await }
    }

    async fn pages(&self, mut run: Run) -> Result<Run, Error> {
        let mut page = fetch(self.state, &run.progress.place).await?;
        while !page.is_empty() {
            let place = run.progress.place.after(&page);
            let (progress, next) = join!(patiently(|| self.step(&run, &page)), fetch(self.state, &place));
            run.progress = Progress { place, pages: run.progress.pages + 1, ..progress? };
            self.checkpoint(&mut run).await?;
            if let Some(stopped) = self.stopped(&run) {
                return Ok(stopped);
            }
            page = next?;
        }
        run.progress = Progress { is_walked: true, ..patiently(|| self.last_step(&run)).await? };
        self.checkpoint(&mut run).await?;
        Ok(run)
    }

    /// Whoever changed last, first; as far back as the last run that looked. Offsets drift under live traffic, so pages
    /// overlap; what slips through is left to the next reconciliation.
    async fn those_who_changed(&self, mut run: Run) -> Result<Run, Error> {
        let since = run.since.map_or(i64::MIN, Timestamp::as_millisecond);
        // Whoever carries on with one begins again: those who changed meanwhile are in front.
        run.progress = Progress::default();
        let mut offset = 0;
        loop {
            let page =
                patiently(|| async { Ok(self.state.clerk.list_changed_users(LARGEST_PAGE, offset).await?) }).await?;
            run.progress = patiently(|| self.step(&run, &page)).await?;
            run.progress.pages += 1;
            self.checkpoint(&mut run).await?;
            let reached = page.last().and_then(|user| user.updated_at).map_or(i64::MIN, Timestamp::as_millisecond);
            if page.len() < usize::from(LARGEST_PAGE) || reached < since {
                break;
            }
            offset += (page.len() - OVERLAP) as u64;
        }
        run.progress =
            patiently(|| async { weigh_suspects(self.state, &run, self.begin_step(&run).await?).await }).await?;
        self.checkpoint(&mut run).await?;
        let run = self.bury(run).await?;
        Ok(if run.state == RunState::Stopped { run } else { Run { state: RunState::Done, ..run } })
    }

    /// Tombstones for those who are held, now that it is known how many they are; if they are too many, the run stops.
    async fn bury(&self, mut run: Run) -> Result<Run, Error> {
        if let Some(stopped) = self.stopped(&run) {
            return Ok(stopped);
        }
        while !run.progress.held.is_empty() {
            run.progress = patiently(|| bury_held(self.state, &run)).await?;
            self.checkpoint(&mut run).await?;
        }
        Ok(run)
    }

    /// The last checkpoint's numbers, and what was found since by an attempt that came to no other.
    async fn begin_step(&self, run: &Run) -> Result<Progress, Error> {
        let mut progress = run.progress.clone();
        self.step.store(progress.pages, Ordering::Relaxed);
        // A catch-up that is carried on begins again.
        if self.is_repeated.swap(true, Ordering::Relaxed) || run.kind == RunKind::CatchUp {
            progress.recall(self.state.store.findings.list_of_step(&run.id, progress.pages).await?);
        }
        Ok(progress)
    }

    /// One page. Safe to repeat.
    async fn step(&self, run: &Run, page: &[wire::User]) -> Result<Progress, Error> {
        let (state, mut progress) = (self.state, self.begin_step(run).await?);
        progress.counts.seen += page.len() as u64;
        let before = page.iter().filter(|user| user.created_at.is_none_or(|joined_at| joined_at < run.started_at));
        progress.listed_before += before.count() as u64;
        match run.kind {
            RunKind::Backfill => weigh_if_many(state, run, write_page(state, progress, page).await?).await,
            // Goes through events, and never through this list.
            RunKind::Replay => Ok(progress),
            RunKind::CatchUp => compare_page(state, run, progress, page).await,
            RunKind::Reconcile | RunKind::Proof => {
                let progress = compare_page(state, run, progress, page).await?;
                find_gone(state, run, progress, Some(page)).await
            }
        }
    }

    /// After the last page: whoever joined later than all of Clerk's people, and a second look at every suspect.
    async fn last_step(&self, run: &Run) -> Result<Progress, Error> {
        let mut progress = self.begin_step(run).await?;
        if run.kind != RunKind::Backfill {
            progress = find_gone(self.state, run, progress, None).await?;
        }
        weigh_suspects(self.state, run, progress).await
    }

    async fn checkpoint(&self, run: &mut Run) -> Result<(), Error> {
        let done = run.progress.counts.seen.saturating_sub(self.began_with);
        let milliseconds = u64::try_from(self.began_at.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        run.progress.per_second = done.saturating_mul(1_000) / milliseconds;
        run.moved_at = Timestamp::now();
        let mut progress = std::mem::take(&mut run.progress);
        progress.settle_recalled(run);
        run.progress = progress;
        let (store, kept, step) = (&self.state.store, &*run, self.step.load(Ordering::Relaxed));
        let (runs, findings) = (&store.runs, &store.findings);
        patiently(|| async { Ok(findings.add(kept, step, &kept.progress.found).await?) }).await?;
        if !patiently(|| async { Ok(runs.checkpoint(kept).await?) }).await? {
            return Err(Error::Conflict);
        }
        self.is_repeated.store(false, Ordering::Relaxed);
        run.progress.found.clear();
        (self.watcher)(run);
        self.halt.pass().await;
        Ok(())
    }

    /// The safety limit: so many deletions are more likely a wrong key than people who left.
    fn stopped(&self, run: &Run) -> Option<Run> {
        let (held, most) = (run.progress.held.len(), most_deletions(run, self.state.settings.sync.most_deletions));
        let cause = format!(
            "{held} people or more are here and not at Clerk, which is over the limit of {most}; nobody was deleted"
        );
        (held > most).then(|| Run { state: RunState::Stopped, cause: Some(cause), ..run.clone() })
    }
}
