//! The sync page through the front door: its numbers, its charts, and the stream that keeps them up to date.

use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use mongodb::bson::{DateTime, Document, doc};
use reqwest::Response;
use rollcall::model::alert::AlertKind;
use rollcall::server::jobs::watch::raise;
use rollcall::standin::levers::Levers;
use rollcall::standin::token::TokenOptions;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes, variables};
use crate::support::delivery::{Delivery, user_event};
use crate::support::process::{Server, free_port, start};
use crate::support::{eventually, eventually_within};

async fn admin(app: &TestApp) -> String {
    app.person(json!({ "email_address": ["ad@example.com"], "public_metadata": { "role": "admin" } })).await
}

async fn overview(app: &TestApp, admin: &str) -> Value {
    app.get_as(admin, "/api/admin_sync/get_overview").await.json().await.expect("JSON")
}

async fn page(app: &TestApp, admin: &str, path: &str) -> String {
    let answer = app.get_as(admin, path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.expect("text")
}

fn count(overview: &Value, state: &str) -> u64 {
    let rows = overview["counts"].as_array().expect("counts");
    let row = rows.iter().find(|row| row["state"] == state).expect("a state");
    row["count"].as_u64().expect("a number")
}

/// A stream of server-sent events, read message by message.
struct Stream {
    bytes: std::pin::Pin<Box<dyn futures::Stream<Item = reqwest::Result<Vec<u8>>> + Send>>,
    text: String,
}

impl Stream {
    async fn open(url: &str, token: &str, last: Option<&str>) -> Self {
        let mut ask = crate::support::app::client().get(format!("{url}/admin/sync/live")).bearer_auth(token);
        if let Some(last) = last {
            ask = ask.header("last-event-id", last);
        }
        let answer: Response = ask.send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert!(!answer.headers().contains_key("content-encoding"), "nothing may gather it");
        let bytes = answer.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec()));
        Self { bytes: Box::pin(bytes), text: String::new() }
    }

    /// The next message and its id; `None` once the stream has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((message, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let found = field("data:")
                    .map(|data| (field("id:").expect("an id").to_owned(), serde_json::from_str(data).expect("JSON")));
                self.text = String::from(rest);
                if found.is_some() {
                    return found;
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.bytes.next()).await.expect("in time")?;
            self.text.push_str(std::str::from_utf8(&chunk.ok()?).expect("text"));
        }
    }

    /// Reads until an event of this person is told.
    async fn told_of(&mut self, clerk_id: &str) {
        loop {
            let (_, message) = self.next().await.expect("a message");
            let events = message["events"].as_array().expect("events");
            if events.iter().any(|event| event["clerk_id"] == clerk_id && event["state"] == "applied") {
                return;
            }
        }
    }
}

#[tokio::test]
async fn e_01_every_number_is_on_the_page_with_the_way_to_its_detail() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.deliver("msg_stale", &user_event("user.updated", &admin, "Old", 1)).await;
    app.settled().await;
    let page = page(&app, &admin, "/admin/sync").await;
    for text in [
        "Healthy",
        "Every event that arrived has been dealt with.",
        "Nothing was proved yet",
        "/admin/sync/events?state=applied",
        "/admin/sync/failures?state=dead",
        "/admin/sync/effects?state=unsure",
        "/admin/sync/runs",
        "/admin/sync/connection",
        "Redelivered",
        "msg_stale",
        "Went well",
        "not known before the first proof",
        &format!("/admin/users/{admin}"),
    ] {
        assert!(page.contains(text), "{text}");
    }
    let numbers = overview(&app, &admin).await;
    assert_eq!((count(&numbers, "applied"), count(&numbers, "stale"), count(&numbers, "dead")), (1, 1, 0));
    assert_eq!((&numbers["health"], &numbers["backlog"]), (&json!("Healthy"), &json!(0)));
    eventually("what went well is counted", || async {
        let numbers = overview(&app, &admin).await;
        let all = json!({ "well": 2, "of": 2 });
        if numbers["success_in_hour"] == all && numbers["success_in_day"] == all {
            Ok(())
        } else {
            Err(numbers["success_in_hour"].to_string())
        }
    })
    .await;
    let of = numbers["clerk"]["of"].as_u64().expect("a number");
    assert!(numbers["clerk"]["left"].as_u64().expect("a number") <= of && of > 0);
    app.finish().await;
}

