//! The process dies without warning: in a burst, before the acknowledgement, before the event is marked done.

use std::time::Duration;

use mongodb::bson::doc;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::effects;
use crate::mongod::Mongod;
use crate::proxy::{Line, Proxy};
use crate::site::{Site, change_somebody};
use crate::support::invariants::settled;
use crate::support::mongo::TestDatabase;
use crate::support::process::Server;
use crate::support::{eventually, eventually_within};

const CHANGES: usize = 5_000;
const KILLS: u64 = 20;
const CHANGES_WITH_EFFECTS: usize = 1_000;
const KILLS_WITH_EFFECTS: u64 = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_01_killed_at_twenty_random_moments_of_five_thousand_events_nothing_acknowledged_is_lost() {
    let (site, server) = Site::simple().await;
    let mut ids = Vec::new();
    for number in 0..CHANGES {
        change_somebody(&site.clerk, &mut ids, number);
    }
    let total = site.clerk.deliveries().len() as u64;
    let _server = killed_again_and_again(&site, server, total, KILLS).await;
    site.delivered(Duration::from_mins(3)).await;
    settled(&site.database, Duration::from_mins(1)).await;
    assert_eq!(site.database.count("events", doc! {}).await, total);
    assert_eq!(site.database.count("events", doc! { "state": "dead" }).await, 0);
    site.finish(&[]).await;
}

/// The server at the end of a burst of so many events, killed at so many moments of it.
async fn killed_again_and_again(site: &Site, mut server: Server, total: u64, kills: u64) -> Server {
    // The seed is fixed, so that a failure can be looked at again.
    let mut random = StdRng::seed_from_u64(2_026);
    for kill in 0..kills {
        // Somewhere in each part of the burst.
        let target = (kill * total + random.random_range(0..total)) / (kills + 1);
        eventually_within(Duration::from_mins(1), "the burst goes on", || async {
            let stored = site.database.count("events", doc! {}).await;
            if stored >= target { Ok(()) } else { Err(format!("{stored} of {target}")) }
        })
        .await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..40))).await;
        server.kill();
        server = site.start(0).await;
    }
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_01_d2_04_killed_again_and_again_each_change_is_told_under_one_id_and_clerk_holds_what_is_wanted() {
    let mut site = Site::of(1, TestDatabase::new().await).await;
    let receiver = effects::switched_on(&mut site).await;
    let server = site.start(0).await;
    let mut ids = Vec::new();
    for number in 0..CHANGES_WITH_EFFECTS {
        change_somebody(&site.clerk, &mut ids, number);
    }
    let total = site.clerk.deliveries().len() as u64;
    let mut server = killed_again_and_again(&site, server, total, KILLS_WITH_EFFECTS).await;
    // Once more when most is written, and effects are on their way.
    eventually_within(Duration::from_mins(1), "webhooks arrive", || async {
        let told = receiver.received().len() as u64;
        if told >= total / 3 { Ok(()) } else { Err(format!("{told} of {total}")) }
    })
    .await;
    server.kill();
    let _server = site.start(0).await;
    effects::are_right(&site, &receiver).await;
    effects::no_change_was_told_under_two_ids(&receiver);
    assert_eq!(site.database.count("events", doc! { "state": "dead" }).await, 0);
    site.finish(&[]).await;
}

#[tokio::test]
async fn d2_02_killed_between_the_inbox_write_and_the_acknowledgement_the_repeat_is_recognised() {
    let database = TestDatabase::new().await;
    let proxy = Proxy::to(database.address()).await;
    let mut site = Site::of(1, database).await;
    let uri = proxy.uri(&site.database.name);
    site.change(&[("MONGODB_URI", &uri)]);
    let mut server = site.start(0).await;

    proxy.set(Line::AnswersHeld);
    site.create("ada");
    eventually("the event is in the inbox", || async {
        let stored = site.database.count("deliveries", doc! {}).await;
        if stored == 1 { Ok(()) } else { Err(stored.to_string()) }
    })
    .await;
    assert!(site.clerk.deliveries()[0].attempts.is_empty(), "nothing was acknowledged yet");
    server.kill();
    proxy.set(Line::Clear);
    let _server = site.start(0).await;
    site.delivered(Duration::from_mins(1)).await;
    let attempts = &site.clerk.deliveries()[0].attempts;
    assert_eq!(attempts.first().and_then(|attempt| attempt.status), None, "the first attempt got no answer");
    assert_eq!(attempts.last().and_then(|attempt| attempt.status), Some(200));
    settled(&site.database, Duration::from_mins(1)).await;
    assert_eq!(site.database.count("events", doc! {}).await, 1);
    site.finish(&[]).await;
}

#[tokio::test]
async fn d2_03_killed_after_the_state_write_the_second_application_changes_nothing() {
    let mongod = Mongod::start().await;
    let mut site = Site::of(1, TestDatabase::at(&mongod.uri()).await).await;
    site.change(&[("ROLLCALL_SHUTDOWN_GRACE", "1")]);
    let mut server = site.start(0).await;

    // What is delivered is stored; whatever says what became of an event hangs.
    let hang = doc! {
        "failCommands": ["insert", "update", "findAndModify"], "namespace": format!("{}.events", site.database.name),
        "blockConnection": true, "blockTimeMS": 5_000,
    };
    let on = doc! { "configureFailPoint": "failCommand", "mode": "alwaysOn", "data": hang };
    mongod.admin(on).await.expect("a fail point");
    let id = site.create("ada");
    let written = eventually("the person is written", || async {
        site.database.user(&id).await.ok_or_else(|| "no document".to_owned())
    })
    .await;
    assert_eq!(site.database.count("events", doc! { "state": "applied" }).await, 0, "and the event is not marked");
    server.kill();
    mongod.admin(doc! { "configureFailPoint": "failCommand", "mode": "off" }).await.expect("no fail point");
    let _server = site.start(0).await;
    site.delivered(Duration::from_mins(1)).await;
    settled(&site.database, Duration::from_secs(90)).await;
    let again = site.database.user(&id).await.expect("there");
    assert_eq!((again.get("_id"), again.get("version")), (written.get("_id"), written.get("version")));
    site.finish(&[]).await;
}
