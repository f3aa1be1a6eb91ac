//! What can be done to people: so far, reading one's own profile.
//!
//! Every function demands a proof from `access`. Knows nothing of pages.

use crate::model::user::{self, Profile};
use crate::server::access::Viewer;
use crate::server::state::AppState;

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
    }
}
