//! A receiver of webhooks that remembers everything it was sent, and when.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use rollcall::standin::{Options, Standin};
use serde_json::Value;
use svix::webhooks::Webhook;
use tokio::net::TcpListener;

use crate::standin::shapes;

#[derive(Clone)]
pub struct Inbox {
    pub url: String,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    answers: VecDeque<u16>,
    received: Vec<Received>,
}

#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub raw: Bytes,
    pub at_ms: i64,
}

impl Inbox {
    /// Answers with the given statuses first, and then with 200.
    pub async fn answering(answers: &[u16]) -> Inbox {
        let shelf = Shelf { answers: answers.iter().copied().collect(), received: Vec::new() };
        let shelf = Arc::new(Mutex::new(shelf));
        let app = Router::new().route("/hook", post(accept)).with_state(Arc::clone(&shelf));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Inbox { url, shelf }
    }

    /// The usual stand-in, with this receiver and quick retries.
    pub fn options(&self) -> Options {
        Options { webhook_url: Some(self.url.clone()), retry_scale: 0.0001, ..Options::default() }
    }

    /// Everything that came, once nothing more is under way.
    pub async fn all(&self, standin: &Standin) -> Vec<Received> {
        assert!(standin.drained(Duration::from_secs(20)).await, "webhooks are still waiting");
        lock(&self.shelf).received.clone()
    }

    /// The bodies of everything that came: each signed with the agreed secret and of the published shape.
    pub async fn events(&self, standin: &Standin) -> Vec<Value> {
        let verifier = Webhook::new(standin.webhook_secret()).expect("a secret");
        let events = self.all(standin).await.into_iter().map(|received| {
            verifier.verify(&received.raw, &received.headers).expect("a signature that verifies");
            assert_eq!(received.headers["content-type"], "application/json");
            let event = received.body();
            shapes::check(&format!("webhooks {}", event["type"].as_str().expect("a type")), "sent", &event);
            event
        });
        events.collect()
    }
}

impl Received {
    pub fn id(&self) -> &str {
        self.headers["svix-id"].to_str().expect("text")
    }

    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.raw).expect("JSON")
    }
}

async fn accept(State(shelf): State<Arc<Mutex<Shelf>>>, headers: HeaderMap, raw: Bytes) -> StatusCode {
    let mut shelf = lock(&shelf);
    shelf.received.push(Received { headers, raw, at_ms: jiff::Timestamp::now().as_millisecond() });
    StatusCode::from_u16(shelf.answers.pop_front().unwrap_or(200)).expect("a status")
}

fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}
