//! The audit trail for admins.

use leptos::prelude::*;

use crate::api::{Change, Read};
use crate::model::audit::{TrailPage, TrailQuery};
use crate::model::error::AppError;
use crate::model::notice::Notice;

/// One page of the entries that an address asks for, the newest first.
#[server(endpoint = "trail/list_trail", protocol = Read)]
pub async fn list_trail(#[server(default)] query: TrailQuery, before: Option<String>) -> Result<TrailPage, AppError> {
    use crate::server::{rpc, trail};
    rpc::as_admin("list_trail", async |state, _admin| {
        let before = trail::read_before(before.as_deref())?;
        trail::list(&state, &trail::read(query)?, before, trail::ON_A_PAGE).await
    })
    .await
}

/// Follows the whole chain of seals.
#[server(endpoint = "trail/verify_trail", protocol = Change)]
pub async fn verify_trail() -> Result<Notice, AppError> {
    use crate::server::{rpc::form, trail};
    form::form("verify_trail", form::Back::ToReferer)
        .as_admin(async |state, _admin| {
            // The rest of the time is the answer's.
            let time = state.settings.server.request_timeout * 2 / 3;
            Ok(Notice::done(format!("Chain verified: {}", trail::verify_within(&state, time).await?)))
        })
        .await
}
