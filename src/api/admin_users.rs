//! People, for those who look after them: moderators look, admins change.
//!
//! What changes something is a form's address: it works without scripts, and leads back to the person.

use leptos::prelude::*;

use crate::api::{Change, Read};
use crate::model::error::AppError;
use crate::model::notice::Notice;
use crate::model::person::{Person, Timeline};
use crate::model::roster::{Page, Preview, Query};
use crate::model::user::Role;

/// A page of the table of people.
#[server(endpoint = "admin_users/list_users", protocol = Read)]
pub async fn list_users(#[server(default)] query: Query) -> Result<Page, AppError> {
    use crate::server::accounts::roster;
    use crate::server::rpc;
    rpc::as_moderator("list_users", async |state, moderator| roster::list_roster(&state, &moderator, &query).await)
        .await
}

/// What a change of many roles would do; `ids` are Clerk's, with commas.
#[server(endpoint = "admin_users/list_role_changes", protocol = Read)]
pub async fn list_role_changes(
    #[server(default)] ids: String,
    #[server(default)] role: String,
) -> Result<Preview, AppError> {
    use crate::server::accounts::bulk;
    use crate::server::rpc;
    rpc::as_admin("list_role_changes", async |state, admin| bulk::preview_roles(&state, &admin, &ids, &role).await)
        .await
}

/// Gives many people one role.
#[server(endpoint = "admin_users/change_roles", protocol = Change)]
pub async fn change_roles(ids: String, role: Role, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::accounts::forms;
    use crate::server::rpc::form::{Back, form};
    form("change_roles", Back::To("/admin/users".to_owned()))
        .keeping([("reason", reason.clone())])
        .as_admin(async |state, admin| forms::change_roles(&state, &admin, &ids, role, &reason).await)
        .await
}

/// One person, by Clerk's id or MongoDB's.
#[server(endpoint = "admin_users/get_person", protocol = Read)]
pub async fn get_person(id: String) -> Result<Person, AppError> {
    use crate::server::accounts::person;
    use crate::server::rpc;
    rpc::as_moderator("get_person", async |state, moderator| person::get_person(&state, &moderator, &id).await).await
}

/// A page of everything that happened to one person, the newest first.
#[server(endpoint = "admin_users/list_timeline", protocol = Read)]
pub async fn list_timeline(id: String, cursor: Option<String>) -> Result<Timeline, AppError> {
    use crate::server::accounts::timeline;
    use crate::server::rpc;
    rpc::as_moderator("list_timeline", async |state, moderator| {
        timeline::list_timeline(&state, &moderator, &id, cursor.as_deref()).await
    })
    .await
}

/// Gives a person a role, in force at their next request; if one is expected, only in its place.
#[server(endpoint = "admin_users/change_role", protocol = Change)]
pub async fn change_role(
    id: String,
    role: Role,
    #[server(default)] expected: Option<Role>,
    #[server(default)] reason: String,
) -> Result<Notice, AppError> {
    use crate::server::accounts::forms;
    use crate::server::rpc::form::{Back, form};
    form("change_role", Back::To(format!("/admin/users/{id}")))
        // Nobody typed what an undoing says.
        .keeping([("role", role.to_string()), ("reason", reason.clone())].into_iter().filter(|_| expected.is_none()))
        .as_admin(async |state, admin| forms::change_role(&state, &admin, &id, expected, role, &reason).await)
        .await
}

/// Lets a person in no more, and ends their sessions.
#[server(endpoint = "admin_users/ban", protocol = Change)]
pub async fn ban(id: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::accounts::forms;
    use crate::server::rpc::form::{Back, form};
    form("ban", Back::To(format!("/admin/users/{id}")))
        .keeping([("reason", reason.clone())])
        .as_admin(async |state, admin| forms::ban(&state, &admin, &id, &reason).await)
        .await
}

/// Lets a banned person in again.
#[server(endpoint = "admin_users/unban", protocol = Change)]
pub async fn unban(id: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::accounts::forms;
    use crate::server::rpc::form::{Back, form};
    form("unban", Back::To(format!("/admin/users/{id}")))
        .keeping([("reason", reason.clone())])
        .as_admin(async |state, admin| forms::unban(&state, &admin, &id, &reason).await)
        .await
}

/// Lets a person begin no new session.
#[server(endpoint = "admin_users/lock", protocol = Change)]
pub async fn lock(id: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::accounts::forms;
    use crate::server::rpc::form::{Back, form};
    form("lock", Back::To(format!("/admin/users/{id}")))
        .keeping([("reason", reason.clone())])
        .as_admin(async |state, admin| forms::lock(&state, &admin, &id, &reason).await)
        .await
}

/// Lets a locked person begin sessions again.
#[server(endpoint = "admin_users/unlock", protocol = Change)]
pub async fn unlock(id: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::accounts::forms;
    use crate::server::rpc::form::{Back, form};
    form("unlock", Back::To(format!("/admin/users/{id}")))
        .keeping([("reason", reason.clone())])
        .as_admin(async |state, admin| forms::unlock(&state, &admin, &id, &reason).await)
        .await
}

/// Ends every session of a person.
#[server(endpoint = "admin_users/revoke_sessions", protocol = Change)]
pub async fn revoke_sessions(id: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::accounts::forms;
    use crate::server::rpc::form::{Back, form};
    form("revoke_sessions", Back::To(format!("/admin/users/{id}")))
        .keeping([("reason", reason.clone())])
        .as_admin(async |state, admin| forms::revoke_sessions(&state, &admin, &id, &reason).await)
        .await
}

/// Asks Clerk how a person is now, and writes what it says.
#[server(endpoint = "admin_users/refresh_user", protocol = Change)]
pub async fn refresh_user(id: String) -> Result<Notice, AppError> {
    use crate::server::accounts::forms;
    use crate::server::rpc::form::{Back, form};
    form("refresh_user", Back::To(format!("/admin/users/{id}")))
        .as_admin(async |state, admin| forms::refresh_user(&state, &admin, &id).await)
        .await
}

/// Removes everything that is kept about a person, whose id was typed to confirm it.
#[server(endpoint = "admin_users/erase_user", protocol = Change)]
pub async fn erase_user(
    id: String,
    #[server(default)] typed: String,
    #[server(default)] keep_at_clerk: bool,
    #[server(default)] reason: String,
) -> Result<Notice, AppError> {
    use crate::server::accounts::forms;
    use crate::server::rpc::form::{Back, form};
    form("erase_user", Back::To(format!("/admin/users/{id}")))
        .keeping([("typed", typed.clone()), ("reason", reason.clone())])
        .keeping(keep_at_clerk.then(|| ("keep_at_clerk", "true".to_owned())))
        .as_admin(async |state, admin| forms::erase_user(&state, &admin, &id, &typed, keep_at_clerk, &reason).await)
        .await
}
