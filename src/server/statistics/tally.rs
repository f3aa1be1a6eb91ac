//! What this process counted since its numbers were last added to everybody's. Counting is a few additions under a lock that
//! is held for nothing else.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::model::event::EventState;
use crate::server::clerk::webhook::KNOWN_TYPES;
use crate::server::statistics::lag::{CLASSES, class_of};
use crate::server::store::statistics::{Additions, TypeSeen};
use crate::server::store::users::writes::{Write, Written};

/// Whose fault it was that a delivery was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its signature is of no secret of ours, or we have none.
    Signature,
    /// By our clock it is too old, or yet to come.
    Clock,
    /// What proves it is missing or cannot be read: no delivery of the sender's, or one that was altered on its way.
    Headers,
    /// Ours: MongoDB was away, there was too much, or it is more than is taken.
    Ours,
}

impl Refusal {
    const ALL: [Self; 4] = [Self::Signature, Self::Clock, Self::Headers, Self::Ours];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signature => "signature",
            Self::Clock => "clock",
            Self::Headers => "headers",
            Self::Ours => "ours",
        }
    }
}

#[derive(Debug, Default)]
pub struct Tally {
    counted: Mutex<Counted>,
}

/// Everything since the last time.
#[derive(Clone, Debug)]
pub struct Counted {
    received: i64,
    active: i64,
    deleted: i64,
    missed: i64,
    ended: [i64; EventState::ALL.len()],
    lag: [i64; CLASSES],
    refused: [i64; Refusal::ALL.len()],
    /// Of each known type how often it came and when last; those that Clerk does not publish share the last place.
    types: [(i64, i64); KNOWN_TYPES.len() + 1],
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            received: 0,
            active: 0,
            deleted: 0,
            missed: 0,
            ended: Default::default(),
            lag: [0; CLASSES],
            refused: Default::default(),
            types: [(0, 0); KNOWN_TYPES.len() + 1],
        }
    }
}

impl Tally {
    /// A delivery is acknowledged.
    pub fn received(&self, kind: &str, now: Timestamp) {
        let place = KNOWN_TYPES.iter().position(|known| *known == kind).unwrap_or(KNOWN_TYPES.len());
        let mut counted = self.lock();
        counted.received += 1;
        let (count, last) = &mut counted.types[place];
        *count += 1;
        *last = now.as_millisecond().max(*last);
    }

    /// Somebody is here for the first time today, in whatever process.
    pub fn was_here(&self) {
        self.lock().active += 1;
    }

    /// A scan mended what an event should have told that never arrived (D2-26).
    pub fn missed(&self) {
        self.lock().missed += 1;
    }

    pub fn refused(&self, refusal: Refusal) {
        self.lock().refused[refusal as usize] += 1;
    }

    /// Attempts have ended so. What waits, because Clerk has to be asked or it went on to Inngest, has not.
    pub fn ended(&self, states: &[EventState]) {
        let mut counted = self.lock();
        for state in states.iter().filter(|state| **state != EventState::Received) {
            counted.ended[*state as usize] += 1;
        }
    }

    /// How late what webhooks said is in MongoDB, and who is deleted now.
    pub fn written(&self, writes: &[Write], ends: &[Written], now: Timestamp) {
        let done = writes.iter().zip(ends).filter(|(_, end)| **end == Written::Done).map(|(write, _)| write);
        let was_deleted = |write: &Write| write.before.as_ref().is_some_and(|before| before.deleted_at.is_some());
        let is_deletion = |write: &Write| write.user.deleted_at.is_some() && !was_deleted(write);
        let mut counted = self.lock();
        counted.deleted += done.clone().map(|write| i64::from(is_deletion(write))).sum::<i64>();
        for lag in done.filter_map(|write| write.lag(now)) {
            counted.lag[class_of(lag)] += 1;
        }
    }

    /// Takes everything out.
    pub fn take(&self) -> Counted {
        std::mem::take(&mut *self.lock())
    }

    /// What could not be added waits for the next time.
    pub fn put_back(&self, counted: &Counted) {
        let mut now = self.lock();
        now.received += counted.received;
        now.active += counted.active;
        now.deleted += counted.deleted;
        now.missed += counted.missed;
        add(&mut now.ended, &counted.ended);
        add(&mut now.lag, &counted.lag);
        add(&mut now.refused, &counted.refused);
        for (place, (count, last)) in counted.types.iter().enumerate() {
            now.types[place].0 += count;
            now.types[place].1 = now.types[place].1.max(*last);
        }
    }

    /// Nothing that holds the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(to: &mut [i64], more: &[i64]) {
    for (sum, count) in to.iter_mut().zip(more) {
        *sum += count;
    }
}

impl Counted {
    /// In the names of the stored buckets; what is zero is left out.
    pub fn additions(&self) -> Additions {
        let sums =
            [("received", self.received), ("active", self.active), ("deleted", self.deleted), ("missed", self.missed)];
        let mut counts = sums.map(|(name, count)| (name.to_owned(), count)).to_vec();
        counts.extend(
            EventState::ALL.iter().zip(self.ended).map(|(state, count)| (format!("ended.{}", state.as_str()), count)),
        );
        counts.extend(self.lag.iter().enumerate().map(|(class, count)| (format!("lag.{class}"), *count)));
        counts.extend(
            Refusal::ALL.map(|refusal| (format!("refused.{}", refusal.as_str()), self.refused[refusal as usize])),
        );
        counts.retain(|(_, count)| *count != 0);
        let names = KNOWN_TYPES.into_iter().chain(["unknown"]);
        let types = names.zip(self.types).filter(|(_, (count, _))| *count != 0).filter_map(|(kind, (count, last))| {
            Some(TypeSeen { kind: kind.to_owned(), count, last_at: Timestamp::from_millisecond(last).ok()? })
        });
        Additions { counts, types: types.collect(), peaks: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_taken_once_and_what_is_put_back_is_not_lost() {
        let tally = Tally::default();
        let at = Timestamp::from_second(1_790_000_000).unwrap();
        tally.received("user.created", at);
        tally.received("invented.kind", at);
        tally.ended(&[EventState::Applied, EventState::Applied, EventState::Dead]);
        tally.refused(Refusal::Signature);
        let counted = tally.take();
        let expected = [("received", 2), ("ended.applied", 2), ("ended.dead", 1), ("refused.signature", 1)];
        let additions = counted.additions();
        assert_eq!(additions.counts, expected.map(|(name, count)| (name.to_owned(), count)));
        let types: Vec<&str> = additions.types.iter().map(|one| one.kind.as_str()).collect();
        assert_eq!(types, ["user.created", "unknown"], "nobody outside can add a name (D3-27)");
        assert!(tally.take().additions().is_empty());
        tally.received("user.created", at);
        tally.put_back(&counted);
        assert_eq!(tally.take().additions().counts[0], ("received".to_owned(), 3));
    }
}
