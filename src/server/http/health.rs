//! `/healthz` (the process) and `/readyz` (the store and the inbox): no details to anybody but those who may read the metrics
//! (D7-12).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use crate::server::http::metrics::may_read;
use crate::server::readiness::{Readiness, readiness};
use crate::server::state::AppState;

/// The process answers.
pub async fn healthz() -> &'static str {
    "ok"
}

/// Requests can be served. Degraded is ready: to take a process away mends neither Clerk nor a backlog.
pub async fn readyz(State(state): State<Arc<AppState>>, headers: HeaderMap) -> (StatusCode, String) {
    match readiness(&state).await {
        Readiness::Ready => (StatusCode::OK, "ready".to_owned()),
        Readiness::Degraded(troubles) if may_read(&state, &headers) => {
            (StatusCode::OK, format!("degraded: {}", troubles.join(", ")))
        }
        Readiness::Degraded(_) => (StatusCode::OK, "degraded".to_owned()),
        Readiness::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not ready".to_owned()),
    }
}
