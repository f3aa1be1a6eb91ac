//! What a simulation is given: who does what when at Clerk, how that is delivered, and which call meets which fault.
//!
//! All of it is written down, so that pieces can be left out one by one: the shortest history that still fails is shown.

use std::fmt;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::model::user::Role;
use crate::server::sync::simulation::clerk::{ROLES, TICK};

/// Names that everybody wants.
const NAMES: [&str; 3] = ["ada", "bob", "cy"];
/// Faults meet calls with a number below this.
const LAST_FAULT: u32 = 400;
/// In milliseconds; the engine is patient for five minutes.
const LONGEST_LAG: i64 = 5_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Of the scheduler: who goes next and how long each call takes.
    pub seed: u64,
    pub processes: usize,
    pub locals: Vec<Local>,
    pub steps: Vec<Step>,
    pub faults: Vec<Fault>,
    /// Which questions to Clerk, counted from one, get no answer.
    pub unanswered: Vec<u32>,
    pub lags: Vec<Lag>,
    pub refreshes: Vec<Refresh>,
    pub assignments: Vec<Assignment>,
}

/// Somebody wants this person brought up to date, in the middle of everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refresh {
    pub at: i64,
    pub person: usize,
}

/// This answer of Clerk's, counted from one, gives people as they were so many milliseconds before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    pub answer: u32,
    pub by: i64,
}

/// An admin gives this person a role here, if they are stored by then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub at: i64,
    pub person: usize,
    pub role: Role,
}

/// A person of the application's own: with the address of a person of Clerk's, and perhaps a name that others want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    pub person: usize,
    pub username: Option<&'static str>,
}

/// One change at Clerk. Two steps shortly after one another share `updated_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: i64,
    pub person: usize,
    pub what: What,
    pub time: EventTime,
    /// Of two in one millisecond, the event of this one is dated later.
    pub is_later: bool,
    /// How long each delivery is on its way; none at all if the event is lost for good.
    pub deliveries: Vec<i64>,
}

/// Whoever is not there yet joins by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Name(u32),
    Username(Option<&'static str>),
    Role(&'static str),
    Ban,
    Delete,
    /// An event that is not about a person.
    Other,
}

/// How a person's events say when they happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventTime {
    Milliseconds,
    Seconds,
    Missing,
    /// Nor does the person say when they changed.
    Undated,
}

/// What befalls the call with this number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub call: u32,
    pub kind: FaultKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// It fails and nothing happened.
    Refused,
    /// It fails, but all of it happened.
    AnswerLost,
    /// It fails, and the first half happened.
    Half,
    /// It takes this many milliseconds.
    Slow(i64),
    /// The process dies before anything happened.
    CrashBefore,
    /// The process dies when it has happened.
    CrashAfter,
    /// The clock of the process is wrong by this much from now on.
    Clock(i64),
}

impl Fault {
    /// An answer that lags is told by the clocks: two that are wrong by no more, and a lag, stay within the engine's patience.
    fn leaves_patience(&self) -> bool {
        !matches!(self.kind, FaultKind::Clock(wrong) if wrong.abs() > 120_000)
    }
}

impl History {
    pub fn of(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let people = rng.random_range(1..=4);
        let is_lossy = rng.random_bool(0.3);
        let times: Vec<EventTime> = (0..people).map(|_| event_time(&mut rng)).collect();
        let mut at = 0;
        let steps = (0..rng.random_range(2..=14)).map(|number| {
            at += if rng.random_bool(0.4) { rng.random_range(0..TICK) } else { rng.random_range(1..4_000) };
            let person = rng.random_range(0..people);
            let what = what(&mut rng, number);
            let deliveries = deliveries(&mut rng, is_lossy);
            Step { at, person, what, time: times[person], is_later: rng.random_bool(0.5), deliveries }
        });
        let steps: Vec<Step> = steps.collect();
        let locals = (0..rng.random_range(0..=2))
            .map(|person| Local { person, username: rng.random_bool(0.5).then(|| NAMES[person]) });
        let locals = locals.collect();
        let faults = (0..rng.random_range(0..16)).map(|_| {
            let call = rng.random_range(0..LAST_FAULT);
            Fault { call, kind: fault_kind(&mut rng) }
        });
        let faults: Vec<Fault> = faults.collect();
        let unanswered = (1..6).filter(|_| rng.random_bool(0.4)).collect();
        let processes = rng.random_range(1..=3);
        // Many are asked for right after a change, when its event is on its way.
        let refreshes = (0..rng.random_range(0..=6)).map(|_| {
            let Step { at, person, .. } = steps[rng.random_range(0..steps.len())];
            Refresh { at: at + rng.random_range(0..300), person }
        });
        let refreshes = refreshes.collect();
        let assignments = (0..rng.random_range(0..=3)).map(|_| {
            let Step { at, person, .. } = steps[rng.random_range(0..steps.len())];
            let role = [Role::User, Role::Moderator, Role::Admin][rng.random_range(0..3)];
            Assignment { at: at + rng.random_range(0..3_000), person, role }
        });
        let assignments = assignments.collect();
        let mut lags: Vec<Lag> = Vec::new();
        if faults.iter().all(Fault::leaves_patience) {
            lags.extend((1..30).map(|answer| Lag { answer, by: rng.random_range(0..LONGEST_LAG) }));
            lags.retain(|_| rng.random_bool(0.5));
        }
        Self { seed, processes, locals, steps, faults, unanswered, lags, refreshes, assignments }
    }

