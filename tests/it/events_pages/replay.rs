//! Before and after a replay of many (C-7): what it would do, what a rehearsal leaves alone, and what it does to those picked.

use std::time::Duration;

use futures::StreamExt;
use mongodb::bson::{DateTime, Document, doc};
use rollcall::standin::levers::Levers;
use serde_json::json;

use super::{ADA, clock, ended, page, says, send};
use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::{deleted_event, user_event};
use crate::support::eventually_within;
use crate::support::receiver::{Receiver, SECRET};

const MONTH: &str = "q=msg_m_";

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

/// Eighty people with three events each, a month long, all of them applied: more than one batch. Of each person the newest
/// comes last.
async fn a_month(app: &TestApp) {
    // Some hours less, or MongoDB would forget the first while this is going on.
    let now = jiff::Timestamp::now().as_millisecond();
    let hour = 3_600_000;
    for number in 0..240_i64 {
        let (person, at) = (format!("user_m{}", number % 80), now - (700 - 2 * number) * hour);
        let kind = if number < 80 { "user.created" } else { "user.updated" };
        let id = format!("msg_m_{number:03}");
        app.deliver(&id, &user_event(kind, &person, &format!("Name{number}"), at)).await;
    }
    app.settled().await;
    for number in 0..240_i64 {
        let at = DateTime::from_millis(now - (700 - 2 * number) * hour);
        app.database.set("events", doc! { "_id": format!("msg_m_{number:03}") }, doc! { "receivedAt": at }).await;
    }
    app.jobs_settled().await;
}

/// Everything about the month, as a form of the preview says it; ends as this run.
async fn replayed(app: &TestApp, admin: &str, how: &[(&str, &str)]) -> Document {
    app.database.remove("runs", doc! {}).await;
    let wish = [&[("query", MONTH)], how].concat();
    assert_eq!(send(app, admin, "/api/events/replay_events", &wish).await.status(), 200);
    ended(app, "replay", "done").await
}

