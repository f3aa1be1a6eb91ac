//! The Backend API: every route of it, and the guard all of them pass.
//!
//! Routes are here; users are in `bapi::users`, their listing in `bapi::listing`, sessions and tokens in `bapi::sessions`,
//! pictures in `bapi::images`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, patch, post};
use serde_json::{Value, json};

use crate::standin::instance::Instance;
use crate::standin::params::Params;
use crate::standin::refusal::Refusal;

pub mod images;
pub mod limits;
pub mod listing;
pub mod sessions;
pub mod users;

const VERSIONS: [&str; 5] = ["2021-02-05", "2024-10-01", "2025-04-10", "2025-11-10", LATEST];
pub const LATEST: &str = "2026-05-12";

pub fn router(instance: Arc<Instance>) -> Router {
    Router::new()
        .route("/v1/users", get(listing::list).post(users::create))
        .route("/v1/users/count", get(listing::count))
        .route("/v1/users/ban", post(users::ban_many))
        .route("/v1/users/unban", post(users::unban_many))
        .route("/v1/users/{id}", get(users::read).patch(users::update).delete(users::delete))
        .route("/v1/users/{id}/metadata", patch(users::merge_metadata).put(users::replace_metadata))
        .route("/v1/users/{id}/profile_image", images::route())
        .route("/v1/users/{id}/ban", post(users::ban))
        .route("/v1/users/{id}/unban", post(users::unban))
        .route("/v1/users/{id}/lock", post(users::lock))
        .route("/v1/users/{id}/unlock", post(users::unlock))
        .route("/v1/sessions", get(sessions::list).post(sessions::create))
        .route("/v1/sessions/{id}", get(sessions::read))
        .route("/v1/sessions/{id}/revoke", post(sessions::revoke))
        .route("/v1/sessions/{id}/refresh", post(sessions::refresh))
        .route("/v1/sessions/{id}/tokens", post(sessions::token))
        .route("/v1/jwks", get(jwks))
        .route("/v1/instance", get(describe))
        .route("/v1/testing_tokens", post(sessions::testing_token))
        .route("/v1/sign_in_tokens", post(sessions::sign_in_token))
        .layer(middleware::from_fn_with_state(Arc::clone(&instance), guard))
        .with_state(instance)
}

/// Levers first (a Clerk that is down checks no keys), then key, version and rate limit.
async fn guard(State(instance): State<Arc<Instance>>, request: Request, next: Next) -> Response {
    let mut response = answer(&instance, request, next).await;
    // By this Clerk's own clock, so that a caller can measure how wrong one of the two is.
    if let Ok(date) = HeaderValue::from_str(&instance.clock.http_date()) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn answer(instance: &Instance, request: Request, next: Next) -> Response {
    let levers = instance.levers();
    instance.backend_calls.fetch_add(1, Ordering::Relaxed);
    if levers.bapi_delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(levers.bapi_delay_ms)).await;
    }
    let status = levers.bapi_status.and_then(|status| StatusCode::from_u16(status).ok());
    if let Some(page) = levers.bapi_body {
        return (status.unwrap_or_default(), Html(page)).into_response();
    }
    if let Some(status) = status {
        return Refusal::by_lever(status, levers.retry_after_s).into_response();
    }
    let checked = check_key(instance, request.headers())
        .and_then(|()| version(request.uri(), request.headers()).map(|_| ()))
        .and_then(|()| limits::check(instance, request.method(), request.uri().path()));
    match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            if refusal.status == StatusCode::TOO_MANY_REQUESTS {
                instance.limited_calls.fetch_add(1, Ordering::Relaxed);
            }
            refusal.into_response()
        }
    }
}

fn check_key(instance: &Instance, headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = given.and_then(|value| value.strip_prefix("Bearer "));
    if key == Some(instance.secret_key.as_str()) { Ok(()) } else { Err(Refusal::bad_key()) }
}

/// The version asked for by header or by query, but not by both; without either, the newest.
pub fn version(uri: &Uri, headers: &HeaderMap) -> Result<&'static str, Refusal> {
    let query = Params::parse(uri.query().unwrap_or_default().as_bytes());
    let by_header = headers.get("clerk-api-version").map(|value| value.to_str().unwrap_or("?").to_owned());
    let by_query = query.given("__clerk_api_version").map(str::to_owned);
    let refuse = |text: String| Err(Refusal::new(StatusCode::BAD_REQUEST, "api_version_invalid", text));
    match (by_header, by_query) {
        (Some(_), Some(_)) => refuse("Clerk-API-Version must come as a header or in the query, not both.".to_owned()),
        (None, None) => Ok(LATEST),
        (Some(asked), None) | (None, Some(asked)) => match VERSIONS.into_iter().find(|known| *known == asked) {
            Some(known) => Ok(known),
            None => refuse(format!("{asked} is not a version of this API.")),
        },
    }
}

/// A JSON body; none at all counts as an empty object.
pub fn json_body(bytes: &Bytes) -> Result<Value, Refusal> {
    if bytes.is_empty() {
        return Ok(json!({}));
    }
    let invalid = |_| Refusal::new(StatusCode::BAD_REQUEST, "request_body_invalid", "Request body invalid");
    serde_json::from_slice(bytes).map_err(invalid)
}

async fn jwks(State(instance): State<Arc<Instance>>) -> axum::Json<Value> {
    axum::Json(instance.signing.jwks())
}

async fn describe(State(instance): State<Arc<Instance>>) -> axum::Json<Value> {
    let kind = if instance.production { "production" } else { "development" };
    axum::Json(json!({
        "object": "instance", "id": instance.signing.kid, "environment_type": kind,
        "allowed_origins": null, "workspace_id": null,
    }))
}
