//! The mirror's state, for moderators and admins.

use leptos::prelude::*;

use crate::api::Read;
use crate::model::chart::Chart;
use crate::model::error::AppError;
use crate::model::sync::SyncOverview;

/// Every number of the mirror, and the newest events.
#[server(endpoint = "admin_sync/get_overview", protocol = Read)]
pub async fn get_overview() -> Result<SyncOverview, AppError> {
    use crate::server::{rpc, sync};
    rpc::as_moderator("get_overview", async |state, _moderator| sync::status::get_overview(&state).await).await
}

/// The numbers over a time, drawn.
#[server(endpoint = "admin_sync/get_charts", protocol = Read)]
pub async fn get_charts(#[server(default)] period: String) -> Result<Vec<Chart>, AppError> {
    use crate::server::{rpc, sync};
    rpc::as_moderator("get_charts", async |state, _moderator| sync::status::get_charts(&state, &period).await).await
}
