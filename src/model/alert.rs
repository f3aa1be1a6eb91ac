//! Something that needs an operator, as pages know it: what it is, since when, how often.
//!
//! Carries no personal value. Does not know how a group is stored (`server::store::alerts`) or told (`server::jobs`).

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::health::SilenceCause;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlertKind {
    /// Events whose last attempt failed; another will follow.
    EventsFailing,
    /// Events that were given up.
    EventsDead,
    /// Effects that were given up, or may have happened.
    JobsDead,
    /// No event has arrived for a long time, although some came before.
    Silence,
    /// Clerk refuses the secret key.
    KeyRefused,
    /// The receiver of our webhook says that it is gone for good.
    EndpointGone,
    /// MongoDB and Clerk differ.
    Drift,
    /// A reconciliation found more people gone than can be true, and deleted nobody.
    DeletionsHeld,
    /// For much longer than was wanted, nobody could say whether MongoDB equals Clerk.
    ProofOld,
}

impl AlertKind {
    pub const ALL: [Self; 9] = [
        Self::EventsFailing,
        Self::EventsDead,
        Self::JobsDead,
        Self::Silence,
        Self::KeyRefused,
        Self::EndpointGone,
        Self::Drift,
        Self::DeletionsHeld,
        Self::ProofOld,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsFailing => "events-failing",
            Self::EventsDead => "events-dead",
            Self::JobsDead => "jobs-dead",
            Self::Silence => "silence",
            Self::KeyRefused => "key-refused",
            Self::EndpointGone => "endpoint-gone",
            Self::Drift => "drift",
            Self::DeletionsHeld => "deletions-held",
            Self::ProofOld => "proof-old",
        }
    }

    /// What it means, in one line.
    pub fn headline(self) -> &'static str {
        match self {
            Self::EventsFailing => "Events cannot be applied",
            Self::EventsDead => "Events were given up",
            Self::JobsDead => "Effects were given up",
            Self::Silence => "No event arrives any more",
            Self::KeyRefused => "Clerk refuses the secret key",
            Self::EndpointGone => "The receiver of our webhook is gone",
            Self::Drift => "MongoDB and Clerk differ",
            Self::DeletionsHeld => "More people are gone at Clerk than can be true",
            Self::ProofOld => "Not known for a long time whether MongoDB equals Clerk",
        }
    }

    /// What to do next.
    pub fn advice(self) -> &'static str {
        match self {
            Self::EventsFailing => "They are tried again by themselves. The sync page names the cause.",
            Self::EventsDead => "Nothing happens to them by itself. Mend the cause on the sync page, then replay them.",
            Self::JobsDead => "Look at the jobs that are dead or unsure: each keeps its cause.",
            Self::Silence => "Look at the webhook endpoint's page at Clerk: its address, its secret, its failures.",
            Self::KeyRefused => "Copy CLERK_SECRET_KEY again from Clerk's dashboard; it may have been rotated.",
            Self::EndpointGone => {
                "Nothing is sent to it any more. Correct ROLLCALL_WEBHOOK_URL, or run `rollcall webhook on`."
            }
            Self::Drift => "Run a reconciliation and look at what it finds.",
            Self::DeletionsHeld => {
                "Nobody was deleted. See that CLERK_SECRET_KEY is of the right instance; then reconcile with --allow-deletions."
            }
            Self::ProofOld => "Look at the last runs: each that failed or was stopped says why.",
        }
    }
}

/// What tells deliveries that nobody can read, not even to say whose they are, from other events that were given up.
pub const UNREADABLE: &str = "unreadable-deliveries";

/// Whether it still is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    Open,
    Closed,
}

impl AlertState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// One line of the list of alerts that are open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertRow {
    pub kind: AlertKind,
    /// What distinguishes it from others of its kind, in codes.
    pub cause: String,
    pub count: u64,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub causes: Causes,
    /// Nobody is told of it before.
    #[serde(default)]
    pub muted_until: Option<Timestamp>,
}

/// Why that is so, as failures are grouped: nothing but for events that could not be applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Causes {
    /// The most frequent first: a few of them.
    pub leading: Vec<Cause>,
    /// How many more causes there are.
    pub others: u64,
}

/// One of them, in codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    pub cause: String,
    pub count: u64,
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
}

/// Why nothing arrives, if that is what it is about.
pub fn silence_of(kind: AlertKind, cause: &str) -> Option<SilenceCause> {
    SilenceCause::named(cause).filter(|_| kind == AlertKind::Silence)
}

/// What to do; of silence, why it is so, too.
pub fn advice_on(kind: AlertKind, cause: &str) -> Cow<'static, str> {
    match silence_of(kind, cause) {
        Some(cause) => format!("{} {}", cause.explanation(), cause.advice()).into(),
        None => kind.advice().into(),
    }
}

impl AlertRow {
    pub fn headline(&self) -> &'static str {
        if self.is_unreadable() {
            return "Deliveries that were acknowledged cannot be read";
        }
        silence_of(self.kind, &self.cause).map_or(self.kind.headline(), SilenceCause::headline)
    }

    pub fn advice(&self) -> Cow<'static, str> {
        if self.is_unreadable() {
            return "What they said cannot be replayed. Reconcile: that brings it from Clerk.".into();
        }
        advice_on(self.kind, &self.cause)
    }

    /// Where something can be done about it.
    pub fn path(&self) -> &'static str {
        match self.kind {
            AlertKind::EventsDead if self.is_unreadable() => "/admin/sync/runs",
            AlertKind::EventsFailing | AlertKind::EventsDead => "/admin/sync/failures",
            AlertKind::JobsDead | AlertKind::EndpointGone => "/admin/sync/effects",
            AlertKind::Silence | AlertKind::KeyRefused => "/admin/sync/connection",
            AlertKind::Drift | AlertKind::DeletionsHeld | AlertKind::ProofOld => "/admin/sync/runs",
        }
    }

    fn is_unreadable(&self) -> bool {
        self.kind == AlertKind::EventsDead && self.cause == UNREADABLE
    }

    /// Whether nothing else that the mirror is judged by says it, and sooner.
    pub fn is_untold(&self) -> bool {
        match self.kind {
            AlertKind::EventsFailing
            | AlertKind::JobsDead
            | AlertKind::Silence
            | AlertKind::KeyRefused
            | AlertKind::EndpointGone => false,
            AlertKind::EventsDead => self.is_unreadable(),
            AlertKind::Drift | AlertKind::DeletionsHeld | AlertKind::ProofOld => true,
        }
    }
}
