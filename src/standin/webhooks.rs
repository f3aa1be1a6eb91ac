//! The outbox: webhooks queued in the order of the changes, sent with Svix's signatures, retries and faults on request.
//!
//! Owns the record of every message. What a message says is `instance`'s business; how one attempt goes is `attempt`'s.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::standin::instance::Instance;
use crate::standin::levers::Levers;

pub mod attempt;
mod queue;

/// Svix's schedule after each failure: eight attempts over about 27.6 hours.
const SCHEDULE_S: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
const IN_FLIGHT: usize = 32;
/// How long a lone message waits for neighbours to be shuffled with.
const SHUFFLE_WAIT: Duration = Duration::from_millis(50);

/// One message and what became of it.
#[derive(Debug, Clone, Serialize)]
pub struct Delivery {
    pub svix_id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub user_id: String,
    pub attempts: Vec<Attempt>,
    pub state: State,
    /// The body that was signed, kept for resending.
    #[serde(skip)]
    pub body: Arc<str>,
}

/// The answer to one attempt; no status means that no answer came.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    pub status: Option<u16>,
    pub at_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Pending,
    Delivered,
    Failed,
    /// Lost on request of the `drop` lever.
    Dropped,
    /// Made while the endpoint was disabled.
    Missed,
}

/// A copy of a message that waits for its next attempt.
#[derive(Debug, Clone)]
pub struct Errand {
    svix_id: String,
    tries: usize,
    body: Arc<str>,
}

pub struct Outbox {
    pub secret: String,
    retry_scale: f64,
    state: Mutex<Book>,
    wake: Notify,
    waiting: watch::Sender<usize>,
}

#[derive(Debug)]
struct Book {
    target: Option<String>,
    levers: Levers,
    rng: StdRng,
    order: Vec<String>,
    deliveries: HashMap<String, Delivery>,
    /// Due time and position; the first entry is the next errand.
    queue: BTreeMap<(Instant, u64, u64), Errand>,
    position: u64,
    began: Instant,
}

impl Outbox {
    pub fn new(target: Option<String>, secret: String, retry_scale: f64) -> Outbox {
        let book = Book {
            target,
            levers: Levers::default(),
            rng: StdRng::seed_from_u64(2026),
            order: Vec::new(),
            deliveries: HashMap::new(),
            queue: BTreeMap::new(),
            position: 0,
            began: Instant::now(),
        };
        Outbox { secret, retry_scale, state: Mutex::new(book), wake: Notify::new(), waiting: watch::Sender::new(0) }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_target(&self, url: &str) {
        self.book().target = Some(url.to_owned());
        self.wake.notify_one();
    }

    pub fn obey(&self, levers: Levers) {
        self.book().levers = levers;
        self.wake.notify_one();
    }

    /// Queues a message. Without any target it is forgotten at once, as at Clerk without an endpoint.
    pub fn push(&self, svix_id: &str, kind: &str, user_id: &str, body: String) {
        let mut book = self.book();
        if book.target.is_none() {
            return;
        }
        let body: Arc<str> = body.into();
        let probability = book.levers.drop;
        let lost = book.chance(probability);
        let state = match (lost, book.levers.disabled) {
            (true, _) => State::Dropped,
            (_, true) => State::Missed,
            _ => State::Pending,
        };
        book.record(svix_id, kind, user_id, &body, state);
        if state != State::Pending {
            return;
        }
        let copies = 1 + book.extra_copies();
        for _ in 0..copies {
            book.schedule_first(svix_id, &body);
        }
        self.waiting.send_modify(|waiting| *waiting += copies);
        self.wake.notify_one();
    }

    /// Sends a known message once more, at once and under the same id.
    pub fn resend(&self, svix_id: &str) -> bool {
        let mut book = self.book();
        let Some(delivery) = book.deliveries.get_mut(svix_id) else { return false };
        delivery.state = State::Pending;
        let body = Arc::clone(&delivery.body);
        book.enqueue(Instant::now(), Errand { svix_id: svix_id.to_owned(), tries: 0, body });
        self.waiting.send_modify(|waiting| *waiting += 1);
        self.wake.notify_one();
        true
    }

    /// Sends whatever was never delivered and is not waiting, in its order, under the same ids; answers how many. The button
    /// of an endpoint's page that replays what is missing.
    pub fn replay_missing(&self) -> usize {
        let is_missing = |delivery: &Delivery| !matches!(delivery.state, State::Delivered | State::Pending);
        let missing: Vec<Delivery> = self.deliveries().into_iter().filter(is_missing).collect();
        missing.iter().filter(|delivery| self.resend(&delivery.svix_id)).count()
    }

    /// Forgets the past and what is queued.
    pub fn clear(&self) {
        let mut book = self.book();
        let removed = book.queue.len();
        book.queue.clear();
        book.order.clear();
        book.deliveries.clear();
        self.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(removed));
    }

