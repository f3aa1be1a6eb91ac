//! What people's changes have still to do elsewhere: effects in the outbox, and jobs that wait. Asked together for everybody
//! who looks at their profile at the same moment.

use std::collections::HashMap;
use std::sync::Arc;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::Database;
use mongodb::bson::doc;
use serde::Deserialize;

use crate::model::job::{JobKind, JobState};
use crate::server::store::encoding::date;
use crate::server::store::{Error, Store};

/// An effect that has not happened yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Pending {
    pub kind: JobKind,
    /// Zero, too, for what is no job yet.
    #[serde(default)]
    pub attempts: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Person {
    clerk_id: String,
    outbox: Vec<Pending>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Job {
    clerk_id: String,
    #[serde(with = "date")]
    due_at: Timestamp,
    #[serde(flatten)]
    pending: Pending,
}

impl Store {
    /// Of one person, by Clerk's id: what waits, the next first.
    pub async fn list_pending(&self, clerk_id: &str) -> Result<Vec<Pending>, Arc<Error>> {
        let database = self.database.clone();
        let asked = self.pending.ask(clerk_id, move |ids| {
            let database = database.clone();
            async move { look_up(&database, &ids).await }
        });
        asked.await
    }
}

async fn look_up(database: &Database, clerk_ids: &[String]) -> Result<HashMap<String, Vec<Pending>>, Error> {
    let of_them = || doc! { "$in": clerk_ids };
    let waiting = doc! { "clerkId": of_them(), "state": JobState::Waiting.as_str() };
    let jobs = database.collection::<Job>("jobs");
    let jobs = jobs.find(waiting).projection(doc! { "_id": 0, "clerkId": 1, "dueAt": 1, "kind": 1, "attempts": 1 });
    let owing = doc! { "clerkId": of_them(), "outbox.key": { "$gt": "" } };
    let people = database.collection::<Person>("users");
    let people = people.find(owing).projection(doc! { "_id": 0, "clerkId": 1, "outbox.kind": 1 });
    let (mut jobs, people): (Vec<Job>, Vec<Person>) =
        futures::try_join!(async { jobs.await?.try_collect().await }, async { people.await?.try_collect().await })?;
    jobs.sort_by_key(|job| job.due_at);
    let mut found: HashMap<String, Vec<Pending>> = HashMap::new();
    for Job { clerk_id, pending, .. } in jobs {
        found.entry(clerk_id).or_default().push(pending);
    }
    for Person { clerk_id, outbox } in people {
        found.entry(clerk_id).or_default().extend(outbox);
    }
    Ok(found)
}
