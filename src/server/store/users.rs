//! Collection `users`: one document a person, keyed by `clerkId` (design 2.2).
//!
//! Fields that are not ours are never touched: the application keeps its own beside them. Those that the table `[[fields]]`
//! names are ours. Whether a write should happen is `sync::apply`'s business.

pub mod activity;
pub mod bio;
pub mod fields;
pub mod hidden;
pub mod history;
pub mod joined;
pub mod living;
pub mod lookups;
pub mod outbox;
pub mod schema;
pub mod writes;

use std::sync::Arc;

use jiff::Timestamp;
use mongodb::bson::{
    Bson, Document, RawDocument, RawDocumentBuf, deserialize_from_slice, doc, oid::ObjectId, serialize_to_bson,
};
use mongodb::options::{Collation, CollationStrength};
use mongodb::{ClientSession, Collection, Database};
use serde::{Deserialize, Deserializer, Serialize};

use crate::model::user::{AuthProvider, Email, Role, SyncSource, SyncStatus};
use crate::server::settings::fields::{FieldValues, Fields};
use crate::server::store::Error;
use crate::server::store::encoding::{date, object_id, optional_date, optional_object_id};
use crate::server::store::jobs::Effect;
use crate::server::store::legible;
use crate::server::store::together::Together;
use crate::server::store::users::hidden::Pseudonyms;
use crate::server::store::users::history::{Entry, FieldChange};

/// The order of what Clerk says about one person, in milliseconds (design 2.3): newer wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Clerk's `updated_at`; 0 where it was not said.
    pub updated_at: i64,
    /// When the event was made; 0 where it does not say so, and for an answer of the Backend API.
    pub event_at: i64,
}

/// A person as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the document")]
pub struct User {
    /// MongoDB's id, which Clerk's metadata will carry as `userMongoId`.
    #[serde(rename = "_id", with = "object_id")]
    pub id: String,
    pub clerk_id: String,
    pub email: Option<String>,
    #[serde(default)]
    pub email_verified: bool,
    #[serde(default)]
    pub emails: Vec<Email>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    /// Derived by one rule from the fields above (A0-16).
    #[serde(default)]
    pub name: String,
    /// Unique here; carries a suffix that Clerk's does not while `username_conflict` (A4-05).
    pub username: Option<String>,
    pub clerk_username: Option<String>,
    /// Somebody else has the name; it is taken back as soon as they let go (`sync::usernames`).
    #[serde(default)]
    pub username_conflict: bool,
    pub image_url: Option<String>,
    /// What the person says about themselves, here and nowhere else: no event touches it, a deletion removes it. Where it is
    /// absent, whatever the application keeps under this name is left alone.
    #[serde(default, deserialize_with = "text_if_any", skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    #[serde(default)]
    pub role: Role,
    /// The role was set here and Clerk has not confirmed it: until then nothing that Clerk says undoes it (design 2.5).
    #[serde(default)]
    pub role_pending: bool,
    #[serde(default)]
    pub sync_status: SyncStatus,
    pub sync_reason: Option<String>,
    /// What brought the newest change here.
    #[serde(default)]
    pub sync_source: SyncSource,
    #[serde(default)]
    pub auth_provider: AuthProvider,
    #[serde(default)]
    pub banned: bool,
    #[serde(default)]
    pub locked: bool,
    #[serde(default)]
    pub version: Version,
    /// New with every write of ours, and what the next one is guarded by. None: not written by us yet.
    #[serde(default, with = "optional_object_id")]
    pub etag: Option<String>,
    #[serde(default, with = "optional_date")]
    pub last_clerk_sync: Option<Timestamp>,
    #[serde(default, with = "date")]
    pub created_at: Timestamp,
    #[serde(default, with = "date")]
    pub updated_at: Timestamp,
    /// Set once and for ever (design 2.3).
    #[serde(default, with = "optional_date")]
    pub deleted_at: Option<Timestamp>,
    /// The day on which they were last here themselves. Written by `note_activity` only.
    #[serde(default, with = "optional_date", skip_serializing)]
    pub last_active_at: Option<Timestamp>,
    /// Of the application's own, a value for each row of the table. `read_user` fills them: a derived reader would have to
    /// keep every field that it does not know.
    #[serde(flatten, skip_deserializing, serialize_with = "fields::serialize")]
    pub fields: FieldValues,
}

/// The documents of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub users: Vec<User>,
    /// Clerk ids of documents that are there and cannot be read: somebody else's hand was in them.
    pub unreadable: Vec<String>,
}

