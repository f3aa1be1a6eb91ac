//! How many events, effects and people there are, at a cost that does not grow with them: no more than a thousand of anything is
//! counted when somebody looks, and beyond that it is as much as the kept totals say (`server::statistics`), or at least that.

use std::collections::{BTreeMap, HashMap};

use crate::model::event::EventState;
use crate::model::job::{EffectCount, JobState};
use crate::model::sync::StateCount;
use crate::server::error::Error;
use crate::server::statistics::COUNTED_WHEN_ASKED;
use crate::server::store::Store;
use crate::server::store::statistics::Totals;

/// Everything that the overview counts.
pub struct Counts {
    pub events: Vec<StateCount>,
    pub redeliveries: u64,
    pub effects: Vec<EffectCount>,
    pub people: u64,
    pub deleted_people: u64,
}

/// All numbers of this moment.
///
/// # Errors
/// MongoDB's.
pub async fn count_all(store: &Store) -> Result<Counts, Error> {
    let kept = store.statistics.find_totals().await?;
    let ((events, redeliveries), effects, (people, deleted_people)) =
        tokio::try_join!(count_events(store, &kept), count_effects(store, &kept), count_people(store, &kept))?;
    Ok(Counts { events, redeliveries, effects, people, deleted_people })
}

/// By their states, and how often one was delivered again.
async fn count_events(store: &Store, kept: &Totals) -> Result<(Vec<StateCount>, u64), Error> {
    // Until they were counted for the first time, they are counted here.
    if kept.counted_at.is_none() || store.events.estimate().await? <= COUNTED_WHEN_ASKED {
        let (totals, redeliveries) =
            futures::try_join!(store.events.count_by_state(), store.events.count_redeliveries())?;
        let totals: HashMap<EventState, u64> =
            totals.into_iter().map(|total| (total.state, total.count.unsigned_abs())).collect();
        let of = |state: EventState| totals.get(&state).copied().unwrap_or_default();
        let counts = EventState::ALL.map(|state| StateCount { state, count: of(state), is_more: false });
        return Ok((counts.to_vec(), redeliveries));
    }
    let counted = |state: EventState| store.events.count_up_to(state, COUNTED_WHEN_ASKED);
    let (failed, dead, discarded, (stored, open)) = futures::try_join!(
        counted(EventState::Failed),
        counted(EventState::Dead),
        counted(EventState::Discarded),
        store.events.count_received(COUNTED_WHEN_ASKED),
    )?;
    let counts = EventState::ALL.map(|state| {
        let kept = kept_of(&kept.ended, state.as_str());
        let (count, is_more) = match state {
            EventState::Received => (stored + open.events, stored == COUNTED_WHEN_ASKED),
            EventState::Failed => known(failed, kept),
            EventState::Dead => known(dead, kept),
            EventState::Discarded => known(discarded, kept),
            EventState::Applied | EventState::Stale | EventState::Duplicate | EventState::Ignored => (kept, false),
        };
        StateCount { state, count, is_more }
    });
    Ok((counts.to_vec(), kept.redeliveries.unsigned_abs()))
}

/// By their states: those done are the rest.
///
/// # Errors
/// MongoDB's.
pub async fn count_effects(store: &Store, kept: &Totals) -> Result<Vec<EffectCount>, Error> {
    let odd = JobState::ALL.into_iter().filter(|state| *state != JobState::Done);
    let counts = odd.map(async |state| {
        let counted = store.jobs.count_up_to(state, COUNTED_WHEN_ASKED).await?;
        let (count, is_more) = known(counted, kept_of(&kept.effects, state.as_str()));
        Ok::<_, Error>(EffectCount { state, count, is_more })
    });
    let all = async { Ok(store.jobs.estimate().await?) };
    let (mut counts, all) = futures::try_join!(futures::future::try_join_all(counts), all)?;
    let others: u64 = counts.iter().map(|row| row.count).sum();
    counts.insert(1, EffectCount { state: JobState::Done, count: all.saturating_sub(others), is_more: false });
    Ok(counts)
}

/// How many people there are, and how many are deleted.
async fn count_people(store: &Store, kept: &Totals) -> Result<(u64, u64), Error> {
    let (all, counted) = tokio::try_join!(store.users.estimate(), store.users.count_deleted_up_to(COUNTED_WHEN_ASKED))?;
    let (deleted, _) = known(counted, kept.deleted.unsigned_abs());
    Ok((all.saturating_sub(deleted), deleted))
}

/// What was counted is all there is as long as it is below the most that is counted; then the kept total may know of more.
/// Otherwise all that is known is that there are at least so many.
fn known(counted: u64, kept: u64) -> (u64, bool) {
    if counted < COUNTED_WHEN_ASKED { (counted, false) } else { (counted.max(kept), kept <= counted) }
}

fn kept_of(kept: &BTreeMap<String, i64>, state: &str) -> u64 {
    kept.get(state).map_or(0, |count| count.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issue_6_beyond_a_thousand_the_kept_total_is_shown_and_without_one_at_least_so_many() {
        assert_eq!(known(999, 5_000), (999, false), "what is counted whole is the truth");
        assert_eq!(known(1_000, 5_000), (5_000, false));
        assert_eq!([known(1_000, 0), known(1_000, 1_000)], [(1_000, true), (1_000, true)]);
    }
}
