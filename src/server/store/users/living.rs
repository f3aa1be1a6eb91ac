//! People of Clerk's who are not deleted, by when they joined: what a walk through Clerk's list is held against.

use futures::{Stream, TryStreamExt};
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc};

use crate::server::store::Error;
use crate::server::store::encoding::to_date;
use crate::server::store::users::Users;

impl Users {
    /// How many of them joined before.
    pub async fn count_living_before(&self, at: Timestamp) -> Result<u64, Error> {
        let living = doc! { "clerkId": { "$gt": "" }, "createdAt": { "$lt": to_date(at) }, "deletedAt": Bson::Null };
        Ok(self.documents.count_documents(living).await?)
    }

    /// Clerk ids of those who joined from one moment up to another (not included), without the `known`. They are read
    /// as they are asked for, however many they are.
    pub async fn list_living_between(
        &self,
        from: Option<Timestamp>,
        to: Option<Timestamp>,
        known: &[&str],
    ) -> Result<impl Stream<Item = Result<String, Error>> + Send + Unpin, Error> {
        let joined = match (from.map(to_date), to.map(to_date)) {
            (Some(from), Some(to)) => doc! { "$gte": from, "$lt": to },
            (Some(from), None) => doc! { "$gte": from },
            // Whoever has no date at all belongs to the beginning.
            (None, Some(to)) => doc! { "$not": { "$gte": to } },
            (None, None) => doc! { "$nin": [] },
        };
        let living = doc! { "clerkId": { "$gt": "", "$nin": known }, "createdAt": joined, "deletedAt": Bson::Null };
        let rows = self.documents.clone_with_type::<Document>();
        let found = rows.find(living).projection(doc! { "_id": 0, "clerkId": 1 }).batch_size(500).await?;
        let ids = found
            .map_err(Error::from)
            .try_filter_map(async |row: Document| Ok(row.get_str("clerkId").ok().map(str::to_owned)));
        Ok(Box::pin(ids))
    }
}
