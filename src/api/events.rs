//! Events: lists, one of them and their failures, for moderators and admins; what is done about them, for admins.

use leptos::prelude::*;

use crate::api::{Change, Read};
use crate::model::error::AppError;
use crate::model::event::{EventChoices, EventDetail, EventList};
use crate::model::failure::Failures;
use crate::model::notice::Notice;
use crate::model::replay::ReplayPreview;

/// One page of the events that the query of an address asks for.
#[server(endpoint = "events/list_events", protocol = Read)]
pub async fn list_events(#[server(default)] query: String, cursor: Option<String>) -> Result<EventList, AppError> {
    use crate::server::{rpc, sync::inspection};
    rpc::as_moderator("list_events", async |state, _moderator| {
        inspection::list_events(&state, &query, cursor.as_deref()).await
    })
    .await
}

/// Every type of event there is, and the filters that an admin keeps.
#[server(endpoint = "events/list_choices", protocol = Read)]
pub async fn list_choices() -> Result<EventChoices, AppError> {
    use crate::server::{rpc, sync::filters};
    rpc::as_moderator("list_choices", async |state, moderator| filters::list_choices(&state, &moderator).await).await
}

/// One event; what is personal in it is masked, unless an admin was led to this page by `reveal_payload`.
#[server(endpoint = "events/get_event", protocol = Read)]
pub async fn get_event(#[server(default)] id: String) -> Result<EventDetail, AppError> {
    use crate::server::{rpc, sync::inspection};
    let is_revealed = use_context::<Notice>().is_some_and(|notice| notice.is_about("reveal_payload", &id));
    rpc::as_moderator("get_event", async |state, moderator| {
        inspection::get_event(&state, &moderator, &id, is_revealed).await
    })
    .await
}

/// Lets the next answer show all that an event says, and records who asked.
#[server(endpoint = "events/reveal_payload", protocol = Change)]
pub async fn reveal_payload(id: String) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::inspection};
    form::form("reveal_payload", form::Back::To(format!("/admin/sync/events/{id}#payload")))
        .as_admin(async |state, admin| {
            inspection::reveal_payload(&state, &admin, &id).await?;
            Ok(Notice::done("The payload is shown this once. That you looked is in the audit trail.").about(&id))
        })
        .await
}

/// Carries one event out again.
#[server(endpoint = "events/replay_event", protocol = Change)]
pub async fn replay_event(
    id: String,
    #[server(default)] effects: Option<String>,
    #[server(default)] reason: String,
) -> Result<Notice, AppError> {
    use crate::server::accounts::Intent;
    use crate::server::{rpc::form, sync::intervention};
    form::form("replay_event", form::Back::To(format!("/admin/sync/events/{id}")))
        .keeping([("reason", reason.clone()), ("effects", effects.clone().unwrap_or_default())])
        .as_admin(async |state, admin| {
            let intent =
                Intent { reason: Some(reason).filter(|reason| !reason.trim().is_empty()), is_rehearsal: false };
            let replayed = intervention::replay(&state, &admin, &id, effects.is_none(), &intent).await?;
            let outcome = replayed.outcome;
            Ok(Notice::done(format!("Replayed: {}, {}.", outcome.state.as_str(), outcome.decision)))
        })
        .await
}

/// Decides that one event shall not be tried again.
#[server(endpoint = "events/discard_event", protocol = Change)]
pub async fn discard_event(id: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::intervention};
    form::form("discard_event", form::Back::To(format!("/admin/sync/events/{id}")))
        .keeping([("reason", reason.clone())])
        .as_admin(async |state, admin| {
            intervention::discard_for(&state, &admin, &id, &reason).await?;
            Ok(Notice::done("Discarded. It is not tried again, and counts as settled."))
        })
        .await
}

/// What failed and was given up, or only one of the two, by cause.
#[server(endpoint = "events/list_failures", protocol = Read)]
pub async fn list_failures(#[server(default)] state: Option<String>) -> Result<Failures, AppError> {
    use crate::server::{rpc, sync::inspection};
    let only = state;
    rpc::as_moderator("list_failures", async |state, moderator| {
        inspection::list_failures(&state, &moderator, only.as_deref()).await
    })
    .await
}

