//! What a run does about what it found: everything by the engine's own path, so that nothing newer is ever overwritten.
//!
//! Nobody becomes a tombstone on the strength of a list: each is asked for alone first, and all wait until it is known how
//! many they are (a key of another instance would make everybody one, for ever).

use std::collections::{HashMap, HashSet};

use futures::future::try_join;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::model::event::EventState;
use crate::model::finding::{Difference, DifferenceKind, Skipped};
use crate::model::run::{MOST_NAMED, RunKind};
use crate::model::user::SyncSource;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::findings::Found;
use crate::server::store::runs::{Progress, Run};
use crate::server::sync::apply::Incoming;
use crate::server::sync::effects::metadata_of;
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::ports::Ports;
use crate::server::sync::process::{Ended, write_all};
use crate::server::sync::questions::ask;
use crate::server::sync::scan::compare::{is_of_metadata, is_only_of_metadata};
use crate::server::sync::scan::examine::{Seen, suspect_of};
use crate::server::sync::scan::{MOST_ATTEMPTS, pause_after};

/// So few deletions are never too many, unless they are more than half of all.
const FEW: usize = 10;
/// So many are held at most.
const MOST_HELD: usize = 10_000;
const QUESTIONS_AT_ONCE: usize = 8;
const BURIED_AT_ONCE: usize = 100;

/// How many deletions are too many to be true.
pub fn most_deletions(run: &Run, percent: u64) -> usize {
    if run.options.allow_deletions {
        return usize::MAX;
    }
    let people = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let few = FEW.min(people(run.here.div_ceil(2)));
    if percent == 0 { 0 } else { people(run.here.saturating_mul(percent) / 100).clamp(few, MOST_HELD) }
}

/// Everybody of a page, as Clerk says. Whoever is not alive here afterwards is looked at again: they may have left
/// meanwhile, or were deleted only here.
pub async fn write_page(state: &AppState, mut progress: Progress, page: &[wire::User]) -> Result<Progress, Error> {
    let now = Timestamp::now();
    let incoming =
        page.iter().map(|user| from_fetched(user, SyncSource::Backfill, now, &state.settings.fields)).collect();
    let (mut refused, mut buried) = (Vec::new(), HashSet::new());
    for ended in carry_out(state, incoming).await? {
        progress.counts.written += u64::from(ended.error.is_none() && is_applied(&ended));
        match ended.error {
            Some(error) => refused.push(Skipped { clerk_id: ended.case.clerk_id, reason: error.cause() }),
            None if ended.user.is_some_and(|user| user.deleted_at.is_none()) => {}
            None => {
                buried.insert(ended.case.clerk_id);
            }
        }
    }
    progress.suspects.extend(page.iter().filter(|user| buried.contains(&user.id)).map(|user| suspect_of(user, now)));
    if !refused.is_empty() {
        let ids: Vec<&str> = refused.iter().map(|skipped| skipped.clerk_id.as_str()).collect();
        let found = state.find_people(&ids).await?;
        let living = found.users.iter().filter(|user| user.deleted_at.is_none()).count() + found.unreadable.len();
        progress.absent += refused.len().saturating_sub(living) as u64;
    }
    for skipped in refused {
        progress.skip(skipped);
    }
    Ok(progress)
}

/// Counts differences that are certain and, unless the run only looks, mends them.
pub async fn deal_with(
    state: &AppState,
    run: &Run,
    mut progress: Progress,
    certain: Vec<Seen>,
) -> Result<Progress, Error> {
    for seen in &certain {
        progress.meet(&seen.difference);
    }
    if !mends(run) {
        return Ok(progress);
    }
    // Before anything is mended: whoever does this step again after a crash could not find it any more.
    state.store.findings.add(run, run.progress.pages, &progress.found).await?;
    progress.found.clear();
    let (mut incoming, mut differences) = (Vec::new(), HashMap::new());
    for seen in certain {
        let is_missed = seen.is_missed();
        let Seen { difference, theirs, .. } = seen;
        match (difference.kind, theirs) {
            (DifferenceKind::Missing | DifferenceKind::Differing, Some(theirs)) => {
                incoming.push(from_fetched(&theirs, SyncSource::Reconcile, Timestamp::now(), &state.settings.fields));
                differences.insert(difference.clerk_id.clone(), (difference, is_missed));
            }
            (DifferenceKind::Revived, _) => {
                progress.absent += 1;
                progress.skip_for(difference.clerk_id, "deleted here, which is for ever, and alive at Clerk");
            }
            (DifferenceKind::Unreadable, _) => {
                progress.skip_for(difference.clerk_id, &Error::Unreadable.cause());
            }
            (_, _) => progress.held.push(difference.clerk_id),
        }
    }
    let mut pushes = Vec::new();
    for ended in carry_out(state, incoming).await? {
        let Some((difference, is_missed)) = differences.get(&ended.case.clerk_id) else { continue };
        let is_of_metadata = is_of_metadata(difference);
        let end = ended.outcomes.first().map(|outcome| outcome.state);
        match (&ended.error, end) {
            (None, Some(EventState::Applied)) => {
                // The change has the push as its effect.
                progress.counts.written += 1;
                if *is_missed {
                    state.tally.missed();
                }
                progress.counts.pushed += u64::from(is_of_metadata);
            }
            (None, Some(EventState::Duplicate)) => {
                let user = ended.user.as_ref().filter(|user| is_of_metadata && user.deleted_at.is_none());
                pushes.extend(user.map(metadata_of));
            }
            (error, _) => {
                progress.absent += u64::from(difference.kind == DifferenceKind::Missing);
                let decision = || ended.outcomes.first().map(|outcome| outcome.decision.clone());
                let reason = error.as_ref().map(Error::cause).or_else(decision).unwrap_or_default();
                progress.skip(Skipped { clerk_id: ended.case.clerk_id, reason });
            }
        }
    }
    progress.counts.pushed += pushes.len() as u64;
    state.add_jobs(&pushes).await?;
    if run.options.allow_deletions {
        while !progress.held.is_empty() {
            progress = bury(state, progress).await?;
        }
    }
    Ok(progress)
}

