//! A delivered event as pages know it: its state, and the row of a list.
//!
//! Does not know how an event is stored (`server::store::events`) or verified (`server::clerk::webhook`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where an event stands. It only ever moves from `Received` or `Failed` to one of the others; only an
/// operator's replay brings it back.
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
}

impl EventState {
    pub const ALL: [Self; 7] =
        [Self::Received, Self::Applied, Self::Stale, Self::Duplicate, Self::Ignored, Self::Failed, Self::Dead];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Applied => "applied",
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Failed => "failed",
            Self::Dead => "dead",
        }
    }
}

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
}
