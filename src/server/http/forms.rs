//! Plain forms that work without JavaScript: sign out, choose a theme and what else a browser remembers.
//!
//! Each answers with a redirect to a page of ours.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::header::{REFERER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::model::notice::Notice;
use crate::model::sign_in;
use crate::server::clerk;
use crate::server::cookie::{OwnCookie, SHORTCUTS, THEME, TIMES};
use crate::server::error::Error;
use crate::server::http::outcome::lead_back;
use crate::server::http::session::{ending_cookies, held_session};
use crate::server::rpc::form::wants_page;
use crate::server::rpc::referer::own_path;
use crate::server::state::AppState;

const A_YEAR: u32 = 31_536_000;
const STILL_SIGNED_IN: &str = "Clerk does not answer, so you are still signed in. Try again in a moment.";

/// Where to go after signing in again, for whoever signs out to do that.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignOutForm {
    back: Option<String>,
}

/// Ends the session at Clerk and here, so that it also works where clerk-js cannot run. While Clerk does not confirm it,
/// nobody is told that they are signed out.
pub async fn sign_out(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    form: Result<Form<SignOutForm>, FormRejection>,
) -> Response {
    let Ok(ended) = held_session(&state, &headers).await else { return still_signed_in(&state, &headers) };
    if let Some(session_id) = &ended {
        match state.clerk.revoke_session(session_id).await {
            Ok(_) | Err(clerk::Error::NotFound) => {}
            Err(error) => {
                Error::from(error).log("sign_out");
                return still_signed_in(&state, &headers);
            }
        }
    }
    let back = form.ok().and_then(|Form(form)| form.back);
    let next = back.map_or_else(|| "/".to_owned(), |back| sign_in_and_back(&state, &back));
    let mut response = Redirect::to(&next).into_response();
    for cookie in ending_cookies(&state, ended.as_deref()) {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}

fn still_signed_in(state: &AppState, headers: &HeaderMap) -> Response {
    if wants_page(headers) {
        let from = own_path(headers.get(REFERER), &state.settings.server.public_url);
        return lead_back(state, &from, &Notice::failed(STILL_SIGNED_IN));
    }
    (StatusCode::SERVICE_UNAVAILABLE, STILL_SIGNED_IN).into_response()
}

/// The way to sign-in that leads back to this path; what is no path of ours is left out.
fn sign_in_and_back(state: &AppState, path: &str) -> String {
    let (public_url, clerk) = (&state.settings.server.public_url, &state.settings.clerk);
    let origin = clerk.satellite.as_ref().map(|_| state.settings.public_url());
    let is_own = path.starts_with('/')
        && !path.chars().any(char::is_control)
        && public_url.join(path).is_ok_and(|url| url.origin() == public_url.origin() && !url.path().starts_with("//"));
    if is_own {
        sign_in::sign_in_and_back(&clerk.sign_in_url, origin, path)
    } else {
        sign_in::sign_in(&clerk.sign_in_url, origin)
    }
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
    let public_url = &state.settings.server.public_url;
    let (theme, lives_s) = match form.theme {
        ThemeChoice::Light => ("light", A_YEAR),
        ThemeChoice::Dark => ("dark", A_YEAR),
        ThemeChoice::System => ("", 0),
    };
    let cookie = THEME.line(public_url, theme, lives_s);
    let mut response = Redirect::to(&own_path(headers.get(REFERER), public_url)).into_response();
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Zone {
    Local,
    Utc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferencesForm {
    times: Option<Zone>,
    shortcuts: Option<Switch>,
}

/// Remembers what differs from what everybody has, for a year, and goes back to the page it was said on.
pub async fn choose_preferences(
    State(state): State<Arc<AppState>>,
    headers: HeaderMap,
    Form(form): Form<PreferencesForm>,
) -> Response {
    let public_url = &state.settings.server.public_url;
    let line = |cookie: OwnCookie, is_usual: bool, word: &str| {
        if is_usual { cookie.line(public_url, "", 0) } else { cookie.line(public_url, word, A_YEAR) }
    };
    let times = form.times.map(|times| line(TIMES, times == Zone::Local, "utc"));
    let shortcuts = form.shortcuts.map(|shortcuts| line(SHORTCUTS, shortcuts == Switch::On, "off"));
    let mut response = Redirect::to(&own_path(headers.get(REFERER), public_url)).into_response();
    for cookie in times.into_iter().chain(shortcuts) {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, value);
        }
    }
    response
}
