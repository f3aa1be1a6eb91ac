//! Calls of functions: who is believed, about what, and what is answered when something is in the way.

use jiff::Timestamp;
use mongodb::bson::{Bson, doc};
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes};
use crate::support::eventually;
use crate::support::inngest::{Ask, FALLBACK_KEY, FakeInngest, event};

const SYNC: &str = "rollcall-sync-user";
const DELETE: &str = "rollcall-delete-user";

/// The name of an event, and how a person stands in it.
type Shape = (&'static str, fn(&Value) -> Value);

/// A person at Clerk of whom nothing has arrived here.
fn stranger(app: &TestApp, first_name: &str) -> Value {
    let email = format!("{}@example.com", first_name.to_lowercase());
    app.clerk.create_user(json!({ "email_address": [email], "first_name": first_name }))
}

fn id_of(user: &Value) -> &str {
    user["id"].as_str().expect("an id")
}

async fn first_name(app: &TestApp, id: &str) -> Option<String> {
    app.database.user(id).await?.get_str("firstName").ok().map(str::to_owned)
}

#[tokio::test]
async fn a1_12_a3_29_clerks_events_bring_a_person_in_both_spellings_and_every_shape() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let shapes: [Shape; 5] = [
        ("clerk/user.created", Value::clone),
        ("clerk.user.created", Value::clone),
        ("clerk/user.updated", |user| json!({ "user": user })),
        ("clerk/user.created", |user| json!({ "object": "event", "type": "user.created", "data": user })),
        ("clerk/user.created", |user| json!({ "raw": json!({ "data": user }).to_string(), "headers": {} })),
    ];
    for (number, (name, shape)) in shapes.into_iter().enumerate() {
        let user = stranger(&app, &format!("Ada{number}"));
        let answer = Ask::call(SYNC, &event(name, &shape(&user))).send(&app).await.expect(200);
        assert_eq!(answer.json(), json!({ "state": "applied", "decision": "created" }));
        assert_eq!(answer.header("x-inngest-req-version"), Some("2"));
        let stored = app.database.user(id_of(&user)).await.expect("a document");
        assert_eq!(stored.get_str("syncSource").ok(), Some("inngest"));
        let again = Ask::call(SYNC, &event(name, &shape(&user))).send(&app).await.expect(200);
        assert_eq!(again.json()["state"], json!("duplicate"));
    }
    assert_eq!(app.database.count("users", doc! {}).await, 5);
    app.finish().await;
}

#[tokio::test]
async fn d3_28_what_an_event_says_of_a_person_is_ignored_and_clerk_is_asked() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let user = stranger(&app, "Ada");
    let mut lie = user.clone();
    lie["first_name"] = json!("Mallory");
    lie["public_metadata"] = json!({ "role": "admin" });
    lie["updated_at"] = json!(4_000_000_000_000_i64);
    Ask::call(SYNC, &event("clerk/user.updated", &lie)).send(&app).await.expect(200);
    let stored = app.database.user(id_of(&user)).await.expect("a document");
    assert_eq!((stored.get_str("firstName").ok(), stored.get_str("role").ok()), (Some("Ada"), Some("user")));
    // A lie about a deletion is none the better.
    let deletion = json!({ "object": "user", "id": id_of(&user), "deleted": true });
    let answer = Ask::call(DELETE, &event("clerk/user.deleted", &deletion)).send(&app).await.expect(200);
    assert_eq!(answer.json()["state"], json!("duplicate"));
    assert_eq!(first_name(&app, id_of(&user)).await.as_deref(), Some("Ada"));
    app.finish().await;
}

#[tokio::test]
async fn a1_13_a1_14_a_person_gone_at_clerk_becomes_a_tombstone_by_either_id_of_the_function() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    for function in [DELETE, "rollcall-delete-user-with-clerk", SYNC] {
        let user = stranger(&app, "Ada");
        Ask::call(SYNC, &event("clerk/user.created", &user)).send(&app).await.expect(200);
        app.clerk.delete_user(id_of(&user));
        let deletion = event("clerk/user.deleted", &json!({ "id": id_of(&user), "deleted": true }));
        let answer = Ask::call(function, &deletion).send(&app).await.expect(200);
        assert_eq!(answer.json(), json!({ "state": "applied", "decision": "deleted" }), "{function}");
        let tombstone = app.database.user(id_of(&user)).await.expect("a tombstone");
        assert!(tombstone.get_datetime("deletedAt").is_ok());
        assert_eq!(tombstone.get("firstName"), Some(&Bson::Null));
        // The payload that was delayed until now revives nobody.
        let late = Ask::call(SYNC, &event("clerk/user.created", &user)).send(&app).await.expect(200);
        assert_eq!(late.json()["state"], json!("duplicate"));
    }
    app.finish().await;
}

