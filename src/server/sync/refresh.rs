//! Brings one person up to date on a hint that proves nothing: Clerk is asked, and its answer is applied (D3-28).
//!
//! What the hint said beyond the id never gets here.

use crate::model::user::SyncSource;
use crate::server::clerk::lenient::is_id;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::events::Outcome;
use crate::server::store::users::User;
use crate::server::sync::process::write;
use crate::server::sync::questions::ask;

/// Asks Clerk about this person and writes what it says; not known there means deleted.
///
/// # Errors
/// `Invalid` for what cannot be an id, which Clerk is not asked about; else MongoDB's or Clerk's.
pub async fn refresh_person(
    state: &AppState,
    clerk_id: &str,
    source: SyncSource,
) -> Result<(Outcome, Option<User>), Error> {
    if !is_id(clerk_id) {
        return Err(Error::Invalid { field: "id", message: "is not one of Clerk's".to_owned() });
    }
    write(state, ask(state, clerk_id, source).await?).await
}
