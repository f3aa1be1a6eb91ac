//! The levers do what they say, and nothing else.

use std::collections::BTreeMap;

use rollcall::standin::levers::Levers;
use rollcall::standin::token::TokenOptions;
use rollcall::standin::webhooks::State;
use serde_json::{Value, json};
use svix::webhooks::Webhook;

use crate::standin::clerk::Clerk;
use crate::standin::inbox::{Inbox, Received};

const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

async fn with(levers: Levers) -> (Inbox, Clerk) {
    let inbox = Inbox::answering(&[]).await;
    let clerk = Clerk::with(inbox.options()).await;
    clerk.standin.set_levers(levers);
    (inbox, clerk)
}

fn copies(received: &[Received]) -> BTreeMap<&str, usize> {
    let mut copies = BTreeMap::new();
    for one in received {
        *copies.entry(one.id()).or_default() += 1;
    }
    copies
}

#[tokio::test]
async fn duplicate_sends_so_many_extra_copies_under_one_id() {
    let (inbox, clerk) = with(Levers { duplicate: 2.0, ..Levers::default() }).await;
    clerk.standin.announce();
    let received = inbox.all(&clerk.standin).await;
    let copies = copies(&received);
    assert_eq!(copies.len(), 20);
    assert!(copies.values().all(|count| *count == 3), "{copies:?}");
    inbox.events(&clerk.standin).await;
}

#[tokio::test]
async fn drop_loses_webhooks_without_an_attempt() {
    let (inbox, clerk) = with(Levers { drop: 1.0, ..Levers::default() }).await;
    clerk.standin.announce();
    assert!(inbox.all(&clerk.standin).await.is_empty());
    let lost = clerk.standin.deliveries();
    assert_eq!(lost.len(), 20);
    assert!(lost.iter().all(|delivery| delivery.state == State::Dropped && delivery.attempts.is_empty()));
    clerk.standin.set_levers(Levers::default());
    assert!(clerk.standin.resend(&lost[0].svix_id), "what was lost can be sent again by hand");
    assert_eq!(inbox.events(&clerk.standin).await.len(), 1);
}

#[tokio::test]
async fn reorder_shuffles_and_loses_nothing() {
    let (inbox, clerk) = with(Levers { reorder: 20, ..Levers::default() }).await;
    clerk.standin.announce();
    inbox.events(&clerk.standin).await;
    let received = inbox.all(&clerk.standin).await;
    let arrived: Vec<&str> = received.iter().map(Received::id).collect();
    let made: Vec<String> = clerk.standin.deliveries().into_iter().map(|delivery| delivery.svix_id).collect();
    assert_ne!(arrived, made);
    let mut sorted = (arrived, made);
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1);
}

#[tokio::test]
async fn delay_holds_every_webhook_that_long() {
    let (inbox, clerk) = with(Levers { delay_ms: 400, ..Levers::default() }).await;
    clerk.standin.create_user(json!({ "username": "later" }));
    let received = inbox.all(&clerk.standin).await;
    let made = received[0].body()["timestamp"].as_i64().expect("a time");
    assert!(received[0].at_ms - made >= 400, "{}", received[0].at_ms - made);
    inbox.events(&clerk.standin).await;
}

#[tokio::test]
async fn paused_holds_everything_until_it_is_over() {
    let (inbox, clerk) = with(Levers { paused: true, ..Levers::default() }).await;
    clerk.standin.announce();
    assert!(!clerk.standin.drained(std::time::Duration::ZERO).await);
    assert!(clerk.standin.deliveries().iter().all(|delivery| delivery.state == State::Pending));
    clerk.standin.set_levers(Levers::default());
    assert_eq!(inbox.events(&clerk.standin).await.len(), 20);
}

#[tokio::test]
async fn a_wrong_secret_signs_what_the_agreed_one_refuses() {
    let (inbox, clerk) = with(Levers { signing_secret: Some(OTHER_SECRET.to_owned()), ..Levers::default() }).await;
    clerk.standin.create_user(json!({ "username": "forged" }));
    let received = inbox.all(&clerk.standin).await;
    let verify =
        |secret: &str| Webhook::new(secret).and_then(|secret| secret.verify(&received[0].raw, &received[0].headers));
    assert!(verify(clerk.standin.webhook_secret()).is_err());
    assert!(verify(OTHER_SECRET).is_ok());
}

