//! What is left of a deleted person, by the setting `deletions`: nothing personal, or all but what would be in others' way.
//!
//! Pure. When somebody counts as deleted is `apply`'s business; that ids are hidden later, `store::erasure`'s.

use jiff::Timestamp;

use crate::model::user::{AuthProvider, Role, SyncSource, SyncStatus};
use crate::server::settings::fields::{FieldValue, FieldValues};
use crate::server::store::users::{User, Version};
use crate::server::sync::apply::{Change, Incoming, differences};

/// In place of a name.
pub const NAME: &str = "Deleted person";

/// What stays of a deleted person: the id that must never be used again, and when. Nothing personal.
pub fn tombstone(id: &str, clerk_id: &str, at: Timestamp, now: Timestamp) -> User {
    User {
        id: id.to_owned(),
        clerk_id: clerk_id.to_owned(),
        email: None,
        email_verified: false,
        emails: Vec::new(),
        first_name: None,
        last_name: None,
        name: NAME.to_owned(),
        username: None,
        clerk_username: None,
        image_url: None,
        bio: None,
        username_conflict: false,
        role: Role::User,
        role_pending: false,
        sync_status: SyncStatus::Active,
        sync_reason: None,
        sync_source: SyncSource::Webhook,
        auth_provider: AuthProvider::Clerk,
        banned: false,
        locked: false,
        version: Version { updated_at: at.as_millisecond(), event_at: at.as_millisecond() },
        etag: None,
        last_clerk_sync: Some(now),
        created_at: at,
        updated_at: at,
        deleted_at: Some(at),
        last_active_at: None,
        fields: FieldValues::new(),
    }
}

/// The same of somebody who is stored.
pub fn buried(stored: &User, at: Timestamp, now: Timestamp) -> User {
    let mut user = tombstone(&stored.id, &stored.clerk_id, at, now);
    user.created_at = stored.created_at;
    user.fields = stored.fields.keys().map(|name| (*name, FieldValue::default())).collect();
    user.version = stored.version.max(user.version);
    user
}

/// Where deleted people are kept: what a decision that knows nothing of it comes to. A deletion leaves the person as they
/// were, and what is said later of the time before it still counts, so that no order of the two makes a difference.
pub fn keeping(
    stored: Option<&User>,
    incoming: &Incoming,
    change: Change,
    decide: impl Fn(Option<&User>, &Incoming) -> Change,
) -> Change {
    match (stored, change) {
        (None, Change::Insert(user)) if user.deleted_at.is_some() => {
            // Of no version: whatever is said about them is newer.
            Change::Insert(Box::new(User { version: Version::default(), ..*user }))
        }
        (Some(stored), Change::Update { user, changed }) if user.deleted_at.is_some() => {
            Change::Update { user: Box::new(kept(stored.clone(), &user)), changed }
        }
        (Some(stored), Change::Stale(reason)) if is_of_before(stored, incoming) => {
            let living = User { deleted_at: None, ..stored.clone() };
            let known = Some(&living).filter(|living| living.version != Version::default());
            match decide(known, incoming) {
                Change::Insert(user) | Change::Update { user, .. } => {
                    let user = kept(*user, stored);
                    Change::Update { changed: differences(stored, &user), user: Box::new(user) }
                }
                // Of two that contradict each other the first stays: Clerk knows nothing of either.
                _ => Change::Stale(reason),
            }
        }
        (_, change) => change,
    }
}

/// Whether it tells of a deleted person's time.
fn is_of_before(stored: &User, incoming: &Incoming) -> bool {
    let Incoming::Person { version, source: SyncSource::Webhook, .. } = incoming else { return false };
    stored.deleted_at.is_some_and(|at| version.updated_at <= at.as_millisecond())
}

/// A person as they were, deleted as the tombstone says. The username is free for others, and nothing that gives them rights
/// or asks for something is left.
fn kept(person: User, tombstone: &User) -> User {
    User {
        id: tombstone.id.clone(),
        username: None,
        username_conflict: false,
        role: Role::User,
        role_pending: false,
        sync_status: SyncStatus::Active,
        sync_reason: None,
        sync_source: tombstone.sync_source,
        etag: None,
        last_clerk_sync: tombstone.last_clerk_sync,
        updated_at: tombstone.updated_at,
        deleted_at: tombstone.deleted_at,
        ..person
    }
}

/// Without what was kept, for an erasure. `None`: there is nothing.
pub fn stripped(user: &User, now: Timestamp) -> Option<User> {
    let bare = User {
        sync_source: user.sync_source,
        etag: user.etag.clone(),
        last_clerk_sync: user.last_clerk_sync,
        updated_at: user.updated_at,
        ..buried(user, user.deleted_at?, now)
    };
    (bare != *user).then_some(bare)
}

#[cfg(test)]
mod tests;