#[tokio::test]
async fn e_01_what_was_given_up_is_the_word_with_its_reason_and_the_next_step() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    let broken = Delivery::signed(app.clerk.webhook_secret(), "msg_broken", b"{");
    assert_eq!(broken.send(&app).await.status(), 400);
    app.settled().await;
    let page = page(&app, &admin, "/admin/sync").await;
    assert!(page.contains("Degraded") && page.contains("1 event was given up."));
    let numbers = overview(&app, &admin).await;
    assert_eq!((&numbers["health"], &numbers["link"]), (&json!("Degraded"), &json!("/admin/sync/failures")));
    app.finish().await;
}

#[tokio::test]
async fn e_01_e_32_an_open_alert_is_no_health_and_is_listed_with_what_to_do_and_where() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    assert!(!page(&app, &admin, "/admin/sync").await.contains("Open alerts"), "there is none");
    raise(&app.state, AlertKind::ProofOld, "").await.expect("raised");
    let shown = page(&app, &admin, "/admin/sync").await;
    let (headline, advice) = (AlertKind::ProofOld.headline(), AlertKind::ProofOld.advice());
    for text in ["Degraded", "Open alerts", headline, advice, "href=\"/admin/sync/runs\""] {
        assert!(shown.contains(text), "{text}");
    }
    assert!(!shown.contains("Every event that arrived has been dealt with."));
    let numbers = overview(&app, &admin).await;
    assert_eq!((&numbers["health"], &numbers["next_step"]), (&json!("Degraded"), &json!(advice)));
    assert_eq!((&numbers["alerts"][0]["kind"], &numbers["alerts"][0]["count"]), (&json!("proof-old"), &json!(1)));

    let send = async |verb: &str, fields: &[(&str, &str)]| {
        let form =
            app.client.post(app.at(&format!("/api/admin_sync/{verb}"))).bearer_auth(app.token(&admin)).form(fields);
        form.send().await.expect("an answer").status().as_u16()
    };
    let about = [("kind", "proof-old"), ("cause", "")];
    assert!(shown.contains("Mute this alert?") && !shown.contains("Muted until"));
    assert_eq!(send("unmute_alert", &about).await, 404, "it is not muted");
    assert_eq!(send("mute_alert", &[about[0], ("hours", "0")]).await, 422);
    assert_eq!(send("mute_alert", &[("kind", "weather"), ("hours", "8")]).await, 400);
    assert_eq!(send("mute_alert", &[about[0], about[1], ("hours", "8")]).await, 200);
    let shown = page(&app, &admin, "/admin/sync").await;
    assert!(shown.contains("Muted until") && !shown.contains("Mute this alert?"), "{shown}");
    assert!(shown.contains(headline) && shown.contains("Degraded"), "it is as it was");
    assert_eq!(send("unmute_alert", &about).await, 200);
    assert!(!page(&app, &admin, "/admin/sync").await.contains("Muted until"));
    for action in ["mute_alert", "unmute_alert"] {
        let done = doc! { "action": action, "subject": "proof-old" };
        assert_eq!(app.database.count("audit", done).await, 1, "{action}");
    }
    app.finish().await;
}

