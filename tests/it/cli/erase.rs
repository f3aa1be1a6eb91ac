//! `rollcall users erase`: what is kept about a person is gone from every collection, byte by byte (C-11).

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mongodb::bson::{DateTime, Document, doc};
use rollcall::model::event::EventState;
use rollcall::server::erasure::hide_erased;
use rollcall::server::store::deliveries::Batch;
use rollcall::server::store::events::Event;
use rollcall::server::store::users::new_id;
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use super::mentions::mention;
use super::users::users;
use super::{answered, beside, operator, run, with};
use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::user_event;
use crate::support::receiver::{Receiver, Reply, SECRET};

/// Nobody else has any of them.
const VALUES: [&str; 6] =
    ["Zephyrine", "Quillfeather", "zephyrine@quill.example", "zephy_quill", "ultramarine", "their-password-hash"];

/// Nor of these, which they had before, or which nothing else ties to them.
const MORE: [&str; 4] = ["former@quill.example", "+15555550142", "newest@quill.example", "idn_phone"];

async fn person(app: &TestApp) -> String {
    let attributes = json!({
        "email_address": ["zephyrine@quill.example"], "first_name": "Zephyrine", "last_name": "Quillfeather",
        "username": "zephy_quill",
    });
    app.person(attributes).await
}

/// Every place in the database where one of the values is: collection and value.
async fn traces(app: &TestApp) -> Vec<(String, &'static str)> {
    traces_of(app, &VALUES).await
}

async fn traces_of<'a>(app: &TestApp, values: &[&'a str]) -> Vec<(String, &'a str)> {
    let database = app.database.client.database(&app.database.name);
    let mut found = Vec::new();
    for collection in database.list_collection_names().await.expect("names") {
        for document in app.database.all(&collection).await {
            let mut bytes = mongodb::bson::serialize_to_vec(&document).expect("BSON");
            if collection == "deliveries" {
                let content = document.get_binary_generic("content").expect("a content");
                bytes.extend(zstd::decode_all(content.as_slice()).expect("Zstandard"));
            }
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            let there = values.iter().copied().filter(|value| text.contains(&value.to_lowercase()));
            found.extend(there.map(|value| (collection.clone(), value)));
        }
    }
    found
}

fn arrived(id: &str, clerk_id: &str, body: &Value) -> Event {
    Event {
        id: id.to_owned(),
        kind: "user.updated".to_owned(),
        clerk_id: Some(clerk_id.to_owned()),
        instance_id: None,
        payload: body.to_string(),
        headers: String::new(),
        place: None,
        state: EventState::Received,
        attempts: 0,
        waits: 0,
        deliveries: 1,
        decision: None,
        event_at: None,
        received_at: Timestamp::now(),
        due_at: None,
        finished_at: None,
        cause: None,
        trace: None,
        tried_at: None,
        earlier: Vec::new(),
    }
}

