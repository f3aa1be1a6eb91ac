//! Plain forms that work without JavaScript: sign out, choose a theme.
//!
//! Each answers with a redirect to a page of ours.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::header::{REFERER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::server::clerk;
use crate::server::clerk::cookies::clear_session_cookies;
use crate::server::error::Error;
use crate::server::http::session::{ENDED_COOKIE, session_to_end};
use crate::server::rpc::referer::own_path;
use crate::server::state::AppState;

/// The cookie that holds the theme: not a secret, not personal.
pub const THEME_COOKIE: &str = "rollcall_theme";

/// Ends the session at Clerk and here, so that it also works where clerk-js cannot run. While Clerk does not confirm it,
/// nobody is told that they are signed out.
pub async fn sign_out(State(state): State<Arc<AppState>>, headers: HeaderMap) -> Response {
    let ended = session_to_end(&state, &headers).await;
    if let Some(session_id) = &ended {
        match state.clerk.revoke_session(session_id).await {
            Ok(_) | Err(clerk::Error::NotFound) => {}
            Err(error) => {
                Error::from(error).log("sign_out");
                let text = "Clerk does not answer, so you are still signed in. Go back and try again in a moment.";
                return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
            }
        }
    }
    let mut response = Redirect::to("/").into_response();
    let ended = ended.map(|id| format!("{ENDED_COOKIE}={id}; Path=/; Max-Age=120; SameSite=Lax; HttpOnly"));
    for cookie in ended
        .into_iter()
        .chain(clear_session_cookies(&state.settings.clerk.publishable_key, &state.settings.server.public_url))
    {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThemeChoice {
    Light,
    Dark,
    System,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThemeForm {
    theme: ThemeChoice,
}

/// Remembers the choice for a year and goes back to the page it was made on.
pub async fn choose_theme(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    Form(form): Form<ThemeForm>,
) -> Response {
    let cookie = match form.theme {
        ThemeChoice::Light => format!("{THEME_COOKIE}=light; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly"),
        ThemeChoice::Dark => format!("{THEME_COOKIE}=dark; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly"),
        ThemeChoice::System => format!("{THEME_COOKIE}=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly"),
    };
    let mut response = Redirect::to(&own_path(headers.get(REFERER), &state.settings.server.public_url)).into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}
