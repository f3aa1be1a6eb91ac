//! Other systems are told of every change: signed, at least once, under one id.

use std::collections::BTreeSet;

use mongodb::bson::{DateTime, doc};
use rollcall::server::access::Admin;
use rollcall::server::accounts::Intent;
use rollcall::server::jobs::watch::check;
use rollcall::server::jobs::webhook::{find_off, turn_on};
use rollcall::server::settings::{DEFAULTS, Settings};
use serde_json::json;
use url::Url;

use crate::jobs::{cause, let_lease_run_out};
use crate::support::app::{TestApp, Wishes, variables};
use crate::support::eventually;
use crate::support::mongo::TestDatabase;
use crate::support::process::{free_port, start};
use crate::support::receiver::{Receiver, Reply, SECRET};
use crate::support::smtp::Smtp;

fn webhook_variables(receiver: &Receiver) -> Vec<(&'static str, String)> {
    vec![("ROLLCALL_WEBHOOK_URL", receiver.url.clone()), ("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned())]
}

async fn start_with(receiver: &Receiver) -> TestApp {
    TestApp::with(Wishes { variables: webhook_variables(receiver), ..Wishes::default() }).await
}

#[tokio::test]
async fn c_8_every_change_arrives_signed_and_a_repetition_keeps_its_id() {
    let receiver = Receiver::replying(&[Reply::Status(500)]).await;
    let app = start_with(&receiver).await;
    let id = app.person(json!({ "email_address": ["ada@example.com"], "first_name": "Ada" })).await;
    app.jobs_settled().await;
    let calls = receiver.received();
    assert_eq!(calls.len(), 2, "once refused, once taken");
    assert_eq!(calls[0].id(), calls[1].id());
    let body = calls[1].verified();
    assert_eq!((body["type"].as_str(), body["data"]["clerkId"].as_str()), (Some("user.created"), Some(id.as_str())));
    app.clerk.update_user(&id, json!({ "first_name": "Grace" }));
    app.clerk.delete_user(&id);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    app.jobs_settled().await;
    let kinds: BTreeSet<String> =
        receiver.received().iter().filter_map(|one| Some(one.verified()["type"].as_str()?.to_owned())).collect();
    assert!(kinds.contains("user.deleted"), "{kinds:?}");
    for job in app.database.all("jobs").await {
        assert!(!job.contains_key("body"), "what was sent is not kept: {job}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d2_13_retry_after_is_obeyed_and_a_redirect_is_not_followed() {
    let receiver = Receiver::replying(&[Reply::Later(429, 2), Reply::Redirect]).await;
    let app = start_with(&receiver).await;
    let before = jiff::Timestamp::now();
    app.person(json!({ "email_address": ["ada@example.com"] })).await;
    app.jobs_settled().await;
    assert_eq!(receiver.received().len(), 3);
    assert!(jiff::Timestamp::now().duration_since(before).as_millis() >= 2_000);
    app.finish().await;
}

/// The alert that the receiver is gone: whether it is open.
async fn is_reported(app: &TestApp) -> bool {
    let alerts = app.database.all("alerts").await;
    let alert = alerts.iter().find(|alert| alert.get_str("_id").ok() == Some("endpoint-gone"));
    alert.is_some_and(|alert| alert.get_str("state").ok() == Some("open"))
}

async fn add_person(app: &TestApp, name: &str) {
    app.person(json!({ "email_address": [format!("{name}@example.com")] })).await;
    app.jobs_settled().await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_for_good_is_switched_off_until_somebody_turns_it_on() {
    let receiver = Receiver::replying(&[Reply::Status(410)]).await;
    let app = start_with(&receiver).await;
    add_person(&app, "ada").await;
    let job = app.database.all("jobs").await.remove(0);
    assert_eq!((job.get_str("state").ok(), cause(&job)), (Some("dead"), "answered with 410: gone for good"));
    assert!(is_reported(&app).await);
    // Nothing more is sent, here or by another process, and it stays reported however long it is quiet.
    app.second_process().await;
    add_person(&app, "bea").await;
    assert_eq!(receiver.received().len(), 1);
    let causes: BTreeSet<String> = app.database.all("jobs").await.iter().map(|job| cause(job).to_owned()).collect();
    assert!(causes.contains("the endpoint is switched off: it answered 410"), "{causes:?}");
    app.database.set("alerts", doc! { "_id": "endpoint-gone" }, doc! { "lastSeenAt": DateTime::from_millis(0) }).await;
    check(&app.state, jiff::Timestamp::now()).await.expect("a look");
    assert!(is_reported(&app).await);
    // The address may hold a secret.
    let stored = format!("{:?}", app.database.all("endpoints").await);
    assert!(stored.contains("sha256:") && !stored.contains("/hook"), "{stored}");

    let url = &app.state.settings.effects.webhook.as_ref().expect("configured").url;
    let (keeper, intent) = (Admin::at_console("keeper".to_owned()), Intent::default());
    assert!(turn_on(&app.state, &keeper, url, &intent).await.expect("MongoDB").is_some());
    assert!(turn_on(&app.state, &keeper, url, &intent).await.expect("MongoDB").is_none(), "it is on");
    check(&app.state, jiff::Timestamp::now()).await.expect("a look");
    assert!(!is_reported(&app).await, "it is over");
    add_person(&app, "eve").await;
    assert_eq!(receiver.received().len(), 2);
    app.finish().await;
}

#[tokio::test]
async fn a_webhook_with_another_address_is_on() {
    let (gone, other) = (Receiver::replying(&[Reply::Status(410)]).await, Receiver::replying(&[]).await);
    let app = start_with(&gone).await;
    add_person(&app, "ada").await;
    let variables = variables(&app.clerk, &app.database.uri, &app.url).with(webhook_variables(&other));
    let settings = Settings::load(DEFAULTS, &variables).expect("settings");
    let webhook = |settings: &Settings| settings.effects.webhook.as_ref().expect("configured").url.clone();
    let is_off = async |url: Url| find_off(&app.state.store, &url).await.expect("MongoDB").is_some();
    assert!(is_off(webhook(&app.state.settings)).await);
    assert!(!is_off(webhook(&settings)).await);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_04_killed_during_the_call_it_is_made_again_under_the_same_id() {
    let receiver = Receiver::replying(&[Reply::Silence]).await;
    let clerk = rollcall::standin::Standin::start(rollcall::standin::Options::default()).await.expect("the stand-in");
    let database = TestDatabase::new().await;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let environment = variables(&clerk, &database.uri, &url).with(webhook_variables(&receiver));
    let mut server = start(port, &environment).await;
    clerk.set_webhook_target(&format!("{url}/api/webhooks/clerk"));
    clerk.create_user(json!({ "email_address": ["ada@example.com"] }));
    eventually("the call is made", || async {
        if receiver.received().len() == 1 { Ok(()) } else { Err("no call".to_owned()) }
    })
    .await;
    server.kill();
    let mut server = start(port, &environment).await;
    let_lease_run_out(&database, receiver.received()[0].id()).await;
    eventually("the call is made again", || async {
        match receiver.received().len() {
            2 => Ok(()),
            calls => Err(format!("{calls} calls")),
        }
    })
    .await;
    assert_eq!(receiver.received()[0].id(), receiver.received()[1].id());
    crate::jobs::job_in(&database, receiver.received()[0].id(), "done").await;
    server.kill();
    clerk.stop().await;
    database.drop().await;
}

#[tokio::test]
async fn c_8_two_processes_carry_out_each_effect_once() {
    let (receiver, smtp) = (Receiver::replying(&[]).await, Smtp::start().await);
    let mut variables = webhook_variables(&receiver);
    variables.extend([
        ("ROLLCALL_METADATA", "true".to_owned()),
        ("ROLLCALL_SMTP_URL", smtp.url.clone()),
        ("ROLLCALL_MAIL_FROM", "app@example.com".to_owned()),
        ("ROLLCALL_WELCOME", "true".to_owned()),
    ]);
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let second = app.second_process().await;
    for index in 0..30 {
        app.clerk.create_user(json!({ "email_address": [format!("p{index}@example.com")] }));
        second.wake.notify_one();
    }
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    app.jobs_settled().await;
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    let recipients: BTreeSet<String> = smtp.mails().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!((smtp.mails().len(), recipients.len()), (30, 30));
    let calls: Vec<String> = receiver.received().iter().map(|one| one.id().to_owned()).collect();
    let ids: BTreeSet<&String> = calls.iter().collect();
    assert_eq!(calls.len(), ids.len(), "each message once");
    assert_eq!(app.database.count("jobs", doc! { "kind": "webhook" }).await, calls.len() as u64);
    let echoes = app.clerk.deliveries().iter().filter(|delivery| delivery.kind == "user.updated").count();
    assert_eq!(echoes, 30, "one write at Clerk for each person");
    app.finish().await;
}
