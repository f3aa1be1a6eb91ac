//! Guarded writes of many people: each holds only while what it was decided over is still stored.

use std::collections::HashMap;

use mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use serde::Serialize;

use crate::server::store::jobs::Effect;
use crate::server::store::users::{User, Users};
use crate::server::store::{DUPLICATE_KEY, Error, Refusal, write_each};

/// A person to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// With the `etag` that it shall have.
    pub user: User,
    pub guard: Guard,
    /// Put into the person's outbox by the same write, so that a crash cannot come between (C-8).
    pub effects: Vec<Effect>,
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
    /// Writes many people, each at most once and under its guard, with two commands. Answers how each ended, in order.
    pub async fn write_many(&self, writes: &[Write]) -> Result<Vec<Written>, Error> {
        let (inserts, updates): (Vec<usize>, Vec<usize>) =
            (0..writes.len()).partition(|place| writes[*place].guard == Guard::New);
        let mut ends = vec![Written::Done; writes.len()];
        self.insert_each(writes, &inserts, &mut ends).await?;
        self.update_each(writes, &updates, &mut ends).await?;
        Ok(ends)
    }

    async fn insert_each(&self, writes: &[Write], places: &[usize], ends: &mut [Written]) -> Result<(), Error> {
        if places.is_empty() {
            return Ok(());
        }
        let added = places.iter().map(|place| Added { user: &writes[*place].user, outbox: &writes[*place].effects });
        let answer = write_each(&self.documents, "insert", added.collect()).await?;
        for refusal in answer.refused {
            ends[places[refusal.place]] = end_of(&refusal);
        }
        Ok(())
    }

    async fn update_each(&self, writes: &[Write], places: &[usize], ends: &mut [Written]) -> Result<(), Error> {
        if places.is_empty() {
            return Ok(());
        }
        let statements = places.iter().map(|place| Statement::of(&writes[*place])).collect();
        let answer = write_each(&self.documents, "update", statements).await?;
        if answer.refused.is_empty() && answer.matched == places.len() as u64 {
            return Ok(());
        }
        // The answer does not say which guards missed; the etags that are stored now do.
        let ids: Vec<&str> = places.iter().map(|place| writes[*place].user.clerk_id.as_str()).collect();
        let stored: HashMap<String, Option<String>> =
            self.find_many(&ids).await?.users.into_iter().map(|user| (user.clerk_id, user.etag)).collect();
        for place in places {
            let user = &writes[*place].user;
            if stored.get(&user.clerk_id) != Some(&user.etag) {
                ends[*place] = Written::Lost;
            }
        }
        for refusal in answer.refused {
            ends[places[refusal.place]] = end_of(&refusal);
        }
        Ok(())
    }
}

/// A new document with its outbox.
#[derive(Serialize)]
struct Added<'a> {
    #[serde(flatten)]
    user: &'a User,
    #[serde(skip_serializing_if = "is_empty")]
    outbox: &'a [Effect],
}

/// One statement of an update command: sets our fields and no others.
#[derive(Serialize)]
struct Statement<'a> {
    q: Document,
    u: Modification<'a>,
}

#[derive(Serialize)]
struct Modification<'a> {
    #[serde(rename = "$set")]
    set: &'a User,
    #[serde(rename = "$push", skip_serializing_if = "Option::is_none")]
    push: Option<Push<'a>>,
    #[serde(rename = "$unset", skip_serializing_if = "Option::is_none")]
    unset: Option<Document>,
}

#[derive(Serialize)]
struct Push<'a> {
    outbox: Each<'a>,
}

#[derive(Serialize)]
struct Each<'a> {
    #[serde(rename = "$each")]
    each: &'a [Effect],
}

impl<'a> Statement<'a> {
    fn of(write: &'a Write) -> Self {
        let Write { user, guard, effects } = write;
        let (q, unset) = match guard {
            Guard::Unchanged(etag) => (doc! { "clerkId": &user.clerk_id, "etag": id_or_null(etag.as_deref()) }, None),
            // Whoever signs in through Clerk has no password here (A4-06).
            Guard::Local | Guard::New => (
                doc! { "_id": id_or_null(Some(&user.id)), "clerkId": Bson::Null, "authProvider": "local" },
                Some(doc! { "passwordHash": "" }),
            ),
        };
        let push = (!effects.is_empty()).then_some(Push { outbox: Each { each: effects } });
        Self { q, u: Modification { set: user, push, unset } }
    }
}

fn id_or_null(id: Option<&str>) -> Bson {
    id.and_then(|id| ObjectId::parse_str(id).ok()).map_or(Bson::Null, Bson::ObjectId)
}

fn is_empty(effects: &[Effect]) -> bool {
    effects.is_empty()
}

fn end_of(refusal: &Refusal) -> Written {
    match (refusal.code, refusal.key.as_deref()) {
        (DUPLICATE_KEY, Some("username")) => Written::UsernameTaken,
        (DUPLICATE_KEY, _) => Written::Lost,
        (code, _) => Written::Refused(code),
    }
}
