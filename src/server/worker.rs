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
use crate::server::sync::fold::{Case, Said};
use crate::server::sync::inbox::Arrivals;
use crate::server::sync::ports::Ports;
use crate::server::sync::process::{Settled, ask_and_settle, cases_of, finish, group, settle, sweep};

/// How often events are looked for that are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often outboxes and contested usernames are looked for that a crash left behind.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// How far apart batches of arrivals begin.
const APART: Duration = Duration::from_millis(40);
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
        began_at: None,
    };
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let limit = work.state.settings.sync.batch;
    let mut batch: Vec<Said> = Vec::with_capacity(limit);
    while !*stop.borrow() {
        let done = tokio::select! {
            biased;
            _ = stop.changed() => break,
            _ = look.tick() => work.look().await,
            _ = arrivals.recv_many(&mut batch, limit) => {
                work.gather(&mut batch, &mut arrivals, limit).await;
                let applied = work.apply(group(std::mem::take(&mut batch)), Vec::new()).await;
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
    /// When the last batch of arrivals was begun.
    began_at: Option<Instant>,
}

impl Work {
    async fn look(&mut self) -> Result<(), Error> {
        if self.swept_at.is_none_or(|at| at.elapsed() >= SWEEP_EVERY) {
            sweep(self.state.as_ref()).await?;
            self.swept_at = Some(Instant::now());
        }
        let limit = self.state.settings.sync.batch;
        let due = self.state.list_due(limit).await?;
        self.has_more_due = due.len() >= limit;
        if due.is_empty() {
            return Ok(());
        }
        let (cases, finished) = cases_of(&due);
        self.apply(cases, finished).await
    }

    /// Batches begin a little apart, so that many events make large ones: five commands cost nearly the same for one
    /// event and for a hundred. The first event after a quiet moment is applied at once.
    async fn gather(&mut self, batch: &mut Vec<Said>, arrivals: &mut Arrivals, limit: usize) {
        let until = self.began_at.map_or_else(Instant::now, |at| at + APART);
        while batch.len() < limit {
            let room = limit - batch.len();
            match tokio::time::timeout_at(until, arrivals.recv_many(batch, room)).await {
                Ok(more) if more > 0 => {}
                _ => break,
            }
        }
        self.began_at = Some(Instant::now());
    }

    async fn apply(
        &mut self,
        cases: Vec<Case>,
        finished: Vec<(String, crate::server::store::events::Outcome)>,
    ) -> Result<(), Error> {
        let state = self.state.as_ref();
        let before = self.unfinished.take();
        let record: OptionFuture<_> = before.as_ref().map(|before| finish(state, before)).into();
        let (settled, recorded) = futures::join!(settle(state, cases), record);
        let mut settled = settled?;
        settled.outcomes.extend(finished);
        self.ask(std::mem::take(&mut settled.asks));
        self.unfinished = Some(settled);
        recorded.unwrap_or(Ok(()))
    }

    async fn record(&mut self) -> Result<(), Error> {
        match self.unfinished.take() {
            Some(settled) => finish(self.state.as_ref(), &settled).await,
            None => Ok(()),
        }
    }

    fn ask(&mut self, cases: Vec<Case>) {
        if cases.is_empty() {
            return;
        }
        let state = Arc::clone(&self.state);
        self.questions.spawn(async move {
            let answered = async { finish(state.as_ref(), &ask_and_settle(state.as_ref(), cases).await?).await };
            if let Err(error) = answered.await {
                error.log("ask_clerk");
            }
        });
    }

    /// Everything that was acknowledged is in the database; this spares the next process the work.
    async fn drain(mut self, mut arrivals: Arrivals, limit: usize) {
        arrivals.close();
        let mut batch = Vec::with_capacity(limit);
        while arrivals.recv_many(&mut batch, limit).await > 0 {
            if let Err(error) = self.apply(group(std::mem::take(&mut batch)), Vec::new()).await {
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
