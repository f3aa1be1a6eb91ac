//! What must hold after every fault (requirements D2, set INV), read off MongoDB, the stand-in and the servers' logs.
//!
//! The expected document is spelled out here from Clerk's JSON and shares nothing with the code that makes the real one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use mongodb::bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use rollcall::standin::Standin;
use rollcall::standin::webhooks::State;
use serde_json::Value;

use crate::support::eventually_within;
use crate::support::mongo::TestDatabase;
use crate::support::process::read_log;

/// States that an event never leaves.
const TERMINAL: [&str; 6] = ["applied", "stale", "duplicate", "ignored", "dead", "discarded"];

/// Fields that the mapping fills, each compared whole. `username` may carry a suffix and is compared apart.
const MAPPED: [&str; 17] = [
    "clerkId",
    "email",
    "emailVerified",
    "emails",
    "firstName",
    "lastName",
    "name",
    "clerkUsername",
    "imageUrl",
    "role",
    "banned",
    "locked",
    "createdAt",
    "updatedAt",
    "deletedAt",
    "syncStatus",
    "authProvider",
];

/// What a tombstone may not hold any more.
const PERSONAL: [&str; 6] = ["email", "firstName", "lastName", "username", "clerkUsername", "imageUrl"];

/// One system after a fault.
pub struct Invariants<'a> {
    pub clerk: &'a Standin,
    pub database: &'a TestDatabase,
    pub logs: &'a [PathBuf],
    /// Fragments of the log lines that this fault is known to cause.
    pub explained: &'a [&'a str],
}

