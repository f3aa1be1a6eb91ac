//! How often Clerk is asked (D2-13): never more than so many calls in any ten seconds, and not before Clerk said so.
//!
//! Places are given out ahead of their time, so that who comes first goes first and everybody knows at once how long they
//! would wait; that is what the crate `governor`, which only answers for now, cannot say. Background work has two thirds of
//! the calls; what a person waits for may use all of them. Pure: the time is a parameter.

use std::time::Duration;

use tokio::time::Instant;

/// What Clerk's limits are counted in (`clerk.md` 4).
const WINDOW: Duration = Duration::from_secs(10);

/// Who waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// A person does.
    Interactive,
    /// Nobody does: events, jobs, scans.
    Background,
}

#[derive(Debug)]
pub struct Limiter {
    /// For everybody.
    shared: Bucket,
    /// For what a person waits for.
    reserved: Bucket,
    not_before: Option<Instant>,
}

impl Limiter {
    /// At most `calls` in any ten seconds, of all callers together.
    pub fn new(calls: u32) -> Self {
        let reserved = calls / 3;
        Self { shared: Bucket::new(calls - reserved), reserved: Bucket::new(reserved), not_before: None }
    }

    /// From now on at most so many; what was earned before stays, so that nobody has two bursts by it.
    pub fn resize(&mut self, calls: u32, now: Instant) {
        let reserved = calls / 3;
        self.shared.resize(calls - reserved, now);
        self.reserved.resize(reserved, now);
    }

    /// How many that is.
    pub fn calls(&self) -> u32 {
        self.shared.calls + self.reserved.calls
    }

    /// Takes the next free place and answers when it is.
    ///
    /// # Errors
    /// How long it is until a place, if that is after `until`; nothing is taken then.
    pub fn reserve(&mut self, priority: Priority, now: Instant, until: Instant) -> Result<Instant, Duration> {
        let from = self.not_before.map_or(now, |at| at.max(now));
        let is_sooner = self.reserved.next(from) <= self.shared.next(from);
        let bucket = match priority {
            Priority::Interactive if is_sooner => &mut self.reserved,
            Priority::Interactive | Priority::Background => &mut self.shared,
        };
        let at = bucket.next(from);
        if at > until {
            return Err(at.duration_since(now));
        }
        bucket.take(at);
        Ok(at)
    }

    /// Nobody goes before `until`.
    pub fn pause(&mut self, until: Instant) {
        self.not_before = self.not_before.max(Some(until));
    }

    /// How many calls could be made in the window that begins now.
    pub fn left(&self, now: Instant) -> u32 {
        if self.is_paused(now) { 0 } else { self.shared.left(now) + self.reserved.left(now) }
    }

    pub fn is_paused(&self, now: Instant) -> bool {
        self.not_before.is_some_and(|until| until > now)
    }
}

/// A token bucket, kept as the time at which it will be full.
#[derive(Debug)]
struct Bucket {
    calls: u32,
    every: Duration,
    burst: u32,
    full_at: Option<Instant>,
}

impl Bucket {
    /// A fifth of the calls may come at once; the others are spread over the window.
    fn new(calls: u32) -> Self {
        let burst = (calls / 5).max(1);
        Self { calls, every: WINDOW / (calls.saturating_sub(burst)).max(1), burst, full_at: None }
    }

    fn resize(&mut self, calls: u32, now: Instant) {
        let owed = self.full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let left = f64::from(self.burst) - owed.as_secs_f64() / self.every.as_secs_f64();
        let other = Self::new(calls);
        let missing = f64::from(other.burst) - left.min(f64::from(other.burst));
        *self = Self { full_at: Some(now + other.every.mul_f64(missing)), ..other };
    }

