//! Collection `users` as it is looked through: one person by either id, and pages of them.
//!
//! Reads only; who may look is `access`' business.

use std::time::Duration;

use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc, oid::ObjectId};
use mongodb::{Collection, Database};

use crate::model::user::{Role, SyncStatus};
use crate::server::settings::fields::Fields;
use crate::server::store::Error;
use crate::server::store::users::{User, read_user};

/// A search that finds little has to look at everybody; nobody waits for longer than this.
const LONGEST_SEARCH: Duration = Duration::from_secs(3);
const MOST_NAMESAKES: i64 = 10;
/// `MaxTimeMSExpired`.
const OUT_OF_TIME: i32 = 50;

/// Which people to list, in the order in which they were first stored.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub limit: u16,
    /// The last person of the page before, by MongoDB's id.
    pub after: Option<&'a str>,
    /// What name, username or address begins with, in any case.
    pub prefix: Option<&'a str>,
    pub filter: Filter,
}

/// Which people; what is not said does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub role: Option<Role>,
    pub status: Option<SyncStatus>,
    pub is_banned: bool,
    /// The deleted instead of the living.
    pub is_deleted: bool,
}

/// Some people, and after whom to go on, if there are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub users: Vec<User>,
    pub next: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Directory {
    documents: Collection<RawDocumentBuf>,
    fields: Fields,
}

/// Whether a text is one of MongoDB's ids.
pub fn is_document_id(text: &str) -> bool {
    ObjectId::parse_str(text).is_ok()
}

impl Directory {
    pub fn of(database: &Database, fields: &Fields) -> Self {
        Self { documents: database.collection("users"), fields: fields.clone() }
    }

    /// By Clerk's id or by MongoDB's. A deleted person is nobody.
    pub async fn find_by_id(&self, id: &str) -> Result<Option<User>, Error> {
        let mut filter = living();
        match ObjectId::parse_str(id) {
            Ok(id) => filter.insert("_id", id),
            Err(_) => filter.insert("clerkId", id),
        };
        let found = self.documents.find_one(filter).await?;
        Ok(found.map(|document| read_user(&document, &self.fields)).transpose()?)
    }

    /// Everybody by this id of Clerk's or MongoDB's, address or username; the deleted too, by id. Two may share an address.
    pub async fn find_exact(&self, text: &str) -> Result<Vec<User>, Error> {
        let addresses = [text.to_owned(), text.to_lowercase()];
        let mut ways =
            vec![doc! { "clerkId": text }, doc! { "email": { "$in": addresses.to_vec() } }, doc! { "username": text }];
        if let Ok(id) = ObjectId::parse_str(text) {
            ways.push(doc! { "_id": id });
        }
        let known = doc! { "clerkId": { "$gt": "" }, "$or": ways };
        let found = self.documents.find(known).sort(doc! { "_id": 1 }).limit(MOST_NAMESAKES).await?;
        let found: Vec<RawDocumentBuf> = found.try_collect().await?;
        Ok(found.iter().map(|document| read_user(document, &self.fields)).collect::<Result<_, _>>()?)
    }

    /// One page of the living, unless others are asked for. A document that cannot be read is left out, so that it hides nobody else.
    pub async fn list(&self, wanted: Wanted<'_>) -> Result<Page, Error> {
        let mut filter = wanted.filter.document();
        if let Some(after) = wanted.after.and_then(|id| ObjectId::parse_str(id).ok()) {
            filter.insert("_id", doc! { "$gt": after });
        }
        if let Some(prefix) = wanted.prefix {
            let begins = |field: &str| doc! { field: beginning(prefix) };
            filter.insert("$or", [begins("name"), begins("username"), begins("email")].to_vec());
        }
        let limit = usize::from(wanted.limit);
        let query = self.documents.find(filter).sort(doc! { "_id": 1 }).limit(i64::from(wanted.limit) + 1);
        let found = async { query.max_time(LONGEST_SEARCH).await?.try_collect::<Vec<RawDocumentBuf>>().await };
        let mut found = found.await.map_err(out_of_time)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().and_then(|document| document.get_object_id("_id").ok()).map(ObjectId::to_hex);
        let users = found.iter().filter_map(|document| read_user(document, &self.fields).ok()).collect();
        Ok(Page { users, next: last.filter(|_| more) })
    }
}

impl Filter {
    fn document(self) -> Document {
        let mut filter = living();
        if self.is_deleted {
            filter.insert("deletedAt", doc! { "$type": "date" });
        }
        if self.is_banned {
            filter.insert("banned", true);
        }
        if let Some(role) = self.role {
            filter.insert("role", role.as_str());
        }
        if let Some(status) = self.status {
            filter.insert("syncStatus", status.as_str());
        }
        filter
    }
}

/// People of Clerk's who are not deleted; the application may keep others in the same collection.
fn living() -> Document {
    doc! { "clerkId": { "$gt": "" }, "deletedAt": Bson::Null }
}

/// Matches what begins with `prefix`, taken letter by letter (D5-20).
fn beginning(prefix: &str) -> Document {
    let mut pattern = String::from("^");
    for letter in prefix.chars() {
        if letter.is_ascii() && !letter.is_ascii_alphanumeric() {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    doc! { "$regex": pattern, "$options": "i" }
}

fn out_of_time(error: mongodb::error::Error) -> Error {
    match Error::from(error) {
        refused if refused.code() == Some(OUT_OF_TIME) => Error::TimedOut,
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_20_a_search_text_is_a_literal_and_anchored() {
        for (prefix, pattern) in [("ada", "^ada"), (".*", "^\\.\\*"), ("a|b)$", "^a\\|b\\)\\$"), ("Zoë 1", "^Zoë\\ 1")]
        {
            assert_eq!(beginning(prefix), doc! { "$regex": pattern, "$options": "i" });
        }
    }
}
