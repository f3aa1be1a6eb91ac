//! Every metric, declared once: its help text is its description. Labels come from lists that are closed, so that nobody
//! outside can add one (D3-27), and hold nothing personal.
//!
//! Counted for the process, whoever counts; counting takes no allocation. How they are read is `http::metrics`' business.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};

use crate::model::alert::AlertKind;
use crate::model::event::EventState;
use crate::model::job::{JobKind, JobState};
use crate::server::clerk::client::guard::{OUTCOMES, Seen};
use crate::server::clerk::webhook::{KNOWN_TYPES, Rejection};
use crate::server::store::users::writes::{Write, Written};

/// What the process counts.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// 1 ms to 8 s, doubling: an acknowledgement is a write to MongoDB, and a sender waits for 15 s.
const ACK_BUCKETS: (f64, f64, u16) = (0.001, 2.0, 14);
/// 50 ms to 15 h, in steps of four: from at once to what an outage of a night delays.
const LAG_BUCKETS: (f64, f64, u16) = (0.05, 4.0, 11);
/// 1 to 4096 events, doubling.
const BATCH_BUCKETS: (f64, f64, u16) = (1.0, 2.0, 13);
/// 10 ms to 10 s, doubling: a wait ends with the time that a call may take.
const WAIT_BUCKETS: (f64, f64, u16) = (0.01, 2.0, 11);

/// Types that Clerk does not have share this.
const UNKNOWN: &str = "unknown";
const SECRETS: [&str; 4] = ["1", "2", "3", "4 or more"];
/// Why a webhook is not acknowledged, besides what is wrong with its signature.
const REFUSED: [&str; 6] = ["no_secret", "encoded", "too_large", "unusable", "try_later", "internal"];
const LIMITS: [&str; 2] = ["requests", "failures"];

/// Without a label: not there until it is known.
type Known<M> = Family<[(&'static str, &'static str); 0], M>;
type One = [(&'static str, &'static str); 1];
type Two = [(&'static str, &'static str); 2];

pub struct Metrics {
    registry: Registry,
    webhooks: Family<One, Counter>,
    verified: Family<One, Counter>,
    refused: Family<One, Counter>,
    acks: Histogram,
    ends: Family<One, Counter>,
    lag: Histogram,
    batches: Family<One, Histogram, fn() -> Histogram>,
    clerk_calls: Family<One, Counter>,
    clerk_waits: Histogram,
    jobs: Family<Two, Counter>,
    too_often: Family<One, Counter>,
    inbox_free: Gauge,
    inbox_capacity: Gauge,
    alerts_open: Family<One, Gauge>,
    pending: Gauge,
    oldest_pending: Gauge,
    circuit_open: Gauge,
    canary_failing: Gauge,
    canary_return: Gauge<f64, AtomicU64>,
    proof_clean: Known<Gauge>,
    proof_differences: Known<Gauge>,
    proof_people: Known<Gauge>,
    proof_at: Known<Gauge>,
    missed: Known<Counter>,
}

/// What is so at the moment of reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub inbox_free: usize,
    pub inbox_capacity: usize,
    /// None while MongoDB cannot say.
    pub backlog: Option<Backlog>,
    pub is_circuit_open: bool,
    /// None while MongoDB cannot say: then it is as it was said last.
    pub canary: Option<Canary>,
    /// None while there is none.
    pub proof: Option<Proof>,
    /// Changes whose events never arrived, since the beginning. None while MongoDB cannot say.
    pub missed: Option<u64>,
    /// Groups of alerts that are open, in the order of the kinds. None while MongoDB cannot say.
    pub alerts: Option<[u64; AlertKind::ALL.len()]>,
}

/// The last proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    pub is_clean: bool,
    pub differences: u64,
    pub people: u64,
    /// As of when, in seconds since 1970.
    pub at_s: i64,
}

/// The canary's last touch; of none, nothing is wrong and nothing took any time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canary {
    pub is_failing: bool,
    pub took: Option<Duration>,
}

/// What waits for an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    pub events: u64,
    /// 0 when there is none.
    pub oldest_s: i64,
}

/// The two steps in which many events are one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Store,
    Apply,
}

impl Step {
    fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Apply => "apply",
        }
    }
}