#[tokio::test]
async fn c_4_a_secret_that_is_not_ours_is_named_by_the_word() {
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let wishes = Wishes {
        seed_users: 2,
        variables: vec![("CLERK_WEBHOOK_SIGNING_SECRET", other.to_owned())],
        ..Wishes::default()
    };
    let app = TestApp::with(wishes).await;
    let admin =
        app.clerk.find_user("admin@example.com").expect("a seeded admin")["id"].as_str().expect("an id").to_owned();
    let body = user_event("user.created", "user_x", "Xenia", 1_790_000_000_000).to_string();
    let refused = Delivery::signed(app.clerk.webhook_secret(), "msg_1", body.as_bytes()).send(&app).await;
    assert_eq!(refused.status(), 400);
    eventually("the word is Broken", || async {
        let numbers = overview(&app, &admin).await;
        let reason = numbers["reason"].as_str().unwrap_or_default().to_owned();
        if numbers["health"] == "Broken" && reason.contains("none is signed") {
            Ok(())
        } else {
            Err(numbers.to_string())
        }
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn e_06_what_happened_is_in_the_charts_and_their_tables_within_seconds() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    eventually("the minute is in the chart", || async {
        let charts: Value =
            app.get_as(&admin, "/api/admin_sync/get_charts?period=hour").await.json().await.expect("JSON");
        match charts[0]["rows"].as_array().map(Vec::len) {
            Some(1..) => Ok(()),
            _ => Err(charts[0]["summary"].to_string()),
        }
    })
    .await;
    for period in ["hour", "day", "week"] {
        let page = page(&app, &admin, &format!("/admin/sync?period={period}")).await;
        assert_eq!(page.matches("<svg aria-hidden").count(), 4, "{period}");
        assert!(
            page.contains("Events by outcome") && page.contains("<details") && !page.contains(" style="),
            "{period}"
        );
        let again = format!("<a href=\"/admin/sync?period={period}\" class=\"btn btn-xs\">");
        assert!(page.contains(&again), "Refresh keeps {period}: {page}");
    }
    app.finish().await;
}

#[tokio::test]
async fn numbers_of_two_processes_are_added_and_the_processes_are_listed() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    let second = app.second_process().await;
    eventually("both are at work", || async {
        let numbers = overview(&app, &admin).await;
        match numbers["instances"].as_array().map(Vec::len) {
            Some(2) => Ok(()),
            _ => Err(numbers["instances"].to_string()),
        }
    })
    .await;
    rollcall::server::statistics::leave(&second).await;
    rollcall::server::statistics::leave(&app.state).await;
    let minutes = app.database.all("statistics").await;
    let received: i64 = minutes
        .iter()
        .filter(|row| row.get_str("_id").is_ok_and(|id| id.starts_with("minute:")))
        .filter_map(|row| row.get_i64("received").ok())
        .sum();
    assert_eq!(received, 1, "counted once, in the process that took it: {minutes:?}");
    app.finish().await;
}

#[tokio::test]
async fn with_many_events_their_states_come_from_the_kept_totals() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    let old = DateTime::from_millis(Timestamp::now().as_millisecond() - 60_000);
    let many = (0..1_050).map(|number| {
        doc! {
            "_id": format!("msg_{number}"), "kind": "user.updated", "state": "applied", "attempts": 1_i32,
            "deliveries": 1_i32, "receivedAt": old, "finishedAt": old,
        }
    });
    app.database.client.database(&app.database.name).collection("events").insert_many(many).await.expect("inserted");
    assert_eq!(count(&overview(&app, &admin).await, "applied"), 1_051, "also before they were counted once");
    eventually("they were counted once", || async {
        let counted = doc! { "_id": "totals", "countedAt": { "$type": "date" } };
        app.database.find("statistics", counted).await.map(|_| ()).ok_or_else(|| "no totals".to_owned())
    })
    .await;
    app.deliver("msg_one_more", &user_event("user.created", "user_x", "Xenia", Timestamp::now().as_millisecond()))
        .await;
    // What is kept is not counted again when somebody looks.
    app.database.remove("events", doc! { "_id": { "$in": ["msg_1", "msg_2"] } }).await;
    eventually("what comes is added", || async {
        match count(&overview(&app, &admin).await, "applied") {
            1_052 => Ok(()),
            applied => Err(applied.to_string()),
        }
    })
    .await;
    app.finish().await;
}

