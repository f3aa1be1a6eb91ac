//! The sync page's numbers, read from the collections.
//!
//! Knows no page and no HTTP.

use jiff::Timestamp;

use crate::model::event::{EventRow, EventState};
use crate::model::sync::{Health, StateCount, SyncOverview};
use crate::server::error::Error;
use crate::server::store::Store;
use crate::server::store::events::Summary;

/// How many events the page lists.
pub const NEWEST: i64 = 50;

/// The mirror now.
pub async fn get_overview(store: &Store) -> Result<SyncOverview, Error> {
    let (totals, redeliveries, newest, oldest_pending_at, (people, deleted_people)) = tokio::try_join!(
        store.events.count_by_state(),
        store.events.count_redeliveries(),
        store.events.list_newest(NEWEST),
        store.events.find_oldest_pending(),
        store.users.count(),
    )?;
    let as_of = Timestamp::now();
    let of = |state| totals.iter().find(|total| total.state == state);
    let counts: Vec<StateCount> = EventState::ALL
        .into_iter()
        .map(|state| StateCount { state, count: of(state).map_or(0, |total| total.count.unsigned_abs()) })
        .collect();
    let waited = oldest_pending_at.map(|at| as_of.duration_since(at).as_secs());
    Ok(SyncOverview {
        as_of,
        health: Health::judge(&counts, waited),
        counts,
        redeliveries,
        people,
        deleted_people,
        last_received_at: newest.first().map(|event| event.received_at),
        oldest_pending_at,
        events: newest.into_iter().map(row).collect(),
    })
}

fn row(event: Summary) -> EventRow {
    EventRow {
        id: event.id,
        kind: event.kind,
        clerk_id: event.clerk_id,
        state: event.state,
        decision: event.decision,
        attempts: event.attempts,
        deliveries: event.deliveries,
        received_at: event.received_at,
        finished_at: event.finished_at,
    }
}
