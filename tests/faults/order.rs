//! Events repeated, reordered, late, equal, poisonous, in another unit, too many: the newest truth wins.
//!
//! What happened is made at the stand-in while its sender is paused, so each story can be told in any order and the end
//! compared with Clerk.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use mongodb::bson::{Document, doc};
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use crate::site::{Site, change_somebody, id_of};
use crate::support::invariants::settled;
use crate::support::process::Server;

const PAUSED: Levers = Levers {
    delay_ms: 0,
    duplicate: 0.0,
    reorder: 0,
    drop: 0.0,
    paused: true,
    disabled: false,
    signing_secret: None,
    bapi_status: None,
    bapi_body: None,
    bapi_delay_ms: 0,
    fapi_status: None,
    retry_after_s: 1,
    clock_offset_ms: 0,
};
const STEPS: usize = 6;

/// A server and a Clerk whose sender says nothing by itself.
async fn storyteller() -> (Site, Server) {
    let (site, server) = Site::simple().await;
    site.clerk.set_levers(PAUSED);
    (site, server)
}

async fn tell(site: &Site, (id, body): &(String, String)) {
    assert_eq!(site.post(0, id, body).await.status(), 200, "{body}");
}

async fn state_of(site: &Site, id: &str) -> String {
    let event = site.database.event(id).await.expect("kept");
    event.get_str("state").expect("a state").to_owned()
}

async fn user(site: &Site, id: &str) -> Document {
    site.database.user(id).await.expect("there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_20_everything_delivered_one_to_five_times_and_shuffled_is_applied_once() {
    let (site, _server) = Site::simple().await;
    let (mut ids, mut changes) = (Vec::new(), 0);
    for copies in [0.0, 1.0, 2.0, 3.0, 4.0, 0.5] {
        site.clerk.set_levers(Levers { duplicate: copies, reorder: 30, ..Levers::default() });
        for _ in 0..80 {
            changes += 1;
            change_somebody(&site.clerk, &mut ids, changes);
        }
    }
    site.delivered(Duration::from_mins(1)).await;
    settled(&site.database, Duration::from_mins(1)).await;
    for told in site.clerk.deliveries() {
        let event = site.database.event(&told.svix_id).await.expect("kept");
        let counted = event.get_i32("deliveries").map(i64::from).or(event.get_i64("deliveries"));
        assert_eq!(counted.ok(), i64::try_from(told.attempts.len()).ok(), "{}", told.svix_id);
    }
    assert_eq!(site.database.count("events", doc! {}).await, site.clerk.deliveries().len() as u64);
    site.finish(&[]).await;
}

/// Every order of the numbers below `count`.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let shorter = permutations(count - 1);
    let with_last = |order: &Vec<usize>| {
        (0..count)
            .map(|place| {
                let mut longer = order.clone();
                longer.insert(place, count - 1);
                longer
            })
            .collect::<Vec<_>>()
    };
    shorter.iter().flat_map(with_last).collect()
}

