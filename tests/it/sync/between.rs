//! Stands between the application and the stand-in: passes everything on, keeps what was asked, and spoils what it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rollcall::standin::Standin;
use serde_json::Value;
use tokio::sync::{Mutex as Hold, OwnedMutexGuard};

use crate::support::app::client;

/// What to do to the next pages of the list that are asked for, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Pass,
    Answer(u16),
    /// A page with nobody on it, which is the end marker.
    Empty,
    /// The person who is the cursor is deleted at Clerk just before.
    CursorGone,
}

#[derive(Default)]
struct Script {
    pages: VecDeque<Fault>,
    /// So many questions about one person are answered by 503.
    silent: usize,
    /// Added to every count.
    miscount: i64,
    asked: Vec<String>,
}

#[derive(Clone)]
pub struct Between {
    pub url: String,
    clerk: Standin,
    script: Arc<Mutex<Script>>,
    /// Whoever has it keeps back what Clerk answers to a write of metadata.
    merged: Arc<Hold<()>>,
}

impl Between {
    pub async fn start(clerk: &Standin) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let between = Self { url, clerk: clerk.clone(), script: Arc::default(), merged: Arc::default() };
        let router = Router::new().fallback(pass).with_state(between.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        between
    }

    pub fn spoil(&self, pages: &[Fault]) {
        self.script.lock().expect("no panic").pages.extend(pages);
    }

    pub fn answer_nobody(&self, questions: usize) {
        self.script.lock().expect("no panic").silent = questions;
    }

    /// Until this is dropped, a write of metadata is done and not answered.
    pub async fn hold_back_merges(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.merged).lock_owned().await
    }

    pub fn miscount(&self, by: i64) {
        self.script.lock().expect("no panic").miscount = by;
    }

    /// The cursor of each page that was asked for; empty for the first page.
    pub fn cursors(&self) -> Vec<String> {
        self.script.lock().expect("no panic").asked.clone()
    }
}

fn cursor_of(uri: &Uri) -> Option<String> {
    let query = uri.query().unwrap_or_default();
    let is_list = uri.path() == "/v1/users" && query.contains("created_at") && !query.contains("created_at_");
    let cursor = query.split('&').find_map(|pair| pair.strip_prefix("starting_after=")).unwrap_or_default();
    is_list.then(|| cursor.to_owned())
}

async fn pass(State(between): State<Between>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(cursor) = cursor_of(&parts.uri) {
        let fault = {
            let mut script = between.script.lock().expect("no panic");
            script.asked.push(cursor.clone());
            script.pages.pop_front().unwrap_or(Fault::Pass)
        };
        match fault {
            Fault::Pass => {}
            Fault::CursorGone => drop(between.clerk.delete_user(&cursor)),
            Fault::Empty => return ([(CONTENT_TYPE, "application/json")], "[]").into_response(),
            Fault::Answer(status) => {
                let status = StatusCode::from_u16(status).expect("a status");
                return (status, [(RETRY_AFTER, "1")], "{}").into_response();
            }
        }
    }
    if parts.uri.path().starts_with("/v1/users/user_") {
        let mut script = between.script.lock().expect("no panic");
        if script.silent > 0 {
            script.silent -= 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    let url = format!("{}{}", between.clerk.url(), parts.uri);
    let mut call = client().request(parts.method, url).body(to_bytes(body, usize::MAX).await.expect("a body"));
    for name in [AUTHORIZATION.as_str(), CONTENT_TYPE.as_str(), "clerk-api-version"] {
        if let Some(value) = parts.headers.get(name) {
            call = call.header(name, value);
        }
    }
    let answer = call.send().await.expect("an answer");
    let status = answer.status();
    let mut body: Bytes = answer.bytes().await.expect("a body");
    if parts.uri.path().ends_with("/metadata") {
        drop(between.merged.lock().await);
    }
    let by = between.script.lock().expect("no panic").miscount;
    if parts.uri.path() == "/v1/users/count" && by != 0 {
        let mut count: Value = serde_json::from_slice(&body).expect("JSON");
        count["total_count"] = (count["total_count"].as_i64().expect("a count") + by).into();
        body = count.to_string().into();
    }
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
