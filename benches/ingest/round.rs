//! One measurement: a fresh database and server, a warm-up, the load, the backlog, the proof.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Context;
use mongodb::Database;
use mongodb::bson::doc;
use serde::Serialize;

use crate::ingest::delivery::produce;
use crate::ingest::load::{Source, Tally, send};
use crate::ingest::machine::{Reading, Usage, Watched, forget_peak, peak_memory};
use crate::ingest::people::fill;
use crate::ingest::plan::Plan;
use crate::ingest::processes::{Mongod, Server};
use crate::ingest::verdict::{Sent, Verdict, drained, judge};

/// With more than this others used too much of the machine for the figures to mean anything.
pub const MOST_FOREIGN_CORES: f64 = 0.25;

/// What is measured with.
pub struct Setup {
    pub program: PathBuf,
    pub environment: Vec<(String, String)>,
    pub log: PathBuf,
    pub seed: u64,
    pub warm_up: u64,
    /// Requests are made beforehand for so many a second.
    pub prepared: usize,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    pub connections: usize,
    /// How many people are there before.
    pub people: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Round {
    pub case: Case,
    pub acks: usize,
    pub seconds: f64,
    pub acks_per_second: f64,
    /// Milliseconds.
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
    /// Answers other than an acknowledgement.
    pub refused: usize,
    pub ran_out: bool,
    /// From the last answer until every event was applied, in seconds.
    pub drained_after: f64,
    /// While requests were sent.
    pub load: Usage,
    /// The same and until every event was applied: what the acknowledged events cost.
    pub whole: Usage,
    pub server_peak_mb: f64,
    pub mongod_peak_mb: f64,
    pub verdict: Verdict,
}

impl Round {
    pub fn is_disturbed(&self) -> bool {
        self.load.foreign_cores() > MOST_FOREIGN_CORES
    }

    pub fn server_cpu(&self) -> f64 {
        self.whole.server * 1e3 / self.acks.max(1) as f64
    }

    pub fn mongod_cpu(&self) -> f64 {
        self.whole.mongod * 1e3 / self.acks.max(1) as f64
    }
}

/// A server on a database of its own, warm.
pub struct Warm {
    pub server: Server,
    pub database: Database,
    pub watched: Watched,
    source: Source,
    /// What the warm-up sent.
    before: Tally,
    seed: u64,
    people: usize,
}

/// Starts everything and warms it up. `total` requests are made, at most `ahead` of them in advance.
pub async fn warm_up(setup: &Setup, mongod: &Mongod, case: Case, total: usize, ahead: usize) -> anyhow::Result<Warm> {
    let name = format!("bench_{}_{}", case.connections, case.people);
    let database = mongod.client.database(&name);
    database.drop().await?;
    let server = Server::start(&setup.program, &mongod.uri(&name), &setup.environment, &setup.log).await?;
    fill(&database, server.address, case.people).await?;
    let (chunks, producer) = produce(Plan::new(setup.seed, case.people), total, ahead);
    if ahead >= total {
        // Everything is made before the load begins.
        tokio::task::spawn_blocking(move || producer.join()).await?.ok().context("requests cannot be made")?;
    }
    mongod.client.database("admin").run_command(doc! { "fsync": 1 }).await?;
    let watched = Watched { server: Some(server.id()), mongod: mongod.id() };
    let (address, seconds) = (server.address, setup.warm_up);
    let warming = move || send(address, case.connections, seconds, Source::new(chunks), &AtomicU64::new(0));
    let (before, source) = tokio::task::spawn_blocking(warming).await??;
    drained(&database).await?;
    forget_peak(mongod.id());
    Ok(Warm { server, database, watched, source, before, seed: setup.seed, people: case.people })
}

/// Measures a warm server for so long; `acks` is counted up meanwhile.
pub async fn measure(warm: Warm, case: Case, seconds: u64, acks: Arc<AtomicU64>) -> anyhow::Result<Round> {
    let Warm { server, database, watched, source, before, seed, people } = warm;
    let start = Reading::take(watched)?;
    let address = server.address;
    let sending = move || send(address, case.connections, seconds, source, &acks);
    let (tally, _) = tokio::task::spawn_blocking(sending).await??;
    let sent_at = Reading::take(watched)?;
    let drained_after = drained(&database).await?;
    let load = start.until(&sent_at);
    let whole = start.until(&Reading::take(watched)?);
    let (server_peak_mb, mongod_peak_mb) = (peak_memory(server.id())?, peak_memory(watched.mongod)?);
    let (sent, acked) = (either(&before.sent, &tally.sent), either(&before.acked, &tally.acked));
    let sent = Sent { seed, people, all: &sent, acked: &acked, measured: &tally.acked };
    let verdict = judge(&database, &sent).await?;
    drop(server);
    database.drop().await?;
    Ok(Round {
        case,
        acks: tally.acks,
        seconds: tally.lasted.as_secs_f64(),
        acks_per_second: tally.acks as f64 / tally.lasted.as_secs_f64(),
        p50: tally.latency(0.5),
        p99: tally.latency(0.99),
        max: tally.latency(1.0),
        refused: tally.refusals.values().sum(),
        ran_out: tally.ran_out || tally.starved > 0,
        drained_after: drained_after.as_secs_f64(),
        load,
        whole,
        server_peak_mb,
        mongod_peak_mb,
        verdict,
    })
}

fn either(one: &[bool], other: &[bool]) -> Vec<bool> {
    let has = |marks: &[bool], index: usize| marks.get(index).copied().unwrap_or(false);
    (0..one.len().max(other.len())).map(|index| has(one, index) || has(other, index)).collect()
}
