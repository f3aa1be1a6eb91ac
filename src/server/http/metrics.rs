//! `/metrics`, for those who show the token; where none is configured there is no such page.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::prometheus_text::CONTENT_TYPE as TEXT_FORMAT;
use secrecy::ExposeSecret;

use crate::server::http::empty;
use crate::server::metrics::METRICS;
use crate::server::readiness::now;
use crate::server::state::AppState;

/// Every metric in Prometheus' text format.
pub async fn render(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    if state.settings.server.metrics_token.is_none() {
        return empty(StatusCode::NOT_FOUND);
    }
    if !may_read(&state, &headers) {
        let mut response = empty(StatusCode::UNAUTHORIZED);
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        return response;
    }
    match METRICS.render(now(&state).await) {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// Whether a token is configured and shown.
pub fn may_read(state: &AppState, headers: &HeaderMap) -> bool {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let (Some(shown), Some(token)) = (shown, &state.settings.server.metrics_token) else { return false };
    verify_slices_are_equal(shown, token.expose_secret().as_bytes()).is_ok()
}
