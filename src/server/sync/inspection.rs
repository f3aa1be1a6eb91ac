//! What pages show of events and their failures: lists by filter, one event with what belongs to it, causes, saved filters.
//!
//! Reads, and keeps what an admin keeps for themselves; what is done about events is `intervention`'s and `scan`'s.

use jiff::Timestamp;
use serde_json::Value;
use url::form_urlencoded;

use crate::model::audit::{Action, Fact};
use crate::model::event::{EventAttempt, EventDetail, EventList, EventRow, EventState, Payload, took};
use crate::model::event_filter::{EventFilter, EventQuery, ReplayPlan};
use crate::model::failure::{FAILURES, FailureRow, Failures};
use crate::model::finding::FieldDifference;
use crate::model::replay::{ReplayPreview, ReplaySums};
use crate::server::access::{Admin, Moderator};
use crate::server::error::Error;
use crate::server::jobs::ledger;
use crate::server::state::AppState;
use crate::server::store::deliveries::ERASED;
use crate::server::store::events::outcomes::Earlier;
use crate::server::store::events::pages::{FailureGroup, MOST_GROUPED, MOST_PEOPLE};
use crate::server::store::events::{Event, Summary};
use crate::server::store::paging::Cursor;
use crate::server::store::users::history::{Entry, FieldChange};
use crate::server::sync::consequences::Counter;
use crate::server::sync::rehearsal::{Recording, shown};
use crate::server::sync::scan::replay::{EVENTS_AT_ONCE, MOST_SHOWN};
use crate::server::sync::scan::requests::count;
use crate::server::trail;

/// Events on a page.
const ON_A_PAGE: u16 = 50;
/// Of the same person, before and after.
const AROUND: i64 = 5;
/// So many of those rehearsed before a replay are shown one by one.
const SHOWN: usize = 25;
pub const NO_EVENT: Error = Error::NotFound { what: "This event" };

/// One page of what an address asks for.
///
/// # Errors
/// `Invalid` for what cannot be understood; MongoDB's.
pub async fn list_events(state: &AppState, query: &str, cursor: Option<&str>) -> Result<EventList, Error> {
    let filter = read(state, query).await?;
    let page = state.store.events.list(&filter, cursor_of(cursor)?.as_ref(), ON_A_PAGE).await?;
    // They have rows of their own once they were looked at.
    let unread = if filter.states.contains(&EventState::Received) {
        let unread = state.store.events.find_unread().await?;
        unread.oldest.map(|since| (unread.events, since))
    } else {
        None
    };
    Ok(EventList {
        unread,
        events: page.rows.into_iter().map(row).collect(),
        next: page.next.map(|cursor| cursor.encoded()),
        about: filter.describe(),
        is_filtered: !filter.is_empty(),
    })
}

