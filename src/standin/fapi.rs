//! The Frontend API: what the real clerk-js talks to. Every route of it, CORS, and the cookies of a production instance.
//!
//! Routing is one match, because clerk-js sends every verb as a POST with `_method`. The answers are made in the
//! modules below; `request` reads what came.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::Value;

use crate::standin::bapi::images::LARGEST_BODY;
use crate::standin::fapi::request::Call;
use crate::standin::instance::Instance;
use crate::standin::refusal::Refusal;

pub mod client;
pub mod environment;
pub mod handshake;
pub mod me;
pub mod request;
pub mod shapes;
pub mod sign_in;
pub mod sign_up;

type Answer = Result<Value, Refusal>;

pub fn router(instance: Arc<Instance>) -> Router {
    Router::new()
        .route("/v1/environment", any(serve))
        .route("/v1/dev_browser", any(serve))
        .route("/v1/client", any(serve))
        .route("/v1/client/{*rest}", any(serve))
        .route("/v1/me", any(serve))
        .route("/v1/me/{*rest}", any(serve))
        .route("/.well-known/jwks.json", any(serve))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(instance)
}

async fn serve(
    State(instance): State<Arc<Instance>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let levers = instance.levers();
    let mut response = if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else if let Some(status) = levers.fapi_status.and_then(|status| StatusCode::from_u16(status).ok()) {
        Refusal::by_lever(status, levers.retry_after_s).into_response()
    } else {
        let mut call = Call::read(&instance, &method, &uri, &headers, &body);
        call.file = request::read_file(&headers, &body).await;
        let mut response = answer(&instance, &mut call);
        if instance.production {
            client::set_cookies(&instance, &call, response.headers_mut());
        }
        response
    };
    allow_origin(&headers, response.headers_mut());
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn answer(instance: &Instance, call: &mut Call) -> Response {
    let path: Vec<String> = call.path.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if path == ["v1", "client", "handshake"] && call.method == Method::GET {
        return handshake::answer(instance, call);
    }
    let result = match path.as_slice() {
        [".well-known", "jwks.json"] => Ok(instance.signing.jwks()),
        ["v1", "environment"] => Ok(environment::describe(instance)),
        ["v1", "dev_browser"] => Ok(client::create_browser(instance)),
        ["v1", rest @ ..] => identified(instance, call, rest),
        _ => Err(Refusal::not_found("resource")),
    };
    result.map_or_else(IntoResponse::into_response, |body| axum::Json(body).into_response())
}

/// Everything that needs to know the browser; in development it must have introduced itself first.
fn identified(instance: &Instance, call: &mut Call, path: &[&str]) -> Answer {
    let known = call.browser.as_ref().is_some_and(|key| instance.world().browsers.contains_key(key));
    if !known && !instance.production {
        let text = "Unable to authenticate this browser for your development instance.";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "dev_browser_unauthenticated", text));
    }
    if !known {
        call.browser = None;
    }
    match (call.method.as_str(), path) {
        ("GET", ["client"]) => Ok(client::read(instance, call)),
        ("PUT" | "POST", ["client"]) => Ok(client::create(instance, call)),
        ("DELETE", ["client"] | ["client", "sessions"]) => Ok(client::remove_sessions(instance, call)),
        ("GET", ["client", "sessions", id]) => client::read_session(instance, call, id),
        ("POST", ["client", "sessions", id, "touch"]) => client::touch(instance, call, id),
        ("POST", ["client", "sessions", id, "tokens"]) => client::token(instance, call, id),
        ("POST", ["client", "sessions", id, action @ ("end" | "remove")]) => client::close(instance, call, id, action),
        ("POST", ["client", "sign_ups"]) => sign_up::create(instance, call),
        ("GET", ["client", "sign_ups", id]) => sign_up::read(instance, call, id),
        ("PATCH", ["client", "sign_ups", id]) => sign_up::update(instance, call, id),
        ("POST", ["client", "sign_ups", id, "prepare_verification"]) => sign_up::prepare(instance, call, id),
        ("POST", ["client", "sign_ups", id, "attempt_verification"]) => sign_up::attempt(instance, call, id),
        ("POST", ["client", "sign_ins"]) => sign_in::create(instance, call),
        ("GET", ["client", "sign_ins", id]) => sign_in::read(instance, call, id),
        ("POST", ["client", "sign_ins", id, "prepare_first_factor"]) => sign_in::prepare(instance, call, id),
        ("POST", ["client", "sign_ins", id, "attempt_first_factor"]) => sign_in::attempt(instance, call, id),
        ("POST", ["client", "sign_ins", id, "reset_password"]) => sign_in::reset_password(instance, call, id),
        (_, ["me", rest @ ..]) => me::answer(instance, call, rest),
        _ => Err(Refusal::not_found("resource")),
    }
}

/// Credentials forbid a wildcard, so the origin that asks is the origin that may.
fn allow_origin(request: &HeaderMap, response: &mut HeaderMap) {
    let Some(origin) = request.get(header::ORIGIN) else { return };
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    response.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    response.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("Authorization, X-Country, Clerk-Db-Jwt"),
    );
    response.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
    response.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type"));
    response.append(header::VARY, HeaderValue::from_static("Origin"));
}
