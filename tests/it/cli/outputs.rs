//! Every command in a small world, its output compared word for word (`transcript`): for people and as JSON, rehearsed, asked,
//! done, and refused.

use mongodb::bson::{DateTime, doc};
use rollcall::standin::levers::Levers;
use serde_json::json;

use super::events::with_events;
use super::jobs::{with_a_dead_job, with_a_refused_webhook};
use super::transcript::Transcript;
use super::{beside, nothing, run, with};
use crate::support::app::{TestApp, Wishes};
use crate::support::inngest::FakeInngest;
use crate::support::receiver::SECRET;

/// Two people, the first an admin; from now on no webhook comes, so that nothing happens by itself.
async fn with_people() -> (TestApp, Transcript) {
    let app = TestApp::new().await;
    let mut transcript = Transcript::beside(&app);
    for (name, role) in [("Ada", "admin"), ("Bob", "user")] {
        let lower = name.to_lowercase();
        let attributes = json!({
            "email_address": [format!("{lower}@example.com")], "first_name": name, "username": format!("{lower}_name"),
            "public_metadata": { "role": role },
        });
        transcript = transcript.naming(&app.person(attributes).await, &format!("user_{lower}"));
    }
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    app.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    (app, transcript)
}

#[tokio::test]
async fn e_34_users_print_what_they_printed_before() {
    let (app, mut told) = with_people().await;
    for read in [
        &["users", "list"][..],
        &["users", "find", "ad"],
        &["users", "show", "ada@example.com"],
        &["users", "sessions", "ada_name"],
        &["users", "show", "nobody@example.com"],
    ] {
        told.both(read).await;
    }
    told.run(&["users", "list", "--limit", "1"]).await;
    told.answering("no", &["users", "promote", "bob_name"]).await;
    told.answering("yes", &["users", "promote", "bob_name", "--role", "moderator"]).await;
    for change in [
        &["users", "promote", "bob_name"][..],
        &["users", "demote", "bob_name"],
        &["users", "ban", "bob_name", "--reason", "spam"],
        &["users", "unban", "bob_name"],
        &["users", "lock", "bob_name"],
        &["users", "unlock", "bob_name"],
        &["users", "revoke-sessions", "bob_name"],
        &["users", "refresh", "bob_name"],
    ] {
        told.both(&[change, &["--dry-run"]].concat()).await;
        told.both(&[change, &["--yes"]].concat()).await;
    }
    told.run(&["users", "demote", "ada_name", "--yes"]).await;
    told.run(&["users", "export", "bob_name", "--dry-run"]).await;
    told.run(&["users", "export", "bob_name", "--json"]).await;
    told.both(&["users", "erase", "bob_name", "--only-here", "--dry-run"]).await;
    told.answering("bob", &["users", "erase", "bob_name", "--only-here"]).await;
    told.run(&["users", "erase", "bob_name", "--only-here", "--yes"]).await;
    told.compare("users");
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

#[tokio::test]
async fn e_34_events_and_the_audit_trail_print_what_they_printed_before() {
    let app = with_events().await;
    let mut told = Transcript::beside(&app);
    told.both(&["events", "list", "--person", "user_ada"]).await;
    told.both(&["events", "show", "msg_1"]).await;
    told.both(&["events", "show", "msg_9"]).await;
    told.answering("no", &["events", "replay", "msg_1"]).await;
    told.both(&["events", "replay", "--person", "user_ada", "--dry-run"]).await;
    told.both(&["events", "replay", "msg_1", "msg_9", "--yes"]).await;
    let later = DateTime::from_millis(jiff::Timestamp::now().as_millisecond() + 3_600_000);
    let failed = doc! { "state": "failed", "dueAt": later, "decision": "attempt 1 failed: Clerk is away" };
    for id in ["msg_2", "msg_3"] {
        app.database.set("events", doc! { "_id": id }, failed.clone()).await;
    }
    let discard = ["events", "discard", "msg_2", "--reason", "of a test"];
    told.both(&[&discard[..], &["--dry-run"]].concat()).await;
    told.run(&[&discard[..], &["--yes"]].concat()).await;
    told.run(&["events", "discard", "msg_3", "--reason", "of a test", "--yes", "--json"]).await;
    told.run(&[&discard[..], &["--yes"]].concat()).await;
    told.compare("events");

    let mut told = Transcript::beside(&app);
    told.both(&["audit", "list"]).await;
    told.run(&["audit", "list", "--limit", "1"]).await;
    told.both(&["audit", "verify"]).await;
    app.database.set("audit", doc! { "_id": 2_i64 }, doc! { "actor": "cli:other" }).await;
    told.both(&["audit", "verify"]).await;
    told.compare("audit");
    app.finish().await;
}

#[tokio::test]
async fn e_34_jobs_and_the_webhook_print_what_they_printed_before() {
    let (app, receiver, key) = with_a_dead_job().await;
    let environment = with(&beside(&app), "ROLLCALL_WEBHOOK_URL", &receiver.url);
    let environment = with(&environment, "ROLLCALL_WEBHOOK_SECRET", SECRET);
    let mut told = Transcript::of(environment).naming(&key, "[the job]");
    told.both(&["jobs", "list"]).await;
    told.answering("no", &["jobs", "retry", &key]).await;
    told.both(&["jobs", "retry", &key, "--dry-run"]).await;
    told.both(&["jobs", "retry", "job:nobody", "--yes"]).await;
    told.both(&["jobs", "discard", &key, "--reason", "of a test", "--dry-run"]).await;
    told.run(&["jobs", "discard", &key, "--reason", "of a test", "--yes"]).await;
    told.both(&["jobs", "retry", &key, "--yes"]).await;
    told.compare("jobs");
    app.finish().await;
}

#[tokio::test]
async fn e_34_webhook_prints_what_it_printed_before() {
    let (app, receiver, _) = with_a_refused_webhook().await;
    let mut told = Transcript::beside(&app);
    told.run(&["webhook", "on", "--yes"]).await;
    told.compare("webhook_without_settings");
    let environment = with(&beside(&app), "ROLLCALL_WEBHOOK_URL", &receiver.url);
    let mut told = Transcript::of(with(&environment, "ROLLCALL_WEBHOOK_SECRET", SECRET));
    told.answering("no", &["webhook", "on"]).await;
    told.both(&["webhook", "on", "--dry-run"]).await;
    told.run(&["webhook", "on", "--yes", "--reason", "they are back"]).await;
    told.both(&["webhook", "on", "--yes"]).await;
    told.run(&["audit", "list"]).await;
    told.compare("webhook");
    app.finish().await;
}

#[tokio::test]
async fn e_34_sync_prints_what_it_printed_before() {
    let app = TestApp::with(Wishes { seed_users: 3, ..Wishes::default() }).await;
    let people = app.clerk.users();
    let id = |number: usize| people[number]["id"].as_str().expect("an id");
    let mut told = (0..3).fold(Transcript::beside(&app), |told, at| told.naming(id(at), &format!("user_{at}")));
    told.both(&["sync", "status"]).await;
    told.answering("no", &["sync", "backfill"]).await;
    told.run(&["sync", "catch-up", "--yes"]).await;
    told.both(&["sync", "backfill", "--dry-run"]).await;
    told.both(&["sync", "backfill", "--yes"]).await;
    told.both(&["sync", "prove"]).await;
    app.database.set("users", doc! { "clerkId": id(1) }, doc! { "firstName": "Wrong", "banned": true }).await;
    told.both(&["sync", "prove"]).await;
    told.both(&["sync", "reconcile", "--dry-run"]).await;
    told.run(&["sync", "reconcile", "--yes", "--reason", "of a test"]).await;
    told.run(&["sync", "reconcile", "--yes", "--allow-deletions", "--json"]).await;
    told.both(&["sync", "catch-up", "--yes"]).await;
    for command in ["pause", "resume", "cancel"] {
        told.both(&["sync", command, "--yes"]).await;
    }
    app.database.set("runs", doc! { "kind": "backfill" }, doc! { "state": "paused" }).await;
    for command in ["resume", "pause", "cancel"] {
        told.answering("no", &["sync", command]).await;
        told.both(&["sync", command, "--dry-run"]).await;
        told.run(&["sync", command, "--yes"]).await;
    }
    told.both(&["sync", "status"]).await;
    told.run(&["sync", "metadata", "--yes"]).await;
    told.compare("sync");
    app.finish().await;
}

#[tokio::test]
async fn a2_15_sync_metadata_prints_what_it_printed_before() {
    let variables = vec![("ROLLCALL_METADATA", "true".to_owned())];
    let app = TestApp::with(Wishes { variables, seed_users: 3, ..Wishes::default() }).await;
    app.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    let id = app.clerk.users()[2]["id"].as_str().expect("an id").to_owned();
    let environment = with(&beside(&app), "ROLLCALL_METADATA", "true");
    run(&["sync", "backfill", "--yes"], &environment).await.expect(0);
    app.jobs_settled().await;
    app.clerk.merge_metadata(&id, json!({ "public_metadata": { "userMongoId": null } }));
    let mut told = Transcript::of(environment).naming(&id, "user_2");
    told.answering("no", &["sync", "metadata"]).await;
    told.both(&["sync", "metadata", "--dry-run"]).await;
    told.both(&["sync", "metadata", "--user", &id, "--dry-run"]).await;
    told.run(&["sync", "metadata", "--yes"]).await;
    app.jobs_settled().await;
    told.both(&["sync", "metadata", "--yes"]).await;
    told.both(&["sync", "metadata", "--user", "nobody@example.com", "--yes"]).await;
    told.compare("sync_metadata");
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

#[tokio::test]
async fn e_34_inngest_prints_what_it_printed_before() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let variables = inngest.variables().into_iter();
    let on = variables.fold(beside(&app), |base, (name, value)| with(&base, name, &value));
    let mut told = Transcript::of(on);
    told.answering("no", &["inngest", "sync"]).await;
    told.both(&["inngest", "sync", "--dry-run"]).await;
    told.both(&["inngest", "sync", "--yes"]).await;
    inngest.answer("/fn/register", 401, json!({ "error": "no such key" }));
    told.both(&["inngest", "sync", "--yes"]).await;
    told.run(&["audit", "list"]).await;
    told.compare("inngest");
    app.finish().await;
}

#[tokio::test]
async fn e_34_doctor_secrets_and_simulate_print_what_they_printed_before() {
    let app = TestApp::new().await;
    let mut told = Transcript::of(nothing());
    told.both(&["doctor"]).await;
    told.compare("doctor_without_settings");
    let mut told = Transcript::beside(&app);
    told.both(&["doctor"]).await;
    told.compare("doctor");
    let mut told = Transcript::beside(&app);
    told.both(&["secrets"]).await;
    told.compare("secrets");
    let mut told = Transcript::beside(&app);
    told.answering("no", &["simulate", "signup"]).await;
    told.run(&["simulate", "signup", "--dry-run"]).await;
    told.both(&["simulate", "signup", "--yes", "--within", "10"]).await;
    told.compare("simulate");
    app.finish().await;
}

#[tokio::test]
async fn e_34_completions_and_servers_that_cannot_start_print_what_they_printed_before() {
    let mut told = Transcript::of(nothing());
    told.run(&["serve"]).await;
    told.run(&["dev", "--standin-addr", "nowhere"]).await;
    told.run(&["dev", "--seed-users", "many"]).await;
    told.run(&["completions", "cmd"]).await;
    told.run(&["completions", "fish"]).await;
    told.compare("servers_and_completions");
}
