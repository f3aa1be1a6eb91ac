//! Every command that changes something, rehearsed: it answers as JSON that it was, and nothing is changed.

use std::collections::BTreeSet;

use mongodb::bson::{DateTime, doc};

use super::jobs::with_a_refused_webhook;
use super::tree::{ASKING, UNASKED};
use super::{beside, run, with};
use crate::support::app::TestApp;
use crate::support::delivery::user_event;
use crate::support::inngest::FakeInngest;
use crate::support::receiver::SECRET;

/// A command with what it needs besides, on a world of one person (`WHO`), one failed event and one dead job (`JOB`).
const REHEARSED: [&[&str]; 24] = [
    &["events", "discard", "msg_1", "--reason", "of a test"],
    &["events", "replay", "msg_1"],
    &["inngest", "sync"],
    &["jobs", "discard", "JOB", "--reason", "of a test"],
    &["jobs", "retry", "JOB"],
    &["simulate", "signup"],
    &["sync", "backfill"],
    &["sync", "cancel"],
    &["sync", "catch-up"],
    &["sync", "metadata"],
    &["sync", "pause"],
    &["sync", "reconcile"],
    &["sync", "resume"],
    &["users", "ban", "WHO"],
    &["users", "demote", "WHO"],
    &["users", "erase", "WHO", "--only-here"],
    &["users", "export", "WHO"],
    &["users", "lock", "WHO"],
    &["users", "promote", "WHO"],
    &["users", "refresh", "WHO"],
    &["users", "revoke-sessions", "WHO"],
    &["users", "unban", "WHO"],
    &["users", "unlock", "WHO"],
    &["webhook", "on"],
];

/// What a command meets: a run is paused or cancelled while it runs, and resumed while it waits; a walk needs that none does.
async fn prepare(app: &TestApp, command: &[&str]) {
    let (state, until) = match command {
        ["sync", "pause", ..] => ("running", 3_600_000),
        ["sync", "resume" | "cancel", ..] => ("paused", 0),
        _ => ("done", 0),
    };
    let until = DateTime::from_millis(jiff::Timestamp::now().as_millisecond() + until);
    let fields = doc! { "state": state, "leaseOwner": "another", "leaseUntil": until };
    app.database.set("runs", doc! { "kind": "backfill" }, fields).await;
}

#[tokio::test]
async fn e_34_every_change_rehearsed_answers_in_json_that_it_was_a_rehearsal() {
    let (app, receiver, key) = with_a_refused_webhook().await;
    let inngest = FakeInngest::start().await;
    let environment =
        inngest.variables().into_iter().fold(beside(&app), |base, (name, value)| with(&base, name, &value));
    let environment = with(&environment, "ROLLCALL_WEBHOOK_URL", &receiver.url);
    let environment = with(&environment, "ROLLCALL_WEBHOOK_SECRET", SECRET);
    let environment = with(&environment, "ROLLCALL_METADATA", "true");
    run(&["sync", "backfill", "--yes"], &environment).await.expect(0);
    app.deliver("msg_1", &user_event("user.created", "user_ada", "Ada", 1_750_000_001_000)).await;
    app.settled().await;
    let later = DateTime::from_millis(jiff::Timestamp::now().as_millisecond() + 3_600_000);
    let failed = doc! { "state": "failed", "dueAt": later, "decision": "attempt 1 failed: Clerk is away" };
    app.database.set("events", doc! { "_id": "msg_1" }, failed).await;
    let entries = app.database.count("audit", doc! { "action": { "$ne": "start_run" } }).await;
    let mut seen = BTreeSet::new();
    for command in REHEARSED {
        prepare(&app, command).await;
        let replaced = |word: &&'static str| match *word {
            "WHO" => "ada@example.com".to_owned(),
            "JOB" => key.clone(),
            word => word.to_owned(),
        };
        let words: Vec<String> =
            command.iter().map(replaced).chain(["--dry-run", "--json"].map(str::to_owned)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let told = run(&words, &environment).await;
        assert!(matches!(told.code(), 0 | 1), "{command:?}: {told:?}");
        let json: serde_json::Value =
            serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{command:?}: {told:?}"));
        assert_eq!(json["dryRun"], true, "{command:?}: {json}");
        seen.insert(command[..2].join(" "));
    }
    let known: BTreeSet<String> = ASKING.into_iter().chain(UNASKED).map(str::to_owned).collect();
    assert_eq!(seen, known);
    // Walks that only looked are on record, and so is whose data were exported or not: nothing else is.
    assert_eq!(app.database.count("audit", doc! { "action": { "$ne": "start_run" } }).await, entries);
    assert_eq!(app.database.job(&key).await.expect("a job").get_str("state").ok(), Some("dead"));
    assert_eq!(app.database.event("msg_1").await.expect("an event").get_str("state").ok(), Some("failed"));
    // It would wait for an hour.
    app.database.remove("events", doc! { "_id": "msg_1" }).await;
    app.finish().await;
}
