//! What is kept about one person, removed wherever it is; what stays says only that there was somebody by this id, and later
//! not even that.
//!
//! The tombstone is the engine's; this is the rest: fields that are not ours, effects, jobs, bodies, named differences.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use serde::Serialize;
use serde_json::Value;

use crate::model::audit::Action;
use crate::model::job::JobState;
use crate::server::store::audit::Entry;
use crate::server::store::encoding::to_date;
use crate::server::store::events::Event;
use crate::server::store::{Error, Store};

/// Fields of a tombstone: its ids, what it says about itself, and what is told about it.
const KEPT: [&str; 30] = [
    "_id",
    "clerkId",
    "email",
    "emailVerified",
    "emails",
    "firstName",
    "lastName",
    "name",
    "username",
    "clerkUsername",
    "usernameConflict",
    "imageUrl",
    "role",
    "rolePending",
    "syncStatus",
    "syncReason",
    "syncSource",
    "authProvider",
    "banned",
    "locked",
    "version",
    "etag",
    "lastClerkSync",
    "createdAt",
    "updatedAt",
    "deletedAt",
    "erasedAt",
    "outbox",
    // Ours too, and gone without being counted.
    "history",
    "lastActiveAt",
];
/// The one message of a webhook that carries nothing but ids.
const OF_THE_DELETION: &str = r#""type":"user\.deleted""#;

/// Whom to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub clerk_id: String,
    /// Addresses, numbers and their ids, former ones too, as far as they are known: a mail or a text message of Clerk's names
    /// nobody but by these.
    pub contacts: BTreeSet<String>,
}

/// How much there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// Fields of the document that are not ours.
    pub fields: u64,
    /// Effects that were not jobs yet.
    pub effects: u64,
    /// Jobs that carried something, or whose last attempt said something.
    pub jobs: u64,
    pub bodies: u64,
    /// In so many batches.
    pub batches: u64,
    /// Batches that cannot be read, and so could not be looked through.
    pub unreadable: u64,
    /// Runs that had a difference of theirs by name.
    pub runs: u64,
    /// Reasons in the audit trail, about them or naming them.
    pub reasons: u64,
    /// Such reasons from before their words could be taken out: those stay as long as the trail.
    pub sealed: u64,
}

impl Store {
    /// Removes it. The person is deleted already, so nothing of it is made again. Safe to repeat.
    pub async fn erase(&self, subject: &Subject, expires_at: Option<Timestamp>) -> Result<Erased, Error> {
        let id = subject.clerk_id.as_str();
        let (fields, effects) = self.erase_document(id).await?;
        let runs = self.findings.erase(id).await?;
        let names = subject.names();
        let bodies = self.deliveries.erase(|event| is_about(event, id, &names)).await?;
        let reasons = self.audit.erase_reasons(|entry| is_reason_about(entry, id, &names)).await?;
        // Last, for what somebody took out of the outbox before may be a job only now.
        let jobs = self.erase_jobs(id, expires_at).await?;
        Ok(Erased {
            fields,
            effects,
            jobs,
            bodies: bodies.bodies,
            batches: bodies.batches,
            unreadable: bodies.unreadable,
            runs,
            reasons: reasons.erased,
            sealed: reasons.sealed,
        })
    }

    /// Hides Clerk's ids of those who were erased before this, with whom nothing more has to be done: in their tombstones, and
    /// wherever else one is left, but in the audit trail, whose seals hold it. Answers how many.
    pub async fn hide_erased(&self, before: Timestamp) -> Result<u64, Error> {
        let users = self.database.collection::<Document>("users");
        let jobs = self.database.collection::<Document>("jobs");
        let due = doc! {
            "deletedAt": { "$type": "date" }, "erasedAt": { "$lt": to_date(before) }, "outbox.0": { "$exists": false },
        };
        let mut found = users.find(due).projection(doc! { "clerkId": 1 }).await?;
        let mut count = 0;
        while let Some(row) = found.try_next().await? {
            let (Ok(id), Some(key)) = (row.get_str("clerkId"), row.get("_id")) else { continue };
            let Some(pseudonym) = self.users.pseudonyms.find(id).await? else { continue };
            let waiting = doc! { "clerkId": id, "state": JobState::Waiting.as_str() };
            if jobs.find_one(waiting).await?.is_some() {
                continue;
            }
            // What happens once can happen no more.
            jobs.delete_many(doc! { "clerkId": id }).await?;
            self.hide_in_records(id, &pseudonym).await?;
            let hidden = doc! { "clerkId": pseudonym, "etag": ObjectId::new() };
            let change = doc! { "$set": hidden, "$unset": { "erasedAt": "" } };
            count += users.update_one(doc! { "_id": key, "clerkId": id }, change).await?.modified_count;
        }
        Ok(count)
    }

    async fn hide_in_records(&self, id: &str, pseudonym: &str) -> Result<(), Error> {
        let events = self.database.collection::<Document>("events");
        let theirs = doc! { "$set": { "clerkId": pseudonym } };
        events.update_many(doc! { "clerkId": id }, theirs).await?;
        self.findings.hide(id, pseudonym).await
    }

