//! Whether MongoDB holds exactly what was acknowledged: every event finished, every person in their latest state.
//!
//! The only place that knows how the server stores things. What must be there is worked out from the plan again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures::TryStreamExt;
use hdrhistogram::Histogram;
use mongodb::Database;
use mongodb::bson::{Document, RawDocumentBuf, doc};
use serde::Serialize;

use crate::ingest::plan::{Kind, Plan, happened_at, last_name, message_id, number_of, person_id};

const DRAINED_WITHIN: Duration = Duration::from_mins(10);
const FINISHED: [&str; 3] = ["applied", "stale", "duplicate"];
const MOST_EXAMPLES: usize = 5;

/// How long from the arrival of an event to the end of its application, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Lag {
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    pub events_acked: usize,
    /// Acknowledged, stored and finished.
    pub events_proven: usize,
    pub people: usize,
    /// Missing, stale, resurrected, or of nobody we know.
    pub people_wrong: usize,
    pub lag: Lag,
    pub states: BTreeMap<String, usize>,
    /// A few of the wrong ones.
    pub examples: Vec<String>,
}

impl Verdict {
    pub fn is_correct(&self) -> bool {
        self.events_proven == self.events_acked && self.people_wrong == 0
    }

    fn complain(&mut self, about: impl FnOnce() -> String) {
        if self.examples.len() < MOST_EXAMPLES {
            self.examples.push(about());
        }
    }
}

/// What was sent to one database, in all loads together, by event.
pub struct Sent<'a> {
    pub seed: u64,
    /// How many people were there before.
    pub people: usize,
    pub all: &'a [bool],
    pub acked: &'a [bool],
    /// Acknowledged in the load that counts: the lag is theirs.
    pub measured: &'a [bool],
}

/// How many events wait to be applied.
pub async fn backlog(database: &Database) -> anyhow::Result<u64> {
    let delivered = [doc! { "$match": open() }, doc! { "$group": { "_id": null, "events": { "$sum": "$count" } } }];
    let row = database.collection::<Document>("deliveries").aggregate(delivered).await?.try_next().await?;
    let delivered = row.and_then(|row| row.get_i64("events").ok()).unwrap_or_default().unsigned_abs();
    Ok(delivered + database.collection::<Document>("events").count_documents(waiting()).await?)
}

