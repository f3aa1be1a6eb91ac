//! Taking one's data along, and leaving: the export of what is kept about oneself, and the deletion of one's account.

use jiff::Timestamp;
use serde_json::Value;

use crate::model::audit::{Action, Fact};
use crate::model::notice::Notice;
use crate::server::access::Viewer;
use crate::server::accounts::impersonation::own_fact;
use crate::server::accounts::moderation::undo;
use crate::server::accounts::{NOBODY, departures};
use crate::server::clerk;
use crate::server::erasure::strip;
use crate::server::error::Error;
use crate::server::settings::fields::Fields;
use crate::server::state::AppState;
use crate::server::store::dossier::Dossier;
use crate::server::sync::apply::Incoming;
use crate::server::sync::process::write;

/// Of an entry of the audit trail: what was done and when. Who did it, and in which words, is about somebody else.
const TOLD_OF_ENTRIES: [&str; 6] = ["_id", "at", "source", "action", "before", "after"];

/// Everything that is kept about the viewer and is theirs to see; on record in the audit trail.
///
/// What Clerk keeps from front ends (private metadata) is kept from this too, and of other people's doings only what they
/// did. An operator's `rollcall users export` gives everything.
///
/// # Errors
/// `Forbidden` in somebody else's name (D4-17), `Stale` without a fresh proof (D4-25), `TooOften`, or MongoDB's.
pub async fn export_profile(state: &AppState, viewer: &Viewer) -> Result<Dossier, Error> {
    viewer.demand_own_hand()?;
    viewer.demand_fresh_factor(state)?;
    let id = &viewer.user().clerk_id;
    state.limits.edits.take(id)?;
    state.store.audit.append(&own_fact(viewer, Action::ExportUser)).await?;
    let dossier = state.store.find_dossier(id).await?.ok_or(NOBODY)?;
    Ok(for_themselves(dossier, id, &state.settings.fields))
}

fn for_themselves(mut dossier: Dossier, clerk_id: &str, fields: &Fields) -> Dossier {
    if let Some(user) = dossier.user.as_object_mut() {
        // Effects carry what goes to other systems, private fields among it; the jobs say what they are.
        user.remove("outbox");
        for hidden in fields.rows().iter().filter(|field| !field.is_shown()) {
            user.remove(hidden.name);
        }
    }
    for event in &mut dossier.events {
        remove_private(&mut event["payload"]);
    }
    for job in dossier.jobs.iter_mut().filter_map(Value::as_object_mut) {
        job.remove("body");
        job.remove("cause");
    }
    for entry in dossier.audit.iter_mut().filter_map(Value::as_object_mut) {
        let is_own = entry.get("actor").and_then(Value::as_str) == Some(clerk_id);
        entry.retain(|name, _| is_own || TOLD_OF_ENTRIES.contains(&name.as_str()));
    }
    dossier
}

fn remove_private(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("private_metadata");
            object.values_mut().for_each(remove_private);
        }
        Value::Array(items) => items.iter_mut().for_each(remove_private),
        _ => {}
    }
}

/// Deletes the viewer's account: at Clerk, which ends their sessions, and here, where a tombstone stays. It is in the audit
/// trail before it happens; what Clerk then refuses is recorded as undone. `typed` must be their username or address.
///
/// # Errors
/// `Refused` when something else was typed or no other admin would be left, `Forbidden` in somebody else's name (D4-17),
/// `Stale` without a fresh proof (D4-25); Clerk's, and MongoDB's.
pub async fn delete_account(state: &AppState, viewer: &Viewer, typed: &str) -> Result<Notice, Error> {
    viewer.demand_own_hand()?;
    viewer.demand_fresh_factor(state)?;
    let user = viewer.user();
    let refused = |message: &str| Err(Error::Refused { field: "typed", message: message.to_owned() });
    let typed = typed.trim();
    let names = [&user.username, &user.email, &Some(user.clerk_id.clone())];
    if !names.into_iter().flatten().any(|name| name.to_lowercase() == typed.to_lowercase()) {
        return refused("This is not your username or e-mail address.");
    }
    let fact = Fact {
        before: Some("kept".to_owned()),
        after: Some("deleted".to_owned()),
        ..own_fact(viewer, Action::DeleteAccount)
    };
    let last = ["typed", "The last admin cannot leave. Make somebody else an admin first."];
    let departing = departures::begin(state, None, &fact, false, last).await?;
    let deleted = delete(state, fact).await;
    departing.end(state, &deleted).await;
    deleted
}

/// Clerk first, and then here.
async fn delete(state: &AppState, fact: Fact) -> Result<Notice, Error> {
    let id = fact.subject.clone();
    match state.clerk.delete_user(&id).await {
        Ok(()) | Err(clerk::Error::NotFound) => {}
        Err(error) => return Err(undo(state, fact, error).await),
    }
    write(state, Incoming::Deleted { clerk_id: id.clone(), at: Timestamp::now() }).await?;
    // Whatever the setting keeps of others: this is their own wish, and what the page promised them.
    strip(state, &id).await?;
    tracing::info!(user.id = id, "account deleted by its owner");
    Ok(Notice::done("Your account is deleted."))
}
