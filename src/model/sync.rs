//! What the sync page shows: the mirror at one moment, and the same numbers as texts that a script can put in their places.
//!
//! Numbers only; how they are gathered is `server::sync::status`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::alert::AlertRow;
use crate::model::canary::CanaryReport;
use crate::model::event::{EventRow, EventState};
use crate::model::health::{Judgement, grouped, milliseconds};
use crate::model::job::EffectCount;
use crate::model::quantity::{at_least, span};

/// The mirror at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncOverview {
    /// When the numbers were read.
    pub as_of: Timestamp,
    #[serde(flatten)]
    pub judgement: Judgement,
    /// Those that are open, the last seen first.
    pub alerts: Vec<AlertRow>,
    pub counts: Vec<StateCount>,
    /// Deliveries of an event that was already stored.
    pub redeliveries: u64,
    pub people: u64,
    pub deleted_people: u64,
    pub last_received_at: Option<Timestamp>,
    /// Events that wait for an attempt: those received, and those failed.
    pub backlog: u64,
    pub oldest_pending_at: Option<Timestamp>,
    /// Of the last hour.
    pub lag: Lag,
    /// Deliveries that were acknowledged in the last hour.
    pub received_in_hour: u64,
    /// Attempts at events.
    pub success_in_hour: Success,
    pub success_in_day: Success,
    pub effects: Vec<EffectCount>,
    pub clerk: ClerkCalls,
    /// The last word on whether MongoDB equals Clerk.
    pub proof: Option<ProofLine>,
    /// The canary's last touch, where there is a canary.
    pub canary: Option<CanaryReport>,
    pub instances: Vec<Instance>,
    /// How far Clerk is connected.
    pub steps: Steps,
    /// Where Clerk has to deliver.
    pub webhook_url: String,
    /// The newest first, at most 50.
    pub events: Vec<EventRow>,
}

/// How many events are in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCount {
    pub state: EventState,
    pub count: u64,
    /// There are more than were counted.
    #[serde(default)]
    pub is_more: bool,
}

impl StateCount {
    pub fn text(self) -> String {
        at_least(self.count, self.is_more)
    }
}

/// From the event at Clerk to MongoDB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lag {
    pub p50_ms: Option<u64>,
    pub p95_ms: Option<u64>,
    pub p99_ms: Option<u64>,
}

/// How many attempts of a time ended well: applied, or found that nothing was to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    pub well: u64,
    pub of: u64,
}

impl Success {
    /// `99.8 %`, never more than it is: all is said only of all.
    pub fn rate(self) -> String {
        let Self { well, of } = self;
        if of == 0 {
            return "–".to_owned();
        }
        let tenths = well.saturating_mul(1_000) / of;
        let rest = if tenths.is_multiple_of(10) { String::new() } else { format!(".{}", tenths % 10) };
        format!("{}{rest} %", tenths / 10)
    }

    /// With how many there were.
    pub fn text(self) -> String {
        if self.of == 0 { "no event".to_owned() } else { format!("{} of {}", self.rate(), grouped(self.of)) }
    }
}

/// What all processes together may ask of Clerk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClerkCalls {
    /// Calls that can be made in the next ten seconds.
    pub left: u64,
    pub of: u64,
    /// Clerk only fails and is left alone for a while.
    pub is_circuit_open: bool,
}

/// A proof in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofLine {
    pub run_id: String,
    pub statement: String,
    pub is_clean: bool,
    pub differences: u64,
}

/// One process at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub id: String,
    pub version: String,
    pub started_at: Timestamp,
    pub seen_at: Timestamp,
    pub inbox_free: u64,
}

/// The three steps from an empty database to a mirror.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// Clerk took the secret key for a call.
    pub has_keys: bool,
    /// A delivery that a secret of ours has signed came.
    pub has_endpoint: bool,
    /// Somebody was synced who did not come by looking at the page, or everybody was proved.
    pub has_people: bool,
}

impl Steps {
    pub fn are_done(self) -> bool {
        self.has_keys && self.has_endpoint && self.has_people
    }
}

impl SyncOverview {
    pub fn count(&self, state: EventState) -> u64 {
        self.counts.iter().find(|row| row.state == state).map_or(0, |row| row.count)
    }

