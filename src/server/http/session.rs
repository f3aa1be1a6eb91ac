//! Who asks: cookies and headers into a session, or a redirect to Clerk and back (clerk.md 2); for scripts, never one.
//!
//! A thin shell: it gathers facts, fetches what the pure decision asks for, and carries the decision out. It never
//! blocks anybody (A3-02); what a session may do is `access`' business.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, COOKIE, REFERER, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use url::Url;

use crate::server::access::{PENDING, Session};
use crate::server::clerk;
use crate::server::clerk::cookies::{Chosen, Cookies, clear_session_cookies};
use crate::server::clerk::handshake::decision::Decision;
use crate::server::clerk::handshake::reason::RefreshFailure;
use crate::server::clerk::handshake::refresh::RefreshRequest;
use crate::server::clerk::handshake::{self, Facts, Redemption, Refreshed, authenticate};
use crate::server::clerk::jwt::Decoded;
use crate::server::clerk::session::{Reason, VerifyOptions, verify_decoded, wants_new_keys};
use crate::server::cookie::{BARRED, ENDED};
use crate::server::error::Error;
use crate::server::http::addresses::Address;
use crate::server::http::repeat::keep_form;
use crate::server::http::{Shared, empty, own_cookies};
use crate::server::rpc::caller::Caller;
use crate::server::state::AppState;

const OUTLASTS_A_TOKEN_S: u32 = 120;
const AN_HOUR_S: u32 = 3_600;

/// New keys once, a nonce once and a refresh once: after that the decision stands as it is.
const MOST_ROUNDS: usize = 4;

/// Settles who asks and puts a `Caller` into the request.
pub async fn attach(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    respond(&shared.0, Asker::Browser, request, next).await
}

/// The same for routes that are worth no way to Clerk and back: whoever would be sent there is signed out, and the reason is
/// what Clerk calls it. That is every first visit of an instance in development, and whose session cannot be renewed on the
/// spot.
pub async fn attach_quietly(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    respond(&shared.0, Asker::Passer, request, next).await
}

async fn respond(state: &AppState, asker: Asker, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let decision = decide(state, &state.session, &head, asker).await;
    if decision.location().is_some() {
        let mut response = empty(StatusCode::TEMPORARY_REDIRECT);
        response.headers_mut().extend(decision.headers());
        return response;
    }
    let session = unless_ended(state, session_of(&decision), &head.headers);
    let body =
        if matches!(session, Session::SignedOut { .. }) { keep_form(state, &mut head, body).await } else { body };
    let caller = Arc::new(Caller::new(session));
    let carried = credentials(&head.headers);
    head.extensions.insert(Arc::clone(&caller));
    let mut response = next.run(Request::from_parts(head, body)).await;
    append(response.headers_mut(), decision.headers());
    if caller.is_barred()
        && let Some(token) = token_in_cookies(state, &carried)
    {
        for cookie in barring_cookies(state, &token) {
            response.headers_mut().extend(HeaderValue::from_str(&cookie).ok().map(|line| (SET_COOKIE, line)));
        }
    }
    response
}

/// How requests of the JSON API are judged: tokens made for the front ends are as good as our own pages'.
#[derive(Clone, Debug)]
pub struct ScriptSessions {
    state: Arc<AppState>,
    config: Arc<handshake::Config>,
}

impl ScriptSessions {
    pub fn of(state: &Arc<AppState>) -> Self {
        let mut config = state.session.clone();
        config.verify.authorized_parties.extend(state.settings.api.client_origins.iter().cloned());
        Self { state: Arc::clone(state), config: Arc::new(config) }
    }
}

/// The same for scripts, which no redirect helps: whoever is not signed in is told so by the handlers, and not why.
pub async fn identify(State(sessions): State<ScriptSessions>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let decision = decide(&sessions.state, &sessions.config, &head, Asker::Script).await;
    let session = unless_ended(&sessions.state, session_of(&decision), &head.headers);
    head.extensions.insert(Arc::new(Caller::new(session)));
    let mut response = next.run(Request::from_parts(head, body)).await;
    // What was used up of a handshake goes, wherever it was met.
    for cookie in decision.headers().get_all(SET_COOKIE) {
        response.headers_mut().append(SET_COOKIE, cookie.clone());
    }
    response
}

/// What a request can be answered with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// Follows a redirect and comes back.
    Browser,
    /// Could, and is not to be sent to Clerk. What it brings from there counts.
    Passer,
    /// Does not. Nothing that Clerk says by query is meant for it.
    Script,
}

