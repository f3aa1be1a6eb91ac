//! One kind of job: takes what is due, runs several at once, and stands still while the other side wants to be left alone.
//!
//! Invariants: one key is never run by two at once while its lease stands, because no run lasts as long as a lease; and only
//! who holds the lease records the end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use crate::model::job::JobKind;
use crate::server::error::Error;
use crate::server::jobs::ledger::place_of;
use crate::server::jobs::schedule::{Limits, attempt_of};
use crate::server::jobs::{End, carry_out};
use crate::server::metrics::METRICS;
use crate::server::state::AppState;
use crate::server::store::jobs::{Attempt, Job};
use crate::server::store::users::new_id;
use crate::server::sync::isolation::unless_it_panics;
use crate::server::traces::{self, Part};

/// How often jobs are looked for that are due, or that another process left behind.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// After a failure that concerns everything, such as MongoDB away.
const AFTER_FAILURE: Duration = Duration::from_millis(500);
/// A run is cut off after this.
const RUN_FOR: Duration = Duration::from_secs(75);
/// Longer than a run and the record of its end.
const LEASE: Duration = Duration::from_mins(2);
/// So many failures in a row that would pass by themselves, and the whole kind stands still for a while (D2-14).
const FAILURES_IN_A_ROW: u32 = 5;
const LONGEST_STANDSTILL: Duration = Duration::from_secs(30);
/// The end of a run is worth recording: a mail that was sent would otherwise count as unsure.
const RECORD_TRIES: u32 = 10;

pub struct Lane {
    state: Arc<AppState>,
    kind: JobKind,
    at_once: usize,
    wake: Arc<Notify>,
    running: JoinSet<Weather>,
    /// The last look took as much as it could.
    has_more: bool,
    failures: u32,
    stands_still_until: Option<Instant>,
}

/// What an attempt says about the other side.
#[derive(Clone, Copy, Debug)]
enum Weather {
    Fine,
    Bad { pause: Option<Duration> },
}

impl Lane {
    pub fn new(state: Arc<AppState>, kind: JobKind, at_once: usize, wake: Arc<Notify>) -> Self {
        let running = JoinSet::new();
        Self { state, kind, at_once, wake, running, has_more: false, failures: 0, stands_still_until: None }
    }

    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*stop.borrow() {
            let is_nudged = tokio::select! {
                biased;
                _ = stop.changed() => break,
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => self.heed(&ended),
                () = self.wake.notified() => true,
                _ = look.tick() => true,
            };
            if let Err(error) = self.fill(is_nudged).await {
                error.log("lease_jobs");
                sleep(AFTER_FAILURE).await;
            }
        }
        while self.running.join_next().await.is_some() {}
    }

    /// Learns from an attempt; whether that is a reason to look for more.
    fn heed(&mut self, ended: &Result<Weather, JoinError>) -> bool {
        match ended {
            Ok(Weather::Fine) => self.failures = 0,
            Ok(Weather::Bad { pause }) => {
                self.failures = self.failures.saturating_add(1);
                let too_many = self.failures.checked_sub(FAILURES_IN_A_ROW);
                let standstill =
                    too_many.map(|more| Duration::from_secs(1 << more.min(5)).min(LONGEST_STANDSTILL)).max(*pause);
                let until = standstill.map(|standstill| Instant::now() + standstill);
                self.stands_still_until = self.stands_still_until.max(until);
            }
            // Outside the attempt itself: the lease ends, and the job is due again.
            Err(_) => tracing::error!(job.kind = self.kind.as_str(), "a job panicked"),
        }
        false
    }

    async fn fill(&mut self, is_nudged: bool) -> Result<(), Error> {
        let free = self.at_once - self.running.len();
        let is_worth_it = is_nudged || (self.has_more && free * 2 >= self.at_once);
        if free == 0 || !is_worth_it || self.stands_still_until.is_some_and(|until| until > Instant::now()) {
            return Ok(());
        }
        let now = Timestamp::now();
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        // After bad weather one goes ahead to see.
        let wanted = if self.failures >= FAILURES_IN_A_ROW { 1 } else { free };
        let due = self.state.store.jobs.lease_due(self.kind, &new_id(), now, until, wanted).await?;
        self.has_more = due.len() == wanted;
        for job in due {
            let parent = traces::followed(job.trace.as_deref());
            let part = Part::taking_up(format!("effect {}", job.kind.as_str())).with("job.kind", job.kind.as_str());
            self.running.spawn(part.under(parent, work(Arc::clone(&self.state), job)));
        }
        Ok(())
    }
}

/// One attempt and its record.
async fn work(state: Arc<AppState>, job: Job) -> Weather {
    let end = Box::pin(end_of(timeout(RUN_FOR, carry_out(&state, &job)))).await;
    let weather = match &end {
        End::Later(later) if later.is_passing => Weather::Bad { pause: later.pause },
        _ => Weather::Fine,
    };
    let settings = &state.settings;
    let limits = Limits { attempts: settings.sync.attempts, kept_for: settings.retention.jobs };
    let is_worth_knowing = !matches!(end, End::Done(_) | End::Early(_));
    let attempt = attempt_of(&job, end, limits, Timestamp::now(), rand::random());
    log(&job, &attempt, is_worth_knowing);
    METRICS.job_ended(job.kind, attempt.state);
    traces::note("job.state", attempt.state.as_str());
    record(&state, &job, &attempt).await;
    weather
}

/// A panic is a fault of ours that does not pass by itself: it counts, or the job would be taken again for ever.
async fn end_of(run: impl Future<Output = Result<Result<End, Error>, Elapsed>>) -> End {
    match unless_it_panics(run).await {
        Some(Ok(Ok(end))) => end,
        Some(Ok(Err(error))) => End::from(&error),
        Some(Err(_)) => End::passing("not finished in time"),
        None => End::from(&Error::Panicked),
    }
}

async fn record(state: &AppState, job: &Job, attempt: &Attempt) {
    let to = place_of(state, job);
    for tries in 1..=RECORD_TRIES {
        match state.store.jobs.record(job, attempt, to.as_deref(), Timestamp::now()).await {
            Ok(()) => return,
            Err(error) if tries == RECORD_TRIES || !error.is_unavailable() => {
                Error::from(error).log("record_job");
                return;
            }
            Err(_) => sleep(AFTER_FAILURE).await,
        }
    }
}

fn log(job: &Job, attempt: &Attempt, is_worth_knowing: bool) {
    let (kind, state, cause) = (job.kind.as_str(), attempt.state.as_str(), attempt.cause.as_str());
    let attempts = job.attempts + 1;
    if is_worth_knowing {
        tracing::warn!(job.kind = kind, job.id = job.id, job.state = state, cause, attempts);
    } else {
        tracing::debug!(job.kind = kind, job.id = job.id, job.state = state, cause, attempts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::jobs::Later;

    #[tokio::test]
    async fn a_job_that_panics_had_an_attempt_and_is_given_up_in_the_end() {
        let end = end_of(async { panic!("a fault of ours") }).await;
        let counted = Later { cause: "a fault of ours: it panicked".to_owned(), is_passing: false, pause: None };
        assert_eq!(end, End::Later(counted));
    }
}
