//! Collection `audit`: what was done, by whom, to whom and why, append-only, each entry sealed to the one before (D7-06).
//!
//! An entry's number is its `_id`, and the trail's end (number and seal of the last entry) is one document of `locks` that
//! every append writes in its transaction: of two at once, in whatever processes, one comes after the other. Nothing here
//! changes an entry, or removes one but by its age (`expiry`), and what somebody else changes, removes or moves breaks
//! the chain there.
//!
//! The one part in free words, the reason, is sealed as a salted digest, so that an erasure can take the words away (C-11)
//! while the chain holds; who takes them away otherwise is not found by the seals, and whoever changes them is.

pub mod chain;
mod reasons;
pub mod verification;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{FutureExt, TryStreamExt};
use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use mongodb::options::{ReadConcern, ReturnDocument, UpdateModifications};
use mongodb::{ClientSession, Collection, Database};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::audit::Fact;
use crate::server::store::audit::chain::Chain;
use crate::server::store::encoding::{date, to_date};
use crate::server::store::{DUPLICATE_KEY, Error, partial_index};

/// What the first entry is sealed to.
const BEGINNING: &str = "";

/// One entry as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// From one, without a gap.
    #[serde(rename = "_id")]
    pub number: i64,
    #[serde(with = "date")]
    pub at: Timestamp,
    pub actor: String,
    /// Who really did it, in the actor's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impersonator: Option<String>,
    pub session: Option<String>,
    pub source: String,
    pub action: String,
    pub subject: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub reason: Option<String>,
    /// What the seal holds of the reason; entries from before there was one have the words themselves under their seal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_digest: Option<String>,
    /// Without it, erased words cannot be guessed by their digest; goes with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_salt: Option<String>,
    /// The seal of the entry before.
    pub previous: String,
    /// SHA-256 over everything above (of a reason, its digest), in base64.
    pub seal: String,
}

/// An entry's number and seal: the last one's, or that of the last that left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub number: i64,
    pub seal: String,
}

/// Which entries; what is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub subject: Option<String>,
    /// Those of then or later.
    pub since: Option<Timestamp>,
    /// Those of earlier.
    pub before: Option<Timestamp>,
}

/// What was found of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trail {
    /// How many entries left because they were old enough.
    pub left: i64,
    /// How many entries hold, from the first on that is kept.
    pub entries: i64,
    pub broken: Option<Broken>,
}

/// The first entry that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub number: i64,
    pub cause: &'static str,
}

#[derive(Clone, Debug)]
pub struct Audit {
    pub(super) entries: Collection<Entry>,
    pub(super) locks: Collection<Document>,
}

impl Audit {
    pub fn of(database: &Database) -> Self {
        Self { entries: database.collection("audit"), locks: database.collection("locks") }
    }

    /// Adds what was done. A change that can be part of a transaction uses `append_in` instead.
    pub async fn append(&self, fact: &Fact) -> Result<(), Error> {
        self.ensure_end().await?;
        let mut session = self.locks.client().start_session().await?;
        session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .and_run((self.clone(), fact.clone()), |session, (audit, fact)| {
                async move { audit.append_in(session, fact).await }.boxed()
            })
            .await?;
        Ok(())
    }

    /// The same within a transaction, so that neither is without the other; `ensure_end` comes before it.
    pub async fn append_in(&self, session: &mut ClientSession, fact: &Fact) -> mongodb::error::Result<()> {
        let next = doc! { "$inc": { "number": 1_i64 } };
        let ends = self.locks.clone_with_type::<End>();
        let taken = ends.find_one_and_update(turn(), next).return_document(ReturnDocument::Before);
        let end = taken.session(&mut *session).await?;
        let end = end.ok_or_else(|| mongodb::error::Error::custom("the audit trail has no end"))?;
        let entry = Entry::after(&end, fact, Timestamp::now());
        self.entries.insert_one(&entry).session(&mut *session).await?;
        self.locks.update_one(turn(), doc! { "$set": { "seal": &entry.seal } }).session(session).await?;
        Ok(())
    }

