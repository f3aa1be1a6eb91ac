//! Collection `findings`: whom a run found to differ, and whom it could not bring up to date, a document each.
//!
//! Its name is made of the run and of whom it is about, so that what a run does twice is found once. What a finding means
//! is decided elsewhere.

use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc, serialize_to_bson};
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};

use crate::model::finding::{Difference, DifferenceKind, FieldDifference, Skipped};
use crate::model::run::RunKind;
use crate::server::store::Error;
use crate::server::store::commands::write_each;
use crate::server::store::encoding::{date, optional_date, to_date};
use crate::server::store::expiry::ensure_expiry;
use crate::server::store::runs::Run;

/// What stands in place of a reason whose person was erased.
const ERASED: &str = "its person was erased";
/// So many are shown of one person.
const MOST_OF_A_PERSON: i64 = 100;
const AT_ONCE: usize = 500;

/// What a run found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Difference(Difference),
    /// With what tells it from others of the same person: a replay may leave out several events of one.
    Skipped(String, Skipped),
}

/// What was found about one person, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    #[serde(rename = "_id")]
    pub id: String,
    pub run_id: String,
    pub run_kind: RunKind,
    /// When it was found.
    #[serde(with = "date")]
    pub at: Timestamp,
    /// How many steps the run had come when it was found.
    #[serde(default)]
    pub step: u64,
    /// Whether it was only looked at.
    pub dry_run: bool,
    pub clerk_id: String,
    /// How the person differed; none of somebody who was skipped.
    pub kind: Option<DifferenceKind>,
    #[serde(default)]
    pub fields: Vec<FieldDifference>,
    /// Why nothing could be done.
    pub reason: Option<String>,
    /// When an admin had the person brought up to date since.
    #[serde(default, with = "optional_date", skip_serializing_if = "Option::is_none")]
    pub mended_at: Option<Timestamp>,
}

/// Which part of a run's findings, as their names have it.
#[derive(Clone, Copy, Debug)]
enum Part {
    Differences,
    Skipped,
}

impl Part {
    fn letter(self) -> char {
        match self {
            Self::Differences => 'd',
            Self::Skipped => 's',
        }
    }

    fn name(self, run_id: &str, about: &str) -> String {
        format!("{run_id}:{}:{about}", self.letter())
    }

    /// All names of a run, or those after one.
    fn names(self, run_id: &str, after: Option<&str>) -> Document {
        let end = format!("{run_id}:{};", self.letter());
        doc! { "$gt": self.name(run_id, after.unwrap_or_default()), "$lt": end }
    }
}

impl Finding {
    fn of(run: &Run, step: u64, found: &Found) -> Self {
        let (part, about, clerk_id) = match found {
            Found::Difference(difference) => (Part::Differences, &difference.clerk_id, &difference.clerk_id),
            Found::Skipped(about, skipped) => (Part::Skipped, about, &skipped.clerk_id),
        };
        let mut finding = Self {
            id: part.name(&run.id, about),
            run_id: run.id.clone(),
            run_kind: run.kind,
            at: Timestamp::now(),
            step,
            dry_run: run.options.dry_run,
            clerk_id: clerk_id.clone(),
            kind: None,
            fields: Vec::new(),
            reason: None,
            mended_at: None,
        };
        match found {
            Found::Difference(Difference { kind, fields, .. }) => {
                (finding.kind, finding.fields) = (Some(*kind), fields.clone());
            }
            Found::Skipped(_, skipped) => finding.reason = Some(skipped.reason.clone()),
        }
        finding
    }

    fn difference(self) -> Option<Difference> {
        let Self { clerk_id, kind, fields, mended_at, .. } = self;
        Some(Difference { clerk_id, kind: kind?, fields, mended_at })
    }
}

#[derive(Clone, Debug)]
pub struct Findings {
    documents: Collection<Finding>,
}

