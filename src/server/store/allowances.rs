//! One document of `locks`: which part of the calls that Clerk takes each process may make.
//!
//! Whoever changes it names the turn that was read, so of two at once one reads again. Who gets how much is decided elsewhere.

use mongodb::bson::{Document, doc, serialize_to_bson};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::server::store::{DUPLICATE_KEY, Error};

/// What one process holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The process.
    pub id: String,
    /// So many calls in any ten seconds.
    pub calls: i64,
    /// So many it would make.
    pub wanted: i64,
    /// Goes on with each sign of life; clocks do not matter.
    pub beat: i64,
}

/// Who holds what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    pub turn: i64,
    pub shares: Vec<Share>,
}

#[derive(Clone, Debug)]
pub struct Allowances {
    locks: Collection<Document>,
}

impl Allowances {
    pub fn of(database: &Database) -> Self {
        Self { locks: database.collection("locks") }
    }

    pub async fn find(&self) -> Result<Ledger, Error> {
        Ok(self.locks.clone_with_type::<Ledger>().find_one(which()).await?.unwrap_or_default())
    }

    /// `false`: somebody else was quicker.
    pub async fn replace(&self, turn: i64, shares: &[Share]) -> Result<bool, Error> {
        let shares = serialize_to_bson(shares).map_err(mongodb::error::Error::custom)?;
        let mut read = which();
        read.insert("turn", turn);
        let change = doc! { "$set": { "turn": turn + 1, "shares": shares } };
        // The first makes the document; of several, one.
        match self.locks.update_one(read, change).upsert(turn == 0).await.map_err(Error::from) {
            Ok(done) => Ok(done.matched_count + u64::from(done.upserted_id.is_some()) > 0),
            Err(error) if error.code() == Some(DUPLICATE_KEY) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What a process held is free.
    pub async fn give_back(&self, id: &str) -> Result<(), Error> {
        let change = doc! { "$pull": { "shares": { "id": id } }, "$inc": { "turn": 1_i64 } };
        self.locks.update_one(which(), change).await?;
        Ok(())
    }
}

fn which() -> Document {
    doc! { "_id": "clerk-calls" }
}
