//! What pages show of effects: the queue, what was given up, and what was sent to whom and when. Never what it carried.

use secrecy::ExposeSecret;
use url::Url;

use crate::model::job::{JobKind, JobList, JobRow, JobState};
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::jobs::{Job, Wanted};
use crate::server::store::paging::Cursor;
use crate::server::sync::counts::count_effects;

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
    let (page, counts) = tokio::try_join!(async { Ok(jobs.list(&wanted, cursor.as_ref()).await?) }, async {
        count_effects(&state.store, &state.store.statistics.find_totals().await?).await
    })?;
    Ok(JobList { next: page.next.map(|cursor| cursor.encoded()), jobs: rows(state, page.rows).await?, counts })
}

/// Jobs as rows, each with whom it reached, or would reach now.
///
/// # Errors
/// MongoDB's.
pub async fn rows(state: &AppState, jobs: Vec<Job>) -> Result<Vec<JobRow>, Error> {
    let mails = jobs.iter().filter(|job| job.kind == JobKind::Welcome);
    let people: Vec<&str> = mails.filter_map(|job| job.clerk_id.as_deref()).collect();
    let found = if people.is_empty() { Vec::new() } else { state.store.users.find_many(&people).await?.users };
    let address = |job: &Job| {
        let user = found.iter().find(|user| Some(&user.clerk_id) == job.clerk_id.as_ref())?;
        user.email.as_deref().map(masked)
    };
    let row = |job: Job| {
        // What was carried out reached whom it reached, whatever the settings and the person say now.
        let is_sent = matches!(job.state, JobState::Done | JobState::Unsure);
        let reached = job.to.clone().filter(|_| job.state != JobState::Waiting);
        let to = reached.or_else(|| place_of(state, &job).or_else(|| address(&job)).filter(|_| !is_sent));
        let Job { id, kind, clerk_id, state, attempts, cause, created_at, due_at, finished_at, .. } = job;
        JobRow { id, kind, clerk_id, state, attempts, to, cause, created_at, due_at, finished_at }
    };
    Ok(jobs.into_iter().map(row).collect())
}

/// Where it goes by the settings of this process; `None` for what goes to a person.
pub fn place_of(state: &AppState, job: &Job) -> Option<String> {
    match job.kind {
        JobKind::Metadata => Some("Clerk".to_owned()),
        JobKind::Welcome => None,
        JobKind::Webhook => state.settings.effects.webhook.as_ref().and_then(|webhook| host_of(webhook.url.as_str())),
        JobKind::Alert if job.id.starts_with("alert:mail:") => Some("the operators, by mail".to_owned()),
        JobKind::Alert => state.settings.alerts.webhook_url.as_ref().and_then(|url| host_of(url.expose_secret())),
    }
}

/// `a•••@example.com`: whose it is stands beside it, with all of it on their page.
pub fn masked(email: &str) -> String {
    let (name, host) = email.split_once('@').unwrap_or((email, ""));
    format!("{}•••@{host}", name.chars().take(1).collect::<String>())
}

/// Of an address that may hold a secret, only where it is.
fn host_of(url: &str) -> Option<String> {
    Url::parse(url).ok()?.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issue_6_whom_an_effect_reaches_is_said_without_address_or_secret() {
        assert_eq!(masked("ada@example.com"), "a•••@example.com");
        assert_eq!(masked("élan"), "é•••@");
        assert_eq!(host_of("https://user:pass@hooks.example.com/T0/secret?x=1").as_deref(), Some("hooks.example.com"));
        assert_eq!(host_of("no address"), None);
    }
}
