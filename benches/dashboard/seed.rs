//! Events, their bodies, people and effects in any number: by the server's own documents, so nothing here has to know how
//! they are stored.

use anyhow::Context;
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use mongodb::options::{Acknowledgment, WriteConcern};
use mongodb::{Collection, Database};
use rollcall::model::event::EventState;
use rollcall::model::failure::{FAILURES, cause_of};
use rollcall::model::job::{JobKind, JobState};
use rollcall::server::store::deliveries::{Batch, Deliveries};
use rollcall::server::store::events::Event;
use rollcall::server::store::jobs::Job;
use rollcall::server::store::users::new_id;

/// Events a command, and how many commands at once.
const AT_ONCE: usize = 5_000;
const COMMANDS: usize = 2;
/// As many as arrive together at sixty-four connections.
const DELIVERED_TOGETHER: usize = 50;
/// Less than the retention, so that none of them goes meanwhile.
const DAYS: i64 = 29;
/// Events for each person, and for each effect.
const A_PERSON: usize = 20;
const AN_EFFECT: usize = 10;
/// So many of the oldest are given up, events and effects, so that each filter fills a page, however few there are.
const GIVEN_UP: usize = 60;

/// Fills the collections of a server that has made its schema and knows one person.
pub async fn seed(database: &Database, events: usize) -> anyhow::Result<()> {
    let now = Timestamp::now();
    let parts = |count: usize| (0..count).step_by(AT_ONCE).map(move |first| (first, count.min(first + AT_ONCE)));
    let work = parts(events).map(|(first, end)| {
        let database = database.clone();
        let part: Vec<Event> = (first..end).map(|number| event(number, events, now)).collect();
        async move { tokio::spawn(store_events(database, part)).await? }
    });
    futures::stream::iter(work).buffer_unordered(COMMANDS).try_collect::<Vec<()>>().await?;
    let users = fast(&database.collection::<Document>("users"));
    let origin = users.find_one(doc! {}).await?.context("nobody is stored")?;
    for (first, end) in parts(events / A_PERSON) {
        users.insert_many((first..end).map(|number| person(&origin, number))).ordered(false).await?;
    }
    let jobs = fast(&database.collection::<Job>("jobs"));
    for (first, end) in parts(events / AN_EFFECT) {
        jobs.insert_many((first..end).map(|number| job(number, events, now))).ordered(false).await?;
    }
    Ok(())
}

async fn store_events(database: Database, events: Vec<Event>) -> anyhow::Result<()> {
    let due_at = Timestamp::now();
    let (mut batches, mut placed) = (Vec::new(), Vec::with_capacity(events.len()));
    for together in events.chunks(DELIVERED_TOGETHER) {
        batches.extend(Batch::pack(together.to_vec(), due_at, new_id));
    }
    for batch in &batches {
        placed.extend(batch.events.iter().map(|event| Event { payload: String::new(), ..event.clone() }));
    }
    let deliveries = Deliveries::of(&database);
    deliveries.insert(&batches).await?;
    let ids: Vec<String> = batches.into_iter().map(|batch| batch.id).collect();
    deliveries.close(&ids).await?;
    fast(&database.collection::<Event>("events")).insert_many(placed).ordered(false).await?;
    Ok(())
}

/// Nothing of this is measured, so nothing of this waits for the journal.
fn fast<T: Send + Sync>(documents: &Collection<T>) -> Collection<T> {
    let concern = WriteConcern::builder().w(Acknowledgment::Nodes(1)).journal(false).build();
    let options = mongodb::options::CollectionOptions::builder().write_concern(concern).build();
    documents.client().database(&documents.namespace().db).collection_with_options(documents.name(), options)
}

/// The id of an event. Later ones come later, as a sender's do.
pub fn event_id(number: usize) -> String {
    format!("msg_2dash{number:022}")
}

/// The id of whom an event is about.
pub fn person_of(number: usize, events: usize) -> String {
    format!("user_2dash{:022}", number % (events / A_PERSON).max(1))
}

fn at(number: usize, of: usize, now: Timestamp) -> Timestamp {
    let span = DAYS * 86_400_000;
    let ago = (of - number) as i128 * i128::from(span) / of as i128;
    let ago = SignedDuration::from_millis(i64::try_from(ago).unwrap_or(span));
    now.saturating_sub(ago).unwrap_or(now)
}

