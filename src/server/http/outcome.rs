//! What came of a plain request that is no server function, said on a page of ours: nobody is left before a bare line of text.

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, LOCATION, REFERER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::model::error::AppError;
use crate::model::notice::Notice;
use crate::server::http::{Shared, empty};
use crate::server::notice;
use crate::server::rpc::form::{failure, way_back};
use crate::server::rpc::referer::own_path;
use crate::server::state::AppState;

/// To a page of ours, which says this.
pub fn lead_back(state: &AppState, path: &str, said: &Notice) -> Response {
    let settings = &state.settings;
    let mut response = empty(StatusCode::SEE_OTHER);
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(path).ok().map(|path| (LOCATION, path)));
    let sealed = notice::seal(said, &settings.clerk.secret_key);
    let cookie = sealed.map(|value| notice::cookie(&value, &settings.server.public_url));
    headers.extend(cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()).map(|cookie| (SET_COOKIE, cookie)));
    response
}

/// A browser that is refused goes back to where it was, where it is said; a script gets the refusal itself.
pub async fn say_on_a_page(State(Shared(state)): State<Shared>, request: Request, next: Next) -> Response {
    if !wants_page(request.headers()) {
        return next.run(request).await;
    }
    let from = own_path(request.headers().get(REFERER), &state.settings.server.public_url);
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let error = response.extensions().get::<AppError>().cloned().unwrap_or_else(|| error_of(status));
    lead_back(&state, &way_back(&error, from), &failure(&error))
}

pub fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// Of a refusal that says nothing more.
fn error_of(status: StatusCode) -> AppError {
    match status {
        StatusCode::UNAUTHORIZED => AppError::Unauthenticated,
        StatusCode::FORBIDDEN => AppError::Forbidden,
        StatusCode::CONFLICT => AppError::Conflict,
        StatusCode::TOO_MANY_REQUESTS => AppError::TooOften,
        StatusCode::SERVICE_UNAVAILABLE => AppError::Unavailable,
        status if status.is_client_error() => {
            AppError::Invalid { field: "request".to_owned(), message: "This could not be understood.".to_owned() }
        }
        _ => AppError::Internal,
    }
}
