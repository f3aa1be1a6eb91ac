//! Collection `instances`: the processes at work, each by a document that it keeps fresh. One that died is gone from the
//! list within seconds, and from the collection within a minute or two.

use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{doc, serialize_to_document};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::server::store::encoding::{date, to_date};
use crate::server::store::{Error, partial_index};

/// Who did not say anything for so long is not at work.
const FRESH_FOR: Duration = Duration::from_secs(15);

/// One process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    #[serde(rename = "_id")]
    pub id: String,
    pub version: String,
    #[serde(with = "date")]
    pub started_at: Timestamp,
    #[serde(with = "date")]
    pub seen_at: Timestamp,
    /// Calls to Clerk that it may make at once now, of so many in ten seconds that are its part.
    pub clerk_calls_left: i64,
    pub clerk_calls: i64,
    pub is_circuit_open: bool,
    /// Clerk took the key for a call.
    #[serde(default)]
    pub has_keys: bool,
    /// Webhooks that may still wait to be stored.
    pub inbox_free: i64,
}

#[derive(Clone, Debug)]
pub struct Instances {
    documents: Collection<Instance>,
}

impl Instances {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("instances") }
    }

    /// It is at work.
    pub async fn beat(&self, instance: &Instance) -> Result<(), Error> {
        let written = |error| Error::from(mongodb::error::Error::custom(error));
        let fields = serialize_to_document(instance).map_err(written)?;
        self.documents.update_one(doc! { "_id": &instance.id }, doc! { "$set": fields }).upsert(true).await?;
        Ok(())
    }

    /// It has ended.
    pub async fn leave(&self, id: &str) -> Result<(), Error> {
        self.documents.delete_one(doc! { "_id": id }).await?;
        Ok(())
    }

    /// Those at work, the oldest first.
    pub async fn list(&self, now: Timestamp) -> Result<Vec<Instance>, Error> {
        let since = now.saturating_sub(FRESH_FOR).unwrap_or(Timestamp::MIN);
        let fresh = doc! { "seenAt": { "$gte": to_date(since) } };
        Ok(self.documents.find(fresh).sort(doc! { "startedAt": 1 }).limit(1_000).await?.try_collect().await?)
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let mut expiring = partial_index(doc! { "seenAt": 1 }, INDEXES[0], None);
        expiring.options.get_or_insert_default().expire_after = Some(FRESH_FOR);
        self.documents.create_index(expiring).await?;
        Ok(())
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 1] = ["seenAt_1"];
