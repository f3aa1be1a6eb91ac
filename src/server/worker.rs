//! The loop that applies what arrived: straight from the inbox, and by the clock what is due (put off, or left behind by a
//! crash or another process).
//!
//! Any number may run on one database. What it does to an event is `sync::process`.

use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::sync::arrivals::{Arrivals, Arrived, Intake};
use crate::server::sync::isolation::{ask_apart, settle_apart, unless_it_panics};
use crate::server::sync::outboxes::{PUSHES_A_SECOND, relay_some, sweep};
use crate::server::sync::ports::{BATCHES_AT_ONCE, Ports};
use crate::server::sync::process::{Settled, finish, finish_some, settle};
use crate::server::sync::questions::{Question, ask_and_settle};

/// How often events are looked for that are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often outboxes and contested usernames are looked for that a crash left behind.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// How far apart batches of arrivals begin, and how far when much arrives.
const APART: Duration = Duration::from_millis(40);
const APART_IN_A_CROWD: Duration = Duration::from_millis(100);
/// For so long after a panic or a refusal what fails is carried out again in halves: longer than until what was left is due again.
const CAREFUL_FOR: Duration = Duration::from_mins(2);
/// So many events in a batch are a crowd.
const CROWD: usize = 64;
/// Of the pushes of a second, how many are left for what is written meanwhile.
const PUSHES_OF_THE_NEW: usize = 20;
/// After a failure that concerns everything, such as MongoDB away.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs until `stop` says so, then applies what is still in the queue.
pub async fn run(state: Arc<AppState>, mut arrivals: Arrivals, mut stop: watch::Receiver<bool>) {
    let mut work = Work {
        state,
        unfinished: None,
        questions: JoinSet::new(),
        swept_at: None,
        swept_to: None,
        has_more_due: false,
        has_effects_left: false,
        pushes: 0,
        had: 0,
        began_at: None,
        failed_at: None,
    };
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let limit = work.state.settings.sync.batch;
    let mut batch: Vec<Arrived> = Vec::new();
    while !*stop.borrow() {
        // Whoever has been answered is let go of, however much arrives.
        while let Some(asked) = work.questions.try_join_next() {
            work.take_answer(asked);
        }
        // What a panic or a refusal leaves undone is due again before long, and is then carried out in ever smaller parts.
        let turn = unless_it_panics(async {
            tokio::select! {
                biased;
                _ = stop.changed() => Ok(()),
                _ = look.tick() => work.look().await,
                _ = arrivals.recv_many(&mut batch, limit) => {
                    work.gather(&mut batch, &mut arrivals, limit).await;
                    let applied = work.apply(Intake::of_arrived(std::mem::take(&mut batch))).await;
                    if work.has_more_due && applied.is_ok() { work.look().await } else { applied }
                }
                () = std::future::ready(()), if work.has_more_due => work.look().await,
                // Nothing new: what was applied last is recorded now.
                () = std::future::ready(()), if work.unfinished.is_some() => work.record().await,
                Some(asked) = work.questions.join_next(), if !work.questions.is_empty() => {
                    work.take_answer(asked);
                    Ok(())
                }
            }
        });
        match Box::pin(turn).await.unwrap_or(Err(Error::Panicked)) {
            Ok(()) => {}
            Err(error) => {
                if matches!(error, Error::Panicked) {
                    work.failed_at = Some(Instant::now());
                }
                error.log("apply_events");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    Box::pin(work.drain(arrivals, limit)).await;
}

/// What was done, or that nothing was, for a reason that is logged.
fn or_log(done: Result<bool, Error>, doing: &'static str) -> bool {
    done.unwrap_or_else(|error| {
        error.log(doing);
        false
    })
}

struct Work {
    state: Arc<AppState>,
    /// Written and not recorded yet: that goes along with the next batch's writes.
    unfinished: Option<Settled>,
    /// Cases for which Clerk is being asked, which must hold up nobody else; each ends with whether MongoDB refused.
    questions: JoinSet<bool>,
    swept_at: Option<Instant>,
    /// The contested username that the last sweep came to.
    swept_to: Option<String>,
    /// A backlog is worked off batch by batch, in turn with what arrives.
    has_more_due: bool,
    /// A burst left effects in the outboxes.
    has_effects_left: bool,
    /// How many pushes of metadata may become jobs until the next look.
    pushes: usize,
    /// How many events the last batch of arrivals had.
    had: usize,
    /// When the last batch of arrivals was begun.
    began_at: Option<Instant>,
    /// When an event last made us panic, or MongoDB refused what concerned several.
    failed_at: Option<Instant>,
}

impl Work {
    /// Each part goes on although another fails: what one document is in the way of is not what the others are about.
    async fn look(&mut self) -> Result<(), Error> {
        self.pushes = PUSHES_A_SECOND;
        if self.swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            self.swept_at = Some(Instant::now());
            self.has_effects_left |= or_log(sweep(self.state.as_ref(), &mut self.swept_to).await, "sweep");
        } else if self.has_effects_left {
            // Most go to those who have waited; whoever is new does not wait for all of them.
            self.pushes = PUSHES_OF_THE_NEW;
            let most = PUSHES_A_SECOND - PUSHES_OF_THE_NEW;
            self.has_effects_left = or_log(relay_some(self.state.as_ref(), most).await, "relay_effects");
        }
        let left = self.take_left().await;
        let due = self.take_due().await;
        if let (Ok(has_more_left), Ok(has_more_due)) = (&left, &due) {
            self.has_more_due = *has_more_left || *has_more_due;
        }
        left.and(due).map(|_| ())
    }

    /// What somebody left behind; whether there may be more.
    async fn take_left(&mut self) -> Result<bool, Error> {
        let state = Arc::clone(&self.state);
        let left = state.list_left().await?;
        let has_more = left.len() >= usize::try_from(BATCHES_AT_ONCE).unwrap_or_default();
        if !left.is_empty() {
            let left = left.into_iter().map(|batch| Arrived::of(batch, state.reading())).collect();
            self.apply(Intake::of_arrived(left)).await?;
        }
        Ok(has_more)
    }

    /// What is due; whether there may be more.
    async fn take_due(&mut self) -> Result<bool, Error> {
        let state = Arc::clone(&self.state);
        let limit = state.settings.sync.batch;
        let due = state.list_due(limit).await?;
        if !due.is_empty() {
            self.apply(Intake::of_events(&due, state.reading())).await?;
        }
        Ok(due.len() >= limit)
    }

    /// Whether what fails is carried out again in halves.
    fn is_careful(&self) -> bool {
        self.failed_at.is_some_and(|at| at.elapsed() < CAREFUL_FOR)
    }

    /// Batches begin a little apart, so that many events make large ones: their commands cost nearly the same for one event
    /// and for fifty. The first event after a quiet moment is applied at once.
    async fn gather(&mut self, batch: &mut Vec<Arrived>, arrivals: &mut Arrivals, limit: usize) {
        let apart = if self.had >= CROWD { APART_IN_A_CROWD } else { APART };
        let until = self.began_at.map_or_else(Instant::now, |at| at + apart);
        let count = |batch: &[Arrived]| batch.iter().map(|arrived| arrived.events.len()).sum::<usize>();
        while count(batch) < limit {
            let room = limit - count(batch);
            match tokio::time::timeout_at(until, arrivals.recv_many(batch, room)).await {
                Ok(true) => {}
                _ => break,
            }
        }
        self.began_at = Some(Instant::now());
        self.had = count(batch);
    }

    async fn apply(&mut self, intake: Intake) -> Result<(), Error> {
        let Intake { cases, records, batches } = intake;
        let is_careful = self.is_careful();
        let state = self.state.as_ref();
        let mut before = self.unfinished.take();
        let record: OptionFuture<_> = before.as_mut().map(|before| finish_some(state, before, &mut self.pushes)).into();
        let settled = async { if is_careful { settle_apart(state, cases).await } else { settle(state, cases).await } };
        let (settled, recorded) = futures::join!(settled, record);
        if let Some(before) = before {
            self.has_effects_left |= before.has_effects_left;
            self.ask(before.asks);
        }
        if settled.as_ref().is_err_and(|error| !error.is_passing()) {
            self.failed_at = Some(Instant::now());
        }
        self.unfinished = Some(Settled { records, batches, ..settled? });
        recorded.unwrap_or(Ok(()))
    }

    async fn record(&mut self) -> Result<(), Error> {
        let Some(mut settled) = self.unfinished.take() else { return Ok(()) };
        let recorded = finish_some(self.state.as_ref(), &mut settled, &mut self.pushes).await;
        self.has_effects_left |= settled.has_effects_left;
        self.ask(settled.asks);
        recorded
    }

    fn ask(&mut self, questions: Vec<Question>) {
        if questions.is_empty() {
            return;
        }
        let (state, is_careful) = (Arc::clone(&self.state), self.is_careful());
        self.questions.spawn(async move {
            let ports = state.as_ref();
            let settled = async {
                if is_careful { ask_apart(ports, questions).await } else { ask_and_settle(ports, questions).await }
            };
            let answered = async { finish(ports, &mut settled.await?).await };
            let Err(error) = Box::pin(answered).await else { return false };
            error.log("ask_clerk");
            !error.is_passing()
        });
    }

    /// A panic counts as a refusal.
    fn take_answer(&mut self, asked: Result<bool, JoinError>) {
        if asked.unwrap_or(true) {
            self.failed_at = Some(Instant::now());
        }
    }

    /// Everything that was acknowledged is in the database; this spares the next process the work.
    async fn drain(mut self, mut arrivals: Arrivals, limit: usize) {
        arrivals.close();
        let mut batch = Vec::new();
        while arrivals.recv_many(&mut batch, limit).await {
            if let Err(error) = self.apply(Intake::of_arrived(std::mem::take(&mut batch))).await {
                error.log("drain");
                return;
            }
        }
        if let Err(error) = self.record().await {
            error.log("drain");
        }
        while self.questions.join_next().await.is_some() {}
    }
}
