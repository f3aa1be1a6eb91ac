//! What stays of whoever is deleted, by the setting `ROLLCALL_DELETIONS` (requirements.md, section 0).

use std::time::Duration;

use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use rollcall::server::erasure::hide_erased;
use serde_json::{Value, json};

use crate::cli::{beside, run};
use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::user_event;
use crate::support::receiver::{Receiver, SECRET};

const ADDRESS: &str = "zephyrine@quill.example";

/// With this setting, and somebody who is told of every change.
async fn with(deletions: &str) -> (TestApp, Receiver) {
    let receiver = Receiver::replying(&[]).await;
    let variables = vec![
        ("ROLLCALL_DELETIONS", deletions.to_owned()),
        ("ROLLCALL_WEBHOOK_URL", receiver.url.clone()),
        ("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned()),
    ];
    (TestApp::with(Wishes { variables, ..Wishes::default() }).await, receiver)
}

fn person() -> Value {
    json!({
        "email_address": [ADDRESS], "first_name": "Zephyrine", "last_name": "Quillfeather", "username": "zephy",
        "public_metadata": { "role": "admin" },
    })
}

/// Somebody with a bio and a field that another program keeps, who is deleted at Clerk.
async fn deleted(app: &TestApp) -> (String, Document) {
    let id = app.person(person()).await;
    app.quiet().await;
    app.database.set("users", doc! { "clerkId": &id }, doc! { "bio": "All about quills.", "theme": "dark" }).await;
    app.clerk.delete_user(&id);
    app.quiet().await;
    let left = app.database.user(&id).await.expect("a document");
    assert!(left.get_datetime("deletedAt").is_ok(), "{left}");
    (id, left)
}

fn text<'a>(document: &'a Document, field: &str) -> Option<&'a str> {
    document.get(field).and_then(Bson::as_str)
}

#[tokio::test]
async fn a0_19_by_default_a_tombstone_stays_with_clerks_id_and_nothing_personal() {
    let app = TestApp::new().await;
    let (id, left) = deleted(&app).await;
    for field in ["email", "firstName", "lastName", "username", "clerkUsername", "bio"] {
        assert_eq!(text(&left, field), None, "{field}");
    }
    assert_eq!((text(&left, "name"), text(&left, "theme")), (Some("Deleted person"), Some("dark")));
    hide_erased(&app.state, Timestamp::now() + Duration::from_hours(24 * 365)).await.expect("a look");
    assert!(app.database.user(&id).await.is_some(), "and stays");
    app.finish().await;
}

