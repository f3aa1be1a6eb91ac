//! Our calls to Inngest (F.3, F.6, F.8): send events, register functions, fetch a batch.
//!
//! Invariants: keys go to the configured origins only (redirects are not followed), every call has a time limit, every
//! answer a size limit, and no error carries an address, for the event key is part of one.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use rand::Rng;
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::server::inngest::answer::{OUT_OF_BAND, SYNC_KIND};
use crate::server::inngest::call;
use crate::server::inngest::{Config, FRAMEWORK, Mode, SDK, registration};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// All attempts together: whoever waits for the answer has fifteen seconds (`clerk.md` 3.7).
const SENT_WITHIN: Duration = Duration::from_secs(8);
const MOST_ATTEMPTS: u32 = 5;
const FIRST_PAUSE_MS: u64 = 100;
/// A batch holds at most a few megabytes.
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
const LONGEST_MESSAGE: usize = 200;
const NO_RUN: &str = "00000000000000000000000000";
/// What stands for an event key at a development server, which takes any.
const NO_EVENT_KEY: &str = "NO_EVENT_KEY_SET";

/// How a call to Inngest can fail.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("INNGEST_EVENT_KEY is not set")]
    NoEventKey,
    /// The key is wrong, or what was sent is.
    #[error("Inngest refused ({status}): {message}")]
    Refused { status: u16, message: String },
    /// An answer that says to come back later.
    #[error("Inngest is not available (status {0})")]
    UnavailableStatus(u16),
    /// No answer: connection, TLS or time limit.
    #[error("Inngest cannot be reached")]
    Unavailable(#[source] reqwest::Error),
    #[error("Inngest did not answer in time")]
    TimedOut,
    #[error("Inngest's answer could not be read")]
    Malformed,
}

/// An event to send.
#[derive(Clone, Serialize)]
pub struct Event {
    /// Inngest starts one run for one id within a day.
    pub id: String,
    pub name: String,
    pub data: Value,
    /// Milliseconds.
    pub ts: i64,
}

/// What a registration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Whether Inngest knew other functions before.
    pub modified: bool,
}

/// A client of one Inngest. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    pub config: Config,
}

impl Client {
    pub fn new(config: Config) -> Result<Self, Error> {
        let http = reqwest::Client::builder()
            .timeout(ANSWER_WITHIN)
            .connect_timeout(ANSWER_WITHIN)
            .redirect(Policy::none())
            .user_agent(SDK)
            .build()
            .map_err(unavailable)?;
        Ok(Self { http, config })
    }

    /// Sends one event, again if need be; the same seed makes Inngest take a repetition for the same event.
    pub async fn send(&self, event: &Event) -> Result<(), Error> {
        let sending = async {
            let seed = seed(Timestamp::now());
            let mut attempt = 1;
            loop {
                match self.send_once(event, &seed).await {
                    Err(error) if error.is_passing() && attempt < MOST_ATTEMPTS => {
                        tokio::time::sleep(pause(attempt)).await;
                        attempt += 1;
                    }
                    ended => return ended,
                }
            }
        };
        tokio::time::timeout(SENT_WITHIN, sending).await.unwrap_or(Err(Error::TimedOut))
    }

    async fn send_once(&self, event: &Event, seed: &str) -> Result<(), Error> {
        let key = match (&self.config.event_key, self.config.mode) {
            (Some(key), _) => key.expose_secret(),
            (None, Mode::Development) => NO_EVENT_KEY,
            (None, Mode::Cloud) => return Err(Error::NoEventKey),
        };
        let call = self.http.post(at(&self.config.event_origin, &["e", key])).header("x-inngest-event-id-seed", seed);
        let response = self.named(call).json(&[event]).send().await.map_err(unavailable)?;
        let (status, body) = (response.status(), read_body(response).await?);
        let answer: Sent = serde_json::from_slice(&body).unwrap_or_default();
        match (status, answer) {
            (StatusCode::OK, Sent { status: 200, error: None }) => Ok(()),
            (status, answer) => Err(refusal(status, answer.error)),
        }
    }

    /// Tells Inngest of our functions. `deploy_id` and `server_kind` are what the request for it said.
    pub async fn register(&self, deploy_id: Option<&str>, server_kind: Option<&str>) -> Result<Registered, Error> {
        let document = registration::document(&self.config, deploy_id);
        let mut url = at(&self.config.api_origin, &["fn", "register"]);
        if let Some(id) = deploy_id {
            url.query_pairs_mut().append_pair("deployId", id);
        }
        let prepare = || {
            let call = self.http.post(url.clone()).header(SYNC_KIND, OUT_OF_BAND).json(&document);
            match server_kind {
                Some(kind) => call.header("x-inngest-expected-server-kind", kind),
                None => call,
            }
        };
        let (status, body) = self.authorised(prepare).await?;
        let answer: RegisterAnswer = serde_json::from_slice(&body).map_err(|_| match status {
            StatusCode::OK => Error::Malformed,
            status => refusal(status, None),
        })?;
        if status.is_success() && answer.ok != Some(false) && answer.error.is_none() {
            return Ok(Registered { modified: answer.modified });
        }
        Err(refusal(status, answer.error))
    }

