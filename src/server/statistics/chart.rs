//! Draws the charts of the sync page from the stored buckets: pictures without colours, and the numbers as a table.
//!
//! The crate `plotters` draws in colours that are numbers; the stylesheet gives each of them a colour of the theme and a
//! pattern. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::chart::{Chart, ChartRow, Period};
use crate::model::health::{grouped, milliseconds};
use crate::server::statistics::lag::percentile_ms;
use crate::server::statistics::picture::{Axis, Drawing, draw};
use crate::server::store::statistics::{Bucket, Length};

/// What becomes of events, as one sees it at a glance: what changed nothing is one series.
const OUTCOMES: [(&str, &[&str]); 4] = [
    ("applied", &["applied"]),
    ("without change", &["stale", "duplicate", "ignored"]),
    ("failed, tried again", &["failed"]),
    ("dead", &["dead"]),
];

const DAY: i64 = 86_400;

/// From which buckets a period is made.
pub fn length_of(period: Period) -> Length {
    match period {
        Period::Hour | Period::Day => Length::Minute,
        Period::Week => Length::Hour,
    }
}

/// How long one point of a chart is, in seconds, and how many there are.
fn steps_of(period: Period) -> (i64, i64) {
    match period {
        Period::Hour => (60, 60),
        Period::Day => (900, 96),
        Period::Week => (3_600, 168),
    }
}

/// When the first point begins.
pub fn start_of(period: Period, now: Timestamp) -> Timestamp {
    let (step, count) = steps_of(period);
    let first = now.as_second().div_euclid(step) * step - (count - 1) * step;
    Timestamp::from_second(first).unwrap_or(now)
}

/// One point in time of all charts.
#[derive(Default)]
struct Slot {
    ended: BTreeMap<String, i64>,
    lag: BTreeMap<String, i64>,
    backlog: Option<i64>,
    drift: Option<i64>,
}

/// Every chart of the sync page.
pub fn charts(buckets: &[Bucket], period: Period, now: Timestamp) -> Vec<Chart> {
    let (step, count) = steps_of(period);
    let start = start_of(period, now);
    let mut slots: Vec<Slot> = (0..count).map(|_| Slot::default()).collect();
    for bucket in buckets {
        let place = (bucket.at.as_second() - start.as_second()).div_euclid(step);
        let Some(slot) = usize::try_from(place).ok().and_then(|place| slots.get_mut(place)) else { continue };
        add(&mut slot.ended, &bucket.ended);
        add(&mut slot.lag, &bucket.lag);
        slot.backlog = slot.backlog.max(bucket.backlog);
        slot.drift = slot.drift.max(bucket.drift);
    }
    let time = Time::of(period, now);
    vec![events(&slots, &time), lag(&slots, &time), backlog(&slots, &time), drift(&slots, &time)]
}

fn add(to: &mut BTreeMap<String, i64>, more: &BTreeMap<String, i64>) {
    for (name, count) in more {
        *to.entry(name.clone()).or_default() += count;
    }
}

/// The times of a chart: when it begins, how long a point is in seconds, and in which words.
struct Time {
    start: Timestamp,
    step: i64,
    form: &'static str,
    exact_form: &'static str,
    each: &'static str,
}

impl Time {
    fn of(period: Period, now: Timestamp) -> Self {
        let (form, each) = match period {
            Period::Hour => ("%H:%M", "each minute, UTC"),
            Period::Day => ("%H:%M", "each quarter of an hour, UTC"),
            Period::Week => ("%a %d", "each hour, UTC"),
        };
        let exact_form = "%Y-%m-%d %H:%M UTC";
        Self { start: start_of(period, now), step: steps_of(period).0, form, exact_form, each }
    }

    fn at(&self, place: usize, form: &str) -> String {
        let after = i64::try_from(place).unwrap_or_default() * self.step;
        let at = self.start.saturating_add(SignedDuration::from_secs(after)).unwrap_or(self.start);
        at.strftime(form).to_string()
    }

    /// When a point begins, for the table.
    fn exact(&self, place: usize) -> String {
        self.at(place, self.exact_form)
    }

    /// The same, for the axis.
    fn short(&self, place: usize) -> String {
        self.at(place, self.form)
    }
}

