//! Request facts → signed in, signed out, or a redirect to Clerk (`clerk.md` 2).
//!
//! [`authenticate`] is pure: the shell around it gathers [`Facts`], fetches what a decision asks for
//! ([`Decision::NeedKeys`], [`Decision::RedeemNonce`], [`Decision::Refresh`]) and asks again. Rows named in comments are those
//! of `clerk.md` 2.1. It does not know pages, people or roles.
//!
//! Held against Clerk's own library by `tests/oracle`, where every deviation is listed with its reason. In short: the loop
//! guard holds at three *or more* and its cookie covers the whole site; a handshake cookie is removed when used, and a
//! handshake older than the browser's last change is not used; only known cookies are taken from a handshake or a refresh,
//! and the session inside must be of a session's class; a handshake that cannot be verified is never an error page; its token
//! leaves the address bar in production too; a form's session is refreshed like a page's; other domains count only if they are configured; no CORS headers on the answer.

mod consume;
pub mod decision;
mod domains;
pub mod organization;
pub mod reason;
pub mod redirect;
pub mod refresh;

use std::sync::Arc;

use http::Method;
use jiff::Timestamp;
use url::Url;

use crate::server::clerk::cookies::{self, Chosen, Cookies};
use crate::server::clerk::handshake::consume::Consumption;
use crate::server::clerk::handshake::decision::Decision;
use crate::server::clerk::handshake::organization::OrganizationPaths;
use crate::server::clerk::handshake::reason::{Reason, RefreshFailure};
use crate::server::clerk::handshake::redirect::ProxyUrl;
use crate::server::clerk::jwks::KeySet;
use crate::server::clerk::jwt::Decoded;
use crate::server::clerk::key::PublishableKey;
use crate::server::clerk::session::{self, Claims, VerifyOptions, verify_decoded, wants_new_keys};
use crate::server::clerk::verified::Verified;

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
    pub referer: Option<&'a str>,
    /// What became of [`Decision::RedeemNonce`].
    pub redeemed: Redemption,
    /// What became of [`Decision::Refresh`].
    pub refreshed: Refreshed,
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

/// The answer to a refresh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Refreshed {
    #[default]
    NotTried,
    /// The cookies of the renewed session.
    Directives(Vec<String>),
    Failed(RefreshFailure),
}

#[derive(Clone, Debug)]
pub struct Config {
    pub publishable_key: PublishableKey,
    /// Where browsers reach the Frontend API instead of at its own host.
    pub proxy_url: Option<ProxyUrl>,
    pub verify: VerifyOptions,
    /// Set if this site takes its sessions over from a primary domain.
    pub satellite: Option<Satellite>,
    /// The origins that take their sessions over from this site.
    pub satellites: Vec<String>,
    /// Which addresses belong to which organization.
    pub organizations: OrganizationPaths,
    /// What spares a signature. It changes how long a decision takes, and nothing else.
    pub verified: Verified,
}

/// A site that takes its sessions over from a primary domain of the same instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Satellite {
    /// The satellite's own domain. In production its Frontend API and the issuer of its tokens are below it.
    pub domain: Option<String>,
    /// The primary's sign-in page, which in development answers for it.
    pub sign_in_url: Url,
    /// Whether a visitor without any cookie is sent to ask, too.
    pub auto_sync: bool,
}

impl Config {
    /// The host in whose name tokens are issued here. In production a satellite has its own.
    pub fn frontend_api_host(key: &PublishableKey, satellite: Option<&Satellite>) -> String {
        let domain = satellite.and_then(|satellite| satellite.domain.as_deref()).filter(|_| key.is_production());
        domain.map_or_else(|| key.frontend_api_host().to_owned(), |domain| format!("clerk.{domain}"))
    }
}

