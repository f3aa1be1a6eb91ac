//! Collection `filters`: what an admin looks at again and again, under a name of their own.

use futures::TryStreamExt;
use mongodb::bson::{doc, oid::ObjectId};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use crate::server::store::encoding::object_id;
use crate::server::store::{DUPLICATE_KEY, Error, partial_index};

/// As many as one admin keeps.
pub const MOST: u64 = 50;

/// One filter of one admin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedFilter {
    #[serde(rename = "_id", with = "object_id")]
    pub id: String,
    /// Clerk's id of the admin.
    pub owner: String,
    pub name: String,
    /// The query of an address.
    pub query: String,
    /// The one that this admin's list begins with.
    #[serde(default)]
    pub is_default: bool,
}

#[derive(Clone, Debug)]
pub struct SavedFilters {
    documents: Collection<SavedFilter>,
}

impl SavedFilters {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("filters") }
    }

    /// Adds it. `false`: this admin has one of this name.
    pub async fn add(&self, owner: &str, name: &str, query: &str) -> Result<bool, Error> {
        let id = ObjectId::new().to_hex();
        let filter = SavedFilter {
            id,
            owner: owner.to_owned(),
            name: name.to_owned(),
            query: query.to_owned(),
            is_default: false,
        };
        unless_taken(self.documents.insert_one(filter).await.map(|_| true).map_err(Error::from))
    }

    /// `None`: this admin has no such filter. `Some(false)`: they have another of this name.
    pub async fn rename(&self, owner: &str, id: &str, name: &str) -> Result<Option<bool>, Error> {
        let Ok(id) = ObjectId::parse_str(id) else { return Ok(None) };
        let change = doc! { "$set": { "name": name } };
        let renamed = self.documents.update_one(doc! { "_id": id, "owner": owner }, change).await;
        match renamed.map_err(Error::from) {
            Ok(renamed) => Ok((renamed.matched_count == 1).then_some(true)),
            Err(error) if error.code() == Some(DUPLICATE_KEY) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }

    /// Of one admin's filters one at most is the default. `false`: this admin has no such filter.
    pub async fn set_default(&self, owner: &str, id: &str, is_wanted: bool) -> Result<bool, Error> {
        let Ok(id) = ObjectId::parse_str(id) else { return Ok(false) };
        let others = doc! { "owner": owner, "_id": { "$ne": id }, "isDefault": true };
        let set = |is_default: bool| doc! { "$set": { "isDefault": is_default } };
        let mine = doc! { "_id": id, "owner": owner };
        let is_there = self.documents.update_one(mine, set(is_wanted)).await?.matched_count == 1;
        if is_there {
            self.documents.update_many(others, set(false)).await?;
        }
        Ok(is_there)
    }

    /// `false`: this admin has no such filter.
    pub async fn remove(&self, owner: &str, id: &str) -> Result<bool, Error> {
        let Ok(id) = ObjectId::parse_str(id) else { return Ok(false) };
        Ok(self.documents.delete_one(doc! { "_id": id, "owner": owner }).await?.deleted_count == 1)
    }

    /// Those of this admin, and of the others those whose name or query names somebody. Answers how many.
    pub async fn erase(&self, owner: &str, is_named: impl Fn(&str) -> bool) -> Result<u64, Error> {
        let mut gone = self.documents.delete_many(doc! { "owner": owner }).await?.deleted_count;
        let mut found = self.documents.find(doc! {}).await?;
        while let Some(filter) = found.try_next().await? {
            let mut values = form_urlencoded::parse(filter.query.as_bytes()).map(|(_, value)| value);
            if is_named(&filter.name) || values.any(|value| is_named(&value)) {
                let id = ObjectId::parse_str(&filter.id).ok();
                gone += self.documents.delete_one(doc! { "_id": id }).await?.deleted_count;
            }
        }
        Ok(gone)
    }

    /// By their names.
    pub async fn list(&self, owner: &str) -> Result<Vec<SavedFilter>, Error> {
        Ok(self.documents.find(doc! { "owner": owner }).sort(doc! { "name": 1 }).await?.try_collect().await?)
    }

    pub async fn count(&self, owner: &str) -> Result<u64, Error> {
        Ok(self.documents.count_documents(doc! { "owner": owner }).await?)
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let mut one = partial_index(doc! { "owner": 1, "name": 1 }, INDEXES[0], None);
        one.options.get_or_insert_default().unique = Some(true);
        self.documents.create_index(one).await?;
        Ok(())
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 1] = ["owner_1_name_1"];

fn unless_taken(written: Result<bool, Error>) -> Result<bool, Error> {
    match written {
        Err(error) if error.code() == Some(DUPLICATE_KEY) => Ok(false),
        written => written,
    }
}