/// Waits until every stored event is finished; answers how long that took.
pub async fn drained(database: &Database) -> anyhow::Result<Duration> {
    let started = Instant::now();
    let deliveries = database.collection::<Document>("deliveries");
    let events = database.collection::<Document>("events");
    while started.elapsed() < DRAINED_WITHIN {
        let is_recorded = deliveries.find_one(open()).projection(doc! { "_id": 1 }).await?.is_none();
        if is_recorded && events.find_one(waiting()).projection(doc! { "_id": 1 }).await?.is_none() {
            return Ok(started.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("after {DRAINED_WITHIN:?} there are still events that wait")
}

/// Batches of deliveries whose events are not all in `events`.
fn open() -> Document {
    doc! { "dueAt": { "$exists": true } }
}

fn waiting() -> Document {
    doc! { "state": { "$in": ["received", "failed"] } }
}

/// Compares everything. To be called when nothing waits any more.
pub async fn judge(database: &Database, sent: &Sent<'_>) -> anyhow::Result<Verdict> {
    let mut verdict = Verdict::default();
    judge_events(database, sent, &mut verdict).await?;
    judge_people(database, sent, &mut verdict).await?;
    Ok(verdict)
}

fn has(marks: &[bool], index: usize) -> bool {
    marks.get(index).copied().unwrap_or(false)
}

async fn judge_events(database: &Database, sent: &Sent<'_>, verdict: &mut Verdict) -> anyhow::Result<()> {
    let mut lags = Histogram::<u64>::new_with_bounds(1, 3_600_000, 3)?;
    let mut proven = vec![false; sent.acked.len()];
    let fields = doc! { "_id": 1, "state": 1, "receivedAt": 1, "finishedAt": 1 };
    let events = database.collection::<RawDocumentBuf>("events");
    let mut found = events.find(doc! {}).projection(fields).batch_size(10_000).await?;
    while let Some(event) = found.try_next().await? {
        let id = event.get_str("_id")?;
        let state = event.get_str("state")?;
        *verdict.states.entry(state.to_owned()).or_default() += 1;
        let Some(index) = number_of(id, message_id) else {
            verdict.complain(|| format!("event {id} was never sent"));
            continue;
        };
        if !FINISHED.contains(&state) {
            verdict.complain(|| format!("event {id} is {state}"));
            continue;
        }
        if has(sent.acked, index) {
            proven[index] = true;
        }
        if has(sent.measured, index) {
            let (received, finished) = (event.get_datetime("receivedAt")?, event.get_datetime("finishedAt")?);
            let lag = finished.timestamp_millis() - received.timestamp_millis();
            lags.saturating_record(u64::try_from(lag).unwrap_or_default());
        }
    }
    verdict.events_acked = sent.acked.iter().filter(|acked| **acked).count();
    verdict.events_proven = proven.iter().filter(|proven| **proven).count();
    let at = |quantile| lags.value_at_quantile(quantile) as f64;
    verdict.lag = Lag { p50: at(0.5), p99: at(0.99), max: lags.max() as f64 };
    Ok(())
}

/// What must be stored of one person.
#[derive(Clone, Copy, Default)]
struct Expected {
    /// The newest event that was acknowledged.
    latest: Option<usize>,
    is_deleted: bool,
    /// Something was sent and not acknowledged: it may or may not have arrived.
    is_uncertain: bool,
    is_found: bool,
}

fn expected(sent: &Sent<'_>) -> Vec<Expected> {
    let origin = Expected { latest: Some(0), ..Expected::default() };
    let mut people = vec![origin; sent.people];
    for event in Plan::new(sent.seed, sent.people).take(sent.all.len().saturating_sub(1)) {
        if people.len() <= event.person {
            people.resize(event.person + 1, Expected::default());
        }
        let person = &mut people[event.person];
        if has(sent.acked, event.index) {
            // Events of a plan are in the order of their times.
            person.latest = Some(event.index);
            person.is_deleted |= event.kind == Kind::Deleted;
        } else if has(sent.all, event.index) {
            person.is_uncertain = true;
        }
    }
    people
}

async fn judge_people(database: &Database, sent: &Sent<'_>, verdict: &mut Verdict) -> anyhow::Result<()> {
    let mut people = expected(sent);
    let fields = doc! { "_id": 0, "clerkId": 1, "lastName": 1, "version": 1, "deletedAt": 1 };
    let users = database.collection::<RawDocumentBuf>("users");
    let mut found = users.find(doc! {}).projection(fields).batch_size(10_000).await?;
    while let Some(user) = found.try_next().await? {
        let id = user.get_str("clerkId")?;
        let known = number_of(id, person_id).and_then(|number| people.get_mut(number));
        let Some(person) = known else {
            verdict.people_wrong += 1;
            verdict.complain(|| format!("{id} is nobody we know"));
            continue;
        };
        person.is_found = true;
        if let Some(wrong) = wrong_about(person, &user)? {
            verdict.people_wrong += 1;
            verdict.complain(|| format!("{id}: {wrong}"));
        }
    }
    for (number, person) in people.iter().enumerate().filter(|(_, person)| person.latest.is_some()) {
        verdict.people += 1;
        if !person.is_found {
            verdict.people_wrong += 1;
            verdict.complain(|| format!("person {number} is missing"));
        }
    }
    Ok(())
}

fn wrong_about(person: &Expected, user: &RawDocumentBuf) -> anyhow::Result<Option<&'static str>> {
    if person.is_uncertain {
        return Ok(None);
    }
    let Some(latest) = person.latest else { return Ok(Some("is there without an event")) };
    let is_deleted = user.get_datetime("deletedAt").is_ok();
    if is_deleted != person.is_deleted {
        return Ok(Some(if is_deleted { "is deleted and should live" } else { "lives and should be deleted" }));
    }
    if is_deleted {
        return Ok(None);
    }
    let version = user.get_document("version").context("no version")?.get_i64("updatedAt")?;
    let (name, number) = last_name(latest);
    if version != happened_at(latest) || user.get_str("lastName")? != format!("{name}{number}") {
        return Ok(Some("is not in the state of the latest event"));
    }
    Ok(None)
}
