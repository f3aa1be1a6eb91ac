//! Several processes on one database: restarted by turns, frozen, and fed the same events at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use mongodb::bson::doc;
use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::effects;
use crate::site::{Site, Traffic, change_somebody};
use crate::support::delivery::user_event;
use crate::support::eventually_within;
use crate::support::invariants::settled;
use crate::support::mongo::TestDatabase;

/// Longer than a process may hold an event for itself.
const PAST_ANY_LEASE: Duration = Duration::from_secs(17);
/// Requests that Clerk's sender may have on their way to a listener that closes.
const ON_THE_WAY: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_05_servers_restarted_by_turns_under_load_finish_what_they_have_and_end_with_0() {
    let mut site = Site::of(2, TestDatabase::new().await).await;
    let receiver = effects::switched_on(&mut site).await;
    let mut servers = [site.start(0).await, site.start(1).await];
    let traffic = Traffic::start(&site.clerk, 150);
    for turn in 0..6 {
        let (leaving, staying) = (turn % 2, (turn + 1) % 2);
        let before = site.answers(Some(200));
        eventually_within(Duration::from_secs(30), "deliveries succeed", || async {
            let now = site.answers(Some(200));
            if now > before + 100 { Ok(()) } else { Err(format!("{before}, then {now}")) }
        })
        .await;
        // What a load balancer does before it takes a server away.
        site.clerk.set_webhook_target(&site.webhook_url(staying));
        servers[leaving].signal("TERM");
        assert_eq!(servers[leaving].ended().await.code(), Some(0));
        servers[leaving] = site.start(leaving).await;
    }
    traffic.stop().await;
    site.delivered(Duration::from_mins(1)).await;
    assert!(site.statuses().iter().all(|status| matches!(status, Some(200) | None)), "{:?}", site.statuses());
    assert!(site.answers(None) <= 6 * ON_THE_WAY, "{} requests without an answer", site.answers(None));
    effects::are_right(&site, &receiver).await;
    site.finish(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_32_a_process_frozen_past_any_lease_does_no_harm_when_it_goes_on() {
    let site = Site::of(2, TestDatabase::new().await).await;
    let servers = [site.start(0).await, site.start(1).await];
    let mut ids = Vec::new();
    for number in 0..1_500 {
        change_somebody(&site.clerk, &mut ids, number);
    }
    eventually_within(Duration::from_secs(30), "a part is stored", || async {
        let stored = site.database.count("events", doc! {}).await;
        if stored > 400 { Ok(()) } else { Err(stored.to_string()) }
    })
    .await;
    // In the middle of its work; the other one takes over, newer events of the same people included.
    servers[0].signal("STOP");
    let frozen_at = Instant::now();
    // Clerk's sender would wait for the frozen one: its messages go to the other one by hand.
    site.clerk.set_levers(Levers { paused: true, ..Levers::default() });
    site.clerk.set_webhook_target(&site.webhook_url(1));
    for number in 1_500..2_500 {
        change_somebody(&site.clerk, &mut ids, number);
    }
    for chunk in site.clerk.deliveries().chunks(50) {
        for answer in join_all(chunk.iter().map(|told| site.post(1, &told.svix_id, &told.body))).await {
            assert_eq!(answer.status(), 200);
        }
    }
    settled(&site.database, Duration::from_mins(1)).await;
    tokio::time::sleep_until((frozen_at + PAST_ANY_LEASE).into()).await;
    let people = site.database.all("users").await;
    servers[0].signal("CONT");
    site.clerk.set_levers(Levers::default());
    site.delivered(Duration::from_secs(90)).await;
    settled(&site.database, Duration::from_mins(1)).await;
    assert_eq!(site.database.all("users").await, people, "whatever it still had in hand was too late");
    site.finish(&["too much at once", "MongoDB did not answer in time"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_20_d2_32_three_processes_fed_the_same_events_write_each_once() {
    let site = Site::of(3, TestDatabase::new().await).await;
    let _servers = [site.start(0).await, site.start(1).await, site.start(2).await];
    site.clerk.set_levers(Levers { paused: true, ..Levers::default() });
    let mut ids = Vec::new();
    for number in 0..600 {
        change_somebody(&site.clerk, &mut ids, number);
    }
    for chunk in site.clerk.deliveries().chunks(20) {
        // Every event to every process, all at the same moment.
        let posts = chunk.iter().flat_map(|told| (0..3).map(|place| site.post(place, &told.svix_id, &told.body)));
        for answer in join_all(posts).await {
            assert_eq!(answer.status(), 200);
        }
    }
    settled(&site.database, Duration::from_mins(1)).await;
    let events = site.database.all("events").await;
    assert_eq!(events.len(), site.clerk.deliveries().len());
    assert_eq!(site.database.count("events", doc! { "deliveries": { "$ne": 3 } }).await, 0);
    // Once more by Clerk's own sender: nothing changes.
    let before = site.database.all("users").await;
    site.clerk.set_levers(Levers::default());
    site.delivered(Duration::from_mins(1)).await;
    assert_eq!(site.database.all("users").await, before);
    site.finish(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_39_forty_people_of_one_username_and_address_upserted_at_once_get_a_suffix_each() {
    let site = Site::of(2, TestDatabase::new().await).await;
    let _servers = [site.start(0).await, site.start(1).await];
    let events: Vec<(String, String)> = (0..40)
        .map(|number| {
            let id = format!("user_twin{number:06}");
            let mut body = user_event("user.created", &id, "Twin", 1_760_000_000_000);
            body["data"]["username"] = json!("twin");
            body["data"]["email_addresses"][0]["email_address"] = json!("twin@example.com");
            (format!("msg_{id}"), body.to_string())
        })
        .collect();
    let posts = events.iter().flat_map(|(id, body)| [site.post(0, id, body), site.post(1, id, body)]);
    for answer in join_all(posts).await {
        assert_eq!(answer.status(), 200);
    }
    settled(&site.database, Duration::from_mins(1)).await;
    assert_eq!(site.database.count("events", doc! { "state": "dead" }).await, 0);
    let users = site.database.all("users").await;
    assert_eq!(users.len(), 40);
    let mut names = BTreeSet::new();
    for user in &users {
        assert_eq!(user.get_str("email").ok(), Some("twin@example.com"));
        assert_eq!(user.get_str("clerkUsername").ok(), Some("twin"));
        let (id, name) = (user.get_str("clerkId").expect("an id"), user.get_str("username").expect("a username"));
        // Deterministic: whoever is not first is called after the end of their own id.
        assert!(name == "twin" || name == format!("twin-{}", &id[id.len() - 6..]), "{name} of {id}");
        assert!(names.insert(name.to_owned()), "{name} twice");
    }
    assert!(names.contains("twin"));
    site.clerk.stop().await;
    site.database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_40_a_hundred_first_requests_over_three_processes_make_one_document_and_no_error() {
    let site = Site::of(3, TestDatabase::new().await).await;
    let _servers = [site.start(0).await, site.start(1).await, site.start(2).await];
    site.clerk.set_levers(Levers { paused: true, ..Levers::default() });
    let id = site.create("new");
    let requests = (0..100).map(|number| site.get_as(number % 3, &id, "/api/profile/get_profile"));
    for answer in join_all(requests).await {
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(site.database.count("users", doc! {}).await, 1);
    assert!(site.clerk.backend_calls() <= 3, "{} calls to Clerk by three processes", site.clerk.backend_calls());
    site.clerk.set_levers(Levers::default());
    site.delivered(Duration::from_secs(30)).await;
    site.finish(&[]).await;
}
