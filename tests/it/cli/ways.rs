//! `rollcall doctor` and what may stand between Clerk and the webhook's route (C-12): each has a message of its own.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::Value;
use tokio::net::TcpListener;

use super::{beside, run, with};
use crate::support::app::{TestApp, Wishes, client};
use crate::support::delivery::Delivery;

/// Serves on a port of this machine.
pub async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

/// Something in front that answers by itself.
async fn front(status: u16, body: &'static str) -> String {
    let status = StatusCode::from_u16(status).expect("a status");
    serve(Router::new().fallback(move || async move { (status, [(LOCATION, "https://elsewhere.example.com/")], body) }))
        .await
}

/// A proxy that reads JSON and writes it again.
async fn rewriting(app: &TestApp) -> String {
    let target = app.at("/api/webhooks/clerk");
    serve(Router::new().fallback(move |headers: HeaderMap, body: Bytes| async move {
        let read: Value = serde_json::from_slice(&body).expect("JSON");
        let signed = ["svix-id", "svix-timestamp", "svix-signature"];
        let call = signed.iter().fold(client().post(target), |call, name| call.header(*name, headers[*name].clone()));
        let answer = call.body(read.to_string()).send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("text")).into_response()
    }))
    .await
}

#[tokio::test]
async fn c_12_whatever_stands_before_the_webhooks_route_is_found_and_named() {
    let app = TestApp::new().await;
    let unset =
        TestApp::with(Wishes { variables: vec![("CLERK_WEBHOOK_SIGNING_SECRET", String::new())], ..Wishes::default() })
            .await;
    let mut said = BTreeSet::new();
    for (url, seen, fix) in [
        (rewriting(&app).await, "changes bodies, so no signature can hold", "turn off whatever rewrites JSON"),
        (front(308, "").await, "redirects (308)", "give Clerk the final address"),
        (front(404, "").await, "no such route", "let what stands in front pass POST /api/webhooks/clerk"),
        (front(405, "").await, "takes no POST", "pass POST /api/webhooks/clerk"),
        (front(401, "").await, "asks for a login (401)", "exempt /api/webhooks/clerk"),
        (front(415, "").await, "compresses bodies", "turn off the compression"),
        (front(503, "").await, "is not available (503)", "see the log"),
        (front(200, "<html>Welcome</html>").await, "something else answers", "pass POST /api/webhooks/clerk"),
        (unset.url.clone(), "has no webhook secret", "give `rollcall serve` CLERK_WEBHOOK_SIGNING_SECRET"),
    ] {
        let findings =
            run(&["doctor", "--json"], &with(&beside(&app), "ROLLCALL_PUBLIC_URL", &url)).await.expect(1).findings();
        let found = findings.iter().find(|finding| finding["check"] == "webhook route").expect("a finding");
        let says = |part: &str, words: &str| found[part].as_str().is_some_and(|text| text.contains(words));
        assert!(found["verdict"] == "bad" && says("seen", seen) && says("fix", fix), "{seen}: {found}");
        assert!(said.insert(found["seen"].to_string()), "two are told the same: {found}");
    }
    for collection in ["deliveries", "events"] {
        assert_eq!(app.database.count(collection, mongodb::bson::doc! {}).await, 0, "a probe left a trace");
    }
    unset.finish().await;
    app.finish().await;
}

#[tokio::test]
async fn c_12_a_probe_is_believed_only_with_a_signature_and_counts_as_no_use_of_the_secret() {
    let app = TestApp::new().await;
    let body = br#"{"type":"rollcall.probe"}"#;
    let forged = Delivery::signed("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "probe_1", body);
    assert_eq!(forged.send(&app).await.status(), 400);
    let own = Delivery::signed(app.clerk.webhook_secret(), "probe_1", body).send(&app).await;
    assert_eq!(own.json::<Value>().await.expect("JSON")["probe"], "probe_1");
    let event = Delivery::signed(app.clerk.webhook_secret(), "msg_1", body).send(&app).await;
    assert_eq!(event.status(), 200, "under another id it is an event of an unknown type");
    app.settled().await;
    assert!(app.database.event("probe_1").await.is_none() && app.database.event("msg_1").await.is_some());
    app.finish().await;
}
