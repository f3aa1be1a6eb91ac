//! What every request passes: the log line, the trace, the security headers, a word for people; and the origin checks of mutations.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, LOCATION, ORIGIN, REFERER, REFERRER_POLICY, RETRY_AFTER,
    STRICT_TRANSPORT_SECURITY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;
use url::Url;

use crate::server::http::Shared;
use crate::server::http::api::refusal::Refusal;
use crate::server::http::outcome::explain;
use crate::server::settings::Environment;
use crate::server::sync::isolation::unless_it_panics;
use crate::server::traces::{self, Part};

/// Asked every few seconds by machines, or open for as long as a page is.
const UNTRACED: [&str; 5] = ["/healthz", "/readyz", "/metrics", "/metrics.json", "/admin/sync/live"];
/// What no page of ours asks a browser for. Copying and, for passkeys, credentials are left as they are.
const UNUSED: &str = "accelerometer=(), autoplay=(), camera=(), display-capture=(), encrypted-media=(), fullscreen=(), \
                      geolocation=(), gyroscope=(), hid=(), idle-detection=(), magnetometer=(), microphone=(), midi=(), \
                      payment=(), picture-in-picture=(), screen-wake-lock=(), serial=(), usb=(), xr-spatial-tracking=()";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// The id of a request, for whoever answers it.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// What surrounds every answer, as one layer: each layer costs a request an allocation and a copy of what is below it.
pub async fn surround(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let headed = async |request| with_headers(&shared, request, async |request| answer(request, next).await).await;
    let explained = async |request| explain(request, headed).await;
    trace_request(request, async |request| log_request(request, explained).await).await
}

