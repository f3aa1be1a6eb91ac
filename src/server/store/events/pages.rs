//! Collection `events` as it is looked through: pages of it, the newest first, and what failed for what.

use std::cmp::Reverse;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};
use serde::Deserialize;

use crate::model::event::{EventState, SYNCED_TYPES};
use crate::model::event_filter::EventFilter;
use crate::server::store::Error;
use crate::server::store::alerts::Cause;
use crate::server::store::encoding::{date, to_date};
use crate::server::store::events::{Event, Events, Summary, in_states};
use crate::server::store::paging::{self, Cursor, Page, Row, beginning_with};

/// So many of the newest failures are grouped.
pub const MOST_GROUPED: i32 = 10_000;
/// So many people are looked for by the beginning of an id: one more than may be meant.
pub const MOST_PEOPLE: usize = 51;

/// Events that failed for the same cause.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureGroup {
    #[serde(rename = "_id")]
    pub cause: String,
    pub failed: i64,
    pub dead: i64,
    pub people: i64,
    #[serde(with = "date")]
    pub first_seen_at: Timestamp,
    #[serde(with = "date")]
    pub last_seen_at: Timestamp,
}

impl Row for Summary {
    const MOMENT: &str = "receivedAt";

    fn cursor(&self) -> Cursor {
        Cursor { at: self.received_at, id: self.id.clone() }
    }
}

impl Row for Event {
    const MOMENT: &str = "receivedAt";

    fn cursor(&self) -> Cursor {
        Cursor { at: self.received_at, id: self.id.clone() }
    }
}

impl Events {
    /// One page of those that have an outcome.
    pub async fn list(&self, filter: &EventFilter, after: Option<&Cursor>, limit: u16) -> Result<Page<Summary>, Error> {
        let wanted = self.document(filter).await?;
        let rows = self.documents.clone_with_type::<Summary>();
        if filter.id_begins.is_none() {
            return paging::page(&rows, &wanted, after, limit).await;
        }
        // Those of one beginning come by their ids, which a sender makes so that the newest are the last.
        let older = after.map(|cursor| doc! { "_id": { "$lt": &cursor.id } }).unwrap_or_default();
        let found = rows.find(doc! { "$and": [wanted, older] }).sort(doc! { "_id": -1 }).limit(i64::from(limit) + 1);
        let mut rows: Vec<Summary> = found.await?.try_collect().await?;
        let has_more = rows.len() > usize::from(limit);
        rows.truncate(usize::from(limit));
        let next = rows.last().map(Row::cursor).filter(|_| has_more);
        Ok(Page { rows, next })
    }

    /// The same with their bodies, or these, by their ids.
    pub async fn list_whole(
        &self,
        filter: &EventFilter,
        after: Option<&Cursor>,
        limit: u16,
    ) -> Result<Page<Event>, Error> {
        let wanted = self.document(filter).await?;
        let Page { rows, next } = paging::page(&self.documents, &wanted, after, limit).await?;
        Ok(Page { rows: self.with_payloads(rows).await?, next })
    }

    /// These, with their bodies; what is not there is left out.
    pub async fn find_many(&self, ids: &[String]) -> Result<Vec<Event>, Error> {
        let newest = doc! { "receivedAt": -1, "_id": -1 };
        let found = self.documents.find(doc! { "_id": { "$in": ids } }).sort(newest).await?.try_collect().await?;
        self.with_payloads(found).await
    }

    /// A person's events around one moment: the nearest earlier ones, and the nearest later ones.
    pub async fn list_around(
        &self,
        clerk_id: &str,
        at: Timestamp,
        limit: i64,
    ) -> Result<(Vec<Summary>, Vec<Summary>), Error> {
        let rows = self.documents.clone_with_type::<Summary>();
        let of = |arrival: Document| doc! { "clerkId": clerk_id, "receivedAt": arrival };
        let earlier = rows.find(of(doc! { "$lt": to_date(at) })).sort(doc! { "receivedAt": -1 }).limit(limit).await?;
        let later = rows.find(of(doc! { "$gte": to_date(at) })).sort(doc! { "receivedAt": 1 }).limit(limit).await?;
        Ok((earlier.try_collect().await?, later.try_collect().await?))
    }

    /// How many there are, counted up to `most`.
    pub async fn count_matching(&self, filter: &EventFilter, most: u64) -> Result<u64, Error> {
        let wanted = self.document(filter).await?;
        Ok(self.documents.count_documents(wanted).limit(most).await?)
    }

    /// Every type there is, read off the index.
    pub async fn list_kinds(&self) -> Result<Vec<String>, Error> {
        let kinds = self.documents.distinct("kind", doc! {}).await?;
        Ok(kinds.into_iter().filter_map(|kind| kind.as_str().map(str::to_owned)).collect())
    }

