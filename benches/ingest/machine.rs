//! What the kernel says of processes and of the whole machine: processor time and memory, from `/proc`.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

/// `USER_HZ`: the unit of the kernel's counters, the same on every architecture this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Whose time is counted apart from everybody else's.
#[derive(Clone, Copy, Debug)]
pub struct Watched {
    /// None while the machine's limits are measured.
    pub server: Option<u32>,
    pub mongod: u32,
}

/// Processor seconds used so far.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    at: Instant,
    server: f64,
    mongod: f64,
    ours: f64,
    machine: f64,
}

/// Processor seconds used between two readings.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Usage {
    pub seconds: f64,
    pub server: f64,
    pub mongod: f64,
    /// The benchmark itself: the load, or the driver.
    pub bench: f64,
    /// Everybody else, and what the host took away.
    pub foreign: f64,
}

impl Reading {
    pub fn take(watched: Watched) -> anyhow::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            server: watched.server.map_or(Ok(0.0), processor_time)?,
            mongod: processor_time(watched.mongod)?,
            ours: processor_time(std::process::id())?,
            machine: machine_time()?,
        })
    }

    pub fn until(&self, later: &Self) -> Usage {
        let (server, mongod) = (later.server - self.server, later.mongod - self.mongod);
        let bench = later.ours - self.ours;
        let lasted: Duration = later.at - self.at;
        let foreign = later.machine - self.machine - server - mongod - bench;
        Usage { seconds: lasted.as_secs_f64(), server, mongod, bench, foreign: foreign.max(0.0) }
    }
}

impl Usage {
    pub fn foreign_cores(&self) -> f64 {
        self.foreign / self.seconds.max(0.001)
    }
}

fn processor_time(process: u32) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).context("a process is gone")?;
    // The name, in parentheses, may contain anything.
    let fields = text.rsplit_once(')').context("no process name")?.1.split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

/// Of all processors: user, nice, system, and stolen by the host; not the interrupts, which belong to nobody.
fn machine_time() -> anyhow::Result<f64> {
    let text = std::fs::read_to_string("/proc/stat")?;
    let fields: Vec<f64> = text.lines().next().context("no counters")?.split_whitespace().skip(1).map(number).collect();
    let ticks: f64 = [0, 1, 2, 7].into_iter().filter_map(|place| fields.get(place)).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

/// The memory in use now, in megabytes.
pub fn memory(process: u32) -> anyhow::Result<f64> {
    status_mb(process, "VmRSS:")
}

/// The most memory ever in use, in megabytes.
pub fn peak_memory(process: u32) -> anyhow::Result<f64> {
    status_mb(process, "VmHWM:")
}

/// Counts the peak anew from now on.
pub fn forget_peak(process: u32) {
    // Where the kernel does not let us, the peak is that of the whole run.
    let _ = std::fs::write(format!("/proc/{process}/clear_refs"), "5");
}

fn status_mb(process: u32, field: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).context("a process is gone")?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
    Ok(number(line.trim().trim_end_matches(" kB")) / 1024.0)
}
