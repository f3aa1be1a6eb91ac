//! Brings one person up to date on a hint that proves nothing: Clerk is asked, and its answer is applied (D3-28), over exactly
//! what was stored before the question.
//!
//! What the hint said beyond the id only tells whether Clerk's answer may lag behind it.

use crate::model::user::SyncSource;
use crate::server::clerk::lenient::is_id;
use crate::server::error::Error;
use crate::server::store::events::Outcome;
use crate::server::store::users::User;
use crate::server::sync::apply::{Incoming, News};
use crate::server::sync::ports::Ports;
use crate::server::sync::process::write;

/// Asks Clerk about this person and writes what it says; not known there means deleted. Of somebody who is not known here either
/// nothing is written.
///
/// # Errors
/// `Invalid` for what cannot be an id, which Clerk is not asked about; `Behind` while the answer may lag; else MongoDB's or Clerk's.
pub async fn refresh_person<P: Ports>(
    ports: &P,
    clerk_id: &str,
    source: SyncSource,
    news: Option<News>,
) -> Result<(Outcome, Option<User>), Error> {
    if !is_id(clerk_id) {
        return Err(Error::Invalid { field: "id", message: "is not one of Clerk's".to_owned() });
    }
    write(ports, Incoming::Hint { clerk_id: clerk_id.to_owned(), source, news }).await
}