    pub fn deliveries(&self) -> Vec<Delivery> {
        let book = self.book();
        book.order.iter().filter_map(|id| book.deliveries.get(id).cloned()).collect()
    }

    pub fn waiting(&self) -> usize {
        *self.waiting.borrow()
    }

    pub async fn drained(&self, within: Duration) -> bool {
        let mut waiting = self.waiting.subscribe();
        tokio::time::timeout(within, waiting.wait_for(|waiting| *waiting == 0)).await.is_ok_and(|seen| seen.is_ok())
    }

    async fn next(&self) -> (Errand, attempt::Order) {
        loop {
            let due = {
                let mut book = self.book();
                let target = book.target.clone().filter(|_| !book.levers.paused && !book.levers.disabled);
                match (target, book.queue.first_key_value().map(|(key, _)| *key)) {
                    (Some(url), Some(key)) if key.0 <= Instant::now() => {
                        let secret = book.levers.signing_secret.clone().unwrap_or_else(|| self.secret.clone());
                        if let Some(errand) = book.queue.remove(&key) {
                            return (errand, attempt::Order { url, secret });
                        }
                        continue;
                    }
                    (Some(_), Some(key)) => Some(key.0),
                    _ => None,
                }
            };
            match due {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = self.wake.notified() => {}
                },
                None => self.wake.notified().await,
            }
        }
    }

    fn settle(&self, mut errand: Errand, outcome: &attempt::Outcome) {
        let mut book = self.book();
        let pause = SCHEDULE_S.get(errand.tries).filter(|_| !outcome.delivered && !outcome.aborted);
        if let Some(delivery) = book.deliveries.get_mut(&errand.svix_id) {
            delivery.attempts.push(Attempt { status: outcome.status, at_ms: outcome.at_ms });
            delivery.state = match (outcome.delivered, pause, delivery.state) {
                (true, _, _) | (false, _, State::Delivered) => State::Delivered,
                (false, Some(_), _) => State::Pending,
                (false, None, _) => State::Failed,
            };
        }
        if let Some(seconds) = pause {
            errand.tries += 1;
            book.enqueue(Instant::now() + scaled(*seconds, self.retry_scale), errand);
            self.wake.notify_one();
        } else {
            self.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
        }
    }
}

/// Sends for ever, at most [`IN_FLIGHT`] at a time.
pub async fn run(instance: Arc<Instance>, sender: attempt::Sender) {
    let sender = Arc::new(sender);
    let mut flying = JoinSet::new();
    loop {
        if flying.len() >= IN_FLIGHT {
            flying.join_next().await;
        }
        let (errand, order) = instance.outbox.next().await;
        let (instance, sender) = (Arc::clone(&instance), Arc::clone(&sender));
        flying.spawn(async move {
            let outcome = sender.attempt(&instance.clock, &errand.svix_id, &errand.body, &order).await;
            instance.outbox.settle(errand, &outcome);
        });
        while flying.try_join_next().is_some() {}
    }
}

fn scaled(seconds: u64, scale: f64) -> Duration {
    Duration::try_from_secs_f64(Duration::from_secs(seconds).as_secs_f64() * scale)
        .unwrap_or(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests;
