//! Deliveries while something behind us is away or broken.

use mongodb::bson::doc;
use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::{Delivery, user_event};
use crate::support::eventually;
use crate::webhooks::NOW;

#[tokio::test]
async fn d2_06_with_mongodb_away_the_answer_is_503_with_retry_after() {
    let away = vec![
        ("MONGODB_URI", "mongodb://127.0.0.1:9/rollcall".to_owned()),
        ("ROLLCALL_DATABASE_TIMEOUT_MS", "300".to_owned()),
    ];
    let app = TestApp::with(Wishes { variables: away, ..Wishes::default() }).await;
    let body = user_event("user.created", "user_a", "Ada", NOW).to_string();
    let answer = Delivery::signed(app.clerk.webhook_secret(), "msg_1", body.as_bytes()).send(&app).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    assert_eq!(app.get("/healthz").await.status(), 200);
    app.finish().await;
}

#[tokio::test]
async fn d2_29_a_document_that_cannot_be_read_holds_up_nobody_else() {
    let app =
        TestApp::with(Wishes { variables: vec![("ROLLCALL_ATTEMPTS", "1".to_owned())], ..Wishes::default() }).await;
    // The seed's defect: a document keyed by the Clerk id (A1-13), in the way of the person it is about.
    let broken = doc! {
        "_id": "user_odd", "clerkId": "user_odd", "name": "Odd", "role": "user", "syncStatus": "active",
        "authProvider": "clerk", "version": {}, "createdAt": mongodb::bson::DateTime::now(),
        "updatedAt": mongodb::bson::DateTime::now(),
    };
    app.database.insert("users", broken).await;
    app.deliver("msg_1", &user_event("user.updated", "user_odd", "Odd", NOW)).await;
    app.deliver("msg_2", &user_event("user.created", "user_fine", "Fine", NOW)).await;
    app.settled().await;
    assert_eq!(app.database.user("user_fine").await.expect("there").get_str("firstName").ok(), Some("Fine"));
    let given_up = app.database.event("msg_1").await.expect("kept");
    assert_eq!(given_up.get_str("state").ok(), Some("dead"));
    assert!(given_up.get_str("decision").expect("a cause").contains("cannot be read"));
    app.finish().await;
}

#[tokio::test]
async fn d2_14_an_event_is_never_given_up_because_clerk_is_away() {
    let app =
        TestApp::with(Wishes { variables: vec![("ROLLCALL_ATTEMPTS", "1".to_owned())], ..Wishes::default() }).await;
    let user = app.clerk.create_user(json!({ "email_address": ["t@example.com"], "first_name": "Truth" }));
    let id = user["id"].as_str().expect("an id");
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let stored = app.database.user(id).await.expect("there");
    let event_at = stored.get_document("version").and_then(|version| version.get_i64("eventAt")).expect("a time");
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..app.clerk.levers() });
    let mut lie = user_event("user.updated", id, "Lie", user["updated_at"].as_i64().expect("a time"));
    lie["timestamp"] = json!(event_at);
    app.deliver("msg_lie", &lie).await;
    eventually("an attempt fails", || async {
        let event = app.database.event("msg_lie").await.ok_or_else(|| "none".to_owned())?;
        if event.get_str("state").ok() == Some("failed") { Ok(()) } else { Err(event.to_string()) }
    })
    .await;
    app.clerk.set_levers(Levers::default());
    app.settled().await;
    assert_eq!(app.database.user(id).await.expect("there").get_str("firstName").ok(), Some("Truth"));
    app.finish().await;
}
