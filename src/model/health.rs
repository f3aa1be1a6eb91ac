//! How the mirror is, in one word, with its reason and what to do next (E-01).
//!
//! Pure: from signs that somebody gathered (`server::sync::status`) to a judgement.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::model::alert::AlertRow;

/// One word for the whole mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// Nothing has arrived yet.
    Waiting,
    Healthy,
    /// Events wait longer than they should.
    Behind,
    /// Something could not be done.
    Degraded,
    /// Nothing arrives, although something should.
    Silent,
    /// Nothing can be right until somebody does something.
    Broken,
}

impl Health {
    /// An event that waits longer than this, in seconds, makes the mirror `Behind`.
    pub const BEHIND_AFTER_SECONDS: i64 = 10;
    /// What is wrong is counted no further when somebody looks; from here on it is at least so much.
    pub const COUNTED: u64 = 1_000;

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Healthy => "Healthy",
            Self::Behind => "Behind",
            Self::Degraded => "Degraded",
            Self::Silent => "Silent",
            Self::Broken => "Broken",
        }
    }
}

/// Why nothing arrives, most likely (C-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SilenceCause {
    /// Not even attempts.
    NothingArrives,
    /// Deliveries come and are signed by a secret that is not ours.
    WrongSecret,
    /// Deliveries come, and we fail to take them.
    Refused,
    /// We failed to take deliveries and none comes any more: the sender gives such an endpoint up.
    EndpointDisabled,
    /// Others come; the one that must come did not in time.
    Late,
    /// Deliveries come that are too old by our clock, or yet to come.
    ClockSkew,
    /// Something comes, without what proves that it is a delivery.
    Altered,
}

impl SilenceCause {
    pub const ALL: [Self; 7] = [
        Self::NothingArrives,
        Self::WrongSecret,
        Self::Refused,
        Self::EndpointDisabled,
        Self::Late,
        Self::ClockSkew,
        Self::Altered,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::NothingArrives => "nothing-arrives",
            Self::WrongSecret => "wrong-secret",
            Self::Refused => "refused",
            Self::EndpointDisabled => "endpoint-disabled",
            Self::Late => "late",
            Self::ClockSkew => "clock-skew",
            Self::Altered => "altered",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }

    /// What it means, in a few words.
    pub fn headline(self) -> &'static str {
        match self {
            Self::Late => "The canary's webhook is late",
            _ => "No event arrives any more",
        }
    }

    pub fn explanation(self) -> &'static str {
        match self {
            Self::NothingArrives => "Not even an attempt reaches this address.",
            Self::WrongSecret => "Deliveries come, and none is signed by a secret that is configured here.",
            Self::Refused => "Deliveries come, and none can be taken here.",
            Self::EndpointDisabled => {
                "Deliveries failed here before; Clerk switches an endpoint off that keeps failing."
            }
            Self::Late => "The canary's webhook did not come back in time, although others come.",
            Self::ClockSkew => "Deliveries come, and by this machine's clock they are too old or yet to come.",
            Self::Altered => {
                "Requests come, and what proves a delivery is missing: something on the way may take it off."
            }
        }
    }

    pub fn advice(self) -> &'static str {
        match self {
            Self::NothingArrives => "Check the connection, then the endpoint's address and state in Clerk's dashboard.",
            Self::WrongSecret => "Copy the endpoint's signing secret into CLERK_WEBHOOK_SIGNING_SECRET and restart.",
            Self::Refused => "Look at MongoDB, the log and `rollcall doctor`; Clerk repeats for 28 hours.",
            Self::EndpointDisabled => {
                "Enable the endpoint again in Clerk's dashboard under Webhooks; what was missed is caught up."
            }
            Self::Late => {
                "See that the endpoint in Clerk's dashboard is subscribed to user.updated, and how late its attempts are."
            }
            Self::ClockSkew => "Synchronise the clock (NTP); `rollcall doctor` says how far it is from Clerk's.",
            Self::Altered => {
                "See that the proxy in front passes the svix-… headers and the body as they are; `rollcall doctor` sends a probe."
            }
        }
    }
}

/// A judgement with its reason and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    pub health: Health,
    pub reason: String,
    pub next_step: String,
    /// Where to do it.
    pub link: Option<String>,
}

/// What a judgement is made from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each sign is so or not")]
pub struct Signs {
    /// Whether anything ever arrived, or was fetched.
    pub has_begun: bool,
    /// Somebody sends deliveries that no secret of ours has signed.
    pub refuses_all: bool,
    pub has_secret: bool,
    pub is_key_refused: bool,
    pub is_circuit_open: bool,
    pub failed: u64,
    pub dead: u64,
    /// Effects that were given up, or may have happened.
    pub lost_effects: u64,
    /// The receiver of our webhook wants no more.
    pub is_endpoint_gone: bool,
    /// People about whom MongoDB differed from Clerk by the last proof.
    pub drift: u64,
    /// Its id.
    pub proof_id: Option<String>,
    /// Something was mended since.
    pub is_mended: bool,
    /// What the last proof said, if it found nothing to differ and cannot say that nothing does.
    pub unproved: Option<String>,
    /// One that is open and that none of the others is a sign of.
    pub alert: Option<AlertRow>,
    pub backlog: u64,
    pub oldest_pending_seconds: i64,
    pub silence: Option<(SilenceCause, i64)>,
}

