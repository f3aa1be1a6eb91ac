//! What the forms of admins do, and what they say afterwards. The doing is in `accounts`, `moderation` and `erasure`.

use crate::model::event::EventState;
use crate::model::notice::Notice;
use crate::model::user::Role;
use crate::server::access::Admin;
use crate::server::accounts::person::find_anybody;
use crate::server::accounts::{self, Intent, bulk, find_subject, moderation};
use crate::server::erasure::{self, Reach};
use crate::server::error::Error;
use crate::server::state::AppState;

const LONGEST_REASON: usize = 500;
/// Where a change of a role is taken back, by the same form.
const CHANGE_ROLE: &str = "/api/admin_users/change_role";

/// Gives a role, and offers to take that back, as long as nobody changes it further: `expected` is what it still must be.
///
/// # Errors
/// As of `accounts::change_role`, and `Refused` for a reason that is none.
pub async fn change_role(
    state: &AppState,
    admin: &Admin,
    id: &str,
    expected: Option<Role>,
    role: Role,
    reason: &str,
) -> Result<Notice, Error> {
    let intent = intent(reason)?;
    let before = find_subject(state, admin, id).await?.role;
    let user = accounts::change_expected_role(state, admin, id, expected, role, &intent).await?;
    if before == role {
        return Ok(Notice::done(format!("{} is {role} already.", user.name)).naming(&user.name));
    }
    let back = [("id", id), ("role", before.as_str()), ("expected", role.as_str()), ("reason", "undo")];
    let said = Notice::done(format!("{} is {role} now, was {before}.", user.name)).naming(&user.name);
    Ok(said.with_undo(CHANGE_ROLE, &back))
}

/// Gives many one role, and sums up.
///
/// # Errors
/// As of `bulk::change_roles`.
pub async fn change_roles(
    state: &AppState,
    admin: &Admin,
    ids: &str,
    role: Role,
    reason: &str,
) -> Result<Notice, Error> {
    bulk::change_roles(state, admin, ids, role, &intent(reason)?).await
}

/// # Errors
/// As of `moderation::ban`.
pub async fn ban(state: &AppState, admin: &Admin, id: &str, reason: &str) -> Result<Notice, Error> {
    let user = moderation::ban(state, admin, id, &intent(reason)?).await?;
    Ok(Notice::done(format!("{} is banned: every session has ended.", user.name)).naming(&user.name))
}

/// # Errors
/// As of `moderation::ban`.
pub async fn unban(state: &AppState, admin: &Admin, id: &str, reason: &str) -> Result<Notice, Error> {
    let user = moderation::unban(state, admin, id, &intent(reason)?).await?;
    Ok(Notice::done(format!("{} may sign in again.", user.name)).naming(&user.name))
}

/// # Errors
/// As of `moderation::ban`.
pub async fn lock(state: &AppState, admin: &Admin, id: &str, reason: &str) -> Result<Notice, Error> {
    let user = moderation::lock(state, admin, id, &intent(reason)?).await?;
    Ok(Notice::done(format!("{} is locked: no new session begins.", user.name)).naming(&user.name))
}

/// # Errors
/// As of `moderation::ban`.
pub async fn unlock(state: &AppState, admin: &Admin, id: &str, reason: &str) -> Result<Notice, Error> {
    let user = moderation::unlock(state, admin, id, &intent(reason)?).await?;
    Ok(Notice::done(format!("{} is not locked any more.", user.name)).naming(&user.name))
}

/// # Errors
/// As of `moderation::ban`.
pub async fn revoke_sessions(state: &AppState, admin: &Admin, id: &str, reason: &str) -> Result<Notice, Error> {
    Ok(Notice::done(match moderation::revoke_sessions(state, admin, id, &intent(reason)?).await? {
        0 => "There was no session to end.".to_owned(),
        1 => "One session has ended.".to_owned(),
        count => format!("{count} sessions have ended."),
    }))
}

/// # Errors
/// As of `moderation::ban`.
pub async fn refresh_user(state: &AppState, admin: &Admin, id: &str) -> Result<Notice, Error> {
    let outcome = moderation::refresh_user(state, admin, id, &Intent::default()).await?;
    Ok(Notice::done(match outcome.state {
        EventState::Duplicate => "Clerk says what is stored here already.".to_owned(),
        _ => format!("Clerk was asked: {}.", outcome.decision),
    }))
}

/// Erases whoever's Clerk id was typed, here and, if wanted, at Clerk.
///
/// # Errors
/// `Refused` when something else was typed; as of `erasure::erase_user`.
pub async fn erase_user(
    state: &AppState,
    admin: &Admin,
    id: &str,
    typed: &str,
    is_kept_at_clerk: bool,
    reason: &str,
) -> Result<Notice, Error> {
    let intent = intent(reason)?;
    let user = find_anybody(state, id).await?;
    if typed.trim() != user.clerk_id {
        let message = "That is not the id of this person, so nobody was erased.".to_owned();
        return Err(Error::Refused { field: "typed", message });
    }
    let reach = if is_kept_at_clerk { Reach::OnlyHere } else { Reach::AtClerk };
    let receipt = erasure::erase_user(state, admin, &user, reach, &intent).await?;
    let what = receipt.map(|receipt| receipt.tell()).unwrap_or_default();
    Ok(Notice::done(format!("Erased. {what}")))
}

/// Why somebody does something, in their words.
fn intent(reason: &str) -> Result<Intent, Error> {
    let reason = reason.trim();
    if reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
        let message = "At most 500 characters, in one line.".to_owned();
        return Err(Error::Refused { field: "reason", message });
    }
    Ok(Intent { reason: (!reason.is_empty()).then(|| reason.to_owned()), is_rehearsal: false })
}
