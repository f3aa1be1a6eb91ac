//! `rollcall dev`: application, local Clerk and MongoDB in one process, and nothing of them left behind.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::folder;
use crate::support::app::client;
use crate::support::eventually_within;
use crate::support::process::free_port;

/// Where a MongoDB may be found, as for everybody who runs this.
#[expect(clippy::disallowed_methods, reason = "the machine says by the environment where its MongoDB is")]
fn places_of_mongod() -> Vec<(&'static str, String)> {
    let names = ["PATH", "HOME", "XDG_CACHE_HOME", "ROLLCALL_MONGOD"];
    names.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?))).collect()
}

fn start(folder: &Path, app: u16, clerk: u16) -> Child {
    let log = std::fs::File::create(folder.join("log")).expect("a log");
    Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .args(["dev", "--data-dir", "kept", "--seed-users", "3", "--standin-addr", &format!("127.0.0.1:{clerk}")])
        .current_dir(folder)
        .env_clear()
        .envs(places_of_mongod())
        .env("LEPTOS_SITE_ADDR", format!("127.0.0.1:{app}"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log"))
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the binary starts")
}

async fn listens(port: u16) -> bool {
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await.is_ok()
}

#[tokio::test]
async fn e_34_dev_serves_everything_and_takes_its_clerk_and_its_mongodb_with_it() {
    let (folder, app, clerk) = (folder(), free_port(), free_port());
    let said = || std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let mut process = start(folder.path(), app, clerk);
    let at = |path: &str| client().get(format!("http://127.0.0.1:{app}{path}")).send();
    eventually_within(Duration::from_mins(1), "it is ready", || {
        let ended = process.try_wait().expect("a state");
        let asked = at("/readyz");
        async move {
            assert!(ended.is_none(), "it ended: {ended:?}");
            let answer = asked.await.map_err(|error| error.to_string())?;
            if answer.status() == 200 { Ok(()) } else { Err(answer.status().to_string()) }
        }
    })
    .await;
    assert_eq!(at("/healthz").await.expect("an answer").status(), 200);
    let page = at("/").await.expect("an answer");
    assert_eq!(page.status(), 200);
    assert!(page.text().await.expect("text").contains("Rollcall"));
    let people = client().get(format!("http://127.0.0.1:{clerk}/")).send().await.expect("the local Clerk answers");
    assert_eq!(people.status(), 200);
    eventually_within(Duration::from_secs(10), "it says where everything is", || async {
        if said().contains("Rollcall is ready.") { Ok(()) } else { Err(said()) }
    })
    .await;
    let mongod = std::fs::read_to_string(folder.path().join("kept/mongod/port")).expect("a port");
    let mongod: u16 = mongod.trim().parse().expect("a number");
    assert!(listens(mongod).await && listens(clerk).await && listens(app).await);

    let id = process.id().expect("it runs").to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().await.expect("kill").success());
    let ended = tokio::time::timeout(Duration::from_secs(30), process.wait()).await.expect("an end");
    assert_eq!(ended.expect("a status").code(), Some(0), "{}", said());
    for (port, what) in [(app, "the application"), (clerk, "the local Clerk"), (mongod, "MongoDB")] {
        assert!(!listens(port).await, "{what} is still there");
    }
    let kept = std::fs::read_to_string(folder.path().join("kept/clerk.json")).expect("what the local Clerk keeps");
    assert!(serde_json::from_str::<Value>(&kept).is_ok(), "{kept}");
}