/// The real binary, twice, on one database.
async fn two_servers(app: &TestApp) -> [Server; 2] {
    let mut servers = Vec::new();
    for _ in 0..2 {
        let variables = variables(&app.clerk, &app.database.uri, &app.url);
        servers.push(start(free_port(), &variables).await);
    }
    servers.try_into().ok().expect("two")
}

fn token(app: &TestApp, clerk_id: &str) -> String {
    app.clerk.session_token(clerk_id, TokenOptions::asked_by(&app.url))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_07_an_event_through_one_process_is_on_the_stream_of_another_within_a_second() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    let [first, second] = two_servers(&app).await;
    let mut streams = [
        Stream::open(&first.url, &token(&app, &admin), None).await,
        Stream::open(&second.url, &token(&app, &admin), None).await,
    ];
    for stream in &mut streams {
        stream.told_of(&admin).await;
    }
    // A busy machine only makes it slower.
    let mut quickest = Duration::MAX;
    for round in 0..3 {
        let id = format!("user_round_{round}");
        let body = user_event("user.created", &id, "Ada", Timestamp::now().as_millisecond()).to_string();
        let delivery = Delivery::signed(app.clerk.webhook_secret(), &format!("msg_{round}"), body.as_bytes());
        let sent_at = Instant::now();
        let answer = delivery.request_to(&app.client, &first.webhook_url()).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        for stream in &mut streams {
            stream.told_of(&id).await;
        }
        quickest = quickest.min(sent_at.elapsed());
    }
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_07_d5_24_a_stream_is_for_those_who_may_look_begins_with_everything_and_ends_with_the_role() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    let member = app.person(json!({ "email_address": ["m@example.com"] })).await;
    assert_eq!(app.get("/admin/sync/live").await.status(), 401);
    assert_eq!(app.get_as(&member, "/admin/sync/live").await.status(), 403);
    let mut stream = Stream::open(&app.url, &app.token(&admin), None).await;
    let (id, message) = stream.next().await.expect("a snapshot");
    assert_eq!(message["figures"]["word"], "Healthy");
    assert_eq!(message["events"].as_array().map(Vec::len), Some(2));
    // Who comes back and has missed nothing is not told it again; who has missed something is told everything.
    let mut again = Stream::open(&app.url, &app.token(&admin), Some("0-0")).await;
    let (current, message) = again.next().await.expect("a snapshot");
    assert!(message["events"].as_array().is_some_and(|events| events.len() == 2), "{id} then {current}");
    let mut same = Stream::open(&app.url, &app.token(&admin), Some(&current)).await;
    assert_ne!(same.next().await.expect("an update").0, current);
    app.database.set("users", doc! { "clerkId": &admin }, doc! { "role": "user" }).await;
    let lost_at = Instant::now();
    while stream.next().await.is_some() {}
    assert!(lost_at.elapsed() < Duration::from_secs(5), "{:?}", lost_at.elapsed());
    while again.next().await.is_some() {}
    while same.next().await.is_some() {}
    eventually_within(Duration::from_secs(10), "nobody watches", || async {
        match app.state.live.viewers() {
            0 => Ok(()),
            viewers => Err(viewers.to_string()),
        }
    })
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_28_d5_24_a_moderator_is_told_what_happens_until_the_role_is_lost() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    let moderator = json!({ "email_address": ["mo@example.com"], "public_metadata": { "role": "moderator" } });
    let moderator = app.person(moderator).await;
    let mut stream = Stream::open(&app.url, &app.token(&moderator), None).await;
    let (_, message) = stream.next().await.expect("a snapshot");
    assert_eq!(message["figures"]["people"], "2");
    app.deliver("msg_told", &user_event("user.created", "user_x", "Xenia", Timestamp::now().as_millisecond())).await;
    stream.told_of("user_x").await;
    // Who becomes more goes on, and who becomes nobody in particular does not.
    app.database.set("users", doc! { "clerkId": &moderator }, doc! { "role": "admin" }).await;
    app.deliver("msg_more", &user_event("user.created", "user_y", "Yves", Timestamp::now().as_millisecond())).await;
    stream.told_of("user_y").await;
    let lost = [("id", &*moderator), ("role", "user")];
    let lost = app.client.post(app.at("/api/admin_users/change_role")).bearer_auth(app.token(&admin)).form(&lost);
    assert_eq!(lost.send().await.expect("an answer").status(), 200);
    let lost_at = Instant::now();
    while stream.next().await.is_some() {}
    assert!(lost_at.elapsed() < Duration::from_secs(5), "{:?}", lost_at.elapsed());
    assert_eq!(app.get_as(&moderator, "/admin/sync/live").await.status(), 403);
    app.jobs_settled().await;
    app.settled().await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_07_two_hundred_open_dashboards_cost_next_to_nothing_and_end_with_the_process() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    let variables = variables(&app.clerk, &app.database.uri, &app.url);
    let mut server = start(free_port(), &variables).await;
    let before_mb = server.resident_mb();
    let mut streams = Vec::new();
    for _ in 0..200 {
        streams.push(Stream::open(&server.url, &token(&app, &admin), None).await);
    }
    for stream in &mut streams {
        stream.next().await.expect("a snapshot");
    }
    let (busy_before, began_at) = (server.cpu(), Instant::now());
    for stream in &mut streams {
        stream.next().await.expect("an update");
    }
    tokio::time::sleep(Duration::from_secs(6)).await;
    let share = server.cpu().saturating_sub(busy_before).as_secs_f64() / began_at.elapsed().as_secs_f64();
    let grown_mb = server.resident_mb().saturating_sub(before_mb);
    println!("200 streams: {share:.3} of a processor, {grown_mb} MB");
    assert!(grown_mb < 60, "{grown_mb} MB");
    assert!(share < 0.5, "{share} of a processor");
    server.signal("TERM");
    assert_eq!(server.ended().await.code(), Some(0));
    app.finish().await;
}

