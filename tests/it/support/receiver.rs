//! Somebody's webhook receiver: remembers every request and answers as it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;
use svix::webhooks::Webhook;
use tokio::net::TcpListener;

pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    answers: VecDeque<Reply>,
    received: Vec<Received>,
}

/// What the receiver does with one request.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    Status(u16),
    /// With `Retry-After`, in seconds.
    Later(u16, u64),
    /// To itself, which must not be followed.
    Redirect,
    Silence,
}

#[derive(Clone, Debug)]
pub struct Received {
    pub headers: HeaderMap,
    pub raw: Bytes,
}

impl Received {
    pub fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().expect("text")
    }

    /// The body, if the signature over it is good.
    pub fn verified(&self) -> Value {
        Webhook::new(SECRET).expect("a secret").verify(&self.raw, &self.headers).expect("a signature that verifies");
        self.body()
    }

    pub fn body(&self) -> Value {
        serde_json::from_slice(&self.raw).expect("JSON")
    }
}

impl Receiver {
    /// Replies so first, and then with 204.
    pub async fn replying(replies: &[Reply]) -> Receiver {
        let shelf = Shelf { answers: replies.iter().copied().collect(), received: Vec::new() };
        let shelf = Arc::new(Mutex::new(shelf));
        let app = Router::new().route("/hook", post(accept)).with_state(Arc::clone(&shelf));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Receiver { url, shelf }
    }

    pub fn received(&self) -> Vec<Received> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner).received.clone()
    }
}

async fn accept(State(shelf): State<Arc<Mutex<Shelf>>>, headers: HeaderMap, raw: Bytes) -> Response {
    let reply = {
        let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.received.push(Received { headers, raw });
        shelf.answers.pop_front().unwrap_or(Reply::Status(204))
    };
    let status = |status| StatusCode::from_u16(status).expect("a status");
    match reply {
        Reply::Status(code) => status(code).into_response(),
        Reply::Later(code, seconds) => (status(code), [("retry-after", seconds.to_string())]).into_response(),
        Reply::Redirect => (StatusCode::TEMPORARY_REDIRECT, [("location", "/hook")]).into_response(),
        Reply::Silence => std::future::pending().await,
    }
}
