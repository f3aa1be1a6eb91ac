//! The way back from Clerk: what a handshake brings, and what of it is taken (`clerk.md` 2.7, 2.8).
//!
//! A handshake arrives as a signed token or as a nonce, in the URL or in a cookie. It carries `Set-Cookie` texts written
//! elsewhere. Invariant: only Clerk's own cookies, with known attributes, ever leave here, and a session is believed only
//! after the same verification as any other.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use serde_json::Value;
use url::Url;

use crate::server::clerk::cookies::{
    CLIENT_UAT, DEV_BROWSER, HANDSHAKE, HANDSHAKE_NONCE, REFRESH, SESSION, clear_everywhere,
};
use crate::server::clerk::handshake::decision::Decision;
use crate::server::clerk::handshake::reason::Reason;
use crate::server::clerk::handshake::redirect::{TRANSPORT, without_parameters};
use crate::server::clerk::handshake::{Failure, Redemption, Request};
use crate::server::clerk::jwt::Decoded;
use crate::server::clerk::key::PublishableKey;
use crate::server::clerk::session::{self, Claims, VerifyOptions, verify_signature, wants_new_keys};

const LONGEST_NONCE: usize = 256;
const MOST_DIRECTIVES: usize = 32;
const LONGEST_DIRECTIVE: usize = 8192;
/// In development a clock that is wrong by hours must not lock its owner out; the next request will say so again.
const DEVELOPMENT_SKEW: Duration = Duration::from_hours(24);

/// What came of looking for a handshake.
pub(super) enum Consumption {
    Decided(Box<Decision>),
    /// There is none, or none that can be used: the request's own cookies decide. `clear` removes what is used up.
    Nothing {
        clear: Vec<String>,
    },
}

impl Consumption {
    fn decided(decision: Decision) -> Self {
        Self::Decided(Box::new(decision))
    }
}

/// One handshake as it arrived.
struct Arrived {
    content: String,
    cookie: Option<&'static str>,
}

impl Request<'_> {
    /// Row 1. A nonce comes before a token, and the URL before the cookie.
    pub(super) fn consume(&self) -> Consumption {
        let (arrived, directives) = if let Some(nonce) = self.arrived(HANDSHAKE_NONCE) {
            match self.redeem(&nonce.content) {
                Ok(directives) => (nonce, directives),
                Err(decision) => return Consumption::Decided(decision),
            }
        } else if let Some(token) = self.arrived(HANDSHAKE) {
            match self.open(&token.content) {
                Ok(directives) => (token, directives),
                Err(Failure::NeedKeys(kid)) => return Consumption::decided(Decision::NeedKeys { kid }),
                Err(Failure::Refused(reason)) => {
                    // Perhaps a neighbour's: applications on one domain see each other's handshakes. So it stays where it is.
                    tracing::warn!(reason = reason.as_str(), "a handshake was not accepted");
                    return Consumption::Nothing { clear: Vec::new() };
                }
            }
        } else {
            return Consumption::Nothing { clear: Vec::new() };
        };
        let clear = arrived.cookie.map(|name| clear_everywhere(name, self.facts.public_url)).unwrap_or_default();
        self.take(&directives, arrived.cookie.is_some(), clear)
    }

    fn arrived(&self, name: &'static str) -> Option<Arrived> {
        if let Some(content) = self.query(name) {
            return Some(Arrived { content, cookie: None });
        }
        self.cookies.find(name).map(|content| Arrived { content: content.to_owned(), cookie: Some(name) })
    }

    fn redeem(&self, nonce: &str) -> Result<Vec<String>, Box<Decision>> {
        let sound = nonce.len() <= LONGEST_NONCE && nonce.bytes().all(|byte| byte.is_ascii_graphic());
        match &self.facts.redeemed {
            Redemption::NotTried if sound => Err(Box::new(Decision::RedeemNonce { nonce: nonce.to_owned() })),
            Redemption::NotTried | Redemption::Failed => Ok(Vec::new()),
            Redemption::Directives(directives) => Ok(directives.clone()),
        }
    }

    /// The envelope has neither a lifetime nor a party: its class and its signature are all that speaks for it.
    fn open(&self, token: &str) -> Result<Vec<String>, Failure> {
        let token = Decoded::read(token).ok_or(Failure::Refused(session::Reason::TokenInvalid))?;
        if !token.has_session_category() {
            return Err(Failure::Refused(session::Reason::TokenInvalid));
        }
        if wants_new_keys(&token, self.keys, None) {
            return Err(Failure::NeedKeys(token.kid().unwrap_or_default().to_owned()));
        }
        verify_signature(&token, self.keys).map_err(Failure::Refused)?;
        let directives = token.claims.get("handshake").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Ok(directives.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    fn take(&self, directives: &[String], from_cookie: bool, clear: Vec<String>) -> Consumption {
        let Brought { mut set_cookies, session: token } = Brought::accept(directives, &self.config.publishable_key);
        set_cookies.extend(clear.iter().cloned());

        let Some(token) = token else {
            let reason = Reason::SessionTokenMissing;
            return Consumption::decided(Decision::SignedOut { reason, set_cookies, redirect: self.cleaned() });
        };
        if from_cookie && self.is_outdated(token) {
            return Consumption::Nothing { clear };
        }
        match self.verify_taken(token) {
            Ok(claims) => Consumption::decided(Decision::signed_in(claims, set_cookies, self.cleaned())),
            Err(Failure::NeedKeys(kid)) => Consumption::decided(Decision::NeedKeys { kid }),
            Err(Failure::Refused(reason)) => {
                tracing::warn!(reason = reason.as_str(), "the session inside a handshake was not accepted");
                Consumption::Nothing { clear }
            }
        }
    }

    /// 2.8: a handshake cookie that was left behind must not undo what the browser did since, signing out above all.
    fn is_outdated(&self, token: &str) -> bool {
        Decoded::read(token).and_then(|token| token.seconds("iat")).is_some_and(|iat| iat < self.chosen.client_uat)
    }

    fn verify_taken(&self, token: &str) -> Result<Arc<Claims>, Failure> {
        match self.verify_brought(token, &self.config.verify) {
            Err(Failure::Refused(reason)) if reason.is_about_time() && !self.config.publishable_key.is_production() => {
                tracing::warn!(reason = reason.as_str(), "this machine's clock and Clerk's differ: set the clock");
                let options = VerifyOptions { clock_skew: DEVELOPMENT_SKEW, ..self.config.verify.clone() };
                self.verify_brought(token, &options)
            }
            other => other,
        }
    }

    /// The same page without what Clerk appended, so that no token stays in the address bar or the history. It is only
    /// ever this page's own address (D4-27), and only if it differs, so it cannot go in a circle.
    fn cleaned(&self) -> Option<Url> {
        let reads = self.facts.method == Method::GET || self.facts.method == Method::HEAD;
        let cleaned = without_parameters(self.facts.public_url, &TRANSPORT);
        (reads && cleaned.query() != self.facts.public_url.query()).then_some(cleaned)
    }
}

/// What may be passed on of what Clerk says shall be set.
pub(super) struct Brought<'a> {
    pub(super) set_cookies: Vec<String>,
    /// The last session among them; none if it is empty, which is how Clerk removes one.
    pub(super) session: Option<&'a str>,
}

