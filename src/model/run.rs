//! A walk through everybody at Clerk as pages and commands know it: what it is for, how far it is, what it found.
//!
//! Names fields and ids, and values only where they are not personal. Does not know how a run is stored
//! (`server::store::runs`) or carried out (`server::sync::scan`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::audit::TrailRow;
use crate::model::canary::CanaryReport;
use crate::model::finding::{Difference, Skipped};
use crate::model::replay::ReplaySums;

/// So many of those whom one run found to differ, and of those whom it left out, are kept by name; all are counted.
pub const MOST_NAMED: u64 = 10_000;

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// Everybody from Clerk into MongoDB, without looking for what differs first.
    Backfill,
    /// Finds what was missed, deletions too, and mends it.
    Reconcile,
    /// Finds what differs and mends nothing.
    Proof,
    /// A reconciliation of those only who changed since the last.
    CatchUp,
    /// Stored events, carried out again.
    Replay,
}

impl RunKind {
    /// Walks through Clerk's list, which need nothing else to be said.
    pub const WALKS: [Self; 4] = [Self::Backfill, Self::Reconcile, Self::Proof, Self::CatchUp];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backfill => "backfill",
            Self::Reconcile => "reconcile",
            Self::Proof => "proof",
            Self::CatchUp => "catch-up",
            Self::Replay => "replay",
        }
    }
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Somebody is at it; if their process died, another carries on.
    Running,
    /// Waits at its checkpoint until an operator wants it again.
    Paused,
    /// Clerk's list was walked to its end marker, and the counts agree.
    Done,
    /// Walked, but it cannot be called complete: too many deletions, or counts that do not agree.
    Stopped,
    /// Something stood in the way; it can be carried on from its checkpoint.
    Failed,
    Cancelled,
}

impl RunState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Who wanted a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Starter {
    /// An operator, on the command line.
    Command,
    /// The clock.
    Timer,
    /// A call of Inngest's.
    Inngest,
    /// An admin, on a page.
    Page,
}

impl Starter {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Command => "a command",
            Self::Timer => "the clock",
            Self::Inngest => "Inngest",
            Self::Page => "an admin",
        }
    }
}

/// What an operator may want of a run that is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    Pause,
    Cancel,
}

impl Wish {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Cancel => "cancel",
        }
    }
}

/// How a run is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunOptions {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Whoever is gone at Clerk becomes a tombstone, however many they are.
    pub allow_deletions: bool,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunCounts {
    /// People of Clerk's list that were looked at.
    pub seen: u64,
    /// Documents that were added or changed.
    pub written: u64,
    /// Tombstones.
    pub deleted: u64,
    /// Write-backs into Clerk's metadata that were asked for again.
    pub pushed: u64,
    /// People who could not be brought up to date.
    pub skipped: u64,
    pub missing: u64,
    pub differing: u64,
    pub gone: u64,
    pub revived: u64,
    pub unreadable: u64,
    /// People who changed without pause, so that nothing can be said about them.
    pub unsettled: u64,
}

impl RunCounts {
    /// People about whom MongoDB differed from Clerk.
    pub fn differences(&self) -> u64 {
        self.missing + self.differing + self.gone + self.revived + self.unreadable
    }
}

/// Both counts at one moment, of people who joined before the run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub clerk: u64,
    pub here: u64,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    pub id: String,
    pub kind: RunKind,
    pub state: RunState,
    pub starter: Starter,
    pub options: RunOptions,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// People at Clerk when it began; of a replay, events.
    pub total: u64,
    pub per_second: u64,
    pub remaining_seconds: Option<u64>,
    /// What a replay is about, and whether others are told of what it changes.
    pub about: Option<String>,
    pub counts: RunCounts,
    pub counted: Option<Counted>,
    /// How often each field differed.
    pub fields: BTreeMap<String, u64>,
    /// What a replay changed, or would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums: Option<ReplaySums>,
    /// Those of this page; none where runs are only listed.
    pub differences: Vec<Difference>,
    /// After whom the next page begins, if there are more.
    pub next: Option<String>,
    /// Those of this page; none where runs are only listed.
    pub skipped: Vec<Skipped>,
    /// After which the next page of these begins, if there are more.
    pub next_skipped: Option<String>,
    /// Why it is not done, in codes.
    pub cause: Option<String>,
    /// All of it in one line.
    pub statement: String,
}

/// What `status` shows: the run that is going on, the last word on whether MongoDB equals Clerk, and the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunsOverview {
    pub as_of: Timestamp,
    pub current: Option<RunReport>,
    pub proof: Option<RunReport>,
    /// The canary's last touch, where there is a canary.
    pub canary: Option<CanaryReport>,
    /// The newest first.
    pub history: Vec<RunReport>,
}

/// One run and its trail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunDetail {
    pub run: RunReport,
    /// Who began, paused, resumed or cancelled it, and why; the oldest first.
    pub trail: Vec<TrailRow>,
}

/// A page of the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunsPage {
    /// The one that is going on.
    pub current: Option<RunReport>,
    /// The newest first.
    pub runs: Vec<RunReport>,
    /// Before which to go on, if there are more.
    pub next: Option<Timestamp>,
}

