//! What metrics say of the last proof and of events that never arrived.

use std::time::Duration;

use serde_json::json;

use crate::support::app::client;
use crate::support::eventually_within;
use crate::support::process::{Server, free_port, start};
use crate::sync::world::World;

const TOKEN: &str = "an-exact-token-of-a-test";

async fn metrics(server: &Server) -> String {
    let answer = client().get(format!("{}/metrics", server.url)).bearer_auth(TOKEN).send().await.expect("an answer");
    answer.text().await.expect("text")
}

/// Waits until a process says all of these.
async fn says(server: &Server, series: &[&str]) {
    eventually_within(Duration::from_secs(15), "the metrics say it", || async {
        let text = metrics(server).await;
        let missing = series.iter().find(|series| !text.lines().any(|line| line == format!("rollcall_{series}")));
        missing.map_or(Ok(()), |series| Err(format!("no {series} in {text}")))
    })
    .await;
}

#[tokio::test]
async fn c_1_d2_26_each_process_says_the_same_of_the_last_proof_and_of_missed_events_and_after_a_restart_too() {
    let off =
        [("ROLLCALL_RECONCILE_HOURS", "0"), ("ROLLCALL_CATCH_UP_MINUTES", "0"), ("ROLLCALL_METRICS_TOKEN", TOKEN)];
    let world = World::with(30, &off).await;
    let servers = [start(free_port(), &world.environment).await, start(free_port(), &world.environment).await];
    world.imported().await;
    says(&servers[0], &["missed_events_total 0"]).await;
    assert!(!metrics(&servers[0]).await.contains("\nrollcall_proof_"), "nothing was proved yet");

    let before = jiff::Timestamp::now().as_second();
    world.sync(&["prove"]).await.expect(0);
    says(&servers[0], &["proof_clean 1", "proof_differences 0", "proof_people 30"]).await;
    let text = metrics(&servers[0]).await;
    let at = text.lines().find_map(|line| line.strip_prefix("rollcall_proof_timestamp_seconds "));
    let at: i64 = at.expect("a time").parse().expect("seconds");
    assert!((before..=jiff::Timestamp::now().as_second()).contains(&at), "{at}");

    world.webhooks(false).await;
    let ids = world.ids();
    world.app.clerk.update_user(&ids[3], json!({ "first_name": "Renamed" }));
    world.app.clerk.delete_user(&ids[4]);
    world.app.clerk.create_user(json!({ "email_address": ["late@example.com"] }));
    world.sync(&["prove"]).await.expect(1);
    let differs = ["proof_clean 0", "proof_differences 3", "proof_people 30", "missed_events_total 0"];
    says(&servers[0], &differs).await;
    says(&servers[1], &differs).await;

    world.sync(&["reconcile", "--yes"]).await.expect(0);
    world.app.clerk.update_user(&ids[5], json!({ "first_name": "Renamed" }));
    world.sync(&["catch-up", "--yes"]).await.expect(0);
    world.sync(&["reconcile", "--yes"]).await.expect(0);
    world.sync(&["prove"]).await.expect(0);
    let mended = ["proof_clean 1", "proof_differences 0", "proof_people 30", "missed_events_total 4"];
    says(&servers[0], &mended).await;
    says(&servers[1], &mended).await;
    drop(servers);
    says(&start(free_port(), &world.environment).await, &mended).await;
    world.finish().await;
}
