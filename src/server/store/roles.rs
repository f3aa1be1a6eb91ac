//! Roles in `users`, changed one after another, so that no two changes can together do what neither may alone (D5-12).
//!
//! A change is a transaction that first takes its turn by writing the one document of `locks`: of two at once, the later
//! reads what the earlier wrote. Whoever is banned, locked or deleted is so at Clerk first, which no transaction holds: such
//! a departure is a mark in the same document, and while it stands they count as gone. What must hold is a parameter; why it
//! must is `accounts`' business.

use futures::FutureExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, DateTime, Document, doc, oid::ObjectId};
use mongodb::options::{ReadConcern, ReturnDocument};
use mongodb::{ClientSession, Collection, Database};
use serde::Deserialize;

use crate::model::audit::Fact;
use crate::model::user::Role;
use crate::server::settings::fields::Fields;
use crate::server::store::Error;
use crate::server::store::audit::Audit;
use crate::server::store::encoding::to_date;
use crate::server::store::jobs::Effect;
use crate::server::store::users::{User, Users};

/// A role to give, and on which conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleChange {
    pub clerk_id: String,
    pub role: Role,
    /// Which role it must still be when it is written, if that matters.
    pub expected: Option<Role>,
    /// Who must still be an admin when it is written; `None` for an authority that is no document.
    pub by: Option<String>,
    /// What the change has for effects, put into the person's outbox with it.
    pub effects: Vec<Effect>,
    /// What the audit trail says of it; the roles are filled in.
    pub fact: Fact,
    /// Whether to write it, or only to say how it would end.
    pub is_rehearsal: bool,
}

/// How a change of a role ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleWritten {
    /// The role before.
    Done(Role),
    /// It was the role already.
    Unchanged,
    /// It was this role, which was not expected.
    Unexpected(Role),
    /// Nobody living by this id.
    Nobody,
    /// Whoever asked is no admin any more.
    NotByAdmin,
    /// No admin would be left.
    LastAdmin,
}

/// Somebody who is about to be let in no more; an admin less, if they are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// Who must still be an admin when it begins; `None` for an authority that is no document, and for oneself.
    pub by: Option<String>,
    /// What the audit trail says of it; its subject is whoever departs.
    pub fact: Fact,
    /// When it is over at the latest, whatever became of the one who began it.
    pub until: Timestamp,
    /// Whether to begin it, or only to say whether it could.
    pub is_rehearsal: bool,
}

/// Whether a departure has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Under this mark.
    Yes(Mark),
    /// Whoever asked is no admin any more, or departs themselves.
    NotByAdmin,
    /// No admin would be left.
    LastAdmin,
}

/// Under which somebody departs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(ObjectId);

/// The document of `locks`.
#[derive(Deserialize)]
struct Turn {
    #[serde(default)]
    departures: Vec<Departing>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Departing {
    clerk_id: String,
    until: DateTime,
}

#[derive(Clone, Debug)]
pub struct Roles {
    users: Users,
    documents: Collection<Document>,
    people: Collection<User>,
    locks: Collection<Document>,
    audit: Audit,
}

impl Roles {
    pub fn of(database: &Database, fields: &Fields) -> Self {
        Self {
            users: Users::of(database, fields),
            documents: database.collection("users"),
            people: database.collection("users"),
            locks: database.collection("locks"),
            audit: Audit::of(database),
        }
    }

    /// Outside of the transaction, where two at once may both find that it is missing.
    async fn ensure_turn(&self) -> Result<(), Error> {
        self.locks.update_one(turn(), doc! { "$setOnInsert": { "turns": 0_i64 } }).upsert(true).await?;
        self.audit.ensure_end().await
    }

    pub async fn change(&self, change: &RoleChange) -> Result<RoleWritten, Error> {
        if !change.is_rehearsal {
            self.ensure_turn().await?;
        }
        let mut session = self.locks.client().start_session().await?;
        let written = session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .and_run((self.clone(), change.clone()), |session, (roles, change)| {
                async move { roles.change_in(session, change).await }.boxed()
            })
            .await?;
        Ok(written)
    }

    async fn change_in(&self, session: &mut ClientSession, change: &RoleChange) -> mongodb::error::Result<RoleWritten> {
        let departing = self.take_turn(session, change.is_rehearsal).await?;
        if !self.is_admin(session, change.by.as_deref(), &departing).await? {
            return Ok(RoleWritten::NotByAdmin);
        }
        let living = doc! { "clerkId": &change.clerk_id, "deletedAt": Bson::Null };
        let Some(user) = self.people.find_one(living).session(&mut *session).await? else {
            return Ok(RoleWritten::Nobody);
        };
        if user.role == change.role {
            return Ok(RoleWritten::Unchanged);
        }
        if change.expected.is_some_and(|expected| expected != user.role) {
            return Ok(RoleWritten::Unexpected(user.role));
        }
        if user.role.is_admin() && !self.leaves_an_admin(session, &change.clerk_id, &departing).await? {
            return Ok(RoleWritten::LastAdmin);
        }
        if !change.is_rehearsal {
            self.users.set_role(session, &user, change.role, &change.effects).await?;
            let text = |role: Role| Some(role.as_str().to_owned());
            let fact = Fact { before: text(user.role), after: text(change.role), ..change.fact.clone() };
            self.audit.append_in(session, &fact).await?;
        }
        Ok(RoleWritten::Done(user.role))
    }

