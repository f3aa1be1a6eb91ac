//! `rollcall jobs`: what was given up is tried again, or shall not happen.

use mongodb::bson::{DateTime, doc};
use serde_json::json;

use super::{Ended, beside, operator, run, with};
use crate::support::app::{TestApp, Wishes};
use crate::support::receiver::{Receiver, Reply, SECRET};

async fn jobs(app: &TestApp, arguments: &[&str]) -> Ended {
    run(&[&["jobs"], arguments].concat(), &beside(app)).await
}

async fn state_of(app: &TestApp, key: &str) -> String {
    app.database.job(key).await.expect("a job").get_str("state").expect("a state").to_owned()
}

/// The same, and the webhook, which switched itself off by that, is on again.
pub async fn with_a_dead_job() -> (TestApp, Receiver, String) {
    let (app, receiver, key) = with_a_refused_webhook().await;
    let environment = with(&beside(&app), "ROLLCALL_WEBHOOK_URL", &receiver.url);
    run(&["webhook", "on", "--yes"], &with(&environment, "ROLLCALL_WEBHOOK_SECRET", SECRET)).await.expect(0);
    (app, receiver, key)
}

/// An application whose receiver refuses its first message for good, and the key of the job that was given up over it.
pub async fn with_a_refused_webhook() -> (TestApp, Receiver, String) {
    let receiver = Receiver::replying(&[Reply::Status(410)]).await;
    let variables =
        vec![("ROLLCALL_WEBHOOK_URL", receiver.url.clone()), ("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    app.person(json!({ "email_address": ["ada@example.com"] })).await;
    app.jobs_settled().await;
    let dead = app.database.find("jobs", doc! { "state": "dead" }).await.expect("a dead job");
    let key = dead.get_str("_id").expect("a key").to_owned();
    (app, receiver, key)
}

#[tokio::test]
async fn jobs_list_filters_and_shows_nothing_that_they_carry() {
    let (app, _receiver, key) = with_a_dead_job().await;
    let listed = jobs(&app, &["list"]).await.expect(0);
    listed.says(&["dead", &key, "1 attempt"]);
    assert!(!listed.out.contains("ada@example.com"), "{}", listed.out);
    for (filter, count) in [
        (&["--state", "dead"][..], 1),
        (&["--state", "waiting"], 0),
        (&["--kind", "webhook"], 1),
        (&["--kind", "welcome"], 0),
    ] {
        let rows = jobs(&app, &[&["list", "--json"], filter].concat()).await.expect(0).json();
        assert_eq!(rows["jobs"].as_array().expect("jobs").len(), count, "{filter:?}");
    }
    jobs(&app, &["list", "--state", "lost"]).await.expect(2).says(&["discarded"]);
    app.finish().await;
}

#[tokio::test]
async fn d7_07_jobs_retry_begins_again_and_is_audited() {
    let (app, receiver, key) = with_a_dead_job().await;
    jobs(&app, &["retry", &key]).await.expect(2).says(&[&format!("Try {key} again? [yes/no]"), "not confirmed"]);
    jobs(&app, &["retry", &key, "--dry-run"]).await.expect(0).says(&["would be waiting", &key]);
    assert_eq!(state_of(&app, &key).await, "dead");
    jobs(&app, &["retry", &key, "job:nobody", "--yes"]).await.expect(1).says(&["This job was not found."]);
    app.jobs_settled().await;
    assert_eq!((state_of(&app, &key).await.as_str(), receiver.received().len()), ("done", 2));
    jobs(&app, &["retry", &key, "--yes"]).await.expect(1).says(&[&format!("{key}: It is done.")]);
    let entries = app.state.store.audit.list_about(&key).await.expect("entries");
    let told: Vec<_> =
        entries.iter().map(|entry| (entry.actor.as_str(), entry.action.as_str(), entry.before.as_deref())).collect();
    assert_eq!(told, [(operator(), "retry_job", Some("dead"))]);
    app.finish().await;
}

#[tokio::test]
async fn jobs_retry_all_dead_takes_those_of_one_kind() {
    let (app, receiver, key) = with_a_dead_job().await;
    let nothing = jobs(&app, &["retry", "--all-dead", "--kind", "welcome"]).await.expect(0);
    nothing.says(&["no job was given up: nothing is to be done"]);
    assert_eq!(state_of(&app, &key).await, "dead");
    let retried = jobs(&app, &["retry", "--all-dead", "--kind", "webhook", "--yes", "--json"]).await.expect(0).json();
    assert_eq!((&retried["jobs"][0]["id"], &retried["jobs"][0]["state"]), (&json!(key), &json!("waiting")));
    app.jobs_settled().await;
    assert_eq!(receiver.received().len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn e_34_of_more_jobs_than_one_command_takes_it_says_that_there_are_more() {
    let (app, _receiver, key) = with_a_dead_job().await;
    let one = app.database.job(&key).await.expect("a job");
    for number in 0..1_000 {
        let mut another = one.clone();
        another.insert("_id", format!("{key}:{number}"));
        app.database.insert("jobs", another).await;
    }
    let asked = jobs(&app, &["retry", "--all-dead"]).await.expect(2);
    asked.says(&["Try the newest 1000 jobs again? There are more. [yes/no]"]);
    let told = jobs(&app, &["retry", "--all-dead", "--dry-run", "--json"]).await.expect(1);
    told.says(&["there are more: the same again takes them"]);
    let told = told.json();
    assert_eq!(told["jobs"].as_array().map(Vec::len), Some(1_000));
    assert_eq!((&told["hasMore"], &told["dryRun"]), (&json!(true), &json!(true)));
    app.finish().await;
}

#[tokio::test]
async fn d7_07_jobs_discard_wants_a_reason_and_ends_a_job_for_ever() {
    let (app, receiver, key) = with_a_dead_job().await;
    jobs(&app, &["discard", &key, "--yes"]).await.expect(2).says(&["--reason"]);
    jobs(&app, &["discard", &key, "--reason", "gone"]).await.expect(2).says(&[&format!("Discard {key}?")]);
    jobs(&app, &["discard", &key, "--reason", "gone", "--dry-run"]).await.expect(0).says(&["would be discarded"]);
    assert_eq!(state_of(&app, &key).await, "dead");
    jobs(&app, &["discard", &key, "--reason", "gone", "--yes"]).await.expect(0).says(&["discarded", &key]);
    let job = app.database.job(&key).await.expect("its key stays");
    assert_eq!((job.get_str("state").ok(), job.get_str("body").ok()), (Some("discarded"), None));
    assert!(job.get_datetime("expiresAt").is_ok(), "{job}");
    jobs(&app, &["retry", &key, "--yes"]).await.expect(1).says(&["It was discarded."]);
    let entry = app.state.store.audit.list_about(&key).await.expect("entries").pop().expect("an entry");
    assert_eq!((entry.action.as_str(), entry.reason.as_deref()), ("discard_job", Some("gone")));
    assert_eq!(receiver.received().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a_job_that_is_being_worked_on_is_left_alone() {
    let (app, _receiver, key) = with_a_dead_job().await;
    let until = DateTime::from_millis(jiff::Timestamp::now().as_millisecond() + 60_000);
    app.database.set("jobs", doc! { "_id": &key }, doc! { "leaseOwner": "another", "leaseUntil": until }).await;
    jobs(&app, &["retry", &key, "--yes"]).await.expect(1).says(&["It is being worked on at this moment."]);
    assert!(app.state.store.audit.list_about(&key).await.expect("entries").is_empty());
    app.finish().await;
}
