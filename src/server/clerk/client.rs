//! The Backend API (`clerk.md` 4): a base URL, one `request` function, and the calls we make.
//!
//! It calls once and says what happened; repeating is for its users, who know what the call is worth. All its clones go
//! through one gate (`guard`): never more calls than Clerk takes, a pause when it asks for one, and none while it only fails.
//! Invariants: the key goes to the configured address only (redirects are not followed), every call has a time limit that
//! holds its wait at the gate too, every answer a size limit, and no error carries an address.

mod answer;
pub mod breaker;
mod budget;
pub mod guard;
pub mod limiter;
pub mod moderation;
pub mod own;
mod pacing;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::{HeaderValue, Method};
use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use url::Url;

use crate::server::clerk::Error;
use crate::server::clerk::client::answer::{body_of, read_body, refusal, server_time, unavailable};
use crate::server::clerk::client::guard::{Guard, Seen};
use crate::server::clerk::client::limiter::Priority;
use crate::server::clerk::client::pacing::Pacing;
use crate::server::clerk::handshake::redirect::API_VERSION;
use crate::server::clerk::handshake::refresh::RefreshRequest;
use crate::server::clerk::jwks::{KeySet, PublicKeys};
use crate::server::clerk::key::SecretKey;
use crate::server::clerk::lenient::is_id;
use crate::server::clerk::wire::{
    DeletedObject, HandshakePayload, Instance, RefreshedSession, Session, Token, TotalCount, User,
};

/// The most that one page may hold. Clerk answers a larger wish with a page of ten, silently (D2-35).
pub const LARGEST_PAGE: u16 = 500;

/// As many values a filter may have.
pub const MOST_IDS: usize = 100;

const LONGEST_CONNECT: Duration = Duration::from_secs(5);

/// Where and as whom to call.
#[derive(Clone, Debug)]
pub struct Config {
    /// With the version in the path: `https://api.clerk.com/v1`.
    pub api_url: Url,
    pub secret_key: SecretKey,
    /// For a whole call, from the wait for its turn to the last byte.
    pub timeout: Duration,
    /// The most calls in any ten seconds.
    pub calls_in_ten_seconds: u32,
    /// Told of every call but those for keys.
    pub observe: fn(Seen),
    pub user_agent: String,
}

/// What to merge into a person's metadata. A `null` at any depth removes that key at Clerk.
#[derive(Clone, Default, PartialEq)]
pub struct MetadataChange {
    pub public: Map<String, Value>,
    pub private: Map<String, Value>,
}

/// What to change of a person's profile; what is absent stays as it is. An empty text removes.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProfileChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// A person to add, with one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewUser {
    pub email_address: [String; 1],
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub skip_password_requirement: bool,
}

/// A client of one instance. Cheap to clone; all clones share one limit and one circuit.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    api_url: Url,
    authorization: HeaderValue,
    timeout: Duration,
    guard: Guard,
    priority: Priority,
    pacing: Arc<Mutex<Pacing>>,
}

impl Client {
    pub fn new(config: Config) -> Result<Self, Error> {
        if config.api_url.cannot_be_a_base() {
            return Err(Error::Malformed("the address of the Backend API cannot carry a path".into()));
        }
        let malformed = |error: http::header::InvalidHeaderValue| Error::Malformed(error.into());
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {}", config.secret_key.expose())).map_err(malformed)?;
        authorization.set_sensitive(true);
        let http = reqwest::Client::builder()
            .timeout(config.timeout)
            .connect_timeout(config.timeout.min(LONGEST_CONNECT))
            .redirect(Policy::none())
            .user_agent(HeaderValue::try_from(config.user_agent).map_err(malformed)?)
            .build()
            .map_err(Error::Unavailable)?;
        Ok(Self {
            http,
            api_url: config.api_url,
            authorization,
            timeout: config.timeout,
            // What is left after the longest wait must do for the call.
            guard: Guard::new(config.calls_in_ten_seconds, config.timeout / 2, config.observe),
            priority: Priority::Interactive,
            pacing: Arc::default(),
        })
    }

    /// The same client for work that nobody waits for: it leaves room for what a person waits for.
    #[must_use]
    pub fn in_background(&self) -> Self {
        Self { priority: Priority::Background, ..self.clone() }
    }

    pub async fn fetch_user(&self, id: &str) -> Result<User, Error> {
        self.request(Method::GET, &["users", checked(id)?], |call| call).await
    }

    /// One page, oldest first, of at most [`LARGEST_PAGE`]. The cursor is the id of the last person of the page before, so
    /// that nobody is skipped when somebody else is deleted meanwhile (D2-34). A page shorter than asked for is the last.
    pub async fn list_users(&self, limit: u16, starting_after: Option<&str>) -> Result<Vec<User>, Error> {
        let limit = page_size(limit).to_string();
        let mut query = vec![("limit", limit.as_str()), ("order_by", "+created_at")];
        if let Some(id) = starting_after {
            query.push(("starting_after", checked(id)?));
        }
        self.in_background().request(Method::GET, &["users"], |call| call.query(&query)).await
    }

