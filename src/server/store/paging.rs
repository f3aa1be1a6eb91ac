//! Pages of a collection by a moment, the newest first, each going on where the last one ended.
//!
//! Documents of one millisecond come in the order of their ids. No index has both, so a page asks for its whole milliseconds
//! by the moment, and for the one that it begins or ends in by the id as well.

use std::cmp::Reverse;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::Collection;
use mongodb::bson::{Document, doc};
use serde::de::DeserializeOwned;

use crate::server::store::Error;
use crate::server::store::encoding::to_date;

/// Where a document stands among the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub at: Timestamp,
    pub id: String,
}

/// Some documents, and after which to go on, if there are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<Cursor>,
}

/// Something that happened at a moment.
pub trait Row: DeserializeOwned + Unpin + Send + Sync {
    /// The field of the moment.
    const MOMENT: &str;

    fn cursor(&self) -> Cursor;
}

impl Cursor {
    /// As it stands in an address.
    pub fn encoded(&self) -> String {
        format!("{}.{}", self.at.as_millisecond(), self.id)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (at, id) = text.split_once('.')?;
        let at = at.parse().ok().and_then(|at| Timestamp::from_millisecond(at).ok())?;
        Some(Self { at, id: id.to_owned() })
    }

    fn order(&self) -> (Reverse<Timestamp>, &str) {
        (Reverse(self.at), &self.id)
    }
}

/// One page of those that match.
pub async fn page<T: Row>(
    rows: &Collection<T>,
    filter: &Document,
    after: Option<&Cursor>,
    limit: u16,
) -> Result<Page<T>, Error> {
    let limit = usize::from(limit);
    let some = async |also: Document, sort: Document, limit: usize| -> Result<Vec<T>, Error> {
        let filter = doc! { "$and": [filter.clone(), also] };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(rows.find(filter).sort(sort).limit(limit).await?.try_collect().await?)
    };
    let mut found = Vec::new();
    if let Some(Cursor { at, id }) = after {
        found = some(doc! { T::MOMENT: to_date(*at), "_id": { "$gt": id } }, doc! { "_id": 1 }, limit + 1).await?;
    }
    let wanted = limit + 1 - found.len();
    if wanted > 0 {
        let older = after.map(|cursor| doc! { T::MOMENT: { "$lt": to_date(cursor.at) } });
        let mut rest = some(older.unwrap_or_default(), doc! { T::MOMENT: -1 }, wanted).await?;
        let last = rest.last().map(|row| row.cursor().at).filter(|_| rest.len() == wanted);
        rest.retain(|row| Some(row.cursor().at) != last);
        rest.sort_by(|a, b| a.cursor().order().cmp(&b.cursor().order()));
        if let Some(last) = last {
            let missing = wanted - rest.len();
            rest.extend(some(doc! { T::MOMENT: to_date(last) }, doc! { "_id": 1 }, missing).await?);
        }
        found.extend(rest);
    }
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(Row::cursor).filter(|_| has_more);
    Ok(Page { rows: found, next })
}

/// What begins with this text, as a range.
pub fn beginning_with(text: &str) -> Document {
    doc! { "$gte": text, "$lt": format!("{text}\u{10ffff}") }
}
