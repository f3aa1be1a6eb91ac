//! What must be true when nothing moves any more: MongoDB equals Clerk, everything acknowledged has ended, and no effect
//! was had twice (INV, requirements D2).

use crate::model::event::EventState;
use crate::model::job::JobKind;
use crate::model::user::SyncSource;
use crate::server::store::users::User;
use crate::server::sync::apply::{Change, Claims, apply};
use crate::server::sync::history::unexplained;
use crate::server::sync::mapping::{claims_of, from_fetched};
use crate::server::sync::simulation::clerk::{Clerk, Member};
use crate::server::sync::simulation::store::{Local, Store, is_pending};
use crate::server::sync::simulation::world::{FIELDS, Universe};

/// Whether nothing is on its way and nothing waits.
pub fn is_quiet(universe: &Universe) -> bool {
    let Universe { store, processes, .. } = universe;
    universe.outside == 0
        && processes.iter().all(|state| state.is_up && state.arrivals.is_empty())
        && !store.events.values().any(is_pending)
        && store.deliveries.values().all(|(_, due)| due.is_none())
        && store.jobs.values().all(|job| job.is_done)
        && store.people.values().all(|row| row.outbox.is_empty())
}

/// The first thing that is wrong.
pub fn examine(universe: &Universe) -> Result<(), String> {
    let Universe { store, clerk, .. } = universe;
    if let Some(breach) = store.breaches.first() {
        return Err(breach.clone());
    }
    for (id, row) in &store.people {
        let odd = unexplained(&row.user, &row.history, &FIELDS);
        if !odd.is_empty() {
            return Err(format!("the history of {id} does not lead to its {}", odd.join(", ")));
        }
    }
    for member in &clerk.members {
        examine_person(store, clerk, member)?;
    }
    if let Some(stranger) = store.people.keys().find(|id| !clerk.members.iter().any(|member| member.id == **id)) {
        return Err(format!("Clerk never knew {stranger}"));
    }
    let is_ended = |state| matches!(state, EventState::Applied | EventState::Stale | EventState::Duplicate);
    for event in store.events.values() {
        let is_personal = event.payload.contains("\"user.");
        let is_right = if is_personal { is_ended(event.state) } else { event.state == EventState::Ignored };
        if !is_right {
            return Err(format!("{} ended as {:?}: {:?}", event.id, event.state, event.decision));
        }
    }
    examine_effects(store)
}

fn examine_person(store: &Store, clerk: &Clerk, member: &Member) -> Result<(), String> {
    let id = &member.id;
    let row = store.people.get(id);
    let Some(answer) = clerk.answer(id) else {
        return match row {
            Some(row) if row.user.deleted_at.is_some() => Ok(()),
            Some(_) => Err(format!("{id} is deleted at Clerk and lives here")),
            None => Err(format!("{id} is deleted at Clerk and has no tombstone")),
        };
    };
    let Some(stored) = row.map(|row| &row.user) else { return Err(format!("{id} is missing")) };
    let incoming = from_fetched(&answer, SyncSource::Refetch, stored.created_at, &FIELDS);
    let Change::Insert(wanted) = apply(None, &incoming, &stored.id, stored.created_at) else {
        return Err(format!("{id}: Clerk's answer makes no document"));
    };
    let mut differing = differing(stored, &wanted);
    if answer.updated_at.is_none() {
        differing.retain(|field| !["updatedAt", "version"].contains(field));
    }
    if !differing.is_empty() {
        return Err(format!("{id} differs from Clerk in {}", differing.join(", ")));
    }
    let claims = claims_of(&answer);
    if claims != Claims::wanted(stored) {
        return Err(format!(
            "Clerk holds {claims:?} of {id}, which is here {} with the role {}",
            stored.id, stored.role
        ));
    }
    let has_address =
        |local: &&Local| stored.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(&local.found.email));
    if let Some(local) = store.locals.iter().find(has_address) {
        return Err(format!("{id} is here twice: also as the application's own {}", local.found.id));
    }
    let is_contested = store.locals.iter().any(|local| local.username.is_some() && local.username == member.username);
    let has_own = stored.username == wanted.username && !stored.username_conflict;
    let has_suffix = stored.username_conflict
        && stored
            .username
            .as_deref()
            .zip(member.username)
            .is_some_and(|(name, own)| name.starts_with(&format!("{own}-")));
    if (is_contested && has_suffix) || (!is_contested && has_own) {
        return Ok(());
    }
    Err(format!("{id} wants the name {:?} and has {:?} (contested: {is_contested})", member.username, stored.username))
}

fn differing(stored: &User, wanted: &User) -> Vec<&'static str> {
    let compared = [
        ("deletedAt", stored.deleted_at == wanted.deleted_at),
        ("email", (&stored.email, stored.email_verified) == (&wanted.email, wanted.email_verified)),
        ("emails", stored.emails == wanted.emails),
        ("firstName", stored.first_name == wanted.first_name),
        ("lastName", stored.last_name == wanted.last_name),
        ("name", stored.name == wanted.name),
        ("clerkUsername", stored.clerk_username == wanted.clerk_username),
        ("imageUrl", stored.image_url == wanted.image_url),
        ("role", stored.role == wanted.role),
        ("rolePending", stored.role_pending == wanted.role_pending),
        ("banned", stored.banned == wanted.banned),
        ("locked", stored.locked == wanted.locked),
        ("authProvider", stored.auth_provider == wanted.auth_provider),
        ("syncStatus", stored.sync_status == wanted.sync_status),
        ("createdAt", stored.created_at == wanted.created_at),
        ("updatedAt", stored.updated_at == wanted.updated_at),
        ("fields", stored.fields == wanted.fields),
        ("version", stored.version.updated_at == wanted.version.updated_at),
    ];
    compared.into_iter().filter_map(|(field, is_same)| (!is_same).then_some(field)).collect()
}

/// Each effect once, and none without a change.
fn examine_effects(store: &Store) -> Result<(), String> {
    for effect in store.effects.values() {
        let times = store.seen.get(&effect.key).copied().unwrap_or_default();
        let is_right = if effect.kind == JobKind::Metadata { times >= 1 } else { times == 1 };
        if !is_right {
            return Err(format!("{} was had {times} times", effect.key));
        }
    }
    match store.seen.keys().find(|key| !store.effects.contains_key(*key)) {
        Some(key) => Err(format!("{key} was had without a change")),
        None => Ok(()),
    }
}
