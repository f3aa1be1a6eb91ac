//! Inngest's protocol, and nothing about ourselves but the list of functions: a crate in waiting (`requirements.md` F).
//!
//! Inngest calls us at one URL with signed requests, and we call its two APIs. Everything here but [`client`] is pure:
//! keys, signatures, documents, payloads and answers as plain data; the clock and the settings are parameters. It knows no
//! web framework and no database. What a function does is `server::sync`; how a request comes in is `server::http`.
//!
//! | module | what it owns |
//! |---|---|
//! | [`keys`] | the signing key, and what follows from it |
//! | [`signature`] | who sent this, and when |
//! | [`origins`] | cloud or development server, and where its APIs are |
//! | [`functions`] | the one list of what is registered and can be called |
//! | [`registration`] | what we tell Inngest about our functions |
//! | [`introspection`] | what we tell Inngest about ourselves |
//! | [`call`] | a call, and the person in its payload |
//! | [`answer`] | answers: status, headers, body |
//! | [`client`] | our calls to Inngest: events, registration, batches |

pub mod answer;
pub mod call;
pub mod client;
pub mod functions;
pub mod introspection;
pub mod keys;
pub mod origins;
pub mod registration;
pub mod signature;

use secrecy::SecretString;
use url::Url;

use crate::server::inngest::keys::SigningKey;

/// Who we are to Inngest: one colon, then a version. Without it a success does not count.
pub const SDK: &str = concat!("rollcall:v", env!("CARGO_PKG_VERSION"));
pub const FRAMEWORK: &str = "axum";
pub const SDK_LANGUAGE: &str = "rust";

/// Whether requests must be signed. From configuration only, never from a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Cloud,
    /// The development server, which signs nothing.
    Development,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Development => "dev",
        }
    }
}

/// Everything the protocol needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of this application at Inngest; functions are known as `<app>-<function>`.
    pub app_id: String,
    pub mode: Mode,
    pub api_origin: Url,
    pub event_origin: Url,
    /// Where Inngest reaches us. Never taken from a request.
    pub serve_url: Url,
    /// The branch environment.
    pub environment: Option<String>,
    pub event_key: Option<SecretString>,
    pub signing_key: Option<SigningKey>,
    /// Valid as well, while one key replaces the other.
    pub signing_key_fallback: Option<SigningKey>,
}

impl Config {
    /// The signing keys, the first one first.
    pub fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.signing_key.iter().chain(&self.signing_key_fallback)
    }
}

#[cfg(test)]
mod fixtures;