/// The same, sent just now.
fn fresh(name: &str, data: &Value) -> Value {
    let mut event = event(name, data);
    event["ts"] = json!(Timestamp::now().as_millisecond());
    event
}

#[tokio::test]
async fn d3_28_while_clerks_answer_may_lag_behind_the_event_the_call_is_to_be_repeated() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let lags = async |function: &str, event: &Value| {
        let answer = Ask::call(function, event).send(&app).await.expect(500);
        assert_eq!(answer.header("x-inngest-no-retry"), Some("false"), "{event}");
    };
    // Of whom Clerk does not know yet nothing is written, and later everything.
    let nobody = json!({ "object": "user", "id": "user_of_the_future" });
    lags(SYNC, &fresh("clerk/user.created", &nobody)).await;
    assert!(app.database.user("user_of_the_future").await.is_none());
    let user = stranger(&app, "Ada");
    Ask::call(SYNC, &fresh("clerk/user.created", &user)).send(&app).await.expect(200);
    // A change and a deletion that Clerk's answer does not show yet.
    let mut newer = user.clone();
    newer["updated_at"] = json!(user["updated_at"].as_i64().expect("a time") + 1);
    lags(SYNC, &fresh("clerk/user.updated", &newer)).await;
    let deletion = json!({ "object": "user", "id": id_of(&user), "deleted": true });
    lags(DELETE, &fresh("clerk/user.deleted", &deletion)).await;
    assert_eq!(first_name(&app, id_of(&user)).await.as_deref(), Some("Ada"));
    // Once it does it counts, however fresh the event is.
    app.clerk.delete_user(id_of(&user));
    let answer = Ask::call(DELETE, &fresh("clerk/user.deleted", &deletion)).send(&app).await.expect(200);
    assert_eq!(answer.json(), json!({ "state": "applied", "decision": "deleted" }));
    app.finish().await;
}

#[tokio::test]
async fn d3_28_of_whom_neither_clerk_nor_we_know_nothing_is_written_unless_they_are_said_to_be_gone() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let nobody = json!({ "object": "user", "id": "user_nobody" });
    let answer = Ask::call(SYNC, &event("clerk/user.created", &nobody)).send(&app).await.expect(200);
    assert_eq!(answer.json(), json!({ "state": "ignored", "decision": "Clerk knows nobody by this id" }));
    assert_eq!(app.database.count("users", doc! {}).await, 0);
    for (name, id) in [("clerk/user.deleted", "user_nobody"), ("clerk.user.deleted", "user_nobody_else")] {
        let gone = json!({ "object": "user", "id": id, "deleted": true });
        let answer = Ask::call(DELETE, &event(name, &gone)).send(&app).await.expect(200);
        assert_eq!(answer.json(), json!({ "state": "applied", "decision": "deleted; was never stored" }), "{name}");
    }
    app.finish().await;
}

#[tokio::test]
async fn f_7_clerk_away_or_slowing_down_is_worth_another_call() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let user = stranger(&app, "Ada");
    let call = Ask::call(SYNC, &event("clerk/user.created", &user));
    let levers = |status| Levers { drop: 1.0, bapi_status: Some(status), retry_after_s: 2, ..Levers::default() };
    app.clerk.set_levers(levers(503));
    let answer = call.send(&app).await.expect(500);
    assert_eq!((answer.header("x-inngest-no-retry"), answer.header("retry-after")), (Some("false"), None));
    assert_eq!(answer.json()["message"], json!("Clerk is away"));
    app.clerk.set_levers(levers(429));
    let answer = call.send(&app).await.expect(500);
    assert_eq!((answer.header("x-inngest-no-retry"), answer.header("retry-after")), (Some("false"), Some("2")));
    app.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    // As long as Clerk asked for, nobody asks it.
    eventually("the pause is over", || async {
        let answer = call.send(&app).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.status.to_string()) }
    })
    .await;
    assert_eq!(first_name(&app, id_of(&user)).await.as_deref(), Some("Ada"));
    app.finish().await;
}

