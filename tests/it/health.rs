//! `/readyz` beyond yes and no: what is wrong while requests are served all the same.

use std::time::Duration;

use mongodb::bson::{DateTime, doc};
use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::user_event;
use crate::support::eventually;

const TOKEN: &str = "an-exact-token-of-a-test";
const NOW: i64 = 1_760_000_000_000;

async fn start() -> TestApp {
    let variables = vec![("ROLLCALL_METRICS_TOKEN", TOKEN.to_owned())];
    TestApp::with(Wishes { variables, ..Wishes::default() }).await
}

/// What `/readyz` says to whoever shows the token; anybody else learns the first word of it.
async fn readyz(app: &TestApp) -> String {
    let asked = app.client.get(app.at("/readyz")).bearer_auth(TOKEN).send().await.expect("an answer");
    assert_eq!(asked.status(), 200);
    let told = asked.text().await.expect("text");
    let anonymous = app.get("/readyz").await;
    assert_eq!(anonymous.status(), 200);
    let word = anonymous.text().await.expect("text");
    assert!(["ready", "degraded"].contains(&word.as_str()), "D7-12: no details: {word}");
    told
}

async fn says(app: &TestApp, expected: &str) {
    eventually(&format!("/readyz says {expected}"), || async {
        let told = readyz(app).await;
        if told == expected { Ok(()) } else { Err(told) }
    })
    .await;
}

#[tokio::test]
async fn d2_14_d7_12_with_clerk_failing_the_process_is_ready_and_degraded() {
    let app = start().await;
    says(&app, "ready").await;
    app.clerk.set_levers(Levers { paused: true, bapi_status: Some(500), ..Levers::default() });
    let unknown = app.clerk.create_user(json!({ "email_address": ["new@example.com"] }));
    let id = unknown["id"].as_str().expect("an id");
    for _ in 0..5 {
        assert_eq!(app.get_as(id, "/api/me").await.status(), 503);
    }
    assert_eq!(readyz(&app).await, "degraded: clerk-circuit-open");
    app.clerk.set_levers(Levers { paused: true, ..Levers::default() });
    eventually("Clerk is asked again", || async {
        match app.get_as(id, "/api/me").await.status().as_u16() {
            200 => Ok(()),
            status => Err(status.to_string()),
        }
    })
    .await;
    says(&app, "ready").await;
    app.clerk.set_levers(Levers::default());
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn d2_10_an_event_that_has_waited_for_long_degrades() {
    let app = start().await;
    app.deliver("msg_1", &user_event("user.created", "user_a", "Ada", NOW)).await;
    app.settled().await;
    let next_week = DateTime::from_millis(DateTime::now().timestamp_millis() + 604_800_000);
    let waiting = |ago_ms: i64| {
        let received_at = DateTime::from_millis(DateTime::now().timestamp_millis() - ago_ms);
        doc! { "state": "failed", "dueAt": next_week, "receivedAt": received_at }
    };
    app.database.set("events", doc! { "_id": "msg_1" }, waiting(30_000)).await;
    says(&app, "ready").await;
    app.database.set("events", doc! { "_id": "msg_1" }, waiting(90_000)).await;
    says(&app, "degraded: events-waiting-too-long").await;
    app.database.set("events", doc! { "_id": "msg_1" }, doc! { "dueAt": DateTime::from_millis(0) }).await;
    says(&app, "ready").await;
    app.finish().await;
}
