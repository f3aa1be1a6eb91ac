//! A MongoDB of a test's own, one node or three, which the test may kill, freeze, restart and have elect.
//!
//! Always a replica set named `rs0`. Ends with its handle; its folder goes with it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::options::ClientOptions;
use rollcall::server::store::topology::ensure_replica_set;
use tempfile::TempDir;

use crate::support::eventually_within;
use crate::support::process::free_port;

/// Finds the program where `mongod.sh` finds it, and becomes it, so that the process is mongod's own.
const BECOME_MONGOD: &str = r#"for mongod in "${ROLLCALL_MONGOD:-}" mongod "${XDG_CACHE_HOME:-$HOME/.cache}/rollcall/bin/mongod"; do
  if [ -n "$mongod" ] && command -v "$mongod" >/dev/null; then exec "$mongod" "$@"; fi
done
echo "no mongod: make setup" >&2; exit 1"#;
const OPTIONS: &[&str] = &[
    "--bind_ip",
    "127.0.0.1",
    "--nounixsocket",
    "--quiet",
    "--replSet",
    "rs0",
    "--oplogSize",
    "128",
    "--wiredTigerCacheSizeGB",
    "0.25",
    "--setParameter",
    "diagnosticDataCollectionEnabled=false",
    // Fail points.
    "--setParameter",
    "enableTestCommands=1",
    // Told to stop, it does so without the 15 s of courtesy to its clients.
    "--setParameter",
    "shutdownTimeoutMillisForSignaledShutdown=100",
];
const UP_WITHIN: Duration = Duration::from_mins(1);

/// One node.
pub struct Mongod {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Mongod {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Mongod {
    /// A running replica set of one, which takes writes.
    pub async fn start() -> Self {
        let node = Self::node();
        node.writable().await;
        node
    }

    /// A node of a set that is not initiated yet.
    fn node() -> Self {
        let folder = folder();
        let port = free_port();
        let process = spawn(&folder, port);
        Self { process, folder, port }
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The connection string without a database.
    pub fn uri(&self) -> String {
        format!("mongodb://{}/?replicaSet=rs0", self.address())
    }

    /// SIGKILL: what is not in the journal is lost.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// SIGTERM, as an operator's restart sends it.
    pub async fn terminate(&mut self) {
        self.signal("TERM");
        eventually_within(UP_WITHIN, "mongod ends", || {
            let state = self.process.try_wait().expect("a state");
            async move { state.map(drop).ok_or_else(|| "it runs".to_owned()) }
        })
        .await;
    }

    /// Starts it again on the same folder and waits until it takes writes.
    pub async fn restart(&mut self) {
        self.process = spawn(&self.folder, self.port);
        self.writable().await;
    }

    pub fn signal(&self, name: &str) {
        let told = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().expect("kill");
        assert!(told.success(), "SIG{name} could not be sent");
    }

    async fn writable(&self) {
        // A node that recovers refuses connections first.
        let deadline = Instant::now() + UP_WITHIN;
        while let Err(error) = ensure_replica_set(&self.address(), "rs0", UP_WITHIN).await {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "{error}\n{log}");
        }
    }

    /// A command to `admin` of exactly this node.
    pub async fn admin(&self, command: Document) -> Result<Document, mongodb::error::Error> {
        admin(&self.address(), command).await
    }
}

async fn admin(address: &str, command: Document) -> Result<Document, mongodb::error::Error> {
    let mut options = ClientOptions::parse(format!("mongodb://{address}/?directConnection=true")).await?;
    options.server_selection_timeout = Some(Duration::from_secs(10));
    Client::with_options(options)?.database("admin").run_command(command).await
}

/// Three nodes that elect within seconds.
pub struct ThreeNodes {
    pub nodes: Vec<Mongod>,
}

impl ThreeNodes {
    pub async fn start() -> Self {
        let nodes: Vec<Mongod> = (0..3).map(|_| Mongod::node()).collect();
        let members: Vec<Document> =
            nodes.iter().zip(0_i32..).map(|(node, place)| doc! { "_id": place, "host": node.address() }).collect();
        let settings = doc! { "electionTimeoutMillis": 2_000, "heartbeatIntervalMillis": 500 };
        let set = doc! { "_id": "rs0", "members": members, "settings": settings };
        eventually_within(UP_WITHIN, "the set is initiated", || async {
            let done = nodes[0].admin(doc! { "replSetInitiate": set.clone() }).await;
            done.map(drop).map_err(|error| error.to_string())
        })
        .await;
        let three = Self { nodes };
        three.primary().await;
        three
    }

    pub fn uri(&self) -> String {
        let addresses: Vec<String> = self.nodes.iter().map(Mongod::address).collect();
        format!("mongodb://{}/?replicaSet=rs0", addresses.join(","))
    }

    /// The place of the node that takes writes, once there is one.
    pub async fn primary(&self) -> usize {
        eventually_within(UP_WITHIN, "a primary is elected", || async {
            for (place, node) in self.nodes.iter().enumerate() {
                let answer = node.admin(doc! { "hello": 1 }).await.map_err(|error| error.to_string())?;
                if answer.get_bool("isWritablePrimary").is_ok_and(|is| is) {
                    return Ok(place);
                }
            }
            Err("none".to_owned())
        })
        .await
    }
}

fn spawn(folder: &TempDir, port: u16) -> Child {
    Command::new("sh")
        .args(["-c", BECOME_MONGOD, "mongod"])
        .args(OPTIONS)
        .args(["--port", &port.to_string()])
        .arg("--dbpath")
        .arg(folder.path())
        .arg("--logpath")
        .arg(folder.path().join("log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("mongod starts")
}

/// In memory where there is enough of it: each write waits for the journal.
fn folder() -> TempDir {
    let asked = Command::new("df").args(["--output=avail", "-k", "/dev/shm"]).output();
    let free = asked.ok().and_then(|output| {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().last()?.trim().parse::<u64>().ok()
    });
    let named = tempfile::Builder::new().prefix("rollcall-faults.").to_owned();
    let made = if free.is_some_and(|kilobytes| kilobytes > 4 * 1024 * 1024) {
        named.tempdir_in("/dev/shm")
    } else {
        named.tempdir()
    };
    made.expect("a folder")
}
