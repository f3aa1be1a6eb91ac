//! The one gate in front of Clerk for all callers of a process: a place from the limiter, the circuit's leave, and a key that
//! Clerk takes (D2-15): one that it refuses is not shown to it again for a while, whoever asks.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::server::clerk::Error;
use crate::server::clerk::client::breaker::{Breaker, Pass, Turn};
use crate::server::clerk::client::limiter::{Limiter, Priority};

/// A 429 without a time in it.
const UNNAMED_PAUSE: Duration = Duration::from_secs(1);
/// A key that Clerk refuses is shown to it no more often than this.
const AFTER_REFUSAL: Duration = Duration::from_secs(15);

/// Every word for what became of a call.
pub const OUTCOMES: [&str; 10] = [
    "ok",
    "not_found",
    "unauthorized",
    "rate_limited",
    "circuit_open",
    "held_back",
    "rejected",
    "unreachable",
    "unavailable",
    "malformed",
];

/// Cheap to clone; all clones are one gate.
#[derive(Clone)]
pub struct Guard {
    state: Arc<Mutex<State>>,
    /// Who would wait longer is told so at once.
    patience: Duration,
    observe: fn(Seen),
}

struct State {
    limiter: Limiter,
    breaker: Breaker,
    /// Whether the last word about our key was a refusal; `None`: no word yet.
    is_refused: watch::Sender<Option<bool>>,
    refused_until: Option<Instant>,
    demand: Demand,
}

/// What was asked for since somebody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    pub calls: u32,
    /// Whether more was asked for than may be called.
    pub has_waited: bool,
}

/// What became of one call, for whoever counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// One of few words.
    pub outcome: &'static str,
    /// How long it waited for its turn.
    pub waited: Duration,
}

/// The right to make one call. How it ends must be reported; one that is dropped ends without a result.
pub struct Ticket {
    guard: Guard,
    pass: Option<Pass>,
    waited: Duration,
}

impl Guard {
    pub fn new(calls_in_ten_seconds: u32, patience: Duration, observe: fn(Seen)) -> Self {
        let state = State {
            limiter: Limiter::new(calls_in_ten_seconds),
            breaker: Breaker::default(),
            is_refused: watch::Sender::new(None),
            refused_until: None,
            demand: Demand::default(),
        };
        Self { state: Arc::new(Mutex::new(state)), patience, observe }
    }

    /// Waits for the turn of a call.
    ///
    /// # Errors
    /// `RateLimited` or `CircuitOpen`, with the time to wait, or `Unauthorized`: nothing was asked of Clerk.
    pub async fn enter(&self, priority: Priority) -> Result<Ticket, Error> {
        let began_at = Instant::now();
        let entered = self.wait(priority, began_at).await;
        let waited = began_at.elapsed();
        match entered {
            Ok(pass) => Ok(Ticket { guard: self.clone(), pass: Some(pass), waited }),
            Err(error) => {
                let is_open = matches!(error, Error::CircuitOpen { .. });
                (self.observe)(Seen { outcome: if is_open { "circuit_open" } else { "held_back" }, waited });
                Err(error)
            }
        }
    }

    async fn wait(&self, priority: Priority, now: Instant) -> Result<Pass, Error> {
        let until = now + self.patience;
        let mut at = self.reserve(priority, until)?;
        loop {
            sleep_until(at).await;
            if !self.lock().limiter.is_paused(Instant::now()) {
                break;
            }
            // Clerk asked for a pause meanwhile.
            at = self.reserve(priority, until)?;
        }
        self.lock().breaker.admit(Instant::now()).map_err(|retry_after| Error::CircuitOpen { retry_after })
    }

    /// Whether Clerk failed so often that it is not asked now.
    pub fn is_open(&self) -> bool {
        self.lock().breaker.is_open()
    }

    /// How many calls could be made in the next ten seconds.
    pub fn calls_left(&self) -> u32 {
        self.lock().limiter.left(Instant::now())
    }

