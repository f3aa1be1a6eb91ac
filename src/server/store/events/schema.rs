//! The indexes of `events`.

use std::time::Duration;

use mongodb::Database;
use mongodb::bson::doc;

use crate::server::store::events::{Events, odd_states};
use crate::server::store::{Error, ensure_expiry, partial_index};

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 5] = ["dueAt_1", "state_1_odd", "clerkId_1_receivedAt_-1", "deliveries_1", "receivedAt_1"];

impl Events {
    /// MongoDB removes an event `retention` after its arrival.
    pub async fn ensure_indexes(&self, database: &Database, retention: Duration) -> Result<(), Error> {
        let [due, odd, person, repeated, arrival] = INDEXES;
        let indexes = [
            // Finished events are not in it, so it stays as small as the backlog.
            partial_index(doc! { "dueAt": 1 }, due, Some(doc! { "dueAt": { "$exists": true } })),
            // What was simply applied is the rest.
            partial_index(doc! { "state": 1 }, odd, Some(doc! { "state": { "$in": odd_states() } })),
            partial_index(doc! { "clerkId": 1, "receivedAt": -1 }, person, None),
            partial_index(doc! { "deliveries": 1 }, repeated, Some(doc! { "deliveries": { "$gt": 1 } })),
        ];
        self.documents.create_indexes(indexes).await?;
        ensure_expiry(database, &self.documents, arrival, retention).await
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}
