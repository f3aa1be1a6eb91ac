//! The canary (C-4): a person whose private metadata is touched by the clock, so that a webhook must come back. If it does
//! not, webhooks do not come, however little else happens at Clerk; and the likely cause is named.
//!
//! Any number of processes may look: of those for whom a touch is due, one makes it. Knows no page and sends no alert.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::model::canary::{CanaryReport, CanaryState};
use crate::model::health::SilenceCause;
use crate::server::clerk;
use crate::server::clerk::client::MetadataChange;
use crate::server::error::Error;
use crate::server::settings::Settings;
use crate::server::settings::canary::Canary;
use crate::server::state::AppState;
use crate::server::statistics::silence::find_cause;
use crate::server::store::Store;
use crate::server::store::canary::{CLOCKS_DIFFER_BY, Touch};
use crate::server::store::statistics::Length;

/// The key of private metadata that is written: when it was touched, in milliseconds.
const KEY: &str = "rollcallCanary";
/// How far back is looked for deliveries that failed before.
const FAILED_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Sees what came of the last touch, and makes the next if it is due. `None` without a canary in the settings.
///
/// # Errors
/// MongoDB away. What Clerk says is part of the touch.
pub async fn look(state: &AppState, now: Timestamp) -> Result<Option<Touch>, Error> {
    let Some(canary) = &state.settings.sync.canary else { return Ok(None) };
    if let Some(touch) = find(&state.store, canary).await? {
        await_return(state, canary, touch, now).await?;
    }
    let next = now.saturating_add(canary.every).unwrap_or(Timestamp::MAX);
    if state.store.canary.claim(&canary.user, now, next).await? {
        touch(state, canary, now).await?;
    }
    find(&state.store, canary).await
}

/// What came of the last touch, as it is known. `None` without a canary, or before its first touch.
///
/// # Errors
/// MongoDB away.
pub async fn get_report(settings: &Settings, store: &Store) -> Result<Option<CanaryReport>, Error> {
    let Some(canary) = &settings.sync.canary else { return Ok(None) };
    Ok(find(store, canary).await?.map(|touch| report(&touch, canary, Timestamp::now())))
}

/// That of another person, who was the canary before, says nothing.
async fn find(store: &Store, canary: &Canary) -> Result<Option<Touch>, Error> {
    Ok(store.canary.find().await?.filter(|touch| touch.clerk_id == canary.user))
}

async fn touch(state: &AppState, canary: &Canary, now: Timestamp) -> Result<(), Error> {
    let mut change = MetadataChange::default();
    change.private.insert(KEY.to_owned(), json!(now.as_millisecond()));
    match state.clerk.merge_user_metadata(&canary.user, &change).await {
        Ok(theirs) => {
            // The answer is not applied: that is for the webhook to do.
            let version = theirs.updated_at.map_or(0, Timestamp::as_millisecond);
            Ok(state.store.canary.record_version(now, version).await?)
        }
        Err(clerk::Error::NotFound) => {
            Ok(state.store.canary.record_refusal(now, "Clerk knows nobody by this id").await?)
        }
        Err(error) => {
            let error = Error::from(error);
            error.log("touch_canary");
            Ok(state.store.canary.record_refusal(now, &error.cause()).await?)
        }
    }
}

async fn await_return(state: &AppState, canary: &Canary, mut touch: Touch, now: Timestamp) -> Result<(), Error> {
    let (Some(version), None) = (touch.version, touch.returned_at) else { return Ok(()) };
    let before = touch.clone();
    // The process that touched and the one that received may differ about the time.
    let since = touch.touched_at.saturating_sub(CLOCKS_DIFFER_BY).unwrap_or(Timestamp::MIN);
    touch.returned_at = state.store.events.find_arrival(&touch.clerk_id, version, since).await?;
    let is_late = is_over(&touch, canary, touch.returned_at.unwrap_or(now));
    touch.failure = match touch.returned_at {
        Some(_) => is_late.then_some(SilenceCause::Late),
        None if is_late => Some(why(state, touch.touched_at).await?),
        // What was wrong before may still be.
        None => touch.failure,
    };
    if touch != before {
        state.store.canary.record_return(&touch).await?;
    }
    Ok(())
}

