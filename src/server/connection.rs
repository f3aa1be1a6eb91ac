//! How Clerk and we are connected: what its page shows, a test of the way in, and a look at everything.
//!
//! Knows no page and no HTTP.

use jiff::{SignedDuration, Timestamp};

use crate::model::connection::{Connection, Examination, FindingRow, InngestState, SecretRow, TypeRow};
use crate::model::event::SYNCED_TYPES;
use crate::model::health::milliseconds;
use crate::model::notice::Notice;
use crate::server::access::Admin;
use crate::server::error::Error;
use crate::server::health::{Finding, Verdict, examine as find, ways};
use crate::server::probe;
use crate::server::rotation::{advise, fingerprint};
use crate::server::settings::Settings;
use crate::server::state::AppState;
use crate::server::store::secrets::SecretUse;
use crate::server::store::statistics::{Length, TypeSeen};

/// Everything that the page shows.
///
/// # Errors
/// MongoDB away.
pub async fn get_connection(state: &AppState) -> Result<Connection, Error> {
    let (store, now) = (&state.store, Timestamp::now());
    let since = now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
    let (secrets, types, minutes, examination) = futures::try_join!(
        store.secrets.list(),
        store.statistics.list_types(),
        store.statistics.list(Length::Minute, since),
        store.examinations.find_last(),
    )?;
    let refused = minutes.iter().filter_map(|bucket| bucket.refused.get("signature"));
    Ok(Connection {
        webhook_url: ways::webhook_url(&state.settings).to_string(),
        secrets: secret_rows(&state.settings, &secrets, now),
        types: type_rows(types),
        unverified_in_hour: refused.sum::<i64>().unsigned_abs(),
        inngest: inngest(&state.settings),
        examination,
    })
}

fn secret_rows(settings: &Settings, seen: &[SecretUse], now: Timestamp) -> Vec<SecretRow> {
    let ours: Vec<String> = settings.clerk.webhook_secrets.iter().map(fingerprint).collect();
    let uses: Vec<Option<&SecretUse>> =
        ours.iter().map(|fingerprint| seen.iter().find(|used| used.fingerprint == *fingerprint)).collect();
    let advice = advise(&uses, now);
    let configured =
        ours.iter().zip(&uses).zip(advice).enumerate().map(|(place, ((fingerprint, used), advice))| SecretRow {
            place: Some(place + 1),
            fingerprint: fingerprint.clone(),
            first_used_at: used.map(|used| used.first_used_at),
            last_used_at: used.map(|used| used.last_used_at),
            advice: advice.text().to_owned(),
            is_safe_to_retire: advice.is_safe_to_retire(),
        });
    let gone = seen.iter().filter(|used| !ours.contains(&used.fingerprint)).map(|used| SecretRow {
        place: None,
        fingerprint: used.fingerprint.clone(),
        first_used_at: Some(used.first_used_at),
        last_used_at: Some(used.last_used_at),
        advice: "not configured any more".to_owned(),
        is_safe_to_retire: false,
    });
    configured.chain(gone).collect()
}

fn type_rows(seen: Vec<TypeSeen>) -> Vec<TypeRow> {
    let needed = SYNCED_TYPES.map(|kind| {
        let found = seen.iter().find(|one| one.kind == kind);
        TypeRow {
            kind: kind.to_owned(),
            count: found.map_or(0, |one| one.count.unsigned_abs()),
            last_seen_at: found.map(|one| one.last_at),
            is_needed: true,
        }
    });
    let others = seen.iter().filter(|one| !SYNCED_TYPES.contains(&one.kind.as_str())).map(|one| TypeRow {
        kind: one.kind.clone(),
        count: one.count.unsigned_abs(),
        last_seen_at: Some(one.last_at),
        is_needed: false,
    });
    needed.into_iter().chain(others).collect()
}

fn inngest(settings: &Settings) -> InngestState {
    let app_id = settings.inngest.protocol.app_id.clone();
    match (settings.inngest.is_on, settings.inngest.relay) {
        (false, _) => InngestState::Off,
        (true, false) => InngestState::On { app_id },
        (true, true) => InngestState::Relaying { app_id },
    }
}

/// A delivery signed by each secret, from here by way of the public address: whether it arrived, how long that took, and what
/// was decided about it. It leaves no trace.
///
/// # Errors
/// None: what is wrong is what the notice says.
pub async fn send_test_event(state: &AppState, _admin: &Admin) -> Result<Notice, Error> {
    let url = ways::webhook_url(&state.settings);
    if state.settings.clerk.webhook_secrets.is_empty() {
        return Ok(Notice::failed(format!("A test cannot be signed: {}.", probe::UNCONFIGURED)));
    }
    Ok(match ways::probe_webhook(&state.settings, &state.sender, &url).await {
        Ok(took) => Notice::done(format!(
            "A signed test event went to {url} and was accepted after {}. Decided: its signature holds; as a test it is ignored and not stored.",
            milliseconds(u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1)),
        )),
        Err((seen, fix)) => Notice::failed(format!("The test event did not get through: {seen}. To mend it: {fix}.")),
    })
}

/// Everything that `rollcall doctor` looks at, kept for the page.
///
/// # Errors
/// MongoDB away.
pub async fn examine(state: &AppState, _admin: &Admin) -> Result<Notice, Error> {
    let findings = find(&state.settings, &state.store, &state.clerk, &state.sender).await;
    let bad = findings.iter().filter(|finding| finding.verdict == Verdict::Bad).count();
    let examination = Examination { at: Timestamp::now(), findings: findings.into_iter().map(row).collect() };
    state.store.examinations.keep(&examination).await?;
    let count = examination.findings.len();
    Ok(match bad {
        0 => Notice::done(format!("{count} checks were made, and none found anything broken.")),
        bad => Notice::failed(format!("{bad} of {count} checks found something broken; each says how to mend it.")),
    })
}

fn row(finding: Finding) -> FindingRow {
    FindingRow {
        check: finding.check.to_owned(),
        verdict: finding.verdict.as_str().to_owned(),
        seen: finding.seen,
        fix: finding.fix,
    }
}
