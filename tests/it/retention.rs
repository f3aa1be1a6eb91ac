//! How long what is kept is kept: MongoDB's indexes follow the settings, and the audit trail holds without its oldest entries.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::doc;
use rollcall::model::audit::{Action, Actor, Fact, Source};
use rollcall::server::settings::environment::Variables;
use rollcall::server::store::audit::{Broken, Trail};

use crate::cli::{beside, run, stopped, with};
use crate::support::app::{TestApp, Wishes};
use crate::support::mongo::TestDatabase;

const DAY: u64 = 86_400;

/// Seconds after which documents of these collections go, by the field that counts.
async fn expiries(app: &TestApp) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for collection in ["deliveries", "events", "findings", "jobs", "runs"] {
        let documents = app.database.handle().collection::<mongodb::bson::Document>(collection);
        let mut indexes = documents.list_indexes().await.expect("indexes");
        while let Some(index) = indexes.try_next().await.expect("an index") {
            let after = index.options.and_then(|options| options.expire_after);
            let field = index.keys.keys().next().cloned().unwrap_or_default();
            found.extend(after.map(|after| (format!("{collection}.{field}"), after.as_secs())));
        }
    }
    found
}

fn of(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(name, seconds)| ((*name).to_owned(), *seconds)).collect()
}

const USUAL: [(&str, u64); 6] = [
    ("deliveries.closedAt", 30 * DAY),
    ("events.receivedAt", 30 * DAY),
    ("findings.at", 365 * DAY),
    ("jobs.expiresAt", 0),
    ("runs.expiresAt", 0),
    ("runs.movedAt", 365 * DAY),
];

/// With others' variables.
fn otherwise(app: &TestApp) -> Variables {
    let environment = with(&beside(app), "ROLLCALL_EVENT_RETENTION_DAYS", "90");
    let environment = with(&environment, "ROLLCALL_BODY_RETENTION_DAYS", "2");
    let environment = with(&environment, "ROLLCALL_AUDIT_RETENTION_DAYS", "1");
    with(&environment, "ROLLCALL_RUN_RETENTION_DAYS", "0")
}

