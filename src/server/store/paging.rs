//! Pages of a collection by a moment, the newest first, each going on where the last one ended.
//!
//! Documents of one millisecond come in the order of their ids. No index has both, and MongoDB shall neither sort in memory
//! nor walk along all ids: the milliseconds that a page begins and ends in are read whole and put in order here. They are no
//! more than what arrives at once.

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
    let also = |also: Document| doc! { "$and": [filter.clone(), also] };
    let of_moment = async |at: Timestamp| -> Result<Vec<T>, Error> {
        Ok(rows.find(also(doc! { T::MOMENT: to_date(at) })).await?.try_collect().await?)
    };
    let mut found = Vec::new();
    if let Some(Cursor { at, id }) = after {
        found = of_moment(*at).await?;
        found.retain(|row| row.cursor().id > *id);
    }
    let wanted = (limit + 1).saturating_sub(found.len());
    if wanted > 0 {
        let older = after.map(|cursor| doc! { T::MOMENT: { "$lt": to_date(cursor.at) } }).unwrap_or_default();
        let most = i64::try_from(wanted).unwrap_or(i64::MAX);
        let rest = rows.find(also(older)).sort(doc! { T::MOMENT: -1 }).limit(most);
        let mut rest: Vec<T> = rest.await?.try_collect().await?;
        if let Some(last) = rest.last().map(|row| row.cursor().at).filter(|_| rest.len() == wanted) {
            rest.retain(|row| row.cursor().at != last);
            rest.extend(of_moment(last).await?);
        }
        found.extend(rest);
    }
    found.sort_by(|a, b| a.cursor().order().cmp(&b.cursor().order()));
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(Row::cursor).filter(|_| has_more);
    Ok(Page { rows: found, next })
}

/// What begins with this text, as a range.
pub fn beginning_with(text: &str) -> Document {
    doc! { "$gte": text, "$lt": format!("{text}\u{10ffff}") }
}
