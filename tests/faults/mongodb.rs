//! MongoDB is restarted, elects, cannot reach its majority, cannot be reached, or is slow.

use std::time::{Duration, Instant};

use futures::future::join_all;
use jiff::Timestamp;
use mongodb::bson::{Bson, doc};
use reqwest::Response;
use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::effects;
use crate::mongod::{Mongod, ThreeNodes};
use crate::proxy::{Line, Proxy};
use crate::site::{SENDER_WAITS, Site, Traffic};
use crate::support::eventually_within;
use crate::support::invariants::settled;
use crate::support::mongo::TestDatabase;
use crate::support::process::Server;

/// What a server says while MongoDB is away, and nothing else.
const AWAY: [&str; 4] =
    ["MongoDB is away", "MongoDB is not available", "MongoDB did not answer in time", "too much at once"];
/// How a node refuses that has just ceased to be the primary.
const ELECTING: [&str; 3] = ["NotWritablePrimary", "PrimarySteppedDown", "InterruptedDueToReplStateChange"];
const RESTARTS: usize = 10;
/// An answer sent just before the end may be read just after it.
const READ_LATE_MS: i64 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_06_mongodb_restarted_ten_times_under_load_nothing_is_acknowledged_while_it_is_down() {
    let mut mongod = Mongod::start().await;
    let mut site = Site::of(1, TestDatabase::at(&mongod.uri()).await).await;
    site.change(&[("ROLLCALL_DATABASE_TIMEOUT_MS", "1000")]);
    let receiver = effects::switched_on(&mut site).await;
    let _server = site.start(0).await;
    let traffic = Traffic::start(&site.clerk, 150);
    let mut downtimes = Vec::new();
    for restart in 0..RESTARTS {
        let before = site.answers(Some(200));
        eventually_within(Duration::from_mins(1), "deliveries succeed", || async {
            let now = site.answers(Some(200));
            if now > before + 50 { Ok(()) } else { Err(format!("{before}, then {now}")) }
        })
        .await;
        // An operator's restart and a crash, by turns.
        if restart % 2 == 0 {
            mongod.terminate().await;
        } else {
            mongod.kill();
        }
        let from = Timestamp::now().as_millisecond();
        let refused = site.answers(Some(503));
        eventually_within(Duration::from_secs(20), "deliveries are refused", || async {
            let now = site.answers(Some(503));
            if now > refused { Ok(()) } else { Err(format!("{refused}, then {now}")) }
        })
        .await;
        downtimes.push(from + READ_LATE_MS..Timestamp::now().as_millisecond());
        mongod.restart().await;
    }
    traffic.stop().await;
    site.delivered(Duration::from_mins(3)).await;
    for delivery in site.clerk.deliveries() {
        for attempt in &delivery.attempts {
            let is_down = downtimes.iter().any(|downtime| downtime.contains(&attempt.at_ms));
            assert!(!is_down || attempt.status != Some(200), "{} was acknowledged without MongoDB", delivery.svix_id);
        }
    }
    assert_eq!(site.statuses(), [Some(200), Some(503)], "never another answer, and never none");
    effects::are_right(&site, &receiver).await;
    site.finish(&AWAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_07_a_primary_that_steps_down_under_load_costs_retries_and_no_event() {
    let three = ThreeNodes::start().await;
    let mut site = Site::of(1, TestDatabase::at(&three.uri()).await).await;
    site.change(&[("ROLLCALL_DATABASE_TIMEOUT_MS", "5000")]);
    let receiver = effects::switched_on(&mut site).await;
    let _server = site.start(0).await;
    let traffic = Traffic::start(&site.clerk, 100);
    for _ in 0..3 {
        let before = site.answers(Some(200));
        let primary = three.primary().await;
        // By force: what no majority has yet may be rolled back, and nothing of it was acknowledged.
        let command = doc! { "replSetStepDown": 3, "secondaryCatchUpPeriodSecs": 1, "force": true };
        three.nodes[primary].admin(command).await.expect("it steps down");
        three.primary().await;
        eventually_within(Duration::from_mins(1), "deliveries succeed", || async {
            let now = site.answers(Some(200));
            if now > before + 100 { Ok(()) } else { Err(format!("{before}, then {now}")) }
        })
        .await;
    }
    traffic.stop().await;
    site.delivered(Duration::from_mins(2)).await;
    let worst = site.clerk.deliveries().iter().map(|delivery| delivery.attempts.len()).max();
    assert!(worst <= Some(4), "{worst:?} attempts at one event");
    assert!(site.statuses().iter().all(|status| matches!(status, Some(200 | 503))), "{:?}", site.statuses());
    effects::are_right(&site, &receiver).await;
    site.finish(&[&AWAY[..], &ELECTING].concat()).await;
}

#[tokio::test]
async fn d2_07_an_election_is_taken_for_an_outage_and_not_for_a_refusal() {
    let mongod = Mongod::start().await;
    let site = Site::of(1, TestDatabase::at(&mongod.uri()).await).await;
    let _server = site.start(0).await;
    let id = site.create("elected");
    site.delivered(Duration::from_secs(20)).await;
    settled(&site.database, Duration::from_secs(20)).await;
    for collection in ["users", "events"] {
        let namespace = format!("{}.{collection}", site.database.name);
        let refuse = doc! { "failCommands": ["update"], "namespace": namespace, "errorCode": 10_107 };
        let once = doc! { "configureFailPoint": "failCommand", "mode": { "times": 2 }, "data": refuse };
        mongod.admin(once).await.expect("a fail point");
        site.clerk.update_user(&id, json!({ "first_name": format!("After {collection}") }));
        site.delivered(Duration::from_secs(20)).await;
        settled(&site.database, Duration::from_secs(30)).await;
    }
    site.finish(&AWAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_08_without_a_majority_nothing_is_acknowledged() {
    let three = ThreeNodes::start().await;
    let mut site = Site::of(1, TestDatabase::at(&three.uri()).await).await;
    site.change(&[("ROLLCALL_DATABASE_TIMEOUT_MS", "2000")]);
    let _server = site.start(0).await;
    site.create("before");
    site.delivered(Duration::from_secs(20)).await;
    let primary = three.primary().await;
    let others: Vec<&Mongod> = (0..3).filter(|place| *place != primary).map(|place| &three.nodes[place]).collect();
    for node in &others {
        node.signal("STOP");
    }
    let id = site.create("minority");
    let started = Instant::now();
    eventually_within(Duration::from_secs(40), "the attempt ends", || async {
        let told = site.clerk.deliveries().pop().expect("a webhook");
        if told.attempts.is_empty() { Err("under way".to_owned()) } else { Ok(()) }
    })
    .await;
    assert!(started.elapsed() < SENDER_WAITS, "{:?}", started.elapsed());
    assert_eq!(site.answers(Some(200)), 1, "only the one before");
    for node in &others {
        node.signal("CONT");
    }
    site.delivered(Duration::from_mins(2)).await;
    eventually_within(Duration::from_mins(1), "the person arrives", || async {
        site.database.user(&id).await.map(drop).ok_or_else(|| "nobody".to_owned())
    })
    .await;
    site.finish(&AWAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_09_a_cut_line_is_answered_503_in_time_and_mends_by_itself() {
    let (site, proxy, _server) = behind_a_line(&[]).await;
    proxy.set(Line::Cut);
    let answers = refused_in_time(&site, "cut").await;
    assert!(answers.iter().all(|answer| answer.status() == 503), "{answers:?}");
    proxy.set(Line::Clear);
    comes_back(&site).await;
    site.finish(&AWAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_09_connections_that_a_firewall_forgot_are_replaced_by_new_ones() {
    let (site, proxy, _server) = behind_a_line(&[]).await;
    proxy.set(Line::Cut);
    let answers = refused_in_time(&site, "forgotten").await;
    assert!(answers.iter().all(|answer| answer.status() == 503), "{answers:?}");
    proxy.forget();
    comes_back(&site).await;
    site.finish(&AWAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_10_with_two_seconds_a_write_the_queue_is_bounded_and_every_answer_in_time() {
    let limits = [("ROLLCALL_INBOX_CAPACITY", "40"), ("ROLLCALL_BATCH", "20")];
    let (site, proxy, server) = behind_a_line(&limits).await;
    proxy.set(Line::Slow(Duration::from_secs(2)));
    let answers = refused_in_time(&site, "slow").await;
    let (stored, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status() == 200);
    assert!(!stored.is_empty() && !refused.is_empty(), "{} stored, {} refused", stored.len(), refused.len());
    assert!(refused.iter().all(|answer| answer.status() == 503), "{refused:?}");
    assert!(server.resident_mb() < 512, "{} MB", server.resident_mb());
    proxy.set(Line::Clear);
    comes_back(&site).await;
    site.finish(&AWAY).await;
}

/// MongoDB carries a command out and its answer is lost, as by an election: the driver does not know, and it is repeated.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_07_what_is_repeated_because_its_answer_was_lost_counts_once() {
    let (site, proxy, _server) = behind_a_line(&[]).await;
    settled(&site.database, Duration::from_secs(20)).await;
    let id = site.create("counted");
    site.delivered(Duration::from_secs(20)).await;
    settled(&site.database, Duration::from_secs(20)).await;
    let (message, body) = site.told_of(&id).remove(0);
    let count = async || site.database.event(&message).await.and_then(|event| event.get("deliveries").cloned());
    assert_eq!(count().await.as_ref().and_then(number), Some(1));
    proxy.set(Line::LosesAnswerTo("again"));
    assert_eq!(site.post(0, &message, &body).await.status(), 200);
    settled(&site.database, Duration::from_secs(20)).await;
    assert_eq!(count().await.as_ref().and_then(number), Some(2), "a delivery that came again is counted once");
    proxy.set(Line::Clear);
    assert_eq!(site.post(0, &message, &body).await.status(), 200);
    settled(&site.database, Duration::from_secs(20)).await;
    assert_eq!(count().await.as_ref().and_then(number), Some(3), "the next is another");
    site.finish(&AWAY).await;
}

fn number(value: &Bson) -> Option<i64> {
    value.as_i64().or_else(|| value.as_i32().map(i64::from))
}

/// A server whose MongoDB is behind a line of ours, and a first event through it.
async fn behind_a_line(changes: &[(&str, &str)]) -> (Site, Proxy, Server) {
    let database = TestDatabase::new().await;
    let proxy = Proxy::to(database.address()).await;
    let mut site = Site::of(1, database).await;
    let uri = proxy.uri(&site.database.name);
    site.change(&[("MONGODB_URI", &uri)]);
    site.change(changes);
    let server = site.start(0).await;
    site.create("first");
    site.delivered(Duration::from_secs(20)).await;
    (site, proxy, server)
}

/// Two hundred new people, posted at once: each is answered within a sender's patience, and each 503 says when to come
/// back.
async fn refused_in_time(site: &Site, name: &str) -> Vec<Response> {
    site.clerk.set_levers(Levers { paused: true, ..Levers::default() });
    let ids: Vec<String> = (0..200).map(|number| site.create(&format!("{name}-{number}"))).collect();
    let told: Vec<(String, String)> = ids.iter().flat_map(|id| site.told_of(id)).collect();
    let started = Instant::now();
    let answers = join_all(told.iter().map(|(id, body)| site.post(0, id, body))).await;
    assert!(started.elapsed() < SENDER_WAITS, "{:?}", started.elapsed());
    for answer in answers.iter().filter(|answer| answer.status() == 503) {
        assert!(answer.headers().contains_key("retry-after"));
    }
    answers
}

/// Without a restart, Clerk's sender gets everything through.
async fn comes_back(site: &Site) {
    site.clerk.set_levers(Levers::default());
    site.delivered(Duration::from_secs(90)).await;
}
