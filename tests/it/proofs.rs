//! Who really acts, and how lately they proved it: impersonation (D4-17) and fresh first factors (D4-25).

use mongodb::bson::doc;
use reqwest::Response;
use reqwest::header::LOCATION;
use rollcall::standin::levers::Levers;
use rollcall::standin::token::TokenOptions;
use serde_json::{Value, json};

use crate::profile::{landed, send};
use crate::support::app::{TestApp, Wishes, claims_of};
use crate::support::delivery::user_event;

fn admin(address: &str) -> Value {
    json!({ "email_address": [address], "public_metadata": { "role": "admin" } })
}

/// A token of this person in whose place somebody else acts.
fn impersonated(app: &TestApp, id: &str, by: &str) -> String {
    let claims = json!({ "act": { "sub": by } }).as_object().cloned().unwrap_or_default();
    app.clerk.session_token(id, TokenOptions { claims, ..TokenOptions::asked_by(&app.url) })
}

/// A token whose first factor was proved so many minutes ago, or never.
fn proved(app: &TestApp, id: &str, minutes: i64) -> String {
    let mut claims = claims_of(&app.token(id));
    claims["fva"] = json!([minutes, -1]);
    app.clerk.sign(&claims)
}

async fn change_role(app: &TestApp, token: &str, id: &str) -> Response {
    let change = app.client.patch(app.at(&format!("/api/users/{id}/role"))).bearer_auth(token);
    change.json(&json!({ "role": "moderator" })).send().await.expect("an answer")
}

#[tokio::test]
async fn d4_17_whoever_acts_in_anothers_place_is_told_on_every_page_and_recorded_with_both_ids() {
    let app = TestApp::new().await;
    let id = app.person(admin("jo@example.com")).await;
    let support = app.person(admin("support@example.com")).await;
    let token = impersonated(&app, &id, &support);
    for path in ["/", "/profile", "/profile/data", "/admin/sync", "/no-such-page"] {
        let page = app.client.get(app.at(path)).bearer_auth(&token).send().await.expect("an answer");
        let page = page.text().await.expect("text");
        assert!(page.contains("Impersonation") && page.contains(&support), "{path}");
    }
    let plain = app.get_as(&id, "/profile").await.text().await.expect("text");
    assert!(!plain.contains("Impersonation"));
    let edited = send(&app, &token, "/api/profile/edit_bio", &[("bio", "By support.")]).await;
    assert!(landed(&app, &token, edited, "/profile").await.contains("Your bio is saved."));
    let both = doc! { "action": "edit_profile", "actor": &id, "impersonator": &support, "subject": &id };
    assert_eq!(app.database.count("audit", both).await, 1);
    let person = app.get_as(&id, &format!("/admin/users/{id}")).await.text().await.expect("text");
    assert!(person.contains(&format!("{id}, really {support} (web)")), "{person}");
    assert_eq!(app.state.store.audit.verify().await.expect("a trail").broken, None);
    app.finish().await;
}

#[tokio::test]
async fn d4_17_what_another_changes_by_the_api_is_on_record_too_as_often_as_they_may_and_undone_if_clerk_refuses() {
    let app = TestApp::new().await;
    let id = app.person(admin("jo@example.com")).await;
    let support = app.person(admin("support@example.com")).await;
    let token = impersonated(&app, &id, &support);
    let edit = async |name: String| {
        let change = app.client.patch(app.at("/api/profile")).bearer_auth(&token);
        change.json(&json!({ "firstName": name })).send().await.expect("an answer").status().as_u16()
    };
    let on_record = async |action: &str| {
        let both = doc! { "action": action, "actor": &id, "impersonator": &support, "subject": &id };
        app.database.count("audit", both).await
    };
    assert_eq!((edit("Joan".to_owned()).await, on_record("edit_profile").await), (200, 1));
    app.clerk.set_levers(Levers { bapi_status: Some(422), ..Levers::default() });
    assert_eq!(edit("Johanna".to_owned()).await, 422);
    app.clerk.set_levers(Levers::default());
    assert_eq!((on_record("edit_profile").await, on_record("undone").await), (2, 1));
    let mut done = 2;
    for turn in 0..30 {
        match edit(format!("Turn {turn}")).await {
            429 => break,
            _ => done += 1,
        }
    }
    assert!(done < 30, "there is a limit");
    assert_eq!(on_record("edit_profile").await, done, "what was too often never began");
    assert_eq!(app.state.store.audit.verify().await.expect("a trail").broken, None);
    app.finish().await;
}

