//! All that a browser may learn about a failure.
//!
//! Carries no internal text: causes stay in the log. Status codes belong to `server::error`.

use serde::{Deserialize, Serialize};

/// The one error that crosses to the browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AppError {
    #[error("Sign in to continue.")]
    Unauthenticated,
    #[error("You are not allowed to do this.")]
    Forbidden,
    /// Whoever asks is kept out, whatever it is that they ask for.
    #[error("This account is banned or deleted.")]
    Barred,
    /// The session is old: who it is must be proved again first.
    #[error("Prove again that it is you: sign out, sign in, and repeat it.")]
    Stale,
    #[error("{what} was not found.")]
    NotFound { what: String },
    #[error("{field}: {message}")]
    Invalid { field: String, message: String },
    #[error("Too often. Try again in a moment.")]
    TooOften,
    #[error("Another export of yours is still on its way. Try again when it is done.")]
    Exporting,
    #[error("This changed in the meantime. Load it again and repeat.")]
    Conflict,
    #[error("A service that we need is not answering. Try again in a moment.")]
    Unavailable,
    #[error("Something went wrong on our side.")]
    Internal,
}
