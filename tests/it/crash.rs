//! The real binary, killed in the middle of a burst: what was acknowledged is there, and MongoDB equals Clerk.
//!
//! The short form; `tests/faults` has the long one.

use std::time::Duration;

use mongodb::bson::doc;
use rollcall::standin::webhooks::State;
use rollcall::standin::{self, Standin};
use serde_json::json;

use crate::support::app::variables;
use crate::support::eventually;
use crate::support::invariants::Invariants;
use crate::support::mongo::TestDatabase;
use crate::support::process::{Server, free_port, log_in};

const DELIVERIES: usize = 2_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_01_killed_during_two_thousand_deliveries_nothing_acknowledged_is_lost() {
    let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
    let log = log_in(folder.path(), "server");
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
    let mut server = Server::start(port, &environment, &log).await;

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
        server = Server::start(port, &environment, &log).await;
    }

    assert!(clerk.drained(Duration::from_secs(90)).await, "the stand-in gave every delivery a result");
    let deliveries = clerk.deliveries();
    assert!(deliveries.len() >= DELIVERIES);
    assert!(deliveries.iter().all(|delivery| delivery.state == State::Delivered), "every event arrived in the end");
    Invariants { clerk: &clerk, database: &database, logs: &[log], explained: &[] }.hold().await;
    assert_eq!(database.count("events", doc! { "state": "dead" }).await, 0);
    clerk.stop().await;
    database.drop().await;
}
