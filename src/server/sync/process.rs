//! Carries stored events out: reads the people concerned, decides by `apply`, writes under guard, records the outcome.
//!
//! Safe to run anywhere, any number of times, at once: the guard makes it correct. Does not know when it runs (`worker`).

use std::collections::HashMap;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;

use crate::model::event::EventState;
use crate::model::user::SyncSource;
use crate::server::clerk;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::events::{Event, Outcome};
use crate::server::store::users::{User, Version, Written, new_id};
use crate::server::sync::apply::{Change, Incoming, apply, suffixed_username};
use crate::server::sync::fold::{Folded, end, fold, outcome_of, read};
use crate::server::sync::mapping::from_fetched;

/// A write that loses this often in a row is put off, not repeated.
const MOST_LOST_RACES: usize = 20;
/// How many people are worked on at once; events of one person stay in order.
const PEOPLE_AT_ONCE: usize = 32;

/// Carries out the events that are due, one batch; returns how many there were. What is plain is written together; a
/// person who needs more (a lost race, a taken username, a question to Clerk) is then worked on alone.
///
/// # Errors
/// Only those that concern all of them: MongoDB away.
pub async fn process_due(state: &AppState) -> Result<usize, Error> {
    let due = state.store.events.list_due(Timestamp::now(), state.settings.sync.batch).await?;
    let count = due.len();
    let mut by_person: HashMap<Option<String>, Vec<Event>> = HashMap::new();
    for event in due {
        by_person.entry(event.clerk_id.clone()).or_default().push(event);
    }
    let left = process_together(state, by_person.into_values().collect()).await?;
    let mut ends =
        futures::stream::iter(left).map(|events| process_person(state, events)).buffer_unordered(PEOPLE_AT_ONCE);
    while let Some(end) = ends.next().await {
        end?;
    }
    Ok(count)
}

/// Folds each person's events and writes everybody at once; returns the events of those for whom that was not enough.
async fn process_together(state: &AppState, people: Vec<Vec<Event>>) -> Result<Vec<Vec<Event>>, Error> {
    let ids: Vec<&str> = people.iter().filter_map(|events| events.first()?.clerk_id.as_deref()).collect();
    let stored = state.store.users.find_many(&ids).await?;
    let stored: HashMap<&str, &User> = stored.iter().map(|user| (user.clerk_id.as_str(), user)).collect();
    let now = Timestamp::now();
    let (mut writes, mut folded, mut finished, mut left) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for events in people {
        let user = events.first().and_then(|event| stored.get(event.clerk_id.as_deref()?).copied());
        match fold(user, &events, now) {
            None => left.push(events),
            Some(Folded { write: None, outcomes }) => finished.extend(outcomes),
            Some(Folded { write: Some(write), outcomes }) => {
                writes.push(write);
                folded.push((events, outcomes));
            }
        }
    }
    let holds = state.store.users.write_many(&writes).await?;
    for ((events, outcomes), holds) in folded.into_iter().zip(holds) {
        if holds {
            finished.extend(outcomes);
        } else {
            left.push(events);
        }
    }
    state.store.events.record(&finished, Timestamp::now()).await?;
    Ok(left)
}

/// One person's events in order, each with a write of its own.
async fn process_person(state: &AppState, events: Vec<Event>) -> Result<(), Error> {
    for event in events {
        let outcome = match process_event(state, &event).await {
            Ok(outcome) => outcome,
            Err(error) if error.is_store_unavailable() => return Err(error),
            Err(error) => {
                error.log("process_event");
                put_off(&event, &error, state.settings.sync.attempts)
            }
        };
        state.store.events.record(&[(event.id, outcome)], Timestamp::now()).await?;
    }
    Ok(())
}

/// Carries out one stored event now, due or not, and records how it ended. `None`: there is no such event.
///
/// # Errors
/// The attempt's: nothing is recorded then, and the event stays due when it was.
pub async fn carry_out(state: &AppState, event_id: &str) -> Result<Option<Outcome>, Error> {
    let Some(event) = state.store.events.find(event_id).await? else { return Ok(None) };
    if !matches!(event.state, EventState::Received | EventState::Failed) {
        return Ok(Some(end(event.state, event.decision.unwrap_or_default())));
    }
    let outcome = process_event(state, &event).await?;
    state.store.events.record(&[(event.id, outcome.clone())], Timestamp::now()).await?;
    Ok(Some(outcome))
}

