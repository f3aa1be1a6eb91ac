//! The keys that tokens are signed with: fixed ones, or fetched and cached (`clerk.md` 1.6, 8.3).
//!
//! [`Keys`] owns the cache and the waiting, [`KeySet`] is what pure code reads. How keys are fetched is a parameter, and so
//! is the time. Policy: kept for an hour; one fetch at a time; an unknown key id causes a fetch at most every 30 s however
//! many tokens name one (D4-04); while Clerk is silent, old keys serve for a day, then nothing does (D2-17: closed, not open).

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::server::clerk::Error;
use crate::server::clerk::jwt::RsaKey;
use crate::server::clerk::session::Reason;

const FRESH_SECONDS: i64 = 3600;
const STALE_SECONDS: i64 = 24 * 3600;
const REFETCH_SECONDS: i64 = 30;
/// After a failure, so that an outage at Clerk costs one call now and then and not one a request.
const RETRY_SECONDS: i64 = 10;
const MOST_KEYS: usize = 32;
const LONGEST_KID: usize = 256;

/// What is wrong with a PEM text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    #[error("no key was given")]
    None,
    #[error("a private key was given where only the public key belongs")]
    Private,
    #[error("this is not the public RSA key of an instance in PEM form")]
    Unreadable,
}

/// What was found for a key id.
#[derive(Debug)]
pub enum Lookup<'a> {
    /// The keys to try: one for a key id, all of them where ids do not matter.
    Found(&'a [RsaKey]),
    /// No such key; `refetch` says whether fetching again is allowed now.
    Unknown { refetch: bool },
    /// No keys at all, and why.
    Unavailable { reason: Reason, refetch: bool },
}

/// Keys as they were at one moment. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Arc<Contents>,
    refetch: bool,
    failure: Reason,
}

#[derive(Debug)]
enum Contents {
    /// From configuration: the key id of a token is not looked at.
    Fixed(Vec<RsaKey>),
    /// Fetched: ids and keys, at the same places.
    ByKid(Vec<(String, [RsaKey; 1])>),
}

impl KeySet {
    /// The instance's public keys from configuration. Accepts what people paste: with or without the armour, with real line
    /// ends or with `\n` written out.
    pub fn from_pems<S: AsRef<str>>(pems: &[S]) -> Result<Self, PemError> {
        if pems.is_empty() {
            return Err(PemError::None);
        }
        let keys = pems.iter().map(|pem| parse_pem(pem.as_ref())).collect::<Result<_, _>>()?;
        Ok(Self { keys: Arc::new(Contents::Fixed(keys)), refetch: false, failure: Reason::JwkLocalMissing })
    }

    /// Reads a JWKS document. Keys that cannot sign a session (other kinds, encryption keys, without an id) are left out;
    /// a document with no usable key is an error, so that it cannot displace good ones.
    pub fn from_json(document: &[u8]) -> Result<Self, Error> {
        let document: Document = serde_json::from_slice(document).map_err(|error| Error::Malformed(error.into()))?;
        let keys: Vec<_> = document.keys.iter().take(MOST_KEYS).filter_map(usable_key).collect();
        if keys.is_empty() {
            return Err(Error::Malformed("the key set contains no key for RS256 signatures".into()));
        }
        Ok(Self::of(Contents::ByKid(keys)))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        match &*self.keys {
            Contents::ByKid(keys) => keys.len(),
            Contents::Fixed(keys) => keys.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn find(&self, kid: Option<&str>) -> Lookup<'_> {
        let refetch = self.refetch && kid.is_some_and(|kid| !kid.is_empty() && kid.len() <= LONGEST_KID);
        match &*self.keys {
            Contents::Fixed(keys) => Lookup::Found(keys),
            Contents::ByKid(keys) if keys.is_empty() => Lookup::Unavailable { reason: self.failure, refetch },
            Contents::ByKid(keys) => match keys.iter().find(|(known, _)| Some(known.as_str()) == kid) {
                Some((_, key)) => Lookup::Found(key),
                None => Lookup::Unknown { refetch },
            },
        }
    }

    fn of(contents: Contents) -> Self {
        Self { keys: Arc::new(contents), refetch: false, failure: Reason::JwkRemoteFailedToLoad }
    }
}

/// The public keys of a JWKS document by their moduli, to tell instances apart. Verifies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    moduli: Vec<Vec<u8>>,
}

