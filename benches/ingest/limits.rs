//! What the machine itself can do in the same run: MongoDB fed by the bare driver, HMAC alone, the disk's journal alone.

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use aws_lc_rs::hmac;
use futures::future::try_join_all;
use mongodb::Database;
use mongodb::bson::{DateTime, Document, doc};
use serde::Serialize;

use crate::ingest::machine::{Reading, Usage, Watched};
use crate::ingest::plan::{message_id, person_id};
use crate::ingest::processes::Mongod;

const BATCH: usize = 500;
const WARM_UP: Duration = Duration::from_secs(1);
const BODY: usize = 2_432;
const BLOCK: usize = 4_096;

/// What the server's throughput is held against.
pub const BOTH_WRITES: &str = "events: upserts + small inserts, 500 a batch, 4 in flight";

#[derive(Clone, Debug, Serialize)]
pub struct Limit {
    pub what: &'static str,
    pub per_second: f64,
    pub usage: Usage,
}

/// What is written besides the people.
#[derive(Clone, Copy, PartialEq)]
enum Events {
    None,
    Small,
    /// With a body as large as a webhook's.
    Whole,
}

/// All of them one after the other, each for so long.
pub async fn measure(mongod: &Mongod, seconds: u64) -> anyhow::Result<Vec<Limit>> {
    let lasting = Duration::from_secs(seconds);
    let watched = Watched { server: None, mongod: mongod.id() };
    let mut limits = Vec::new();
    for (what, events, in_flight) in [
        ("people: upserts, 500 a batch, 1 in flight", Events::None, 1),
        ("people: upserts, 500 a batch, 4 in flight", Events::None, 4),
        (BOTH_WRITES, Events::Small, 4),
        ("events: upserts + inserts with the body, 500 a batch, 4 in flight", Events::Whole, 4),
    ] {
        let database = mongod.client.database("limits");
        write_batches(&database, events, in_flight, WARM_UP).await?;
        let before = Reading::take(watched)?;
        let written = write_batches(&database, events, in_flight, lasting).await?;
        let usage = before.until(&Reading::take(watched)?);
        limits.push(Limit { what, per_second: written as f64 / usage.seconds, usage });
        database.drop().await?;
    }
    limits.push(timed("HMAC-SHA256 of a 2.4 KB body, one core", watched, lasting, || Ok(sign_bodies(lasting)))?);
    let file = mongod.folder().join("append");
    limits.push(timed("4 KB append + fdatasync, one after the other", watched, lasting, || append(&file, lasting))?);
    Ok(limits)
}

fn timed(
    what: &'static str,
    watched: Watched,
    lasting: Duration,
    work: impl FnOnce() -> anyhow::Result<usize>,
) -> anyhow::Result<Limit> {
    let before = Reading::take(watched)?;
    let done = work()?;
    let usage = before.until(&Reading::take(watched)?);
    Ok(Limit { what, per_second: done as f64 / lasting.as_secs_f64(), usage })
}

async fn write_batches(
    database: &Database,
    events: Events,
    in_flight: usize,
    lasting: Duration,
) -> anyhow::Result<usize> {
    // The numbers go on where the warm-up ended: nobody is written twice at once.
    let next = AtomicUsize::new(
        usize::try_from(database.collection::<Document>("users").estimated_document_count().await?)? * 2,
    );
    let until = Instant::now() + lasting;
    let writing = (0..in_flight).map(|_| async {
        let mut written = 0;
        while Instant::now() < until {
            let first = next.fetch_add(BATCH, Ordering::Relaxed);
            let inserting = async {
                if events == Events::None { Ok(()) } else { insert(database, first, events == Events::Whole).await }
            };
            tokio::try_join!(upsert(database, first), inserting)?;
            written += BATCH;
        }
        anyhow::Ok(written)
    });
    Ok(try_join_all(writing).await?.into_iter().sum())
}

/// 60 % are new, the others are there already.
async fn upsert(database: &Database, first: usize) -> anyhow::Result<()> {
    let statement = |index: usize| {
        let person = if index > 1_000 && index % 10 >= 6 { index * 7_919 % (index - BATCH) } else { index };
        let fields = doc! {
            "email": format!("p{person}@example.com"), "username": format!("p{person}"), "firstName": "Zoë",
            "lastName": format!("Lovelace{}", index % 1_000), "role": "user", "banned": false, "locked": false,
            "imageUrl": format!("https://img.clerk.com/eyJ0eXBlIjoicHJveHkiLCJzcmMiOiJodHRwczovL2ltYWdlcy5jbGVyay5kZXYv{person}"),
            "version": { "updatedAt": as_i64(index), "eventAt": as_i64(index) }, "deletedAt": null,
            "createdAt": DateTime::from_millis(1), "updatedAt": DateTime::from_millis(as_i64(index)),
        };
        let id = String::from_utf8_lossy(&person_id(person)).into_owned();
        doc! { "q": { "_id": id }, "u": { "$set": fields }, "upsert": true }
    };
    let statements: Vec<Document> = (first..first + BATCH).map(statement).collect();
    let answer = database.run_command(doc! {
        "update": "users", "updates": statements, "ordered": false, "writeConcern": { "w": "majority", "j": true },
    });
    ensure!(!answer.await?.contains_key("writeErrors"), "an upsert was refused");
    Ok(())
}

async fn insert(database: &Database, first: usize, whole: bool) -> anyhow::Result<()> {
    let payload = if whole { "x".repeat(BODY) } else { String::new() };
    let event = |index: usize| {
        doc! {
            "_id": String::from_utf8_lossy(&message_id(index)).into_owned(), "kind": "user.updated",
            "clerkId": "user_2g7np7Hrk0SN6kj5EDMLD000000", "payload": &payload, "receivedAt": DateTime::now(),
        }
    };
    let documents: Vec<Document> = (first..first + BATCH).map(event).collect();
    let answer = database.run_command(doc! {
        "insert": "events", "documents": documents, "ordered": false, "writeConcern": { "w": "majority", "j": true },
    });
    ensure!(!answer.await?.contains_key("writeErrors"), "an insert was refused");
    Ok(())
}

fn as_i64(number: usize) -> i64 {
    i64::try_from(number).unwrap_or_default()
}

fn sign_bodies(lasting: Duration) -> usize {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
    let mut body = vec![b'x'; BODY];
    let until = Instant::now() + lasting;
    let mut signed = 0;
    while Instant::now() < until {
        for _ in 0..100 {
            // Each body depends on the signature before it, so that none can be left out.
            body[0] = hmac::sign(&key, &body).as_ref()[0];
        }
        signed += 100;
    }
    signed
}

fn append(path: &std::path::Path, lasting: Duration) -> anyhow::Result<usize> {
    let mut file = File::create(path)?;
    let until = Instant::now() + lasting;
    let mut appended = 0;
    while Instant::now() < until {
        file.write_all(&[7; BLOCK])?;
        file.sync_data()?;
        appended += 1;
    }
    std::fs::remove_file(path)?;
    Ok(appended)
}