    /// Where the next entry is added. Outside of a transaction, where two at once may both find that it is missing; and known
    /// to a majority, or the transaction that follows would not see it.
    pub async fn ensure_end(&self) -> Result<(), Error> {
        let ends = self.locks.clone_with_type::<End>();
        if ends.find_one(turn()).read_concern(ReadConcern::majority()).await?.is_some() {
            return Ok(());
        }
        let last = self.entries.find_one(doc! {}).sort(doc! { "_id": -1 }).await?;
        let last = match last {
            Some(last) => End { number: last.number, seal: last.seal },
            None => self.find_start().await?,
        };
        let first = doc! { "$setOnInsert": { "number": last.number, "seal": last.seal } };
        let write = || self.locks.update_one(turn(), first.clone()).upsert(true);
        match write().await.map_err(Error::from) {
            // Another process was quicker, which is as good; this then only waits for the majority.
            Err(error) if error.code() == Some(DUPLICATE_KEY) => {
                write().await?;
            }
            written => {
                written?;
            }
        }
        Ok(())
    }

    /// What the first entry that is kept is sealed to.
    pub(super) async fn find_start(&self) -> Result<End, Error> {
        let start = self.locks.clone_with_type::<End>().find_one(first_kept()).await?;
        Ok(start.unwrap_or_else(|| End { number: 0, seal: BEGINNING.to_owned() }))
    }

    async fn find_end(&self) -> Result<Option<End>, Error> {
        Ok(self.locks.clone_with_type::<End>().find_one(turn()).await?)
    }

    /// Follows the trail from its first entry, or from the seal of the last that left, and names the first that does not
    /// hold.
    pub async fn verify(&self) -> Result<Trail, Error> {
        let mut start = self.find_start().await?;
        loop {
            let trail = self.verify_from(&start).await?;
            let now = self.find_start().await?;
            // Entries that left meanwhile are no gap.
            if trail.broken.is_none() || now == start {
                return Ok(trail);
            }
            start = now;
        }
    }

    async fn verify_from(&self, start: &End) -> Result<Trail, Error> {
        let written = self.find_end().await?.map_or(0, |end| end.number);
        let mut chain = Chain::after(start);
        let rows = self.entries.clone_with_type::<Document>();
        let mut found = rows.find(doc! {}).sort(doc! { "_id": 1 }).await?;
        while let Some(row) = found.try_next().await? {
            if let Err(cause) = chain.follow(row) {
                return Ok(chain.broken(cause));
            }
        }
        // Read again, for entries may have been added meanwhile.
        let end = self.find_end().await?.unwrap_or_else(|| start.clone());
        if chain.number < written {
            return Ok(chain.broken("it is missing, as is everything after it"));
        }
        Ok(if chain.number > end.number {
            chain.broken_at(end.number + 1, "the trail had ended before it")
        } else if chain.number == end.number && chain.seal != end.seal {
            chain.broken_at(chain.number, "it is not the one that was added last")
        } else {
            chain.whole()
        })
    }

    /// Changes the state of one document and adds that, in one transaction. `false`: no document is so.
    pub async fn intervene<T: Send + Sync>(
        &self,
        documents: &Collection<T>,
        (which, change): (Document, UpdateModifications),
        fact: Fact,
    ) -> Result<bool, Error> {
        self.ensure_end().await?;
        let context = (self.clone(), documents.clone_with_type::<Document>(), which, change, fact);
        let mut session = self.locks.client().start_session().await?;
        let is_done = session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .and_run(context, |session, (audit, documents, which, change, fact)| {
                async move {
                    let changed = documents.find_one_and_update(which.clone(), change.clone());
                    let changed = changed.projection(doc! { "state": 1 }).return_document(ReturnDocument::Before);
                    let Some(before) = changed.session(&mut *session).await? else { return Ok(false) };
                    let before = before.get_str("state").ok().map(str::to_owned);
                    audit.append_in(session, &Fact { before, ..fact.clone() }).await?;
                    Ok(true)
                }
                .boxed()
            })
            .await?;
        Ok(is_done)
    }

