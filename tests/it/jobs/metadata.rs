//! The role's way to Clerk and back.

use std::time::Duration;

use mongodb::bson::{DateTime, Document, doc};
use rollcall::server::jobs::metadata::push_role;
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use crate::jobs::{cause, job_in, job_tried};
use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::deleted_event;
use crate::support::{eventually, eventually_within};

async fn start() -> TestApp {
    TestApp::with(Wishes { variables: vec![("ROLLCALL_METADATA", "true".to_owned())], ..Wishes::default() }).await
}

/// A person whose metadata has arrived at Clerk, echo included.
async fn settled_person(app: &TestApp) -> String {
    let id = app.person(json!({ "email_address": ["ada@example.com"], "first_name": "Ada" })).await;
    job_in(&app.database, &key(&id), "done").await;
    app.quiet().await;
    id
}

fn key(id: &str) -> String {
    format!("metadata:{id}")
}

fn metadata(app: &TestApp, id: &str) -> Value {
    app.clerk.user(id).expect("a user")["public_metadata"].clone()
}

/// Every change at Clerk sends one, so these count our writes.
fn updates(app: &TestApp, id: &str) -> usize {
    let of_person =
        |delivery: &&rollcall::standin::webhooks::Delivery| delivery.user_id == id && delivery.kind == "user.updated";
    app.clerk.deliveries().iter().filter(of_person).count()
}

/// What `set_role` does to the document.
async fn set_role_here(app: &TestApp, id: &str, role: &str) {
    let etag = mongodb::bson::oid::ObjectId::new();
    let fields = doc! { "role": role, "rolePending": true, "etag": etag };
    app.database.set("users", doc! { "clerkId": id }, fields).await;
    let user = app.state.store.users.find(id).await.expect("a query").expect("a person");
    push_role(&app.state, &user).await.expect("asked for");
}

#[tokio::test]
async fn a2_07_a4_31_our_id_and_the_role_reach_clerk_with_one_write_and_one_echo() {
    let app = start().await;
    let id = settled_person(&app).await;
    let user = app.database.user(&id).await.expect("a document");
    let mongo_id = user.get_object_id("_id").expect("an id").to_hex();
    assert_eq!(metadata(&app, &id), json!({ "userMongoId": mongo_id, "role": "user", "isAdmin": false }));
    assert_eq!(updates(&app, &id), 1, "D2-37: one write, one echo, no loop");
    assert_eq!(app.database.count("jobs", doc! {}).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn d2_37_what_is_there_already_is_not_written_again() {
    let app = start().await;
    let id = settled_person(&app).await;
    app.clerk.merge_metadata(&id, json!({ "public_metadata": { "plan": "gold" } }));
    app.quiet().await;
    let before = updates(&app, &id);
    let user = app.state.store.users.find(&id).await.expect("a query").expect("a person");
    push_role(&app.state, &user).await.expect("asked for");
    app.jobs_settled().await;
    let job = job_in(&app.database, &key(&id), "done").await;
    assert_eq!(cause(&job), "was there already");
    assert_eq!(updates(&app, &id), before);
    assert_eq!(metadata(&app, &id)["plan"], "gold", "others' keys stay");
    app.finish().await;
}

#[tokio::test]
async fn a2_08_a2_09_a2_29_d2_14_clerk_away_fails_no_webhook_and_is_made_up_for() {
    let app = start().await;
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..app.clerk.levers() });
    let id = app.person(json!({ "email_address": ["ada@example.com"] })).await;
    let job = job_tried(&app.database, &key(&id), 1).await;
    assert_eq!((job.get_str("state").ok(), cause(&job)), (Some("waiting"), "Clerk is away"));
    app.clerk.set_levers(Levers::default());
    job_in(&app.database, &key(&id), "done").await;
    assert_eq!(metadata(&app, &id)["role"], "user");
    app.quiet().await;
    app.finish().await;
}

