//! Collection `deliveries`: what the sender delivered, as it came, one document a batch (design 2.4).
//!
//! The one write that an acknowledgement waits for, and the only place where bodies are kept: what was delivered together is
//! compressed together, to a tenth of its size. `events` says what became of each event and where its body is. A batch has
//! a `dueAt` for as long as one of its events is not in `events`, and a `closedAt` from then on; one that cannot be read is
//! `unreadable` instead. Nothing else of it ever changes, but that an erased person's bodies give way to [`ERASED`].

use std::collections::HashMap;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{
    self, Binary, Bson, RawDocumentBuf, deserialize_from_slice, doc, oid::ObjectId, serialize_to_vec,
    spec::BinarySubtype,
};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::server::store::commands::write_each;
use crate::server::store::encoding::{date, object_id, optional_date, to_date};
use crate::server::store::events::Event;
use crate::server::store::expiry::{ensure_expiry, forget_index};
use crate::server::store::{DUPLICATE_KEY, Error, legible, partial_index};

/// What stands in place of a body whose person was erased.
pub const ERASED: &str = "erased";
/// Far from MongoDB's limit of 16 MB a document, even if nothing can be compressed.
const LARGEST_BATCH: usize = 4 * 1024 * 1024;
/// The fastest that still finds what bodies have in common.
const COMPRESSION: i32 = 1;
/// Names of the indexes that `ensure_indexes` and `ensure_expiry` make.
pub const INDEXES: [&str; 3] = ["dueAt_1_receivedAt_1_count_1", "closedAt_1", "unreadable_1"];
/// Of an earlier version, by which batches left that still waited.
const REPLACED: &str = "receivedAt_1";
/// Of an earlier version, by which what waits was counted with all bodies in hand.
const REPLACED_DUE: &str = "dueAt_1";

/// Events that were delivered together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub id: String,
    /// With their bodies, in the order of their arrival.
    pub events: Vec<Event>,
    /// When somebody else should carry them out.
    pub due_at: Timestamp,
}

/// Batches that nobody finished in time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    pub batches: Vec<Batch>,
    /// Batches that are there and cannot be read: they are marked, and not due any more.
    pub unreadable: u64,
}

/// Where the body of an event is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The batch.
    #[serde(with = "object_id")]
    pub batch: String,
    /// Its place there, from zero.
    pub number: u32,
}

/// What is kept of a delivery here only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    pub payload: String,
    pub headers: String,
}

/// What an erasure found in the batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErasedBodies {
    pub bodies: u64,
    pub batches: u64,
    /// Batches that cannot be read, and so could not be looked through.
    pub unreadable: u64,
}

/// What is delivered and not in `events` yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    pub events: u64,
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    #[serde(rename = "_id", with = "object_id")]
    id: String,
    #[serde(with = "date")]
    received_at: Timestamp,
    #[serde(default, with = "optional_date", skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    /// How many events.
    count: i64,
    /// [`Content`] as BSON, compressed by Zstandard.
    content: Binary,
}

#[derive(Serialize)]
struct Content<'a> {
    events: &'a [Event],
    payloads: Vec<&'a str>,
    headers: Vec<&'a str>,
}

