//! Effects through the front door: what reaches Clerk, mailboxes, other systems and operators, and how often.

mod alert;
mod canary;
mod lease;
mod metadata;
mod webhook;
mod welcome;

use mongodb::bson::{DateTime, Document, doc};

use crate::support::eventually;
use crate::support::mongo::TestDatabase;

/// Waits for a job in this state.
async fn job_in(database: &TestDatabase, key: &str, state: &str) -> Document {
    eventually(&format!("{key} is {state}"), || async {
        let job = database.job(key).await.ok_or("no job")?;
        if job.get_str("state").ok() == Some(state) { Ok(job) } else { Err(job.to_string()) }
    })
    .await
}

/// Waits for a job that was tried so often and waits for another try.
async fn job_tried(database: &TestDatabase, key: &str, attempts: i32) -> Document {
    eventually(&format!("{key} was tried {attempts} times"), || async {
        let job = database.job(key).await.ok_or("no job")?;
        let tried = job.get_i32("attempts").unwrap_or_default();
        let is_free = !job.contains_key("leaseOwner");
        if tried >= attempts && is_free { Ok(job) } else { Err(job.to_string()) }
    })
    .await
}

/// As time passes: the lease of a process that died runs out.
async fn let_lease_run_out(database: &TestDatabase, key: &str) {
    database.set("jobs", doc! { "_id": key }, doc! { "leaseUntil": DateTime::from_millis(0) }).await;
}

fn cause(job: &Document) -> &str {
    job.get_str("cause").unwrap_or_default()
}
