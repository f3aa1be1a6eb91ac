//! The pages about events, failures, replays, runs, effects and the trail, as plain HTTP: what an admin finds, decides, and
//! leaves behind in the audit trail.

mod attempts;
mod moderators;
mod repair;
mod replay;
mod settled;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use mongodb::bson::{DateTime, Document, doc};
use reqwest::Response;
use reqwest::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use rollcall::model::failure::FAILURES;
use rollcall::server::jobs::watch as alerts;
use rollcall::server::sync::scan::timer;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::app::TestApp;
use crate::support::delivery::user_event;
use crate::support::{eventually, eventually_within};

const ADA: &str = "user_ada";

/// Somebody who may do everything; Ada created as `msg_t_1` and renamed by `msg_t_2`, Bob created by `msg_t_3`, `msg_t_4` about a
/// session.
async fn with_events() -> (TestApp, String) {
    let app = TestApp::new().await;
    let admin = json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } });
    let admin = app.person(admin).await;
    app.settled().await;
    app.deliver("msg_t_1", &user_event("user.created", ADA, "Ada", 1_750_000_001_000)).await;
    app.settled().await;
    app.deliver("msg_t_2", &user_event("user.updated", ADA, "Augusta", 1_750_000_002_000)).await;
    app.deliver("msg_t_3", &user_event("user.created", "user_bob", "Bob", 1_750_000_003_000)).await;
    app.deliver("msg_t_4", &json!({ "object": "event", "type": "session.created", "data": { "id": "sess_1" } })).await;
    app.settled().await;
    (app, admin)
}

async fn page(app: &TestApp, admin: &str, path: &str) -> String {
    let answer = app.get_as(admin, path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.expect("text")
}

/// A form as a script sends it.
async fn send(app: &TestApp, admin: &str, path: &str, fields: &[(&str, &str)]) -> Response {
    app.client.post(app.at(path)).bearer_auth(app.token(admin)).form(fields).send().await.expect("an answer")
}

#[track_caller]
fn says(page: &str, words: &[&str]) {
    for word in words {
        assert!(page.contains(word), "{word:?} is not in:\n{page}");
    }
}

/// Which of the four events a list shows, in its order.
fn listed(page: &str) -> Vec<&str> {
    let links = page.match_indices("href=\"/admin/sync/events/msg_t_").map(|(place, text)| place + text.len() - 6);
    links.map(|place| &page[place..place + 7]).collect()
}

async fn audited(app: &TestApp, action: &str) -> Document {
    let found = app.database.find("audit", doc! { "action": action }).await;
    assert!(found.is_some(), "{action} is not in the trail");
    found.expect("an entry")
}

/// One more process that looks after runs.
fn clock(app: &TestApp) -> watch::Sender<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(timer::run(Arc::clone(&app.state), stopped));
    stop
}

async fn ended(app: &TestApp, kind: &str, state: &str) -> Document {
    eventually_within(Duration::from_secs(30), "the run ends", || async {
        let run = app.database.find("runs", doc! { "kind": kind }).await.ok_or("no run")?;
        if run.get_str("state").ok() == Some(state) { Ok(run) } else { Err(run.to_string()) }
    })
    .await
}

#[tokio::test]
async fn e_08_events_are_found_by_every_filter_and_what_is_not_understood_is_said() {
    let (app, admin) = with_events().await;
    app.database
        .set("users", doc! { "clerkId": ADA }, doc! { "username": "countess", "email": "ada@example.com" })
        .await;
    let list = "/admin/sync/events";
    for (query, expected) in [
        ("?state=ignored", &["msg_t_4"][..]),
        ("?type=user.updated&person=user_ada", &["msg_t_2"]),
        ("?person=countess", &["msg_t_2", "msg_t_1"]),
        ("?person=Ada%40example.com", &["msg_t_2", "msg_t_1"]),
        ("?q=ada%40example.com+type%3Auser.updated", &["msg_t_2"]),
        ("?q=status%3Aapplied+user%3Auser_ada+after%3A1h", &["msg_t_2", "msg_t_1"]),
        ("?q=user_ad", &["msg_t_2", "msg_t_1"]),
        ("?q=msg_t_3", &["msg_t_3"]),
        ("?q=countess+type%3Auser.updated", &["msg_t_2"]),
        ("?q=nobody_of_this_name", &[]),
        ("?range=15m&type=session.created", &["msg_t_4"]),
        ("?to=2020-01-01T00%3A00&state=dead", &[]),
    ] {
        assert_eq!(listed(&page(&app, &admin, &format!("{list}{query}")).await), expected, "{query}");
    }
    says(&page(&app, &admin, &format!("{list}?state=dead")).await, &["Nothing matches", "in the state dead"]);
    let origin = app.database.find("events", doc! { "_id": "msg_t_1" }).await.expect("stored");
    let many = (0..51).map(|number| {
        let mut copy = origin.clone();
        copy.extend(doc! { "_id": format!("msg_many{number}"), "clerkId": format!("user_many{number:02}") });
        copy
    });
    app.database.handle().collection::<Document>("events").insert_many(many).await.expect("stored");
    says(
        &page(&app, &admin, list).await,
        &["Events", "type:user.updated", "msg_t_4", "Preview a replay of those picked"],
    );
    for (query, said) in [
        ("?q=colour%3Ared", "colour: is not known here. There are type:"),
        ("?q=user_many", "More than 50 people have an id that begins with user_many. Type more of it."),
        ("?state=lost", "lost is no state"),
        ("?person=nobody", "Nobody has the username or the address nobody."),
        ("?from=soon", "soon is no time"),
        ("?cursor=x", "This page is none."),
    ] {
        let answer = app.get_as(&admin, &format!("{list}{query}")).await;
        assert_eq!(answer.status(), 400, "{query}");
        says(&answer.text().await.expect("text"), &[said, "<form"]);
    }
    app.finish().await;
}

