//! An error in Clerk's published shape: `{errors: [{code, message, long_message, meta}], clerk_trace_id}`.
//!
//! Owns the codes and their statuses. Does not decide when to refuse.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::standin::ids;

#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: StatusCode,
    pub code: &'static str,
    message: String,
    long_message: String,
    meta: Map<String, Value>,
    retry_after_s: Option<u64>,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Refusal {
        let message = message.into();
        Refusal { status, code, long_message: message.clone(), message, meta: Map::new(), retry_after_s: None }
    }

    /// A validation error about one parameter, which Clerk's components show below the field of that name.
    pub fn form(param: &str, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, code, message).with_meta("param_name", json!(param))
    }

    pub fn format(param: &str) -> Refusal {
        Refusal::form(param, "form_param_format_invalid", format!("{param} is invalid."))
    }

    pub fn image(text: &str) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "image_invalid", text).with_meta("param_name", json!("file"))
    }

    pub fn missing(param: &str) -> Refusal {
        Refusal::form(param, "form_param_missing", format!("{param} must be included."))
    }

    pub fn not_found(what: &str) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "resource_not_found", "not found")
            .with_long_message(format!("No {what} was found with the given id."))
    }

    pub fn bad_key() -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "clerk_key_invalid", "The provided Clerk Secret Key is invalid.")
            .with_long_message("Make sure that your Clerk Secret Key is correct.")
    }

    pub fn signed_out() -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "signed_out", "Signed out")
            .with_long_message("You are signed out, or the session is no longer active.")
    }

    pub fn rate_limited(retry_after_s: u64) -> Refusal {
        let refusal = Refusal::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "Too many requests. Please try again in a bit.",
        );
        refusal.with_retry_after(retry_after_s)
    }

    /// What a lever asks for: any status, with a code that says it was asked for.
    pub fn by_lever(status: StatusCode, retry_after_s: u64) -> Refusal {
        match status {
            StatusCode::TOO_MANY_REQUESTS => Refusal::rate_limited(retry_after_s),
            StatusCode::SERVICE_UNAVAILABLE => {
                Refusal::new(status, "service_unavailable", "Clerk is down, on request.")
                    .with_retry_after(retry_after_s)
            }
            _ => Refusal::new(status, "internal_clerk_error", "Clerk fails, on request."),
        }
    }

    #[must_use]
    pub fn with_meta(mut self, key: &str, value: Value) -> Refusal {
        self.meta.insert(key.to_owned(), value);
        self
    }

    #[must_use]
    pub fn with_long_message(mut self, text: impl Into<String>) -> Refusal {
        self.long_message = text.into();
        self
    }

    fn with_retry_after(mut self, seconds: u64) -> Refusal {
        self.retry_after_s = Some(seconds);
        self
    }

    pub fn body(&self) -> Value {
        json!({
            "errors": [{ "code": self.code, "message": self.message, "long_message": self.long_message, "meta": self.meta }],
            "clerk_trace_id": ids::trace(),
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body())).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_every_field_clerk_promises() {
        let body = Refusal::form("email_address", "form_identifier_exists", "That is taken.").body();
        let error = &body["errors"][0];
        assert_eq!(error["code"], "form_identifier_exists");
        assert_eq!(error["meta"]["param_name"], "email_address");
        assert!(error["message"].is_string() && error["long_message"].is_string());
        assert_eq!(body["clerk_trace_id"].as_str().map(str::len), Some(32));
    }

    #[test]
    fn a_rate_limit_says_when_to_come_back_and_what_it_is_exactly() {
        let response = Refusal::rate_limited(7).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    }
}
