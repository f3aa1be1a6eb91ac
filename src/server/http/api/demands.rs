//! What handlers demand of a request: a proof of permission first, then a query, a path and a body that mean something.
//!
//! Proofs are made by `access`; here they are asked for, and their absence gets its words.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::server::access::{Admin, Moderator, SignedIn, Viewer};
use crate::server::error::Error;
use crate::server::http::Shared;
use crate::server::http::api::refusal::Refusal;
use crate::server::rpc::caller::Caller;
use crate::server::store::directory::cursor::is_cursor;

/// The most that a body may hold: names are short.
const LARGEST_BODY: usize = 64 * 1024;
const LONGEST_SEARCH: usize = 64;
const PAGE: u16 = 50;
const LARGEST_PAGE: u16 = 100;

impl FromRequestParts<Shared> for SignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Refusal> {
        let caller = parts.extensions.get::<Arc<Caller>>().ok_or(Error::OutsideRequest);
        let signed_in = caller.and_then(|caller| Self::of(&caller.session));
        signed_in.map_err(|error| Refusal::of("require_session", &error))
    }
}

impl FromRequestParts<Shared> for Viewer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let Some(caller) = parts.extensions.get::<Arc<Caller>>().cloned() else {
            return Err(Refusal::of("load_viewer", &Error::OutsideRequest));
        };
        caller.viewer(&shared.0).await.map_err(|error| Refusal::of("load_viewer", &error))
    }
}

impl FromRequestParts<Shared> for Moderator {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let viewer = Viewer::from_request_parts(parts, shared).await?;
        let role = viewer.role(&shared.0);
        let words = "Forbidden - insufficient permissions";
        Self::of(&shared.0, viewer).map_err(|_| Refusal::forbidden(words, &shared.0, role))
    }
}

impl FromRequestParts<Shared> for Admin {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let viewer = Viewer::from_request_parts(parts, shared).await?;
        let role = viewer.role(&shared.0);
        let words = "Forbidden - admin access only";
        Self::of(&shared.0, viewer).map_err(|_| Refusal::forbidden(words, &shared.0, role))
    }
}

/// Which people to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Listing {
    /// How many at most; 50 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<u16>,
    /// The `nextCursor` of the page before.
    pub cursor: Option<String>,
    /// What name, username or e-mail address begins with, in any case.
    #[param(max_length = 64)]
    q: Option<String>,
}

impl Listing {
    pub fn limit(&self) -> u16 {
        self.limit.unwrap_or(PAGE)
    }

    pub fn prefix(&self) -> Option<&str> {
        self.q.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    fn checked(self) -> Result<Self, Refusal> {
        let wrong = |field, text: &'static str| Err(Refusal::new(StatusCode::BAD_REQUEST, text).about(field));
        if !(1..=LARGEST_PAGE).contains(&self.limit()) {
            return wrong("limit", "limit must be a whole number from 1 to 100");
        }
        if self.cursor.as_deref().is_some_and(|cursor| !is_cursor(cursor)) {
            return wrong("cursor", "cursor must be the nextCursor of another page");
        }
        let is_text = |text: &str| text.chars().count() <= LONGEST_SEARCH && !text.chars().any(char::is_control);
        if self.q.as_deref().is_some_and(|text| !is_text(text)) {
            return wrong("q", "q must be a text of at most 64 characters");
        }
        Ok(self)
    }
}

impl FromRequestParts<Shared> for Listing {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Refusal> {
        match Query::<Self>::try_from_uri(&parts.uri) {
            Ok(Query(listing)) => listing.checked(),
            Err(rejection) => Err(Refusal::new(StatusCode::BAD_REQUEST, rejection.body_text())),
        }
    }
}

/// Clerk's id or MongoDB's; a text that is neither names nobody.
#[derive(Clone, Debug)]
pub struct PersonId(pub String);

impl FromRequestParts<Shared> for PersonId {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, shared).await;
        let id = path.ok().map(|Path(id)| id).filter(|id| crate::server::clerk::lenient::is_id(id));
        id.map(Self).ok_or_else(|| Refusal::of("read_path", &Error::NotFound { what: "This person" }))
    }
}

/// A JSON body of exactly this shape.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Shared> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body must be application/json"));
        }
        let Ok(bytes) = to_bytes(request.into_body(), LARGEST_BODY).await else {
            return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "The body must be whole, and at most 64 KiB"));
        };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Refusal::new(StatusCode::BAD_REQUEST, format!("The body cannot be read: {error}")).about("body")
        })
    }
}

/// Demanded because browsers send what they call a simple request without asking first: never as this type.
fn is_json(headers: &HeaderMap) -> bool {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_json() {
        let is_json = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, text.parse().expect("a header value"));
            is_json(&headers)
        };
        for text in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
            assert!(is_json(text), "{text}");
        }
        for text in
            ["text/plain", "application/x-www-form-urlencoded", "text/plain; application/json", "", "application/jsonx"]
        {
            assert!(!is_json(text), "{text}");
        }
    }
}
