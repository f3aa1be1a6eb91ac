//! A person as those who look after people see them: every field with where it comes from, what may be done, how far the
//! last change of the role is, and everything that ever happened.
//!
//! Does not know how any of it is stored or found (`server::accounts`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::event::EventState;
use crate::model::job::JobState;
use crate::model::user::Role;

/// One person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that is shown of a person")]
pub struct Person {
    pub clerk_id: String,
    /// MongoDB's.
    pub id: String,
    pub name: String,
    pub image_url: Option<String>,
    pub role: Role,
    pub banned: bool,
    pub locked: bool,
    pub is_deleted: bool,
    pub is_last_admin: bool,
    pub fields: Vec<Field>,
    pub permit: Permit,
    /// Empty: no role was given here.
    pub saga: Vec<Step>,
}

/// One field of the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    pub name: String,
    pub value: Shown,
    pub origin: Origin,
}

/// A value for people to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shown {
    Nothing,
    Text(String),
    Moment(Timestamp),
}

/// Whose a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    Clerk,
    /// Made from others.
    Derived,
    Ours,
}

impl Origin {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clerk => "Clerk",
            Self::Derived => "derived",
            Self::Ours => "ours",
        }
    }
}

/// What whoever looks may do about this person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permit {
    Everything,
    /// It is themselves.
    Oneself,
    /// A moderator.
    Look,
    /// An admin who acts in somebody's name.
    InAnothersName,
}

impl Permit {
    /// Why not everything.
    pub fn explanation(self) -> Option<&'static str> {
        match self {
            Self::Everything => None,
            Self::Oneself => Some("This is you: your own role, ban, lock and erasure are somebody else's to decide."),
            Self::Look => Some("Moderators look. Changes are for admins."),
            Self::InAnothersName => Some("While you act as somebody else, nothing can be changed here."),
        }
    }
}

/// One step of a role on its way (C-13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    pub state: StepState,
    pub text: String,
    pub at: Option<Timestamp>,
    pub reason: Option<String>,
    pub link: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepState {
    Done,
    Waiting,
    Failed,
    /// It is not configured.
    Off,
}

impl StepState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Off => "off",
        }
    }
}

/// Some of what happened to a person, the newest first, and where to go on, if there is more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    pub entries: Vec<Entry>,
    pub next: Option<String>,
    /// Fields whose stored values the changes on record do not lead to.
    pub unexplained: Vec<String>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub kind: Kind,
    /// Unique among those of its kind.
    pub id: String,
    pub title: String,
    pub text: Option<String>,
    pub reason: Option<String>,
    pub by: Option<String>,
    pub fields: Vec<Change>,
}

/// What kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Clerk told it.
    Event(EventState),
    /// It was written here, for another reason than an event.
    Change,
    /// An admin did it.
    Admin,
    /// It followed from a change.
    Effect(JobState),
    /// A walk through everybody found it.
    Finding,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event(_) => "event",
            Self::Change => "change",
            Self::Admin => "admin",
            Self::Effect(_) => "effect",
            Self::Finding => "finding",
        }
    }
}

/// One field that changed; without values if they are personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub field: String,
    pub before: Option<String>,
    pub after: Option<String>,
}
