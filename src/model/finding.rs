//! What a run finds about one person, as pages and commands know it: how they differ from Clerk, or why they were left out.
//!
//! Names fields and ids, and values only where they are not personal. Does not know how it is found or stored
//! (`server::sync::scan`, `server::store::findings`).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// In which way MongoDB differs from Clerk about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// At Clerk, not here.
    Missing,
    /// Here, and not as Clerk says.
    Differing,
    /// Here, and not at Clerk any more.
    Gone,
    /// At Clerk, and deleted here.
    Revived,
    /// The stored document cannot be read.
    Unreadable,
}

impl DifferenceKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing here",
            Self::Differing => "differs",
            Self::Gone => "gone at Clerk",
            Self::Revived => "deleted here, alive at Clerk",
            Self::Unreadable => "unreadable here",
        }
    }
}

/// One field that differs; both values where they are not personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldDifference {
    pub field: String,
    pub here: Option<String>,
    pub clerk: Option<String>,
}

/// What differs about one person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    pub clerk_id: String,
    pub kind: DifferenceKind,
    pub fields: Vec<FieldDifference>,
    /// When an admin had them brought up to date since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mended_at: Option<Timestamp>,
}

/// Somebody who could not be brought up to date, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    pub clerk_id: String,
    pub reason: String,
}
