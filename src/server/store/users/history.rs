//! What changed about a person, kept in the document by the same write as the change (C-6).
//!
//! Names of fields, and values of those only that say nothing personal. The list is bounded: of what is older, the events
//! and the audit trail remain.

use std::collections::HashMap;
use std::sync::Arc;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Document, deserialize_from_document, doc, serialize_to_bson};
use serde::{Deserialize, Serialize};

use crate::model::user::SyncSource;
use crate::server::store::Error;
use crate::server::store::encoding::date;
use crate::server::store::users::Users;

/// So many of the newest entries stay with a person.
pub const MOST_ENTRIES: i32 = 50;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(with = "date")]
    pub at: Timestamp,
    /// The event that brought it, if it came as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// None: it was made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SyncSource>,
    pub fields: Vec<FieldChange>,
}

/// One field of it; without values if they are personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    pub field: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    clerk_id: String,
    #[serde(default)]
    history: Vec<Entry>,
}

impl Users {
    /// As `find_history`, together with whoever else is looked for at this moment.
    pub async fn find_history_together(&self, clerk_id: &str) -> Result<Vec<Entry>, Arc<Error>> {
        let users = self.clone();
        let found = self.histories.ask(clerk_id, move |ids| {
            let users = users.clone();
            async move { users.look_up_histories(&ids).await }
        });
        match found.await? {
            Some(history) => Ok(history),
            // What cannot be read has an error of its own.
            None => Ok(self.find_history(clerk_id).await?),
        }
    }

    async fn look_up_histories(&self, clerk_ids: &[String]) -> Result<HashMap<String, Option<Vec<Entry>>>, Error> {
        let rows = self.documents.clone_with_type::<Document>();
        let theirs = doc! { "clerkId": { "$in": clerk_ids } };
        let found = rows.find(theirs).projection(doc! { "_id": 0, "clerkId": 1, "history": 1 }).await?;
        let found: Vec<Document> = found.try_collect().await?;
        let read = found.into_iter().filter_map(|row| deserialize_from_document::<Row>(row).ok());
        Ok(read.map(|row| (row.clerk_id, Some(row.history))).collect())
    }

    /// The oldest first.
    pub async fn find_history(&self, clerk_id: &str) -> Result<Vec<Entry>, Error> {
        let rows = self.documents.clone_with_type::<Document>();
        let row = rows.find_one(doc! { "clerkId": clerk_id }).projection(doc! { "clerkId": 1, "history": 1 }).await?;
        let read = row.map(deserialize_from_document::<Row>).transpose().map_err(mongodb::error::Error::custom)?;
        Ok(read.map(|row| row.history).unwrap_or_default())
    }
}

/// What `$push` adds of it to a document.
pub fn addition(entries: &[Entry]) -> mongodb::error::Result<Document> {
    let each = serialize_to_bson(entries).map_err(mongodb::error::Error::custom)?;
    Ok(doc! { "$each": each, "$slice": -MOST_ENTRIES })
}
