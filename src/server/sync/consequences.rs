//! What comes of one write: which fields differ, and what follows of it. Pure; the same of what happens and of what would.

use std::collections::HashSet;

use crate::model::event::EventState;
use crate::model::finding::FieldDifference;
use crate::model::job::JobKind;
use crate::model::replay::ReplaySums;
use crate::server::settings::fields::Fields;
use crate::server::store::users::User;
use crate::server::sync::apply::differences;
use crate::server::sync::fields::open_value;
use crate::server::sync::process::Settled;

/// Of so many people it is remembered that something of theirs differed; of those above, each write counts.
const MOST_REMEMBERED: usize = 20_000;

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consequence {
    pub clerk_id: String,
    /// Values only where they are not personal.
    pub fields: Vec<FieldDifference>,
    pub effects: Vec<JobKind>,
}

impl Consequence {
    pub fn of(before: Option<&User>, after: &User, effects: Vec<JobKind>, table: &Fields) -> Self {
        let fields = before.map_or_else(everything, |before| fields(before, after, table));
        Self { clerk_id: after.clerk_id.clone(), fields, effects }
    }
}

/// Of everything that was written; to be asked before the effects become jobs.
pub fn consequences_of(settled: &Settled, table: &Fields) -> Vec<Consequence> {
    let written =
        settled.ended.iter().filter(|ended| ended.outcomes.iter().any(|outcome| outcome.state == EventState::Applied));
    let of_ended = written.filter_map(|ended| {
        let after = ended.user.as_ref()?;
        let outboxes = settled.outboxes.iter().filter(|outbox| outbox.clerk_id == after.clerk_id);
        let effects = outboxes.flat_map(|outbox| outbox.outbox.iter().map(|effect| effect.kind)).collect();
        Some(Consequence::of(ended.before.as_deref(), after, effects, table))
    });
    of_ended.collect()
}

/// Counts consequences, and each document once.
#[derive(Debug, Default)]
pub struct Counter {
    people: HashSet<String>,
}

impl Counter {
    /// Whether documents may be counted twice.
    pub fn is_full(&self) -> bool {
        self.people.len() >= MOST_REMEMBERED
    }

    pub fn count<'a>(&mut self, sums: &mut ReplaySums, consequences: impl IntoIterator<Item = &'a Consequence>) {
        for Consequence { clerk_id, fields, effects } in consequences {
            let is_full = self.people.len() >= MOST_REMEMBERED;
            let is_new = !fields.is_empty()
                && !self.people.contains(clerk_id)
                && (is_full || self.people.insert(clerk_id.clone()));
            sums.add(fields, effects, is_new);
        }
    }
}

/// Of somebody who is not there.
fn everything() -> Vec<FieldDifference> {
    vec![FieldDifference { field: "everything".to_owned(), here: None, clerk: None }]
}

/// What differs between what is stored and what would be.
fn fields(before: &User, after: &User, table: &Fields) -> Vec<FieldDifference> {
    let names = if after.deleted_at == before.deleted_at { differences(before, after) } else { vec!["deletedAt"] };
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
