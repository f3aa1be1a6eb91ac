//! One's own document.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::model::error::AppError;
use crate::model::user::Profile;

/// Everything we hold about the viewer. A person without a document is fetched from Clerk first (A3-25).
#[server(endpoint = "profile/get_profile", input = GetUrl)]
pub async fn get_profile() -> Result<Profile, AppError> {
    use crate::server::{accounts, rpc};
    rpc::as_viewer("get_profile", async |state, viewer| Ok(accounts::get_profile(&state, &viewer))).await
}
