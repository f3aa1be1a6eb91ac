//! Collection `events` as it is looked through: pages of it, the newest first.
//!
//! Events of one millisecond come in the order of their ids. No index has both, so a page asks for its whole milliseconds
//! by the arrival, and for the one that it begins or ends in by the id as well.

use std::cmp::Reverse;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Document, doc};

use crate::model::event::EventState;
use crate::server::store::Error;
use crate::server::store::encoding::to_date;
use crate::server::store::events::{Events, Summary};

/// Which events; what is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub state: Option<EventState>,
    pub kind: Option<String>,
    /// Of this person, by Clerk's id.
    pub clerk_id: Option<String>,
    /// Those that arrived then or later.
    pub since: Option<Timestamp>,
    /// Those that arrived earlier.
    pub before: Option<Timestamp>,
}

/// The last event of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub received_at: Timestamp,
    pub id: String,
}

/// Some events, and after which to go on, if there are more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub events: Vec<Summary>,
    pub next: Option<Cursor>,
}

impl Events {
    /// One page of those that have an outcome.
    pub async fn list(&self, filter: &Filter, after: Option<&Cursor>, limit: u16) -> Result<Page, Error> {
        let limit = usize::from(limit);
        let mut events = Vec::new();
        if let Some(Cursor { received_at, id }) = after {
            let rest = doc! { "receivedAt": to_date(*received_at), "_id": { "$gt": id } };
            events = self.some(filter, rest, doc! { "_id": 1 }, limit + 1).await?;
        }
        let wanted = limit + 1 - events.len();
        if wanted > 0 {
            let older = after.map(|cursor| doc! { "receivedAt": { "$lt": to_date(cursor.received_at) } });
            let mut rest = self.some(filter, older.unwrap_or_default(), doc! { "receivedAt": -1 }, wanted).await?;
            let last = rest.last().map(|event| event.received_at).filter(|_| rest.len() == wanted);
            rest.retain(|event| Some(event.received_at) != last);
            rest.sort_by(|a, b| (Reverse(a.received_at), &a.id).cmp(&(Reverse(b.received_at), &b.id)));
            if let Some(last) = last {
                let cut = doc! { "receivedAt": to_date(last) };
                let missing = wanted - rest.len();
                rest.extend(self.some(filter, cut, doc! { "_id": 1 }, missing).await?);
            }
            events.extend(rest);
        }
        let more = events.len() > limit;
        events.truncate(limit);
        let last = events.last().map(|event| Cursor { received_at: event.received_at, id: event.id.clone() });
        Ok(Page { events, next: last.filter(|_| more) })
    }

    async fn some(&self, filter: &Filter, also: Document, sort: Document, limit: usize) -> Result<Vec<Summary>, Error> {
        let rows = self.documents.clone_with_type::<Summary>();
        let filter = doc! { "$and": [filter.document(), also] };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        Ok(rows.find(filter).sort(sort).limit(limit).await?.try_collect().await?)
    }
}

impl Filter {
    fn document(&self) -> Document {
        let mut filter = Document::new();
        if let Some(state) = self.state {
            filter.insert("state", state.as_str());
        }
        if let Some(kind) = &self.kind {
            filter.insert("kind", kind);
        }
        if let Some(clerk_id) = &self.clerk_id {
            filter.insert("clerkId", clerk_id);
        }
        let mut arrival = Document::new();
        if let Some(since) = self.since {
            arrival.insert("$gte", to_date(since));
        }
        if let Some(before) = self.before {
            arrival.insert("$lt", to_date(before));
        }
        if !arrival.is_empty() {
            filter.insert("receivedAt", arrival);
        }
        filter
    }
}
