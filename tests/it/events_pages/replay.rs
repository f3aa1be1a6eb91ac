//! Before and after a replay of many (C-7): what it would do, what a rehearsal leaves alone, and what it does to those picked.

use mongodb::bson::{Document, doc};
use serde_json::json;

use super::{ADA, clock, ended, page, says, send};
use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::user_event;
use crate::support::receiver::{Receiver, SECRET};

/// An admin, Ada as `msg_t_1` and `msg_t_2` made her, Bob by `msg_t_3`; somebody is told of every change.
async fn with_a_receiver() -> (TestApp, String, Receiver) {
    let receiver = Receiver::replying(&[]).await;
    let variables =
        vec![("ROLLCALL_WEBHOOK_URL", receiver.url.clone()), ("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let admin = json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } });
    let admin = app.person(admin).await;
    app.deliver("msg_t_1", &user_event("user.created", ADA, "Ada", 1_750_000_001_000)).await;
    app.settled().await;
    app.deliver("msg_t_2", &user_event("user.updated", ADA, "Augusta", 1_750_000_002_000)).await;
    app.deliver("msg_t_3", &user_event("user.created", "user_bob", "Bob", 1_750_000_003_000)).await;
    app.settled().await;
    app.jobs_settled().await;
    (app, admin, receiver)
}

/// As if `msg_t_2` had never been applied.
async fn set_back(app: &TestApp) {
    let hand = doc! {
        "firstName": "Wrong", "banned": true, "version": { "updatedAt": 1_750_000_001_000_i64, "eventAt": 1_i64 },
    };
    app.database.set("users", doc! { "clerkId": ADA }, hand).await;
}

async fn name(app: &TestApp) -> String {
    app.database.user(ADA).await.expect("stored").get_str("firstName").expect("a name").to_owned()
}

async fn told(app: &TestApp) -> u64 {
    app.jobs_settled().await;
    app.database.count("jobs", doc! { "kind": "webhook", "clerkId": ADA }).await
}

fn count(run: &Document, name: &str) -> Option<i64> {
    run.get_document("progress").and_then(|progress| progress.get_document("counts")).ok()?.get_i64(name).ok()
}

#[tokio::test]
async fn c_7_a_preview_shows_the_diff_and_the_effects_and_with_effects_on_they_happen() {
    let (app, admin, _receiver) = with_a_receiver().await;
    set_back(&app).await;
    let before = told(&app).await;
    let preview = page(&app, &admin, "/admin/sync/replay?id=msg_t_2").await;
    says(&preview, &["1 event", "What would happen", "firstName", "true → false", "webhook"]);
    assert!(!preview.contains("Augusta") && !preview.contains("Wrong"), "names are personal");
    assert_eq!((name(&app).await.as_str(), told(&app).await), ("Wrong", before), "nothing is written");

    let stop = clock(&app);
    let quiet = [("ids", "msg_t_2")];
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &quiet).await.status(), 200);
    let run = ended(&app, "replay", "done").await;
    assert_eq!((count(&run, "written"), name(&app).await.as_str()), (Some(1), "Augusta"));
    assert_eq!(told(&app).await, before, "nobody is told unless it is wanted");

    app.database.remove("runs", doc! {}).await;
    set_back(&app).await;
    let loud = [("ids", "msg_t_2"), ("effects", "on")];
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &loud).await.status(), 200);
    let run = ended(&app, "replay", "done").await;
    assert_eq!((count(&run, "written"), name(&app).await.as_str()), (Some(1), "Augusta"));
    assert_eq!(told(&app).await, before + 1);
    let path = format!("/admin/sync/runs/{}", run.get_str("_id").expect("an id"));
    says(&page(&app, &admin, &path).await, &["the event msg_t_2; mails and webhooks go out", "replay_events"]);
    let _ = stop.send(true);
    app.finish().await;
}

#[tokio::test]
async fn c_7_a_rehearsal_of_all_that_match_is_a_run_that_writes_nothing() {
    let (app, admin, _receiver) = with_a_receiver().await;
    set_back(&app).await;
    let (before, events) = (app.database.user(ADA).await, app.database.all("events").await);
    let stop = clock(&app);
    let wish = [("query", "type=user.updated&person=user_ada"), ("rehearsal", "on"), ("effects", "on")];
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &wish).await.status(), 200);
    let run = ended(&app, "replay", "done").await;
    assert_eq!((count(&run, "seen"), count(&run, "written")), (Some(1), Some(1)));
    assert_eq!(app.database.user(ADA).await, before);
    assert_eq!(app.database.all("events").await, events);
    let path = format!("/admin/sync/runs/{}", run.get_str("_id").expect("an id"));
    says(&page(&app, &admin, &path).await, &["replay rehearsed: 1 events, 1 would change something"]);
    let _ = stop.send(true);
    app.finish().await;
}

#[tokio::test]
async fn e_12_a_whole_page_or_those_picked_are_replayed_and_no_others() {
    let (app, admin, _receiver) = with_a_receiver().await;
    let list = page(&app, &admin, "/admin/sync/events").await;
    says(&list, &["Pick all ", "on this page", "name=\"ids\""]);
    let all = page(&app, &admin, "/admin/sync/replay?ids=msg_t_3+msg_t_2+msg_t_1&id=msg_t_1").await;
    says(&all, &["3 events", "3 selected events"]);

    let stop = clock(&app);
    let picked = [("ids", "msg_t_1 msg_t_3"), ("reason", "of a test")];
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &picked).await.status(), 200);
    let run = ended(&app, "replay", "done").await;
    assert_eq!(count(&run, "seen"), Some(2), "{run}");
    for (id, attempts) in [("msg_t_1", 2), ("msg_t_2", 1), ("msg_t_3", 2)] {
        assert_eq!(app.database.count("events", doc! { "_id": id, "attempts": attempts }).await, 1, "{id}");
    }
    let _ = stop.send(true);
    app.finish().await;
}
