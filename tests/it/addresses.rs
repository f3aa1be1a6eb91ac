//! What one address may do (D3-31): who forges is refused cheaply, who signs never.

use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt;
use mongodb::bson::doc;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::{Delivery, user_event};

const NOW: i64 = 1_760_000_000_000;
const LARGE: usize = 200_000;

async fn start(variables: &[(&'static str, &str)]) -> TestApp {
    let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    TestApp::with(Wishes { variables, ..Wishes::default() }).await
}

/// A client that calls from this address of the machine.
fn client_at(address: &str) -> Client {
    let address: IpAddr = address.parse().expect("an address");
    let builder = Client::builder().local_address(address).redirect(reqwest::redirect::Policy::none());
    builder.build().expect("a client")
}

fn url(app: &TestApp, path: &str) -> String {
    // `localhost` may be an IPv6 address, to which no client of 127.0.0.2 can connect.
    format!("{}{path}", app.url.replace("localhost", "127.0.0.1"))
}

fn signed(app: &TestApp, number: usize) -> Delivery {
    let body = user_event("user.created", &format!("user_{number}"), "Ada", NOW).to_string();
    Delivery::signed(app.clerk.webhook_secret(), &format!("msg_{number}"), body.as_bytes())
}

fn forged(app: &TestApp, length: usize) -> Delivery {
    let signature = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=".to_owned();
    Delivery { signature, body: vec![b'x'; length], ..signed(app, 0) }
}

async fn send(app: &TestApp, client: &Client, delivery: &Delivery) -> Response {
    delivery.request_to(client, &url(app, "/api/webhooks/clerk")).send().await.expect("an answer")
}

fn assert_told_when(answer: &Response) {
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = answer.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d3_31_who_forges_is_told_to_stop_and_who_signs_beside_it_is_heard() {
    let app = start(&[("ROLLCALL_ADDRESS_FAILURES", "20")]).await;
    let (forger, sender) = (client_at("127.0.0.2"), client_at("127.0.0.3"));
    for _ in 0..20 {
        assert_eq!(send(&app, &forger, &forged(&app, 10)).await.status(), 400);
    }
    assert_told_when(&send(&app, &forger, &forged(&app, 10)).await);
    // The same address signs as well, as when all come through one proxy: what is cheap to verify is verified.
    assert_eq!(send(&app, &forger, &signed(&app, 1)).await.status(), 200);
    assert_told_when(&send(&app, &forger, &forged(&app, 10)).await);
    assert_eq!(send(&app, &sender, &signed(&app, 2)).await.status(), 200, "another address");
    assert_eq!(send(&app, &sender, &forged(&app, LARGE)).await.status(), 400, "another address");
    app.settled().await;
    assert_eq!(app.database.count("users", doc! {}).await, 2);
    app.finish().await;
}

#[tokio::test]
async fn d3_31_a_large_body_of_an_address_that_forges_is_not_even_read() {
    let app = start(&[("ROLLCALL_ADDRESS_FAILURES", "1")]).await;
    let forger = client_at("127.0.0.2");
    for _ in 0..2 {
        send(&app, &forger, &forged(&app, 10)).await;
    }
    // A body that never comes is not waited for, neither one that says how long it is nor one that does not.
    for declared in [Some(LARGE), None] {
        let never = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = forged(&app, 0).request_to(&forger, &url(&app, "/api/webhooks/clerk"));
        let request = match declared {
            Some(length) => request.header("content-length", length),
            None => request,
        };
        let answer = request.body(reqwest::Body::wrap_stream(never)).send();
        let answer = tokio::time::timeout(Duration::from_secs(5), answer).await.expect("at once").expect("an answer");
        assert_told_when(&answer);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d3_31_no_number_of_signed_webhooks_from_one_address_is_too_many() {
    let app = start(&[("ROLLCALL_ADDRESS_FAILURES", "1"), ("ROLLCALL_ADDRESS_REQUESTS", "1")]).await;
    let sender = client_at("127.0.0.2");
    let sent = futures::stream::iter(0..2_000)
        .map(|number| {
            let (app, sender) = (&app, &sender);
            async move { send(app, sender, &signed(app, number)).await.status() }
        })
        .buffer_unordered(64);
    let refused = sent.filter(|status| std::future::ready(*status != StatusCode::OK)).count().await;
    assert_eq!(refused, 0);
    // Signed and unusable is not forged.
    for number in 0..5 {
        let poison = Delivery::signed(app.clerk.webhook_secret(), &format!("msg_poison_{number}"), b"{");
        assert_eq!(send(&app, &sender, &poison).await.status(), 400);
    }
    app.settled().await;
    app.finish().await;
}

#[tokio::test]
async fn d3_31_pages_forms_and_the_api_have_a_limit_and_health_has_none() {
    let app = start(&[("ROLLCALL_ADDRESS_REQUESTS", "4")]).await;
    let (busy, other) = (client_at("127.0.0.2"), client_at("127.0.0.3"));
    let get = async |client: &Client, path: &str| client.get(url(&app, path)).send().await.expect("an answer");
    for path in ["/", "/sign-in", "/api/openapi.json", "/api/me"] {
        assert_ne!(get(&busy, path).await.status(), 429, "{path}");
    }
    for path in ["/", "/sign-in", "/api/profile/get_profile", "/no-such-page"] {
        assert_told_when(&get(&busy, path).await);
    }
    let form = busy.post(url(&app, "/sign-out")).header("sec-fetch-site", "same-origin").send().await;
    assert_told_when(&form.expect("an answer"));
    let answer = get(&busy, "/api/me").await;
    assert_told_when(&answer);
    assert_eq!(answer.json::<Value>().await.expect("JSON")["error"], "Too many requests");
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(&busy, path).await.status(), 200, "{path}");
    }
    assert_eq!(get(&other, "/").await.status(), 200);
    app.finish().await;
}

#[tokio::test]
async fn d3_31_inngest_refuses_those_who_cannot_sign_more_cheaply() {
    let key = "signkey-test-0123456789abcdef0123456789abcdef".to_owned();
    let variables = vec![("ROLLCALL_ADDRESS_FAILURES", "3".to_owned()), ("INNGEST_SIGNING_KEY", key)];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let forger = client_at("127.0.0.2");
    let call = async || forger.post(url(&app, "/api/inngest")).body("{}").send().await.expect("an answer");
    for _ in 0..3 {
        assert_eq!(call().await.status(), 401);
    }
    assert_told_when(&call().await);
    app.finish().await;
}

#[tokio::test]
async fn d3_31_behind_a_trusted_proxy_each_caller_counts_alone_and_nobody_can_make_one_up() {
    let trusted = [("ROLLCALL_ADDRESS_REQUESTS", "2"), ("ROLLCALL_TRUSTED_PROXIES", "127.0.0.2/32")];
    let app = start(&trusted).await;
    let (proxy, stranger) = (client_at("127.0.0.2"), client_at("127.0.0.3"));
    let get = async |client: &Client, forwarded: &str| {
        let asked = client.get(url(&app, "/")).header("x-forwarded-for", forwarded).send().await;
        asked.expect("an answer").status().as_u16()
    };
    for caller in ["203.0.113.1", "203.0.113.2"] {
        assert_eq!((get(&proxy, caller).await, get(&proxy, caller).await), (200, 200), "{caller}");
        assert_eq!(get(&proxy, caller).await, 429, "{caller}");
        assert_eq!(get(&proxy, &format!("198.51.100.7, {caller}")).await, 429, "what stands before it is made up");
    }
    let asked = [get(&stranger, "203.0.113.8").await, get(&stranger, "203.0.113.9").await];
    assert_eq!((asked, get(&stranger, "203.0.113.10").await), ([200, 200], 429), "no proxy of ours");
    app.finish().await;
}
