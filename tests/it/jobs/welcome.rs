//! The welcome mail: once per person for ever.

use mongodb::bson::{DateTime, doc};
use rollcall::server::health::{Verdict, examine};
use serde_json::json;

use crate::jobs::{cause, job_in, job_tried, let_lease_run_out};
use crate::support::app::{TestApp, Wishes, variables};
use crate::support::delivery::user_event;
use crate::support::eventually;
use crate::support::mongo::TestDatabase;
use crate::support::process::{free_port, start};
use crate::support::receiver::SECRET;
use crate::support::smtp::Smtp;

fn mail_variables(url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("ROLLCALL_SMTP_URL", url.to_owned()),
        ("ROLLCALL_MAIL_FROM", "Our App <app@example.com>".to_owned()),
        ("ROLLCALL_WELCOME", "true".to_owned()),
        ("ROLLCALL_WELCOME_SUBJECT", "Welcome aboard".to_owned()),
    ]
}

async fn start_with(url: &str) -> TestApp {
    TestApp::with(Wishes { variables: mail_variables(url), ..Wishes::default() }).await
}

fn key(id: &str) -> String {
    format!("welcome:{id}")
}

#[tokio::test]
async fn a2_35_a3_15_a3_23_a_newcomer_is_greeted_once_however_often_the_event_comes() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp.url).await;
    let id = app.person(json!({ "email_address": ["ada@example.com"], "first_name": "Ada \n<b>" })).await;
    job_in(&app.database, &key(&id), "done").await;
    let job = app.database.job(&key(&id)).await.expect("a job");
    assert_eq!(job.get_str("to").ok(), Some("a•••@example.com"), "whoever has that address now");
    let mails = smtp.mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!((mail.from.as_str(), &mail.to[..]), ("app@example.com", &["ada@example.com".to_owned()][..]));
    for part in [
        "Subject: Welcome aboard",
        "From: \"Our App\" <app@example.com>",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "Hello Ada <b>,",
        "Hello Ada &lt;b&gt;,",
        "You signed up as ada@example.com",
        "/profile",
    ] {
        assert!(mail.text.contains(part), "{part} is not in {}", mail.text);
    }
    // The same event again, the same under another id, another process, an update.
    let delivery = app.clerk.deliveries().into_iter().find(|delivery| delivery.user_id == id).expect("a delivery");
    assert!(app.clerk.resend(&delivery.svix_id));
    app.deliver("msg_again", &serde_json::from_str(&delivery.body).expect("JSON")).await;
    let second = app.second_process().await;
    app.clerk.update_user(&id, json!({ "first_name": "Grace" }));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    app.jobs_settled().await;
    assert_eq!(smtp.mails().len(), 1);
    drop(second);
    app.finish().await;
}

