//! A shared cache between people and a server, as RFC 9111 allows one: it keeps whatever it may, for as long as it may.
//!
//! Where a server says nothing about how long, this one takes a minute, which is what section 4.2.2 leaves to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use tokio::net::TcpListener;

use crate::support::app::client;

/// How an answer came about: from the server, or from what was kept, with or without asking whether it still holds.
pub const CAME: HeaderName = HeaderName::from_static("x-came");
const NOT_SAID: Duration = Duration::from_mins(1);
const MOST: usize = 16 * 1024 * 1024;
/// Those that may be kept without a word about it (RFC 9110, 15.1).
const KEEPABLE: [u16; 12] = [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501];

struct Kept {
    /// What the server's answer depended on, and how it was in the request.
    selecting: Vec<(String, Option<HeaderValue>)>,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    since: Instant,
}

struct Cache {
    origin: String,
    client: reqwest::Client,
    kept: Mutex<HashMap<String, Vec<Arc<Kept>>>>,
}

/// Begins one before this server; its own address.
pub async fn before(origin: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let cache = Cache { origin: origin.to_owned(), client: client(), kept: Mutex::default() };
    let router = Router::new().fallback(answer).with_state(Arc::new(cache));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// A directive of `Cache-Control`, with its argument.
fn directive(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all("cache-control").iter().filter_map(|line| line.to_str().ok());
    let mut all = lines.flat_map(|line| line.split(',')).map(|part| part.trim().to_ascii_lowercase());
    all.find_map(|part| match part.split_once('=') {
        Some((known, argument)) if known == name => Some(argument.trim_matches('"').to_owned()),
        None if part == name => Some(String::new()),
        _ => None,
    })
}

fn is_keepable(request: &HeaderMap, status: StatusCode, answer: &HeaderMap) -> bool {
    let says = |name: &str| directive(answer, name).is_some();
    let is_forbidden = says("no-store") || says("private") || directive(request, "no-store").is_some();
    let is_for_one = request.contains_key("authorization");
    let is_for_all = says("public") || says("s-maxage") || says("must-revalidate");
    let is_known = KEEPABLE.contains(&status.as_u16()) || says("public") || says("max-age") || says("s-maxage");
    !is_forbidden && is_known && (!is_for_one || is_for_all)
}

impl Kept {
    fn is_for(&self, request: &HeaderMap) -> bool {
        self.selecting.iter().all(|(name, value)| name != "*" && request.get(name) == value.as_ref())
    }

    fn is_fresh(&self, request: &HeaderMap) -> bool {
        let seconds = |name: &str| directive(&self.headers, name).and_then(|text| text.parse().ok());
        let lifetime = seconds("s-maxage").or_else(|| seconds("max-age")).map_or(NOT_SAID, Duration::from_secs);
        let asks_again = directive(&self.headers, "no-cache").is_some() || directive(request, "no-cache").is_some();
        !asks_again && self.since.elapsed() < lifetime
    }

    fn answer(&self, came: &'static str) -> Response {
        let mut response = Response::new(Body::from(self.body.clone()));
        (*response.status_mut(), *response.headers_mut()) = (self.status, self.headers.clone());
        response.headers_mut().insert(CAME, HeaderValue::from_static(came));
        response
    }
}

async fn answer(State(cache): State<Arc<Cache>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let (kept, mut headers) = (cache.find(&head.method, &target, &head.headers), head.headers.clone());
    if let Some(kept) = kept.as_ref().filter(|kept| kept.is_fresh(&head.headers)) {
        return kept.answer("kept");
    }
    headers.remove("host");
    if let Some(kept) = &kept {
        for (known, asks) in [("etag", "if-none-match"), ("last-modified", "if-modified-since")] {
            if let Some(value) = kept.headers.get(known) {
                headers.insert(asks, value.clone());
            }
        }
    }
    let body = to_bytes(body, MOST).await.expect("a body");
    let asked = cache.client.request(head.method.clone(), format!("{}{target}", cache.origin));
    let answer = asked.headers(headers).body(body).send().await.expect("an answer");
    if let Some(kept) = kept.filter(|_| answer.status() == StatusCode::NOT_MODIFIED) {
        return kept.answer("confirmed");
    }
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    headers.remove("transfer-encoding");
    let body = answer.bytes().await.expect("a body");
    let varies = headers.get_all("vary").iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let selecting = varies.map(|name| name.trim().to_ascii_lowercase()).map(|name| {
        let value = head.headers.get(&name).cloned();
        (name, value)
    });
    let (selecting, since) = (selecting.collect(), Instant::now());
    let fetched = Arc::new(Kept { selecting, status, headers, body, since });
    if head.method == Method::GET && is_keepable(&head.headers, status, &fetched.headers) {
        let mut kept = cache.kept.lock().expect("nobody panicked");
        kept.entry(target).or_default().insert(0, Arc::clone(&fetched));
    }
    fetched.answer("fetched")
}

impl Cache {
    fn find(&self, method: &Method, target: &str, request: &HeaderMap) -> Option<Arc<Kept>> {
        let kept = self.kept.lock().expect("nobody panicked");
        let here = kept.get(target).filter(|_| *method == Method::GET)?;
        here.iter().find(|kept| kept.is_for(request)).cloned()
    }
}