/// One event. `is_revealed`: to an admin with all that it says, which is recorded elsewhere.
///
/// # Errors
/// `NotFound`; MongoDB's.
pub async fn get_event(
    state: &AppState,
    moderator: &Moderator,
    id: &str,
    is_revealed: bool,
) -> Result<EventDetail, Error> {
    let events = &state.store.events;
    let event = events.find(id).await?.ok_or(NO_EVENT)?;
    let (mut earlier, mut later, mut effects, mut changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    if let Some(person) = &event.clerk_id {
        let (around, jobs, history) = tokio::try_join!(
            events.list_around(person, event.received_at, AROUND + 1),
            state.store.jobs.list_of_event(id, person, event.received_at),
            state.store.users.find_history(person),
        )?;
        let others = |rows: Vec<Summary>| -> Vec<EventRow> {
            let others = rows.into_iter().filter(|row| row.id != event.id).map(row);
            others.take(usize::try_from(AROUND).unwrap_or_default()).collect()
        };
        (earlier, later) = (others(around.0), others(around.1));
        effects = ledger::rows(state, jobs).await?;
        changes = changes_of(&event, history);
    }
    let trail = trail::list_about(state, moderator, id).await?;
    Ok(EventDetail {
        instance_id: event.instance_id.clone(),
        event_at: event.event_at,
        due_at: event.due_at,
        waits: event.waits,
        payload: payload_of(&event, is_revealed && moderator.is_admin(state)),
        headers: event.headers.clone(),
        attempts: attempts_of(&event),
        changes,
        row: row_of(&event),
        effects,
        earlier,
        later,
        trail,
    })
}

/// What became of it, the newest first.
fn attempts_of(event: &Event) -> Vec<EventAttempt> {
    let now = (event.state != EventState::Received).then(|| EventAttempt {
        at: event.tried_at.or(event.finished_at),
        state: event.state,
        decision: event.decision.clone(),
    });
    let earlier = event.earlier.iter().rev().cloned();
    let earlier = earlier.map(|Earlier { at, state, decision }| EventAttempt { at: Some(at), state, decision });
    now.into_iter().chain(earlier).collect()
}

/// What the person's history says that it changed; once that is forgotten, the names in its decision.
fn changes_of(event: &Event, history: Vec<Entry>) -> Vec<FieldDifference> {
    let of_it = history.into_iter().filter(|entry| entry.event.as_ref() == Some(&event.id));
    let changes: Vec<FieldDifference> = of_it
        .flat_map(|entry| entry.fields)
        .map(|FieldChange { field, before, after }| FieldDifference { field, here: before, clerk: after })
        .collect();
    if !changes.is_empty() {
        return changes;
    }
    let named = event.decision.as_deref().and_then(|decision| decision.strip_prefix("updated ")).unwrap_or_default();
    let named = named.split(", ").filter(|name| !name.is_empty());
    named.map(|field| FieldDifference { field: field.to_owned(), here: None, clerk: None }).collect()
}

/// Records that somebody wants to see all that an event says.
///
/// # Errors
/// `NotFound`; MongoDB's.
pub async fn reveal_payload(state: &AppState, admin: &Admin, id: &str) -> Result<(), Error> {
    admin.demand_fresh_hand(state)?;
    state.store.events.find(id).await?.ok_or(NO_EVENT)?;
    Ok(state.store.audit.append(&fact(admin, Action::RevealPayload, id, None)).await?)
}

/// What failed and was given up, or only one of the two, by cause.
///
/// # Errors
/// `Invalid` for another state; MongoDB's.
pub async fn list_failures(state: &AppState, moderator: &Moderator, only: Option<&str>) -> Result<Failures, Error> {
    let states: Vec<EventState> =
        FAILURES.into_iter().filter(|state| only.is_none_or(|only| only == state.as_str())).collect();
    if states.is_empty() {
        let message = "Failures are failed or dead.".to_owned();
        return Err(Error::Invalid { field: "state", message });
    }
    let (groups, mutes) =
        tokio::try_join!(state.store.events.group_failures(&states), state.store.mutes.list(Timestamp::now()))?;
    let mute = |cause: &str| mutes.iter().find(|mute| mute.cause == cause);
    let shown = |group: FailureGroup| FailureRow {
        muted_until: mute(&group.cause).map(|mute| mute.until),
        // What an admin did is the audit trail's.
        muted_by: mute(&group.cause).filter(|_| moderator.is_admin(state)).map(|mute| mute.by.clone()),
        failed: group.failed.unsigned_abs(),
        dead: group.dead.unsigned_abs(),
        people: group.people.unsigned_abs(),
        first_seen_at: group.first_seen_at,
        last_seen_at: group.last_seen_at,
        cause: group.cause,
    };
    Ok(Failures { groups: groups.into_iter().map(shown).collect(), most: u64::from(MOST_GROUPED.unsigned_abs()) })
}

/// What carrying these events out again would do: the ids picked by hand, or all that match.
///
/// # Errors
/// `Invalid` for what cannot be understood; MongoDB's.
pub async fn preview_replay(state: &AppState, query: &str, ids: &str) -> Result<ReplayPreview, Error> {
    let plan = plan_of(state, query, ids, false).await?;
    let events = &state.store.events;
    let found = if plan.ids.is_empty() {
        events.list_whole(&plan.filter, None, EVENTS_AT_ONCE).await?.rows
    } else {
        let some: Vec<String> = plan.ids.iter().take(usize::from(EVENTS_AT_ONCE)).cloned().collect();
        events.find_many(&some).await?
    };
    let recording = Recording::default();
    let (count, batch) = tokio::try_join!(count(state, &plan, MOST_SHOWN), recording.rehearse(state, &found))?;
    let mut sums = ReplaySums { asked: batch.asked, ..ReplaySums::default() };
    Counter::default().count(&mut sums, batch.consequences());
    let applied = batch.rehearsed.iter().filter(|rehearsed| rehearsed.outcome.state == EventState::Applied);
    let applied = applied.count() as u64;
    let rehearsals = found.iter().map(row_of).zip(batch.rehearsed).map(|(event, rehearsed)| shown(event, rehearsed));
    Ok(ReplayPreview {
        about: plan.describe(),
        count,
        has_more: count >= MOST_SHOWN,
        rehearsed: found.len() as u64,
        applied,
        sums,
        rehearsals: rehearsals.take(SHOWN).collect(),
    })
}

/// Which events, and how.
///
/// # Errors
/// `Invalid` for what cannot be understood; MongoDB's.
pub async fn plan_of(state: &AppState, query: &str, ids: &str, effects: bool) -> Result<ReplayPlan, Error> {
    let ids: Vec<String> = ids.split_whitespace().map(str::to_owned).collect();
    Ok(ReplayPlan { filter: read(state, query).await?, ids, effects })
}

/// The query of an address, read, and the person in it found.
async fn read(state: &AppState, query: &str) -> Result<EventFilter, Error> {
    let unclear = |field, message| Error::Invalid { field, message };
    let mut filter = query_of(query).read(Timestamp::now()).map_err(|found| unclear(found.field, found.message))?;
    if let Some(clerk_id) = whose_name(state, &filter).await? {
        filter.person = Some(clerk_id);
        filter.id_begins = None;
    }
    // A part of them would look like all, in a list as in a replay.
    if let Some(beginning) = &filter.person_begins
        && state.store.events.find_people(beginning).await?.len() == MOST_PEOPLE
    {
        let most = MOST_PEOPLE - 1;
        return Err(unclear(
            "q",
            format!("More than {most} people have an id that begins with {beginning}. Type more of it."),
        ));
    }
    let Some(named) = filter.person.as_deref().filter(|named| !named.starts_with("user_")) else { return Ok(filter) };
    let found = state.store.directory.find_exact(named).await?;
    match found.as_slice() {
        [user] => Ok(EventFilter { person: Some(user.clerk_id.clone()), ..filter }),
        [] => Err(unclear("person", format!("Nobody has the username or the address {named}."))),
        several => Err(unclear("person", format!("{} people are {named}. Name one by Clerk's id.", several.len()))),
    }
}

/// Whose username it is that was typed as free text, if no event's id begins so.
async fn whose_name(state: &AppState, filter: &EventFilter) -> Result<Option<String>, Error> {
    let (Some(text), None) = (&filter.id_begins, &filter.person) else { return Ok(None) };
    let beginning = EventFilter { id_begins: Some(text.clone()), ..EventFilter::default() };
    if state.store.events.count_matching(&beginning, 1).await? > 0 {
        return Ok(None);
    }
    let found = state.store.directory.find_exact(text).await?;
    let [user] = found.as_slice() else { return Ok(None) };
    Ok(Some(user.clerk_id.clone()))
}

pub fn query_of(query: &str) -> EventQuery {
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    EventQuery::of(|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.clone()))
}

