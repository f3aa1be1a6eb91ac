//! `/admin/sync/live`: the numbers of the sync page as they change, for moderators and admins, as server-sent
//! events.
//!
//! The proof is asked for anew every few seconds, and a stream ends by itself now and then, so that the session is looked at
//! again as well.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::server::access::{Moderator, Viewer};
use crate::server::error::Error;
use crate::server::http::empty;
use crate::server::live::{self, Live, Update, closed};
use crate::server::rpc::caller::Caller;
use crate::server::state::AppState;

const PROVE_EVERY: Duration = Duration::from_secs(3);
/// So often the proof may not be had because nobody can be asked, as when MongoDB chooses a new primary: what is told meanwhile
/// is what was known before.
const MOST_UNPROVEN: u32 = 10;
const LASTS_FOR: Duration = Duration::from_mins(10);
/// Proxies close what is quiet for longer than half a minute or a minute.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a browser waits before it comes back.
const COME_BACK_AFTER: Duration = Duration::from_secs(2);
/// So many at once in a process: each holds a connection.
const MOST: usize = 2_000;

/// The stream.
pub async fn stream(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
) -> Response {
    if let Err(error) = prove(&state, &caller).await {
        error.log("live");
        return empty(error.status());
    }
    if state.live.viewers() >= MOST {
        return empty(StatusCode::SERVICE_UNAVAILABLE);
    }
    let known = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let events = told(Live::join(&state), state, caller, known);
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    // A proxy that gathers answers would hold everything back.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    response
}

/// Read anew: not what the request began with.
async fn prove(state: &AppState, caller: &Caller) -> Result<(), Error> {
    Moderator::of(state, Viewer::of(state, &caller.session).await?).map(|_| ())
}

struct Told {
    viewer: live::Viewer,
    state: Arc<AppState>,
    caller: Arc<Caller>,
    prove: tokio::time::Interval,
    /// Times in a row that the proof could not be had.
    unproven: u32,
    until: Instant,
    /// What is to be told next, before anything new.
    first: Option<Update>,
    known: Option<String>,
}

fn told(
    viewer: live::Viewer,
    state: Arc<AppState>,
    caller: Arc<Caller>,
    known: Option<String>,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let now = Instant::now();
    let mut prove = interval(PROVE_EVERY);
    prove.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = state.live.snapshot();
    let told = Told { viewer, state, caller, prove, unproven: 0, until: now + LASTS_FOR, first, known };
    futures::stream::unfold(told, |mut told| async {
        let update = told.next().await?;
        let event = Event::default().id(update.id).retry(COME_BACK_AFTER).data(update.json);
        Some((Ok(event), told))
    })
}

impl Told {
    async fn next(&mut self) -> Option<Update> {
        // Who comes back has everything up to what they name.
        if let Some(first) = self.first.take().filter(|first| Some(&first.id) != self.known.as_ref()) {
            return Some(first);
        }
        loop {
            tokio::select! {
                biased;
                () = closed(&mut self.viewer.closing) => return None,
                () = sleep_until(self.until) => return None,
                _ = self.prove.tick() => match prove(&self.state, &self.caller).await {
                    Ok(()) => self.unproven = 0,
                    Err(error) if error.status().is_server_error() && self.unproven < MOST_UNPROVEN => self.unproven += 1,
                    Err(_) => return None,
                },
                update = self.viewer.updates.recv() => match update {
                    Ok(update) => return Some(update),
                    Err(RecvError::Lagged(_)) => return self.state.live.snapshot(),
                    Err(RecvError::Closed) => return None,
                },
            }
        }
    }
}