#[tokio::test]
async fn c_9_the_connection_page_shows_address_types_and_the_use_of_each_secret() {
    let second = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    eventually("the type is seen", || async {
        let connection: Value = app.get_as(&admin, "/api/connection/get_connection").await.json().await.expect("JSON");
        let created = &connection["types"][0];
        if created["kind"] == "user.created" && created["count"] == 1 { Ok(()) } else { Err(connection.to_string()) }
    })
    .await;
    let shown = page(&app, &admin, "/admin/sync/connection").await;
    let address = format!("{}/api/webhooks/clerk", app.url);
    for text in [
        &address,
        "user.deleted",
        "needed, not seen yet",
        "the endpoint at Clerk does not subscribe to it",
        "in use",
        "Nothing is being replaced now.",
        "Add a second",
        "Not examined yet.",
    ] {
        let text = text.replace("Add a second", "add a second webhook endpoint");
        assert!(shown.contains(&text), "{text}");
    }
    assert!(!shown.contains("whsec_") && !shown.contains(second));
    assert!(!shown.contains("(next)") && !shown.contains("aria-current=\"step\""), "no rotation is under way");
    app.finish().await;
}

#[tokio::test]
async fn e_02_a_test_event_and_every_check_are_a_button_without_scripts() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    let before = app.database.count("events", doc! {}).await;
    for (form, said) in [("send_test_event", "was accepted"), ("examine", " checks ")] {
        let post = app.client.post(app.at(&format!("/api/connection/{form}"))).bearer_auth(app.token(&admin));
        let post = post.header("accept", "text/html").header("content-type", "application/x-www-form-urlencoded");
        let answer = post.body("").send().await.expect("an answer");
        assert_eq!(answer.status(), 303, "{form}");
        let location = answer.headers()["location"].to_str().expect("text");
        assert!(location.starts_with("/admin/sync/connection"), "{location}");
        let cookie =
            answer.headers()["set-cookie"].to_str().expect("text").split(';').next().expect("a pair").to_owned();
        let ask = app.client.get(app.at("/admin/sync/connection")).bearer_auth(app.token(&admin));
        let page = ask.header("cookie", cookie).send().await.expect("an answer").text().await.expect("text");
        assert!(page.contains(said), "{form}: {page}");
    }
    let page = page(&app, &admin, "/admin/sync/connection").await;
    assert!(page.contains("replica set") && page.contains("webhook route"));
    assert_eq!(app.database.count("events", doc! {}).await, before, "a test leaves no trace");
    app.finish().await;
}