/// What panics is answered, too (D5-26): what it says is in the log, beside the request's id.
async fn answer(request: Request, next: Next) -> Response {
    match unless_it_panics(next.run(request)).await {
        Some(response) => response,
        None => (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side.").into_response(),
    }
}

/// One line a request: method, path, status, time. No query, no cookie, nothing personal (D7-05). Its id stands beside
/// everything that is logged meanwhile, and is all that an answer says of a failure's cause (D5-26).
async fn log_request(mut request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = loggable_path(&request);
    let id = format!("{:032x}", rand::random::<u128>());
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("request", id);
    let mut response = next(request).instrument(span.clone()).await;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(%method, path, status = response.status().as_u16(), took_ms, "request"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// The path, or its route where the path names somebody.
fn loggable_path(request: &Request) -> String {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    route.filter(|route| route.contains("{username}")).unwrap_or_else(|| request.uri().path()).to_owned()
}

/// The beginning of a trace, or the next part of its caller's: method and route, for a path may name somebody.
async fn trace_request(request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let is_watched = route.as_deref().is_none_or(|route| !UNTRACED.contains(&route));
    if !traces::is_on() || !is_watched {
        return next(request).await;
    }
    let (method, caller) = (request.method().as_str().to_owned(), traces::called_by(request.headers()));
    let name = route.as_deref().map_or_else(|| method.clone(), |route| format!("{method} {route}"));
    let mut part = Part::answering(name).with("http.request.method", method);
    if let Some(route) = route {
        part = part.with("http.route", route);
    }
    let answered = async {
        let response = next(request).await;
        traces::note("http.response.status_code", i64::from(response.status().as_u16()));
        if response.status().is_server_error() {
            traces::fail();
        }
        response
    };
    part.under(caller, answered).await
}

/// Headers of D6 that are the same everywhere; the content policy is the pages' own.
async fn with_headers(shared: &Shared, request: Request, next: impl AsyncFnOnce(Request) -> Response) -> Response {
    let is_asset = request.uri().path().starts_with("/pkg/") || request.uri().path() == "/favicon.svg";
    let began_at = Instant::now();
    let mut response = next(request).await;
    // Also for what ran out of time, which no handler answered.
    let come_again = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    let is_for_all = headers.get(CACHE_CONTROL).is_some_and(|control| control.as_bytes().starts_with(b"public"));
    if come_again {
        headers.entry(RETRY_AFTER).or_insert(HeaderValue::from_static("5"));
    }
    if shared.0.settings.environment == Environment::Development
        && let Ok(took) = HeaderValue::from_str(&format!("total;dur={}", began_at.elapsed().as_millis()))
    {
        headers.insert(SERVER_TIMING, took);
    }
    let mut set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    set(REFERRER_POLICY, "strict-origin-when-cross-origin");
    set(HeaderName::from_static("permissions-policy"), UNUSED);
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if shared.0.settings.server.public_url.scheme() == "https" {
        set(STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
    if is_asset {
        set(CACHE_CONTROL, "no-cache");
    } else if !is_for_all {
        set(CACHE_CONTROL, "private, no-store");
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
    response
}

/// Refuses what another site makes a browser do here (D5-04): a mutation must come from a page of ours.
pub async fn same_origin(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || comes_from_us(request.headers(), &shared.0.settings.server.public_url) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "This request did not come from a page of this site.").into_response()
}

/// The same for the JSON API: from a page of ours, or from exactly one of the front ends. A token in a header is not sent
/// by a browser of its own accord; who may send it from which page is what CORS says.
pub async fn own_or_client_origin(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let settings = &shared.0.settings;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if reads || comes_from_friends(request.headers(), &settings.server.public_url, &settings.api.client_origins) {
        return next.run(request).await;
    }
    Refusal::foreign_origin().into_response()
}

/// Leptos answers a plain form by going back to its `Referer`: a foreign one is taken away, and a function that only reads
/// answers with data, so that no other site can lead a visitor through us or see where they end up (D5-06).
pub async fn own_referer(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let is_function = request.uri().path().starts_with("/api/");
    if is_function {
        let own = shared.0.settings.server.public_url.origin();
        let referer = request.headers().get(REFERER).and_then(|value| value.to_str().ok());
        let is_own = referer.and_then(|text| Url::parse(text).ok()).is_some_and(|url| url.origin() == own);
        let reads = request.method() == Method::GET;
        if reads || !is_own {
            request.headers_mut().remove(REFERER);
        }
        if reads {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        }
    }
    let mut response = next.run(request).await;
    // Of arguments that are none Leptos says 500, or leads a plain form back with the error in the address. What ran has said
    // how long its answer may be kept.
    let has_run = response.headers().contains_key(CACHE_CONTROL);
    if is_function
        && !has_run
        && (response.status() == StatusCode::INTERNAL_SERVER_ERROR || response.status() == StatusCode::FOUND)
    {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        response.headers_mut().remove(LOCATION);
    }
    response
}

/// `Sec-Fetch-Site` if the browser sends it, else an exact `Origin`; a client that sends neither is no browser and
/// carries no cookie that it was not given.
fn comes_from_us(headers: &HeaderMap, public_url: &Url) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => origin == public_url.origin().ascii_serialization(),
        (None, None) => !headers.contains_key("cookie"),
    }
}

fn comes_from_friends(headers: &HeaderMap, public_url: &Url, client_origins: &[String]) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let has_token = text(AUTHORIZATION).is_some_and(|value| value.starts_with("Bearer "));
    match text(ORIGIN) {
        Some(origin) if client_origins.iter().any(|client| client == origin) => true,
        None if has_token && !headers.contains_key(ORIGIN) => true,
        _ => comes_from_us(headers, public_url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_04_a0_07_the_api_may_be_changed_from_the_front_ends_too_and_from_nowhere_else() {
        let public_url = Url::parse("https://app.example.com").expect("a valid address");
        let clients = ["https://front.example.com".to_owned(), "http://localhost:5173".to_owned()];
        let allowed = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_str(value).expect("a header value"));
            }
            comes_from_friends(&headers, &public_url, &clients)
        };
        let cookie = ("cookie", "__session=x");
        let token = ("authorization", "Bearer x.y.z");
        for origin in ["https://front.example.com", "http://localhost:5173", "https://app.example.com"] {
            assert!(allowed(&[cookie, ("origin", origin)]), "{origin}");
            assert!(allowed(&[token, ("origin", origin)]), "{origin}");
        }
        assert!(allowed(&[cookie, ("sec-fetch-site", "same-site"), ("origin", "https://front.example.com")]));
        assert!(allowed(&[token]), "no browser");
        assert!(!allowed(&[cookie]));
        assert!(!allowed(&[cookie, ("sec-fetch-site", "cross-site")]));
        for origin in [
            "null",
            "https://evil.example",
            "https://front.example.com.evil.example",
            "https://evilfront.example.com",
            "https://front.example.com:444",
            "http://front.example.com",
            "https://FRONT.example.com",
            "https://app.example.com.evil.example",
        ] {
            assert!(!allowed(&[cookie, ("origin", origin)]), "{origin}");
            assert!(!allowed(&[token, ("origin", origin)]), "{origin}");
            assert!(!allowed(&[cookie, ("authorization", "Basic x"), ("origin", origin)]), "{origin}");
        }
    }

    fn allowed(pairs: &[(&'static str, &str)]) -> bool {
        let public_url = Url::parse("https://app.example.com").expect("a valid address");
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).expect("a header value"));
        }
        comes_from_us(&headers, &public_url)
    }

    #[test]
    fn d5_04_only_a_page_of_ours_may_post() {
        assert!(allowed(&[("sec-fetch-site", "same-origin"), ("cookie", "a=b")]));
        assert!(!allowed(&[("sec-fetch-site", "cross-site"), ("cookie", "a=b")]));
        assert!(!allowed(&[("sec-fetch-site", "same-site"), ("origin", "https://app.example.com")]));
        assert!(!allowed(&[("sec-fetch-site", "none")]));
        assert!(allowed(&[("origin", "https://app.example.com")]));
        assert!(!allowed(&[("origin", "https://app.example.com:8443")]));
        assert!(!allowed(&[("origin", "null"), ("cookie", "a=b")]));
        assert!(!allowed(&[("origin", "https://app.example.com.evil.example")]));
        assert!(!allowed(&[("cookie", "__session=x")]));
        assert!(allowed(&[]));
    }
}
