//! What people see of themselves and may change: their document with where each part comes from, and their sessions.
//!
//! Plain data. What is kept and who may change it is `server::profile`'s business.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::job::JobKind;
use crate::model::user::{AuthProvider, Email, Role, SyncSource, SyncStatus};

/// The longest that people may write about themselves, in characters.
pub const LONGEST_BIO: usize = 1000;
/// The largest picture that Clerk takes, in bytes.
pub const LARGEST_PICTURE: usize = 10 * 1024 * 1024;

/// Everything that `/profile` shows of one's own document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// MongoDB's `_id`, 24 hex digits.
    pub id: String,
    pub clerk_id: String,
    pub name: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    /// As it is here; it carries a suffix while somebody else has the name.
    pub username: Option<String>,
    /// As it is at Clerk, where it is changed.
    pub clerk_username: Option<String>,
    pub email: Option<String>,
    pub email_verified: bool,
    pub emails: Vec<Email>,
    pub image_url: Option<String>,
    pub bio: Option<String>,
    pub role: Role,
    /// The role was set here and Clerk has not confirmed it.
    pub role_pending: bool,
    /// Where the role stands, in words.
    pub role_standing: String,
    pub locked: bool,
    pub auth_provider: AuthProvider,
    /// A day, or that none is on record.
    pub last_active: String,
    pub sync_status: SyncStatus,
    pub sync_reason: Option<String>,
    pub sync_source: SyncSource,
    pub last_clerk_sync: Option<Timestamp>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    /// Of the application's own, as far as they may be seen.
    pub fields: Vec<OwnField>,
    /// What changed and is still on record, the newest first.
    pub changes: Vec<OwnChange>,
    /// What this person's changes have still to do elsewhere.
    pub waiting: Vec<Waiting>,
}

/// What people change of their names: all of them, as they stand in the form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub first_name: String,
    pub last_name: String,
    pub username: String,
}

impl Names {
    /// What was typed, by what the fields are called.
    pub fn typed(&self) -> [(&'static str, String); 3] {
        [
            ("firstName", self.first_name.clone()),
            ("lastName", self.last_name.clone()),
            ("username", self.username.clone()),
        ]
    }
}

/// A field of the application's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnField {
    pub name: String,
    pub value: Option<String>,
    /// Where at Clerk it comes from, in words.
    pub origin: String,
    /// How to ask for it, if the person may change it.
    pub input: Option<Input>,
}

/// What a form asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    Text,
    Number,
    Integer,
    Boolean,
}

/// What changed at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnChange {
    pub at: Timestamp,
    /// Names of fields.
    pub fields: Vec<String>,
    /// None: it was made here.
    pub source: Option<SyncSource>,
}

/// An effect that has not happened yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    pub kind: JobKind,
    /// So many attempts failed.
    pub attempts: u32,
}

/// One sign-in on one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    pub id: String,
    /// The one that asks.
    pub is_current: bool,
    /// `Chrome on Linux`, as far as Clerk knows.
    pub device: Option<String>,
    /// `Oslo, NO`, or an address.
    pub place: Option<String>,
    pub last_active_at: Option<Timestamp>,
    pub created_at: Option<Timestamp>,
}
