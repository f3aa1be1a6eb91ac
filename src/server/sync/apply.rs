//! The decision: what a stored person becomes when something is said about them (design 2.3).
//!
//! Pure, so that it can be tested by tables and properties. Merging is commutative, associative and idempotent: any
//! order, any repetition and any split over processes end in the same document. It reads no clock and asks nobody.

use jiff::{SignedDuration, Timestamp};

use crate::model::user::{AuthProvider, Email, Role, SyncSource, SyncStatus, display_name};
use crate::server::settings::fields::{FieldValue, FieldValues};
use crate::server::store::users::{User, Version};
use crate::server::sync::fold::Suffix;
use crate::server::sync::tombstone::{buried, tombstone};

/// Clocks do not differ by more: a time further ahead of ours is none, and puts nothing in order (D3-23). And Clerk's answers
/// lag behind its events by less.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// Clerk's view of a person, in our fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub clerk_id: String,
    pub email: Option<String>,
    pub email_verified: bool,
    pub emails: Vec<Email>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub username: Option<String>,
    pub image_url: Option<String>,
    pub role: Role,
    pub banned: bool,
    pub locked: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// What Clerk holds of what we write there.
    pub claims: Claims,
    /// Of the application's own, a value for each row of the table.
    pub fields: FieldValues,
}

/// Our three keys in Clerk's public metadata (A2-07), as they are there now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    pub user_mongo_id: Option<String>,
    pub role: Option<String>,
    pub is_admin: Option<bool>,
}

impl Claims {
    /// What Clerk should hold about this person.
    pub fn wanted(user: &User) -> Self {
        Self {
            user_mongo_id: Some(user.id.clone()),
            role: Some(user.role.as_str().to_owned()),
            is_admin: Some(user.role.is_admin()),
        }
    }
}

/// Something said about a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    Person {
        person: Box<Person>,
        version: Version,
        source: SyncSource,
    },
    Deleted {
        clerk_id: String,
        at: Timestamp,
    },
    /// Clerk's answer that it knows nobody by this id.
    Absent {
        clerk_id: String,
        at: Timestamp,
    },
    /// Nothing but that there is something to ask Clerk about, and who said so.
    Hint {
        clerk_id: String,
        source: SyncSource,
        news: Option<News>,
    },
}

/// What a hint says beyond the id. Nobody has signed it, so nothing of it is believed; but while it is fresh, an answer of Clerk's
/// that does not know of it yet may lag behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News {
    pub at: Timestamp,
    pub is_deletion: bool,
    /// The version of the person that it is about, if it says so.
    pub updated_at: Option<Timestamp>,
}

impl News {
    /// Whether this answer may have been given before Clerk knew of the news.
    pub fn is_ahead_of(&self, answer: &Incoming, now: Timestamp) -> bool {
        let is_old = now.duration_since(self.at).abs() >= PATIENCE;
        match answer {
            _ if is_old => false,
            Incoming::Absent { .. } => !self.is_deletion,
            Incoming::Person { version, .. } => {
                self.is_deletion || self.updated_at.is_some_and(|at| at.as_millisecond() > version.updated_at)
            }
            Incoming::Deleted { .. } | Incoming::Hint { .. } => false,
        }
    }
}

/// Whether somebody joined so recently that an answer of Clerk's which does not know them may lag. A deletion is for ever, so
/// it must not be taken for one.
pub fn may_not_be_known_yet(user: &User, now: Timestamp) -> bool {
    user.deleted_at.is_none() && now.duration_since(user.created_at).abs() < PATIENCE
}

