//! `/api/inngest`: Inngest asks what we are (GET), has us register (PUT) and calls functions (POST); F.5.
//!
//! Verified over the raw bytes before anything is read (A3-21). What is answered is decided by `server::inngest`, what a
//! function does by `server::sync::functions`. Our own address is never taken from a request.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::json;
use url::form_urlencoded;

use crate::server::error::{Error, causes};
use crate::server::inngest::answer::{Answer, IN_BAND, OUT_OF_BAND, SERVER_KIND, SIGNATURE, SYNC_KIND};
use crate::server::inngest::call::Call;
use crate::server::inngest::client::Client;
use crate::server::inngest::functions::{Function, find};
use crate::server::inngest::signature::Trust;
use crate::server::inngest::{Mode, introspection, registration};
use crate::server::state::AppState;
use crate::server::sync::functions;

/// The largest call that Inngest makes.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// Receives one request of any method.
pub async fn receive(State(state): State<Arc<AppState>>, request: Request) -> Response {
    let Some(inngest) = &state.inngest else {
        let message = "Inngest is not configured here: set INNGEST_SIGNING_KEY, or INNGEST_DEV in development";
        return respond(Answer::message(StatusCode::NOT_FOUND, message).with("content-type", "application/json"));
    };
    let (parts, body) = request.into_parts();
    let signature = text(&parts.headers, SIGNATURE);
    // What cannot be believed anyway is not even read (D3-31).
    let is_hopeless = signature.is_none() && inngest.config.mode == Mode::Cloud;
    let body = if is_hopeless { Ok(Bytes::new()) } else { read(&state, body).await };
    let now = Timestamp::now();
    let trust = Trust::of(&inngest.config, signature, body.as_deref().unwrap_or_default(), now);
    let answer = match (&parts.method, body) {
        (_, Err(refusal)) => refusal,
        (&Method::GET | &Method::PUT | &Method::POST, Ok(_)) if trust.is_refused() => unauthorized(trust),
        (&Method::GET, Ok(_)) => Answer::json(StatusCode::OK, &introspection::document(&inngest.config, trust)),
        (&Method::PUT, Ok(body)) => sync(inngest, &parts, &body, trust).await,
        (&Method::POST, Ok(body)) => call(&state, inngest, &parts, &body).await,
        _ => Answer::message(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"),
    };
    respond(answer.dressed(&inngest.config, trust, now))
}

/// The whole body, within the time and the size that a request may have.
async fn read(state: &AppState, body: Body) -> Result<Bytes, Answer> {
    match tokio::time::timeout(state.settings.server.request_timeout, to_bytes(body, LARGEST_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(Answer::message(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or incomplete")),
        Err(_) => Err(Answer::message(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

fn unauthorized(trust: Trust<'_>) -> Answer {
    if let Trust::Refused(rejection) = trust {
        tracing::warn!(reason = rejection.reason(), "a request to Inngest's endpoint was refused");
    }
    Answer::message(StatusCode::UNAUTHORIZED, "Unauthorized")
}

/// Registration: in the answer, if that is asked for, else by a call of ours.
async fn sync(inngest: &Client, parts: &Parts, body: &[u8], trust: Trust<'_>) -> Answer {
    if text(&parts.headers, SYNC_KIND) == Some(IN_BAND) {
        let asked = serde_json::from_slice(body).unwrap_or_default();
        if !registration::is_in_band_request(&asked) {
            let refusal = json!({ "code": "invalid_request", "message": "the body must be an object with a url" });
            return Answer::json(StatusCode::BAD_REQUEST, &refusal);
        }
        let document = registration::in_band_document(&inngest.config, trust);
        return Answer::json(StatusCode::OK, &document).with(SYNC_KIND, IN_BAND);
    }
    let deploy_id = query(parts, "deployId").filter(|id| id != "undefined");
    let (status, message, modified) =
        match inngest.register(deploy_id.as_deref(), text(&parts.headers, SERVER_KIND)).await {
            Ok(registered) => (StatusCode::OK, "Successfully registered".to_owned(), registered.modified),
            Err(error) => {
                tracing::error!(error = %causes(&error), "functions were not registered");
                (StatusCode::INTERNAL_SERVER_ERROR, format!("Failed to register; {error}"), false)
            }
        };
    Answer::json(status, &json!({ "message": message, "modified": modified })).with(SYNC_KIND, OUT_OF_BAND)
}

/// A call of a function, or a probe whether we can tell who calls.
async fn call(state: &AppState, inngest: &Client, parts: &Parts, body: &[u8]) -> Answer {
    match query(parts, "probe").as_deref() {
        None | Some("") => {}
        Some("trust") => return Answer::trusted_probe(),
        Some(_) => return Answer::error(StatusCode::BAD_REQUEST, "Unknown probe"),
    }
    let id = query(parts, "fnId").unwrap_or_default();
    let Some(function) = find(&inngest.config.app_id, &id) else {
        tracing::warn!("Inngest called a function that is not here");
        return Answer::unknown_function();
    };
    let mut call = match Call::parse(body) {
        Ok(call) => call,
        Err(error) => return Answer::retryable(&error.to_string(), None),
    };
    let run_id = call.run_id.clone().unwrap_or_default();
    if call.fetch_by_run {
        match inngest.fetch_batch(&run_id).await {
            Ok(events) => call.events = events,
            Err(error) => return failed(function, &error.into()),
        }
    }
    match functions::run(state, function.task, &call).await {
        Ok(value) => {
            tracing::info!(function = function.id, run.id = run_id, attempt = call.attempt, "called by Inngest");
            Answer::finished(&value)
        }
        Err(error) => failed(function, &error),
    }
}

/// Only what is wrong with the event itself is final; everything else may be mended meanwhile.
fn failed(function: &Function, error: &Error) -> Answer {
    error.log(function.id);
    match error {
        Error::Invalid { .. } => Answer::permanent(&error.to_string()),
        error => Answer::retryable(&error.cause(), error.retry_after()),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn query(parts: &Parts, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = answer.status;
    for (name, value) in answer.headers {
        // Everything in them is plain text by the settings.
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}