async fn decide(state: &AppState, config: &handshake::Config, request: &Parts, asker: Asker) -> Decision {
    let headers = &request.headers;
    let cookie = cookie_line(headers);
    let is_script = asker == Asker::Script;
    let may_be_sent = asker == Asker::Browser;
    let mut public_url = public_url(&state.settings.server.public_url, &request.uri);
    if is_script {
        public_url.set_query(None);
    }
    let mut facts = Facts {
        method: &request.method,
        public_url: &public_url,
        authorization: text(headers, &AUTHORIZATION),
        cookie: cookie.as_deref(),
        sec_fetch_dest: if may_be_sent {
            text(headers, &HeaderName::from_static("sec-fetch-dest"))
        } else {
            Some("empty")
        },
        accept: text(headers, &ACCEPT).filter(|_| may_be_sent),
        referer: text(headers, &REFERER).filter(|_| !is_script),
        redeemed: Redemption::NotTried,
        refreshed: Refreshed::NotTried,
    };
    let now = Timestamp::now();
    let mut keys = state.keys.current(now).await;
    let mut decision = authenticate(&facts, config, &keys, now);
    for _ in 0..MOST_ROUNDS {
        match &decision {
            Decision::NeedKeys { .. } => keys = state.keys.refetched(now).await,
            Decision::RedeemNonce { nonce } => facts.redeemed = redeem(state, nonce, request.extensions.get()).await,
            Decision::Refresh(wanted) => facts.refreshed = refresh(state, wanted, headers).await,
            _ => break,
        }
        decision = authenticate(&facts, config, &keys, now);
    }
    decision
}

/// Anybody can make a nonce up, and each costs a call: an address with too many that Clerk does not know is not asked about any
/// more for a while.
async fn redeem(state: &AppState, nonce: &str, address: Option<&Address>) -> Redemption {
    let unknown = &state.limits.redemptions;
    if address.is_some_and(|Address(address)| unknown.held_for(address).is_some()) {
        return Redemption::Failed;
    }
    let Ok(_turn) = state.redemptions.try_acquire() else { return Redemption::Failed };
    match state.clerk.redeem_handshake_nonce(nonce).await {
        Ok(payload) => Redemption::Directives(payload.directives),
        Err(error) => {
            let is_unknown = matches!(error, clerk::Error::NotFound | clerk::Error::Rejected { .. });
            if let Some(Address(address)) = address.filter(|_| is_unknown)
                && let Err(Error::TooOften { retry_after }) = unknown.take(address)
            {
                unknown.hold(*address, retry_after);
            }
            Error::from(error).log("redeem_handshake_nonce");
            Redemption::Failed
        }
    }
}

async fn refresh(state: &AppState, wanted: &RefreshRequest, headers: &HeaderMap) -> Refreshed {
    let Ok(_turn) = state.refreshes.try_acquire() else { return Refreshed::Failed(RefreshFailure::UnexpectedBapi) };
    match state.clerk.refresh_session(wanted, &told_of(headers)).await {
        Ok(session) => Refreshed::Directives(session.cookies),
        Err(error) => {
            let failure = match &error {
                clerk::Error::Rejected { code, .. } => RefreshFailure::of_code(code),
                clerk::Error::NotFound => RefreshFailure::of_code("resource_not_found"),
                clerk::Error::Unavailable(_) => RefreshFailure::Fetch,
                _ => RefreshFailure::UnexpectedBapi,
            };
            // A session that has ended elsewhere is nothing to report: the redirect that follows will find out.
            if error.is_transient() {
                Error::from(error).log("refresh_session");
            }
            Refreshed::Failed(failure)
        }
    }
}

/// What Clerk is told of a request when it renews a session: how the browser introduces itself. What it needs of the cookies is
/// told by name, and the others are none of its business.
fn told_of(headers: &HeaderMap) -> Map<String, Value> {
    let told = headers.iter().filter(|(name, _)| **name != COOKIE && **name != AUTHORIZATION);
    told.filter_map(|(name, value)| Some((name.as_str().to_owned(), json!([value.to_str().ok()?])))).collect()
}

/// Nobody, if this session was ended here.
fn unless_ended(state: &AppState, session: Session, headers: &HeaderMap) -> Session {
    let name = ENDED.name(&state.settings.server.public_url);
    let was_ended = |session_id: &str| own_cookies(headers, &name).any(|ended| ended == session_id);
    match session {
        Session::SignedIn { claims } if was_ended(&claims.sid) => Session::SignedOut { reason: "session-ended".into() },
        session => session,
    }
}

