//! How it arrives: header lines, lengths, encodings, content types, methods, paths, floods (D3-12 to D3-15, D3-18, D3-19,
//! D3-28, D3-31). Raw sockets where a proper client would refuse to send it.

use std::time::{Duration, Instant};

use futures::StreamExt;
use mongodb::bson::doc;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::{Delivery, user_event};
use crate::webhooks::NOW;

const PATH: &str = "/api/webhooks/clerk";

fn body() -> String {
    user_event("user.created", "user_a", "Ada", NOW).to_string()
}

fn good(app: &TestApp) -> Delivery {
    Delivery::signed(app.clerk.webhook_secret(), "msg_1", body().as_bytes())
}

/// The three lines of a delivery's signature.
fn signature_lines(delivery: &Delivery) -> Vec<String> {
    vec![
        format!("svix-id: {}", delivery.id),
        format!("svix-timestamp: {}", delivery.timestamp),
        format!("svix-signature: {}", delivery.signature),
    ]
}

/// Sends these header lines and these bytes as they are, and returns the status and everything answered. A server that
/// hangs up without a word is status 0.
async fn raw(app: &TestApp, lines: &[String], body: &[u8]) -> (u16, String) {
    raw_until(app, lines, body, false).await
}

/// The same; with `ends` the sender is gone after the last byte, instead of waiting for an answer.
async fn raw_until(app: &TestApp, lines: &[String], body: &[u8], ends: bool) -> (u16, String) {
    let address = app.url.trim_start_matches("http://localhost");
    let mut stream = TcpStream::connect(format!("127.0.0.1{address}")).await.expect("a connection");
    let head =
        format!("POST {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n\r\n", lines.join("\r\n"));
    stream.write_all(head.as_bytes()).await.expect("sent");
    // A server that has heard enough may close before all is sent.
    let _ = stream.write_all(body).await;
    if ends {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    let _ = read.await.expect("an answer or an end in time");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer)
}

fn with(lines: &[String], more: &[&str]) -> Vec<String> {
    lines.iter().cloned().chain(more.iter().map(|line| (*line).to_owned())).collect()
}

async fn assert_nothing_stored(app: &TestApp) {
    assert_eq!(app.database.count("deliveries", doc! {}).await, 0);
}

#[tokio::test]
async fn d3_12_two_lines_of_one_signed_header_are_refused_even_when_equal() {
    let app = TestApp::new().await;
    let delivery = good(&app);
    let (lines, length) = (signature_lines(&delivery), format!("content-length: {}", delivery.body.len()));
    for doubled in 0..lines.len() {
        let name = lines[doubled].split(':').next().expect("a name").to_owned();
        for second in [lines[doubled].clone(), format!("{name}: other"), format!("{}: other", name.to_uppercase())] {
            for order in [with(&lines, &[&second, &length]), [vec![second.clone()], with(&lines, &[&length])].concat()]
            {
                let (status, answer) = raw(&app, &order, &delivery.body).await;
                assert_eq!(status, 400, "{second}: {answer}");
            }
        }
    }
    assert_nothing_stored(&app).await;
    let (status, answer) = raw(&app, &with(&lines, &[&length]), &delivery.body).await;
    assert_eq!(status, 200, "{answer}");
    app.finish().await;
}

#[tokio::test]
async fn d3_13_a_body_over_the_limit_is_413_declared_or_not() {
    let limit = vec![("ROLLCALL_WEBHOOK_BODY_LIMIT", "2048".to_owned())];
    let app = TestApp::with(Wishes { variables: limit, ..Wishes::default() }).await;
    let large = vec![b'x'; 4096];
    let delivery = Delivery::signed(app.clerk.webhook_secret(), "msg_large", &large);
    assert_eq!(delivery.send(&app).await.status(), 413);
    let chunks = futures::stream::iter(
        large.chunks(512).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
    );
    let chunked = delivery.request(&app).body(reqwest::Body::wrap_stream(chunks)).send().await.expect("an answer");
    assert_eq!(chunked.status(), 413);
    // Declared alone is enough: nobody waits for the rest.
    let (status, _) = raw(&app, &with(&signature_lines(&delivery), &["content-length: 1000000000"]), b"x").await;
    assert_eq!(status, 413);
    assert_nothing_stored(&app).await;
    app.finish().await;
}

