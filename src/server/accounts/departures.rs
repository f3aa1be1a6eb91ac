//! Bans, locks and deletions happen at Clerk first, so whoever is about to go is marked before it: of two at once that would
//! together leave no admin, the later is refused (D5-12).

use std::time::Duration;

use jiff::Timestamp;

use crate::model::audit::Fact;
use crate::server::access::{Admin, Viewer};
use crate::server::clerk;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::roles::{Begun, Departure, Mark};

/// What Clerk did in a call that nobody saw the end of has come by webhook until then.
const LASTS_AT_MOST: Duration = Duration::from_mins(2);

/// A departure under way. Unless it is ended, it counts for a while.
#[must_use]
#[derive(Debug)]
pub struct Departing(Mark);

/// Begins the departure of the fact's subject and records it; `words` are for whoever would leave no admin. A rehearsal only
/// finds out whether it could.
///
/// # Errors
/// `Refused` when no admin would be left, `Forbidden` when whoever asks is none any more; MongoDB's.
pub async fn begin(
    state: &AppState,
    by: Option<String>,
    fact: &Fact,
    is_rehearsal: bool,
    [field, words]: [&'static str; 2],
) -> Result<Departing, Error> {
    let until = Timestamp::now() + LASTS_AT_MOST;
    let departure = Departure { by, fact: fact.clone(), until, is_rehearsal };
    match state.store.roles.begin_departure(&departure).await? {
        Begun::Yes(mark) => Ok(Departing(mark)),
        Begun::NotByAdmin => Err(Error::Forbidden),
        Begun::LastAdmin => Err(Error::Refused { field, message: words.to_owned() }),
    }
}

impl Departing {
    /// Over, if its end is known: what is stored then says the rest.
    pub async fn end<T>(self, state: &AppState, outcome: &Result<T, Error>) {
        let is_known = match outcome {
            Ok(_) => true,
            // Not even asked.
            Err(Error::ClerkUnavailable(error)) => {
                matches!(error, clerk::Error::RateLimited { .. } | clerk::Error::CircuitOpen { .. })
            }
            Err(error) => !error.is_passing(),
        };
        if is_known && let Err(error) = state.store.roles.end_departure(self.0).await {
            Error::from(error).log("end_departure");
        }
    }
}

/// Who must still be an admin when somebody else departs. An operator at the console has no document, and that of an admin
/// by `ADMIN_EMAIL` does not say so.
pub fn stored_admin(admin: &Admin) -> Option<String> {
    let by = admin.viewer().map(Viewer::user).filter(|by| by.role.is_admin());
    by.map(|by| by.clerk_id.clone())
}
