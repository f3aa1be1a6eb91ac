//! What open dashboards are told: one watcher a process, which runs only while somebody looks, reads the numbers when events
//! changed (in whatever process) and hands the same text to all.
//!
//! A dashboard costs a channel and one look at its reader's role every few seconds. Knows nothing of HTTP.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, StreamExt};
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep_until};

use crate::model::event::EventRow;
use crate::model::sync::SyncOverview;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store;
use crate::server::sync::status::get_overview;

/// Numbers change without any event, too: what waits gets older.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// What happens together is told together.
const GATHER: Duration = Duration::from_millis(80);
/// However much happens, nobody reads faster.
const APART: Duration = Duration::from_millis(500);
/// After a failure, MongoDB away say.
const PAUSE: Duration = Duration::from_secs(2);
/// Who is further behind gets everything anew.
const KEPT: usize = 16;

/// What is told: a text, under a number that grows.
#[derive(Clone, Debug)]
pub struct Update {
    pub id: String,
    pub json: Arc<str>,
}

/// All dashboards of a process.
#[derive(Debug)]
pub struct Live {
    updates: broadcast::Sender<Update>,
    now: Mutex<Now>,
    closing: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Now {
    viewers: usize,
    is_watched: bool,
    number: u64,
    /// Everything, for who has just come.
    snapshot: Option<Update>,
}

impl Default for Live {
    fn default() -> Self {
        Self { updates: broadcast::Sender::new(KEPT), now: Mutex::default(), closing: watch::Sender::new(false) }
    }
}

/// One dashboard's ear. The watcher ends some time after the last of them.
#[derive(Debug)]
pub struct Viewer {
    state: Arc<AppState>,
    pub updates: broadcast::Receiver<Update>,
    pub closing: watch::Receiver<bool>,
}

/// Waits for the end of the process.
pub async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.state.live.lock().viewers -= 1;
    }
}

impl Live {
    /// Begins to listen.
    pub fn join(state: &Arc<AppState>) -> Viewer {
        let live = &state.live;
        let (updates, closing) = (live.updates.subscribe(), live.closing.subscribe());
        let mut now = live.lock();
        now.viewers += 1;
        if !now.is_watched {
            now.is_watched = true;
            now.snapshot = None;
            tokio::spawn(watch_events(Arc::clone(state)));
        }
        Viewer { state: Arc::clone(state), updates, closing }
    }

    /// Everything, as it was told last; `None` before the first look.
    pub fn snapshot(&self) -> Option<Update> {
        self.lock().snapshot.clone()
    }

    /// How many listen.
    pub fn viewers(&self) -> usize {
        self.lock().viewers
    }

    /// The process ends: so does every stream, or it would wait for them.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The texts of one look.
#[derive(Serialize)]
struct Message<'a> {
    figures: &'a HashMap<String, String>,
    #[serde(rename = "next-step-link")]
    next_step_link: Option<&'a str>,
    #[serde(rename = "proof-link")]
    proof_link: String,
    events: Vec<&'a EventRow>,
}

async fn watch_events(state: Arc<AppState>) {
    let mut closing = state.live.closing.subscribe();
    let mut before: Option<SyncOverview> = None;
    let mut changes = None;
    loop {
        if changes.is_none() {
            changes = follow(&state).await;
        }
        let began_at = Instant::now();
        match get_overview(&state).await {
            Ok(overview) => {
                tell(&state, before.as_ref(), &overview);
                before = Some(overview);
            }
            Err(error) => {
                error.log("watch_events");
                changes = None;
                tokio::time::sleep(PAUSE).await;
            }
        }
        if state.live.leave_if_alone() {
            return;
        }
        let is_over = tokio::select! {
            () = closed(&mut closing) => true,
            is_over = next_change(&mut changes, began_at) => is_over,
        };
        if *state.live.closing.borrow() {
            return;
        }
        if is_over {
            changes = None;
        }
    }
}

type Changes = Pin<Box<dyn Stream<Item = Result<(), store::Error>> + Send>>;

/// `None` where MongoDB cannot say, or not now: then the clock alone counts.
async fn follow(state: &AppState) -> Option<Changes> {
    let watched = state.store.events.watch().await;
    watched.map(|changes| Box::pin(changes) as Changes).map_err(|error| Error::from(error).log("watch_events")).ok()
}

/// Waits for the next change, or for the clock, and for what comes along with it. Whether the changes have ended.
async fn next_change(changes: &mut Option<Changes>, began_at: Instant) -> bool {
    let look_at = began_at + LOOK_EVERY;
    let Some(changes) = changes else {
        sleep_until(look_at).await;
        return true;
    };
    let first = tokio::select! {
        () = sleep_until(look_at) => return false,
        first = changes.next() => first,
    };
    if !matches!(first, Some(Ok(()))) {
        return true;
    }
    let until = (Instant::now() + GATHER).max(began_at + APART);
    loop {
        tokio::select! {
            () = sleep_until(until) => return false,
            next = changes.next() => if !matches!(next, Some(Ok(()))) { return true },
        }
    }
}

impl Live {
    /// The watcher goes when nobody listens.
    fn leave_if_alone(&self) -> bool {
        let mut now = self.lock();
        now.is_watched = now.viewers > 0;
        !now.is_watched
    }
}

/// Everything for those who come, what is new for those who are there.
fn tell(state: &AppState, before: Option<&SyncOverview>, overview: &SyncOverview) {
    let is_new = |event: &&EventRow| !before.is_some_and(|before| before.events.contains(event));
    let figures: HashMap<String, String> = overview.figures().into_iter().collect();
    let text = |events: Vec<&EventRow>| {
        let next_step_link = overview.judgement.link.as_deref();
        let message = Message { figures: &figures, next_step_link, proof_link: overview.proof_path(), events };
        serde_json::to_string(&message).unwrap_or_default()
    };
    let (snapshot, news) =
        (text(overview.events.iter().collect()), text(overview.events.iter().filter(is_new).collect()));
    let mut now = state.live.lock();
    now.number += 1;
    let id = format!("{}-{}", state.instance_id, now.number);
    now.snapshot = Some(Update { id: id.clone(), json: snapshot.into() });
    // Nobody there is no failure.
    let _ = state.live.updates.send(Update { id, json: news.into() });
}