/// A person with a trace in every collection that can have one; two events delivered together with another's.
async fn with_traces() -> (TestApp, Receiver, String) {
    let receiver = Receiver::replying(&[Reply::Status(410)]).await;
    let variables =
        vec![("ROLLCALL_WEBHOOK_URL", receiver.url.clone()), ("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let id = person(&app).await;
    app.quiet().await;
    let together = vec![
        arrived("msg_theirs", &id, &user_event("user.updated", &id, "Zephyrine", 1_700_000_000_000)),
        arrived("msg_bobs", "user_bob", &user_event("user.updated", "user_bob", "Bob", 1_700_000_000_000)),
    ];
    let batches = Batch::pack(together, Timestamp::now(), new_id);
    app.state.store.deliveries.insert(&batches).await.expect("stored");
    // A copy that came again, and a mail that names nobody but by the address.
    let first = app.database.find("events", doc! { "clerkId": &id, "kind": "user.created" }).await.expect("an event");
    assert!(app.clerk.resend(first.get_str("_id").expect("an id")));
    let mail = json!({ "to_email_address": "zephyrine@quill.example", "user_id": null, "body": "Dear Zephyrine" });
    app.deliver("msg_mail", &json!({ "object": "event", "type": "email.created", "data": mail })).await;
    app.quiet().await;
    let own = doc! { "favourite": "ultramarine", "passwordHash": "their-password-hash" };
    app.database.set("users", doc! { "clerkId": &id }, own).await;
    let differing = doc! { "field": "theme", "here": "ultramarine", "clerk": "Zephyrine" };
    let found = doc! {
        "_id": format!("a_run:d:{id}"), "runId": "a_run", "runKind": "proof", "at": DateTime::now(), "dryRun": false,
        "clerkId": &id, "kind": "differing", "fields": [differing],
    };
    app.database.insert("findings", found).await;
    mention(&app, &id).await;
    (app, receiver, id)
}

#[tokio::test]
async fn c_11_after_an_erasure_no_value_of_the_person_is_in_any_collection() {
    let (app, receiver, id) = with_traces().await;
    let before = traces(&app).await;
    for collection in ["users", "deliveries", "jobs", "findings", "filters", "events", "audit"] {
        assert!(
            before.iter().any(|(place, _)| place == collection),
            "{collection} has a trace to begin with: {before:?}"
        );
    }

    let dossier = users(&app, &["export", &id]).await.expect(0).json();
    assert_eq!(dossier["findings"].as_array().map(Vec::len), Some(2), "{dossier}");
    users(&app, &["erase", &id, "--yes"]).await.expect(1).says(&["Clerk still knows", "--at-clerk", "--only-here"]);
    let asked = users(&app, &["erase", &id, "--at-clerk"]).await.expect(2);
    asked.says(&[&format!("Type {id} to do it:"), "here and at Clerk", "not confirmed"]);
    answered("yes\n", &["users", "erase", &id, "--at-clerk"], &beside(&app)).await.expect(2).says(&["not confirmed"]);
    users(&app, &["erase", &id, "--at-clerk", "--dry-run"]).await.expect(0).says(&["would be erased"]);
    assert_eq!(traces(&app).await, before);

    // Clerk's own event about it comes later, so that the receipt does not depend on the moment.
    app.clerk.set_levers(Levers { paused: true, ..Levers::default() });
    let arguments = ["users", "erase", "zephyrine@quill.example", "--at-clerk", "--reason", "asked for", "--json"];
    let environment = with(&beside(&app), "ROLLCALL_WEBHOOK_URL", &receiver.url);
    let environment = with(&environment, "ROLLCALL_WEBHOOK_SECRET", SECRET);
    let receipt = answered(&format!("{id}\n"), &arguments, &environment).await.expect(0).json();
    let tombstone = app.database.user(&id).await.expect("a tombstone");
    let document = tombstone.get_object_id("_id").expect("an id").to_hex();
    assert_eq!(
        (&receipt["clerkId"], &receipt["id"], &receipt["by"], &receipt["atClerk"]),
        (&json!(id), &json!(document), &json!(operator()), &json!("deleted")),
    );
    let erased = &receipt["erased"];
    assert_eq!((&erased["bodies"], &erased["fields"]), (&json!(4), &json!(2)), "{receipt}");
    assert!(erased["jobs"].as_u64() >= Some(1), "{receipt}");
    assert_eq!((&erased["runs"], &erased["unreadable"]), (&json!(2), &json!(0)), "{receipt}");
    assert_eq!((&erased["filters"], &erased["words"]), (&json!(4), &json!(4)), "{receipt}");
    assert_eq!(app.database.count("filters", doc! {}).await, 1, "the one of nobody in particular stays");
    assert!(app.clerk.user(&id).is_none());
    app.clerk.set_levers(Levers::default());
    app.quiet().await;
    assert_eq!(traces(&app).await, []);
    assert!(tombstone.get_datetime("deletedAt").is_ok() && !tombstone.contains_key("favourite"), "{tombstone}");
    // That they are deleted is told all the same; it names nobody but by id.
    let told = doc! { "clerkId": &id, "state": { "$ne": "discarded" }, "body": { "$regex": "user.deleted" } };
    assert_eq!(app.database.count("jobs", told).await, 1);

    // What was delivered together with theirs is there as it was.
    let shown = run(&["events", "show", "msg_bobs", "--json"], &beside(&app)).await.expect(0).json();
    assert_eq!((&shown["payload"]["data"]["first_name"], &shown["place"]["number"]), (&json!("Bob"), &json!(1)));
    let shown = run(&["events", "show", "msg_theirs"], &beside(&app)).await.expect(0);
    shown.says(&["its person was erased"]);
    run(&["events", "replay", "msg_theirs", "--yes"], &beside(&app)).await.expect(1).says(&["not kept any more"]);

    let entries = app.state.store.audit.list_about(&id).await.expect("entries");
    let rows: Vec<_> = entries.iter().map(|entry| (entry.actor.as_str(), entry.action.as_str())).collect();
    assert_eq!(rows, ["export_user", "erase_user", "erase_receipt"].map(|action| (operator(), action)));
    assert!(entries[2].after.as_deref().is_some_and(|after| after.contains("bodies 4 in")), "{entries:?}");
    assert_eq!(app.state.store.audit.verify().await.expect("a trail").broken, None);
    app.finish().await;
}

/// Somebody of many traces, deleted by Clerk's word alone, so that nothing in the document leads to them any more: an address
/// and a number they had before, messages that name nobody but by these, and what admins said about them.
async fn deleted_with_traces() -> (TestApp, String) {
    let app = TestApp::new().await;
    let id = person(&app).await;
    app.quiet().await;
    users(&app, &["lock", &id, "--yes", "--reason", "Zephyrine shouts at ultramarine"]).await.expect(0);
    users(&app, &["lock", &other(&app).await, "--yes", "--reason", "quarrels with zephyrine@quill.example."])
        .await
        .expect(0);
    users(&app, &["lock", &other(&app).await, "--yes", "--reason", "as Zephyrine Quillfeather wished"]).await.expect(0);
    app.quiet().await;
    let profile = |emails: Value, at: i64| {
        let mut body = user_event("user.updated", &id, "Zephyrine", at);
        body["data"]["email_addresses"] = emails;
        body["data"]["phone_numbers"] = json!([{ "id": "idn_phone", "phone_number": "+15555550142" }]);
        body
    };
    let former = json!([{ "id": "idn_former", "email_address": "former@quill.example" }]);
    app.deliver("msg_former", &profile(former, 1_700_000_000_000)).await;
    let message = |kind: &str, data: Value| json!({ "object": "event", "type": kind, "data": data });
    let mail = json!({ "to_email_address": "Former@quill.example", "user_id": null, "body": "Dear Zephyrine" });
    app.deliver("msg_mail", &message("email.created", mail)).await;
    let text = json!({ "to_phone_number": "+15555550142", "user_id": null, "message": "Quillfeather, 123456 is it" });
    app.deliver("msg_text", &message("sms.created", text)).await;
    let unnumbered = json!({ "phone_number_id": "idn_phone", "message": "zephy_quill, 654321 is it" });
    app.deliver("msg_unnumbered", &message("sms.created", unnumbered)).await;
    // An address is named that nothing else ties to them.
    let theirs = json!({ "to_email_address": "newest@quill.example", "user_id": id });
    app.deliver("msg_newest", &message("email.created", theirs)).await;
    let nameless = json!({ "to_email_address": "newest@quill.example", "user_id": null, "body": "Hi Zephyrine" });
    app.deliver("msg_nameless", &message("email.created", nameless)).await;
    let others = json!({ "to_email_address": "jo@elsewhere.example", "user_id": null, "body": "Dear Jo" });
    app.deliver("msg_others", &message("email.created", others)).await;
    app.quiet().await;
    app.clerk.delete_user(&id);
    app.quiet().await;
    let left = app.database.user(&id).await.expect("a tombstone");
    assert!(left.get_datetime("deletedAt").is_ok() && left.get_str("email").is_err(), "{left}");
    (app, id)
}

pub async fn other(app: &TestApp) -> String {
    let address = format!("{}@elsewhere.example", new_id());
    app.person(json!({ "email_address": [address], "first_name": "Other" })).await
}

/// Nobody can write this batch any more, or everybody again.
async fn refuse(app: &TestApp, batch: Option<&Document>) {
    let validator = batch.map(|place| doc! { "_id": { "$ne": place.get("batch") } }).unwrap_or_default();
    let change = doc! { "collMod": "deliveries", "validator": validator };
    app.database.handle().run_command(change).await.expect("changed");
}

#[tokio::test]
async fn c_11_an_erasure_that_was_cut_off_finds_everything_the_next_time() {
    let (app, id) = deleted_with_traces().await;
    let mail = app.database.event("msg_mail").await.expect("an event");
    // As if the process died when it came to a mail by an address that only a body of theirs still names.
    refuse(&app, mail.get_document("place").ok()).await;
    users(&app, &["erase", &id, "--yes"]).await.expect(2);
    refuse(&app, None).await;
    users(&app, &["erase", &id, "--yes"]).await.expect(0);
    let values: Vec<&str> = VALUES.into_iter().chain(MORE).collect();
    assert_eq!(traces_of(&app, &values).await, []);
    app.finish().await;
}

#[tokio::test]
async fn c_11_of_somebody_deleted_long_since_former_addresses_numbers_messages_and_reasons_go_too() {
    let (app, id) = deleted_with_traces().await;
    let values: Vec<&str> = VALUES.into_iter().chain(MORE).collect();
    let before = traces_of(&app, &values).await;
    for (place, value) in [
        ("audit", "Zephyrine"),
        ("audit", "zephyrine@quill.example"),
        ("deliveries", "former@quill.example"),
        ("deliveries", "+15555550142"),
        ("deliveries", "idn_phone"),
        ("deliveries", "newest@quill.example"),
    ] {
        assert!(before.contains(&(place.to_owned(), value)), "{place} has {value} to begin with: {before:?}");
    }
    for named in ["former@quill.example asked", "call +15555550142", "newest@quill.example.", "@zephy_quill asked"] {
        let refused = users(&app, &["erase", &id, "--yes", "--reason", named]).await.expect(1);
        refused.says(&["name nobody in it"]);
    }
    let reason = ["erase", &id, "--yes", "--reason", "asked for in ticket 7", "--json"];
    let receipt = users(&app, &reason).await.expect(0).json();
    assert_eq!((&receipt["erased"]["reasons"], &receipt["erased"]["sealed"]), (&json!(3), &json!(0)), "{receipt}");
    assert_eq!(traces_of(&app, &values).await, []);
    let shown = run(&["events", "show", "msg_others", "--json"], &beside(&app)).await.expect(0).json();
    assert_eq!(shown["payload"]["data"]["body"], json!("Dear Jo"), "somebody else's mail stays");
    assert_eq!(app.state.store.audit.verify().await.expect("a trail").broken, None);
    let entries = app.state.store.audit.list_about(&id).await.expect("entries");
    let reasons: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.reason.as_deref())).collect();
    let expected = [("lock", None), ("erase_user", Some("asked for in ticket 7")), ("erase_receipt", None)];
    assert_eq!(reasons, expected);
    app.finish().await;
}