/// The three steps as the page shows them, and as the stream tells them.
fn steps(message: &Value) -> [&str; 3] {
    ["step-keys", "step-endpoint", "step-people"].map(|step| message["figures"][step].as_str().expect("a word"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_02_an_empty_database_teaches_three_steps_and_each_is_done_by_itself_before_ones_eyes() {
    let app = TestApp::with(Wishes { seed_users: 2, ..Wishes::default() }).await;
    // Clerk does not answer yet, so whoever looks was here before.
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..Levers::default() });
    let admin =
        app.clerk.find_user("admin@example.com").expect("a seeded admin")["id"].as_str().expect("an id").to_owned();
    let at = DateTime::now();
    let known = doc! {
        "clerkId": &admin, "name": "", "role": "admin", "syncStatus": "active", "authProvider": "clerk",
        "version": { "updatedAt": 1_i64, "eventAt": 1_i64 }, "createdAt": at, "updatedAt": at, "deletedAt": null,
    };
    app.database.insert("users", known).await;
    let first = page(&app, &admin, "/admin/sync").await;
    for text in ["Connect Clerk in three steps", "No event yet", "Waiting"] {
        assert!(first.contains(text), "{text}");
    }
    let mut stream = Stream::open(&app.url, &app.token(&admin), None).await;
    let mut turned = async |expected: [&str; 3]| {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let (_, message) = stream.next().await.expect("a message");
            if steps(&message) == expected {
                return;
            }
            assert!(Instant::now() < until, "{:?} and not {expected:?}", steps(&message));
        }
    };
    turned(["to do", "to do", "to do"]).await;
    app.clerk.set_levers(Levers::default());
    turned(["done", "to do", "to do"]).await;
    app.deliver("msg_1", &json!({ "object": "event", "type": "session.created", "data": { "id": "sess_1" } })).await;
    turned(["done", "done", "to do"]).await;
    app.deliver("msg_2", &user_event("user.created", "user_x", "Xenia", Timestamp::now().as_millisecond())).await;
    turned(["done", "done", "done"]).await;
    assert!(!page(&app, &admin, "/admin/sync").await.contains("Connect Clerk in three steps"));
    app.finish().await;
}

#[tokio::test]
async fn a2_34_activity_counts_newcomers_by_day_roles_and_providers() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.person(json!({ "email_address": ["m@example.com"], "public_metadata": { "role": "moderator" } })).await;
    let old = app.person(json!({ "email_address": ["old@example.com"] })).await;
    app.settled().await;
    let last_week = DateTime::from_millis(Timestamp::now().as_millisecond() - 10 * 86_400_000);
    app.database.set("users", doc! { "clerkId": &old }, doc! { "createdAt": last_week }).await;
    let ours = doc! { "email": "here@example.com", "authProvider": "local", "role": "user" };
    let users = app.database.handle().collection("users");
    users.insert_one(ours).bypass_document_validation(true).await.expect("stored");
    let activity: Value = app.get_as(&admin, "/api/activity/get_activity").await.json().await.expect("JSON");
    assert_eq!((&activity["joined_in_week"], &activity["joined_in_month"]), (&json!(2), &json!(3)));
    let shares = |of: &str| -> Vec<(String, u64, u64)> {
        let shares = activity[of].as_array().expect("shares").iter();
        shares
            .filter_map(|share| {
                Some((share["name"].as_str()?.to_owned(), share["count"].as_u64()?, share["of"].as_u64()?))
            })
            .collect()
    };
    let share = |name: &str, count| (name.to_owned(), count, 4);
    assert_eq!(shares("roles"), [share("admin", 1), share("moderator", 1), share("user", 2)]);
    assert_eq!(shares("providers"), [share("clerk", 3), share("local", 1)]);
    assert_eq!(activity["charts"][0]["rows"].as_array().map(Vec::len), Some(2), "a row a day with newcomers");
    eventually("the admin was here", || async {
        let activity: Value = app.get_as(&admin, "/api/activity/get_activity").await.json().await.expect("JSON");
        let days = activity["charts"][1]["rows"].as_array().map_or(0, Vec::len);
        if activity["active_today"] == 1 && days == 1 { Ok(()) } else { Err(activity.to_string()) }
    })
    .await;
    let shown = page(&app, &admin, "/admin/activity").await;
    assert!(shown.contains("People by day") && shown.contains("<svg aria-hidden") && shown.contains("moderator"));
    app.finish().await;
}

