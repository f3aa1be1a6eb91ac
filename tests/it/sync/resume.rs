//! A walk survives its process: killed, interrupted, paused, it goes on from its checkpoint.

use std::collections::HashMap;
use std::time::Duration;

use mongodb::bson::doc;
use rollcall::standin::levers::Levers;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::sync::between::Between;
use crate::sync::world::{World, ended};

const PEOPLE: usize = 3_000;
const PAGES: usize = 6;
const KILLS: usize = 3;

/// Clerk takes its time, so that there is a middle to be killed in.
fn slow(world: &World) {
    delayed(world, 400);
}

fn delayed(world: &World, bapi_delay_ms: u64) {
    world.app.clerk.set_levers(Levers { bapi_delay_ms, ..world.app.clerk.levers() });
}

fn at_full_speed(world: &World) {
    delayed(world, 0);
}

async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-s", name, &id]).status().await.expect("kill").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_33_killed_again_and_again_a_backfill_goes_on_with_no_gap_and_no_repeat_beyond_a_page() {
    let mut world = World::of(PEOPLE).await;
    let between = Between::start(&world.app.clerk).await;
    world.through(&between.url);
    slow(&world);
    for kill in 1..=KILLS {
        let mut backfill = world.spawn(&["backfill", "--yes"]);
        world.walked(i64::try_from(kill).expect("few")).await;
        backfill.kill().await.expect("killed");
    }
    at_full_speed(&world);
    let done = world.sync(&["backfill", "--yes", "--json"]).await.expect(0);
    assert!(done.err.contains("continuing from its checkpoint"), "{}", done.err);
    let report = done.json();
    assert_eq!(report["counts"]["seen"], json!(PEOPLE), "{report}");
    assert_eq!(report["counted"], json!({ "clerk": PEOPLE, "here": PEOPLE }));
    assert_eq!(world.living().await, PEOPLE as u64);
    assert_eq!(world.runs().await.len(), 1, "one run all along");
    let mut times: HashMap<String, usize> = HashMap::new();
    for cursor in between.cursors() {
        *times.entry(cursor).or_default() += 1;
    }
    // One for each page and the end marker; a kill costs the page in hand and the one that was fetched meanwhile.
    assert_eq!(times.len(), PAGES + 1);
    let repeated: usize = times.values().map(|times| times - 1).sum();
    assert!(repeated <= 2 * KILLS, "{times:?}");
    world.sync(&["prove"]).await.expect(0);
    world.finish().await;
}

#[tokio::test]
async fn d2_33_a_reconciliation_that_is_killed_goes_on_too_and_finds_what_is_left() {
    let world = World::of(1_200).await;
    slow(&world);
    let mut reconcile = world.spawn(&["reconcile", "--yes"]);
    world.walked(1).await;
    reconcile.kill().await.expect("killed");
    at_full_speed(&world);
    let done = world.sync(&["reconcile", "--yes", "--json"]).await.expect(0);
    assert!(done.err.contains("continuing from its checkpoint"), "{}", done.err);
    assert_eq!(done.json()["counts"]["seen"], json!(1_200));
    assert_eq!(world.living().await, 1_200);
    world.finish().await;
}

