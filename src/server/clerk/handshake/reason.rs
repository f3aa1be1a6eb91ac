//! Why somebody is not signed in, in Clerk's own words, which its tools and documentation use.

use std::borrow::Cow;

use crate::server::clerk::session;

/// A reason; it goes into a header, into the redirect and into the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    SessionTokenAndUatMissing,
    SessionTokenMissing,
    SessionTokenButNoClientUat,
    ClientUatButNoSessionToken,
    SessionTokenIatBeforeClientUat,
    /// The token has run out, and why it could not be renewed on the spot.
    SessionTokenExpired(RefreshFailure),
    SessionTokenNbf,
    SessionTokenIatInTheFuture,
    DevBrowserMissing,
    DevBrowserSync,
    SatelliteNeedsSyncing,
    PrimaryRespondsToSyncing,
    PrimaryDomainCrossOriginSync,
    ActiveOrganizationMismatch,
    Token(session::Reason),
}

/// Why a session was not refreshed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RefreshFailure {
    NoRefreshCookie,
    NonGet,
    MissingSid,
    /// What came is no session.
    InvalidSessionToken,
    /// Nothing came.
    UnexpectedSdk,
    /// Clerk met a fault of its own.
    Fetch,
    /// Clerk did not answer in its own form, or not at all.
    UnexpectedBapi,
    /// Clerk refused, and this is its code.
    Code(String),
}

impl RefreshFailure {
    /// The failure that an error code of Clerk's stands for. What could not be a code does not get into headers and logs.
    pub fn of_code(code: &str) -> Self {
        const LONGEST: usize = 64;
        let sound = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        match code {
            "unexpected_error" => Self::Fetch,
            code if sound && (1..=LONGEST).contains(&code.len()) => Self::Code(code.to_owned()),
            _ => Self::UnexpectedBapi,
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::NoRefreshCookie => "non-eligible-no-refresh-cookie",
            Self::NonGet => "non-eligible-non-get",
            Self::MissingSid => "expired-session-token-missing-sid-claim",
            Self::InvalidSessionToken => "invalid-session-token",
            Self::UnexpectedSdk => "unexpected-sdk-error",
            Self::Fetch => "fetch-error",
            Self::UnexpectedBapi => "unexpected-bapi-error",
            Self::Code(code) => code,
        }
    }
}

impl Reason {
    pub fn text(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::SessionTokenAndUatMissing => "session-token-and-uat-missing",
            Self::SessionTokenMissing => "session-token-missing",
            Self::SessionTokenButNoClientUat => "session-token-but-no-client-uat",
            Self::ClientUatButNoSessionToken => "client-uat-but-no-session-token",
            Self::SessionTokenIatBeforeClientUat => "session-token-iat-before-client-uat",
            Self::SessionTokenExpired(failure) => {
                return Cow::Owned(format!("session-token-expired-refresh-{}", failure.as_str()));
            }
            Self::SessionTokenNbf => "session-token-nbf",
            Self::SessionTokenIatInTheFuture => "session-token-iat-in-the-future",
            Self::DevBrowserMissing => "dev-browser-missing",
            Self::DevBrowserSync => "dev-browser-sync",
            Self::SatelliteNeedsSyncing => "satellite-needs-syncing",
            Self::PrimaryRespondsToSyncing => "primary-responds-to-syncing",
            Self::PrimaryDomainCrossOriginSync => "primary-domain-cross-origin-sync",
            Self::ActiveOrganizationMismatch => "active-organization-mismatch",
            Self::Token(reason) => reason.as_str(),
        })
    }

    /// A sentence where Clerk's library has one. Fixed, where the library quotes claims of the token.
    pub fn message(&self) -> Option<&'static str> {
        match self {
            Self::SessionTokenExpired(_) => Some("The session token has run out."),
            Self::SessionTokenNbf => Some("The session token is not valid yet: compare the clocks."),
            Self::SessionTokenIatInTheFuture => Some("The session token is from the future: compare the clocks."),
            Self::PrimaryDomainCrossOriginSync => Some("The visitor comes from a satellite domain."),
            Self::Token(session::Reason::TokenTypeMismatch) => None,
            Self::Token(_) => Some("The session token was not accepted."),
            _ => None,
        }
    }
}
