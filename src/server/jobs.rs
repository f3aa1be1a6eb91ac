//! Effects carried out: each job is taken under a lease, run, and its end recorded (C-8, D2-04).
//!
//! A kind of job is a file with its `KIND` and `run`, registered in `LANES` and `carry_out`. What passes by itself (Clerk
//! away, a full mailbox, a slow receiver) is tried for days; what does not is given up with its cause. Any number of
//! processes may run on one database. Does not know why a change has an effect (`sync::effects`).

pub mod alert;
pub mod intervention;
pub mod lane;
pub mod ledger;
pub mod metadata;
pub mod schedule;
pub mod watch;
pub mod webhook;
pub mod welcome;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch as channel};
use tokio::task::JoinSet;

use crate::model::job::JobKind;
use crate::server::error::Error;
use crate::server::jobs::lane::Lane;
use crate::server::state::AppState;
use crate::server::store::jobs::Job;

/// Every kind of job, and how many of it run at once: one that is slow holds up no other.
const LANES: [(JobKind, usize); 4] = [(metadata::KIND, 8), (welcome::KIND, 2), (webhook::KIND, 8), (alert::KIND, 2)];

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Done(&'static str),
    /// Trying again cannot help.
    Dead(String),
    /// It may have happened, and nobody can be asked (D2-04).
    Unsure(&'static str),
    /// It cannot happen yet, which passes by itself and is nobody's fault.
    Early(&'static str),
    Later(Later),
}

/// Why an attempt is not the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// In codes: nothing personal.
    pub cause: String,
    /// Whether it passes by itself, so that it may be tried for days.
    pub is_passing: bool,
    /// How long the other side asked to be left alone: by this job, and by all of its kind.
    pub pause: Option<Duration>,
}

impl End {
    /// It passes by itself.
    fn passing(cause: impl Into<String>) -> Self {
        Self::Later(Later { cause: cause.into(), is_passing: true, pause: None })
    }
}

impl From<&Error> for End {
    fn from(error: &Error) -> Self {
        Self::Later(Later { cause: error.cause(), is_passing: error.is_passing(), pause: error.retry_after() })
    }
}

/// One attempt. Running it twice is harmless, or it sees to that itself.
async fn carry_out(state: &AppState, job: &Job) -> Result<End, Error> {
    match job.kind {
        metadata::KIND => metadata::run(state, job).await,
        welcome::KIND => welcome::run(state, job).await,
        webhook::KIND => webhook::run(state, job).await,
        alert::KIND => alert::run(state, job).await,
    }
}

/// Runs until `stop` says so, then finishes what is in hand.
pub async fn run(state: Arc<AppState>, mut stop: channel::Receiver<bool>) {
    let mut lanes = JoinSet::new();
    let mut wakes = Vec::new();
    for (kind, at_once) in LANES {
        let wake = Arc::new(Notify::new());
        wakes.push(Arc::clone(&wake));
        lanes.spawn(Lane::new(Arc::clone(&state), kind, at_once, wake).run(stop.clone()));
    }
    lanes.spawn(watch::run(Arc::clone(&state), stop.clone()));
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            () = state.wake.notified() => wakes.iter().for_each(|wake| wake.notify_one()),
            // A lane that ends by itself is a fault: whoever started us finds out by our own end.
            Some(_) = lanes.join_next() => break,
        }
    }
    while lanes.join_next().await.is_some() {}
}
