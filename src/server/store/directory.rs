//! Collection `users` as it is looked through: one person by either id, and pages of them.
//!
//! Reads only; who may look is `access`' business.

pub mod cursor;
pub mod filter;
pub mod walk;

use std::time::Duration;

use futures::TryStreamExt;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc, oid::ObjectId};
use mongodb::error::ErrorKind;
use mongodb::{Collection, Database};

use crate::server::settings::fields::Fields;
use crate::server::store::Error;
use crate::server::store::directory::cursor::Cursor;
use crate::server::store::directory::filter::{Filter, living};
use crate::server::store::directory::walk::{Walk, collation};
use crate::server::store::legible;
use crate::server::store::users::hidden::Pseudonyms;
use crate::server::store::users::{User, read_user};

/// A filter that finds little may have to look at everybody; nobody waits for longer than this.
const LONGEST_SEARCH: Duration = Duration::from_secs(3);
const MOST_NAMESAKES: i64 = 10;
/// `MaxTimeMSExpired`.
const OUT_OF_TIME: i32 = 50;

/// Which people to list, and in which order.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub limit: u16,
    /// Where the page before ended: its `next`. One of another order is as none.
    pub after: Option<&'a str>,
    /// What name, last name or username begins with, whatever its case and accents. The order then is of what was found.
    pub prefix: Option<&'a str>,
    /// Whether the address may begin with it, too, and a name that is made of it. Without, whoever has no other name comes after
    /// all who have one.
    pub with_email: bool,
    pub order: Order,
    pub filter: Filter,
}

/// In which order people are listed who are not searched for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As they were first stored.
    #[default]
    Stored,
    /// As in a dictionary.
    Name,
    /// The newest at Clerk first; of the deleted, whoever went last.
    Newest,
    /// The newest last.
    Oldest,
    /// Who was here last comes first; those who never were are left out.
    Active,
}

/// Some people, and where to go on, if there are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub users: Vec<User>,
    pub next: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Directory {
    documents: Collection<RawDocumentBuf>,
    fields: Fields,
    pseudonyms: Pseudonyms,
}

/// Whether a text is one of MongoDB's ids.
pub fn is_document_id(text: &str) -> bool {
    ObjectId::parse_str(text).is_ok()
}

