//! The sync page's numbers: each is kept as it changes, or is read at a cost that does not grow with the collections.
//!
//! Knows no page and no HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::model::alert::{AlertKind, AlertRow, AlertState};
use crate::model::audit::Action;
use crate::model::chart::{Chart, Period};
use crate::model::event::EventState;
use crate::model::failure::FAILURES;
use crate::model::health::{Signs, SilenceCause};
use crate::model::job::JobState;
use crate::model::run::{RunKind, RunState};
use crate::model::sync::{ClerkCalls, Instance, Lag, ProofLine, Steps, Success, SyncOverview};
use crate::server::canary;
use crate::server::error::Error;
use crate::server::health::ways::webhook_url;
use crate::server::rotation::fingerprint;
use crate::server::state::AppState;
use crate::server::statistics::chart::{charts, length_of, start_of};
use crate::server::statistics::lag::percentile_ms;
use crate::server::store::Store;
use crate::server::store::alerts::Alert;
use crate::server::store::audit::Filter;
use crate::server::store::instances;
use crate::server::store::mutes::{Mute, key_of_alert};
use crate::server::store::runs::Run;
use crate::server::store::secrets::SecretUse;
use crate::server::store::statistics::{Bucket, Length};
use crate::server::sync::counts::{Counts, count_all};
use crate::server::sync::inspection::row;
use crate::server::sync::scan::report::report;

/// How many events the page lists.
pub const NEWEST: i64 = 50;
const RECENT: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The mirror now.
pub async fn get_overview(state: &AppState) -> Result<SyncOverview, Error> {
    let store = &state.store;
    let now = Timestamp::now();
    let [since, yesterday] = [RECENT, DAY].map(|span| now.saturating_sub(span).unwrap_or(Timestamp::MIN));
    let proven = [RunState::Done, RunState::Stopped];
    let (Counts { events: counts, redeliveries, effects, people, deleted_people }, oldest_pending_at, newest) =
        tokio::try_join!(count_all(store), async { Ok(store.events.find_oldest_pending().await?) }, async {
            Ok(store.events.list_newest(NEWEST).await?)
        },)?;
    let (minutes, hours, instances, proof, groups, secrets, mutes) = tokio::try_join!(
        store.statistics.list(Length::Minute, since),
        store.statistics.list(Length::Hour, yesterday),
        store.instances.list(now),
        store.runs.find_newest(RunKind::Proof, &proven),
        store.alerts.list(),
        store.secrets.list(),
        store.mutes.list(now),
    )?;
    let as_of = Timestamp::now();
    let last_received_at = newest.first().map(|event| event.received_at).max(store.events.find_unread().await?.newest);
    let open: Vec<&Alert> = groups.iter().filter(|alert| alert.state == AlertState::Open).collect();
    let alerts: Vec<AlertRow> = open.iter().map(|alert| alert_row(alert, &mutes)).collect();
    let is_open = |kind: AlertKind| open.iter().any(|alert| alert.kind == kind);
    let is_signed = is_signed_by_one(state, &secrets);
    let is_mended = is_mended(store, proof.as_ref()).await?;
    let proof = proof.as_ref().map(proof_line);
    let of = |wanted: EventState| counts.iter().find(|row| row.state == wanted).map_or(0, |row| row.count);
    let backlog = of(EventState::Received) + of(EventState::Failed);
    // Whoever looks at this page is one; another must have come, by whatever way.
    let have_come = proof.is_some() || people > 1 || of(EventState::Applied) > 0;
    let steps = Steps {
        has_keys: !is_open(AlertKind::KeyRefused) && (proof.is_some() || has_keys(state, &instances)),
        has_endpoint: is_signed || !newest.is_empty(),
        has_people: have_come || store.runs.find_newest(RunKind::Backfill, &[RunState::Done]).await?.is_some(),
    };
    let lost = |wanted: JobState| effects.iter().find(|row| row.state == wanted).map_or(0, |row| row.count);
    let clerk = clerk_calls(state, &instances);
    let signs = Signs {
        has_begun: !newest.is_empty() || proof.is_some() || steps.has_people,
        refuses_all: !is_signed && sum(&minutes, |bucket| bucket.refused.get("signature").copied()) > 0,
        has_secret: state.verifier.is_some(),
        is_key_refused: is_open(AlertKind::KeyRefused),
        is_circuit_open: clerk.is_circuit_open,
        failed: of(EventState::Failed),
        dead: of(EventState::Dead),
        lost_effects: lost(JobState::Dead) + lost(JobState::Unsure),
        is_endpoint_gone: is_open(AlertKind::EndpointGone),
        drift: proof.as_ref().map_or(0, |proof| proof.differences),
        proof_id: proof.as_ref().map(|proof| proof.run_id.clone()),
        is_mended,
        backlog,
        oldest_pending_seconds: oldest_pending_at.map_or(0, |at| as_of.duration_since(at).as_secs()),
        silence: find_silence(&open, last_received_at, as_of),
        unproved: proof.as_ref().filter(|proof| !proof.is_clean).map(|proof| proof.statement.clone()),
        alert: alerts.iter().find(|alert| alert.is_untold()).cloned(),
    };
    Ok(SyncOverview {
        as_of,
        judgement: signs.judge(),
        alerts,
        counts,
        redeliveries,
        people,
        deleted_people,
        last_received_at,
        backlog,
        oldest_pending_at,
        lag: lag_of(&minutes),
        received_in_hour: sum(&minutes, |bucket| Some(bucket.received)),
        success_in_hour: success_of(&minutes),
        success_in_day: success_of(&hours),
        effects,
        clerk,
        proof,
        canary: canary::get_report(&state.settings, store).await?,
        instances: instances.into_iter().map(instance).collect(),
        steps,
        webhook_url: webhook_url(&state.settings).to_string(),
        events: newest.into_iter().map(row).collect(),
    })
}

