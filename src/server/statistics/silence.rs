//! When quiet is too quiet (C-4): by what came in the same hours of the weeks before, and why it may be. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::health::SilenceCause;
use crate::server::store::statistics::{Bucket, Length};

/// Quiet is silence when so many events would have been expected: by chance that happens once in thousands of years.
const EXPECTED_AT_LEAST: f64 = 14.0;
/// However many are expected: a short pause of the sender is none.
pub const QUIET_AT_LEAST: SignedDuration = SignedDuration::from_mins(10);
const HOURS_OF_A_WEEK: i64 = 168;
/// With less history nothing is learned.
const HISTORY_AT_LEAST: i64 = 24;
/// Whoever looks for open doors sends fewer without what proves a delivery.
const MORE_THAN_STRAY: i64 = 3;
/// So many hours of the week before the last event are looked at if the same hour of other weeks is not known.
const WEEKS: i64 = 12;

/// How many events usually come from `since` to `now`, by the hours before; `None` while too little is known.
pub fn expect(history: &[Bucket], since: Timestamp, now: Timestamp) -> Option<f64> {
    let hour = |at: Timestamp| at.as_second().div_euclid(Length::Hour.seconds());
    let by_hour: BTreeMap<i64, i64> = history.iter().map(|bucket| (hour(bucket.at), bucket.received)).collect();
    let (first, last) = (*by_hour.keys().next()?, hour(since));
    if last - first < HISTORY_AT_LEAST {
        return None;
    }
    let came = |hour: i64| by_hour.get(&hour).copied().unwrap_or_default();
    // The hour of the last event is whole in no week; the one before it is.
    let overall = median((first..last).map(came).collect());
    let usual = |wanted: i64| {
        let weeks = (1..=WEEKS).map(|weeks| wanted - weeks * HOURS_OF_A_WEEK);
        let same: Vec<i64> = weeks.filter(|past| (first..last).contains(past)).map(came).collect();
        // With one week a busy hour of it says little: the lesser of both.
        if same.len() < 2 { median(same).map_or(overall, |one| overall.map(|all| all.min(one))) } else { median(same) }
    };
    let mut expected = 0.0;
    for wanted in last..=hour(now) {
        let begin = Timestamp::from_second(wanted * Length::Hour.seconds()).ok()?;
        let end = begin.saturating_add(SignedDuration::from_hours(1)).ok()?;
        let part = end.min(now).duration_since(begin.max(since)).as_secs_f64() / 3_600.0;
        expected += usual(wanted).unwrap_or_default() * part.max(0.0);
    }
    Some(expected)
}

#[expect(clippy::cast_precision_loss, reason = "events of one hour are fewer than a float can count")]
fn median(mut counts: Vec<i64>) -> Option<f64> {
    counts.sort_unstable();
    counts.get(counts.len() / 2).map(|count| *count as f64)
}

/// Whether it is too quiet, by the history or by the bound that is set.
pub fn is_silent(expected: Option<f64>, quiet_for: SignedDuration, bound: Option<SignedDuration>) -> bool {
    let is_odd = expected.is_some_and(|expected| expected >= EXPECTED_AT_LEAST) && quiet_for >= QUIET_AT_LEAST;
    is_odd || bound.is_some_and(|bound| quiet_for > bound)
}