    pub fn is_lossy(&self) -> bool {
        self.steps.iter().any(|step| step.deliveries.is_empty())
    }

    /// Leaves out whatever can be left out while `fails` still says so.
    pub fn shrunk(&self, fails: impl Fn(&Self) -> bool) -> Self {
        let mut shortest = self.clone();
        loop {
            let before = shortest.clone();
            reduce(&mut shortest, |history| &mut history.faults, &fails);
            reduce(&mut shortest, |history| &mut history.unanswered, &fails);
            reduce(&mut shortest, |history| &mut history.lags, &fails);
            reduce(&mut shortest, |history| &mut history.refreshes, &fails);
            reduce(&mut shortest, |history| &mut history.assignments, &fails);
            reduce(&mut shortest, |history| &mut history.steps, &fails);
            reduce(&mut shortest, |history| &mut history.locals, &fails);
            for place in 0..shortest.steps.len() {
                reduce(&mut shortest, |history| &mut history.steps[place].deliveries, &fails);
            }
            while shortest.processes > 1 {
                let fewer = Self { processes: shortest.processes - 1, ..shortest.clone() };
                if !fails(&fewer) {
                    break;
                }
                shortest = fewer;
            }
            if shortest == before {
                return shortest;
            }
        }
    }
}

/// How many seeds are tried for a shorter history.
const DRAWS: u64 = 16;

/// Delta debugging of one list: pieces of half its length, then ever smaller ones.
fn reduce<T: Clone>(
    history: &mut History,
    list: impl Fn(&mut History) -> &mut Vec<T>,
    fails: &impl Fn(&History) -> bool,
) {
    let mut size = list(history).len();
    while size > 0 {
        let mut start = 0;
        while start < list(history).len() {
            let mut shorter = history.clone();
            let items = list(&mut shorter);
            items.drain(start..(start + size).min(items.len()));
            // What is left out moves everything that is drawn after it: the same fault may need another draw.
            let draws = (0..DRAWS).map(|draw| History { seed: history.seed.wrapping_add(draw), ..shorter.clone() });
            match draws.into_iter().find(|drawn| fails(drawn)) {
                Some(failing) => *history = failing,
                None => start += size,
            }
        }
        size /= 2;
    }
}

fn event_time(rng: &mut StdRng) -> EventTime {
    match rng.random_range(0..7) {
        0 => EventTime::Seconds,
        1 => EventTime::Missing,
        2 => EventTime::Undated,
        _ => EventTime::Milliseconds,
    }
}

fn what(rng: &mut StdRng, number: u32) -> What {
    match rng.random_range(0..20) {
        0..6 => What::Name(number),
        6..12 => What::Username(rng.random_bool(0.8).then(|| NAMES[rng.random_range(0..NAMES.len())])),
        12..14 => What::Role(ROLES[rng.random_range(0..ROLES.len())]),
        14..16 => What::Ban,
        16..19 => What::Delete,
        _ => What::Other,
    }
}

fn deliveries(rng: &mut StdRng, is_lossy: bool) -> Vec<i64> {
    if is_lossy && rng.random_bool(0.25) {
        return Vec::new();
    }
    let count = if rng.random_bool(0.5) { 1 } else { rng.random_range(1..=5) };
    let delay = |rng: &mut StdRng| if rng.random_bool(0.7) { 200 } else { 30_000 };
    (0..count)
        .map(|_| {
            let most = delay(rng);
            rng.random_range(0..most)
        })
        .collect()
}

fn fault_kind(rng: &mut StdRng) -> FaultKind {
    match rng.random_range(0..12) {
        0..2 => FaultKind::Refused,
        2..4 => FaultKind::AnswerLost,
        4..6 => FaultKind::Half,
        6..8 => FaultKind::Slow(rng.random_range(100..40_000)),
        8 => FaultKind::CrashBefore,
        9..11 => FaultKind::CrashAfter,
        _ => FaultKind::Clock(rng.random_range(-600_000..=600_000)),
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} process(es)", self.seed, self.processes)?;
        for local in &self.locals {
            writeln!(f, "  the application's own person has person {}'s address, {:?}", local.person, local.username)?;
        }
        for step in &self.steps {
            let later = if step.is_later { ", dated later" } else { "" };
            write!(f, "  at {} ms: person {} {:?} ({:?}{later}), ", step.at, step.person, step.what, step.time)?;
            match step.deliveries.as_slice() {
                [] => writeln!(f, "never delivered")?,
                delays => writeln!(f, "delivered after {delays:?} ms")?,
            }
        }
        for fault in &self.faults {
            writeln!(f, "  call {}: {:?}", fault.call, fault.kind)?;
        }
        for question in &self.unanswered {
            writeln!(f, "  question {question} to Clerk gets no answer")?;
        }
        for Lag { answer, by } in &self.lags {
            writeln!(f, "  answer {answer} of Clerk's lags by {by} ms")?;
        }
        for Refresh { at, person } in &self.refreshes {
            writeln!(f, "  at {at} ms: person {person} is refreshed")?;
        }
        for Assignment { at, person, role } in &self.assignments {
            writeln!(f, "  at {at} ms: person {person} is given the role {role} here")?;
        }
        Ok(())
    }
}