/// Whether a delivery was signed by a secret of today.
fn is_signed_by_one(state: &AppState, secrets: &[SecretUse]) -> bool {
    let ours: Vec<String> = state.settings.clerk.webhook_secrets.iter().map(fingerprint).collect();
    secrets.iter().any(|secret| ours.contains(&secret.fingerprint))
}

fn alert_row(alert: &Alert, mutes: &[Mute]) -> AlertRow {
    let key = key_of_alert(alert.kind, &alert.cause);
    AlertRow {
        muted_until: mutes.iter().find(|mute| mute.cause == key).map(|mute| mute.until),
        kind: alert.kind,
        cause: alert.cause.clone(),
        count: alert.count.unsigned_abs(),
        first_seen_at: alert.first_seen_at,
        last_seen_at: alert.last_seen_at,
        causes: alert.causes.shown(),
    }
}

fn proof_line(run: &Run) -> ProofLine {
    let report = report(run);
    let differences = report.counts.differences();
    ProofLine { run_id: report.id.clone(), is_clean: report.is_clean(), statement: report.statement, differences }
}

/// Whether Clerk has taken the key for a call of any process. If none was made yet, one is made now, for the next look: nobody
/// waits for its answer.
fn has_keys(state: &AppState, instances: &[instances::Instance]) -> bool {
    let is_taken = state.clerk.is_key_refused() == Some(false) || instances.iter().any(|instance| instance.has_keys);
    if !is_taken && let Ok(only) = Arc::clone(&state.key_question).try_acquire_owned() {
        let clerk = state.clerk.in_background();
        tokio::spawn(async move {
            // What the answer says of the key is kept where calls are made.
            drop((clerk.fetch_instance().await, only));
        });
    }
    is_taken
}

