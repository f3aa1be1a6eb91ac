//! Collection `users`: one document a person, keyed by `clerkId` (design 2.2).
//!
//! Fields that are not ours are never touched: the application keeps its own beside them. Whether a write should
//! happen is `sync::apply`'s business.

use std::collections::HashMap;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc, oid::ObjectId};
use mongodb::error::{ErrorKind, WriteFailure};
use mongodb::options::{CreateCollectionOptions, IndexOptions, ValidationLevel};
use mongodb::{ClientSession, Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};

use crate::model::user::{AuthProvider, Email, Role, SyncSource, SyncStatus};
use crate::server::store::encoding::{date, object_id, optional_date};
use crate::server::store::{DUPLICATE_KEY, Error, update_each};

/// The order of what Clerk says about one person, in milliseconds (design 2.3): newer wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Clerk's `updated_at`.
    pub updated_at: i64,
    /// When the event was made; 0 for an answer of the Backend API.
    pub event_at: i64,
}

/// A person as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// Unique here; may carry a suffix that Clerk's does not (A4-05).
    pub username: Option<String>,
    pub clerk_username: Option<String>,
    pub image_url: Option<String>,
    #[serde(default)]
    pub role: Role,
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
    #[serde(default, with = "optional_date")]
    pub last_clerk_sync: Option<Timestamp>,
    #[serde(default, with = "date")]
    pub created_at: Timestamp,
    #[serde(default, with = "date")]
    pub updated_at: Timestamp,
    /// Set once and for ever (design 2.3).
    #[serde(default, with = "optional_date")]
    pub deleted_at: Option<Timestamp>,
}

/// A person to write: new, or under the guard of the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub user: User,
    pub read: Option<Version>,
}

/// How a guarded write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Done,
    /// Somebody else wrote this person first: read again and decide again.
    Lost,
    /// Another person has the username.
    UsernameTaken,
}

#[derive(Clone, Debug)]
pub struct Users {
    documents: Collection<User>,
}

/// A new value for `_id`.
pub fn new_id() -> String {
    ObjectId::new().to_hex()
}

