//! Every command of `rollcall sync` is in the audit trail: who, what, with which options, and why.

use std::time::Duration;

use mongodb::bson::doc;
use rollcall::model::run::{RunKind, RunOptions, RunState, Starter, Wish};
use rollcall::server::store::runs::Run;
use rollcall::server::sync::scan::control::{Wanted, interrupt, new_run};
use rollcall::standin::levers::Levers;
use serde_json::Value;

use super::world::{World, ended};
use crate::cli;
use crate::support::eventually_within;

/// What `rollcall audit list` says, the oldest first: actor, action, before, after, reason.
async fn trail(world: &World) -> Vec<[String; 5]> {
    let listed = cli::run(&["audit", "list", "--json"], &world.environment).await.expect(0).json();
    let rows = listed["entries"].as_array().expect("entries").clone();
    let row = |row: &Value| {
        ["actor", "action", "before", "after", "reason"].map(|part| row[part].as_str().unwrap_or_default().to_owned())
    };
    rows.iter().rev().map(row).collect()
}

fn row(cells: [&str; 5]) -> [String; 5] {
    cells.map(str::to_owned)
}

#[tokio::test]
async fn d7_07_every_walk_is_audited_with_its_options_and_its_reason() {
    let world = World::of(30).await;
    for arguments in [
        &["backfill", "--dry-run"][..],
        &["backfill", "--yes", "--reason", "the first import"],
        &["reconcile", "--dry-run"],
        &["reconcile", "--yes", "--allow-deletions", "--reason", "a clean-up"],
        &["catch-up", "--yes"],
        &["backfill", "--yes", "--anew"],
        &["prove", "--reason", "for the record"],
    ] {
        world.sync(arguments).await.expect(0);
    }
    let started = |after: &'static str, reason: &'static str| row([cli::operator(), "start_run", "", after, reason]);
    assert_eq!(
        trail(&world).await,
        [
            started("backfill", "the first import"),
            started("reconcile, dry-run", ""),
            started("reconcile, allow-deletions", "a clean-up"),
            started("catch-up", ""),
            started("backfill, anew", ""),
            started("proof", "for the record"),
        ]
    );
    let runs = world.runs().await;
    let listed = cli::run(&["audit", "list", "--json"], &world.environment).await.expect(0).json();
    let subject = listed["entries"][0]["subject"].as_str().expect("an id");
    assert!(runs.iter().any(|run| run.get_str("_id").ok() == Some(subject)), "{subject} is no run");
    cli::run(&["audit", "list"], &world.environment).await.expect(0).says(&["start_run", "proof", "for the record"]);
    world.finish().await;
}

#[tokio::test]
async fn d7_07_a_run_that_is_paused_resumed_or_cancelled_by_a_command_is_audited_and_a_rehearsal_is_not() {
    let world = World::of(1_100).await;
    world.app.clerk.set_levers(Levers { bapi_delay_ms: 2_000, ..world.app.clerk.levers() });
    let backfill = world.spawn(&["backfill", "--yes"]);
    world.walked(1).await;
    world.sync(&["pause", "--dry-run"]).await.expect(0).says(&["would be paused: backfill is going on"]);
    world.sync(&["pause", "--yes", "--reason", "too busy"]).await.expect(0).says(&["backfill is paused at"]);
    ended(backfill).await.expect(1);
    for (command, reason) in [("resume", "quiet again"), ("cancel", "not wanted")] {
        world.sync(&[command, "--dry-run"]).await.expect(0).says(&["would be"]);
        world.sync(&[command, "--yes", "--reason", reason]).await.expect(0);
    }
    let expected = [
        row([cli::operator(), "start_run", "", "backfill", ""]),
        row([cli::operator(), "pause_run", "running", "", "too busy"]),
        row([cli::operator(), "resume_run", "paused", "", "quiet again"]),
        row([cli::operator(), "cancel_run", "running", "", "not wanted"]),
    ];
    assert_eq!(trail(&world).await, expected);
    let backfill = world.spawn(&["backfill", "--yes"]);
    let running = doc! { "state": "running", "progress.pages": 1 };
    eventually_within(Duration::from_mins(1), "another walk goes on", || async {
        world.app.database.find("runs", running.clone()).await.map(|_| ()).ok_or_else(|| "not yet".to_owned())
    })
    .await;
    let id = backfill.id().expect("it runs").to_string();
    assert!(tokio::process::Command::new("kill").args(["-s", "INT", &id]).status().await.expect("kill").success());
    ended(backfill).await.expect(1);
    assert_eq!(trail(&world).await.last(), Some(&row([cli::operator(), "pause_run", "", "interrupted", ""])));
    world.app.clerk.set_levers(Levers::default());
    world.finish().await;
}

/// Between the look at a run and the word to it, it may end and another begin.
#[tokio::test]
async fn e_34_a_word_to_a_run_that_has_ended_is_not_heard_by_the_one_that_goes_on() {
    let world = World::of(3).await;
    let runs = &world.app.state.store.runs;
    let options = RunOptions { dry_run: false, allow_deletions: false };
    let wanted = Wanted { kind: RunKind::Proof, starter: Starter::Command, options, anew: false };
    let ended = Run { state: RunState::Done, lease_owner: None, lease_until: None, ..new_run(wanted, "", None) };
    let other = new_run(Wanted { kind: RunKind::Reconcile, ..wanted }, "somebody", None);
    assert!(runs.insert(&ended).await.expect("stored") && runs.insert(&other).await.expect("stored"));
    for wish in [Wish::Pause, Wish::Cancel] {
        let found = interrupt(&world.app.state, &ended.id, wish).await.expect("heard").expect("a run");
        assert_eq!((found.id, found.state), (ended.id.clone(), RunState::Done));
    }
    let other = runs.find(&other.id).await.expect("read").expect("a run");
    assert_eq!((other.state, other.wish), (RunState::Running, None));
    world.finish().await;
}
