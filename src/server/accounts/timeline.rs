//! Everything that happened to one person, the newest first (C-6): what Clerk told and what became of it, what was changed
//! and by what, what admins did, what followed, and what walks through everybody found.
//!
//! Events may be many and come a page at a time; of the rest a person has few, which are read whole.

use std::cmp::Reverse;
use std::collections::HashMap;

use jiff::Timestamp;

use crate::model::event_filter::EventFilter;
use crate::model::finding::FieldDifference;
use crate::model::job::JobState;
use crate::model::person::{Change, Entry, Kind, Timeline};
use crate::server::access::Moderator;
use crate::server::accounts::person::find_anybody;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::audit;
use crate::server::store::events::Summary;
use crate::server::store::findings::Finding;
use crate::server::store::jobs::Job;
use crate::server::store::users::history;
use crate::server::sync::history::unexplained;

const PAGE: usize = 40;
/// More than anybody's retention leaves of one millisecond.
const MOST_OF_A_MOMENT: usize = 10_000;

/// Where a page ends: everything up to a moment, but for so many of that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    at: Timestamp,
    shown: usize,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('.').and_then(|(at, shown)| {
            let at = Timestamp::from_millisecond(at.parse().ok()?).ok()?;
            Some(Self { at, shown: shown.parse().ok().filter(|shown| *shown <= MOST_OF_A_MOMENT)? })
        });
        parsed.ok_or_else(|| Error::Invalid { field: "cursor", message: "is of no page".to_owned() })
    }

    fn to_text(self) -> String {
        format!("{}.{}", self.at.as_millisecond(), self.shown)
    }
}

/// One page. Which admin did something, and why, is for admins.
///
/// # Errors
/// `NotFound`, `Invalid` for a cursor that is none, or MongoDB's.
pub async fn list_timeline(
    state: &AppState,
    moderator: &Moderator,
    id: &str,
    cursor: Option<&str>,
) -> Result<Timeline, Error> {
    let cursor = cursor.map(Cursor::parse).transpose()?;
    let user = find_anybody(state, id).await?;
    let store = &state.store;
    let of_page = PAGE + 1 + cursor.map_or(0, |cursor| cursor.shown);
    let filter = EventFilter {
        person: Some(user.clerk_id.clone()),
        before: cursor.and_then(|cursor| Timestamp::from_millisecond(cursor.at.as_millisecond() + 1).ok()),
        ..EventFilter::default()
    };
    let limit = u16::try_from(of_page).unwrap_or(u16::MAX);
    let (events, changes, facts, jobs, findings) = futures::try_join!(
        store.events.list(&filter, None, limit),
        store.users.find_history(&user.clerk_id),
        store.audit.list_about(&user.clerk_id),
        store.jobs.list_about(&user.clerk_id),
        store.findings.list_about(&user.clerk_id),
    )?;
    let now = Timestamp::now();
    let unexplained = unexplained(&user, &changes, &state.settings.fields).into_iter().map(str::to_owned).collect();
    let mut by_event: HashMap<String, Vec<history::FieldChange>> = HashMap::new();
    let mut entries = Vec::new();
    for (place, entry) in changes.into_iter().enumerate() {
        match entry.event {
            Some(event) => by_event.entry(event).or_default().extend(entry.fields),
            // What the audit trail says better.
            None if entry.source.is_none() && entry.fields.iter().any(|change| change.field == "rolePending") => {}
            None => entries.push(of_change(place, entry)),
        }
    }
    entries.extend(events.rows.into_iter().map(|event| {
        let fields = by_event.remove(&event.id).unwrap_or_default();
        of_event(event, fields)
    }));
    let is_admin = moderator.is_admin(state);
    entries.extend(facts.into_iter().map(|fact| of_fact(fact, is_admin)));
    entries.extend(jobs.into_iter().map(|job| of_job(job, now)));
    entries.extend(findings.into_iter().map(of_finding));
    let (entries, next) = page_of(entries, cursor);
    Ok(Timeline { entries, next: next.map(Cursor::to_text), unexplained })
}

/// The entries of the page that begins at `cursor`.
fn page_of(mut entries: Vec<Entry>, cursor: Option<Cursor>) -> (Vec<Entry>, Option<Cursor>) {
    let moment = |entry: &Entry| entry.at.as_millisecond();
    entries.sort_by(|a, b| {
        let place = |entry: &Entry| (Reverse(moment(entry)), entry.kind.as_str());
        let later = match a.kind {
            // As they are fetched.
            Kind::Event(_) => a.id.cmp(&b.id),
            _ => b.id.cmp(&a.id),
        };
        place(a).cmp(&place(b)).then(later)
    });
    if let Some(Cursor { at, shown }) = cursor {
        entries.retain(|entry| moment(entry) <= at.as_millisecond());
        let of_that_moment = entries.iter().take_while(|entry| moment(entry) == at.as_millisecond()).count();
        entries.drain(..shown.min(of_that_moment));
    }
    let more = entries.len() > PAGE;
    entries.truncate(PAGE);
    let last = entries.last().map(|entry| entry.at).filter(|_| more);
    let next = last.map(|at| {
        let here = entries.iter().filter(|entry| moment(entry) == at.as_millisecond()).count();
        let before = cursor.filter(|cursor| cursor.at.as_millisecond() == at.as_millisecond());
        Cursor { at, shown: here + before.map_or(0, |cursor| cursor.shown) }
    });
    (entries, next)
}

