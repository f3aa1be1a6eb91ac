//! An effect of a change as pages know it: what kind of work it is, and where it stands.
//!
//! Does not know how a job is stored (`server::store::jobs`) or what it does (`server::jobs`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::quantity::at_least;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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

    /// The key of the one effect of this kind that a person has.
    pub fn key(self, clerk_id: &str) -> String {
        format!("{}:{clerk_id}", self.as_str())
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

/// One line of the list of effects. What it carries is personal, and not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    /// The effect's key.
    pub id: String,
    pub kind: JobKind,
    pub clerk_id: Option<String>,
    pub state: JobState,
    pub attempts: u32,
    /// Whom it reaches: an address is masked, of a webhook there is its host.
    pub to: Option<String>,
    pub cause: Option<String>,
    pub created_at: Timestamp,
    pub due_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

/// A page of effects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobList {
    pub jobs: Vec<JobRow>,
    /// After which to go on, if there are more.
    pub next: Option<String>,
    pub counts: Vec<EffectCount>,
}

/// How many effects are in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectCount {
    pub state: JobState,
    pub count: u64,
    /// There are more than were counted.
    #[serde(default)]
    pub is_more: bool,
}

impl EffectCount {
    pub fn text(self) -> String {
        at_least(self.count, self.is_more)
    }
}
