//! Files that admins take away: one person as JSON, many as CSV.
//!
//! Asked for by a form's POST, so that no link of somebody else's can do it; on record before the first byte leaves.

use std::sync::Arc;

use axum::Form;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use serde::Deserialize;

use crate::model::roster::Query;
use crate::server::access::Admin;
use crate::server::accounts::person::find_anybody;
use crate::server::accounts::roster::export_users;
use crate::server::accounts::{Intent, export_user};
use crate::server::error::Error;
use crate::server::http::api::refusal::Refusal;
use crate::server::state::AppState;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whom {
    id: String,
}

/// Everything that is kept about one person.
pub async fn export_person(
    State(state): State<Arc<AppState>>,
    admin: Admin,
    Form(whom): Form<Whom>,
) -> Result<Response, Refusal> {
    let exported = async {
        admin.demand_fresh_hand(&state)?;
        let user = find_anybody(&state, &whom.id).await?;
        export_user(&state, &admin, &user, &Intent::default()).await
    };
    let dossier = exported.await.map_err(|error| Refusal::of("export_user", &error))?;
    // A dossier is plain JSON already.
    let text = serde_json::to_string_pretty(&dossier).map_err(|_| Refusal::of("export_user", &Error::Unreadable))?;
    Ok(as_file(text, "application/json", "attachment; filename=\"person.json\""))
}

/// Everybody whom the table of people shows for the same question.
pub async fn export_people(
    State(state): State<Arc<AppState>>,
    admin: Admin,
    Form(query): Form<Query>,
) -> Result<Response, Refusal> {
    let rows = export_users(&state, &admin, &query).await;
    let rows = rows.map_err(|error| Refusal::of("export_users", &error))?;
    // A failure in the middle ends the file early, which the connection tells.
    let rows = rows.inspect_err(|error| error.log("export_users"));
    let body = Body::from_stream(rows);
    Ok(as_file(body, "text/csv; charset=utf-8; header=present", "attachment; filename=\"people.csv\""))
}

fn as_file(body: impl IntoResponse, kind: &'static str, disposition: &'static str) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(disposition));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}
