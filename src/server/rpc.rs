//! How a server function enters: state and caller from the request's context, the proof demanded, errors turned into
//! a status and an `AppError`, and logged once.
//!
//! Knows no single function; what they do is in `accounts` and `sync`.

pub mod caller;
pub mod form;
pub mod referer;

use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, RETRY_AFTER};
use http::{HeaderValue, Method, StatusCode, request::Parts};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use crate::model::error::AppError;
use crate::server::access::{Admin, Moderator, Viewer};
use crate::server::error::Error;
use crate::server::rpc::caller::Caller;
use crate::server::rpc::form::wants_page;
use crate::server::state::AppState;

/// For everybody: the viewer if there is one. Banned and deleted people count as nobody here.
pub async fn as_anyone<T>(
    doing: &'static str,
    work: impl AsyncFnOnce(Arc<AppState>, Option<Viewer>) -> Result<T, Error>,
) -> Result<T, AppError> {
    let answer = async {
        let (state, caller) = context()?;
        let viewer = match caller.viewer(&state).await {
            Ok(viewer) => Some(viewer),
            Err(error) if error.status().is_client_error() => None,
            Err(error) => return Err(error),
        };
        work(state, viewer).await
    };
    finish(doing, answer.await)
}

/// For the signed-in.
pub async fn as_viewer<T>(
    doing: &'static str,
    work: impl AsyncFnOnce(Arc<AppState>, Viewer) -> Result<T, Error>,
) -> Result<T, AppError> {
    let answer = async {
        let (state, caller) = context()?;
        let viewer = caller.viewer(&state).await?;
        work(state, viewer).await
    };
    finish(doing, answer.await)
}

/// For moderators and admins.
pub async fn as_moderator<T>(
    doing: &'static str,
    work: impl AsyncFnOnce(Arc<AppState>, Moderator) -> Result<T, Error>,
) -> Result<T, AppError> {
    let answer = async {
        let (state, caller) = context()?;
        let moderator = Moderator::of(&state, caller.viewer(&state).await?)?;
        work(state, moderator).await
    };
    finish(doing, answer.await)
}

/// For admins.
pub async fn as_admin<T>(
    doing: &'static str,
    work: impl AsyncFnOnce(Arc<AppState>, Admin) -> Result<T, Error>,
) -> Result<T, AppError> {
    let answer = async {
        let (state, caller) = context()?;
        let admin = Admin::of(&state, caller.viewer(&state).await?)?;
        work(state, admin).await
    };
    finish(doing, answer.await)
}

fn context() -> Result<(Arc<AppState>, Arc<Caller>), Error> {
    let state = use_context::<Arc<AppState>>().ok_or(Error::OutsideRequest)?;
    let parts = use_context::<Parts>().ok_or(Error::OutsideRequest)?;
    let caller = parts.extensions.get::<Arc<Caller>>().cloned().ok_or(Error::OutsideRequest)?;
    Ok((state, caller))
}

/// Logs a failure and gives the response, page or JSON, its status.
fn finish<T>(doing: &'static str, answer: Result<T, Error>) -> Result<T, AppError> {
    let response = use_context::<ResponseOptions>();
    if let Some(response) = &response {
        response.insert_header(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    }
    answer.map_err(|error| {
        error.log(doing);
        if let Some(response) = response {
            response.set_status(error.status());
            if let Some(pause) = pause_of(&error).filter(|_| !is_led_back()) {
                response.insert_header(RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
            }
        }
        error.public()
    })
}

/// How long to wait before asking again: as far as it is known, or a little, where something is away.
fn pause_of(error: &Error) -> Option<Duration> {
    const A_LITTLE: Duration = Duration::from_secs(5);
    error.retry_after().or((error.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(A_LITTLE))
}

/// Whether it is a plain form, whose answer is a redirect, which nobody is to wait with.
fn is_led_back() -> bool {
    use_context::<Parts>().is_some_and(|parts| parts.method == Method::POST && wants_page(&parts.headers))
}