#[tokio::test]
async fn f_7_an_event_about_nobody_is_final_and_an_unknown_function_is_not() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    for data in [
        json!({}),
        json!({ "id": "sess_1", "object": "session" }),
        json!({ "id": { "$gt": "" }, "object": "user" }),
        json!({ "id": "user_a/../../instance" }),
    ] {
        let answer = Ask::call(SYNC, &event("clerk/user.created", &data)).send(&app).await.expect(400);
        assert_eq!(answer.header("x-inngest-no-retry"), Some("true"), "{data}");
    }
    for function in ["rollcall-launch", "sync-user", ""] {
        let ask = Ask::call(function, &event("clerk/user.created", &json!({ "id": "user_a" })));
        let answer = ask.send(&app).await.expect(500);
        assert_eq!(answer.header("x-inngest-no-retry"), Some("false"), "{function}");
    }
    Ask::signed("POST", "fnId=rollcall-sync-user&stepId=step", b"{").send(&app).await.expect(500);
    assert_eq!(app.database.count("users", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn f_2_signatures_within_five_minutes_and_by_either_key_are_good() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let user = stranger(&app, "Ada");
    let call = Ask::call(SYNC, &event("clerk/user.created", &user));
    for ask in [call.clone().signed_by(FALLBACK_KEY, 0), call.clone().signed_by(FALLBACK_KEY, 290), call] {
        ask.send(&app).await.expect(200);
    }
    let probe = Ask::signed("POST", "probe=trust", b"{}").send(&app).await.expect(200);
    assert_eq!(probe.text, "");
    Ask::signed("POST", "probe=other", b"{}").send(&app).await.expect(400);
    app.finish().await;
}

#[tokio::test]
async fn f_7_events_too_large_to_send_along_are_fetched_by_their_run() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let (ada, bob) = (stranger(&app, "Ada"), stranger(&app, "Bob"));
    let body = json!({ "ctx": { "run_id": "01RUN", "use_api": true }, "event": { "name": "x", "data": {} } });
    let ask = Ask::signed("POST", "fnId=rollcall-sync-user&stepId=step", body.to_string().as_bytes());
    let failed = ask.send(&app).await.expect(500);
    assert_eq!(failed.header("x-inngest-no-retry"), Some("false"));
    let batch = json!([event("clerk/user.created", &ada), event("clerk/user.created", &bob)]);
    inngest.answer("/v0/runs/01RUN/batch", 200, batch);
    let answer = ask.send(&app).await.expect(200);
    assert_eq!(answer.json().as_array().map(Vec::len), Some(2));
    assert_eq!(first_name(&app, id_of(&bob)).await.as_deref(), Some("Bob"));
    app.finish().await;
}

#[tokio::test]
async fn reconcile_goes_through_everybody_at_clerk_and_writes_what_differs() {
    let inngest = FakeInngest::start().await;
    let wishes = Wishes { variables: inngest.variables(), seed_users: 520, ..Wishes::default() };
    let app = TestApp::with(wishes).await;
    app.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    let timer = json!({ "name": "inngest/scheduled.timer", "data": {}, "ts": 1, "id": "" });
    let answer = Ask::call("rollcall-reconcile-users", &timer).send(&app).await.expect(200);
    let all = answer.json()["seen"].as_u64().expect("a count");
    assert!(all >= 520, "more than one page: {all}");
    assert_eq!((&answer.json()["state"], &answer.json()["written"]), (&json!("done"), &json!(all)));
    assert_eq!(app.database.count("users", doc! { "deletedAt": Bson::Null }).await, all);
    let again = Ask::call("rollcall-reconcile-users", &timer).send(&app).await.expect(200);
    assert_eq!((&again.json()["seen"], &again.json()["written"]), (&json!(all), &json!(0)));
    app.finish().await;
}
