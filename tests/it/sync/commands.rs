//! What each command says, in words and as JSON, and how it ends.

use serde_json::{Value, json};

use crate::sync::world::World;

#[tokio::test]
async fn e_34_nothing_is_written_unasked_and_a_dry_run_says_what_there_would_be() {
    let world = World::of(700).await;
    for command in ["backfill", "reconcile", "catch-up"] {
        world.sync(&[command]).await.expect(2).says(&["[yes/no]", "not confirmed"]);
    }
    world.sync(&["catch-up", "--yes"]).await.expect(1).says(&["backfill or reconcile first"]);
    let foreseen = world.sync(&["backfill", "--dry-run", "--json"]).await.expect(0).json();
    assert_eq!(foreseen, json!({ "clerk": 700, "here": 0, "deletedHere": 0, "calls": 3, "dryRun": true }));
    world.sync(&["backfill", "--dry-run"]).await.expect(0).says(&["700 people at Clerk, 0 here"]);
    assert_eq!((world.living().await, world.runs().await.len()), (0, 0));
    world.sync(&["reconcile", "--dry-run"]).await.expect(1).says(&["would mend 700 of 700 people", "and 680 more"]);
    assert_eq!(world.living().await, 0);
    world.finish().await;
}

#[tokio::test]
async fn d2_33_a_backfill_shows_its_progress_and_status_its_history() {
    let world = World::of(600).await;
    world.sync(&["status"]).await.expect(0).says(&["nothing is going on", "nothing was proved yet"]);
    let done = world.sync(&["backfill", "--yes"]).await.expect(0);
    assert!(done.err.contains("backfill: 500 of 600, ") && done.err.contains(" 0 skipped"), "{}", done.err);
    assert_eq!(done.out.trim_end(), "backfill done: 600 people, 600 written, 0 skipped");
    let proof = world.sync(&["prove", "--json"]).await.expect(0).json();
    assert_eq!((&proof["kind"], &proof["state"], &proof["total"]), (&json!("proof"), &json!("done"), &json!(600)));
    let status = world.sync(&["status", "--json"]).await.expect(0).json();
    assert_eq!((&status["current"], &status["proof"]["id"]), (&Value::Null, &proof["id"]));
    let kinds: Vec<_> = status["history"].as_array().expect("a list").iter().map(|run| run["kind"].clone()).collect();
    assert_eq!(kinds, [json!("proof"), json!("backfill")]);
    // Nobody is written twice, and nobody's welcome mail or webhook would be.
    let again = world.sync(&["backfill", "--yes", "--json"]).await.expect(0).json();
    assert_eq!((&again["counts"]["seen"], &again["counts"]["written"]), (&json!(600), &json!(0)));
    world.finish().await;
}

#[tokio::test]
async fn d2_26_a_catch_up_mends_what_changed_since_without_going_through_everybody() {
    let world = World::of(1_300).await;
    world.imported().await;
    world.webhooks(false).await;
    let id = world.ids().remove(700);
    world.app.clerk.update_user(&id, json!({ "first_name": "Renamed" }));
    world.app.clerk.create_user(json!({ "email_address": ["late@example.com"] }));
    let before = world.app.clerk.backend_calls();
    let done = world.sync(&["catch-up", "--yes", "--json"]).await.expect(0).json();
    assert!(world.app.clerk.backend_calls() - before <= 6, "a few calls, however many people there are");
    assert_eq!((&done["counts"]["missing"], &done["counts"]["differing"]), (&json!(1), &json!(1)), "{done}");
    assert_eq!(done["counts"]["written"], json!(2));
    let renamed = world.app.database.user(&id).await.expect("stored");
    assert_eq!(renamed.get_str("firstName").ok(), Some("Renamed"));
    world.sync(&["prove"]).await.expect(0).says(&["MongoDB equals Clerk"]);
    world.finish().await;
}