/// How many people on each day from the day of `start` on did what `word` says. `name` is the chart's.
pub fn by_day(name: &str, word: &str, days: &[(Timestamp, u64)], start: Timestamp, count: usize) -> Chart {
    let mut values = vec![None; count];
    for (at, people) in days {
        let place = (at.as_second() - start.as_second()).div_euclid(DAY);
        if let Some(value) = usize::try_from(place).ok().and_then(|place| values.get_mut(place)) {
            *value = Some(value.unwrap_or(0) + people);
        }
    }
    let most = values.iter().flatten().max().copied();
    let summary =
        most.map_or_else(|| "Nobody in this time.".to_owned(), |most| format!("At most {} on one day.", grouped(most)));
    let drawing = Drawing { values: vec![values], is_stacked: true, axis: Axis::Count };
    let time = Time { start, step: DAY, form: "%b %d", exact_form: "%Y-%m-%d", each: "each day, UTC" };
    chart((name, format!("People who {word}, {}", time.each), summary), &["people"], &drawing, &time)
}

fn events(slots: &[Slot], time: &Time) -> Chart {
    let count_of = |slot: &Slot, states: &[&str]| {
        states.iter().filter_map(|state| slot.ended.get(*state)).sum::<i64>().unsigned_abs()
    };
    let values: Vec<Vec<Option<u64>>> = OUTCOMES
        .iter()
        .map(|(_, states)| slots.iter().map(|slot| Some(count_of(slot, states)).filter(|count| *count > 0)).collect())
        .collect();
    let total: u64 = values.iter().flatten().flatten().sum();
    let most = (0..slots.len()).map(|place| values.iter().filter_map(|row| row[place]).sum::<u64>()).max();
    let summary = if total == 0 {
        "No event in this time.".to_owned()
    } else {
        let each = time.each.trim_end_matches(", UTC");
        let attempts = if total == 1 { "attempt" } else { "attempts" };
        format!("{} {attempts} at events in all, at most {} {each}.", grouped(total), grouped(most.unwrap_or(0)))
    };
    let drawing = Drawing { values, is_stacked: true, axis: Axis::Count };
    let names = OUTCOMES.map(|(name, _)| name);
    chart(("chart-events", format!("Events by outcome, {}", time.each), summary), &names, &drawing, time)
}

fn lag(slots: &[Slot], time: &Time) -> Chart {
    let row = |permille| slots.iter().map(|slot| percentile_ms(&slot.lag, permille)).collect::<Vec<_>>();
    let values = vec![row(500), row(950), row(990)];
    let summary = match values[2].iter().flatten().max() {
        None => "No event in this time.".to_owned(),
        Some(most) => format!("In the slowest moment 99 of 100 events were here within {}.", milliseconds(*most)),
    };
    let drawing = Drawing { values, is_stacked: false, axis: Axis::Milliseconds };
    let title = "From Clerk to MongoDB".to_owned();
    chart(("chart-lag", title, summary), &["half within (p50)", "95 of 100 (p95)", "99 of 100 (p99)"], &drawing, time)
}

fn backlog(slots: &[Slot], time: &Time) -> Chart {
    let values: Vec<Option<u64>> = slots.iter().map(|slot| slot.backlog.map(i64::unsigned_abs)).collect();
    let summary = match values.iter().flatten().max().copied() {
        None => "Not counted in this time.".to_owned(),
        Some(0) => "Nothing waited when it was looked at.".to_owned(),
        Some(most) => format!("At most {} events waited.", grouped(most)),
    };
    let drawing = Drawing { values: vec![values], is_stacked: false, axis: Axis::Count };
    chart(("chart-backlog", "Events that wait".to_owned(), summary), &["waiting"], &drawing, time)
}

fn drift(slots: &[Slot], time: &Time) -> Chart {
    let values: Vec<Option<u64>> = slots.iter().map(|slot| slot.drift.map(i64::unsigned_abs)).collect();
    let summary = match values.iter().flatten().max() {
        None => "Nothing was proved yet.".to_owned(),
        Some(0) => "MongoDB equalled Clerk by every proof.".to_owned(),
        Some(most) => format!("At most {} people differed.", grouped(*most)),
    };
    let drawing = Drawing { values: vec![values], is_stacked: false, axis: Axis::Count };
    let title = "People who differ from Clerk".to_owned();
    chart(("chart-drift", title, summary), &["differing"], &drawing, time)
}

