//! Figures for people and for programs: Markdown tables of medians, and everything as JSON.

use std::fmt::Write;

use crate::ingest::limits::{BOTH_WRITES, Limit};
use crate::ingest::round::{Case, Round};

const HEAD: &str = "\
| conns | people before | acks/s median (min–max) | p50 ms | p99 ms | max ms | refused | applied after ms: p50 | p99 | max | backlog gone after s \
| server peak MB | mongod peak MB | server CPU s/1000 | mongod CPU s/1000 | load cores | foreign cores | events proven / acked | people wrong / all |
|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
";

/// The cases in the order in which they first came.
pub fn cases(rounds: &[Round]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for round in rounds {
        if !cases.contains(&round.case) {
            cases.push(round.case);
        }
    }
    cases
}

pub fn of_case(rounds: &[Round], case: Case) -> Vec<&Round> {
    rounds.iter().filter(|round| round.case == case).collect()
}

/// One line a case.
pub fn table(rounds: &[Round]) -> String {
    let mut text = HEAD.to_owned();
    for case in cases(rounds) {
        push_case(&mut text, case, &of_case(rounds, case));
    }
    text
}

fn push_case(text: &mut String, case: Case, rounds: &[&Round]) {
    let middle = |value: fn(&Round) -> f64| median(rounds.iter().map(|round| value(round)));
    let rates = Spread::of(rounds.iter().map(|round| round.acks_per_second));
    let sum = |value: fn(&Round) -> usize| rounds.iter().map(|round| value(round)).sum::<usize>();
    let foreign = Spread::of(rounds.iter().map(|round| round.load.foreign_cores()));
    let _ = write!(
        text,
        "| {} | {} | **{:.0}** ({:.0}–{:.0}){} | {:.1} | {:.1} | {:.0} | {} | {:.0} | {:.0} | {:.0} | {:.2} ",
        case.connections,
        case.people,
        rates.median,
        rates.least,
        rates.most,
        if rounds.iter().any(|round| round.is_disturbed()) { " *disturbed*" } else { "" },
        middle(|round| round.p50),
        middle(|round| round.p99),
        middle(|round| round.max),
        sum(|round| round.refused),
        middle(|round| round.verdict.lag.p50),
        middle(|round| round.verdict.lag.p99),
        middle(|round| round.verdict.lag.max),
        middle(|round| round.drained_after),
    );
    let _ = writeln!(
        text,
        "| {:.0} | {:.0} | {:.3} | {:.3} | {:.2} | {:.2} (≤ {:.2}) | {} / {} | {} / {} |",
        middle(|round| round.server_peak_mb),
        middle(|round| round.mongod_peak_mb),
        middle(Round::server_cpu),
        middle(Round::mongod_cpu),
        middle(|round| round.load.bench / round.load.seconds),
        foreign.median,
        foreign.most,
        sum(|round| round.verdict.events_proven),
        sum(|round| round.verdict.events_acked),
        sum(|round| round.verdict.people_wrong),
        sum(|round| round.verdict.people),
    );
}

/// One line a limit; `runs` are the same limits, several times.
pub fn limits_table(runs: &[Vec<Limit>]) -> String {
    let mut text =
        "| limit | per second, median (min–max) | client cores | mongod cores |\n|---|--:|--:|--:|\n".to_owned();
    for place in 0..runs.first().map_or(0, Vec::len) {
        let same: Vec<&Limit> = runs.iter().filter_map(|limits| limits.get(place)).collect();
        let rates = Spread::of(same.iter().map(|limit| limit.per_second));
        let cores = |value: fn(&Limit) -> f64| median(same.iter().map(|limit| value(limit) / limit.usage.seconds));
        let _ = writeln!(
            text,
            "| {} | **{:.0}** ({:.0}–{:.0}) | {:.2} | {:.2} |",
            same.first().map_or("", |limit| limit.what),
            rates.median,
            rates.least,
            rates.most,
            cores(|limit| limit.usage.bench),
            cores(|limit| limit.usage.mongod),
        );
    }
    text
}

/// How much of MongoDB's own limit each case reaches: of the one that writes as many documents an event as the server does.
pub fn shares(rounds: &[Round], runs: &[Vec<Limit>]) -> String {
    let limits = runs.iter().flatten().filter(|limit| limit.what == BOTH_WRITES).map(|limit| limit.per_second);
    let limit = median(limits);
    let mut text = String::new();
    for case in cases(rounds) {
        let rate = median(of_case(rounds, case).into_iter().map(|round| round.acks_per_second));
        let _ = writeln!(
            text,
            "{} connections, {} people before: {:.0} % of MongoDB's own limit ({BOTH_WRITES})",
            case.connections,
            case.people,
            rate / limit * 100.0,
        );
    }
    text
}

/// What many people cost over few: the same load, the first number of people against each other one.
pub fn people_ratios(rounds: &[Round]) -> String {
    let mut text = String::new();
    let cases = cases(rounds);
    for (few, many) in cases.iter().flat_map(|few| cases.iter().map(move |many| (few, many))) {
        if few.connections != many.connections || few.people >= many.people {
            continue;
        }
        let of = |case: &Case, value: fn(&Round) -> f64| median(of_case(rounds, *case).into_iter().map(value));
        let cpu = |round: &Round| round.server_cpu() + round.mongod_cpu();
        let _ = writeln!(
            text,
            "{} people against {} at {} connections: {:.2} times the time an acknowledgement, {:.2} times the processor time",
            many.people,
            few.people,
            few.connections,
            of(few, |round| round.acks_per_second) / of(many, |round| round.acks_per_second),
            of(many, cpu) / of(few, cpu),
        );
    }
    text
}

/// What has to be known of a single round.
pub fn line(round: &Round) -> String {
    let mut text = format!(
        "{} connections, {} people before: {:.0} acks/s, p50 {:.1} ms, p99 {:.1} ms; applied after p99 {:.0} ms; backlog gone after {:.2} s; \
         cores: server {:.2}, mongod {:.2}, load {:.2}, foreign {:.2}",
        round.case.connections,
        round.case.people,
        round.acks_per_second,
        round.p50,
        round.p99,
        round.verdict.lag.p99,
        round.drained_after,
        round.load.server / round.load.seconds,
        round.load.mongod / round.load.seconds,
        round.load.bench / round.load.seconds,
        round.load.foreign_cores(),
    );
    if round.is_disturbed() {
        text.push_str("; DISTURBED by others");
    }
    if round.ran_out {
        text.push_str("; TOO FEW requests were prepared: see --prepared");
    }
    if !round.verdict.is_correct() {
        let _ = write!(text, "; WRONG: {:?}", round.verdict);
    }
    text
}

struct Spread {
    least: f64,
    median: f64,
    most: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Self { least: at(0), median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), most: at(last) }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    Spread::of(values).median
}
