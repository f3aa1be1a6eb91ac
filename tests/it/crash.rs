//! The real binary, killed in the middle of a burst: what was acknowledged is there, and MongoDB equals Clerk.

use std::collections::BTreeMap;
use std::time::Duration;

use mongodb::bson::doc;
use rollcall::standin::webhooks::State;
use rollcall::standin::{self, Standin};
use serde_json::json;

use crate::support::app::variables;
use crate::support::eventually;
use crate::support::mongo::TestDatabase;
use crate::support::process::{free_port, start};

const DELIVERIES: usize = 2_000;

/// What both sides must agree on, by Clerk's id.
fn at_clerk(clerk: &Standin) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let row = |user: serde_json::Value| {
        let email = text(&user["email_addresses"][0]["email_address"]);
        (text(&user["id"]).expect("an id"), (text(&user["first_name"]), email))
    };
    clerk.users().into_iter().map(row).collect()
}

async fn in_mongodb(database: &TestDatabase) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let living = database.all("users").await.into_iter().filter(|user| user.get_datetime("deletedAt").is_err());
    let text = |user: &mongodb::bson::Document, field: &str| user.get_str(field).ok().map(str::to_owned);
    living
        .map(|user| (text(&user, "clerkId").expect("an id"), (text(&user, "firstName"), text(&user, "email"))))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_01_killed_during_two_thousand_deliveries_nothing_acknowledged_is_lost() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let clerk = Standin::start(standin::Options {
        app_origin: url.clone(),
        webhook_url: Some(format!("{url}/api/webhooks/clerk")),
        seed_users: 0,
        // Retries follow within seconds, and go on longer than the restart takes.
        retry_scale: 0.02,
        ..standin::Options::default()
    })
    .await
    .expect("the stand-in");
    let database = TestDatabase::new().await;
    let environment = variables(&clerk, &database.uri, &url);
    let mut server = start(port, &environment).await;

    // Half are creations, the rest updates and deletions of the same people.
    let mut ids = Vec::new();
    for index in 0..DELIVERIES / 2 {
        let attributes =
            json!({ "email_address": [format!("p{index}@example.com")], "first_name": format!("Name {index}") });
        ids.push(clerk.create_user(attributes)["id"].as_str().expect("an id").to_owned());
    }
    for (index, id) in ids.iter().enumerate() {
        if index % 10 == 0 {
            clerk.delete_user(id);
        } else {
            clerk.update_user(id, json!({ "first_name": format!("Renamed {index}") }));
        }
    }

    for stored_at_least in [200, 700, 1_300] {
        eventually("part of the burst is stored", || async {
            let stored = database.count("events", doc! {}).await;
            if stored >= stored_at_least { Ok(()) } else { Err(stored.to_string()) }
        })
        .await;
        server.kill();
        server = start(port, &environment).await;
    }

    assert!(clerk.drained(Duration::from_secs(90)).await, "the stand-in gave every delivery a result");
    let mut acknowledged = 0;
    for delivery in clerk.deliveries() {
        assert_eq!(delivery.state, State::Delivered, "{}", delivery.svix_id);
        acknowledged += 1;
    }
    assert!(acknowledged >= DELIVERIES);
    let stored: std::collections::BTreeSet<String> =
        database.all("events").await.iter().filter_map(|event| Some(event.get_str("_id").ok()?.to_owned())).collect();
    for delivery in clerk.deliveries() {
        assert!(stored.contains(&delivery.svix_id), "acknowledged and lost: {}", delivery.svix_id);
    }
    eventually("every event is finished", || async {
        match database.count("events", doc! { "state": { "$in": ["received", "failed"] } }).await {
            0 => Ok(()),
            waiting => Err(format!("{waiting} waiting")),
        }
    })
    .await;
    assert_eq!(database.count("events", doc! { "state": "dead" }).await, 0);
    assert_eq!(in_mongodb(&database).await, at_clerk(&clerk));
    clerk.stop().await;
    database.drop().await;
}
