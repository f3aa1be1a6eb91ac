//! Collection `secrets`: when deliveries signed by each webhook secret first and last came (C-9).
//!
//! A secret is known here by its fingerprint alone, from which it cannot be had back.

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::doc;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::server::store::Error;
use crate::server::store::encoding::{date, to_date};

/// One secret's use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretUse {
    #[serde(rename = "_id")]
    pub fingerprint: String,
    #[serde(with = "date")]
    pub first_used_at: Timestamp,
    #[serde(with = "date")]
    pub last_used_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Secrets {
    documents: Collection<SecretUse>,
}

impl Secrets {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("secrets") }
    }

    /// A delivery signed by this secret came.
    pub async fn record_use(&self, fingerprint: &str, at: Timestamp) -> Result<(), Error> {
        let at = to_date(at);
        let seen = doc! { "$min": { "firstUsedAt": at }, "$max": { "lastUsedAt": at } };
        self.documents.update_one(doc! { "_id": fingerprint }, seen).upsert(true).await?;
        Ok(())
    }

    /// Every secret that was ever used, the last used first.
    pub async fn list(&self) -> Result<Vec<SecretUse>, Error> {
        Ok(self.documents.find(doc! {}).sort(doc! { "lastUsedAt": -1 }).await?.try_collect().await?)
    }
}
