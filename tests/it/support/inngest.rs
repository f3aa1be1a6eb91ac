//! An Inngest on this machine, and requests as it makes them: signed here by hand, so that nothing of ours checks itself.

use std::fmt::Write;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::app::{TestApp, Wishes, client};

pub const KEY: &str = "signkey-test-8ee2262a15e8d3c42d6a840db7af3de2aab08ef632b32a37a687f24b34dba3ff";
pub const FALLBACK_KEY: &str = "signkey-test-00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub const FOREIGN_KEY: &str = "signkey-test-ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
/// What the API is called with under `KEY` (F.3).
pub const BEARER: &str = "Bearer signkey-test-e4bf4a2e7f55c7eb954b6e72f8f69628fbc409fe7da6d0f6958770987dcf0e02";
pub const EVENT_KEY: &str = "evt_opensNothing";

/// What this Inngest was asked.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Answers as Inngest does, unless told otherwise, and remembers everything.
#[derive(Clone, Debug)]
pub struct FakeInngest {
    pub url: String,
    world: Arc<World>,
}

#[derive(Debug, Default)]
struct World {
    seen: Mutex<Vec<Seen>>,
    /// The beginning of a path, and what is answered there.
    answers: Mutex<Vec<(String, u16, Value)>>,
}

impl FakeInngest {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let world = Arc::new(World::default());
        let router = Router::new().fallback(receive).with_state(Arc::clone(&world));
        tokio::spawn(axum::serve(listener, router).into_future());
        let fake = Self { url, world };
        fake.answer("/fn/register", 200, json!({ "ok": true, "modified": true }));
        fake.answer("/e/", 200, json!({ "ids": ["01ARZ3NDEKTSV4RRFFQ69G5FAV"], "status": 200 }));
        fake
    }

    /// What is answered from now on where the path begins so.
    pub fn answer(&self, path: &str, status: u16, body: Value) {
        self.world.answers.lock().expect("unbroken").insert(0, (path.to_owned(), status, body));
    }

    pub fn seen(&self, path: &str) -> Vec<Seen> {
        let seen = self.world.seen.lock().expect("unbroken");
        seen.iter().filter(|seen| seen.path.starts_with(path)).cloned().collect()
    }

    /// The settings of an application beside this Inngest, in cloud mode.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("INNGEST_BASE_URL", self.url.clone()),
            ("INNGEST_SIGNING_KEY", KEY.to_owned()),
            ("INNGEST_SIGNING_KEY_FALLBACK", FALLBACK_KEY.to_owned()),
            ("INNGEST_EVENT_KEY", EVENT_KEY.to_owned()),
        ]
    }

    /// An application beside it, whose Clerk sends no webhooks: people arrive by Inngest alone.
    pub async fn app(&self) -> TestApp {
        let app = TestApp::with(Wishes { variables: self.variables(), ..Wishes::default() }).await;
        app.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
        app
    }

    /// An application that hands its webhooks over, and takes them back after this many seconds.
    pub async fn relaying_app(&self, fallback: &str) -> TestApp {
        let mut variables = self.variables();
        variables.push(("ROLLCALL_INNGEST_RELAY", "true".to_owned()));
        variables.push(("ROLLCALL_INNGEST_FALLBACK", fallback.to_owned()));
        TestApp::with(Wishes { variables, ..Wishes::default() }).await
    }
}

async fn receive(State(world): State<Arc<World>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let path = uri.path().to_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let query = uri.query().unwrap_or_default().to_owned();
    world.seen.lock().expect("unbroken").push(Seen { path: path.clone(), query, headers, body });
    let answers = world.answers.lock().expect("unbroken");
    let (status, body) = match answers.iter().find(|(beginning, _, _)| path.starts_with(beginning)) {
        Some((_, status, body)) => (*status, body.clone()),
        None => (404, json!({ "error": "not here" })),
    };
    (StatusCode::from_u16(status).expect("a status"), axum::Json(body)).into_response()
}

/// A request to `/api/inngest` before it is sent: everything a forger may change.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: &'static str,
    pub query: String,
    pub body: Vec<u8>,
    pub signature: Option<String>,
    pub headers: Vec<(&'static str, &'static str)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answered {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Ask {
    /// Signed now by the first key.
    pub fn signed(method: &'static str, query: &str, body: &[u8]) -> Self {
        Self::unsigned(method, query, body).signed_by(KEY, 0)
    }

    pub fn unsigned(method: &'static str, query: &str, body: &[u8]) -> Self {
        Self { method, query: query.to_owned(), body: body.to_vec(), signature: None, headers: Vec::new() }
    }

    /// A call of this function about one event.
    pub fn call(function: &str, event: &Value) -> Self {
        let body = json!({
            "ctx": {
                "attempt": 0, "disable_immediate_execution": true, "fn_id": "8ad4ae43-7e1d-4d2a-8f5d-1a2b3c4d5e6f",
                "max_attempts": 9, "run_id": "01GQ3HTEZ01M7R8Z9PR1DMHDN1", "stack": { "current": 0, "stack": [] },
                "step_id": "step", "use_api": false,
            },
            "event": event, "events": [event], "steps": {}, "use_api": false, "version": 2,
        });
        Self::signed("POST", &format!("fnId={function}&stepId=step"), body.to_string().as_bytes())
    }

    /// Signed by this key, this many seconds from now.
    #[must_use]
    pub fn signed_by(self, key: &str, offset: i64) -> Self {
        let time = jiff::Timestamp::now().as_second() + offset;
        self.signed_at(key, &time.to_string())
    }

    /// Signed by this key, at what it says is a time.
    #[must_use]
    pub fn signed_at(mut self, key: &str, time: &str) -> Self {
        let secret = key.splitn(3, '-').nth(2).expect("a key has three parts");
        let message = [self.body.as_slice(), time.as_bytes()].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &message);
        let code = tag.as_ref().iter().fold(String::new(), |mut code, byte| {
            let _ = write!(code, "{byte:02x}");
            code
        });
        self.signature = Some(format!("t={time}&s={code}"));
        self
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sends it to the server at `origin`.
    pub async fn send_to(&self, origin: &str) -> Answered {
        let method = Method::from_bytes(self.method.as_bytes()).expect("a method");
        let url = format!("{origin}/api/inngest?{}", self.query);
        let mut request = client().request(method, url.trim_end_matches('?'));
        if !self.body.is_empty() {
            request = request.header("content-type", "application/json").body(self.body.clone());
        }
        if let Some(signature) = &self.signature {
            request = request.header("x-inngest-signature", signature);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answered { status, headers, text: answer.text().await.expect("text") }
    }

    pub async fn send(&self, app: &TestApp) -> Answered {
        self.send_to(&app.url).await
    }
}

/// An event as Inngest passes it on.
pub fn event(name: &str, data: &Value) -> Value {
    json!({ "data": data, "id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "name": name, "ts": 1_760_000_000_000_i64, "user": {}, "v": "1" })
}
