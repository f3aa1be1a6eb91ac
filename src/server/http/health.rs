//! `/healthz` (the process) and `/readyz` (the store and the inbox): no details to anybody (D7-12).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::server::health;
use crate::server::state::AppState;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok"
}

/// Requests can be served.
pub async fn readyz(State(state): State<Arc<AppState>>) -> (StatusCode, &'static str) {
    if health::is_ready(&state).await {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    }
}
