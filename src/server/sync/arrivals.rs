//! What is delivered and not in `events` yet, on its way to those who carry it out.
//!
//! The queue is bounded by events, not by batches. Its loss loses nothing: a batch that nobody finished is found again in
//! `deliveries` when it is due.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::model::event::EventState;
use crate::server::store::deliveries::Batch;
use crate::server::store::events::{Event, Origin, Outcome, Record};
use crate::server::sync::apply::Incoming;
use crate::server::sync::fold::{Case, Reading, Said, end, group, read};

/// One batch, its bodies read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub batch: String,
    pub events: Vec<Arrival>,
}

/// One event of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub event: Event,
    /// What it says about a person; nothing if it was finished at the door.
    pub incoming: Option<Incoming>,
}

impl Arrived {
    /// A batch that somebody left behind.
    pub fn of(batch: Batch, reading: Reading<'_>) -> Self {
        let events = batch.events.into_iter().map(|event| Arrival::of(event, reading));
        Self { batch: batch.id, events: events.collect() }
    }
}

impl Arrival {
    fn of(mut event: Event, reading: Reading<'_>) -> Self {
        let incoming = match event.state {
            EventState::Received => match read(&event, reading) {
                Ok(said) => Some(said.incoming),
                Err(Outcome { state, decision, .. }) => {
                    (event.state, event.decision) = (state, Some(decision));
                    None
                }
            },
            _ => None,
        };
        event.payload = String::new();
        Self { event, incoming }
    }
}

/// What there is to do, before anything is decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    pub cases: Vec<Case>,
    /// Events that end without touching a person.
    pub records: Vec<Record>,
    /// Batches that are done with when all their events are recorded.
    pub batches: Vec<String>,
}

impl Intake {
    /// Of stored events that are due.
    pub fn of_events(events: &[Event], reading: Reading<'_>) -> Self {
        let mut intake = Self::default();
        let mut said = Vec::with_capacity(events.len());
        for event in events {
            match read(event, reading) {
                Ok(event) => said.push(event),
                Err(outcome) => intake.records.push(Record { event: Origin::Stored(event.id.clone()), outcome }),
            }
        }
        intake.cases = group(said);
        intake
    }

    /// Of events that are in no other place yet.
    pub fn of_arrived(arrived: Vec<Arrived>) -> Self {
        let mut intake = Self::default();
        let mut said = Vec::with_capacity(arrived.iter().map(|batch| batch.events.len()).sum());
        for Arrived { batch, events } in arrived {
            intake.batches.push(batch);
            for Arrival { event, incoming } in events {
                let (trace, event) = (event.trace.clone(), Box::new(event));
                if let Some(incoming) = incoming {
                    said.push(Said { event: Some(Origin::Arrived(event)), attempts: 0, waits: 0, incoming, trace });
                } else {
                    let outcome = end(event.state, event.decision.clone().unwrap_or_default());
                    intake.records.push(Record { event: Origin::Arrived(event), outcome });
                }
            }
        }
        intake.cases = group(said);
        intake
    }
}

/// The way from the inbox to those who carry out.
#[derive(Debug)]
pub struct Arrivals {
    queue: mpsc::UnboundedReceiver<(Arrived, OwnedSemaphorePermit)>,
}

/// The inbox' end of it.
#[derive(Clone, Debug)]
pub struct Handover {
    queue: mpsc::UnboundedSender<(Arrived, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
}

/// Room for so many events.
#[derive(Debug)]
pub struct Room(OwnedSemaphorePermit);

/// Holds at most `capacity` events.
pub fn queue(capacity: usize) -> (Handover, Arrivals) {
    let (sender, queue) = mpsc::unbounded_channel();
    (Handover { queue: sender, room: Arc::new(Semaphore::new(capacity)) }, Arrivals { queue })
}

impl Handover {
    /// Waits for room; `None` when nobody will come for what is put there.
    pub async fn reserve(&self, events: usize) -> Option<Room> {
        let events = u32::try_from(events).ok()?;
        let room = Arc::clone(&self.room).acquire_many_owned(events).await.ok()?;
        (!self.queue.is_closed()).then_some(Room(room))
    }

    pub fn send(&self, arrived: Arrived, room: &mut Room) {
        if let Some(share) = room.0.split(arrived.events.len()) {
            // Nobody there any more: whoever finds the batch when it is due carries it out.
            let _ = self.queue.send((arrived, share));
        }
    }
}

impl Arrivals {
    /// Waits for what arrives and takes it, until there are `limit` events or nothing more is there; `false` when nothing
    /// will come any more.
    pub async fn recv_many(&mut self, into: &mut Vec<Arrived>, limit: usize) -> bool {
        let Some((first, _)) = self.queue.recv().await else { return false };
        let mut count = first.events.len();
        into.push(first);
        while count < limit
            && let Ok((next, _)) = self.queue.try_recv()
        {
            count += next.events.len();
            into.push(next);
        }
        true
    }

    /// Takes nothing more in; what is there can still be received.
    pub fn close(&mut self) {
        self.queue.close();
    }
}
