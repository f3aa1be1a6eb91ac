//! When a job is tried again, and when no more. Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::job::{JobKind, JobState};
use crate::server::jobs::{End, Later};
use crate::server::store::jobs::{Attempt, Job};

/// What passes by itself is tried for more than a week.
const MOST_PASSING: u32 = 200;
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// What bounds a job's life.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Attempts at what does not pass by itself.
    pub attempts: u32,
    /// How long the row of a message stays after its end. Its change cannot be replayed later than that.
    pub kept_for: Duration,
}

/// The record of an attempt. `chance` is from 0 to 1.
pub fn attempt_of(job: &Job, end: End, limits: Limits, now: Timestamp, chance: f64) -> Attempt {
    let over = |state: JobState, cause: String| Attempt {
        state,
        cause,
        due_at: None,
        expires_at: expiry(job.kind, limits.kept_for, now),
    };
    let later = match end {
        End::Done(cause) => return over(JobState::Done, cause.to_owned()),
        End::Dead(cause) => return over(JobState::Dead, cause),
        End::Unsure(cause) => return over(JobState::Unsure, cause.to_owned()),
        End::Early(cause) => Later { cause: cause.to_owned(), is_passing: true, pause: None },
        End::Later(later) => later,
    };
    let attempts = job.attempts + 1;
    let most = if later.is_passing { MOST_PASSING } else { limits.attempts };
    if attempts >= most {
        return over(JobState::Dead, format!("given up after {attempts} attempts: {}", later.cause));
    }
    let pause = backoff(attempts, chance).max(later.pause.unwrap_or_default());
    let due_at = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
    Attempt { state: JobState::Waiting, cause: later.cause, due_at: Some(due_at), expires_at: None }
}

/// Three quick tries (A2-08), then ever slower, each up to a fifth earlier or later so that many do not come at once:
/// 0.5 s, 1 s, 2 s, 30 s, 1 min, 2 min … 1 h.
fn backoff(attempts: u32, chance: f64) -> Duration {
    let exact = match attempts {
        0 | 1 => Duration::from_millis(500),
        2 => Duration::from_secs(1),
        3 => Duration::from_secs(2),
        more => Duration::from_secs(30 << (more - 4).min(7)).min(LONGEST_PAUSE),
    };
    exact.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

/// A state to reach and a thing that happens once keep their row for ever: it is what makes them once.
pub fn expiry(kind: JobKind, kept_for: Duration, now: Timestamp) -> Option<Timestamp> {
    match kind {
        JobKind::Metadata | JobKind::Welcome => None,
        JobKind::Webhook | JobKind::Alert => now.saturating_add(kept_for).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::jobs::Later;

    const LIMITS: Limits = Limits { attempts: 8, kept_for: Duration::from_hours(48) };

    fn job(kind: JobKind, attempts: u32) -> Job {
        Job {
            id: "job".to_owned(),
            kind,
            clerk_id: None,
            body: None,
            state: JobState::Waiting,
            attempts,
            generation: 1,
            due_at: None,
            lease_owner: None,
            lease_until: None,
            sending_at: None,
            cause: None,
            to: None,
            created_at: Timestamp::UNIX_EPOCH,
            finished_at: None,
            trace: None,
            events: Vec::new(),
        }
    }

    fn after(attempts: u32, is_passing: bool, pause: Option<Duration>) -> Attempt {
        let later = Later { cause: "cause".to_owned(), is_passing, pause };
        attempt_of(&job(JobKind::Metadata, attempts), End::Later(later), LIMITS, Timestamp::UNIX_EPOCH, 0.5)
    }

    fn due_ms(attempt: &Attempt) -> i64 {
        attempt.due_at.map(Timestamp::as_millisecond).unwrap()
    }

    #[test]
    fn a2_08_three_quick_tries_and_then_ever_slower_up_to_an_hour() {
        let pauses: Vec<i64> = (0..13).map(|attempts| due_ms(&after(attempts, true, None))).collect();
        let minutes = [1, 2, 4, 8, 16, 32, 60, 60, 60].map(|minutes| minutes * 60_000);
        assert_eq!(pauses[..4], [500, 1_000, 2_000, 30_000]);
        assert_eq!(pauses[4..], minutes);
        assert!(backoff(2, 0.0) == Duration::from_millis(800) && backoff(2, 1.0) == Duration::from_millis(1_200));
    }

    #[test]
    fn a2_07_what_is_too_early_is_tried_again_as_what_passes_by_itself() {
        for attempts in [0, 3, 198, 199] {
            let early = End::Early("cause");
            let tried = attempt_of(&job(JobKind::Metadata, attempts), early, LIMITS, Timestamp::UNIX_EPOCH, 0.5);
            assert_eq!(tried, after(attempts, true, None), "{attempts}");
        }
    }

    #[test]
    fn d2_13_a_pause_that_was_asked_for_is_kept() {
        assert_eq!(due_ms(&after(0, true, Some(Duration::from_secs(7)))), 7_000);
        assert_eq!(due_ms(&after(3, true, Some(Duration::from_secs(7)))), 30_000);
    }

    #[test]
    fn what_passes_by_itself_is_tried_for_more_than_a_week_and_the_rest_a_few_times() {
        assert_eq!(after(6, false, None).state, JobState::Waiting);
        assert_eq!(after(7, false, None).state, JobState::Dead);
        assert_eq!(after(198, true, None).state, JobState::Waiting);
        assert_eq!(after(199, true, None).state, JobState::Dead);
        let total: Duration = (1..MOST_PASSING).map(|attempts| backoff(attempts, 0.0)).sum();
        assert!(total > Duration::from_hours(6 * 24), "{total:?}");
    }

    #[test]
    fn a3_23_what_happens_once_keeps_its_row_for_ever_and_messages_do_not() {
        let end = |kind| attempt_of(&job(kind, 0), End::Done("done"), LIMITS, Timestamp::UNIX_EPOCH, 0.5).expires_at;
        assert_eq!(end(JobKind::Welcome), None);
        assert_eq!(end(JobKind::Metadata), None);
        assert!(end(JobKind::Webhook).is_some() && end(JobKind::Alert).is_some());
    }
}