#[tokio::test]
async fn d2_33_what_was_mended_before_a_kill_and_after_the_last_checkpoint_is_counted_all_the_same() {
    let world = World::of(40).await;
    world.imported().await;
    world.webhooks(false).await;
    let (ids, database) = (world.ids(), &world.app.database);
    for id in &ids[..6] {
        world.set(id, doc! { "banned": true }).await;
    }
    database.remove("users", doc! { "clerkId": &ids[8] }).await;
    let reconcile = doc! { "kind": "reconcile" };
    let done = world.sync(&["reconcile", "--yes", "--json"]).await.expect(0).json();
    let run = database.find("runs", reconcile.clone()).await.expect("a run");
    // As it is when all that was done and nothing of it came to a checkpoint; one person differs again.
    let begun = doc! { "pages": 0_i64, "place": {}, "counts": {}, "suspects": [], "held": [] };
    database.set("runs", reconcile.clone(), doc! { "state": "running", "progress": begun }).await;
    world.set(&ids[2], doc! { "banned": true }).await;
    let again = world.sync(&["reconcile", "--yes", "--json"]).await.expect(0);
    assert!(again.err.contains("continuing from its checkpoint"), "{}", again.err);
    let again = again.json();
    assert_eq!(again["id"].as_str(), run.get_str("_id").ok(), "the same run");
    for counts in [&done["counts"], &again["counts"]] {
        let told = ["differing", "missing", "written"].map(|name| counts[name].as_u64().unwrap_or_default());
        assert_eq!(told, [6, 1, 7], "{counts}");
    }
    assert_eq!(database.count("findings", doc! { "runId": run.get_str("_id").expect("an id") }).await, 7);
    world.finish().await;
}

#[tokio::test]
async fn d2_27_d2_33_a_reconciliation_that_dies_when_all_is_walked_finds_nobody_twice() {
    let world = World::with(30, &[("ROLLCALL_MOST_DELETIONS", "0")]).await;
    world.imported().await;
    world.webhooks(false).await;
    // Behind the last page, where nobody at Clerk follows.
    let gone = world.ids()[29].clone();
    world.app.clerk.delete_user(&gone);
    world.sync(&["reconcile", "--yes"]).await.expect(1).says(&["over the limit of 0"]);
    let reconcile = doc! { "kind": "reconcile" };
    let stopped = world.app.database.find("runs", reconcile.clone()).await.expect("a run");
    let progress = stopped.get_document("progress").expect("its progress");
    assert!(progress.get_bool("isWalked").expect("kept"), "{progress}");
    assert!(progress.get_array("held").expect("kept").is_empty(), "it is over and names nobody: {progress}");
    // As it is when somebody who allowed it was killed before the first tombstone.
    let died = doc! { "state": "running", "options.allowDeletions": true, "progress.held": [&gone] };
    world.app.database.set("runs", reconcile.clone(), died).await;
    world.sync(&["reconcile", "--yes", "--allow-deletions"]).await.expect(0).says(&["1 differed", "1 deleted"]);
    assert_eq!(world.app.database.count("runs", reconcile).await, 1, "the same run");
    world.finish().await;
}

#[tokio::test]
async fn e_34_a_walk_pauses_on_a_signal_and_on_a_word_from_elsewhere_and_can_be_cancelled() {
    let world = World::of(PEOPLE).await;
    delayed(&world, 1_000);
    let backfill = world.spawn(&["backfill", "--yes"]);
    world.walked(1).await;
    signal(&backfill, "INT").await;
    ended(backfill).await.expect(1).says(&["backfill is paused at"]);

    let backfill = world.spawn(&["backfill", "--yes"]);
    world.walked(2).await;
    let other = world.sync(&["reconcile", "--yes"]).await.expect(1);
    other.says(&["backfill is going on", "elsewhere", "rollcall sync status"]);
    world.sync(&["pause", "--yes"]).await.expect(0).says(&["backfill is paused at"]);
    ended(backfill).await.expect(1).says(&["continuing from its checkpoint", "backfill is paused at"]);
    let foreseen = world.sync(&["cancel", "--dry-run", "--json"]).await.expect(0).json();
    assert_eq!((&foreseen["run"]["state"], &foreseen["dryRun"]), (&json!("paused"), &json!(true)), "nothing happened");
    world.sync(&["resume", "--dry-run"]).await.expect(0).says(&["would be resumed: backfill is paused at"]);
    world.sync(&["pause", "--yes"]).await.expect(1).says(&["Such a run was not found."]);
    world.sync(&["cancel"]).await.expect(2).says(&["give up its checkpoint? [yes/no]", "not confirmed"]);
    let cancelled = world.sync(&["cancel", "--yes", "--json"]).await.expect(0).json();
    assert_eq!(cancelled["run"]["state"], json!("cancelled"));
    world.sync(&["resume", "--json", "--yes"]).await.expect(1).says(&["Such a run was not found."]);
    at_full_speed(&world);
    let done = world.sync(&["backfill", "--yes"]).await.expect(0);
    assert!(!done.err.contains("continuing"), "a cancelled run is not continued: {}", done.err);
    assert_eq!(world.living().await, PEOPLE as u64);
    world.finish().await;
}

