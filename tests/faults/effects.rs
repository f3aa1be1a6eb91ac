//! Effects under faults: what the application's own systems are told, and what Clerk holds when nothing moves any more (INV 4).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use rollcall::standin::webhooks::State;
use serde_json::{Value, json};

use crate::site::Site;
use crate::support::eventually_within;
use crate::support::receiver::{Receiver, SECRET};

/// Longer than whoever was killed may have held a job.
const PAST_ANY_JOB: Duration = Duration::from_mins(3);

/// Servers of this site bring Clerk's metadata in line from now on, and tell this receiver of every change.
pub async fn switched_on(site: &mut Site) -> Receiver {
    let receiver = Receiver::replying(&[]).await;
    site.change(&[
        ("ROLLCALL_METADATA", "true"),
        ("ROLLCALL_WEBHOOK_URL", receiver.url.as_str()),
        ("ROLLCALL_WEBHOOK_SECRET", SECRET),
    ]);
    receiver
}

/// When nothing moves any more, each change was told once, and Clerk holds what it should.
pub async fn are_right(site: &Site, receiver: &Receiver) {
    at_rest(site).await;
    each_was_told_under_one_id(site, receiver).await;
    clerk_holds_what_is_wanted(site).await;
}

/// Waits until every effect is had, and everything that Clerk tells of it has come to its end here.
async fn at_rest(site: &Site) {
    eventually_within(PAST_ANY_JOB, "every effect is had", || async {
        unfinished(site).await?;
        let told = site.clerk.deliveries();
        let is_all_told = told.iter().all(|delivery| delivery.state == State::Delivered);
        // What arrived last may have had an effect, of which Clerk told in turn.
        unfinished(site).await?;
        let is_last = site.clerk.deliveries().len() == told.len();
        if is_all_told && is_last { Ok(()) } else { Err("Clerk has more to tell".to_owned()) }
    })
    .await;
}

/// What waits, as an error; counted in the order in which one becomes the other, so that nothing slips through.
async fn unfinished(site: &Site) -> Result<(), String> {
    let is_pending = doc! { "state": { "$in": ["received", "failed"] } };
    let batches = site.database.open_batches().await;
    let events = site.database.count("events", is_pending).await;
    let outboxes = site.database.count("users", doc! { "outbox.0": { "$exists": true } }).await;
    let jobs = site.database.count("jobs", doc! { "state": "waiting" }).await;
    match batches + events + outboxes + jobs {
        0 => Ok(()),
        _ => Err(format!("{batches} batches, {events} events, {outboxes} outboxes, {jobs} jobs")),
    }
}

/// Each effect was had, and each change was told under one id: what came more than once under it says the same.
async fn each_was_told_under_one_id(site: &Site, receiver: &Receiver) {
    let told = told_by(receiver);
    let jobs = site.database.all("jobs").await;
    let unfinished: Vec<&Document> = jobs.iter().filter(|job| job.get_str("state").ok() != Some("done")).collect();
    assert!(unfinished.is_empty(), "{unfinished:?}");
    let webhooks = jobs.iter().filter(|job| job.get_str("kind").ok() == Some("webhook"));
    let expected: BTreeSet<&str> = webhooks.map(|job| job.get_str("_id").expect("a key")).collect();
    assert_eq!(told.keys().map(String::as_str).collect::<BTreeSet<&str>>(), expected, "left: told, right: jobs");
    let mut by_person: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for body in told.values() {
        by_person.entry(body["data"]["clerkId"].as_str().expect("an id")).or_default().push(body);
    }
    for user in site.database.all("users").await {
        let id = user.get_str("clerkId").expect("an id");
        let of_them = by_person.remove(id).unwrap_or_default();
        let count = |kind: &str| of_them.iter().filter(|body| body["type"].as_str() == Some(kind)).count();
        let is_deleted = user.get_datetime("deletedAt").is_ok();
        assert!(count("user.created") <= 1, "{id} was created {} times", count("user.created"));
        assert_eq!(count("user.deleted"), usize::from(is_deleted), "deletions of {id}");
        let is_told = is_deleted || of_them.iter().any(|body| says(&body["data"], &user));
        assert!(is_told, "nobody was told how {id} is now: {of_them:?}");
    }
}

/// No two ids tell the same of one person. Holds where nobody becomes again what they were.
pub fn no_change_was_told_under_two_ids(receiver: &Receiver) {
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for (id, body) in told_by(receiver) {
        let mut data = body["data"].clone();
        // It says nothing but the version.
        data.as_object_mut().expect("an object").remove("updatedAt");
        let other = said.insert(data.to_string(), id.clone());
        assert_eq!(other, None, "it tells the same as {id}: {data}");
    }
}

/// Each message by its id, as whoever recognises repetitions sees them.
fn told_by(receiver: &Receiver) -> BTreeMap<String, Value> {
    let mut told: BTreeMap<String, Value> = BTreeMap::new();
    for message in receiver.received() {
        let body = message.body();
        let first = told.entry(message.id().to_owned()).or_insert_with(|| body.clone());
        assert_eq!(*first, body, "{} says two things", message.id());
    }
    told
}

fn says(data: &Value, user: &Document) -> bool {
    let texts = ["firstName", "lastName", "name", "username", "email", "role"];
    let is_text = |field: &str| data[field].as_str() == user.get_str(field).ok();
    let is_flag = |field: &str| data[field].as_bool() == user.get_bool(field).ok();
    texts.into_iter().all(is_text) && ["banned", "locked"].into_iter().all(is_flag)
}

/// Clerk's metadata of each person is what their document wants there.
async fn clerk_holds_what_is_wanted(site: &Site) {
    let stored = site.database.all("users").await;
    let living = stored.iter().filter(|user| user.get("deletedAt").is_none_or(|at| *at == Bson::Null));
    let by_id: BTreeMap<&str, &Document> = living.map(|user| (user.get_str("clerkId").expect("an id"), user)).collect();
    for person in site.clerk.users() {
        let id = person["id"].as_str().expect("an id");
        let user = by_id.get(id).expect("a document");
        let (own, role) = (user.get_object_id("_id").expect("an id").to_hex(), user.get_str("role").expect("a role"));
        let wanted = json!({ "userMongoId": own, "role": role, "isAdmin": role == "admin" });
        for (key, value) in wanted.as_object().expect("an object") {
            assert_eq!(&person["public_metadata"][key], value, "{key} of {id} (left: Clerk, right: wanted)");
        }
    }
}