impl PublicKeys {
    pub fn from_json(document: &[u8]) -> Result<Self, Error> {
        let document: Document = serde_json::from_slice(document).map_err(|error| Error::Malformed(error.into()))?;
        let modulus = |key: &Value| URL_SAFE_NO_PAD.decode(key.get("n")?.as_str()?).ok();
        let moduli: Vec<_> = document.keys.iter().take(MOST_KEYS).filter_map(modulus).collect();
        if moduli.is_empty() {
            return Err(Error::Malformed("the key set contains no RSA key".into()));
        }
        Ok(Self { moduli })
    }

    /// How many keys there are.
    #[expect(clippy::len_without_is_empty, reason = "there is one at least")]
    pub fn len(&self) -> usize {
        self.moduli.len()
    }

    pub fn shares_any_with(&self, other: &Self) -> bool {
        self.moduli.iter().any(|modulus| other.moduli.contains(modulus))
    }

    /// Whether this PEM text is one of them: its DER holds the modulus as it is.
    pub fn hold(&self, pem: &str) -> bool {
        let base64: String =
            pem.lines().filter(|line| !line.contains("-----")).flat_map(str::split_whitespace).collect();
        let Ok(der) = STANDARD.decode(base64) else { return false };
        self.moduli.iter().any(|modulus| der.windows(modulus.len().max(1)).any(|part| part == modulus))
    }
}

/// Something that asks Clerk for its keys.
type Fetch = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<KeySet, Error>> + Send>> + Send + Sync>;

/// The keys of one instance.
#[derive(Clone)]
pub struct Keys {
    inner: Arc<Inner>,
}

struct Inner {
    fetch: Option<Fetch>,
    fetching: Mutex<()>,
    state: RwLock<State>,
}

#[derive(Clone)]
struct State {
    keys: Arc<Contents>,
    /// When the keys came.
    fetched_at: Option<Timestamp>,
    /// When somebody last asked, with or without success.
    asked_at: Option<Timestamp>,
    /// Why the last attempt failed.
    failure: Option<Reason>,
}

#[derive(Clone, Copy, PartialEq)]
enum Occasion {
    /// The keys are missing or older than their time.
    Expiry,
    /// A token names a key that is not among them.
    UnknownKid,
}

impl Keys {
    /// Keys that never change and need no network.
    pub fn fixed(keys: KeySet) -> Self {
        let state = State { keys: keys.keys, fetched_at: None, asked_at: None, failure: None };
        Self { inner: Arc::new(Inner { fetch: None, fetching: Mutex::new(()), state: RwLock::new(state) }) }
    }

    /// Keys that are fetched when they are needed.
    pub fn remote<F, Fut>(fetch: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<KeySet, Error>> + Send + 'static,
    {
        let fetch: Fetch = Box::new(move || Box::pin(fetch()));
        let state =
            State { keys: Arc::new(Contents::ByKid(Vec::new())), fetched_at: None, asked_at: None, failure: None };
        Self { inner: Arc::new(Inner { fetch: Some(fetch), fetching: Mutex::new(()), state: RwLock::new(state) }) }
    }

    /// The keys for a request: fetched first if there are none, refreshed if they are old. Nobody waits for a refresh who
    /// can be served with what is there.
    pub async fn current(&self, now: Timestamp) -> KeySet {
        if self.inner.is_due(Occasion::Expiry, now) {
            let usable = !self.inner.snapshot(now).is_empty();
            let refresh = self.spawn_refresh(Occasion::Expiry, now);
            if !usable {
                refresh.await;
            }
        }
        self.inner.snapshot(now)
    }

    /// The keys after a token named an unknown one: fetched again if the last time is long enough ago. The answer never
    /// asks for another fetch, so that deciding again comes to an end.
    pub async fn refetched(&self, now: Timestamp) -> KeySet {
        if self.inner.is_due(Occasion::UnknownKid, now) {
            self.spawn_refresh(Occasion::UnknownKid, now).await;
        }
        KeySet { refetch: false, ..self.inner.snapshot(now) }
    }

    /// Whether Clerk did not give them when it was last asked: a key that is unknown may be one of its all the same.
    pub fn are_failing(&self) -> bool {
        self.inner.state().failure.is_some()
    }

    /// A task of its own, because a visitor who goes away must not interrupt what others wait for.
    fn spawn_refresh(&self, occasion: Occasion, now: Timestamp) -> impl Future<Output = ()> + use<> {
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move { inner.refresh(occasion, now).await });
        async move {
            // A fetch that panicked leaves the keys as they were, which is all the waiting side needs to know.
            let _ = task.await;
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.inner.state();
        f.debug_struct("Keys")
            .field("remote", &self.inner.fetch.is_some())
            .field("fetched_at", &state.fetched_at)
            .finish()
    }
}

impl Inner {
    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_due(&self, occasion: Occasion, now: Timestamp) -> bool {
        let state = self.state();
        if self.fetch.is_none() {
            return false;
        }
        let pause = if state.failure.is_some() { RETRY_SECONDS } else { REFETCH_SECONDS };
        match occasion {
            Occasion::UnknownKid => has_passed(state.asked_at, REFETCH_SECONDS, now),
            Occasion::Expiry => {
                has_passed(state.fetched_at, FRESH_SECONDS, now) && has_passed(state.asked_at, pause, now)
            }
        }
    }

