//! The numbers of all processes together: what this one counted is added to them every few seconds, with a sign of life.
//!
//! An event costs an addition in memory. What is lost when a process is killed is a few seconds of these numbers, and
//! nothing of the events themselves: how many are in which state is counted anew from the collection now and then.

pub mod activity;
pub mod chart;
pub mod lag;
pub mod picture;
pub mod silence;
pub mod tally;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::model::event::EventState;
use crate::model::health::Health;
use crate::model::job::JobState;
use crate::model::run::{RunKind, RunState};
use crate::server::error::Error;
use crate::server::readiness;
use crate::server::state::AppState;
use crate::server::store::events::StateTotal;
use crate::server::store::instances::Instance;
use crate::server::store::statistics::{Additions, Totals};
use crate::server::store::{self, Store};

const ADD_EVERY: Duration = Duration::from_secs(2);
/// A sign of life, and a look at the backlog, every so many times.
const BEAT_EVERY: u32 = 3;
/// No more than this is counted when somebody looks, of whatever it is: beyond it the kept totals are shown.
pub const COUNTED_WHEN_ASKED: u64 = Health::COUNTED;
/// How old the kept totals may be before they are counted anew.
const TOTALS_HOLD: SignedDuration = SignedDuration::from_mins(10);

/// Runs until `stop` says so.
pub async fn run(state: Arc<AppState>, mut stop: watch::Receiver<bool>) {
    let mut tick = interval(ADD_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut turn = 0_u32;
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            _ = tick.tick() => {}
        }
        let done = async {
            add(&state).await?;
            if turn.is_multiple_of(BEAT_EVERY) {
                beat(&state).await?;
                recount(&state).await?;
            }
            Ok::<(), Error>(())
        };
        if let Err(error) = done.await {
            error.log("add_statistics");
        }
        turn = turn.wrapping_add(1);
    }
}

/// What a process counts that lives for one task only is added all the while.
pub async fn alongside<T>(state: &AppState, task: impl Future<Output = T>) -> T {
    let mut tick = interval(ADD_EVERY);
    let mut task = pin!(task);
    let ended = loop {
        tokio::select! {
            ended = &mut task => break ended,
            _ = tick.tick() => add_or_log(state).await,
        }
    };
    add_or_log(state).await;
    ended
}

async fn add_or_log(state: &AppState) {
    if let Err(error) = add(state).await {
        error.log("add_statistics");
    }
}

/// The last additions of a process, and its name off the list.
pub async fn leave(state: &AppState) {
    let left = async {
        add(state).await?;
        Ok::<(), Error>(state.store.instances.leave(&state.instance_id).await?)
    };
    if let Err(error) = left.await {
        error.log("leave");
    }
}

async fn add(state: &AppState) -> Result<(), Error> {
    let counted = state.tally.take();
    let added = state.store.statistics.add(&counted.additions(), Timestamp::now()).await;
    if added.is_err() {
        state.tally.put_back(&counted);
    }
    Ok(added?)
}

/// That this process is at work, and how much waits.
async fn beat(state: &AppState) -> Result<(), Error> {
    let (now, moment) = (Timestamp::now(), readiness::now(state).await);
    let instance = Instance {
        id: state.instance_id.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: state.started_at,
        seen_at: now,
        clerk_calls_left: i64::from(state.clerk.calls_left()),
        clerk_calls: i64::from(state.clerk.calls_allowed()),
        is_circuit_open: moment.is_circuit_open,
        has_keys: state.clerk.is_key_refused() == Some(false),
        inbox_free: i64::try_from(moment.inbox_free).unwrap_or(i64::MAX),
    };
    state.store.instances.beat(&instance).await?;
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut peaks = Vec::new();
    peaks.extend(moment.backlog.map(|backlog| ("backlog", count(backlog.events))));
    peaks.extend(find_drift(&state.store).await?.map(|drift| ("drift", count(drift))));
    let additions = Additions { peaks, ..Additions::default() };
    Ok(state.store.statistics.add(&additions, now).await?)
}

/// About how many people MongoDB differed from Clerk, by the last proof.
async fn find_drift(store: &Store) -> Result<Option<u64>, Error> {
    let proven = [RunState::Done, RunState::Stopped];
    let proof = store.runs.find_newest(RunKind::Proof, &proven).await?;
    Ok(proof.map(|proof| proof.progress.counts.differences()))
}

/// Where there are too many events, effects or deleted people to count them when somebody looks, one process counts them now
/// and then.
///
/// What ends for good is added up between two counts. What comes and goes, failed events and effects, is not: an addition
/// beside each write would be a second write to one document that all processes share, and one that is lost with a process
/// (or done twice by whoever takes over) would stand until the next count. So what is open is counted exactly while it is
/// little, is said to be at least so much when it is more, and is counted here.
async fn recount(state: &AppState) -> Result<(), Error> {
    let store = &state.store;
    let are_few = store.events.estimate().await? <= COUNTED_WHEN_ASKED
        && store.jobs.estimate().await? <= COUNTED_WHEN_ASKED
        && store.users.count_deleted_up_to(COUNTED_WHEN_ASKED).await? < COUNTED_WHEN_ASKED;
    if are_few {
        return Ok(());
    }
    let now = Timestamp::now();
    let counted_at = store.statistics.find_totals().await?.counted_at;
    if counted_at.is_some_and(|at| now.duration_since(at) < TOTALS_HOLD) {
        return Ok(());
    }
    let later = now.saturating_add(TOTALS_HOLD).unwrap_or(Timestamp::MAX);
    if counted_at.is_some() && !store.runs.is_due("totals", now, later).await? {
        return Ok(());
    }
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let effects = JobState::ALL.map(async |state| {
        let counted = store.jobs.count(state).await?;
        Ok::<_, store::Error>((state.as_str().to_owned(), count(counted)))
    });
    let (events, effects, redeliveries, (_, deleted)) = futures::try_join!(
        store.events.count_by_state(),
        futures::future::try_join_all(effects),
        store.events.count_redeliveries(),
        store.users.count(),
    )?;
    let is_kept = |total: &&StateTotal| total.state != EventState::Received;
    let kept = events.iter().filter(is_kept).map(|total| (total.state.as_str().to_owned(), total.count));
    let totals = Totals {
        ended: kept.collect(),
        effects: effects.into_iter().collect(),
        redeliveries: count(redeliveries),
        deleted: count(deleted),
        counted_at: Some(now),
        ..Totals::default()
    };
    Ok(store.statistics.set_totals(&totals).await?)
}
