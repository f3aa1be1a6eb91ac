//! What can be done to people: edit one's own names, list everybody, change a role, ban.
//!
//! Every function demands a proof from `access`. Knows nothing of pages. What admins do at Clerk is in `moderation`,
//! their table of people in `roster` and `bulk`, how nobody is left without an admin in `departures`, what their pages show of
//! one person in `person` and `timeline`, and what their forms say in `forms`. What is done in somebody else's name is in
//! `impersonation`.

pub mod bulk;
pub mod departures;
pub mod forms;
pub mod impersonation;
pub mod moderation;
pub mod person;
pub mod roster;
pub mod timeline;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::audit::{Action, Fact};
use crate::model::user::{self, Role, SyncSource};
use crate::server::access::{Admin, Moderator, Viewer};
use crate::server::accounts::impersonation::note;
use crate::server::clerk;
use crate::server::clerk::client::ProfileChange;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::directory::{Page, Wanted};
use crate::server::store::dossier::Dossier;
use crate::server::store::jobs::Effect;
use crate::server::store::roles::{RoleChange, RoleWritten};
use crate::server::store::users::User;
use crate::server::store::users::writes::Guard;
use crate::server::sync::effects::{Step, effects_of};
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::outboxes::relay_some;
use crate::server::sync::ports::{PEOPLE_AT_ONCE, Ports};
use crate::server::sync::process::write;

/// How an admin means a change of somebody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intent {
    /// Why, for the audit trail.
    pub reason: Option<String>,
    /// Only to say how it would end.
    pub is_rehearsal: bool,
}

/// Clerk takes no longer name.
const LONGEST_NAME: usize = 256;
pub const NOBODY: Error = Error::NotFound { what: "This person" };

/// The viewer as the navigation shows them.
pub fn get_viewer(state: &AppState, viewer: &Viewer) -> user::Viewer {
    let user = viewer.user();
    user::Viewer {
        name: user.name.clone(),
        image_url: user.image_url.clone(),
        role: viewer.role(state),
        impersonator: viewer.actor().map(str::to_owned),
        has_directory: state.settings.access.has_directory,
    }
}

/// A value of the application's own for people to read.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(text_of).collect::<Vec<_>>().join(", ")),
        other => Some(other.to_string()),
    }
}

/// Changes the viewer's own profile: at Clerk, who owns it, and by Clerk's answer here, on the path of every other change. In
/// somebody else's name it is on record.
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
    let noted = note(state, viewer, Action::EditProfile).await?;
    let changed = match state.clerk.update_user(&user.clerk_id, &change).await {
        Err(error) => return Err(refusal(noted.undone(state, error).await, |field| field_of(field, &change))),
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
/// own, and one admin stays, whatever happens at the same time (D5-12). The audit trail has it in the same transaction.
///
/// # Errors
/// `NotFound`, `Refused` by the rules above, `Forbidden` for an admin who is none any more or is impersonated (D4-17).
pub async fn change_role(
    state: &AppState,
    admin: &Admin,
    id: &str,
    role: Role,
    intent: &Intent,
) -> Result<User, Error> {
    change_expected_role(state, admin, id, None, role, intent).await
}

/// The same, unless the role is another by now than whoever changes it has seen.
///
/// # Errors
/// As of `change_role`.
pub async fn change_expected_role(
    state: &AppState,
    admin: &Admin,
    id: &str,
    expected: Option<Role>,
    role: Role,
    intent: &Intent,
) -> Result<User, Error> {
    let user = find_subject(state, admin, id).await?;
    if user.role == role {
        return Ok(user);
    }
    let refused = |message: &str| Err(Error::Refused { field: "role", message: message.to_owned() });
    if is_oneself(admin, &user) {
        return refused("You cannot change your own role.");
    }
    let change = RoleChange {
        clerk_id: user.clerk_id.clone(),
        role,
        expected,
        by: departures::stored_admin(admin),
        effects: effects_of_role(state, &user, role),
        fact: fact_of(admin, Action::ChangeRole, &user, intent),
        is_rehearsal: intent.is_rehearsal,
    };
    match state.store.roles.change(&change).await? {
        RoleWritten::Done(_) if intent.is_rehearsal => Ok(User { role, ..user }),
        RoleWritten::Done(before) => {
            let by = admin.actor().id;
            tracing::info!(user.id = user.clerk_id, by, %before, after = %role, "role changed");
            if let Err(error) = relay_some(state, PEOPLE_AT_ONCE).await {
                // The change holds; its effects are in the outbox, where the next sweep finds them.
                error.log("relay_effects");
            }
            Ok(User { role, ..user })
        }
        RoleWritten::Unchanged => Ok(User { role, ..user }),
        RoleWritten::Unexpected(now) => {
            let name = user::isolated(&user.name);
            refused(&format!("{name} is {now} by now: the role was changed meanwhile, so it stays."))
        }
        RoleWritten::Nobody => Err(NOBODY),
        RoleWritten::NotByAdmin => Err(Error::Forbidden),
        RoleWritten::LastAdmin => refused("The last admin stays one. Make somebody else an admin first."),
    }
}

/// Everything that is kept about a person, for themselves: the document, its events, jobs and entries of the audit trail,
/// which has this too.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Stale`, or MongoDB's.
pub async fn export_user(state: &AppState, admin: &Admin, user: &User, intent: &Intent) -> Result<Dossier, Error> {
    admin.demand_fresh_hand(state)?;
    if !intent.is_rehearsal {
        state.store.audit.append(&fact_of(admin, Action::ExportUser, user, intent)).await?;
    }
    state.store.find_dossier(&user.clerk_id).await?.ok_or(NOBODY)
}

/// The person that an admin wants to change; nobody does that in another's name (D4-17), nor from an old session if the
/// settings say so (D4-25).
pub async fn find_subject(state: &AppState, admin: &Admin, id: &str) -> Result<User, Error> {
    admin.demand_fresh_hand(state)?;
    state.store.directory.find_by_id(id).await?.ok_or(NOBODY)
}

pub fn is_oneself(admin: &Admin, user: &User) -> bool {
    admin.viewer().is_some_and(|viewer| viewer.user().clerk_id == user.clerk_id)
}

/// What the audit trail says of something done to a person.
pub fn fact_of(admin: &Admin, action: Action, user: &User, intent: &Intent) -> Fact {
    Fact {
        actor: admin.actor(),
        action,
        subject: user.clerk_id.clone(),
        before: None,
        after: None,
        reason: intent.reason.clone(),
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

/// What Clerk says no to is the person's to mend, in Clerk's words; everything else is not. Which field it is said at follows
/// from Clerk's name for it, if it has one.
pub fn refusal(error: Error, field_of: impl FnOnce(Option<&str>) -> &'static str) -> Error {
    match error {
        Error::Clerk(clerk::Error::Rejected { status: 400 | 409 | 413 | 422, field, message, .. }) => {
            let message =
                if message.is_empty() { "Clerk refused it, and does not say why.".to_owned() } else { message };
            Error::Refused { field: field_of(field.as_deref()), message }
        }
        error => error,
    }
}

/// Our name for what Clerk refused of a change. If it does not say what that is: the username, which has the most rules, or
/// what else was to be changed.
fn field_of(field: Option<&str>, change: &ProfileChange) -> &'static str {
    match field {
        Some("first_name") => "firstName",
        Some("last_name") => "lastName",
        Some("username") => "username",
        _ if change.username.is_some() => "username",
        _ if change.first_name.is_some() => "firstName",
        _ => "lastName",
    }
}
