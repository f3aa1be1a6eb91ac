//! A delivered event as pages know it: its state, and the row of a list.
//!
//! Does not know how an event is stored (`server::store::events`) or verified (`server::clerk::webhook`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::audit::TrailRow;
use crate::model::finding::FieldDifference;
use crate::model::health;
use crate::model::job::JobRow;

/// Where an event stands. It only ever moves from `Received` or `Failed` to one of the others; only an
/// operator discards one that was given up, or brings one back by a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventState {
    /// Stored durably, not looked at yet.
    Received,
    /// MongoDB now holds what it says.
    Applied,
    /// Something newer was already there.
    Stale,
    /// It said what was already there.
    Duplicate,
    /// Not about a person.
    Ignored,
    /// An attempt failed; another will follow.
    Failed,
    /// Given up, with the cause kept.
    Dead,
    /// An operator decided that it shall not be tried again, for a reason that is its decision.
    Discarded,
}

impl EventState {
    pub const ALL: [Self; 8] = [
        Self::Received,
        Self::Applied,
        Self::Stale,
        Self::Duplicate,
        Self::Ignored,
        Self::Failed,
        Self::Dead,
        Self::Discarded,
    ];

    /// Those that wait for an attempt.
    pub const PENDING: [Self; 2] = [Self::Received, Self::Failed];

    /// Whether it waits for somebody: the engine, or an operator.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Received | Self::Failed | Self::Dead)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Applied => "applied",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Dead => "dead",
            Self::Discarded => "discarded",
        }
    }
}

/// The types that say something about a person: what an endpoint must be subscribed to, and all that is ever applied.
pub const SYNCED_TYPES: [&str; 3] = ["user.created", "user.updated", "user.deleted"];

/// One line of the event list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// The `svix-id`.
    pub id: String,
    pub kind: String,
    pub clerk_id: Option<String>,
    pub state: EventState,
    pub decision: Option<String>,
    pub attempts: u32,
    /// How often the sender delivered it.
    pub deliveries: u32,
    pub received_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// How long it took from its arrival to its end, in words; after a replay, to the end of that.
    pub took: Option<String>,
}

/// How long it took from an arrival to an end, in words.
pub fn took(received_at: Timestamp, finished_at: Option<Timestamp>) -> Option<String> {
    let milliseconds = |end: Timestamp| end.duration_since(received_at).as_millis().max(0);
    finished_at.map(|end| health::milliseconds(u64::try_from(milliseconds(end)).unwrap_or(u64::MAX)))
}

/// A page of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventList {
    pub events: Vec<EventRow>,
    /// After which to go on, if there are more.
    pub next: Option<String>,
    /// What was asked for, in words.
    pub about: String,
    pub is_filtered: bool,
    /// What is stored besides and waits for its first attempt, if that was asked for: how many, and since when.
    pub unread: Option<(u64, Timestamp)>,
}

/// What may be asked for of events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventChoices {
    /// Every type there is.
    pub kinds: Vec<String>,
    /// Whoever asks keeps these.
    pub saved: Vec<SavedView>,
}

/// A filter under a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    pub id: String,
    pub name: String,
    /// The query of its address.
    pub query: String,
    /// The list begins with it.
    pub is_default: bool,
}

/// What is left of what an event said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload {
    /// As JSON; masked, unless somebody asked for all of it.
    Kept { text: String, is_masked: bool },
    /// Its time was over.
    Forgotten,
    /// Its person was erased.
    Erased,
}

/// One event and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDetail {
    pub row: EventRow,
    pub instance_id: Option<String>,
    /// When it happened, by Clerk's clock.
    pub event_at: Option<Timestamp>,
    /// When it is tried again.
    pub due_at: Option<Timestamp>,
    /// Attempts that failed for what passes by itself.
    pub waits: u32,
    pub payload: Payload,
    /// What came with it and is kept, a line each.
    pub headers: String,
    /// What became of it, the newest first.
    pub attempts: Vec<EventAttempt>,
    /// What it changed: both values where they are not personal.
    pub changes: Vec<FieldDifference>,
    /// What it asked for.
    pub effects: Vec<JobRow>,
    /// Of the same person, the nearest first.
    pub earlier: Vec<EventRow>,
    pub later: Vec<EventRow>,
    /// What was done about it.
    pub trail: Vec<TrailRow>,
}

/// What became of an event once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventAttempt {
    pub at: Option<Timestamp>,
    pub state: EventState,
    pub decision: Option<String>,
}

/// What one state means for whoever looks at an event, and what to do next.
pub fn next_step(state: EventState) -> &'static str {
    match state {
        EventState::Received => "It is stored and waits for its turn. Nothing is to be done.",
        EventState::Applied => "MongoDB holds what it says. Nothing is to be done.",
        EventState::Stale => "Something newer about this person was there before it. Nothing is to be done.",
        EventState::Duplicate => "MongoDB held exactly this already. Nothing is to be done.",
        EventState::Ignored => "It says nothing about a person that is kept here. Nothing is to be done.",
        EventState::Failed => {
            "It is tried again by itself. If the cause is mended, replay it now; if it is not wanted, discard it."
        }
        EventState::Dead => {
            "It was given up. Mend the cause, then replay it; nothing newer is overwritten by that. If it is not wanted, discard it."
        }
        EventState::Discarded => "An operator decided that it shall not be tried again. A replay is still possible.",
    }
}
