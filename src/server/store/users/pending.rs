//! What one person's changes have still to do elsewhere: effects in the outbox, and jobs that wait. One question.

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use crate::model::job::{JobKind, JobState};
use crate::server::store::Error;
use crate::server::store::users::Users;

/// More than one person ever has; a list, not a count.
const MOST: i64 = 50;

/// An effect that has not happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Pending {
    pub kind: JobKind,
    /// Zero, too, for what is no job yet.
    #[serde(default)]
    pub attempts: u32,
}

#[derive(Deserialize)]
struct Row {
    #[serde(default)]
    outbox: Vec<Pending>,
    jobs: Vec<Pending>,
}

impl Users {
    /// By Clerk's id: what waits, the next first.
    pub async fn list_pending(&self, clerk_id: &str) -> Result<Vec<Pending>, Error> {
        let rows = self.documents.clone_with_type::<Document>();
        let mut found = rows.aggregate(pipeline(clerk_id)).with_type::<Row>().await?;
        let row = found.try_next().await?;
        Ok(row.map(|row| row.jobs.into_iter().chain(row.outbox).collect()).unwrap_or_default())
    }
}

fn pipeline(clerk_id: &str) -> [Document; 3] {
    let waiting = doc! { "from": "jobs", "localField": "clerkId", "foreignField": "clerkId", "as": "jobs", "pipeline": [
        { "$match": { "state": JobState::Waiting.as_str() } },
        { "$sort": { "dueAt": 1 } },
        { "$limit": MOST },
        { "$project": { "_id": 0, "kind": 1, "attempts": 1 } },
    ] };
    [
        doc! { "$match": { "clerkId": clerk_id } },
        doc! { "$project": { "_id": 0, "clerkId": 1, "outbox.kind": 1 } },
        doc! { "$lookup": waiting },
    ]
}
