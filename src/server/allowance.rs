//! How many calls to Clerk this process may make: its part of what all processes on one database may together (D2-13).
//!
//! Every process says each second how much it would ask, and takes or gives back accordingly. Nobody takes what somebody else
//! still holds, so the sum stays below the limit while parts move; what a process that died held is free once its last calls
//! count no more. Who has just come, or has lost MongoDB, makes the least number of calls that gets anything done.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::server::clerk::client::guard::Demand;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::allowances::Share;

const BEAT: Duration = Duration::from_secs(1);
/// What Clerk counts in: whoever said nothing for so long has made no call that still counts.
const WINDOW: Duration = Duration::from_secs(10);
/// Without a word to the others for so long, a process takes it that they share without it.
const ALONE_AFTER: Duration = Duration::from_secs(5);
/// Somebody else may change the shares meanwhile.
const TRIES: u32 = 5;

/// Takes part until `stop` says so.
pub async fn run(state: Arc<AppState>, mut stop: watch::Receiver<bool>) {
    let stopped = async {
        let _ = stop.wait_for(|stop| *stop).await;
    };
    during(&state, stopped).await;
}

/// Takes part for as long as some work lasts.
pub async fn during<T>(state: &AppState, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut keeper = Keeper::new(state);
    let mut tick = interval(BEAT);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let done = loop {
        let beat = async {
            tick.tick().await;
            keeper.beat().await;
        };
        tokio::select! {
            biased;
            // A beat that is cut short has given nobody anything.
            done = &mut work => break done,
            () = beat => {}
        }
    };
    if let Err(error) = state.store.allowances.give_back(&state.instance_id).await.map_err(Error::from) {
        error.log("give_back_calls");
    }
    done
}

/// The least of `limit` calls that is a part.
pub fn least_of(limit: u32) -> u32 {
    (limit / 20).max(3).min(limit)
}

struct Keeper<'a> {
    state: &'a AppState,
    limit: u32,
    wanted: u32,
    beats: i64,
    /// The last sign of life of each other process, and when it was new to us.
    others: HashMap<String, (i64, Instant)>,
    agreed_at: Instant,
}

impl<'a> Keeper<'a> {
    fn new(state: &'a AppState) -> Self {
        let limit = state.settings.clerk.calls_in_ten_seconds;
        Self { state, limit, wanted: 0, beats: 0, others: HashMap::new(), agreed_at: Instant::now() }
    }

    async fn beat(&mut self) {
        self.wanted = wanted_after(self.wanted, self.state.clerk.take_demand(), self.limit);
        self.beats += 1;
        if let Err(error) = self.agree().await
            && !error.is_passing()
        {
            error.log("share_calls");
        }
        if self.agreed_at.elapsed() >= ALONE_AFTER {
            self.state.clerk.allow(least_of(self.limit));
        }
    }

    async fn agree(&mut self) -> Result<(), Error> {
        let allowances = &self.state.store.allowances;
        for _ in 0..TRIES {
            let ledger = allowances.find().await?;
            let mut shares = self.living(ledger.shares);
            let calls = part_of(&shares, &self.state.instance_id, self.wanted, self.limit);
            let held = shares.iter().find(|share| share.id == self.state.instance_id).map(|share| share.calls);
            if held.is_some_and(|held| held > i64::from(calls)) {
                // Given back before anybody can take it.
                self.state.clerk.allow(calls.max(least_of(self.limit)));
            }
            shares.retain(|share| share.id != self.state.instance_id);
            shares.push(Share {
                id: self.state.instance_id.clone(),
                calls: i64::from(calls),
                wanted: i64::from(self.wanted),
                beat: self.beats,
            });
            if allowances.replace(ledger.turn, &shares).await? {
                self.state.clerk.allow(calls.max(least_of(self.limit)));
                self.agreed_at = Instant::now();
                return Ok(());
            }
        }
        Ok(())
    }

    /// The shares without those of the dead.
    fn living(&mut self, shares: Vec<Share>) -> Vec<Share> {
        let now = Instant::now();
        let mut seen = HashMap::with_capacity(shares.len());
        for share in &shares {
            let known = self.others.get(&share.id).filter(|(beat, _)| *beat == share.beat);
            seen.insert(share.id.clone(), known.copied().unwrap_or((share.beat, now)));
        }
        self.others = seen;
        let is_alive = |share: &Share| {
            share.id == self.state.instance_id
                || self.others.get(&share.id).is_none_or(|(_, since)| since.elapsed() < WINDOW)
        };
        shares.into_iter().filter(is_alive).collect()
    }
}

