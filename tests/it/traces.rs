//! Traces (issue 6, item 11): the real binary beside a collector on loopback, and beside one that is not there.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rollcall::server::inngest::keys::hex;
use rollcall::standin::token::TokenOptions;
use rollcall::standin::{self, Standin};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::app::{client, variables};
use crate::support::delivery::Delivery;
use crate::support::eventually;
use crate::support::mongo::TestDatabase;
use crate::support::process::{Server, free_port};
use crate::support::receiver::{Receiver, SECRET};

/// As the sender, or a proxy before us, says what it belongs to.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// Takes OTLP by HTTP and keeps it.
#[derive(Clone, Default)]
struct Collector {
    received: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

impl Collector {
    /// With its address.
    async fn start() -> (Self, String) {
        let collector = Self::default();
        let app = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        (collector, url)
    }

    fn received(&self) -> Vec<(HeaderMap, Bytes)> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn requests(&self) -> Vec<ExportTraceServiceRequest> {
        let read = |(_, body): (HeaderMap, Bytes)| ExportTraceServiceRequest::decode(body).expect("OTLP");
        self.received().into_iter().map(read).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let resources = self.requests().into_iter().flat_map(|request| request.resource_spans);
        resources.flat_map(|resource| resource.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    collector.received.lock().unwrap_or_else(PoisonError::into_inner).push((headers, body));
    StatusCode::OK
}

fn text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// A server process with these variables besides the usual ones, its Clerk and its database.
async fn start(wishes: &[(&'static str, String)]) -> (Server, Standin, TestDatabase) {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let options = standin::Options { app_origin: url.clone(), seed_users: 0, ..standin::Options::default() };
    let clerk = Standin::start(options).await.expect("the stand-in");
    let database = TestDatabase::new().await;
    let environment = variables(&clerk, &database.uri, &url).with(wishes.iter().cloned());
    let server = crate::support::process::start(port, &environment).await;
    (server, clerk, database)
}

fn created() -> String {
    let person = json!({
        "object": "user", "id": "user_traced", "first_name": "Markedfirst", "last_name": "Markedlast",
        "username": "markedname", "primary_email_address_id": "idn_1",
        "email_addresses": [{ "id": "idn_1", "email_address": "marked.address@example.com",
            "verification": { "status": "verified" } }],
        "public_metadata": { "role": "admin" }, "created_at": 1_750_000_000_000_i64, "updated_at": 1_750_000_000_000_i64,
    });
    json!({ "object": "event", "type": "user.created", "timestamp": 1_750_000_000_000_i64, "data": person }).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_30_one_trace_leads_from_the_webhook_to_its_effect_and_names_nobody() {
    let (collector, endpoint) = Collector::start().await;
    let receiver = Receiver::replying(&[]).await;
    let (mut server, clerk, database) = start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b".to_owned()),
        ("OTEL_SERVICE_NAME", "roll of the test".to_owned()),
        ("ROLLCALL_WEBHOOK_URL", receiver.url.clone()),
        ("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned()),
    ])
    .await;
    let delivery = Delivery::signed(clerk.webhook_secret(), "msg_traced", created().as_bytes());
    let sent = delivery.request_to(&client(), &server.webhook_url());
    let sent = sent.header("traceparent", format!("00-{TRACE}-{CALLER}-01")).send().await.expect("an answer");
    assert_eq!(sent.status(), 200);
    eventually("the effect is sent", || async {
        if receiver.received().is_empty() { Err("nothing yet".to_owned()) } else { Ok(()) }
    })
    .await;
    let token = clerk.session_token("user_traced", TokenOptions::asked_by(&server.url));
    for path in ["/people/markedname", "/admin/sync/events?person=markedname", "/readyz"] {
        let answer = client().get(format!("{}{path}", server.url)).bearer_auth(&token).send().await;
        assert_eq!(answer.expect("an answer").status(), 200, "{path}");
    }
    // What was not handed over yet is when it stops.
    server.signal("TERM");
    assert!(server.ended().await.success());

    let spans = collector.spans();
    let called =
        |name: &str| spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}: {spans:?}"));
    let webhook = called("POST /api/webhooks/clerk");
    assert_eq!(hex(&webhook.parent_span_id), CALLER);
    let status = webhook.attributes.iter().find(|attribute| attribute.key == "http.response.status_code");
    assert!(format!("{status:?}").contains("IntValue(200)"), "{status:?}");
    for (name, svix_id) in
        [("POST /api/webhooks/clerk", true), ("inbox commit", true), ("apply", true), ("effect webhook", false)]
    {
        let span = called(name);
        assert_eq!(hex(&span.trace_id), TRACE, "{name}");
        assert_eq!(text(span, "svix.id"), svix_id.then_some("msg_traced"), "{name}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{name}");
        if name != "POST /api/webhooks/clerk" {
            assert_eq!(span.parent_span_id, webhook.span_id, "{name}");
        }
    }
    assert_eq!(text(called("apply"), "event.state"), Some("applied"));
    assert_eq!(text(called("effect webhook"), "job.state"), Some("done"));
    // Whoever receives the effect goes on with the same trace.
    let carried = receiver.received()[0].headers["traceparent"].to_str().expect("text").to_owned();
    assert_eq!(carried, format!("00-{TRACE}-{}-01", hex(&called("effect webhook").span_id)));

    let page = called("GET /people/{username}");
    assert_eq!(text(page, "http.route"), Some("/people/{username}"));
    assert!(spans.iter().all(|span| !span.name.contains("readyz")), "machines ask too often");
    let (headers, _) = collector.received()[0].clone();
    assert_eq!(headers["x-key"], "a b");
    let everything = format!("{:?}", collector.requests());
    assert!(everything.contains("roll of the test"));
    for personal in ["arked", "example.com", "user_traced"] {
        assert!(!everything.contains(personal), "{personal} is in a trace");
    }
    clerk.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_30_a_collector_that_is_not_there_disturbs_nothing() {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    let (mut server, clerk, database) = start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", nobody)]).await;
    for number in 0..20 {
        let delivery =
            Delivery::signed(clerk.webhook_secret(), &format!("msg_untraced_{number}"), created().as_bytes());
        let sent = delivery.request_to(&client(), &server.webhook_url()).send().await.expect("an answer");
        assert_eq!(sent.status(), 200);
    }
    let began_at = Instant::now();
    server.signal("TERM");
    assert!(server.ended().await.success());
    assert!(began_at.elapsed() < Duration::from_secs(8), "{:?}", began_at.elapsed());
    assert_eq!(database.count("events", mongodb::bson::doc! {}).await, 20);
    clerk.stop().await;
    database.drop().await;
}
