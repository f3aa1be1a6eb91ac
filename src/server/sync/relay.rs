//! Hands a verified and stored event to Inngest, which calls back for it (A3-13). The event stays in the inbox, due later:
//! if the call never comes, the local worker carries it out. What Inngest may call is registered when an operator says so.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::audit::{Action, Fact};
use crate::server::access::Admin;
use crate::server::accounts::Intent;
use crate::server::error::Error;
use crate::server::inngest::client::{self, Registered};
use crate::server::state::AppState;
use crate::server::store::events::Event;

/// Whether this event goes to Inngest: those about people do, if the relay is on.
pub fn is_relayed(state: &AppState, event: &Event) -> bool {
    state.settings.inngest.relay && event.clerk_id.is_some()
}

/// When the local worker carries out a relayed event that arrived at `now`, if nobody called for it.
pub fn due_at(state: &AppState, now: Timestamp) -> Timestamp {
    now.saturating_add(state.settings.inngest.fallback).unwrap_or(Timestamp::MAX)
}

/// Sends the event under its own id, so that Inngest starts one run however often it is delivered.
///
/// # Errors
/// `Inngest` when it was not taken: the sender should deliver it again.
pub async fn forward(state: &AppState, event: &Event) -> Result<(), Error> {
    let Some(inngest) = &state.inngest else { return Ok(()) };
    let mut payload: Value = serde_json::from_str(&event.payload).unwrap_or_default();
    let sent = client::Event {
        id: event.id.clone(),
        name: format!("clerk/{}", event.kind),
        data: payload.get_mut("data").map(Value::take).unwrap_or_default(),
        ts: event.event_at.unwrap_or(event.received_at).as_millisecond(),
    };
    Ok(inngest.send(&sent).await?)
}

/// Registers our functions and our address. `None`: as a rehearsal, or where Inngest is not configured, nothing happens.
///
/// # Errors
/// `Inngest`; MongoDB's.
pub async fn register(state: &AppState, admin: &Admin, intent: &Intent) -> Result<Option<Registered>, Error> {
    let Some(inngest) = state.inngest.as_ref().filter(|_| !intent.is_rehearsal) else { return Ok(None) };
    let subject = inngest.config.app_id.clone();
    let (actor, reason) = (admin.actor(), intent.reason.clone());
    let fact = Fact { actor, action: Action::SyncInngest, subject, before: None, after: None, reason };
    state.store.audit.append(&fact).await?;
    let registered = inngest.register(None, None).await;
    if registered.is_err() {
        state.store.audit.append(&Fact { action: Action::Undone, reason: None, ..fact }).await?;
    }
    Ok(Some(registered?))
}
