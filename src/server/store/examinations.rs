//! Collection `examinations`: what was found when an operator last had everything examined, for whichever process shows it.

use jiff::Timestamp;
use mongodb::bson::{doc, serialize_to_bson};
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};

use crate::model::connection::{Examination, FindingRow};
use crate::server::store::Error;
use crate::server::store::encoding::{date, to_date};

const LAST: &str = "last";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Row {
    #[serde(with = "date")]
    at: Timestamp,
    findings: Vec<FindingRow>,
}

#[derive(Clone, Debug)]
pub struct Examinations {
    documents: Collection<Row>,
}

impl Examinations {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("examinations") }
    }

    /// Takes the place of the one before.
    pub async fn keep(&self, examination: &Examination) -> Result<(), Error> {
        let written = |error| Error::from(mongodb::error::Error::custom(error));
        let findings = serialize_to_bson(&examination.findings).map_err(written)?;
        let fields = doc! { "at": to_date(examination.at), "findings": findings };
        self.documents.update_one(doc! { "_id": LAST }, doc! { "$set": fields }).upsert(true).await?;
        Ok(())
    }

    pub async fn find_last(&self) -> Result<Option<Examination>, Error> {
        let row = self.documents.find_one(doc! { "_id": LAST }).await?;
        Ok(row.map(|Row { at, findings }| Examination { at, findings }))
    }
}
