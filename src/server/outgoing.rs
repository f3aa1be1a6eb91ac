//! Messages to other systems by HTTP, signed after Standard Webhooks (`webhook-id`, `-timestamp`, `-signature`).
//!
//! Sends once and says what came of it; repeating is for its users. Invariants: redirects are not followed, every call has a
//! time limit, of the answer's body only a look's is read, and no error carries the address, which may be a secret.

use std::time::Duration;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, CONTENT_TYPE, ORIGIN, RETRY_AFTER};
use http::{HeaderMap, Method, Request, StatusCode};
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Body, RequestBuilder, Response};
use svix::webhooks::Webhook;
use url::Url;

use crate::server::traces;

const SECRET_PREFIX: &str = "whsec_";
/// Standard Webhooks asks for 24 bytes at least; in base64 those are 32 letters.
const SHORTEST_SECRET: usize = 32;
const LONGEST_CONNECT: Duration = Duration::from_secs(5);
/// Our own answers are much shorter.
const LONGEST_LOOK: usize = 16 * 1024;
/// Who asks for a longer pause is asked again after this one.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// What is wrong with a signing secret. Never contains it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be whsec_ followed by at least 24 bytes in base64")]
pub struct SecretError;

/// Signs messages so that their receiver knows who sent them, and when.
#[derive(Debug)]
pub struct Signer {
    webhook: Webhook,
}

impl Signer {
    pub fn new(secret: &str) -> Result<Self, SecretError> {
        let key = secret.strip_prefix(SECRET_PREFIX).filter(|key| key.len() >= SHORTEST_SECRET).ok_or(SecretError)?;
        Ok(Self { webhook: Webhook::new(key).map_err(|_| SecretError)? })
    }
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// By which its receiver recognises a repetition.
    pub id: &'a str,
    /// JSON.
    pub body: &'a str,
}

/// What the receiver answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    /// How long it asked to be left alone.
    pub retry_after: Option<Duration>,
}

/// What somebody sees who looks at us from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The beginning of it.
    pub body: String,
}

/// No answer. In words that may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no answer in time")]
    TimedOut,
    #[error("no connection")]
    Unreachable,
    #[error("the message cannot be signed")]
    Unsignable,
}

/// Why there is no sender.
#[derive(Debug, thiserror::Error)]
#[error("the system cannot make encrypted connections")]
pub struct SenderError(#[from] reqwest::Error);

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    http: reqwest::Client,
}

impl Sender {
    /// # Errors
    /// When the system has no way to make encrypted connections.
    pub fn new(timeout: Duration) -> Result<Self, SenderError> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .connect_timeout(timeout.min(LONGEST_CONNECT))
            .redirect(Policy::none())
            .user_agent(concat!("rollcall/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http })
    }

    /// Sends a message; without a signer, unsigned.
    ///
    /// # Errors
    /// When there was no answer; a refusal is an answer.
    pub async fn post(&self, url: &Url, signer: Option<&Signer>, message: Message<'_>) -> Result<Answer, Error> {
        let sent_at = Timestamp::now().as_second();
        let mut call = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", sent_at)
            .body(message.body.to_owned());
        if let Some(signer) = signer {
            let signature = signer.webhook.sign(message.id, sent_at, message.body.as_bytes());
            call = call.header("webhook-signature", signature.map_err(|_| Error::Unsignable)?);
        }
        let mut trace = HeaderMap::new();
        traces::carry_in(&mut trace);
        let response = send(call.headers(trace)).await?;
        Ok(Answer { status: response.status(), retry_after: retry_after(response.headers()) })
    }

    /// Sends a message with the headers of Clerk's sender, and looks at the answer.
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn look(&self, url: &Url, signer: &Signer, message: Message<'_>) -> Result<Look, Error> {
        let sent_at = Timestamp::now().as_second();
        let signature = signer.webhook.sign(message.id, sent_at, message.body.as_bytes());
        let call = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("svix-id", message.id)
            .header("svix-timestamp", sent_at)
            .header("svix-signature", signature.map_err(|_| Error::Unsignable)?)
            .body(message.body.to_owned());
        look_at(send(call).await?).await
    }

    /// Sends what somebody else has made, as it is.
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn pass_on(&self, request: Request<impl Into<Body>>) -> Result<Look, Error> {
        let (head, body) = request.into_parts();
        let call = self.http.request(head.method, head.uri.to_string()).headers(head.headers);
        look_at(send(call.body(body)).await?).await
    }

    /// What a browser asks before it lets a page of this origin in.
    ///
    /// # Errors
    /// When there was no answer.
    pub async fn preflight(&self, url: &Url, origin: &str) -> Result<Look, Error> {
        let call = self.http.request(Method::OPTIONS, url.clone()).header(ORIGIN, origin);
        look_at(send(call.header(ACCESS_CONTROL_REQUEST_METHOD, "GET")).await?).await
    }
}

async fn send(call: RequestBuilder) -> Result<Response, Error> {
    call.send().await.map_err(|error| match error {
        error if error.is_timeout() => Error::TimedOut,
        error if error.is_builder() => Error::Unsignable,
        _ => Error::Unreachable,
    })
}

async fn look_at(mut response: Response) -> Result<Look, Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while body.len() < LONGEST_LOOK
        && let Some(chunk) = response.chunk().await.map_err(|_| Error::Unreachable)?
    {
        body.extend_from_slice(&chunk);
    }
    Ok(Look { status, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// In seconds, or as a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = if let Ok(seconds) = text.parse::<u64>() {
        seconds
    } else {
        let until = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        u64::try_from(until.duration_since(Timestamp::now()).as_secs()).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_whole_or_refused() {
        for (secret, accepted) in [
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false),
            ("whsec_MfKQ9r8GKYqr", false),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", false),
            ("", false),
        ] {
            assert_eq!(Signer::new(secret).is_ok(), accepted, "{secret}");
        }
    }

    #[test]
    fn d2_13_a_pause_is_understood_in_seconds_and_as_a_date_and_never_too_long() {
        let asked = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("999999"), Some(LONGEST_PAUSE));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
    }
}