/// The charts of a time.
///
/// # Errors
/// `Invalid` for what is none of the times; MongoDB's.
pub async fn get_charts(state: &AppState, period: &str) -> Result<Vec<Chart>, Error> {
    let invalid = || Error::Invalid { field: "period", message: "It is no period.".to_owned() };
    let period = Period::parse(period).ok_or_else(invalid)?;
    let now = Timestamp::now();
    let buckets = state.store.statistics.list(length_of(period), start_of(period, now)).await?;
    Ok(charts(&buckets, period, now))
}

/// Whether a reconciliation was done, or anybody brought up to date, since this found differences.
async fn is_mended(store: &Store, proof: Option<&Run>) -> Result<bool, Error> {
    let differs = proof.filter(|proof| proof.progress.counts.differences() > 0);
    let Some(proven_at) = differs.map(|proof| proof.started_at) else { return Ok(false) };
    let refreshed =
        Filter { action: Some(Action::RefreshUser.as_str().to_owned()), since: Some(proven_at), ..Filter::default() };
    let (reconciled, refreshed) = tokio::try_join!(
        store.runs.find_newest(RunKind::Reconcile, &[RunState::Done]),
        store.audit.list(&refreshed, None, 1),
    )?;
    Ok(!refreshed.is_empty() || reconciled.is_some_and(|run| run.started_at > proven_at))
}

fn sum(buckets: &[Bucket], of: impl Fn(&Bucket) -> Option<i64>) -> u64 {
    buckets.iter().filter_map(of).sum::<i64>().unsigned_abs()
}

fn success_of(buckets: &[Bucket]) -> Success {
    let of = sum(buckets, |bucket| Some(bucket.ended.values().sum()));
    let is_bad = |state: &str| FAILURES.iter().any(|failure| failure.as_str() == state);
    let bad = |bucket: &Bucket| bucket.ended.iter().filter(|(state, _)| is_bad(state)).map(|(_, count)| count).sum();
    Success { well: of.saturating_sub(sum(buckets, |bucket| Some(bad(bucket)))), of }
}

/// Of all buckets together.
pub fn lag_of(buckets: &[Bucket]) -> Lag {
    let mut all: BTreeMap<String, i64> = BTreeMap::new();
    for (class, count) in buckets.iter().flat_map(|bucket| &bucket.lag) {
        *all.entry(class.clone()).or_default() += count;
    }
    let of = |permille| percentile_ms(&all, permille);
    Lag { p50_ms: of(500), p95_ms: of(950), p99_ms: of(990) }
}

/// Whether it is too quiet is found out by whoever looks for alerts.
fn find_silence(open: &[&Alert], last_at: Option<Timestamp>, now: Timestamp) -> Option<(SilenceCause, i64)> {
    let alert = open.iter().find(|alert| alert.kind == AlertKind::Silence)?;
    let cause = SilenceCause::named(&alert.cause);
    let quiet_since = last_at.unwrap_or(alert.first_seen_at);
    Some((cause.unwrap_or(SilenceCause::NothingArrives), now.duration_since(quiet_since).as_secs()))
}

/// This process' own budget is of this moment; others' is as they said it last.
fn clerk_calls(state: &AppState, instances: &[instances::Instance]) -> ClerkCalls {
    let others = instances.iter().filter(|instance| instance.id != state.instance_id);
    let mut all = ClerkCalls {
        left: u64::from(state.clerk.calls_left()),
        of: u64::from(state.clerk.calls_allowed()),
        is_circuit_open: state.clerk.is_circuit_open(),
    };
    for other in others {
        all.left += other.clerk_calls_left.unsigned_abs();
        all.of += other.clerk_calls.unsigned_abs();
        all.is_circuit_open |= other.is_circuit_open;
    }
    all
}

fn instance(instance: instances::Instance) -> Instance {
    Instance {
        id: instance.id,
        version: instance.version,
        started_at: instance.started_at,
        seen_at: instance.seen_at,
        inbox_free: instance.inbox_free.unsigned_abs(),
    }
}
