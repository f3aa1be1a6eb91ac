//! What changed about a person, kept in the document by the same write as the change (C-6).
//!
//! Names of fields, and values of those only that say nothing personal. The list is bounded: of what is older, the events
//! and the audit trail remain.

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

impl Users {
    /// The oldest first.
    pub async fn find_history(&self, clerk_id: &str) -> Result<Vec<Entry>, Error> {
        #[derive(Deserialize)]
        struct Row {
            #[serde(default)]
            history: Vec<Entry>,
        }
        let rows = self.documents.clone_with_type::<Document>();
        let row = rows.find_one(doc! { "clerkId": clerk_id }).projection(doc! { "history": 1 }).await?;
        let read = row.map(deserialize_from_document::<Row>).transpose().map_err(mongodb::error::Error::custom)?;
        Ok(read.map(|row| row.history).unwrap_or_default())
    }
}

/// What `$push` adds of it to a document.
pub fn addition(entries: &[Entry]) -> mongodb::error::Result<Document> {
    let each = serialize_to_bson(entries).map_err(mongodb::error::Error::custom)?;
    Ok(doc! { "$each": each, "$slice": -MOST_ENTRIES })
}