impl Directory {
    pub fn of(database: &Database, fields: &Fields) -> Self {
        let pseudonyms = Pseudonyms::of(database);
        Self { documents: database.collection("users"), fields: fields.clone(), pseudonyms }
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

    /// Everybody by this id of Clerk's or MongoDB's, address or username; the deleted too, by id, also where that is hidden.
    /// Two may share an address.
    pub async fn find_exact(&self, text: &str) -> Result<Vec<User>, Error> {
        let hidden = self.pseudonyms.find(text).await?;
        let addresses = [text.to_owned(), text.to_lowercase()];
        let mut ways =
            vec![doc! { "clerkId": text }, doc! { "email": { "$in": addresses.to_vec() } }, doc! { "username": text }];
        if let Ok(id) = ObjectId::parse_str(text) {
            ways.push(doc! { "_id": id });
        }
        ways.extend(hidden.as_ref().map(|pseudonym| doc! { "clerkId": pseudonym }));
        let known = doc! { "clerkId": { "$gt": "" }, "$or": ways };
        let found = self.documents.find(known).sort(doc! { "_id": 1 }).limit(MOST_NAMESAKES).await?;
        let found: Vec<RawDocumentBuf> = found.try_collect().await?;
        let mut users: Vec<User> =
            found.iter().map(|document| read_user(document, &self.fields)).collect::<Result<_, _>>()?;
        for user in users.iter_mut().filter(|user| hidden.as_ref() == Some(&user.clerk_id)) {
            text.clone_into(&mut user.clerk_id);
        }
        Ok(users)
    }

    /// One page of the living, unless others are asked for. A document that cannot be read is left out, so that it hides
    /// nobody else.
    pub async fn list(&self, wanted: Wanted<'_>) -> Result<Page, Error> {
        self.list_within(LONGEST_SEARCH, wanted).await
    }

    /// The same where each query may take so long.
    pub async fn list_within(&self, longest: Duration, wanted: Wanted<'_>) -> Result<Page, Error> {
        let walks = wanted.walks();
        let after = wanted.after.and_then(Cursor::parse);
        let reached = after.as_ref().and_then(|after| walks.iter().position(|walk| walk.name == after.walk()));
        let mut after = after.filter(|_| reached.is_some());
        let limit = usize::from(wanted.limit);
        let mut page = Vec::new();
        for (index, walk) in walks.iter().enumerate().skip(reached.unwrap_or(0)) {
            loop {
                // One more than asked for says whether there is a next page.
                let missing = limit + 1 - page.len();
                let found = self.pass(walk, after.take().as_ref(), wanted.filter, missing, longest).await?;
                let is_end = found.len() < missing;
                let last = found.last().and_then(|document| place(walk, document));
                let seen = self.found_before(&walks[..index], &found).await?;
                let new = found.into_iter().filter(|document| !seen.contains(&id_of(document)));
                page.extend(new.map(|document| (walk, document)));
                if page.len() > limit {
                    page.truncate(limit);
                    return Ok(self.page(&page, true));
                }
                if is_end || last.is_none() {
                    break;
                }
                after = last;
            }
        }
        Ok(self.page(&page, false))
    }

    /// As many as `limit` people of one walk.
    async fn pass(
        &self,
        walk: &Walk,
        after: Option<&Cursor>,
        filter: Filter,
        limit: usize,
        longest: Duration,
    ) -> Result<Vec<RawDocumentBuf>, Error> {
        // The filter may speak of the walk's own field.
        let both = doc! { "$and": [filter.document(), walk.condition(after)] };
        let query = self.documents.find(both).sort(walk.sort()).limit(i64::try_from(limit).unwrap_or(i64::MAX));
        let query = match walk.collation() {
            Some(collation) => query.collation(collation),
            None => query,
        };
        let found = async { query.max_time(longest).await?.try_collect::<Vec<RawDocumentBuf>>().await };
        found.await.map_err(out_of_time)
    }

    /// Which of these an earlier walk has found already.
    async fn found_before(&self, earlier: &[Walk], found: &[RawDocumentBuf]) -> Result<Vec<Option<ObjectId>>, Error> {
        let ways: Vec<Document> = earlier.iter().filter_map(Walk::begins).collect();
        if ways.is_empty() || found.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<ObjectId> = found.iter().filter_map(id_of).collect();
        let again = doc! { "_id": { "$in": ids }, "$or": ways };
        let ids = doc! { "_id": 1 };
        let query = self.documents.find(again).projection(ids.clone()).hint(mongodb::options::Hint::Keys(ids));
        let seen: Vec<RawDocumentBuf> = query.collation(collation()).await?.try_collect().await?;
        Ok(seen.iter().map(id_of).collect())
    }

    fn page(&self, found: &[(&Walk, RawDocumentBuf)], has_more: bool) -> Page {
        let last = found.last().filter(|_| has_more);
        Page {
            users: legible::readable("users", found.iter().map(|(_, document)| read_user(document, &self.fields).ok())),
            next: last.and_then(|(walk, document)| place(walk, document)?.encode()),
        }
    }
}

impl Wanted<'_> {
    fn walks(&self) -> Vec<Walk> {
        match (self.prefix, self.order) {
            // Nothing is left of them that one could look for.
            _ if self.filter.is_deleted => vec![Walk::deleted()],
            (Some(prefix), _) => Walk::search(prefix, self.with_email),
            (None, Order::Stored) => vec![Walk::stored()],
            (None, Order::Name) if self.with_email => vec![Walk::by_name()],
            (None, Order::Name) => vec![Walk::by_own_name(), Walk::nameless()],
            (None, Order::Newest) => vec![Walk::newest()],
            (None, Order::Oldest) => vec![Walk::oldest()],
            (None, Order::Active) => vec![Walk::active()],
        }
    }
}

fn id_of(document: &RawDocumentBuf) -> Option<ObjectId> {
    document.get_object_id("_id").ok()
}

fn place(walk: &Walk, document: &RawDocumentBuf) -> Option<Cursor> {
    walk.place(|field| document.get(field).ok().flatten().and_then(|value| Bson::try_from(value).ok()))
}

fn out_of_time(error: mongodb::error::Error) -> Error {
    match *error.kind {
        ErrorKind::Command(ref failure) if failure.code == OUT_OF_TIME => Error::TimedOut,
        _ => error.into(),
    }
}
