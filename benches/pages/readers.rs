//! The load: so many kept-alive connections, each asking for the next person's page when the last one was answered.
//!
//! HTTP by hand on one thread, because the generator shares the machine with what it measures.

use std::cell::Cell;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

const LARGEST_PAGE: usize = 1 << 20;

/// What came of a load.
pub struct Tally {
    /// Microseconds.
    latencies: Histogram<u64>,
    pub pages: u64,
    /// Answers of another status than 200.
    pub refused: u64,
    /// On the wire, heads included.
    pub bytes: u64,
}

impl Tally {
    /// Milliseconds.
    pub fn latency(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// Reads for so long on a thread of its own.
pub async fn read(
    address: SocketAddr,
    connections: usize,
    seconds: u64,
    requests: Arc<Vec<Vec<u8>>>,
) -> anyhow::Result<Tally> {
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let latencies = Histogram::new_with_bounds(1, 60_000_000, 3)?;
        let tally = RefCell::new(Tally { latencies, pages: 0, refused: 0, bytes: 0 });
        let turn = Cell::new(0_usize);
        LocalSet::new().block_on(&runtime, async {
            let until = Instant::now() + Duration::from_secs(seconds);
            let readers = (0..connections).map(|_| keep_reading(address, until, &requests, &turn, &tally));
            futures::future::try_join_all(readers).await
        })?;
        Ok(tally.into_inner())
    })
    .await?
}

async fn keep_reading(
    address: SocketAddr,
    until: Instant,
    requests: &[Vec<u8>],
    turn: &Cell<usize>,
    tally: &RefCell<Tally>,
) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await.context("the server takes no connections")?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; LARGEST_PAGE];
    loop {
        let started = Instant::now();
        if started >= until {
            return Ok(());
        }
        let place = turn.get();
        turn.set((place + 1) % requests.len());
        stream.write_all(&requests[place]).await?;
        let mut filled = 0;
        while !is_whole(&buffer[..filled])? {
            let got = stream.read(&mut buffer[filled..]).await?;
            if got == 0 {
                bail!("the connection was closed, or the page is too large");
            }
            filled += got;
        }
        let mut tally = tally.borrow_mut();
        tally.bytes += filled as u64;
        if buffer.starts_with(b"HTTP/1.1 200 ") {
            tally.pages += 1;
            let took = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            tally.latencies.saturating_record(took);
        } else {
            tally.refused += 1;
        }
    }
}

/// Whether an answer, in chunks or of a known length, is there to its end.
fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(false) };
    let text = std::str::from_utf8(&answer[..head])?;
    let value_of = |wanted: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find_map(|(name, value)| name.eq_ignore_ascii_case(wanted).then(|| value.trim()))
    };
    match value_of("content-length") {
        Some(length) => Ok(answer.len() >= head + 4 + length.parse::<usize>()?),
        None => Ok(answer.ends_with(b"\r\n0\r\n\r\n")),
    }
}
