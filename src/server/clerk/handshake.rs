//! Request facts → signed in, signed out, or a redirect to Clerk (`clerk.md` 2).
//!
//! [`authenticate`] is pure: the shell around it gathers [`Facts`], fetches what a decision asks for ([`Decision::NeedKeys`],
//! [`Decision::RedeemNonce`]) and asks again. Rows named in comments are those of `clerk.md` 2.1. It does not know pages,
//! people or roles. Satellites, organization sync and the server-side refresh are not part of it: there is one domain, and an
//! expired token is renewed by the redirect or by clerk-js.
//!
//! Deviations from Clerk's own library, each tested: the loop guard holds at three *or more* and its cookie covers the whole
//! site; a handshake cookie is removed when used, and a handshake older than the browser's last change is not used; only
//! known cookies are taken from a handshake, and the session inside must be of a session's class; a handshake that cannot be
//! verified is never an error page; its token leaves the address bar in production too; no redirect just because a visitor
//! came from another site; no CORS headers on the answer.

mod consume;
pub mod redirect;

use http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use jiff::Timestamp;
use url::Url;

use crate::server::clerk::cookies::{self, Chosen, Cookies};
use crate::server::clerk::handshake::consume::Consumption;
use crate::server::clerk::handshake::redirect::ProxyUrl;
use crate::server::clerk::jwks::KeySet;
use crate::server::clerk::jwt::Decoded;
use crate::server::clerk::key::PublishableKey;
use crate::server::clerk::session::{self, Claims, VerifyOptions, verify_decoded, wants_new_keys};

/// All that a decision may depend on in a request.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub method: &'a Method,
    /// The URL as the visitor's browser sees it, whatever proxies did to it.
    pub public_url: &'a Url,
    pub authorization: Option<&'a str>,
    /// The `Cookie` header; several lines joined with `; `.
    pub cookie: Option<&'a str>,
    pub sec_fetch_dest: Option<&'a str>,
    pub accept: Option<&'a str>,
    /// What became of [`Decision::RedeemNonce`].
    pub redeemed: Redemption,
}

/// The answer to a nonce.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Redemption {
    #[default]
    NotTried,
    /// The cookies it stands for.
    Directives(Vec<String>),
    /// Clerk did not know it, or did not answer.
    Failed,
}

#[derive(Clone, Debug)]
pub struct Config {
    pub publishable_key: PublishableKey,
    /// Where browsers reach the Frontend API instead of at its own host.
    pub proxy_url: Option<ProxyUrl>,
    pub verify: VerifyOptions,
}

/// Why somebody is not signed in, in Clerk's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    SessionTokenAndUatMissing,
    SessionTokenMissing,
    SessionTokenButNoClientUat,
    ClientUatButNoSessionToken,
    SessionTokenIatBeforeClientUat,
    SessionTokenExpiredNoRefreshCookie,
    SessionTokenExpiredNonGet,
    SessionTokenExpiredMissingApiClient,
    SessionTokenNbf,
    SessionTokenIatInTheFuture,
    DevBrowserMissing,
    DevBrowserSync,
    Token(session::Reason),
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionTokenAndUatMissing => "session-token-and-uat-missing",
            Self::SessionTokenMissing => "session-token-missing",
            Self::SessionTokenButNoClientUat => "session-token-but-no-client-uat",
            Self::ClientUatButNoSessionToken => "client-uat-but-no-session-token",
            Self::SessionTokenIatBeforeClientUat => "session-token-iat-before-client-uat",
            Self::SessionTokenExpiredNoRefreshCookie => "session-token-expired-refresh-non-eligible-no-refresh-cookie",
            Self::SessionTokenExpiredNonGet => "session-token-expired-refresh-non-eligible-non-get",
            Self::SessionTokenExpiredMissingApiClient => "session-token-expired-refresh-missing-api-client",
            Self::SessionTokenNbf => "session-token-nbf",
            Self::SessionTokenIatInTheFuture => "session-token-iat-in-the-future",
            Self::DevBrowserMissing => "dev-browser-missing",
            Self::DevBrowserSync => "dev-browser-sync",
            Self::Token(reason) => reason.as_str(),
        }
    }
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    SignedIn {
        claims: Box<Claims>,
        set_cookies: Vec<String>,
        redirect: Option<Url>,
    },
    /// Signed in, with something left to do first. To be treated as signed out everywhere but where that is done; a
    /// variant of its own so that nobody overlooks it (D4-16).
    Pending {
        claims: Box<Claims>,
        set_cookies: Vec<String>,
        redirect: Option<Url>,
    },
    SignedOut {
        reason: Reason,
        set_cookies: Vec<String>,
        redirect: Option<Url>,
    },
    /// Send the browser to Clerk and back, which costs a signed-in visitor nothing but time.
    Handshake {
        reason: Reason,
        location: Url,
        set_cookies: Vec<String>,
    },
    /// Ask Clerk what the nonce stands for, then decide again with [`Facts::redeemed`].
    RedeemNonce {
        nonce: String,
    },
    /// Fetch the keys again, then decide again with the new ones.
    NeedKeys {
        kid: String,
    },
}

