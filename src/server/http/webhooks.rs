//! `POST /api/webhooks/clerk`: verify the raw bytes, store, then acknowledge (A2-02, A2-03, D3).
//!
//! 2xx only for what is journaled on a majority; 4xx for what a repeat cannot mend; 5xx for what it can. What an event
//! means is decided later, elsewhere.

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_ENCODING, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;

use crate::model::event::EventState;
use crate::server::clerk::webhook::event::{Event as Delivered, ParseError, Subject};
use crate::server::clerk::webhook::{KNOWN_TYPES, Rejection, Verified};
use crate::server::error::Error;
use crate::server::http::declared_length;
use crate::server::inngest::keys::hex;
use crate::server::metrics::METRICS;
use crate::server::probe;
use crate::server::settings::clerk::WEBHOOK_SECRET_VARIABLES;
use crate::server::state::AppState;
use crate::server::statistics::tally::Refusal;
use crate::server::store::events::Event;
use crate::server::sync::fold::FOREIGN;
use crate::server::sync::inbox::Handling;
use crate::server::sync::mapping::from_event;
use crate::server::sync::ports::Ports;
use crate::server::sync::relay;
use crate::server::traces;

/// Svix' way for a receiver to end the repetition of one message.
pub const DELIVERY: HeaderName = HeaderName::from_static("webhook-delivery");

const KEPT_HEADERS: [&str; 5] = ["svix-timestamp", "webhook-timestamp", "user-agent", "content-type", "content-length"];
const LONGEST_HEADER: usize = 200;

/// Receives one delivery.
pub async fn receive(State(state): State<Arc<AppState>>, headers: HeaderMap, body: Body) -> Response {
    let began_at = Instant::now();
    let Some(verifier) = &state.verifier else {
        METRICS.refused("no_secret");
        state.tally.refused(Refusal::Signature);
        tracing::error!(variable = WEBHOOK_SECRET_VARIABLES[0], "a webhook came, but no signing secret is configured");
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, probe::UNCONFIGURED);
    };
    if headers.contains_key(CONTENT_ENCODING) {
        METRICS.refused("encoded");
        state.tally.refused(Refusal::Ours);
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoded bodies are not accepted");
    }
    let limit = state.settings.server.webhook_body_limit;
    if declared_length(&headers).is_some_and(|length| length > limit) {
        METRICS.refused("too_large");
        state.tally.refused(Refusal::Ours);
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    }
    let Ok(bytes) = to_bytes(body, limit).await else {
        METRICS.refused("too_large");
        state.tally.refused(Refusal::Ours);
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or incomplete");
    };
    let now = Timestamp::now();
    let proof = match verifier.verify(&headers, &bytes, now) {
        Ok(proof) => proof,
        Err(rejection) => {
            METRICS.refused(rejection.reason());
            state.tally.refused(fault_of(rejection));
            tracing::warn!(reason = rejection.reason(), "webhook refused");
            return refuse(StatusCode::BAD_REQUEST, probe::UNVERIFIED);
        }
    };
    if probe::is_probe(&proof.id, &bytes) {
        return Json(probe::answer(&proof.id)).into_response();
    }
    note_secret(&state, &proof, now);
    traces::note("svix.id", proof.id.clone());
    match accept(&state, &proof, &kept_headers(&headers), &bytes, now).await {
        Ok(Verdict::Received) => {
            METRICS.acknowledged(began_at.elapsed());
            Json(json!({ "received": true })).into_response()
        }
        Ok(Verdict::Poison) => {
            METRICS.refused("unusable");
            let mut response = refuse(StatusCode::BAD_REQUEST, "the body is malformed");
            response.headers_mut().insert(DELIVERY, HeaderValue::from_static("abort-message"));
            response
        }
        Err(error) => {
            METRICS.refused(if error.is_passing() { "try_later" } else { "internal" });
            state.tally.refused(Refusal::Ours);
            error.log("receive");
            answer(&error)
        }
    }
}

fn fault_of(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::SignatureMismatch => Refusal::Signature,
        Rejection::TimestampTooOld | Rejection::TimestampInFuture => Refusal::Clock,
        _ => Refusal::Headers,
    }
}

/// Stores now and then that a secret is in use (C-9). The delivery does not wait for it, nor fail with it.
fn note_secret(state: &AppState, verified: &Verified, now: Timestamp) {
    let Some(fingerprint) = state.rotation.note(verified.secret, now).map(str::to_owned) else { return };
    let secrets = state.store.secrets.clone();
    tokio::spawn(async move {
        if let Err(error) = secrets.record_use(&fingerprint, now).await {
            Error::from(error).log("record_secret_use");
        }
    });
}

/// What a stored delivery is answered with.
enum Verdict {
    Received,
    /// No repetition can mend it: the sender is told to stop, and the event stays visible as dead.
    Poison,
}