impl<'a> Brought<'a> {
    pub(super) fn accept(directives: &'a [String], key: &PublishableKey) -> Self {
        let directives = directives.iter().take(MOST_DIRECTIVES);
        let accepted: Vec<_> = directives.filter_map(|text| Directive::accept(text, key)).collect();
        let session = accepted.iter().rev().find(|directive| directive.plain_name == SESSION);
        Self {
            session: session.map(|directive| directive.value).filter(|token| !token.is_empty()),
            set_cookies: accepted.iter().map(|directive| directive.text.to_owned()).collect(),
        }
    }
}

/// A `Set-Cookie` text that may be passed on.
struct Directive<'a> {
    text: &'a str,
    /// The cookie's name without the instance's suffix.
    plain_name: &'a str,
    value: &'a str,
}

impl<'a> Directive<'a> {
    /// D4-27. A template token can carry any list, and a neighbour's mistake should not become our cookies.
    fn accept(text: &'a str, key: &PublishableKey) -> Option<Self> {
        const ATTRIBUTES: [&str; 9] =
            ["path", "domain", "expires", "max-age", "samesite", "secure", "httponly", "partitioned", "priority"];
        let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if text.len() > LONGEST_DIRECTIVE || !printable {
            return None;
        }
        let mut parts = text.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let name = name.trim();
        let suffix = key.cookie_suffix();
        let plain_name = name.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('_')).unwrap_or(name);
        let known =
            matches!(plain_name, SESSION | CLIENT_UAT | REFRESH) || (plain_name == DEV_BROWSER && !key.is_production());
        let attribute_is_known = |part: &str| {
            let attribute = part.split_once('=').map_or(part, |(attribute, _)| attribute).trim();
            ATTRIBUTES.iter().any(|known| attribute.eq_ignore_ascii_case(known))
        };
        let well_formed = parts.filter(|part| !part.trim().is_empty()).all(attribute_is_known);
        (known && well_formed).then(|| Self { text, plain_name, value: value.trim() })
    }
}
