//! Guarded writes of many people: each holds only while what it was decided over is still stored.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use mongodb::bson::{
    Bson, DateTime, Document, RawDocumentBuf, cstr, doc, oid::ObjectId, serialize_to_raw_document_buf,
};
use serde::Serialize;

use crate::model::user::SyncSource;
use crate::server::store::commands::{Refusal, write_each};
use crate::server::store::encoding::to_date;
use crate::server::store::jobs::Effect;
use crate::server::store::users::history::{self, Entry};
use crate::server::store::users::{User, Users, adoptable};
use crate::server::store::{DUPLICATE_KEY, Error};

/// A person to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// With the `etag` that it shall have.
    pub user: User,
    /// What was read, if the person is stored: only what differs from it is written.
    pub before: Option<Box<User>>,
    pub guard: Guard,
    /// Put into the person's outbox by the same write, so that a crash cannot come between (C-8).
    pub effects: Vec<Effect>,
    /// What changes, for the person's history.
    pub history: Vec<Entry>,
}

impl Write {
    /// How late it brings what a webhook said, counted from when Clerk says it was made; `None`: it brings nothing of one.
    pub fn lag(&self, now: Timestamp) -> Option<Duration> {
        let version = self.user.version;
        let is_news = self.before.as_ref().is_none_or(|before| before.version != version);
        let is_told = is_news && self.user.sync_source == SyncSource::Webhook && version.event_at > 0;
        let late_ms = now.as_millisecond().saturating_sub(version.event_at).max(0).unsigned_abs();
        is_told.then(|| Duration::from_millis(late_ms))
    }
}

/// What must still be true for a write to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Nobody has this Clerk id.
    New,
    /// The document is the one that was read.
    Unchanged(Option<String>),
    /// The application's own person with this `_id` has no Clerk id yet; the write gives them one.
    Local,
}

/// How a guarded write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Done,
    /// Somebody else wrote this person first: read again and decide again.
    Lost,
    /// Another person has the username.
    UsernameTaken,
    /// MongoDB will not have it, for the reason of this code.
    Refused(i32),
}

impl Users {
    /// Writes many people, each at most once and under its guard, with two commands. Answers how each ended, in order. With
    /// `erased_at`, whoever is deleted counts as erased since then, so that their id is hidden in time (`store::erasure`).
    pub async fn write_many(&self, writes: &[Write], erased_at: Option<Timestamp>) -> Result<Vec<Written>, Error> {
        let (inserts, updates): (Vec<usize>, Vec<usize>) =
            (0..writes.len()).partition(|place| writes[*place].guard == Guard::New);
        // They concern different people, so neither waits for the other.
        let (new, known) = tokio::try_join!(
            self.insert_each(writes, &inserts, erased_at),
            self.update_each(writes, &updates, erased_at)
        )?;
        let mut ends = vec![Written::Done; writes.len()];
        for (place, end) in new.into_iter().chain(known) {
            ends[place] = end;
        }
        Ok(ends)
    }

    /// Answers those that did not end well.
    async fn insert_each(
        &self,
        writes: &[Write],
        places: &[usize],
        erased_at: Option<Timestamp>,
    ) -> Result<Vec<(usize, Written)>, Error> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let added = places.iter().map(|place| {
            let Write { user, effects, history, .. } = &writes[*place];
            Added { user, outbox: effects, history, erased_at: date_of_erasure(user, erased_at) }
        });
        let answer = write_each(&self.documents, "insert", added.collect()).await?;
        Ok(answer.refused.iter().map(|refusal| (places[refusal.place], end_of(refusal))).collect())
    }

    /// Answers those that did not end well.
    async fn update_each(
        &self,
        writes: &[Write],
        places: &[usize],
        erased_at: Option<Timestamp>,
    ) -> Result<Vec<(usize, Written)>, Error> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let statements = places.iter().map(|place| Statement::of(&writes[*place], erased_at));
        let statements = statements.collect::<Result<Vec<_>, _>>()?;
        let answer = write_each(&self.documents, "update", statements).await?;
        if answer.refused.is_empty() && answer.matched == places.len() as u64 {
            return Ok(Vec::new());
        }
        // The answer does not say which guards missed; the etags that are stored now do.
        let ids: Vec<&str> = places.iter().map(|place| writes[*place].user.clerk_id.as_str()).collect();
        let stored: HashMap<String, Option<String>> =
            self.find_many(&ids).await?.users.into_iter().map(|user| (user.clerk_id, user.etag)).collect();
        let is_lost = |place: &&usize| {
            let user = &writes[**place].user;
            stored.get(&user.clerk_id) != Some(&user.etag)
        };
        let mut ends: Vec<_> = places.iter().filter(is_lost).map(|place| (*place, Written::Lost)).collect();
        ends.extend(answer.refused.iter().map(|refusal| (places[refusal.place], end_of(refusal))));
        Ok(ends)
    }
}

