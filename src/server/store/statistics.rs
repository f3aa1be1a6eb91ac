//! Collection `statistics`: what happened in each minute (kept for two days) and each hour (kept for ninety), all processes
//! together; when each type of event was seen; and the totals by state, for when there are too many events to count them.
//!
//! Each process adds what it counted every few seconds by one command, so that an event costs nothing here: what a process
//! had not added when it was killed is missing from these numbers, and from nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::server::store::commands::write_each;
use crate::server::store::encoding::{date, optional_date, to_date};
use crate::server::store::{Error, partial_index};

const MINUTES_ARE_KEPT: Duration = Duration::from_hours(48);
const HOURS_ARE_KEPT: Duration = Duration::from_hours(24 * 90);
const TYPES: &str = "types";
const TOTALS: &str = "totals";
/// What is added to the totals besides the ends of events.
const KEPT: [&str; 2] = ["deleted", "missed"];
/// An attempt ends so and its event goes on: of these there are more than of events that are in that state.
const GOES_ON: &str = "ended.failed";

/// How long a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    Minute,
    Hour,
}

impl Length {
    pub fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
        }
    }

    fn kept(self) -> Duration {
        match self {
            Self::Minute => MINUTES_ARE_KEPT,
            Self::Hour => HOURS_ARE_KEPT,
        }
    }

    /// When the bucket of this moment begins.
    pub fn start(self, at: Timestamp) -> Timestamp {
        let seconds = at.as_second().div_euclid(self.seconds()) * self.seconds();
        Timestamp::from_second(seconds).unwrap_or(at)
    }

    fn id(self, at: Timestamp) -> String {
        format!("{}:{:012}", self.word(), self.start(at).as_second())
    }
}

/// One bucket. The keys of its maps come from closed lists.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    #[serde(with = "date")]
    pub at: Timestamp,
    /// Deliveries that were acknowledged.
    #[serde(default)]
    pub received: i64,
    /// People who were here for the first time on that day.
    #[serde(default)]
    pub active: i64,
    /// Attempts by their end.
    #[serde(default)]
    pub ended: BTreeMap<String, i64>,
    /// Events by the class of their lag.
    #[serde(default)]
    pub lag: BTreeMap<String, i64>,
    /// Deliveries that were not acknowledged, by whose fault it was.
    #[serde(default)]
    pub refused: BTreeMap<String, i64>,
    /// The most events that waited; nothing if they were never counted then.
    #[serde(default)]
    pub backlog: Option<i64>,
    /// The most people about whom MongoDB differed from Clerk, by the last comparison then.
    #[serde(default)]
    pub drift: Option<i64>,
}

/// How often a type of event came, and when last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeSeen {
    pub kind: String,
    pub count: i64,
    pub last_at: Timestamp,
}

/// Events and effects by their state, and people who are deleted, as they were counted last and what was added since. To what
/// comes and goes nothing is added: it is as it was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    #[serde(default)]
    pub ended: BTreeMap<String, i64>,
    /// Effects by their state.
    #[serde(default)]
    pub effects: BTreeMap<String, i64>,
    #[serde(default)]
    pub redeliveries: i64,
    #[serde(default)]
    pub deleted: i64,
    /// Changes whose events never arrived; nothing else remembers them, so they are never counted anew.
    #[serde(default)]
    pub missed: i64,
    #[serde(default, with = "optional_date")]
    pub counted_at: Option<Timestamp>,
}

/// What a process counted since it said so last: fields of a bucket, in MongoDB's notation, and what to add.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Additions {
    pub counts: Vec<(String, i64)>,
    /// Types with how often they came, and when last.
    pub types: Vec<TypeSeen>,
    /// The largest of a bucket is kept.
    pub peaks: Vec<(&'static str, i64)>,
}

impl Additions {
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.types.is_empty() && self.peaks.is_empty()
    }
}

#[derive(Clone, Debug)]
pub struct Statistics {
    documents: Collection<Document>,
}