    /// Whoever keeps fields of their own in the document has them removed too: they are about the person.
    async fn erase_document(&self, id: &str) -> Result<(u64, u64), Error> {
        let users = self.database.collection::<Document>("users");
        let Some(document) = users.find_one(doc! { "clerkId": id }).await? else { return Ok((0, 0)) };
        let effects = document.get_array("outbox").map_or(0, Vec::len);
        let foreign = document.iter().filter(|(name, value)| !KEPT.contains(&name.as_str()) && **value != Bson::Null);
        let gone: Document = foreign.map(|(name, _)| (name.clone(), Bson::from(""))).collect();
        let personal = doc! { "body": { "$type": "string", "$not": { "$regex": OF_THE_DELETION } } };
        let erased = doc! { "etag": ObjectId::new(), "erasedAt": to_date(Timestamp::now()) };
        let mut change = doc! { "$pull": { "outbox": personal }, "$set": erased };
        let mut unset = doc! { "history": "", "lastActiveAt": "" };
        unset.extend(gone.clone());
        change.insert("$unset", unset);
        let deleted = doc! { "clerkId": id, "deletedAt": { "$type": "date" } };
        users.update_one(deleted.clone(), change).await?;
        let left = users.find_one(deleted).await?.and_then(|left| left.get_array("outbox").map(Vec::len).ok());
        Ok((gone.len() as u64, effects.saturating_sub(left.unwrap_or_default()) as u64))
    }

    /// What has not happened yet shall not; its key stays, so that it is not asked for again. A relay's answer may name an
    /// address, so causes go too.
    async fn erase_jobs(&self, id: &str, expires_at: Option<Timestamp>) -> Result<u64, Error> {
        let jobs = self.database.collection::<Document>("jobs");
        let carrying = doc! { "clerkId": id, "body": { "$type": "string", "$not": { "$regex": OF_THE_DELETION } } };
        let mut fields = doc! { "state": JobState::Discarded.as_str(), "finishedAt": to_date(Timestamp::now()) };
        if let Some(expires_at) = expires_at {
            fields.insert("expiresAt", to_date(expires_at));
        }
        let gone = doc! { "body": "", "cause": "", "dueAt": "", "leaseOwner": "", "leaseUntil": "" };
        let change = doc! { "$set": fields, "$unset": gone, "$inc": { "generation": 1_i64 } };
        let discarded = jobs.update_many(carrying, change).await?.modified_count;
        let told = doc! { "clerkId": id, "cause": { "$type": "string" } };
        Ok(discarded + jobs.update_many(told, doc! { "$unset": { "cause": "" } }).await?.modified_count)
    }
}

impl Subject {
    /// Whether a text says who it is.
    pub fn is_named_in(&self, text: &str) -> bool {
        names_any(text, &self.names())
    }

    fn names(&self) -> Vec<String> {
        let names = std::iter::once(&self.clerk_id).chain(&self.contacts);
        names.map(|name| name.to_lowercase()).filter(|name| !name.is_empty()).collect()
    }
}

/// By its subject; sessions, mails, text messages and memberships have none, but name in the body whom they concern.
fn is_about(event: &Event, id: &str, names: &[String]) -> bool {
    let is_named = || match serde_json::from_str(&event.payload) {
        Ok(body) => is_named_in(&body, names),
        Err(_) => names_any(&event.payload, names),
    };
    event.clerk_id.as_ref().map_or_else(is_named, |clerk_id| clerk_id == id)
}

/// The reason of the erasure itself says why the rest is gone.
fn is_reason_about(entry: &Entry, id: &str, names: &[String]) -> bool {
    let is_theirs = entry.subject == id && entry.action != Action::EraseUser.as_str();
    is_theirs || entry.reason.as_ref().is_some_and(|words| names_any(words, names))
}

fn is_named_in(value: &Value, names: &[String]) -> bool {
    match value {
        Value::String(text) => names_any(text, names),
        Value::Array(items) => items.iter().any(|item| is_named_in(item, names)),
        Value::Object(object) => object.iter().any(|(key, inner)| names_any(key, names) || is_named_in(inner, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether one of these names, in lower case, is in the text as a whole: `ann@a.example` is not in `joann@a.example`.
fn names_any(text: &str, names: &[String]) -> bool {
    let text = text.to_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || "_-@%".contains(c);
    let is_whole = |start: usize, end: usize| {
        let (before, mut after) = (text[..start].chars().next_back(), text[end..].chars());
        let goes_on = match after.next() {
            // The end of a sentence is not the middle of a name.
            Some('.') => after.next().is_some_and(is_part),
            next => next.is_some_and(is_part),
        };
        !before.is_some_and(|c| is_part(c) || ".+".contains(c)) && !goes_on
    };
    names
        .iter()
        .any(|name| text.match_indices(name.as_str()).any(|(start, found)| is_whole(start, start + found.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_11_somebody_is_named_by_the_whole_of_an_address_number_or_id_only() {
        let contacts = ["Ann@A.example", "+1555"].map(str::to_owned).into();
        let subject = Subject { clerk_id: "user_1".to_owned(), contacts };
        for text in ["ann@a.example", "to Ann@a.example.", "<ann@A.EXAMPLE>", "(+1555)", "user_1", "user_1: ban"] {
            assert!(subject.is_named_in(text), "{text}");
        }
        for text in [
            "joann@a.example",
            "x.ann@a.example",
            "ann@a.example.com",
            "ann@a.example-two.com",
            "+15550",
            "user_12",
            "",
        ] {
            assert!(!subject.is_named_in(text), "{text}");
        }
    }
}
