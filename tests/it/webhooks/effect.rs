//! What an accepted event does to MongoDB: whose document changes, and what the event becomes.

use mongodb::bson::{Bson, doc};
use rollcall::server::clerk::webhook::KNOWN_TYPES;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::delivery::{deleted_event, user_event};
use crate::support::eventually;
use crate::webhooks::NOW;

#[tokio::test]
async fn a2_04_a3_28_a4_30_created_updated_and_deleted_reach_the_document() {
    let app = TestApp::new().await;
    app.deliver("msg_1", &user_event("user.created", "user_a", "Ada", NOW)).await;
    app.settled().await;
    let created = app.database.user("user_a").await.expect("a document");
    assert_eq!(created.get_str("firstName").ok(), Some("Ada"));
    assert_eq!(created.get_str("name").ok(), Some("Ada"));
    assert_eq!(created.get_str("email").ok(), Some("user_a@example.com"));
    assert_eq!(created.get_bool("emailVerified").ok(), Some(true));
    assert_eq!(created.get_str("role").ok(), Some("user"));
    assert_eq!(created.get_str("syncStatus").ok(), Some("active"));
    assert_eq!(created.get_str("authProvider").ok(), Some("clerk"));
    assert!(created.get_object_id("_id").is_ok());
    assert!(created.get_datetime("lastClerkSync").is_ok());
    assert_eq!(created.get("deletedAt"), Some(&Bson::Null));

    app.deliver("msg_2", &user_event("user.updated", "user_a", "Adele", NOW + 1)).await;
    app.settled().await;
    let updated = app.database.user("user_a").await.expect("a document");
    assert_eq!(updated.get_str("firstName").ok(), Some("Adele"));
    assert_eq!(updated.get_object_id("_id").ok(), created.get_object_id("_id").ok());

    app.deliver("msg_3", &deleted_event("user_a", NOW + 2)).await;
    app.settled().await;
    let deleted = app.database.user("user_a").await.expect("a tombstone");
    assert!(deleted.get_datetime("deletedAt").is_ok());
    assert_eq!(deleted.get("email"), Some(&Bson::Null));
    assert_eq!(deleted.get_str("syncStatus").ok(), Some("active"), "a4_30: deletion is not a sync error");
    assert_eq!(
        app.database.event("msg_2").await.expect("kept").get_str("decision").ok(),
        Some("updated firstName, name")
    );
    app.finish().await;
}

#[tokio::test]
async fn a_field_of_the_application_survives_an_update() {
    let app = TestApp::new().await;
    app.deliver("msg_1", &user_event("user.created", "user_a", "Ada", NOW)).await;
    app.settled().await;
    let own = doc! { "wishlist": ["book"], "address": { "city": "London" } };
    app.database.set("users", doc! { "clerkId": "user_a" }, own).await;
    app.deliver("msg_2", &user_event("user.updated", "user_a", "Adele", NOW + 1)).await;
    app.settled().await;
    let updated = app.database.user("user_a").await.expect("a document");
    assert_eq!(updated.get_str("firstName").ok(), Some("Adele"));
    assert_eq!(updated.get_array("wishlist").expect("kept").len(), 1);
    assert_eq!(updated.get_document("address").expect("kept").get_str("city").ok(), Some("London"));
    app.finish().await;
}

