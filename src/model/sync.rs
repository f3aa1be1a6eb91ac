//! What the sync page shows: counts by state, the last event, the backlog.
//!
//! Numbers only; how they are gathered is `server::sync::status`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::event::{EventRow, EventState};

/// The mirror at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncOverview {
    /// When the numbers were read.
    pub as_of: Timestamp,
    pub health: Health,
    pub counts: Vec<StateCount>,
    /// Deliveries of an event that was already stored.
    pub redeliveries: u64,
    pub people: u64,
    pub deleted_people: u64,
    pub last_received_at: Option<Timestamp>,
    pub oldest_pending_at: Option<Timestamp>,
    /// The newest first, at most 50.
    pub events: Vec<EventRow>,
}

/// How many events are in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCount {
    pub state: EventState,
    pub count: u64,
}

/// One word for the whole mirror (E-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// Nothing has arrived yet.
    Waiting,
    Healthy,
    /// Events wait longer than they should.
    Behind,
    /// Some events could not be applied.
    Degraded,
}

impl Health {
    /// An event that waits longer than this, in seconds, makes the mirror `Behind`.
    pub const BEHIND_AFTER_SECONDS: i64 = 10;

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Healthy => "Healthy",
            Self::Behind => "Behind",
            Self::Degraded => "Degraded",
        }
    }

    /// What the word means, and what to do next.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Waiting => "No event has arrived yet. Point a Clerk webhook endpoint at /api/webhooks/clerk.",
            Self::Healthy => "Every event that arrived has been dealt with.",
            Self::Behind => "Events wait longer than ten seconds. Look at MongoDB's load, then at the log.",
            Self::Degraded => "Some events could not be applied. Their decision column says why.",
        }
    }

    /// The word for these numbers. `oldest_pending_seconds` is how long the oldest unprocessed event has waited.
    pub fn judge(counts: &[StateCount], oldest_pending_seconds: Option<i64>) -> Self {
        let of = |state| counts.iter().find(|row| row.state == state).map_or(0, |row| row.count);
        if counts.iter().all(|row| row.count == 0) {
            Self::Waiting
        } else if of(EventState::Failed) + of(EventState::Dead) > 0 {
            Self::Degraded
        } else if oldest_pending_seconds.is_some_and(|seconds| seconds > Self::BEHIND_AFTER_SECONDS) {
            Self::Behind
        } else {
            Self::Healthy
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_01_one_word_says_how_the_mirror_is() {
        let count = |state, count| StateCount { state, count };
        let applied = count(EventState::Applied, 9);
        assert_eq!(Health::judge(&[count(EventState::Applied, 0)], None), Health::Waiting);
        assert_eq!(Health::judge(&[applied], None), Health::Healthy);
        assert_eq!(Health::judge(&[applied, count(EventState::Received, 1)], Some(3)), Health::Healthy);
        assert_eq!(Health::judge(&[applied, count(EventState::Received, 1)], Some(30)), Health::Behind);
        assert_eq!(Health::judge(&[applied, count(EventState::Dead, 1)], Some(30)), Health::Degraded);
        assert_eq!(Health::judge(&[applied, count(EventState::Failed, 1)], None), Health::Degraded);
    }
}
