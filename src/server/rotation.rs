//! Which webhook secret is in use, and when an old one can go (C-9, D7-03).
//!
//! Every delivery that verifies is a use; each process notes at most one a minute for each secret, so that knowing costs
//! nothing. A secret is known by its fingerprint. Pure but for what is noted in this process.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};

use crate::server::inngest::keys::hex;
use crate::server::store::secrets::SecretUse;

const NOTED_EVERY: Duration = Duration::from_mins(1);
/// Clerk's sender repeats a delivery for so long, signed by the endpoint that it was made for.
const REPEATED_FOR: SignedDuration = SignedDuration::from_hours(28);
const FINGERPRINT_BYTES: usize = 8;

/// What this process noted of each configured secret.
#[derive(Debug)]
pub struct Rotation {
    secrets: Vec<Noted>,
}

#[derive(Debug)]
struct Noted {
    fingerprint: String,
    /// In milliseconds.
    at: AtomicI64,
}

impl Rotation {
    pub fn of(secrets: &[SecretString]) -> Self {
        let noted = |secret| Noted { fingerprint: fingerprint(secret), at: AtomicI64::new(i64::MIN) };
        Self { secrets: secrets.iter().map(noted).collect() }
    }

    /// Notes a use of the secret at this place. Its fingerprint, if that should be stored now.
    pub fn note(&self, place: usize, now: Timestamp) -> Option<&str> {
        let noted = self.secrets.get(place)?;
        let (last, now) = (noted.at.load(Ordering::Relaxed), now.as_millisecond());
        let is_due = u128::from(now.abs_diff(last)) >= NOTED_EVERY.as_millis();
        // Of several who note at once one stores it.
        let is_mine = is_due && noted.at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        is_mine.then_some(noted.fingerprint.as_str())
    }
}

/// By which a secret is known where it must not be shown.
pub fn fingerprint(secret: &SecretString) -> String {
    hex(&digest(&SHA256, secret.expose_secret().as_bytes()).as_ref()[..FINGERPRINT_BYTES])
}

/// What to do with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// It signs what comes.
    Keep,
    /// Nothing came that it signed, and there is no other.
    Unused,
    /// Nothing came that it signed; it is the one that is being brought in.
    Await,
    /// Another one signs too, and this one is the older: its endpoint at Clerk can go.
    RemoveEndpoint,
    /// Nothing that it signed can come any more.
    RemoveSecret,
}

impl Advice {
    pub fn is_safe_to_retire(self) -> bool {
        matches!(self, Self::RemoveEndpoint | Self::RemoveSecret)
    }

    pub fn text(self) -> &'static str {
        match self {
            Self::Keep => "in use",
            Self::Unused => "not used yet: no delivery that it signed has arrived",
            Self::Await => "not used yet: keep every other endpoint until it is",
            Self::RemoveEndpoint => {
                "safe to retire: delete its endpoint at Clerk; take the secret out 28 hours after its last use"
            }
            Self::RemoveSecret => "safe to retire: delete its endpoint at Clerk if it is still there, and take it out",
        }
    }
}

/// What to do with each of the configured secrets, given their uses in the same order.
pub fn advise(uses: &[Option<&SecretUse>], now: Timestamp) -> Vec<Advice> {
    let all_used = uses.iter().all(Option::is_some);
    let newest = uses.iter().flatten().map(|secret| secret.first_used_at).max();
    let mut has_newest = false;
    let mut of_one = |secret: Option<&SecretUse>| {
        let Some(secret) = secret else {
            return if uses.len() == 1 { Advice::Unused } else { Advice::Await };
        };
        // Of two that were first used at the same moment one stays.
        let is_newest = !has_newest && Some(secret.first_used_at) == newest;
        has_newest |= is_newest;
        // A secret that was never used is the one that is being brought in.
        if !all_used || is_newest {
            Advice::Keep
        } else if now.duration_since(secret.last_used_at) < REPEATED_FOR {
            Advice::RemoveEndpoint
        } else {
            Advice::RemoveSecret
        }
    };
    uses.iter().copied().map(&mut of_one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + hour * 3_600).unwrap()
    }

    fn used(first: i64, last: i64) -> SecretUse {
        SecretUse { fingerprint: String::new(), first_used_at: at(first), last_used_at: at(last) }
    }

    #[test]
    fn c_9_an_old_secret_is_safe_to_retire_once_the_new_one_is_in_use() {
        let (old, new, quiet) = (used(0, 100), used(99, 100), used(0, 60));
        let cases: [(&[Option<&SecretUse>], &[Advice]); 7] = [
            (&[None], &[Advice::Unused]),
            (&[Some(&old)], &[Advice::Keep]),
            (&[Some(&old), None], &[Advice::Keep, Advice::Await]),
            (&[Some(&old), Some(&new)], &[Advice::RemoveEndpoint, Advice::Keep]),
            (&[Some(&new), Some(&old)], &[Advice::Keep, Advice::RemoveEndpoint]),
            (&[Some(&quiet), Some(&new)], &[Advice::RemoveSecret, Advice::Keep]),
            (&[Some(&old), Some(&old)], &[Advice::Keep, Advice::RemoveEndpoint]),
        ];
        for (uses, expected) in cases {
            assert_eq!(advise(uses, at(100)), expected, "{uses:?}");
        }
    }

    #[test]
    fn c_9_a_use_is_stored_at_most_once_a_minute() {
        let secret = SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
        let rotation = Rotation::of(std::slice::from_ref(&secret));
        let start = at(0);
        let after = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(rotation.note(0, start), Some(fingerprint(&secret).as_str()));
        assert_eq!(rotation.note(0, after(59)), None);
        assert!(rotation.note(0, after(60)).is_some());
        assert_eq!(rotation.note(1, start), None, "no such secret");
    }

    #[test]
    fn a_fingerprint_says_nothing_of_the_secret() {
        let text = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
        let fingerprint = fingerprint(&SecretString::from(text));
        assert_eq!(fingerprint.len(), 16);
        assert!(!text.contains(&fingerprint[..4]));
    }
}
