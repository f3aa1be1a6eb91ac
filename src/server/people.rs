//! What people see of each other: a directory to leaf through, and a page for each; public fields only.
//!
//! Whoever is banned, deleted or not there at all is the same nobody. Every function demands a `Viewer`.

use crate::model::people::{LONGEST_SEARCH, Listed, ListedPage, PublicProfile};
use crate::model::user::display_name;
use crate::server::access::Viewer;
use crate::server::accounts::{NOBODY, text_of};
use crate::server::error::Error;
use crate::server::settings::access::PublicField;
use crate::server::state::AppState;
use crate::server::store::directory::cursor::is_cursor;
use crate::server::store::directory::filter::Filter;
use crate::server::store::directory::{Order, Wanted};
use crate::server::store::users::User;

const PAGE: u16 = 48;

/// People in the order of a dictionary, and at the end those without any name; or those of whom a name or username begins with
/// `prefix`.
///
/// # Errors
/// `NotFound` when the directory is off, `Invalid` for a page that is none, `TooOften`, or MongoDB's.
pub async fn list_people(
    state: &AppState,
    viewer: &Viewer,
    prefix: Option<&str>,
    after: Option<&str>,
) -> Result<ListedPage, Error> {
    demand_directory(state)?;
    if after.is_some_and(|after| !is_cursor(after)) {
        return Err(Error::Invalid { field: "after", message: "It is of no page.".to_owned() });
    }
    state.limits.searches.take(&viewer.user().clerk_id)?;
    let prefix: Option<String> = prefix.map(|text| text.trim().chars().take(LONGEST_SEARCH).collect());
    let wanted = Wanted {
        limit: PAGE,
        after,
        prefix: prefix.as_deref().filter(|prefix| !prefix.is_empty()),
        with_email: false,
        order: Order::Name,
        filter: Filter { without_banned: true, ..Filter::default() },
    };
    let page = state.store.directory.list(wanted).await?;
    Ok(ListedPage { people: page.users.into_iter().map(|user| listed(state, user)).collect(), next: page.next })
}

fn listed(state: &AppState, user: User) -> Listed {
    let name = public_name(&user);
    let image_url = user.image_url.filter(|_| state.settings.access.is_public(PublicField::Picture));
    Listed { name, username: user.username, image_url }
}

/// Never made of the address, which is nobody else's to see.
fn public_name(user: &User) -> String {
    display_name(user.first_name.as_deref(), user.last_name.as_deref(), user.username.as_deref(), None)
}

/// The public page of whoever has this username.
///
/// # Errors
/// `NotFound` for everybody who has none, whatever the reason; or MongoDB's.
pub async fn get_person(state: &AppState, viewer: &Viewer, username: &str) -> Result<PublicProfile, Error> {
    demand_directory(state)?;
    // Clerk keeps usernames in lower case; one that had to make room for another ends in an id, which has both.
    let users = &state.store.users;
    let found = match users.find_by_username(username).await? {
        None => users.find_by_username(&username.to_lowercase()).await?,
        found => found,
    };
    let user = found.filter(|user| !user.banned && user.deleted_at.is_none()).ok_or(NOBODY)?;
    let access = &state.settings.access;
    let fields = state.settings.fields.shown(&user.fields).filter(|(name, _)| access.is_public_own(name));
    Ok(PublicProfile {
        fields: fields.filter_map(|(name, value)| Some((name.to_owned(), text_of(&value)?))).collect(),
        is_own: user.clerk_id == viewer.user().clerk_id,
        name: public_name(&user),
        username: user.username.ok_or(NOBODY)?,
        image_url: user.image_url.filter(|_| access.is_public(PublicField::Picture)),
        bio: user.bio.filter(|_| access.is_public(PublicField::Bio)),
        joined_at: Some(user.created_at).filter(|_| access.is_public(PublicField::Joined)),
        role: Some(user.role).filter(|_| access.is_public(PublicField::Role)),
    })
}

fn demand_directory(state: &AppState) -> Result<(), Error> {
    if state.settings.access.has_directory { Ok(()) } else { Err(Error::NotFound { what: "This page" }) }
}
