//! Several events of one person into one write: the last state that they lead to, and what became of each.
//!
//! Pure. Gives up where `apply` wants Clerk asked; then each event is carried out by itself (`process`).

use jiff::Timestamp;

use crate::model::event::EventState;
use crate::server::clerk::webhook::event::Event as Delivered;
use crate::server::store::events::{Event, Outcome};
use crate::server::store::users::{User, Write, new_id};
use crate::server::sync::apply::{Change, Incoming, apply};
use crate::server::sync::mapping::from_event;

/// One person's events, decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    /// None if nothing is to be written.
    pub write: Option<Write>,
    /// By event id; true once the write holds.
    pub outcomes: Vec<(String, Outcome)>,
}

/// Decides `events` in their order over what is stored. `None`: Clerk has to be asked about one of them.
pub fn fold(stored: Option<&User>, events: &[Event], now: Timestamp) -> Option<Folded> {
    let mut user = stored.cloned();
    let mut outcomes = Vec::with_capacity(events.len());
    let mut is_changed = false;
    for event in events {
        let outcome = match read(event) {
            Err(outcome) => outcome,
            Ok(incoming) => {
                let change = apply(user.as_ref(), &incoming, &new_id(), now);
                let outcome = outcome_of(&change);
                match change {
                    Change::Ask => return None,
                    Change::Stale(_) | Change::Unchanged => {}
                    Change::Insert(next) | Change::Update { user: next, .. } => {
                        user = Some(*next);
                        is_changed = true;
                    }
                }
                outcome
            }
        };
        outcomes.push((event.id.clone(), outcome));
    }
    let write = user.filter(|_| is_changed).map(|user| Write { user, read: stored.map(|stored| stored.version) });
    Some(Folded { write, outcomes })
}

/// What an event says about a person, or how it ends because it says nothing.
pub fn read(event: &Event) -> Result<Incoming, Outcome> {
    let Ok(delivered) = Delivered::parse(event.payload.as_bytes()) else {
        return Err(end(EventState::Dead, "the payload cannot be read"));
    };
    from_event(&delivered, event.received_at).ok_or_else(|| end(EventState::Ignored, "not about a person"))
}

/// What an event is told of its change, once that is written. (`Ask` is no end; nothing is recorded of it.)
pub fn outcome_of(change: &Change) -> Outcome {
    match change {
        Change::Insert(user) if user.deleted_at.is_some() => end(EventState::Applied, "deleted; was never stored"),
        Change::Insert(_) => end(EventState::Applied, "created"),
        Change::Update { changed, .. } => end(EventState::Applied, describe(changed)),
        Change::Stale(reason) => end(EventState::Stale, *reason),
        Change::Unchanged => end(EventState::Duplicate, "exactly this was already stored"),
        Change::Ask => end(EventState::Failed, "Clerk has to be asked"),
    }
}

/// An event's last word.
pub fn end(state: EventState, decision: impl Into<String>) -> Outcome {
    Outcome { state, decision: decision.into(), due_at: None }
}

fn describe(changed: &[&str]) -> String {
    match changed {
        [] => "confirmed; nothing differed".to_owned(),
        ["deletedAt"] => "deleted".to_owned(),
        fields => format!("updated {}", fields.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).expect("within range")
    }

    fn event(id: &str, kind: &str, first_name: &str, time: i64) -> Event {
        let data = match kind {
            "user.deleted" => json!({ "id": "user_1", "deleted": true }),
            _ => {
                json!({ "id": "user_1", "first_name": first_name, "created_at": 1_700_000_000_000_i64, "updated_at": time })
            }
        };
        Event {
            id: id.to_owned(),
            kind: kind.to_owned(),
            clerk_id: Some("user_1".to_owned()),
            instance_id: None,
            payload: json!({ "type": kind, "timestamp": time, "data": data }).to_string(),
            state: EventState::Received,
            attempts: 0,
            deliveries: 1,
            decision: None,
            event_at: Some(at(time)),
            received_at: at(time),
            due_at: at(time),
            finished_at: None,
            expires_at: Timestamp::MAX,
        }
    }

    const T: i64 = 1_760_000_000_000;

    fn states(folded: &Folded) -> Vec<EventState> {
        folded.outcomes.iter().map(|(_, outcome)| outcome.state).collect()
    }

    #[test]
    fn a_whole_life_is_one_write() {
        let events = [
            event("a", "user.created", "Ada", T),
            event("b", "user.updated", "Adele", T + 1),
            event("c", "user.updated", "Ada", T),
            event("d", "user.deleted", "", T + 2),
            event("e", "user.updated", "Revived", T + 3),
        ];
        let folded = fold(None, &events, at(T + 9)).expect("nothing to ask");
        let (applied, stale) = (EventState::Applied, EventState::Stale);
        assert_eq!(states(&folded), [applied, applied, stale, applied, stale]);
        let write = folded.write.expect("a write");
        assert_eq!((write.read, write.user.deleted_at, write.user.first_name), (None, Some(at(T + 2)), None));
    }

    #[test]
    fn the_write_is_guarded_by_what_was_read_and_not_by_what_was_folded() {
        let stored = fold(None, &[event("a", "user.created", "Ada", T)], at(T)).and_then(|folded| folded.write);
        let stored = stored.expect("a write").user;
        let events = [event("b", "user.updated", "B", T + 1), event("c", "user.updated", "C", T + 2)];
        let write = fold(Some(&stored), &events, at(T + 9)).and_then(|folded| folded.write).expect("a write");
        assert_eq!(write.read, Some(stored.version));
        assert_eq!((write.user.id, write.user.first_name.as_deref()), (stored.id, Some("C")));
    }

    #[test]
    fn nothing_new_is_no_write_and_a_question_is_no_fold() {
        let created = event("a", "user.created", "Ada", T);
        let stored = fold(None, std::slice::from_ref(&created), at(T)).and_then(|folded| folded.write);
        let stored = stored.expect("a write").user;
        let again = fold(Some(&stored), std::slice::from_ref(&created), at(T + 9)).expect("nothing to ask");
        assert_eq!((again.write.is_none(), states(&again)), (true, vec![EventState::Duplicate]));
        assert_eq!(fold(Some(&stored), &[event("b", "user.updated", "Other", T)], at(T + 9)), None);
    }
}
