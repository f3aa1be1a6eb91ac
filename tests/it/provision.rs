//! A valid session whose document is missing: brought on the first request, once, or a clear answer why not.

use mongodb::bson::doc;
use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::support::app::TestApp;

const PROFILE: &str = "/api/profile/get_profile";

/// A person at Clerk whose webhook has not been sent yet.
fn unannounced(app: &TestApp) -> String {
    app.clerk.set_levers(Levers { paused: true, ..app.clerk.levers() });
    let user = app.clerk.create_user(json!({ "email_address": ["new@example.com"], "first_name": "New" }));
    user["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a3_25_c_5_d2_40_two_hundred_first_requests_make_one_document_and_no_error() {
    let app = TestApp::new().await;
    let id = unannounced(&app);
    let answers = futures::future::join_all((0..200).map(|_| app.get_as(&id, PROFILE))).await;
    for answer in answers {
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(app.database.count("users", doc! { "clerkId": &id }).await, 1);
    let user = app.database.user(&id).await.expect("there");
    assert_eq!(user.get_str("syncSource").ok(), Some("jit"));
    assert_eq!(user.get_str("firstName").ok(), Some("New"));
    // The webhook that comes later finds nothing to change.
    app.clerk.set_levers(Levers { paused: false, ..app.clerk.levers() });
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    assert_eq!(app.database.count("users", doc! {}).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a3_25_with_clerk_away_the_first_request_is_told_to_come_back() {
    let app = TestApp::new().await;
    let id = unannounced(&app);
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..app.clerk.levers() });
    let answer = app.get_as(&id, PROFILE).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    app.clerk.set_levers(Levers::default());
    assert_eq!(app.get_as(&id, PROFILE).await.status(), 200);
    app.finish().await;
}

#[tokio::test]
async fn d4_24_the_banned_and_the_deleted_are_refused() {
    let app = TestApp::new().await;
    let banned = app.person(json!({ "email_address": ["b@example.com"] })).await;
    let deleted = app.person(json!({ "email_address": ["d@example.com"] })).await;
    let tokens = [app.token(&banned), app.token(&deleted)];
    app.clerk.ban(&banned);
    app.clerk.delete_user(&deleted);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    for token in tokens {
        let answer = app.client.get(app.at(PROFILE)).bearer_auth(token).send().await.expect("an answer");
        assert_eq!(answer.status(), 403);
    }
    app.finish().await;
}

#[tokio::test]
async fn d4_24_whoever_is_barred_loses_the_session_here_and_finds_the_way_out_of_it_at_clerk() {
    let app = TestApp::new().await;
    let id = app.person(json!({ "email_address": ["v@example.com"] })).await;
    let token = app.token(&id);
    // As after an erasure that leaves them at Clerk, where their session goes on.
    app.database.set("users", doc! { "clerkId": &id }, doc! { "deletedAt": mongodb::bson::DateTime::now() }).await;
    let cookies = format!("__clerk_db_jwt=dvb_test; __client_uat=1; __session={token}");
    let answer = app.visit(&cookies, "/profile").await;
    assert_eq!(answer.status(), 403);
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|line| line.to_str().ok().map(str::to_owned));
    let set: Vec<String> = set.collect();
    for taken in ["__session=;", "__client_uat=0;"] {
        assert!(set.iter().any(|line| line.starts_with(taken)), "{taken}: {set:?}");
    }
    assert!(
        !set.iter().any(|line| line.starts_with("rollcall_ended=")),
        "clerk-js would lead back without end: {set:?}"
    );
    let page = answer.text().await.expect("text");
    assert!(page.contains("action=\"/sign-out\"") && page.contains("Sign out"), "{page}");
    // What is left in the browser opens nothing, and ends the session at Clerk.
    let left = set.iter().find_map(|line| line.split(';').next().filter(|pair| pair.starts_with("rollcall_barred=")));
    let left = left.expect("what sign-out goes by");
    let cookies = format!("__clerk_db_jwt=dvb_test; __client_uat=0; {left}");
    assert_eq!(app.visit(&cookies, PROFILE).await.status(), 401);
    let out = app.client.post(app.at("/sign-out")).header("sec-fetch-site", "same-origin").header("cookie", left);
    let out = out.send().await.expect("an answer");
    assert_eq!(out.status(), 303);
    assert!(out.headers().get_all("set-cookie").iter().any(|line| line.as_bytes().starts_with(b"rollcall_barred=;")));
    assert!(app.state.clerk.list_sessions(&id).await.expect("sessions").is_empty());
    app.finish().await;
}

#[tokio::test]
async fn d2_14_events_by_payload_are_applied_while_clerk_is_away() {
    let app = TestApp::new().await;
    app.clerk.set_levers(Levers { bapi_status: Some(502), ..app.clerk.levers() });
    let id = app.person(json!({ "email_address": ["p@example.com"], "first_name": "Pay" })).await;
    assert_eq!(app.database.user(&id).await.expect("there").get_str("firstName").ok(), Some("Pay"));
    app.finish().await;
}
