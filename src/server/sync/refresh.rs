//! Brings one person up to date on a hint that proves nothing: Clerk is asked, and its answer is applied (D3-28).
//!
//! What the hint said beyond the id never gets here.

use jiff::Timestamp;

use crate::model::user::SyncSource;
use crate::server::clerk;
use crate::server::clerk::lenient::is_id;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::events::Outcome;
use crate::server::store::users::User;
use crate::server::sync::apply::Incoming;
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::process::write;

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
    let incoming = match state.clerk.fetch_user(clerk_id).await {
        Ok(user) => from_fetched(&user, source, Timestamp::now()),
        Err(clerk::Error::NotFound) => Incoming::Deleted { clerk_id: clerk_id.to_owned(), at: Timestamp::now() },
        Err(error) => return Err(error.into()),
    };
    write(state, incoming).await
}