/// A person of the application's own, whom Clerk did not know when they were added.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct LocalUser {
    #[serde(rename = "_id", with = "object_id")]
    pub id: String,
    pub email: String,
    /// Whatever is no role is the least.
    #[serde(default, deserialize_with = "role_or_least")]
    pub role: Role,
}

/// Of people of the application's own those whom somebody of Clerk's may turn out to be.
fn adoptable(mut filter: Document) -> Document {
    filter.extend(doc! {
        "authProvider": "local", "clerkId": Bson::Null, "banned": { "$ne": true }, "deletedAt": Bson::Null,
    });
    filter
}

fn role_or_least<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Role, D::Error> {
    let role = Bson::deserialize(deserializer)?;
    Ok(role.as_str().and_then(|role| role.parse().ok()).unwrap_or_default())
}

#[derive(Clone, Debug)]
pub struct Users {
    documents: Collection<RawDocumentBuf>,
    fields: Fields,
    lookups: Arc<Together<lookups::Found>>,
    histories: Arc<Together<Option<Vec<Entry>>>>,
    pub(super) pseudonyms: Pseudonyms,
}

/// A person as read: our fields, and those of the application's own that the table names.
pub fn read_user(document: &RawDocument, fields: &Fields) -> mongodb::error::Result<User> {
    let user: User = deserialize_from_slice(document.as_bytes())?;
    Ok(User { fields: fields::read(document, fields)?, ..user })
}

/// A text, or nothing if it is of another kind.
fn text_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Bson::deserialize(deserializer)?;
    Ok(value.as_str().map(str::to_owned))
}

/// A new value for `_id`.
pub fn new_id() -> String {
    ObjectId::new().to_hex()
}

/// How addresses are compared whose case somebody else chose.
fn any_case() -> Collation {
    Collation::builder().locale("en").strength(CollationStrength::Secondary).build()
}

/// What came over a person is asked for by itself ([`Users::find_history`]): it can be larger than all else.
fn without_history() -> Document {
    doc! { "history": 0 }
}

impl Users {
    pub fn of(database: &Database, fields: &Fields) -> Self {
        Self {
            documents: database.collection("users"),
            fields: fields.clone(),
            lookups: Arc::default(),
            histories: Arc::default(),
            pseudonyms: Pseudonyms::of(database),
        }
    }

    /// A person, or the tombstone of one; also of one whose id is hidden in it.
    pub async fn find(&self, clerk_id: &str) -> Result<Option<User>, Error> {
        match self.find_one(doc! { "clerkId": clerk_id }).await? {
            None => Ok(self.find_hidden(&[clerk_id]).await?.pop()),
            found => Ok(found),
        }
    }

    async fn find_one(&self, filter: Document) -> Result<Option<User>, Error> {
        let found = self.documents.find_one(filter).projection(without_history()).await?;
        Ok(found.map(|document| read_user(&document, &self.fields)).transpose()?)
    }

    /// The documents of many people, in no order; as `find`.
    pub async fn find_many(&self, clerk_ids: &[&str]) -> Result<Found, Error> {
        let filter = doc! { "clerkId": { "$in": clerk_ids } };
        let mut found = self.documents.find(filter).projection(without_history()).await?;
        let mut people = Found::default();
        while found.advance().await? {
            let document = found.current();
            match read_user(document, &self.fields) {
                Ok(user) => people.users.push(user),
                Err(_) => people.unreadable.extend(document.get_str("clerkId").ok().map(str::to_owned)),
            }
        }
        let ids = people.users.iter().map(|user| &user.clerk_id).chain(&people.unreadable);
        let hidden = self.find_hidden_but(clerk_ids, ids.map(String::as_str)).await?;
        people.users.extend(hidden);
        Ok(people)
    }

    /// The person of Clerk's with this username.
    pub async fn find_by_username(&self, username: &str) -> Result<Option<User>, Error> {
        self.find_one(doc! { "username": username, "clerkId": { "$gt": "" } }).await
    }

    /// The same, or nobody if the document cannot be read.
    pub async fn find_readable_by_username(&self, username: &str) -> Result<Option<User>, Error> {
        let named = doc! { "username": username, "clerkId": { "$gt": "" } };
        let found = self.documents.find(named).projection(without_history()).await?;
        Ok(legible::take("users", found, 1, |document| read_user(document, &self.fields).ok()).await?.pop())
    }

