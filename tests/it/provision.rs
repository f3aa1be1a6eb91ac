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
async fn d2_14_events_by_payload_are_applied_while_clerk_is_away() {
    let app = TestApp::new().await;
    app.clerk.set_levers(Levers { bapi_status: Some(502), ..app.clerk.levers() });
    let id = app.person(json!({ "email_address": ["p@example.com"], "first_name": "Pay" })).await;
    assert_eq!(app.database.user(&id).await.expect("there").get_str("firstName").ok(), Some("Pay"));
    app.finish().await;
}