#[tokio::test]
async fn c_11_a_late_event_revives_nobody_and_its_body_goes_with_another_erasure() {
    let app = TestApp::new().await;
    let id = person(&app).await;
    app.clerk.set_levers(Levers { paused: true, ..Levers::default() });
    users(&app, &["erase", &id, "--at-clerk", "--yes"]).await.expect(0).says(&["deleted at Clerk", "a tombstone"]);
    app.clerk.set_levers(Levers::default());
    app.quiet().await;
    let late = user_event("user.updated", &id, "Zephyrine", Timestamp::now().as_millisecond() + 60_000);
    app.deliver("msg_late", &late).await;
    app.settled().await;
    let event = app.database.event("msg_late").await.expect("an event");
    assert_eq!(event.get_str("state").ok(), Some("stale"), "{event}");
    assert_eq!(app.database.user(&id).await.expect("a tombstone").get_str("firstName").ok(), None);
    assert_eq!(traces(&app).await, [("deliveries".to_owned(), "Zephyrine")]);
    let receipt = users(&app, &["erase", &id, "--yes", "--json"]).await.expect(0).json();
    assert_eq!(
        (&receipt["atClerk"], &receipt["erased"]["bodies"]),
        (&json!("gone"), &json!(2)),
        "with the event of the deletion"
    );
    assert_eq!(traces(&app).await, []);
    app.finish().await;
}