/// Of the people themselves nothing is read, however many there are (E-27).
#[tokio::test]
async fn e_27_activity_is_counted_along_indexes_alone() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    let database = app.database.handle();
    let long_ago = DateTime::from_millis(1_600_000_000_000);
    let crowd = (0..2_000).map(|number| {
        doc! {
            "clerkId": format!("user_crowd_{number}"), "name": "", "role": "user", "syncStatus": "active",
            "authProvider": "clerk", "email": format!("p{number}@example.com"),
            "version": { "updatedAt": 1_i64, "eventAt": 1_i64 }, "createdAt": long_ago, "updatedAt": long_ago,
        }
    });
    database.collection("users").insert_many(crowd).await.expect("stored");
    database.run_command(doc! { "profile": 2 }).await.expect("profiled");
    let activity: Value = app.get_as(&admin, "/api/activity/get_activity").await.json().await.expect("JSON");
    database.run_command(doc! { "profile": 0 }).await.expect("not profiled any more");
    assert_eq!(activity["providers"][0]["count"], 2_001);
    let counts = doc! { "ns": format!("{}.users", app.database.name), "command.aggregate": "users" };
    let profile = database.collection::<Document>("system.profile");
    let counts: Vec<Document> = profile.find(counts).await.expect("a query").try_collect().await.expect("documents");
    assert!(counts.len() >= 5, "{counts:?}");
    for one in counts {
        let [keys, documents] = ["keysExamined", "docsExamined"].map(|field| one.get_i32(field).unwrap_or(i32::MAX));
        assert!(keys <= 10 && documents <= 10, "{keys} {documents}: {one}");
    }
    app.finish().await;
}

/// Above a thousand, tombstones are not counted when somebody looks: the number is kept, and grows with each deletion.
#[tokio::test]
async fn issue_6_people_who_are_deleted_are_counted_as_they_go() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    let at = DateTime::now();
    let gone = (0..1_200).map(|number| {
        doc! {
            "clerkId": format!("user_gone_{number}"), "name": "", "role": "user", "syncStatus": "active", "authProvider": "clerk",
            "version": { "updatedAt": 1_i64, "eventAt": 1_i64 }, "createdAt": at, "updatedAt": at, "deletedAt": at,
        }
    });
    app.database.handle().collection("users").insert_many(gone).await.expect("stored");
    let deleted = |expected: u64| {
        let (app, admin) = (&app, &admin);
        async move {
            eventually_within(Duration::from_secs(20), "they are counted", || async {
                let numbers = overview(app, admin).await;
                let found = (numbers["people"].as_u64(), numbers["deleted_people"].as_u64());
                if found == (Some(1), Some(expected)) { Ok(()) } else { Err(format!("{found:?}")) }
            })
            .await;
        }
    };
    deleted(1_200).await;
    app.deliver(
        "msg_gone",
        &json!({ "object": "event", "type": "user.deleted", "timestamp": 1_760_000_000_000_i64,
        "data": { "object": "user", "id": "user_gone_one_more", "deleted": true } }),
    )
    .await;
    app.settled().await;
    deleted(1_201).await;
    app.finish().await;
}

