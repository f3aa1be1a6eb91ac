//! What a server does by the clock.

use std::time::Duration;

use mongodb::bson::{DateTime, doc};
use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::support::eventually_within;
use crate::support::process::{free_port, start};
use crate::sync::world::World;

async fn due(world: &World, timer: &str) {
    let id = format!("timer:{timer}");
    let set = || world.app.database.find("runs", doc! { "_id": &id });
    eventually_within(Duration::from_secs(10), "the timer is set", || async {
        set().await.map(|_| ()).ok_or_else(|| "not yet".to_owned())
    })
    .await;
    world.app.database.set("runs", doc! { "_id": &id }, doc! { "dueAt": DateTime::from_millis(0) }).await;
}

async fn done(world: &World, kind: &str) {
    let run = doc! { "kind": kind, "state": "done", "starter": "timer" };
    eventually_within(Duration::from_secs(30), "it runs by the clock", || async {
        if world.app.database.count("runs", run.clone()).await == 1 {
            return Ok(());
        }
        Err(format!("{:?}", world.runs().await))
    })
    .await;
}

#[tokio::test]
async fn c_1_d2_26_reconciliation_proof_and_catch_up_run_by_the_clock_in_one_of_two_servers() {
    let world = World::of(40).await;
    let _servers = [start(free_port(), &world.environment).await, start(free_port(), &world.environment).await];
    due(&world, "reconcile").await;
    done(&world, "reconcile").await;
    done(&world, "proof").await;
    assert_eq!(world.living().await, 40);
    world.webhooks(false).await;
    world.app.clerk.update_user(&world.ids()[7], json!({ "first_name": "Renamed" }));
    due(&world, "catch-up").await;
    done(&world, "catch-up").await;
    let renamed = world.app.database.user(&world.ids()[7]).await.expect("stored");
    assert_eq!(renamed.get_str("firstName").ok(), Some("Renamed"));
    world.sync(&["status"]).await.expect(0).says(&["MongoDB equals Clerk as of", "40 people, 0 differences"]);
    world.finish().await;
}

#[tokio::test]
async fn c_1_a_timer_of_zero_never_runs() {
    let off = [("ROLLCALL_RECONCILE_HOURS", "0"), ("ROLLCALL_CATCH_UP_MINUTES", "0")];
    let world = World::with(20, &off).await;
    let _server = start(free_port(), &world.environment).await;
    // A run that was left behind is taken up all the same, which shows that the timer has looked.
    world.imported().await;
    let left = doc! { "kind": "backfill" };
    world.app.database.set("runs", left.clone(), doc! { "state": "running" }).await;
    eventually_within(Duration::from_secs(15), "the timer has looked", || async {
        let run = world.app.database.find("runs", left.clone()).await.expect("a run");
        if run.get_str("state").ok() == Some("done") { Ok(()) } else { Err(run.to_string()) }
    })
    .await;
    let timers = doc! { "_id": { "$in": ["timer:reconcile", "timer:catch-up"] } };
    assert_eq!(world.app.database.count("runs", timers).await, 0);
    world.finish().await;
}

#[tokio::test]
async fn c_1_d2_26_a_reconciliation_by_hand_is_followed_by_its_proof_unless_somebody_proves_before() {
    let world = World::of(20).await;
    world.imported().await;
    let _server = start(free_port(), &world.environment).await;
    world.sync(&["reconcile", "--yes"]).await.expect(0);
    let wanted = || async { world.app.database.count("runs", doc! { "_id": "timer:proof" }).await };
    assert_eq!(wanted().await, 1);
    world.sync(&["prove"]).await.expect(0);
    assert_eq!(wanted().await, 0, "it is proved");
    world.sync(&["reconcile", "--yes"]).await.expect(0);
    due(&world, "proof").await;
    done(&world, "proof").await;
    assert_eq!(wanted().await, 0, "once");
    world.finish().await;
}

#[tokio::test]
async fn d2_26_what_could_not_be_done_by_the_clock_is_tried_again_long_before_its_next_time() {
    let world = World::of(20).await;
    world.app.clerk.set_levers(Levers { bapi_status: Some(401), ..world.app.clerk.levers() });
    let _server = start(free_port(), &world.environment).await;
    due(&world, "reconcile").await;
    eventually_within(Duration::from_secs(30), "it failed", || async {
        let failed = world.app.database.count("runs", doc! { "kind": "reconcile", "state": "failed" }).await;
        if failed == 1 { Ok(()) } else { Err(format!("{:?}", world.runs().await)) }
    })
    .await;
    let soon = DateTime::from_millis(DateTime::now().timestamp_millis() + 10 * 60_000);
    eventually_within(Duration::from_secs(10), "it is due within minutes", || async {
        let timer = doc! { "_id": "timer:reconcile", "dueAt": { "$lt": soon } };
        world.app.database.find("runs", timer).await.map(|_| ()).ok_or_else(|| "in a day".to_owned())
    })
    .await;
    // So is one whose process died, when whoever carries it on fails.
    let tomorrow = DateTime::from_millis(DateTime::now().timestamp_millis() + 86_400_000);
    world.app.database.set("runs", doc! { "_id": "timer:reconcile" }, doc! { "dueAt": tomorrow }).await;
    let left = doc! { "state": "running", "leaseOwner": "dead", "leaseUntil": DateTime::from_millis(0) };
    world.app.database.set("runs", doc! { "kind": "reconcile", "state": "failed" }, left).await;
    eventually_within(Duration::from_secs(30), "it is due within minutes again", || async {
        let timer = doc! { "_id": "timer:reconcile", "dueAt": { "$lt": soon } };
        world.app.database.find("runs", timer).await.map(|_| ()).ok_or_else(|| "in a day".to_owned())
    })
    .await;
    world.app.clerk.set_levers(Levers { bapi_status: None, ..world.app.clerk.levers() });
    // For some seconds after a refusal nothing is asked of Clerk.
    eventually_within(Duration::from_mins(1), "it is done", || async {
        due(&world, "reconcile").await;
        let done = world.app.database.count("runs", doc! { "kind": "reconcile", "state": "done" }).await;
        if done == 1 { Ok(()) } else { Err(format!("{:?}", world.runs().await)) }
    })
    .await;
    done(&world, "proof").await;
    world.finish().await;
}
