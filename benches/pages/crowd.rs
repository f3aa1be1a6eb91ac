//! Very many others: people beside those who read, so that lists are long and indexes deep. They are copies of one document
//! that the program wrote, with a name, an address and times of their own.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use mongodb::bson::{DateTime, Document, doc, oid::ObjectId};
use mongodb::{Collection, Database};

use crate::pages::people::PATIENCE;

const CROWD: &str = "user_crowd";
const BATCH: usize = 10_000;
const FIRST_NAMES: [&str; 8] = ["Ada", "Ádám", "Bob", "Chiara", "Dmitri", "محمد", "李", "Oluwaseun"];
const LAST_NAMES: [&str; 6] = ["Lovelace", "Müller", "Van der Berg", "كريم", "Okafor", "Žižek"];
/// Milliseconds since 1970.
const FIRST_JOINED: i64 = 1_600_000_000_000;
const MINUTE: i64 = 60_000;

/// Brings the crowd to this number, and makes all who read admins, to whom every list is shown, as soon as they have arrived.
pub async fn gather(database: &Database, people: usize, readers: usize) -> anyhow::Result<()> {
    let users: Collection<Document> = database.collection("users");
    // Their ids begin with digits.
    let [reads, crowd] = ["$lt", "$gte"].map(|than| doc! { "clerkId": { than: CROWD } });
    let until = Instant::now() + PATIENCE;
    while users.count_documents(reads.clone()).await? < readers as u64 {
        ensure!(Instant::now() < until, "not all who read have arrived");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let like = users.find_one(reads.clone()).await?.context("nobody reads")?;
    let there = usize::try_from(users.count_documents(crowd).await?)?;
    for from in (there..people).step_by(BATCH) {
        let some = (from..people.min(from + BATCH)).map(|number| one(&like, number));
        users.insert_many(some).ordered(false).await?;
    }
    users.update_many(reads, doc! { "$set": { "role": "admin" } }).await?;
    Ok(())
}

fn one(like: &Document, number: usize) -> Document {
    let first = FIRST_NAMES[number % FIRST_NAMES.len()];
    let last = LAST_NAMES[number / FIRST_NAMES.len() % LAST_NAMES.len()];
    let millis = FIRST_JOINED + i64::try_from(number).unwrap_or(i64::MAX / MINUTE) * MINUTE;
    let at = DateTime::from_millis(millis);
    let (email, username) = (format!("p{number}@example.com"), format!("person_{number}"));
    let mut person = like.clone();
    person.extend(doc! {
        "_id": ObjectId::new(), "clerkId": format!("{CROWD}{number}"),
        "firstName": first, "lastName": last, "name": format!("{first} {last}"),
        "email": &email, "emails": [{ "address": &email, "verified": true }],
        "username": &username, "clerkUsername": &username, "etag": ObjectId::new(),
        "role": if number.is_multiple_of(1_000) { "moderator" } else { "user" }, "banned": number % 500 == 1,
        "createdAt": at, "updatedAt": at, "lastActiveAt": at, "outbox": [],
        "version": { "updatedAt": millis, "eventAt": millis },
    });
    person
}