/// What comes and goes is counted to a thousand when somebody looks: beyond it is as much as was counted last, or at least that.
#[tokio::test]
async fn issue_6_what_is_open_is_counted_to_a_thousand_and_no_further() {
    let app = TestApp::new().await;
    let admin = admin(&app).await;
    app.settled().await;
    let (now, later) = (DateTime::now(), DateTime::from_millis(Timestamp::now().as_millisecond() + 3_600_000));
    let events = (0..1_200).map(|number| {
        doc! {
            "_id": format!("msg_{number}"), "kind": "user.updated", "state": "failed", "attempts": 1_i32, "waits": 0_i32,
            "deliveries": 1_i32, "receivedAt": now, "dueAt": later, "decision": "Clerk said 500", "cause": "Clerk said 500",
        }
    });
    let jobs = (0..1_100).map(|number| {
        doc! {
            "_id": format!("webhook:user_{number}:1"), "kind": "webhook", "state": "dead", "attempts": 9_i32, "generation": 1_i64,
            "createdAt": now, "finishedAt": now, "cause": "status 500",
        }
    });
    app.database.handle().collection("events").insert_many(events).await.expect("stored");
    app.database.handle().collection("jobs").insert_many(jobs).await.expect("stored");
    let of = |numbers: &Value, list: &str, state: &str| {
        let rows = numbers[list].as_array().expect("rows").clone();
        let row = rows.into_iter().find(|row| row["state"] == state).expect("a row");
        (row["count"].as_u64().expect("a number"), row["is_more"].as_bool().expect("a word"))
    };
    eventually_within(Duration::from_secs(20), "they are counted once, by a process", || async {
        let numbers = overview(&app, &admin).await;
        let found = (of(&numbers, "counts", "failed"), of(&numbers, "effects", "dead"), numbers["backlog"].as_u64());
        let is_counted =
            app.database.find("statistics", doc! { "_id": "totals", "countedAt": { "$type": "date" } }).await;
        let expected = ((1_200, false), (1_100, false), Some(1_200));
        if is_counted.is_some() && found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
    let none = doc! { "ended.failed": 0_i64, "effects.dead": 0_i64 };
    app.database.set("statistics", doc! { "_id": "totals" }, none).await;
    let numbers = overview(&app, &admin).await;
    assert_eq!([of(&numbers, "counts", "failed"), of(&numbers, "effects", "dead")], [(1_000, true); 2]);
    assert_eq!(numbers["reason"], "At least 1\u{202f}000 events could not be applied yet.");
    for path in ["/admin/sync", "/admin/sync/effects"] {
        assert!(page(&app, &admin, path).await.contains("1\u{202f}000+"), "{path}");
    }
    app.database.remove("events", doc! {}).await;
    app.finish().await;
}

#[tokio::test]
async fn e_27_the_page_does_not_wait_for_a_clerk_that_is_slow() {
    let app = TestApp::with(Wishes { seed_users: 2, ..Wishes::default() }).await;
    let admin = app.clerk.find_user("admin@example.com").expect("seeded")["id"].as_str().expect("an id").to_owned();
    let at = DateTime::now();
    let known = doc! {
        "clerkId": &admin, "name": "", "role": "admin", "syncStatus": "active", "authProvider": "clerk",
        "version": { "updatedAt": 1_i64, "eventAt": 1_i64 }, "createdAt": at, "updatedAt": at, "deletedAt": null,
    };
    app.database.insert("users", known).await;
    let answers_after = Duration::from_secs(6);
    let delay = u64::try_from(answers_after.as_millis()).expect("it fits");
    app.clerk.set_levers(Levers { bapi_delay_ms: delay, ..Levers::default() });
    let began_at = Instant::now();
    for _ in 0..8 {
        assert!(page(&app, &admin, "/admin/sync").await.contains("1. Keys"));
    }
    assert!(began_at.elapsed() < answers_after, "eight pages took {:?}", began_at.elapsed());
    eventually_within(Duration::from_secs(20), "the answer is on the page", || async {
        let numbers = overview(&app, &admin).await;
        if numbers["steps"]["has_keys"] == true { Ok(()) } else { Err(numbers["steps"].to_string()) }
    })
    .await;
    app.finish().await;
}
