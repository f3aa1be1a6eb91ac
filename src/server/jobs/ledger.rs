//! What pages show of effects: the queue, what was given up, and what was sent to whom and when. Never what it carried.

use crate::model::job::{JobKind, JobList, JobRow, JobState};
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::jobs::{Job, Wanted};
use crate::server::store::paging::Cursor;

/// Effects on a page.
const ON_A_PAGE: u16 = 50;

/// One page of what an address asks for.
///
/// # Errors
/// `Invalid` for what is no state, no kind or no page; MongoDB's.
pub async fn list_effects(
    state: &AppState,
    (in_state, kind, person): (Option<String>, Option<String>, Option<String>),
    cursor: Option<String>,
) -> Result<JobList, Error> {
    let said = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let invalid = |field, text: &str| Error::Invalid { field, message: format!("There is no {field} {text}.") };
    let in_state = said(in_state)
        .map(|text| {
            JobState::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| invalid("state", &text))
        })
        .transpose()?;
    let kind = said(kind)
        .map(|text| JobKind::ALL.into_iter().find(|known| known.as_str() == text).ok_or_else(|| invalid("kind", &text)))
        .transpose()?;
    let cursor = said(cursor).map(|text| Cursor::parse(&text).ok_or_else(|| invalid("cursor", &text))).transpose()?;
    let wanted = Wanted { state: in_state, kind, clerk_id: said(person), limit: ON_A_PAGE };
    let jobs = &state.store.jobs;
    let (page, dead, unsure, waiting) = tokio::try_join!(
        jobs.list(&wanted, cursor.as_ref()),
        jobs.count(JobState::Dead),
        jobs.count(JobState::Unsure),
        jobs.count(JobState::Waiting),
    )?;
    Ok(JobList {
        jobs: page.rows.into_iter().map(row).collect(),
        next: page.next.map(|cursor| cursor.encoded()),
        dead,
        unsure,
        waiting,
    })
}

pub fn row(job: Job) -> JobRow {
    let Job { id, kind, clerk_id, state, attempts, cause, created_at, due_at, finished_at, .. } = job;
    JobRow { id, kind, clerk_id, state, attempts, cause, created_at, due_at, finished_at }
}
