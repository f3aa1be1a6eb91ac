//! What admins do about somebody at Clerk: ban and lock, and the ends of both; end their sessions; ask Clerk how they are.
//!
//! Each is in the audit trail before it happens; what Clerk then refuses is recorded as undone.

use std::cmp::Reverse;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::model::audit::{Action, Fact};
use crate::model::user::SyncSource;
use crate::server::access::Admin;
use crate::server::accounts::{Intent, NOBODY, departures, fact_of, find_subject, is_oneself};
use crate::server::clerk;
use crate::server::clerk::client::moderation::Moderation;
use crate::server::clerk::wire::Session;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::events::Outcome;
use crate::server::store::users::User;
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::process::write;
use crate::server::sync::scan::requests;

const SESSIONS_AT_ONCE: usize = 4;

/// Lets a person in no more: at Clerk, which ends their sessions, and by Clerk's answer here. Nobody bans themselves, nor the
/// last admin.
///
/// # Errors
/// As of `change_role`, and Clerk's.
pub async fn ban(state: &AppState, admin: &Admin, id: &str, intent: &Intent) -> Result<User, Error> {
    let user = find_subject(state, admin, id).await?;
    spare_oneself(admin, &user, "You cannot ban yourself.")?;
    moderate(state, admin, user, Moderation::Ban, intent).await
}

/// Lets a banned person in again.
///
/// # Errors
/// As of `ban`.
pub async fn unban(state: &AppState, admin: &Admin, id: &str, intent: &Intent) -> Result<User, Error> {
    let user = find_subject(state, admin, id).await?;
    moderate(state, admin, user, Moderation::Unban, intent).await
}

/// Lets a person begin no new session, until they are unlocked or Clerk's time for it has passed. Not oneself, nor the last
/// admin.
///
/// # Errors
/// As of `ban`.
pub async fn lock(state: &AppState, admin: &Admin, id: &str, intent: &Intent) -> Result<User, Error> {
    let user = find_subject(state, admin, id).await?;
    spare_oneself(admin, &user, "You cannot lock yourself.")?;
    moderate(state, admin, user, Moderation::Lock, intent).await
}

/// Lets a locked person begin sessions again.
///
/// # Errors
/// As of `ban`.
pub async fn unlock(state: &AppState, admin: &Admin, id: &str, intent: &Intent) -> Result<User, Error> {
    let user = find_subject(state, admin, id).await?;
    moderate(state, admin, user, Moderation::Unlock, intent).await
}

/// A person's sessions, as Clerk has them: the last used first.
///
/// # Errors
/// Clerk's.
pub async fn list_sessions(state: &AppState, clerk_id: &str) -> Result<Vec<Session>, Error> {
    let mut sessions = state.clerk.list_sessions(clerk_id).await.map_err(nobody_or)?;
    // Nobody else's, whatever Clerk made of the question.
    sessions.retain(|session| session.user_id == clerk_id);
    sessions.sort_by_key(|session| Reverse(session.last_active_at));
    Ok(sessions)
}

/// Ends every session of a person, on all their devices; says how many. They may sign in again.
///
/// # Errors
/// As of `ban`.
pub async fn revoke_sessions(state: &AppState, admin: &Admin, id: &str, intent: &Intent) -> Result<usize, Error> {
    let user = find_subject(state, admin, id).await?;
    let sessions = list_sessions(state, &user.clerk_id).await?;
    if intent.is_rehearsal || sessions.is_empty() {
        return Ok(sessions.len());
    }
    let before = Some(format!("{} sessions", sessions.len()));
    let fact = Fact { before, ..fact_of(admin, Action::RevokeSessions, &user, intent) };
    state.store.audit.append(&fact).await?;
    let ended: Vec<usize> = futures::stream::iter(sessions)
        .map(async |session: Session| match state.clerk.revoke_session(&session.id).await {
            Ok(_) => Ok(1),
            // It ended by itself meanwhile.
            Err(clerk::Error::NotFound) => Ok(0),
            Err(error) => Err(Error::from(error)),
        })
        .buffer_unordered(SESSIONS_AT_ONCE)
        .try_collect()
        .await?;
    Ok(ended.iter().sum())
}