impl Metrics {
    fn new() -> Self {
        let metrics = Self::declared();
        metrics.begin();
        metrics
    }

    fn declared() -> Self {
        let mut registry = Registry::with_prefix("rollcall");
        let r = &mut registry;
        let batches: fn() -> Histogram = || histogram(BATCH_BUCKETS);
        Self {
            webhooks: add(r, "webhooks", "Verified webhooks by type", Family::default()),
            verified: add(r, "webhooks_verified", "Verified webhooks by the secret that signed", Family::default()),
            refused: add(r, "webhooks_refused", "Webhooks not acknowledged, by reason", Family::default()),
            acks: add_timed(
                r,
                "webhook_ack",
                "Time from a webhook's head to its acknowledgement",
                histogram(ACK_BUCKETS),
            ),
            ends: add(r, "events", "Attempts at events by their end: failed ones are tried again", Family::default()),
            lag: add_timed(r, "event_lag", "Time from the event at Clerk to MongoDB", histogram(LAG_BUCKETS)),
            batches: add(r, "batch_size", "Events in one command", Family::new_with_constructor(batches)),
            clerk_calls: add(
                r,
                "clerk_calls",
                "Calls to Clerk by outcome; held back ones were not made",
                Family::default(),
            ),
            clerk_waits: add_timed(
                r,
                "clerk_wait",
                "Time that calls to Clerk waited for our limit",
                histogram(WAIT_BUCKETS),
            ),
            jobs: add(
                r,
                "jobs",
                "Attempts at effects by kind and end: waiting ones are tried again",
                Family::default(),
            ),
            too_often: add(
                r,
                "address_refusals",
                "Requests refused because of their address, by limit",
                Family::default(),
            ),
            inbox_free: add(r, "inbox_free", "Webhooks that may still wait to be stored", Gauge::default()),
            inbox_capacity: add(r, "inbox_capacity", "Webhooks that may wait to be stored in all", Gauge::default()),
            alerts_open: add(r, "alerts_open", "Groups of alerts that are open, by kind", Family::default()),
            pending: add(r, "events_pending", "Events that wait for an attempt", Gauge::default()),
            oldest_pending: add_timed(r, "oldest_pending", "How long the oldest of them has waited", Gauge::default()),
            circuit_open: add(
                r,
                "clerk_circuit_open",
                "1 while Clerk is left alone because it only fails",
                Gauge::default(),
            ),
            canary_failing: add(
                r,
                "canary_failing",
                "1 while the canary's webhook does not come back in time",
                Gauge::default(),
            ),
            canary_return: add_timed(
                r,
                "canary_return",
                "Time from the canary's touch to its webhook, of the last that came",
                Gauge::default(),
            ),
            proof_clean: add(r, "proof_clean", "1 if MongoDB equalled Clerk by the last proof", Family::default()),
            proof_differences: add(
                r,
                "proof_differences",
                "People about whom MongoDB differed from Clerk by the last proof",
                Family::default(),
            ),
            proof_people: add(r, "proof_people", "People of the last proof", Family::default()),
            proof_at: add_timed(r, "proof_timestamp", "As of when the last proof is, since 1970", Family::default()),
            missed: add(
                r,
                "missed_events",
                "Changes at Clerk whose events never arrived and that a scan found, by all processes together",
                Family::default(),
            ),
            registry,
        }
    }

    /// Every label of every list begins with nothing: a series that begins with its first one has not grown by it, and no rule
    /// that looks at growth would see it.
    fn begin(&self) {
        for kind in KNOWN_TYPES.into_iter().chain([UNKNOWN]) {
            drop(self.webhooks.get_or_create(&[("type", kind)]));
        }
        for secret in SECRETS {
            drop(self.verified.get_or_create(&[("secret", secret)]));
        }
        for reason in Rejection::ALL.into_iter().map(Rejection::reason).chain(REFUSED) {
            drop(self.refused.get_or_create(&[("reason", reason)]));
        }
        for end in
            EventState::ALL.into_iter().filter(|end| !matches!(end, EventState::Received | EventState::Discarded))
        {
            drop(self.ends.get_or_create(&[("end", end.as_str())]));
        }
        for step in [Step::Store, Step::Apply] {
            drop(self.batches.get_or_create(&[("step", step.as_str())]));
        }
        for outcome in OUTCOMES {
            drop(self.clerk_calls.get_or_create(&[("outcome", outcome)]));
        }
        for (kind, end) in JobKind::ALL.into_iter().flat_map(|kind| JobState::ALL.map(|end| (kind, end))) {
            drop(self.jobs.get_or_create(&[("kind", kind.as_str()), ("end", end.as_str())]));
        }
        for limit in LIMITS {
            drop(self.too_often.get_or_create(&[("limit", limit)]));
        }
    }