fn is_over(touch: &Touch, canary: &Canary, now: Timestamp) -> bool {
    now.duration_since(touch.touched_at) > SignedDuration::try_from(canary.within).unwrap_or(SignedDuration::MAX)
}

/// Why the webhook of this touch is not there, most likely.
async fn why(state: &AppState, touched_at: Timestamp) -> Result<SilenceCause, Error> {
    let newest = state.store.events.list_newest(1).await?;
    let last_at = newest.first().map(|event| event.received_at);
    if last_at.is_some_and(|at| at > touched_at) {
        return Ok(SilenceCause::Late);
    }
    let longest = touched_at.saturating_sub(FAILED_WITHIN).unwrap_or(Timestamp::MIN);
    let since = last_at.map_or(longest, |at| at.max(longest));
    let hours = state.store.statistics.list(Length::Hour, Length::Hour.start(since)).await?;
    Ok(find_cause(&hours, since, touched_at))
}

fn report(touch: &Touch, canary: &Canary, now: Timestamp) -> CanaryReport {
    let took = touch.returned_at.map(|at| at.duration_since(touch.touched_at).as_millis().max(0).unsigned_abs());
    let state = match (touch.version, touch.returned_at) {
        (_, Some(at)) if is_over(touch, canary, at) => CanaryState::Late,
        (_, Some(_)) => CanaryState::Returned,
        (None, None) if touch.refusal.is_some() || is_over(touch, canary, now) => CanaryState::Untouched,
        (Some(_), None) if is_over(touch, canary, now) => CanaryState::Missing,
        _ => CanaryState::Waiting,
    };
    let mut report = CanaryReport {
        clerk_id: touch.clerk_id.clone(),
        state,
        touched_at: touch.touched_at,
        took_ms: took.map(|took| u64::try_from(took).unwrap_or(u64::MAX)),
        cause: touch.failure,
        refusal: touch.refusal.clone(),
        statement: String::new(),
    };
    report.statement = report.describe();
    report
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    #[test]
    fn c_4_how_a_touch_stands_follows_from_what_is_known_and_from_the_time() {
        let canary =
            Canary { user: "user_c".to_owned(), every: Duration::from_hours(1), within: Duration::from_mins(1) };
        let sent = Touch {
            clerk_id: "user_c".to_owned(),
            touched_at: at(0),
            due_at: at(3_600),
            version: None,
            refusal: None,
            returned_at: None,
            failure: None,
        };
        let made = Touch { version: Some(7), ..sent.clone() };
        let back = |second| Touch { returned_at: Some(at(second)), ..made.clone() };
        let refused = Touch { refusal: Some("Clerk refused (404 resource_not_found)".to_owned()), ..sent.clone() };
        for (touch, second, state, words) in [
            (sent.clone(), 5, CanaryState::Waiting, "awaited"),
            (sent, 61, CanaryState::Untouched, "Clerk has not answered"),
            (refused, 1, CanaryState::Untouched, "404"),
            (made.clone(), 60, CanaryState::Waiting, "awaited"),
            (made.clone(), 61, CanaryState::Missing, "did not come back in time."),
            (back(2), 100, CanaryState::Returned, "came back in 2.0 s."),
            (back(61), 100, CanaryState::Late, "too late"),
        ] {
            let report = report(&touch, &canary, at(second));
            assert_eq!(report.state, state, "{touch:?}");
            assert!(report.statement.contains(words), "{}", report.statement);
        }
        let failing = Touch { failure: Some(SilenceCause::WrongSecret), ..made };
        assert!(report(&failing, &canary, at(9)).statement.contains("none is signed"), "of the touch before");
    }
}