/// What is wanted, by what was asked for in the last beat: twice as much, and all there is when somebody had to wait. What is
/// not wanted any more is let go little by little, so that a pause between two pages of a walk is none.
fn wanted_after(before: u32, demand: Demand, limit: u32) -> u32 {
    let beats = u32::try_from(WINDOW.as_secs() / BEAT.as_secs()).unwrap_or(10);
    let now = if demand.has_waited { limit } else { demand.calls.saturating_mul(2 * beats).min(limit) };
    now.max(before / 10 * 7)
}

/// The part of one process: what it should have, as far as the others do not hold it still.
fn part_of(shares: &[Share], id: &str, wanted: u32, limit: u32) -> u32 {
    let others: Vec<&Share> = shares.iter().filter(|share| share.id != id).collect();
    let mut wishes: Vec<(u32, &str)> = others.iter().map(|share| (number(share.wanted), share.id.as_str())).collect();
    wishes.push((wanted, id));
    let held = others.iter().map(|share| number(share.calls)).sum::<u32>();
    due(wishes, id, limit).min(limit.saturating_sub(held))
}

/// Everybody has the least part, and what they want up to an equal part of the rest; what nobody wants is shared equally.
fn due(mut wishes: Vec<(u32, &str)>, id: &str, limit: u32) -> u32 {
    let count = u32::try_from(wishes.len()).unwrap_or(u32::MAX).max(1);
    let least = least_of(limit).min(limit / count);
    wishes.sort_unstable();
    let mut left = limit - least * count;
    let mut mine = least;
    for (place, (wish, whose)) in wishes.iter().enumerate() {
        let rest = count - u32::try_from(place).unwrap_or_default().min(count - 1);
        let given = wish.saturating_sub(least).min(left / rest);
        left -= given;
        if *whose == id {
            mine += given;
        }
    }
    mine + left / count
}

fn number(stored: i64) -> u32 {
    u32::try_from(stored.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(id: usize, calls: u32, wanted: u32) -> Share {
        Share { id: id.to_string(), calls: i64::from(calls), wanted: i64::from(wanted), beat: 1 }
    }

    /// One beat of one process.
    fn beat(shares: &mut Vec<Share>, id: usize, wanted: u32, limit: u32) {
        let calls = part_of(shares, &id.to_string(), wanted, limit);
        shares.retain(|share| share.id != id.to_string());
        shares.push(share(id, calls, wanted));
    }

    fn parts(shares: &[Share]) -> Vec<i64> {
        let mut shares: Vec<&Share> = shares.iter().collect();
        shares.sort_by_key(|share| share.id.clone());
        shares.into_iter().map(|share| share.calls).collect()
    }

    proptest! {
        #[test]
        fn d2_13_whoever_comes_goes_and_wants_together_they_hold_no_more_than_the_limit(
            limit in 10_u32..2_000,
            beats in proptest::collection::vec((0_usize..6, 0_u32..2_000, any::<bool>()), 1..200),
        ) {
            let mut shares = Vec::new();
            for (id, wanted, leaves) in beats {
                if leaves {
                    shares.retain(|share: &Share| share.id != id.to_string());
                } else {
                    beat(&mut shares, id, wanted, limit);
                }
                let held: i64 = shares.iter().map(|share| share.calls).sum();
                prop_assert!(held <= i64::from(limit), "{held} of {limit}");
            }
        }
    }

    #[test]
    fn d2_13_one_alone_has_all_and_the_idle_let_the_busy_have_theirs() {
        let mut shares = Vec::new();
        beat(&mut shares, 0, 0, 100);
        assert_eq!(parts(&shares), [100]);
        for _ in 0..2 {
            beat(&mut shares, 0, 0, 100);
            beat(&mut shares, 1, 100, 100);
        }
        assert_eq!(parts(&shares), [5, 95]);
        for _ in 0..2 {
            beat(&mut shares, 0, 100, 100);
            beat(&mut shares, 1, 100, 100);
        }
        assert_eq!(parts(&shares), [50, 50]);
        for _ in 0..2 {
            beat(&mut shares, 0, 20, 100);
            beat(&mut shares, 1, 100, 100);
            beat(&mut shares, 2, 100, 100);
        }
        beat(&mut shares, 1, 100, 100);
        assert_eq!(parts(&shares), [20, 40, 40]);
        let mut many = Vec::new();
        for id in 0..60 {
            beat(&mut many, id, 100, 50);
        }
        assert!(parts(&many).iter().sum::<i64>() <= 50);
    }

    #[test]
    fn d2_13_what_is_wanted_is_what_was_asked_for_and_all_of_it_where_somebody_waited() {
        let demand = |calls, has_waited| Demand { calls, has_waited };
        assert_eq!(wanted_after(0, demand(1, false), 100), 20);
        assert_eq!(wanted_after(0, demand(1, true), 100), 100);
        assert_eq!(wanted_after(100, demand(0, false), 100), 70);
        assert_eq!(wanted_after(0, demand(0, false), 100), 0);
    }
}
