//! `/metrics`: who may read it, what is counted, and what must never be in it.

use std::collections::BTreeSet;

use reqwest::Response;
use rollcall::model::alert::AlertKind;
use rollcall::server::jobs::watch::raise;
use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::support::app::{TestApp, Wishes, client};
use crate::support::delivery::{Delivery, user_event};
use crate::support::eventually;

const TOKEN: &str = "an-exact-token-of-a-test";
const NOW: i64 = 1_760_000_000_000;
const FIRST_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const SECOND_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

async fn start(more: &[(&'static str, &str)]) -> TestApp {
    let mut variables = vec![("ROLLCALL_METRICS_TOKEN", TOKEN.to_owned())];
    variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    TestApp::with(Wishes { variables, ..Wishes::default() }).await
}

async fn ask(app: &TestApp, authorization: &str) -> Response {
    app.client.get(app.at("/metrics")).header("authorization", authorization).send().await.expect("an answer")
}

async fn read(app: &TestApp) -> String {
    let answer = ask(app, &format!("Bearer {TOKEN}")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    answer.text().await.expect("text")
}

/// The number of one series.
fn value(text: &str, series: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("rollcall_")?.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0, |number| number.parse().expect("a number"))
}

async fn post(app: &TestApp, secret: &str, id: &str, body: &str) -> u16 {
    Delivery::signed(secret, id, body.as_bytes()).send(app).await.status().as_u16()
}

#[tokio::test]
async fn d5_30_metrics_are_for_those_who_show_the_token_and_for_nobody_where_there_is_none() {
    let app = start(&[]).await;
    assert_eq!(app.get("/metrics").await.status(), 401);
    for wrong in ["Bearer", "Bearer ", "Bearer wrong", &format!("Basic {TOKEN}"), &format!("Bearer {TOKEN} "), TOKEN] {
        // A space at the end of a header's value is not part of it.
        let expected = if wrong.trim_end() == format!("Bearer {TOKEN}") { 200 } else { 401 };
        assert_eq!(ask(&app, wrong).await.status(), expected, "{wrong:?}");
    }
    assert!(read(&app).await.contains("# TYPE rollcall_webhook_ack_seconds histogram"));
    app.finish().await;
    let app = TestApp::new().await;
    assert_eq!(ask(&app, &format!("Bearer {TOKEN}")).await.status(), 404);
    assert_eq!(ask(&app, "Bearer ").await.status(), 404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_the_numbers_of_the_sync_page_are_json_for_machines_and_name_nobody() {
    let app = start(&[]).await;
    app.deliver("msg_m_1", &user_event("user.created", "user_secretive", "Ada-Secretive", NOW)).await;
    app.settled().await;
    assert_eq!(app.get("/metrics.json").await.status(), 401);
    let ask = client().get(format!("{}/metrics.json", app.url)).bearer_auth(TOKEN).send().await.expect("an answer");
    assert_eq!(ask.status(), 200);
    let text = ask.text().await.expect("text");
    let numbers: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let applied = numbers["counts"].as_array().expect("counts").iter().find(|row| row["state"] == "applied");
    assert_eq!(applied.map(|row| &row["count"]), Some(&json!(1)), "{text}");
    assert!(numbers["health"].is_string() && numbers["people"] == 1 && numbers["events"] == json!([]), "{text}");
    assert!(!text.contains("ecretive"), "{text}");
    app.finish().await;
    let app = TestApp::new().await;
    assert_eq!(app.get("/metrics.json").await.status(), 404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d3_27_made_up_types_add_no_series_and_nothing_personal_is_shown() {
    let app = start(&[("CLERK_WEBHOOK_SIGNING_SECRET", FIRST_SECRET)]).await;
    let person = user_event("user.created", "user_secretive", "Ada-Secretive", NOW);
    assert_eq!(post(&app, FIRST_SECRET, "msg_person", &person.to_string()).await, 200);
    app.settled().await;
    let series = |text: &str| -> BTreeSet<String> {
        let names = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
        names.map(|(name, _)| name.to_owned()).collect()
    };
    for number in 0..3 {
        let body = json!({ "type": format!("kind-{number}.created"), "object": "event", "data": {} }).to_string();
        post(&app, FIRST_SECRET, &format!("msg_{number}"), &body).await;
    }
    app.settled().await;
    let before = series(&read(&app).await);
    for number in 3..200 {
        let kind = format!("kind-{number}.{}", "x".repeat(number % 60));
        let body = json!({ "type": kind, "object": "event", "data": { "id": "user_secretive" } }).to_string();
        assert_eq!(post(&app, FIRST_SECRET, &format!("msg_{number}"), &body).await, 200);
    }
    app.settled().await;
    let text = read(&app).await;
    assert_eq!(series(&text), before);
    assert_eq!(value(&text, "webhooks_total{type=\"unknown\"}"), 200);
    for personal in ["secretive", "Secretive", "example.com", "kind-", "msg_", "whsec", TOKEN, "127.0.0.1"] {
        assert!(!text.contains(personal), "{personal}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d3_05_each_secret_has_its_counter_and_each_end_of_a_webhook_its_own() {
    let secrets = format!("{FIRST_SECRET},{SECOND_SECRET}");
    let app = start(&[("CLERK_WEBHOOK_SIGNING_SECRET", &secrets)]).await;
    let event = |name: &str, at| user_event("user.updated", "user_a", name, at).to_string();
    let before = read(&app).await;
    assert_eq!(post(&app, FIRST_SECRET, "msg_1", &event("Ada", NOW)).await, 200);
    app.settled().await;
    assert_eq!(post(&app, SECOND_SECRET, "msg_1", &event("Ada", NOW)).await, 200);
    assert_eq!(post(&app, SECOND_SECRET, "msg_2", &event("Older", NOW - 1_000)).await, 200);
    assert_eq!(post(&app, SECOND_SECRET, "msg_3", &event("Ada", NOW)).await, 200);
    assert_eq!(post(&app, SECOND_SECRET, "msg_4", "{").await, 400);
    assert_eq!(post(&app, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_5", &event("Forged", NOW)).await, 400);
    app.settled().await;
    let after = read(&app).await;
    for (series, count) in [
        ("webhooks_verified_total{secret=\"1\"}", 1),
        ("webhooks_verified_total{secret=\"2\"}", 4),
        ("webhooks_total{type=\"user.updated\"}", 4),
        ("webhooks_refused_total{reason=\"signature_mismatch\"}", 1),
        ("webhooks_refused_total{reason=\"unusable\"}", 1),
        ("events_total{end=\"applied\"}", 1),
        ("events_total{end=\"stale\"}", 1),
        ("events_total{end=\"dead\"}", 1),
        ("webhook_ack_seconds_count", 4),
        ("event_lag_seconds_count", 1),
    ] {
        assert_eq!(value(&after, series) - value(&before, series), count, "{series}\n{after}");
    }
    // A delivery that comes again may be looked at again.
    let duplicates =
        value(&after, "events_total{end=\"duplicate\"}") - value(&before, "events_total{end=\"duplicate\"}");
    assert!((1..=2).contains(&duplicates), "{after}");
    assert_eq!((value(&after, "events_pending"), value(&after, "inbox_free")), (0, 2048));
    app.finish().await;
}

#[tokio::test]
async fn a4_26_alerts_that_are_open_are_a_number_for_each_kind_from_the_beginning() {
    let app = start(&[("ROLLCALL_INBOX_CAPACITY", "100")]).await;
    let text = read(&app).await;
    let all = text.lines().filter(|line| line.starts_with("rollcall_alerts_open{") && line.ends_with(" 0")).count();
    assert_eq!((all, value(&text, "inbox_capacity")), (AlertKind::ALL.len(), 100), "{text}");
    raise(&app.state, AlertKind::Silence, "nothing-arrives").await.expect("raised");
    eventually("it is open", || async {
        let text = read(&app).await;
        if value(&text, "alerts_open{kind=\"silence\"}") == 1 { Ok(()) } else { Err(text) }
    })
    .await;
    app.finish().await;
}

/// That each names only metrics that there are is tested beside them.
#[test]
fn the_dashboard_and_the_alert_rules_are_complete() {
    let [dashboard, rules] = ["ops/grafana.json", "ops/alerts.yml"].map(|path| {
        std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file")
    });
    let panels: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = panels["panels"].as_array().expect("panels");
    assert!(panels.iter().all(|panel| panel["targets"][0]["expr"].is_string()), "each has a query");
    let count = |word: &str| rules.lines().filter(|line| line.trim_start().starts_with(word)).count();
    let alerts = count("- alert:");
    assert!(alerts >= 10);
    for part in ["expr:", "severity:", "summary:", "description:"] {
        assert_eq!(count(part), alerts, "every alert has its {part}");
    }
}

#[tokio::test]
async fn calls_to_clerk_and_jobs_are_counted_by_how_they_end() {
    let app = start(&[("ROLLCALL_METADATA", "true")]).await;
    app.person(json!({ "email_address": ["ada@example.com"] })).await;
    app.jobs_settled().await;
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    app.jobs_settled().await;
    let before = read(&app).await;
    assert!(value(&before, "clerk_calls_total{outcome=\"ok\"}") >= 2, "{before}");
    assert!(value(&before, "jobs_total{kind=\"metadata\",end=\"done\"}") >= 1, "{before}");
    app.clerk.set_levers(Levers { paused: true, bapi_body: Some("<html>".to_owned()), ..Levers::default() });
    let unknown = app.clerk.create_user(json!({ "email_address": ["new@example.com"] }));
    assert_eq!(app.get_as(unknown["id"].as_str().expect("an id"), "/api/me").await.status(), 503);
    assert_eq!(value(&read(&app).await, "clerk_calls_total{outcome=\"malformed\"}"), 1, "D2-16");
    app.clerk.set_levers(Levers { paused: true, bapi_status: Some(500), ..Levers::default() });
    for _ in 0..8 {
        assert_eq!(app.get_as(unknown["id"].as_str().expect("an id"), "/api/me").await.status(), 503);
    }
    let after = read(&app).await;
    assert_eq!(value(&after, "clerk_calls_total{outcome=\"unavailable\"}"), 5, "{after}");
    assert_eq!(value(&after, "clerk_calls_total{outcome=\"circuit_open\"}"), 3, "{after}");
    assert_eq!(value(&after, "clerk_circuit_open"), 1, "{after}");
    app.clerk.set_levers(Levers::default());
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn d4_04_nonces_that_were_made_up_do_not_use_up_what_clerk_allows() {
    let app = start(&[]).await;
    let calls = async || {
        let text = read(&app).await;
        let made = text.lines().filter(|line| line.starts_with("rollcall_clerk_calls_total{"));
        made.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>()
    };
    let before = calls().await;
    for number in 0..60 {
        let answer = app.visit("", &format!("/?__clerk_handshake_nonce=made-up-{number}")).await;
        assert!(answer.status().as_u16() < 500, "{}", answer.status());
    }
    let made = calls().await - before;
    assert!((1..=20).contains(&made), "{made} calls for sixty nonces of one address");
    app.finish().await;
}
