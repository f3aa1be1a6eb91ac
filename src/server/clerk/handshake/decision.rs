//! What became of a request, and what the answer to it must carry.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::server::clerk::handshake::reason::Reason;
use crate::server::clerk::handshake::refresh::RefreshRequest;
use crate::server::clerk::session::Claims;

/// What to do with a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    SignedIn {
        claims: Arc<Claims>,
        set_cookies: Vec<String>,
        redirect: Option<Url>,
    },
    /// Signed in, with something left to do first. To be treated as signed out everywhere but where that is done; a
    /// variant of its own so that nobody overlooks it (D4-16).
    Pending {
        claims: Arc<Claims>,
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
    /// Ask Clerk what the nonce stands for, then decide again with [`Facts::redeemed`](crate::server::clerk::handshake::Facts).
    RedeemNonce {
        nonce: String,
    },
    /// Ask Clerk to renew the session, then decide again with [`Facts::refreshed`](crate::server::clerk::handshake::Facts).
    Refresh(Box<RefreshRequest>),
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
            Self::RedeemNonce { .. } | Self::Refresh(_) | Self::NeedKeys { .. } => None,
        }
    }

    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::SignedOut { reason, .. } | Self::Handshake { reason, .. } => Some(reason),
            _ => None,
        }
    }

    pub fn set_cookies(&self) -> &[String] {
        match self {
            Self::SignedIn { set_cookies, .. }
            | Self::Pending { set_cookies, .. }
            | Self::SignedOut { set_cookies, .. }
            | Self::Handshake { set_cookies, .. } => set_cookies,
            Self::RedeemNonce { .. } | Self::Refresh(_) | Self::NeedKeys { .. } => &[],
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
            add(HeaderName::from_static("x-clerk-auth-reason"), &reason.text());
            if let Some(message) = reason.message() {
                add(HeaderName::from_static("x-clerk-auth-message"), message);
            }
        }
        headers
    }

    pub(super) fn signed_in(claims: Arc<Claims>, set_cookies: Vec<String>, redirect: Option<Url>) -> Self {
        if claims.is_pending() {
            Self::Pending { claims, set_cookies, redirect }
        } else {
            Self::SignedIn { claims, set_cookies, redirect }
        }
    }

    pub(super) fn signed_out(reason: Reason) -> Self {
        Self::SignedOut { reason, set_cookies: Vec::new(), redirect: None }
    }

    pub(super) fn with_cookies(mut self, further: Vec<String>) -> Self {
        match &mut self {
            Self::SignedIn { set_cookies, .. }
            | Self::Pending { set_cookies, .. }
            | Self::SignedOut { set_cookies, .. }
            | Self::Handshake { set_cookies, .. } => set_cookies.extend(further),
            Self::RedeemNonce { .. } | Self::Refresh(_) | Self::NeedKeys { .. } => {}
        }
        self
    }
}