    /// A page of those who joined at or after a moment, oldest first: for when nobody is left to be a cursor.
    pub async fn list_users_since(&self, limit: u16, joined_at: i64) -> Result<Vec<User>, Error> {
        let (limit, after) = (page_size(limit).to_string(), joined_at.saturating_sub(1).to_string());
        let query = [("limit", limit.as_str()), ("order_by", "+created_at"), ("created_at_after", after.as_str())];
        self.in_background().request(Method::GET, &["users"], |call| call.query(&query)).await
    }

    /// A page of those who changed last, the last first.
    pub async fn list_changed_users(&self, limit: u16, offset: u64) -> Result<Vec<User>, Error> {
        let (limit, offset) = (page_size(limit).to_string(), offset.to_string());
        let query = [("limit", limit.as_str()), ("order_by", "-updated_at"), ("offset", offset.as_str())];
        self.in_background().request(Method::GET, &["users"], |call| call.query(&query)).await
    }

    /// Those of these who are there, in no order. At most [`MOST_IDS`] can be asked for.
    pub async fn list_users_by_id(&self, ids: &[&str]) -> Result<Vec<User>, Error> {
        let ids = ids.iter().take(MOST_IDS).filter(|id| is_id(id)).map(|id| ("user_id", *id));
        let mut query: Vec<(&str, &str)> = ids.collect();
        if query.is_empty() {
            // Without a filter it would be a page of everybody.
            return Ok(Vec::new());
        }
        let limit = LARGEST_PAGE.to_string();
        query.push(("limit", limit.as_str()));
        self.in_background().request(Method::GET, &["users"], |call| call.query(&query)).await
    }

    pub async fn count_users(&self) -> Result<u64, Error> {
        let count: TotalCount = self.request(Method::GET, &["users", "count"], |call| call).await?;
        Ok(count.total_count)
    }

    /// How many are there who joined before a moment.
    pub async fn count_users_before(&self, at: Timestamp) -> Result<u64, Error> {
        let at = at.as_millisecond().to_string();
        let query = [("created_at_before", at.as_str())];
        let count: TotalCount =
            self.in_background().request(Method::GET, &["users", "count"], |call| call.query(&query)).await?;
        Ok(count.total_count)
    }

    /// Answers with the person as they are then; no more than ten times in ten seconds for each.
    pub async fn update_user(&self, id: &str, change: &ProfileChange) -> Result<User, Error> {
        let paced = self.pacing.lock().unwrap_or_else(PoisonError::into_inner).take(checked(id)?, Instant::now());
        paced.map_err(|wait| Error::RateLimited { retry_after: Some(wait) })?;
        self.request(Method::PATCH, &["users", checked(id)?], |call| call.json(change)).await
    }

    /// A person who need not have a password.
    pub async fn create_user(&self, user: &NewUser) -> Result<User, Error> {
        self.request(Method::POST, &["users"], |call| call.json(user)).await
    }

    /// For ever.
    pub async fn delete_user(&self, id: &str) -> Result<(), Error> {
        let deleted: Result<DeletedObject, Error> =
            self.request(Method::DELETE, &["users", checked(id)?], |call| call).await;
        deleted.map(|_| ())
    }

    /// Deep merge; answers with the person as they are then. Clerk takes ten in ten seconds for each person: whoever asks often
    /// paces them.
    pub async fn merge_user_metadata(&self, id: &str, change: &MetadataChange) -> Result<User, Error> {
        let mut body = Map::new();
        for (name, part) in [("public_metadata", &change.public), ("private_metadata", &change.private)] {
            if !part.is_empty() {
                body.insert(name.to_owned(), Value::Object(part.clone()));
            }
        }
        self.in_background().request(Method::PATCH, &["users", checked(id)?, "metadata"], |call| call.json(&body)).await
    }

    /// A person's active sessions, newest first.
    pub async fn list_sessions(&self, user_id: &str) -> Result<Vec<Session>, Error> {
        let limit = LARGEST_PAGE.to_string();
        let query = [("user_id", checked(user_id)?), ("status", "active"), ("limit", limit.as_str())];
        self.request(Method::GET, &["sessions"], |call| call.query(&query)).await
    }

    pub async fn revoke_session(&self, id: &str) -> Result<Session, Error> {
        self.request(Method::POST, &["sessions", checked(id)?, "revoke"], |call| call.json(&json!({}))).await
    }

    /// A token of a session that exists, as its browser would be given one.
    pub async fn create_session_token(&self, id: &str) -> Result<String, Error> {
        let token: Token =
            self.request(Method::POST, &["sessions", checked(id)?, "tokens"], |call| call.json(&json!({}))).await?;
        Ok(token.jwt)
    }

