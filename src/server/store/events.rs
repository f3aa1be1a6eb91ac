//! Collection `events`: the durable inbox, keyed by the sender's message id (design 2.2).
//!
//! States only move forward: each transition names the states it may leave. What an event means is decided elsewhere.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};

use crate::model::event::EventState;
use crate::server::store::encoding::{date, optional_date, to_date};
use crate::server::store::{DUPLICATE_KEY, Error, write_each};

/// One delivered event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The `svix-id`.
    #[serde(rename = "_id")]
    pub id: String,
    pub kind: String,
    pub clerk_id: Option<String>,
    pub instance_id: Option<String>,
    /// The body exactly as it was signed. Text, so no key of it can become an operator or a path (D3-21).
    pub payload: String,
    pub state: EventState,
    pub attempts: u32,
    /// How often it was delivered.
    pub deliveries: u32,
    pub decision: Option<String>,
    #[serde(default, with = "optional_date")]
    pub event_at: Option<Timestamp>,
    #[serde(with = "date")]
    pub received_at: Timestamp,
    /// When somebody should look at it who is not already at work on it; absent once it is finished.
    #[serde(default, with = "optional_date", skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    #[serde(default, with = "optional_date")]
    pub finished_at: Option<Timestamp>,
}

/// What a list shows of an event: everything but the payload.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    #[serde(rename = "_id")]
    pub id: String,
    pub kind: String,
    pub clerk_id: Option<String>,
    pub state: EventState,
    pub attempts: u32,
    pub deliveries: u32,
    pub decision: Option<String>,
    #[serde(with = "date")]
    pub received_at: Timestamp,
    #[serde(default, with = "optional_date")]
    pub finished_at: Option<Timestamp>,
}

/// How many events are in one state.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StateTotal {
    #[serde(rename = "_id")]
    pub state: EventState,
    pub count: i64,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    pub state: EventState,
    pub decision: String,
    /// For `Failed`: when to try again.
    pub due_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct Events {
    documents: Collection<Event>,
}

