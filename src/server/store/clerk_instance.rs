//! Collection `clerkInstance`: of which Clerk instance the people here are, one document. What follows from that is decided
//! elsewhere.

use mongodb::bson::{Document, doc};
use mongodb::options::ReturnDocument;
use mongodb::{Collection, Database};

use crate::server::store::Error;

const ONLY: &str = "only";

#[derive(Clone, Debug)]
pub struct ClerkInstance {
    documents: Collection<Document>,
}

impl ClerkInstance {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("clerkInstance") }
    }

    /// The instance that is remembered; this one from now on if none is.
    pub async fn remember(&self, id: &str) -> Result<String, Error> {
        let first = doc! { "$setOnInsert": { "instanceId": id } };
        let kept = self.documents.find_one_and_update(doc! { "_id": ONLY }, first).upsert(true);
        let kept = kept.return_document(ReturnDocument::After).await?;
        Ok(kept.and_then(|kept| kept.get_str("instanceId").ok().map(str::to_owned)).unwrap_or_else(|| id.to_owned()))
    }

    /// It is this one, whatever was remembered.
    pub async fn set(&self, id: &str) -> Result<(), Error> {
        let is = doc! { "$set": { "instanceId": id } };
        self.documents.update_one(doc! { "_id": ONLY }, is).upsert(true).await?;
        Ok(())
    }
}
