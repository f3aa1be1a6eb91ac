//! Looks for what needs an operator, groups it, and makes messages of it that do not spam (A4-26): for each group at most one
//! in a window, again only if there is more of it, and one when it is over. Events that fail for something new are told at
//! once, for a bounded number of causes: they would hide in the count of what is known.
//!
//! Any number of processes may look: the groups are the database's, and of several who would send the same, one does. How a
//! message goes out is `alert`'s business.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::model::alert::{AlertKind, AlertState, UNREADABLE};
use crate::model::event::EventState;
use crate::model::health::SilenceCause;
use crate::model::job::JobState;
use crate::model::run::{RunKind, RunState};
use crate::server::canary;
use crate::server::error::Error;
use crate::server::jobs::alert::{Channel, KIND, Notice};
use crate::server::jobs::webhook::find_off;
use crate::server::state::AppState;
use crate::server::statistics::silence::{QUIET_AT_LEAST, expect, find_cause, is_silent};
use crate::server::store::alerts::{Alert, Cause, Causes, Count};
use crate::server::store::jobs::Effect;
use crate::server::store::mutes::key_of_alert;
use crate::server::store::statistics::Length;
use crate::server::sync::ports::Ports;

const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A single failed attempt is no news: most are mended by the next.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);
/// How far back is looked for what usually comes.
const LEARNED_FROM: SignedDuration = SignedDuration::from_hours(24 * 84);
/// What happens now and then is over when it has not happened for so long.
const QUIET_FOR: SignedDuration = SignedDuration::from_mins(15);
/// What was refused so recently still is.
const LATELY: SignedDuration = SignedDuration::from_hours(1);
/// What was due while no server ran is done by then.
const CAUGHT_UP_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// So many causes of a group are named.
const LEADING: usize = 5;
/// So many causes have a word of their own while a group is open; what else comes waits for the window, as more of the same.
const MOST_TOLD: usize = 10;
/// Causes are codes; whatever they become, a message stays one.
const LONGEST_CAUSE: usize = 120;
/// Kinds that are raised when they happen, by commands too; the others are looked for.
const RAISED: [AlertKind; 1] = [AlertKind::KeyRefused];

/// Looks until `stop` says so.
pub async fn run(state: Arc<AppState>, mut stop: watch::Receiver<bool>) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut refusals = state.clerk.key_refusals();
    loop {
        let is_about_the_key = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            Ok(()) = refusals.changed() => true,
            _ = look.tick() => false,
        };
        let now = Timestamp::now();
        let looked = if is_about_the_key { heed_key(&state, now).await } else { check(&state, now).await };
        if let Err(error) = looked {
            error.log("check_alerts");
        }
    }
}

/// Whoever met the refusal (D2-15). It is over with the first call that this process makes with a key that Clerk takes; one
/// that still has the old key says so again.
async fn heed_key(state: &AppState, now: Timestamp) -> Result<(), Error> {
    match state.clerk.is_key_refused() {
        Some(is_refused) => report(state, AlertKind::KeyRefused, "", u64::from(is_refused), now).await,
        None => Ok(()),
    }
}

/// It happened, once more. `cause` tells groups of one kind apart, in codes: nothing personal.
///
/// # Errors
/// MongoDB away.
pub async fn raise(state: &AppState, kind: AlertKind, cause: &str) -> Result<(), Error> {
    open(state, kind, cause, (Count::Another, Causes::default()), Timestamp::now()).await
}

/// It is so for `count` of them; for none, it is over.
///
/// # Errors
/// MongoDB away.
pub async fn report(state: &AppState, kind: AlertKind, cause: &str, count: u64, now: Timestamp) -> Result<(), Error> {
    match i64::try_from(count).unwrap_or(i64::MAX) {
        0 => Ok(state.store.alerts.close(kind, cause).await?),
        count => open(state, kind, cause, (Count::Now(count), Causes::default()), now).await,
    }
}

async fn open(
    state: &AppState,
    kind: AlertKind,
    cause: &str,
    (count, causes): (Count, Causes),
    now: Timestamp,
) -> Result<(), Error> {
    if state.store.alerts.open(kind, cause, (count, &causes), now).await? {
        tracing::error!(alert.kind = kind.as_str(), cause, "{}. {}", kind.headline(), kind.advice());
    }
    Ok(())
}

