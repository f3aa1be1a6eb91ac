//! One's own sessions: seen, and ended elsewhere (E-19).

use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::profile::{jo, landed, page, send};
use crate::support::app::{TestApp, claims_of};

/// The session that a token is of.
fn session_of(token: &str) -> String {
    claims_of(token)["sid"].as_str().expect("a session").to_owned()
}

#[tokio::test]
async fn e_19_ones_sessions_are_listed_and_one_or_all_others_are_ended() {
    let app = TestApp::new().await;
    let (id, token) = jo(&app).await;
    let others: Vec<String> = (0..3).map(|_| session_of(&app.token(&id))).collect();
    let listed = page(&app, &token, "/profile/sessions").await;
    assert!(listed.contains("This one") && listed.contains("Sign out of 3 other sessions"), "{listed}");
    assert!(others.iter().all(|other| listed.contains(other)));
    let path = "/api/profile/revoke_session";
    let ended = send(&app, &token, path, &[("id", &others[0])]).await;
    let listed = landed(&app, &token, ended, "/profile/sessions").await;
    assert!(listed.contains("Signed out there.") && !listed.contains(&others[0]), "{listed}");
    let own = send(&app, &token, path, &[("id", &session_of(&token))]).await;
    assert!(landed(&app, &token, own, "/profile/sessions").await.contains("sign out instead"));
    let all = send(&app, &token, "/api/profile/revoke_other_sessions", &[]).await;
    let listed = landed(&app, &token, all, "/profile/sessions").await;
    assert!(listed.contains("Signed out of 2 other sessions.") && listed.contains("This one"), "{listed}");
    assert!(!others.iter().any(|other| listed.contains(other)));
    app.finish().await;
}

#[tokio::test]
async fn d5_08_somebody_elses_session_is_not_found_and_stays() {
    let app = TestApp::new().await;
    let (_, token) = jo(&app).await;
    let eve = app.person(json!({ "email_address": ["eve@example.com"] })).await;
    let theirs = app.token(&eve);
    let ended = send(&app, &token, "/api/profile/revoke_session", &[("id", &session_of(&theirs))]).await;
    assert!(landed(&app, &token, ended, "/profile/sessions").await.contains("This session was not found."));
    assert!(page(&app, &theirs, "/profile/sessions").await.contains("This one"));
    app.finish().await;
}

#[tokio::test]
async fn d2_13_while_clerk_is_away_the_profile_is_there_and_its_sessions_say_so() {
    let app = TestApp::new().await;
    let (_, token) = jo(&app).await;
    app.clerk.set_levers(Levers { bapi_status: Some(503), ..Levers::default() });
    assert!(page(&app, &token, "/profile").await.contains("Your profile"));
    let sessions = app.client.get(app.at("/profile/sessions")).bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(sessions.status(), 503);
    assert!(sessions.text().await.expect("text").contains("Not available right now"));
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}
