//! Who sent it: signatures, their headers, their time and their secrets (D3-01 to D3-11, D3-29).
//!
//! Whatever is refused leaves no trace in MongoDB, and its answer tells a stranger nothing.

use mongodb::bson::doc;
use reqwest::RequestBuilder;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::{Delivery, user_event};
use crate::webhooks::NOW;

const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const HEADERS: [&str; 3] = ["svix-id", "svix-timestamp", "svix-signature"];

fn body() -> String {
    user_event("user.created", "user_forged", "Mallory", NOW).to_string()
}

fn good(app: &TestApp) -> Delivery {
    Delivery::signed(app.clerk.webhook_secret(), "msg_forged", body().as_bytes())
}

/// A bare request with exactly these headers.
fn with_headers(app: &TestApp, headers: &[(&str, &[u8])], body: &str) -> RequestBuilder {
    let start = app.client.post(app.at("/api/webhooks/clerk")).body(body.to_owned());
    headers.iter().fold(start, |request, (name, value)| {
        request.header(*name, HeaderValue::from_bytes(value).expect("a header value"))
    })
}

async fn assert_refused(name: &str, request: RequestBuilder) {
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 400, "{name}");
    let said: Value = answer.json().await.expect("JSON");
    assert_eq!(said, json!({ "error": "the signature cannot be verified" }), "{name}");
}

/// Nothing was stored, and the unspoilt delivery would have been.
async fn finish_untouched(app: TestApp) {
    assert_eq!(app.database.count("deliveries", doc! {}).await, 0);
    assert_eq!(app.database.count("users", doc! {}).await, 0);
    assert_eq!(good(&app).send(&app).await.status(), 200, "the unspoilt one is good");
    app.finish().await;
}

#[tokio::test]
async fn a3_21_d3_01_each_header_missing_or_blank_is_refused() {
    let app = TestApp::new().await;
    let good = good(&app);
    let time = good.timestamp.to_string();
    let values: [&[u8]; 3] = [good.id.as_bytes(), time.as_bytes(), good.signature.as_bytes()];
    let whole: Vec<(&str, &[u8])> = HEADERS.into_iter().zip(values).collect();
    assert_refused("none at all", with_headers(&app, &[], &body())).await;
    for spoilt in 0..HEADERS.len() {
        let mut missing = whole.clone();
        let (name, _) = missing.remove(spoilt);
        assert_refused(&format!("{name} missing"), with_headers(&app, &missing, &body())).await;
        for blank in [&b""[..], b" ", b"\t \t"] {
            let mut blanked = whole.clone();
            blanked[spoilt].1 = blank;
            assert_refused(&format!("{name} blank"), with_headers(&app, &blanked, &body())).await;
        }
    }
    finish_untouched(app).await;
}

#[tokio::test]
async fn d3_02_a_signature_with_any_byte_changed_is_refused() {
    let app = TestApp::new().await;
    let good = good(&app);
    for place in "v1,".len()..good.signature.len() {
        let mut bytes = good.signature.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let signature = String::from_utf8(bytes).expect("ASCII");
        let forgery = Delivery { signature, ..good.clone() };
        assert_refused(&format!("byte {place}"), forgery.request(&app)).await;
    }
    finish_untouched(app).await;
}

#[tokio::test]
async fn d3_03_partial_and_foreign_versions_of_a_signature_are_refused() {
    let app = TestApp::new().await;
    let good = good(&app);
    let whole = good.signature.strip_prefix("v1,").expect("a version").to_owned();
    for signature in [
        "v1,".to_owned(),
        "v1".to_owned(),
        ",".to_owned(),
        whole.clone(),
        good.signature[..20].to_owned(),
        format!("v2,{whole}"),
        format!("v1a,{whole}"),
        format!("V1,{whole}"),
        format!("v1, {whole}"),
        format!("v1,{whole}extra"),
        format!("v1,{whole}v1,{whole}"),
        format!("v1;{whole}"),
        "v1,x ".repeat(2_000),
    ] {
        let forgery = Delivery { signature: signature.clone(), ..good.clone() };
        assert_refused(&format!("{signature:.60}"), forgery.request(&app)).await;
    }
    finish_untouched(app).await;
}