/// Decides about a request. A token in the `Authorization` header wins outright over every cookie (D4-23).
pub fn authenticate(facts: &Facts<'_>, config: &Config, keys: &KeySet, now: Timestamp) -> Decision {
    let cookies = Cookies::parse(facts.cookie.unwrap_or_default());
    let chosen = Chosen::from_cookies(&cookies, &config.publishable_key, &config.verify.issuer, now);
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
        if let Some(claims) = self.find_verified(token) {
            return Decision::signed_in(claims, Vec::new(), None);
        }
        let Some(token) = Decoded::read(token) else {
            return Decision::signed_out(Reason::Token(session::Reason::TokenInvalid));
        };
        if token.is_of_a_machine() || !token.has_session_category() {
            return Decision::signed_out(Reason::Token(session::Reason::TokenTypeMismatch));
        }
        self.decide_by_token(&token, |claims| Decision::signed_in(claims, Vec::new(), None))
    }

    /// 2.1 B.
    fn decide_by_cookies(&self) -> Decision {
        match self.consume() {
            Consumption::Decided(decision) => *decision,
            Consumption::Nothing { clear } => self.decide_by_own_cookies().with_cookies(clear),
        }
    }

    fn decide_by_own_cookies(&self) -> Decision {
        // Rows 2 and 3.
        if let Some(decision) = self.sync_satellite().or_else(|| self.answer_satellite()) {
            return decision;
        }
        if !self.config.publishable_key.is_production() {
            // Row 4.
            if self.facts.public_url.query_pairs().any(|(name, _)| name == cookies::DEV_BROWSER) {
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
        if let Some(claims) = self.find_verified(token).filter(|claims| claims.iat >= self.chosen.client_uat) {
            return self.accept(claims);
        }
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
        self.decide_by_token(&token, |claims| self.accept(claims))
    }

    /// Rows 13, 14 and 15.
    fn accept(&self, claims: Arc<Claims>) -> Decision {
        let elsewhere = self.sync_from_satellite().or_else(|| self.activate_organization(&claims));
        elsewhere.unwrap_or_else(|| Decision::signed_in(claims, Vec::new(), None))
    }

    /// Row 12.
    fn decide_by_token(&self, token: &Decoded<'_>, accept: impl FnOnce(Arc<Claims>) -> Decision) -> Decision {
        match self.verify(token, &self.config.verify) {
            Ok(claims) => accept(claims),
            Err(Failure::NeedKeys(kid)) => Decision::NeedKeys { kid },
            Err(Failure::Refused(reason)) => self.decide_by_failure(reason, token),
        }
    }

    /// 2.3: a matter of time can be mended by a refresh or a redirect; for everything else either would lead in a circle.
    fn decide_by_failure(&self, reason: session::Reason, token: &Decoded<'_>) -> Decision {
        let reason = match reason {
            session::Reason::TokenExpired => match self.refresh(token) {
                Ok(decision) => return decision,
                Err(failure) => Reason::SessionTokenExpired(failure),
            },
            session::Reason::TokenNotActiveYet => Reason::SessionTokenNbf,
            session::Reason::TokenIatInTheFuture => Reason::SessionTokenIatInTheFuture,
            other => return Decision::signed_out(Reason::Token(other)),
        };
        self.handshake_or_signed_out(reason)
    }

    /// A token that was judged before, as a session and no machine's, and found good.
    fn find_verified(&self, token: &str) -> Option<Arc<Claims>> {
        self.config.verified.find(token, &self.config.verify, self.now)
    }

    fn verify(&self, token: &Decoded<'_>, options: &VerifyOptions) -> Result<Arc<Claims>, Failure> {
        if wants_new_keys(token, self.keys, Some(&options.issuer)) {
            return Err(Failure::NeedKeys(token.kid().unwrap_or_default().to_owned()));
        }
        let claims = verify_decoded(token, self.keys, options, self.now).map_err(Failure::Refused)?;
        let claims = Arc::new(claims);
        self.config.verified.keep(token.as_str(), &claims, self.now);
        Ok(claims)
    }

    /// A session that came in a cookie text: as strict as any other, and never a machine's.
    fn verify_brought(&self, token: &str, options: &VerifyOptions) -> Result<Arc<Claims>, Failure> {
        let token = Decoded::read(token).ok_or(Failure::Refused(session::Reason::TokenInvalid))?;
        if token.is_of_a_machine() {
            return Err(Failure::Refused(session::Reason::TokenTypeMismatch));
        }
        self.verify(&token, options)
    }

    /// Whether a person navigates here, to a whole page.
    fn is_document(&self) -> bool {
        self.facts.method == Method::GET && self.facts.sec_fetch_dest == Some("document")
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