impl Decision {
    /// Where to send the browser (status 307), if anywhere.
    pub fn location(&self) -> Option<&Url> {
        match self {
            Self::SignedIn { redirect, .. } | Self::Pending { redirect, .. } | Self::SignedOut { redirect, .. } => {
                redirect.as_ref()
            }
            Self::Handshake { location, .. } => Some(location),
            Self::RedeemNonce { .. } | Self::NeedKeys { .. } => None,
        }
    }

    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::SignedOut { reason, .. } | Self::Handshake { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    fn set_cookies(&self) -> &[String] {
        match self {
            Self::SignedIn { set_cookies, .. }
            | Self::Pending { set_cookies, .. }
            | Self::SignedOut { set_cookies, .. }
            | Self::Handshake { set_cookies, .. } => set_cookies,
            Self::RedeemNonce { .. } | Self::NeedKeys { .. } => &[],
        }
    }

    /// Everything the answer must carry. Redirects and answers that set cookies are not to be stored: a browser that
    /// replays a stored redirect never gets out of it.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut add = |name: HeaderName, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.append(name, value);
            }
        };
        if let Some(location) = self.location() {
            add(LOCATION, location.as_str());
        }
        if self.location().is_some() || !self.set_cookies().is_empty() {
            add(CACHE_CONTROL, "no-store");
        }
        for text in self.set_cookies() {
            add(SET_COOKIE, text);
        }
        if let Some(reason) = self.reason() {
            let status = if matches!(self, Self::Handshake { .. }) { "handshake" } else { "signed-out" };
            add(HeaderName::from_static("x-clerk-auth-status"), status);
            add(HeaderName::from_static("x-clerk-auth-reason"), reason.as_str());
        }
        headers
    }

    fn signed_in(claims: Claims, set_cookies: Vec<String>, redirect: Option<Url>) -> Self {
        let claims = Box::new(claims);
        if claims.is_pending() {
            Self::Pending { claims, set_cookies, redirect }
        } else {
            Self::SignedIn { claims, set_cookies, redirect }
        }
    }

    fn signed_out(reason: Reason) -> Self {
        Self::SignedOut { reason, set_cookies: Vec::new(), redirect: None }
    }

    fn with_cookies(mut self, further: Vec<String>) -> Self {
        match &mut self {
            Self::SignedIn { set_cookies, .. }
            | Self::Pending { set_cookies, .. }
            | Self::SignedOut { set_cookies, .. }
            | Self::Handshake { set_cookies, .. } => set_cookies.extend(further),
            Self::RedeemNonce { .. } | Self::NeedKeys { .. } => {}
        }
        self
    }
}

/// Decides about a request. A token in the `Authorization` header wins outright over every cookie (D4-23).
pub fn authenticate(facts: &Facts<'_>, config: &Config, keys: &KeySet, now: Timestamp) -> Decision {
    let cookies = Cookies::parse(facts.cookie.unwrap_or_default());
    let chosen = Chosen::from_cookies(&cookies, &config.publishable_key, now);
    let header_token = facts.authorization.and_then(header_token);
    let request = Request { facts, config, keys, now, cookies, chosen, header_token };
    match header_token {
        Some(token) => request.decide_by_header(token),
        None => request.decide_by_cookies(),
    }
}

/// A lone word is taken for the token; of two or more, the first must be `Bearer`, exactly. Two spaces after it leave
/// `Bearer` itself as the lone word, which is no token.
fn header_token(authorization: &str) -> Option<&str> {
    let mut words = authorization.split(' ');
    let first = words.next().filter(|word| !word.is_empty());
    match words.next() {
        None | Some("") => first,
        Some(token) => (first == Some("Bearer")).then_some(token),
    }
}

/// One request with everything that is known about it.
struct Request<'a> {
    facts: &'a Facts<'a>,
    config: &'a Config,
    keys: &'a KeySet,
    now: Timestamp,
    cookies: Cookies<'a>,
    chosen: Chosen,
    header_token: Option<&'a str>,
}

