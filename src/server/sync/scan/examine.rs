//! Looks again before a difference counts: Clerk is asked anew, then MongoDB. What may be on its way is left alone for a
//! while and counts only if neither side has moved since.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::future::{try_join, try_join_all};
use futures::{StreamExt, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

use crate::model::finding::Difference;
use crate::server::clerk::client::MOST_IDS;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::runs::{Progress, Run, Suspect};
use crate::server::store::statistics::Length;
use crate::server::sync::ports::Ports;
use crate::server::sync::scan::compare::{Stored, difference, is_fresh, is_only_of_metadata, is_only_of_state};
use crate::server::sync::scan::mend::{deal_with, mends, most_deletions};
use crate::server::sync::status::lag_of;

/// Longer than a delivery takes that needs no second attempt.
const GRACE: Duration = Duration::from_secs(5);
/// Where deliveries take longer, so long as nearly all of them took lately, but no longer than this: the first repetition
/// comes after five seconds, and whoever waits for the second differs for minutes.
const LONGEST_GRACE: Duration = Duration::from_secs(15);
const LATELY: SignedDuration = SignedDuration::from_hours(1);
/// How long acknowledged deliveries are waited for before somebody is looked at again, and how often that is asked.
const BACKLOG_PATIENCE: Duration = Duration::from_mins(1);
const ASK_EVERY: Duration = Duration::from_millis(500);
/// So many wait at most before they are looked at.
const MOST_SUSPECTS: usize = 1_000;
/// Whoever moves more often than that changes without pause.
const MOST_MOVES: u32 = 4;
const AT_ONCE: usize = 500;

/// One person, asked for at Clerk and then read here.
#[derive(Clone, Debug)]
pub struct Seen {
    pub difference: Difference,
    pub theirs: Option<wire::User>,
    stored: Stored,
}

impl Seen {
    fn updated_at(&self) -> Option<i64> {
        self.theirs.as_ref().map(updated_at)
    }

    /// Whether an event should have told it: what Clerk says is newer than what is stored.
    pub fn is_missed(&self) -> bool {
        match (&self.stored, self.updated_at()) {
            (Stored::Person(user), Some(updated_at)) => updated_at > user.version.updated_at,
            (Stored::Nothing, Some(_)) | (_, None) => true,
            (Stored::Unreadable, Some(_)) => false,
        }
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        is_fresh(&self.difference, &self.stored, self.theirs.as_ref(), now)
    }
}

/// Compares a page with what is stored.
pub async fn compare_page(
    state: &AppState,
    run: &Run,
    progress: Progress,
    page: &[wire::User],
) -> Result<Progress, Error> {
    let ids: Vec<&str> = page.iter().map(|user| user.id.as_str()).collect();
    let stored = read(state, &ids).await?;
    let differs = |user: &&wire::User| {
        let stored = stored.get(user.id.as_str()).unwrap_or(&Stored::Nothing);
        difference(&user.id, stored, Some(user), state.plan, &state.settings.fields).is_some()
    };
    let differing: Vec<&str> = page.iter().filter(differs).map(|user| user.id.as_str()).collect();
    let seen = look(state, &differing).await?;
    weigh(state, run, progress, seen).await
}

/// Looks for those who are here and not on the page, though they joined in the span that it covers; without a page, for
/// those who joined after everybody. Whoever is at Clerk after all belongs to another page.
pub async fn find_gone(
    state: &AppState,
    run: &Run,
    mut progress: Progress,
    page: Option<&[wire::User]>,
) -> Result<Progress, Error> {
    let place = &run.progress.place;
    let until = page.and_then(|page| place.after(page).reached());
    let on_page = page.unwrap_or_default().iter().map(|user| user.id.as_str());
    let known: Vec<&str> = on_page.chain(place.tail.iter().map(String::as_str)).collect();
    let here = state.store.users.list_living_between(place.reached(), until, &known).await?;
    let mut batches = here.try_chunks(AT_ONCE);
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|error| Error::from(error.1))?;
        let ids: Vec<&str> = batch.iter().map(String::as_str).collect();
        let mut seen = look(state, &ids).await?;
        seen.retain(|seen| seen.theirs.is_none());
        progress = weigh(state, run, progress, seen).await?;
        if progress.held.len() > most_deletions(run, state.settings.sync.most_deletions) {
            // The run stops here: how many more there are says nothing new.
            break;
        }
    }
    Ok(progress)
}

/// Deals with what is certain, and puts the rest off.
async fn weigh(state: &AppState, run: &Run, mut progress: Progress, seen: Vec<Seen>) -> Result<Progress, Error> {
    let now = Timestamp::now();
    let (fresh, certain): (Vec<Seen>, Vec<Seen>) =
        seen.into_iter().partition(|seen| seen.is_fresh(now) || (!mends(run) && is_only_of_state(&seen.difference)));
    progress.suspects.extend(fresh.into_iter().map(|seen| suspect(&seen, now, 0)));
    progress = deal_with(state, run, progress, certain).await?;
    weigh_if_many(state, run, progress).await
}

/// The suspects, once they are too many to wait for the end.
pub async fn weigh_if_many(state: &AppState, run: &Run, progress: Progress) -> Result<Progress, Error> {
    if progress.suspects.len() < MOST_SUSPECTS {
        return Ok(progress);
    }
    weigh_suspects(state, run, progress).await
}