    /// What is in one of these states, by its cause, the last seen first.
    pub async fn group_failures(&self, states: &[EventState]) -> Result<Vec<FailureGroup>, Error> {
        let state =
            |state: EventState| doc! { "$sum": { "$cond": [{ "$eq": ["$state", state.as_str()] }, 1_i64, 0_i64] } };
        let seen_at = seen_at();
        let groups = [
            doc! { "$match": in_states(states) },
            doc! { "$sort": { "receivedAt": -1 } },
            doc! { "$limit": MOST_GROUPED },
            doc! { "$group": {
                "_id": { "$ifNull": ["$cause", "$decision"] },
                "failed": state(EventState::Failed),
                "dead": state(EventState::Dead),
                "people": { "$addToSet": "$clerkId" },
                "firstSeenAt": { "$min": &seen_at },
                "lastSeenAt": { "$max": &seen_at },
            } },
            doc! { "$set": { "people": { "$toLong": { "$size": { "$setDifference": ["$people", [Bson::Null]] } } } } },
        ];
        let groups = self.documents.aggregate(groups).with_type::<FailureGroup>().await?;
        let mut groups: Vec<FailureGroup> = groups.try_collect().await?;
        groups.sort_by_key(|group| Reverse(group.last_seen_at));
        Ok(groups)
    }

    /// How many are in this state for something else than these causes.
    pub async fn count_but(&self, state: EventState, causes: &[String]) -> Result<u64, Error> {
        Ok(self.documents.count_documents(for_else_than(causes, state)).await?)
    }

    /// For what the newest of these are in this state, the most frequent first.
    pub async fn group_but(&self, state: EventState, causes: &[String]) -> Result<Vec<Cause>, Error> {
        let groups = [
            doc! { "$match": for_else_than(causes, state) },
            doc! { "$sort": { "receivedAt": -1 } },
            doc! { "$limit": MOST_GROUPED },
            doc! { "$group": {
                "_id": { "$ifNull": ["$cause", "$decision", ""] },
                "count": { "$sum": 1_i64 },
                "firstSeenAt": { "$min": seen_at() },
                "lastSeenAt": { "$max": seen_at() },
            } },
            doc! { "$set": { "cause": "$_id" } },
            doc! { "$sort": { "count": -1, "_id": 1 } },
        ];
        Ok(self.documents.aggregate(groups).with_type::<Cause>().await?.try_collect().await?)
    }

    /// The filter as MongoDB understands it, so that each list is some ranges of one index, in order: whoever is meant by the
    /// beginning of an id is looked up first, and where an index has the state, every state is named.
    async fn document(&self, filter: &EventFilter) -> Result<Document, Error> {
        let mut wanted = Document::new();
        match filter.states.as_slice() {
            [] if filter.kind.is_some() => wanted.extend(in_states(&EventState::ALL)),
            [] => {}
            // No small index has these, but one has them by type.
            [EventState::Applied] if filter.kind.is_none() => {
                wanted.extend(doc! { "kind": { "$in": SYNCED_TYPES.to_vec() } });
                wanted.extend(in_states(&filter.states));
            }
            states => wanted.extend(in_states(states)),
        }
        if let Some(kind) = &filter.kind {
            wanted.insert("kind", kind);
        }
        if let Some(person) = &filter.person {
            wanted.insert("clerkId", person);
        }
        if let Some(beginning) = &filter.person_begins {
            let people = self.find_people(beginning).await?;
            let mut both = vec![Bson::from(wanted)];
            both.push(doc! { "clerkId": { "$in": people } }.into());
            wanted = doc! { "$and": both };
        }
        if let Some(beginning) = &filter.id_begins {
            wanted.insert("_id", beginning_with(beginning));
        }
        if let Some(cause) = &filter.cause {
            wanted.insert("cause", cause);
        }
        let mut arrival = Document::new();
        if let Some(since) = filter.since {
            arrival.insert("$gte", to_date(since));
        }
        if let Some(before) = filter.before {
            arrival.insert("$lt", to_date(before));
        }
        if !arrival.is_empty() {
            wanted.insert("receivedAt", arrival);
        }
        Ok(wanted)
    }

    /// Ids that begin so: one step of the index for each.
    pub async fn find_people(&self, beginning: &str) -> Result<Vec<String>, Error> {
        let rows = self.documents.clone_with_type::<Document>();
        let mut range = beginning_with(beginning);
        let mut people = Vec::new();
        while people.len() < MOST_PEOPLE {
            let next = rows.find_one(doc! { "clerkId": range.clone() }).sort(doc! { "clerkId": 1 });
            let next = next.projection(doc! { "_id": 0, "clerkId": 1 }).await?;
            let Some(id) = next.and_then(|row| row.get_str("clerkId").ok().map(str::to_owned)) else { break };
            range.remove("$gte");
            range.insert("$gt", &id);
            people.push(id);
        }
        Ok(people)
    }
}

/// Of what comes again, the last attempt; of what was given up, its end.
fn seen_at() -> Document {
    doc! { "$ifNull": ["$triedAt", "$finishedAt", "$receivedAt"] }
}

fn for_else_than(causes: &[String], state: EventState) -> Document {
    let mut wanted = doc! { "state": state.as_str() };
    if !causes.is_empty() {
        wanted.insert("cause", doc! { "$nin": causes });
    }
    wanted
}
