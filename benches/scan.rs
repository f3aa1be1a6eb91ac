//! `make bench-scan`: everybody at Clerk into an empty MongoDB, and the proof that it is everybody, by the program as it is
//! shipped, beside what MongoDB does with the same documents alone.
//!
//! `benches/README.md` says what is measured. A case counts only if the proof after it found no difference.

#![expect(clippy::cast_precision_loss, reason = "counts become figures of three digits for people to read")]

#[path = "ingest"]
mod ingest {
    #[expect(dead_code, reason = "the benchmark of the inbox uses the rest")]
    pub mod delivery;
    #[expect(dead_code, reason = "the benchmark of the inbox uses the rest")]
    pub mod machine;
    #[expect(dead_code, reason = "the benchmark of the inbox uses the rest")]
    pub mod plan;
    #[expect(dead_code, reason = "the benchmark of the inbox uses the rest")]
    pub mod processes;
}

mod scan {
    pub mod crowd;
    pub mod limit;
}

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use mongodb::bson::{Document, doc};

use crate::ingest::machine::{Reading, Usage, Watched, peak_memory};
use crate::ingest::processes::{Mongod, run};
use crate::scan::crowd;
use crate::scan::limit::{self, Limits};

/// How often a running command's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Measures a backfill and a proof.
#[derive(Debug, Parser)]
#[command(name = "make bench-scan BENCH_ARGS=…")]
struct Options {
    /// How many people Clerk has; each number is a case.
    #[arg(long, value_delimiter = ',', default_value = "20000,200000")]
    people: Vec<usize>,
    /// How often each case is measured, taking turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many people MongoDB's own rate is measured with; at most as many as the case has.
    #[arg(long, default_value_t = 100_000)]
    limit_people: usize,
    /// Another program than the one just built.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_rollcall"))]
    server: PathBuf,
    /// Cargo says so when it means a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

type WalkOf = fn(&Row) -> &Walk;

/// One command, from its start to its end.
struct Walk {
    usage: Usage,
    memory: f64,
}

struct Row {
    people: usize,
    backfill: Walk,
    proof: Walk,
    limits: Limits,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let mongod = Mongod::start(Path::new(env!("CARGO_TARGET_TMPDIR"))).await?;
    let mut rows = Vec::new();
    for round in 0..options.rounds {
        for people in &options.people {
            let row = measure(&options, &mongod, &format!("scan_{round}_{people}"), *people).await;
            rows.push(row.with_context(|| format!("{people} people"))?);
        }
    }
    report(&options, &rows);
    Ok(())
}

async fn measure(options: &Options, mongod: &Mongod, name: &str, people: usize) -> anyhow::Result<Row> {
    let database = mongod.client.database(name);
    let settings = [
        ("CLERK_API_URL".to_owned(), crowd::serve(people).await?),
        // As fast as it can be asked; writing back would be another benchmark.
        ("ROLLCALL_CLERK_RATE".to_owned(), "100000".to_owned()),
        ("ROLLCALL_METADATA".to_owned(), "false".to_owned()),
        ("ROLLCALL_LOG".to_owned(), "warn".to_owned()),
    ];
    let (uri, program) = (mongod.uri(name), &options.server);
    let backfill = walk(program, &["sync", "backfill", "--yes"], &uri, &settings, mongod).await?;
    let stored = database.collection::<Document>("users").count_documents(doc! {}).await?;
    ensure!(stored == people as u64, "{stored} of {people} people are here");
    let proof = walk(program, &["sync", "prove"], &uri, &settings, mongod).await?;
    let limits = limit::measure(mongod, &database, options.limit_people).await?;
    database.drop().await?;
    Ok(Row { people, backfill, proof, limits })
}

/// Its exit status says whether everything was written, or nothing differed.
async fn walk(
    program: &Path,
    arguments: &[&str],
    uri: &str,
    settings: &[(String, String)],
    mongod: &Mongod,
) -> anyhow::Result<Walk> {
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("scan.log");
    let mut child = run(program, arguments, uri, settings, &log)?;
    let watched = Watched { server: Some(child.id()), mongod: mongod.id() };
    let before = Reading::take(watched)?;
    let (mut last, mut memory) = (before, 0.0_f64);
    let status = loop {
        if let Ok(reading) = Reading::take(watched) {
            last = reading;
        }
        memory = memory.max(peak_memory(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait()? {
            break status;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    ensure!(status.success(), "{arguments:?} ended with {status}; see {}", log.display());
    Ok(Walk { usage: before.until(&last), memory })
}

fn report(options: &Options, rows: &[Row]) {
    println!(
        "| people | | people/s | peak MB | program s/1000 | mongod s/1000 | bare upserts/s | of that | with the indexes/s | of that |\n\
         |--:|---|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for people in &options.people {
        let of_case: Vec<&Row> = rows.iter().filter(|row| row.people == *people).collect();
        let walks: [(&str, WalkOf); 2] = [("backfill", |row| &row.backfill), ("proof", |row| &row.proof)];
        for (what, walk) in walks {
            let rate = |row: &Row| *people as f64 / walk(row).usage.seconds;
            let median = |value: &dyn Fn(&Row) -> f64| {
                let mut values: Vec<f64> = of_case.iter().map(|row| value(row)).collect();
                values.sort_by(f64::total_cmp);
                (values[values.len() / 2], values[0], values[values.len() - 1])
            };
            let (typical, least, most) = median(&rate);
            let thousands = *people as f64 / 1e3;
            println!(
                "| {people} | {what} | **{typical:.0}** ({least:.0}–{most:.0}) | {:.0} | {:.3} | {:.3} | {:.0} | {:.0} % | {:.0} | {:.0} % |",
                median(&|row| walk(row).memory).2,
                median(&|row| walk(row).usage.server).0 / thousands,
                median(&|row| walk(row).usage.mongod).0 / thousands,
                median(&|row| row.limits.bare).0,
                100.0 * median(&|row| rate(row) / row.limits.bare).0,
                median(&|row| row.limits.indexed).0,
                100.0 * median(&|row| rate(row) / row.limits.indexed).0,
            );
        }
    }
    let disturbed = rows.iter().filter(|row| row.backfill.usage.foreign_cores() > 0.25).count();
    println!("\nMedian (least–most) of {} rounds; {disturbed} backfills disturbed by others.", options.rounds);
}