/// One attempt at one event.
async fn process_event(state: &AppState, event: &Event) -> Result<Outcome, Error> {
    match read(event) {
        Err(outcome) => Ok(outcome),
        Ok(incoming) => {
            let stored = state.store.users.find(incoming.clerk_id()).await?;
            write(state, stored, incoming).await.map(|(outcome, _)| outcome)
        }
    }
}

/// Decides and writes until the write holds. Every source comes through here.
///
/// # Errors
/// MongoDB or Clerk away, or a person written by others without pause.
pub async fn write(
    state: &AppState,
    mut stored: Option<User>,
    mut incoming: Incoming,
) -> Result<(Outcome, Option<User>), Error> {
    for _ in 0..MOST_LOST_RACES {
        let now = Timestamp::now();
        let change = apply(stored.as_ref(), &incoming, &new_id(), now);
        let outcome = outcome_of(&change);
        let (user, read) = match change {
            Change::Ask => {
                incoming = ask_clerk(state, incoming.clerk_id()).await?;
                continue;
            }
            Change::Stale(_) | Change::Unchanged => return Ok((outcome, stored)),
            Change::Insert(user) => (user, None),
            Change::Update { user, read, .. } => (user, Some(read)),
        };
        match write_once(state, &user, read).await? {
            Some(written) => return Ok((outcome, Some(written))),
            None => stored = state.store.users.find(incoming.clerk_id()).await?,
        }
    }
    Err(Error::Conflict)
}

/// One guarded write, with the deterministic suffix if the username is taken. `None` is a lost race.
async fn write_once(state: &AppState, user: &User, read: Option<Version>) -> Result<Option<User>, Error> {
    let users = &state.store.users;
    let mut user = user.clone();
    for _ in 0..2 {
        let written = match read {
            None => users.insert(&user).await?,
            Some(read) => users.update(&user, read).await?,
        };
        match (written, &user.clerk_username) {
            (Written::Done, _) => return Ok(Some(user)),
            (Written::UsernameTaken, Some(username)) => {
                user.username = Some(suffixed_username(username, &user.clerk_id));
            }
            (Written::Lost | Written::UsernameTaken, _) => return Ok(None),
        }
    }
    Ok(None)
}

/// Settles two equal versions by what Clerk says now; gone there means deleted.
async fn ask_clerk(state: &AppState, clerk_id: &str) -> Result<Incoming, Error> {
    let now = Timestamp::now();
    match state.clerk.fetch_user(clerk_id).await {
        Ok(user) => Ok(from_fetched(&user, SyncSource::Refetch, now)),
        Err(clerk::Error::NotFound) => Ok(Incoming::Deleted { clerk_id: clerk_id.to_owned(), at: now }),
        Err(error) => Err(error.into()),
    }
}

/// A failed attempt: another one later, or none when there were enough. What passes by itself is tried for as long as it
/// takes: an event is never given up because Clerk was away.
fn put_off(event: &Event, error: &Error, most_attempts: u32) -> Outcome {
    let attempts = event.attempts + 1;
    let cause = error.cause();
    if attempts >= most_attempts && !error.is_passing() {
        return end(EventState::Dead, format!("given up after {attempts} attempts: {cause}"));
    }
    let pause = backoff(attempts).max(error.retry_after().unwrap_or_default());
    let due_at = Timestamp::now().saturating_add(pause).unwrap_or(Timestamp::MAX);
    Outcome { state: EventState::Failed, decision: format!("attempt {attempts} failed: {cause}"), due_at: Some(due_at) }
}

/// 1 s, 2 s, 4 s … at most 5 minutes.
fn backoff(attempts: u32) -> Duration {
    let seconds = 1_u64 << attempts.saturating_sub(1).min(9);
    Duration::from_secs(seconds.min(300))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_spaced_ever_wider_up_to_five_minutes() {
        let seconds: Vec<u64> = [1, 2, 3, 9, 10, 60].into_iter().map(|attempt| backoff(attempt).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 256, 300, 300]);
    }
}
