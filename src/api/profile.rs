//! One's own document, and one's own sessions.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::api::{Change, Read};
use crate::model::error::AppError;
use crate::model::notice::Notice;
use crate::model::profile::{Names, Profile, SignIn};

/// Everything we hold about the viewer. A person without a document is fetched from Clerk first (A3-25).
#[server(endpoint = "profile/get_profile", protocol = Read)]
pub async fn get_profile() -> Result<Profile, AppError> {
    use crate::server::{profile, rpc};
    rpc::as_viewer("get_profile", async |state, viewer| profile::get_profile(&state, &viewer).await).await
}

/// Changes first name, last name and username; an empty text removes. What is like the original is left alone.
#[server(endpoint = "profile/edit_profile", protocol = Change)]
pub async fn edit_profile(
    first_name: String,
    last_name: String,
    username: String,
    #[server(default)] original: Option<Names>,
) -> Result<Notice, AppError> {
    use crate::server::profile;
    use crate::server::rpc::form::{Back, form};
    let names = Names { first_name, last_name, username };
    form("edit_profile", Back::To("/profile".to_owned()))
        .keeping_over(names.typed(), original.iter().flat_map(Names::typed))
        .as_viewer(async |state, viewer| profile::edit_names(&state, &viewer, names, original).await)
        .await
}

/// Changes what the viewer says about themselves.
#[server(endpoint = "profile/edit_bio", protocol = Change)]
pub async fn edit_bio(
    bio: String,
    // A map as of the other forms: a text that is empty would count as none.
    #[server(default)] original: BTreeMap<String, String>,
) -> Result<Notice, AppError> {
    use crate::server::profile;
    use crate::server::rpc::form::{Back, form};
    form("edit_bio", Back::To("/profile".to_owned()))
        .keeping_over([("bio", bio.clone())], original.iter().map(|(name, value)| (name.as_str(), value.clone())))
        .as_viewer(async |state, viewer| {
            let stood = original.get("bio").map(String::as_str);
            profile::edit_bio(&state, &viewer, &bio, stood).await
        })
        .await
}

/// Changes the application's own fields that are marked editable, each by its name.
#[server(endpoint = "profile/edit_fields", protocol = Change)]
pub async fn edit_fields(
    values: BTreeMap<String, String>,
    #[server(default)] original: BTreeMap<String, String>,
) -> Result<Notice, AppError> {
    use crate::server::profile;
    use crate::server::rpc::form::{Back, form};
    form("edit_fields", Back::To("/profile".to_owned()))
        .keeping_over(
            values.iter().map(|(name, value)| (name.as_str(), value.clone())),
            original.iter().map(|(name, value)| (name.as_str(), value.clone())),
        )
        .as_viewer(async |state, viewer| profile::edit_fields(&state, &viewer, &values, &original).await)
        .await
}

/// Takes the viewer's picture away.
#[server(endpoint = "profile/remove_picture", protocol = Change)]
pub async fn remove_picture() -> Result<Notice, AppError> {
    use crate::server::profile;
    use crate::server::rpc::form::{Back, form};
    form("remove_picture", Back::To("/profile".to_owned()))
        .as_viewer(async |state, viewer| profile::remove_picture(&state, &viewer).await)
        .await
}

/// Where the viewer is signed in.
#[server(endpoint = "profile/list_sessions", protocol = Read)]
pub async fn list_sessions() -> Result<Vec<SignIn>, AppError> {
    use crate::server::{profile::sign_ins, rpc};
    rpc::as_viewer("list_sessions", async |state, viewer| sign_ins::list_sessions(&state, &viewer).await).await
}

/// Ends one of the viewer's other sessions.
#[server(endpoint = "profile/revoke_session", protocol = Change)]
pub async fn revoke_session(id: String) -> Result<Notice, AppError> {
    use crate::server::profile::sign_ins;
    use crate::server::rpc::form::{Back, form};
    form("revoke_session", Back::To("/profile/sessions".to_owned()))
        .as_viewer(async |state, viewer| sign_ins::revoke_session(&state, &viewer, &id).await)
        .await
}

/// Ends all of the viewer's sessions but the one that asks.
#[server(endpoint = "profile/revoke_other_sessions", protocol = Change)]
pub async fn revoke_other_sessions() -> Result<Notice, AppError> {
    use crate::server::profile::sign_ins;
    use crate::server::rpc::form::{Back, form};
    form("revoke_other_sessions", Back::To("/profile/sessions".to_owned()))
        .as_viewer(async |state, viewer| sign_ins::revoke_other_sessions(&state, &viewer).await)
        .await
}

/// Deletes the viewer's account at Clerk and here; `typed` is their username or address.
#[server(endpoint = "profile/delete_account", protocol = Change)]
pub async fn delete_account(typed: String) -> Result<Notice, AppError> {
    use crate::server::profile::departure;
    use crate::server::rpc::form::{Back, form};
    form("delete_account", Back::To("/profile/data".to_owned()))
        .keeping([("typed", typed.clone())])
        .leaving()
        .as_viewer(async |state, viewer| departure::delete_account(&state, &viewer, &typed).await)
        .await
}
