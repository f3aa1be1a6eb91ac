//! What carrying events out again would do, as pages show it before anybody decides.

use serde::{Deserialize, Serialize};

use crate::model::event::{EventRow, EventState};
use crate::model::job::JobKind;
use crate::model::run::FieldDifference;

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
    /// The newest of them.
    pub rehearsals: Vec<Rehearsal>,
}

impl ReplayPreview {
    pub fn changes(&self) -> usize {
        self.rehearsals.iter().filter(|rehearsal| rehearsal.state == EventState::Applied).count()
    }

    pub fn effects(&self) -> usize {
        self.rehearsals.iter().map(|rehearsal| rehearsal.effects.len()).sum()
    }
}
