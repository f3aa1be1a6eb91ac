//! A person's history (C-6): which fields a change changed, and whether what is stored is explained by the changes on record.
//!
//! Pure. Values are kept of those fields only that say nothing personal; of the application's own, the table says which.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::user::SyncSource;
use crate::server::settings::fields::{Field, FieldValue, Fields};
use crate::server::store::users::User;
use crate::server::store::users::history::{Entry, FieldChange};
use crate::server::sync::apply::{Incoming, differences};
use crate::server::sync::fields::{open_fields, open_value};

/// Fields of ours whose values may be kept.
const SHOWN: [&str; 8] =
    ["banned", "createdAt", "deletedAt", "emailVerified", "locked", "role", "rolePending", "usernameConflict"];

/// A person as one thing that was said left them.
#[derive(Clone, Debug)]
pub struct Stage<'a> {
    pub event: Option<&'a str>,
    pub incoming: &'a Incoming,
    pub user: User,
}

/// An entry for each stage that changed something; the last one leads to `written`. Nothing is said of the first state of a
/// newcomer: it is what the first entry says was before, or what is stored.
pub fn entries_of(
    stored: Option<&User>,
    stages: Vec<Stage<'_>>,
    written: &User,
    now: Timestamp,
    table: &Fields,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut before = stored.cloned();
    let last = stages.len().saturating_sub(1);
    for (place, Stage { event, incoming, user }) in stages.into_iter().enumerate() {
        let after = if place == last { written.clone() } else { user };
        let fields = before.as_ref().map(|before| changes_of(before, &after, table)).unwrap_or_default();
        if !fields.is_empty() {
            let event = event.map(str::to_owned);
            entries.push(Entry { at: now, event, source: source_of(incoming, &after), fields });
        }
        before = Some(after);
    }
    entries
}

/// What was changed here, if it was.
pub fn entry_of(now: Timestamp, before: &User, after: &User, table: &Fields) -> Option<Entry> {
    let fields = changes_of(before, after, table);
    (!fields.is_empty()).then_some(Entry { at: now, event: None, source: None, fields })
}

fn source_of(incoming: &Incoming, after: &User) -> Option<SyncSource> {
    match incoming {
        Incoming::Person { .. } => Some(after.sync_source),
        _ => None,
    }
}

fn changes_of(before: &User, after: &User, table: &Fields) -> Vec<FieldChange> {
    // `updatedAt` says nothing but the version.
    let mut names: BTreeSet<&str> =
        differences(before, after).into_iter().filter(|name| *name != "updatedAt").collect();
    let (old, new) = (values_of(before, table), values_of(after, table));
    names.extend(SHOWN.into_iter().filter(|name| old.get(name) != new.get(name)));
    let value = |values: &BTreeMap<&str, String>, name: &str| values.get(name).cloned();
    let change =
        |name: &str| FieldChange { field: name.to_owned(), before: value(&old, name), after: value(&new, name) };
    names.into_iter().map(change).collect()
}

/// What may be kept of a person.
fn values_of(user: &User, table: &Fields) -> BTreeMap<&'static str, String> {
    let value = |name: &str| match name {
        "banned" => Some(user.banned.to_string()),
        "createdAt" => Some(user.created_at.to_string()),
        "deletedAt" => user.deleted_at.map(|at| at.to_string()),
        "emailVerified" => Some(user.email_verified.to_string()),
        "locked" => Some(user.locked.to_string()),
        "role" => Some(user.role.to_string()),
        "rolePending" => Some(user.role_pending.to_string()),
        "usernameConflict" => Some(user.username_conflict.to_string()),
        _ => None,
    };
    let ours = SHOWN.into_iter().filter_map(|name| Some((name, value(name)?)));
    let own = open_fields(table).filter_map(|field| Some((field.name, open_value(&user.fields, table, field.name)?)));
    ours.chain(own).collect()
}

/// Fields in which the entries, the oldest first, do not lead to what is stored: somebody else's hand was in them. What the
/// entries say was before the oldest is believed. A field of the application's own was personal once if a change of it has no
/// value: nothing is said of it from there on.
pub fn unexplained(user: &User, entries: &[Entry], table: &Fields) -> Vec<&'static str> {
    let mut values = values_of(user, table);
    let is_known = |field: &&Field| user.fields.get(field.name) != Some(&FieldValue::Foreign);
    let mut own: Vec<&'static str> = open_fields(table).filter(is_known).map(|field| field.name).collect();
    let mut odd = BTreeSet::new();
    for change in entries.iter().rev().flat_map(|entry| &entry.fields) {
        if change.before.is_none() && change.after.is_none() {
            own.retain(|name| *name != change.field);
        }
        let Some(name) = SHOWN.iter().chain(&own).copied().find(|name| *name == change.field) else { continue };
        if values.get(name) != change.after.as_ref() {
            odd.insert(name);
        }
        match &change.before {
            Some(before) => values.insert(name, before.clone()),
            None => values.remove(name),
        };
    }
    odd.into_iter().collect()
}

#[cfg(test)]
mod tests;
