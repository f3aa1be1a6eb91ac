//! Collection `endpoints`: receivers of our webhook that said they are gone for good. A document is one of them, and as long
//! as it is there nothing is sent.
//!
//! Named by a hash of the address, which may hold a secret: another address is another receiver.

use jiff::Timestamp;
use mongodb::bson::doc;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::server::store::Error;
use crate::server::store::encoding::{date, to_date};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(rename = "_id")]
    id: String,
    #[serde(with = "date")]
    gone_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Endpoints {
    documents: Collection<Endpoint>,
}

impl Endpoints {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("endpoints") }
    }

    /// Since when this one is gone.
    pub async fn find_gone(&self, id: &str) -> Result<Option<Timestamp>, Error> {
        Ok(self.documents.find_one(doc! { "_id": id }).await?.map(|endpoint| endpoint.gone_at))
    }

    /// It said so; the first time counts.
    pub async fn mark_gone(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        let mark = doc! { "$setOnInsert": { "goneAt": to_date(now) } };
        self.documents.update_one(doc! { "_id": id }, mark).upsert(true).await?;
        Ok(())
    }

    /// Somebody says that it is back.
    pub async fn forget(&self, id: &str) -> Result<(), Error> {
        self.documents.delete_one(doc! { "_id": id }).await?;
        Ok(())
    }
}
