//! What can go wrong, in terms of meaning; and its two public faces, both total: a status, and what a browser may know.
//!
//! Causes are kept as sources for the log and never printed to a client. Made from the leaf modules' errors at the seams.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::model::error::AppError;
use crate::server::{clerk, inngest, store};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no session: {reason}")]
    Unauthenticated { reason: Cow<'static, str> },
    #[error("not allowed")]
    Forbidden,
    /// Banned or deleted, so nothing is allowed.
    #[error("banned or deleted")]
    Barred,
    /// Allowed, but only just after having said who one is.
    #[error("the first factor was proved too long ago")]
    Stale,
    #[error("{what} not found")]
    NotFound { what: &'static str },
    #[error("{field}: {message}")]
    Invalid { field: &'static str, message: String },
    /// Understood and refused: by a rule of ours, or by Clerk in words meant for the person.
    #[error("refused: {field}")]
    Refused { field: &'static str, message: String },
    /// One person asks more often than one may.
    #[error("too often")]
    TooOften { retry_after: Duration },
    /// One person takes one file away at a time.
    #[error("another export is going on")]
    Exporting,
    #[error("changed by others without pause")]
    Conflict,
    /// A bounded queue is full.
    #[error("too much at once")]
    Busy,
    #[error("MongoDB is away")]
    StoreUnavailable(#[source] Arc<store::Error>),
    #[error("Clerk is away")]
    ClerkUnavailable(#[source] clerk::Error),
    /// What is stored about a person is not what we wrote: somebody else's hand was in it.
    #[error("the stored document cannot be read")]
    Unreadable,
    /// What Clerk says is older than what is stored, though it was asked later; or it does not know somebody who has just
    /// joined. Time will tell.
    #[error("Clerk's answer may be older than what is stored: ask again in some minutes")]
    Behind,
    /// A fault of ours.
    #[error("a fault of ours: it panicked")]
    Panicked,
    /// MongoDB will not take the document, whoever asks.
    #[error("MongoDB refused the document")]
    Unstorable { code: Option<i32> },
    #[error("MongoDB refused")]
    Store(#[source] Arc<store::Error>),
    #[error("Clerk refused")]
    Clerk(#[source] clerk::Error),
    /// With it, everybody would count as gone.
    #[error("CLERK_SECRET_KEY is of another Clerk instance")]
    ForeignKey,
    /// An event was not handed over.
    #[error("Inngest")]
    Inngest(#[source] inngest::client::Error),
    #[error("a page asked for something outside a request")]
    OutsideRequest,
    /// What an earlier step of the same request met and logged.
    #[error("{0}")]
    Met(Arc<Error>),
}

impl Error {
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::Barred | Self::Stale => StatusCode::FORBIDDEN,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Refused { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooOften { .. } | Self::Exporting => StatusCode::TOO_MANY_REQUESTS,
            Self::Conflict => StatusCode::CONFLICT,
            Self::Busy | Self::Behind | Self::StoreUnavailable(_) | Self::ClerkUnavailable(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Unreadable
            | Self::Panicked
            | Self::Unstorable { .. }
            | Self::Store(_)
            | Self::Clerk(_)
            | Self::ForeignKey
            | Self::Inngest(_)
            | Self::OutsideRequest => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Met(error) => error.status(),
        }
    }

    pub fn public(&self) -> AppError {
        match self {
            Self::Unauthenticated { .. } => AppError::Unauthenticated,
            Self::Forbidden => AppError::Forbidden,
            Self::Barred => AppError::Barred,
            Self::Stale => AppError::Stale,
            Self::NotFound { what } => AppError::NotFound { what: (*what).to_owned() },
            Self::Invalid { field, message } | Self::Refused { field, message } => {
                AppError::Invalid { field: (*field).to_owned(), message: message.clone() }
            }
            Self::TooOften { .. } | Self::ClerkUnavailable(clerk::Error::RateLimited { .. }) => AppError::TooOften,
            Self::Exporting => AppError::Exporting,
            Self::Conflict => AppError::Conflict,
            Self::Busy | Self::Behind | Self::StoreUnavailable(_) | Self::ClerkUnavailable(_) => AppError::Unavailable,
            Self::Unreadable
            | Self::Panicked
            | Self::Unstorable { .. }
            | Self::Store(_)
            | Self::Clerk(_)
            | Self::ForeignKey
            | Self::Inngest(_)
            | Self::OutsideRequest => AppError::Internal,
            Self::Met(error) => error.public(),
        }
    }

    /// Whether it passes by itself, so that the same may be tried for as long as it takes.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Met(error) => error.is_passing(),
            error => {
                let is_busy = matches!(error, Self::Busy | Self::Conflict | Self::Behind);
                is_busy || matches!(error, Self::StoreUnavailable(_) | Self::ClerkUnavailable(_))
            }
        }
    }

    /// Whether MongoDB refused single documents, and took the others.
    pub fn is_of_a_document(&self) -> bool {
        match self {
            Self::Met(error) => error.is_of_a_document(),
            Self::Store(error) => error.is_of_a_document(),
            _ => false,
        }
    }

    /// Whether it waits for the right key, which is no fault of what was asked for.
    pub fn is_key_refused(&self) -> bool {
        match self {
            Self::Met(error) => error.is_key_refused(),
            error => matches!(error, Self::Clerk(clerk::Error::Unauthorized) | Self::ForeignKey),
        }
    }

    /// How long to wait before asking again: what Clerk asked for (D2-13), or what our own limit says (D7-08).
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::ClerkUnavailable(clerk::Error::RateLimited { retry_after }) => *retry_after,
            Self::ClerkUnavailable(clerk::Error::CircuitOpen { retry_after }) | Self::TooOften { retry_after } => {
                Some(*retry_after)
            }
            // Nobody knows how long the other one takes.
            Self::Exporting => Some(Duration::from_secs(5)),
            Self::Met(error) => error.retry_after(),
            _ => None,
        }
    }

    /// The cause in few words to keep with an event: codes, and no text of others, which may carry personal values.
    pub fn cause(&self) -> String {
        match self {
            Self::Store(error) => {
                format!("MongoDB refused{}", error.code().map(|code| format!(" (code {code})")).unwrap_or_default())
            }
            Self::Unstorable { code: Some(code) } => format!("MongoDB refused (code {code})"),
            Self::Clerk(clerk::Error::Rejected { status, code, .. }) => format!("Clerk refused ({status} {code})"),
            Self::Clerk(clerk::Error::Unauthorized) => "Clerk refused the secret key".to_owned(),
            error => error.to_string(),
        }
    }

    /// Writes the error to the log, where it stops: our faults at error, the client's at debug.
    pub fn log(&self, doing: &'static str) {
        if matches!(self, Self::Met(_)) {
            return;
        }
        let causes = causes(self);
        if self.status().is_server_error() {
            tracing::error!(doing, error = %causes);
        } else {
            tracing::debug!(doing, error = %causes);
        }
    }
}

/// An error and all its sources in one line.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

impl From<Arc<store::Error>> for Error {
    fn from(error: Arc<store::Error>) -> Self {
        if error.is_unavailable() { Self::StoreUnavailable(error) } else { Self::Store(error) }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::from(Arc::new(error))
    }
}

impl From<inngest::client::Error> for Error {
    fn from(error: inngest::client::Error) -> Self {
        Self::Inngest(error)
    }
}

impl From<clerk::Error> for Error {
    fn from(error: clerk::Error) -> Self {
        if error.is_transient() { Self::ClerkUnavailable(error) } else { Self::Clerk(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_status_and_tells_a_browser_nothing_internal() {
        let timed_out = || Arc::new(store::Error::TimedOut);
        let table = [
            (Error::Unauthenticated { reason: "token-expired".into() }, 401, AppError::Unauthenticated),
            (Error::Forbidden, 403, AppError::Forbidden),
            (Error::Barred, 403, AppError::Barred),
            (Error::Stale, 403, AppError::Stale),
            (Error::NotFound { what: "This page" }, 404, AppError::NotFound { what: "This page".to_owned() }),
            (
                Error::Refused { field: "username", message: "Taken.".to_owned() },
                422,
                AppError::Invalid { field: "username".to_owned(), message: "Taken.".to_owned() },
            ),
            (Error::TooOften { retry_after: Duration::from_secs(1) }, 429, AppError::TooOften),
            (Error::Exporting, 429, AppError::Exporting),
            (Error::Conflict, 409, AppError::Conflict),
            (Error::Busy, 503, AppError::Unavailable),
            (Error::Behind, 503, AppError::Unavailable),
            (Error::Panicked, 500, AppError::Internal),
            (Error::from(timed_out()), 503, AppError::Unavailable),
            (Error::Store(timed_out()), 500, AppError::Internal),
            (Error::Clerk(clerk::Error::NotFound), 500, AppError::Internal),
            (Error::Unreadable, 500, AppError::Internal),
            (Error::ForeignKey, 500, AppError::Internal),
            (Error::Unstorable { code: Some(121) }, 500, AppError::Internal),
            (Error::Inngest(inngest::client::Error::NoEventKey), 500, AppError::Internal),
            (Error::OutsideRequest, 500, AppError::Internal),
        ];
        for (error, status, public) in table {
            assert_eq!(error.status().as_u16(), status, "{error}");
            assert_eq!(error.public(), public, "{error}");
        }
    }
}
