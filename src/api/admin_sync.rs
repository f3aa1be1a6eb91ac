//! The mirror's state, for admins.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::model::error::AppError;
use crate::model::sync::SyncOverview;

/// Counts by state, the backlog and the newest events.
#[server(endpoint = "admin_sync/get_overview", input = GetUrl)]
pub async fn get_overview() -> Result<SyncOverview, AppError> {
    use crate::server::{rpc, sync};
    rpc::as_admin("get_overview", async |state, _admin| sync::status::get_overview(&state.store).await).await
}