impl Invariants<'_> {
    /// Asserts the whole set; every event must be finished, or finish soon.
    pub async fn hold(&self) {
        settled(self.database, Duration::from_mins(1)).await;
        self.every_person_is_here_as_clerk_says().await;
        self.the_deleted_stay_deleted().await;
        self.everything_acknowledged_is_finished().await;
        self.no_effect_fired_twice().await;
        self.histories_lead_to_what_is_stored().await;
        self.nothing_unexplained_was_logged();
    }

    /// (1) Each Clerk user has exactly one document, and it equals the mapped Clerk user.
    async fn every_person_is_here_as_clerk_says(&self) {
        let stored = self.database.all("users").await;
        let living: Vec<&Document> = stored.iter().filter(|user| !is_tombstone(user)).collect();
        let people = self.clerk.users();
        let expected: BTreeMap<String, Document> =
            people.iter().map(mapped).map(|user| (id_of(&user).to_owned(), user)).collect();
        let mut found: BTreeMap<&str, &Document> = BTreeMap::new();
        for user in living {
            assert!(found.insert(id_of(user), user).is_none(), "two documents of {}", id_of(user));
        }
        let missing: Vec<_> = expected.keys().filter(|id| !found.contains_key(id.as_str())).collect();
        let surplus: Vec<_> = found.keys().filter(|id| !expected.contains_key(**id)).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "missing here: {missing:?}; unknown to Clerk: {surplus:?}");
        for (id, user) in found {
            for field in MAPPED {
                let (ours, theirs) = (user.get(field).unwrap_or(&Bson::Null), expected[id].get(field));
                assert_eq!(Some(ours), theirs, "{field} of {id} (left: MongoDB, right: Clerk)");
            }
            assert_username(user);
        }
        for person in &people {
            let id = person["id"].as_str().expect("an id");
            let version =
                stored.iter().find(|user| id_of(user) == id).and_then(|user| user.get_document("version").ok());
            let version = version.and_then(|version| version.get_i64("updatedAt").ok());
            assert_eq!(version, person["updated_at"].as_i64(), "the version of {id}");
        }
    }

    /// (2) Whose deletion was delivered has a tombstone, with nothing personal in it.
    async fn the_deleted_stay_deleted(&self) {
        let stored = self.database.all("users").await;
        let tombstones: BTreeMap<&str, &Document> =
            stored.iter().filter(|user| is_tombstone(user)).map(|user| (id_of(user), user)).collect();
        for delivery in self.clerk.deliveries() {
            if delivery.kind == "user.deleted" && delivery.state == State::Delivered {
                assert!(tombstones.contains_key(delivery.user_id.as_str()), "{} lives on", delivery.user_id);
            }
        }
        for (id, tombstone) in tombstones {
            assert!(self.clerk.user(id).is_none(), "{id} is deleted here and alive at Clerk");
            for field in PERSONAL {
                assert_eq!(tombstone.get(field).unwrap_or(&Bson::Null), &Bson::Null, "{field} of the deleted {id}");
            }
            assert_eq!(tombstone.get_array("emails").map(Vec::len).ok(), Some(0), "addresses of the deleted {id}");
        }
    }

    /// (3) Every acknowledged event is in the inbox, in a terminal state.
    async fn everything_acknowledged_is_finished(&self) {
        let events = self.database.all("events").await;
        let states: BTreeMap<&str, &str> = events
            .iter()
            .filter_map(|event| Some((event.get_str("_id").ok()?, event.get_str("state").ok()?)))
            .collect();
        for delivery in self.clerk.deliveries() {
            let acknowledged =
                delivery.attempts.iter().any(|attempt| attempt.status.is_some_and(|status| status / 100 == 2));
            let state = states.get(delivery.svix_id.as_str());
            assert!(
                !acknowledged || state.is_some_and(|state| TERMINAL.contains(state)),
                "{} was acknowledged, and is {state:?}",
                delivery.svix_id
            );
        }
    }

    /// (4) What Clerk was told of a person is told once: as its own events have it, MongoDB's id appears and stays, and it
    /// is the id of the one document. (Mails and webhooks are counted where they arrive: `it::jobs`.)
    async fn no_effect_fired_twice(&self) {
        let stored = self.database.all("users").await;
        let mut told: BTreeMap<String, String> = BTreeMap::new();
        for delivery in self.clerk.deliveries() {
            let body: Value = serde_json::from_str(&delivery.body).expect("JSON");
            let Some(id) = body["data"]["public_metadata"]["userMongoId"].as_str() else { continue };
            let first = told.entry(delivery.user_id.clone()).or_insert_with(|| id.to_owned());
            assert_eq!(first, id, "{} was told two ids", delivery.user_id);
        }
        for user in stored.iter().filter(|user| !is_tombstone(user)) {
            let own = user.get_object_id("_id").map(ObjectId::to_hex).ok();
            let first = told.get(id_of(user));
            assert!(first.is_none() || first == own.as_ref(), "{} was told {first:?}", id_of(user));
        }
    }

    /// (5) What came over a person leads, change by change, to how they are stored.
    async fn histories_lead_to_what_is_stored(&self) {
        for user in self.database.all("users").await.iter().filter(|user| !is_tombstone(user)) {
            let mut now: BTreeMap<String, String> = BTreeMap::new();
            let history = user.get_array("history").map(Vec::as_slice).unwrap_or_default();
            let entries = history.iter().filter_map(Bson::as_document);
            let changes = entries.filter_map(|entry| entry.get_array("fields").ok()).flatten();
            for change in changes.filter_map(Bson::as_document) {
                let field = change.get_str("field").expect("a name").to_owned();
                let Ok(after) = change.get_str("after") else { continue };
                if let (Ok(before), Some(known)) = (change.get_str("before"), now.get(&field)) {
                    assert_eq!(known, before, "{field} of {} is broken", id_of(user));
                }
                now.insert(field, after.to_owned());
            }
            for field in ["role", "banned", "locked"] {
                let word = user.get_bool(field).map(|is_so| is_so.to_string());
                let stored = word.unwrap_or_else(|_| user.get_str(field).expect("a word").to_owned());
                let told = now.get(field);
                assert!(told.is_none_or(|told| *told == stored), "{field} of {}: {told:?}, {stored}", id_of(user));
            }
        }
    }

    /// (6) No panic, and no warning or error but those that the fault explains.
    fn nothing_unexplained_was_logged(&self) {
        for path in self.logs {
            let log = read_log(path);
            let unexplained: Vec<&str> = log.lines().filter(|line| !self.is_explained(line)).take(10).collect();
            assert!(unexplained.is_empty(), "{}:\n{}", path.display(), unexplained.join("\n"));
        }
    }

    fn is_explained(&self, line: &str) -> bool {
        if line.contains("panicked") {
            return false;
        }
        let is_complaint = [" ERROR ", " WARN "].iter().any(|level| line.contains(level));
        !is_complaint || self.explained.iter().any(|fragment| line.contains(fragment))
    }
}