/// Asks Clerk how a person is and writes what it says.
///
/// # Errors
/// As of `ban`.
pub async fn refresh_user(state: &AppState, admin: &Admin, id: &str, intent: &Intent) -> Result<Outcome, Error> {
    let user = find_subject(state, admin, id).await?;
    requests::refresh(state, admin, &user.clerk_id, intent).await
}

fn spare_oneself(admin: &Admin, user: &User, words: &str) -> Result<(), Error> {
    if is_oneself(admin, user) {
        return Err(Error::Refused { field: "id", message: words.to_owned() });
    }
    Ok(())
}

async fn moderate(
    state: &AppState,
    admin: &Admin,
    user: User,
    moderation: Moderation,
    intent: &Intent,
) -> Result<User, Error> {
    let (action, word, opposite) = match moderation {
        Moderation::Ban => (Action::Ban, "banned", "not banned"),
        Moderation::Unban => (Action::Unban, "not banned", "banned"),
        Moderation::Lock => (Action::Lock, "locked", "not locked"),
        Moderation::Unlock => (Action::Unlock, "not locked", "locked"),
    };
    let (before, after) = match moderation {
        Moderation::Ban | Moderation::Unban => (user.banned, moderation == Moderation::Ban),
        Moderation::Lock | Moderation::Unlock => (user.locked, moderation == Moderation::Lock),
    };
    let text = |is_so: bool| Some(if is_so == after { word } else { opposite }.to_owned());
    let fact = Fact { before: text(before), after: text(after), ..fact_of(admin, action, &user, intent) };
    let last = match moderation {
        Moderation::Ban => Some("The last admin cannot be banned. Make somebody else an admin first."),
        Moderation::Lock => Some("The last admin cannot be locked. Make somebody else an admin first."),
        Moderation::Unban | Moderation::Unlock => None,
    };
    let departing = match last {
        Some(words) => {
            let by = departures::stored_admin(admin);
            Some(departures::begin(state, by, &fact, intent.is_rehearsal, ["id", words]).await?)
        }
        None if intent.is_rehearsal => None,
        None => {
            state.store.audit.append(&fact).await?;
            None
        }
    };
    if intent.is_rehearsal {
        return Ok(match moderation {
            Moderation::Ban | Moderation::Unban => User { banned: after, ..user },
            Moderation::Lock | Moderation::Unlock => User { locked: after, ..user },
        });
    }
    let moderated = moderate_at_clerk(state, moderation, fact).await;
    if let Some(departing) = departing {
        departing.end(state, &moderated).await;
    }
    moderated
}

/// Clerk first, and by Clerk's answer here.
async fn moderate_at_clerk(state: &AppState, moderation: Moderation, fact: Fact) -> Result<User, Error> {
    let changed = match state.clerk.moderate_user(&fact.subject, moderation).await {
        Ok(changed) => changed,
        Err(error) => return Err(undo(state, fact, error).await),
    };
    let (_, written) =
        write(state, from_fetched(&changed, SyncSource::Moderation, Timestamp::now(), &state.settings.fields)).await?;
    tracing::info!(user.id = fact.subject, by = fact.actor.id, action = fact.action.as_str(), "moderated");
    written.filter(|user| user.deleted_at.is_none()).ok_or(NOBODY)
}

/// Records that Clerk said no; without an answer nobody knows, and what was asked for stays on record.
pub async fn undo(state: &AppState, fact: Fact, error: clerk::Error) -> Error {
    let is_refused = !matches!(
        error,
        clerk::Error::Unavailable(_) | clerk::Error::UnavailableStatus(_) | clerk::Error::Malformed(_)
    );
    let is_nobody = matches!(error, clerk::Error::NotFound);
    let error = Error::from(error);
    if is_refused {
        let reason = Some(error.cause());
        let undone = Fact { action: Action::Undone, before: fact.after, after: fact.before, reason, ..fact };
        if let Err(error) = state.store.audit.append(&undone).await {
            Error::from(error).log("append_audit");
        }
    }
    if is_nobody { NOBODY } else { error }
}

/// What came of asking Clerk about a person.
pub fn nobody_or(error: clerk::Error) -> Error {
    if matches!(error, clerk::Error::NotFound) { NOBODY } else { error.into() }
}