/// Nobody is told of a cause for so many hours.
#[server(endpoint = "events/mute_failures", protocol = Change)]
pub async fn mute_failures(cause: String, hours: u16) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::mutes};
    form::form("mute_failures", form::Back::ToReferer)
        .keeping([("cause", cause.clone()), ("hours", hours.to_string())])
        .as_admin(async |state, admin| {
            mutes::mute(&state, &admin, mutes::Subject::Failures(&cause), hours).await?;
            Ok(Notice::done(format!("Muted for {hours} hours: {cause}.")))
        })
        .await
}

/// A cause is told of again.
#[server(endpoint = "events/unmute_failures", protocol = Change)]
pub async fn unmute_failures(cause: String) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::mutes};
    form::form("unmute_failures", form::Back::ToReferer)
        .as_admin(async |state, admin| {
            mutes::unmute(&state, &admin, mutes::Subject::Failures(&cause)).await?;
            Ok(Notice::done(format!("Not muted any more: {cause}.")))
        })
        .await
}

/// What carrying events out again would do: these, or all that the query asks for.
#[server(endpoint = "events/get_replay_preview", protocol = Read)]
pub async fn get_replay_preview(
    #[server(default)] query: String,
    #[server(default)] ids: String,
) -> Result<ReplayPreview, AppError> {
    use crate::server::{rpc, sync::inspection};
    rpc::as_admin("get_replay_preview", async |state, _admin| inspection::preview_replay(&state, &query, &ids).await)
        .await
}

/// Begins to carry them out again, as a run.
#[server(endpoint = "events/replay_events", protocol = Change)]
pub async fn replay_events(
    #[server(default)] query: String,
    #[server(default)] ids: String,
    #[server(default)] effects: Option<String>,
    #[server(default)] rehearsal: Option<String>,
    #[server(default)] reason: String,
) -> Result<Notice, AppError> {
    use crate::server::accounts::Intent;
    use crate::server::{rpc::form, sync::inspection, sync::scan::requests};
    // A rehearsal has nothing to type.
    let typed = [("reason", reason.clone()), ("effects", effects.clone().unwrap_or_default())];
    form::form("replay_events", form::Back::To("/admin/sync/runs".to_owned()))
        .keeping(typed.into_iter().filter(|_| rehearsal.is_none()))
        .as_admin(async |state, admin| {
            let plan = inspection::plan_of(&state, &query, &ids, effects.is_some()).await?;
            let reason = Some(reason).filter(|reason| !reason.trim().is_empty());
            let run =
                requests::replay(&state, &admin, plan, &Intent { reason, is_rehearsal: rehearsal.is_some() }).await?;
            Ok(Notice::done(format!("The replay of {} events begins within seconds.", run.total)))
        })
        .await
}

/// Keeps a filter under a name.
#[server(endpoint = "events/save_filter", protocol = Change)]
pub async fn save_filter(name: String, #[server(default)] query: String) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::filters};
    form::form("save_filter", form::Back::To(format!("/admin/sync/events?{query}")))
        .keeping([("name", name.clone())])
        .as_admin(async |state, admin| {
            filters::save_filter(&state, &admin, &name, &query).await?;
            Ok(Notice::done("Filter saved."))
        })
        .await
}

/// Gives a filter another name.
#[server(endpoint = "events/rename_filter", protocol = Change)]
pub async fn rename_filter(id: String, name: String) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::filters};
    form::form("rename_filter", form::Back::ToReferer)
        .as_admin(async |state, admin| {
            filters::rename_filter(&state, &admin, &id, &name).await?;
            Ok(Notice::done("Filter renamed."))
        })
        .await
}

/// The list begins with this filter from now on; without `wanted`, with everything.
#[server(endpoint = "events/set_default_filter", protocol = Change)]
pub async fn set_default_filter(id: String, #[server(default)] wanted: Option<String>) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::filters};
    form::form("set_default_filter", form::Back::ToReferer)
        .as_admin(async |state, admin| {
            filters::set_default_filter(&state, &admin, &id, wanted.is_some()).await?;
            let text =
                if wanted.is_some() { "The list begins with it now." } else { "The list begins with everything." };
            Ok(Notice::done(text))
        })
        .await
}

/// Forgets a filter.
#[server(endpoint = "events/delete_filter", protocol = Change)]
pub async fn delete_filter(id: String) -> Result<Notice, AppError> {
    use crate::server::{rpc::form, sync::filters};
    form::form("delete_filter", form::Back::ToReferer)
        .as_admin(async |state, admin| {
            filters::delete_filter(&state, &admin, &id).await?;
            Ok(Notice::done("Filter deleted."))
        })
        .await
}
