//! The loop that applies what arrived: straight from the inbox, and by the clock what is due (put off, or left behind by a
//! crash or another process).
//!
//! Any number may run on one database. What it does to an event is `sync::process`.

use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::sync::arrivals::{Arrivals, Arrived, Intake};
use crate::server::sync::ports::{BATCHES_AT_ONCE, Ports};
use crate::server::sync::process::{PUSHES_A_SECOND, Settled, finish, finish_some, relay_some, settle, sweep};
use crate::server::sync::questions::{Question, ask_and_settle};

/// How often events are looked for that are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often outboxes and contested usernames are looked for that a crash left behind.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// How far apart batches of arrivals begin, and how far when much arrives.
const APART: Duration = Duration::from_millis(40);
const APART_IN_A_CROWD: Duration = Duration::from_millis(100);
/// So many events in a batch are a crowd.
const CROWD: usize = 64;
/// After a failure that concerns everything, such as MongoDB away.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs until `stop` says so, then applies what is still in the queue.
pub async fn run(state: Arc<AppState>, mut arrivals: Arrivals, mut stop: watch::Receiver<bool>) {
    let mut work = Work {
        state,
        unfinished: None,
        questions: JoinSet::new(),
        swept_at: None,
        has_more_due: false,
        has_effects_left: false,
        pushes: 0,
        had: 0,
        began_at: None,
    };
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let limit = work.state.settings.sync.batch;
    let mut batch: Vec<Arrived> = Vec::new();
    while !*stop.borrow() {
        let done = tokio::select! {
            biased;
            _ = stop.changed() => break,
            _ = look.tick() => work.look().await,
            _ = arrivals.recv_many(&mut batch, limit) => {
                work.gather(&mut batch, &mut arrivals, limit).await;
                let applied = work.apply(Intake::of_arrived(std::mem::take(&mut batch))).await;
                if work.has_more_due && applied.is_ok() { work.look().await } else { applied }
            }
            () = std::future::ready(()), if work.has_more_due => work.look().await,
            // Nothing new: what was applied last is recorded now.
            () = std::future::ready(()), if work.unfinished.is_some() => work.record().await,
            Some(_) = work.questions.join_next(), if !work.questions.is_empty() => Ok(()),
        };
        if let Err(error) = done {
            error.log("apply_events");
            tokio::time::sleep(PAUSE).await;
        }
    }
    work.drain(arrivals, limit).await;
}

struct Work {
    state: Arc<AppState>,
    /// Written and not recorded yet: that goes along with the next batch's writes.
    unfinished: Option<Settled>,
    /// Cases for which Clerk is being asked, which must hold up nobody else.
    questions: JoinSet<()>,
    swept_at: Option<Instant>,
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
}

impl Work {
    async fn look(&mut self) -> Result<(), Error> {
        if self.swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            sweep(self.state.as_ref()).await?;
            self.swept_at = Some(Instant::now());
        }
        self.pushes = PUSHES_A_SECOND;
        if self.has_effects_left {
            self.has_effects_left = relay_some(self.state.as_ref(), PUSHES_A_SECOND).await?;
            self.pushes = 0;
        }
        let state = Arc::clone(&self.state);
        let (limit, fields) = (state.settings.sync.batch, state.fields());
        let left = self.state.list_left().await?;
        let due = self.state.list_due(limit).await?;
        self.has_more_due = due.len() >= limit || left.len() >= usize::try_from(BATCHES_AT_ONCE).unwrap_or_default();
        if !left.is_empty() {
            let left = left.into_iter().map(|batch| Arrived::of(batch, fields)).collect();
            self.apply(Intake::of_arrived(left)).await?;
        }
        if due.is_empty() { Ok(()) } else { self.apply(Intake::of_events(&due, fields)).await }
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
        let state = self.state.as_ref();
        let mut before = self.unfinished.take();
        let record: OptionFuture<_> = before.as_mut().map(|before| finish_some(state, before, &mut self.pushes)).into();
        let (settled, recorded) = futures::join!(settle(state, cases), record);
        if let Some(before) = before {
            self.has_effects_left |= before.has_effects_left;
            self.ask(before.asks);
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
        let state = Arc::clone(&self.state);
        self.questions.spawn(async move {
            let answered =
                async { finish(state.as_ref(), &mut ask_and_settle(state.as_ref(), questions).await?).await };
            if let Err(error) = answered.await {
                error.log("ask_clerk");
            }
        });
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