#[tokio::test]
async fn c_11_a_batch_that_a_crash_left_ends_ignored_once_its_person_is_erased() {
    let app = TestApp::new().await;
    let id = person(&app).await;
    let body = user_event("user.updated", &id, "Zephyrine", Timestamp::now().as_millisecond() + 1_000);
    let later = Timestamp::now() + Duration::from_hours(1);
    let batches = Batch::pack(vec![arrived("msg_left", &id, &body)], later, new_id);
    app.state.store.deliveries.insert(&batches).await.expect("stored");
    users(&app, &["erase", &id, "--at-clerk", "--yes"]).await.expect(0);
    assert_eq!(traces(&app).await, []);
    let now = DateTime::now();
    let soon = DateTime::from_millis(now.timestamp_millis() + 1_800_000);
    app.database.set("deliveries", doc! { "dueAt": { "$gt": soon } }, doc! { "dueAt": now }).await;
    let event: Document = app.database.event("msg_left").await.expect("an event");
    assert_eq!(
        (event.get_str("state").ok(), event.get_str("decision").ok()),
        (Some("ignored"), Some("its person was erased"))
    );
    app.finish().await;
}

#[tokio::test]
async fn c_11_d5_12_erasing_only_here_leaves_clerk_alone_and_the_last_admin_stays() {
    let app = TestApp::new().await;
    let id = person(&app).await;
    app.database.set("users", doc! { "clerkId": &id }, doc! { "role": "admin" }).await;
    users(&app, &["erase", &id, "--only-here", "--yes"]).await.expect(1).says(&["The last admin cannot be erased."]);
    app.database.set("users", doc! { "clerkId": &id }, doc! { "role": "user" }).await;
    users(&app, &["erase", &id, "--only-here", "--at-clerk"]).await.expect(2).says(&["cannot be used with"]);
    users(&app, &["erase", &id, "--only-here", "--yes"]).await.expect(0).says(&["kept at Clerk"]);
    assert!(app.clerk.user(&id).is_some());
    assert_eq!(traces(&app).await, []);
    app.clerk.update_user(&id, json!({ "first_name": "Anew" }));
    app.quiet().await;
    assert_eq!(app.database.user(&id).await.expect("a tombstone").get_str("firstName").ok(), None);

    // With Clerk away nobody knows, and nothing happens.
    let other = app.person(json!({ "email_address": ["other@quill.example"] })).await;
    app.clerk.set_levers(Levers { bapi_status: Some(503), ..Levers::default() });
    users(&app, &["erase", &other, "--yes"]).await.expect(2);
    app.clerk.set_levers(Levers::default());
    assert!(app.database.user(&other).await.expect("stored").get_datetime("deletedAt").is_err());
    users(&app, &["erase", "nobody@quill.example", "--yes"]).await.expect(1).says(&["was not found"]);
    app.finish().await;
}