    fn left(&self, now: Instant) -> u32 {
        let owed = self.full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let taken = owed.as_nanos().div_ceil(self.every.as_nanos().max(1));
        self.calls.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    fn next(&self, from: Instant) -> Instant {
        let has_room_at = self.full_at.and_then(|at| at.checked_sub(self.every * (self.burst - 1)));
        has_room_at.map_or(from, |at| at.max(from))
    }

    fn take(&mut self, at: Instant) {
        self.full_at = Some(self.full_at.map_or(at, |full| full.max(at)) + self.every);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn reserve(limiter: &mut Limiter, priority: Priority, now: Instant) -> Duration {
        limiter.reserve(priority, now, now + LONG).unwrap().duration_since(now)
    }

    proptest! {
        #[test]
        fn d2_13_no_ten_seconds_hold_more_calls_than_the_limit(
            calls in 10_u32..400,
            asked in proptest::collection::vec((0_u64..400, any::<bool>()), 1..600),
        ) {
            let mut limiter = Limiter::new(calls);
            let mut now = Instant::now();
            let mut places = Vec::new();
            for (gap_ms, is_urgent) in asked {
                now += Duration::from_millis(gap_ms);
                let priority = if is_urgent { Priority::Interactive } else { Priority::Background };
                places.extend(limiter.reserve(priority, now, now + LONG));
            }
            places.sort_unstable();
            for (index, place) in places.iter().enumerate() {
                let within = places[index..].iter().take_while(|later| **later < *place + WINDOW).count();
                prop_assert!(within <= calls as usize, "{within} of {calls}");
            }
        }
    }

    proptest! {
        /// Two processes that pass parts of one limit to and fro, what one gives back being taken a second later.
        #[test]
        fn d2_13_parts_that_move_between_two_make_no_ten_seconds_hold_more_than_the_limit(
            calls in 40_u32..400,
            parts in proptest::collection::vec(1_u32..8, 2..12),
        ) {
            let now = Instant::now();
            let part = |eighths: u32| calls * eighths / 8;
            let mut first = Limiter::new(part(parts[0]));
            let mut second = Limiter::new(calls - part(parts[0]));
            let mut places = Vec::new();
            for (turn, pair) in parts.windows(2).enumerate() {
                let begin = now + Duration::from_secs(4) * u32::try_from(turn).unwrap();
                for tick in 0..400 {
                    let at = begin + Duration::from_millis(10) * tick;
                    if tick == 300 {
                        let (old, new) = (part(pair[0]), part(pair[1]));
                        if new < old {
                            first.resize(new, at);
                        } else {
                            second.resize(calls - new, at);
                        }
                    }
                    if tick == 399 {
                        first.resize(part(pair[1]), at);
                        second.resize(calls - part(pair[1]), at);
                    }
                    for limiter in [&mut first, &mut second] {
                        // As many as go at once: whoever waits is not there yet.
                        while let Ok(place) = limiter.reserve(Priority::Interactive, at, at) {
                            places.push(place);
                        }
                    }
                }
            }
            places.sort_unstable();
            for (index, place) in places.iter().enumerate() {
                let within = places[index..].iter().take_while(|later| **later < *place + WINDOW).count();
                // Four buckets, each of which may have the fraction of a call that is left over.
                prop_assert!(within <= calls as usize + 4, "{within} of {calls}");
            }
        }
    }

    #[test]
    fn d2_13_the_calls_that_are_allowed_are_made() {
        let (mut limiter, now) = (Limiter::new(90), Instant::now());
        let within = |limiter: &mut Limiter, priority| {
            std::iter::from_fn(|| limiter.reserve(priority, now, now + WINDOW).ok()).count()
        };
        assert!((59..=60).contains(&within(&mut limiter, Priority::Background)));
        assert!((29..=30).contains(&within(&mut limiter, Priority::Interactive)), "a scan leaves room for people");
        let (mut limiter, now) = (Limiter::new(90), Instant::now());
        let alone = std::iter::from_fn(|| limiter.reserve(Priority::Interactive, now, now + WINDOW).ok()).count();
        assert!((88..=90).contains(&alone), "without a scan people have all of it: {alone}");
    }

    #[test]
    fn d2_13_who_would_wait_too_long_is_told_how_long_and_takes_nobodys_place() {
        let (mut limiter, now) = (Limiter::new(30), Instant::now());
        let soon = now + Duration::from_secs(1);
        while limiter.reserve(Priority::Background, now, soon).is_ok() {}
        let wait = limiter.reserve(Priority::Background, now, soon).unwrap_err();
        assert!(wait > Duration::from_secs(1) && wait < Duration::from_secs(2), "{wait:?}");
        assert_eq!(limiter.reserve(Priority::Background, now, soon).unwrap_err(), wait);
        assert_eq!(reserve(&mut limiter, Priority::Background, now), wait);
    }

    #[test]
    fn d2_13_what_is_left_goes_with_each_call_and_comes_back_with_time() {
        let (mut limiter, now) = (Limiter::new(90), Instant::now());
        assert_eq!(limiter.left(now), 90);
        for _ in 0..8 {
            reserve(&mut limiter, Priority::Background, now);
        }
        assert_eq!(limiter.left(now), 82);
        assert_eq!(limiter.left(now + WINDOW), 90);
        limiter.pause(now + WINDOW);
        assert_eq!(limiter.left(now), 0);
    }

    #[test]
    fn d2_13_a_pause_is_everybodys_and_the_longest_counts() {
        let (mut limiter, now) = (Limiter::new(100), Instant::now());
        limiter.pause(now + Duration::from_secs(5));
        limiter.pause(now + Duration::from_secs(2));
        for priority in [Priority::Interactive, Priority::Background] {
            assert_eq!(reserve(&mut limiter, priority, now), Duration::from_secs(5));
        }
        assert!(limiter.is_paused(now) && !limiter.is_paused(now + Duration::from_secs(5)));
        assert_eq!(reserve(&mut limiter, Priority::Background, now + Duration::from_secs(6)), Duration::ZERO);
    }
}