fn cursor_of(text: Option<&str>) -> Result<Option<Cursor>, Error> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = || Error::Invalid { field: "cursor", message: "This page is none. Begin with the first.".to_owned() };
    Cursor::parse(text).map(Some).ok_or_else(wrong)
}

fn fact(admin: &Admin, action: Action, subject: &str, after: Option<String>) -> Fact {
    Fact { actor: admin.actor(), action, subject: subject.to_owned(), before: None, after, reason: None }
}

fn payload_of(event: &Event, is_revealed: bool) -> Payload {
    match event.payload.as_str() {
        "" => Payload::Forgotten,
        ERASED => Payload::Erased,
        text => match serde_json::from_str::<Value>(text) {
            Ok(value) if is_revealed => Payload::Kept { text: format!("{value:#}"), is_masked: false },
            Ok(value) => Payload::Kept { text: format!("{:#}", masked("", value)), is_masked: true },
            Err(_) if is_revealed => Payload::Kept { text: text.to_owned(), is_masked: false },
            Err(_) => Payload::Kept { text: "It is no JSON, so nothing of it is shown.".to_owned(), is_masked: true },
        },
    }
}

/// Texts that are Clerk's own: its ids, and its words for kinds and states. Not `external_id` nor `provider_user_id`, which say
/// who somebody is elsewhere.
const PLAIN: [&str; 16] = [
    "id",
    "type",
    "object",
    "status",
    "strategy",
    "provider",
    "instance_id",
    "user_id",
    "session_id",
    "client_id",
    "organization_id",
    "last_active_organization_id",
    "primary_email_address_id",
    "primary_phone_number_id",
    "primary_web3_wallet_id",
    "identification_id",
];

