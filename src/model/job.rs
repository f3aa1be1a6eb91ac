//! An effect of a change as pages know it: what kind of work it is, and where it stands.
//!
//! Does not know how a job is stored (`server::store::jobs`) or what it does (`server::jobs`).

use serde::{Deserialize, Serialize};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    /// Writes `userMongoId`, `role` and `isAdmin` into Clerk's public metadata (A2-07).
    Metadata,
    /// Sends the welcome mail, once per person for ever (A2-35, A3-15).
    Welcome,
    /// Tells the downstream systems of one change.
    Webhook,
    /// Tells the operators of something that needs them (A4-26).
    Alert,
}

impl JobKind {
    pub const ALL: [Self; 4] = [Self::Metadata, Self::Welcome, Self::Webhook, Self::Alert];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Welcome => "welcome",
            Self::Webhook => "webhook",
            Self::Alert => "alert",
        }
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Waits for its first attempt, or for another.
    Waiting,
    /// Done, for ever, unless its kind may be asked for again.
    Done,
    /// Given up, with the cause kept.
    Dead,
    /// The process died between the call and its record, and the other side has no key to ask by: it may have happened,
    /// so it is not tried again (D2-04).
    Unsure,
    /// An operator decided that it shall not happen.
    Discarded,
}

impl JobState {
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Done, Self::Dead, Self::Unsure, Self::Discarded];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Unsure => "unsure",
            Self::Discarded => "discarded",
        }
    }
}
