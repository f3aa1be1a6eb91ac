//! Filters of the event list that an admin keeps: what there is to choose from, and the one that the list begins with.

use jiff::Timestamp;

use crate::model::event::{EventChoices, SavedView};
use crate::model::event_filter::EventQuery;
use crate::server::access::{Admin, Moderator, Viewer};
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::saved_filters::{MOST, SavedFilter};
use crate::server::sync::inspection::query_of;

const LONGEST_NAME: usize = 60;

/// Every type of event, and an admin's own filters.
///
/// # Errors
/// MongoDB's.
pub async fn list_choices(state: &AppState, moderator: &Moderator) -> Result<EventChoices, Error> {
    let own = async {
        if !moderator.is_admin(state) {
            return Ok(Vec::new());
        }
        state.store.saved_filters.list(&moderator.viewer().user().clerk_id).await
    };
    let (kinds, saved) = tokio::try_join!(state.store.events.list_kinds(), own)?;
    let shown = |SavedFilter { id, name, query, is_default, .. }| SavedView { id, name, query, is_default };
    Ok(EventChoices { kinds, saved: saved.into_iter().map(shown).collect() })
}

/// The list begins with this one from now on, or with none.
///
/// # Errors
/// `NotFound`; MongoDB's.
pub async fn set_default_filter(state: &AppState, admin: &Admin, id: &str, is_wanted: bool) -> Result<(), Error> {
    let is_there = state.store.saved_filters.set_default(owner(admin)?, id, is_wanted).await?;
    if is_there { Ok(()) } else { Err(Error::NotFound { what: "This filter" }) }
}

/// Keeps a filter under a name.
///
/// # Errors
/// `Refused` for a name that is none, or known; MongoDB's.
pub async fn save_filter(state: &AppState, admin: &Admin, name: &str, query: &str) -> Result<(), Error> {
    let (owner, name) = (owner(admin)?, checked(name)?);
    let query = query_of(query);
    if query == EventQuery::default() {
        return Err(name_refused("Filter the list first: all events need no name."));
    }
    query.read(Timestamp::now()).map_err(|unclear| name_refused(&unclear.message))?;
    if state.store.saved_filters.count(owner).await? >= MOST {
        return Err(name_refused(&format!("You have {MOST} of them. Delete one first.")));
    }
    let is_new = state.store.saved_filters.add(owner, name, &query.encoded()).await?;
    if is_new { Ok(()) } else { Err(name_refused("You have a filter of this name.")) }
}

/// # Errors
/// As of `save_filter`; `NotFound`.
pub async fn rename_filter(state: &AppState, admin: &Admin, id: &str, name: &str) -> Result<(), Error> {
    match state.store.saved_filters.rename(owner(admin)?, id, checked(name)?).await? {
        Some(true) => Ok(()),
        Some(false) => Err(name_refused("You have a filter of this name.")),
        None => Err(Error::NotFound { what: "This filter" }),
    }
}

/// # Errors
/// `NotFound`; MongoDB's.
pub async fn delete_filter(state: &AppState, admin: &Admin, id: &str) -> Result<(), Error> {
    let is_gone = state.store.saved_filters.remove(owner(admin)?, id).await?;
    if is_gone { Ok(()) } else { Err(Error::NotFound { what: "This filter" }) }
}

/// Filters are a signed-in person's own.
fn owner(admin: &Admin) -> Result<&str, Error> {
    admin.viewer().map(Viewer::user).map(|user| user.clerk_id.as_str()).ok_or(Error::Forbidden)
}

fn checked(name: &str) -> Result<&str, Error> {
    match name.trim() {
        "" => Err(name_refused("Give it a name.")),
        name if name.chars().count() > LONGEST_NAME => Err(name_refused("Give it a shorter name.")),
        name => Ok(name),
    }
}

fn name_refused(message: &str) -> Error {
    Error::Refused { field: "name", message: message.to_owned() }
}
