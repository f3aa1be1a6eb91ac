//! Who is looking.

use leptos::prelude::*;

use crate::api::Read;
use crate::model::error::AppError;
use crate::model::user::Viewer;

/// The signed-in person, or `None`. For the navigation of every page.
#[server(endpoint = "session/get_viewer", protocol = Read)]
pub async fn get_viewer() -> Result<Option<Viewer>, AppError> {
    use crate::server::{accounts, rpc};
    rpc::as_anyone("get_viewer", async |state, viewer| Ok(viewer.map(|viewer| accounts::get_viewer(&state, &viewer))))
        .await
}