/// Six events of one person: a creation, then changes of every kind, the last of them a deletion if asked for.
fn live(site: &Site, number: usize, dies: bool) -> Vec<(String, String)> {
    let id = id_of(&site.clerk.create_user(json!({
        "email_address": [format!("life-{number}@example.com")], "first_name": "Zero", "username": format!("life_{number}"),
    })));
    site.clerk.update_user(&id, json!({ "first_name": "One" }));
    site.clerk.merge_metadata(&id, json!({ "public_metadata": { "role": "moderator" } }));
    site.clerk.lock(&id);
    site.clerk.update_user(&id, json!({ "last_name": "Four", "username": format!("called_{number}") }));
    if dies {
        site.clerk.delete_user(&id);
    } else {
        site.clerk.update_user(&id, json!({ "first_name": "Five" }));
    }
    let told = site.told_of(&id);
    assert_eq!(told.len(), STEPS, "{told:?}");
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_21_each_of_720_orders_of_six_events_ends_as_clerk_says() {
    every_order(false, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_21_each_of_720_orders_of_six_events_posted_at_once_ends_as_clerk_says() {
    every_order(false, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_21_d2_24_each_of_720_orders_with_a_deletion_ends_deleted() {
    every_order(true, false).await;
}

/// One person an order. Each event is acknowledged before the next of that person is posted, or all go out at once.
async fn every_order(dies: bool, at_once: bool) {
    let (site, _server) = storyteller().await;
    let orders = permutations(STEPS);
    assert_eq!(orders.len(), 720);
    let lives: Vec<Vec<(String, String)>> = (0..orders.len()).map(|number| live(&site, number, dies)).collect();
    let posted = lives.iter().zip(&orders).map(|(told, order)| {
        let site = &site;
        async move {
            let events = order.iter().map(|place| tell(site, &told[*place]));
            if at_once {
                join_all(events).await;
            } else {
                futures::stream::iter(events).for_each(|event| event).await;
            }
        }
    });
    futures::stream::iter(posted).buffer_unordered(32).for_each(|()| async {}).await;
    settled(&site.database, Duration::from_mins(1)).await;
    for told in &lives {
        let last = state_of(&site, &told[STEPS - 1].0).await;
        assert_eq!(last, "applied", "the newest event");
    }
    assert_eq!(site.database.count("events", doc! { "state": { "$in": ["failed", "dead"] } }).await, 0);
    assert_eq!(site.database.count("events", doc! {}).await, 720 * STEPS as u64);
    let before = site.database.all("users").await;
    assert_eq!(before.len(), 720);
    if dies {
        // Clerk's own sender now says it all again, in the right order: nothing changes, nobody is revived.
        site.clerk.set_levers(Levers::default());
        site.delivered(Duration::from_mins(1)).await;
        assert_eq!(site.database.all("users").await, before);
    }
    site.finish(&[]).await;
}

#[tokio::test]
async fn d2_22_events_that_come_27_hours_late_neither_revive_nor_revert() {
    let (site, _server) = storyteller().await;
    site.clerk.set_levers(Levers { clock_offset_ms: -27 * 3_600_000, ..PAUSED });
    let (alive, gone) = (site.create("alive"), site.create("gone"));
    site.clerk.update_user(&alive, json!({ "first_name": "Late" }));
    site.clerk.update_user(&gone, json!({ "first_name": "Late" }));
    site.clerk.set_levers(PAUSED);
    site.clerk.update_user(&alive, json!({ "first_name": "Now" }));
    site.clerk.delete_user(&gone);
    for id in [&alive, &gone] {
        let told = site.told_of(id);
        assert_eq!(told.len(), 3);
        tell(&site, &told[2]).await;
        settled(&site.database, Duration::from_secs(10)).await;
        for late in &told[..2] {
            tell(&site, late).await;
            settled(&site.database, Duration::from_secs(10)).await;
            assert_eq!(state_of(&site, &late.0).await, "stale");
        }
    }
    site.finish(&[]).await;
}

#[tokio::test]
async fn d2_23_an_update_before_the_creation_brings_the_person_and_the_creation_is_stale() {
    let (site, _server) = storyteller().await;
    let id = site.create("early");
    site.clerk.update_user(&id, json!({ "first_name": "Updated" }));
    let told = site.told_of(&id);
    tell(&site, &told[1]).await;
    settled(&site.database, Duration::from_secs(10)).await;
    assert_eq!(user(&site, &id).await.get_str("firstName").ok(), Some("Updated"));
    tell(&site, &told[0]).await;
    settled(&site.database, Duration::from_secs(10)).await;
    assert_eq!(state_of(&site, &told[0].0).await, "stale");
    site.finish(&[]).await;
}

#[tokio::test]
async fn d2_24_a_creation_after_the_deletion_is_ignored_also_if_it_claims_to_be_newer() {
    let (site, _server) = storyteller().await;
    let id = site.create("gone");
    site.clerk.delete_user(&id);
    let told = site.told_of(&id);
    tell(&site, &told[1]).await;
    settled(&site.database, Duration::from_secs(10)).await;
    tell(&site, &told[0]).await;
    let mut newer: Value = serde_json::from_str(&told[0].1).expect("JSON");
    for time in [&["timestamp"][..], &["data", "updated_at"]] {
        let slot = time.iter().fold(&mut newer, |value, key| &mut value[*key]);
        *slot = json!(slot.as_i64().expect("a time") + 3_600_000);
    }
    tell(&site, &("msg_newer".to_owned(), newer.to_string())).await;
    settled(&site.database, Duration::from_secs(10)).await;
    for event in [&told[0].0, "msg_newer"] {
        assert_eq!(state_of(&site, event).await, "stale");
    }
    site.finish(&[]).await;
}

#[tokio::test]
async fn d2_25_of_two_contents_of_one_version_clerks_own_wins_in_either_order() {
    for lie_first in [true, false] {
        let (site, _server) = storyteller().await;
        let id = site.create("truth");
        let (truth, body) = site.told_of(&id).remove(0);
        let mut lie: Value = serde_json::from_str(&body).expect("JSON");
        lie["data"]["first_name"] = json!("Lie");
        let mut events = [(truth, body), ("msg_lie".to_owned(), lie.to_string())];
        if lie_first {
            events.reverse();
        }
        for event in &events {
            tell(&site, event).await;
            settled(&site.database, Duration::from_secs(10)).await;
        }
        assert_eq!(user(&site, &id).await.get_str("firstName").ok(), Some("truth"), "lie first: {lie_first}");
        site.finish(&[]).await;
    }
}

#[tokio::test]
async fn d2_28_times_in_seconds_are_the_same_times() {
    let (site, _server) = storyteller().await;
    let id = site.create("seconds");
    let (message, body) = site.told_of(&id).remove(0);
    let mut seconds: Value = serde_json::from_str(&body).expect("JSON");
    let at = seconds["timestamp"].as_i64().expect("a time") / 1_000;
    seconds["timestamp"] = json!(at);
    for field in ["created_at", "updated_at"] {
        seconds["data"][field] = json!(seconds["data"][field].as_i64().expect("a time") / 1_000);
    }
    tell(&site, &("msg_seconds".to_owned(), seconds.to_string())).await;
    settled(&site.database, Duration::from_secs(10)).await;
    let stored = user(&site, &id).await;
    let version = stored.get_document("version").and_then(|version| version.get_i64("updatedAt"));
    assert_eq!(version.ok(), Some(at * 1_000));
    assert_eq!(stored.get_datetime("createdAt").map(|at| at.timestamp_millis()).ok(), Some(at * 1_000));
    // The same event in milliseconds is as new or newer, and gives the exact times.
    tell(&site, &(message, body)).await;
    site.finish(&[]).await;
}

#[tokio::test]
async fn d2_29_poison_is_given_up_and_later_events_of_the_same_person_get_through() {
    let (site, _server) = Site::with(&[("ROLLCALL_ATTEMPTS", "1")]).await;
    site.clerk.set_levers(PAUSED);
    let (id, other) = (site.create("poisoned"), site.create("healthy"));
    site.clerk.update_user(&id, json!({ "first_name": "Cured" }));
    let now = mongodb::bson::DateTime::now();
    let broken = doc! {
        "_id": &id, "clerkId": &id, "name": "Broken", "role": "user", "syncStatus": "active",
        "authProvider": "clerk", "version": {}, "createdAt": now, "updatedAt": now,
    };
    site.database.insert("users", broken).await;
    let told = site.told_of(&id);
    tell(&site, &told[0]).await;
    tell(&site, &site.told_of(&other)[0]).await;
    settled(&site.database, Duration::from_secs(30)).await;
    assert_eq!(state_of(&site, &told[0].0).await, "dead");
    assert_eq!(user(&site, &other).await.get_str("firstName").ok(), Some("healthy"));
    // Somebody mends the document; the next event finds nothing in its way.
    site.database.remove("users", doc! { "clerkId": &id }).await;
    tell(&site, &told[1]).await;
    settled(&site.database, Duration::from_secs(30)).await;
    assert_eq!(user(&site, &id).await.get_str("firstName").ok(), Some("Cured"));
    site.finish(&["the stored document cannot be read", "given up"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_30_a_thousand_events_a_second_are_accepted_or_put_off_in_bounded_memory() {
    const SECONDS: usize = 2;
    let (site, server) = storyteller().await;
    let mut ids = Vec::new();
    for number in 0..SECONDS * 1_000 {
        change_somebody(&site.clerk, &mut ids, number);
    }
    let told: Vec<(String, String)> =
        site.clerk.deliveries().into_iter().map(|told| (told.svix_id, told.body.to_string())).collect();
    // An open loop: the beat does not wait for answers.
    let mut beat = tokio::time::interval(Duration::from_millis(10));
    let (site, mut answers) = (Arc::new(site), tokio::task::JoinSet::new());
    for chunk in told.chunks(10) {
        beat.tick().await;
        for (id, body) in chunk {
            let (site, id, body) = (Arc::clone(&site), id.clone(), body.clone());
            answers.spawn(async move { site.post(0, &id, &body).await.status().as_u16() });
        }
    }
    let peak = server.resident_mb();
    // How fast is for `benches` to say, which measure what is shipped: here it is that nothing but "later" is refused.
    let statuses = answers.join_all().await;
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 200).count() > statuses.len() / 2, "most get in at once");
    assert!(peak < 512, "{peak} MB in the middle of it");
    settled(&site.database, Duration::from_mins(1)).await;
    assert!(server.resident_mb() < 512, "{} MB", server.resident_mb());
    site.clerk.set_levers(Levers::default());
    site.delivered(Duration::from_mins(1)).await;
    Arc::into_inner(site).expect("nobody else holds it").finish(&["too much at once"]).await;
}