/// Some of those who are held, once it is known that they are not too many.
pub async fn bury_held(state: &AppState, run: &Run) -> Result<Progress, Error> {
    bury(state, run.progress.clone()).await
}

/// Clerk is asked about each alone, and its answer is carried out, whatever it is.
async fn bury(state: &AppState, mut progress: Progress) -> Result<Progress, Error> {
    let some = progress.held.split_off(progress.held.len().saturating_sub(BURIED_AT_ONCE));
    let answers: Vec<Incoming> = futures::stream::iter(some)
        .map(async |id| ask(state, &id, SyncSource::Reconcile).await)
        .buffer_unordered(QUESTIONS_AT_ONCE)
        .try_collect()
        .await?;
    for ended in carry_out(state, answers).await? {
        // Those of an attempt that came to no checkpoint are buried already.
        if ended.user.as_ref().is_some_and(|user| user.deleted_at.is_some()) {
            progress.counts.deleted += 1;
            if is_applied(&ended) {
                state.tally.missed();
            }
        }
        if let Some(error) = &ended.error {
            progress.skip(Skipped { clerk_id: ended.case.clerk_id, reason: error.cause() });
        }
    }
    Ok(progress)
}

/// Whom only Clerk can settle, and who got no answer, is asked about again for as long as a page would be: to skip them would
/// end a run as done while Clerk is away for a moment.
async fn carry_out(state: &AppState, incoming: Vec<Incoming>) -> Result<Vec<Ended>, Error> {
    let mut ended = in_halves(state, incoming).await?;
    for attempts in 1..MOST_ATTEMPTS {
        let unanswered: Vec<Ended> = ended.extract_if(.., |ended| ended.error.as_ref().is_some_and(is_away)).collect();
        let Some(error) = unanswered.iter().find_map(|ended| ended.error.as_ref()) else { break };
        pause_after(attempts, error).await;
        let again = unanswered.into_iter().flat_map(|ended| ended.case.said).map(|said| said.incoming).collect();
        ended.extend(in_halves(state, again).await?);
    }
    Ok(ended)
}

fn is_away(error: &Error) -> bool {
    matches!(error, Error::ClerkUnavailable(_))
}

/// In two halves at once: while MongoDB writes one, the other is decided and sent.
async fn in_halves(state: &AppState, mut incoming: Vec<Incoming>) -> Result<Vec<Ended>, Error> {
    let others = incoming.split_off(incoming.len().div_ceil(2));
    let half = async |half: Vec<Incoming>| {
        if half.is_empty() { Ok(Vec::new()) } else { write_all(state, half).await }
    };
    let (mut ended, others) = try_join(Box::pin(half(incoming)), Box::pin(half(others))).await?;
    ended.extend(others);
    Ok(ended)
}

/// Whether the run does anything about what it finds.
pub fn mends(run: &Run) -> bool {
    run.kind != RunKind::Proof && !run.options.dry_run
}

fn is_applied(ended: &Ended) -> bool {
    ended.outcomes.iter().any(|outcome| outcome.state == EventState::Applied)
}

impl Progress {
    /// What an attempt at this step found that came to no checkpoint.
    pub fn recall(&mut self, found: Vec<Difference>) {
        for difference in &found {
            self.count(difference);
        }
        self.recalled = found;
    }

    /// Whoever was found then and does not differ any more was mended then.
    pub fn settle_recalled(&mut self, run: &Run) {
        for difference in self.recalled.drain(..).filter(|_| mends(run)) {
            match difference.kind {
                DifferenceKind::Missing => self.counts.written += 1,
                DifferenceKind::Differing => {
                    self.counts.written += u64::from(!is_only_of_metadata(&difference));
                    self.counts.pushed += u64::from(is_of_metadata(&difference));
                }
                DifferenceKind::Gone | DifferenceKind::Revived | DifferenceKind::Unreadable => {}
            }
        }
    }

    /// Counts a difference once, however often the step is done.
    fn meet(&mut self, difference: &Difference) {
        if let Some(place) = self.recalled.iter().position(|known| known.clerk_id == difference.clerk_id) {
            self.recalled.swap_remove(place);
            return;
        }
        self.count(difference);
        if self.counts.differences() <= MOST_NAMED {
            self.found.push(Found::Difference(difference.clone()));
        }
    }

    fn count(&mut self, difference: &Difference) {
        let counts = &mut self.counts;
        *match difference.kind {
            DifferenceKind::Missing => &mut counts.missing,
            DifferenceKind::Differing => &mut counts.differing,
            DifferenceKind::Gone => &mut counts.gone,
            DifferenceKind::Revived => &mut counts.revived,
            DifferenceKind::Unreadable => &mut counts.unreadable,
        } += 1;
        for field in &difference.fields {
            *self.fields.entry(field.field.clone()).or_default() += 1;
        }
    }

    pub fn skip(&mut self, skipped: Skipped) {
        self.leave_out(skipped.clerk_id.clone(), skipped);
    }

    /// The same, where several may be left out of one person: `about` tells them apart.
    pub fn leave_out(&mut self, about: String, skipped: Skipped) {
        self.counts.skipped += 1;
        if self.counts.skipped <= MOST_NAMED {
            self.found.push(Found::Skipped(about, skipped));
        }
    }

    fn skip_for(&mut self, clerk_id: String, reason: &str) {
        self.skip(Skipped { clerk_id, reason: reason.to_owned() });
    }
}
