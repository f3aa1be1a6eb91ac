//! What can be done to people: read and edit one's own profile, list everybody, change a role.
//!
//! Every function demands a proof from `access`. Knows nothing of pages.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::user::{self, Profile, Role, SyncSource};
use crate::server::access::{Admin, Moderator, Viewer};
use crate::server::clerk;
use crate::server::clerk::client::ProfileChange;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::directory::{Page, Wanted};
use crate::server::store::jobs::Effect;
use crate::server::store::roles::{RoleChange, RoleWritten};
use crate::server::store::users::User;
use crate::server::store::users::writes::Guard;
use crate::server::sync::effects::{Step, effects_of};
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::ports::Ports;
use crate::server::sync::process::{sweep, write};

/// Clerk takes no longer name.
const LONGEST_NAME: usize = 256;
const NOBODY: Error = Error::NotFound { what: "This person" };

/// The viewer as the navigation shows them.
pub fn get_viewer(state: &AppState, viewer: &Viewer) -> user::Viewer {
    let user = viewer.user();
    user::Viewer { name: user.name.clone(), image_url: user.image_url.clone(), role: viewer.role(state) }
}

/// The viewer's own document.
pub fn get_profile(state: &AppState, viewer: &Viewer) -> Profile {
    let role = viewer.role(state);
    let user = viewer.user().clone();
    Profile {
        id: user.id,
        clerk_id: user.clerk_id,
        name: user.name,
        first_name: user.first_name,
        last_name: user.last_name,
        username: user.username,
        email: user.email,
        email_verified: user.email_verified,
        emails: user.emails,
        image_url: user.image_url,
        role,
        sync_status: user.sync_status,
        sync_reason: user.sync_reason,
        sync_source: user.sync_source,
        last_clerk_sync: user.last_clerk_sync,
        created_at: Some(user.created_at),
        updated_at: Some(user.updated_at),
        fields: state
            .settings
            .fields
            .shown(&user.fields)
            .map(|(name, value)| (name.to_owned(), text_of(&value)))
            .collect(),
    }
}

/// A value of the application's own for people to read.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(text_of).collect::<Vec<_>>().join(", ")),
        other => Some(other.to_string()),
    }
}

/// Changes the viewer's own profile: at Clerk, who owns it, and by Clerk's answer here, on the path of every other change.
///
/// # Errors
/// `Refused` with the field when a rule of ours or of Clerk's says no, `TooOften`, `NotFound` when Clerk knows the person
/// no more, `Unavailable` while Clerk or MongoDB is away.
pub async fn edit_profile(state: &AppState, viewer: &Viewer, change: ProfileChange) -> Result<User, Error> {
    let change = ProfileChange {
        first_name: checked("firstName", change.first_name)?,
        last_name: checked("lastName", change.last_name)?,
        username: checked("username", change.username)?,
    };
    let user = viewer.user();
    if change == ProfileChange::default() {
        return Ok(user.clone());
    }
    state.limits.edits.take(&user.clerk_id)?;
    let changed = match state.clerk.update_user(&user.clerk_id, &change).await {
        Err(clerk::Error::NotFound) => return Err(NOBODY),
        Err(error) => return Err(refusal(error)),
        Ok(changed) => changed,
    };
    let incoming = from_fetched(&changed, SyncSource::Edit, Timestamp::now(), &state.settings.fields);
    let (_, written) = write(state, incoming).await?;
    tracing::info!(user.id = user.clerk_id, "profile edited");
    written.filter(|user| user.deleted_at.is_none()).ok_or(NOBODY)
}

/// One page of everybody.
pub async fn list_users(state: &AppState, moderator: &Moderator, wanted: Wanted<'_>) -> Result<Page, Error> {
    state.limits.searches.take(&moderator.viewer().user().clerk_id)?;
    Ok(state.store.directory.list(wanted).await?)
}

/// Gives a person, named by Clerk's id or by MongoDB's, a role; it is in force at the next request. Nobody changes their
/// own, and one admin stays, whatever happens at the same time (D5-12).
///
/// # Errors
/// `NotFound`, `Refused` by the rules above, `Forbidden` for an admin who is none any more or is impersonated (D4-17).
pub async fn change_role(state: &AppState, admin: &Admin, id: &str, role: Role) -> Result<User, Error> {
    let by = admin.viewer();
    if by.actor().is_some() {
        return Err(Error::Forbidden);
    }
    let user = state.store.directory.find_by_id(id).await?.ok_or(NOBODY)?;
    if user.role == role {
        return Ok(user);
    }
    let refused = |message: &str| Err(Error::Refused { field: "role", message: message.to_owned() });
    if user.clerk_id == by.user().clerk_id {
        return refused("You cannot change your own role.");
    }
    // An admin by `ADMIN_EMAIL` has no document that says so.
    let by_document = by.user().role.is_admin().then(|| by.user().clerk_id.clone());
    let effects = effects_of_role(state, &user, role);
    let change = RoleChange { clerk_id: user.clerk_id.clone(), role, by: by_document, effects };
    match state.store.roles.change(&change).await? {
        RoleWritten::Done(before) => {
            let by = &by.user().clerk_id;
            tracing::info!(user.id = user.clerk_id, by, %before, after = %role, "role changed");
            if let Err(error) = sweep(state).await {
                // The change holds; its effects are in the outbox, where the next sweep finds them.
                error.log("sweep");
            }
            Ok(User { role, ..user })
        }
        RoleWritten::Unchanged => Ok(User { role, ..user }),
        RoleWritten::Nobody => Err(NOBODY),
        RoleWritten::NotByAdmin => Err(Error::Forbidden),
        RoleWritten::LastAdmin => refused("The last admin stays one. Make somebody else an admin first."),
    }
}

/// Clerk and the downstream systems are told.
fn effects_of_role(state: &AppState, user: &User, role: Role) -> Vec<Effect> {
    let after = User { role, role_pending: true, etag: Some(state.new_id()), ..user.clone() };
    let guard = Guard::Unchanged(user.etag.clone());
    effects_of(Step { before: Some(user), after: &after, claims: None, guard: &guard }, state.plan, Timestamp::now())
}

/// A text as Clerk may have it: trimmed, and nothing that is no text.
fn checked(field: &'static str, text: Option<String>) -> Result<Option<String>, Error> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    let refused = |message: &str| Err(Error::Refused { field, message: message.to_owned() });
    if text.chars().count() > LONGEST_NAME {
        return refused("At most 256 characters.");
    }
    if text.chars().any(char::is_control) {
        return refused("No control characters.");
    }
    Ok(Some(text.to_owned()))
}

/// What Clerk says no to is the person's to mend, in Clerk's words; everything else is not.
fn refusal(error: clerk::Error) -> Error {
    let clerk::Error::Rejected { status: 400 | 409 | 422, field: Some(field), message, .. } = &error else {
        return error.into();
    };
    let field = match field.as_str() {
        "first_name" => "firstName",
        "last_name" => "lastName",
        "username" => "username",
        _ => return error.into(),
    };
    Error::Refused { field, message: message.clone() }
}
