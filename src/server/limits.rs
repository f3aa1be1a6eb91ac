//! How often one person, or one address, may do what costs others something (D7-08, D3-31), and what only once at a time
//! (D5-22).
//!
//! Counted in this process only: a limit is there to protect Clerk and MongoDB, and each process is a share of the load on
//! them. What a crash forgets is a few seconds of patience.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::server::error::Error;

/// Clerk takes ten changes of one person in ten seconds; half of that is left for the writing back of roles.
const EDITS: Quota = Quota::per_minute(NonZeroU32::new(30).expect("thirty is not zero"))
    .allow_burst(NonZeroU32::new(5).expect("five is not zero"));
/// A page of people as fast as one can read, and a long list in one go.
const SEARCHES: Quota = Quota::per_second(NonZeroU32::new(2).expect("two is not zero"))
    .allow_burst(NonZeroU32::new(40).expect("forty is not zero"));
/// Each is up to a hundred changes, of which Clerk is told one by one.
const BULK: Quota = Quota::per_minute(NonZeroU32::new(10).expect("ten is not zero"))
    .allow_burst(NonZeroU32::new(5).expect("five is not zero"));
/// What Clerk gives out as proof of a handshake is good once, and whoever was sent by Clerk has it.
const REDEMPTIONS: Quota = Quota::per_minute(NonZeroU32::new(10).expect("ten is not zero"));
/// From this many on, those who have been quiet are forgotten, but not at every request of a flood.
const MANY: usize = 10_000;
const FORGET_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Limits {
    /// Changes of one's own profile, by Clerk's id.
    pub edits: Pace<String>,
    /// Lists of people, and searches in them, by Clerk's id.
    pub searches: Pace<String>,
    /// Changes of many people at once, by the admin's id.
    pub bulk: Pace<String>,
    /// Files that are taken away, by Clerk's id.
    pub exports: Turns,
    /// Pictures that are sent, by Clerk's id: each is kept in memory until it is at Clerk.
    pub uploads: Turns,
    /// Requests of people and front ends, by address.
    pub requests: Pace<IpAddr>,
    /// What claims to be signed and is not, by address.
    pub failures: Pace<IpAddr>,
    /// Proofs of a handshake that Clerk did not know, by address: each costs a call.
    pub redemptions: Pace<IpAddr>,
}

impl Limits {
    /// `requests` and `failures` of one address in a minute; none: any number.
    pub fn new(requests: Option<NonZeroU32>, failures: Option<NonZeroU32>) -> Self {
        Self {
            edits: Pace::new(Some(EDITS)),
            searches: Pace::new(Some(SEARCHES)),
            bulk: Pace::new(Some(BULK)),
            exports: Turns::default(),
            uploads: Turns::default(),
            requests: Pace::new(requests.map(Quota::per_minute)),
            failures: Pace::new(failures.map(Quota::per_minute)),
            redemptions: Pace::new(Some(REDEMPTIONS)),
        }
    }
}

/// One limit, counted for each of many.
pub struct Pace<K: Hash + Eq + Clone> {
    counted: Option<DefaultKeyedRateLimiter<K>>,
    forgot_at: Mutex<Instant>,
    held: Mutex<HashMap<K, Instant>>,
}

impl<K: Hash + Eq + Clone> Pace<K> {
    fn new(quota: Option<Quota>) -> Self {
        let counted = quota.map(DefaultKeyedRateLimiter::keyed);
        Self { counted, forgot_at: Mutex::new(Instant::now()), held: Mutex::default() }
    }

    /// # Errors
    /// `TooOften`, with the time until it is not.
    pub fn take(&self, key: &K) -> Result<(), Error> {
        let Some(counted) = &self.counted else { return Ok(()) };
        if counted.len() > MANY {
            self.forget(counted);
        }
        counted.check_key(key).map_err(|refusal| {
            let wait = refusal.wait_time_from(DefaultClock::default().now());
            // Rounded up: whoever comes back at the second that was named must not be too early.
            Error::TooOften { retry_after: Duration::from_secs(wait.as_secs() + 1) }
        })
    }