/// Every text but Clerk's ids and words gives way to dots; so do names of keys in metadata, which are an application's own.
fn masked(key: &str, value: Value) -> Value {
    let is_plain = PLAIN.contains(&key);
    match value {
        Value::String(text) if is_plain => Value::String(text),
        Value::String(_) => Value::String("•••".to_owned()),
        Value::Array(items) => items.into_iter().map(|item| masked("", item)).collect(),
        Value::Object(_) if key.ends_with("_metadata") => Value::String("•••".to_owned()),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = masked(&name, value);
                (name, value)
            })
            .collect(),
        other => other,
    }
}

pub fn row(event: Summary) -> EventRow {
    let Summary { id, kind, clerk_id, state, attempts, deliveries, decision, received_at, finished_at } = event;
    let took = took(received_at, finished_at);
    EventRow { id, kind, clerk_id, state, decision, attempts, deliveries, received_at, finished_at, took }
}

fn row_of(event: &Event) -> EventRow {
    EventRow {
        id: event.id.clone(),
        kind: event.kind.clone(),
        clerk_id: event.clerk_id.clone(),
        state: event.state,
        decision: event.decision.clone(),
        attempts: event.attempts,
        deliveries: event.deliveries,
        received_at: event.received_at,
        finished_at: event.finished_at,
        took: took(event.received_at, event.finished_at),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn e_11_what_is_personal_in_a_payload_is_masked() {
        let payload = json!({
            "type": "user.updated", "timestamp": 5, "instance_id": "ins_1",
            "data": {
                "id": "user_1", "first_name": "Ada", "banned": false, "username": null,
                "email_addresses": [{ "id": "idn_1", "email_address": "ada@example.com", "verification": { "status": "verified" } }],
                "external_accounts": ["plain text", { "id": "idn_2", "provider_user_id": "1048" }],
                "external_id": "ada@work.example", "primary_email_address_id": "idn_1", "public_metadata": { "nickname": "A" },
            },
        });
        let shown = json!({
            "type": "user.updated", "timestamp": 5, "instance_id": "ins_1",
            "data": {
                "id": "user_1", "first_name": "•••", "banned": false, "username": null,
                "email_addresses": [{ "id": "idn_1", "email_address": "•••", "verification": { "status": "verified" } }],
                "external_accounts": ["•••", { "id": "idn_2", "provider_user_id": "•••" }],
                "external_id": "•••", "primary_email_address_id": "idn_1", "public_metadata": "•••",
            },
        });
        assert_eq!(masked("", payload), shown);
    }
}
