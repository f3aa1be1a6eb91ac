//! What is asked of `events` all day, by open pages and by the clock: numbers whose cost does not grow with the collection,
//! one arrival, and word of every change.

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use mongodb::bson::{Document, RawDocumentBuf, doc};
use mongodb::options::CountOptions;

use crate::model::event::EventState;
use crate::server::store::Error;
use crate::server::store::deliveries::Open;
use crate::server::store::encoding::to_date;
use crate::server::store::events::{Events, Summary};

impl Events {
    /// About how many there are, from the collection's own books.
    pub async fn estimate(&self) -> Result<u64, Error> {
        Ok(self.documents.estimated_document_count().await?)
    }

    /// How many are in one of the states that few events are in; counted no further than `most`.
    pub async fn count_up_to(&self, state: EventState, most: u64) -> Result<u64, Error> {
        let options = CountOptions::builder().limit(most).build();
        Ok(self.documents.count_documents(doc! { "state": state.as_str() }).with_options(options).await?)
    }

    /// How many were not looked at yet: of those in `events`, which are few, no more than `most`; the others by their batches.
    pub async fn count_received(&self, most: u64) -> Result<(u64, Open), Error> {
        let options = CountOptions::builder().limit(most).build();
        let waiting = doc! { "state": EventState::Received.as_str() };
        let (stored, open) = tokio::join!(
            async { self.documents.count_documents(waiting).with_options(options).await },
            self.bodies.count_open()
        );
        Ok((stored?, open?))
    }

    /// How many wait for an attempt: entries of a small index, none of the events. As many as wait, so no page asks this.
    pub async fn count_pending(&self) -> Result<u64, Error> {
        let count = async |state: EventState| self.documents.count_documents(doc! { "state": state.as_str() }).await;
        let [received, failed] = EventState::PENDING.map(count);
        let (received, failed, open) = tokio::join!(received, failed, self.bodies.count_open());
        Ok(received? + failed? + open?.events)
    }

    /// What is acknowledged and was not looked at yet.
    pub async fn find_unread(&self) -> Result<Open, Error> {
        self.bodies.count_open().await
    }

    /// When the last delivery arrived, whether it was looked at or not.
    pub async fn find_last_arrival(&self) -> Result<Option<Timestamp>, Error> {
        let (read, unread) = futures::try_join!(self.list_newest(1), self.find_unread())?;
        Ok(read.first().map(|event| event.received_at).max(unread.newest))
    }

    /// When word of a person arrived that is at least as new as this `updated_at` of Clerk's; looked for from `since` on.
    pub async fn find_arrival(
        &self,
        clerk_id: &str,
        version: i64,
        since: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let version = Timestamp::from_millisecond(version).map_or(to_date(since), to_date);
        let theirs = doc! {
            "clerkId": clerk_id,
            "receivedAt": { "$gte": to_date(since) },
            "kind": "user.updated",
            // A sender need not say when it was.
            "$or": [{ "eventAt": { "$gte": version } }, { "eventAt": null }],
        };
        let rows = self.documents.clone_with_type::<Summary>();
        let first = rows.find_one(theirs).sort(doc! { "receivedAt": 1 }).await?;
        Ok(first.map(|event| event.received_at))
    }

    /// One item for every event that is added or changed from now on, by whatever process. A stand-alone server cannot say.
    pub async fn watch(&self) -> Result<impl Stream<Item = Result<(), Error>> + Send + Unpin + use<>, Error> {
        // Which one it was is read together with all others; here only that there was one.
        let only_that = [doc! { "$project": { "_id": 1, "operationType": 1, "ns": 1 } }];
        let changes = self.documents.clone_with_type::<Document>().watch().pipeline(only_that).await?;
        let changes = changes.with_type::<RawDocumentBuf>();
        Ok(Box::pin(changes.map(|change| change.map(|_| ()).map_err(Error::from))))
    }
}
