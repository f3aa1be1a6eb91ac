//! Accepts a delivery once, durably: deliveries that wait together are written together (design 2.4).
//!
//! A lone event never waits for company: the writer takes what is there, and while that is on its way the next batch
//! gathers. The queue is bounded; full means "try later". Knows nothing of HTTP, nor of what an event means.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::server::error::Error;
use crate::server::store;
use crate::server::store::events::{Event, Events};

/// A sender waits fifteen seconds for its answer (clerk.md 3.7); one that says "later" must still reach it.
const STORE_WITHIN: Duration = Duration::from_secs(10);

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    New,
    /// It was here before; its state is untouched.
    Again,
}

struct Waiting {
    event: Event,
    answer: oneshot::Sender<Result<Accepted, Error>>,
}

/// The way in. Cheap to clone; the writer ends when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Inbox {
    queue: mpsc::Sender<Waiting>,
}

impl Inbox {
    /// Starts the writer. `wake` is notified after every batch that holds something new.
    pub fn start(events: Events, capacity: usize, batch: usize, wake: Arc<Notify>) -> Self {
        let (queue, waiting) = mpsc::channel(capacity);
        tokio::spawn(write_batches(events, waiting, batch, wake));
        Self { queue }
    }

    /// Returns when the event is journaled on a majority.
    ///
    /// # Errors
    /// `Unavailable` when the queue is full or MongoDB does not confirm: nothing may be acknowledged then.
    pub async fn accept(&self, event: Event) -> Result<Accepted, Error> {
        let (answer, answered) = oneshot::channel();
        if self.queue.try_send(Waiting { event, answer }).is_err() {
            return Err(Error::Busy);
        }
        match tokio::time::timeout(STORE_WITHIN, answered).await {
            Ok(answer) => answer.unwrap_or(Err(Error::Busy)),
            Err(_) => Err(store::Error::TimedOut.into()),
        }
    }

    /// Whether the writer still runs; without it nothing can be accepted.
    pub fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }
}

async fn write_batches(events: Events, mut waiting: mpsc::Receiver<Waiting>, limit: usize, wake: Arc<Notify>) {
    let mut batch = Vec::with_capacity(limit);
    while waiting.recv_many(&mut batch, limit).await > 0 {
        let (documents, answers): (Vec<Event>, Vec<_>) =
            batch.drain(..).map(|waiting| (waiting.event, waiting.answer)).unzip();
        let stored = tokio::time::timeout(STORE_WITHIN, events.insert(&documents)).await;
        match stored.unwrap_or(Err(store::Error::TimedOut)) {
            Ok(is_new) => {
                if is_new.contains(&true) {
                    wake.notify_one();
                }
                for (answer, new) in answers.into_iter().zip(is_new) {
                    // A sender that hung up meanwhile repeats; the event is kept either way.
                    let _ = answer.send(Ok(if new { Accepted::New } else { Accepted::Again }));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for answer in answers {
                    let _ = answer.send(Err(Error::from(Arc::clone(&error))));
                }
            }
        }
    }
}
