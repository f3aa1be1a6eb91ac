//! The real binary as processes: started, told to stop, frozen, killed; and what each wrote to its log.
//!
//! Every process ends with its handle, however the test ends.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rollcall::server::settings::environment::Variables;

use crate::support::app::client;
use crate::support::eventually_within;

/// A server process. Its log is a file, so that a killed process leaves it behind.
pub struct Server {
    process: Child,
    pub url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on: below those that the system gives to connections, of which one could be taken again before
/// it is used.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Server {
    /// Starts a server that listens on `port`, and waits until it is ready. Its log is added to the file `log`.
    pub async fn start(port: u16, environment: &Variables, log: &Path) -> Self {
        Self::start_with(&[], port, environment, log).await
    }

    /// The same with these arguments.
    pub async fn start_with(arguments: &[&str], port: u16, environment: &Variables, log: &Path) -> Self {
        let file = std::fs::File::options().create(true).append(true).open(log).expect("a log file");
        let process = Command::new(env!("CARGO_BIN_EXE_rollcall"))
            .arg("serve")
            .args(arguments)
            .env_clear()
            .env("ROLLCALL_LOG", "warn")
            .envs(environment.iter())
            .env("LEPTOS_SITE_ADDR", format!("127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the binary starts");
        let mut server = Self { process, url: format!("http://127.0.0.1:{port}") };
        server.ready(log).await;
        server
    }

    async fn ready(&mut self, log: &Path) {
        let (client, url) = (client(), format!("{}/readyz", self.url));
        eventually_within(Duration::from_secs(30), "the server is ready", || {
            let ended = self.process.try_wait().expect("a state");
            let asked = client.get(&url).send();
            async move {
                assert!(ended.is_none(), "the server ended: {ended:?}\n{}", read_log(log));
                let answer = asked.await.map_err(|error| error.to_string())?;
                if answer.status() == 200 { Ok(()) } else { Err(answer.status().to_string()) }
            }
        })
        .await;
    }

    pub fn webhook_url(&self) -> String {
        format!("{}/api/webhooks/clerk", self.url)
    }

    /// SIGKILL: no chance to finish anything.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Sends a signal such as `TERM`, `STOP`, `CONT`.
    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().expect("kill");
        assert!(told.success(), "SIG{name} could not be sent");
    }

    /// Waits for the end of a server that was told to stop.
    pub async fn ended(&mut self) -> ExitStatus {
        eventually_within(Duration::from_secs(20), "the server ends", || {
            let state = self.process.try_wait().expect("a state");
            async move { state.ok_or_else(|| "it runs".to_owned()) }
        })
        .await
    }

    /// How long it was at work on a processor, so far; in hundredths of a second, as Linux counts.
    pub fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("a running process");
        let fields: Vec<&str> = stat.rsplit(')').next().expect("its numbers").split_whitespace().collect();
        let ticks = |place: usize| fields[place].parse::<u64>().expect("a number");
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    /// How much memory it holds, in megabytes.
    pub fn resident_mb(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.split_whitespace().next().and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number") / 1024
    }
}

pub fn read_log(log: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned()
}

/// Where a server's log goes: one file a server, whatever number of times it is started.
pub fn log_in(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

/// A server whose log nobody reads.
pub async fn start(port: u16, environment: &Variables) -> Server {
    Server::start(port, environment, Path::new("/dev/null")).await
}
