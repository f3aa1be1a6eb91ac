//! What events would do over what is stored now (C-7): the same `fold`, and nothing is written and nobody asked.
//!
//! Each event alone: what it would do after another of them is not foreseen.

use crate::model::event::{EventRow, EventState};
use crate::model::job::JobKind;
use crate::model::replay::Rehearsal;
use crate::model::run::FieldDifference;
use crate::server::error::Error;
use crate::server::settings::fields::Fields;
use crate::server::store::deliveries::ERASED;
use crate::server::store::events::{Event, Outcome};
use crate::server::store::users::User;
use crate::server::sync::apply::differences;
use crate::server::sync::fields::open_value;
use crate::server::sync::fold::{Folded, Fresh, Said, end, fold, group, read};
use crate::server::sync::ports::Ports;

pub const NO_BODY: &str = "its body is not kept any more";

/// One event, decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    pub outcome: Outcome,
    pub fields: Vec<FieldDifference>,
    pub effects: Vec<JobKind>,
}

impl Rehearsed {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, fields: Vec::new(), effects: Vec::new() }
    }
}

/// Whether there is something to carry out.
pub fn has_body(event: &Event) -> bool {
    !matches!(event.payload.as_str(), "" | ERASED)
}

/// Each of these events, with their bodies, in their order.
///
/// # Errors
/// MongoDB's.
pub async fn rehearse<P: Ports>(ports: &P, events: &[Event]) -> Result<Vec<Rehearsed>, Error> {
    let said: Vec<Result<Said, Outcome>> = events
        .iter()
        .map(|event| if has_body(event) { read(event, ports.fields()) } else { Err(end(event.state, NO_BODY)) })
        .collect();
    let mut ids: Vec<&str> = said.iter().flatten().map(|said| said.incoming.clerk_id()).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = ports.find_people(&ids).await?;
    let decided = said.into_iter().map(|said| match said {
        Err(outcome) => Rehearsed::of(outcome),
        Ok(said) if found.unreadable.iter().any(|id| id == said.incoming.clerk_id()) => {
            Rehearsed::of(end(EventState::Failed, Error::Unreadable.cause()))
        }
        Ok(said) => {
            let stored = found.users.iter().find(|user| user.clerk_id == said.incoming.clerk_id());
            decide(ports, stored, said)
        }
    });
    Ok(decided.collect())
}

fn decide<P: Ports>(ports: &P, stored: Option<&User>, said: Said) -> Rehearsed {
    let (id, etag) = (ports.new_id(), ports.new_id());
    let Some(case) = group(vec![said]).pop() else { return Rehearsed::of(end(EventState::Ignored, "")) };
    let fields_of_own = ports.fields();
    let fresh = Fresh { id: &id, etag: &etag, now: ports.now(), plan: ports.plan(), fields: fields_of_own };
    match fold(stored, None, &case, fresh, |stored, incoming, id| ports.decide(stored, incoming, id)) {
        Folded::Ask | Folded::Behind => Rehearsed::of(end(EventState::Received, "Clerk would be asked")),
        Folded::Settled(outcomes) => last(outcomes),
        Folded::Write(write, outcomes) => Rehearsed {
            fields: stored.map_or_else(everything, |stored| fields(stored, &write.user, fields_of_own)),
            effects: write.effects.iter().map(|effect| effect.kind).collect(),
            ..last(outcomes)
        },
    }
}

fn last(outcomes: Vec<Outcome>) -> Rehearsed {
    Rehearsed::of(outcomes.into_iter().next_back().unwrap_or_else(|| end(EventState::Ignored, "")))
}

/// Of somebody who is not there.
fn everything() -> Vec<FieldDifference> {
    vec![FieldDifference { field: "everything".to_owned(), here: None, clerk: None }]
}

/// What differs between what is stored and what would be.
fn fields(before: &User, after: &User, table: &Fields) -> Vec<FieldDifference> {
    let names = if after.deleted_at.is_some() { vec!["deletedAt"] } else { differences(before, after) };
    names.into_iter().map(|name| with_values(name, before, after, table)).collect()
}

/// Both values, unless they are personal.
fn with_values(field: &str, before: &User, after: &User, table: &Fields) -> FieldDifference {
    let value = |user: &User| match field {
        "role" => Some(user.role.to_string()),
        "banned" => Some(user.banned.to_string()),
        "locked" => Some(user.locked.to_string()),
        "emailVerified" => Some(user.email_verified.to_string()),
        "createdAt" => Some(user.created_at.to_string()),
        "updatedAt" => Some(user.updated_at.to_string()),
        "deletedAt" => user.deleted_at.map(|at| at.to_string()),
        own => open_value(&user.fields, table, own),
    };
    FieldDifference { field: field.to_owned(), here: value(before), clerk: value(after) }
}

/// As a page shows it.
pub fn shown(event: EventRow, rehearsed: Rehearsed) -> Rehearsal {
    let Rehearsed { outcome, fields, effects } = rehearsed;
    Rehearsal { event, state: outcome.state, decision: outcome.decision, fields, effects }
}
