//! People in numbers: when they joined, in which role they are, whose they are. Each is read off an index alone, or is the
//! rest.

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Document, doc};

use crate::model::user::Role;
use crate::server::store::Error;
use crate::server::store::encoding::to_date;
use crate::server::store::users::{Users, any_case};

/// How many people there are of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    pub all: u64,
    pub admins: u64,
    pub moderators: u64,
    /// The application's own, who are not Clerk's.
    pub local: u64,
    pub deleted: u64,
}

impl Users {
    /// How many of Clerk's people joined on each day (UTC) from `since` on; a day on which nobody did is left out.
    pub async fn count_joined_by_day(&self, since: Timestamp) -> Result<Vec<(Timestamp, u64)>, Error> {
        let by_day = [
            doc! { "$match": { "clerkId": { "$gt": "" }, "createdAt": { "$gte": to_date(since) } } },
            doc! { "$group": {
                "_id": { "$dateTrunc": { "date": "$createdAt", "unit": "day" } }, "count": { "$sum": 1_i64 },
            } },
            doc! { "$sort": { "_id": 1 } },
        ];
        let rows: Vec<Document> = self.documents.aggregate(by_day).await?.try_collect().await?;
        let day = |row: &Document| {
            let at = Timestamp::from_millisecond(row.get_datetime("_id").ok()?.timestamp_millis()).ok()?;
            Some((at, row.get_i64("count").ok()?.unsigned_abs()))
        };
        Ok(rows.iter().filter_map(day).collect())
    }

    /// How many there are of which kind.
    pub async fn count_kinds(&self) -> Result<Kinds, Error> {
        let count = async |filter: Document| Ok::<u64, Error>(self.documents.count_documents(filter).await?);
        let of_role = |role: Role| count(doc! { "role": role.as_str() });
        let all = async { Ok(self.documents.estimated_document_count().await?) };
        // Their index is in this order, and found by nobody who asks in another.
        let local = async {
            let local = doc! { "authProvider": "local", "email": { "$gt": "" } };
            Ok(self.documents.count_documents(local).collation(any_case()).await?)
        };
        let (all, admins, moderators, local, deleted) = futures::try_join!(
            all,
            of_role(Role::Admin),
            of_role(Role::Moderator),
            local,
            count(doc! { "deletedAt": { "$type": "date" } }),
        )?;
        Ok(Kinds { all, admins, moderators, local, deleted })
    }
}
