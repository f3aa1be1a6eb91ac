//! Where somebody is mentioned in what is not theirs: messages without a subject, and what people wrote in free words.

use std::collections::HashSet;

use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, doc};

use crate::model::audit::Action;
use crate::server::store::audit::Entry;
use crate::server::store::erasure::Erased;
use crate::server::store::erasure::subject::{Sought, Subject};
use crate::server::store::{Error, Store};

/// How what somebody decided by hand begins; their reason follows.
const DISCARDED: &str = "discarded: ";
const NO_REASON: &str = "discarded: the reason was erased";
const NO_WORDS: &str = "it named somebody who was erased";

impl Store {
    /// Removes those. Before the person's own data, for that alone may tell by which addresses and names they were mentioned:
    /// whoever begins again after a crash needs it. Safe to repeat.
    pub async fn erase_mentions(&self, subject: &Subject) -> Result<Erased, Error> {
        let sought = subject.sought();
        let messages = self.deliveries.erase(|event| sought.is_message(event)).await?;
        let theirs = self.list_theirs(&subject.clerk_id).await?;
        let reasons = self.audit.erase_reasons(|entry| is_reason_about(entry, &theirs, &sought)).await?;
        let filters = self.saved_filters.erase(&subject.clerk_id, |text| sought.is_in(text)).await?;
        let decisions = self.erase_decisions(&subject.clerk_id, &sought).await?;
        let words = self.erase_words("jobs", "cause", &subject.clerk_id, &sought).await?
            + self.erase_words("findings", "reason", &subject.clerk_id, &sought).await?;
        Ok(Erased {
            bodies: messages.bodies,
            batches: messages.batches,
            reasons: reasons.erased,
            sealed: reasons.sealed,
            filters,
            words: decisions + words,
            ..Erased::default()
        })
    }

    /// What the audit trail may be about and is theirs: themselves, their events, their jobs.
    async fn list_theirs(&self, id: &str) -> Result<HashSet<String>, Error> {
        let mut theirs = HashSet::from([id.to_owned()]);
        for collection in ["events", "jobs"] {
            let rows = self.database.collection::<Document>(collection);
            let mut found = rows.find(doc! { "clerkId": id }).projection(doc! { "_id": 1 }).await?;
            while let Some(row) = found.try_next().await? {
                theirs.extend(row.get_str("_id").map(str::to_owned));
            }
        }
        Ok(theirs)
    }

    /// Why an event was discarded: of theirs always, of others' if it names them; what was decided before as well.
    async fn erase_decisions(&self, id: &str, sought: &Sought) -> Result<u64, Error> {
        let events = self.database.collection::<Document>("events");
        let by_hand = doc! { "$regex": format!("^{DISCARDED}") };
        let discarded = doc! { "$or": [{ "decision": &by_hand }, { "earlier.decision": &by_hand }] };
        let said = doc! { "clerkId": 1, "decision": 1, "earlier.decision": 1 };
        let (mut found, mut count) = (events.find(discarded).projection(said).await?, 0);
        while let Some(row) = found.try_next().await? {
            let is_theirs = row.get_str("clerkId").is_ok_and(|clerk_id| clerk_id == id);
            let is_meant = |words: &str| words.starts_with(DISCARDED) && (is_theirs || sought.is_in(words));
            let meant = decisions_of(&row).filter(|(_, words)| is_meant(words));
            let meant: Document = meant.map(|(field, words)| (field, words.into())).collect();
            if meant.is_empty() {
                continue;
            }
            let change: Document = meant.keys().map(|field| (field.clone(), NO_REASON.into())).collect();
            let mut same = doc! { "_id": row.get("_id") };
            same.extend(meant);
            count += events.update_one(same, doc! { "$set": change }).await?.modified_count;
        }
        Ok(count)
    }

    /// What became of something of somebody else's, where it names them: a reason, or a relay's answer.
    async fn erase_words(&self, collection: &str, field: &str, id: &str, sought: &Sought) -> Result<u64, Error> {
        let rows = self.database.collection::<Document>(collection);
        let others = doc! { "clerkId": { "$ne": id }, field: { "$type": "string" } };
        let (mut found, mut count) = (rows.find(others).projection(doc! { field: 1 }).await?, 0);
        while let Some(row) = found.try_next().await? {
            let words = row.get_str(field).unwrap_or_default();
            if sought.is_in(words) {
                let same = doc! { "_id": row.get("_id"), field: words };
                let instead = if words.starts_with(DISCARDED) { NO_REASON } else { NO_WORDS };
                count += rows.update_one(same, doc! { "$set": { field: instead } }).await?.modified_count;
            }
        }
        Ok(count)
    }
}

/// Each decision of an event, with its place there.
fn decisions_of(row: &Document) -> impl Iterator<Item = (String, &str)> {
    let last = row.get_str("decision").ok().map(|words| ("decision".to_owned(), words));
    let earlier = row.get_array("earlier").map(Vec::as_slice).unwrap_or_default().iter().enumerate();
    let earlier = earlier.filter_map(|(place, one): (usize, &Bson)| {
        Some((format!("earlier.{place}.decision"), one.as_document()?.get_str("decision").ok()?))
    });
    last.into_iter().chain(earlier)
}

/// The reason of the erasure itself says why the rest is gone.
fn is_reason_about(entry: &Entry, theirs: &HashSet<String>, sought: &Sought) -> bool {
    let is_theirs = theirs.contains(&entry.subject) && entry.action != Action::EraseUser.as_str();
    is_theirs || entry.reason.as_ref().is_some_and(|words| sought.is_in(words))
}
