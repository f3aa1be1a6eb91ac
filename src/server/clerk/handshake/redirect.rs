//! The way out to Clerk: who may be sent, where to, and how often (`clerk.md` 2.2, 2.5).
//!
//! It does not know why somebody is sent, beyond passing the reason on.

use http::Method;
use url::Url;

use crate::server::clerk::cookies::{DEV_BROWSER, HANDSHAKE, HANDSHAKE_NONCE, REDIRECT_COUNT, SESSION};
use crate::server::clerk::handshake::decision::Decision;
use crate::server::clerk::handshake::reason::Reason;
use crate::server::clerk::handshake::{Config, Request};

/// The version of the protocol that we speak, here and in the Backend API.
pub const API_VERSION: &str = "2026-05-12";

const HELP: &str = "__clerk_help";
const LEGACY_DEV_BROWSER: &str = "__dev_session";
/// What Clerk appends to our URLs, and what must not be in the one we name for the way back.
pub(super) const TRANSPORT: [&str; 5] = [HANDSHAKE, HELP, DEV_BROWSER, HANDSHAKE_NONCE, LEGACY_DEV_BROWSER];

const MOST_REDIRECTS: u32 = 3;

/// Where browsers reach the Frontend API when it is proxied: a path of this site, or another URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyUrl(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Path(String),
    Elsewhere(Url),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a proxy URL is a path beginning with one slash, or a whole http or https URL, without query or fragment")]
pub struct ProxyUrlError;

impl ProxyUrl {
    pub fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic()) && !text.contains(['?', '#', '\\']);
        if !plain {
            return Err(ProxyUrlError);
        }
        if text.starts_with('/') && !text.starts_with("//") {
            return Ok(Self(Place::Path(text.trim_end_matches('/').to_owned())));
        }
        let url = Url::parse(text).map_err(|_| ProxyUrlError)?;
        let usable = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none();
        if usable { Ok(Self(Place::Elsewhere(url))) } else { Err(ProxyUrlError) }
    }

    fn base(&self, public_url: &Url) -> String {
        match &self.0 {
            Place::Path(path) => format!("{}{path}", public_url.origin().ascii_serialization()),
            Place::Elsewhere(url) => url.as_str().trim_end_matches('/').to_owned(),
        }
    }
}

impl Request<'_> {
    /// A redirect where one can work, signed out for the same reason where it cannot.
    pub(super) fn handshake_or_signed_out(&self, reason: Reason) -> Decision {
        let location = || self.handshake_location(&reason);
        self.redirect_or_signed_out(reason.clone(), location)
    }

    /// The same with another place to go to.
    pub(super) fn redirect_or_signed_out(&self, reason: Reason, location: impl FnOnce() -> Option<Url>) -> Decision {
        let count = self.redirects();
        // Clerk's library stops at exactly three, so that a counter of four goes round again.
        if !self.is_eligible() || count >= MOST_REDIRECTS {
            return Decision::signed_out(reason);
        }
        let Some(location) = location() else { return Decision::signed_out(reason) };
        let secure = if self.facts.public_url.scheme() == "https" { "; Secure" } else { "" };
        // Without a path the counter would hold only in the folder of this page.
        let counter =
            format!("{REDIRECT_COUNT}={}; SameSite=Lax; HttpOnly; Max-Age=2; Path=/{secure}", count.saturating_add(1));
        Decision::Handshake { reason, location, set_cookies: vec![counter] }
    }

    /// How often this browser was sent away in the last seconds.
    pub(super) fn redirects(&self) -> u32 {
        let count = self.cookies.find(REDIRECT_COUNT).filter(|count| count.bytes().all(|byte| byte.is_ascii_digit()));
        count.map_or(0, |count| count.parse().unwrap_or(u32::MAX))
    }

    /// 2.2: only what a person navigates to. A script's request cannot follow, and a form's would lose its content.
    fn is_eligible(&self) -> bool {
        let navigates = match self.facts.sec_fetch_dest.filter(|dest| !dest.is_empty()) {
            Some(dest) => dest == "document" || dest == "iframe",
            None => self.facts.accept.is_some_and(|accept| accept.starts_with("text/html")),
        };
        navigates && self.facts.method == Method::GET
    }

    /// 2.5, parameters in Clerk's order.
    fn handshake_location(&self, reason: &Reason) -> Option<Url> {
        let key = &self.config.publishable_key;
        let base = match &self.config.proxy_url {
            Some(proxy) => proxy.base(self.facts.public_url),
            None => format!("https://{}", Config::frontend_api_host(key, self.config.satellite.as_ref())),
        };
        let mut url = Url::parse(&format!("{base}/v1/client/handshake")).ok()?;
        let back = without_parameters(self.facts.public_url, &TRANSPORT);
        let dev_browser = self.dev_browser_in_query().or_else(|| self.chosen.dev_browser.clone());
        let mut query = url.query_pairs_mut();
        query
            .append_pair("redirect_url", back.as_str())
            .append_pair("__clerk_api_version", API_VERSION)
            .append_pair("suffixed_cookies", if self.chosen.suffixed { "true" } else { "false" })
            .append_pair("__clerk_hs_reason", &reason.text())
            .append_pair("format", "nonce");
        if let Some(token) = self.chosen.session.as_deref().or(self.header_token) {
            query.append_pair(SESSION, token);
        }
        if let Some(dev_browser) = dev_browser.filter(|_| !key.is_production()) {
            query.append_pair(DEV_BROWSER, &dev_browser);
        }
        if let Some(target) = self.organization_target() {
            query.append_pair("organization_id", target.parameter());
        }
        drop(query);
        Some(url)
    }
}

/// The URL without some parameters, and otherwise letter by letter what it was.
pub(super) fn without_parameters(url: &Url, names: &[&str]) -> Url {
    let mut url = url.clone();
    let is_dropped =
        |pair: &&str| url::form_urlencoded::parse(pair.as_bytes()).any(|(name, _)| names.contains(&name.as_ref()));
    let kept: Option<Vec<&str>> = url.query().map(|query| query.split('&').filter(|pair| !is_dropped(pair)).collect());
    let kept = kept.map(|pairs| pairs.join("&")).filter(|query| !query.is_empty());
    url.set_query(kept.as_deref());
    url.set_fragment(None);
    url
}
