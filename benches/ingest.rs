//! `make bench`: webhooks into MongoDB, by the server as it is shipped, beside what the machine itself can do.
//!
//! Starts everything it needs and takes it away again; `benches/README.md` says what is measured and how to read it. It
//! meets the server as a program with settings and a port, and knows its collections in `verdict` only.

#![expect(clippy::cast_precision_loss, reason = "counts become figures of three digits for people to read")]

mod ingest {
    #[expect(dead_code, reason = "the benchmark of the scan uses the rest")]
    pub mod delivery;
    pub mod limits;
    pub mod load;
    pub mod machine;
    pub mod people;
    pub mod plan;
    #[expect(dead_code, reason = "the benchmark of the scan uses the rest")]
    pub mod processes;
    pub mod report;
    pub mod round;
    pub mod soak;
    pub mod verdict;
}

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::ingest::limits::Limit;
use crate::ingest::processes::Mongod;
use crate::ingest::round::{Case, Round, Setup};
use crate::ingest::soak::soak;
use crate::ingest::{limits, report, round};

/// Measures how fast webhooks are acknowledged and applied, and checks that the result is right.
#[derive(Debug, Parser)]
#[command(name = "make bench BENCH_ARGS=…")]
struct Options {
    /// How many kept-alive connections send at once; each number is a case.
    #[arg(long, value_delimiter = ',', default_value = "64,8")]
    connections: Vec<usize>,
    /// How many people are in the database beforehand; each number is a case.
    #[arg(long, value_delimiter = ',', default_value = "0")]
    people: Vec<usize>,
    /// How often each case is measured, taking turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long one measurement takes.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How long the load lasts beforehand.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    warm_up: u64,
    /// One long run of the first case instead, watching the memory.
    #[arg(long, value_name = "SECONDS")]
    soak: Option<u64>,
    /// How long each limit of the machine is measured; 0 leaves them out.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    limits: u64,
    /// Requests are made in advance for this many a second.
    #[arg(long, value_name = "PER_SECOND", default_value_t = 16_000)]
    prepared: usize,
    /// The server to measure, instead of the one just built.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_rollcall"))]
    server: PathBuf,
    /// A setting of the server, as NAME=VALUE; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
    /// Where the imagined history begins.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Cargo says so when it means a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn parse_setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn main() -> anyhow::Result<()> {
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("this is a benchmark: make bench");
        return Ok(());
    }
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        // What was started ends, and what was written goes, when `run` is dropped.
        tokio::select! {
            ended = run(&options) => ended,
            _ = interrupt.recv() => bail!("interrupted"),
            _ = terminate.recv() => bail!("terminated"),
        }
    });
    runtime.shutdown_background();
    ended
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let results = scratch.parent().context("no target folder")?.join("bench");
    std::fs::create_dir_all(&results)?;
    let setup = Setup {
        program: std::path::absolute(&options.server)?,
        environment: options.set.clone(),
        log: results.join("server.log"),
        seed: options.seed,
        warm_up: options.warm_up,
        prepared: options.prepared,
    };
    let mongod = Mongod::start(scratch).await?;
    let taken_at = jiff::Timestamp::now().to_string();
    let (name, found, is_correct) = match options.soak {
        Some(seconds) => run_soak(options, &setup, &mongod, seconds).await?,
        None => run_rounds(options, &setup, &mongod).await?,
    };
    let file = results.join(format!("{name}.json"));
    let whole = json!({ "takenAt": taken_at, "options": format!("{options:?}"), "results": found });
    std::fs::write(&file, serde_json::to_string_pretty(&whole)?)?;
    println!("\nEverything is in {}.", file.display());
    ensure!(is_correct, "MongoDB does not hold what was acknowledged: the figures do not count");
    Ok(())
}

type Findings = (&'static str, Value, bool);

async fn run_rounds(options: &Options, setup: &Setup, mongod: &Mongod) -> anyhow::Result<Findings> {
    let (mut rounds, mut limits): (Vec<Round>, Vec<Vec<Limit>>) = (Vec::new(), Vec::new());
    for number in 1..=options.rounds {
        for (connections, people) in both(&options.connections, &options.people) {
            let case = Case { connections, people };
            let seconds = usize::try_from(options.seconds + options.warm_up)?;
            let total = setup.prepared * seconds;
            let warm = round::warm_up(setup, mongod, case, total, total).await?;
            let round = round::measure(warm, case, options.seconds, Arc::new(AtomicU64::new(0))).await?;
            println!("round {number}: {}", report::line(&round));
            rounds.push(round);
        }
        if options.limits > 0 {
            limits.push(limits::measure(mongod, options.limits).await?);
        }
    }
    println!("\n{}", report::table(&rounds));
    if !limits.is_empty() {
        println!("{}\n{}", report::limits_table(&limits), report::shares(&rounds, &limits));
    }
    print!("{}", report::people_ratios(&rounds));
    let is_correct = rounds.iter().all(|round| round.verdict.is_correct());
    Ok(("ingest", json!({ "rounds": rounds, "limits": limits }), is_correct))
}

async fn run_soak(options: &Options, setup: &Setup, mongod: &Mongod, seconds: u64) -> anyhow::Result<Findings> {
    let first = both(&options.connections, &options.people).next();
    let (connections, people) = first.context("no case")?;
    let soak = soak(setup, mongod, Case { connections, people }, seconds).await?;
    println!("\n{}\n\n{}", report::line(&soak.round), report::table(std::slice::from_ref(&soak.round)));
    match soak.is_flat {
        None => println!("Too short to say whether memory is flat."),
        Some(is_flat) => println!(
            "Memory is {}: the last third of the time needs {:.3} times what the second does.",
            if is_flat { "flat" } else { "NOT flat" },
            soak.growth
        ),
    }
    let is_correct = soak.round.verdict.is_correct();
    Ok(("soak", serde_json::to_value(&soak)?, is_correct))
}

fn both<'a>(ones: &'a [usize], others: &'a [usize]) -> impl Iterator<Item = (usize, usize)> {
    ones.iter().flat_map(|one| others.iter().map(move |other| (*one, *other)))
}