/// Looks at all suspects again, each no sooner than the grace after the last time, until none is left.
pub async fn weigh_suspects(state: &AppState, run: &Run, mut progress: Progress) -> Result<Progress, Error> {
    while let Some(youngest) = progress.suspects.iter().map(|suspect| suspect.seen_at).max() {
        sleep(remaining(youngest, grace(state).await?)).await;
        await_backlog(state).await?;
        let suspects: HashMap<String, Suspect> =
            progress.suspects.drain(..).map(|suspect| (suspect.clerk_id.clone(), suspect)).collect();
        let ids: Vec<&str> = suspects.keys().map(String::as_str).collect();
        let (now, mut certain) = (Timestamp::now(), Vec::new());
        for seen in look(state, &ids).await? {
            let Some(before) = suspects.get(&seen.difference.clerk_id) else { continue };
            if before.updated_at == seen.updated_at() {
                certain.push(seen);
            } else if before.moves >= MOST_MOVES {
                progress.counts.unsettled += 1;
            } else {
                progress.suspects.push(suspect(&seen, now, before.moves + 1));
            }
        }
        progress = deal_with(state, run, progress, certain).await?;
    }
    Ok(progress)
}

/// Somebody who was on a page.
pub fn suspect_of(theirs: &wire::User, now: Timestamp) -> Suspect {
    let (clerk_id, updated_at) = (theirs.id.clone(), Some(updated_at(theirs)));
    Suspect { clerk_id, updated_at, seen_at: now.as_millisecond(), moves: 0 }
}

fn updated_at(theirs: &wire::User) -> i64 {
    theirs.updated_at.map_or(i64::MIN, Timestamp::as_millisecond)
}

fn suspect(seen: &Seen, now: Timestamp, moves: u32) -> Suspect {
    let (clerk_id, updated_at) = (seen.difference.clerk_id.clone(), seen.updated_at());
    Suspect { clerk_id, updated_at, seen_at: now.as_millisecond(), moves }
}

/// What has arrived by now is dealt with before anybody is looked at again, or it would explain what still differs.
async fn await_backlog(state: &AppState) -> Result<(), Error> {
    let (now, until) = (Timestamp::now(), Instant::now() + BACKLOG_PATIENCE);
    while state.store.events.find_unread().await?.oldest.is_some_and(|oldest| oldest <= now) && Instant::now() < until {
        sleep(ASK_EVERY).await;
    }
    Ok(())
}

/// How long what happened at Clerk may be on its way.
async fn grace(state: &AppState) -> Result<Duration, Error> {
    let since = Timestamp::now().saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
    let lag = lag_of(&state.store.statistics.list(Length::Minute, since).await?);
    Ok(lag.p99_ms.map_or(GRACE, |ms| Duration::from_millis(ms).clamp(GRACE, LONGEST_GRACE)))
}

fn remaining(seen_at: i64, grace: Duration) -> Duration {
    let passed = Timestamp::now().as_millisecond().saturating_sub(seen_at);
    grace.saturating_sub(Duration::from_millis(u64::try_from(passed).unwrap_or_default()))
}

/// Of these people, those who differ: Clerk is asked first, so that what is read here afterwards is no older than the answer
/// unless something is missing here.
async fn look(state: &AppState, ids: &[&str]) -> Result<Vec<Seen>, Error> {
    let asked = try_join_all(ids.chunks(MOST_IDS).map(|some| state.clerk.list_users_by_id(some))).await?;
    let mut theirs: HashMap<String, wire::User> =
        asked.into_iter().flatten().map(|user| (user.id.clone(), user)).collect();
    let mut stored = read(state, ids).await?;
    let seen = ids.iter().filter_map(|id| {
        let (theirs, stored) = (theirs.remove(*id), stored.remove(*id).unwrap_or(Stored::Nothing));
        let difference = difference(id, &stored, theirs.as_ref(), state.plan, &state.settings.fields)?;
        Some(Seen { difference, theirs, stored })
    });
    without_pushes(state, seen.collect()).await
}

/// Leaves out those whose only difference is metadata that we have yet to write there: after many sign-ups at once that
/// takes a while, and is no difference of the two.
async fn without_pushes(state: &AppState, mut seen: Vec<Seen>) -> Result<Vec<Seen>, Error> {
    let is_push = |seen: &Seen| is_only_of_metadata(&seen.difference);
    let pushes: Vec<&str> =
        seen.iter().filter(|seen| is_push(seen)).map(|seen| seen.difference.clerk_id.as_str()).collect();
    if pushes.is_empty() {
        return Ok(seen);
    }
    let on_their_way = find_pushes(state, &pushes).await?;
    seen.retain(|seen| !is_push(seen) || !on_their_way.contains(&seen.difference.clerk_id));
    Ok(seen)
}

/// Of these people, whose metadata we have yet to write.
pub async fn find_pushes(state: &AppState, ids: &[&str]) -> Result<HashSet<String>, Error> {
    let key = |id: &&str| format!("metadata:{id}");
    let keys: Vec<String> = ids.iter().map(key).collect();
    let store = &state.store;
    let (jobs, outboxes) = try_join(store.jobs.find_waiting(&keys), store.users.find_outboxes(ids)).await?;
    let is_on_its_way = |id: &&&str| jobs.contains(&key(id)) || outboxes.contains(**id);
    Ok(ids.iter().filter(is_on_its_way).map(|id| (*id).to_owned()).collect())
}

async fn read(state: &AppState, ids: &[&str]) -> Result<HashMap<String, Stored>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = state.find_people(ids).await?;
    let people = found.users.into_iter().map(|user| (user.clerk_id.clone(), Stored::Person(Box::new(user))));
    Ok(people.chain(found.unreadable.into_iter().map(|id| (id, Stored::Unreadable))).collect())
}
