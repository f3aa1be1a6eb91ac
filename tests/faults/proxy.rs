//! A line between the application and MongoDB that a test can cut, slow down, or make forget.
//!
//! Bytes only: it knows no protocol. A cut line resets nothing, which is what a blackhole does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Packets this close belong to one message.
const SAME_MESSAGE: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    Clear,
    /// Nothing arrives, in neither direction, and nobody is told.
    Cut,
    /// What the application asks arrives; what MongoDB answers does not.
    AnswersHeld,
    /// Everything that the application sends arrives this much later.
    Slow(Duration),
    /// The first message with this in it arrives, and its connection ends before the answer.
    LosesAnswerTo(&'static str),
}

pub struct Proxy {
    pub port: u16,
    line: watch::Sender<Line>,
    /// Changes whenever the connections of that moment are forgotten.
    forgotten: watch::Sender<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToMongod,
    ToApplication,
}

impl Proxy {
    /// A clear line to `target`.
    pub async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (line, now) = watch::channel(Line::Clear);
        let (forgotten, mut forgets) = watch::channel(());
        let is_lost = Arc::new(AtomicBool::new(false));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                forgets.mark_unchanged();
                let loss = Loss { is_due: Arc::default(), is_over: Arc::clone(&is_lost) };
                tokio::spawn(connect(near, target.clone(), now.clone(), forgets.clone(), loss));
            }
        });
        Self { port, line, forgotten }
    }

    /// The connection string of one node behind this line.
    pub fn uri(&self, database: &str) -> String {
        format!("mongodb://127.0.0.1:{}/{database}?directConnection=true", self.port)
    }

    pub fn set(&self, line: Line) {
        self.line.send_replace(line);
    }

    /// Clears the line for new connections; those there were stay dead without a word, as behind a firewall that lost
    /// its table.
    pub fn forget(&self) {
        self.forgotten.send_replace(());
        self.set(Line::Clear);
    }
}

/// Of one connection: whether its next answer is to be lost, and whether one was, on any.
#[derive(Clone)]
struct Loss {
    is_due: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
}

impl Loss {
    fn look(&self, line: Line, sent: &[u8]) {
        if let Line::LosesAnswerTo(text) = line
            && sent.windows(text.len()).any(|part| part == text.as_bytes())
            && !self.is_over.swap(true, Ordering::SeqCst)
        {
            self.is_due.store(true, Ordering::SeqCst);
        }
    }
}

async fn connect(
    near: TcpStream,
    target: String,
    line: watch::Receiver<Line>,
    forgets: watch::Receiver<()>,
    loss: Loss,
) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::join!(
        pump(near_in, far_out, Direction::ToMongod, line.clone(), forgets.clone(), loss.clone()),
        pump(far_in, near_out, Direction::ToApplication, line, forgets, loss),
    );
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut line: watch::Receiver<Line>,
    forgets: watch::Receiver<()>,
    loss: Loss,
) {
    let mut buffer = vec![0; 64 * 1024];
    // A message of many packets is late once.
    let mut last: Option<Instant> = None;
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let passes = |line: &Line| match line {
            Line::Clear | Line::Slow(_) | Line::LosesAnswerTo(_) => true,
            Line::Cut => false,
            Line::AnswersHeld => direction == Direction::ToMongod,
        };
        let Ok(now) = line.wait_for(passes).await.map(|now| *now) else { return };
        if forgets.has_changed().unwrap_or(true) {
            // Held open and never answered.
            return std::future::pending().await;
        }
        let is_new = last.is_none_or(|last| last.elapsed() >= SAME_MESSAGE);
        if let (Line::Slow(delay), Direction::ToMongod, true) = (now, direction, is_new) {
            tokio::time::sleep(delay).await;
        }
        last = Some(Instant::now());
        match direction {
            Direction::ToMongod => loss.look(now, &buffer[..count]),
            Direction::ToApplication if loss.is_due.load(Ordering::SeqCst) => return,
            Direction::ToApplication => {}
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
