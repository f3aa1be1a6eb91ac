//! The indexes of `events`.

use std::time::Duration;

use futures::TryStreamExt;
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};

use crate::model::event::EventState;
use crate::model::failure::{FAILURES, cause_of};
use crate::server::store::commands::write_each;
use crate::server::store::events::{Events, in_states, odd_states};
use crate::server::store::expiry::{ensure_expiry, forget_index};
use crate::server::store::{Error, partial_index};

const NAMED_AT_ONCE: usize = 500;

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 7] = [
    "dueAt_1",
    "state_1_receivedAt_-1_rare",
    "cause_1_state_1_receivedAt_-1",
    "kind_1_state_1_receivedAt_-1",
    "clerkId_1_receivedAt_-1",
    "deliveries_1",
    "receivedAt_1",
];

/// Indexes of earlier versions, in whose places others stand now.
const REPLACED: [&str; 2] = ["kind_1_receivedAt_-1", "state_1_receivedAt_-1_odd"];

impl Events {
    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let [due, odd, cause, kind, person, repeated, _] = INDEXES;
        let indexes = [
            // Finished events are not in it, so it stays as small as the backlog.
            partial_index(doc! { "dueAt": 1 }, due, Some(doc! { "dueAt": { "$exists": true } })),
            // What was simply applied is the rest: nearly all, so that the newest of them are found by their arrival.
            partial_index(
                doc! { "state": 1, "receivedAt": -1 },
                odd,
                Some(doc! { "state": { "$in": odd_states().map(EventState::as_str).collect::<Vec<_>>() } }),
            ),
            // Only what failed has a cause.
            partial_index(
                doc! { "cause": 1, "state": 1, "receivedAt": -1 },
                cause,
                Some(doc! { "cause": { "$exists": true } }),
            ),
            partial_index(doc! { "kind": 1, "state": 1, "receivedAt": -1 }, kind, None),
            partial_index(doc! { "clerkId": 1, "receivedAt": -1 }, person, None),
            partial_index(doc! { "deliveries": 1 }, repeated, Some(doc! { "deliveries": { "$gt": 1 } })),
        ];
        self.documents.create_indexes(indexes).await?;
        for name in self.index_names().await?.into_iter().filter(|name| REPLACED.contains(&name.as_str())) {
            forget_index(&self.documents, &name).await?;
        }
        self.settle_discarded().await?;
        self.name_causes().await
    }

    /// MongoDB removes an event `retention` after its arrival.
    pub async fn ensure_expiry(&self, database: &Database, retention: Duration) -> Result<(), Error> {
        let [.., arrival] = INDEXES;
        ensure_expiry(database, &self.documents, ("receivedAt", arrival), Some(retention)).await
    }

    /// What was discarded under an earlier version was among the dead.
    async fn settle_discarded(&self) -> Result<(), Error> {
        let discarded = doc! { "state": EventState::Dead.as_str(), "decision": { "$regex": "^discarded: " } };
        let settled = doc! { "$set": { "state": EventState::Discarded.as_str() }, "$unset": { "cause": "" } };
        self.documents.update_many(discarded, settled).await?;
        Ok(())
    }

    /// What failed under an earlier version has no cause of its own.
    async fn name_causes(&self) -> Result<(), Error> {
        let failed = doc! { "$and": [in_states(&FAILURES), { "cause": Bson::Null }] };
        let rows = self.documents.clone_with_type::<Document>();
        let mut found = rows.find(failed).projection(doc! { "decision": 1 }).await?;
        let mut named: Vec<Document> = Vec::new();
        while let Some(row) = found.try_next().await? {
            let cause = cause_of(row.get_str("decision").unwrap_or_default());
            named.push(doc! { "q": { "_id": row.get("_id") }, "u": { "$set": { "cause": cause } } });
        }
        for some in named.chunks(NAMED_AT_ONCE) {
            write_each(&self.documents, "update", some.to_vec()).await?;
        }
        Ok(())
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}
