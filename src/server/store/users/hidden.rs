//! Tombstones in which a keyed hash stands for Clerk's id (C-11): late word of somebody who was erased is still recognised,
//! and nobody reads off the database whom it was.
//!
//! The key is random, made once, and this database's for ever (in `locks`): with one that can be replaced, as secrets are,
//! nobody would be recognised any more. Of an id that one knows it can be said whether they were here, and nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::TryStreamExt;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Document, RawDocumentBuf, doc};
use mongodb::{Collection, Database};
use tokio::sync::OnceCell;

use crate::server::store::legible;
use crate::server::store::users::{User, Users, read_user};
use crate::server::store::{DUPLICATE_KEY, Error};

/// What no id of Clerk's begins with.
const PREFIX: &str = "erased_";
/// The first text after all that begin so.
const BEYOND: &str = "erased`";

/// Hashes of Clerk's ids.
#[derive(Clone, Debug)]
pub struct Pseudonyms {
    locks: Collection<Document>,
    key: Arc<OnceCell<Key>>,
}

impl Pseudonyms {
    pub fn of(database: &Database) -> Self {
        Self { locks: database.collection("locks"), key: Arc::default() }
    }

    pub async fn ensure_key(&self) -> Result<(), Error> {
        let key = Binary { subtype: BinarySubtype::Generic, bytes: rand::random::<[u8; 32]>().to_vec() };
        let first = doc! { "$setOnInsert": { "key": key } };
        match self.locks.update_one(turn(), first).upsert(true).await.map_err(Error::from) {
            // Another process was quicker, and its key counts.
            Err(error) if error.code() != Some(DUPLICATE_KEY) => Err(error),
            _ => Ok(()),
        }
    }

    /// `None`: no key was made yet, so nobody is hidden.
    pub async fn find(&self, clerk_id: &str) -> Result<Option<String>, Error> {
        let key = if let Some(key) = self.key.get() {
            key
        } else {
            let row = self.locks.find_one(turn()).await?;
            let Some(key) = row.as_ref().and_then(|row| row.get_binary_generic("key").ok()) else {
                return Ok(None);
            };
            self.key.get_or_init(|| std::future::ready(Key::new(HMAC_SHA256, key))).await
        };
        Ok(Some(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(sign(key, clerk_id.as_bytes())))))
    }
}

fn turn() -> Document {
    doc! { "_id": "erasure" }
}

impl Users {
    /// Of these people, whose own ids are nobody's, those who are hidden: as if they were not.
    pub(super) async fn find_hidden(&self, clerk_ids: &[&str]) -> Result<Vec<User>, Error> {
        // Nearly always there is none, which one look at the index says.
        if clerk_ids.is_empty() || !self.has_hidden().await? {
            return Ok(Vec::new());
        }
        let mut ids = HashMap::with_capacity(clerk_ids.len());
        for clerk_id in clerk_ids {
            ids.extend(self.pseudonyms.find(clerk_id).await?.map(|pseudonym| (pseudonym, *clerk_id)));
        }
        let pseudonyms: Vec<&str> = ids.keys().map(String::as_str).collect();
        let found = self.documents.find(doc! { "clerkId": { "$in": pseudonyms } }).await?;
        let found: Vec<RawDocumentBuf> = found.try_collect().await?;
        let mut hidden = Vec::with_capacity(found.len());
        for user in legible::readable("users", found.iter().map(|document| read_user(document, &self.fields).ok())) {
            let clerk_id = ids.get(&user.clerk_id).map_or_else(String::new, |id| (*id).to_owned());
            hidden.push(User { clerk_id, ..user });
        }
        Ok(hidden)
    }

    /// The same for those of many who are not among the found.
    pub(super) async fn find_hidden_but<'a>(
        &self,
        clerk_ids: &[&str],
        found: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<User>, Error> {
        let found: HashSet<&str> = found.collect();
        if found.len() == clerk_ids.len() {
            return Ok(Vec::new());
        }
        let missing: Vec<&str> = clerk_ids.iter().copied().filter(|id| !found.contains(id)).collect();
        self.find_hidden(&missing).await
    }

    async fn has_hidden(&self) -> Result<bool, Error> {
        let any = doc! { "clerkId": { "$gte": PREFIX, "$lt": BEYOND } };
        let rows = self.documents.clone_with_type::<Document>();
        Ok(rows.find_one(any).projection(doc! { "_id": 0, "clerkId": 1 }).await?.is_some())
    }
}
