//! Accepts a delivery once, durably: deliveries that wait together are written together, as one document (design 2.4).
//!
//! A lone event never waits for company: the writer takes what is there, and while that is on its way the next batch
//! gathers. Both queues are bounded: when those who apply fall behind, acknowledgements wait for them, and when too many
//! wait, the sender is told to come later. Knows nothing of HTTP, nor of what an event means.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::server::error::Error;
use crate::server::metrics::{METRICS, Step};
use crate::server::store;
use crate::server::store::deliveries::{Batch, Deliveries};
use crate::server::store::events::{Event, Events, Origin, Outcome, Record};
use crate::server::store::users::new_id;
use crate::server::sync::apply::Incoming;
use crate::server::sync::arrivals::{Arrival, Arrivals, Arrived, Handover, queue};
use crate::server::sync::fold::end;
use crate::server::traces::Part;

/// A sender waits fifteen seconds for its answer (clerk.md 3.7); one that says "later" must still reach it.
const STORE_WITHIN: Duration = Duration::from_secs(10);
/// What is acknowledged is handed to this process's worker. Whoever finds it not done after this time takes it over.
const HANDED_OVER_FOR: Duration = Duration::from_secs(5);
/// While MongoDB journals one batch, the next is read and checked, and sent.
const WRITES_AT_ONCE: usize = 2;
/// For fewer than this a write of their own costs MongoDB more than it saves.
const WORTH_A_SECOND: usize = 16;
/// A small part of what a write takes.
const PATIENCE: Duration = Duration::from_millis(1);

/// Who carries out a delivery that is about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handling {
    /// This process, right away, by what the body says.
    Local(Incoming),
    /// Nobody: it was finished at the door.
    Finished,
    /// Somebody who will ask for it by its id, so it must be in `events` when the sender is answered.
    Elsewhere,
}

struct Waiting {
    event: Event,
    handling: Handling,
    answer: oneshot::Sender<Result<(), Error>>,
}

/// The way in. Cheap to clone; the writer ends when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Inbox {
    queue: mpsc::Sender<Waiting>,
}

impl Inbox {
    /// Starts the writer; `capacity` bounds both queues, `batch` one write, for which there is always room.
    pub fn start(deliveries: Deliveries, events: Events, capacity: usize, batch: usize) -> (Self, Arrivals) {
        let (sender, waiting) = mpsc::channel(capacity);
        let (handover, arrivals) = queue(capacity, batch);
        let writer = Arc::new(Writer { deliveries, events, handover });
        tokio::spawn(write_batches(writer, waiting, batch.min(capacity)));
        (Self { queue: sender }, arrivals)
    }

    /// Returns when the event is journaled on a majority, whether it is new or was here before.
    ///
    /// # Errors
    /// `Busy` when the queue is full, `StoreUnavailable` when MongoDB does not confirm: nothing may be acknowledged then.
    pub async fn accept(&self, event: Event, handling: Handling) -> Result<(), Error> {
        let part = Part::of("inbox commit").with("svix.id", event.id.clone());
        let (answer, answered) = oneshot::channel();
        if self.queue.try_send(Waiting { event, handling, answer }).is_err() {
            return Err(Error::Busy);
        }
        match part.during(tokio::time::timeout(STORE_WITHIN, answered)).await {
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

struct Writer {
    deliveries: Deliveries,
    events: Events,
    handover: Handover,
}

async fn write_batches(writer: Arc<Writer>, mut waiting: mpsc::Receiver<Waiting>, limit: usize) {
    let mut in_flight: JoinSet<usize> = JoinSet::new();
    let mut before = Before { size: 1, at: Instant::now() };
    let mut batch = Vec::new();
    loop {
        let room = limit - batch.len();
        tokio::select! {
            biased;
            Some(size) = in_flight.join_next(), if !in_flight.is_empty() => {
                before = Before { size: size.unwrap_or(1), at: Instant::now() };
            }
            count = waiting.recv_many(&mut batch, room), if room > 0 => {
                if count == 0 {
                    break;
                }
            }
        }
        if in_flight.is_empty() && !batch.is_empty() {
            before.gather(&mut batch, &mut waiting, limit).await;
        } else if batch.len() < WORTH_A_SECOND || in_flight.len() >= WRITES_AT_ONCE {
            continue;
        }
        if !batch.is_empty() {
            METRICS.batch(Step::Store, batch.len());
            let (writer, batch) = (Arc::clone(&writer), std::mem::take(&mut batch));
            in_flight.spawn(async move { writer.write(batch).await });
        }
    }
    // Nobody is left who could send, but somebody may still wait for an answer.
    if !batch.is_empty() {
        writer.write(batch).await;
    }
    in_flight.join_all().await;
}

impl Writer {
    /// Answers how many it wrote.
    async fn write(&self, waiting: Vec<Waiting>) -> usize {
        let size = waiting.len();
        let (mut events, mut handlings, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for waiting in waiting {
            events.push(waiting.event);
            handlings.push(waiting.handling);
            answers.push(waiting.answer);
        }
        let stored = tokio::time::timeout(STORE_WITHIN, self.store(events, handlings)).await;
        let result = stored.unwrap_or_else(|_| Err(store::Error::TimedOut.into())).map_err(Arc::new);
        for answer in answers {
            // A sender that hung up meanwhile repeats; the event is kept either way.
            let _ = answer.send(result.as_ref().map_err(|error| Error::Met(Arc::clone(error))).copied());
        }
        size
    }

    async fn store(&self, events: Vec<Event>, handlings: Vec<Handling>) -> Result<(), Error> {
        // Room to apply comes before the acknowledgement, so that the lag is bounded by the queue.
        let mut room = self.handover.reserve(events.len()).await.ok_or(Error::Busy)?;
        let due_at = Timestamp::now().saturating_add(HANDED_OVER_FOR).unwrap_or(Timestamp::MAX);
        let batches = Batch::pack(events, due_at, new_id);
        self.deliveries.insert(&batches).await?;
        let mut handlings = handlings.into_iter();
        for batch in batches {
            let (arrived, elsewhere) = sort_out(batch, &mut handlings);
            self.events.record(elsewhere, Timestamp::now()).await?;
            self.handover.send(arrived, &mut room);
        }
        Ok(())
    }
}

/// What this process carries out, and what has to be in `events` at once for somebody else.
fn sort_out(batch: Batch, handlings: &mut impl Iterator<Item = Handling>) -> (Arrived, Vec<Record>) {
    let mut arrived = Arrived { batch: batch.id, events: Vec::with_capacity(batch.events.len()) };
    let mut elsewhere = Vec::new();
    for (mut event, handling) in batch.events.into_iter().zip(handlings) {
        // It is stored.
        event.payload = String::new();
        let incoming = match handling {
            Handling::Local(incoming) => Some(incoming),
            Handling::Finished => None,
            Handling::Elsewhere => {
                let outcome = Outcome { due_at: event.due_at, ..end(event.state, "waits for Inngest") };
                elsewhere.push(Record { event: Origin::Arrived(Box::new(event)), outcome });
                continue;
            }
        };
        arrived.events.push(Arrival { event, incoming });
    }
    (arrived, elsewhere)
}

/// The batch that was answered last.
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