    /// A verified webhook is stored.
    pub fn received(&self, kind: &str, secret: usize) {
        let known = KNOWN_TYPES.iter().find(|known| **known == kind);
        self.webhooks.get_or_create(&[("type", known.unwrap_or(&UNKNOWN))]).inc();
        self.verified.get_or_create(&[("secret", SECRETS[secret.min(SECRETS.len() - 1)])]).inc();
    }

    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&[("reason", reason)]).inc();
    }

    pub fn acknowledged(&self, took: Duration) {
        self.acks.observe(took.as_secs_f64());
    }

    pub fn batch(&self, step: Step, size: usize) {
        self.batches
            .get_or_create(&[("step", step.as_str())])
            .observe(f64::from(u32::try_from(size).unwrap_or(u32::MAX)));
    }

    pub fn ended(&self, states: &[EventState]) {
        for state in states {
            self.ends.get_or_create(&[("end", state.as_str())]).inc();
        }
    }

    /// How late what a webhook said is in MongoDB.
    pub fn written(&self, writes: &[Write], ends: &[Written], now: Timestamp) {
        self.batch(Step::Apply, writes.len());
        let done = writes.iter().zip(ends).filter(|(_, end)| **end == Written::Done);
        for lag in done.filter_map(|(write, _)| write.lag(now)) {
            self.lag.observe(lag.as_secs_f64());
        }
    }

    /// For Clerk's client, which knows nothing of metrics.
    pub fn asked_clerk(&self, seen: Seen) {
        self.clerk_calls.get_or_create(&[("outcome", seen.outcome)]).inc();
        self.clerk_waits.observe(seen.waited.as_secs_f64());
    }

    pub fn job_ended(&self, kind: JobKind, state: JobState) {
        self.jobs.get_or_create(&[("kind", kind.as_str()), ("end", state.as_str())]).inc();
    }

    pub fn too_often(&self, limit: &'static str) {
        self.too_often.get_or_create(&[("limit", limit)]).inc();
    }

    /// Everything in Prometheus' text format, with what is so now.
    ///
    /// # Errors
    /// The encoder's, which has none for what is declared here.
    pub fn render(&self, now: Now) -> Result<String, fmt::Error> {
        let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.inbox_free.set(count(now.inbox_free as u64));
        self.inbox_capacity.set(count(now.inbox_capacity as u64));
        for (kind, open) in AlertKind::ALL.into_iter().zip(now.alerts.into_iter().flatten()) {
            self.alerts_open.get_or_create(&[("kind", kind.as_str())]).set(count(open));
        }
        if let Some(backlog) = now.backlog {
            self.pending.set(count(backlog.events));
            self.oldest_pending.set(backlog.oldest_s);
        }
        self.circuit_open.set(i64::from(now.is_circuit_open));
        if let Some(canary) = now.canary {
            self.canary_failing.set(i64::from(canary.is_failing));
        }
        if let Some(took) = now.canary.and_then(|canary| canary.took) {
            self.canary_return.set(took.as_secs_f64());
        }
        if let Some(proof) = now.proof {
            self.proof_clean.get_or_create(&[]).set(i64::from(proof.is_clean));
            self.proof_differences.get_or_create(&[]).set(count(proof.differences));
            self.proof_people.get_or_create(&[]).set(count(proof.people));
            self.proof_at.get_or_create(&[]).set(proof.at_s);
        }
        if let Some(missed) = now.missed {
            self.missed.get_or_create(&[]).inner().store(missed, Ordering::Relaxed);
        }
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn histogram((start, factor, length): (f64, f64, u16)) -> Histogram {
    Histogram::new(exponential_buckets(start, factor, length))
}

fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// In seconds.
fn add_timed<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

#[cfg(test)]
mod tests;
