//! Each kind of caller at each route: the exact status and the exact words (A3-04 to A3-10).

use mongodb::bson::doc;
use rollcall::standin::levers::Levers;
use rollcall::standin::token::TokenOptions;
use serde_json::{Value, json};

use crate::api::{app, ask, expired, get, give_role, patch, someone, told};
use crate::support::app::{TestApp, Wishes};

const INVALID: (u16, &str) = (401, "Unauthorized - Invalid token");
const ADMIN_ONLY: (u16, &str) = (403, "Forbidden - admin access only");
const TOO_LITTLE: (u16, &str) = (403, "Forbidden - insufficient permissions");
const FINE: (u16, &str) = (200, "");

/// Routes, with a body where one is needed, that a caller may ask for without changing anything.
fn requests(somebody: &str) -> [(&'static str, String, Option<Value>); 5] {
    [
        ("GET", "/api/me".to_owned(), None),
        ("GET", "/api/profile".to_owned(), None),
        ("PATCH", "/api/profile".to_owned(), Some(json!({}))),
        ("GET", "/api/users".to_owned(), None),
        ("PATCH", format!("/api/users/{somebody}/role"), Some(json!({ "role": "user" }))),
    ]
}

async fn assert_each(app: &TestApp, who: &str, token: Option<&str>, somebody: &str, expected: [(u16, &str); 5]) {
    for ((method, path, body), (status, words)) in requests(somebody).into_iter().zip(expected) {
        let answer = ask(app, method, &path, token, body.as_ref()).await;
        assert!(!answer.headers().contains_key("location"), "{who}: {method} {path} leads elsewhere");
        assert_eq!(told(answer).await, (status, words.to_owned()), "{who}: {method} {path}");
    }
}

#[tokio::test]
async fn a3_04_a3_06_a3_09_d5_08_each_caller_gets_each_route_as_declared() {
    let app = app().await;
    let member = someone(&app, "Member", "user").await;
    let moderator = someone(&app, "Moderator", "moderator").await;
    let admin = someone(&app, "Admin", "admin").await;
    let banned = someone(&app, "Banned", "admin").await;
    let deleted = someone(&app, "Deleted", "admin").await;
    let tokens = [&banned, &deleted].map(|id| app.token(id));
    app.clerk.ban(&banned);
    app.clerk.delete_user(&deleted);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;

    assert_each(&app, "anonymous", None, &member, [INVALID; 5]).await;
    assert_each(&app, "expired", Some(&expired(&app, &admin)), &member, [INVALID; 5]).await;
    assert_each(&app, "forged", Some("a.b.c"), &member, [INVALID; 5]).await;
    let of_member = [FINE, FINE, FINE, TOO_LITTLE, ADMIN_ONLY];
    assert_each(&app, "member", Some(&app.token(&member)), &member, of_member).await;
    let of_moderator = [FINE, FINE, FINE, FINE, ADMIN_ONLY];
    assert_each(&app, "moderator", Some(&app.token(&moderator)), &member, of_moderator).await;
    assert_each(&app, "admin", Some(&app.token(&admin)), &member, [FINE; 5]).await;
    for token in tokens {
        assert_each(&app, "banned or deleted", Some(&token), &member, [TOO_LITTLE; 5]).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn a3_25_somebody_without_a_document_is_provisioned_by_the_first_call() {
    let app = app().await;
    app.clerk.set_levers(Levers { paused: true, ..app.clerk.levers() });
    let user = app.clerk.create_user(json!({ "email_address": ["new@example.com"], "first_name": "New" }));
    let id = user["id"].as_str().expect("an id").to_owned();
    let me: Value = get(&app, &id, "/api/me").await.json().await.expect("JSON");
    let stored = app.database.user(&id).await.expect("stored");
    assert_eq!(me["mongoId"], stored.get_object_id("_id").expect("an id").to_hex());
    assert_eq!((me["userId"].as_str(), me["role"].as_str()), (Some(id.as_str()), Some("user")));
    app.clerk.set_levers(Levers { paused: false, ..app.clerk.levers() });
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn a3_04_whom_clerk_does_not_know_is_404_and_with_clerk_away_503() {
    let app = app().await;
    assert_eq!(told(get(&app, "user_nobody", "/api/profile").await).await, (404, "User not found".to_owned()));
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..app.clerk.levers() });
    let away = get(&app, "user_nobody", "/api/profile").await;
    assert!(away.headers().contains_key("retry-after"));
    assert_eq!(told(away).await, (503, "Service unavailable".to_owned()));
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

#[tokio::test]
async fn a3_04_a_fault_of_ours_is_500_and_says_nothing_of_it() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    app.database.relax("users").await;
    app.database.set("users", doc! { "clerkId": &id }, doc! { "emails": "none" }).await;
    let broken = get(&app, &id, "/api/profile").await;
    assert_eq!(told(broken).await, (500, "Internal server error".to_owned()));
    app.finish().await;
}

#[tokio::test]
async fn d4_every_401_is_the_same_whatever_was_wrong() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    let good = app.token(&id);
    let pending =
        app.clerk.session_token(&id, TokenOptions { sts: "pending".to_owned(), ..TokenOptions::asked_by(&app.url) });
    let elsewhere = app.clerk.session_token(&id, TokenOptions::asked_by("https://evil.example"));
    let cut = good.get(..good.len() - 4).expect("longer than that").to_owned();
    let mut seen = Vec::new();
    for token in ["", "nonsense", &cut, &elsewhere, &pending, &expired(&app, &id)] {
        let answer = ask(&app, "GET", "/api/me", Some(token).filter(|token| !token.is_empty()), None).await;
        let mut headers: Vec<(String, String)> = answer
            .headers()
            .iter()
            .filter(|(name, _)| !["date", "x-request-id", "server-timing"].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
            .collect();
        headers.sort();
        seen.push((answer.status().as_u16(), headers, answer.text().await.expect("text")));
    }
    assert_eq!(seen[0].2, r#"{"error":"Unauthorized - Invalid token"}"#);
    assert!(seen[0].1.contains(&("www-authenticate".to_owned(), "Bearer".to_owned())));
    for other in &seen[1..] {
        assert_eq!(other, &seen[0]);
    }
    app.finish().await;
}

#[tokio::test]
async fn a_call_is_never_redirected_even_if_it_looks_like_a_page() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    let stale = format!("__clerk_db_jwt=dvb_test; __client_uat=1; __session={}", expired(&app, &id));
    for cookies in ["", "__client_uat=1", &stale] {
        for path in ["/api/me", "/api/users?limit=1", "/api/me?__clerk_handshake=x", "/api/me?__clerk_db_jwt=x"] {
            let answer = app.visit(cookies, path).await;
            assert_eq!(told(answer).await, (401, "Unauthorized - Invalid token".to_owned()), "{path} {cookies}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a1_10_d4_23_the_cookie_is_as_good_as_the_header_and_the_header_wins() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    let cookies = format!("__clerk_db_jwt=dvb_test; __client_uat=1; __session={}", app.token(&id));
    let by_cookie = app.client.get(app.at("/api/me")).header("cookie", &cookies);
    let me: Value = by_cookie.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(me["userId"], id.as_str());
    assert!(me["sessionId"].as_str().is_some_and(|id| id.starts_with("sess_")), "{me}");
    assert_eq!(me["actorId"], Value::Null);
    let both = app.client.get(app.at("/api/me")).header("cookie", &cookies).bearer_auth("a.b.c");
    assert_eq!(both.send().await.expect("an answer").status(), 401);
    app.finish().await;
}

#[tokio::test]
async fn a1_04_d4_17_whoever_impersonates_is_named_and_changes_no_role() {
    let app = app().await;
    let admin = someone(&app, "Admin", "admin").await;
    let member = someone(&app, "Member", "user").await;
    let mut options = TokenOptions::asked_by(&app.url);
    options.claims.insert("act".to_owned(), json!({ "sub": "user_support" }));
    let token = app.clerk.session_token(&admin, options);
    let me: Value = ask(&app, "GET", "/api/me", Some(&token), None).await.json().await.expect("JSON");
    assert_eq!((me["userId"].as_str(), me["actorId"].as_str()), (Some(admin.as_str()), Some("user_support")));
    let path = format!("/api/users/{member}/role");
    let refused = ask(&app, "PATCH", &path, Some(&token), Some(&json!({ "role": "admin" }))).await;
    assert_eq!(told(refused).await, (403, "Forbidden - insufficient permissions".to_owned()));
    app.finish().await;
}

#[tokio::test]
async fn a3_07_the_current_role_is_named_in_development_only() {
    let app = app().await;
    let member = someone(&app, "Member", "user").await;
    let refused: Value = get(&app, &member, "/api/users").await.json().await.expect("JSON");
    assert_eq!(refused, json!({ "error": "Forbidden - insufficient permissions", "role": "user" }));
    app.finish().await;

    let production = vec![("LEPTOS_ENV", "PROD".to_owned()), ("CLIENT_URL", crate::api::CLIENT.to_owned())];
    let app = TestApp::with(Wishes { variables: production, ..Wishes::default() }).await;
    let member = someone(&app, "Member", "user").await;
    let refused: Value = get(&app, &member, "/api/users").await.json().await.expect("JSON");
    assert_eq!(refused, json!({ "error": "Forbidden - insufficient permissions" }));
    app.finish().await;
}

#[tokio::test]
async fn d5_11_no_role_comes_from_what_the_person_or_the_token_says() {
    let app = app().await;
    let id = app
        .person(json!({ "email_address": ["u@example.com"], "unsafe_metadata": { "role": "admin", "isAdmin": true } }))
        .await;
    let mut options = TokenOptions::asked_by(&app.url);
    options.claims.insert("metadata".to_owned(), json!({ "role": "admin" }));
    options.claims.insert("role".to_owned(), json!("admin"));
    let token = app.clerk.session_token(&id, options);
    let me: Value = ask(&app, "GET", "/api/me", Some(&token), None).await.json().await.expect("JSON");
    assert_eq!(me["role"], "user");
    assert_eq!(ask(&app, "GET", "/api/users", Some(&token), None).await.status(), 403);
    app.finish().await;
}

#[tokio::test]
async fn a3_08_admin_by_address_counts_in_the_api_too() {
    let listed = vec![("ADMIN_EMAIL", "boss@example.com".to_owned())];
    let app = TestApp::with(Wishes { variables: listed, ..Wishes::default() }).await;
    let boss = someone(&app, "Boss", "user").await;
    let member = someone(&app, "Member", "user").await;
    assert_eq!(get(&app, &boss, "/api/users").await.status(), 200);
    assert_eq!(give_role(&app, &boss, &member, "moderator").await.status(), 200);
    app.finish().await;
}

#[tokio::test]
async fn a0_18_when_the_api_is_off_its_routes_are_not_there() {
    let off = vec![("ROLLCALL_API", "false".to_owned())];
    let app = TestApp::with(Wishes { variables: off, ..Wishes::default() }).await;
    let admin = someone(&app, "Admin", "admin").await;
    for (method, path) in rollcall::server::http::api::routes() {
        let path = path.replace("{id}", &admin);
        let answer = ask(&app, method, &path, Some(&app.token(&admin)), None).await;
        assert_eq!(answer.status(), 404, "{method} {path}");
    }
    assert_eq!(patch(&app, &admin, "/api/profile", &json!({})).await.status(), 404);
    app.finish().await;
}