#[tokio::test]
async fn e_01_what_is_stored_and_not_looked_at_yet_is_on_the_list_of_what_waits_and_counts_as_arrived() {
    let (app, admin) = with_events().await;
    let list = "/admin/sync/events?state=received";
    says(&page(&app, &admin, list).await, &["Nothing matches"]);
    let hour = DateTime::from_millis(DateTime::now().timestamp_millis() + 3_600_000);
    let at = DateTime::from_millis(DateTime::now().timestamp_millis() + 60_000);
    let batch = doc! { "dueAt": hour, "count": 1_200_i64, "receivedAt": at };
    app.database.handle().collection::<Document>("deliveries").insert_one(batch).await.expect("inserted");
    let shown = page(&app, &admin, list).await;
    says(&shown, &["1\u{202f}200 events are stored and not looked at yet"]);
    assert!(!shown.contains("Nothing matches"));
    assert!(!page(&app, &admin, "/admin/sync/events?state=applied").await.contains("not looked at yet"));
    let arrived = app.state.store.events.find_last_arrival().await.expect("an answer");
    assert_eq!(arrived.map(jiff::Timestamp::as_millisecond), Some(at.timestamp_millis()));
    app.database.handle().collection::<Document>("deliveries").delete_one(doc! { "dueAt": hour }).await.expect("gone");
    app.finish().await;
}

/// So many events and effects that a walk along all of them shows, of which few are out of the ordinary.
async fn crowd(app: &TestApp) {
    let database = app.database.handle();
    let origin = app.database.find("events", doc! { "_id": "msg_t_1" }).await.expect("stored");
    let at = |number: usize| DateTime::from_millis(1_760_000_000_000 + i64::try_from(number / 2).expect("few"));
    let events = (0..3_000).map(|number| {
        let kind = ["user.created", "user.updated", "email.created"][number % 3];
        let other = if kind == "email.created" { ("ignored", "") } else { ("applied", "") };
        let (state, cause) =
            [("dead", "one"), ("stale", ""), ("failed", "two")].get(number % 100).copied().unwrap_or(other);
        let mut copy = origin.clone();
        copy.extend(doc! { "_id": format!("msg_x{number}"), "kind": kind, "state": state, "receivedAt": at(number) });
        if !cause.is_empty() {
            copy.insert("cause", cause);
        }
        copy
    });
    database.collection("events").insert_many(events).await.expect("stored");
    let jobs = (0..3_000).map(|number| {
        let (kind, state) = (["webhook", "welcome"][number % 2], if number % 100 == 0 { "dead" } else { "done" });
        doc! {
            "_id": format!("webhook:{number}"), "kind": kind, "clerkId": ADA, "body": null, "state": state,
            "attempts": 1, "generation": 1_i64, "createdAt": at(number),
        }
    });
    database.collection("jobs").insert_many(jobs).await.expect("stored");
}