/// Why, most likely, by what was refused in the hours since a little before the last event, and of it `lately`.
pub fn find_cause(hours: &[Bucket], since: Timestamp, lately: Timestamp) -> SilenceCause {
    let refused = |reason: &str, since: Timestamp| {
        let later = hours.iter().filter(|bucket| bucket.at >= Length::Hour.start(since));
        later.map(|bucket| bucket.refused.get(reason).copied().unwrap_or_default()).sum::<i64>()
    };
    let altered = Some(refused("headers", since)).filter(|count| *count >= MORE_THAN_STRAY).unwrap_or_default();
    let ours = if refused("ours", lately) > 0 { SilenceCause::Refused } else { SilenceCause::EndpointDisabled };
    let counts = [
        (refused("signature", since), SilenceCause::WrongSecret),
        (refused("clock", since), SilenceCause::ClockSkew),
        (altered, SilenceCause::Altered),
        (refused("ours", since), ours),
    ];
    // Anybody can send something wrong now and then; whoever sends most is the sender.
    let most = counts.into_iter().rev().max_by_key(|(count, _)| *count).filter(|(count, _)| *count > 0);
    most.map_or(SilenceCause::NothingArrives, |(_, cause)| cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_hour(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 / 3_600 * 3_600 + hour * 3_600).unwrap()
    }

    fn bucket(hour: i64, received: i64) -> Bucket {
        let none = BTreeMap::new;
        Bucket {
            at: at_hour(hour),
            received,
            active: 0,
            ended: none(),
            lag: none(),
            refused: none(),
            backlog: None,
            drift: None,
        }
    }

    /// `weeks` of an office: busy by day, nothing by night.
    fn office(weeks: i64) -> Vec<Bucket> {
        let busy = |hour: &i64| hour % 24 >= 9 && hour % 24 < 18;
        (0..weeks * 168).filter(busy).map(|hour| bucket(hour, 30)).collect()
    }

    fn silent(history: &[Bucket], since: i64, hours: i64) -> bool {
        let (since, now) = (at_hour(since), at_hour(since + hours));
        is_silent(expect(history, since, now), now.duration_since(since), None)
    }

    #[test]
    fn c_4_quiet_by_day_is_silence_and_quiet_by_night_is_not() {
        let history = office(3);
        let morning = 3 * 168 + 10;
        assert!(silent(&history, morning, 1));
        let evening = 3 * 168 + 18;
        assert!(!silent(&history, evening, 14), "a whole night");
        assert!(silent(&history, evening, 17), "and into the morning");
    }

    #[test]
    fn c_4_with_little_history_or_little_traffic_only_the_bound_counts() {
        assert!(!silent(&office(1)[..4], 20, 3), "nothing is known");
        let sparse: Vec<Bucket> = (0..500).step_by(12).map(|hour| bucket(hour, 1)).collect();
        assert!(!silent(&sparse, 500, 24));
        let day = SignedDuration::from_hours(24);
        assert!(is_silent(None, day * 2, Some(day)) && !is_silent(None, day, Some(day)));
        assert!(!is_silent(Some(1_000.0), SignedDuration::from_mins(9), None), "a pause");
    }

    #[test]
    fn c_4_one_burst_teaches_nothing() {
        let mut history: Vec<Bucket> = (0..100).map(|hour| bucket(hour, 0)).collect();
        history[40].received = 100_000;
        assert!(!silent(&history, 100 + 108, 2), "the same hour a week after a backfill");
    }

    #[test]
    fn c_4_what_was_refused_names_the_cause() {
        let with = |reason: &str| {
            let refused = BTreeMap::from([(reason.to_owned(), 3)]);
            [bucket(5, 0), Bucket { refused, ..bucket(9, 0) }]
        };
        let cause = |reason: &str, since, lately| find_cause(&with(reason), at_hour(since), at_hour(lately));
        assert_eq!(cause("signature", 8, 12), SilenceCause::WrongSecret);
        assert_eq!(cause("ours", 8, 9), SilenceCause::Refused, "and still is");
        assert_eq!(cause("ours", 8, 12), SilenceCause::EndpointDisabled, "and no more");
        assert_eq!(cause("signature", 10, 12), SilenceCause::NothingArrives, "that was before");
        assert_eq!(cause("clock", 8, 12), SilenceCause::ClockSkew);
        assert_eq!(cause("headers", 8, 12), SilenceCause::Altered);
    }

    #[test]
    fn c_4_whatever_was_refused_most_is_the_cause_and_a_stray_request_is_none() {
        let cause = |refused: &[(&str, i64)]| {
            let refused = refused.iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect();
            find_cause(&[Bucket { refused, ..bucket(9, 0) }], at_hour(8), at_hour(9))
        };
        assert_eq!(cause(&[("signature", 1), ("ours", 40)]), SilenceCause::Refused, "somebody forged one");
        assert_eq!(cause(&[("signature", 12), ("ours", 1)]), SilenceCause::WrongSecret, "somebody sent too much");
        assert_eq!(cause(&[("headers", 2)]), SilenceCause::NothingArrives, "somebody looked for open doors");
        assert_eq!(cause(&[("headers", 2), ("clock", 1)]), SilenceCause::ClockSkew);
    }
}
