//! What came of a plain request that is no server function, said on a page of ours: nobody is left before a bare line of text.

use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use crate::model::notice::Notice;
use crate::server::http::empty;
use crate::server::notice;
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