#[tokio::test]
async fn e_27_every_filter_is_served_in_order_by_an_index() {
    let (app, admin) = with_events().await;
    let database = app.database.handle();
    crowd(&app).await;
    database.run_command(doc! { "profile": 2 }).await.expect("profiled");
    for path in [
        "",
        "?period=week",
        "connection",
        "events",
        "events?state=dead",
        "events?state=applied",
        "events?state=waiting",
        "replay?state=applied",
        "replay?state=dead",
        "events?state=received",
        "events?type=user.updated",
        "events?person=user_ada",
        "events?range=7d",
        "events?q=msg_x",
        "events?q=user_a",
        "events?cause=nothing",
        "events?cause=one",
        "events?cause=two&state=failed",
        "events?type=user.updated&state=applied",
        "events?type=user.updated&range=7d",
        "events?q=before%3A1h",
        "events?state=dead&type=user.updated&person=user_ada",
        "effects",
        "effects?state=dead",
        "effects?kind=webhook",
        "effects?person=user_ada",
        "effects?state=done&kind=webhook",
        "audit",
        "audit?actor=x",
        "audit?action=ban",
        "audit?subject=x",
        "audit?from=2026-01-01T00%3A00",
        "events/msg_t_1",
        "runs",
        "failures",
        "failures?state=dead",
    ] {
        let path = format!("/admin/sync/{path}").replace("/?", "?");
        let first = page(&app, &admin, path.trim_end_matches('/')).await;
        let next = first.split("rel=\"next\"").next().filter(|_| first.contains("rel=\"next\"")).and_then(|before| {
            let place = before.rfind("href=\"")?;
            before[place + 6..].split('"').next().map(|path| path.replace("&amp;", "&"))
        });
        if let Some(next) = next {
            page(&app, &admin, &next).await;
        }
    }
    database.run_command(doc! { "profile": 0 }).await.expect("not profiled any more");
    let names = ["events", "deliveries", "jobs", "runs", "audit", "users", "statistics"]
        .map(|name| format!("{}.{name}", app.database.name));
    let looked = doc! {
        "ns": { "$in": names.to_vec() },
        "op": { "$in": ["query", "command", "getmore"] },
    };
    let profile = database.collection::<Document>("system.profile");
    let looked: Vec<Document> = profile.find(looked).await.expect("a query").try_collect().await.expect("documents");
    assert!(looked.len() > 40, "{}", looked.len());
    for one in looked {
        let plan = one.get_str("planSummary").unwrap_or_default();
        assert!(!plan.contains("COLLSCAN"), "{one}");
        assert!(!one.get_bool("hasSortStage").unwrap_or_default(), "{one}");
        // Counts go no further than they say, along an index only.
        let is_count = one.to_string().contains("\"$sum\": 1 }");
        let [keys, documents] = ["keysExamined", "docsExamined"].map(|field| one.get_i32(field).unwrap_or_default());
        assert!(documents <= 400 && (keys <= 400 || (is_count && documents == 0)), "{keys} {documents}: {one}");
    }
    database.collection::<Document>("events").delete_many(doc! { "_id": { "$regex": "^msg_x" } }).await.expect("gone");
    app.finish().await;
}