    fn snapshot(&self, now: Timestamp) -> KeySet {
        let state = self.state();
        if self.fetch.is_none() {
            return KeySet { keys: state.keys, refetch: false, failure: Reason::JwkLocalMissing };
        }
        let refetch = self.is_due(Occasion::UnknownKid, now);
        let failure = state.failure.unwrap_or(Reason::JwkRemoteFailedToLoad);
        let expired = has_passed(state.fetched_at, STALE_SECONDS, now);
        let keys = if expired { Arc::new(Contents::ByKid(Vec::new())) } else { state.keys };
        KeySet { keys, refetch, failure }
    }

    /// Whoever waited for the lock finds the work done, because the question is asked again inside.
    async fn refresh(&self, occasion: Occasion, now: Timestamp) {
        let _alone = self.fetching.lock().await;
        let Some(fetch) = self.fetch.as_ref().filter(|_| self.is_due(occasion, now)) else { return };
        let fetched = fetch().await;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.asked_at = Some(now);
        match fetched {
            Ok(set) => {
                state.keys = set.keys;
                state.fetched_at = Some(now);
                state.failure = None;
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the signing keys could not be fetched");
                state.failure = Some(match error {
                    Error::Unauthorized => Reason::SecretKeyInvalid,
                    _ => Reason::JwkRemoteFailedToLoad,
                });
            }
        }
    }
}

/// Whether a period is over. Requests take the time before they come here, so a little backwards is normal; far backwards
/// means that the clock was set, and then waiting for it to catch up would be wrong (D2-19).
fn has_passed(since: Option<Timestamp>, seconds: i64, now: Timestamp) -> bool {
    const CLOCK_WAS_SET: i64 = -300;
    let Some(since) = since else { return true };
    let elapsed = now.as_second().saturating_sub(since.as_second());
    elapsed >= seconds || elapsed < CLOCK_WAS_SET
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

fn usable_key(key: &Value) -> Option<(String, [RsaKey; 1])> {
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let for_signatures = text("kty") == Some("RSA")
        && text("use").is_none_or(|purpose| purpose == "sig")
        && text("alg").is_none_or(|algorithm| algorithm == "RS256");
    let kid = text("kid").filter(|kid| for_signatures && !kid.is_empty() && kid.len() <= LONGEST_KID)?;
    let key = RsaKey::of_components(text("n")?, text("e")?)?;
    Some((kid.to_owned(), [key]))
}

fn parse_pem(text: &str) -> Result<RsaKey, PemError> {
    if text.contains("PRIVATE") {
        return Err(PemError::Private);
    }
    let text = text.replace("\\n", "\n");
    let has_armour = ["-----BEGIN ", "-----END "].map(|line| text.contains(line));
    if text.contains("-----") && has_armour != [true, true] {
        return Err(PemError::Unreadable);
    }
    let base64: String = text.lines().filter(|line| !line.contains("-----")).flat_map(str::split_whitespace).collect();
    let der = STANDARD.decode(&base64).map_err(|_| PemError::Unreadable)?;
    RsaKey::of_der(&der).ok_or(PemError::Unreadable)
}

#[cfg(test)]
mod tests;