#[tokio::test]
async fn d2_13_clerk_is_left_alone_for_as_long_as_it_asks() {
    let app = start().await;
    app.clerk.set_levers(Levers { bapi_status: Some(429), retry_after_s: 3, ..app.clerk.levers() });
    let before = jiff::Timestamp::now();
    let id = app.person(json!({ "email_address": ["ada@example.com"] })).await;
    let job = job_tried(&app.database, &key(&id), 1).await;
    let due_ms = job.get_datetime("dueAt").expect("a time").timestamp_millis();
    assert!(due_ms >= before.as_millisecond() + 3_000, "{job}");
    assert_eq!(job.get_i32("attempts").ok(), Some(1), "no hot loop");
    app.clerk.set_levers(Levers::default());
    job_in(&app.database, &key(&id), "done").await;
    assert!(jiff::Timestamp::now().as_millisecond() >= due_ms);
    app.quiet().await;
    app.finish().await;
}

#[tokio::test]
async fn d2_38_a_role_set_while_clerk_is_down_survives_and_arrives() {
    let app = start().await;
    let id = settled_person(&app).await;
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..app.clerk.levers() });
    set_role_here(&app, &id, "admin").await;
    job_tried(&app.database, &key(&id), 1).await;
    // Clerk says something newer that still shows the old role.
    app.clerk.update_user(&id, json!({ "first_name": "Grace" }));
    eventually("the newer name arrives", || async {
        let user = app.database.user(&id).await.expect("a document");
        if user.get_str("firstName").ok() == Some("Grace") { Ok(()) } else { Err(user.to_string()) }
    })
    .await;
    let user = app.database.user(&id).await.expect("a document");
    assert_eq!((user.get_str("role").ok(), user.get_bool("rolePending").ok()), (Some("admin"), Some(true)));
    app.clerk.set_levers(Levers::default());
    // As time passes: what was tried several times would wait half a minute.
    app.database.set("jobs", doc! { "_id": key(&id) }, doc! { "dueAt": DateTime::from_millis(0) }).await;
    job_in(&app.database, &key(&id), "done").await;
    app.quiet().await;
    let user = app.database.user(&id).await.expect("a document");
    assert_eq!((user.get_str("role").ok(), user.get_bool("rolePending").ok()), (Some("admin"), Some(false)));
    assert_eq!(
        (metadata(&app, &id)["role"].as_str(), metadata(&app, &id)["isAdmin"].as_bool()),
        (Some("admin"), Some(true))
    );
    app.finish().await;
}

#[tokio::test]
async fn design_2_5_a_role_given_in_clerks_dashboard_is_not_undone_by_a_push_of_ours() {
    let app = start().await;
    let id = settled_person(&app).await;
    app.clerk.set_levers(Levers { paused: true, ..app.clerk.levers() });
    app.clerk.merge_metadata(&id, json!({ "public_metadata": { "role": "moderator" } }));
    let user = app.state.store.users.find(&id).await.expect("a query").expect("a person");
    push_role(&app.state, &user).await.expect("asked for");
    app.jobs_settled().await;
    assert_eq!(metadata(&app, &id)["role"], "moderator");
    assert_eq!(app.database.user(&id).await.expect("there").get_str("role").ok(), Some("moderator"));
    app.clerk.set_levers(Levers::default());
    app.quiet().await;
    assert_eq!(app.database.user(&id).await.expect("there").get_str("role").ok(), Some("moderator"));
    app.finish().await;
}

