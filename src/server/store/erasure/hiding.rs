//! When nobody needs an erased person's id any more, a keyed hash takes its place.

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Document, doc, oid::ObjectId};

use crate::model::job::JobState;
use crate::server::store::encoding::to_date;
use crate::server::store::erasure::foreign;
use crate::server::store::{Error, Store};

impl Store {
    /// Hides Clerk's ids of those who were erased before this, with whom nothing more has to be done: in their tombstones, and
    /// wherever else one is left, but in the audit trail, whose seals hold it. Answers how many.
    pub async fn hide_erased(&self, before: Timestamp) -> Result<u64, Error> {
        let users = self.database.collection::<Document>("users");
        let jobs = self.database.collection::<Document>("jobs");
        let due = doc! {
            "deletedAt": { "$type": "date" }, "erasedAt": { "$lt": to_date(before) }, "outbox.0": { "$exists": false },
        };
        let mut found = users.find(due).await?;
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
            // Of those whom nobody erased but the setting, what others keep in the document is there still.
            let mut gone = doc! { "erasedAt": "", "history": "", "lastActiveAt": "" };
            gone.extend(foreign(&row));
            let change = doc! { "$set": hidden, "$unset": gone };
            count += users.update_one(doc! { "_id": key, "clerkId": id }, change).await?.modified_count;
        }
        Ok(count)
    }

    async fn hide_in_records(&self, id: &str, pseudonym: &str) -> Result<(), Error> {
        self.rename("events", "clerkId", id, pseudonym).await?;
        self.rename("mutes", "by", id, pseudonym).await?;
        self.rename("locks", "by", id, pseudonym).await?;
        self.rename("runs", "replay.filter.person", id, pseudonym).await?;
        self.rename("runs", "replay.filter.personBegins", id, pseudonym).await?;
        // Of one that waits; from where it goes on is known by when they joined as well.
        self.rename("runs", "progress.place.cursor", id, pseudonym).await?;
        let seen =
            ["progress.place.tail", "progress.suspects.clerkId", "progress.held"].map(|field| doc! { field: id });
        let gone = doc! { "progress.place.tail": id, "progress.suspects": { "clerkId": id }, "progress.held": id };
        let runs = self.database.collection::<Document>("runs");
        runs.update_many(doc! { "$or": seen.to_vec() }, doc! { "$pull": gone }).await?;
        self.findings.hide(id, pseudonym).await
    }

    async fn rename(&self, collection: &str, field: &str, id: &str, pseudonym: &str) -> Result<(), Error> {
        let rows = self.database.collection::<Document>(collection);
        rows.update_many(doc! { field: id }, doc! { "$set": { field: pseudonym } }).await?;
        Ok(())
    }
}
