//! `make bench-dashboard`: the sync pages over few and over very many stored events, in one run and taking turns; and what
//! open dashboards cost the server.
//!
//! `benches/README.md` says what is measured. The server is the one that is shipped, with a database for each size.

#![expect(clippy::cast_precision_loss, reason = "counts become figures of three digits for people to read")]

#[path = "ingest/machine.rs"]
#[expect(dead_code, reason = "the benchmark of the inbox uses the rest")]
mod machine;
#[path = "pages/people.rs"]
#[expect(dead_code, reason = "the benchmark of the pages uses the rest")]
mod people;
#[path = "ingest/processes.rs"]
#[expect(dead_code, reason = "the benchmark of the inbox uses the rest")]
mod processes;

mod dashboard {
    pub mod seed;
    pub mod streams;
    pub mod visits;
}

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, ensure};
use clap::Parser;
use mongodb::Database;
use mongodb::bson::{Document, doc};

use crate::dashboard::seed::seed;
use crate::dashboard::streams::watch_streams;
use crate::dashboard::visits::{Visitor, visits};
use crate::people::People;
use crate::processes::{Mongod, Server};

/// The address that people know; the benchmark itself asks by number.
const PUBLIC_URL: &str = "https://bench.example.com";
/// A page over many events may take so many times what it takes over few (issue 6).
const GOAL: f64 = 1.5;

/// Measures the sync pages over few and over many events, and what open dashboards cost.
#[derive(Debug, Parser)]
#[command(name = "make bench-dashboard BENCH_ARGS=…")]
struct Options {
    /// How many events are stored; each number is a database. The first is what the others are held against.
    #[arg(long, value_delimiter = ',', default_value = "5000,5000000")]
    events: Vec<usize>,
    /// How often each page is asked for over each number of events, taking turns.
    #[arg(long, default_value_t = 40)]
    rounds: usize,
    /// How many dashboards are open at once.
    #[arg(long, default_value_t = 200)]
    streams: usize,
    /// Events a second while they are open.
    #[arg(long, default_value_t = 50)]
    rate: u64,
    /// How long open dashboards are measured, with and without events.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Another server than the one just built.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_rollcall"))]
    server: PathBuf,
    /// Cargo says so when it means a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One number of events and the server over it.
struct Side {
    events: usize,
    server: Server,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let mongod = Mongod::start(&PathBuf::from(env!("CARGO_TARGET_TMPDIR"))).await?;
    let people = People::new(1)?;
    let mut sides = Vec::new();
    for events in &options.events {
        let side = prepare(&options, &mongod, &people, *events).await;
        sides.push(side.with_context(|| format!("{events} events"))?);
    }
    compare(&options, &people, &sides).await?;
    let last = sides.last().context("no number of events")?;
    watch_streams(&last.server, mongod.id(), &people, (options.streams, options.rate, options.seconds)).await
}

/// A database with so many events, as the server itself would have stored them, and a server over it that has counted them.
async fn prepare(options: &Options, mongod: &Mongod, people: &People, events: usize) -> anyhow::Result<Side> {
    let name = format!("dashboard_{events}");
    let database = mongod.client.database(&name);
    let start = async || {
        let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.log"));
        let settings = [
            ("CLERK_JWT_KEY", people.public_key()),
            ("ROLLCALL_METADATA", "false"),
            ("ROLLCALL_ADDRESS_REQUESTS", "0"),
            // There is no Clerk to compare with.
            ("ROLLCALL_RECONCILE_HOURS", "0"),
            ("ROLLCALL_CATCH_UP_MINUTES", "0"),
            ("ROLLCALL_LOG", "warn"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Server::start(&options.server, &mongod.uri(&name), &settings, &log).await
    };
    // The schema is the server's own, and so is the first person.
    let first = start().await?;
    people.join(first.address).await?;
    let users = database.collection::<Document>("users");
    eventually("the admin is stored", async || Ok(users.find_one(doc! {}).await?.is_some())).await?;
    users.update_one(doc! {}, doc! { "$set": { "role": "admin" } }).await?;
    drop(first);
    let began_at = Instant::now();
    seed(&database, events).await?;
    let stored = database.collection::<Document>("events").estimated_document_count().await?;
    println!("{stored} events were stored in {:.0} s.", began_at.elapsed().as_secs_f64());
    ensure!(stored >= events as u64, "some events are missing");
    let server = start().await?;
    if events > 20_000 {
        eventually("the server has counted them", async || has_totals(&database).await).await?;
    }
    Ok(Side { events, server })
}

async fn has_totals(database: &Database) -> anyhow::Result<bool> {
    let totals = database.collection::<Document>("statistics").find_one(doc! { "_id": "totals" }).await?;
    Ok(totals.is_some_and(|totals| totals.contains_key("countedAt")))
}

/// Every page over every number of events, in turn.
async fn compare(options: &Options, people: &People, sides: &[Side]) -> anyhow::Result<()> {
    let mut visitors = Vec::new();
    for side in sides {
        visitors.push(Visitor::new(side.server.address, &people.cookie(0), side.events).await?);
    }
    let heads: Vec<String> = sides.iter().map(|side| format!(" {} events: ms |", side.events)).collect();
    println!("\n| page |{} ratio |\n|---|{}--:|", heads.concat(), "--:|".repeat(sides.len()));
    let mut missed = 0;
    for visit in visits() {
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); sides.len()];
        for round in 0..=options.rounds {
            for (place, visitor) in visitors.iter().enumerate() {
                let took = visitor.visit(&visit).await.with_context(|| visit.name.to_owned())?;
                // The first is for warming up.
                if round > 0 {
                    times[place].push(took);
                }
            }
        }
        for times in &mut times {
            times.sort_by(f64::total_cmp);
        }
        let median = |times: &[f64]| times[times.len() / 2];
        let shown: Vec<String> = times
            .iter()
            .map(|times| format!(" {:.1} ({:.1}–{:.1}) |", median(times), times[0], times[times.len() - 1]))
            .collect();
        let ratio = median(&times[times.len() - 1]) / median(&times[0]);
        missed += usize::from(ratio > GOAL);
        println!("| {} |{} {ratio:.2} |", visit.name, shown.concat());
    }
    println!("\nMedian (least–most) of {} visits each; {missed} above the goal of {GOAL} times.\n", options.rounds);
    Ok(())
}

/// Waits for what will be so within a minute.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began_at = Instant::now();
    while !is_so().await? {
        ensure!(began_at.elapsed().as_secs() < 60, "{what}: not within a minute");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}
