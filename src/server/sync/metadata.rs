//! Whose id and role Clerk's public metadata does not hold as MongoDB has them, and the push of those (A2-15).
//!
//! Everybody in Clerk's list is compared; whoever differs gets the job that every change has as its effect, which asks
//! Clerk again and merges. No run: it writes nothing here, and doing it twice costs questions only.

use std::collections::HashMap;

use serde::Serialize;

use crate::model::audit::{Action, Fact};
use crate::server::access::Admin;
use crate::server::accounts::{Intent, NOBODY};
use crate::server::clerk;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::runs::Place;
use crate::server::store::users::User;
use crate::server::sync::apply::Claims;
use crate::server::sync::effects::metadata_of;
use crate::server::sync::instance::refusal;
use crate::server::sync::intervention::ensure_own_name;
use crate::server::sync::mapping::claims_of;
use crate::server::sync::ports::Ports;
use crate::server::sync::scan::examine::find_pushes;
use crate::server::sync::scan::patiently;
use crate::server::sync::scan::place::fetch;

/// So many are named.
const MOST_NAMED: usize = 100;
/// What the audit trail says instead of an id.
const EVERYBODY: &str = "everybody";

/// What was found, in people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// At Clerk, when it began.
    pub total: u64,
    pub seen: u64,
    /// Those who are pushed, or would be.
    pub differing: u64,
    /// Those who differ, and whose push was asked for before.
    pub on_their_way: u64,
    /// Those who are not here, or are deleted or unreadable.
    pub absent: u64,
    /// The first of those who are pushed.
    pub people: Vec<String>,
}

/// Pushes this person, or everybody, as far as Clerk's metadata differs. `watcher` sees each step.
///
/// # Errors
/// `Refused` where metadata is not written, or for the key of another instance; `NotFound`; MongoDB's or Clerk's.
pub async fn push_metadata(
    state: &AppState,
    admin: &Admin,
    whom: Option<&str>,
    intent: &Intent,
    watcher: &(dyn Fn(&Compared) + Send + Sync),
) -> Result<Compared, Error> {
    ensure_own_name(admin)?;
    if !state.plan.metadata {
        let message = "Clerk's metadata is not written: ROLLCALL_METADATA is off.".to_owned();
        return Err(Error::Refused { field: "metadata", message });
    }
    if let Some(message) = refusal(state).await? {
        return Err(Error::Refused { field: "metadata", message });
    }
    if !intent.is_rehearsal {
        let subject = whom.unwrap_or(EVERYBODY).to_owned();
        let (actor, reason) = (admin.actor(), intent.reason.clone());
        let fact = Fact { actor, action: Action::PushMetadata, subject, before: None, after: None, reason };
        state.store.audit.append(&fact).await?;
    }
    if let Some(id) = whom {
        let one = match state.clerk.fetch_user(id).await {
            Err(clerk::Error::NotFound) => return Err(NOBODY),
            one => one?,
        };
        return weigh(state, Compared { total: 1, ..Compared::default() }, &[one], intent).await;
    }
    let total = patiently(|| async { Ok(state.clerk.count_users().await?) }).await?;
    let (mut compared, mut place) = (Compared { total, ..Compared::default() }, Place::default());
    loop {
        let page = fetch(state, &place).await?;
        if page.is_empty() {
            return Ok(compared);
        }
        compared = patiently(|| weigh(state, compared.clone(), &page, intent)).await?;
        watcher(&compared);
        place = place.after(&page);
    }
}

async fn weigh(
    state: &AppState,
    mut compared: Compared,
    page: &[wire::User],
    intent: &Intent,
) -> Result<Compared, Error> {
    let claims: HashMap<&str, Claims> = page.iter().map(|user| (user.id.as_str(), claims_of(user))).collect();
    let ids: Vec<&str> = page.iter().map(|user| user.id.as_str()).collect();
    let found = state.find_people(&ids).await?;
    let living: Vec<&User> = found.users.iter().filter(|user| user.deleted_at.is_none()).collect();
    let differs = |user: &&&User| claims.get(user.clerk_id.as_str()) != Some(&Claims::wanted(user));
    let differing: Vec<&str> = living.iter().filter(differs).map(|user| user.clerk_id.as_str()).collect();
    let on_their_way = find_pushes(state, &differing).await?;
    let is_due = |user: &&&User| differs(user) && !on_their_way.contains(&user.clerk_id);
    let due: Vec<&User> = living.iter().filter(is_due).copied().collect();
    if !intent.is_rehearsal {
        state.add_jobs(&due.iter().map(|user| metadata_of(user)).collect::<Vec<_>>()).await?;
    }
    compared.seen += page.len() as u64;
    compared.differing += due.len() as u64;
    compared.on_their_way += on_their_way.len() as u64;
    compared.absent += (page.len() - living.len()) as u64;
    let places = MOST_NAMED.saturating_sub(compared.people.len());
    compared.people.extend(due.iter().take(places).map(|user| user.clerk_id.clone()));
    Ok(compared)
}
