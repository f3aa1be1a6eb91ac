//! `/admin/sync/live`: the numbers of the sync page as they change, for moderators and admins, as server-sent
//! events.
//!
//! The proof is asked for anew every few seconds, and a stream ends when its session's token does: whoever has another comes
//! back, and whoever signed out, or was, has none (D4-25).

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
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::server::access::{Moderator, Session, Viewer};
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
/// How long a browser waits before it comes back; when only its token is over, hardly.
const COME_BACK_AFTER: Duration = Duration::from_secs(2);
const COME_BACK_AT_ONCE: Duration = Duration::from_millis(50);
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
    let until = Instant::now() + left_of(&caller.session, state.session.verify.clock_skew);
    let mut prove = interval(PROVE_EVERY);
    prove.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = state.live.snapshot();
    let told = Told { viewer, state, caller, prove, unproven: 0, until, first, known };
    futures::stream::unfold(Some(told), |told| async {
        let mut told = told?;
        match told.next().await {
            Next::Update(update) => {
                let event = Event::default().id(update.id).retry(COME_BACK_AFTER).data(update.json);
                Some((Ok(event), Some(told)))
            }
            Next::Renewal => Some((Ok(Event::default().retry(COME_BACK_AT_ONCE).comment("renew")), None)),
            Next::End => None,
        }
    })
}

/// How long what the session's token opens stays open.
fn left_of(session: &Session, clock_skew: Duration) -> Duration {
    let Session::SignedIn { claims } = session else { return Duration::ZERO };
    let ends_at = Timestamp::from_second(claims.exp).unwrap_or(Timestamp::MIN);
    let left = Duration::try_from(ends_at.duration_since(Timestamp::now())).unwrap_or_default();
    LASTS_FOR.min(left + clock_skew)
}

/// What comes next on a stream.
enum Next {
    Update(Update),
    /// Nothing more with this token.
    Renewal,
    End,
}

impl Told {
    async fn next(&mut self) -> Next {
        // Who comes back has everything up to what they name.
        if let Some(first) = self.first.take().filter(|first| Some(&first.id) != self.known.as_ref()) {
            return Next::Update(first);
        }
        loop {
            tokio::select! {
                biased;
                () = closed(&mut self.viewer.closing) => return Next::End,
                () = sleep_until(self.until) => return Next::Renewal,
                _ = self.prove.tick() => match prove(&self.state, &self.caller).await {
                    Ok(()) => self.unproven = 0,
                    Err(error) if error.status().is_server_error() && self.unproven < MOST_UNPROVEN => self.unproven += 1,
                    Err(_) => return Next::End,
                },
                update = self.viewer.updates.recv() => match update {
                    Ok(update) => return Next::Update(update),
                    Err(RecvError::Lagged(_)) => return self.state.live.snapshot().map_or(Next::End, Next::Update),
                    Err(RecvError::Closed) => return Next::End,
                },
            }
        }
    }
}
