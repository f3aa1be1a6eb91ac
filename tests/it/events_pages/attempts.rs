//! The page of one event: every attempt at it, what it changed, and what it asked for.

use mongodb::bson::{DateTime, doc};
use serde_json::json;

use super::{ADA, page, says, send, with_events};
use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::user_event;
use crate::support::receiver::{Receiver, SECRET};

#[tokio::test]
async fn e_11_a_replay_is_a_new_attempt_and_what_was_decided_before_stays() {
    let (app, admin) = with_events().await;
    let path = "/admin/sync/events/msg_t_1";
    assert!(
        !app.database.event("msg_t_1").await.expect("stored").contains_key("earlier"),
        "one outcome is all there is"
    );
    assert_eq!(send(&app, &admin, "/api/events/replay_event", &[("id", "msg_t_1")]).await.status(), 200);
    let shown = page(&app, &admin, path).await;
    let attempts = shown.split("Attempts and decisions").nth(1).expect("a list");
    let (stale, created) = (attempts.find(">stale<"), attempts.find(">created<"));
    assert!(stale.is_some() && stale < created, "the newest first: {attempts}");

    // An attempt that fails, and the next of its own accord.
    let failed = doc! {
        "state": "failed", "decision": "attempt 2 failed: $decision", "cause": "$decision", "dueAt": DateTime::now(),
        "triedAt": DateTime::from_millis(1_760_000_000_000),
    };
    app.database.set("events", doc! { "_id": "msg_t_1" }, failed).await;
    app.settled().await;
    let event = app.database.event("msg_t_1").await.expect("stored");
    let earlier = event.get_array("earlier").expect("a list");
    let last = earlier.last().and_then(|last| last.as_document()).expect("an outcome");
    assert_eq!(last.get_str("decision").ok(), Some("attempt 2 failed: $decision"));
    assert_eq!(last.get_datetime("at").ok().map(|at| at.timestamp_millis()), Some(1_760_000_000_000));
    assert_eq!((event.get_str("state").ok(), event.contains_key("triedAt")), (Some("stale"), false), "{event}");
    says(&page(&app, &admin, path).await, &["attempt 2 failed: $decision", ">created<"]);

    // However often it is tried, the list has an end.
    for _ in 0..22 {
        assert_eq!(send(&app, &admin, "/api/events/replay_event", &[("id", "msg_t_1")]).await.status(), 200);
    }
    let event = app.database.event("msg_t_1").await.expect("stored");
    assert_eq!(event.get_array("earlier").map(Vec::len).ok(), Some(20));
    app.finish().await;
}

#[tokio::test]
async fn e_11_what_an_event_changed_has_its_values_unless_they_are_personal() {
    let (app, admin) = with_events().await;
    let mut banned = user_event("user.updated", ADA, "Adele", 1_750_000_009_000);
    banned["data"]["banned"] = json!(true);
    app.deliver("msg_t_9", &banned).await;
    app.settled().await;
    let shown = page(&app, &admin, "/admin/sync/events/msg_t_9").await;
    says(&shown, &["banned", "false → true", "firstName", "rollcall events replay msg_t_9"]);
    assert!(!shown.contains("Adele") && !shown.contains("Augusta"), "names are personal");
    assert!(!shown.contains("curl"), "what nobody could send");
    app.finish().await;
}

#[tokio::test]
async fn e_11_effects_are_those_of_this_event_and_say_where_they_went() {
    let receiver = Receiver::replying(&[]).await;
    let variables =
        vec![("ROLLCALL_WEBHOOK_URL", receiver.url.clone()), ("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let admin = json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } });
    let admin = app.person(admin).await;
    app.settled().await;
    for (id, name, at) in [("msg_t_1", "Ada", 1_750_000_001_000), ("msg_t_2", "Augusta", 1_750_000_002_000)] {
        app.deliver(id, &user_event("user.updated", ADA, name, at)).await;
        app.settled().await;
    }
    app.jobs_settled().await;
    let key = |id: &'static str| {
        let app = &app;
        async move {
            let job = app.database.find("jobs", doc! { "kind": "webhook", "events": id }).await.expect("a job");
            job.get_str("_id").expect("a key").to_owned()
        }
    };
    let (first, second) = (key("msg_t_1").await, key("msg_t_2").await);
    assert_ne!(first, second);
    for (id, own, other) in [("msg_t_1", &first, &second), ("msg_t_2", &second, &first)] {
        let shown = page(&app, &admin, &format!("/admin/sync/events/{id}")).await;
        says(&shown, &[own, "127.0.0.1", "Copy the effect"]);
        assert!(!shown.contains(other.as_str()), "{id}");
    }
    says(&page(&app, &admin, "/admin/sync/effects").await, &["127.0.0.1", &first, &second]);
    // What went somewhere else before the settings changed did go there.
    app.database.set("jobs", doc! { "_id": &first, "to": "127.0.0.1" }, doc! { "to": "hooks.before.example" }).await;
    let shown = page(&app, &admin, &format!("/admin/sync/effects?kind=webhook&person={ADA}")).await;
    says(&shown, &["hooks.before.example"]);
    app.finish().await;
}