/// Why a token gave no claims.
enum Failure {
    Refused(session::Reason),
    NeedKeys(String),
}

impl Request<'_> {
    /// 2.1 A.
    fn decide_by_header(&self, token: &str) -> Decision {
        let Some(token) = Decoded::read(token) else {
            return Decision::signed_out(Reason::Token(session::Reason::TokenInvalid));
        };
        if token.is_of_a_machine() || !token.has_session_category() {
            return Decision::signed_out(Reason::Token(session::Reason::TokenTypeMismatch));
        }
        self.decide_by_token(&token)
    }

    /// 2.1 B.
    fn decide_by_cookies(&self) -> Decision {
        match self.consume() {
            Consumption::Decided(decision) => *decision,
            Consumption::Nothing { clear } => self.decide_by_own_cookies().with_cookies(clear),
        }
    }

    fn decide_by_own_cookies(&self) -> Decision {
        if !self.config.publishable_key.is_production() {
            // Row 4.
            if self.dev_browser_in_query().is_some() {
                return self.handshake_or_signed_out(Reason::DevBrowserSync);
            }
            // Row 5.
            if self.chosen.dev_browser.is_none() {
                return self.handshake_or_signed_out(Reason::DevBrowserMissing);
            }
        }
        let token = match (self.chosen.session.as_deref(), self.chosen.client_uat) {
            // Rows 6, 7 and 8.
            (None, 0) => return Decision::signed_out(Reason::SessionTokenAndUatMissing),
            (Some(_), 0) => return self.handshake_or_signed_out(Reason::SessionTokenButNoClientUat),
            (None, _) => return self.handshake_or_signed_out(Reason::ClientUatButNoSessionToken),
            (Some(token), _) => token,
        };
        // Rows 9, 10 and 11.
        let Some(token) = Decoded::read(token) else {
            return Decision::signed_out(Reason::Token(session::Reason::TokenInvalid));
        };
        if token.is_of_a_machine() || !token.has_session_category() {
            return Decision::signed_out(Reason::Token(session::Reason::TokenTypeMismatch));
        }
        if token.seconds("iat").is_some_and(|iat| iat < self.chosen.client_uat) {
            return self.handshake_or_signed_out(Reason::SessionTokenIatBeforeClientUat);
        }
        self.decide_by_token(&token)
    }

    /// Rows 12 and 15.
    fn decide_by_token(&self, token: &Decoded<'_>) -> Decision {
        match self.verify(token, &self.config.verify) {
            Ok(claims) => Decision::signed_in(claims, Vec::new(), None),
            Err(Failure::NeedKeys(kid)) => Decision::NeedKeys { kid },
            Err(Failure::Refused(reason)) => self.decide_by_failure(reason),
        }
    }

    /// 2.3: a matter of time can be mended by a redirect; for everything else it would lead in a circle.
    fn decide_by_failure(&self, reason: session::Reason) -> Decision {
        let reason = match reason {
            session::Reason::TokenExpired if self.facts.method != Method::GET => Reason::SessionTokenExpiredNonGet,
            session::Reason::TokenExpired if self.chosen.refresh.is_none() => {
                Reason::SessionTokenExpiredNoRefreshCookie
            }
            session::Reason::TokenExpired => Reason::SessionTokenExpiredMissingApiClient,
            session::Reason::TokenNotActiveYet => Reason::SessionTokenNbf,
            session::Reason::TokenIatInTheFuture => Reason::SessionTokenIatInTheFuture,
            other => return Decision::signed_out(Reason::Token(other)),
        };
        self.handshake_or_signed_out(reason)
    }

    fn verify(&self, token: &Decoded<'_>, options: &VerifyOptions) -> Result<Claims, Failure> {
        if wants_new_keys(token, self.keys, Some(&options.issuer)) {
            return Err(Failure::NeedKeys(token.kid().unwrap_or_default().to_owned()));
        }
        verify_decoded(token, self.keys, options, self.now).map_err(Failure::Refused)
    }

    /// A parameter of the URL; an empty one counts as absent.
    fn query(&self, name: &str) -> Option<String> {
        let (_, value) = self.facts.public_url.query_pairs().find(|(known, _)| known == name)?;
        Some(value.into_owned()).filter(|value| !value.is_empty())
    }

    /// D4-28: in production the parameter means nothing.
    fn dev_browser_in_query(&self) -> Option<String> {
        self.query(cookies::DEV_BROWSER).filter(|_| !self.config.publishable_key.is_production())
    }
}

#[cfg(test)]
mod tests;