/// Waits until everything that was delivered is in `events`, in a terminal state.
pub async fn settled(database: &TestDatabase, patience: Duration) {
    let unfinished = doc! { "state": { "$nin": TERMINAL.map(Bson::from).to_vec() } };
    eventually_within(patience, "every event is finished", || async {
        let open = database.open_batches().await;
        match database.count("events", unfinished.clone()).await {
            0 if open == 0 => Ok(()),
            0 => Err(format!("{open} batches of deliveries")),
            waiting => {
                Err(format!("{waiting} waiting, such as {:?}", database.find("events", unfinished.clone()).await))
            }
        }
    })
    .await;
}

fn id_of(user: &Document) -> &str {
    user.get_str("clerkId").expect("a Clerk id")
}

fn is_tombstone(user: &Document) -> bool {
    user.get_datetime("deletedAt").is_ok()
}

/// Ours is Clerk's, or Clerk's with the suffix of somebody who found it taken.
fn assert_username(user: &Document) {
    let of = |field: &str| user.get_str(field).ok();
    let is_right = match (of("username"), of("clerkUsername")) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => {
            ours.strip_prefix(theirs).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        }
        _ => false,
    };
    assert!(is_right, "{:?} for {:?}", of("username"), of("clerkUsername"));
}

/// The document that a person at Clerk should have.
fn mapped(user: &Value) -> Document {
    let text = |field: &str| filled(&user[field]);
    let addresses = user["email_addresses"].as_array().cloned().unwrap_or_default();
    let is_verified = |address: &Value| address["verification"]["status"] == "verified";
    let primary = addresses.iter().find(|address| address["id"] == user["primary_email_address_id"]);
    let primary = primary.or_else(|| addresses.iter().find(|address| is_verified(address))).or(addresses.first());
    let email = primary.and_then(|address| filled(&address["email_address"]));
    let emails: Vec<Bson> = addresses
        .iter()
        .map(|address| {
            let spelled = filled(&address["email_address"]).expect("an address");
            doc! { "address": spelled, "verified": is_verified(address) }.into()
        })
        .collect();
    let names: Vec<String> = [text("first_name"), text("last_name")].into_iter().flatten().collect();
    let local_part = email.as_deref().and_then(|email| email.split('@').next()).map(str::to_owned);
    let name = if names.is_empty() {
        text("username").or(local_part).unwrap_or_else(|| "Unnamed".to_owned())
    } else {
        names.join(" ")
    };
    let date = |field: &str| DateTime::from_millis(user[field].as_i64().expect("a time"));
    doc! {
        "clerkId": text("id"), "email": email, "emailVerified": primary.is_some_and(is_verified), "emails": emails,
        "firstName": text("first_name"), "lastName": text("last_name"), "name": name,
        "clerkUsername": text("username"), "imageUrl": text("image_url"),
        "role": user["public_metadata"]["role"].as_str().unwrap_or("user"),
        "banned": user["banned"] == true, "locked": user["locked"] == true,
        "createdAt": date("created_at"), "updatedAt": date("updated_at"), "deletedAt": Bson::Null,
        "syncStatus": "active", "authProvider": "clerk",
    }
}

fn filled(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}
