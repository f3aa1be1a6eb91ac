//! What keeps two processes from undoing each other: leases, and ends that count only while they stand.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mongodb::bson::doc;
use rollcall::model::job::{JobKind, JobState};
use rollcall::server::settings::database::Database;
use rollcall::server::settings::fields::Fields;
use rollcall::server::store::Store;
use rollcall::server::store::jobs::{Attempt, Effect, Job};

use crate::support::mongo::TestDatabase;

async fn store(database: &TestDatabase) -> Store {
    let settings = Database {
        uri: database.uri.clone().into(),
        name: database.name.clone(),
        timeout: Duration::from_secs(5),
        pool: 4,
    };
    let store = Store::connect(&settings, &Fields::default()).await.expect("a store");
    store.jobs.ensure_indexes().await.expect("indexes");
    store
}

fn effect() -> Effect {
    Effect {
        key: "metadata:user_a".to_owned(),
        kind: JobKind::Metadata,
        clerk_id: "user_a".to_owned(),
        body: None,
        trace: None,
        events: Vec::new(),
        change: None,
    }
}

fn after(now: Timestamp, seconds: i64) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(seconds)).expect("a time")
}

async fn take(store: &Store, owner: &str, now: Timestamp) -> Option<Job> {
    let until = after(now, 120);
    let taken = store.jobs.lease_due(JobKind::Metadata, owner, now, until, 8).await.expect("a look");
    taken.into_iter().next()
}

fn done() -> Attempt {
    Attempt { state: JobState::Done, cause: "written".to_owned(), due_at: None, expires_at: None }
}

#[tokio::test]
async fn c_8_a_job_has_one_owner_until_the_lease_runs_out_and_then_only_the_new_one_counts() {
    let database = TestDatabase::new().await;
    let store = store(&database).await;
    let now = Timestamp::now();
    store.jobs.add(&[effect()], now).await.expect("added");
    let first = take(&store, "first", now).await.expect("due");
    assert_eq!(take(&store, "second", after(now, 60)).await, None, "leased");
    let second = take(&store, "second", after(now, 121)).await.expect("the lease is over");
    assert!(
        !store.jobs.mark_sending(&first, "a•••@example.com", after(now, 121)).await.expect("an answer"),
        "it is not the first's any more"
    );
    store.jobs.record(&first, &done(), None, after(now, 122)).await.expect("no harm");
    let job = database.job("metadata:user_a").await.expect("a job");
    assert_eq!((job.get_str("state").ok(), job.get_str("leaseOwner").ok()), (Some("waiting"), Some("second")));
    store.jobs.record(&second, &done(), None, after(now, 123)).await.expect("recorded");
    assert_eq!(database.count("jobs", doc! { "state": "done", "dueAt": { "$exists": false } }).await, 1);
    database.drop().await;
}

#[tokio::test]
async fn d2_38_what_is_asked_for_again_while_it_runs_runs_again_and_not_beside_it() {
    let database = TestDatabase::new().await;
    let store = store(&database).await;
    let now = Timestamp::now();
    store.jobs.add(&[effect()], now).await.expect("added");
    let first = take(&store, "first", now).await.expect("due");
    store.jobs.add(&[effect()], after(now, 1)).await.expect("asked again");
    assert_eq!(take(&store, "second", after(now, 2)).await, None, "not beside it");
    store.jobs.record(&first, &done(), None, after(now, 3)).await.expect("recorded");
    let again = take(&store, "second", after(now, 4)).await.expect("due again");
    assert_eq!((again.generation, again.attempts), (2, 0));
    database.drop().await;
}
