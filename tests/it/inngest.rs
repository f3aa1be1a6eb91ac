//! `/api/inngest`: what Inngest learns, what it may call, and what its calls do to MongoDB.

mod calls;
mod relay;
mod sdk;

use axum::http::HeaderName;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes};
use crate::support::inngest::{Ask, BEARER, FALLBACK_KEY, FOREIGN_KEY, FakeInngest, event};

#[tokio::test]
async fn a0_06_without_a_key_the_endpoint_says_that_it_is_off() {
    let app = TestApp::new().await;
    for method in ["GET", "PUT", "POST"] {
        let answer = Ask::unsigned(method, "", b"").send(&app).await.expect(404);
        assert!(answer.json()["message"].as_str().is_some_and(|text| text.contains("INNGEST_SIGNING_KEY")));
    }
    app.finish().await;
}

#[tokio::test]
async fn f_5_a0_17_a_signed_introspection_counts_three_functions_and_shows_no_key() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let answer = Ask::signed("GET", "", b"").send(&app).await.expect(200);
    let shown = answer.json();
    assert_eq!((&shown["function_count"], &shown["mode"]), (&json!(3), &json!("cloud")));
    assert_eq!((&shown["app_id"], &shown["authentication_succeeded"]), (&json!("rollcall"), &json!(true)));
    assert_eq!((&shown["serve_origin"], &shown["serve_path"]), (&json!(app.url), &json!("/api/inngest")));
    assert_eq!((&shown["signing_key_hash"], &shown["api_origin"]), (&json!("e4bf4a2e7f55"), &json!(inngest.url)));
    for secret in ["8ee2262a15e8", "00112233", "opensNothing"] {
        assert!(!answer.text.contains(secret), "{secret}");
    }
    assert!(answer.header("x-inngest-sdk").is_some_and(|sdk| sdk.starts_with("rollcall:v")));
    assert!(answer.header("x-inngest-signature").is_some());
    app.finish().await;
}

#[tokio::test]
async fn f_5_a_stranger_gets_401_and_no_word_about_us() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let call = Ask::call("rollcall-sync-user", &event("clerk/user.created", &json!({ "id": "user_a" })));
    for ask in [
        Ask::unsigned("GET", "", b""),
        Ask::unsigned("PUT", "", b"{}").with("host", "evil.example"),
        Ask::unsigned("PUT", "", br#"{"url":"https://evil.example"}"#).with("x-inngest-sync-kind", "in_band"),
        Ask::unsigned("POST", "probe=trust", b"{}"),
        Ask { signature: None, ..call.clone() },
        call.clone().signed_by(FOREIGN_KEY, 0),
        call.clone().signed_by(FALLBACK_KEY, 310),
        call.clone().signed_by(FALLBACK_KEY, -310),
        Ask { body: [call.body.as_slice(), b" "].concat(), ..call.clone() },
        Ask { signature: Some("t=1&s=00".to_owned()), ..call },
    ] {
        let answer = ask.send(&app).await.expect(401);
        assert_eq!(answer.json(), json!({ "message": "Unauthorized" }));
        let told = answer.headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-inngest"));
        let told: Vec<&str> = told.collect();
        assert_eq!(told, ["x-inngest-sdk-handled"]);
    }
    assert!(inngest.seen("/").is_empty(), "nobody was registered");
    app.finish().await;
}

#[tokio::test]
async fn f_5_no_other_method_is_answered() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    for method in ["DELETE", "PATCH", "OPTIONS"] {
        let answer = Ask::signed(method, "", b"").send(&app).await.expect(405);
        assert_eq!(answer.json(), json!({ "message": "Method not allowed" }));
    }
    app.finish().await;
}