#[tokio::test]
async fn d2_13_a_role_that_is_changed_again_and_again_is_written_no_more_often_than_clerk_takes_it() {
    let variables = vec![("ROLLCALL_METADATA", "true".to_owned())];
    let app = TestApp::with(Wishes { variables, clerk_limits: true, ..Wishes::default() }).await;
    let second = app.second_process().await;
    let id = settled_person(&app).await;
    let (before, started) = (updates(&app, &id), std::time::Instant::now());
    for turn in 0..60 {
        let role = if turn % 2 == 0 { "admin" } else { "moderator" };
        set_role_here(&app, &id, role).await;
        let user = second.store.users.find(&id).await.expect("a query").expect("a person");
        push_role(if turn % 2 == 0 { &app.state } else { &second }, &user).await.expect("asked for");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    app.quiet().await;
    let written = updates(&app, &id) - before;
    let most = usize::try_from(started.elapsed().as_secs()).expect("seconds") + 2;
    // Whoever finds Clerk saying so already writes nothing: how many more there are than the last depends on the moments.
    assert!((1..=most).contains(&written), "{written} writes in {:?}", started.elapsed());
    assert_eq!(app.clerk.limited_calls(), 0, "Clerk had to refuse none");
    assert_eq!(metadata(&app, &id)["role"], "moderator");
    app.finish().await;
}

#[tokio::test]
async fn d2_15_a_refused_key_is_shown_once_a_minute_and_raises_one_alert() {
    let app = start().await;
    app.clerk.set_levers(Levers { bapi_status: Some(401), ..app.clerk.levers() });
    let first = app.person(json!({ "email_address": ["ada@example.com"] })).await;
    let job = job_tried(&app.database, &key(&first), 1).await;
    assert_eq!(cause(&job), "Clerk refused the secret key");
    let second = app.person(json!({ "email_address": ["bea@example.com"] })).await;
    let untried = app.database.job(&key(&second)).await;
    assert!(
        untried.is_none_or(|job| job.get_i32("attempts").ok() == Some(0)),
        "the rest of the app works, Clerk is not asked"
    );
    let alerts = async || -> Vec<(String, String)> {
        let text = |alert: &Document, name: &str| alert.get_str(name).unwrap_or_default().to_owned();
        app.database.all("alerts").await.iter().map(|alert| (text(alert, "_id"), text(alert, "state"))).collect()
    };
    let is_one = async |state: &str| match alerts().await {
        found if found == [("key-refused".to_owned(), state.to_owned())] => Ok(()),
        found => Err(format!("{found:?}")),
    };
    eventually("one alert is raised", || is_one("open")).await;
    // Somebody's first visit is a call of its own; a key that Clerk refused a moment ago is not shown to it again at once.
    app.clerk.set_levers(Levers { paused: true, ..Levers::default() });
    let user = app.clerk.create_user(json!({ "email_address": ["cea@example.com"] }));
    let third = user["id"].as_str().expect("an id");
    eventually_within(Duration::from_secs(30), "the key works again", || async {
        let status = app.get_as(third, "/api/profile").await.status();
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    eventually("the alert is over", || is_one("closed")).await;
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

#[tokio::test]
async fn whom_clerk_does_not_know_any_more_needs_no_metadata() {
    let app = start().await;
    let id = settled_person(&app).await;
    let user = app.state.store.users.find(&id).await.expect("a query").expect("a person");
    app.clerk.set_levers(Levers { drop: 1.0, ..app.clerk.levers() });
    app.clerk.delete_user(&id);
    let long_ago = DateTime::from_millis(DateTime::now().timestamp_millis() - 300_000);
    app.database.set("users", doc! { "clerkId": &id }, doc! { "createdAt": long_ago }).await;
    push_role(&app.state, &user).await.expect("asked for");
    app.jobs_settled().await;
    assert_eq!(cause(&job_in(&app.database, &key(&id), "done").await), "Clerk has no such person");
    app.finish().await;
}

#[tokio::test]
async fn a2_07_a_newcomer_whom_clerk_does_not_know_yet_is_tried_again_until_it_does_or_says_that_they_left() {
    let app = start().await;
    let id = settled_person(&app).await;
    let user = app.state.store.users.find(&id).await.expect("a query").expect("a person");
    app.clerk.set_levers(Levers { drop: 1.0, ..app.clerk.levers() });
    app.clerk.delete_user(&id);
    push_role(&app.state, &user).await.expect("asked for");
    eventually("it waits for Clerk to know them", || async {
        let job = app.database.job(&key(&id)).await.ok_or("no job")?;
        let is_put_off = cause(&job) == "Clerk does not know this newcomer yet";
        if is_put_off { Ok(()) } else { Err(job.to_string()) }
    })
    .await;
    app.clerk.set_levers(Levers::default());
    app.deliver("msg_gone", &deleted_event(&id, DateTime::now().timestamp_millis())).await;
    app.jobs_settled().await;
    assert_eq!(cause(&job_in(&app.database, &key(&id), "done").await), "Clerk has no such person");
    app.finish().await;
}
