//! Failures by their cause: how many, whom they concern, and what to do about each.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::event::EventState;

/// The states of events that could not be applied.
pub const FAILURES: [EventState; 2] = [EventState::Failed, EventState::Dead];

/// A decision without how often it was tried: `attempt 3 failed: MongoDB is away`.
pub fn cause_of(decision: &str) -> &str {
    let tried = |before: &str, after: &str| {
        let (count, cause) = decision.strip_prefix(before)?.split_once(after)?;
        (!count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit())).then_some(cause)
    };
    tried("attempt ", " failed: ").or_else(|| tried("given up after ", " attempts: ")).unwrap_or(decision)
}

/// Events that failed for the same cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRow {
    pub cause: String,
    /// Will be tried again.
    pub failed: u64,
    /// Given up.
    pub dead: u64,
    pub people: u64,
    /// When one of them failed: of each, the last attempt.
    pub first_seen_at: Timestamp,
    pub last_seen_at: Timestamp,
    /// Nobody is told of it until then.
    pub muted_until: Option<Timestamp>,
    /// Clerk's id of whoever wanted that.
    pub muted_by: Option<String>,
}

/// All of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// The last seen first.
    pub groups: Vec<FailureRow>,
    /// Only so many of the newest failures were looked at.
    pub most: u64,
}

/// For how many hours a cause can be muted, and in words.
pub const MUTES: [(u16, &str); 4] = [(1, "1 hour"), (8, "8 hours"), (24, "1 day"), (168, "1 week")];

/// What to do about a cause.
pub fn advice(cause: &str) -> &'static str {
    const KNOWN: [(&str, &str); 10] = [
        (
            "MongoDB is away",
            "MongoDB did not answer. Events are tried again by themselves as soon as it does; see `rollcall doctor`.",
        ),
        (
            "MongoDB refused (code 121)",
            "A validator on the collection users that is not ours refuses the document. Correct the validator, then replay.",
        ),
        (
            "MongoDB refused (code 11000)",
            "A unique index that is not ours stands in the way. Remove it or the document that it belongs to, then replay.",
        ),
        (
            "MongoDB refused",
            "MongoDB will not have the document. `rollcall doctor` checks rights and indexes; then replay.",
        ),
        ("Clerk is away", "Clerk did not answer. Events are tried again by themselves as soon as it does."),
        ("Clerk refused the secret key", "Put a valid key into CLERK_SECRET_KEY and start again, then replay."),
        ("Clerk refused", "Clerk would not say how the person is now. See its code, mend that at Clerk, then replay."),
        (
            "the stored document cannot be read",
            "Somebody else wrote to the person's document. Correct or remove it in MongoDB, then replay.",
        ),
        ("changed by others without pause", "Something writes to this person all the time. Find it, then replay."),
        (
            "the payload cannot be read",
            "Clerk sent something we do not understand. Look at the payload, and report it with the event's id.",
        ),
    ];
    let known = KNOWN.iter().find(|(beginning, _)| cause.starts_with(beginning));
    known.map_or("Look at one of them. When its cause is mended, replay all.", |(_, advice)| advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_32_the_cause_is_what_all_attempts_share() {
        for (decision, cause) in [
            ("attempt 3 failed: MongoDB is away", "MongoDB is away"),
            ("given up after 12 attempts: Clerk refused (422 a): b", "Clerk refused (422 a): b"),
            ("attempt 1 failed", "attempt 1 failed"),
            ("attempt no failed: x", "attempt no failed: x"),
            ("the payload cannot be read", "the payload cannot be read"),
        ] {
            assert_eq!(cause_of(decision), cause);
        }
    }

    #[test]
    fn e_03_every_cause_comes_with_what_to_do_and_the_closest_is_taken() {
        assert!(advice("MongoDB refused (code 121)").contains("validator"));
        assert!(advice("MongoDB refused (code 11000)").contains("unique index"));
        assert!(advice("MongoDB refused (code 2)").contains("doctor"));
        assert!(advice("Clerk refused the secret key").contains("CLERK_SECRET_KEY"));
        assert!(advice("Clerk refused (422 form_param)").contains("code"));
        assert!(advice("never heard of").contains("replay all"));
    }
}