    pub async fn fetch_instance(&self) -> Result<Instance, Error> {
        self.request(Method::GET, &["instance"], |call| call).await
    }

    /// The keys that tokens are signed with. Free of Clerk's rate limit, and so of ours; asked for seldom (`jwks`), and also
    /// while the circuit is open: without them nobody is let in.
    pub async fn fetch_jwks(&self) -> Result<KeySet, Error> {
        let answered = body_of(self.send(Method::GET, &["jwks"], |call| call).await?).await;
        self.guard.learn_of_key(&answered);
        KeySet::from_json(&answered?)
    }

    /// The same, to be compared.
    pub async fn fetch_public_keys(&self) -> Result<PublicKeys, Error> {
        let response = self.send(Method::GET, &["jwks"], |call| call).await?;
        PublicKeys::from_json(&body_of(response).await?)
    }

    /// Those that a Frontend API publishes, asked without the key.
    pub async fn fetch_public_keys_of(&self, frontend_api: &Url) -> Result<PublicKeys, Error> {
        let mut url = frontend_api.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend([".well-known", "jwks.json"]);
        }
        let response = self.http.get(url).send().await.map_err(unavailable)?;
        let status = response.status();
        let body = read_body(response).await?;
        if status.is_success() { PublicKeys::from_json(&body) } else { Err(refusal(status, &body)) }
    }

    /// Clerk's clock, to a second. Any answer will do: a clock can be compared with a wrong key too.
    pub async fn fetch_server_time(&self) -> Result<Timestamp, Error> {
        let response = self.send(Method::GET, &["jwks"], |call| call).await?;
        server_time(response.headers()).ok_or_else(|| Error::Malformed("the answer has no date".into()))
    }

    /// The cookies that a handshake nonce stands for.
    pub async fn redeem_handshake_nonce(&self, nonce: &str) -> Result<HandshakePayload, Error> {
        self.request(Method::GET, &["clients", "handshake_payload"], |call| call.query(&[("nonce", nonce)])).await
    }

    /// Renews a session by its refresh cookie. A 401 is not about our key here but about the session, and has a code.
    pub async fn refresh_session(
        &self,
        asked: &RefreshRequest,
        headers: &Map<String, Value>,
    ) -> Result<RefreshedSession, Error> {
        let body = json!({
            "format": "cookie",
            "expired_token": asked.expired_token,
            "refresh_token": asked.refresh_token,
            "request_origin": asked.origin,
            "request_headers": headers,
        });
        let query: &[(&str, &str)] = if asked.suffixed { &[("suffixed_cookies", "true")] } else { &[] };
        let path = ["sessions", checked(&asked.session_id)?, "refresh"];
        let response = self.send(Method::POST, &path, |call| call.query(query).json(&body)).await?;
        let status = response.status();
        let body = read_body(response).await?;
        if !status.is_success() {
            return Err(refusal(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| Error::Malformed(error.into()))
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        prepare: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<T, Error> {
        let until = Instant::now() + self.timeout;
        let ticket = self.guard.enter(self.priority).await?;
        let left = until.saturating_duration_since(Instant::now());
        let answered = async {
            let body = body_of(self.send(method, path, |call| prepare(call).timeout(left)).await?).await?;
            serde_json::from_slice(&body).map_err(|error| Error::Malformed(error.into()))
        };
        let answered = answered.await;
        ticket.report(&answered);
        answered
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        prepare: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, Error> {
        let mut url = self.api_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let call = self
            .http
            .request(method, url)
            .header(AUTHORIZATION, self.authorization.clone())
            .header("clerk-api-version", API_VERSION);
        prepare(call).send().await.map_err(unavailable)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("api_url", &self.api_url.as_str()).finish_non_exhaustive()
    }
}

/// Names only: what they are set to is personal.
impl fmt::Debug for ProfileChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProfileChange")
            .field("first_name", &self.first_name.is_some())
            .field("last_name", &self.last_name.is_some())
            .field("username", &self.username.is_some())
            .finish()
    }
}

impl fmt::Debug for MetadataChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |part: &Map<String, Value>| part.keys().cloned().collect::<Vec<_>>();
        f.debug_struct("MetadataChange")
            .field("public", &names(&self.public))
            .field("private", &names(&self.private))
            .finish()
    }
}

/// An id that could not be Clerk's is not found, without asking: in a path, some texts would turn a call into another one.
fn checked(id: &str) -> Result<&str, Error> {
    if is_id(id) { Ok(id) } else { Err(Error::NotFound) }
}

fn page_size(limit: u16) -> u16 {
    limit.clamp(1, LARGEST_PAGE)
}

#[cfg(test)]
mod faltering_tests;
#[cfg(test)]
mod tests;
