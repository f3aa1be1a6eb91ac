//! Answers as plain data (F.4, F.7): what Inngest obeys is the status and three headers, and a stranger learns nothing.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::server::inngest::signature::{Trust, sign};
use crate::server::inngest::{Config, FRAMEWORK, SDK};

/// Of requests.
pub const SIGNATURE: &str = "x-inngest-signature";
pub const SERVER_KIND: &str = "x-inngest-server-kind";
pub const SYNC_KIND: &str = "x-inngest-sync-kind";
pub const IN_BAND: &str = "in_band";
pub const OUT_OF_BAND: &str = "out_of_band";

const NO_RETRY: &str = "x-inngest-no-retry";
const RETRY_AFTER: &str = "retry-after";
const HANDLED: &str = "x-inngest-sdk-handled";
/// The version of the exchange that is spoken here.
const REQUEST_VERSION: &str = "2";

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Answer {
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
    }

    /// A refusal in the words of the SDK.
    pub fn message(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "message": message }))
    }

    /// A request that makes no sense, in the words of the SDK.
    pub fn error(status: StatusCode, message: &str) -> Self {
        Self::json(status, &json!({ "name": "Error", "message": message }))
    }

    /// The proof that we can tell Inngest from others.
    pub fn trusted_probe() -> Self {
        Self { status: StatusCode::OK, headers: Vec::new(), body: String::new() }
    }

    /// A function came to its end.
    pub fn finished(value: &Value) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// Call again, after `pause` if there is one.
    pub fn retryable(message: &str, pause: Option<Duration>) -> Self {
        let mut answer = Self::failure(StatusCode::INTERNAL_SERVER_ERROR, "RetryableError", message, "false");
        answer.headers.extend(pause.map(|pause| (RETRY_AFTER, pause.as_secs().max(1).to_string())));
        answer
    }

    /// Calling again cannot help.
    pub fn permanent(message: &str) -> Self {
        Self::failure(StatusCode::BAD_REQUEST, "NonRetriableError", message, "true")
    }

    /// A newer process may know it: worth another call.
    pub fn unknown_function() -> Self {
        Self::retryable("this app has no such function; is it synced?", None)
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Adds what every answer carries. To whom is not believed nothing of it is said, but that we were here.
    #[must_use]
    pub fn dressed(mut self, config: &Config, trust: Trust<'_>, now: Timestamp) -> Self {
        self.headers.push(("content-type", "application/json".to_owned()));
        self.headers.push((HANDLED, "true".to_owned()));
        if trust.is_refused() {
            return self;
        }
        self.headers.push(("x-inngest-sdk", SDK.to_owned()));
        self.headers.push(("x-inngest-framework", FRAMEWORK.to_owned()));
        self.headers.push(("x-inngest-req-version", REQUEST_VERSION.to_owned()));
        self.headers.extend(config.environment.iter().map(|name| ("x-inngest-env", name.clone())));
        if let Trust::Signed(key) = trust {
            self.headers.push((SIGNATURE, sign(key, self.body.as_bytes(), now)));
        }
        self
    }

    fn failure(status: StatusCode, name: &str, message: &str, no_retry: &str) -> Self {
        Self::json(status, &json!({ "name": name, "message": message })).with(NO_RETRY, no_retry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::inngest::fixtures::{KEY, config, key};
    use crate::server::inngest::signature::{Rejection, verify};

    fn value<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        answer.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn f_7_each_outcome_has_its_status_and_says_whether_to_call_again() {
        let table = [
            (Answer::finished(&Value::Null), 200, None, None),
            (Answer::retryable("Clerk is away", None), 500, Some("false"), None),
            (Answer::retryable("slow down", Some(Duration::from_secs(7))), 500, Some("false"), Some("7")),
            (Answer::retryable("slow down", Some(Duration::ZERO)), 500, Some("false"), Some("1")),
            (Answer::permanent("no person"), 400, Some("true"), None),
            (Answer::unknown_function(), 500, Some("false"), None),
            (Answer::trusted_probe(), 200, None, None),
        ];
        for (answer, status, no_retry, retry_after) in table {
            assert_eq!(answer.status.as_u16(), status);
            assert_eq!((value(&answer, NO_RETRY), value(&answer, RETRY_AFTER)), (no_retry, retry_after), "{answer:?}");
        }
        assert_eq!(Answer::finished(&Value::Null).body, "null");
    }

    #[test]
    fn f_4_an_answer_names_us_and_is_signed_and_a_stranger_sees_neither() {
        let (config, key) = (config(), key(KEY));
        let now = Timestamp::from_second(1_760_000_000).expect("within range");
        let dressed = Answer::finished(&json!({ "a": 1 })).dressed(&config, Trust::Signed(&key), now);
        assert_eq!(
            (value(&dressed, "x-inngest-sdk"), value(&dressed, "x-inngest-req-version")),
            (Some(SDK), Some("2"))
        );
        let signature = value(&dressed, SIGNATURE);
        assert!(verify(signature, dressed.body.as_bytes(), [key].iter(), now).is_ok());
        let refused = Trust::Refused(Rejection::Missing);
        let bare = Answer::message(StatusCode::UNAUTHORIZED, "Unauthorized").dressed(&config, refused, now);
        let ours: Vec<&str> =
            bare.headers.iter().map(|(name, _)| *name).filter(|name| name.starts_with("x-")).collect();
        assert_eq!(ours, [HANDLED]);
    }
}
