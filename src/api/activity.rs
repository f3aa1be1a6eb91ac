//! What people do, in numbers, for admins.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::model::activity::Activity;
use crate::model::error::AppError;

/// Who joined on which day, roles and providers.
#[server(endpoint = "activity/get_activity", input = GetUrl)]
pub async fn get_activity() -> Result<Activity, AppError> {
    use crate::server::{rpc, statistics};
    rpc::as_admin("get_activity", async |state, _admin| statistics::activity::get_activity(&state).await).await
}