/// As long after an erasure as everything that is kept by age is kept, and a little.
async fn much_later(app: &TestApp) {
    for collection in ["events", "deliveries"] {
        app.database.remove(collection, doc! {}).await;
    }
    let now = Timestamp::now();
    for days in [30, 32] {
        hide_erased(&app.state, now + Duration::from_hours(24 * days)).await.expect("hidden");
    }
}

#[tokio::test]
async fn c_11_when_its_records_are_gone_by_their_age_nobody_reads_off_the_database_who_was_erased() {
    let (app, _receiver, id) = with_traces().await;
    let trail = app.state.store.audit.verify().await.expect("a trail");
    app.state.store.audit.keep_verification(&trail, &id, Timestamp::now()).await.expect("kept");
    users(&app, &["erase", &id, "--at-clerk", "--yes"]).await.expect(0);
    app.quiet().await;
    let others = app.person(json!({ "email_address": ["other@quill.example"] })).await;
    app.quiet().await;
    // Some of it is still needed, so it waits.
    hide_erased(&app.state, Timestamp::now() + Duration::from_hours(24 * 20)).await.expect("a look");
    let places = traces_of(&app, &[&id]).await;
    assert!(places.iter().any(|(place, _)| place == "users"), "{places:?}");
    much_later(&app).await;
    let places: BTreeSet<String> = traces_of(&app, &[&id]).await.into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, BTreeSet::from(["audit".to_owned()]), "what is sealed stays as long as the trail");
    assert_eq!(app.state.store.audit.verify().await.expect("a trail").broken, None);
    assert!(app.database.user(&others).await.is_some());

    // Whoever knows the id finds that there was somebody, and no word of them revives them: by webhook, by a request of
    // theirs, by a scan.
    users(&app, &["show", &id]).await.expect(0).says(&["deleted", &id]);
    let people = app.database.count("users", doc! {}).await;
    let late = user_event("user.updated", &id, "Zephyrine", Timestamp::now().as_millisecond() + 60_000);
    app.deliver("msg_late", &late).await;
    app.settled().await;
    let event = app.database.event("msg_late").await.expect("an event");
    assert_eq!(event.get_str("state").ok(), Some("stale"), "{event}");
    run(&["events", "replay", "msg_late", "--yes"], &beside(&app)).await.expect(0).says(&["stale"]);
    users(&app, &["refresh", &id, "--yes"]).await.expect(0).says(&["exactly this was already stored"]);
    assert_eq!(app.database.count("users", doc! {}).await, people, "nobody was added");
    assert!(app.database.user(&id).await.is_none());
    // Nor does what they send: another erasure takes it away.
    let receipt = users(&app, &["erase", &id, "--yes", "--json"]).await.expect(0).json();
    assert_eq!((&receipt["clerkId"], &receipt["erased"]["bodies"]), (&json!(id), &json!(1)));
    assert_eq!(traces(&app).await, []);
    app.finish().await;
}