/// Of what waits only entries of an index are counted, and the number is a point of the chart; while nobody counts there is none.
#[tokio::test]
async fn e_06_the_backlog_is_counted_without_reading_an_event() {
    let (app, admin) = with_events().await;
    let database = app.database.handle();
    let origin = app.database.find("events", doc! { "_id": "msg_t_1" }).await.expect("stored");
    let later = DateTime::from_millis(DateTime::now().timestamp_millis() + 7_200_000);
    let waiting = (0..3_000).map(|number| {
        let mut copy = origin.clone();
        copy.extend(doc! { "_id": format!("msg_w_{number}"), "state": "failed", "cause": "later", "dueAt": later });
        copy
    });
    let events = database.collection::<Document>("events");
    events.insert_many(waiting).await.expect("stored");
    let deliveries = database.collection::<Document>("deliveries");
    let batch = doc! { "dueAt": later, "count": 20_i64, "receivedAt": DateTime::now() };
    deliveries.insert_one(batch).await.expect("stored");
    database.run_command(doc! { "profile": 2 }).await.expect("profiled");
    let statistics = database.collection::<Document>("statistics");
    eventually("three thousand in a point of the chart", async || {
        let points = statistics.count_documents(doc! { "backlog": 3_020_i64 }).await.expect("a count");
        if points > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
    database.run_command(doc! { "profile": 0 }).await.expect("not profiled any more");
    let profile = database.collection::<Document>("system.profile");
    for (name, field, keys) in [("events", "state", 3_000), ("deliveries", "dueAt", 1)] {
        let theirs = doc! {
            "ns": format!("{}.{name}", app.database.name),
            format!("command.pipeline.0.$match.{field}"): { "$exists": true },
            "keysExamined": { "$gte": keys },
        };
        let counts: Vec<Document> =
            profile.find(theirs).await.expect("a query").try_collect().await.expect("documents");
        assert!(!counts.is_empty(), "nobody counted {name}");
        for one in counts {
            assert_eq!(one.get_i32("docsExamined").ok(), Some(0), "{one}");
        }
    }
    assert!(page(&app, &admin, "/admin/sync").await.contains("At most 3\u{202f}020 events waited."));
    events.delete_many(doc! { "_id": { "$regex": "^msg_w_" } }).await.expect("gone");
    deliveries.delete_one(doc! { "dueAt": later }).await.expect("gone");
    app.finish().await;
}

#[tokio::test]
async fn e_11_an_event_is_explained_masked_until_asked_and_that_is_audited() {
    let (app, admin) = with_events().await;
    let path = "/admin/sync/events/msg_t_2";
    let shown = page(&app, &admin, path).await;
    says(
        &shown,
        &[
            "Event <code>msg_t_2",
            "updated firstName",
            "MongoDB holds what it says",
            "•••",
            "svix-id: msg_t_2",
            "msg_t_1",
        ],
    );
    // What helps to find its way here, and no secret.
    says(&shown, &["svix-timestamp: ", "content-type: application/json", "content-length: "]);
    assert!(!shown.contains("svix-signature") && !shown.contains("v1,"), "no signature");
    assert!(!shown.contains("Augusta") && !shown.contains("user_ada@example.com"), "it is masked");
    assert_eq!(app.get_as(&admin, "/admin/sync/events/msg_t_9").await.status(), 404);

    let asked = app.client.post(app.at("/api/events/reveal_payload")).bearer_auth(app.token(&admin));
    let answer = asked.header(ACCEPT, "text/html").form(&[("id", "msg_t_2")]).send().await.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), answer.headers()[LOCATION].to_str().ok()),
        (303, Some("/admin/sync/events/msg_t_2#payload"))
    );
    let cookie = answer.headers()[SET_COOKIE].to_str().expect("text").split(';').next().expect("a pair").to_owned();
    let look =
        |path: &str| app.client.get(app.at(path)).bearer_auth(app.token(&admin)).header(COOKIE, cookie.clone()).send();
    let revealed = look(path).await.expect("an answer");
    assert!(revealed.headers()[SET_COOKIE].to_str().expect("text").contains("Max-Age=0"), "once only");
    says(
        &revealed.text().await.expect("text"),
        &["Augusta", "user_ada@example.com", "That you looked is in the audit trail"],
    );
    let other = look("/admin/sync/events/msg_t_1").await.expect("an answer").text().await.expect("text");
    assert!(!other.contains("user_ada@example.com"), "of this event only");
    assert_eq!(audited(&app, "reveal_payload").await.get_str("subject").ok(), Some("msg_t_2"));

    app.database.remove("deliveries", doc! {}).await;
    says(&page(&app, &admin, path).await, &["It is not kept any more: its time was over"]);
    app.finish().await;
}

#[tokio::test]
async fn e_29_one_event_is_replayed_and_discarded_with_a_reason_which_its_page_shows() {
    let (app, admin) = with_events().await;
    // As if the second event had never been applied.
    let hand = doc! { "firstName": "Wrong", "version": { "updatedAt": 1_750_000_001_000_i64, "eventAt": 1_i64 } };
    app.database.set("users", doc! { "clerkId": ADA }, hand).await;
    let replayed = send(&app, &admin, "/api/events/replay_event", &[("id", "msg_t_2"), ("reason", "a restore")]).await;
    let said = replayed.json::<Value>().await.expect("JSON");
    assert!(
        said["text"].as_str().is_some_and(|text| text.starts_with("Replayed: applied, updated firstName")),
        "{said}"
    );
    let ada = app.database.user(ADA).await.expect("stored");
    assert_eq!(ada.get_str("firstName").ok(), Some("Augusta"));
    let again = doc! { "_id": "msg_t_2", "attempts": 2, "state": "applied" };
    assert_eq!(app.database.count("events", again).await, 1);
    says(&page(&app, &admin, "/admin/sync/events/msg_t_2").await, &["replay_event", "a restore", &admin]);

    let discard =
        |fields: &'static [(&'static str, &'static str)]| send(&app, &admin, "/api/events/discard_event", fields);
    assert_eq!(discard(&[("id", "msg_t_3")]).await.status(), 422, "a reason is wanted");
    assert_eq!(discard(&[("id", "msg_t_3"), ("reason", "r")]).await.status(), 422, "it is finished");
    let later = DateTime::from_millis(jiff::Timestamp::now().as_millisecond() + 3_600_000);
    app.database.set("events", doc! { "_id": "msg_t_3" }, doc! { "state": "failed", "dueAt": later }).await;
    assert_eq!(discard(&[("id", "msg_t_3"), ("reason", "of a test")]).await.status(), 200);
    assert_eq!(
        app.database.event("msg_t_3").await.expect("stored").get_str("decision").ok(),
        Some("discarded: of a test")
    );
    app.finish().await;
}

