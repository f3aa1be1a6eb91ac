//! `make bench-pages`: pages for signed-in people, rendered by the server as it is shipped: requests a second, how long they
//! take, memory and processor time, and what a first visit loads.
//!
//! `benches/README.md` says what is measured and beside what it is to be read. Each request is another person's.

#![expect(clippy::cast_precision_loss, reason = "counts become figures of three digits for people to read")]

#[path = "ingest/machine.rs"]
#[expect(dead_code, reason = "the benchmark of the inbox uses the rest")]
mod machine;
#[path = "ingest/processes.rs"]
#[expect(dead_code, reason = "the benchmark of the inbox uses the rest")]
mod processes;

mod pages {
    pub mod crowd;
    pub mod people;
    pub mod readers;
    pub mod weight;
}

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Parser;

use crate::machine::{Reading, Usage, Watched, forget_peak, peak_memory};
use crate::pages::crowd;
use crate::pages::people::People;
use crate::pages::readers::{Tally, read};
use crate::pages::weight::weigh;
use crate::processes::{Mongod, Server};

/// The address that people know; the benchmark itself asks by number.
const PUBLIC_URL: &str = "https://bench.example.com";

/// The people stay from case to case.
const DATABASE: &str = "pages";

/// Measures how fast pages are rendered for signed-in people.
#[derive(Debug, Parser)]
#[command(name = "make bench-pages BENCH_ARGS=…")]
struct Options {
    /// Which pages; each is a case.
    #[arg(long, value_delimiter = ',', default_value = "/profile,/people")]
    paths: Vec<String>,
    /// How many kept-alive connections read at once; each number is a case.
    #[arg(long, value_delimiter = ',', default_value = "64,8")]
    connections: Vec<usize>,
    /// How many people take turns.
    #[arg(long, default_value_t = 1_000)]
    people: usize,
    /// How many others there are beside them; with any, those who read are admins, so that `--paths` can name any list.
    #[arg(long, default_value_t = 0)]
    crowd: usize,
    /// How often each case is measured, taking turns.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long one measurement takes, after half of that for warming up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// `Accept-Encoding` of the readers.
    #[arg(long, default_value = "identity")]
    encoding: String,
    /// Another server than the one just built.
    #[arg(long, default_value = env!("CARGO_BIN_EXE_rollcall"))]
    server: PathBuf,
    /// The built site, for the weight of a first visit.
    #[arg(long)]
    site: Option<PathBuf>,
    /// Cargo says so when it means a benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

struct Row {
    path: String,
    connections: usize,
    tally: Tally,
    usage: Usage,
    memory: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mongod = Mongod::start(&folder).await?;
    let people = People::new(options.people)?;
    let mut rows = Vec::new();
    for round in 0..options.rounds {
        for path in &options.paths {
            for connections in &options.connections {
                let is_first = round == 0 && *connections == options.connections[0];
                let row = measure(&options, &mongod, &people, is_first, path, *connections).await;
                rows.push(row.with_context(|| format!("{path} at {connections} connections"))?);
            }
        }
    }
    report(&options, &rows);
    Ok(())
}

async fn measure(
    options: &Options,
    mongod: &Mongod,
    people: &People,
    is_first: bool,
    path: &str,
    connections: usize,
) -> anyhow::Result<Row> {
    let log = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages.log");
    let mut settings = vec![
        ("CLERK_JWT_KEY".to_owned(), people.public_key().to_owned()),
        ("ROLLCALL_METADATA".to_owned(), "false".to_owned()),
        ("ROLLCALL_ADDRESS_REQUESTS".to_owned(), "0".to_owned()),
        ("ROLLCALL_LOG".to_owned(), "warn".to_owned()),
    ];
    if let Some(site) = &options.site {
        settings.push(("LEPTOS_SITE_ROOT".to_owned(), site.display().to_string()));
    }
    let server = Server::start(&options.server, &mongod.uri(DATABASE), &settings, &log).await?;
    people.join(server.address).await?;
    if options.crowd > 0 {
        crowd::gather(&mongod.client.database(DATABASE), options.crowd, options.people).await?;
    }
    // Without others, every list is of those who read.
    let shown = if options.crowd > 0 { "</h1>" } else { "Reader" };
    people.see_their_own(server.address, path, shown).await?;
    if options.site.is_some() && is_first {
        weigh(server.address, path, &people.cookie(0)).await?;
    }
    let requests = people.requests(path, &options.encoding);
    read(server.address, connections, options.seconds.div_ceil(2), requests.clone()).await?;
    forget_peak(server.id());
    let watched = Watched { server: Some(server.id()), mongod: mongod.id() };
    let before = Reading::take(watched)?;
    let tally = read(server.address, connections, options.seconds, requests).await?;
    let usage = before.until(&Reading::take(watched)?);
    ensure!(tally.refused == 0, "{} answers were no page", tally.refused);
    Ok(Row { path: path.to_owned(), connections, tally, usage, memory: peak_memory(server.id())? })
}

fn report(options: &Options, rows: &[Row]) {
    println!(
        "| page | connections | requests/s | p50 ms | p99 ms | bytes | peak MB | server s/1000 | mongod s/1000 |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|"
    );
    for path in &options.paths {
        for connections in &options.connections {
            let of_case = || rows.iter().filter(|row| row.path == *path && row.connections == *connections);
            let median = |value: fn(&Row) -> f64| {
                let mut values: Vec<f64> = of_case().map(value).collect();
                values.sort_by(f64::total_cmp);
                (values[values.len() / 2], values[0], values[values.len() - 1])
            };
            let (rate, least, most) = median(|row| row.tally.pages as f64 / row.usage.seconds);
            let thousand = |row: &Row| row.tally.pages as f64 / 1e3;
            println!(
                "| `{path}` | {connections} | **{rate:.0}** ({least:.0}–{most:.0}) | {:.1} | {:.1} | {:.0} | {:.0} | {:.2} | {:.2} |",
                median(|row| row.tally.latency(0.5)).0,
                median(|row| row.tally.latency(0.99)).0,
                median(|row| row.tally.bytes as f64 / row.tally.pages as f64).0,
                median(|row| row.memory).2,
                median(|row| row.usage.server).0 / thousand(of_case().next().expect("measured")),
                median(|row| row.usage.mongod).0 / thousand(of_case().next().expect("measured")),
            );
        }
    }
    let disturbed = rows.iter().filter(|row| row.usage.foreign_cores() > 0.25).count();
    println!("\nMedian (least–most) of {} rounds; {disturbed} measurements disturbed by others.", options.rounds);
}
