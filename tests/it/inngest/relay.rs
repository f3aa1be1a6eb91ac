//! Webhooks handed to Inngest: stored first, carried out by its call, and by nobody's loss if that never comes.

use mongodb::bson::doc;
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::delivery::{Delivery, deleted_event, user_event};
use crate::support::inngest::{Ask, EVENT_KEY, FakeInngest};

const NOW: i64 = 1_760_000_000_000;
/// Longer than any test.
const NEVER: &str = "3600";

async fn state_of(app: &TestApp, id: &str) -> String {
    let event = app.database.event(id).await.expect("a stored event");
    event.get_str("state").expect("a state").to_owned()
}

/// The events that Inngest was sent, one each.
fn sent(inngest: &FakeInngest) -> Vec<Value> {
    inngest.seen("/e/").iter().map(|seen| seen.body[0].clone()).collect()
}

#[tokio::test]
async fn a3_13_a_verified_webhook_goes_to_inngest_and_its_call_carries_the_stored_event_out() {
    let inngest = FakeInngest::start().await;
    let app = inngest.relaying_app(NEVER).await;
    let body = user_event("user.created", "user_a", "Ada", NOW);
    app.deliver("msg_1", &body).await;
    let seen = inngest.seen("/e/");
    assert_eq!((seen.len(), seen[0].path.clone()), (1, format!("/e/{EVENT_KEY}")));
    assert!(seen[0].header("x-inngest-event-id-seed").contains(','));
    let expected = json!({ "id": "msg_1", "name": "clerk/user.created", "data": body["data"], "ts": NOW });
    assert_eq!(sent(&inngest), [expected]);
    assert_eq!((state_of(&app, "msg_1").await.as_str(), app.database.user("user_a").await), ("received", None));

    // The call's payload is a lie; what was verified and stored counts, and Clerk is not even asked.
    app.clerk.set_levers(Levers { bapi_status: Some(503), ..Levers::default() });
    let mut called = sent(&inngest).remove(0);
    called["data"]["first_name"] = json!("Mallory");
    let answer = Ask::call("rollcall-sync-user", &called).send(&app).await.expect(200);
    assert_eq!(answer.json(), json!({ "state": "applied", "decision": "created" }));
    assert_eq!(app.database.user("user_a").await.expect("there").get_str("firstName").ok(), Some("Ada"));
    let again = Ask::call("rollcall-sync-user", &called).send(&app).await.expect(200);
    assert_eq!(again.json(), answer.json(), "carried out once");
    let attempts = app.database.count("events", doc! { "_id": "msg_1", "attempts": 1 }).await;
    assert_eq!(attempts, 1);

    app.deliver("msg_2", &deleted_event("user_a", NOW + 1)).await;
    let deleted = sent(&inngest).remove(1);
    assert_eq!(deleted["name"], json!("clerk/user.deleted"));
    Ask::call("rollcall-delete-user", &deleted).send(&app).await.expect(200);
    assert!(app.database.user("user_a").await.expect("a tombstone").get_datetime("deletedAt").is_ok());
    app.finish().await;
}

#[tokio::test]
async fn a3_12_when_handing_over_fails_the_answer_is_500_and_the_stored_event_is_applied_all_the_same() {
    let inngest = FakeInngest::start().await;
    let app = inngest.relaying_app("1").await;
    inngest.answer("/e/", 401, json!({ "error": "Event key not found", "status": 401 }));
    let body = user_event("user.created", "user_a", "Ada", NOW).to_string();
    let answer = Delivery::signed(app.clerk.webhook_secret(), "msg_1", body.as_bytes()).send(&app).await;
    assert_eq!(answer.status(), 500);
    let told: Value = answer.json().await.expect("JSON");
    assert_eq!(told, json!({ "error": "the event is stored, but could not be handed to Inngest" }));
    assert_eq!(inngest.seen("/e/").len(), 1, "what is refused is not tried again");
    app.settled().await;
    assert_eq!(state_of(&app, "msg_1").await, "applied");
    assert_eq!(app.database.user("user_a").await.expect("there").get_str("firstName").ok(), Some("Ada"));
    app.finish().await;
}

#[tokio::test]
async fn f_8_a_passing_fault_is_tried_again_under_the_same_seed() {
    let inngest = FakeInngest::start().await;
    let app = inngest.relaying_app("1").await;
    inngest.answer("/e/", 503, json!({ "error": "no keys", "status": 503 }));
    let body = user_event("user.created", "user_a", "Ada", NOW).to_string();
    let delivery = Delivery::signed(app.clerk.webhook_secret(), "msg_1", body.as_bytes());
    assert_eq!(delivery.send(&app).await.status(), 500);
    let seen = inngest.seen("/e/");
    let seeds: std::collections::BTreeSet<&str> =
        seen.iter().map(|seen| seen.header("x-inngest-event-id-seed")).collect();
    assert_eq!((seen.len(), seeds.len()), (5, 1));
    // The sender delivers it again; now Inngest is back.
    inngest.answer("/e/", 200, json!({ "ids": ["1"], "status": 200 }));
    assert_eq!(delivery.send(&app).await.status(), 200);
    assert_eq!(sent(&inngest).last().map(|event| event["id"].clone()), Some(json!("msg_1")));
    app.finish().await;
}

#[tokio::test]
async fn an_event_that_inngest_never_calls_for_is_carried_out_by_the_local_worker() {
    let inngest = FakeInngest::start().await;
    let app = inngest.relaying_app("1").await;
    app.deliver("msg_1", &user_event("user.created", "user_a", "Ada", NOW)).await;
    assert_eq!(inngest.seen("/e/").len(), 1);
    app.settled().await;
    assert_eq!(state_of(&app, "msg_1").await, "applied");
    app.finish().await;
}

#[tokio::test]
async fn what_is_about_nobody_and_what_is_forged_is_not_handed_over() {
    let inngest = FakeInngest::start().await;
    let app = inngest.relaying_app(NEVER).await;
    app.deliver("msg_1", &json!({ "type": "session.created", "data": { "id": "sess_1" } })).await;
    let forged = user_event("user.created", "user_a", "Mallory", NOW).to_string();
    let mut delivery = Delivery::signed(app.clerk.webhook_secret(), "msg_2", forged.as_bytes());
    delivery.body.push(b' ');
    assert_eq!(delivery.send(&app).await.status(), 400);
    assert!(inngest.seen("/").is_empty());
    app.settled().await;
    assert_eq!(app.database.count("events", doc! {}).await, 1);
    app.finish().await;
}
