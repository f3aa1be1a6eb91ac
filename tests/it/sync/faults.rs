//! Clerk falters in the middle of a walk, or its numbers do not add up.

use std::time::{Duration, Instant};

use mongodb::bson::doc;
use serde_json::json;

use crate::sync::between::{Between, Fault};
use crate::sync::world::World;

#[tokio::test]
async fn d2_13_d2_14_a_walk_waits_out_429_and_500_and_a_retry_after_is_kept() {
    let mut world = World::of(1_200).await;
    let between = Between::start(&world.app.clerk).await;
    world.through(&between.url);
    between.spoil(&[Fault::Pass, Fault::Answer(429), Fault::Answer(500), Fault::Answer(502), Fault::Pass]);
    let began = Instant::now();
    let done = world.sync(&["backfill", "--yes", "--json"]).await.expect(0).json();
    assert!(began.elapsed() >= Duration::from_secs(1), "it did not wait");
    assert_eq!(
        done["counts"],
        json!({
            "seen": 1_200, "written": 1_200, "deleted": 0, "pushed": 0, "skipped": 0, "missing": 0, "differing": 0,
            "gone": 0, "revived": 0, "unreadable": 0, "unsettled": 0,
        })
    );
    assert_eq!(world.living().await, 1_200);
    world.finish().await;
}

/// What differs though its version is the same is settled by asking Clerk about each person.
#[tokio::test]
async fn d2_14_a_moment_without_answers_in_the_middle_of_mending_leaves_nobody_out() {
    let mut world = World::of(60).await;
    world.imported().await;
    for id in &world.ids()[10..35] {
        world.set(id, doc! { "firstName": "Other" }).await;
    }
    let between = Between::start(&world.app.clerk).await;
    world.through(&between.url);
    between.answer_nobody(6);
    let done = world.sync(&["reconcile", "--yes", "--json"]).await.expect(0).json();
    assert_eq!((&done["counts"]["differing"], &done["counts"]["skipped"]), (&json!(25), &json!(0)), "{done}");
    world.sync(&["prove"]).await.expect(0).says(&["60 people, 0 differences"]);
    world.finish().await;
}

#[tokio::test]
async fn d2_15_d2_36_a_refused_key_ends_the_walk_as_failed_and_it_goes_on_from_there() {
    let mut world = World::of(1_200).await;
    let between = Between::start(&world.app.clerk).await;
    world.through(&between.url);
    between.spoil(&[Fault::Pass, Fault::Answer(401)]);
    let failed = world.sync(&["backfill", "--yes"]).await.expect(2);
    failed.says(&["backfill failed at 500 of 1200", "Clerk refused the secret key", "the same command carries it on"]);
    let refused = doc! { "_id": "key-refused", "state": "open" };
    assert_eq!(world.app.database.count("alerts", refused).await, 1);
    assert_eq!(world.runs().await[0].get_str("state").ok(), Some("failed"));
    let done = world.sync(&["backfill", "--yes"]).await.expect(0);
    done.says(&["continuing from its checkpoint: 500 of 1200", "backfill done: 1200 people"]);
    world.finish().await;
}

#[tokio::test]
async fn d2_36_counts_that_do_not_agree_are_never_complete() {
    let mut world = World::of(40).await;
    let between = Between::start(&world.app.clerk).await;
    world.through(&between.url);
    between.miscount(1);
    let stopped = world.sync(&["backfill", "--yes"]).await.expect(1);
    stopped.says(&["backfill stopped", "the counts do not agree: 41 people at Clerk, 40 here, 40 listed, 0 skipped"]);
    world.sync(&["prove"]).await.expect(1).says(&["proof stopped", "the counts do not agree"]);
    assert_eq!(world.app.database.count("alerts", doc! { "_id": "drift:counts", "state": "open" }).await, 1);
    between.miscount(0);
    world.sync(&["backfill", "--yes"]).await.expect(0).says(&["backfill done: 40 people, 0 written"]);
    world.sync(&["prove"]).await.expect(0).says(&["MongoDB equals Clerk"]);
    assert_eq!(world.app.database.count("alerts", doc! { "state": "open" }).await, 0);
    world.finish().await;
}

#[tokio::test]
async fn d2_34_a_cursor_who_leaves_in_the_middle_costs_nobody_their_place() {
    let mut world = World::of(1_200).await;
    let between = Between::start(&world.app.clerk).await;
    world.through(&between.url);
    between.spoil(&[Fault::Pass, Fault::CursorGone, Fault::CursorGone]);
    let done = world.sync(&["backfill", "--yes", "--json"]).await.expect(0).json();
    assert_eq!(done["counted"], json!({ "clerk": 1_198, "here": 1_198 }));
    world.app.settled().await;
    assert_eq!((world.living().await, world.tombstones().await), (1_198, 2));
    world.sync(&["prove"]).await.expect(0).says(&["1198 people, 0 differences"]);
    world.finish().await;
}

#[tokio::test]
async fn d2_36_an_empty_page_in_the_middle_is_no_end_even_where_something_differs() {
    let mut world = World::of(1_200).await;
    world.imported().await;
    world.set(&world.ids()[3], doc! { "banned": true }).await;
    let between = Between::start(&world.app.clerk).await;
    world.through(&between.url);
    between.spoil(&[Fault::Pass, Fault::Empty]);
    let stopped = world.sync(&["prove"]).await.expect(1);
    stopped.says(&["proof stopped", "the counts do not agree: 1200 people at Clerk, 1200 here, 500 listed"]);
    world.sync(&["status"]).await.expect(1);
    world.sync(&["prove"]).await.expect(1).says(&["MongoDB differs from Clerk", "1 of 1200 people"]);
    world.finish().await;
}

#[tokio::test]
async fn d2_27_the_key_of_another_instance_deletes_nobody_though_no_instance_is_pinned() {
    let mut world = World::of(8).await;
    world.imported().await;
    world.webhooks(false).await;
    for id in &world.ids() {
        world.app.clerk.delete_user(id);
    }
    // As it is when the people here came from elsewhere.
    let first = doc! { "instanceId": "ins_first" };
    world.app.database.set("clerkInstance", doc! { "_id": "only" }, first).await;
    for command in [&["reconcile", "--yes", "--allow-deletions"][..], &["backfill", "--yes"], &["prove"]] {
        let refused = world.sync(command).await.expect(1);
        refused.says(&[
            "CLERK_SECRET_KEY is of ins_",
            "the people here are of ins_first",
            "ROLLCALL_CLERK_INSTANCE_ID",
        ]);
    }
    assert_eq!((world.living().await, world.tombstones().await), (8, 0));
    let own = world.app.clerk.instance_id().to_owned();
    world.environment = world.environment.clone().with([("ROLLCALL_CLERK_INSTANCE_ID", own)]);
    world.sync(&["reconcile", "--yes"]).await.expect(1).says(&["over the limit of 4; nobody was deleted"]);
    world.sync(&["reconcile", "--yes", "--allow-deletions"]).await.expect(0).says(&["8 deleted"]);
    world.finish().await;
}

#[tokio::test]
async fn d2_27_the_key_of_another_instance_is_not_walked_with() {
    let world = World::with(30, &[("ROLLCALL_CLERK_INSTANCE_ID", "ins_expected")]).await;
    for command in [&["reconcile", "--yes"][..], &["backfill", "--yes"], &["prove"]] {
        world.sync(command).await.expect(1).says(&["CLERK_SECRET_KEY is of ins_", "ROLLCALL_CLERK_INSTANCE_ID"]);
    }
    assert_eq!(world.living().await, 0);
    world.finish().await;
}