#[tokio::test]
async fn d3_13_reading_stops_at_the_limit_of_a_mebibyte() {
    let app = TestApp::new().await;
    let mut body = user_event("user.created", "user_a", "", NOW);
    let room = 1_048_576 - body.to_string().len();
    for (name, length, expected) in [("exactly", room, 200), ("one more", room + 1, 413)] {
        body["data"]["first_name"] = json!("n".repeat(length));
        let id = format!("msg_{}", name.replace(' ', "_"));
        let delivery = Delivery::signed(app.clerk.webhook_secret(), &id, body.to_string().as_bytes());
        assert_eq!(delivery.send(&app).await.status(), expected, "{name}");
    }
    // A sender that never stops is cut off, not listened to.
    let delivery = good(&app);
    let mut endless = b"100000\r\n".to_vec();
    endless.extend(vec![b'x'; 0x10_0000]);
    endless.extend_from_slice(b"\r\n");
    let (status, _) =
        raw(&app, &with(&signature_lines(&delivery), &["transfer-encoding: chunked"]), &endless.repeat(4)).await;
    assert!(matches!(status, 413 | 0), "{status}");
    app.finish().await;
}

#[tokio::test]
async fn d3_13_lengths_that_are_wrong_lead_nowhere() {
    let app = TestApp::new().await;
    let delivery = good(&app);
    let (lines, length) = (signature_lines(&delivery), delivery.body.len());
    for (name, more) in [
        ("too short", format!("content-length: {}", length - 1)),
        ("negative", "content-length: -1".to_owned()),
        ("no number", "content-length: many".to_owned()),
        ("huge", "content-length: 99999999999999999999999".to_owned()),
        ("two", format!("content-length: {length}\r\ncontent-length: {}", length - 1)),
        ("chunked, but not", "transfer-encoding: chunked".to_owned()),
        ("an unknown transfer", "transfer-encoding: identity, rot13".to_owned()),
    ] {
        let (status, answer) = raw(&app, &with(&lines, &[&more]), &delivery.body).await;
        assert!(status == 0 || (400..500).contains(&status), "{name}: {answer}");
    }
    let more = format!("content-length: {}", length + 1);
    let (status, answer) = raw_until(&app, &with(&lines, &[&more]), &delivery.body, true).await;
    assert!(status == 0 || (400..500).contains(&status), "too long: {answer}");
    assert_nothing_stored(&app).await;
    let chunked = [format!("{length:x}\r\n").as_bytes(), &delivery.body, b"\r\n0\r\n\r\n"].concat();
    let (status, answer) = raw(&app, &with(&lines, &["transfer-encoding: chunked"]), &chunked).await;
    assert_eq!(status, 200, "well chunked: {answer}");
    app.finish().await;
}

#[tokio::test]
async fn d3_14_encoded_bodies_are_refused_unread() {
    let app = TestApp::new().await;
    let delivery = good(&app);
    for encoding in ["gzip", "br", "deflate", "zstd", "identity", "gzip, gzip", "nonsense"] {
        let answer = delivery.request(&app).header("content-encoding", encoding).send().await.expect("an answer");
        assert_eq!(answer.status(), 415, "{encoding}");
    }
    // The head of a gzip bomb: nobody unpacks it.
    let bomb = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec(), vec![0; 100_000]].concat();
    let signed = Delivery::signed(app.clerk.webhook_secret(), "msg_bomb", b"{}");
    let bomb = Delivery { body: bomb, ..signed };
    let answer = bomb.request(&app).header("content-encoding", "gzip").send().await.expect("an answer");
    assert_eq!(answer.status(), 415);
    assert_eq!(bomb.send(&app).await.status(), 400, "without the header it is no text");
    assert_nothing_stored(&app).await;
    app.finish().await;
}