#[tokio::test]
async fn e_09_filters_are_saved_renamed_and_deleted_by_each_admin_for_themselves() {
    let (app, admin) = with_events().await;
    let other = json!({ "email_address": ["o@example.com"], "public_metadata": { "role": "admin" } });
    let other = app.person(other).await;
    let save = |name: &'static str, query: &'static str| {
        let fields = [("name", name), ("query", query)];
        let (app, admin) = (&app, &admin);
        async move { send(app, admin, "/api/events/save_filter", &fields).await.status().as_u16() }
    };
    assert_eq!(save("Broken", "state=dead&q=after%3A1h").await, 200);
    assert_eq!(save("Broken", "state=failed").await, 422, "the name is taken");
    assert_eq!((save("", "state=dead").await, save("All", "").await, save("No", "state=lost").await), (422, 422, 422));
    let shown = page(&app, &admin, "/admin/sync/events").await;
    says(&shown, &["Broken", "/admin/sync/events?q=after%3A1h&amp;state=dead"]);
    assert!(!page(&app, &other, "/admin/sync/events").await.contains("Broken"));
    let id = app.database.find("filters", doc! {}).await.expect("one").get_object_id("_id").expect("an id").to_hex();
    let id = id.as_str();
    assert_eq!(send(&app, &other, "/api/events/delete_filter", &[("id", id)]).await.status(), 404);
    assert_eq!(send(&app, &admin, "/api/events/rename_filter", &[("id", id), ("name", "Dead")]).await.status(), 200);
    says(&page(&app, &admin, "/admin/sync/events").await, &[">Dead<"]);
    assert_eq!(send(&app, &admin, "/api/events/delete_filter", &[("id", id)]).await.status(), 200);
    assert_eq!(app.database.count("filters", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn e_32_failures_are_grouped_by_cause_muted_for_alerts_and_retried_all_at_once() {
    let (app, admin) = with_events().await;
    for (id, decision) in [
        ("msg_t_1", "given up after 5 attempts: MongoDB refused (code 121)"),
        ("msg_t_2", "given up after 9 attempts: MongoDB refused (code 121)"),
        ("msg_t_3", "given up after 8 attempts: the stored document cannot be read"),
        ("msg_t_4", "discarded: of a test"),
    ] {
        app.database.set("events", doc! { "_id": id }, doc! { "state": "dead", "decision": decision }).await;
    }
    // As an earlier version left them, which is made good at the next start.
    let keys = doc! { "state": 1, "receivedAt": -1 };
    let rare = doc! { "state": { "$in": ["received", "stale", "duplicate", "ignored", "failed", "dead"] } };
    let index = doc! { "key": keys, "name": "state_1_receivedAt_-1_odd", "partialFilterExpression": rare };
    let create = doc! { "createIndexes": "events", "indexes": [index] };
    app.database.handle().run_command(create).await.expect("an index");
    app.state.store.ensure_schema().await.expect("a schema");
    let indexes = app.state.store.events.index_names().await.expect("names");
    assert!(!indexes.iter().any(|name| name.ends_with("_odd")), "{indexes:?}");
    for state in ["dead", "failed"] {
        let found = page(&app, &admin, &format!("/admin/sync/failures?state={state}")).await;
        assert_eq!(found.contains("MongoDB refused (code 121)"), state == "dead", "{state}");
    }
    let path = "/admin/sync/failures";
    says(
        &page(&app, &admin, path).await,
        &["MongoDB refused (code 121)", "validator", "2 dead", "1 person", "the stored document cannot be read"],
    );
    assert!(!page(&app, &admin, path).await.contains("discarded"), "what is settled is no failure");
    assert_eq!(app.get_as(&admin, "/admin/sync/failures?state=lost").await.status(), 400);
    let cause = "MongoDB refused (code 121)";
    let found = page(&app, &admin, "/admin/sync/events?cause=MongoDB%20refused%20%28code%20121%29").await;
    assert_eq!(listed(&found), ["msg_t_2", "msg_t_1"]);

    let now = jiff::Timestamp::now();
    let mute = [("cause", cause), ("hours", "8")];
    assert_eq!(send(&app, &admin, "/api/events/mute_failures", &mute).await.status(), 200);
    says(&page(&app, &admin, path).await, &["Muted until", &format!("<code>{admin}</code>")]);
    alerts::check(&app.state, now).await.expect("looked");
    let alert = app.database.find("alerts", doc! { "kind": "events-dead" }).await;
    let count = alert.as_ref().and_then(|alert| alert.get_i64("count").ok());
    assert_eq!(count, Some(1), "{alert:?}: the muted ones are left out");
    assert_eq!(
        send(&app, &admin, "/api/events/mute_failures", &[("cause", cause), ("hours", "9999")]).await.status(),
        422
    );
    assert_eq!(send(&app, &admin, "/api/events/unmute_failures", &[("cause", cause)]).await.status(), 200);

    let preview = page(&app, &admin, "/admin/sync/replay?cause=MongoDB%20refused%20%28code%20121%29").await;
    says(&preview, &["2 events", "What would happen", "duplicate", "stale", "nothing"]);
    let stop = clock(&app);
    let query = [("query", "cause=MongoDB%20refused%20%28code%20121%29"), ("reason", "mended")];
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &query).await.status(), 200);
    let run = ended(&app, "replay", "done").await;
    let counts = run.get_document("progress").and_then(|progress| progress.get_document("counts")).expect("counts");
    assert_eq!(counts.get_i64("seen").ok(), Some(2));
    assert_eq!(app.database.count("events", doc! { "state": "dead" }).await, 1);
    assert_eq!(audited(&app, "replay_events").await.get_str("reason").ok(), Some("mended"));
    assert_eq!(audited(&app, "mute_failures").await.get_str("subject").ok(), Some(cause));
    let _ = stop.send(true);
    app.finish().await;
}

#[tokio::test]
async fn e_32_a_failure_is_seen_when_it_failed_and_not_when_its_event_arrived() {
    let (app, _) = with_events().await;
    let at = |millis: i64| DateTime::from_millis(1_900_000_000_000 + millis);
    let failed = doc! { "state": "failed", "cause": "of a test", "triedAt": at(9_000), "finishedAt": null };
    app.database.set("events", doc! { "_id": "msg_t_1" }, failed).await;
    let dead = doc! { "state": "dead", "cause": "of a test", "finishedAt": at(4_000) };
    app.database.set("events", doc! { "_id": "msg_t_2" }, dead).await;
    let groups = app.state.store.events.group_failures(&FAILURES).await.expect("groups");
    let seen = |moment: jiff::Timestamp| moment.as_millisecond() - 1_900_000_000_000;
    let group = groups.iter().find(|group| group.cause == "of a test").expect("a group");
    assert_eq!((seen(group.first_seen_at), seen(group.last_seen_at)), (4_000, 9_000));
    app.database.remove("events", doc! {}).await;
    app.finish().await;
}

#[tokio::test]
async fn c_7_a_replay_of_everything_is_refused_of_what_converged_it_changes_nothing_and_it_survives_its_process() {
    let (app, admin) = with_events().await;
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &[]).await.status(), 422, "all is not a choice");
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &[("query", "state=dead")]).await.status(), 422);
    says(&page(&app, &admin, "/admin/sync/replay").await, &["Which events?"]);
    let known = user_event("user.updated", ADA, "Augusta", 1_750_000_002_000);
    let (app_of_all, known) = (&app, &known);
    let deliveries = (0..450).map(|number| async move {
        app_of_all.deliver(&format!("msg_y{number:03}"), known).await;
    });
    futures::stream::iter(deliveries).for_each_concurrent(32, |delivery| delivery).await;
    app.settled().await;
    let events = app.database.handle().collection::<Document>("events");
    // A day ago: MongoDB forgets what is older than a month whenever it looks.
    let yesterday = jiff::Timestamp::now().as_millisecond() - 86_400_000;
    for number in 0..450 {
        // Several of one moment.
        let at = DateTime::from_millis(yesterday + i64::from(number) / 5);
        let moved = doc! { "$set": { "receivedAt": at } };
        events.update_one(doc! { "_id": format!("msg_y{number:03}") }, moved).await.expect("moved");
    }
    let before = app.database.user(ADA).await.expect("stored");
    let wish = [("query", "q=msg_y")];
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &wish).await.status(), 200);
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &wish).await.status(), 422, "one at a time");
    // As a process left it that was killed after its first batch.
    let run = app.database.find("runs", doc! { "kind": "replay" }).await.expect("a run");
    let id = run.get_str("_id").expect("an id").to_owned();
    let moment = jiff::Timestamp::now().as_millisecond() + 1_500;
    let left = doc! { "leaseOwner": "of a process that died", "leaseUntil": DateTime::from_millis(moment) };
    app.database.set("runs", doc! { "_id": &id }, left).await;
    let shown = page(&app, &admin, "/admin/sync/runs").await;
    says(&shown, &["Going on: ", "replay", "Pause", "events whose id begins with msg_y"]);
    let stop = clock(&app);
    let run = ended(&app, "replay", "done").await;
    let counts =
        run.get_document("progress").and_then(|progress| progress.get_document("counts")).expect("counts").clone();
    let counted = ["seen", "written", "skipped"].map(|name| counts.get_i64(name).ok());
    assert_eq!(counted, [Some(450), Some(0), Some(0)], "{run}");
    assert_eq!(app.database.user(ADA).await.expect("stored"), before, "nothing differed");
    assert_eq!(
        app.database.count("events", doc! { "_id": { "$regex": "^msg_y" }, "attempts": 2, "state": "duplicate" }).await,
        450
    );
    says(
        &page(&app, &admin, &format!("/admin/sync/runs/{id}")).await,
        &["replay done: 450 events, 0 changed something", "no mail or webhook goes out"],
    );
    let _ = stop.send(true);
    app.finish().await;
}