    /// The events of a run whose call did not carry them.
    pub async fn fetch_batch(&self, run_id: &str) -> Result<Vec<call::Event>, Error> {
        let url = at(&self.config.api_origin, &["v0", "runs", run_id, "batch"]);
        let (status, body) = self.authorised(|| self.http.get(url.clone())).await?;
        if status != StatusCode::OK {
            return Err(refusal(status, None));
        }
        let events = serde_json::from_slice(&body).map(call::Event::list_of).map_err(|_| Error::Malformed)?;
        if events.is_empty() { Err(Error::Malformed) } else { Ok(events) }
    }

    /// Whether Inngest can be reached and takes our key, asked by a run that does not exist.
    pub async fn check(&self) -> Result<(), Error> {
        let url = at(&self.config.api_origin, &["v0", "runs", NO_RUN, "batch"]);
        let (status, _) = self.authorised(|| self.http.get(url.clone())).await?;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(refusal(status, Some("the signing key".to_owned())))
            }
            status if status.is_server_error() => Err(refusal(status, None)),
            _ => Ok(()),
        }
    }

    /// A call to the API under each key in turn, until one is not refused.
    async fn authorised(&self, prepare: impl Fn() -> RequestBuilder) -> Result<(StatusCode, Vec<u8>), Error> {
        let mut bearers = self.config.keys().map(|key| format!("Bearer {}", key.bearer()));
        let mut bearer = bearers.next();
        loop {
            let call = self.named(prepare());
            let call = match &bearer {
                Some(bearer) => call.header(AUTHORIZATION, bearer),
                None => call,
            };
            let response = call.send().await.map_err(unavailable)?;
            let is_refused = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            let next = bearers.next();
            if !is_refused || next.is_none() {
                return Ok((response.status(), read_body(response).await?));
            }
            bearer = next;
        }
    }

    fn named(&self, call: RequestBuilder) -> RequestBuilder {
        let call = call.header("x-inngest-sdk", SDK).header("x-inngest-framework", FRAMEWORK);
        match &self.config.environment {
            Some(name) => call.header("x-inngest-env", name),
            None => call,
        }
    }
}

impl Error {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::UnavailableStatus(_) | Self::Unavailable(_) | Self::TimedOut)
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Default, Deserialize)]
struct Sent {
    #[serde(default)]
    status: u16,
    #[serde(default)]
    error: Option<String>,
}

#[derive(Deserialize)]
struct RegisterAnswer {
    ok: Option<bool>,
    #[serde(default)]
    modified: bool,
    error: Option<String>,
}

fn at(origin: &Url, path: &[&str]) -> Url {
    let mut url = origin.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(path);
    }
    url
}

fn refusal(status: StatusCode, message: Option<String>) -> Error {
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Error::UnavailableStatus(status.as_u16());
    }
    let message = message.unwrap_or_else(|| "no reason given".to_owned());
    Error::Refused { status: status.as_u16(), message: message.chars().take(LONGEST_MESSAGE).collect() }
}

fn unavailable(error: reqwest::Error) -> Error {
    Error::Unavailable(error.without_url())
}

async fn read_body(mut response: Response) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unavailable)? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(Error::Malformed);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// `<milliseconds>,<ten random bytes>`: ids of events are made of it.
fn seed(now: Timestamp) -> String {
    let random: [u8; 10] = rand::rng().random();
    format!("{},{}", now.as_millisecond(), STANDARD.encode(random))
}

/// 100 ms, 200 ms, 400 ms … and up to half as much again, so that many do not come back at once.
fn pause(attempt: u32) -> Duration {
    let base = FIRST_PAUSE_MS << attempt.saturating_sub(1).min(6);
    Duration::from_millis(base + rand::rng().random_range(0..=base / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_8_the_seed_is_milliseconds_and_ten_random_bytes() {
        let seed = seed(Timestamp::from_millisecond(1_760_000_000_123).expect("within range"));
        let (time, random) = seed.split_once(',').expect("two parts");
        assert_eq!((time, STANDARD.decode(random).map(|bytes| bytes.len()).ok()), ("1760000000123", Some(10)));
    }

    #[test]
    fn f_8_attempts_are_spaced_ever_wider() {
        for (attempt, shortest, longest) in [(1, 100, 150), (2, 200, 300), (4, 800, 1_200)] {
            let pause = pause(attempt).as_millis();
            assert!((shortest..=longest).contains(&pause), "{attempt}: {pause}");
        }
    }

    #[test]
    fn no_error_shows_the_event_key() {
        let origin = Url::parse("https://inn.gs").expect("an address");
        assert_eq!(at(&origin, &["e", "a/../b"]).as_str(), "https://inn.gs/e/a%2F..%2Fb");
        let event = Event { id: "1".to_owned(), name: "x".to_owned(), data: Value::from("personal"), ts: 0 };
        assert!(!format!("{event:?}").contains("personal"));
    }
}
