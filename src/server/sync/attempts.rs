//! What an attempt leaves besides its outcome: when the next one is, if it failed, and its part of the event's trace.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::model::event::EventState;
use crate::server::error::Error;
use crate::server::store::events::{Origin, Outcome};
use crate::server::sync::fold::{Case, Said, end};
use crate::server::sync::ports::Ports;
use crate::server::sync::process::{Ended, Settled};
use crate::server::traces::{self, Part};

/// The part that applying it is of an event's trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    trace: String,
    event_id: String,
    state: EventState,
    began_at: SystemTime,
}

impl Applied {
    /// Of every event of a batch that came with a trace; to be kept until the outcomes are recorded.
    pub fn of(settled: &Settled) -> Vec<Self> {
        let Some(began_at) = settled.began_at.filter(|_| traces::is_on()) else { return Vec::new() };
        let applied = |trace: Option<&String>, event: Option<&Origin>, state: EventState| {
            Some(Self { trace: trace?.clone(), event_id: event?.id().to_owned(), state, began_at })
        };
        let ended = settled.ended.iter().flat_map(|ended| ended.case.said.iter().zip(&ended.outcomes));
        let ended =
            ended.filter_map(|(said, outcome)| applied(said.trace.as_ref(), said.event.as_ref(), outcome.state));
        let at_the_door = settled.records.iter().filter_map(|record| match &record.event {
            Origin::Arrived(event) => applied(event.trace.as_ref(), Some(&record.event), record.outcome.state),
            Origin::Stored(_) => None,
        });
        ended.chain(at_the_door).collect()
    }

    /// It is over.
    pub fn trace(self) {
        let part = Part::taking_up("apply").with("svix.id", self.event_id).with("event.state", self.state.as_str());
        part.is_over(&self.trace, self.began_at);
    }
}

/// A case that could not be carried out: each of its events waits for another attempt, or for none when there were enough.
/// What passes by itself is tried for as long as it takes: an event is never given up because Clerk was away, or because a key
/// was replaced there before it was here (D2-15).
pub fn fail<P: Ports>(ports: &P, case: Case, error: Error) -> Ended {
    let outcomes: Vec<Outcome> = case.said.iter().map(|said| put_off(ports, said, &error)).collect();
    for (said, outcome) in case.said.iter().zip(&outcomes) {
        let (event_id, state) = (said.event.as_ref().map(Origin::id), outcome.state.as_str());
        if matches!(error, Error::Behind) {
            // Nobody's fault, and over in minutes.
            tracing::debug!(event.id = event_id, user.id = case.clerk_id, state, "{}", outcome.decision);
        } else {
            tracing::warn!(event.id = event_id, user.id = case.clerk_id, state, "{}", outcome.decision);
        }
    }
    Ended { case, outcomes, user: None, before: None, error: Some(error) }
}

fn put_off<P: Ports>(ports: &P, said: &Said, error: &Error) -> Outcome {
    let attempts = said.attempts + 1;
    let cause = error.cause();
    let is_wait = error.is_passing() || error.is_key_refused();
    if attempts.saturating_sub(said.waits) >= ports.most_attempts() && !is_wait {
        return end(EventState::Dead, format!("given up after {attempts} attempts: {cause}"));
    }
    let id = said.event.as_ref().map_or(said.incoming.clerk_id(), Origin::id);
    let pause = jittered(backoff(attempts), id, attempts).max(error.retry_after().unwrap_or_default());
    let due_at = ports.now().saturating_add(pause).unwrap_or(Timestamp::MAX);
    let decision = format!("attempt {attempts} failed: {cause}");
    Outcome { state: EventState::Failed, decision, due_at: Some(due_at), is_wait }
}

/// 1 s, 2 s, 4 s … at most 5 minutes.
fn backoff(attempts: u32) -> Duration {
    let seconds = 1_u64 << attempts.saturating_sub(1).min(9);
    Duration::from_secs(seconds.min(300))
}

/// Up to a quarter more, not the same for each: what failed together does not come back all at once (D2-14).
fn jittered(pause: Duration, id: &str, attempts: u32) -> Duration {
    let mut hasher = DefaultHasher::new();
    (id, attempts).hash(&mut hasher);
    let share = hasher.finish() % 1024;
    pause + pause * u32::try_from(share).unwrap_or_default() / 4096
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn attempts_are_spaced_ever_wider_up_to_five_minutes() {
        let seconds: Vec<u64> = [1, 2, 3, 9, 10, 60].into_iter().map(|attempt| backoff(attempt).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 256, 300, 300]);
    }

    #[test]
    fn d2_14_what_failed_together_comes_back_spread_over_a_quarter_of_the_pause() {
        let pause = Duration::from_secs(64);
        let ids = (0..500).map(|number| format!("msg_{number}"));
        let pauses: HashSet<Duration> = ids.map(|id| jittered(pause, &id, 7)).collect();
        assert!(pauses.len() > 300, "{}", pauses.len());
        assert!(pauses.iter().all(|spread| (pause..pause + pause / 4).contains(spread)));
    }
}
