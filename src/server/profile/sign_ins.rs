//! Where the viewer is signed in, and ending that elsewhere. Clerk keeps the sessions; nothing of them is stored here.

use std::cmp::Reverse;

use crate::model::audit::Action;
use crate::model::notice::Notice;
use crate::model::profile::SignIn;
use crate::server::access::Viewer;
use crate::server::accounts::impersonation::note;
use crate::server::clerk;
use crate::server::clerk::wire::{Session, SessionActivity};
use crate::server::error::Error;
use crate::server::state::AppState;

/// The viewer's sessions: the one that asks first, then the most recently used.
///
/// # Errors
/// `Unavailable` while Clerk is away.
pub async fn list_sessions(state: &AppState, viewer: &Viewer) -> Result<Vec<SignIn>, Error> {
    let sessions = sessions_of(state, viewer).await?;
    let mut shown: Vec<SignIn> = sessions.into_iter().map(|session| sign_in(session, viewer)).collect();
    shown.sort_by_key(|session| (!session.is_current, Reverse(session.last_active_at)));
    Ok(shown)
}

/// Ends one of the viewer's other sessions. Its token opens nothing once it has run out, within a minute.
///
/// # Errors
/// `NotFound` for a session that is not the viewer's, `Refused` for the one that asks; Clerk's.
pub async fn revoke_session(state: &AppState, viewer: &Viewer, id: &str) -> Result<Notice, Error> {
    if id == viewer.session_id() {
        let message = "This is the session that you use now: sign out instead.".to_owned();
        return Err(Error::Refused { field: "id", message });
    }
    state.limits.edits.take(&viewer.user().clerk_id)?;
    let sessions = sessions_of(state, viewer).await?;
    if !sessions.iter().any(|session| session.id == id) {
        return Err(Error::NotFound { what: "This session" });
    }
    let noted = note(state, viewer, Action::RevokeSession).await?;
    match revoke(state, id).await {
        Ok(()) => Ok(Notice::done("Signed out there.")),
        Err(error) => Err(noted.undone(state, error).await),
    }
}

/// Ends all of the viewer's sessions but the one that asks.
///
/// # Errors
/// Clerk's; those that were ended stay ended.
pub async fn revoke_other_sessions(state: &AppState, viewer: &Viewer) -> Result<Notice, Error> {
    state.limits.edits.take(&viewer.user().clerk_id)?;
    let mut others = sessions_of(state, viewer).await?;
    others.retain(|session| session.id != viewer.session_id());
    if others.is_empty() {
        return Ok(Notice::done("There was no other session."));
    }
    let noted = note(state, viewer, Action::RevokeSession).await?;
    for (ended, session) in others.iter().enumerate() {
        match revoke(state, &session.id).await {
            Ok(()) => {}
            Err(error) if ended == 0 => return Err(noted.undone(state, error).await),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Notice::done(match others.len() {
        1 => "Signed out of the other session.".to_owned(),
        count => format!("Signed out of {count} other sessions."),
    }))
}

async fn sessions_of(state: &AppState, viewer: &Viewer) -> Result<Vec<Session>, Error> {
    let mut sessions = state.clerk.list_sessions(&viewer.user().clerk_id).await?;
    // Nobody else's, whatever Clerk made of the question.
    sessions.retain(|session| session.user_id == viewer.user().clerk_id);
    Ok(sessions)
}

async fn revoke(state: &AppState, id: &str) -> Result<(), clerk::Error> {
    match state.clerk.revoke_session(id).await {
        // It ended by itself meanwhile, which is as good.
        Err(clerk::Error::NotFound) => Ok(()),
        revoked => revoked.map(|_| ()),
    }
}

fn sign_in(session: Session, viewer: &Viewer) -> SignIn {
    let activity = session.latest_activity.unwrap_or_default();
    SignIn {
        is_current: session.id == viewer.session_id(),
        id: session.id,
        device: device_of(&activity),
        place: place_of(&activity),
        last_active_at: session.last_active_at,
        created_at: session.created_at,
    }
}

/// `Chrome 140 on Linux`, or what of it is known.
fn device_of(activity: &SessionActivity) -> Option<String> {
    let known = |text: &Option<String>| text.clone().filter(|text| !text.is_empty() && text != "Unknown");
    let browser = known(&activity.browser_name).map(|name| match known(&activity.browser_version) {
        Some(version) => format!("{name} {version}"),
        None => name,
    });
    match (browser, known(&activity.device_type)) {
        (Some(browser), Some(device)) => Some(format!("{browser} on {device}")),
        (browser, device) => browser.or(device),
    }
}

/// `Oslo, NO (192.0.2.1)`, or what of it is known.
fn place_of(activity: &SessionActivity) -> Option<String> {
    let known = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let parts: Vec<String> = [known(&activity.city), known(&activity.country)].into_iter().flatten().collect();
    match (parts.is_empty(), known(&activity.ip_address)) {
        (true, address) => address,
        (false, None) => Some(parts.join(", ")),
        (false, Some(address)) => Some(format!("{} ({address})", parts.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_and_a_place_are_named_as_far_as_they_are_known() {
        let text = |text: &str| Some(text.to_owned());
        let whole = SessionActivity {
            device_type: text("Macintosh"),
            browser_name: text("Safari"),
            browser_version: text("26.1"),
            ip_address: text("192.0.2.1"),
            city: text("Oslo"),
            country: text("NO"),
            ..SessionActivity::default()
        };
        assert_eq!(device_of(&whole), text("Safari 26.1 on Macintosh"));
        assert_eq!(place_of(&whole), text("Oslo, NO (192.0.2.1)"));
        let little = SessionActivity { device_type: text("Unknown"), country: text(""), ..SessionActivity::default() };
        assert_eq!((device_of(&little), place_of(&little)), (None, None));
        let address = SessionActivity { ip_address: text("192.0.2.1"), ..SessionActivity::default() };
        assert_eq!(place_of(&address), text("192.0.2.1"));
    }
}