/// The cookies that end a session in the browser that held it.
pub fn ending_cookies(state: &AppState, session_id: Option<&str>) -> Vec<String> {
    let settings = &state.settings;
    let mut cookies = clear_session_cookies(&settings.clerk.publishable_key, &settings.server.public_url);
    cookies.extend(session_id.map(|id| ENDED.line(&settings.server.public_url, id, OUTLASTS_A_TOKEN_S)));
    cookies.push(BARRED.line(&settings.server.public_url, "", 0));
    cookies
}

/// The cookies that end the session of somebody banned or deleted, as far as that is here. It is not marked as ended: at Clerk
/// it may go on, and clerk-js would lead back here without end.
fn barring_cookies(state: &AppState, token: &str) -> Vec<String> {
    let settings = &state.settings;
    let mut cookies = clear_session_cookies(&settings.clerk.publishable_key, &settings.server.public_url);
    cookies.push(BARRED.line(&settings.server.public_url, token, AN_HOUR_S));
    cookies
}

/// What a request says of who asks, read only of the few who are barred.
fn credentials(headers: &HeaderMap) -> HeaderMap {
    let mut carried = HeaderMap::new();
    for name in [COOKIE, AUTHORIZATION] {
        for line in headers.get_all(&name) {
            carried.append(name.clone(), line.clone());
        }
    }
    carried
}

/// The token that the browser's cookies hold; with one in a header they may be somebody else's (D4-23).
fn token_in_cookies(state: &AppState, headers: &HeaderMap) -> Option<String> {
    let cookie = cookie_line(headers).filter(|_| !headers.contains_key(AUTHORIZATION))?;
    let config = &state.session;
    let cookies = Cookies::parse(&cookie);
    Chosen::from_cookies(&cookies, &config.publishable_key, &config.verify.issuer, Timestamp::now()).session
}

/// The session whose token the browser holds. It may have run out, which ends no session: signature, issuer and the rest still
/// say whose it was. It opens nothing.
///
/// # Errors
/// Why Clerk's keys are not there, without which nobody knows whose it was.
pub async fn held_session(state: &AppState, headers: &HeaderMap) -> Result<Option<String>, Reason> {
    const HOWEVER_OLD: Duration = Duration::from_hours(24 * 400);
    let now = Timestamp::now();
    let barred = BARRED.name(&state.settings.server.public_url);
    let barred = || own_cookies(headers, &barred).next().map(str::to_owned);
    let Some(token) = token_in_cookies(state, headers).or_else(barred) else { return Ok(None) };
    let Some(token) = Decoded::read(&token) else { return Ok(None) };
    let options = VerifyOptions { clock_skew: HOWEVER_OLD, ..state.session.verify.clone() };
    let mut keys = state.keys.current(now).await;
    if wants_new_keys(&token, &keys, Some(options.issuer.as_str())) {
        keys = state.keys.refetched(now).await;
    }
    match verify_decoded(&token, &keys, &options, now) {
        Ok(claims) => Ok(Some(claims.sid)),
        Err(reason @ (Reason::JwkRemoteFailedToLoad | Reason::SecretKeyInvalid)) => Err(reason),
        // It may be a new key of Clerk's, which does not say so.
        Err(reason @ Reason::JwkKidMismatch) if state.keys.are_failing() => Err(reason),
        Err(_) => Ok(None),
    }
}

fn session_of(decision: &Decision) -> Session {
    match decision {
        Decision::SignedIn { claims, .. } => Session::SignedIn { claims: Arc::clone(claims) },
        // Something is left to do at Clerk first; until then nobody is signed in (D4-16).
        Decision::Pending { .. } => Session::SignedOut { reason: PENDING.into() },
        Decision::SignedOut { reason, .. } | Decision::Handshake { reason, .. } => {
            Session::SignedOut { reason: reason.text() }
        }
        Decision::RedeemNonce { .. } | Decision::Refresh(_) | Decision::NeedKeys { .. } => {
            Session::SignedOut { reason: "undecided".into() }
        }
    }
}

/// The request's address as the browser sees it: our configured origin, never the `Host` header (D5-27).
fn public_url(origin: &Url, uri: &Uri) -> Url {
    let mut url = origin.clone();
    url.set_path(uri.path());
    url.set_query(uri.query());
    url
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// All cookies in one line, however many headers they came in.
fn cookie_line(headers: &HeaderMap) -> Option<String> {
    let lines: Vec<&str> = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn append(headers: &mut HeaderMap, further: HeaderMap) {
    let mut name = None;
    for (next_name, value) in further {
        // A header map yields the name once, then further values without it.
        name = next_name.or(name);
        if let Some(name) = &name {
            headers.append(name.clone(), value);
        }
    }
}