#[tokio::test]
async fn a_wrong_clock_is_in_webhooks_users_and_tokens() {
    let hour = 3_600_000;
    let (inbox, clerk) = with(Levers { clock_offset_ms: -hour, ..Levers::default() }).await;
    let before = jiff::Timestamp::now().as_millisecond() - hour;
    let user = clerk.standin.create_user(json!({ "username": "early" }));
    let token = clerk.standin.session_token(user["id"].as_str().expect("an id"), TokenOptions::default());
    let received = inbox.all(&clerk.standin).await;
    let after = jiff::Timestamp::now().as_millisecond() - hour;
    let sent: i64 = received[0].headers["svix-timestamp"].to_str().expect("text").parse().expect("seconds");
    let claims = clerk.claims(&token);
    let times = [
        ("webhook", sent * 1000),
        ("event", received[0].body()["timestamp"].as_i64().expect("a time")),
        ("user", user["created_at"].as_i64().expect("a time")),
        ("token", claims["iat"].as_i64().expect("a time") * 1000),
    ];
    for (what, at) in times {
        assert!((before - 1000..=after).contains(&at), "{what}: {at} is not within {before} and {after}");
    }
    let verifier = Webhook::new(clerk.standin.webhook_secret()).expect("a secret");
    assert!(verifier.verify(&received[0].raw, &received[0].headers).is_err(), "too old to be accepted");
    assert!(verifier.verify_ignoring_timestamp(&received[0].raw, &received[0].headers).is_ok());
}

#[tokio::test]
async fn an_api_that_is_down_says_so_and_when_to_come_back() {
    let levers = Levers { bapi_status: Some(503), fapi_status: Some(429), retry_after_s: 7, ..Levers::default() };
    let (_, clerk) = with(levers).await;
    let (headers, _) = clerk.backend("GET /users").answer(503).await;
    assert_eq!(headers["retry-after"], "7");
    let answer = clerk.frontend("GET /v1/environment", "").raw().await;
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"7".parse().expect("a header")));
    clerk.standin.set_levers(Levers::default());
    let calls = clerk.standin.backend_calls();
    clerk.backend("GET /users").gives(200).await;
    assert_eq!(clerk.standin.backend_calls(), calls + 1);
}

#[tokio::test]
async fn an_api_behind_a_broken_proxy_answers_with_a_web_page() {
    let (_, clerk) = with(Levers { bapi_body: Some("<h1>Hello</h1>".to_owned()), ..Levers::default() }).await;
    let answer = clerk.backend("GET /users").raw().await;
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.headers()["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/html")));
    assert_eq!(answer.text().await.expect("text"), "<h1>Hello</h1>");
}

#[tokio::test]
async fn levers_move_over_http_one_by_one_or_all_at_once() {
    let (_, clerk) = with(Levers::default()).await;
    let url = clerk.url("/__standin/levers");
    let http = crate::support::app::client();
    let moved = http.patch(&url).json(&json!({ "drop": 1.0 })).send().await.expect("an answer");
    assert_eq!(moved.json::<Value>().await.expect("JSON")["drop"], 1.0);
    http.patch(&url).json(&json!({ "reorder": 3 })).send().await.expect("an answer");
    assert_eq!(clerk.standin.levers(), Levers { drop: 1.0, reorder: 3, ..Levers::default() });
    http.put(&url).json(&json!({ "delay_ms": 5 })).send().await.expect("an answer");
    assert_eq!(clerk.standin.levers(), Levers { delay_ms: 5, ..Levers::default() });
    assert_eq!(http.put(&url).json(&json!({ "dorp": 1 })).send().await.expect("an answer").status(), 422);
    let foreign =
        http.put(&url).header("origin", "https://evil.example").json(&json!({})).send().await.expect("an answer");
    assert_eq!(foreign.status(), 403, "a page of another site moves no lever");
}
