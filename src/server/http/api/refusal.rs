//! A refusal as the API gives it: one shape, and the words that front ends know (A3-04, A3-06, A3-09).
//!
//! All 401 are alike, whatever was wrong with the token: nobody learns how close they came.

use std::borrow::Cow;
use std::time::Duration;

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::error::AppError;
use crate::model::user::Role;
use crate::server::error::Error;
use crate::server::settings::Environment;
use crate::server::state::AppState;

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    #[schema(value_type = String, example = "User not found")]
    pub error: Cow<'static, str>,
    /// What of the request it is about, if one part of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub field: Option<&'static str>,
    /// The caller's role; in development only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

/// A problem with its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    problem: Problem,
    retry_after: Option<Duration>,
    /// The same for a page.
    public: Option<AppError>,
}

impl Refusal {
    pub fn new(status: StatusCode, error: impl Into<Cow<'static, str>>) -> Self {
        let problem = Problem { error: error.into(), field: None, role: None };
        Self { status, problem, retry_after: None, public: None }
    }

    #[must_use]
    pub fn about(mut self, field: &'static str) -> Self {
        self.problem.field = Some(field);
        self
    }

    /// The one place where an error of a request of the API stops: logged, and told without its cause.
    pub fn of(doing: &'static str, error: &Error) -> Self {
        error.log(doing);
        Self { retry_after: error.retry_after(), public: Some(error.public()), ..Self::told(error) }
    }

    fn told(error: &Error) -> Self {
        let refusal = |text: &'static str| Self::new(error.status(), text);
        match error {
            Error::Unauthenticated { .. } => refusal("Unauthorized - Invalid token"),
            Error::Forbidden | Error::Barred => refusal("Forbidden - insufficient permissions"),
            Error::Stale => refusal("Forbidden - sign in again first"),
            Error::NotFound { .. } => refusal("User not found"),
            Error::Invalid { field, message } | Error::Refused { field, message } => {
                Self::new(error.status(), message.clone()).about(field)
            }
            Error::TooOften { .. } => refusal("Too many requests"),
            Error::Exporting => refusal("Too many requests - another export of yours is still on its way"),
            Error::Conflict => refusal("Conflict - changed in the meantime"),
            Error::Busy | Error::Behind | Error::StoreUnavailable(_) | Error::ClerkUnavailable(_) => {
                refusal("Service unavailable")
            }
            Error::Unreadable
            | Error::Panicked
            | Error::Unstorable { .. }
            | Error::Store(_)
            | Error::Clerk(_)
            | Error::ForeignKey
            | Error::Inngest(_)
            | Error::OutsideRequest => refusal("Internal server error"),
            Error::Met(error) => Self::told(error),
        }
    }

    /// A role that does not suffice; which one it is, is said in development only (A3-07).
    pub fn forbidden(error: &'static str, state: &AppState, role: Role) -> Self {
        let mut refusal = Self::new(StatusCode::FORBIDDEN, error);
        refusal.problem.role = Some(role).filter(|_| state.settings.environment == Environment::Development);
        refusal
    }

    pub fn foreign_origin() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden - this origin may not change anything")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        if let Some(public) = self.public {
            response.extensions_mut().insert(public);
        }
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(pause) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(pause.as_secs().max(1)));
        }
        response
    }
}