#[tokio::test]
async fn e_05_a_run_is_begun_paused_resumed_and_cancelled_and_a_difference_is_repaired() {
    let (app, admin) = with_events().await;
    let control = |id: String, wish: &'static str| {
        let (app, admin) = (&app, &admin);
        async move { send(app, admin, "/api/runs/control_run", &[("id", &id), ("wish", wish)]).await.status().as_u16() }
    };
    assert_eq!(send(&app, &admin, "/api/runs/start_run", &[("kind", "everything")]).await.status(), 400);
    assert_eq!(send(&app, &admin, "/api/runs/start_run", &[("kind", "proof")]).await.status(), 200);
    let id = app
        .database
        .find("runs", doc! { "kind": "proof" })
        .await
        .expect("a run")
        .get_str("_id")
        .expect("an id")
        .to_owned();
    assert_eq!(control(id.clone(), "resume").await, 422, "it is going on");
    assert_eq!(control(id.clone(), "pause").await, 200);
    says(&page(&app, &admin, "/admin/sync/runs").await, &["paused", "Begin a backfill"]);
    assert_eq!((control(id.clone(), "resume").await, control(id.clone(), "cancel").await), (200, 200));
    assert_eq!((control(id.clone(), "pause").await, control("none".to_owned(), "pause").await), (422, 404));
    app.database.remove("runs", doc! { "_id": &id }).await;

    // Ada and Bob are nobody at Clerk, and the admin is somebody else here.
    app.database.set("users", doc! { "clerkId": &admin }, doc! { "firstName": "Wrong" }).await;
    app.database.set("users", doc! { "clerkId": &admin }, doc! { "lastClerkSync": DateTime::from_millis(0) }).await;
    let stop = clock(&app);
    assert_eq!(
        send(&app, &admin, "/api/runs/start_run", &[("kind", "proof"), ("reason", "doubt")]).await.status(),
        200
    );
    let run = ended(&app, "proof", "done").await;
    let path = format!("/admin/sync/runs/{}", run.get_str("_id").expect("an id"));
    says(&page(&app, &admin, &path).await, &["gone at Clerk", ADA, "Bring up to date", "MongoDB differs from Clerk"]);
    assert_eq!(send(&app, &admin, "/api/runs/refresh_user", &[("id", ADA)]).await.status(), 200);
    assert!(app.database.user(ADA).await.expect("stored").get_datetime("deletedAt").is_ok());
    for action in ["start_run", "pause_run", "resume_run", "cancel_run", "refresh_user"] {
        audited(&app, action).await;
    }
    let _ = stop.send(true);
    app.finish().await;
}

