//! The load: so many kept-alive connections, each sending its next request when its last one was answered.
//!
//! HTTP by hand on one thread, because the generator shares the machine with what it measures. No event is ever sent
//! twice; after the given time nothing new is sent and what is in flight is awaited, so what MongoDB must hold is exact.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::ingest::delivery::Chunk;

/// A server that does not answer for this long has lost the request.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(1);

/// Where requests come from; goes from one load to the next.
pub struct Source {
    chunks: Receiver<Chunk>,
    current: Option<Arc<Chunk>>,
    place: usize,
}

struct Request {
    chunk: Arc<Chunk>,
    place: usize,
}

enum Next {
    Request(Request),
    /// The producer is behind.
    Later,
    Never,
}

impl Source {
    pub fn new(chunks: Receiver<Chunk>) -> Self {
        Self { chunks, current: None, place: 0 }
    }

    /// A single request, event 0.
    pub fn one(write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let (_, nothing_more) = sync_channel(0);
        Self { chunks: nothing_more, current: Some(Arc::new(Chunk::one(write))), place: 0 }
    }

    fn next(&mut self) -> Next {
        loop {
            if let Some(chunk) = self.current.as_ref().filter(|chunk| self.place < chunk.len()) {
                let request = Request { chunk: Arc::clone(chunk), place: self.place };
                self.place += 1;
                return Next::Request(request);
            }
            self.place = 0;
            self.current = match self.chunks.try_recv() {
                Ok(chunk) => Some(Arc::new(chunk)),
                Err(TryRecvError::Empty) => return Next::Later,
                Err(TryRecvError::Disconnected) => return Next::Never,
            };
        }
    }
}

/// What came of a load.
pub struct Tally {
    /// Microseconds from the first byte sent to the last byte answered.
    pub latencies: Histogram<u64>,
    /// By event: whether it was sent, and whether it was acknowledged.
    pub sent: Vec<bool>,
    pub acked: Vec<bool>,
    pub acks: usize,
    /// Answers that were no acknowledgement, by status; 0 for none at all.
    pub refusals: BTreeMap<u16, usize>,
    pub lasted: Duration,
    /// Whether there were too few requests for the time.
    pub ran_out: bool,
    /// How often a connection had to wait for the producer.
    pub starved: usize,
}

impl Tally {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            latencies: Histogram::new_with_bounds(1, 60_000_000, 3)?,
            sent: Vec::new(),
            acked: Vec::new(),
            acks: 0,
            refusals: BTreeMap::new(),
            lasted: Duration::ZERO,
            ran_out: false,
            starved: 0,
        })
    }

    fn record(&mut self, index: usize, status: u16, took: Duration) {
        mark(&mut self.sent, index);
        if (200..300).contains(&status) {
            mark(&mut self.acked, index);
            self.acks += 1;
            self.latencies.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        } else {
            *self.refusals.entry(status).or_default() += 1;
        }
    }

    /// Milliseconds.
    pub fn latency(&self, quantile: f64) -> f64 {
        self.latencies.value_at_quantile(quantile) as f64 / 1e3
    }
}

fn mark(marks: &mut Vec<bool>, index: usize) {
    if marks.len() <= index {
        marks.resize(index + 1, false);
    }
    marks[index] = true;
}

/// Sends for so long. To be called on a thread that may block; `acks` is counted up as they come.
pub fn send(
    address: SocketAddr,
    connections: usize,
    seconds: u64,
    source: Source,
    acks: &AtomicU64,
) -> anyhow::Result<(Tally, Source)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let shared = Rc::new(RefCell::new((source, Tally::new()?)));
    let lasted = LocalSet::new().block_on(&runtime, async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(connect(address).await?);
        }
        let started = Instant::now();
        let until = started + Duration::from_secs(seconds);
        let sending = streams.into_iter().map(|stream| keep_sending(stream, address, until, &shared, acks));
        futures::future::try_join_all(sending).await?;
        anyhow::Ok(started.elapsed())
    })?;
    let (source, mut tally) = Rc::into_inner(shared).context("a connection still runs")?.into_inner();
    tally.lasted = lasted;
    Ok((tally, source))
}

async fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect(address).await.context("the server takes no connections")?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn keep_sending(
    mut stream: TcpStream,
    address: SocketAddr,
    until: Instant,
    shared: &RefCell<(Source, Tally)>,
    acks: &AtomicU64,
) -> anyhow::Result<()> {
    let mut buffer = [0; 4_096];
    loop {
        let started = Instant::now();
        if started >= until {
            return Ok(());
        }
        let next = shared.borrow_mut().0.next();
        let request = match next {
            Next::Request(request) => request,
            Next::Later => {
                shared.borrow_mut().1.starved += 1;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            Next::Never => {
                shared.borrow_mut().1.ran_out = true;
                return Ok(());
            }
        };
        let answer = ask(&mut stream, request.chunk.request(request.place), &mut buffer);
        let status = if let Ok(Ok(status)) = tokio::time::timeout(ANSWER_WITHIN, answer).await {
            status
        } else {
            stream = connect(address).await?;
            0
        };
        if status == 200 {
            acks.fetch_add(1, Ordering::Relaxed);
        }
        shared.borrow_mut().1.record(request.chunk.first + request.place, status, started.elapsed());
    }
}

/// One request and its answer, of which only the status matters.
async fn ask(stream: &mut TcpStream, request: &[u8], buffer: &mut [u8; 4_096]) -> anyhow::Result<u16> {
    stream.write_all(request).await?;
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).await?;
        if read == 0 {
            bail!("the connection was closed, or the answer is too long");
        }
        filled += read;
        if let Some((status, length)) = parse(&buffer[..filled])? {
            if length > filled {
                continue;
            }
            return Ok(status);
        }
    }
}

/// The status and the whole length of an answer, once its head is there.
fn parse(answer: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..head])?;
    let status = text.get(9..12).context("no status")?.parse()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Ok(Some((status, head + 4 + length.context("an answer without a length")?)))
}
