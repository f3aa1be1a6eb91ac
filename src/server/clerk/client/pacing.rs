//! Clerk's limit for changes of one person, which is no reason to leave Clerk alone with everybody else: whoever reaches it is
//! told so here, and Clerk does not have to refuse (D2-13). Pure: the time is a parameter.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// So many changes of one person Clerk takes in the window (`clerk.md` 4).
const CHANGES: usize = 10;
const WINDOW: Duration = Duration::from_secs(10);
/// With more people than this, those whose changes count no more are forgotten.
const MANY: usize = 1_024;

#[derive(Debug, Default)]
pub struct Pacing {
    made: HashMap<String, VecDeque<Instant>>,
}

impl Pacing {
    /// One more change of this person.
    ///
    /// # Errors
    /// How long it is until the next may be made.
    pub fn take(&mut self, id: &str, now: Instant) -> Result<(), Duration> {
        let counts = |at: &Instant| now.saturating_duration_since(*at) < WINDOW;
        if self.made.len() > MANY {
            self.made.retain(|_, made| made.back().is_some_and(counts));
        }
        let made = self.made.entry(id.to_owned()).or_default();
        while made.front().is_some_and(|at| !counts(at)) {
            made.pop_front();
        }
        match made.front() {
            Some(first) if made.len() >= CHANGES => Err(WINDOW.saturating_sub(now.saturating_duration_since(*first))),
            _ => {
                made.push_back(now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d2_13_of_one_person_ten_changes_in_ten_seconds_are_made_and_of_another_as_many() {
        let (mut pacing, now) = (Pacing::default(), Instant::now());
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        for second in 0..5 {
            assert_eq!(pacing.take("user_1", at(second)), Ok(()));
            assert_eq!(pacing.take("user_1", at(second)), Ok(()));
        }
        assert_eq!(pacing.take("user_1", at(5)), Err(Duration::from_secs(5)));
        assert_eq!(pacing.take("user_2", at(5)), Ok(()));
        assert_eq!(pacing.take("user_1", at(10)), Ok(()), "what was made ten seconds ago counts no more");
        assert_eq!(pacing.take("user_1", at(10)), Ok(()));
        assert_eq!(pacing.take("user_1", at(10)), Err(Duration::from_secs(1)));
    }

    #[test]
    fn d2_13_who_changed_nothing_lately_costs_no_memory() {
        let (mut pacing, now) = (Pacing::default(), Instant::now());
        for number in 0..5_000 {
            assert_eq!(pacing.take(&format!("user_{number}"), now + Duration::from_millis(number * 100)), Ok(()));
        }
        assert!(pacing.made.len() <= MANY + 1, "{}", pacing.made.len());
    }
}