/// What to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nobody by this id is stored: add this document.
    Insert(Box<User>),
    /// Replace our fields, if the document is still the one that was read.
    Update { user: Box<User>, changed: Vec<&'static str> },
    /// Something newer is stored.
    Stale(&'static str),
    /// Exactly this is stored.
    Unchanged,
    /// Clerk knows nobody by this id, and neither do we.
    Nobody,
    /// Two differ, and nothing says which is newer (D2-25), or somebody deleted is said to live (D2-24): only Clerk knows.
    Ask,
    /// An answer of Clerk's that is older than what is stored: it lags, and has to be asked again.
    Behind,
}

impl Incoming {
    pub fn clerk_id(&self) -> &str {
        match self {
            Self::Person { person, .. } => &person.clerk_id,
            Self::Deleted { clerk_id, .. } | Self::Absent { clerk_id, .. } | Self::Hint { clerk_id, .. } => clerk_id,
        }
    }
}

/// Decides. `new_id` becomes `_id` if a document is added, `now` becomes `lastClerkSync`.
pub fn apply(stored: Option<&User>, incoming: &Incoming, new_id: &str, now: Timestamp) -> Change {
    match (stored, incoming) {
        (_, Incoming::Hint { .. }) => Change::Ask,
        (None, Incoming::Absent { .. }) => Change::Nobody,
        (Some(User { deleted_at: Some(_), .. }), Incoming::Deleted { .. } | Incoming::Absent { .. }) => {
            Change::Unchanged
        }
        (Some(User { deleted_at: Some(deleted_at), .. }), Incoming::Person { version, source, .. }) => {
            let is_later = version.updated_at > deleted_at.as_millisecond();
            if is_later && *source == SyncSource::Webhook {
                return Change::Ask;
            }
            Change::Stale("the person is deleted, which is for ever")
        }
        (None, Incoming::Deleted { clerk_id, at }) => Change::Insert(Box::new(tombstone(new_id, clerk_id, *at, now))),
        (Some(stored), Incoming::Deleted { at, .. } | Incoming::Absent { at, .. }) => {
            Change::Update { user: Box::new(buried(stored, *at, now)), changed: vec!["deletedAt"] }
        }
        (None, Incoming::Person { person, version, source }) => {
            Change::Insert(Box::new(document(new_id, person, *version, *source, now)))
        }
        (Some(stored), Incoming::Person { person, version, source }) => merge(stored, person, *version, *source, now),
    }
}

fn merge(stored: &User, person: &Person, version: Version, source: SyncSource, now: Timestamp) -> Change {
    let mut user = document(&stored.id, person, version, source, now);
    user.last_active_at = stored.last_active_at;
    user.bio.clone_from(&stored.bio);
    keep_role(&mut user, stored, source);
    keep_username(&mut user, stored);
    if version.updated_at == 0 {
        user.updated_at = stored.updated_at;
    }
    let changed = differences(stored, &user);
    let is_answer = source != SyncSource::Webhook;
    if stored.last_clerk_sync.is_none() && stored.version.updated_at == 0 {
        // Not from Clerk at all.
        return Change::Update { user: Box::new(user), changed };
    }
    if !is_time(version.updated_at, now) || !is_time(stored.version.updated_at, now) {
        return merge_undated(stored, user, changed, source);
    }
    if version.updated_at < stored.version.updated_at {
        let is_old = stored.last_clerk_sync.is_none_or(|at| now.duration_since(at) > PATIENCE);
        return match source {
            // Of something that has been stored for so long Clerk would know: it never was at that version.
            SyncSource::Refetch if is_old => Change::Update { user: Box::new(user), changed },
            SyncSource::Refetch => Change::Behind,
            SyncSource::Reconcile if is_old => Change::Ask,
            _ => Change::Stale("a newer version is stored"),
        };
    }
    if is_answer && version.updated_at == stored.version.updated_at {
        // An answer of Clerk's carries no event time: it speaks for its `updated_at`, whichever event brought it here.
        user.version = stored.version;
        return match (changed.is_empty(), source) {
            (true, _) if user.role_pending == stored.role_pending => Change::Unchanged,
            // Asked over exactly what is stored: see `fold`.
            (true, _) | (false, SyncSource::Refetch) => Change::Update { user: Box::new(user), changed },
            // It may have been given before the last of several changes of one time.
            (false, _) => Change::Ask,
        };
    }
    let is_timed = is_time(version.event_at, now) && is_time(stored.version.event_at, now);
    if version.updated_at == stored.version.updated_at && !is_timed {
        // One is an answer of Clerk's, or does not say when it was; which of the two is older, only Clerk knows.
        if !changed.is_empty() {
            return Change::Ask;
        }
        if version.event_at <= stored.version.event_at {
            return Change::Unchanged;
        }
    }
    match version.cmp(&stored.version) {
        std::cmp::Ordering::Less => Change::Stale("a newer event of the same version is stored"),
        std::cmp::Ordering::Equal if changed.is_empty() => Change::Unchanged,
        std::cmp::Ordering::Equal => Change::Ask,
        std::cmp::Ordering::Greater => Change::Update { user: Box::new(user), changed },
    }
}

/// Of one of the two nobody can say when it was, so that none is newer: what differs is settled by Clerk's answer over exactly
/// what is stored, which brings its own version.
fn merge_undated(stored: &User, mut user: User, changed: Vec<&'static str>, source: SyncSource) -> Change {
    let is_same = [0, stored.version.updated_at].contains(&user.version.updated_at);
    if is_same {
        user.version = stored.version;
    }
    match (is_same && changed.is_empty(), source) {
        (true, _) if user.role_pending == stored.role_pending => Change::Unchanged,
        (true, _) | (false, SyncSource::Refetch) => Change::Update { user: Box::new(user), changed },
        (false, _) => Change::Ask,
    }
}

/// Whether a version's part is a time that can have been.
fn is_time(milliseconds: i64, now: Timestamp) -> bool {
    let latest = now.saturating_add(PATIENCE).unwrap_or(Timestamp::MAX);
    (1..=latest.as_millisecond()).contains(&milliseconds)
}

/// A role that was set here stands until Clerk's answer to our own push shows it: an event may be older than the push, and
/// would undo it (design 2.5, D2-38).
fn keep_role(user: &mut User, stored: &User, source: SyncSource) {
    if !stored.role_pending {
        return;
    }
    let is_confirmed = source == SyncSource::Push && user.role == stored.role;
    user.role = stored.role;
    user.role_pending = !is_confirmed;
}

/// A suffix stays for as long as the same name is wanted: who gets the name itself is settled elsewhere, among all who want
/// it (`usernames`).
fn keep_username(user: &mut User, stored: &User) {
    if stored.username_conflict && stored.clerk_username == user.clerk_username {
        user.username.clone_from(&stored.username);
        user.username_conflict = true;
        user.sync_reason.clone_from(&stored.sync_reason);
    }
}

/// Gives a person the suffixed form of their name, because the name itself is taken.
pub fn give_suffix(user: &mut User, suffix: Suffix) {
    let Some(username) = &user.clerk_username else { return };
    let suffixed = match suffix {
        Suffix::None => return,
        Suffix::Short => suffixed_username(username, &user.clerk_id),
        Suffix::Whole => format!("{username}-{}", user.clerk_id),
    };
    if user.deleted_at.is_none() {
        user.username = Some(suffixed);
        user.username_conflict = true;
        user.sync_reason = Some("the username is taken by somebody else".to_owned());
    }
}

fn document(id: &str, person: &Person, version: Version, source: SyncSource, now: Timestamp) -> User {
    let name = display_name(
        person.first_name.as_deref(),
        person.last_name.as_deref(),
        person.username.as_deref(),
        person.email.as_deref(),
    );
    User {
        id: id.to_owned(),
        clerk_id: person.clerk_id.clone(),
        email: person.email.clone(),
        email_verified: person.email_verified,
        emails: person.emails.clone(),
        first_name: person.first_name.clone(),
        last_name: person.last_name.clone(),
        name,
        username: person.username.clone(),
        clerk_username: person.username.clone(),
        image_url: person.image_url.clone(),
        bio: None,
        username_conflict: false,
        role: person.role,
        role_pending: false,
        sync_status: SyncStatus::Active,
        sync_reason: None,
        sync_source: source,
        auth_provider: AuthProvider::Clerk,
        banned: person.banned,
        locked: person.locked,
        version,
        etag: None,
        last_clerk_sync: Some(now),
        created_at: person.created_at,
        updated_at: person.updated_at,
        deleted_at: None,
        last_active_at: None,
        fields: person.fields.clone(),
    }
}

/// Names of the mapped fields in which what is stored is not what Clerk says now, `updatedAt` for the version among them.
pub fn compare(stored: &User, person: &Person) -> Vec<&'static str> {
    let version = Version { updated_at: person.updated_at.as_millisecond(), event_at: 0 };
    let source = SyncSource::Reconcile;
    let mut user = document(&stored.id, person, version, source, person.updated_at);
    keep_role(&mut user, stored, source);
    keep_username(&mut user, stored);
    let mut changed = differences(stored, &user);
    if stored.version.updated_at != version.updated_at {
        changed.push("updatedAt");
    }
    changed
}

