//! Collection `mutes`: causes of failures, and alerts, that nobody wants to hear of for a while. MongoDB removes each when its
//! time is over.

use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::doc;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::model::alert::AlertKind;
use crate::server::store::alerts::id_of;
use crate::server::store::encoding::{date, to_date};
use crate::server::store::{Error, partial_index};

/// One cause, or the [key](key_of_alert) of an alert, until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mute {
    #[serde(rename = "_id")]
    pub cause: String,
    #[serde(with = "date")]
    pub until: Timestamp,
    /// Clerk's id of whoever wanted it.
    pub by: String,
}

/// As what an alert is muted: no cause of failures is called so.
pub fn key_of_alert(kind: AlertKind, cause: &str) -> String {
    format!("alert:{}", id_of(kind, cause))
}

#[derive(Clone, Debug)]
pub struct Mutes {
    documents: Collection<Mute>,
}

impl Mutes {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("mutes") }
    }

    pub async fn set(&self, mute: &Mute) -> Result<(), Error> {
        self.documents.replace_one(doc! { "_id": &mute.cause }, mute).upsert(true).await?;
        Ok(())
    }

    /// `false`: it was not muted.
    pub async fn remove(&self, cause: &str) -> Result<bool, Error> {
        Ok(self.documents.delete_one(doc! { "_id": cause }).await?.deleted_count == 1)
    }

    /// Those whose time is not over: MongoDB takes a minute to remove the others.
    pub async fn list(&self, now: Timestamp) -> Result<Vec<Mute>, Error> {
        Ok(self.documents.find(doc! { "until": { "$gt": to_date(now) } }).await?.try_collect().await?)
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let mut expiring = partial_index(doc! { "until": 1 }, INDEXES[0], None);
        expiring.options.get_or_insert_default().expire_after = Some(Duration::ZERO);
        self.documents.create_index(expiring).await?;
        Ok(())
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 1] = ["until_1"];
