//! Stored events carried out again, as a run: batch by batch, the newest first, each a new attempt of the same event.
//!
//! The newest first, because then the older of the same person find it done. Everything may be done twice: a run that was
//! killed goes on from its checkpoint, and an event counts as carried out again only when its outcome is recorded.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::model::event::EventState;
use crate::model::event_filter::{EventFilter, ReplayPlan};
use crate::model::finding::Skipped;
use crate::model::run::RunState;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::events::{Event, Origin, Record};
use crate::server::store::paging::{Cursor, Page};
use crate::server::store::runs::{Place, Progress, Run};
use crate::server::sync::consequences::{Consequence, Counter};
use crate::server::sync::fold::read;
use crate::server::sync::ports::Ports;
use crate::server::sync::process::{record_again, repeat};
use crate::server::sync::rehearsal::{Batch, NO_BODY, Recording, Rehearsed, has_body};
use crate::server::sync::scan::{Walk, patiently};

/// How many events are in memory at once, with their bodies.
pub const EVENTS_AT_ONCE: u16 = 200;
/// Matching events are counted as far as this when a replay begins.
pub const MOST_COUNTED: u64 = 1_000_000;
/// As far as this when somebody looks.
pub const MOST_SHOWN: u64 = 10_000;

impl Walk<'_> {
    /// All that the run is about.
    pub async fn events(&self, mut run: Run) -> Result<Run, Error> {
        let Some(plan) = run.replay.clone() else {
            return Ok(Run { state: RunState::Failed, cause: Some("it does not say which events".to_owned()), ..run });
        };
        let mut is_over = run.progress.pages > 0 && run.progress.place.cursor.is_none();
        let (mut recording, mut counter) = (Recording::default(), Counter::default());
        let mut sums = run.progress.sums.clone().unwrap_or_default();
        // What was recorded was in the memory of whoever began it.
        sums.is_most |= run.progress.pages > 0 && !is_over;
        while !is_over {
            let after = cursor_of(&run.progress.place);
            let page = patiently(|| next(self.state, &plan, after.as_ref())).await?;
            let progress = if run.options.dry_run {
                let (progress, batch) = patiently(|| rehearse(self.state, &run, &recording, &page.rows)).await?;
                counter.count(&mut sums, batch.consequences());
                sums.asked += batch.asked;
                recording.keep(batch);
                sums.is_most |= recording.is_full;
                progress
            } else {
                // What an attempt wrote that has to be repeated is not written again.
                let written = Mutex::new(Vec::new());
                let progress = patiently(|| again(self.state, &run, &plan, &page.rows, &written)).await?;
                counter.count(&mut sums, &written.into_inner().unwrap_or_else(PoisonError::into_inner));
                progress
            };
            sums.is_most |= counter.is_full();
            is_over = page.next.is_none();
            let (place, sums) = (place_of(page.next), Some(sums.clone()));
            run.progress = Progress { place, pages: run.progress.pages + 1, sums, ..progress };
            self.checkpoint(&mut run).await?;
        }
        Ok(Run { state: RunState::Done, ..run })
    }
}

/// What is meant, with an end: what arrives from now on is not part of it.
pub fn until_now(filter: EventFilter) -> EventFilter {
    let now = Timestamp::now();
    EventFilter { before: Some(filter.before.map_or(now, |before| before.min(now))), ..filter }
}

async fn next(state: &AppState, plan: &ReplayPlan, after: Option<&Cursor>) -> Result<Page<Event>, Error> {
    let events = &state.store.events;
    if plan.ids.is_empty() {
        return Ok(events.list_whole(&plan.filter, after, EVENTS_AT_ONCE).await?);
    }
    Ok(Page { rows: events.find_many(&plan.ids).await?, next: None })
}

/// One batch, which is only decided.
async fn rehearse(
    state: &AppState,
    run: &Run,
    recording: &Recording,
    events: &[Event],
) -> Result<(Progress, Batch), Error> {
    let mut progress = run.progress.clone();
    progress.counts.seen += events.len() as u64;
    let batch = recording.rehearse(state, events).await?;
    for (event, Rehearsed { outcome, .. }) in events.iter().zip(&batch.rehearsed) {
        progress.count_event(event, outcome.state, &outcome.decision);
    }
    Ok((progress, batch))
}

/// One batch. Safe to repeat: it starts from the last checkpoint's numbers.
async fn again(
    state: &AppState,
    run: &Run,
    plan: &ReplayPlan,
    events: &[Event],
    written: &Mutex<Vec<Consequence>>,
) -> Result<Progress, Error> {
    let mut progress = run.progress.clone();
    progress.counts.seen += events.len() as u64;
    let (mut said, mut records) = (Vec::with_capacity(events.len()), Vec::new());
    for event in events {
        if !has_body(event) {
            progress.count_event(event, EventState::Failed, NO_BODY);
            continue;
        }
        match read(event, state.reading()) {
            Ok(of_event) => said.push(of_event),
            Err(outcome) => records.push(Record { event: Origin::Stored(event.id.clone()), outcome }),
        }
    }
    let repeated = repeat(state, said, !plan.effects).await?;
    written.lock().unwrap_or_else(PoisonError::into_inner).extend(repeated.consequences);
    if let Some(error) = repeated.passing {
        return Err(error);
    }
    records.extend(repeated.records);
    for Record { event, outcome } in &records {
        if let Some(event) = events.iter().find(|known| known.id == event.id()) {
            progress.count_event(event, outcome.state, &outcome.decision);
        }
    }
    record_again(state, records).await?;
    Ok(progress)
}

impl Progress {
    fn count_event(&mut self, event: &Event, state: EventState, decision: &str) {
        match state {
            EventState::Applied => self.counts.written += 1,
            EventState::Failed | EventState::Dead => {
                let clerk_id = event.clerk_id.clone().unwrap_or_default();
                let reason = format!("{}: {decision}", event.id);
                self.leave_out(event.id.clone(), Skipped { clerk_id, reason });
            }
            _ => {}
        }
    }
}

fn cursor_of(place: &Place) -> Option<Cursor> {
    let at = place.joined_at.and_then(|at| Timestamp::from_millisecond(at).ok())?;
    Some(Cursor { at, id: place.cursor.clone()? })
}

fn place_of(next: Option<Cursor>) -> Place {
    let joined_at = next.as_ref().map(|cursor| cursor.at.as_millisecond());
    Place { cursor: next.map(|cursor| cursor.id), joined_at, tail: Vec::new() }
}
