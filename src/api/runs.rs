//! Runs: the history and one of them, for moderators and admins; what is wanted of them, for admins.

use leptos::prelude::*;

use crate::api::{Change, Read};
use crate::model::error::AppError;
use crate::model::notice::Notice;
use crate::model::run::{RunDetail, RunsPage};

/// One page of the history, the newest first, and the run that is going on.
#[server(endpoint = "runs/list_runs", protocol = Read)]
pub async fn list_runs(before: Option<String>) -> Result<RunsPage, AppError> {
    use crate::server::{rpc, sync::scan::report};
    rpc::as_moderator("list_runs", async |state, _moderator| report::list(&state.store, before.as_deref()).await).await
}

/// One run, with a page of those whom it found to differ and of those whom it skipped (each from after one on); for admins, with
/// what was done about it.
#[server(endpoint = "runs/get_run", protocol = Read)]
pub async fn get_run(
    #[server(default)] id: String,
    after: Option<String>,
    after_skipped: Option<String>,
) -> Result<RunDetail, AppError> {
    use crate::server::{rpc, sync::scan::report, trail};
    rpc::as_moderator("get_run", async |state, moderator| {
        let after = report::After { differing: after.as_deref(), skipped: after_skipped.as_deref() };
        let run = report::get(&state.store, &id, after).await?;
        Ok(RunDetail { run, trail: trail::list_about(&state, &moderator, &id).await? })
    })
    .await
}

/// Begins a walk through Clerk's list, or continues the one that waits.
#[server(endpoint = "runs/start_run", protocol = Change)]
pub async fn start_run(
    kind: String,
    #[server(default)] dry_run: Option<String>,
    #[server(default)] allow_deletions: String,
    #[server(default)] typed: String,
    #[server(default)] reason: String,
) -> Result<Notice, AppError> {
    use crate::model::run::RunOptions;
    use crate::server::{rpc::form, sync::scan::requests};
    form::form("start_run", form::Back::To("/admin/sync/runs".to_owned()))
        .keeping([("kind", kind.clone()), ("reason", reason.clone())])
        .keeping([("dry_run", dry_run.clone().unwrap_or_default())])
        .keeping([("allow_deletions", allow_deletions.clone()), ("typed", typed.clone())])
        .as_admin(async |state, admin| {
            let options = RunOptions { dry_run: dry_run.is_some(), allow_deletions: allow_deletions == "on" };
            let reason = Some(reason).filter(|reason| !reason.trim().is_empty());
            if options.allow_deletions {
                requests::demand_clearance(&state, &admin, &typed, reason.as_deref())?;
            }
            let run = requests::start(&state, &admin, requests::walk_named(&kind)?, options, reason).await?;
            Ok(Notice::done(format!("The {} begins within seconds.", run.kind.as_str())))
        })
        .await
}

/// Pauses, resumes or cancels a run: `pause`, `resume`, `cancel`.
#[server(endpoint = "runs/control_run", protocol = Change)]
pub async fn control_run(id: String, wish: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::{accounts::Intent, rpc::form, sync::scan::requests};
    form::form("control_run", form::Back::ToReferer)
        .as_admin(async |state, admin| {
            let action = requests::action_named(&wish)?;
            let reason = Some(reason).filter(|reason| !reason.trim().is_empty());
            let intent = Intent { reason, is_rehearsal: false };
            let run = requests::control(&state, &admin, &id, action, &intent).await?;
            Ok(Notice::done(format!("The {} is {}.", run.kind.as_str(), run.state.as_str())))
        })
        .await
}

/// Brings one person up to date, as Clerk says.
#[server(endpoint = "runs/refresh_user", protocol = Change)]
pub async fn refresh_user(id: String, #[server(default)] reason: String) -> Result<Notice, AppError> {
    use crate::server::{accounts::Intent, rpc::form, sync::scan::requests};
    form::form("refresh_user", form::Back::ToReferer)
        .as_admin(async |state, admin| {
            let reason = Some(reason).filter(|reason| !reason.trim().is_empty());
            let intent = Intent { reason, is_rehearsal: false };
            let outcome = requests::refresh(&state, &admin, &id, &intent).await?;
            Ok(Notice::done(format!("{id}: {}.", outcome.decision)))
        })
        .await
}