async fn serve(environment: &Variables) {
    let environment = with(environment, "LEPTOS_SITE_ADDR", "127.0.0.1:0");
    let (status, log) = stopped(&environment, "serving", "TERM").await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn what_mongodb_removes_by_itself_follows_the_settings_at_each_start() {
    let app = TestApp::new().await;
    assert_eq!(expiries(&app).await, of(&USUAL));
    // Of an earlier version.
    let old = doc! { "key": { "finishedAt": 1 }, "name": "finishedAt_1", "expireAfterSeconds": 1_000_000 };
    let create = doc! { "createIndexes": "runs", "indexes": [old] };
    app.database.handle().run_command(create).await.expect("an index");
    serve(&otherwise(&app)).await;
    let other = [
        ("deliveries.closedAt", 2 * DAY),
        ("events.receivedAt", 90 * DAY),
        ("jobs.expiresAt", 0),
        ("runs.expiresAt", 0),
    ];
    assert_eq!(expiries(&app).await, of(&other));
    serve(&beside(&app)).await;
    assert_eq!(expiries(&app).await, of(&USUAL), "and back");
    let short = with(&beside(&app), "ROLLCALL_BODY_RETENTION_DAYS", "1");
    run(&["sync", "status"], &short)
        .await
        .expect(2)
        .says(&["ROLLCALL_BODY_RETENTION_DAYS: must be a whole number from 2"]);
    app.finish().await;
}

#[tokio::test]
async fn no_command_beside_a_server_removes_anything_for_its_age_whatever_its_variables_say() {
    let app = TestApp::with(Wishes { seed_users: 2, ..Wishes::default() }).await;
    for (command, code) in [
        (&["sync", "status"][..], 0),
        (&["sync", "backfill", "--dry-run"], 0),
        (&["sync", "backfill", "--yes"], 0),
        (&["sync", "reconcile", "--dry-run"], 0),
        (&["sync", "prove"], 0),
        (&["sync", "pause", "--yes"], 1),
    ] {
        run(command, &otherwise(&app)).await.expect(code);
        assert_eq!(expiries(&app).await, of(&USUAL), "{command:?}");
    }
    // Nor does it bring an age where whoever serves has none.
    serve(&with(&beside(&app), "ROLLCALL_RUN_RETENTION_DAYS", "0")).await;
    run(&["sync", "prove"], &beside(&app)).await.expect(0);
    assert!(!expiries(&app).await.keys().any(|name| name == "runs.movedAt" || name == "findings.at"));
    app.finish().await;
}

#[tokio::test]
async fn who_only_looks_or_rehearses_makes_nothing_in_an_empty_database_and_gets_an_answer() {
    let (app, empty) = (TestApp::new().await, TestDatabase::new().await);
    let environment = with(&beside(&app), "MONGODB_URI", &empty.uri);
    for (command, code, says) in [
        (&["sync", "status"][..], 0, "nothing was proved yet"),
        (&["sync", "backfill", "--dry-run"], 0, "0 here and 0 tombstones"),
        (&["sync", "pause", "--dry-run"], 1, "Such a run was not found."),
        (&["sync", "resume", "--dry-run"], 1, "Such a run was not found."),
        (&["users", "list"], 0, ""),
        (&["events", "list"], 0, ""),
        (&["jobs", "retry", "--all-dead", "--dry-run"], 0, "no job was given up"),
    ] {
        run(command, &environment).await.expect(code).says(&[says]);
    }
    let mut made = empty.handle().list_collection_names().await.expect("names");
    // How many calls to Clerk each process may make is agreed upon while it lives; nothing else is there.
    made.retain(|name| name != "locks");
    assert_eq!(made, Vec::<String>::new());
    assert_eq!(empty.count("locks", doc! { "_id": { "$ne": "clerk-calls" } }).await, 0);
    run(&["sync", "backfill", "--yes"], &environment).await.expect(0);
    let made = empty.handle().list_collection_names().await.expect("names");
    assert!(made.iter().any(|name| name == "users"), "what writes makes what is missing: {made:?}");
    empty.drop().await;
    app.finish().await;
}

async fn append(app: &TestApp, count: usize) {
    for turn in 0..count {
        let actor = Actor { id: "cli:keeper".to_owned(), impersonator: None, session: None, source: Source::Cli };
        let subject = format!("user_{turn}");
        let fact = Fact { actor, action: Action::Ban, subject, before: None, after: None, reason: None };
        app.state.store.audit.append(&fact).await.expect("appended");
    }
    tokio::time::sleep(Duration::from_millis(5)).await;
}

#[tokio::test]
async fn d7_06_the_chain_holds_when_its_oldest_entries_left_and_breaks_when_others_go() {
    let app = TestApp::new().await;
    let audit = &app.state.store.audit;
    let forget = async |before: Timestamp| audit.forget(Some(Duration::ZERO), before).await.expect("forgotten");
    append(&app, 3).await;
    let first = Timestamp::now();
    append(&app, 4).await;
    audit.forget(None, Timestamp::now()).await.expect("nothing");
    assert_eq!(app.database.count("audit", doc! {}).await, 7, "for ever");
    let (one, other) = futures::join!(forget(first), forget(first));
    assert_eq!((one, other), ((), ()));
    assert_eq!(app.database.count("audit", doc! {}).await, 4);
    assert_eq!(audit.verify().await.expect("followed"), Trail { left: 3, entries: 4, broken: None });
    let says = "4 entries, and the chain is unbroken; 3 before them left by their age.";
    run(&["audit", "verify"], &beside(&app)).await.expect(0).says(&[says]);

    // Everything left, and what is added goes on where it ended.
    forget(Timestamp::now()).await;
    assert_eq!(audit.verify().await.expect("followed"), Trail { left: 7, entries: 0, broken: None });
    append(&app, 2).await;
    assert_eq!(audit.verify().await.expect("followed"), Trail { left: 7, entries: 2, broken: None });

    // A hand in it is seen as before, and is no reason to leave.
    app.database.set("audit", doc! { "_id": 8_i64 }, doc! { "subject": "user_other" }).await;
    let broken = Some(Broken { number: 8, cause: "it was changed" });
    assert_eq!(audit.verify().await.expect("followed"), Trail { left: 7, entries: 0, broken });
    forget(Timestamp::now()).await;
    assert_eq!(app.database.count("audit", doc! {}).await, 2);
    app.database.remove("locks", doc! { "_id": "audit-start" }).await;
    let missing = Some(Broken { number: 1, cause: "it is missing" });
    assert_eq!(audit.verify().await.expect("followed").broken, missing);
    app.finish().await;
}