fn event(number: usize, of: usize, now: Timestamp) -> Event {
    let received_at = at(number, of, now);
    // The first fill a page of each rare state, however few there are in all.
    let is_failed = number.is_multiple_of(10_000) || (GIVEN_UP..2 * GIVEN_UP).contains(&number);
    let of_a_thousand = if number < 2 * GIVEN_UP { 1 } else { number % 1_000 };
    let (state, decision) = match of_a_thousand {
        0..=1 if is_failed => (EventState::Failed, "attempt 3 failed: Clerk is away"),
        0..=2 => (EventState::Dead, "given up after 8 attempts: MongoDB refused (code 121)"),
        3..=12 => (EventState::Ignored, "not about a person"),
        13..=42 => (EventState::Stale, "older than what is stored"),
        43..=57 => (EventState::Duplicate, "MongoDB holds what it says"),
        _ => (EventState::Applied, "updated firstName"),
    };
    let is_open = state == EventState::Failed;
    let is_about_nobody = state == EventState::Ignored;
    let kind = match number % 20 {
        _ if is_about_nobody => "session.created",
        0..=11 => "user.created",
        12..=18 => "user.updated",
        _ => "user.deleted",
    };
    let clerk_id = (!is_about_nobody).then(|| person_of(number, of));
    let finished_at = received_at.saturating_add(SignedDuration::from_millis(40)).unwrap_or(received_at);
    Event {
        id: event_id(number),
        kind: kind.to_owned(),
        instance_id: Some("ins_2benchmark0benchmark0bench".to_owned()),
        payload: body(number, kind, clerk_id.as_deref().unwrap_or("sess_2dash"), received_at),
        clerk_id,
        headers: String::new(),
        place: None,
        state,
        attempts: if is_open { 3 } else { 1 },
        waits: 0,
        deliveries: if number.is_multiple_of(50) { 2 } else { 1 },
        decision: Some(decision.to_owned()),
        cause: FAILURES.contains(&state).then(|| cause_of(decision).to_owned()),
        event_at: Some(received_at),
        received_at,
        // Nobody shall try it while pages are measured.
        due_at: is_open.then(|| now.saturating_add(SignedDuration::from_hours(24)).unwrap_or(now)),
        finished_at: (!is_open).then_some(finished_at),
        trace: None,
        tried_at: None,
        earlier: Vec::new(),
    }
}

fn body(number: usize, kind: &str, id: &str, at: Timestamp) -> String {
    let at = at.as_millisecond();
    let filler = "x".repeat(600);
    format!(
        r#"{{"data":{{"id":"{id}","object":"user","first_name":"Ada","last_name":"Lovelace{number}","username":"ada{number}","email_addresses":[{{"id":"idn_{number}","email_address":"ada{number}@example.com","verification":{{"status":"verified"}}}}],"public_metadata":{{"note":"{filler}"}},"created_at":{at},"updated_at":{at}}},"object":"event","type":"{kind}","timestamp":{at}}}"#
    )
}

/// A copy of somebody whom the server has stored, with ids and names of its own.
fn person(origin: &Document, number: usize) -> Document {
    let mut copy = origin.clone();
    copy.extend(doc! {
        "_id": ObjectId::new(), "clerkId": format!("user_2dash{number:022}"), "username": format!("dash{number}"),
        "clerkUsername": format!("dash{number}"), "email": format!("dash{number}@example.com"), "role": "user",
    });
    copy
}

fn job(number: usize, events: usize, now: Timestamp) -> Job {
    let created_at = at(number, (events / AN_EFFECT).max(1), now);
    let is_given_up = number < GIVEN_UP || number.is_multiple_of(1_000);
    let state = if is_given_up { JobState::Dead } else { JobState::Done };
    Job {
        id: format!("webhook:{}:{number}", person_of(number, events)),
        kind: JobKind::Webhook,
        clerk_id: Some(person_of(number, events)),
        body: None,
        state,
        attempts: 1,
        generation: 1,
        due_at: None,
        lease_owner: None,
        lease_until: None,
        sending_at: None,
        cause: Some("answered 200".to_owned()),
        to: Some("hooks.example.com".to_owned()),
        created_at,
        finished_at: Some(created_at),
        trace: None,
        events: Vec::new(),
    }
}