#[tokio::test]
async fn a0_19_hashed_leaves_a_keyed_hash_once_nothing_on_record_needs_the_id() {
    let (app, _receiver) = with("hashed").await;
    let (id, left) = deleted(&app).await;
    assert_eq!((text(&left, "email"), text(&left, "clerkId")), (None, Some(id.as_str())));
    hide_erased(&app.state, Timestamp::now() + Duration::from_hours(24 * 20)).await.expect("a look");
    assert!(app.database.user(&id).await.is_some(), "events on record still name them");
    for collection in ["events", "deliveries"] {
        app.database.remove(collection, doc! {}).await;
    }
    hide_erased(&app.state, Timestamp::now() + Duration::from_hours(24 * 32)).await.expect("hidden");
    let left = app.database.find("users", doc! { "_id": left.get("_id") }).await.expect("a tombstone");
    assert!(text(&left, "clerkId").is_some_and(|hash| hash.starts_with("erased_")), "{left}");
    assert!(["theme", "history", "erasedAt", "bio"].iter().all(|field| !left.contains_key(field)), "{left}");
    // Late word of them brings nobody back.
    app.deliver("msg_late", &user_event("user.updated", &id, "Zephyrine", 1_700_000_000_000)).await;
    app.quiet().await;
    assert_eq!(text(&app.database.event("msg_late").await.expect("an event"), "state"), Some("stale"));
    assert_eq!(app.database.count("users", doc! {}).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a0_19_kept_leaves_the_document_in_nobodys_way() {
    let (app, receiver) = with("kept").await;
    let (id, left) = deleted(&app).await;
    assert_eq!((text(&left, "email"), text(&left, "firstName")), (Some(ADDRESS), Some("Zephyrine")));
    assert_eq!((text(&left, "bio"), text(&left, "theme")), (Some("All about quills."), Some("dark")));
    assert_eq!((left.get("username"), text(&left, "role")), (Some(&Bson::Null), Some("user")), "{left}");
    assert_eq!((text(&left, "clerkUsername"), text(&left, "syncStatus")), (Some("zephy"), Some("active")));

    // Somebody else may have the name and the address, and is found by them alone.
    let next = app.person(person()).await;
    app.quiet().await;
    let named = app.database.user(&next).await.expect("a person");
    assert_eq!((text(&named, "username"), text(&named, "email")), (Some("zephy"), Some(ADDRESS)));
    let listed = app.get_as(&next, "/api/users").await.json::<Value>().await.expect("JSON");
    assert_eq!(listed["users"].as_array().map(Vec::len), Some(1), "{listed}");
    let asked = app.get_as(&id, "/api/me").await.status();
    assert!(asked.is_client_error(), "{asked}");
    let shown = run(&["users", "show", &id], &beside(&app)).await.expect(0);
    shown.says(&["deleted", ADDRESS]);
    run(&["sync", "prove"], &beside(&app)).await.expect(0);
    let told = || receiver.received().iter().filter(|told| told.body()["data"]["clerkId"] == id).count();
    let before = told();
    assert_eq!(receiver.received().iter().filter(|told| told.body()["type"] == "user.deleted").count(), 1);

    // What was said before they left and comes late is kept too; what is older is not, and nobody lives again.
    let at = left.get_datetime("deletedAt").expect("a time").timestamp_millis();
    for (message, name, time, expected) in [
        ("msg_newer", "Zoe", at - 1, ("applied", "Zoe")),
        ("msg_older", "Zara", at - 2, ("stale", "Zoe")),
        ("msg_later", "Zelda", at + 5_000, ("stale", "Zoe")),
    ] {
        app.deliver(message, &user_event("user.updated", &id, name, time)).await;
        app.quiet().await;
        let event = app.database.event(message).await.expect("an event");
        let left = app.database.user(&id).await.expect("a document");
        assert_eq!((text(&event, "state"), text(&left, "firstName")), (Some(expected.0), Some(expected.1)), "{event}");
        assert!(left.get_datetime("deletedAt").is_ok_and(|found| found.timestamp_millis() == at), "{left}");
    }
    assert_eq!(told(), before, "nobody is told of it");
    app.finish().await;
}

#[tokio::test]
async fn c_11_an_erasure_takes_what_was_kept_of_somebody_deleted() {
    let (app, _receiver) = with("kept").await;
    let (id, _) = deleted(&app).await;
    let named = ["users", "erase", &id, "--yes", "--reason", "Zephyrine Quillfeather asked"];
    run(&named, &beside(&app)).await.expect(1).says(&["name nobody in it"]);
    run(&["users", "erase", &id, "--yes"], &beside(&app)).await.expect(0);
    for collection in ["users", "deliveries", "jobs", "events", "audit"] {
        for document in app.database.all(collection).await {
            let said = document.to_string().to_lowercase();
            let found = ["zephy", "quill"].into_iter().find(|word| said.contains(word));
            assert_eq!(found, None, "{collection}: {said}");
        }
    }
    // Nor does late word fill it again.
    let left = app.database.user(&id).await.expect("a tombstone");
    let at = left.get_datetime("deletedAt").expect("a time").timestamp_millis();
    app.deliver("msg_late", &user_event("user.updated", &id, "Zephyrine", at - 1)).await;
    app.quiet().await;
    assert_eq!(text(&app.database.event("msg_late").await.expect("an event"), "state"), Some("stale"));
    assert_eq!(app.database.user(&id).await.expect("a tombstone").get("firstName"), Some(&Bson::Null));
    app.finish().await;
}
