//! People as they see each other.

use leptos::prelude::*;

use crate::api::Read;
use crate::model::error::AppError;
use crate::model::people::{ListedPage, PublicProfile};

/// A page of the directory: `q` is what a name or username begins with, `after` where the page before ended.
#[server(endpoint = "people/list_people", protocol = Read)]
pub async fn list_people(q: Option<String>, after: Option<String>) -> Result<ListedPage, AppError> {
    use crate::server::{people, rpc};
    rpc::as_viewer("list_people", async |state, viewer| {
        people::list_people(&state, &viewer, q.as_deref(), after.as_deref()).await
    })
    .await
}

/// What is public of the person with this username.
#[server(endpoint = "people/get_person", protocol = Read)]
pub async fn get_person(username: String) -> Result<PublicProfile, AppError> {
    use crate::server::{people, rpc};
    rpc::as_viewer("get_person", async |state, viewer| people::get_person(&state, &viewer, &username).await).await
}