/// Stores a verified delivery.
async fn accept(
    state: &AppState,
    verified: &Verified,
    headers: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<Verdict, Error> {
    let payload =
        std::str::from_utf8(body).map_err(|_| Error::Invalid { field: "body", message: "is not UTF-8".to_owned() })?;
    let delivered = match Delivered::parse(body) {
        Ok(delivered) => delivered,
        Err(error) => {
            let event = Event { headers: headers.to_owned(), ..dead_event(verified, payload, &error, now) };
            return bury(state, event, verified.secret, now).await;
        }
    };
    if state.reading().is_foreign(delivered.instance_id.as_deref()) {
        let mut event = inbox_event(verified, headers, payload, &delivered, now);
        (event.state, event.due_at, event.finished_at) = (EventState::Dead, None, Some(now));
        event.decision = Some(FOREIGN.to_owned());
        return bury(state, event, verified.secret, now).await;
    }
    let mut event = inbox_event(verified, headers, payload, &delivered, now);
    if relay::is_relayed(state, &event) {
        event.due_at = Some(relay::due_at(state, now));
        state.inbox.accept(event.clone(), Handling::Elsewhere).await?;
        relay::forward(state, &event).await?;
    } else {
        let handling = from_event(&delivered, now, &state.settings.fields).map_or(Handling::Finished, Handling::Local);
        state.inbox.accept(event, handling).await?;
    }
    METRICS.received(&delivered.kind, verified.secret);
    state.tally.received(&delivered.kind, now);
    traces::note("event.kind", label(&delivered.kind).to_owned());
    tracing::debug!(event.id = verified.id, event.kind = label(&delivered.kind), "webhook received");
    Ok(Verdict::Received)
}

async fn bury(state: &AppState, event: Event, secret: usize, now: Timestamp) -> Result<Verdict, Error> {
    tracing::warn!(event.id = event.id, cause = event.decision, "a signed event that cannot be used is kept as dead");
    state.inbox.accept(event, Handling::Finished).await?;
    METRICS.received("unusable", secret);
    state.tally.received("unusable", now);
    Ok(Verdict::Poison)
}

/// Of what is no JSON only the hash is kept (D3-16): nobody could read it, and it may hold anything.
fn dead_event(verified: &Verified, payload: &str, error: &ParseError, now: Timestamp) -> Event {
    let hash = || format!("sha256:{}", hex(digest::digest(&digest::SHA256, payload.as_bytes()).as_ref()));
    Event {
        id: verified.id.clone(),
        kind: "unknown".to_owned(),
        clerk_id: None,
        instance_id: None,
        payload: if matches!(error, ParseError::Json(_)) { hash() } else { payload.to_owned() },
        headers: String::new(),
        place: None,
        state: EventState::Dead,
        attempts: 0,
        waits: 0,
        deliveries: 1,
        decision: Some(format!("{error} ({})", error.reason())),
        event_at: None,
        received_at: now,
        due_at: None,
        finished_at: Some(now),
        cause: None,
        trace: traces::carried(),
        tried_at: None,
        earlier: Vec::new(),
    }
}

fn inbox_event(verified: &Verified, headers: &str, payload: &str, delivered: &Delivered, now: Timestamp) -> Event {
    let clerk_id = match &delivered.subject {
        Subject::User(user) => Some(user.id.clone()),
        Subject::DeletedUser { id } => Some(id.clone()),
        Subject::Other => None,
    };
    // What is not about a person is finished as soon as it is stored.
    let (event_state, decision, finished_at) = match &delivered.subject {
        Subject::Other => (EventState::Ignored, Some("not about a person".to_owned()), Some(now)),
        Subject::User(_) | Subject::DeletedUser { .. } => (EventState::Received, None, None),
    };
    Event {
        id: verified.id.clone(),
        kind: delivered.kind.clone(),
        clerk_id,
        instance_id: delivered.instance_id.clone(),
        payload: payload.to_owned(),
        headers: headers.to_owned(),
        place: None,
        state: event_state,
        attempts: 0,
        waits: 0,
        deliveries: 1,
        decision,
        event_at: delivered.timestamp,
        received_at: now,
        due_at: None,
        finished_at,
        cause: None,
        trace: traces::carried(),
        tried_at: None,
        earlier: Vec::new(),
    }
}

fn answer(error: &Error) -> Response {
    let text = match error.status() {
        StatusCode::BAD_REQUEST => "the body is malformed",
        StatusCode::SERVICE_UNAVAILABLE => "try again later",
        _ if matches!(error, Error::Inngest(_)) => "the event is stored, but could not be handed to Inngest",
        _ => "internal error",
    };
    let mut response = refuse(error.status(), text);
    if error.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

fn refuse(status: StatusCode, error: &'static str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

/// What came with a delivery and helps whoever looks for its way here. No signature, no cookie, no address.
fn kept_headers(headers: &HeaderMap) -> String {
    let lines = KEPT_HEADERS.iter().filter_map(|name| {
        let value = headers.get(*name)?.to_str().ok()?;
        Some(format!("{name}: {}", value.chars().take(LONGEST_HEADER).collect::<String>()))
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A type for logs and metrics: unknown ones share one word, so a sender cannot flood us with labels (D3-27).
fn label(kind: &str) -> &str {
    if KNOWN_TYPES.contains(&kind) { kind } else { "unknown" }
}