#[tokio::test]
async fn d3_15_the_content_type_does_not_matter_the_signature_does() {
    let app = TestApp::new().await;
    let types = [
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
        "nonsense",
    ];
    for (index, kind) in types.into_iter().enumerate() {
        let delivery = Delivery::signed(app.clerk.webhook_secret(), &format!("msg_{index}"), body().as_bytes());
        let lines = with(
            &signature_lines(&delivery),
            &[&format!("content-type: {kind}"), &format!("content-length: {}", delivery.body.len())],
        );
        assert_eq!(raw(&app, &lines, &delivery.body).await.0, 200, "{kind}");
        let unsigned = raw(&app, &lines[3..], &delivery.body).await;
        assert_eq!(unsigned.0, 400, "{kind}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d3_18_other_methods_are_405_and_say_which_is_allowed() {
    let app = TestApp::new().await;
    let delivery = good(&app);
    for name in ["GET", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "BREW"] {
        let method = Method::from_bytes(name.as_bytes()).expect("a method");
        let answer = app
            .client
            .request(method, app.at(PATH))
            .header("svix-id", &delivery.id)
            .header("svix-timestamp", delivery.timestamp)
            .header("svix-signature", &delivery.signature)
            .body(delivery.body.clone())
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 405, "{name}");
        assert_eq!(answer.headers()["allow"], "POST", "{name}");
    }
    assert_nothing_stored(&app).await;
    app.finish().await;
}

#[tokio::test]
async fn d3_19_no_other_path_is_the_webhook_and_none_redirects() {
    let app = TestApp::new().await;
    let delivery = good(&app);
    for path in [
        "/api/webhooks/clerk/",
        "/api/webhooks//clerk",
        "//api/webhooks/clerk",
        "/api//webhooks/clerk",
        "/api/webhooks/CLERK",
        "/API/webhooks/clerk",
        "/api/webhooks%2Fclerk",
        "/api/webhooks/clerk%00",
        "/api/webhooks/clerk;a=b",
        "/api/webhooks",
    ] {
        let answer = delivery.request_to(&app.client, &app.at(path)).send().await.expect("an answer");
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
    assert_nothing_stored(&app).await;
    let answer =
        delivery.request_to(&app.client, &app.at("/api/webhooks/clerk?source=clerk")).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "a query is nobody's business");
    app.finish().await;
}

#[tokio::test]
async fn d3_28_an_unsigned_event_on_the_inngest_path_changes_nobody() {
    let app = TestApp::new().await;
    for path in ["/api/inngest", "/api/inngest?fnId=rollcall-user-created&stepId=step"] {
        let event =
            json!({ "name": "clerk/user.created", "data": user_event("user.created", "user_a", "Ada", NOW)["data"] });
        let call = json!({ "event": event, "events": [event], "ctx": { "run_id": "r" }, "steps": {} });
        let answer = app.client.post(app.at(path)).json(&call).send().await.expect("an answer");
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
    app.settled().await;
    assert_eq!(app.database.count("users", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d3_31_a_flood_of_unsigned_requests_does_not_starve_the_signed() {
    let app = TestApp::new().await;
    let started = Instant::now();
    let flood = futures::stream::iter(0..3_000_usize)
        .map(|number| {
            let forgery = Delivery { signature: format!("v1,{number:044}"), ..good(&app) };
            let app = &app;
            async move { forgery.send(app).await.status().as_u16() }
        })
        .buffer_unordered(64)
        .collect::<Vec<u16>>();
    let signed = async {
        let mut slowest = Duration::ZERO;
        for number in 0..100 {
            let asked = Instant::now();
            app.deliver(&format!("msg_{number}"), &user_event("user.created", &format!("user_{number}"), "Ada", NOW))
                .await;
            slowest = slowest.max(asked.elapsed());
        }
        slowest
    };
    let (refused, slowest) = tokio::join!(flood, signed);
    assert!(refused.iter().all(|status| *status == 400));
    assert!(slowest < Duration::from_secs(5), "{slowest:?} beside a flood of {:?}", started.elapsed());
    app.settled().await;
    assert_eq!(app.database.count("events", doc! {}).await, 100);
    app.finish().await;
}