fn change_of(change: history::FieldChange) -> Change {
    let history::FieldChange { field, before, after } = change;
    Change { field, before, after }
}

fn of_event(event: Summary, fields: Vec<history::FieldChange>) -> Entry {
    let repeated = (event.deliveries > 1).then(|| format!("delivered {} times", event.deliveries));
    let tried = (event.attempts > 1).then(|| format!("{} attempts", event.attempts));
    let text: Vec<String> = event.decision.into_iter().chain(repeated).chain(tried).collect();
    Entry {
        at: event.received_at,
        kind: Kind::Event(event.state),
        id: event.id,
        title: event.kind,
        text: (!text.is_empty()).then(|| text.join("; ")),
        reason: None,
        by: None,
        fields: fields.into_iter().map(change_of).collect(),
    }
}

fn of_change(place: usize, entry: history::Entry) -> Entry {
    Entry {
        at: entry.at,
        kind: Kind::Change,
        // Later ones come later.
        id: format!("{place:04}"),
        title: entry.source.map_or("changed here", |source| source.as_str()).to_owned(),
        text: None,
        reason: None,
        by: None,
        fields: entry.fields.into_iter().map(change_of).collect(),
    }
}

/// The audit trail's, of which whoever is no admin learns what was done only.
fn of_fact(fact: audit::Entry, is_admin: bool) -> Entry {
    let text = match (fact.before, fact.after) {
        (Some(before), Some(after)) => Some(format!("{before} → {after}")),
        (before, after) => before.or(after),
    };
    let really = fact.impersonator.map(|id| format!(", really {id}")).unwrap_or_default();
    Entry {
        at: fact.at,
        kind: Kind::Admin,
        id: format!("{:012}", fact.number),
        title: fact.action.replace('_', " "),
        text,
        reason: fact.reason.filter(|_| is_admin),
        by: is_admin.then(|| format!("{}{really} ({})", fact.actor, fact.source)),
        fields: Vec::new(),
    }
}

fn of_job(job: Job, now: Timestamp) -> Entry {
    let at = match job.state {
        // It may have been asked for again, long after it was done.
        JobState::Waiting => job.due_at.map_or(job.created_at, |due| due.min(now)),
        _ => job.finished_at.unwrap_or(job.created_at),
    };
    let attempts = match job.attempts {
        0 => None,
        1 => Some("1 attempt".to_owned()),
        count => Some(format!("{count} attempts")),
    };
    // What was said of it before it was asked for again is no cause any more.
    let cause = job.cause.filter(|_| job.state != JobState::Waiting || job.attempts > 0);
    let text: Vec<String> = cause.into_iter().chain(attempts).collect();
    Entry {
        at,
        kind: Kind::Effect(job.state),
        id: job.id,
        title: job.kind.as_str().to_owned(),
        text: (!text.is_empty()).then(|| text.join("; ")),
        reason: None,
        by: None,
        fields: Vec::new(),
    }
}

/// What a walk found about this person, or why it could not mend it.
fn of_finding(finding: Finding) -> Entry {
    let looks_only = finding.dry_run.then(|| "only looked at".to_owned());
    let (title, text) = match (finding.kind, finding.reason) {
        (Some(kind), _) => (kind.as_str().to_owned(), looks_only),
        (None, reason) => ("not mended".to_owned(), reason),
    };
    let fields = finding.fields.into_iter();
    let change = |field: FieldDifference| Change { field: field.field, before: field.here, after: field.clerk };
    Entry {
        at: finding.at,
        kind: Kind::Finding,
        id: format!("{} {title}", finding.run_id),
        title,
        text,
        reason: None,
        by: Some(finding.run_kind.as_str().to_owned()),
        fields: fields.map(change).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(at: i64, id: usize) -> Entry {
        Entry {
            at: Timestamp::from_millisecond(at).unwrap(),
            kind: Kind::Change,
            id: format!("{id:04}"),
            title: String::new(),
            text: None,
            reason: None,
            by: None,
            fields: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn c_6_pages_show_everything_once_however_much_happens_in_one_moment(
            moments in prop::collection::vec(0..6_i64, 0..200),
        ) {
            let all: Vec<Entry> = moments.iter().enumerate().map(|(id, at)| entry(*at, id)).collect();
            let mut whole = all.clone();
            whole.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let (page, next) = page_of(all.clone(), cursor);
                seen.extend(page);
                let Some(next) = next else { break };
                cursor = Some(Cursor::parse(&next.to_text()).unwrap());
            }
            prop_assert_eq!(seen, whole);
        }
    }

    #[test]
    fn d5_21_a_cursor_is_one_of_ours_or_refused() {
        for text in ["", "1", "x.1", "1.x", "1.-1", "1.999999", "99999999999999999999.1"] {
            assert!(Cursor::parse(text).is_err(), "{text}");
        }
    }
}
