//! Runs as pages and commands show them.

use jiff::Timestamp;

use crate::model::event_filter::ReplayPlan;
use crate::model::run::{RunKind, RunReport, RunState, RunsOverview, RunsPage};
use crate::server::canary;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::Store;
use crate::server::store::runs::Run;

/// How many runs the history shows.
const NEWEST: i64 = 20;
/// How many of a run's differences a page shows.
const ON_A_PAGE: usize = 50;

/// One run, without naming whom it found.
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
        sums: run.progress.sums.clone(),
        differences: Vec::new(),
        next: None,
        skipped: Vec::new(),
        next_skipped: None,
        cause: run.cause.clone(),
        statement: String::new(),
    };
    report.statement = report.describe();
    report
}

/// One page of the history, from before this moment on, and what is going on.
///
/// # Errors
/// `Invalid` for what is no moment; MongoDB's.
pub async fn list(store: &Store, before: Option<&str>) -> Result<RunsPage, Error> {
    let wrong = |_| Error::Invalid { field: "before", message: "This page is none. Begin with the first.".to_owned() };
    let before = before.filter(|text| !text.is_empty()).map(str::parse::<Timestamp>).transpose().map_err(wrong)?;
    let (current, mut runs) = tokio::try_join!(store.runs.find_running(), store.runs.list_before(before, NEWEST + 1))?;
    let has_more = runs.len() > usize::try_from(NEWEST).unwrap_or_default();
    runs.truncate(usize::try_from(NEWEST).unwrap_or_default());
    let next = runs.last().map(|run| run.started_at).filter(|_| has_more);
    Ok(RunsPage { current: current.as_ref().map(report), runs: runs.iter().map(report).collect(), next })
}

/// From where on a page of a run's findings goes: none from the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct After<'a> {
    /// Of those who differed.
    pub differing: Option<&'a str>,
    /// Of those who were skipped.
    pub skipped: Option<&'a str>,
}

/// One run, with a page of what it found.
///
/// # Errors
/// `NotFound`; MongoDB's.
pub async fn get(store: &Store, id: &str, after: After<'_>) -> Result<RunReport, Error> {
    let none = Error::NotFound { what: "This run" };
    // When the next is due is kept among them.
    if id.starts_with("timer:") {
        return Err(none);
    }
    let run = store.runs.find(id).await?.ok_or(none)?;
    with_findings(store, &run, after, ON_A_PAGE).await
}

/// One run, with all that is kept of what it found.
///
/// # Errors
/// MongoDB's.
pub async fn whole(store: &Store, run: &Run) -> Result<RunReport, Error> {
    with_findings(store, run, After::default(), usize::MAX).await
}

async fn with_findings(store: &Store, run: &Run, after: After<'_>, most: usize) -> Result<RunReport, Error> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
    let (mut differences, mut skipped) = tokio::try_join!(
        store.findings.list_differences(&run.id, after.differing, limit),
        store.findings.list_skipped(&run.id, after.skipped, limit),
    )?;
    let has_more = [differences.len() > most, skipped.len() > most];
    differences.truncate(most);
    skipped.truncate(most);
    let next = differences.last().map(|last| last.clerk_id.clone()).filter(|_| has_more[0]);
    let next_skipped = skipped.last().map(|(about, _)| about.clone()).filter(|_| has_more[1]);
    let skipped = skipped.into_iter().map(|(_, skipped)| skipped).collect();
    Ok(RunReport { differences, next, skipped, next_skipped, ..report(run) })
}

fn about(plan: &ReplayPlan) -> String {
    let effects = if plan.effects { "mails and webhooks go out" } else { "no mail or webhook goes out" };
    format!("{}; {effects}", plan.describe())
}

/// What is going on, the last proof, the canary, and the history.
///
/// # Errors
/// MongoDB's.
pub async fn get_overview(state: &AppState) -> Result<RunsOverview, Error> {
    let store = &state.store;
    let proven = [RunState::Done, RunState::Stopped];
    let (current, proof, history) = tokio::try_join!(
        store.runs.find_running(),
        store.runs.find_newest(RunKind::Proof, &proven),
        store.runs.list_newest(NEWEST),
    )?;
    let named = async |run: Option<Run>| match run {
        Some(run) => with_findings(store, &run, After::default(), ON_A_PAGE).await.map(Some),
        None => Ok(None),
    };
    Ok(RunsOverview {
        as_of: Timestamp::now(),
        current: named(current).await?,
        proof: named(proof).await?,
        canary: canary::get_report(&state.settings, &state.store).await?,
        history: history.iter().map(report).collect(),
    })
}
