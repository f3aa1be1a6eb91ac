//! What is kept about one person, removed wherever it is; what stays says only that there was somebody by this id, and later
//! not even that.
//!
//! The tombstone is the engine's; this is the rest: fields that are not ours, effects, jobs, bodies, named differences; first of
//! all, where others mention them (`mentions`).

pub mod hiding;
pub mod mentions;
pub mod subject;

use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use serde::Serialize;

use crate::model::job::JobState;
use crate::server::store::encoding::to_date;
use crate::server::store::erasure::subject::Subject;
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
    /// Runs that had a finding of theirs by name.
    pub runs: u64,
    /// Reasons in the audit trail, about them or naming them.
    pub reasons: u64,
    /// Such reasons from before their words could be taken out: those stay as long as the trail.
    pub sealed: u64,
    /// Saved filters that were theirs, or named them.
    pub filters: u64,
    /// Other words about them: why an event was discarded, what became of somebody else's job.
    pub words: u64,
}

/// Fields of a tombstone that others keep in it, to be unset.
fn foreign(document: &Document) -> Document {
    let foreign = document.iter().filter(|(name, value)| !KEPT.contains(&name.as_str()) && **value != Bson::Null);
    foreign.map(|(name, _)| (name.clone(), Bson::from(""))).collect()
}

impl Store {
    /// Removes it, after what `erase_mentions` found. The person is deleted already, so nothing of it is made again. Safe to
    /// repeat.
    pub async fn erase(
        &self,
        subject: &Subject,
        expires_at: Option<Timestamp>,
        mentions: Erased,
    ) -> Result<Erased, Error> {
        let id = subject.clerk_id.as_str();
        let (fields, effects) = self.erase_document(id).await?;
        let runs = self.findings.erase(id).await?;
        let sought = subject.sought();
        let bodies = self.deliveries.erase(|event| sought.is_about_them(event)).await?;
        // Last, for what somebody took out of the outbox before may be a job only now.
        let jobs = self.erase_jobs(id, expires_at).await?;
        Ok(Erased {
            fields,
            effects,
            jobs,
            bodies: mentions.bodies + bodies.bodies,
            batches: mentions.batches + bodies.batches,
            unreadable: bodies.unreadable,
            runs,
            ..mentions
        })
    }

    /// Whoever keeps fields of their own in the document has them removed too: they are about the person.
    async fn erase_document(&self, id: &str) -> Result<(u64, u64), Error> {
        let users = self.database.collection::<Document>("users");
        let Some(document) = users.find_one(doc! { "clerkId": id }).await? else { return Ok((0, 0)) };
        let effects = document.get_array("outbox").map_or(0, Vec::len);
        let gone = foreign(&document);
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
    /// address, so causes go too, and whom it reached.
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
        let told = doc! { "clerkId": id, "$or": [{ "cause": { "$type": "string" } }, { "to": { "$type": "string" } }] };
        Ok(discarded + jobs.update_many(told, doc! { "$unset": { "cause": "", "to": "" } }).await?.modified_count)
    }
}