/// One look at everything, and the messages that follow from it.
///
/// # Errors
/// MongoDB away.
pub async fn check(state: &AppState, now: Timestamp) -> Result<(), Error> {
    let store = &state.store;
    // What somebody muted is no news until its time is over.
    let muted: Vec<String> = store.mutes.list(now).await?.into_iter().map(|mute| mute.cause).collect();
    let unreadable = store.deliveries.count_unreadable().await?;
    let (lost, unsure) = futures::try_join!(store.jobs.count(JobState::Dead), store.jobs.count(JobState::Unsure))?;
    if state.clerk.is_key_refused() == Some(true) {
        heed_key(state, now).await?;
    }
    report_events(state, AlertKind::EventsFailing, EventState::Failed, &muted, now).await?;
    report_events(state, AlertKind::EventsDead, EventState::Dead, &muted, now).await?;
    report(state, AlertKind::EventsDead, UNREADABLE, unreadable, now).await?;
    report(state, AlertKind::JobsDead, "", lost + unsure, now).await?;
    report(state, AlertKind::EndpointGone, "", u64::from(is_endpoint_off(state).await?), now).await?;
    report(state, AlertKind::ProofOld, "", u64::from(is_proof_old(state, now).await?), now).await?;
    // A webhook that had to come and did not is silence, whatever was usual.
    let silence = match canary::look(state, now).await?.and_then(|touch| touch.failure) {
        Some(cause) => Some(Quiet::Silent(cause)),
        None => find_silence(state, now).await?,
    };
    if let Some(silence) = silence {
        for cause in SilenceCause::ALL {
            report(state, AlertKind::Silence, cause.as_str(), u64::from(silence == Quiet::Silent(cause)), now).await?;
        }
    }
    store.alerts.close_unseen(&RAISED, now.saturating_sub(QUIET_FOR).unwrap_or(Timestamp::MIN)).await?;
    for alert in store.alerts.list().await? {
        if !muted.contains(&key_of_alert(alert.kind, &alert.cause)) {
            tell(state, &alert, now).await?;
        }
    }
    relay(state).await
}

/// Events in this state without what is muted. While only that is left, it is not over, and nobody is told that it is.
async fn report_events(
    state: &AppState,
    kind: AlertKind,
    which: EventState,
    muted: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    let events = &state.store.events;
    let count = events.count_but(which, muted).await?;
    if count == 0 && !muted.is_empty() && events.count_up_to(which, 1).await? > 0 {
        return Ok(state.store.alerts.hush(kind, "").await?);
    }
    if count == 0 {
        return Ok(state.store.alerts.close(kind, "").await?);
    }
    let causes = leading(events.group_but(which, muted).await?);
    open(state, kind, "", (Count::Now(i64::try_from(count).unwrap_or(i64::MAX)), causes), now).await
}

fn leading(mut causes: Vec<Cause>) -> Causes {
    let others = i64::try_from(causes.len().saturating_sub(LEADING)).unwrap_or(i64::MAX);
    causes.truncate(LEADING);
    for cause in &mut causes {
        cause.cause = cause.cause.chars().take(LONGEST_CAUSE).collect();
    }
    Causes { leading: causes, others }
}

/// Whether nothing comes, and why.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quiet {
    AsUsual,
    Silent(SilenceCause),
}

/// Whether it has been quiet for longer than usual, or than is set; nothing can be said when nothing ever came, or all of it
/// was forgotten.
async fn find_silence(state: &AppState, now: Timestamp) -> Result<Option<Quiet>, Error> {
    let Some(last_at) = state.store.events.find_last_arrival().await? else { return Ok(None) };
    let quiet_for = now.duration_since(last_at);
    if quiet_for < QUIET_AT_LEAST {
        return Ok(Some(Quiet::AsUsual));
    }
    let learned_since = last_at.saturating_sub(LEARNED_FROM).unwrap_or(Timestamp::MIN);
    let history = state.store.statistics.list(Length::Hour, learned_since).await?;
    let bound = state.settings.alerts.silence_after.and_then(|bound| SignedDuration::try_from(bound).ok());
    let is_silent = is_silent(expect(&history, last_at, now), quiet_for, bound);
    let lately = now.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
    Ok(Some(if is_silent { Quiet::Silent(find_cause(&history, last_at, lately)) } else { Quiet::AsUsual }))
}

