//! How Clerk and we are connected, as its page shows it: the webhook's address, what came through it, which secret signed.
//!
//! No secret is in it. How it is gathered is `server::connection`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Where Clerk delivers.
    pub webhook_url: String,
    pub secrets: Vec<SecretRow>,
    /// The needed ones first, then the last seen.
    pub types: Vec<TypeRow>,
    /// Deliveries of the last hour that no secret of ours has signed.
    pub unverified_in_hour: u64,
    pub inngest: InngestState,
    /// What was found when somebody last asked.
    pub examination: Option<Examination>,
}

/// One webhook secret. The configured ones have a place in the list, from one on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRow {
    pub place: Option<usize>,
    pub fingerprint: String,
    pub first_used_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub advice: String,
    pub is_safe_to_retire: bool,
}

/// One type of event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeRow {
    pub kind: String,
    pub count: u64,
    pub last_seen_at: Option<Timestamp>,
    /// Without it the mirror misses something.
    pub is_needed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InngestState {
    Off,
    /// It may call us.
    On {
        app_id: String,
    },
    /// It is handed what arrives, and carries it out by calls.
    Relaying {
        app_id: String,
    },
}

/// The findings of one look at everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    pub at: Timestamp,
    pub findings: Vec<FindingRow>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingRow {
    pub check: String,
    /// `ok`, `warning` or `bad`.
    pub verdict: String,
    pub seen: String,
    pub fix: Option<String>,
}

/// The steps of a rotation, in order (C-9).
pub const ROTATION: [&str; 5] = [
    "At Clerk, add a second webhook endpoint with the same address and event types. From now on both deliver.",
    "Put its secret beside the old one into CLERK_WEBHOOK_SIGNING_SECRET, separated by a comma, and restart.",
    "Wait until the new secret was used: its last use is shown above.",
    "Delete the old endpoint at Clerk, once its secret is called safe to retire.",
    "Take the old secret out 28 hours after its last use: Clerk's sender repeats for so long.",
];

/// Which of these steps is next, from zero on; none while nothing is being replaced.
pub fn next_rotation_step(secrets: &[SecretRow]) -> Option<usize> {
    let configured: Vec<&SecretRow> = secrets.iter().filter(|secret| secret.place.is_some()).collect();
    match configured.len() {
        0 | 1 => None,
        _ if configured.iter().any(|secret| secret.last_used_at.is_none()) => Some(2),
        _ if configured.iter().any(|secret| secret.is_safe_to_retire && secret.advice.contains("28 hours")) => Some(3),
        _ => Some(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(is_used: bool, advice: &str) -> SecretRow {
        let used_at = is_used.then_some(Timestamp::UNIX_EPOCH);
        SecretRow {
            place: Some(1),
            fingerprint: String::new(),
            first_used_at: used_at,
            last_used_at: used_at,
            advice: advice.to_owned(),
            is_safe_to_retire: advice.starts_with("safe"),
        }
    }

    #[test]
    fn c_9_the_assistant_knows_the_next_step() {
        let (kept, waiting) = (secret(true, "in use"), secret(false, "not used yet"));
        let (old, quiet) = (secret(true, "safe to retire: 28 hours"), secret(true, "safe to retire"));
        let gone = SecretRow { place: None, ..kept.clone() };
        for (secrets, step) in [
            (vec![], None),
            (vec![kept.clone()], None),
            (vec![kept.clone(), gone], None),
            (vec![kept.clone(), waiting], Some(2)),
            (vec![kept.clone(), old], Some(3)),
            (vec![kept, quiet], Some(4)),
        ] {
            assert_eq!(next_rotation_step(&secrets), step, "{secrets:?}");
        }
    }
}
