//! How often one person may do what costs others something (D7-08).
//!
//! Counted in this process only: a limit is there to protect Clerk and MongoDB, and each process is a share of the load on
//! them. What a crash forgets is a few seconds of patience.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::server::error::Error;

/// Clerk takes ten changes of one person in ten seconds; half of that is left for the writing back of roles.
const EDITS: Quota = Quota::per_minute(NonZeroU32::new(30).expect("thirty is not zero"))
    .allow_burst(NonZeroU32::new(5).expect("five is not zero"));
/// A page of people as fast as one can read, and a long list in one go.
const SEARCHES: Quota = Quota::per_second(NonZeroU32::new(2).expect("two is not zero"))
    .allow_burst(NonZeroU32::new(40).expect("forty is not zero"));
/// From this many people on, those who have been quiet are forgotten.
const MANY: usize = 10_000;

#[derive(Debug)]
pub struct Limits {
    /// Changes of one's own profile.
    pub edits: Pace,
    /// Lists of people, and searches in them.
    pub searches: Pace,
}

impl Default for Limits {
    fn default() -> Self {
        Self { edits: Pace::new(EDITS), searches: Pace::new(SEARCHES) }
    }
}

/// One limit, counted for each person.
pub struct Pace {
    quota: Quota,
    by_person: DefaultKeyedRateLimiter<String>,
}

impl Pace {
    fn new(quota: Quota) -> Self {
        Self { quota, by_person: DefaultKeyedRateLimiter::keyed(quota) }
    }

    /// # Errors
    /// `TooOften`, with the time until it is not.
    pub fn take(&self, clerk_id: &str) -> Result<(), Error> {
        if self.by_person.len() > MANY {
            self.by_person.retain_recent();
        }
        self.by_person.check_key(&clerk_id.to_owned()).map_err(|refusal| {
            let wait = refusal.wait_time_from(DefaultClock::default().now());
            // Rounded up: whoever comes back at the second that was named must not be too early.
            Error::TooOften { retry_after: Duration::from_secs(wait.as_secs() + 1) }
        })
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("quota", &self.quota).field("people", &self.by_person.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d7_08_each_person_has_a_burst_of_their_own_and_is_then_told_when_to_come_back() {
        let limits = Limits::default();
        for _ in 0..5 {
            assert!(limits.edits.take("user_1").is_ok());
        }
        let refused = limits.edits.take("user_1").unwrap_err();
        let wait = refused.retry_after().expect("a time to wait").as_secs();
        assert!((1..=3).contains(&wait), "{wait}");
        assert!(limits.edits.take("user_2").is_ok(), "another person is not concerned");
        assert!(limits.searches.take("user_1").is_ok(), "another limit is not concerned");
    }
}
