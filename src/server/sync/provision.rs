//! Brings a person whose session is valid but whose document is missing: fetched from Clerk, written by the same path
//! as an event (A3-25, C-5), so that sign-up never lands on "not found".
//!
//! One question to Clerk per person and process, however many requests wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use jiff::Timestamp;

use crate::model::user::SyncSource;
use crate::server::clerk;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::users::User;
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::process::write;

/// Who is being fetched right now.
#[derive(Debug, Default)]
pub struct Flights {
    by_person: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

impl Flights {
    fn join(&self, clerk_id: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.by_person.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(clerk_id).and_then(Weak::upgrade) {
            return flight;
        }
        flights.retain(|_, flight| flight.strong_count() > 0);
        let flight = Arc::new(tokio::sync::Mutex::new(()));
        flights.insert(clerk_id.to_owned(), Arc::downgrade(&flight));
        flight
    }
}

/// The stored person, fetched from Clerk first if need be.
///
/// # Errors
/// `Unavailable` when MongoDB or Clerk is away, `NotFound` when Clerk knows no such person.
pub async fn ensure_person(state: &AppState, clerk_id: &str) -> Result<User, Error> {
    if let Some(user) = state.store.users.find_together(clerk_id).await? {
        return Ok(user);
    }
    let flight = state.flights.join(clerk_id);
    let _turn = flight.lock().await;
    let stored = state.store.users.find(clerk_id).await?;
    if let Some(user) = stored {
        return Ok(user);
    }
    let fetched = match state.clerk.fetch_user(clerk_id).await {
        Err(clerk::Error::NotFound) => return Err(Error::NotFound { what: "This account" }),
        fetched => fetched?,
    };
    let incoming = from_fetched(&fetched, SyncSource::Jit, Timestamp::now(), &state.settings.fields);
    let (_, user) = write(state, incoming).await?;
    tracing::info!(user.id = clerk_id, "provisioned on first request");
    user.ok_or(Error::NotFound { what: "This account" })
}