    /// Whether somebody else is an admin who can act as such.
    pub async fn has_other_admin(&self, clerk_id: &str) -> Result<bool, Error> {
        let others = free_admins(doc! { "clerkId": { "$ne": clerk_id } });
        Ok(self.documents.find_one(others).projection(doc! { "_id": 1 }).await?.is_some())
    }

    /// Marks somebody as departing and records it, if an admin is left then. `end_departure` takes the mark away.
    pub async fn begin_departure(&self, departure: &Departure) -> Result<Begun, Error> {
        if !departure.is_rehearsal {
            self.ensure_turn().await?;
        }
        let mut session = self.locks.client().start_session().await?;
        let begun = session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .and_run((self.clone(), departure.clone()), |session, (roles, departure)| {
                async move { roles.begin_departure_in(session, departure).await }.boxed()
            })
            .await?;
        Ok(begun)
    }

    async fn begin_departure_in(
        &self,
        session: &mut ClientSession,
        departure: &Departure,
    ) -> mongodb::error::Result<Begun> {
        let departing = self.take_turn(session, departure.is_rehearsal).await?;
        if !self.is_admin(session, departure.by.as_deref(), &departing).await? {
            return Ok(Begun::NotByAdmin);
        }
        let (who, mark) = (&departure.fact.subject, ObjectId::new());
        if self.is_admin(session, Some(who), &[]).await? && !self.leaves_an_admin(session, who, &departing).await? {
            return Ok(Begun::LastAdmin);
        }
        if !departure.is_rehearsal {
            let row = doc! { "id": mark, "clerkId": who, "until": to_date(departure.until) };
            let change = doc! { "$push": { "departures": row } };
            self.locks.update_one(turn(), change).session(&mut *session).await?;
            self.audit.append_in(session, &departure.fact).await?;
        }
        Ok(Begun::Yes(Mark(mark)))
    }

    /// What became of it is stored, or nothing did.
    pub async fn end_departure(&self, mark: Mark) -> Result<(), Error> {
        self.locks.update_one(turn(), doc! { "$pull": { "departures": { "id": mark.0 } } }).await?;
        Ok(())
    }

    /// Of two who take it at once, one waits for the other's end; a rehearsal only looks, for it writes nothing. Answers who is
    /// departing.
    async fn take_turn(&self, session: &mut ClientSession, is_rehearsal: bool) -> mongodb::error::Result<Vec<String>> {
        let now = to_date(Timestamp::now());
        let locks = self.locks.clone_with_type::<Turn>();
        let found = if is_rehearsal {
            locks.find_one(turn()).session(session).await?
        } else {
            let over = doc! { "departures": { "until": { "$lt": now } } };
            let taken = doc! { "$inc": { "turns": 1_i64 }, "$pull": over };
            let taken = locks.find_one_and_update(turn(), taken).return_document(ReturnDocument::After);
            taken.session(session).await?
        };
        let departures = found.map(|turn| turn.departures).unwrap_or_default();
        let departing = departures.into_iter().filter(|departing| departing.until >= now);
        Ok(departing.map(|departing| departing.clerk_id).collect())
    }

    /// Whether this is an admin who can act as such and is not departing. An authority that is no document is one.
    async fn is_admin(
        &self,
        session: &mut ClientSession,
        who: Option<&str>,
        departing: &[String],
    ) -> mongodb::error::Result<bool> {
        let Some(who) = who else { return Ok(true) };
        let themselves = admins(doc! { "clerkId": { "$eq": who, "$nin": departing } });
        Ok(self.documents.count_documents(themselves).session(session).await? > 0)
    }

    /// Whether an admin is there without this person and without those who are departing.
    async fn leaves_an_admin(
        &self,
        session: &mut ClientSession,
        who: &str,
        departing: &[String],
    ) -> mongodb::error::Result<bool> {
        let others = free_admins(doc! { "clerkId": { "$ne": who, "$nin": departing } });
        Ok(self.documents.count_documents(others).limit(1).session(session).await? > 0)
    }
}

/// Those of these who are admins and can act as such.
fn admins(among: Document) -> Document {
    let mut admins = doc! { "role": Role::Admin.as_str(), "deletedAt": Bson::Null, "banned": { "$ne": true } };
    admins.extend(among);
    admins
}

/// Those who can sign in as well. Somebody who is locked is an admin while their session lasts, and none to rely on.
fn free_admins(among: Document) -> Document {
    let mut admins = admins(among);
    admins.insert("locked", doc! { "$ne": true });
    admins
}

fn turn() -> Document {
    doc! { "_id": "roles" }
}