impl Signs {
    pub fn judge(&self) -> Judgement {
        self.broken()
            .or_else(|| (!self.has_begun).then(waiting))
            .or_else(|| self.silent())
            .or_else(|| self.degraded())
            .or_else(|| self.behind())
            .unwrap_or_else(|| {
                judgement(
                    Health::Healthy,
                    "Every event that arrived has been dealt with.",
                    "There is nothing to do.",
                    None,
                )
            })
    }

    fn broken(&self) -> Option<Judgement> {
        let (reason, next_step, link) = if !self.has_secret {
            (
                "No webhook secret is configured, so no delivery can be believed.",
                "Copy the endpoint's signing secret into CLERK_WEBHOOK_SIGNING_SECRET and restart.",
                "/admin/sync/connection",
            )
        } else if self.is_key_refused {
            (
                "Clerk refuses the secret key, so nobody can be looked up or repaired.",
                "Copy CLERK_SECRET_KEY again from Clerk's dashboard and restart.",
                "/admin/sync/connection",
            )
        } else if self.refuses_all {
            (SilenceCause::WrongSecret.explanation(), SilenceCause::WrongSecret.advice(), "/admin/sync/connection")
        } else {
            return None;
        };
        Some(judgement(Health::Broken, reason, next_step, Some(link)))
    }

    fn silent(&self) -> Option<Judgement> {
        let (cause, seconds) = self.silence?;
        let quiet = format!("No event for {}. ", duration(seconds));
        let quiet = if cause == SilenceCause::Late { "" } else { quiet.as_str() };
        let reason = format!("{quiet}{}", cause.explanation());
        Some(judgement(Health::Silent, &reason, cause.advice(), Some("/admin/sync/connection")))
    }

    fn degraded(&self) -> Option<Judgement> {
        let proof = format!("/admin/sync/runs/{}", self.proof_id.as_deref().unwrap_or_default());
        let (reason, next_step, link) = if self.dead > 0 {
            (
                at_least_counted(self.dead, "event was", "events were", "given up."),
                "Mend the cause, then replay.",
                "/admin/sync/failures",
            )
        } else if self.failed > 0 {
            (
                at_least_counted(self.failed, "event", "events", "could not be applied yet."),
                "Each is tried again by itself; the cause is named there.",
                "/admin/sync/failures",
            )
        } else if self.lost_effects > 0 {
            (
                at_least_counted(self.lost_effects, "effect was", "effects were", "given up, or may have happened."),
                "Look at the cause, then retry or discard.",
                "/admin/sync/effects",
            )
        } else if self.is_endpoint_gone {
            (
                "The receiver of our webhook said that it is gone.".to_owned(),
                "Correct ROLLCALL_WEBHOOK_URL, or run `rollcall webhook on`.",
                "/admin/sync/effects",
            )
        } else if self.drift > 0 {
            (
                counted(self.drift, "person differs", "people differ", "from Clerk by the last proof."),
                if self.is_mended {
                    "Some of it was mended since: prove it."
                } else {
                    "Look at the differences: mend each, or reconcile. Then prove it."
                },
                proof.as_str(),
            )
        } else if let Some(alert) = &self.alert {
            let reason = format!("{}.", alert.headline());
            return Some(judgement(Health::Degraded, &reason, &alert.advice(), Some(alert.path())));
        } else if let Some(statement) = &self.unproved {
            (
                format!("Nothing is known to differ, and it is not proved: {statement}."),
                "Look at why, then prove it anew.",
                &*proof,
            )
        } else if self.is_circuit_open {
            (
                "Clerk fails again and again and is left alone for a while.".to_owned(),
                "Nothing is lost: what needs Clerk waits. See status.clerk.com.",
                "/admin/sync/connection",
            )
        } else {
            return None;
        };
        Some(judgement(Health::Degraded, &reason, next_step, Some(link)))
    }

    fn behind(&self) -> Option<Judgement> {
        (self.oldest_pending_seconds > Health::BEHIND_AFTER_SECONDS).then(|| {
            let waiting = at_least_counted(self.backlog, "event waits", "events wait", "");
            let oldest = duration(self.oldest_pending_seconds);
            judgement(
                Health::Behind,
                &format!("{}, the oldest for {oldest}.", waiting.trim_end()),
                "It is worked off by itself. If it grows, look at MongoDB's load and start another process.",
                Some("/admin/sync/events?state=waiting"),
            )
        })
    }
}

fn waiting() -> Judgement {
    judgement(Health::Waiting, "No event has arrived yet.", "Connect Clerk in three steps, below.", None)
}

fn judgement(health: Health, reason: &str, next_step: &str, link: Option<&str>) -> Judgement {
    Judgement { health, reason: reason.to_owned(), next_step: next_step.to_owned(), link: link.map(str::to_owned) }
}

fn counted(count: u64, one: &str, many: &str, rest: &str) -> String {
    format!("{} {} {rest}", grouped(count), if count == 1 { one } else { many })
}

/// The same of what is counted only so far.
fn at_least_counted(count: u64, one: &str, many: &str, rest: &str) -> String {
    // Beyond what is counted at once it is a total of some minutes ago.
    let least = match count.cmp(&Health::COUNTED) {
        Ordering::Less => "",
        Ordering::Equal => "At least ",
        Ordering::Greater => "About ",
    };
    format!("{least}{}", counted(count, one, many, rest))
}

/// `1 234 567`, with spaces that do not break.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// In the largest unit that it fills.
pub fn duration(seconds: i64) -> String {
    let (count, unit) = match seconds {
        ..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// A time in milliseconds as people read it.
pub fn milliseconds(ms: u64) -> String {
    match ms {
        ..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        _ => format!("{} h", ms / 3_600_000),
    }
}

#[cfg(test)]
mod tests;
