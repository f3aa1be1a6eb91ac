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
use crate::server::clerk::webhook::event::Event as Delivered;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::events::{Event, Outcome};
use crate::server::store::users::{User, Version, Written, new_id};
use crate::server::sync::apply::{Change, Incoming, apply, suffixed_username};
use crate::server::sync::mapping::{from_event, from_fetched};

/// A write that loses this often in a row is put off, not repeated.
const MOST_LOST_RACES: usize = 20;
/// How many people are worked on at once; events of one person stay in order.
const PEOPLE_AT_ONCE: usize = 32;

/// Carries out the events that are due, one batch; returns how many there were.
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
    let ids: Vec<&str> = by_person.keys().filter_map(Option::as_deref).collect();
    let mut stored: HashMap<String, User> =
        state.store.users.find_many(&ids).await?.into_iter().map(|user| (user.clerk_id.clone(), user)).collect();
    let people: Vec<(Option<User>, Vec<Event>)> = by_person
        .into_iter()
        .map(|(clerk_id, events)| (clerk_id.and_then(|clerk_id| stored.remove(&clerk_id)), events))
        .collect();
    let mut ends = futures::stream::iter(people)
        .map(|(user, events)| process_person(state, user, events))
        .buffer_unordered(PEOPLE_AT_ONCE);
    while let Some(end) = ends.next().await {
        end?;
    }
    Ok(count)
}

async fn process_person(state: &AppState, mut stored: Option<User>, events: Vec<Event>) -> Result<(), Error> {
    for event in events {
        let outcome = match process_event(state, &event, stored.take()).await {
            Ok((outcome, user)) => {
                stored = user;
                outcome
            }
            Err(error) if error.is_store_unavailable() => return Err(error),
            Err(error) => {
                error.log("process_event");
                put_off(&event, &error, state.settings.sync.attempts)
            }
        };
        state.store.events.record(&event.id, &outcome, Timestamp::now()).await?;
    }
    Ok(())
}

/// One attempt at one event. Returns the outcome, and the person as now stored.
async fn process_event(
    state: &AppState,
    event: &Event,
    stored: Option<User>,
) -> Result<(Outcome, Option<User>), Error> {
    let Ok(delivered) = Delivered::parse(event.payload.as_bytes()) else {
        return Ok((end(EventState::Dead, "the payload cannot be read"), stored));
    };
    let Some(incoming) = from_event(&delivered, event.received_at) else {
        return Ok((end(EventState::Ignored, "not about a person"), stored));
    };
    write(state, stored, incoming).await
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
        let (user, read, decision) = match apply(stored.as_ref(), &incoming, &new_id(), now) {
            Change::Stale(reason) => return Ok((end(EventState::Stale, reason), stored)),
            Change::Unchanged => return Ok((end(EventState::Duplicate, "exactly this was already stored"), stored)),
            Change::Ask => {
                incoming = ask_clerk(state, incoming.clerk_id()).await?;
                continue;
            }
            Change::Insert(user) => {
                let decision = if user.deleted_at.is_some() { "deleted; was never stored" } else { "created" };
                (user, None, decision.to_owned())
            }
            Change::Update { user, read, changed } => (user, Some(read), describe(&changed)),
        };
        match write_once(state, &user, read).await? {
            Some(written) => return Ok((end(EventState::Applied, decision), Some(written))),
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

fn describe(changed: &[&str]) -> String {
    match changed {
        [] => "confirmed; nothing differed".to_owned(),
        ["deletedAt"] => "deleted".to_owned(),
        fields => format!("updated {}", fields.join(", ")),
    }
}

fn end(state: EventState, decision: impl Into<String>) -> Outcome {
    Outcome { state, decision: decision.into(), due_at: None }
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