/// Whether runs that the clock wants come to no end. What was due while nobody ran is given a while.
async fn is_proof_old(state: &AppState, now: Timestamp) -> Result<bool, Error> {
    let Some(every) = state.settings.sync.reconcile_every else { return Ok(false) };
    let every = SignedDuration::try_from(every).unwrap_or(SignedDuration::MAX);
    let runs = &state.store.runs;
    if now.duration_since(state.started_at) < CAUGHT_UP_WITHIN || runs.find_running().await?.is_some() {
        return Ok(false);
    }
    if state.store.users.estimate().await? == 0 {
        return Ok(false);
    }
    let last = runs.find_newest(RunKind::Proof, &[RunState::Done]).await?;
    let last_at = last.map_or(state.started_at, |run| run.started_at);
    Ok(now.duration_since(last_at) > every.saturating_mul(2))
}

async fn is_endpoint_off(state: &AppState) -> Result<bool, Error> {
    let Some(webhook) = &state.settings.effects.webhook else { return Ok(false) };
    Ok(find_off(&state.store, &webhook.url).await?.is_some())
}

async fn tell(state: &AppState, alert: &Alert, now: Timestamp) -> Result<(), Error> {
    let window = SignedDuration::try_from(state.settings.alerts.window).unwrap_or(SignedDuration::MAX);
    let Some(news) = news_of(alert, window, now) else { return Ok(()) };
    let causes = (news == AlertState::Open).then(|| told_with(alert, window, now));
    state.store.alerts.tell(alert, causes.as_deref(), &messages(state, alert, now), now).await?;
    Ok(())
}

/// Of which causes there was word when this is told: of a group that is open still, or only just was, the earlier ones too.
fn told_with(alert: &Alert, window: SignedDuration, now: Timestamp) -> Vec<String> {
    let is_same = alert.is_told || is_in_window(alert, window, now);
    let mut told = if is_same { alert.told_causes.clone() } else { Vec::new() };
    let new = alert.causes.leading.iter().map(|cause| &cause.cause).filter(|cause| !told.contains(cause));
    let new: Vec<String> = new.cloned().collect();
    told.extend(new);
    told
}

fn is_in_window(alert: &Alert, window: SignedDuration, now: Timestamp) -> bool {
    alert.last_sent_at.is_some_and(|at| now.duration_since(at) < window)
}

/// Messages into jobs. Safe to repeat: a job's key is the message's.
async fn relay(state: &AppState) -> Result<(), Error> {
    for alert in state.store.alerts.list().await? {
        if !alert.outbox.is_empty() {
            state.add_jobs(&alert.outbox).await?;
            state.store.alerts.clear_outbox(&alert).await?;
        }
    }
    Ok(())
}

/// What there is to tell about a group: that it is so, that it is over, or nothing.
fn news_of(alert: &Alert, window: SignedDuration, now: Timestamp) -> Option<AlertState> {
    if alert.state == AlertState::Closed {
        return alert.is_told.then_some(AlertState::Closed);
    }
    let is_fresh = |since| alert.kind == AlertKind::EventsFailing && now.duration_since(since) < PATIENCE;
    if is_fresh(alert.first_seen_at) {
        return None;
    }
    let is_known = alert.is_told && alert.count <= alert.told_count;
    let is_told = |cause: &Cause| alert.told_causes.contains(&cause.cause);
    let mut causes = alert.causes.leading.iter();
    let has_new_cause =
        alert.told_causes.len() < MOST_TOLD && causes.any(|cause| !is_told(cause) && !is_fresh(cause.first_seen_at));
    let is_more = !is_known && !is_in_window(alert, window, now);
    (is_more || has_new_cause).then_some(AlertState::Open)
}