#[tokio::test]
async fn f_6_a_signed_put_registers_the_configured_address_whatever_the_request_says() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let ask = Ask::signed("PUT", "deployId=dep_1", b"")
        .with("x-forwarded-host", "evil.example")
        .with("x-inngest-server-kind", "cloud");
    let answer = ask.send(&app).await.expect(200);
    assert_eq!(answer.json(), json!({ "message": "Successfully registered", "modified": true }));
    assert_eq!(answer.header("x-inngest-sync-kind"), Some("out_of_band"));
    let seen = inngest.seen("/fn/register");
    assert_eq!((seen.len(), seen[0].query.as_str()), (1, "deployId=dep_1"));
    assert_eq!((seen[0].header("authorization"), seen[0].header("x-inngest-sync-kind")), (BEARER, "out_of_band"));
    assert_eq!(seen[0].header("x-inngest-expected-server-kind"), "cloud");
    let document = &seen[0].body;
    assert_eq!((&document["url"], &document["deployId"]), (&json!(app.at("/api/inngest")), &json!("dep_1")));
    assert_eq!((&document["appName"], &document["sdk"]), (&json!("rollcall"), &json!(seen[0].header("x-inngest-sdk"))));
    assert_eq!(document["functions"].as_array().map(Vec::len), Some(3));
    app.finish().await;
}

#[tokio::test]
async fn f_3_a_refused_key_is_followed_by_the_fallback_and_a_refusal_is_passed_on() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    inngest.answer("/fn/register", 401, json!({ "error": "no such key" }));
    let answer = Ask::signed("PUT", "", b"").send(&app).await.expect(500);
    assert_eq!(answer.json()["modified"], json!(false));
    assert!(answer.json()["message"].as_str().is_some_and(|text| text.contains("no such key")), "{}", answer.text);
    let bearers: Vec<String> =
        inngest.seen("/fn/register").iter().map(|seen| seen.header("authorization").to_owned()).collect();
    assert_eq!((bearers.len(), bearers[0].as_str()), (2, BEARER));
    assert_ne!(bearers[0], bearers[1]);
    app.finish().await;
}

#[tokio::test]
async fn f_5_an_in_band_sync_answers_everything_in_one_document() {
    let inngest = FakeInngest::start().await;
    let app = inngest.app().await;
    let ask = |body: Value| Ask::signed("PUT", "", body.to_string().as_bytes()).with("x-inngest-sync-kind", "in_band");
    let answer = ask(json!({ "url": "https://evil.example/api/inngest" })).send(&app).await.expect(200);
    assert_eq!(answer.header("x-inngest-sync-kind"), Some("in_band"));
    let document = answer.json();
    assert_eq!((&document["app_id"], &document["url"]), (&json!("rollcall"), &json!(app.at("/api/inngest"))));
    assert_eq!((&document["sdk_language"], &document["inspection"]["function_count"]), (&json!("rust"), &json!(3)));
    assert_eq!(document["functions"][1]["id"], json!("rollcall-delete-user"));
    assert!(inngest.seen("/fn/register").is_empty());
    let malformed = ask(json!({ "address": 1 })).send(&app).await.expect(400);
    assert_eq!(malformed.json()["code"], json!("invalid_request"));
    app.finish().await;
}

#[tokio::test]
async fn f_1_in_development_calls_need_no_signature_but_a_wrong_one_is_refused() {
    let inngest = FakeInngest::start().await;
    let variables = vec![("INNGEST_DEV", inngest.url.clone()), ("INNGEST_SIGNING_KEY", FALLBACK_KEY.to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let shown = Ask::unsigned("GET", "", b"").send(&app).await.expect(200).json();
    assert_eq!((&shown["mode"], &shown["authentication_succeeded"]), (&json!("dev"), &Value::Null));
    assert!(shown.get("signing_key_hash").is_none());
    Ask::unsigned("POST", "probe=trust", b"{}").send(&app).await.expect(200);
    Ask::unsigned("GET", "", b"").signed_by(FOREIGN_KEY, 0).send(&app).await.expect(401);
    Ask::unsigned("PUT", "", b"").send(&app).await.expect(200);
    assert_eq!(inngest.seen("/fn/register")[0].body["url"], json!(app.at("/api/inngest")));
    app.finish().await;
}