/// Names of the mapped fields that differ; never their values, which are personal.
pub fn differences(stored: &User, user: &User) -> Vec<&'static str> {
    let compared = [
        ("email", stored.email != user.email),
        ("emailVerified", stored.email_verified != user.email_verified),
        ("emails", stored.emails != user.emails),
        ("firstName", stored.first_name != user.first_name),
        ("lastName", stored.last_name != user.last_name),
        ("name", stored.name != user.name),
        ("username", stored.clerk_username != user.clerk_username || stored.username != user.username),
        ("imageUrl", stored.image_url != user.image_url),
        ("role", stored.role != user.role),
        ("banned", stored.banned != user.banned),
        ("locked", stored.locked != user.locked),
        ("createdAt", stored.created_at != user.created_at),
        // It says nothing but the version, unless somebody else's hand was in it.
        ("updatedAt", stored.version.updated_at == user.version.updated_at && stored.updated_at != user.updated_at),
    ];
    let ours = compared.into_iter().filter_map(|(field, differs)| differs.then_some(field));
    let nothing = FieldValue::default();
    let own = user.fields.iter().filter(|(name, value)| stored.fields.get(*name).unwrap_or(&nothing) != *value);
    ours.chain(own.map(|(name, _)| *name)).collect()
}

/// The name that a person gets when their own is taken: the same for the same person, always (A4-05).
pub fn suffixed_username(username: &str, clerk_id: &str) -> String {
    let tail: String = clerk_id.chars().rev().filter(char::is_ascii_alphanumeric).take(6).collect();
    let tail: String = tail.chars().rev().collect();
    format!("{username}-{}", tail.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