/// One message for each way that is configured.
fn messages(state: &AppState, alert: &Alert, now: Timestamp) -> Vec<Effect> {
    let settings = &state.settings.alerts;
    let ways = [
        (Channel::Mail, "mail", !settings.mail.is_empty() && state.mailer.is_some()),
        (Channel::Webhook, "webhook", settings.webhook_url.is_some()),
    ];
    let effect = |channel: Channel, word: &str| {
        let notice = Notice {
            channel,
            kind: alert.kind,
            cause: alert.cause.clone(),
            state: alert.state,
            count: alert.count,
            first_seen_at: alert.first_seen_at,
            last_seen_at: alert.last_seen_at,
            causes: alert.causes.shown(),
        };
        Effect {
            key: format!("alert:{word}:{}:{}:{}", alert.id, alert.state.as_str(), now.as_millisecond()),
            kind: KIND,
            clerk_id: String::new(),
            body: serde_json::to_string(&notice).ok(),
            trace: None,
            events: Vec::new(),
            change: None,
        }
    };
    ways.into_iter().filter(|(_, _, is_wanted)| *is_wanted).map(|(channel, word, _)| effect(channel, word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(kind: AlertKind, state: AlertState, count: i64) -> Alert {
        Alert {
            id: kind.as_str().to_owned(),
            kind,
            cause: String::new(),
            state,
            count,
            first_seen_at: Timestamp::UNIX_EPOCH,
            last_seen_at: Timestamp::UNIX_EPOCH,
            last_sent_at: None,
            told_count: 0,
            is_told: false,
            causes: Causes::default(),
            told_causes: Vec::new(),
            outbox: Vec::new(),
        }
    }

    fn news(alert: &Alert, minutes: i64) -> Option<AlertState> {
        let now = Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_mins(minutes)).unwrap();
        news_of(alert, SignedDuration::from_hours(1), now)
    }

    #[test]
    fn a4_26_a_group_is_told_once_again_if_it_grows_and_when_it_is_over() {
        let mut alert = group(AlertKind::EventsDead, AlertState::Open, 1);
        assert_eq!(news(&alert, 0), Some(AlertState::Open));
        alert.last_sent_at = Some(Timestamp::UNIX_EPOCH);
        (alert.is_told, alert.told_count, alert.count) = (true, 1, 50);
        assert_eq!(news(&alert, 59), None, "the window");
        assert_eq!(news(&alert, 60), Some(AlertState::Open), "there is more");
        alert.count = 1;
        assert_eq!(news(&alert, 600), None, "nothing new");
        alert.state = AlertState::Closed;
        assert_eq!(news(&alert, 1), Some(AlertState::Closed));
        alert.is_told = false;
        assert_eq!(news(&alert, 1), None, "told already");
        alert.state = AlertState::Open;
        assert_eq!(news(&alert, 30), None, "a flapping group stays quiet for the window");
        assert_eq!(news(&alert, 60), Some(AlertState::Open));
    }

    #[test]
    fn e_32_a_new_cause_is_told_within_the_window_and_so_many_of_them_at_most() {
        let cause = |name: &str, minutes: i64| Cause {
            cause: name.to_owned(),
            count: 1,
            first_seen_at: Timestamp::UNIX_EPOCH.saturating_add(SignedDuration::from_mins(minutes)).unwrap(),
            last_seen_at: Timestamp::UNIX_EPOCH,
        };
        let mut alert = group(AlertKind::EventsFailing, AlertState::Open, 1);
        (alert.is_told, alert.told_count, alert.last_sent_at) = (true, 1, Some(Timestamp::UNIX_EPOCH));
        alert.told_causes = vec!["a".to_owned()];
        alert.causes = leading(vec![cause("a", 0)]);
        assert_eq!(news(&alert, 5), None, "known");
        alert.causes = leading(vec![cause("a", 0), cause("b", 5)]);
        assert_eq!(news(&alert, 5), None, "a single failed attempt is no news");
        assert_eq!(news(&alert, 6), Some(AlertState::Open), "another cause, though there are no more than before");
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(told_with(&alert, SignedDuration::from_hours(1), now), ["a", "b"]);
        alert.told_causes = (0..MOST_TOLD).map(|number| number.to_string()).collect();
        assert_eq!(news(&alert, 6), None, "enough was told");
        (alert.is_told, alert.last_sent_at) = (false, None);
        assert_eq!(told_with(&alert, SignedDuration::from_hours(1), now), ["a", "b"], "it opened anew");
    }

    #[test]
    fn a_group_names_the_leading_causes_and_counts_the_others() {
        let causes = (0..7).map(|number| Cause {
            cause: format!("{number}{}", "x".repeat(500)),
            count: 7 - number,
            first_seen_at: Timestamp::UNIX_EPOCH,
            last_seen_at: Timestamp::UNIX_EPOCH,
        });
        let causes = leading(causes.collect());
        assert_eq!((causes.leading.len(), causes.others), (LEADING, 2));
        assert!(causes.leading.iter().all(|cause| cause.cause.len() == LONGEST_CAUSE));
    }

    #[test]
    fn a_single_failed_attempt_is_no_news() {
        let alert = group(AlertKind::EventsFailing, AlertState::Open, 3);
        assert_eq!(news(&alert, 0), None);
        assert_eq!(news(&alert, 1), Some(AlertState::Open));
        assert_eq!(news(&group(AlertKind::EventsFailing, AlertState::Closed, 3), 1), None);
    }
}