fn sums(run: &Document) -> &Document {
    run.get_document("progress").and_then(|progress| progress.get_document("sums")).expect("sums")
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

#[tokio::test]
async fn c_7_a_replay_of_a_whole_month_on_converged_data_has_no_diff_and_no_effect() {
    let (app, admin, _receiver) = with_a_receiver().await;
    a_month(&app).await;
    // From the first page of the day on it is known that the admin was here.
    page(&app, &admin, "/admin/sync").await;
    let (people, jobs) = (app.database.all("users").await, app.database.all("jobs").await);
    let nothing = doc! { "documents": 0_i64, "fields": {}, "effects": {}, "asked": 0_i64, "isMost": false };
    let preview = page(&app, &admin, &format!("/admin/sync/replay?{MONTH}")).await;
    says(&preview, &["240 events", "Of the newest 200: ", "0 documents", "<dd>nothing</dd>", "<dd>none"]);

    let stop = clock(&app);
    for how in [&[("rehearsal", "on")][..], &[("effects", "on")]] {
        let run = replayed(&app, &admin, how).await;
        assert_eq!(
            (count(&run, "seen"), count(&run, "written"), count(&run, "skipped")),
            (Some(240), Some(0), Some(0))
        );
        assert_eq!(sums(&run), &nothing, "{how:?}");
        app.jobs_settled().await;
        assert_eq!(app.database.all("users").await, people, "{how:?}");
        assert_eq!(app.database.all("jobs").await, jobs, "{how:?}");
    }
    let _ = stop.send(true);
    app.finish().await;
}

#[tokio::test]
async fn c_7_what_a_rehearsal_counts_over_several_batches_is_what_the_replay_then_does() {
    let (app, admin, _receiver) = with_a_receiver().await;
    a_month(&app).await;
    // As if none of it had ever been applied to these, and one had never come; everybody has three events in two batches.
    let long_ago = doc! { "updatedAt": 1_700_000_000_000_i64, "eventAt": 1_i64 };
    for number in 0..60 {
        let hand = doc! { "firstName": "Wrong", "banned": number < 10, "version": long_ago.clone() };
        app.database.set("users", doc! { "clerkId": format!("user_m{number}") }, hand).await;
    }
    app.database.remove("users", doc! { "clerkId": "user_m70" }).await;
    page(&app, &admin, "/admin/sync").await;
    let webhooks = async |app: &TestApp| app.database.count("jobs", doc! { "kind": "webhook" }).await;
    let (people, before) = (app.database.all("users").await, webhooks(&app).await);

    let preview = page(&app, &admin, &format!("/admin/sync/replay?{MONTH}")).await;
    let counted = "banned 10, everything 1, firstName 60";
    says(&preview, &["61 documents", counted, "webhook 61", "only if others are told", "The newest 25 are below"]);
    let stop = clock(&app);
    let rehearsal = replayed(&app, &admin, &[("rehearsal", "on")]).await;
    let expected = doc! {
        "documents": 61_i64,
        "fields": { "banned": 10_i64, "everything": 1_i64, "firstName": 60_i64 },
        "effects": { "webhook": 61_i64 },
        "asked": 0_i64,
        "isMost": false,
    };
    assert_eq!(sums(&rehearsal), &expected);
    assert_eq!(count(&rehearsal, "written"), Some(61));
    assert_eq!((app.database.all("users").await, webhooks(&app).await), (people.clone(), before), "nothing is written");
    let path = format!("/admin/sync/runs/{}", rehearsal.get_str("_id").expect("an id"));
    says(&page(&app, &admin, &path).await, &["Would change", "61 documents", counted, "webhook 61"]);

    let run = replayed(&app, &admin, &[("effects", "on")]).await;
    assert_eq!((sums(&run), count(&run, "written")), (&expected, Some(61)));
    app.jobs_settled().await;
    assert_eq!(webhooks(&app).await, before + 61);
    let after = app.database.all("users").await;
    assert_eq!(after.iter().filter(|user| !people.contains(user)).count(), 61);
    assert_eq!(app.database.count("users", doc! { "firstName": "Wrong" }).await, 0);
    let path = format!("/admin/sync/runs/{}", run.get_str("_id").expect("an id"));
    let shown = page(&app, &admin, &path).await;
    says(&shown, &["Changed", "61 documents", counted, "webhook 61"]);
    assert!(!shown.contains("Would change") && !shown.contains("only if others are told"));
    let _ = stop.send(true);
    app.finish().await;
}

#[tokio::test]
async fn c_7_one_event_is_replayed_from_the_preview_of_it_and_effects_are_off_until_ticked() {
    let (app, admin, _receiver) = with_a_receiver().await;
    set_back(&app).await;
    let before = told(&app).await;
    let path = "/admin/sync/events/msg_t_2";
    let plain = page(&app, &admin, path).await;
    says(&plain, &["Preview a replay", "/admin/sync/events/msg_t_2?preview=1#replay"]);
    assert!(!plain.contains("/api/events/replay_event") && !plain.contains("What a replay would do now"));

    let preview = page(&app, &admin, &format!("{path}?preview=1")).await;
    let words = ["What a replay would do now", "updated firstName, banned", "true → false", "webhook", "Replay it"];
    says(&preview, &words);
    says(&preview, &["action=\"/api/events/replay_event\"", "only if others are told"]);
    let form = preview.split("id=\"replay\"").nth(1).and_then(|rest| rest.split("</section>").next()).expect("a form");
    let (effects, _) = form.split_once("name=\"effects\"").and_then(|(_, rest)| rest.split_once('>')).expect("a box");
    assert!(!effects.contains("checked"), "{effects}");
    assert!(!form.contains("Augusta") && !form.contains("Wrong"), "names are personal");
    assert!(!preview.contains("Preview a replay"), "it is there");
    assert_eq!((name(&app).await.as_str(), told(&app).await), ("Wrong", before), "nothing is written");

    assert_eq!(send(&app, &admin, "/api/events/replay_event", &[("id", "msg_t_2")]).await.status(), 200);
    assert_eq!((name(&app).await.as_str(), told(&app).await), ("Augusta", before));
    let again = page(&app, &admin, &format!("{path}?preview=1")).await;
    says(&again, &["exactly this was already stored", "<span>nothing</span>", "<dd>none"]);

    app.database.remove("deliveries", doc! {}).await;
    let gone = page(&app, &admin, &format!("{path}?preview=1")).await;
    says(&gone, &["It is not kept any more"]);
    assert!(!gone.contains("/api/events/replay_event") && !gone.contains("What a replay would do now"));
    app.finish().await;
}

#[tokio::test]
async fn c_7_a_replay_that_is_paused_in_the_middle_waits_there_and_goes_on_with_none_twice_and_none_left_out() {
    const EVENTS: i64 = 2_000;
    let (app, admin, _receiver) = with_a_receiver().await;
    // They say that somebody lives who was deleted: each batch has to ask Clerk, which takes its time.
    app.deliver("msg_gone", &deleted_event("user_gone", 1_750_000_004_000)).await;
    app.settled().await;
    let (app_of_all, body) = (&app, &user_event("user.updated", "user_gone", "Back", 1_750_000_009_000));
    let deliveries = (0..EVENTS).map(|number| async move {
        app_of_all.deliver(&format!("msg_p_{number:04}"), body).await;
    });
    futures::stream::iter(deliveries).for_each_concurrent(32, |delivery| delivery).await;
    app.settled().await;
    app.clerk.set_levers(Levers { bapi_delay_ms: 300, ..app.clerk.levers() });
    let wish = [("query", "q=msg_p_")];
    assert_eq!(send(&app, &admin, "/api/events/replay_events", &wish).await.status(), 200);
    let stop = clock(&app);
    let seen = async || {
        let run = app.database.find("runs", doc! { "kind": "replay" }).await.expect("a run");
        (count(&run, "seen").unwrap_or(0), run.get_str("_id").expect("an id").to_owned())
    };
    let id = eventually_within(Duration::from_secs(30), "the first batch is through", || async {
        let (seen, id) = seen().await;
        if seen > 0 { Ok(id) } else { Err("nothing yet".to_owned()) }
    })
    .await;
    let control = async |wish: &str| {
        let asked = send(&app, &admin, "/api/runs/control_run", &[("id", &id), ("wish", wish)]).await;
        assert_eq!(asked.status(), 200, "{wish}");
    };
    control("pause").await;
    let replayed = doc! { "_id": { "$regex": "^msg_p_" }, "attempts": 2 };
    let (done, _) = seen().await;
    assert!(0 < done && done < EVENTS, "it was paused in the middle: {done}");
    assert_eq!(app.database.count("events", replayed.clone()).await, u64::try_from(done).expect("a count"));
    says(&page(&app, &admin, &format!("/admin/sync/runs/{id}")).await, &["replay is paused at", "Resume"]);

    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(seen().await.0, done, "whoever looks after runs leaves it alone");
    app.clerk.set_levers(Levers::default());
    control("resume").await;
    let run = ended(&app, "replay", "done").await;
    assert_eq!((count(&run, "seen"), count(&run, "skipped")), (Some(EVENTS), Some(0)));
    assert_eq!(app.database.count("events", replayed).await, u64::try_from(EVENTS).expect("a count"));
    let _ = stop.send(true);
    app.finish().await;
}