impl Users {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("users") }
    }

    pub async fn find(&self, clerk_id: &str) -> Result<Option<User>, Error> {
        Ok(self.documents.find_one(doc! { "clerkId": clerk_id }).await?)
    }

    /// The documents of many people, in no order. One that cannot be read is left out, so that it holds up nobody else:
    /// whoever works on that person meets the error by `find`.
    pub async fn find_many(&self, clerk_ids: &[&str]) -> Result<Vec<User>, Error> {
        let filter = doc! { "clerkId": { "$in": clerk_ids } };
        let found: Vec<Document> = self.documents.clone_with_type().find(filter).await?.try_collect().await?;
        Ok(found.into_iter().filter_map(|document| mongodb::bson::deserialize_from_document(document).ok()).collect())
    }

    /// Adds a person that nobody stored yet.
    pub async fn insert(&self, user: &User) -> Result<Written, Error> {
        match self.documents.insert_one(user).await {
            Ok(_) => Ok(Written::Done),
            Err(error) if is_duplicate_key(&error) => match self.find(&user.clerk_id).await? {
                Some(_) => Ok(Written::Lost),
                None => Ok(Written::UsernameTaken),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Writes our fields of a person, if the stored version is still `read`.
    pub async fn update(&self, user: &User, read: Version) -> Result<Written, Error> {
        match self.documents.update_one(guard(user, read), fields(user)?).await {
            Ok(result) if result.matched_count == 0 => Ok(Written::Lost),
            Ok(_) => Ok(Written::Done),
            Err(error) if is_duplicate_key(&error) => Ok(Written::UsernameTaken),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes many people, each at most once and under its guard, with two commands. Answers which writes hold, in order;
    /// the others were lost or refused, and `insert` or `update` of the one person says which.
    pub async fn write_many(&self, writes: &[Write]) -> Result<Vec<bool>, Error> {
        let (updates, inserts): (Vec<usize>, Vec<usize>) =
            (0..writes.len()).partition(|place| writes[*place].read.is_some());
        let mut holds = vec![true; writes.len()];
        for place in
            self.insert_each(writes, &inserts).await?.into_iter().chain(self.update_each(writes, &updates).await?)
        {
            holds[place] = false;
        }
        Ok(holds)
    }

    /// Adds the people at `places`; answers the places of those that are not added.
    async fn insert_each(&self, writes: &[Write], places: &[usize]) -> Result<Vec<usize>, Error> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let documents = places.iter().map(|place| &writes[*place].user);
        match self.documents.insert_many(documents).ordered(false).await {
            Ok(_) => Ok(Vec::new()),
            Err(error) => match *error.kind {
                ErrorKind::InsertMany(ref failure) if failure.write_concern_error.is_none() => {
                    let refused = failure.write_errors.iter().flatten();
                    Ok(refused.filter_map(|refusal| places.get(refusal.index).copied()).collect())
                }
                _ => Err(error.into()),
            },
        }
    }

    /// Updates the people at `places`; answers the places of those that are not as wanted afterwards.
    async fn update_each(&self, writes: &[Write], places: &[usize]) -> Result<Vec<usize>, Error> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let statement = |place: &usize| {
            let write = &writes[*place];
            let read = write.read.unwrap_or_default();
            Ok(doc! { "q": guard(&write.user, read), "u": fields(&write.user)? })
        };
        let statements = places.iter().map(statement).collect::<Result<Vec<Document>, Error>>()?;
        let updated = update_each(&self.documents, statements).await?;
        if updated.refused.is_empty() && updated.matched == places.len() as u64 {
            return Ok(Vec::new());
        }
        // The answer does not say which guards missed; what is stored now does.
        let ids: Vec<&str> = places.iter().map(|place| writes[*place].user.clerk_id.as_str()).collect();
        let stored: HashMap<String, Version> =
            self.find_many(&ids).await?.into_iter().map(|user| (user.clerk_id, user.version)).collect();
        let is_lost = |place: &usize| stored.get(&writes[*place].user.clerk_id) != Some(&writes[*place].user.version);
        let refused = updated.refused.iter().filter_map(|index| places.get(*index));
        Ok(places.iter().filter(|place| is_lost(place)).chain(refused).copied().collect())
    }

    /// Gives a living person a role of ours, which Clerk has yet to be told: `rolePending`. Part of a transaction.
    pub async fn set_role(
        &self,
        session: &mut ClientSession,
        clerk_id: &str,
        role: Role,
    ) -> mongodb::error::Result<bool> {
        let change = doc! { "$set": { "role": role.as_str(), "rolePending": true } };
        let living = doc! { "clerkId": clerk_id, "deletedAt": Bson::Null };
        Ok(self.documents.update_one(living, change).session(session).await?.matched_count == 1)
    }

    /// How many people there are, and how many tombstones.
    pub async fn count(&self) -> Result<(u64, u64), Error> {
        let deleted = doc! { "deletedAt": { "$type": "date" } };
        let (all, deleted) = tokio::try_join!(async { self.documents.estimated_document_count().await }, async {
            self.documents.count_documents(deleted).await
        },)?;
        Ok((all.saturating_sub(deleted), deleted))
    }

    /// The collection with its validator, and its indexes.
    pub async fn ensure_schema(&self, database: &Database) -> Result<(), Error> {
        let found = database.list_collections().filter(doc! { "name": "users" }).await?.try_next().await?;
        match found.map(|collection| collection.options.validator) {
            None => self.create(database).await?,
            // Documents that were here before us need not satisfy it until they do: `moderate`.
            Some(theirs) if theirs.as_ref().is_none_or(is_ours) => {
                let change = doc! { "collMod": "users", "validator": validator(), "validationLevel": "moderate" };
                database.run_command(change).await?;
            }
            Some(_) => tracing::warn!("the collection users has a validator of its own, which is left as it is"),
        }
        self.documents.create_indexes(indexes()).await?;
        Ok(())
    }

    /// Another process may be quicker, which is as good.
    async fn create(&self, database: &Database) -> Result<(), Error> {
        let options = CreateCollectionOptions::builder()
            .validator(validator())
            .validation_level(ValidationLevel::Moderate)
            .build();
        match database.create_collection("users").with_options(options).await {
            Err(error) if !is_already_there(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_schema` makes.
pub const INDEXES: [&str; 4] = ["clerkId_1", "username_1", "email_1", "deletedAt_1"];

fn indexes() -> Vec<IndexModel> {
    let named = |keys: Document, name: &str, unique: bool, partial: Option<Document>| {
        let mut options = IndexOptions::builder().name(name.to_owned()).build();
        options.unique = unique.then_some(true);
        options.partial_filter_expression = partial;
        IndexModel::builder().keys(keys).options(options).build()
    };
    let [clerk_id, username, email, deleted_at] = INDEXES;
    vec![
        // The application may keep people of its own here who have no Clerk id; and many people have no username.
        named(doc! { "clerkId": 1 }, clerk_id, true, Some(doc! { "clerkId": { "$gt": "" } })),
        named(doc! { "username": 1 }, username, true, Some(doc! { "username": { "$gt": "" } })),
        // Two people may share an address: shown, never fatal (D2-39).
        named(doc! { "email": 1 }, email, false, None),
        named(doc! { "deletedAt": 1 }, deleted_at, false, Some(doc! { "deletedAt": { "$type": "date" } })),
    ]
}

/// By this name our own validator is known again.
const VALIDATOR_TITLE: &str = "rollcall person";

fn is_ours(validator: &Document) -> bool {
    let schema = validator.get_document("$jsonSchema").and_then(|schema| schema.get_str("title"));
    validator.is_empty() || schema.is_ok_and(|title| title == VALIDATOR_TITLE)
}

/// What a document must at least be, so that a stray writer cannot break the mirror (design 2.2).
fn validator() -> Document {
    doc! { "$jsonSchema": {
        "title": VALIDATOR_TITLE,
        "bsonType": "object",
        "required": ["clerkId", "name", "role", "syncStatus", "authProvider", "version", "createdAt", "updatedAt"],
        "properties": {
            "clerkId": { "bsonType": "string", "minLength": 1 },
            "name": { "bsonType": "string" },
            "email": { "bsonType": ["string", "null"] },
            "emails": { "bsonType": "array" },
            "username": { "bsonType": ["string", "null"] },
            "role": { "enum": ["user", "moderator", "admin"] },
            "syncStatus": { "enum": ["active", "pending", "error"] },
            "authProvider": { "enum": ["local", "clerk"] },
            "banned": { "bsonType": "bool" },
            "locked": { "bsonType": "bool" },
            "createdAt": { "bsonType": "date" },
            "updatedAt": { "bsonType": "date" },
            "deletedAt": { "bsonType": ["date", "null"] },
        },
    } }
}

/// Matches the person only while the stored version is the one that was read.
fn guard(user: &User, read: Version) -> Document {
    doc! {
        "clerkId": &user.clerk_id,
        "version.updatedAt": unchanged(read.updated_at),
        "version.eventAt": unchanged(read.event_at),
        "deletedAt": Bson::Null,
    }
}

/// Sets our fields and no others.
fn fields(user: &User) -> Result<Document, Error> {
    let mut fields = mongodb::bson::serialize_to_document(user).map_err(mongodb::error::Error::custom)?;
    fields.remove("_id");
    Ok(doc! { "$set": fields })
}

/// A part of the version that is still what was read; a document from before us has none, which reads as 0.
fn unchanged(part: i64) -> Bson {
    if part == 0 { doc! { "$in": [0_i64, Bson::Null] }.into() } else { part.into() }
}

fn is_duplicate_key(error: &mongodb::error::Error) -> bool {
    matches!(*error.kind, ErrorKind::Write(WriteFailure::WriteError(ref failure)) if failure.code == DUPLICATE_KEY)
}

/// `NamespaceExists`.
fn is_already_there(error: &mongodb::error::Error) -> bool {
    matches!(*error.kind, ErrorKind::Command(ref failure) if failure.code == 48)
}