impl Statistics {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("statistics") }
    }

    /// Adds to the buckets of this moment, by one command.
    pub async fn add(&self, additions: &Additions, now: Timestamp) -> Result<(), Error> {
        if additions.is_empty() {
            return Ok(());
        }
        let counts: Document =
            additions.counts.iter().map(|(field, count)| (field.clone(), Bson::from(*count))).collect();
        let peaks: Document =
            additions.peaks.iter().map(|(field, count)| ((*field).to_owned(), Bson::from(*count))).collect();
        let mut statements = Vec::new();
        if !counts.is_empty() || !peaks.is_empty() {
            for length in [Length::Minute, Length::Hour] {
                let start = length.start(now);
                let expires_at = start.saturating_add(length.kept()).unwrap_or(Timestamp::MAX);
                let mut update = doc! { "$setOnInsert": { "at": to_date(start), "expiresAt": to_date(expires_at) } };
                put(&mut update, "$inc", &counts);
                put(&mut update, "$max", &peaks);
                statements.push(doc! { "q": { "_id": length.id(now) }, "u": update, "upsert": true });
            }
        }
        let is_kept = |field: &str| (field.starts_with("ended.") && field != GOES_ON) || KEPT.contains(&field);
        let kept = counts.iter().filter(|(field, _)| is_kept(field));
        let kept: Document = kept.map(|(field, count)| (field.clone(), count.clone())).collect();
        if !kept.is_empty() {
            statements.push(doc! { "q": { "_id": TOTALS }, "u": { "$inc": kept }, "upsert": true });
        }
        if !additions.types.is_empty() {
            let (mut seen, mut last) = (Document::new(), Document::new());
            for TypeSeen { kind, count, last_at } in &additions.types {
                seen.insert(format!("seen.{}.count", key_of(kind)), *count);
                last.insert(format!("seen.{}.lastAt", key_of(kind)), to_date(*last_at));
            }
            statements.push(doc! { "q": { "_id": TYPES }, "u": { "$inc": seen, "$max": last }, "upsert": true });
        }
        write_each(&self.documents, "update", statements).await.map(|_| ())
    }

    /// The buckets from the one of `since` on, the oldest first. A time in which nothing happened has none.
    pub async fn list(&self, length: Length, since: Timestamp) -> Result<Vec<Bucket>, Error> {
        let ids = doc! { "_id": { "$gte": length.id(since), "$lt": format!("{};", length.word()) } };
        let rows = self.documents.clone_with_type::<Bucket>();
        Ok(rows.find(ids).sort(doc! { "_id": 1 }).await?.try_collect().await?)
    }

    /// Every type of event that ever came, the last seen first.
    pub async fn list_types(&self) -> Result<Vec<TypeSeen>, Error> {
        let Some(row) = self.documents.find_one(doc! { "_id": TYPES }).await? else { return Ok(Vec::new()) };
        let Ok(seen) = row.get_document("seen") else { return Ok(Vec::new()) };
        let types = seen.iter().filter_map(|(key, value)| {
            let one = value.as_document()?;
            let last_at = Timestamp::from_millisecond(one.get_datetime("lastAt").ok()?.timestamp_millis()).ok()?;
            Some(TypeSeen { kind: key.replace(':', "."), count: one.get_i64("count").ok()?, last_at })
        });
        let mut types: Vec<TypeSeen> = types.collect();
        types.sort_by_key(|one| std::cmp::Reverse(one.last_at));
        Ok(types)
    }

    /// The totals as they are kept.
    pub async fn find_totals(&self) -> Result<Totals, Error> {
        let rows = self.documents.clone_with_type::<Totals>();
        Ok(rows.find_one(doc! { "_id": TOTALS }).await?.unwrap_or_default())
    }

    /// What was counted exactly takes the place of what was added up; of what was missed, that is all there is.
    pub async fn set_totals(&self, totals: &Totals) -> Result<(), Error> {
        let Totals { ended, effects, redeliveries, deleted, missed: _, counted_at } = totals;
        let by_state = |counts: &BTreeMap<String, i64>| {
            counts.iter().map(|(state, count)| (state.clone(), Bson::from(*count))).collect::<Document>()
        };
        let fields = doc! {
            "ended": by_state(ended), "effects": by_state(effects), "redeliveries": redeliveries, "deleted": deleted,
            "countedAt": counted_at.map(to_date),
        };
        self.documents.update_one(doc! { "_id": TOTALS }, doc! { "$set": fields }).upsert(true).await?;
        Ok(())
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let mut expiring = partial_index(doc! { "expiresAt": 1 }, INDEXES[0], None);
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
pub const INDEXES: [&str; 1] = ["expiresAt_1"];

fn put(update: &mut Document, operator: &str, fields: &Document) {
    if !fields.is_empty() {
        update.insert(operator, fields.clone());
    }
}

/// A dot in a field's name would be a path.
fn key_of(kind: &str) -> String {
    kind.replace('.', ":")
}
