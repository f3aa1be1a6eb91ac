//! What people do, in numbers, for admins.

use leptos::prelude::*;

use crate::api::Read;
use crate::model::activity::Activity;
use crate::model::error::AppError;

/// Who joined on which day, roles and providers.
#[server(endpoint = "activity/get_activity", protocol = Read)]
pub async fn get_activity() -> Result<Activity, AppError> {
    use crate::server::{rpc, statistics};
    rpc::as_admin("get_activity", async |state, _admin| statistics::activity::get_activity(&state).await).await
}
