//! Whether this process can serve, and how well: what `/readyz` and the metrics say of the moment.
//!
//! Knows nothing of HTTP.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::model::alert::{AlertKind, AlertState};
use crate::model::run::{RunKind, RunState};
use crate::server::canary;
use crate::server::error::Error;
use crate::server::metrics::{Backlog, Canary, Now, Proof};
use crate::server::state::AppState;
use crate::server::sync::scan::report::report;

/// An event that waits for longer is worth a look: most failures are mended by the first few attempts.
const PATIENCE_SECONDS: i64 = 60;
/// Whoever asks for health asks often, and may be anybody.
const READ_EVERY: Duration = Duration::from_secs(2);
const READ_WITHIN: Duration = Duration::from_secs(1);

/// Whether requests can be served, and how well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    Ready,
    /// They can, but this is wrong.
    Degraded(Vec<&'static str>),
    NotReady,
}

/// MongoDB answers and the inbox takes deliveries; Clerk, and a backlog, only make it worse.
pub async fn readiness(state: &AppState) -> Readiness {
    if !state.inbox.is_alive() || state.store.ping().await.is_err() {
        return Readiness::NotReady;
    }
    match troubles(now(state).await) {
        troubles if troubles.is_empty() => Readiness::Ready,
        troubles => Readiness::Degraded(troubles),
    }
}

fn troubles(now: Now) -> Vec<&'static str> {
    let is_late = now.backlog.is_some_and(|backlog| backlog.oldest_s > PATIENCE_SECONDS);
    [
        ("clerk-circuit-open", now.is_circuit_open),
        ("inbox-nearly-full", now.inbox_free < now.inbox_capacity.div_ceil(10)),
        ("events-waiting-too-long", is_late),
        ("backlog-unknown", now.backlog.is_none()),
    ]
    .into_iter()
    .filter_map(|(trouble, is_so)| is_so.then_some(trouble))
    .collect()
}

/// What was read together.
#[derive(Clone, Copy, Debug)]
struct Known {
    backlog: Backlog,
    canary: Canary,
    proof: Option<Proof>,
    missed: u64,
    alerts: [u64; AlertKind::ALL.len()],
}

/// What is known as it was read last; none: MongoDB did not say.
#[derive(Debug, Default)]
pub struct Vitals {
    read: Mutex<Option<(Instant, Option<Known>)>>,
}

/// What is so now.
pub async fn now(state: &AppState) -> Now {
    let mut read = state.vitals.read.lock().await;
    let known = match *read {
        Some((at, known)) if at.elapsed() < READ_EVERY => known,
        _ => {
            // A probe wants its answer soon; not knowing is one.
            let asked = timeout(READ_WITHIN, read_all(state)).await;
            let known = asked.ok().and_then(|known| known.map_err(|error| error.log("read_backlog")).ok());
            *read = Some((Instant::now(), known));
            known
        }
    };
    Now {
        inbox_free: state.inbox.free(),
        inbox_capacity: state.settings.sync.inbox_capacity,
        backlog: known.map(|known| known.backlog),
        is_circuit_open: state.clerk.is_circuit_open(),
        canary: known.map(|known| known.canary),
        proof: known.and_then(|known| known.proof),
        missed: known.map(|known| known.missed),
        alerts: known.map(|known| known.alerts),
    }
}

async fn read_all(state: &AppState) -> Result<Known, Error> {
    let totals = async { Ok(state.store.statistics.find_totals().await?) };
    let (backlog, canary, proof, totals, alerts) =
        futures::try_join!(backlog(state), canary(state), proof(state), totals, open_alerts(state))?;
    Ok(Known { backlog, canary, proof, missed: totals.missed.unsigned_abs(), alerts })
}

/// How many groups of each kind are open.
async fn open_alerts(state: &AppState) -> Result<[u64; AlertKind::ALL.len()], Error> {
    let groups = state.store.alerts.list().await?;
    let is_open =
        |kind: AlertKind| groups.iter().filter(move |group| group.kind == kind && group.state == AlertState::Open);
    Ok(AlertKind::ALL.map(|kind| is_open(kind).count() as u64))
}

async fn proof(state: &AppState) -> Result<Option<Proof>, Error> {
    let proven = [RunState::Done, RunState::Stopped];
    let run = state.store.runs.find_newest(RunKind::Proof, &proven).await?;
    Ok(run.as_ref().map(report).map(|proof| Proof {
        is_clean: proof.is_clean(),
        differences: proof.counts.differences(),
        people: proof.people(),
        at_s: proof.started_at.as_second(),
    }))
}

async fn canary(state: &AppState) -> Result<Canary, Error> {
    let report = canary::get_report(&state.settings, &state.store).await?;
    Ok(Canary {
        is_failing: report.as_ref().is_some_and(|report| report.cause.is_some()),
        took: report.and_then(|report| report.took_ms).map(Duration::from_millis),
    })
}

async fn backlog(state: &AppState) -> Result<Backlog, Error> {
    let events = &state.store.events;
    let (waiting, oldest_at) = futures::try_join!(events.count_pending(), events.find_oldest_pending())?;
    let oldest_s = oldest_at.map_or(0, |at| Timestamp::now().duration_since(at).as_secs().max(0));
    Ok(Backlog { events: waiting, oldest_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_10_each_trouble_is_named_and_none_is_health() {
        let backlog = Some(Backlog { events: 9, oldest_s: 60 });
        let well = Now { inbox_free: 100, inbox_capacity: 100, backlog, ..Now::default() };
        for (now, expected) in [
            (well, &[][..]),
            (Now { inbox_free: 10, ..well }, &[]),
            (Now { inbox_free: 9, ..well }, &["inbox-nearly-full"]),
            (Now { is_circuit_open: true, ..well }, &["clerk-circuit-open"]),
            (Now { backlog: Some(Backlog { events: 1, oldest_s: 61 }), ..well }, &["events-waiting-too-long"]),
            (Now { backlog: None, inbox_free: 0, ..well }, &["inbox-nearly-full", "backlog-unknown"]),
        ] {
            assert_eq!(troubles(now), expected, "{now:?}");
        }
        assert_eq!(troubles(Now { inbox_free: 1, inbox_capacity: 1, ..well }), [""; 0], "the smallest inbox is empty");
    }
}
