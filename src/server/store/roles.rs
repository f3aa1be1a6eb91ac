//! Roles in `users`, changed one after another, so that no two changes can together do what neither may alone (D5-12).
//!
//! A change is a transaction that first takes its turn by writing the one document of `locks`: of two at once, the later
//! reads what the earlier wrote. What must hold is a parameter; why it must is `accounts`' business.

use futures::FutureExt;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ReadConcern;
use mongodb::{ClientSession, Collection, Database};

use crate::model::audit::Fact;
use crate::model::user::Role;
use crate::server::settings::fields::Fields;
use crate::server::store::Error;
use crate::server::store::audit::Audit;
use crate::server::store::jobs::Effect;
use crate::server::store::users::{User, Users};

/// A role to give, and on which conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleChange {
    pub clerk_id: String,
    pub role: Role,
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
    /// Nobody living by this id.
    Nobody,
    /// Whoever asked is no admin any more.
    NotByAdmin,
    /// No admin would be left.
    LastAdmin,
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

    pub async fn change(&self, change: &RoleChange) -> Result<RoleWritten, Error> {
        // Outside of the transaction, where two at once may both find that it is missing.
        self.locks.update_one(turn(), doc! { "$setOnInsert": { "turns": 0_i64 } }).upsert(true).await?;
        self.audit.ensure_end().await?;
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
        self.locks.update_one(turn(), doc! { "$inc": { "turns": 1_i64 } }).session(&mut *session).await?;
        if let Some(by) = &change.by
            && self.count_admins(session, doc! { "clerkId": by }).await? == 0
        {
            return Ok(RoleWritten::NotByAdmin);
        }
        let living = doc! { "clerkId": &change.clerk_id, "deletedAt": Bson::Null };
        let Some(user) = self.people.find_one(living).session(&mut *session).await? else {
            return Ok(RoleWritten::Nobody);
        };
        if user.role == change.role {
            return Ok(RoleWritten::Unchanged);
        }
        let others = doc! { "clerkId": { "$ne": &change.clerk_id } };
        if user.role.is_admin() && self.count_admins(session, others).await? == 0 {
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
        let others = admins(doc! { "clerkId": { "$ne": clerk_id } });
        Ok(self.documents.find_one(others).projection(doc! { "_id": 1 }).await?.is_some())
    }

    /// How many of these are admins who can act as such.
    async fn count_admins(&self, session: &mut ClientSession, among: Document) -> mongodb::error::Result<u64> {
        self.documents.count_documents(admins(among)).session(session).await
    }
}

/// Those of these who are admins and can act as such.
fn admins(among: Document) -> Document {
    let mut admins = doc! { "role": Role::Admin.as_str(), "deletedAt": Bson::Null, "banned": { "$ne": true } };
    admins.extend(among);
    admins
}

fn turn() -> Document {
    doc! { "_id": "roles" }
}