    /// Every number as it is shown, by the name of its place on the page. A moment is in ISO 8601.
    pub fn figures(&self) -> Vec<(String, String)> {
        let or_none = |ms: Option<u64>| ms.map_or_else(|| "–".to_owned(), milliseconds);
        let moment = |at: Option<Timestamp>| at.map(machine).unwrap_or_default();
        let step = |is_done: bool| if is_done { "done" } else { "to do" }.to_owned();
        let mut figures = vec![
            ("word", self.judgement.health.as_str().to_owned()),
            ("reason", self.judgement.reason.clone()),
            ("next", self.judgement.next_step.clone()),
            ("as-of", machine(self.as_of)),
            ("proof", self.proof_text()),
            ("proof-text", self.proof_link_text().to_owned()),
            ("redelivered", grouped(self.redeliveries)),
            ("people", grouped(self.people)),
            ("deleted", grouped(self.deleted_people)),
            ("last-event", moment(self.last_received_at)),
            ("last-ago", self.last_event_text()),
            ("backlog", self.backlog_text()),
            ("oldest", self.oldest_text()),
            ("p50", or_none(self.lag.p50_ms)),
            ("p95", or_none(self.lag.p95_ms)),
            ("p99", or_none(self.lag.p99_ms)),
            ("received-in-hour", grouped(self.received_in_hour)),
            ("rate-hour", self.success_in_hour.rate()),
            ("of-hour", grouped(self.success_in_hour.of)),
            ("success-day", self.success_in_day.text()),
            ("clerk", self.clerk_text()),
            ("clerk-left", grouped(self.clerk.left)),
            ("drift", self.drift_text().to_owned()),
            ("drift-number", self.drift_number()),
            ("differing", self.differing().to_string()),
            ("canary", self.canary_text()),
            ("instances", grouped(self.instances.len() as u64)),
            ("step-keys", step(self.steps.has_keys)),
            ("step-endpoint", step(self.steps.has_endpoint)),
            ("step-people", step(self.steps.has_people)),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), text))
        .collect::<Vec<_>>();
        figures.extend(self.counts.iter().map(|row| (format!("event-{}", row.state.as_str()), row.text())));
        figures.extend(self.effects.iter().map(|row| (format!("effect-{}", row.state.as_str()), row.text())));
        figures
    }

    pub fn backlog_text(&self) -> String {
        let waits = |state: EventState| matches!(state, EventState::Received | EventState::Failed);
        at_least(self.backlog, self.counts.iter().any(|row| row.is_more && waits(row.state)))
    }

    pub fn proof_text(&self) -> String {
        self.proof.as_ref().map_or_else(
            || "Nothing was proved yet: a proof compares everybody in MongoDB with Clerk.".to_owned(),
            |proof| proof.statement.clone(),
        )
    }

    /// Where the last proof is, or the next is begun.
    pub fn proof_path(&self) -> String {
        let runs = "/admin/sync/runs";
        self.proof.as_ref().map_or_else(|| runs.to_owned(), |proof| format!("{runs}/{}", proof.run_id))
    }

    pub fn proof_link_text(&self) -> &'static str {
        if self.proof.is_some() { "Look at the proof" } else { "Prove it" }
    }

    /// People about whom MongoDB differed from Clerk by the last proof.
    pub fn differing(&self) -> u64 {
        self.proof.as_ref().map_or(0, |proof| proof.differences)
    }

    pub fn drift_number(&self) -> String {
        self.proof.as_ref().map_or_else(|| "–".to_owned(), |proof| grouped(proof.differences))
    }

    /// What the number is of.
    pub fn drift_text(&self) -> &'static str {
        match &self.proof {
            None => "not known before the first proof",
            Some(proof) if proof.differences == 1 => "person differed from Clerk by the last proof",
            Some(_) => "people differed from Clerk by the last proof",
        }
    }

    /// How long ago the last event arrived.
    pub fn last_event_text(&self) -> String {
        match self.last_received_at {
            None => "–".to_owned(),
            Some(at) if self.as_of.duration_since(at).as_secs() < 1 => "now".to_owned(),
            Some(at) => format!("{} ago", self.since(at)),
        }
    }

    /// For how long the oldest waits.
    pub fn oldest_text(&self) -> String {
        self.oldest_pending_at
            .map_or_else(|| "nothing waits".to_owned(), |at| format!("the oldest waits for {}", self.since(at)))
    }

    fn since(&self, at: Timestamp) -> String {
        span(self.as_of.duration_since(at).as_secs().max(0).unsigned_abs())
    }

    pub fn canary_text(&self) -> String {
        self.canary.as_ref().map_or_else(|| "Not touched yet.".to_owned(), |canary| canary.statement.clone())
    }

    pub fn clerk_text(&self) -> String {
        let ClerkCalls { of, is_circuit_open, .. } = self.clerk;
        if is_circuit_open {
            "calls left, but Clerk only fails, and is left alone for a while".to_owned()
        } else {
            format!("of {} calls in 10 s left", grouped(of))
        }
    }
}

fn machine(at: Timestamp) -> String {
    at.round(jiff::Unit::Second).unwrap_or(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_01_a_rate_of_success_is_whole_only_when_nothing_failed() {
        let text = |well, of| Success { well, of }.text();
        assert_eq!([text(0, 0), text(7, 7), text(0, 3)], ["no event", "100 % of 7", "0 % of 3"]);
        assert_eq!(Success::default().rate(), "–");
        assert_eq!([text(9_999, 10_000), text(995, 1_000)], ["99.9 % of 10\u{202f}000", "99.5 % of 1\u{202f}000"]);
    }
}