    /// Entries that match, the newest first, from before this number on; one more than the limit if there are more.
    pub async fn list(&self, filter: &Filter, before: Option<i64>, limit: u16) -> Result<Vec<Entry>, Error> {
        let (mut first, mut last) = (None, before.map(|number| number - 1));
        let moments = self.entries.clone();
        // Entries are in the order of their moments, so a span of time is a span of numbers.
        if let Some(since) = filter.since {
            let from = moments.find_one(doc! { "at": { "$gte": to_date(since) } }).sort(doc! { "at": 1 }).await?;
            let Some(from) = from else { return Ok(Vec::new()) };
            first = Some(from.number);
        }
        if let Some(until) = filter.before {
            let to = moments.find_one(doc! { "at": { "$lt": to_date(until) } }).sort(doc! { "at": -1 }).await?;
            let Some(to) = to else { return Ok(Vec::new()) };
            last = Some(last.map_or(to.number, |last: i64| last.min(to.number)));
        }
        let mut wanted = Document::new();
        for (field, value) in [("actor", &filter.actor), ("action", &filter.action), ("subject", &filter.subject)] {
            if let Some(value) = value {
                wanted.insert(field, value);
            }
        }
        let bounds = [first.map(|number| ("$gte", number)), last.map(|number| ("$lte", number))];
        let bounds: Document =
            bounds.into_iter().flatten().map(|(sign, number)| (sign.to_owned(), number.into())).collect();
        if !bounds.is_empty() {
            wanted.insert("_id", bounds);
        }
        let found = self.entries.find(wanted).sort(doc! { "_id": -1 }).limit(i64::from(limit) + 1);
        Ok(found.await?.try_collect().await?)
    }

    /// The entry of this number.
    pub async fn find(&self, number: i64) -> Result<Option<Entry>, Error> {
        Ok(self.entries.find_one(doc! { "_id": number }).await?)
    }

    /// Everything that was done to one person or job, the oldest first.
    pub async fn list_about(&self, subject: &str) -> Result<Vec<Entry>, Error> {
        let about = doc! { "subject": subject };
        Ok(self.entries.find(about).sort(doc! { "_id": 1 }).await?.try_collect().await?)
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let [about, by, what, moment] = INDEXES;
        let indexes = [
            partial_index(doc! { "subject": 1, "_id": 1 }, about, None),
            partial_index(doc! { "actor": 1, "_id": 1 }, by, None),
            partial_index(doc! { "action": 1, "_id": 1 }, what, None),
            partial_index(doc! { "at": 1 }, moment, None),
        ];
        self.entries.create_indexes(indexes).await?;
        Ok(())
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.entries.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 4] = ["subject_1__id_1", "actor_1__id_1", "action_1__id_1", "at_1"];

fn turn() -> Document {
    doc! { "_id": "audit" }
}

pub(super) fn first_kept() -> Document {
    doc! { "_id": "audit-start" }
}

impl Entry {
    fn after(end: &End, fact: &Fact, at: Timestamp) -> Self {
        let mut entry = Self {
            number: end.number + 1,
            at,
            actor: fact.actor.id.clone(),
            impersonator: fact.actor.impersonator.clone(),
            session: fact.actor.session.clone(),
            source: fact.actor.source.as_str().to_owned(),
            action: fact.action.as_str().to_owned(),
            subject: fact.subject.clone(),
            before: fact.before.clone(),
            after: fact.after.clone(),
            reason: None,
            reason_digest: None,
            reason_salt: None,
            previous: end.seal.clone(),
            seal: String::new(),
        };
        if let Some(words) = &fact.reason {
            entry.give_reason(words);
        }
        entry.seal = entry.sealed();
        entry
    }

    /// A list in JSON: no two entries have the same text.
    fn sealed(&self) -> String {
        let mut sealed = vec![
            json!(self.number),
            json!(self.at.as_millisecond()),
            json!(self.actor),
            json!(self.session),
            json!(self.source),
            json!(self.action),
            json!(self.subject),
            json!(self.before),
            json!(self.after),
            self.sealed_reason(),
            json!(self.previous),
        ];
        // Only where there is one: entries that were sealed without it stay as they are.
        sealed.extend(self.impersonator.as_ref().map(|id| json!(id)));
        STANDARD.encode(digest(&SHA256, Value::Array(sealed).to_string().as_bytes()))
    }
}

#[cfg(test)]
mod tests;
