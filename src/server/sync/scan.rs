//! Goes through everybody at Clerk and writes what differs here, by the same path as an event.
//!
//! What it does not do: it looks at Clerk's people only, so somebody who is gone there and still here is not found (a
//! missed deletion comes to light in the proof); it keeps no checkpoint, so a scan that fails starts over; and it
//! does not spread its calls, so that Clerk's limit ends it with a retryable error.

use jiff::Timestamp;

use crate::model::event::EventState;
use crate::model::user::SyncSource;
use crate::server::clerk::client::LARGEST_PAGE;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::sync::fold::{Said, group};
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::process::{finish, settle};

/// What a scan met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// People at Clerk.
    pub seen: u64,
    /// Of those, whose document was missing or differed.
    pub changed: u64,
}

/// Page by page, oldest first; the cursor is the last person seen, so nobody is skipped when somebody else goes meanwhile.
///
/// # Errors
/// Clerk's or MongoDB's, at the first page or person that fails.
pub async fn scan(state: &AppState, source: SyncSource) -> Result<Scanned, Error> {
    let mut scanned = Scanned::default();
    let mut cursor: Option<String> = None;
    loop {
        let page = state.clerk.list_users(LARGEST_PAGE, cursor.as_deref()).await?;
        scanned.seen += page.len() as u64;
        scanned.changed += apply_page(state, &page, source).await?;
        match page.last() {
            Some(last) if page.len() == usize::from(LARGEST_PAGE) => cursor = Some(last.id.clone()),
            _ => return Ok(scanned),
        }
    }
}

/// Writes what differs of one page; answers for how many people that was so.
async fn apply_page(state: &AppState, page: &[wire::User], source: SyncSource) -> Result<u64, Error> {
    let now = Timestamp::now();
    let said = |user| Said { event: None, attempts: 0, incoming: from_fetched(user, source, now) };
    let mut settled = settle(state, group(page.iter().map(said).collect())).await?;
    finish(state, &mut settled).await?;
    let mut changed = 0;
    for ended in settled.ended {
        if let Some(error) = ended.error {
            return Err(error);
        }
        changed += u64::from(ended.outcomes.iter().any(|outcome| outcome.state == EventState::Applied));
    }
    Ok(changed)
}
