//! Renewing a session that has run out, without sending the visitor anywhere (`clerk.md` 2.3).
//!
//! It is asked for only after the token's signature was found good, so nobody can make us call Clerk with a token that Clerk
//! did not issue.

use http::Method;

use crate::server::clerk::handshake::consume::Brought;
use crate::server::clerk::handshake::decision::Decision;
use crate::server::clerk::handshake::reason::RefreshFailure;
use crate::server::clerk::handshake::{Failure, Refreshed, Request};
use crate::server::clerk::jwt::Decoded;

/// What Clerk is asked; the shell adds the request's headers.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshRequest {
    pub session_id: String,
    pub suffixed: bool,
    pub expired_token: String,
    pub refresh_token: String,
    /// The origin as the visitor's browser sees it.
    pub origin: String,
}

/// Both tokens are left out: one of them is as good as a session.
impl std::fmt::Debug for RefreshRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RefreshRequest").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}

impl Request<'_> {
    /// The session renewed, or what to ask for it. A token of the header has no refresh cookie of its own: what cookies lie
    /// beside it may be another session's (D4-23). A form is renewed as well, unlike at the library: it cannot be sent round by
    /// Clerk, and where no script runs nobody else would.
    pub(super) fn refresh(&self, token: &Decoded<'_>) -> Result<Decision, RefreshFailure> {
        let (reads, is_form) = (self.facts.method == Method::GET, self.facts.method == Method::POST);
        let (None, Some(session), Some(refresh), true) =
            (self.header_token, self.chosen.session.as_ref(), self.chosen.refresh.as_ref(), reads || is_form)
        else {
            return Err(if reads { RefreshFailure::NoRefreshCookie } else { RefreshFailure::NonGet });
        };
        let session_id = token.text("sid").filter(|sid| !sid.is_empty()).ok_or(RefreshFailure::MissingSid)?;
        match &self.facts.refreshed {
            Refreshed::NotTried => Ok(Decision::Refresh(Box::new(RefreshRequest {
                session_id: session_id.to_owned(),
                suffixed: self.chosen.suffixed,
                expired_token: session.clone(),
                refresh_token: refresh.clone(),
                origin: self.facts.public_url.origin().ascii_serialization(),
            }))),
            Refreshed::Failed(failure) => Err(failure.clone()),
            Refreshed::Directives(directives) if directives.is_empty() => Err(RefreshFailure::UnexpectedSdk),
            Refreshed::Directives(directives) => self.take_refreshed(directives),
        }
    }

    fn take_refreshed(&self, directives: &[String]) -> Result<Decision, RefreshFailure> {
        let brought = Brought::accept(directives, &self.config.publishable_key);
        let token = brought.session.ok_or(RefreshFailure::InvalidSessionToken)?;
        match self.verify_brought(token, &self.config.verify) {
            Ok(claims) => Ok(Decision::signed_in(claims, brought.set_cookies, None)),
            Err(Failure::NeedKeys(kid)) => Ok(Decision::NeedKeys { kid }),
            Err(Failure::Refused(_)) => Err(RefreshFailure::InvalidSessionToken),
        }
    }
}
