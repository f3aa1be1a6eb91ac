//! The mirror's state, for moderators and admins; what is done about its alerts, for admins.

use leptos::prelude::*;

use crate::api::{Change, Read};
use crate::model::chart::Chart;
use crate::model::error::AppError;
use crate::model::notice::Notice;
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

/// Nobody is told of an alert for so many hours; it stays where it is shown.
#[server(endpoint = "admin_sync/mute_alert", protocol = Change)]
pub async fn mute_alert(kind: String, #[server(default)] cause: String, hours: u16) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::mutes};
    form::form("mute_alert", form::Back::ToReferer)
        .keeping([("kind", kind.clone()), ("cause", cause.clone()), ("hours", hours.to_string())])
        .as_admin(async |state, admin| {
            mutes::mute(&state, &admin, mutes::Subject::alert(&kind, &cause)?, hours).await?;
            Ok(Notice::done(format!("Muted for {hours} hours: {kind}.")))
        })
        .await
}

/// An alert is told of again.
#[server(endpoint = "admin_sync/unmute_alert", protocol = Change)]
pub async fn unmute_alert(kind: String, #[server(default)] cause: String) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::mutes};
    form::form("unmute_alert", form::Back::ToReferer)
        .as_admin(async |state, admin| {
            mutes::unmute(&state, &admin, mutes::Subject::alert(&kind, &cause)?).await?;
            Ok(Notice::done(format!("Not muted any more: {kind}.")))
        })
        .await
}