#[tokio::test]
async fn d2_33_who_loses_a_run_to_a_server_says_so_and_a_run_that_is_given_up_has_an_end_and_names_nobody() {
    let world = World::of(1_100).await;
    delayed(&world, 2_000);
    let backfill = world.spawn(&["backfill", "--yes"]);
    world.walked(1).await;
    // As a server takes it when the lease ran out while MongoDB had nobody to write.
    let theirs =
        |until: i64| doc! { "leaseOwner": "a server", "leaseUntil": mongodb::bson::DateTime::from_millis(until) };
    let far = jiff::Timestamp::now().as_millisecond() + 3_600_000;
    world.app.database.set("runs", doc! { "state": "running" }, theirs(far)).await;
    ended(backfill).await.expect(1).says(&["a server carries on with it; see `rollcall sync status`"]);
    world.app.database.set("runs", doc! { "state": "running" }, theirs(0)).await;
    let run = async || world.runs().await.into_iter().next_back().expect("a run");
    let place = async || run().await.get_document("progress").and_then(|run| run.get_document("place")).cloned();
    assert!(place().await.is_ok_and(|place| place.get_str("cursor").is_ok()), "{:?}", run().await);
    world.sync(&["pause", "--yes"]).await.expect(0).says(&["backfill is paused at"]);
    assert!(run().await.get_datetime("finishedAt").is_err(), "it waits: {:?}", run().await);
    world.sync(&["cancel", "--yes"]).await.expect(0).says(&["backfill was cancelled at"]);
    assert!(run().await.get_datetime("finishedAt").is_ok(), "{:?}", run().await);
    assert!(place().await.is_ok_and(|place| place.get_str("cursor").is_err()), "{:?}", run().await);

    // Its process died, and another is wanted.
    let mut backfill = world.spawn(&["backfill", "--yes"]);
    let running = doc! { "state": "running", "progress.pages": { "$gte": 1 } };
    crate::support::eventually_within(Duration::from_mins(1), "another walk goes on", || async {
        world.app.database.find("runs", running.clone()).await.map(|_| ()).ok_or_else(|| "not yet".to_owned())
    })
    .await;
    backfill.kill().await.expect("killed");
    at_full_speed(&world);
    world.sync(&["reconcile", "--yes"]).await.expect(0);
    let failed = world.app.database.find("runs", doc! { "state": "failed" }).await.expect("a run put aside");
    assert!(failed.get_datetime("finishedAt").is_ok(), "{failed}");
    let done = world.app.database.find("runs", doc! { "state": "done" }).await.expect("a run that is done");
    let progress = done.get_document("progress").expect("a progress");
    assert_eq!(progress.get_document("place").expect("a place").get_str("cursor").ok(), None, "{done}");
    world.finish().await;
}

