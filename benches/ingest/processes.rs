//! The two programs that are measured: a mongod of our own, and the server as it is shipped. Both end with the benchmark.
//!
//! They must be started from the main thread: the kernel ends them when the thread that started them does.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mongodb::Client;
use mongodb::options::ClientOptions;
use rollcall::server::store::topology::ensure_replica_set;
use tempfile::TempDir;

/// Opens nothing but the benchmark's own server.
pub const SIGNING_KEY: &[u8; 32] = b"the key of a benchmark, no other";
const SET_NAME: &str = "bench";
const START_WITHIN: Duration = Duration::from_mins(1);
/// The one named, the one on `PATH`, or the one that `make setup` fetched.
const FIND_MONGOD: &str = r#"
for mongod in "${ROLLCALL_MONGOD:-}" mongod "${XDG_CACHE_HOME:-$HOME/.cache}/rollcall/bin/mongod"; do
  if [ -n "$mongod" ] && command -v "$mongod" >/dev/null; then exec setpriv --pdeathsig KILL "$mongod" "$@"; fi
done
echo "no mongod: make setup" >&2; exit 1"#;

/// A process that ends when this value does.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A replica set of one on an empty folder, its journal on a real disk.
pub struct Mongod {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
    pub client: Client,
}

impl Mongod {
    /// Starts it with its data in a new folder under `parent`.
    pub async fn start(parent: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("mongod.").tempdir_in(parent)?;
        let address = free_address()?;
        let child = Command::new("sh")
            .args(["-c", FIND_MONGOD, "find-mongod", "--replSet", SET_NAME, "--bind_ip", "127.0.0.1", "--nounixsocket"])
            .args(["--wiredTigerCacheSizeGB", "2", "--quiet", "--port", &address.port().to_string(), "--dbpath"])
            .arg(folder.path())
            .arg("--logpath")
            .arg(folder.path().join("log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start a shell for mongod")?;
        let process = Process(child);
        ensure_replica_set(&address.to_string(), SET_NAME, START_WITHIN).await.context("mongod does not come up")?;
        let options = ClientOptions::parse(uri(address, "admin")).await?;
        Ok(Self { process, address, folder, client: Client::with_options(options)? })
    }

    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    pub fn uri(&self, database: &str) -> String {
        uri(self.address, database)
    }

    /// Where its data is, for measuring the same disk.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn uri(address: SocketAddr, database: &str) -> String {
    format!("mongodb://{address}/{database}?replicaSet={SET_NAME}")
}

/// The server under load, a process of its own.
pub struct Server {
    process: Process,
    pub address: SocketAddr,
}

impl Server {
    /// Starts it as production would and waits until it is ready. What it logs goes to `log`, which is written anew.
    pub async fn start(
        program: &Path,
        mongodb_uri: &str,
        extra: &[(String, String)],
        log: &Path,
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = command(program, &["serve"], address, mongodb_uri, extra);
        let child = command.stderr(File::create(log)?).spawn().context("cannot start the server")?;
        let mut server = Self { process: Process(child), address };
        server.wait_until_ready().await.with_context(|| format!("see {}", log.display()))?;
        Ok(server)
    }

    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    async fn wait_until_ready(&mut self) -> anyhow::Result<()> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(2)).no_proxy().build()?;
        let deadline = Instant::now() + START_WITHIN;
        while Instant::now() < deadline {
            if let Some(ended) = self.process.0.try_wait()? {
                bail!("the server ended at once: {ended}");
            }
            let answer = client.get(format!("http://{}/readyz", self.address)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("the server does not become ready")
    }
}

/// A command of the server's program that ends on its own, with the settings of a server.
pub fn run(
    program: &Path,
    arguments: &[&str],
    mongodb_uri: &str,
    extra: &[(String, String)],
    log: &Path,
) -> anyhow::Result<Child> {
    let mut command = command(program, arguments, free_address()?, mongodb_uri, extra);
    command.stderr(File::create(log)?).spawn().context("cannot start the command")
}

fn command(
    program: &Path,
    arguments: &[&str],
    address: SocketAddr,
    mongodb_uri: &str,
    extra: &[(String, String)],
) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .arg(program)
        .args(arguments)
        .env_clear()
        .envs(environment(address, mongodb_uri))
        .envs(extra.iter().map(|(name, value)| (name, value)))
        // A developer's `.env` is looked for from here upwards.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// As in production, but with a Clerk that cannot be reached.
fn environment(address: SocketAddr, mongodb_uri: &str) -> Vec<(&'static str, String)> {
    vec![
        ("LEPTOS_ENV", "PROD".to_owned()),
        ("LEPTOS_SITE_ADDR", address.to_string()),
        ("ROLLCALL_PUBLIC_URL", "https://bench.example.com".to_owned()),
        ("MONGODB_URI", mongodb_uri.to_owned()),
        // `clerk.bench.example.com$` in base64.
        ("CLERK_PUBLISHABLE_KEY", "pk_test_Y2xlcmsuYmVuY2guZXhhbXBsZS5jb20k".to_owned()),
        ("CLERK_SECRET_KEY", format!("sk_test_{}", "0".repeat(42))),
        ("CLERK_WEBHOOK_SIGNING_SECRET", signing_secret()),
        ("CLERK_API_URL", "http://127.0.0.1:9".to_owned()),
    ]
}

fn signing_secret() -> String {
    format!("whsec_{}", STANDARD.encode(SIGNING_KEY))
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