impl Events {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("events") }
    }

    /// Stores new events and counts another delivery of known ones; both are journaled on a majority on return.
    /// Answers, for each event in order, whether it is new.
    pub async fn insert(&self, events: &[Event]) -> Result<Vec<bool>, Error> {
        let mut is_new = vec![true; events.len()];
        let answer = write_each(&self.documents, "insert", events.iter().collect()).await?;
        if answer.refused.is_empty() {
            return Ok(is_new);
        }
        for refusal in answer.refused {
            match is_new.get_mut(refusal.place) {
                Some(flag) if refusal.code == DUPLICATE_KEY => *flag = false,
                _ => return Err(Error::Document(refusal.code)),
            }
        }
        let known = events.iter().zip(&is_new).filter(|(_, new)| !**new).map(|(event, _)| event.id.as_str());
        let mut times: HashMap<&str, i32> = HashMap::new();
        for id in known {
            *times.entry(id).or_default() += 1;
        }
        let mut by_times: BTreeMap<i32, Vec<&str>> = BTreeMap::new();
        for (id, times) in times {
            by_times.entry(times).or_default().push(id);
        }
        for (times, ids) in by_times {
            // This write follows the first insert of each event in the oplog: when a majority has it, it has that too.
            self.documents
                .update_many(doc! { "_id": { "$in": ids } }, doc! { "$inc": { "deliveries": times } })
                .await?;
        }
        Ok(is_new)
    }

    pub async fn find(&self, id: &str) -> Result<Option<Event>, Error> {
        Ok(self.documents.find_one(doc! { "_id": id }).await?)
    }

    /// The oldest events that are due, and a lease on them: until it ends nobody else need look at them. That only saves
    /// work, so two who ask at the same moment may both get them.
    pub async fn lease_due(&self, now: Timestamp, until: Timestamp, limit: usize) -> Result<Vec<Event>, Error> {
        let filter = doc! { "dueAt": { "$lte": to_date(now) }, "state": { "$in": pending() } };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found: Vec<Event> =
            self.documents.find(filter).sort(doc! { "dueAt": 1 }).limit(limit).await?.try_collect().await?;
        if !found.is_empty() {
            let ids: Vec<&str> = found.iter().map(|event| event.id.as_str()).collect();
            let theirs = doc! { "_id": { "$in": ids }, "dueAt": { "$lte": to_date(now) } };
            self.documents.update_many(theirs, doc! { "$set": { "dueAt": to_date(until) } }).await?;
        }
        Ok(found)
    }

    /// Records the ends of attempts with one command; what ended alike is one statement. An event that another process
    /// finished meanwhile is left alone.
    pub async fn record(&self, outcomes: &[(String, Outcome)], now: Timestamp) -> Result<(), Error> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let mut alike: HashMap<&Outcome, Vec<&str>> = HashMap::new();
        for (id, outcome) in outcomes {
            alike.entry(outcome).or_default().push(id);
        }
        let statements = alike.into_iter().map(|(outcome, ids)| {
            let mut fields = doc! { "state": outcome.state.as_str(), "decision": &outcome.decision };
            let mut update = doc! { "$inc": { "attempts": 1 } };
            if let Some(due_at) = outcome.due_at {
                fields.insert("dueAt", to_date(due_at));
            } else {
                update.insert("$unset", doc! { "dueAt": "" });
                fields.insert("finishedAt", to_date(now));
            }
            update.insert("$set", fields);
            doc! { "q": { "_id": { "$in": ids }, "state": { "$in": pending() } }, "u": update, "multi": true }
        });
        write_each(&self.documents, "update", statements.collect()).await.map(|_| ())
    }

    /// The newest events.
    pub async fn list_newest(&self, limit: i64) -> Result<Vec<Summary>, Error> {
        let without_payload = doc! { "payload": 0 };
        let rows = self.documents.clone_with_type::<Summary>();
        let found = rows.find(doc! {}).projection(without_payload).sort(doc! { "receivedAt": -1 }).limit(limit).await?;
        Ok(found.try_collect().await?)
    }

    /// How many events are in each state, read off the small indexes: those simply applied are the rest.
    pub async fn count_by_state(&self) -> Result<Vec<StateTotal>, Error> {
        let odd = [
            doc! { "$match": { "state": { "$in": odd_states() } } },
            doc! { "$group": { "_id": "$state", "count": { "$sum": 1_i64 } } },
        ];
        let new = doc! { "dueAt": { "$exists": true }, "state": EventState::Received.as_str() };
        let odd =
            async { self.documents.aggregate(odd).with_type::<StateTotal>().await?.try_collect::<Vec<_>>().await };
        let (mut totals, new, all) =
            tokio::try_join!(odd, async { self.documents.count_documents(new).await }, async {
                self.documents.estimated_document_count().await
            },)?;
        let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let others: i64 = totals.iter().map(|total| total.count).sum::<i64>() + count(new);
        totals.push(StateTotal { state: EventState::Received, count: count(new) });
        totals.push(StateTotal { state: EventState::Applied, count: count(all).saturating_sub(others).max(0) });
        Ok(totals)
    }

    /// How many events are in this state.
    pub async fn count(&self, state: EventState) -> Result<u64, Error> {
        Ok(self.documents.count_documents(doc! { "state": state.as_str() }).await?)
    }

    /// How many deliveries there were beyond the first of each event.
    pub async fn count_redeliveries(&self) -> Result<u64, Error> {
        let beyond = doc! { "$toLong": { "$subtract": ["$deliveries", 1] } };
        let sum = [
            doc! { "$match": { "deliveries": { "$gt": 1 } } },
            doc! { "$group": { "_id": Bson::Null, "sum": { "$sum": beyond } } },
        ];
        let row = self.documents.aggregate(sum).await?.try_next().await?;
        Ok(row.and_then(|row| row.get_i64("sum").ok()).unwrap_or_default().unsigned_abs())
    }

    /// When the oldest event that still waits arrived.
    pub async fn find_oldest_pending(&self) -> Result<Option<Timestamp>, Error> {
        let oldest = [
            doc! { "$match": { "dueAt": { "$exists": true }, "state": { "$in": pending() } } },
            doc! { "$group": { "_id": Bson::Null, "at": { "$min": "$receivedAt" } } },
        ];
        let row = self.documents.aggregate(oldest).await?.try_next().await?;
        let at = row.and_then(|row| row.get_datetime("at").ok().copied());
        Ok(at.and_then(|at| Timestamp::from_millisecond(at.timestamp_millis()).ok()))
    }

    /// MongoDB removes an event `retention` after its arrival.
    pub async fn ensure_indexes(&self, database: &Database, retention: Duration) -> Result<(), Error> {
        let named = |keys: Document, name: &str, partial: Option<Document>| {
            let mut options = IndexOptions::builder().name(name.to_owned()).build();
            options.partial_filter_expression = partial;
            IndexModel::builder().keys(keys).options(options).build()
        };
        let [due, odd, person, repeated, arrival] = INDEXES;
        let indexes = [
            // Finished events are not in it, so it stays as small as the backlog.
            named(doc! { "dueAt": 1 }, due, Some(doc! { "dueAt": { "$exists": true } })),
            // What was simply applied is the rest.
            named(doc! { "state": 1 }, odd, Some(doc! { "state": { "$in": odd_states() } })),
            named(doc! { "clerkId": 1, "receivedAt": -1 }, person, None),
            named(doc! { "deliveries": 1 }, repeated, Some(doc! { "deliveries": { "$gt": 1 } })),
        ];
        self.documents.create_indexes(indexes).await?;
        let mut expiring = named(doc! { "receivedAt": 1 }, arrival, None);
        expiring.options.get_or_insert_default().expire_after = Some(retention);
        match self.documents.create_index(expiring).await {
            // It is there with another retention: the setting was changed.
            Err(error) if is_other_options(&error) => {
                let seconds = i64::try_from(retention.as_secs()).unwrap_or(i64::MAX);
                let index = doc! { "name": arrival, "expireAfterSeconds": seconds };
                database.run_command(doc! { "collMod": "events", "index": index }).await?;
                Ok(())
            }
            created => Ok(created.map(|_| ())?),
        }
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 5] = ["dueAt_1", "state_1_odd", "clerkId_1_receivedAt_-1", "deliveries_1", "receivedAt_1"];

/// `IndexOptionsConflict`.
fn is_other_options(error: &mongodb::error::Error) -> bool {
    matches!(*error.kind, ErrorKind::Command(ref failure) if failure.code == 85)
}

/// Every state but the two that nearly all events are in.
fn odd_states() -> Bson {
    let is_odd = |state: &EventState| !matches!(state, EventState::Received | EventState::Applied);
    Bson::Array(EventState::ALL.into_iter().filter(is_odd).map(|state| state.as_str().into()).collect())
}

/// States that wait for an attempt.
fn pending() -> Bson {
    Bson::Array(vec![EventState::Received.as_str().into(), EventState::Failed.as_str().into()])
}