impl Findings {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("findings") }
    }

    /// Keeps what was found in one step. Safe to repeat: the last word about somebody stays.
    pub async fn add(&self, run: &Run, step: u64, found: &[Found]) -> Result<(), Error> {
        for some in found.chunks(AT_ONCE) {
            let statements: Result<Vec<Document>, Error> = some
                .iter()
                .map(|found| {
                    let finding = Finding::of(run, step, found);
                    let refused = |error| Error::from(mongodb::error::Error::custom(error));
                    let document = serialize_to_bson(&finding).map_err(refused)?;
                    Ok(doc! { "q": { "_id": finding.id }, "u": document, "upsert": true })
                })
                .collect();
            write_each(&self.documents, "update", statements?).await?;
        }
        Ok(())
    }

    /// Whom a run found to differ, by Clerk's id, from after this one on.
    pub async fn list_differences(
        &self,
        run_id: &str,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Difference>, Error> {
        let rows = self.list(Part::Differences, run_id, after, limit).await?;
        Ok(rows.into_iter().filter_map(Finding::difference).collect())
    }

    /// What was found in one step of a run.
    pub async fn list_of_step(&self, run_id: &str, step: u64) -> Result<Vec<Difference>, Error> {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        let of_step = doc! { "_id": Part::Differences.names(run_id, None), "step": step };
        let rows: Vec<Finding> = self.documents.find(of_step).await?.try_collect().await?;
        Ok(rows.into_iter().filter_map(Finding::difference).collect())
    }

    /// Whom a run could not bring up to date, from after this one on, each with what the next page goes on after.
    pub async fn list_skipped(
        &self,
        run_id: &str,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<(String, Skipped)>, Error> {
        let rows = self.list(Part::Skipped, run_id, after, limit).await?;
        let before = Part::Skipped.name(run_id, "").len();
        let skipped = |row: Finding| {
            let about = row.id.get(before..)?.to_owned();
            Some((about, Skipped { clerk_id: row.clerk_id, reason: row.reason? }))
        };
        Ok(rows.into_iter().filter_map(skipped).collect())
    }

    /// Somebody who was found to differ was brought up to date.
    pub async fn mark_mended(&self, clerk_id: &str, at: Timestamp) -> Result<(), Error> {
        let open = doc! { "clerkId": clerk_id, "kind": { "$type": "string" }, "mendedAt": Bson::Null };
        self.documents.update_many(open, doc! { "$set": { "mendedAt": to_date(at) } }).await?;
        Ok(())
    }

    /// The newest about one person.
    pub async fn list_about(&self, clerk_id: &str) -> Result<Vec<Finding>, Error> {
        let theirs = self.documents.find(doc! { "clerkId": clerk_id }).sort(doc! { "at": -1 }).limit(MOST_OF_A_PERSON);
        Ok(theirs.await?.try_collect().await?)
    }

    /// Which fields differed stays; what they held does not, nor why somebody was skipped. Answers in how many findings.
    pub async fn erase(&self, clerk_id: &str) -> Result<u64, Error> {
        let named = doc! { "clerkId": clerk_id, "fields.0": { "$exists": true } };
        let nothing = doc! { "$set": { "fields.$[].here": Bson::Null, "fields.$[].clerk": Bson::Null } };
        let cleared = self.documents.update_many(named, nothing).await?.modified_count;
        let skipped = doc! { "clerkId": clerk_id, "reason": { "$type": "string" } };
        let erased = doc! { "$set": { "reason": ERASED } };
        Ok(cleared + self.documents.update_many(skipped, erased).await?.modified_count)
    }

    /// What was found about somebody goes by another name of theirs from now on, in the document's own name, too.
    pub async fn hide(&self, clerk_id: &str, pseudonym: &str) -> Result<(), Error> {
        let mut theirs = self.documents.find(doc! { "clerkId": clerk_id }).await?;
        while let Some(finding) = theirs.try_next().await? {
            let old = finding.id.clone();
            let hidden = Finding { id: old.replace(clerk_id, pseudonym), clerk_id: pseudonym.to_owned(), ..finding };
            self.documents.replace_one(doc! { "_id": &hidden.id }, &hidden).upsert(true).await?;
            if hidden.id != old {
                self.documents.delete_one(doc! { "_id": old }).await?;
            }
        }
        Ok(())
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let options = IndexOptions::builder().name(INDEXES[0].to_owned()).build();
        let by_person = IndexModel::builder().keys(doc! { "clerkId": 1, "at": -1 }).options(options).build();
        self.documents.create_index(by_person).await?;
        Ok(())
    }

    /// MongoDB removes a finding `retention` after it was made.
    pub async fn ensure_expiry(&self, database: &Database, retention: Option<Duration>) -> Result<(), Error> {
        ensure_expiry(database, &self.documents, ("at", AGE), retention).await
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }

    async fn list(&self, part: Part, run_id: &str, after: Option<&str>, limit: i64) -> Result<Vec<Finding>, Error> {
        let named = doc! { "_id": part.names(run_id, after) };
        Ok(self.documents.find(named).sort(doc! { "_id": 1 }).limit(limit).await?.try_collect().await?)
    }
}

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 1] = ["clerkId_1_at_-1"];
/// There only while runs are not kept for ever.
const AGE: &str = "at_1";