/// A new document with its outbox.
#[derive(Serialize)]
struct Added<'a> {
    #[serde(flatten)]
    user: &'a User,
    #[serde(skip_serializing_if = "is_empty")]
    outbox: &'a [Effect],
    #[serde(skip_serializing_if = "is_empty")]
    history: &'a [Entry],
    #[serde(rename = "erasedAt", skip_serializing_if = "Option::is_none")]
    erased_at: Option<DateTime>,
}

/// One statement of an update command: sets those of our fields that differ and no others.
#[derive(Serialize)]
struct Statement<'a> {
    q: Document,
    u: Modification<'a>,
}

#[derive(Serialize)]
struct Modification<'a> {
    #[serde(rename = "$set")]
    set: RawDocumentBuf,
    #[serde(rename = "$push", skip_serializing_if = "Option::is_none")]
    push: Option<Push<'a>>,
    #[serde(rename = "$unset", skip_serializing_if = "Option::is_none")]
    unset: Option<Document>,
}

#[derive(Serialize)]
struct Push<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    outbox: Option<Each<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Document>,
}

#[derive(Serialize)]
struct Each<'a> {
    #[serde(rename = "$each")]
    each: &'a [Effect],
}

impl<'a> Statement<'a> {
    fn of(write: &'a Write, erased_at: Option<Timestamp>) -> Result<Self, Error> {
        let Write { user, before, guard, effects, history } = write;
        let (q, mut gone) = match guard {
            Guard::Unchanged(etag) => {
                (doc! { "clerkId": &user.clerk_id, "etag": id_or_null(etag.as_deref()) }, Document::new())
            }
            // Whoever signs in through Clerk has no password here (A4-06).
            Guard::Local | Guard::New => {
                (adoptable(doc! { "_id": id_or_null(Some(&user.id)) }), doc! { "passwordHash": "" })
            }
        };
        let outbox = (!effects.is_empty()).then_some(Each { each: effects });
        let history = if history.is_empty() { None } else { Some(history::addition(history)?) };
        let push = (outbox.is_some() || history.is_some()).then_some(Push { outbox, history });
        if user.bio.is_none() && before.as_ref().is_some_and(|before| before.bio.is_some()) {
            gone.insert("bio", "");
        }
        if user.deleted_at.is_some() && user.last_active_at.is_none() {
            // Nothing personal stays of a deleted person, unless all of it does.
            gone.insert("lastActiveAt", "");
        }
        let unset = (!gone.is_empty()).then_some(gone);
        let mut set =
            changes(before.as_deref(), user).map_err(|error| Error::from(mongodb::error::Error::custom(error)))?;
        if let Some(erased_at) = date_of_erasure(user, erased_at) {
            set.append(cstr!("erasedAt"), erased_at);
        }
        Ok(Self { q, u: Modification { set, push, unset } })
    }
}

/// The fields of `after` that are not so `before`.
fn changes(before: Option<&User>, after: &User) -> Result<RawDocumentBuf, mongodb::bson::error::Error> {
    let after = serialize_to_raw_document_buf(after)?;
    let Some(before) = before else { return Ok(after) };
    let before = serialize_to_raw_document_buf(before)?;
    let mut fields = RawDocumentBuf::new();
    // Both have nearly always the same fields in the same order.
    let mut earlier = before.iter().peekable();
    for field in &after {
        let (name, value) = field?;
        let beside = earlier.next_if(|field| field.as_ref().is_ok_and(|(known, _)| *known == name)).transpose()?;
        let was = if let Some((_, was)) = beside { Some(was) } else { before.get(name)? };
        if was != Some(value) {
            fields.append(name, value);
        }
    }
    Ok(fields)
}

fn date_of_erasure(user: &User, erased_at: Option<Timestamp>) -> Option<DateTime> {
    erased_at.filter(|_| user.deleted_at.is_some()).map(to_date)
}

fn id_or_null(id: Option<&str>) -> Bson {
    id.and_then(|id| ObjectId::parse_str(id).ok()).map_or(Bson::Null, Bson::ObjectId)
}

fn is_empty<T>(items: &[T]) -> bool {
    items.is_empty()
}

fn end_of(refusal: &Refusal) -> Written {
    match (refusal.code, refusal.key.as_deref()) {
        (DUPLICATE_KEY, Some("username")) => Written::UsernameTaken,
        (DUPLICATE_KEY, None | Some("_id" | "clerkId")) => Written::Lost,
        // A unique index that is none of ours, as of addresses: trying again would not help.
        (code, _) => Written::Refused(code),
    }
}
