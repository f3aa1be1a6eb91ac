//! The long run: is the memory flat, does the backlog stay bounded, while the load never lets up?

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::ingest::machine::memory;
use crate::ingest::processes::Mongod;
use crate::ingest::round::{Case, Round, Setup, measure, warm_up};
use crate::ingest::verdict::backlog;

const EVERY: Duration = Duration::from_secs(10);
/// Requests made in advance: some seconds' worth, since a signature is believed for five minutes only.
const AHEAD: usize = 50_000;
/// Memory is flat if the last third of the time needs at most this much more than the second.
const MOST_GROWTH: f64 = 1.05;
/// With fewer samples nothing can be said about memory.
const FEWEST_SAMPLES: usize = 9;

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sample {
    pub after: f64,
    pub acks_per_second: f64,
    pub server_mb: f64,
    pub mongod_mb: f64,
    /// Events that wait to be applied.
    pub backlog: u64,
}

#[derive(Debug, Serialize)]
pub struct Soak {
    pub samples: Vec<Sample>,
    /// The server's memory in the last third over that in the second.
    pub growth: f64,
    /// None when the run was too short to say.
    pub is_flat: Option<bool>,
    pub round: Round,
}

/// Runs for so long, printing a line every ten seconds.
pub async fn soak(setup: &Setup, mongod: &Mongod, case: Case, seconds: u64) -> anyhow::Result<Soak> {
    let warm = warm_up(setup, mongod, case, usize::MAX, AHEAD).await?;
    let (database, server) = (warm.database.clone(), warm.server.id());
    println!("server: process {server}\n");
    println!("| after s | acks/s | server MB | mongod MB | backlog |\n|--:|--:|--:|--:|--:|");
    let acks = Arc::new(AtomicU64::new(0));
    let mut running = Box::pin(measure(warm, case, seconds, Arc::clone(&acks)));
    let started = Instant::now();
    let mut ticks = tokio::time::interval_at((started + EVERY).into(), EVERY);
    let mut samples: Vec<Sample> = Vec::new();
    let mut before = (0, 0.0);
    let round = loop {
        tokio::select! {
            round = &mut running => break round?,
            _ = ticks.tick() => {}
        }
        let after = started.elapsed().as_secs_f64();
        if after > seconds as f64 + 1.0 {
            // What is left is the backlog and the proof.
            continue;
        }
        let now = acks.load(Ordering::Relaxed);
        let sample = Sample {
            after,
            acks_per_second: (now - before.0) as f64 / (after - before.1),
            server_mb: memory(server)?,
            mongod_mb: memory(mongod.id())?,
            backlog: backlog(&database).await?,
        };
        before = (now, after);
        println!(
            "| {:.0} | {:.0} | {:.1} | {:.0} | {} |",
            sample.after, sample.acks_per_second, sample.server_mb, sample.mongod_mb, sample.backlog
        );
        samples.push(sample);
    };
    let growth = growth(&samples);
    let is_flat = (samples.len() >= FEWEST_SAMPLES).then_some(growth <= MOST_GROWTH);
    Ok(Soak { samples, growth, is_flat, round })
}

fn growth(samples: &[Sample]) -> f64 {
    let third = samples.len() / 3;
    let mean =
        |samples: &[Sample]| samples.iter().map(|sample| sample.server_mb).sum::<f64>() / samples.len().max(1) as f64;
    mean(&samples[samples.len() - third..]) / mean(&samples[third..samples.len() - third]).max(1.0)
}
