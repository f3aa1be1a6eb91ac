//! Collection `alerts`: one document a group of the same trouble, and the messages about it that are not jobs yet.
//!
//! Whether something is trouble, and whether it is worth a message, is decided elsewhere.

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use mongodb::options::{IndexOptions, ReturnDocument};
use mongodb::{Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};

use crate::model::alert::{self, AlertKind, AlertState};
use crate::server::store::Error;
use crate::server::store::encoding::{date, optional_date, to_date};
use crate::server::store::jobs::Effect;

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    /// Kind and cause.
    #[serde(rename = "_id")]
    pub id: String,
    pub kind: AlertKind,
    pub cause: String,
    pub state: AlertState,
    /// How many there are, or how often it happened since it opened.
    pub count: i64,
    /// When it opened, this time.
    #[serde(with = "date")]
    pub first_seen_at: Timestamp,
    #[serde(with = "date")]
    pub last_seen_at: Timestamp,
    /// When the last message that it is so was made; over the end of it too, so that a flapping group stays quiet.
    #[serde(default, with = "optional_date")]
    pub last_sent_at: Option<Timestamp>,
    /// The count that was told last, or what was left of it since.
    #[serde(default)]
    pub told_count: i64,
    /// Whether the last message was that it is so.
    #[serde(default)]
    pub is_told: bool,
    /// Why it is so, where failures have causes.
    #[serde(default)]
    pub causes: Causes,
    /// Of which causes there was word.
    #[serde(default)]
    pub told_causes: Vec<String>,
    /// Messages that are not jobs yet.
    #[serde(default)]
    pub outbox: Vec<Effect>,
}

/// The leading causes of a group, and how many more there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Causes {
    pub leading: Vec<Cause>,
    pub others: i64,
}

/// One cause of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    pub cause: String,
    pub count: i64,
    #[serde(with = "date")]
    pub first_seen_at: Timestamp,
    #[serde(with = "date")]
    pub last_seen_at: Timestamp,
}

impl Causes {
    /// As operators read them.
    pub fn shown(&self) -> alert::Causes {
        let shown = |cause: &Cause| alert::Cause {
            cause: cause.cause.clone(),
            count: cause.count.unsigned_abs(),
            first_seen_at: cause.first_seen_at,
            last_seen_at: cause.last_seen_at,
        };
        alert::Causes { leading: self.leading.iter().map(shown).collect(), others: self.others.unsigned_abs() }
    }
}

/// How a count is to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// It happened once more.
    Another,
    /// There are so many.
    Now(i64),
}

#[derive(Clone, Debug)]
pub struct Alerts {
    documents: Collection<Alert>,
}

