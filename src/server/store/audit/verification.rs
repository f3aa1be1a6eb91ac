//! The last time that the chain was followed: what came of it, for whoever wonders when that was.
//!
//! A note and no proof: whoever can write to MongoDB can write this too. Only following the chain again tells.

use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use crate::server::store::Error;
use crate::server::store::audit::{Audit, Broken, Trail};
use crate::server::store::encoding::{date, to_date};

/// One look at the whole chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    #[serde(with = "date")]
    pub at: Timestamp,
    /// Clerk's id of whoever wanted it, or `cli:` and a name.
    pub by: String,
    /// The last entry that held.
    pub until: i64,
    /// Why the entry after it does not; none where the chain is whole.
    pub cause: Option<String>,
}

impl Audit {
    /// Takes the place of the one before.
    pub async fn keep_verification(&self, trail: &Trail, by: &str, now: Timestamp) -> Result<(), Error> {
        let (until, cause) = match &trail.broken {
            None => (trail.left + trail.entries, None),
            Some(Broken { number, cause }) => (number - 1, Some(*cause)),
        };
        let fields = doc! { "at": to_date(now), "by": by, "until": until, "cause": cause };
        self.locks.update_one(last(), doc! { "$set": fields }).upsert(true).await?;
        Ok(())
    }

    pub async fn find_verification(&self) -> Result<Option<Verified>, Error> {
        Ok(self.locks.clone_with_type::<Verified>().find_one(last()).await?)
    }
}

fn last() -> Document {
    doc! { "_id": "audit-verified" }
}
