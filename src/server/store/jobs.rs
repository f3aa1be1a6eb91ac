//! Collection `jobs`: effects, each under a key that makes it one effect however often it is asked for (design 2.2).
//!
//! What a job does, and when it is tried again, is decided elsewhere.

use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use mongodb::{Collection, Database, IndexModel, options::IndexOptions};
use serde::{Deserialize, Serialize};

use crate::model::job::{JobKind, JobState};
use crate::server::store::encoding::{date, optional_date, to_date};
use crate::server::store::{Error, write_each};

/// Something to be done because of a change, as it stands in a person's outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// The same effect has the same key, whoever asks for it.
    pub key: String,
    pub kind: JobKind,
    pub clerk_id: String,
    /// JSON, for the kinds that carry something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// One effect and its history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The effect's key.
    #[serde(rename = "_id")]
    pub id: String,
    pub kind: JobKind,
    pub clerk_id: Option<String>,
    pub body: Option<String>,
    pub state: JobState,
    pub attempts: u32,
    /// Counts how often it was asked for; an end belongs to the asking that was read.
    pub generation: i64,
    /// When the next attempt is due; absent when there is none.
    #[serde(default, with = "optional_date", skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    pub cause: Option<String>,
    #[serde(with = "date")]
    pub created_at: Timestamp,
    #[serde(default, with = "optional_date")]
    pub finished_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct Jobs {
    documents: Collection<Job>,
}

impl Jobs {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("jobs") }
    }

    /// Adds the effects whose key is new. One that may be asked for again is made due again.
    pub async fn add(&self, effects: &[Effect], now: Timestamp) -> Result<(), Error> {
        if effects.is_empty() {
            return Ok(());
        }
        let statements = effects.iter().map(|effect| addition(effect, now)).collect();
        write_each(&self.documents, "update", statements).await.map(|_| ())
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let [due, person] = INDEXES;
        let named = |keys: Document, name: &str, partial: Option<Document>| {
            let mut options = IndexOptions::builder().name(name.to_owned()).build();
            options.partial_filter_expression = partial;
            IndexModel::builder().keys(keys).options(options).build()
        };
        let indexes = [
            named(doc! { "dueAt": 1 }, due, Some(doc! { "dueAt": { "$exists": true } })),
            named(doc! { "clerkId": 1, "createdAt": -1 }, person, None),
        ];
        self.documents.create_indexes(indexes).await?;
        Ok(())
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 2] = ["dueAt_1", "clerkId_1_createdAt_-1"];

fn addition(effect: &Effect, now: Timestamp) -> Document {
    let mut first = doc! { "kind": effect.kind.as_str(), "clerkId": &effect.clerk_id, "createdAt": to_date(now) };
    first.insert("body", effect.body.clone());
    let again = doc! { "state": JobState::Waiting.as_str(), "dueAt": to_date(now), "attempts": 0 };
    let update = if may_be_asked_again(effect.kind) {
        doc! { "$setOnInsert": first, "$set": again, "$inc": { "generation": 1_i64 } }
    } else {
        first.extend(again);
        first.insert("generation", 1_i64);
        doc! { "$setOnInsert": first }
    };
    doc! { "q": { "_id": &effect.key }, "u": update, "upsert": true }
}

/// Whether an effect is a state to reach (asking again is harmless and may be needed) or a thing that happens once.
fn may_be_asked_again(kind: JobKind) -> bool {
    match kind {
        JobKind::Metadata => true,
        JobKind::Welcome | JobKind::Webhook | JobKind::Alert => false,
    }
}
