//! Runs as pages and commands show them.

use jiff::Timestamp;

use crate::model::event_filter::ReplayPlan;
use crate::model::run::{RunKind, RunReport, RunState, RunsOverview};
use crate::server::error::Error;
use crate::server::store::Store;
use crate::server::store::runs::Run;

/// How many runs the history shows.
const NEWEST: i64 = 20;

/// One run.
pub fn report(run: &Run) -> RunReport {
    let counts = run.progress.counts;
    let left = run.total.saturating_sub(counts.seen);
    let is_measured = run.state == RunState::Running && run.progress.per_second > 0;
    let mut report = RunReport {
        id: run.id.clone(),
        kind: run.kind,
        state: run.state,
        starter: run.starter,
        options: run.options,
        started_at: run.started_at,
        finished_at: run.finished_at,
        total: run.total,
        per_second: run.progress.per_second,
        remaining_seconds: is_measured.then(|| left.div_ceil(run.progress.per_second)),
        about: run.replay.as_ref().map(about),
        counts,
        counted: run.counted,
        fields: run.progress.fields.clone(),
        differences: run.progress.differences.clone(),
        skipped: run.progress.skipped.clone(),
        cause: run.cause.clone(),
        statement: String::new(),
    };
    report.statement = report.describe();
    report
}

fn about(plan: &ReplayPlan) -> String {
    let effects = if plan.effects { "mails and webhooks go out" } else { "no mail or webhook goes out" };
    format!("{}; {effects}", plan.describe())
}

/// What is going on, the last proof, and the history.
///
/// # Errors
/// MongoDB's.
pub async fn get_overview(store: &Store) -> Result<RunsOverview, Error> {
    let proven = [RunState::Done, RunState::Stopped];
    let (current, proof, history) = tokio::try_join!(
        store.runs.find_running(),
        store.runs.find_newest(RunKind::Proof, &proven),
        store.runs.list_newest(NEWEST),
    )?;
    Ok(RunsOverview {
        as_of: Timestamp::now(),
        current: current.as_ref().map(report),
        proof: proof.as_ref().map(report),
        history: history.iter().map(report).collect(),
    })
}
