//! What is delivered and not in `events` yet, on its way to those who carry it out.
//!
//! The queue is bounded by events, not by batches, and by how long they wait: where what arrives is carried out slowly, it
//! holds fewer. Its loss loses nothing: a batch that nobody finished is found again in `deliveries` when it is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::model::event::EventState;
use crate::server::store::deliveries::Batch;
use crate::server::store::events::{Event, Origin, Outcome, Record};
use crate::server::sync::apply::Incoming;
use crate::server::sync::fold::{Case, Reading, Said, end, group, read};

/// Whoever waited for longer than this was one of too many; for less than half of it, there was room for more. What is
/// acknowledged is applied within a second (issue 3), of which the rest is for carrying it out.
const WAITS_AT_MOST: Duration = Duration::from_millis(350);

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
    queue: mpsc::UnboundedReceiver<Sent>,
    room: Arc<Semaphore>,
    /// How many events may wait now.
    holds: usize,
    bounds: Bounds,
}

#[derive(Debug)]
struct Bounds {
    least: usize,
    most: usize,
}

/// The inbox' end of it.
#[derive(Clone, Debug)]
pub struct Handover {
    queue: mpsc::UnboundedSender<Sent>,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
struct Sent {
    arrived: Arrived,
    at: Instant,
    share: OwnedSemaphorePermit,
}

/// Room for so many events.
#[derive(Debug)]
pub struct Room(OwnedSemaphorePermit);

/// Holds at most `capacity` events, and always `least`, which is as many as are reserved at once.
pub fn queue(capacity: usize, least: usize) -> (Handover, Arrivals) {
    let (sender, queue) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(capacity));
    let bounds = Bounds { least: least.min(capacity), most: capacity };
    let arrivals = Arrivals { queue, room: Arc::clone(&room), holds: capacity, bounds };
    (Handover { queue: sender, room }, arrivals)
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
            let _ = self.queue.send(Sent { arrived, at: Instant::now(), share });
        }
    }
}

impl Arrivals {
    /// Waits for what arrives and takes it, until there are `limit` events or nothing more is there; `false` when nothing
    /// will come any more.
    pub async fn recv_many(&mut self, into: &mut Vec<Arrived>, limit: usize) -> bool {
        let Some(first) = self.queue.recv().await else { return false };
        let mut count = first.arrived.events.len();
        into.push(self.taken(first));
        while count < limit
            && let Ok(next) = self.queue.try_recv()
        {
            count += next.arrived.events.len();
            into.push(self.taken(next));
        }
        true
    }

    /// Makes room for as many as were taken, or for fewer or more by how long they waited.
    fn taken(&mut self, Sent { arrived, at, mut share }: Sent) -> Arrived {
        let holds = self.bounds.after(self.holds, share.num_permits(), at.elapsed());
        if let Some(too_many) = share.split(self.holds.saturating_sub(holds)) {
            too_many.forget();
        }
        self.room.add_permits(holds.saturating_sub(self.holds));
        self.holds = holds;
        arrived
    }

    /// Takes nothing more in; what is there can still be received.
    pub fn close(&mut self) {
        self.queue.close();
    }
}

impl Bounds {
    /// How many events may wait after so many have waited for so long.
    fn after(&self, holds: usize, events: usize, waited: Duration) -> usize {
        if waited > WAITS_AT_MOST {
            holds.saturating_sub(events).max(self.least)
        } else if waited < WAITS_AT_MOST / 2 {
            holds.saturating_add(events).min(self.most)
        } else {
            holds
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issue_3_where_it_is_slow_fewer_wait_and_more_again_when_it_is_not() {
        let bounds = Bounds { least: 40, most: 200 };
        for (holds, waited, after) in [
            (200, 349, 200),
            (200, 351, 170),
            (60, 9_000, 40),
            (40, 9_000, 40),
            (40, 176, 40),
            (40, 174, 70),
            (190, 0, 200),
            (200, 0, 200),
        ] {
            assert_eq!(bounds.after(holds, 30, Duration::from_millis(waited)), after, "{holds} after {waited} ms");
        }
    }

    #[tokio::test]
    async fn issue_3_room_is_given_back_but_for_what_was_too_much() {
        let (handover, mut arrivals) = queue(200, 40);
        let free = |handover: &Handover| handover.room.available_permits();
        for (ago, left) in [(351, 170), (351, 140), (300, 140), (0, 170), (0, 200), (0, 200)] {
            let share = handover.reserve(30).await.expect("somebody comes for it").0;
            let at = Instant::now().checked_sub(Duration::from_millis(ago)).expect("the machine has run for as long");
            let arrived = Arrived { batch: String::new(), events: Vec::new() };
            handover.queue.send(Sent { arrived, at, share }).expect("open");
            assert!(arrivals.recv_many(&mut Vec::new(), 1).await);
            assert_eq!((arrivals.holds, free(&handover)), (left, left), "after {ago} ms");
        }
    }
}
