//! What we know about Clerk, and nothing about ourselves: a crate in waiting.
//!
//! Everything here speaks Clerk's protocol (`clerk.md` 1 to 4): keys, session tokens, the handshake, webhooks, the Backend
//! API. It knows no database, no web framework, no role and no page, and reads neither the environment nor the clock:
//! settings are parameters, and so is the time. Only `client` and `jwks` touch the network.
//!
//! | module | what it owns |
//! |---|---|
//! | [`key`] | publishable and secret keys, and what follows from them: host, issuer, cookie suffix |
//! | [`wire`] | Clerk's JSON, read leniently |
//! | [`webhook`] | signatures of deliveries, and the events inside |
//! | [`client`] | the Backend API, and the one limit and circuit for all who call it |
//! | [`jwks`] | signing keys: fixed, or fetched and cached |
//! | [`jwt`] | the outer form of a signed token |
//! | [`session`] | session token → claims |
//! | [`membership`] | the organization of a session, and what it permits |
//! | [`verified`] | tokens that were found good, until they run out |
//! | [`cookies`] | which of Clerk's cookies count |
//! | [`handshake`] | request facts → signed in, signed out, or a redirect |

pub mod client;
pub mod cookies;
pub mod handshake;
pub mod jwks;
pub mod jwt;
pub mod key;
pub mod lenient;
pub mod membership;
pub mod session;
pub mod verified;
pub mod webhook;
pub mod wire;

#[cfg(test)]
mod signer;

use std::time::Duration;

/// How a call to Clerk can fail. A variant exists where a caller decides differently.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Clerk itself said that the resource does not exist. A 404 that does not carry Clerk's own code is `Rejected`:
    /// a wrong base URL must never look like a deleted user.
    #[error("Clerk has no such resource")]
    NotFound,
    /// The secret key is wrong or revoked; calling again cannot help.
    #[error("Clerk refused the secret key")]
    Unauthorized,
    /// Too many calls; `retry_after` is what Clerk asked for, or what our own limit says.
    #[error("Clerk asks to slow down")]
    RateLimited { retry_after: Option<Duration> },
    /// It failed so often in a row that it was not asked.
    #[error("Clerk has failed several times in a row and is not asked now")]
    CircuitOpen { retry_after: Duration },
    /// The request was understood and refused.
    #[error("Clerk rejected the request ({status} {code}): {message}")]
    Rejected { status: u16, code: String, field: Option<String>, message: String },
    /// No answer: connection, TLS or time limit.
    #[error("Clerk cannot be reached")]
    Unavailable(#[source] reqwest::Error),
    /// An answer that says to come back later.
    #[error("Clerk is not available (status {0})")]
    UnavailableStatus(u16),
    /// An answer (or an address) that makes no sense to us.
    #[error("Clerk's answer could not be read")]
    Malformed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::RateLimited { .. }
                | Self::CircuitOpen { .. }
                | Self::Unavailable(_)
                | Self::UnavailableStatus(_)
                | Self::Malformed(_)
        )
    }
}