#[tokio::test]
async fn e_34_on_a_terminal_a_walk_that_goes_on_shows_its_bar_from_where_it_was() {
    let world = World::of(1_100).await;
    delayed(&world, 2_000);
    let backfill = world.spawn(&["backfill", "--yes"]);
    world.walked(1).await;
    world.sync(&["pause", "--yes"]).await.expect(0);
    ended(backfill).await.expect(1);
    delayed(&world, 200);
    let progress = world.runs().await.remove(0);
    let seen = progress.get_document("progress").and_then(|progress| progress.get_document("counts"));
    let was = match seen.and_then(|counts| counts.get_i64("seen")) {
        Ok(500) => "500",
        Ok(1_000) => "1,000",
        other => panic!("it was paused at the end of a page: {other:?}"),
    };
    let asked = format!("'{}' sync backfill --yes", env!("CARGO_BIN_EXE_rollcall"));
    let terminal = Command::new("script")
        .args(["-qec", &asked, "/dev/null"])
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("TERM", "xterm"), ("SHELL", "/bin/sh")])
        .envs(world.environment.iter())
        .stdin(std::process::Stdio::null())
        .output();
    let shown = terminal.await.expect("`script` of util-linux");
    let shown = String::from_utf8_lossy(&shown.stdout);
    let counts: Vec<&str> = shown.split(" of 1,100").filter_map(|part| part.split(' ').next_back()).collect();
    assert_eq!(counts.first(), Some(&was), "{shown:?}");
    let rates: Vec<&str> = shown.split("/s,").filter_map(|part| part.rsplit(' ').next()).collect();
    let (_, rates) = rates.split_last().expect("what follows the last rate");
    assert!(
        !rates.is_empty() && rates.iter().all(|rate| rate.parse::<u64>().is_ok_and(|rate| rate < 5_000)),
        "{rates:?}"
    );
    assert!(shown.contains("left") && shown.contains("backfill done: 1100 people"), "{shown:?}");
    world.finish().await;
}

#[tokio::test]
async fn d2_33_a_run_handed_over_is_carried_on_by_a_server() {
    use crate::support::eventually_within;
    use crate::support::process::{free_port, start};

    let world = World::of(1_100).await;
    slow(&world);
    let backfill = world.spawn(&["backfill", "--yes"]);
    world.walked(1).await;
    world.sync(&["pause", "--yes"]).await.expect(0);
    ended(backfill).await.expect(1);
    at_full_speed(&world);
    world.sync(&["resume", "--yes"]).await.expect(0).says(&["backfill is going on"]);
    let _server = start(free_port(), &world.environment).await;
    eventually_within(Duration::from_secs(20), "the server carries it on", || async {
        let runs = world.runs().await;
        let state = runs[0].get_str("state").expect("a state").to_owned();
        if state == "done" { Ok(()) } else { Err(format!("{runs:?}")) }
    })
    .await;
    assert_eq!(world.living().await, 1_100);
    world.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_34_whoever_comes_changes_or_goes_while_everybody_is_imported_is_neither_missed_nor_set_back() {
    let world = World::of(2_500).await;
    delayed(&world, 400);
    let backfill = world.spawn(&["backfill", "--yes", "--json"]);
    world.walked(1).await;
    let ids = world.ids();
    // Of pages that are written, fetched, and yet to come.
    let changed = [&ids[30], &ids[900], &ids[1_700], &ids[2_490]];
    let gone = [&ids[40], &ids[910], &ids[1_710], &ids[2_480]];
    for id in changed {
        world.app.clerk.update_user(id, json!({ "first_name": "Newer" }));
    }
    for id in gone {
        world.app.clerk.delete_user(id);
    }
    for number in 0..3 {
        world.app.clerk.create_user(json!({ "email_address": [format!("late{number}@example.com")] }));
    }
    let done = ended(backfill).await.expect(0).json();
    assert_eq!((&done["state"], &done["counts"]["skipped"]), (&json!("done"), &json!(0)), "{done}");
    assert!(world.app.clerk.drained(Duration::from_secs(30)).await);
    world.app.settled().await;
    for id in changed {
        let user = world.app.database.user(id).await.expect("stored");
        assert_eq!(user.get_str("firstName").ok(), Some("Newer"), "{user}");
    }
    for id in gone {
        let user = world.app.database.user(id).await;
        assert!(user.as_ref().is_none_or(|user| user.get_datetime("deletedAt").is_ok()), "{user:?}");
    }
    at_full_speed(&world);
    world.sync(&["prove"]).await.expect(0).says(&["2499 people, 0 differences"]);
    world.finish().await;
}
