//! People who are there before the load: as many as wanted, each as the server itself would have stored them.
//!
//! One person goes through the server; the others are copies of that document with their own ids and names, so nothing here
//! has to know what a stored person looks like.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use mongodb::Database;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::WriteConcern;

use crate::ingest::delivery::{Writer, person_name};
use crate::ingest::load::{Source, send};
use crate::ingest::plan::{ORIGIN, person_id};
use crate::ingest::verdict::drained;

const AT_ONCE: usize = 2_000;

/// Fills the database of a running server with people `0..people`.
pub async fn fill(database: &Database, server: SocketAddr, people: usize) -> anyhow::Result<()> {
    if people == 0 {
        return Ok(());
    }
    deliver_origin(server).await?;
    drained(database).await?;
    let users = database.collection::<Document>("users");
    let origin = users.find_one(doc! {}).await?.context("the first person did not arrive")?;
    let (id, name) = (text(&person_id(ORIGIN.person)), person_name(ORIGIN.person));
    // Nothing of this is measured, so nothing of this waits for the journal.
    let unjournaled = WriteConcern::builder().journal(false).build();
    let mut next = ORIGIN.person + 1;
    while next < people {
        let batch = next..people.min(next + AT_ONCE);
        next = batch.end;
        let copies = batch.map(|person| {
            let (new_id, new_name) = (text(&person_id(person)), person_name(person));
            let mut copy = renamed(&origin, &|text: &str| text.replace(&id, &new_id).replace(&name, &new_name));
            copy.insert("_id", ObjectId::new());
            copy
        });
        users.insert_many(copies).ordered(false).write_concern(unjournaled.clone()).await?;
    }
    Ok(())
}

/// The event that person 0 stems from.
async fn deliver_origin(server: SocketAddr) -> anyhow::Result<()> {
    let source = Source::one(|into| Writer::new().write(ORIGIN, &Timestamp::now().as_second().to_string(), into));
    let (tally, _) = tokio::task::spawn_blocking(move || send(server, 1, 60, source, &AtomicU64::new(0))).await??;
    ensure!(tally.acks == 1, "the first person was not accepted: {:?}", tally.refusals);
    Ok(())
}

fn text(digits: &[u8]) -> String {
    String::from_utf8_lossy(digits).into_owned()
}

fn renamed(document: &Document, rename: &dyn Fn(&str) -> String) -> Document {
    document.iter().map(|(name, value)| (name.clone(), renamed_value(value, rename))).collect()
}

fn renamed_value(value: &Bson, rename: &dyn Fn(&str) -> String) -> Bson {
    match value {
        Bson::String(text) => rename(text).into(),
        Bson::Document(document) => renamed(document, rename).into(),
        Bson::Array(values) => values.iter().map(|value| renamed_value(value, rename)).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}
