//! Effects: the queue, for moderators and admins; what is done about one, for admins.

use leptos::prelude::*;

use crate::api::{Change, Read};
use crate::model::error::AppError;
use crate::model::job::JobList;
use crate::model::notice::Notice;

/// One page of the effects in this state, of this kind, about this person.
#[server(endpoint = "effects/list_effects", protocol = Read)]
pub async fn list_effects(
    state: Option<String>,
    kind: Option<String>,
    person: Option<String>,
    cursor: Option<String>,
) -> Result<JobList, AppError> {
    use crate::server::{jobs::ledger, rpc};
    rpc::as_moderator("list_effects", async |app, _moderator| {
        ledger::list_effects(&app, (state, kind, person), cursor).await
    })
    .await
}

/// Tries an effect again, as if it had never been tried.
#[server(endpoint = "effects/retry_job", protocol = Change)]
pub async fn retry_job(id: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::accounts::Intent;
    use crate::server::{jobs::intervention, rpc::form};
    form::form("retry_job", form::Back::ToReferer)
        .keeping([("id", id.clone()), ("reason", reason.clone())])
        .as_admin(async |state, admin| {
            let reason = Some(reason).filter(|reason| !reason.trim().is_empty());
            intervention::retry(&state, &admin, &id, &Intent { reason, is_rehearsal: false }).await?;
            Ok(Notice::done("It is tried again now."))
        })
        .await
}

/// Decides that an effect shall not happen.
#[server(endpoint = "effects/discard_job", protocol = Change)]
pub async fn discard_job(id: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::{jobs::intervention, rpc::form};
    form::form("discard_job", form::Back::ToReferer)
        .keeping([("id", id.clone()), ("reason", reason.clone())])
        .as_admin(async |state, admin| {
            intervention::discard_for(&state, &admin, &id, &reason).await?;
            Ok(Notice::done("Discarded. It shall not happen."))
        })
        .await
}
