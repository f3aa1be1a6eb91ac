//! The loop that carries out stored events: woken by every new one, and by the clock for those put off.
//!
//! Any number may run on one database. What it does to an event is `sync::process`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::server::state::AppState;
use crate::server::sync::process::process_due;

/// The longest sleep, so that events of other processes and of a crash are found even if nothing wakes us.
const IDLE: Duration = Duration::from_secs(5);
/// After a failure that concerns everything, such as MongoDB away.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs until `stop` says so, then finishes the batch in hand.
pub async fn run(state: Arc<AppState>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let rest = match process_due(&state).await {
            Ok(0) => until_next_due(&state).await,
            Ok(_) => continue,
            Err(error) => {
                error.log("process_due");
                PAUSE
            }
        };
        tokio::select! {
            () = state.wake.notified() => {}
            () = tokio::time::sleep(rest) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn until_next_due(state: &AppState) -> Duration {
    let Ok(Some(first)) = state.store.events.find_first_pending().await else { return IDLE };
    let wait = first.due_at.duration_since(Timestamp::now());
    Duration::try_from(wait).unwrap_or(Duration::ZERO).min(IDLE)
}
