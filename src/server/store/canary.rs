//! Collection `canary`: the last touch of the canary and what came of it, in one document, which is also its timer.
//!
//! What is to be thought of it is decided elsewhere.

use jiff::{SignedDuration, Timestamp};
use mongodb::bson::{Bson, Document, doc};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::model::health::SilenceCause;
use crate::server::store::encoding::{date, optional_date, to_date};
use crate::server::store::{DUPLICATE_KEY, Error};

const ONLY: &str = "canary";
/// The clocks of two processes may differ by so much: what one has just begun is not due for the other.
pub const CLOCKS_DIFFER_BY: SignedDuration = SignedDuration::from_secs(60);

/// One touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Touch {
    pub clerk_id: String,
    #[serde(with = "date")]
    pub touched_at: Timestamp,
    /// When the next one is due.
    #[serde(with = "date")]
    pub due_at: Timestamp,
    /// Clerk's `updated_at` with it; none until Clerk has made it.
    #[serde(default)]
    pub version: Option<i64>,
    /// Why Clerk did not make it.
    #[serde(default)]
    pub refusal: Option<String>,
    /// When its webhook arrived.
    #[serde(default, with = "optional_date")]
    pub returned_at: Option<Timestamp>,
    /// Why webhooks do not come back in time; of an earlier touch, until one is back in time.
    #[serde(default)]
    pub failure: Option<SilenceCause>,
}

#[derive(Clone, Debug)]
pub struct Canary {
    documents: Collection<Touch>,
}

impl Canary {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("canary") }
    }

    pub async fn find(&self) -> Result<Option<Touch>, Error> {
        Ok(self.documents.find_one(doc! { "_id": ONLY }).await?)
    }

    /// Begins a touch if one is due; of all who ask, one is told so, and the next is due at `next`. The first is due at once,
    /// and so is the first of another person, or with a clearly shorter time between them.
    pub async fn claim(&self, clerk_id: &str, now: Timestamp, next: Timestamp) -> Result<bool, Error> {
        let latest = next.saturating_add(CLOCKS_DIFFER_BY).unwrap_or(Timestamp::MAX);
        let later = doc! { "$gt": to_date(now), "$lte": to_date(latest) };
        let due = doc! { "_id": ONLY, "$or": [{ "clerkId": { "$ne": clerk_id } }, { "dueAt": { "$not": later } }] };
        let begun = doc! {
            "$set": { "clerkId": clerk_id, "touchedAt": to_date(now), "dueAt": to_date(next) },
            "$unset": { "version": "", "refusal": "", "returnedAt": "" },
        };
        match self.documents.update_one(due, begun).upsert(true).await.map_err(Error::from) {
            // It is there and not due.
            Err(error) if error.code() == Some(DUPLICATE_KEY) => Ok(false),
            claimed => claimed.map(|_| true),
        }
    }

    /// Clerk has made it.
    pub async fn record_version(&self, touched_at: Timestamp, version: i64) -> Result<(), Error> {
        self.record(touched_at, doc! { "version": version }).await
    }

    /// Clerk has not, for this reason.
    pub async fn record_refusal(&self, touched_at: Timestamp, refusal: &str) -> Result<(), Error> {
        self.record(touched_at, doc! { "refusal": refusal }).await
    }

    /// How it stands with its webhook.
    pub async fn record_return(&self, touch: &Touch) -> Result<(), Error> {
        let failure = touch.failure.map_or(Bson::Null, |cause| cause.as_str().into());
        let fields = doc! { "returnedAt": touch.returned_at.map(to_date), "failure": failure };
        self.record(touch.touched_at, fields).await
    }

    /// Another touch may have begun meanwhile.
    async fn record(&self, touched_at: Timestamp, fields: Document) -> Result<(), Error> {
        let same = doc! { "_id": ONLY, "touchedAt": to_date(touched_at) };
        self.documents.update_one(same, doc! { "$set": fields }).await?;
        Ok(())
    }
}
