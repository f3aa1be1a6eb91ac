//! Accepts a delivery once, durably: deliveries that wait together are written together (design 2.4).
//!
//! A lone event never waits for company: the writer takes what is there, and while that is on its way the next batch
//! gathers. Both queues are bounded: when those who apply fall behind, acknowledgements wait for them, and when too many
//! wait, the sender is told to come later. Knows nothing of HTTP, nor of what an event means.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::server::error::Error;
use crate::server::metrics::{METRICS, Step};
use crate::server::store;
use crate::server::store::events::{Event, Events};
use crate::server::sync::fold::Said;

/// A sender waits fifteen seconds for its answer (clerk.md 3.7); one that says "later" must still reach it.
const STORE_WITHIN: Duration = Duration::from_secs(10);
/// A small part of what a write takes.
const PATIENCE: Duration = Duration::from_millis(1);

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    New,
    /// It was here before; its state is untouched.
    Again,
}

struct Waiting {
    event: Event,
    said: Option<Said>,
    answer: oneshot::Sender<Result<Accepted, Error>>,
}

/// The way in. Cheap to clone; the writer ends when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Inbox {
    queue: mpsc::Sender<Waiting>,
}

/// What was stored and waits to be applied. Its loss loses nothing: the events are found again when they are due.
pub type Arrivals = mpsc::Receiver<Said>;

impl Inbox {
    /// Starts the writer; `capacity` bounds both queues, `batch` one write.
    pub fn start(events: Events, capacity: usize, batch: usize) -> (Self, Arrivals) {
        let (queue, waiting) = mpsc::channel(capacity);
        let (arrived, arrivals) = mpsc::channel(capacity);
        tokio::spawn(write_batches(events, waiting, batch.min(capacity), arrived));
        (Self { queue }, arrivals)
    }

    /// Returns when the event is journaled on a majority. `said` is handed to those who apply, if the event is new.
    ///
    /// # Errors
    /// `Busy` when the queue is full, `StoreUnavailable` when MongoDB does not confirm: nothing may be acknowledged then.
    pub async fn accept(&self, event: Event, said: Option<Said>) -> Result<Accepted, Error> {
        let (answer, answered) = oneshot::channel();
        if self.queue.try_send(Waiting { event, said, answer }).is_err() {
            return Err(Error::Busy);
        }
        match tokio::time::timeout(STORE_WITHIN, answered).await {
            Ok(answer) => answer.unwrap_or(Err(Error::Busy)),
            Err(_) => Err(store::Error::TimedOut.into()),
        }
    }

    /// How many more deliveries may wait.
    pub fn free(&self) -> usize {
        self.queue.capacity()
    }

    /// Whether the writer still runs; without it nothing can be accepted.
    pub fn is_alive(&self) -> bool {
        !self.queue.is_closed()
    }
}

async fn write_batches(
    events: Events,
    mut waiting: mpsc::Receiver<Waiting>,
    limit: usize,
    arrived: mpsc::Sender<Said>,
) {
    let mut batch = Vec::with_capacity(limit);
    let mut before = Before { size: 1, at: Instant::now() };
    while waiting.recv_many(&mut batch, limit).await > 0 {
        before.gather(&mut batch, &mut waiting, limit).await;
        before.size = batch.len();
        METRICS.batch(Step::Store, before.size);
        write_batch(&events, std::mem::take(&mut batch), &arrived).await;
        before.at = Instant::now();
    }
}

/// The batch before this one.
struct Before {
    size: usize,
    at: Instant,
}

impl Before {
    /// Right after several were answered, those senders' next deliveries are on their way: without a moment of patience the
    /// first of them would be written alone, and all others would wait for that. A lone event never waits.
    async fn gather(&self, batch: &mut Vec<Waiting>, waiting: &mut mpsc::Receiver<Waiting>, limit: usize) {
        let until = self.at + PATIENCE;
        while batch.len() < self.size.min(limit) {
            let room = limit - batch.len();
            match tokio::time::timeout_at(until, waiting.recv_many(batch, room)).await {
                Ok(more) if more > 0 => {}
                _ => return,
            }
        }
    }
}

async fn write_batch(events: &Events, batch: Vec<Waiting>, arrived: &mpsc::Sender<Said>) {
    let (mut documents, mut said, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for waiting in batch {
        documents.push(waiting.event);
        said.push(waiting.said);
        answers.push(waiting.answer);
    }
    let stored = async {
        // Room to apply comes before the acknowledgement, so that the lag is bounded by the queue.
        let room = arrived.reserve_many(documents.len()).await.map_err(|_| Error::Busy)?;
        Ok((room, events.insert(&documents).await?))
    };
    match tokio::time::timeout(STORE_WITHIN, stored).await.unwrap_or_else(|_| Err(store::Error::TimedOut.into())) {
        Ok((mut room, is_new)) => {
            for ((answer, new), said) in answers.into_iter().zip(is_new).zip(said) {
                if let Some((said, place)) = said.filter(|_| new).and_then(|said| Some((said, room.next()?))) {
                    place.send(said);
                }
                // A sender that hung up meanwhile repeats; the event is kept either way.
                let _ = answer.send(Ok(if new { Accepted::New } else { Accepted::Again }));
            }
        }
        Err(error) => {
            let error = Arc::new(error);
            for answer in answers {
                let _ = answer.send(Err(Error::Met(Arc::clone(&error))));
            }
        }
    }
}