#[tokio::test]
async fn d3_26_every_other_type_is_acknowledged_and_kept_as_ignored() {
    let app = TestApp::new().await;
    let others: Vec<&str> = KNOWN_TYPES.iter().copied().filter(|kind| !kind.starts_with("user.")).collect();
    assert_eq!(others.len(), 42);
    for (index, kind) in others.iter().chain(&["some.future_type"]).enumerate() {
        let body = json!({ "object": "event", "type": kind, "data": { "id": "x_1" }, "timestamp": NOW });
        app.deliver(&format!("msg_{index}"), &body).await;
    }
    app.settled().await;
    assert_eq!(app.database.count("events", doc! { "state": "ignored" }).await, 43);
    assert_eq!(app.database.count("users", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn a3_24_d3_08_d2_20_a_redelivery_is_acknowledged_and_changes_nothing() {
    let app = TestApp::new().await;
    for _ in 0..5 {
        app.deliver("msg_1", &user_event("user.created", "user_a", "Ada", NOW)).await;
    }
    app.settled().await;
    assert_eq!(app.database.count("events", doc! {}).await, 1);
    let event = app.database.event("msg_1").await.expect("kept");
    assert_eq!(
        event.get("deliveries").and_then(Bson::as_i64).or(event.get_i32("deliveries").ok().map(i64::from)),
        Some(5)
    );
    assert_eq!(event.get_str("state").ok(), Some("applied"));
    app.finish().await;
}

#[tokio::test]
async fn d2_21_d2_24_late_and_reordered_events_do_not_win() {
    let app = TestApp::new().await;
    app.deliver("msg_3", &user_event("user.updated", "user_a", "Newest", NOW + 3)).await;
    app.deliver("msg_1", &user_event("user.created", "user_a", "Oldest", NOW + 1)).await;
    app.settled().await;
    assert_eq!(app.database.user("user_a").await.expect("there").get_str("firstName").ok(), Some("Newest"));
    assert_eq!(app.database.event("msg_1").await.expect("kept").get_str("state").ok(), Some("stale"));
    app.deliver("msg_5", &deleted_event("user_a", NOW + 5)).await;
    app.deliver("msg_4", &user_event("user.updated", "user_a", "Revived", NOW + 9)).await;
    app.settled().await;
    let tombstone = app.database.user("user_a").await.expect("a tombstone");
    assert!(tombstone.get_datetime("deletedAt").is_ok());
    assert_eq!(tombstone.get("firstName"), Some(&Bson::Null));
    let revived = app.database.event("msg_4").await.expect("kept");
    assert_eq!(revived.get_str("state").ok(), Some("stale"));
    assert_eq!(revived.get_str("decision").ok(), Some("the person is deleted, which Clerk confirms"));
    app.finish().await;
}

#[tokio::test]
async fn d2_25_two_contents_of_one_version_are_settled_by_clerk() {
    let app = TestApp::new().await;
    let user = app.clerk.create_user(json!({ "email_address": ["tie@example.com"], "first_name": "Truth" }));
    let id = user["id"].as_str().expect("an id");
    app.settled().await;
    let version = user["updated_at"].as_i64().expect("a time");
    let event_at = eventually("the document", || async {
        let found = app.database.user(id).await.ok_or_else(|| "none".to_owned())?;
        found.get_document("version").and_then(|version| version.get_i64("eventAt")).map_err(|error| error.to_string())
    })
    .await;
    let mut lie = user_event("user.updated", id, "Lie", version);
    lie["timestamp"] = json!(event_at);
    app.deliver("msg_lie", &lie).await;
    app.settled().await;
    assert_eq!(app.database.user(id).await.expect("there").get_str("firstName").ok(), Some("Truth"));
    app.finish().await;
}

#[tokio::test]
async fn d2_25_an_answer_that_lags_behind_what_is_stored_is_asked_for_again() {
    let app = TestApp::new().await;
    let user = app.clerk.create_user(json!({ "email_address": ["lag@example.com"], "first_name": "Before" }));
    let id = user["id"].as_str().expect("an id");
    app.settled().await;
    // Clerk's events are ahead of its answers by two seconds.
    let ahead = user["updated_at"].as_i64().expect("a time") + 2_000;
    app.deliver("msg_one", &user_event("user.updated", id, "One", ahead)).await;
    app.settled().await;
    app.deliver("msg_other", &user_event("user.updated", id, "Other", ahead)).await;
    eventually("the question is put off", || async {
        let event = app.database.event("msg_other").await.ok_or("none")?;
        let is_put_off = event.get_str("decision").is_ok_and(|decision| decision.contains("older than what is stored"));
        if is_put_off { Ok(()) } else { Err(event.to_string()) }
    })
    .await;
    eventually("Clerk has caught up", || async {
        let now = jiff::Timestamp::now().as_millisecond();
        if now > ahead { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    app.clerk.update_user(id, json!({ "first_name": "Newest" }));
    app.settled().await;
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    assert_eq!(app.database.user(id).await.expect("there").get_str("firstName").ok(), Some("Newest"));
    // Clerk's answer about it or the event of the newest content, whichever is first, has made the other one nothing new.
    let other = app.database.event("msg_other").await.expect("kept");
    assert!(["stale", "applied"].contains(&other.get_str("state").unwrap_or_default()), "{other}");
    app.finish().await;
}

#[tokio::test]
async fn a4_05_d2_39_one_username_for_two_people_gives_the_second_a_suffix() {
    let app = TestApp::new().await;
    for id in ["user_aaaaaa", "user_bbbbbb"] {
        let mut body = user_event("user.created", id, "Ada", NOW);
        body["data"]["username"] = json!("ada");
        body["data"]["email_addresses"][0]["email_address"] = json!("shared@example.com");
        app.deliver(&format!("msg_{id}"), &body).await;
        app.settled().await;
    }
    let first = app.database.user("user_aaaaaa").await.expect("there");
    let second = app.database.user("user_bbbbbb").await.expect("there");
    assert_eq!(first.get_str("username").ok(), Some("ada"));
    assert_eq!(second.get_str("username").ok(), Some("ada-bbbbbb"));
    assert_eq!(second.get_str("clerkUsername").ok(), Some("ada"));
    assert_eq!(second.get_str("email").ok(), first.get_str("email").ok(), "two people may share an address");
    app.finish().await;
}

#[tokio::test]
async fn documents_from_before_us_are_taken_over_and_those_without_a_clerk_id_left_alone() {
    let app = TestApp::new().await;
    app.database.relax("users").await;
    let before = mongodb::bson::DateTime::now();
    let old = doc! { "clerkId": "user_old", "email": "old@example.com", "plan": "gold", "createdAt": before, "updatedAt": before };
    app.database.insert("users", old).await;
    for name in ["first", "second"] {
        app.database.insert("users", doc! { "nickname": name, "clerkId": Bson::Null }).await;
    }
    app.deliver("msg_1", &user_event("user.updated", "user_old", "Olda", NOW)).await;
    app.settled().await;
    let taken = app.database.user("user_old").await.expect("there");
    assert_eq!((taken.get_str("firstName").ok(), taken.get_str("plan").ok()), (Some("Olda"), Some("gold")));
    assert_eq!(app.database.count("users", doc! { "nickname": { "$exists": true } }).await, 2);
    app.finish().await;
}

#[tokio::test]
async fn a4_27_what_happens_at_clerk_arrives_here() {
    let app = TestApp::new().await;
    let id = app.person(json!({ "email_address": ["jo@example.com"], "first_name": "Jo", "username": "jojo" })).await;
    app.clerk.update_user(&id, json!({ "first_name": "Joan" }));
    app.clerk.merge_metadata(&id, json!({ "public_metadata": { "role": "moderator" } }));
    app.clerk.ban(&id);
    eventually("the ban arrives", || async {
        let user = app.database.user(&id).await.ok_or_else(|| "none".to_owned())?;
        if user.get_bool("banned").ok() == Some(true) { Ok(()) } else { Err(format!("{user}")) }
    })
    .await;
    app.settled().await;
    let user = app.database.user(&id).await.expect("there");
    assert_eq!(user.get_str("firstName").ok(), Some("Joan"));
    assert_eq!(user.get_str("role").ok(), Some("moderator"));
    app.clerk.delete_user(&id);
    eventually("the deletion arrives", || async {
        let user = app.database.user(&id).await.ok_or_else(|| "none".to_owned())?;
        user.get_datetime("deletedAt").map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
    app.finish().await;
}