#[tokio::test]
async fn effects_are_listed_retried_and_discarded_and_never_show_what_they_carry() {
    let (app, admin) = with_events().await;
    for (key, state) in [("welcome:user_ada", "dead"), ("webhook:user_ada:1", "unsure"), ("webhook:user_bob:1", "done")]
    {
        let job = doc! {
            "_id": key, "kind": key.split(':').next().expect("a kind"), "clerkId": key.split(':').nth(1).expect("a person"),
            "body": "{\"secret\":\"carried\"}", "state": state, "attempts": 3, "generation": 1_i64, "cause": "refused (550)",
            "createdAt": DateTime::now(), "finishedAt": DateTime::now(),
        };
        app.database.insert("jobs", job).await;
    }
    let shown = page(&app, &admin, "/admin/sync/effects").await;
    says(&shown, &["welcome:user_ada", "webhook:user_bob:1", "refused (550)", "may have happened"]);
    assert!(!shown.contains("carried"));
    let dead = page(&app, &admin, "/admin/sync/effects?state=dead&person=user_ada").await;
    assert!(dead.contains("welcome:user_ada") && !dead.contains("webhook:user_ada:1"));
    assert_eq!(app.get_as(&admin, "/admin/sync/effects?kind=letter").await.status(), 400);
    let act = |path: &'static str, fields: &'static [(&'static str, &'static str)]| send(&app, &admin, path, fields);
    assert_eq!(act("/api/effects/discard_job", &[("id", "webhook:user_ada:1")]).await.status(), 422);
    let reason = &[("id", "webhook:user_ada:1"), ("reason", "it arrived")];
    assert_eq!(act("/api/effects/discard_job", reason).await.status(), 200);
    assert_eq!(app.database.job("webhook:user_ada:1").await.expect("kept").get_str("state").ok(), Some("discarded"));
    assert_eq!(act("/api/effects/retry_job", &[("id", "webhook:user_bob:1")]).await.status(), 422, "it is done");
    assert_eq!(act("/api/effects/retry_job", &[("id", "welcome:user_ada")]).await.status(), 200);
    assert_eq!(audited(&app, "retry_job").await.get_str("subject").ok(), Some("welcome:user_ada"));
    eventually("the retried one ends", || async {
        let job = app.database.job("welcome:user_ada").await.ok_or("gone")?;
        if job.get_str("state").ok() == Some("waiting") && job.get_i32("attempts").ok() == Some(0) {
            Err(job.to_string())
        } else {
            Ok(())
        }
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn e_10_every_preset_of_the_time_is_a_choice_and_an_address() {
    let (app, admin) = with_events().await;
    for (range, text, finds) in [
        ("5h", "5 hours", true),
        ("24h", "24 hours", true),
        ("yesterday", "yesterday (UTC)", false),
        ("7d", "7 days", true),
        ("30d", "30 days", true),
    ] {
        let shown = page(&app, &admin, &format!("/admin/sync/events?range={range}")).await;
        says(&shown, &[&format!("value=\"{range}\""), text]);
        assert_eq!(!listed(&shown).is_empty(), finds, "{range}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d7_06_the_trail_is_filtered_verified_and_taken_away_as_a_file() {
    let (app, admin) = with_events().await;
    for (cause, hours) in [("=a", "1"), ("b", "2")] {
        send(&app, &admin, "/api/events/mute_failures", &[("cause", cause), ("hours", hours)]).await;
    }
    send(&app, &admin, "/api/events/reveal_payload", &[("id", "msg_t_1")]).await;
    let path = "/admin/sync/audit";
    says(&page(&app, &admin, path).await, &["reveal_payload", "mute_failures", "msg_t_1", "Verify the chain"]);
    let filtered =
        page(&app, &admin, &format!("{path}?action=reveal_payload&actor={admin}&from=2020-01-01T00%3A00")).await;
    assert!(filtered.contains(">msg_t_1<") && !filtered.contains("<code>=a</code>"));
    // What a notice said once stays where its reader finds it.
    says(&page(&app, &admin, path).await, &["/admin/sync/audit?actor=me", "What you did"]);
    says(&page(&app, &admin, "/admin/activity").await, &["/admin/sync/audit?actor=me"]);
    says(&page(&app, &admin, &format!("{path}?actor=me")).await, &["reveal_payload", "mute_failures"]);
    says(&page(&app, &admin, &format!("{path}?actor=cli%3Aanother")).await, &["No entry is like that"]);
    says(&page(&app, &admin, &format!("{path}?subject=nobody")).await, &["No entry is like that"]);
    says(&page(&app, &admin, &format!("{path}?to=2020-01-01T00%3A00")).await, &["No entry is like that"]);
    assert_eq!(app.get_as(&admin, &format!("{path}?action=fly")).await.status(), 400);
    let verify = || async { send(&app, &admin, "/api/trail/verify_trail", &[]).await };
    says(&page(&app, &admin, path).await, &["The chain was never verified."]);
    says(&verify().await.text().await.expect("text"), &["3 entries, and the chain is unbroken"]);
    says(&page(&app, &admin, path).await, &["Last verified ", &admin, "intact up to entry 3"]);

    let member = app.person(json!({ "email_address": ["m@example.com"] })).await;
    let export = format!("{path}/export");
    let wanted = "format=csv&action=mute_failures";
    let status = async |who: Option<&str>| app.post_as(who, &export, wanted).await.status().as_u16();
    assert_eq!((status(None).await, status(Some(&member)).await), (401, 403));
    let csv = app.post_as(Some(&admin), &export, wanted).await;
    assert!(csv.headers()["content-disposition"].to_str().expect("text").contains("audit.csv"));
    let csv = csv.text().await.expect("text");
    assert_eq!(csv.lines().count(), 3, "{csv}");
    says(&csv, &["number,at,actor", "\"'=a\"", "\"mute_failures\""]);
    let lines = app.post_as(Some(&admin), &export, "format=json").await.text().await.expect("text");
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((rows.len(), &rows[0]["action"]), (5, &json!("export_audit")), "that it was taken is in it");

    app.database.set("audit", doc! { "_id": 2_i64 }, doc! { "subject": "somebody else" }).await;
    let broken = verify().await;
    assert_eq!(broken.status(), 422);
    says(&broken.text().await.expect("text"), &["Entry 2 does not hold: it was changed"]);
    says(&page(&app, &admin, path).await, &["Last verified ", "broken at entry 2: it was changed"]);
    app.finish().await;
}