    /// People of the application's own with one of these addresses in any case, which somebody has proved to be theirs; and
    /// with some that only a dictionary holds for the same, so the caller compares. Whoever goes by another kind of id than
    /// ours stays what they are, for a document cannot change it; and so does whoever is banned or deleted, which would be undone.
    pub async fn find_local(&self, emails: &[&str]) -> Result<Vec<LocalUser>, Error> {
        let proved = doc! { "email": { "$in": emails }, "emailVerified": true, "_id": { "$type": "objectId" } };
        let filter = adoptable(proved);
        let found = self.documents.find(filter).projection(doc! { "email": 1, "role": 1 }).sort(doc! { "_id": 1 });
        let found = found.collation(any_case()).await?;
        legible::take("users", found, usize::MAX, legible::parse).await
    }

    /// Whether there is anybody whom [`Self::find_local`] could find.
    pub async fn has_local(&self) -> Result<bool, Error> {
        // By the address, so that the small index of these people is used.
        let any = doc! { "authProvider": "local", "email": { "$gt": "" }, "clerkId": Bson::Null };
        let rows = self.documents.clone_with_type::<Document>();
        Ok(rows.find_one(any).projection(doc! { "_id": 1 }).collation(any_case()).await?.is_some())
    }

    /// People whose username carries a suffix and who want one of these, as many as `most`: name by name, of each whoever
    /// joined first at the front.
    pub async fn list_username_conflicts(&self, names: &[&str], most: usize) -> Result<Vec<User>, Error> {
        self.list_conflicts(doc! { "$in": names }, most).await
    }

    /// The same of all names behind this one.
    pub async fn list_username_conflicts_after(&self, name: &str, most: usize) -> Result<Vec<User>, Error> {
        self.list_conflicts(doc! { "$gt": name }, most).await
    }

    /// In the order of an index, so that nothing is read that nobody wants.
    async fn list_conflicts(&self, names: Document, most: usize) -> Result<Vec<User>, Error> {
        let conflicts = doc! { "usernameConflict": true, "clerkUsername": names };
        let order = doc! { "clerkUsername": 1, "createdAt": 1, "clerkId": 1 };
        let found = self.documents.find(conflicts).projection(without_history()).sort(order);
        let found = found.batch_size(u32::try_from(most).unwrap_or(u32::MAX)).await?;
        legible::take("users", found, most, |document| read_user(document, &self.fields).ok()).await
    }

    /// Who has this username; a person of the application's own counts.
    pub async fn has_username(&self, username: &str) -> Result<bool, Error> {
        let rows = self.documents.clone_with_type::<Document>();
        Ok(rows.find_one(doc! { "username": username }).projection(doc! { "_id": 1 }).await?.is_some())
    }

    /// Gives a living person a role of ours, which Clerk has yet to be told: `rolePending`. Part of a transaction.
    pub async fn set_role(
        &self,
        session: &mut ClientSession,
        user: &User,
        role: Role,
        effects: &[Effect],
    ) -> mongodb::error::Result<bool> {
        let etag = ObjectId::new();
        let of_this_change = |effect: &Effect| Effect { change: Some(etag.to_hex()), ..effect.clone() };
        let effects: Vec<Effect> = effects.iter().map(of_this_change).collect();
        let effects = serialize_to_bson(&effects).map_err(mongodb::error::Error::custom)?;
        let change = |field: &str, before: String, after: String| FieldChange {
            field: field.to_owned(),
            before: Some(before),
            after: Some(after),
        };
        let mut fields = vec![change("role", user.role.to_string(), role.to_string())];
        if !user.role_pending {
            fields.push(change("rolePending", false.to_string(), true.to_string()));
        }
        let entry = Entry { at: Timestamp::now(), event: None, source: None, fields };
        let change = doc! {
            "$set": { "role": role.as_str(), "rolePending": true, "etag": etag },
            "$push": { "outbox": { "$each": effects }, "history": history::addition(&[entry])? },
        };
        let living = doc! { "clerkId": &user.clerk_id, "deletedAt": Bson::Null };
        Ok(self.documents.update_one(living, change).session(session).await?.matched_count == 1)
    }

    /// How many people there are, and how many tombstones, which are counted one by one.
    pub async fn count(&self) -> Result<(u64, u64), Error> {
        let (all, deleted) = tokio::try_join!(self.estimate(), self.count_deleted_up_to(u64::MAX))?;
        Ok((all.saturating_sub(deleted), deleted))
    }

    /// How many documents there are, from the collection's own books.
    pub async fn estimate(&self) -> Result<u64, Error> {
        Ok(self.documents.estimated_document_count().await?)
    }

    /// How many tombstones there are; counted no further than `most`.
    pub async fn count_deleted_up_to(&self, most: u64) -> Result<u64, Error> {
        let deleted = doc! { "deletedAt": { "$type": "date" } };
        let most = most.min(i64::MAX.unsigned_abs());
        Ok(self.documents.count_documents(deleted).limit(most).await?)
    }
}
