//! Collection `events`: what became of each delivered event, keyed by the sender's message id (design 2.2).
//!
//! An event gets here with its first outcome; until then it stands in `deliveries`, where its body stays. States only move
//! forward: each transition names the states it may leave. What an event means is decided elsewhere.

pub mod intervention;
pub mod outcomes;
pub mod pages;
pub mod schema;
pub mod watch;

use std::collections::HashMap;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc, oid::ObjectId};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::model::event::EventState;
use crate::model::failure::{FAILURES, cause_of};
use crate::server::store::audit::Audit;
use crate::server::store::commands::write_each;
use crate::server::store::deliveries::{Deliveries, Kept, Place};
use crate::server::store::encoding::{date, optional_date, to_date};
use crate::server::store::events::outcomes::Earlier;
use crate::server::store::{DUPLICATE_KEY, Error, legible};

/// So many of the batches in which an event came again are remembered.
const KNOWN_BATCHES: i32 = 16;

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
    /// The body exactly as it was signed; kept in `deliveries`. Empty for what was read without it.
    #[serde(skip)]
    pub payload: String,
    /// What came with it and is kept, a line each: `name: value`. In `deliveries` as well.
    #[serde(skip)]
    pub headers: String,
    /// Where the body is.
    #[serde(default)]
    pub place: Option<Place>,
    pub state: EventState,
    pub attempts: u32,
    /// Those of them that failed for what passes by itself: they count for nothing (D2-14).
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    pub waits: u32,
    /// How often it was delivered.
    pub deliveries: u32,
    pub decision: Option<String>,
    /// Of what failed or was given up: why, in the words that all of its kind share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    #[serde(default, with = "optional_date")]
    pub event_at: Option<Timestamp>,
    #[serde(with = "date")]
    pub received_at: Timestamp,
    /// When somebody should look at it who is not already at work on it; absent once it is finished.
    #[serde(default, with = "optional_date", skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    #[serde(default, with = "optional_date")]
    pub finished_at: Option<Timestamp>,
    /// The trace that its arrival belongs to, as W3C writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// When the last attempt was, of what will be tried again.
    #[serde(default, with = "optional_date", skip_serializing_if = "Option::is_none")]
    pub tried_at: Option<Timestamp>,
    /// What became of it before, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
}

/// What a list shows of an event.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateTotal {
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
    /// For `Failed`: it was for what passes by itself.
    pub is_wait: bool,
}

/// An event by where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In `events`, by its id.
    Stored(String),
    /// In `deliveries` only.
    Arrived(Box<Event>),
}

/// An event and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub event: Origin,
    pub outcome: Outcome,
}

impl Outcome {
    /// Why it could not be applied, if it could not.
    pub fn cause(&self) -> Option<&str> {
        FAILURES.contains(&self.state).then(|| cause_of(&self.decision))
    }
}

impl Origin {
    pub fn id(&self) -> &str {
        match self {
            Self::Stored(id) => id,
            Self::Arrived(event) => &event.id,
        }
    }
}

impl Event {
    /// Itself as it looks with its first outcome.
    #[must_use]
    pub fn with(mut self, outcome: Outcome, now: Timestamp) -> Self {
        // What was finished at the door, or has to wait for an answer, has had no attempt.
        self.attempts = u32::from(self.state == EventState::Received && outcome.state != EventState::Received);
        self.waits = u32::from(outcome.is_wait);
        self.state = outcome.state;
        self.cause = outcome.cause().map(str::to_owned);
        self.decision = Some(outcome.decision);
        self.finished_at = outcome.due_at.is_none().then_some(now);
        self.tried_at = (outcome.state == EventState::Failed).then_some(now);
        self.due_at = outcome.due_at;
        self
    }

    /// What can be kept of it although MongoDB refuses it: that it came, where its body is, and why it is no more than that.
    fn given_up(&self, code: i32, now: Timestamp) -> Self {
        let decision = format!("MongoDB refused (code {code})");
        Self {
            kind: "unknown".to_owned(),
            clerk_id: None,
            instance_id: None,
            trace: None,
            state: EventState::Dead,
            cause: Some(cause_of(&decision).to_owned()),
            decision: Some(decision),
            finished_at: Some(now),
            due_at: None,
            tried_at: None,
            earlier: Vec::new(),
            ..self.clone()
        }
    }
}

#[derive(Clone, Debug)]
pub struct Events {
    documents: Collection<Event>,
    bodies: Deliveries,
    audit: Audit,
}

