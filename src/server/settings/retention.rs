//! Table `[retention]`: how long what is kept is kept.

use std::time::Duration;

use crate::server::settings::reader::Reader;

const TABLE: &str = "retention";
const EVENTS: &str = "ROLLCALL_EVENT_RETENTION_DAYS";
/// Clerk's sender repeats for 28 hours: what came must be known for longer.
const FEWEST_DAYS: u64 = 2;
const MOST_DAYS: u64 = 3_650;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// What came of each event, from its arrival.
    pub events: Duration,
    /// What each event said; no longer than the event.
    pub bodies: Duration,
    /// Rows of webhooks and alerts, from their end; no shorter than events, which ask for them again when they are replayed.
    pub jobs: Duration,
    /// Runs with their differences, from when they last moved; `None`: for ever.
    pub runs: Option<Duration>,
    /// Entries of the audit trail; `None`: for ever.
    pub audit: Option<Duration>,
}

impl Retention {
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let range = (FEWEST_DAYS, MOST_DAYS);
        let events = reader.number(TABLE, "events-days", &[EVENTS], range);
        let bodies = reader.number(TABLE, "bodies-days", &["ROLLCALL_BODY_RETENTION_DAYS"], range);
        let jobs = read_jobs(reader, events);
        let runs = reader.number(TABLE, "runs-days", &["ROLLCALL_RUN_RETENTION_DAYS"], (0, MOST_DAYS));
        let audit = reader.number(TABLE, "audit-days", &["ROLLCALL_AUDIT_RETENTION_DAYS"], (0, MOST_DAYS));
        let unless_zero = |number: u64| (number > 0).then(|| days(number));
        Some(Self {
            events: days(events?),
            bodies: days(bodies?.min(events?)),
            jobs: days(jobs?),
            runs: unless_zero(runs?),
            audit: unless_zero(audit?),
        })
    }
}

fn read_jobs(reader: &mut Reader<'_>, events: Option<u64>) -> Option<u64> {
    const VARIABLES: [&str; 1] = ["ROLLCALL_JOB_RETENTION_DAYS"];
    if reader.text(TABLE, "jobs-days", &VARIABLES).is_none() {
        return events;
    }
    let jobs = reader.number(TABLE, "jobs-days", &VARIABLES, (FEWEST_DAYS, MOST_DAYS))?;
    if events.is_some_and(|events| jobs < events) {
        return reader.problem(VARIABLES[0], format!("must not be less than {EVENTS}"));
    }
    Some(jobs)
}

fn days(number: u64) -> Duration {
    Duration::from_secs(number * 86_400)
}