#[tokio::test]
async fn d3_04_one_valid_signature_among_several_is_enough() {
    let app = TestApp::new().await;
    let mut delivery = good(&app);
    delivery.signature = format!("v2,abc v1,{} {} v1a,x", "A".repeat(44), delivery.signature);
    assert_eq!(delivery.send(&app).await.status(), 200);
    app.finish().await;
}

#[tokio::test]
async fn d3_05_any_of_several_secrets_will_do_and_no_other() {
    let first = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let both = format!("{first},{OTHER_SECRET}");
    let app =
        TestApp::with(Wishes { variables: vec![("CLERK_WEBHOOK_SIGNING_SECRET", both)], ..Wishes::default() }).await;
    for (id, secret) in [("msg_1", first), ("msg_2", OTHER_SECRET)] {
        assert_eq!(Delivery::signed(secret, id, body().as_bytes()).send(&app).await.status(), 200, "{id}");
    }
    let neither = Delivery::signed("whsec_bmVpdGhlciBvZiB0aGUgdHdvIHNlY3JldHM=", "msg_3", body().as_bytes());
    assert_refused("neither", neither.request(&app)).await;
    app.finish().await;
}

#[tokio::test]
async fn d3_06_d3_09_the_raw_bytes_the_id_and_the_time_are_what_is_signed() {
    let app = TestApp::new().await;
    let (good, body) = (good(&app), body());
    let parsed: Value = serde_json::from_str(&body).expect("JSON");
    let pretty = serde_json::to_string_pretty(&parsed).expect("JSON");
    let bodies =
        [body.replace("Mallory", "Malory!"), format!("{body} "), format!(" {body}"), format!("{body}\n"), pretty];
    for changed in bodies {
        let forgery = Delivery { body: changed.clone().into_bytes(), ..good.clone() };
        assert_refused(&format!("{changed:.40}"), forgery.request(&app)).await;
    }
    let other_id = Delivery { id: "msg_other".to_owned(), ..good.clone() };
    assert_refused("a replay under another id", other_id.request(&app)).await;
    let later = Delivery { timestamp: good.timestamp + 1, ..good.clone() };
    assert_refused("a replay at another time", later.request(&app)).await;
    let other_secret = Delivery::signed(OTHER_SECRET, "msg_forged", body.as_bytes());
    assert_refused("another secret", other_secret.request(&app)).await;
    finish_untouched(app).await;
}

#[tokio::test]
async fn d3_07_times_beyond_five_minutes_are_refused_and_within_accepted() {
    let app = TestApp::new().await;
    let secret = app.clerk.webhook_secret().to_owned();
    let now = jiff::Timestamp::now().as_second();
    // The exact edge is in the verifier's own tests: here the clock goes on between signing and judging.
    for off in [-301, 310, -600, 600, -100_000, 100_000, -now, -now + 1] {
        let forgery = Delivery::signed_at(&secret, "msg_forged", body().as_bytes(), now + off);
        assert_refused(&format!("{off} s"), forgery.request(&app)).await;
    }
    for (index, off) in [-290, 0, 290, 299].into_iter().enumerate() {
        let delivery = Delivery::signed_at(&secret, &format!("msg_{index}"), body().as_bytes(), now + off);
        assert_eq!(delivery.send(&app).await.status(), 200, "{off} s");
    }
    app.finish().await;
}

