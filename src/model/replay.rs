//! What carrying events out again would do, or did, as pages and commands show it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::event::{EventRow, EventState};
use crate::model::finding::FieldDifference;
use crate::model::health::grouped;
use crate::model::job::JobKind;

/// One event over what is stored now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    pub event: EventRow,
    /// What it would become.
    pub state: EventState,
    pub decision: String,
    /// What would change: values only where they are not personal.
    pub fields: Vec<FieldDifference>,
    /// What others would be told of, if they are told.
    pub effects: Vec<JobKind>,
}

/// Before a replay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayPreview {
    /// Which events, in words.
    pub about: String,
    pub count: u64,
    /// There are more, and they were not counted.
    pub has_more: bool,
    /// So many of them, the newest, were rehearsed.
    pub rehearsed: u64,
    /// How many of those would be applied.
    pub applied: u64,
    pub sums: ReplaySums,
    /// The newest of them.
    pub rehearsals: Vec<Rehearsal>,
}

/// All that a replay changes, counted: names of fields and kinds of effects, so that it is never long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplaySums {
    /// Documents in which something differs, each once.
    pub documents: u64,
    /// How often each field does.
    pub fields: BTreeMap<String, u64>,
    /// How often others are told of it; of a rehearsal, if they are told.
    pub effects: BTreeMap<JobKind, u64>,
    /// Events of a rehearsal that cannot be foreseen: Clerk would be asked.
    pub asked: u64,
    /// It may be less: what was rehearsed before was not all known any more.
    pub is_most: bool,
}

impl ReplaySums {
    /// One write. `is_new`: of a document in which nothing differed before.
    pub fn add(&mut self, fields: &[FieldDifference], effects: &[JobKind], is_new: bool) {
        self.documents += u64::from(is_new && !fields.is_empty());
        for field in fields {
            *self.fields.entry(field.field.clone()).or_default() += 1;
        }
        for effect in effects {
            *self.effects.entry(*effect).or_default() += 1;
        }
    }

    /// How many documents, in words.
    pub fn documents(&self) -> String {
        let most = if self.is_most { "at most " } else { "" };
        let documents = if self.documents == 1 { "document" } else { "documents" };
        format!("{most}{} {documents}", grouped(self.documents))
    }

    /// The fields, each with how often; nothing if none differs.
    pub fn fields(&self) -> String {
        tallied(self.fields.iter().map(|(field, count)| (field.as_str(), *count)), "nothing")
    }

    /// The effects in these words, each with how often.
    pub fn effects(&self, word: impl Fn(JobKind) -> &'static str) -> String {
        tallied(self.effects.iter().map(|(kind, count)| (word(*kind), *count)), "none")
    }
}

/// What cannot be foreseen, in words.
pub fn unforeseen(asked: u64) -> String {
    let events = if asked == 1 { "event" } else { "events" };
    format!("{} {events}: Clerk would be asked", grouped(asked))
}

fn tallied<'a>(counts: impl Iterator<Item = (&'a str, u64)>, none: &str) -> String {
    let all = counts.map(|(name, count)| format!("{name} {}", grouped(count))).collect::<Vec<_>>().join(", ");
    if all.is_empty() { none.to_owned() } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str) -> FieldDifference {
        FieldDifference { field: name.to_owned(), here: None, clerk: None }
    }

    #[test]
    fn c_7_sums_count_documents_once_and_fields_and_effects_as_often_as_they_are_written() {
        let mut sums = ReplaySums::default();
        assert_eq!(
            [sums.documents(), sums.fields(), sums.effects(JobKind::as_str)],
            ["0 documents", "nothing", "none"]
        );
        sums.add(&[field("firstName"), field("banned")], &[JobKind::Webhook, JobKind::Metadata], true);
        assert_eq!(sums.documents(), "1 document");
        sums.add(&[field("firstName")], &[JobKind::Webhook], false);
        // Confirmed only: that is no difference.
        sums.add(&[], &[JobKind::Metadata], true);
        sums.is_most = true;
        assert_eq!(
            [sums.documents(), sums.fields(), sums.effects(JobKind::as_str)],
            ["at most 1 document", "banned 1, firstName 2", "metadata 2, webhook 2"]
        );
    }
}
