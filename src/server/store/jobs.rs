//! Collection `jobs`: effects, each under a key that makes it one effect however often it is asked for (design 2.2).
//!
//! What a job does, and when it is tried again, is decided elsewhere.

use std::collections::HashSet;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::options::CountOptions;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::model::audit::Fact;
use crate::model::job::{JobKind, JobState};
use crate::server::store::audit::Audit;
use crate::server::store::commands::{Refusal, write_each};
use crate::server::store::encoding::{date, optional_date, to_date};
use crate::server::store::paging::{self, Cursor, Page, Row};
use crate::server::store::{Error, legible, partial_index};

/// So many of the newest are shown of one person.
const MOST_OF_A_PERSON: i64 = 500;
/// And of one event.
const MOST_OF_AN_EVENT: i64 = 50;
/// So many of the newest that asked for it stay with an effect.
const MOST_EVENTS: i32 = 20;

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
    /// The trace of what asked for it, as W3C writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The events that asked for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// The etag of the change that it was written with: of two with one key, for which no event asked, it tells which is which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
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
    /// Who works on it; what they record counts only while this stands.
    #[serde(default)]
    pub lease_owner: Option<String>,
    /// Until then nobody else does.
    #[serde(default, with = "optional_date")]
    pub lease_until: Option<Timestamp>,
    /// Set before a call that cannot be asked about afterwards, cleared if it certainly had no effect (D2-04).
    #[serde(default, with = "optional_date")]
    pub sending_at: Option<Timestamp>,
    pub cause: Option<String>,
    /// Whom it reached, in a form that says little: known once it was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(with = "date")]
    pub created_at: Timestamp,
    #[serde(default, with = "optional_date")]
    pub finished_at: Option<Timestamp>,
    /// The trace of what asked for it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The newest of the events that asked for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub state: JobState,
    pub cause: String,
    /// For `Waiting`: when to try again.
    pub due_at: Option<Timestamp>,
    /// For the others: when the row may be forgotten.
    pub expires_at: Option<Timestamp>,
}

/// An effect whose job MongoDB will not have, for the reason of this code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub key: String,
    pub code: i32,
}

/// Which jobs to list, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub state: Option<JobState>,
    pub kind: Option<JobKind>,
    /// Of this person, by Clerk's id.
    pub clerk_id: Option<String>,
    pub limit: u16,
}

impl Row for Job {
    const MOMENT: &str = "createdAt";

    fn cursor(&self) -> Cursor {
        Cursor { at: self.created_at, id: self.id.clone() }
    }
}

/// What an operator does about a job that has ended, or that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervention {
    /// From the beginning, now.
    Retry,
    /// It shall not happen; why, and when its row may be forgotten.
    Discard { cause: String, expires_at: Option<Timestamp> },
}

#[derive(Clone, Debug)]
pub struct Jobs {
    documents: Collection<Job>,
    audit: Audit,
}