#[tokio::test]
async fn c_11_somebody_erased_only_here_is_not_revived_by_a_walk_or_a_request_when_their_id_is_hidden() {
    let app = TestApp::new().await;
    let id = person(&app).await;
    users(&app, &["erase", &id, "--only-here", "--yes"]).await.expect(0);
    app.quiet().await;
    much_later(&app).await;
    assert!(app.database.user(&id).await.is_none());
    let asked = app.get_as(&id, "/api/me").await.status();
    assert!(asked.is_client_error(), "{asked}");
    let walked = run(&["sync", "reconcile", "--yes"], &beside(&app)).await.expect(1);
    walked.says(&["deleted here, which is for ever, and alive at Clerk"]);
    run(&["sync", "prove"], &beside(&app)).await.expect(1).says(&["deleted here, alive at Clerk"]);
    assert_eq!(app.database.count("users", doc! {}).await, 1);
    assert_eq!(traces(&app).await, []);
    app.finish().await;
}

#[tokio::test]
async fn c_11_d2_33_an_import_is_complete_though_somebody_was_erased_only_here() {
    let app = TestApp::new().await;
    let id = person(&app).await;
    users(&app, &["erase", &id, "--only-here", "--yes"]).await.expect(0);
    app.quiet().await;
    for hides in [false, true] {
        if hides {
            much_later(&app).await;
        }
        let told = run(&["sync", "backfill", "--yes", "--json"], &beside(&app)).await.expect(1).json();
        assert_eq!((&told["state"], &told["counts"]["skipped"]), (&json!("done"), &json!(1)), "{told}");
        let reason = &told["skipped"][0]["reason"];
        assert_eq!(reason, "deleted here, which is for ever, and alive at Clerk", "{told}");
    }
    assert_eq!(app.database.count("users", doc! {}).await, 1);
    app.finish().await;
}
