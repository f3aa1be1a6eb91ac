//! The audit trail: what gets into it, by how many at once, and how each way of tampering shows (D7-06).

use std::time::Duration;

use mongodb::bson::doc;
use rollcall::model::audit::{Action, Actor, Fact, Source};
use rollcall::server::access::Admin;
use rollcall::server::state::AppState;
use rollcall::server::store::audit::{Broken, Trail};
use rollcall::server::trail;
use serde_json::json;

use crate::support::app::TestApp;

fn fact(subject: &str) -> Fact {
    Fact {
        actor: Actor { id: "cli:keeper".to_owned(), impersonator: None, session: None, source: Source::Cli },
        action: Action::Ban,
        subject: subject.to_owned(),
        before: None,
        after: None,
        reason: Some("a test".to_owned()),
    }
}

async fn append(state: &AppState, subject: &str) {
    state.store.audit.append(&fact(subject)).await.expect("appended");
}

async fn verified(app: &TestApp) -> Trail {
    app.state.store.audit.verify().await.expect("followed")
}

fn holds(entries: i64) -> Trail {
    Trail { left: 0, entries, broken: None }
}

fn breaks(number: i64, cause: &'static str) -> Trail {
    Trail { left: 0, entries: number - 1, broken: Some(Broken { number, cause }) }
}

#[tokio::test]
async fn d7_06_a_role_change_over_the_api_says_who_what_whom_before_after_and_from_where() {
    let app = TestApp::new().await;
    let admin = json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } });
    let admin = app.person(admin).await;
    let member = app.person(json!({ "email_address": ["m@example.com"] })).await;
    let give = |role: &str| {
        let url = app.at(&format!("/api/users/{member}/role"));
        app.client.patch(url).bearer_auth(app.token(&admin)).json(&json!({ "role": role })).send()
    };
    for (role, status) in [("moderator", 200), ("moderator", 200), ("user", 200)] {
        assert_eq!(give(role).await.expect("an answer").status(), status);
    }
    let own = app.at(&format!("/api/users/{admin}/role"));
    let refused = app.client.patch(own).bearer_auth(app.token(&admin)).json(&json!({ "role": "user" })).send().await;
    assert_eq!(refused.expect("an answer").status(), 422);
    let entries = app.state.store.audit.list_about(&member).await.expect("entries");
    let told: Vec<_> = entries.iter().map(|entry| (entry.before.as_deref(), entry.after.as_deref())).collect();
    assert_eq!(
        told,
        [(Some("user"), Some("moderator")), (Some("moderator"), Some("user"))],
        "what changed, and no more"
    );
    let entry = &entries[0];
    assert_eq!((entry.actor.as_str(), entry.action.as_str(), entry.source.as_str()), (&*admin, "change_role", "web"));
    assert!(entry.session.as_ref().is_some_and(|session| session.starts_with("sess_")), "{entry:?}");
    assert_eq!(app.database.count("audit", doc! {}).await, 2);
    let text = format!("{:?}", app.database.all("audit").await);
    assert!(!text.contains("example.com"), "something personal: {text}");
    assert_eq!(verified(&app).await, holds(2));
    app.finish().await;
}

#[tokio::test]
async fn d7_06_a_verification_says_until_when_and_one_that_takes_too_long_for_a_page_names_the_command() {
    let app = TestApp::new().await;
    append(&app.state, "user_1").await;
    append(&app.state, "user_2").await;
    let last = app.state.store.audit.find(2).await.expect("read").expect("an entry");
    let keeper = Admin::at_console("keeper".to_owned());
    let remembered = async || app.state.store.audit.find_verification().await.expect("read");
    let refused = trail::verify_within(&app.state, &keeper, Duration::ZERO).await.expect_err("no time");
    assert!(format!("{refused:?}").contains("rollcall audit verify"), "{refused:?}");
    assert_eq!(remembered().await, None, "what was not followed to its end is not remembered");
    let said = trail::verify_within(&app.state, &keeper, Duration::from_secs(20)).await.expect("it holds");
    assert_eq!(said, format!("2 entries, and the chain is unbroken. The last is of {}.", last.at));
    let last = remembered().await.expect("a verification");
    assert_eq!((last.by.as_str(), last.until, last.cause), ("cli:keeper", 2, None));
    app.finish().await;
}

#[tokio::test]
async fn d7_06_many_writers_in_several_processes_make_one_chain() {
    let app = TestApp::new().await;
    let other = app.second_process().await;
    let writers = (0..30).map(|turn| {
        let state = if turn % 2 == 0 { &app.state } else { &other };
        async move { append(state, &format!("user_{turn}")).await }
    });
    futures::future::join_all(writers).await;
    assert_eq!(verified(&app).await, holds(30));
    for turn in 0..30 {
        assert_eq!(app.database.count("audit", doc! { "subject": format!("user_{turn}") }).await, 1);
    }
    app.finish().await;
}

#[tokio::test]
async fn d7_06_edits_removals_and_exchanges_are_found_where_they_are() {
    let app = TestApp::new().await;
    for turn in 1..=5 {
        append(&app.state, &format!("user_{turn}")).await;
    }
    let second = app.database.find("audit", doc! { "_id": 2_i64 }).await.expect("an entry");
    let third = app.database.find("audit", doc! { "_id": 3_i64 }).await.expect("an entry");
    let last = app.database.find("audit", doc! { "_id": 5_i64 }).await.expect("an entry");

    app.database.set("audit", doc! { "_id": 2_i64 }, doc! { "subject": "user_other" }).await;
    assert_eq!(verified(&app).await, breaks(2, "it was changed"));
    app.database.remove("audit", doc! { "_id": 2_i64 }).await;
    assert_eq!(verified(&app).await, breaks(2, "it is missing"));
    app.database.remove("audit", doc! { "_id": 3_i64 }).await;
    let mut moved = second.clone();
    moved.insert("_id", 3_i64);
    app.database.insert("audit", moved).await;
    let mut moved = third.clone();
    moved.insert("_id", 2_i64);
    app.database.insert("audit", moved).await;
    assert_eq!(verified(&app).await, breaks(2, "it does not follow the entry before it"));

    app.database.remove("audit", doc! { "_id": { "$in": [2_i64, 3_i64] } }).await;
    app.database.insert("audit", second).await;
    app.database.insert("audit", third).await;
    assert_eq!(verified(&app).await, holds(5), "as it was");
    app.database.remove("audit", doc! { "_id": 5_i64 }).await;
    assert_eq!(verified(&app).await, breaks(5, "it is missing, as is everything after it"));
    app.database.insert("audit", last.clone()).await;
    let mut forged = last;
    forged.insert("_id", 6_i64);
    app.database.insert("audit", forged).await;
    assert_eq!(verified(&app).await, breaks(6, "it does not follow the entry before it"));
    app.finish().await;
}