impl Alerts {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("alerts") }
    }

    /// Opens a group, or says that it is still so, and why. Answers whether it was not open before.
    pub async fn open(
        &self,
        kind: AlertKind,
        cause: &str,
        (count, causes): (Count, &Causes),
        now: Timestamp,
    ) -> Result<bool, Error> {
        let is_open = doc! { "$eq": ["$state", AlertState::Open.as_str()] };
        let count = match count {
            Count::Another => doc! { "$cond": [&is_open, { "$add": ["$count", 1_i64] }, 1_i64] },
            Count::Now(count) => doc! { "$literal": count },
        };
        let fields = doc! {
            "kind": kind.as_str(),
            // As it is, whatever it holds: a `$` in it would be read as a field.
            "cause": { "$literal": cause },
            "state": AlertState::Open.as_str(),
            "count": &count,
            // What was told and is no more says nothing of what comes after it.
            "toldCount": { "$min": [{ "$ifNull": ["$toldCount", 0_i64] }, &count] },
            "firstSeenAt": { "$cond": [&is_open, "$firstSeenAt", to_date(now)] },
            "lastSeenAt": to_date(now),
            "causes": { "leading": still(&causes.leading, &is_open), "others": { "$literal": causes.others } },
        };
        let before = self
            .documents
            .clone_with_type::<Document>()
            .find_one_and_update(doc! { "_id": id_of(kind, cause) }, vec![doc! { "$set": fields }])
            .upsert(true)
            .return_document(ReturnDocument::Before)
            .await?;
        Ok(before.is_none_or(|before| before.get_str("state").ok() != Some(AlertState::Open.as_str())))
    }

    /// It is over.
    pub async fn close(&self, kind: AlertKind, cause: &str) -> Result<(), Error> {
        let open = doc! { "_id": id_of(kind, cause), "state": AlertState::Open.as_str() };
        self.documents.update_one(open, doc! { "$set": { "state": AlertState::Closed.as_str() } }).await?;
        Ok(())
    }

    /// Nobody wants to hear of it: it is closed, and that is not told. Open again, it is news.
    pub async fn hush(&self, kind: AlertKind, cause: &str) -> Result<(), Error> {
        let closed = doc! { "$set": { "state": AlertState::Closed.as_str(), "isTold": false } };
        self.documents.update_one(doc! { "_id": id_of(kind, cause) }, closed).await?;
        Ok(())
    }

    /// Groups of these kinds that were not seen since `since` are over.
    pub async fn close_unseen(&self, kinds: &[AlertKind], since: Timestamp) -> Result<(), Error> {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
        let quiet = doc! {
            "state": AlertState::Open.as_str(),
            "kind": { "$in": kinds },
            "lastSeenAt": { "$lt": to_date(since) },
        };
        self.documents.update_many(quiet, doc! { "$set": { "state": AlertState::Closed.as_str() } }).await?;
        Ok(())
    }

    /// Every group, the last seen first.
    pub async fn list(&self) -> Result<Vec<Alert>, Error> {
        Ok(self.documents.find(doc! {}).sort(doc! { "lastSeenAt": -1 }).limit(1_000).await?.try_collect().await?)
    }

    /// Puts messages about a group into its outbox and remembers that they were made; of several who read the same group,
    /// one succeeds. `causes` are those that there was word of then; none where they say that it is over.
    pub async fn tell(
        &self,
        alert: &Alert,
        causes: Option<&[String]>,
        messages: &[Effect],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let last_sent_at = alert.last_sent_at.map(to_date);
        let unchanged = doc! {
            "_id": &alert.id, "state": alert.state.as_str(), "isTold": { "$in": was_told(alert) },
            "lastSentAt": last_sent_at,
        };
        let mut fields = doc! { "isTold": causes.is_some(), "toldCount": alert.count };
        if let Some(causes) = causes {
            fields.insert("lastSentAt", to_date(now));
            fields.insert("toldCauses", causes);
        }
        let made: Vec<Document> = messages.iter().map(document).collect();
        let update = doc! { "$set": fields, "$push": { "outbox": { "$each": made } } };
        Ok(self.documents.update_one(unchanged, update).await?.matched_count == 1)
    }

    /// Takes messages that are jobs now out of the outbox.
    pub async fn clear_outbox(&self, alert: &Alert) -> Result<(), Error> {
        let keys: Vec<&str> = alert.outbox.iter().map(|effect| effect.key.as_str()).collect();
        let taken = doc! { "$pull": { "outbox": { "key": { "$in": keys } } } };
        self.documents.update_one(doc! { "_id": &alert.id }, taken).await?;
        Ok(())
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let options = IndexOptions::builder().name(INDEXES[0].to_owned()).build();
        let seen = IndexModel::builder().keys(doc! { "lastSeenAt": -1 }).options(options).build();
        self.documents.create_index(seen).await?;
        Ok(())
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 1] = ["lastSeenAt_-1"];

/// What a group goes by.
pub fn id_of(kind: AlertKind, cause: &str) -> String {
    if cause.is_empty() { kind.as_str().to_owned() } else { format!("{}:{cause}", kind.as_str()) }
}

/// These causes, each first seen when it was, if the group was open then: of events that are tried again, only the last
/// attempt is on record.
fn still(causes: &[Cause], is_open: &Document) -> Document {
    let causes: Vec<Document> = causes
        .iter()
        .map(|cause| {
            doc! {
                "cause": &cause.cause, "count": cause.count,
                "firstSeenAt": to_date(cause.first_seen_at), "lastSeenAt": to_date(cause.last_seen_at),
            }
        })
        .collect();
    let known = doc! { "$cond": [is_open, { "$ifNull": ["$causes.leading", []] }, []] };
    let same = doc! { "$eq": ["$$known.cause", "$$cause.cause"] };
    let known = doc! { "$first": { "$filter": { "input": known, "as": "known", "cond": same } } };
    let first_seen_at = doc! { "$let": {
        "vars": { "known": known },
        "in": { "$min": ["$$cause.firstSeenAt", "$$known.firstSeenAt"] },
    } };
    let still = doc! { "$mergeObjects": ["$$cause", { "firstSeenAt": first_seen_at }] };
    doc! { "$map": { "input": { "$literal": causes }, "as": "cause", "in": still } }
}

/// A group that nobody was told of yet has no such field.
fn was_told(alert: &Alert) -> Vec<mongodb::bson::Bson> {
    if alert.is_told { vec![true.into()] } else { vec![false.into(), mongodb::bson::Bson::Null] }
}

fn document(effect: &Effect) -> Document {
    doc! {
        "key": &effect.key,
        "kind": effect.kind.as_str(),
        "clerkId": &effect.clerk_id,
        "body": effect.body.clone(),
    }
}