impl Events {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("events"), bodies: Deliveries::of(database), audit: Audit::of(database) }
    }

    pub async fn find(&self, id: &str) -> Result<Option<Event>, Error> {
        let Some(event) = self.documents.find_one(doc! { "_id": id }).await? else { return Ok(None) };
        Ok(self.with_payloads(vec![event]).await?.pop())
    }

    /// The oldest events that are due, with their bodies, and a lease on them: until it ends nobody else need look at them.
    /// That only saves work, so two who ask at the same moment may both get them.
    pub async fn lease_due(&self, now: Timestamp, until: Timestamp, limit: usize) -> Result<Vec<Event>, Error> {
        let pending = EventState::PENDING.map(EventState::as_str).to_vec();
        let filter = doc! { "dueAt": { "$lte": to_date(now) }, "state": { "$in": pending } };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = self.documents.clone_with_type::<RawDocumentBuf>();
        let found: Vec<RawDocumentBuf> =
            rows.find(filter).sort(doc! { "dueAt": 1 }).limit(limit).await?.try_collect().await?;
        if !found.is_empty() {
            // What cannot be read is put off as well, or it would stand in front for ever.
            let ids: Vec<Bson> = found.iter().filter_map(|event| event.get("_id").ok()??.try_into().ok()).collect();
            let theirs = doc! { "_id": { "$in": ids }, "dueAt": { "$lte": to_date(now) } };
            self.documents.update_many(theirs, doc! { "$set": { "dueAt": to_date(until) } }).await?;
        }
        self.with_payloads(legible::keep("events", &found)).await
    }

    async fn with_payloads(&self, mut events: Vec<Event>) -> Result<Vec<Event>, Error> {
        let places: Vec<&Place> = events.iter().filter_map(|event| event.place.as_ref()).collect();
        let mut found = self.bodies.find_contents(&places).await?;
        for event in &mut events {
            let Kept { payload, headers } =
                event.place.as_ref().and_then(|place| found.remove(place)).unwrap_or_default();
            (event.payload, event.headers) = (payload, headers);
        }
        Ok(events)
    }

    /// Records the ends of attempts: new events are added with theirs, all by one command; of known ones what ended alike is
    /// one statement. An event that another process finished meanwhile is left alone. One that is delivered again counts
    /// that, and is mended by it if it had failed.
    pub async fn record(&self, records: Vec<Record>, now: Timestamp) -> Result<(), Error> {
        let mut known: Vec<(String, Outcome)> = Vec::new();
        let mut added: Vec<Event> = Vec::with_capacity(records.len());
        let mut places: HashMap<String, usize> = HashMap::with_capacity(records.len());
        for Record { event, outcome } in records {
            match event {
                Origin::Stored(id) => known.push((id, outcome)),
                Origin::Arrived(event) => {
                    if let Some(place) = places.get(&event.id) {
                        added[*place].deliveries += event.deliveries;
                    } else {
                        places.insert(event.id.clone(), added.len());
                        added.push(event.with(outcome, now));
                    }
                }
            }
        }
        let again = self.add(&added, now).await?;
        let counted = self.count_again(&again).await;
        let finished = self.finish(known, &[EventState::Received, EventState::Failed], now).await;
        let mended = again.into_iter().filter(|event| event.due_at.is_none());
        let mended = mended.map(|event| {
            let decision = event.decision.clone().unwrap_or_default();
            (event.id.clone(), Outcome { state: event.state, decision, due_at: None, is_wait: false })
        });
        let from = [EventState::Received, EventState::Failed, EventState::Dead];
        let mended = self.finish(mended.collect(), &from, now).await;
        // What is refused of one is no reason to leave out the others.
        counted.and(finished).and(mended)
    }

    /// Records the ends of further attempts at known events, whatever became of them before.
    pub async fn record_again(&self, records: Vec<Record>, now: Timestamp) -> Result<(), Error> {
        let outcomes = records.into_iter().map(|Record { event, outcome }| (event.id().to_owned(), outcome)).collect();
        self.finish(outcomes, &EventState::ALL, now).await
    }

    /// Adds events; answers those that are there already. One that MongoDB will not have as it is becomes a dead one, which
    /// says why and no more.
    async fn add<'a>(&self, events: &'a [Event], now: Timestamp) -> Result<Vec<&'a Event>, Error> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let answer = write_each(&self.documents, "insert", events.iter().collect()).await?;
        let (mut known, mut given_up) = (Vec::new(), Vec::new());
        for refusal in answer.refused {
            let Some(event) = events.get(refusal.place) else { return Err(Error::Document(refusal.code)) };
            if refusal.code == DUPLICATE_KEY {
                known.push(event);
            } else {
                given_up.push(event.given_up(refusal.code, now));
            }
        }
        if !given_up.is_empty() {
            let answer = write_each(&self.documents, "insert", given_up).await?;
            let refused = answer.refused.iter().find(|refusal| refusal.code != DUPLICATE_KEY);
            refused.map_or(Ok(()), |refusal| Err(Error::Document(refusal.code)))?;
        }
        Ok(known)
    }

    /// Counts further deliveries, each batch once, however often it is told. What is there from the same delivery was carried
    /// out before somebody died, and is none.
    async fn count_again(&self, events: &[&Event]) -> Result<(), Error> {
        let statements = events.iter().map(|event| {
            let mut others = doc! { "_id": &event.id };
            let mut update = doc! { "$inc": { "deliveries": i64::from(event.deliveries) } };
            if let Some(batch) = event.place.as_ref().and_then(|place| ObjectId::parse_str(&place.batch).ok()) {
                others.insert("place.batch", doc! { "$ne": batch });
                others.insert("again", doc! { "$ne": batch });
                update.insert("$push", doc! { "again": { "$each": [batch], "$slice": -KNOWN_BATCHES } });
            }
            doc! { "q": others, "u": update }
        });
        let statements: Vec<Document> = statements.collect();
        if statements.is_empty() {
            return Ok(());
        }
        write_each(&self.documents, "update", statements).await?.whole()
    }

    /// The newest events.
    pub async fn list_newest(&self, limit: i64) -> Result<Vec<Summary>, Error> {
        let rows = self.documents.clone_with_type::<Summary>();
        Ok(rows.find(doc! {}).sort(doc! { "receivedAt": -1 }).limit(limit).await?.try_collect().await?)
    }

    /// How many events are in each state, read off the small indexes: those simply applied are the rest.
    pub async fn count_by_state(&self) -> Result<Vec<StateTotal>, Error> {
        let odd = odd_states().filter(|state| *state != EventState::Received).map(async |state| {
            let count = self.documents.count_documents(doc! { "state": state.as_str() }).await?;
            Ok::<_, Error>(StateTotal { state, count: number(count) })
        });
        let new = doc! { "state": EventState::Received.as_str() };
        let (odd, new, all, open) = tokio::join!(
            futures::future::try_join_all(odd),
            async { self.documents.count_documents(new).await },
            async { self.documents.estimated_document_count().await },
            self.bodies.count_open(),
        );
        let (mut totals, new, all, open) = (odd?, new?, all?, open?.events);
        let others: i64 = totals.iter().map(|total| total.count).sum::<i64>() + number(new);
        totals.push(StateTotal { state: EventState::Received, count: number(new.saturating_add(open)) });
        totals.push(StateTotal { state: EventState::Applied, count: number(all).saturating_sub(others).max(0) });
        Ok(totals)
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

    /// When the oldest event that still waits arrived: one step of an index for each state, however many wait.
    pub async fn find_oldest_pending(&self) -> Result<Option<Timestamp>, Error> {
        let rows = self.documents.clone_with_type::<Summary>();
        let oldest = async |state: EventState| {
            rows.find_one(doc! { "state": state.as_str() }).sort(doc! { "receivedAt": 1 }).await
        };
        let [received, failed] = EventState::PENDING.map(oldest);
        let (received, failed, open) = tokio::join!(received, failed, self.bodies.count_open());
        let stored = [received?, failed?].into_iter().flatten().map(|event| event.received_at);
        Ok(stored.chain(open?.oldest).min())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_none_of_them(waits: &u32) -> bool {
    *waits == 0
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Every state but the one that nearly all events are in: there is a small index of these.
pub fn odd_states() -> impl Iterator<Item = EventState> {
    EventState::ALL.into_iter().filter(|state| *state != EventState::Applied)
}

/// In one of these states. Of several, MongoDB sees that the small index has them all only if the index' own condition stands
/// beside; without it every event would be looked at.
pub fn in_states(states: &[EventState]) -> Document {
    let words = |states: Vec<EventState>| states.into_iter().map(EventState::as_str).collect::<Vec<_>>();
    match states {
        [state] => doc! { "state": state.as_str() },
        states if states.contains(&EventState::Applied) => doc! { "state": { "$in": words(states.to_vec()) } },
        states => {
            let those = doc! { "state": { "$in": words(states.to_vec()) } };
            doc! { "$and": [{ "state": { "$in": words(odd_states().collect()) } }, those] }
        }
    }
}
