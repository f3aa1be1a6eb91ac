//! `/metrics` and `/metrics.json`, for those who show the token; where none is configured there is no such page.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Json;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE as TEXT_FORMAT;
use secrecy::ExposeSecret;

use crate::model::canary::CanaryReport;
use crate::model::sync::SyncOverview;
use crate::server::http::empty;
use crate::server::metrics::METRICS;
use crate::server::readiness::now;
use crate::server::state::AppState;
use crate::server::sync::status::get_overview;

/// Every metric in Prometheus' text format.
pub async fn render(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    if let Err(response) = prove(&state, &headers) {
        return response;
    }
    match METRICS.render(now(&state).await) {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// What the sync page shows, as JSON, without the newest events and the canary's id: those name people.
pub async fn render_json(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    if let Err(response) = prove(&state, &headers) {
        return response;
    }
    match get_overview(&state).await {
        Ok(overview) => {
            let canary = overview.canary.map(|canary| CanaryReport { clerk_id: String::new(), ..canary });
            Json(SyncOverview { events: Vec::new(), canary, ..overview }).into_response()
        }
        Err(error) => {
            error.log("get_overview");
            empty(error.status())
        }
    }
}

#[expect(clippy::result_large_err, reason = "it is the answer, and made once")]
fn prove(state: &AppState, headers: &HeaderMap) -> Result<(), Response> {
    if state.settings.server.metrics_token.is_none() {
        return Err(empty(StatusCode::NOT_FOUND));
    }
    if may_read(state, headers) {
        return Ok(());
    }
    let mut response = empty(StatusCode::UNAUTHORIZED);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    Err(response)
}

/// Whether a token is configured and shown.
pub fn may_read(state: &AppState, headers: &HeaderMap) -> bool {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let (Some(shown), Some(token)) = (shown, &state.settings.server.metrics_token) else { return false };
    verify_slices_are_equal(shown, token.expose_secret().as_bytes()).is_ok()
}
