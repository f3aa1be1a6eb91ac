//! How Clerk and we are connected, for admins.

use leptos::prelude::*;

use crate::api::{Change, Read};
use crate::model::connection::Connection;
use crate::model::error::AppError;
use crate::model::notice::Notice;

/// The webhook's address, its secrets' uses, the types of events seen, and the last findings.
#[server(endpoint = "connection/get_connection", protocol = Read)]
pub async fn get_connection() -> Result<Connection, AppError> {
    use crate::server::{connection, rpc};
    rpc::as_admin("get_connection", async |state, _admin| connection::get_connection(&state).await).await
}

/// Sends a signed delivery of our own to the webhook's public address.
#[server(endpoint = "connection/send_test_event", protocol = Change)]
pub async fn send_test_event() -> Result<Notice, AppError> {
    use crate::server::connection;
    use crate::server::rpc::form::{Back, form};
    form("send_test_event", Back::To("/admin/sync/connection".to_owned()))
        .as_admin(async |state, admin| connection::send_test_event(&state, &admin).await)
        .await
}

/// Makes every check of `rollcall doctor` now.
#[server(endpoint = "connection/examine", protocol = Change)]
pub async fn examine() -> Result<Notice, AppError> {
    use crate::server::connection;
    use crate::server::rpc::form::{Back, form};
    form("examine", Back::To("/admin/sync/connection#findings".to_owned()))
        .as_admin(async |state, admin| connection::examine(&state, &admin).await)
        .await
}
