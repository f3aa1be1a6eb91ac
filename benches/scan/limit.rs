//! What MongoDB itself does with the very documents that a backfill left: bulk upserts by the bare driver.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::ensure;
use futures::TryStreamExt;
use futures::future::try_join_all;
use mongodb::Database;
use mongodb::IndexModel;
use mongodb::bson::{Document, RawDocumentBuf, doc, rawdoc};

use crate::ingest::machine::{Reading, Watched};
use crate::ingest::processes::Mongod;

const BATCH: usize = 500;
/// Upserts on their way at once.
const IN_FLIGHT: usize = 4;

/// People a second: with the index of `_id` alone, and with all that the server made.
pub struct Limits {
    pub bare: f64,
    pub indexed: f64,
}

/// Copies at most `most` people of `filled` into databases of its own, which are gone afterwards.
pub async fn measure(mongod: &Mongod, filled: &Database, most: usize) -> anyhow::Result<Limits> {
    let people = filled.collection::<RawDocumentBuf>("users");
    let found = people.find(doc! {}).limit(i64::try_from(most)?).await?;
    let documents: Vec<RawDocumentBuf> = found.try_collect().await?;
    let indexes: Vec<IndexModel> = people.list_indexes().await?.try_collect().await?;
    let bare = upsert(mongod, &documents, &[]).await?;
    let with_indexes = upsert(mongod, &documents, &indexes).await?;
    Ok(Limits { bare, indexed: with_indexes })
}

async fn upsert(mongod: &Mongod, documents: &[RawDocumentBuf], indexes: &[IndexModel]) -> anyhow::Result<f64> {
    let database = mongod.client.database("limit");
    let own = indexes.iter().filter(|index| index.keys != doc! { "_id": 1 });
    for index in own {
        database.collection::<Document>("users").create_index(index.clone()).await?;
    }
    let watched = Watched { server: None, mongod: mongod.id() };
    let before = Reading::take(watched)?;
    let next = AtomicUsize::new(0);
    let batches: Vec<&[RawDocumentBuf]> = documents.chunks(BATCH).collect();
    let writing = (0..IN_FLIGHT).map(|_| async {
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            write(&database, batch).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(writing).await?;
    let seconds = before.until(&Reading::take(watched)?).seconds;
    let written = database.collection::<Document>("users").count_documents(doc! {}).await?;
    ensure!(written == documents.len() as u64, "{written} of {} people were written", documents.len());
    database.drop().await?;
    Ok(documents.len() as f64 / seconds)
}

async fn write(database: &Database, batch: &[RawDocumentBuf]) -> anyhow::Result<()> {
    let mut statements = mongodb::bson::RawArrayBuf::new();
    for document in batch {
        let id = document.get("_id")?.map(mongodb::bson::RawBson::from);
        let mut by_id = RawDocumentBuf::new();
        if let Some(id) = id {
            by_id.append(mongodb::bson::cstr!("_id"), id);
        }
        statements.push(rawdoc! { "q": by_id, "u": document.clone(), "upsert": true });
    }
    let command = rawdoc! {
        "update": "users", "updates": statements, "ordered": false, "writeConcern": { "w": "majority", "j": true },
    };
    let answer = database.run_raw_command(command).await?;
    ensure!(!answer.contains_key("writeErrors"), "an upsert was refused");
    Ok(())
}
