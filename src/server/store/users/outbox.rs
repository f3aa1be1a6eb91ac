//! Effects that were written with a change and are not jobs yet.

use std::collections::HashSet;

use futures::TryStreamExt;
use mongodb::bson::doc;
use serde::Deserialize;

use crate::server::store::jobs::Effect;
use crate::server::store::users::Users;
use crate::server::store::{Error, write_each};

/// A person whose outbox is not empty.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outbox {
    pub clerk_id: String,
    pub outbox: Vec<Effect>,
}

impl Users {
    /// People whose effects are not jobs yet, as many as `limit`.
    pub async fn list_outboxes(&self, limit: i64) -> Result<Vec<Outbox>, Error> {
        let waiting = doc! { "outbox.key": { "$gt": "" } };
        let rows = self.documents.clone_with_type::<Outbox>();
        Ok(rows.find(waiting).projection(doc! { "clerkId": 1, "outbox": 1 }).limit(limit).await?.try_collect().await?)
    }

    /// Those of these people whose outbox is not empty.
    pub async fn find_outboxes(&self, clerk_ids: &[&str]) -> Result<HashSet<String>, Error> {
        let waiting = doc! { "clerkId": { "$in": clerk_ids }, "outbox.key": { "$gt": "" } };
        let rows = self.documents.clone_with_type::<Outbox>();
        let found = rows.find(waiting).projection(doc! { "clerkId": 1, "outbox": 1 }).await?;
        Ok(found.map_ok(|outbox| outbox.clerk_id).try_collect().await?)
    }

    /// Takes effects that are jobs now out of the outboxes.
    pub async fn clear_outboxes(&self, outboxes: &[Outbox]) -> Result<(), Error> {
        let statement = |outbox: &Outbox| {
            let keys: Vec<&str> = outbox.outbox.iter().map(|effect| effect.key.as_str()).collect();
            let taken = doc! { "$pull": { "outbox": { "key": { "$in": keys } } } };
            doc! { "q": { "clerkId": &outbox.clerk_id }, "u": taken }
        };
        if outboxes.is_empty() {
            return Ok(());
        }
        write_each(&self.documents, "update", outboxes.iter().map(statement).collect()).await.map(|_| ())
    }
}