fn chart(texts: (&str, String, String), series: &[&str], drawing: &Drawing, time: &Time) -> Chart {
    let (name, title, summary) = texts;
    let shown = |value: &Option<u64>| match (value, drawing.axis) {
        (None, Axis::Count) if drawing.is_stacked => "0".to_owned(),
        (None, _) => "–".to_owned(),
        (Some(value), Axis::Count) => grouped(*value),
        (Some(value), Axis::Milliseconds) => milliseconds(*value),
    };
    let count = drawing.values.first().map_or(0, Vec::len);
    let places = 0..count;
    let is_something = |place: &usize| drawing.values.iter().any(|row| row[*place].is_some_and(|value| value > 0));
    let rows = places.filter(is_something).map(|place| ChartRow {
        place: u32::try_from(place).unwrap_or(u32::MAX),
        at: time.exact(place),
        values: drawing.values.iter().map(|row| shown(&row[place])).collect(),
    });
    Chart {
        name: name.to_owned(),
        svg: draw(drawing, |place| time.short(place)).unwrap_or_default(),
        points: u32::try_from(count).unwrap_or(u32::MAX),
        rows: rows.collect(),
        series: series.iter().map(|name| (*name).to_owned()).collect(),
        is_stacked: drawing.is_stacked && drawing.values.len() > 1,
        title,
        summary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(at: Timestamp, applied: i64) -> Bucket {
        Bucket {
            at,
            received: applied,
            active: 0,
            ended: BTreeMap::from([("applied".to_owned(), applied), ("stale".to_owned(), 1)]),
            lag: BTreeMap::from([("3".to_owned(), applied)]),
            refused: BTreeMap::new(),
            backlog: Some(4),
            drift: Some(0),
        }
    }

    #[test]
    fn e_06_every_period_has_its_charts_with_a_table_behind_each() {
        let now = Timestamp::from_second(1_790_000_030).unwrap();
        for period in Period::ALL {
            let minute = length_of(period).start(now);
            let earlier = minute.saturating_sub(SignedDuration::from_mins(61)).unwrap();
            let charts = charts(&[bucket(earlier, 7), bucket(minute, 1_200)], period, now);
            let names: Vec<&str> = charts.iter().map(|chart| chart.name.as_str()).collect();
            assert_eq!(names, ["chart-events", "chart-lag", "chart-backlog", "chart-drift"]);
            for chart in &charts {
                assert!(chart.svg.starts_with("<svg ") && chart.svg.trim_end().ends_with("</svg>"), "{}", chart.svg);
                assert!(!chart.svg.contains("style="), "the content policy forbids it: {}", chart.svg);
                assert_eq!(
                    chart.svg.matches("<pattern").count(),
                    if chart.is_stacked { 3 } else { 0 },
                    "{}",
                    chart.name
                );
                assert!(chart.rows.iter().all(|row| row.values.len() == chart.series.len()));
            }
            let last = charts[0].rows.last().unwrap();
            assert_eq!(last.place + 1, charts[0].points, "{period:?}");
            assert_eq!(last.values[1..], ["1".to_owned(), "0".to_owned(), "0".to_owned()], "{period:?}");
            assert!(last.values[0].ends_with("\u{202f}200"), "{last:?}");
            assert_eq!(charts[2].summary, "At most 4 events waited.");
        }
    }

    #[test]
    fn e_02_charts_of_nothing_say_so() {
        let charts = charts(&[], Period::Hour, Timestamp::from_second(1_790_000_030).unwrap());
        assert!(charts.iter().all(|chart| chart.rows.is_empty() && !chart.svg.is_empty()));
        let summaries = [
            "No event in this time.",
            "No event in this time.",
            "Not counted in this time.",
            "Nothing was proved yet.",
        ];
        assert!(charts.iter().map(|chart| chart.summary.as_str()).eq(summaries));
    }
}