#[tokio::test]
async fn a_mail_server_that_is_down_is_waited_for() {
    let port = free_port();
    let app = start_with(&format!("smtp://127.0.0.1:{port}")).await;
    let id = app.person(json!({ "email_address": ["ada@example.com"] })).await;
    let job = job_tried(&app.database, &key(&id), 1).await;
    assert_eq!(cause(&job), "the mail server is away (no connection)");
    let smtp = Smtp::listen(port).await;
    job_in(&app.database, &key(&id), "done").await;
    assert_eq!(smtp.mails().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn c_12_doctor_says_whether_the_mail_server_answers_and_where_changes_go() {
    let port = free_port();
    let mut variables = mail_variables(&format!("smtp://127.0.0.1:{port}"));
    variables.push(("ROLLCALL_WEBHOOK_URL", "http://hooks.example.com/users".to_owned()));
    variables.push(("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned()));
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let verdict = async |check: &str| {
        let findings = examine(&app.state.settings, &app.state.store, &app.state.clerk, &app.state.sender).await;
        findings.into_iter().find(|finding| finding.check == check).expect("a finding").verdict
    };
    assert_eq!(verdict("mail").await, Verdict::Bad);
    let _smtp = Smtp::listen(port).await;
    assert_eq!(verdict("mail").await, Verdict::Good);
    assert_eq!(verdict("outgoing webhook").await, Verdict::Warning, "it is not encrypted");
    assert_eq!(verdict("indexes").await, Verdict::Good);
    app.finish().await;
}

#[tokio::test]
async fn a_refusal_is_kept_by_its_code_and_what_may_pass_is_tried_again() {
    let smtp = Smtp::start().await;
    let app = start_with(&smtp.url).await;
    smtp.refuse_next("550 5.1.1 ada@example.com is nobody here");
    let id = app.person(json!({ "email_address": ["ada@example.com"] })).await;
    let job = job_in(&app.database, &key(&id), "dead").await;
    assert_eq!(cause(&job), "the mail server refused the message (550)");
    smtp.refuse_next("451 4.7.1 later, please");
    let id = app.person(json!({ "email_address": ["bea@example.com"] })).await;
    job_in(&app.database, &key(&id), "done").await;
    assert_eq!(smtp.mails().len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn old_hands_the_deleted_and_people_without_an_address_get_none() {
    let port = free_port();
    let app = start_with(&format!("smtp://127.0.0.1:{port}")).await;
    let deleted = app.person(json!({ "email_address": ["ada@example.com"] })).await;
    job_tried(&app.database, &key(&deleted), 1).await;
    app.clerk.delete_user(&deleted);
    eventually("the deletion arrives", || async {
        let user = app.database.user(&deleted).await.expect("a document");
        if user.get_datetime("deletedAt").is_ok() { Ok(()) } else { Err("still there".to_owned()) }
    })
    .await;
    let smtp = Smtp::listen(port).await;
    app.database.set("jobs", doc! { "_id": key(&deleted) }, doc! { "dueAt": DateTime::from_millis(0) }).await;
    assert_eq!(cause(&job_in(&app.database, &key(&deleted), "done").await), "deleted meanwhile");
    let mute = app.person(json!({ "username": "nomail", "email_address": [] })).await;
    assert_eq!(cause(&job_in(&app.database, &key(&mute), "done").await), "no address");
    app.deliver("msg_old", &user_event("user.created", "user_old", "Old", 1_760_000_000_000)).await;
    app.settled().await;
    app.jobs_settled().await;
    assert!(app.database.job(&key("user_old")).await.is_none(), "joined long ago");
    assert_eq!(smtp.mails().len(), 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_04_c_8_killed_between_sending_and_its_record_the_mail_is_flagged_and_not_sent_twice() {
    let smtp = Smtp::start().await;
    smtp.be_mute(true);
    let clerk = rollcall::standin::Standin::start(rollcall::standin::Options::default()).await.expect("the stand-in");
    let database = TestDatabase::new().await;
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let environment = variables(&clerk, &database.uri, &url).with(mail_variables(&smtp.url));
    let mut server = start(port, &environment).await;
    clerk.set_webhook_target(&format!("{url}/api/webhooks/clerk"));
    let id =
        clerk.create_user(json!({ "email_address": ["ada@example.com"] }))["id"].as_str().expect("an id").to_owned();
    eventually("the mail is handed over", || async {
        if smtp.mails().len() == 1 { Ok(()) } else { Err("no mail".to_owned()) }
    })
    .await;
    server.kill();
    smtp.be_mute(false);
    let marked = database.job(&key(&id)).await.expect("a job");
    assert!(marked.get_datetime("sendingAt").is_ok(), "{marked}");
    let mut server = start(port, &environment).await;
    let_lease_run_out(&database, &key(&id)).await;
    let job = job_in(&database, &key(&id), "unsure").await;
    assert_eq!(cause(&job), "it may have been sent: the process ended before it could say");
    assert_eq!(smtp.mails().len(), 1);
    server.kill();
    clerk.stop().await;
    database.drop().await;
}