#[tokio::test]
async fn d4_17_what_matters_most_is_refused_in_anothers_place() {
    let app = TestApp::new().await;
    let id = app.person(admin("jo@example.com")).await;
    let support = app.person(admin("support@example.com")).await;
    let other = app.person(json!({ "email_address": ["eve@example.com"] })).await;
    let token = impersonated(&app, &id, &support);
    assert_eq!(change_role(&app, &token, &other).await.status(), 403);
    let delete = [("typed", "jo@example.com")];
    let refused = send(&app, &token, "/api/profile/delete_account", &delete).await;
    assert!(landed(&app, &token, refused, "/profile/data").await.contains("You are not allowed to do this."));
    let export = send(&app, &token, "/profile/export", &[]).await;
    assert!(landed(&app, &token, export, "/").await.contains("You are not allowed to do this."));
    assert!(app.clerk.user(&id).is_some());
    assert_eq!(app.database.count("audit", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn d4_25_what_is_sensitive_asks_for_a_fresh_first_factor_and_leads_back() {
    let fresh = vec![("ROLLCALL_FRESH_MINUTES", "10".to_owned())];
    let app = TestApp::with(Wishes { variables: fresh, ..Wishes::default() }).await;
    let id = app.person(admin("jo@example.com")).await;
    app.person(admin("boss@example.com")).await;
    let other = app.person(json!({ "email_address": ["eve@example.com"] })).await;
    for stale in [proved(&app, &id, 11), proved(&app, &id, -1)] {
        assert_eq!(change_role(&app, &stale, &other).await.status(), 403);
        let refused = send(&app, &stale, "/api/profile/delete_account", &[("typed", "jo@example.com")]).await;
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()[LOCATION]),
            (303, &"/verify?back=%2Fprofile%2Fdata".parse().expect("a path"))
        );
        let edited = send(&app, &stale, "/api/profile/edit_bio", &[("bio", "")]).await;
        assert_eq!(edited.headers()[LOCATION], "/profile", "what is not sensitive needs no proof");
    }
    let page = app.get_as(&id, "/verify?back=%2Fprofile%2Fdata").await.text().await.expect("text");
    assert!(page.contains("Confirm that it is you") && page.contains("value=\"/profile/data\""), "{page}");
    let foreign = app.get_as(&id, "/verify?back=%2F%2Fevil.example").await.text().await.expect("text");
    assert!(!foreign.contains("evil.example"), "{foreign}");
    for (back, next) in [
        ("/profile/data", "/sign-in?redirect_url=%2Fprofile%2Fdata"),
        ("//evil.example", "/sign-in"),
        ("https://evil.example/", "/sign-in"),
    ] {
        let out = send(&app, &proved(&app, &id, 0), "/sign-out", &[("back", back)]).await;
        assert_eq!(out.headers()[LOCATION], next, "{back}");
    }
    assert_eq!(change_role(&app, &proved(&app, &id, 10), &other).await.status(), 200);
    let left = send(&app, &proved(&app, &id, 0), "/api/profile/delete_account", &[("typed", "jo@example.com")]).await;
    assert_eq!(left.headers()[LOCATION], "/");
    app.finish().await;
}

#[tokio::test]
async fn d4_25_everything_that_shuts_somebody_out_or_takes_data_away_asks_for_a_fresh_first_factor() {
    let fresh = vec![("ROLLCALL_FRESH_MINUTES", "10".to_owned())];
    let app = TestApp::with(Wishes { variables: fresh, ..Wishes::default() }).await;
    let id = app.person(admin("jo@example.com")).await;
    let other = app.person(json!({ "email_address": ["eve@example.com"] })).await;
    app.deliver("msg_p_1", &user_event("user.created", "user_ada", "Ada", 1_750_000_001_000)).await;
    app.settled().await;
    let (stale, fresh) = (proved(&app, &id, 11), proved(&app, &id, 0));
    for (path, body) in [
        ("/api/admin_users/lock", format!("id={other}")),
        ("/api/admin_users/unlock", format!("id={other}")),
        ("/api/admin_users/revoke_sessions", format!("id={other}")),
        ("/api/admin_users/ban", format!("id={other}")),
        ("/api/admin_users/unban", format!("id={other}")),
        ("/api/admin_users/change_role", format!("id={other}&role=moderator")),
        ("/api/admin_users/change_roles", format!("ids={other}&role=user")),
        ("/api/events/reveal_payload", "id=msg_p_1".to_owned()),
        ("/admin/users/export", format!("id={other}")),
        ("/admin/users/csv", String::new()),
        ("/profile/export", String::new()),
        ("/admin/sync/audit/export", String::new()),
        ("/api/admin_users/erase_user", format!("id={other}&typed={other}")),
    ] {
        let ask = |token: &str| {
            let post = app.client.post(app.at(path)).header("sec-fetch-site", "same-origin").bearer_auth(token);
            post.header("content-type", "application/x-www-form-urlencoded").body(body.clone())
        };
        assert_eq!(ask(&stale).send().await.expect("an answer").status(), 403, "{path}");
        let page = ask(&stale).header("accept", "text/html").header("referer", app.at("/admin/users?q=eve"));
        let page = page.send().await.expect("an answer");
        let way = page.headers()[LOCATION].to_str().expect("text");
        assert_eq!((page.status().as_u16(), way), (303, "/verify?back=%2Fadmin%2Fusers%3Fq%3Deve"), "{path}");
        assert_eq!(ask(&fresh).send().await.expect("an answer").status(), 200, "{path}");
    }
    let preview = format!("/admin/role-changes?id={id}&role=moderator");
    let preview = app.client.get(app.at(&preview)).header("accept", "text/html").bearer_auth(&stale).send().await;
    let way = preview.expect("an answer").headers()[LOCATION].to_str().expect("text").to_owned();
    assert!(way.starts_with("/verify?back=%2Fadmin%2Frole-changes%3Fid%3D"), "{way}");
    app.finish().await;
}
