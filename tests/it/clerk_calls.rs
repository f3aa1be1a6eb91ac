//! All who call Clerk's Backend API share one limit, one pause and one circuit (D2-13, D2-14): counted where the calls arrive.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use mongodb::bson::doc;
use reqwest::Response;
use rollcall::server::state::AppState;
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use crate::cli::{beside, run};
use crate::support::app::{TestApp, Wishes};
use crate::support::eventually_within;

const PROFILE: &str = "/api/profile";

/// People at Clerk of whom no webhook has come: the first request of each is a call to Clerk.
fn unannounced(app: &TestApp, count: usize) -> Vec<String> {
    app.clerk.set_levers(Levers { paused: true, ..app.clerk.levers() });
    let create = |index| app.clerk.create_user(json!({ "email_address": [format!("p{index}@example.com")] }));
    let created = (0..count).map(create);
    created.map(|user| user["id"].as_str().expect("an id").to_owned()).collect()
}

/// An event that only Clerk can settle (D2-25): the stored version with another name.
async fn ask_a_question(app: &TestApp, id: &str) -> &'static str {
    let told = app.clerk.deliveries().into_iter().rfind(|delivery| delivery.user_id == id);
    let mut lie: Value = serde_json::from_str(&told.expect("a delivery").body).expect("JSON");
    lie["type"] = json!("user.updated");
    lie["data"]["first_name"] = json!("Lie");
    app.deliver("msg_lie", &lie).await;
    "msg_lie"
}

