//! The indexes of `events`.

use std::time::Duration;

use mongodb::Database;
use mongodb::bson::doc;

use crate::model::event::EventState;
use crate::server::store::events::Events;
use crate::server::store::expiry::ensure_expiry;
use crate::server::store::{Error, partial_index};

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 6] = [
    "dueAt_1",
    "state_1_receivedAt_-1_odd",
    "kind_1_receivedAt_-1",
    "clerkId_1_receivedAt_-1",
    "deliveries_1",
    "receivedAt_1",
];

impl Events {
    /// MongoDB removes an event `retention` after its arrival.
    pub async fn ensure_indexes(&self, database: &Database, retention: Duration) -> Result<(), Error> {
        let [due, odd, kind, person, repeated, arrival] = INDEXES;
        let indexes = [
            // Finished events are not in it, so it stays as small as the backlog.
            partial_index(doc! { "dueAt": 1 }, due, Some(doc! { "dueAt": { "$exists": true } })),
            // What was simply applied is the rest: nearly all, so that the newest of them are found by their arrival.
            partial_index(
                doc! { "state": 1, "receivedAt": -1 },
                odd,
                Some(doc! { "state": { "$in": all_but_applied() } }),
            ),
            partial_index(doc! { "kind": 1, "receivedAt": -1 }, kind, None),
            partial_index(doc! { "clerkId": 1, "receivedAt": -1 }, person, None),
            partial_index(doc! { "deliveries": 1 }, repeated, Some(doc! { "deliveries": { "$gt": 1 } })),
        ];
        self.documents.create_indexes(indexes).await?;
        ensure_expiry(database, &self.documents, ("receivedAt", arrival), Some(retention)).await
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

fn all_but_applied() -> Vec<&'static str> {
    EventState::ALL.into_iter().filter(|state| *state != EventState::Applied).map(EventState::as_str).collect()
}
