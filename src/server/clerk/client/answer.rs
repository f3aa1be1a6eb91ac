//! What an answer of Clerk's is: a body, or which error.

use std::time::Duration;

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::Response;
use serde_json::Value;

use crate::server::clerk::Error;
use crate::server::clerk::wire::Refusal;

/// A page of five hundred people with all their metadata full stays below this.
pub const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// A pause longer than this is not an answer to a limit that counts in seconds.
pub const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// The address is taken off, because it can carry a nonce.
pub fn unavailable(error: reqwest::Error) -> Error {
    Error::Unavailable(error.without_url())
}

/// The body of a success; every other answer is an error.
pub async fn body_of(response: Response) -> Result<Vec<u8>, Error> {
    let (status, pause) = (response.status(), retry_after(response.headers()));
    match status {
        StatusCode::UNAUTHORIZED => return Err(Error::Unauthorized),
        StatusCode::TOO_MANY_REQUESTS => return Err(Error::RateLimited { retry_after: pause }),
        StatusCode::REQUEST_TIMEOUT => return Err(Error::UnavailableStatus(status.as_u16())),
        status if status.is_server_error() => return Err(Error::UnavailableStatus(status.as_u16())),
        _ => {}
    }
    let body = read_body(response).await?;
    if status.is_success() { Ok(body) } else { Err(refusal(status, &body)) }
}

pub async fn read_body(mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Error::Malformed("the answer is too large".into()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Only Clerk's own word for it makes a 404 mean that something does not exist: the reconciliation removes people on the
/// strength of it, and a wrong address answers 404 as well.
pub fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
    if status == StatusCode::NOT_FOUND && refusal.errors.iter().any(|entry| entry.code == "resource_not_found") {
        return Error::NotFound;
    }
    let first = refusal.errors.into_iter().next().unwrap_or_default();
    Error::Rejected {
        status: status.as_u16(),
        field: first.meta.get("param_name").and_then(Value::as_str).map(str::to_owned),
        message: first.long_message.filter(|text| !text.is_empty()).unwrap_or(first.message),
        code: first.code,
    }
}

/// Clerk counts in seconds.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

pub fn server_time(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    rfc2822::parse(date).ok().map(|date| date.timestamp())
}