    /// From now on so many calls in any ten seconds.
    pub fn allow(&self, calls: u32) {
        let mut state = self.lock();
        if state.limiter.calls() != calls {
            state.limiter.resize(calls, Instant::now());
        }
    }

    pub fn calls_allowed(&self) -> u32 {
        self.lock().limiter.calls()
    }

    pub fn take_demand(&self) -> Demand {
        std::mem::take(&mut self.lock().demand)
    }

    /// What Clerk says of our key, and every change of that.
    pub fn key_refusals(&self) -> watch::Receiver<Option<bool>> {
        self.lock().is_refused.subscribe()
    }

    /// Learns from an answer whether Clerk takes our key; one that says nothing about it changes nothing.
    pub fn learn_of_key<T>(&self, result: &Result<T, Error>) {
        let is_refused = match result {
            Err(Error::Unauthorized) => true,
            Ok(_) | Err(Error::NotFound | Error::Rejected { .. }) => false,
            Err(_) => return,
        };
        let mut state = self.lock();
        state.refused_until = is_refused.then(|| Instant::now() + AFTER_REFUSAL);
        state.is_refused.send_if_modified(|known| known.replace(is_refused) != Some(is_refused));
    }

    fn reserve(&self, priority: Priority, until: Instant) -> Result<Instant, Error> {
        let now = Instant::now();
        let mut state = self.lock();
        if state.refused_until.is_some_and(|until| until > now) {
            return Err(Error::Unauthorized);
        }
        state.breaker.check(now).map_err(|retry_after| Error::CircuitOpen { retry_after })?;
        let place = state.limiter.reserve(priority, now, until);
        let has_waited = place.is_err() || place.is_ok_and(|at| at > now);
        state.demand.calls = state.demand.calls.saturating_add(1);
        // While Clerk wants a pause, more calls are no help.
        state.demand.has_waited |= has_waited && !state.limiter.is_paused(now);
        place.map_err(|wait| Error::RateLimited { retry_after: Some(wait) })
    }

    /// Nothing that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// How the call ended: what everybody else learns from it.
    pub fn report<T>(mut self, result: &Result<T, Error>) {
        let Some(pass) = self.pass.take() else { return };
        (self.guard.observe)(Seen { outcome: outcome_of(result.as_ref().err()), waited: self.waited });
        self.guard.learn_of_key(result);
        let has_answered = !matches!(result, Err(Error::Unavailable(_) | Error::UnavailableStatus(_)));
        let now = Instant::now();
        let mut state = self.guard.lock();
        if let Err(Error::RateLimited { retry_after }) = result {
            state.limiter.pause(now + retry_after.unwrap_or(UNNAMED_PAUSE));
        }
        let turn = state.breaker.record(pass, has_answered, now, rand::random());
        drop(state);
        match turn {
            Some(Turn::Opened(pause)) => {
                tracing::warn!(
                    pause_ms = pause.as_millis(),
                    "Clerk fails again and again and is left alone for a while"
                );
            }
            Some(Turn::Closed) => tracing::info!("Clerk answers again"),
            None => {}
        }
    }
}

fn outcome_of(error: Option<&Error>) -> &'static str {
    match error {
        None => "ok",
        Some(Error::NotFound) => "not_found",
        Some(Error::Unauthorized) => "unauthorized",
        Some(Error::RateLimited { .. }) => "rate_limited",
        Some(Error::CircuitOpen { .. }) => "circuit_open",
        Some(Error::Rejected { .. }) => "rejected",
        Some(Error::Unavailable(_)) => "unreachable",
        Some(Error::UnavailableStatus(_)) => "unavailable",
        Some(Error::Malformed(_)) => "malformed",
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(pass) = self.pass {
            self.guard.lock().breaker.give_up(pass);
        }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("patience", &self.patience).finish_non_exhaustive()
    }
}
