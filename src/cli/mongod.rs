//! A MongoDB of one's own for development: found, started as a replica set of one, stopped with us.
//!
//! It lives under the data folder, on a port that the folder remembers (the replica set does too). It ends with this
//! process even if that is killed: a shell holds it and lets go when its input closes.

use std::iter::repeat_with;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, ChildStdin, Command};

use crate::server::settings::environment::Variables;
use crate::server::store::topology::ensure_replica_set;

const SET_NAME: &str = "rollcall";
const START_WITHIN: Duration = Duration::from_mins(1);
/// Runs its arguments, ends with them, and ends them when its own input ends.
const KEEPER: &str = r#"exec 3<&0; "$@" & held=$!; { cat <&3 >/dev/null; kill $held; } & watcher=$!
wait $held; ended=$?; kill $watcher; exit $ended"#;

/// A running server.
#[derive(Debug)]
pub struct Mongod {
    keeper: Child,
    /// The keeper's input: when it closes, the server ends. Waiting for a child closes it, so it is kept apart.
    hold: Option<ChildStdin>,
    port: u16,
}

impl Mongod {
    /// Starts the server on `folder`, which is made if need be, and waits until it takes writes.
    pub async fn start(folder: &Path, variables: &Variables) -> anyhow::Result<Self> {
        let program = find_program(variables)?;
        let database = folder.join("db");
        std::fs::create_dir_all(&database).with_context(|| format!("cannot make {}", database.display()))?;
        let port = remembered_port(folder)?;
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&program)
            .args(["--replSet", SET_NAME, "--bind_ip", "127.0.0.1", "--quiet", "--wiredTigerCacheSizeGB", "0.5"])
            .args(["--port", &port.to_string()])
            .arg("--dbpath")
            .arg(&database)
            .arg("--logpath")
            .arg(folder.join("mongod.log"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(false)
            .spawn()
            .context("cannot start a shell for mongod")?;
        let hold = keeper.stdin.take();
        let address = format!("127.0.0.1:{port}");
        tokio::select! {
            ready = ensure_replica_set(&address, SET_NAME, START_WITHIN) => {
                ready.with_context(|| format!("mongod does not come up; see {}", folder.join("mongod.log").display()))?;
            }
            ended = keeper.wait() => {
                bail!("mongod ended at once ({}); see {}", ended?, folder.join("mongod.log").display());
            }
        }
        Ok(Self { keeper, hold, port })
    }

    pub fn uri(&self) -> String {
        format!("mongodb://127.0.0.1:{}/rollcall?replicaSet={SET_NAME}", self.port)
    }

    /// Ends the server and waits for it.
    pub async fn stop(mut self) {
        drop(self.hold.take());
        let _ = tokio::time::timeout(Duration::from_secs(15), self.keeper.wait()).await;
    }
}

/// `ROLLCALL_MONGOD`, else the one on `PATH`, else the one that `make setup` fetched.
fn find_program(variables: &Variables) -> anyhow::Result<PathBuf> {
    if let Some(named) = variables.get("ROLLCALL_MONGOD") {
        let named = PathBuf::from(named);
        anyhow::ensure!(named.is_file(), "ROLLCALL_MONGOD names {}, which is no file", named.display());
        return Ok(named);
    }
    let on_path = variables.get("PATH").unwrap_or_default();
    let on_path = on_path.split(':').map(|folder| Path::new(folder).join("mongod"));
    let fetched = cache_folder(variables).map(|cache| cache.join("bin/mongod"));
    on_path
        .chain(fetched)
        .find(|candidate| candidate.is_file())
        .context("no mongod was found: set MONGODB_URI to a replica set, or run `make setup`, which fetches one")
}

/// Where `make setup` keeps what it fetches.
pub fn cache_folder(variables: &Variables) -> Option<PathBuf> {
    let base = variables.get("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(variables.get("HOME")?).join(".cache")));
    Some(base?.join("rollcall"))
}

/// The folder's port: chosen free once, then kept, for the replica set's members are known by it.
fn remembered_port(folder: &Path) -> anyhow::Result<u16> {
    let file = folder.join("port");
    if let Ok(text) = std::fs::read_to_string(&file)
        && let Ok(port) = text.trim().parse()
    {
        if TcpListener::bind(("127.0.0.1", port)).is_err() {
            bail!("port {port} of {} is in use: is another `rollcall dev` running there?", folder.display());
        }
        return Ok(port);
    }
    let port = free_port().context("MongoDB needs a port, and each that was tried is in use")?;
    std::fs::write(&file, port.to_string()).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(port)
}

/// Below those that the system gives to connections: this one is kept, and a connection could have it at the next start.
fn free_port() -> Option<u16> {
    let any = || rand::random_range(20_000..32_000);
    repeat_with(any).take(100).find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
}