#[tokio::test]
async fn d3_07_times_that_are_not_plain_seconds_are_refused() {
    let app = TestApp::new().await;
    let good = good(&app);
    let now = good.timestamp;
    for time in [
        format!("-{now}"),
        format!("+{now}"),
        format!("0{now}"),
        format!("{now}.0"),
        format!("{now}e0"),
        format!("{now:#x}"),
        format!("{now}000"),
        "now".to_owned(),
        "NaN".to_owned(),
        "99999999999999999999".to_owned(),
        "9223372036854775808".to_owned(),
        "1 760".to_owned(),
        "\u{661}\u{667}\u{666}".to_owned(),
    ] {
        let headers = [
            ("svix-id", good.id.as_bytes()),
            ("svix-timestamp", time.as_bytes()),
            ("svix-signature", good.signature.as_bytes()),
        ];
        assert_refused(&time, with_headers(&app, &headers, &body())).await;
    }
    finish_untouched(app).await;
}

#[tokio::test]
async fn d3_08_an_exact_replay_is_acknowledged_counted_and_changes_nothing() {
    let app = TestApp::new().await;
    let good = good(&app);
    for _ in 0..2 {
        assert_eq!(good.send(&app).await.status(), 200);
        app.settled().await;
    }
    let event = app.database.event("msg_forged").await.expect("kept");
    let counted = event.get_i32("deliveries").map(i64::from).or(event.get_i64("deliveries"));
    assert_eq!((counted.ok(), event.get_str("state").ok()), (Some(2), Some("applied")));
    assert_eq!(app.database.count("events", doc! {}).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn d3_10_ids_that_cannot_be_keys_are_refused_even_when_signed() {
    let app = TestApp::new().await;
    for id in [
        "msg.dotted".to_owned(),
        ".".to_owned(),
        "a b".to_owned(),
        "a\tb".to_owned(),
        "a/b#c".to_owned(),
        "%41".to_owned(),
        "x&all=1".to_owned(),
        "msg_\u{e9}".to_owned(),
        "x".repeat(257),
        "x".repeat(10_000),
    ] {
        let delivery = Delivery::signed(app.clerk.webhook_secret(), &id, body().as_bytes());
        let time = delivery.timestamp.to_string();
        let headers = [
            ("svix-id", id.as_bytes()),
            ("svix-timestamp", time.as_bytes()),
            ("svix-signature", delivery.signature.as_bytes()),
        ];
        assert_refused(&format!("{id:.20}"), with_headers(&app, &headers, &body())).await;
    }
    finish_untouched(app).await;
}

#[tokio::test]
async fn d3_11_the_svix_set_wins_when_complete_and_the_two_sets_never_mix() {
    let app = TestApp::new().await;
    let good = good(&app);
    let time = good.timestamp.to_string();
    let (id, time, signature) = (good.id.as_bytes(), time.as_bytes(), good.signature.as_bytes());
    let unbranded = [("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)];
    let svix = [("svix-id", id), ("svix-timestamp", time), ("svix-signature", signature)];
    let contradictory = [&[("svix-id", &b"msg_x"[..]), svix[1], svix[2]], &unbranded[..]].concat();
    assert_refused("a bad svix set beside a good one", with_headers(&app, &contradictory, &body())).await;
    let mixed = [svix[0], unbranded[1], unbranded[2]];
    assert_refused("half and half", with_headers(&app, &mixed, &body())).await;
    assert_eq!(app.database.count("deliveries", doc! {}).await, 0);
    for set in [&unbranded[..], &[&[("svix-id", &b"msg_x"[..])], &unbranded[..]].concat()] {
        let answer = with_headers(&app, set, &body()).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
    app.settled().await;
    assert_eq!(app.database.count("events", doc! {}).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a2_17_d3_29_without_a_secret_development_answers_500() {
    let unset = vec![("CLERK_WEBHOOK_SIGNING_SECRET", String::new())];
    let app = TestApp::with(Wishes { variables: unset, ..Wishes::default() }).await;
    let delivery = Delivery::signed(OTHER_SECRET, "msg_1", body().as_bytes());
    assert_eq!(delivery.send(&app).await.status(), 500);
    assert_eq!(app.database.count("deliveries", doc! {}).await, 0);
    app.finish().await;
}