impl RunReport {
    /// Whether everything that the run was for is done: nothing differs (any more), and nobody was skipped.
    pub fn is_clean(&self) -> bool {
        let mends = matches!(self.kind, RunKind::Backfill | RunKind::Reconcile | RunKind::CatchUp);
        let left = if mends && !self.options.dry_run { 0 } else { self.counts.differences() };
        self.state == RunState::Done && left + self.counts.skipped + self.counts.unsettled == 0
    }

    /// The run in one line.
    pub fn describe(&self) -> String {
        let RunCounts { seen, written, deleted, pushed, skipped, unsettled, .. } = self.counts;
        let differences = self.counts.differences();
        let cause = self.cause.as_deref().unwrap_or("no cause was kept");
        match (self.state, self.kind) {
            (RunState::Running, _) => format!("{} is going on: {seen} of {}", self.kind.as_str(), self.total),
            (RunState::Paused, _) => format!("{} is paused at {seen} of {}", self.kind.as_str(), self.total),
            (RunState::Cancelled, _) => format!("{} was cancelled at {seen} of {}", self.kind.as_str(), self.total),
            (RunState::Stopped | RunState::Failed, _) => {
                format!("{} {} at {seen} of {}: {cause}", self.kind.as_str(), self.state.as_str(), self.total)
            }
            (RunState::Done, RunKind::Proof) if differences + unsettled == 0 => {
                format!("MongoDB equals Clerk as of {}: {} people, 0 differences", self.started_at, self.people())
            }
            (RunState::Done, RunKind::Proof) => format!(
                "MongoDB differs from Clerk as of {}: {differences} of {} people, {unsettled} unsettled",
                self.started_at,
                self.people(),
            ),
            (RunState::Done, RunKind::Backfill) => {
                format!("backfill done: {} people, {written} written, {skipped} skipped", self.people())
            }
            (RunState::Done, RunKind::Replay) => format!(
                "replay {}: {seen} events, {written} {}, {skipped} could not be",
                if self.options.dry_run { "rehearsed" } else { "done" },
                if self.options.dry_run { "would change something" } else { "changed something" },
            ),
            (RunState::Done, _) if self.options.dry_run => {
                let but = self.cause.as_ref().map(|cause| format!("; {cause}")).unwrap_or_default();
                format!("{} would mend {differences} of {} people{but}", self.kind.as_str(), self.people())
            }
            (RunState::Done, _) => format!(
                "{} done: {} people, {differences} differed; {written} written, {deleted} deleted, {pushed} pushed to \
                 Clerk, {skipped} skipped",
                self.kind.as_str(),
                self.people(),
            ),
        }
    }

    /// Whom it is about, by Clerk's count where there is one.
    pub fn people(&self) -> u64 {
        self.counted.map_or(self.counts.seen, |counted| counted.clerk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(kind: RunKind, state: RunState) -> RunReport {
        RunReport {
            id: "run".to_owned(),
            kind,
            state,
            starter: Starter::Command,
            options: RunOptions::default(),
            started_at: Timestamp::UNIX_EPOCH,
            finished_at: None,
            total: 9,
            per_second: 0,
            remaining_seconds: None,
            about: None,
            counts: RunCounts { seen: 9, ..RunCounts::default() },
            counted: Some(Counted { clerk: 8, here: 8 }),
            fields: BTreeMap::new(),
            sums: None,
            differences: Vec::new(),
            next: None,
            skipped: Vec::new(),
            next_skipped: None,
            cause: None,
            statement: String::new(),
        }
    }

    #[test]
    fn c_1_a_proof_says_equal_only_when_it_is_done_and_nothing_differs() {
        let proof = report(RunKind::Proof, RunState::Done);
        assert!(proof.is_clean());
        assert_eq!(proof.describe(), "MongoDB equals Clerk as of 1970-01-01T00:00:00Z: 8 people, 0 differences");
        for counts in [RunCounts { gone: 1, ..proof.counts }, RunCounts { unsettled: 1, ..proof.counts }] {
            let differs = RunReport { counts, ..proof.clone() };
            assert!(!differs.is_clean() && differs.describe().starts_with("MongoDB differs from Clerk as of"));
        }
        for state in [RunState::Running, RunState::Paused, RunState::Stopped, RunState::Failed, RunState::Cancelled] {
            let other = report(RunKind::Proof, state);
            assert!(!other.is_clean() && !other.describe().contains("equals"), "{}", other.describe());
        }
    }

    #[test]
    fn a_reconciliation_is_clean_when_all_it_found_is_mended_and_a_dry_one_when_it_found_nothing() {
        let mut run = report(RunKind::Reconcile, RunState::Done);
        run.counts.missing = 3;
        assert!(run.is_clean());
        run.options.dry_run = true;
        assert!(!run.is_clean() && run.describe() == "reconcile would mend 3 of 8 people");
        run.options.dry_run = false;
        run.counts.skipped = 1;
        assert!(!run.is_clean());
    }
}
