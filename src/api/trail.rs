//! The audit trail for admins.

use leptos::prelude::*;

use crate::api::{Change, Read};
use crate::model::audit::{TrailQuery, TrailView};
use crate::model::error::AppError;
use crate::model::notice::Notice;

/// One page of the entries that an address asks for, the newest first, and when the chain was last followed.
#[server(endpoint = "trail/list_trail", protocol = Read)]
pub async fn list_trail(#[server(default)] query: TrailQuery, before: Option<String>) -> Result<TrailView, AppError> {
    use crate::server::{rpc, trail};
    rpc::as_admin("list_trail", async |state, admin| {
        let before = trail::read_before(before.as_deref())?;
        trail::view(&state, &trail::read(query, &admin)?, before).await
    })
    .await
}

/// Follows the whole chain of seals.
#[server(endpoint = "trail/verify_trail", protocol = Change)]
pub async fn verify_trail() -> Result<Notice, AppError> {
    use crate::server::{rpc::form, trail};
    form::form("verify_trail", form::Back::ToReferer)
        .as_admin(async |state, admin| {
            // The rest of the time is the answer's.
            let time = state.settings.server.request_timeout * 2 / 3;
            Ok(Notice::done(format!("Chain verified: {}", trail::verify_within(&state, &admin, time).await?)))
        })
        .await
}