    /// Remembers for so long that this one took too much.
    pub fn hold(&self, key: K, wait: Duration) {
        let now = Instant::now();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() > MANY {
            held.retain(|_, until| *until > now);
        }
        held.insert(key, now + wait);
    }

    /// How long that is still so.
    pub fn held_for(&self, key: &K) -> Option<Duration> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(key)?.checked_duration_since(Instant::now())
    }

    fn forget(&self, counted: &DefaultKeyedRateLimiter<K>) {
        let Ok(mut forgot_at) = self.forgot_at.try_lock() else { return };
        if forgot_at.elapsed() > FORGET_EVERY {
            counted.retain_recent();
            *forgot_at = Instant::now();
        }
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for Pace<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.counted.as_ref().map(DefaultKeyedRateLimiter::len);
        f.debug_struct("Pace").field("counted", &counted).finish_non_exhaustive()
    }
}

/// What each may have going on once.
#[derive(Debug, Default)]
pub struct Turns {
    taken: Arc<Mutex<HashSet<String>>>,
}

/// One's turn, until this is dropped.
#[derive(Debug)]
pub struct Turn {
    taken: Arc<Mutex<HashSet<String>>>,
    key: String,
}

impl Turns {
    /// # Errors
    /// `Exporting` while the one before goes on.
    pub fn begin(&self, key: &str) -> Result<Turn, Error> {
        let is_first = self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
        if is_first { Ok(Turn { taken: Arc::clone(&self.taken), key: key.to_owned() }) } else { Err(Error::Exporting) }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_22_each_person_has_one_turn_at_a_time_and_the_next_when_it_is_over() {
        let limits = Limits::new(None, None);
        let turn = limits.exports.begin("user_1").expect("the first");
        let refused = limits.exports.begin("user_1").expect_err("the second");
        assert!(matches!(refused, Error::Exporting) && refused.retry_after().is_some());
        assert!(limits.exports.begin("user_2").is_ok(), "another person is not concerned");
        drop(turn);
        assert!(limits.exports.begin("user_1").is_ok());
    }

    #[test]
    fn d7_08_each_person_has_a_burst_of_their_own_and_is_then_told_when_to_come_back() {
        let limits = Limits::new(None, None);
        let (first, second) = ("user_1".to_owned(), "user_2".to_owned());
        for _ in 0..5 {
            assert!(limits.edits.take(&first).is_ok());
        }
        let refused = limits.edits.take(&first).unwrap_err();
        let wait = refused.retry_after().expect("a time to wait").as_secs();
        assert!((1..=3).contains(&wait), "{wait}");
        assert!(limits.edits.take(&second).is_ok(), "another person is not concerned");
        assert!(limits.searches.take(&first).is_ok(), "another limit is not concerned");
        let allowed = (0..100).filter(|_| limits.bulk.take(&first).is_ok()).count();
        assert_eq!(allowed, 5, "an admin's changes of many");
    }

    #[test]
    fn d3_31_addresses_are_counted_as_configured_and_not_at_all_if_switched_off() {
        let (limits, address) = (Limits::new(NonZeroU32::new(3), None), IpAddr::from([192, 0, 2, 1]));
        let allowed = |pace: &Pace<IpAddr>| (0..100).filter(|_| pace.take(&address).is_ok()).count();
        assert_eq!((allowed(&limits.requests), allowed(&limits.failures)), (3, 100));
    }

    #[test]
    fn d3_31_a_flood_of_addresses_is_forgotten_when_it_is_over() {
        let per_second = Quota::per_second(NonZeroU32::MAX);
        let pace = Pace::<u32>::new(Some(per_second));
        for address in 0..20_000 {
            assert!(pace.take(&address).is_ok());
        }
        *pace.forgot_at.lock().unwrap() -= FORGET_EVERY * 2;
        assert!(pace.take(&1).is_ok());
        assert!(pace.counted.as_ref().unwrap().len() < 20_000);
        pace.hold(1, Duration::from_secs(5));
        assert!(pace.held_for(&1).is_some_and(|wait| wait > Duration::from_secs(4)) && pace.held_for(&2).is_none());
        pace.hold(1, Duration::ZERO);
        assert_eq!(pace.held_for(&1), None);
    }
}