fn retry_after(answer: &Response) -> u64 {
    let value = answer.headers()["retry-after"].to_str().expect("text");
    value.parse().expect("seconds")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_13_however_many_ask_clerk_never_has_to_refuse() {
    let app = TestApp::with(Wishes { clerk_limits: true, ..Wishes::default() }).await;
    let ids = unannounced(&app, 150);
    let answers = join_all(ids.iter().map(|id| app.get_as(id, PROFILE))).await;
    let (found, told): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status() == 200);
    assert!((18..=90).contains(&found.len()), "{} found", found.len());
    assert_eq!(app.clerk.backend_calls(), found.len() as u64, "every call was answered, none too many was made");
    for answer in told {
        assert_eq!(answer.status(), 503);
        assert!((1..=30).contains(&retry_after(&answer)), "the time that the limit says");
    }
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

/// Two servers and a backfill of the command line, each of which would make all the calls that Clerk takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_13_processes_and_a_walk_share_what_clerk_takes() {
    let people = 15_000;
    let app = TestApp::with(Wishes { clerk_limits: true, seed_users: people, ..Wishes::default() }).await;
    let second = app.second_process().await;
    let both = [&app.state, &second];
    // Each sees the other before anything is asked.
    eventually_within(Duration::from_secs(10), "each of the two has half", || async {
        let parts = both.map(|state| state.clerk.calls_allowed());
        if parts.iter().sum::<u32>() <= 90 && parts.iter().all(|part| *part >= 40) {
            Ok(())
        } else {
            Err(format!("{parts:?}"))
        }
    })
    .await;
    let asks = AtomicBool::new(true);
    let ask = async |state: &AppState| {
        let mut answered = 0_u32;
        while asks.load(Ordering::SeqCst) {
            let calls = (0..8).map(|_| state.clerk.count_users());
            answered += u32::try_from(join_all(calls).await.iter().filter(|call| call.is_ok()).count()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        answered
    };
    let environment = beside(&app).with([("ROLLCALL_CLERK_RATE", String::new())]);
    let walk = async {
        // The two alone, then three, then the two alone again.
        tokio::time::sleep(Duration::from_secs(12)).await;
        let before = app.clerk.backend_calls();
        let walked = run(&["sync", "backfill", "--yes"], &environment).await.expect(0);
        walked.says(&["15000 written"]);
        let calls = app.clerk.backend_calls() - before;
        tokio::time::sleep(Duration::from_secs(8)).await;
        asks.store(false, Ordering::SeqCst);
        calls
    };
    let started = Instant::now();
    let (first, second_answered, during_the_walk) = tokio::join!(ask(&app.state), ask(&second), walk);
    assert_eq!(app.clerk.limited_calls(), 0, "Clerk never had to refuse, so no ten seconds held more than its hundred");
    assert!(during_the_walk >= 60, "the walk had its part: {during_the_walk}");
    // What may be called is called: nine of ten that Clerk takes, but for what moves from one to another.
    let each = f64::from(first + second_answered) / started.elapsed().as_secs_f64() * 10.0;
    assert!(each > 40.0, "the two made {each:.0} calls in ten seconds");
    assert!(first.abs_diff(second_answered) < (first + second_answered) / 3, "{first} and {second_answered}");
    let left = app.database.find("locks", doc! { "_id": "clerk-calls" }).await.expect("the shares");
    assert_eq!(left.get_array("shares").map(Vec::len).ok(), Some(2), "a command gives back what it held: {left}");
    app.finish().await;
}

#[tokio::test]
async fn d2_13_a_pause_that_clerk_asks_for_is_kept_by_pages_events_and_jobs() {
    let variables = vec![("ROLLCALL_METADATA", "true".to_owned()), ("ROLLCALL_ATTEMPTS", "1".to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let known = app.person(json!({ "email_address": ["ada@example.com"], "first_name": "Ada" })).await;
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    app.settled().await;
    app.jobs_settled().await;
    let ids = unannounced(&app, 20);
    let levers = |paused| Levers { bapi_status: Some(429), retry_after_s: 6, paused, ..Levers::default() };
    app.clerk.set_levers(levers(true));
    let (before, started) = (app.clerk.backend_calls(), Instant::now());
    // The first to ask learns it for all: pages of others, an event that has a question, the jobs of those who arrive.
    assert_eq!(app.get_as(&ids[0], PROFILE).await.status(), 503);
    app.clerk.set_levers(levers(false));
    let question = ask_a_question(&app, &known).await;
    for answer in join_all(ids.iter().map(|id| app.get_as(id, PROFILE))).await {
        // Whose webhook came in the meantime is known without asking.
        assert!([200, 503].contains(&answer.status().as_u16()), "{}", answer.status());
    }
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    eventually_within(Duration::from_secs(4), "the question is put off", || async {
        let event = app.database.event(question).await.expect("stored");
        if event.get_str("state").ok() == Some("failed") { Ok(()) } else { Err(event.to_string()) }
    })
    .await;
    assert!(started.elapsed() < Duration::from_millis(5_500), "the machine is too slow for this test");
    assert_eq!(app.clerk.backend_calls(), before + 1, "one call in all");
    app.clerk.set_levers(Levers::default());
    eventually_within(Duration::from_secs(30), "everything is made up for", || async {
        let waiting = app.database.count("events", doc! { "state": { "$ne": "applied" } }).await;
        let jobs = app.database.count("jobs", doc! { "state": { "$ne": "done" } }).await;
        let ended = app.database.event(question).await.expect("stored");
        let is_settled = ["stale", "duplicate", "applied"].contains(&ended.get_str("state").unwrap_or_default());
        if is_settled && jobs == 0 { Ok(()) } else { Err(format!("{waiting} events, {jobs} jobs: {ended}")) }
    })
    .await;
    assert_eq!(app.database.count("events", doc! { "state": "dead" }).await, 0);
    assert_eq!(app.database.user(&known).await.expect("there").get_str("firstName").ok(), Some("Ada"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_14_a_clerk_that_only_fails_gets_few_calls_and_no_event_is_lost_by_it() {
    let variables = vec![("ROLLCALL_ATTEMPTS", "1".to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let known = app.person(json!({ "email_address": ["ada@example.com"], "first_name": "Ada" })).await;
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    let ids = unannounced(&app, 60);
    app.clerk.set_levers(Levers { bapi_status: Some(500), paused: true, ..Levers::default() });
    let (before, started) = (app.clerk.backend_calls(), Instant::now());
    let question = ask_a_question(&app, &known).await;
    for id in &ids {
        let answer = app.get_as(id, PROFILE).await;
        assert_eq!(answer.status(), 503);
        assert!(retry_after(&answer) <= 60);
    }
    assert!(app.state.clerk.is_circuit_open());
    // Five until it opens, then one after each pause of about 1, 2, 4 s.
    let probes = started.elapsed().as_secs().max(1).ilog2() + 2;
    let calls = app.clerk.backend_calls() - before;
    assert!(calls <= u64::from(5 + probes), "{calls} calls in {:?}", started.elapsed());
    // What needs no question goes on.
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..Levers::default() });
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    let held_up = doc! { "state": { "$in": ["received", "failed"] }, "_id": { "$ne": question } };
    eventually_within(Duration::from_secs(10), "the others' events are applied", || async {
        match app.database.count("events", held_up.clone()).await {
            0 => Ok(()),
            count => Err(format!("{count} wait")),
        }
    })
    .await;
    let event = app.database.event(question).await.expect("stored");
    assert_eq!(event.get_str("state").ok(), Some("failed"), "put off, not given up: {event}");
    app.clerk.set_levers(Levers::default());
    eventually_within(Duration::from_secs(40), "the question is answered and the circuit closed", || async {
        let event = app.database.event(question).await.expect("stored");
        let is_open = app.state.clerk.is_circuit_open();
        if event.get_str("state").ok() != Some("failed") && !is_open { Ok(()) } else { Err(event.to_string()) }
    })
    .await;
    assert_eq!(app.database.count("events", doc! { "state": "dead" }).await, 0);
    assert_eq!(app.database.user(&known).await.expect("there").get_str("firstName").ok(), Some("Ada"));
    app.finish().await;
}