#[derive(Deserialize)]
struct OwnedContent {
    events: Vec<Event>,
    payloads: Vec<String>,
    #[serde(default)]
    headers: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Deliveries {
    documents: Collection<Stored>,
}

impl Deliveries {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("deliveries") }
    }

    /// Stores them, journaled on a majority on return. Safe to repeat.
    pub async fn insert(&self, batches: &[Batch]) -> Result<(), Error> {
        let documents = batches.iter().map(Stored::of).collect::<Result<Vec<_>, _>>()?;
        let answer = write_each(&self.documents, "insert", documents).await?;
        match answer.refused.into_iter().find(|refusal| refusal.code != DUPLICATE_KEY) {
            Some(refusal) => Err(Error::Document(refusal.code)),
            None => Ok(()),
        }
    }

    /// Every event of these is in `events` now.
    pub async fn close(&self, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let closed = doc! { "$unset": { "dueAt": "" }, "$currentDate": { "closedAt": true } };
        let done = doc! { "q": { "_id": { "$in": object_ids(ids) } }, "u": closed, "multi": true };
        write_each(&self.documents, "update", vec![done]).await?.whole()
    }

    /// The oldest batches that are due, and a lease on them, which only saves work: two who ask at the same moment may both
    /// get them.
    pub async fn lease_due(&self, now: Timestamp, until: Timestamp, limit: i64) -> Result<Left, Error> {
        let due = doc! { "dueAt": { "$lte": to_date(now) } };
        let rows = self.documents.clone_with_type::<RawDocumentBuf>();
        let found: Vec<RawDocumentBuf> =
            rows.find(due.clone()).sort(doc! { "dueAt": 1 }).limit(limit).await?.try_collect().await?;
        let (mut left, mut ids, mut unreadable) = (Left::default(), Vec::new(), Vec::new());
        for document in &found {
            let Some(id) = document.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok()) else { continue };
            let stored = legible::parse::<Stored>(document);
            match stored.and_then(|stored| Some((stored.open()?, stored.id))) {
                Some((events, batch)) => {
                    left.batches.push(Batch { id: batch, events, due_at: until });
                    ids.push(id);
                }
                None => unreadable.push(id),
            }
        }
        let theirs = |ids: Vec<Bson>| {
            let mut theirs = due.clone();
            theirs.insert("_id", doc! { "$in": ids });
            theirs
        };
        if !ids.is_empty() {
            self.documents.update_many(theirs(ids), doc! { "$set": { "dueAt": to_date(until) } }).await?;
        }
        if !unreadable.is_empty() {
            // Trying again cannot help: whoever looks after this is told for as long as they are kept.
            let mark = doc! {
                "$set": { "unreadable": true }, "$unset": { "dueAt": "" }, "$currentDate": { "closedAt": true },
            };
            left.unreadable = self.documents.update_many(theirs(unreadable), mark).await?.modified_count;
        }
        Ok(left)
    }

    /// How many batches were found that cannot be read.
    pub async fn count_unreadable(&self) -> Result<u64, Error> {
        Ok(self.documents.count_documents(doc! { "unreadable": true }).await?)
    }

    /// What is at these places; what is no longer there is left out.
    pub async fn find_contents(&self, places: &[&Place]) -> Result<HashMap<Place, Kept>, Error> {
        let mut contents = HashMap::with_capacity(places.len());
        let mut by_batch: HashMap<&str, Vec<&Place>> = HashMap::new();
        for place in places {
            by_batch.entry(&place.batch).or_default().push(place);
        }
        if by_batch.is_empty() {
            return Ok(contents);
        }
        let ids: Vec<String> = by_batch.keys().map(|id| (*id).to_owned()).collect();
        // One at a time: many events may be spread over as many batches.
        let rows = self.documents.clone_with_type::<RawDocumentBuf>();
        let mut found = rows.find(doc! { "_id": { "$in": object_ids(&ids) } }).batch_size(16).await?;
        while let Some(document) = found.try_next().await? {
            // What cannot be read is as what is not kept any more.
            let Some(document) = legible::parse::<Stored>(&document) else { continue };
            let mut events = document.open().unwrap_or_default();
            for place in by_batch.get(document.id.as_str()).into_iter().flatten() {
                let event = usize::try_from(place.number).ok().and_then(|number| events.get_mut(number));
                if let Some(event) = event {
                    let payload = std::mem::take(&mut event.payload);
                    contents.insert((*place).clone(), Kept { payload, headers: std::mem::take(&mut event.headers) });
                }
            }
        }
        Ok(contents)
    }

    /// Shows every event that is kept, with its body; what cannot be read is left out.
    pub async fn look_through(&self, mut look: impl FnMut(&Event)) -> Result<(), Error> {
        let mut found = self.documents.find(doc! {}).sort(doc! { "_id": 1 }).batch_size(16).await?;
        while let Some(document) = found.try_next().await? {
            document.open().unwrap_or_default().iter().for_each(&mut look);
        }
        Ok(())
    }

    /// Replaces bodies by [`ERASED`], wherever they are: a copy that came again is in a batch that no event points to, so
    /// every batch is looked through. Other bodies of a batch keep their places.
    pub async fn erase(&self, is_theirs: impl Fn(&Event) -> bool) -> Result<ErasedBodies, Error> {
        let mut erased = ErasedBodies::default();
        let mut found = self.documents.find(doc! {}).sort(doc! { "_id": 1 }).batch_size(16).await?;
        while let Some(mut document) = found.try_next().await? {
            loop {
                let Some(mut events) = document.open() else {
                    erased.unreadable += 1;
                    break;
                };
                let mut theirs = 0;
                for event in events.iter_mut().filter(|event| event.payload != ERASED && is_theirs(event)) {
                    ERASED.clone_into(&mut event.payload);
                    theirs += 1;
                }
                if theirs == 0 {
                    break;
                }
                let id = doc! { "_id": object_ids(std::slice::from_ref(&document.id)).first() };
                let mut unchanged = id.clone();
                unchanged.insert("content", document.content.clone());
                let change = doc! { "$set": { "content": compress(&events)? } };
                if self.documents.update_one(unchanged, change).await?.matched_count == 1 {
                    erased.bodies += theirs;
                    erased.batches += 1;
                    break;
                }
                // Somebody else's erasure was quicker, or the batch is forgotten.
                let Some(now) = self.documents.find_one(id).await? else { break };
                document = now;
            }
        }
        Ok(erased)
    }

    /// What is not in `events` yet: entries of an index, no body is read.
    pub async fn count_open(&self) -> Result<Open, Error> {
        let open = [
            // That it exists would be looked up in the batch itself.
            doc! { "$match": { "dueAt": { "$gte": bson::DateTime::MIN } } },
            doc! { "$group": {
                "_id": Bson::Null,
                "events": { "$sum": "$count" },
                "oldest": { "$min": "$receivedAt" },
                "newest": { "$max": "$receivedAt" },
            } },
        ];
        let row = self.documents.aggregate(open).await?.try_next().await?.unwrap_or_default();
        let at = |name: &str| Timestamp::from_millisecond(row.get_datetime(name).ok()?.timestamp_millis()).ok();
        let events = row.get_i64("events").unwrap_or_default().unsigned_abs();
        Ok(Open { events, oldest: at("oldest"), newest: at("newest") })
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let [due, _, unreadable] = INDEXES;
        let indexes = [
            // Finished batches are not in it, so it stays as small as the backlog.
            partial_index(
                doc! { "dueAt": 1, "receivedAt": 1, "count": 1 },
                due,
                Some(doc! { "dueAt": { "$exists": true } }),
            ),
            partial_index(doc! { "unreadable": 1 }, unreadable, Some(doc! { "unreadable": true })),
        ];
        self.documents.create_indexes(indexes).await?;
        forget_index(&self.documents, REPLACED_DUE).await
    }

    /// MongoDB removes a batch `retention` after its last event was recorded, and none before.
    pub async fn ensure_expiry(&self, database: &Database, retention: Duration) -> Result<(), Error> {
        let [_, closed, _] = INDEXES;
        if self.index_names().await?.iter().any(|name| name == REPLACED) {
            let finished = doc! { "dueAt": { "$exists": false }, "closedAt": { "$exists": false } };
            let since = doc! { "$set": { "closedAt": "$receivedAt" } };
            self.documents.update_many(finished, vec![since]).await?;
            ensure_expiry(database, &self.documents, ("receivedAt", REPLACED), None).await?;
        }
        ensure_expiry(database, &self.documents, ("closedAt", closed), Some(retention)).await
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

impl Batch {
    /// Events of one moment as batches: one, unless their bodies are very large.
    pub fn pack(events: Vec<Event>, due_at: Timestamp, new_id: impl Fn() -> String) -> Vec<Self> {
        let mut batches: Vec<Self> = Vec::with_capacity(1);
        let mut size = 0;
        for mut event in events {
            size += event.payload.len();
            if let Some(batch) = batches.last_mut().filter(|_| size <= LARGEST_BATCH) {
                event.place = Place::of(&batch.id, batch.events.len());
                batch.events.push(event);
            } else {
                let id = new_id();
                size = event.payload.len();
                event.place = Place::of(&id, 0);
                batches.push(Self { id, events: vec![event], due_at });
            }
        }
        batches
    }
}

impl Place {
    fn of(batch: &str, number: usize) -> Option<Self> {
        Some(Self { batch: batch.to_owned(), number: u32::try_from(number).ok()? })
    }
}

impl Stored {
    fn of(batch: &Batch) -> Result<Self, Error> {
        Ok(Self {
            id: batch.id.clone(),
            received_at: batch.events.iter().map(|event| event.received_at).min().unwrap_or(batch.due_at),
            due_at: Some(batch.due_at),
            count: i64::try_from(batch.events.len()).unwrap_or(i64::MAX),
            content: compress(&batch.events)?,
        })
    }

    /// The events with their bodies and places; `None` if somebody else's hand was in it.
    fn open(&self) -> Option<Vec<Event>> {
        let content = zstd::decode_all(self.content.bytes.as_slice()).ok()?;
        let OwnedContent { mut events, payloads, headers } = deserialize_from_slice(&content).ok()?;
        if events.len() != payloads.len() {
            return None;
        }
        for (number, (event, payload)) in events.iter_mut().zip(payloads).enumerate() {
            event.payload = payload;
            event.place = Place::of(&self.id, number);
        }
        for (event, headers) in events.iter_mut().zip(headers) {
            event.headers = headers;
        }
        Some(events)
    }
}

/// Events and their bodies as they are stored.
fn compress(events: &[Event]) -> Result<Binary, Error> {
    let payloads = events.iter().map(|event| event.payload.as_str()).collect();
    let headers = events.iter().map(|event| event.headers.as_str()).collect();
    let unusable = |error: std::io::Error| Error::from(mongodb::error::Error::from(error));
    let content = serialize_to_vec(&Content { events, payloads, headers })
        .map_err(|error| Error::from(mongodb::error::Error::custom(error)))?;
    let bytes = zstd::bulk::compress(&content, COMPRESSION).map_err(unusable)?;
    Ok(Binary { subtype: BinarySubtype::Generic, bytes })
}

fn object_ids(ids: &[String]) -> Vec<ObjectId> {
    ids.iter().filter_map(|id| ObjectId::parse_str(id).ok()).collect()
}
