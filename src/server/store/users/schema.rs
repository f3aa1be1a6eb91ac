//! What the collection must have: validator and indexes.

use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::{Collation, CreateCollectionOptions, IndexOptions, ValidationLevel};
use mongodb::{Database, IndexModel};

use crate::server::store::Error;
use crate::server::store::directory::walk::{collation, nameless};
use crate::server::store::expiry::forget_index;
use crate::server::store::users::{Users, any_case};

impl Users {
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
        self.drop_replaced().await?;
        self.documents.create_indexes(indexes()).await?;
        Ok(())
    }

    /// Indexes of earlier versions, in whose place others stand now.
    async fn drop_replaced(&self) -> Result<(), Error> {
        let there = self.documents.list_index_names().await?;
        for name in REPLACED.into_iter().filter(|name| there.iter().any(|known| known == name)) {
            forget_index(&self.documents, name).await?;
        }
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

    /// Whether somebody else's validator is on the collection, which is left as it is.
    pub async fn has_foreign_validator(&self, database: &Database) -> Result<bool, Error> {
        let found = database.list_collections().filter(doc! { "name": "users" }).await?.try_next().await?;
        let theirs = found.and_then(|collection| collection.options.validator);
        Ok(theirs.is_some_and(|validator| !is_ours(&validator)))
    }

    /// Names of unique indexes that are not ours, for `doctor`: they refuse people whom Clerk knows.
    pub async fn foreign_unique_indexes(&self) -> Result<Vec<String>, Error> {
        let found: Vec<IndexModel> = self.documents.list_indexes().await?.try_collect().await?;
        let unique = found.into_iter().filter_map(|index| index.options.filter(|options| options.unique == Some(true)));
        Ok(unique.filter_map(|options| options.name).filter(|name| !INDEXES.contains(&name.as_str())).collect())
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_schema` makes.
pub const INDEXES: [&str; 20] = [
    "clerkId_1",
    "username_1",
    "email_1__id_1",
    "name_1__id_1",
    "lastName_1__id_1",
    "deletedAt_1__id_1",
    "role_1__id_1",
    "syncStatus_1__id_1",
    "banned_1__id_1",
    "locked_1__id_1",
    "lastActiveAt_1__id_1",
    "email_1_local_any_case",
    "clerkUsername_1_createdAt_1_clerkId_1",
    "outbox.key_1",
    "createdAt_1_clerk",
    "role_1_name_1__id_1",
    "syncStatus_1_name_1__id_1",
    "authProvider_1_createdAt_1_clerkId_1",
    "authProvider_1_name_1__id_1",
    "firstName_1__id_1_nameless",
];

const REPLACED: [&str; 5] =
    ["email_1", "deletedAt_1", "createdAt_1_clerkId_1", "createdAt_1_usernameConflict", "email_1_local"];

fn indexes() -> Vec<IndexModel> {
    let named = |keys: Document, name: &str, unique: bool, partial: Option<Document>| {
        let mut options = IndexOptions::builder().name(name.to_owned()).build();
        options.unique = unique.then_some(true);
        options.partial_filter_expression = partial;
        IndexModel::builder().keys(keys).options(options).build()
    };
    let collated = |keys: Document, name: &str, partial: Document| under(collation(), keys, name, partial);
    let living = || doc! { "deletedAt": Bson::Null };
    // `admin` and `moderator` come before `user`, `error` and `pending` after `active`.
    let with_role = || doc! { "role": { "$lt": "user" } };
    let in_trouble = || doc! { "syncStatus": { "$gt": "active" } };
    let in_conflict = || doc! { "usernameConflict": true };
    // The application's own people who have no Clerk id, of whom there may be many, are in no list.
    let living_nameless = || {
        let mut partial = nameless();
        partial.extend(doc! { "clerkId": { "$gt": "" }, "deletedAt": Bson::Null });
        partial
    };
    let local_of_clerk = || doc! { "authProvider": "local", "clerkId": { "$gt": "" } };
    let [
        clerk_id,
        username,
        email,
        name,
        last_name,
        deleted_at,
        role,
        status,
        banned,
        locked,
        active,
        local,
        conflict,
        outbox,
        joined,
        role_by_name,
        status_by_name,
        provider,
        provider_by_name,
        without_name,
    ] = INDEXES;
    vec![
        // The application may keep people of its own here who have no Clerk id; and many people have no username.
        named(doc! { "clerkId": 1 }, clerk_id, true, Some(doc! { "clerkId": { "$gt": "" } })),
        named(doc! { "username": 1 }, username, true, Some(doc! { "username": { "$gt": "" } })),
        // Two people may share an address: shown, never fatal (D2-39).
        named(doc! { "email": 1, "_id": 1 }, email, false, None),
        // For those who look for somebody: names as a dictionary orders them.
        collated(doc! { "name": 1, "_id": 1 }, name, living()),
        collated(doc! { "lastName": 1, "_id": 1 }, last_name, living()),
        // In the order of Clerk's list, page by page of which a run compares. Whoever joined in some days is found here by
        // name, too: `$exists` holds under every collation, where `$gt` of a text holds under one.
        named(doc! { "createdAt": 1, "clerkId": 1 }, joined, false, Some(doc! { "clerkId": { "$exists": true } })),
        // What follows holds few people, most of the time nobody.
        named(doc! { "deletedAt": 1, "_id": 1 }, deleted_at, false, Some(doc! { "deletedAt": { "$type": "date" } })),
        named(doc! { "role": 1, "_id": 1 }, role, false, Some(with_role())),
        named(doc! { "syncStatus": 1, "_id": 1 }, status, false, Some(in_trouble())),
        // The same for lists by name, which compare under names' collation: a text is found only in an index of that. Of
        // ordinary people nothing is here, so their writes cost no more.
        collated(doc! { "role": 1, "name": 1, "_id": 1 }, role_by_name, with_role()),
        collated(doc! { "syncStatus": 1, "name": 1, "_id": 1 }, status_by_name, in_trouble()),
        named(doc! { "authProvider": 1, "createdAt": 1, "clerkId": 1 }, provider, false, Some(local_of_clerk())),
        collated(doc! { "authProvider": 1, "name": 1, "_id": 1 }, provider_by_name, local_of_clerk()),
        // Whom people find at the end of their directory, in no order that tells anything.
        named(doc! { "firstName": 1, "_id": 1 }, without_name, false, Some(living_nameless())),
        named(doc! { "banned": 1, "_id": 1 }, banned, false, Some(doc! { "banned": true })),
        named(doc! { "locked": 1, "_id": 1 }, locked, false, Some(doc! { "locked": true })),
        // Those who were here themselves at all.
        named(doc! { "lastActiveAt": 1, "_id": 1 }, active, false, Some(doc! { "lastActiveAt": { "$exists": true } })),
        under(any_case(), doc! { "email": 1, "_id": 1 }, local, doc! { "authProvider": "local" }),
        // Of each name whoever has the best claim comes first.
        named(doc! { "clerkUsername": 1, "createdAt": 1, "clerkId": 1 }, conflict, false, Some(in_conflict())),
        named(doc! { "outbox.key": 1 }, outbox, false, Some(doc! { "outbox.key": { "$gt": "" } })),
    ]
}

/// An index in an order of its own, which serves those only who ask in the same.
fn under(collation: Collation, keys: Document, name: &str, partial: Document) -> IndexModel {
    let mut options = IndexOptions::builder().name(name.to_owned()).collation(collation).build();
    options.partial_filter_expression = Some(partial);
    IndexModel::builder().keys(keys).options(options).build()
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

/// `NamespaceExists`.
fn is_already_there(error: &mongodb::error::Error) -> bool {
    matches!(*error.kind, ErrorKind::Command(ref failure) if failure.code == 48)
}