impl Jobs {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("jobs"), audit: Audit::of(database) }
    }

    /// Adds the effects whose key is new. One that may be asked for again is made due again. Answers those that MongoDB will
    /// not have: they are nowhere but where they were.
    pub async fn add(&self, effects: &[Effect], now: Timestamp) -> Result<Vec<Refused>, Error> {
        if effects.is_empty() {
            return Ok(Vec::new());
        }
        let statements = effects.iter().map(|effect| addition(effect, now)).collect();
        let refused = write_each(&self.documents, "update", statements).await?.refused;
        let of = |refusal: Refusal| Some(Refused { key: effects.get(refusal.place)?.key.clone(), code: refusal.code });
        Ok(refused.into_iter().filter_map(of).collect())
    }

    /// Takes the longest due of a kind that nobody works on, for `owner` until `until`. `owner` is new for every call.
    pub async fn lease_due(
        &self,
        kind: JobKind,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<Job>, Error> {
        let due = doc! {
            "kind": kind.as_str(), "dueAt": { "$lte": to_date(now) },
            "leaseUntil": free_at(now), "notBefore": free_at(now),
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.documents.clone_with_type::<Document>();
        let longest = rows.find(due.clone()).projection(doc! { "_id": 1 }).sort(doc! { "dueAt": 1 }).limit(limit);
        let found: Vec<Document> = longest.await?.try_collect().await?;
        let ids: Vec<&str> = found.iter().filter_map(|row| row.get_str("_id").ok()).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut theirs = due;
        theirs.insert("_id", doc! { "$in": &ids });
        let lease = doc! { "leaseOwner": owner, "leaseUntil": to_date(until) };
        self.documents.update_many(theirs, doc! { "$set": lease }).await?;
        let mine = doc! { "_id": { "$in": &ids }, "leaseOwner": owner };
        let found = self.documents.clone_with_type::<RawDocumentBuf>().find(mine).await?;
        legible::take("jobs", found, usize::MAX, legible::parse).await
    }

    /// Says durably that the call is about to be made, and to whom. `false`: somebody else has the job now, so it must not be
    /// made.
    pub async fn mark_sending(&self, job: &Job, to: &str, now: Timestamp) -> Result<bool, Error> {
        let mine = doc! { "_id": &job.id, "leaseOwner": &job.lease_owner, "leaseUntil": { "$gt": to_date(now) } };
        let marked = self.documents.update_one(mine, doc! { "$set": { "sendingAt": to_date(now), "to": to } }).await?;
        Ok(marked.matched_count == 1)
    }

    /// Takes that back: the call certainly had no effect.
    pub async fn unmark_sending(&self, job: &Job) -> Result<(), Error> {
        let mine = doc! { "_id": &job.id, "leaseOwner": &job.lease_owner };
        self.documents.update_one(mine, doc! { "$unset": { "sendingAt": "" } }).await?;
        Ok(())
    }

    /// Records the end of an attempt and gives the lease back. What was asked for again meanwhile stays due; what somebody
    /// else has now is left alone.
    pub async fn record(&self, job: &Job, attempt: &Attempt, to: Option<&str>, now: Timestamp) -> Result<(), Error> {
        let mut mine = doc! { "_id": &job.id, "leaseOwner": &job.lease_owner, "generation": job.generation };
        let mut fields = doc! { "state": attempt.state.as_str(), "cause": &attempt.cause };
        let mut gone = doc! { "leaseOwner": "", "leaseUntil": "" };
        if let Some(due_at) = attempt.due_at {
            fields.insert("dueAt", to_date(due_at));
        } else {
            fields.insert("finishedAt", to_date(now));
            gone.insert("dueAt", "");
            fields.extend(to.map(|to| ("to".to_owned(), to.into())));
        }
        if attempt.state == JobState::Done {
            if may_be_asked_again(job.kind) {
                fields.insert("notBefore", to_date(now.saturating_add(APART).unwrap_or(now)));
            }
            // What it carried was personal, and is not needed any more.
            gone.insert("body", "");
        }
        if let Some(expires_at) = attempt.expires_at {
            fields.insert("expiresAt", to_date(expires_at));
        }
        let update = doc! { "$set": fields, "$unset": gone, "$inc": { "attempts": 1 } };
        if self.documents.update_one(mine.clone(), update).await?.matched_count == 0 {
            mine.remove("generation");
            self.documents.update_one(mine, doc! { "$unset": { "leaseOwner": "", "leaseUntil": "" } }).await?;
        }
        Ok(())
    }

    pub async fn find(&self, id: &str) -> Result<Option<Job>, Error> {
        Ok(self.documents.find_one(doc! { "_id": id }).await?)
    }

    /// One page. Every state and kind is named, so that the one index over both serves, each of its parts in order.
    pub async fn list(&self, wanted: &Wanted, after: Option<&Cursor>) -> Result<Page<Job>, Error> {
        let states = wanted.state.map_or_else(|| JobState::ALL.to_vec(), |state| vec![state]);
        let kinds = wanted.kind.map_or_else(|| JobKind::ALL.to_vec(), |kind| vec![kind]);
        let mut filter = doc! {
            "state": { "$in": states.into_iter().map(JobState::as_str).collect::<Vec<_>>() },
            "kind": { "$in": kinds.into_iter().map(JobKind::as_str).collect::<Vec<_>>() },
        };
        if let Some(clerk_id) = &wanted.clerk_id {
            filter.insert("clerkId", clerk_id);
        }
        paging::page(&self.documents, &filter, after, wanted.limit).await
    }

    /// Those about one person, the newest first.
    pub async fn list_about(&self, clerk_id: &str) -> Result<Vec<Job>, Error> {
        let newest = self.documents.find(doc! { "clerkId": clerk_id }).sort(doc! { "createdAt": -1 });
        Ok(newest.limit(MOST_OF_A_PERSON).await?.try_collect().await?)
    }

    /// Those that this event asked for. What is asked for again and again is found by its key, the others by their time.
    pub async fn list_of_event(
        &self,
        event_id: &str,
        clerk_id: &str,
        received_at: Timestamp,
    ) -> Result<Vec<Job>, Error> {
        let again: Vec<String> =
            JobKind::ALL.into_iter().filter(|kind| may_be_asked_again(*kind)).map(|kind| kind.key(clerk_id)).collect();
        let (again, since) = (doc! { "$in": again }, doc! { "$gte": to_date(received_at) });
        let again = self.documents.find(doc! { "_id": again, "events": event_id });
        let once = doc! { "clerkId": clerk_id, "createdAt": since, "events": event_id };
        let once = self.documents.find(once).sort(doc! { "createdAt": 1 }).limit(MOST_OF_AN_EVENT);
        let (mut found, once): (Vec<Job>, Vec<Job>) =
            (again.await?.try_collect().await?, once.await?.try_collect().await?);
        found.extend(once.into_iter().filter(|job| !may_be_asked_again(job.kind)));
        Ok(found)
    }

    /// Carries out what an operator decided, and records it, in one transaction. `false`: the job is done, discarded, being
    /// worked on at this moment, or not there.
    pub async fn intervene(&self, id: &str, intervention: Intervention, fact: &Fact) -> Result<bool, Error> {
        let now = Timestamp::now();
        let (state, mut change) = match intervention {
            Intervention::Retry => (JobState::Waiting, again(now)),
            Intervention::Discard { cause, expires_at } => (JobState::Discarded, never(now, &cause, expires_at)),
        };
        change.insert("$inc", doc! { "generation": 1_i64 });
        let open = [JobState::Waiting, JobState::Dead, JobState::Unsure].map(JobState::as_str);
        let free = doc! { "_id": id, "state": { "$in": open.to_vec() }, "leaseUntil": free_at(now) };
        let fact = Fact { after: Some(state.as_str().to_owned()), ..fact.clone() };
        self.audit.intervene(&self.documents, (free, change.into()), fact).await
    }

    /// Those of these keys whose jobs still wait.
    pub async fn find_waiting(&self, keys: &[String]) -> Result<HashSet<String>, Error> {
        let waiting = doc! { "_id": { "$in": keys }, "state": JobState::Waiting.as_str() };
        let rows = self.documents.clone_with_type::<Document>();
        let found: Vec<Document> = rows.find(waiting).projection(doc! { "_id": 1 }).await?.try_collect().await?;
        Ok(found.iter().filter_map(|row| row.get_str("_id").ok()).map(str::to_owned).collect())
    }

    /// About how many there are, from the collection's own books.
    pub async fn estimate(&self) -> Result<u64, Error> {
        Ok(self.documents.estimated_document_count().await?)
    }

    /// How many are in a state; counted no further than `most`.
    pub async fn count_up_to(&self, state: JobState, most: u64) -> Result<u64, Error> {
        let options = CountOptions::builder().limit(most).build();
        Ok(self.documents.count_documents(doc! { "state": state.as_str() }).with_options(options).await?)
    }

    /// How many are in this state, all counted, so no page asks this.
    pub async fn count(&self, state: JobState) -> Result<u64, Error> {
        Ok(self.documents.count_documents(doc! { "state": state.as_str() }).await?)
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let [due, person, state, expiry] = INDEXES;
        let mut expiring = partial_index(doc! { "expiresAt": 1 }, expiry, None);
        expiring.options.get_or_insert_default().expire_after = Some(Duration::ZERO);
        let indexes = [
            partial_index(doc! { "kind": 1, "dueAt": 1 }, due, Some(doc! { "dueAt": { "$exists": true } })),
            partial_index(doc! { "clerkId": 1, "createdAt": -1 }, person, None),
            partial_index(doc! { "state": 1, "kind": 1, "createdAt": -1 }, state, None),
            expiring,
        ];
        self.documents.create_indexes(indexes).await?;
        Ok(())
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// A state to reach is reached again no sooner than this, in whatever process: Clerk takes ten writes of a person's metadata
/// in ten seconds (D2-13).
const APART: SignedDuration = SignedDuration::from_millis(1_100);

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 4] =
    ["kind_1_dueAt_1", "clerkId_1_createdAt_-1", "state_1_kind_1_createdAt_-1", "expiresAt_1"];

/// Not leased, or not any more.
fn free_at(now: Timestamp) -> Document {
    doc! { "$not": { "$gt": to_date(now) } }
}

/// As if it had never been tried.
fn again(now: Timestamp) -> Document {
    doc! {
        "$set": { "state": JobState::Waiting.as_str(), "dueAt": to_date(now), "attempts": 0 },
        "$unset": { "leaseOwner": "", "leaseUntil": "", "sendingAt": "", "finishedAt": "", "expiresAt": "" },
    }
}

/// What it carried was personal, and is not needed any more; its key stays, so that it is not asked for again.
fn never(now: Timestamp, cause: &str, expires_at: Option<Timestamp>) -> Document {
    let state = JobState::Discarded.as_str();
    let mut fields = doc! { "state": state, "cause": cause, "finishedAt": to_date(now) };
    if let Some(expires_at) = expires_at {
        fields.insert("expiresAt", to_date(expires_at));
    }
    doc! { "$set": fields, "$unset": { "dueAt": "", "body": "", "leaseOwner": "", "leaseUntil": "" } }
}

fn addition(effect: &Effect, now: Timestamp) -> Document {
    // An alert is about nobody.
    let person = if effect.clerk_id.is_empty() { Bson::Null } else { Bson::from(effect.clerk_id.as_str()) };
    let mut first = doc! { "kind": effect.kind.as_str(), "clerkId": person, "createdAt": to_date(now) };
    first.insert("body", effect.body.clone());
    let mut again = doc! { "state": JobState::Waiting.as_str(), "dueAt": to_date(now), "attempts": 0 };
    // None ends the one before.
    again.insert("trace", effect.trace.clone());
    let update = if may_be_asked_again(effect.kind) {
        let events = doc! { "events": { "$each": effect.events.clone(), "$slice": -MOST_EVENTS } };
        doc! { "$setOnInsert": first, "$set": again, "$push": events, "$inc": { "generation": 1_i64 } }
    } else {
        first.extend(again);
        first.insert("generation", 1_i64);
        first.insert("events", effect.events.clone());
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
