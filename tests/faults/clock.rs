//! The clock of the server is wrong, jumps, and is put right (D2-19).
//!
//! Only the server's: it runs under a library that moves its wall clock by what a file says, built here by the compiler that
//! `make setup` demands.

use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mongodb::bson::{Document, doc};
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::site::{Site, Traffic};
use crate::support::invariants::settled;
use crate::support::mongo::TestDatabase;
use crate::support::process::Server;
use crate::support::{eventually, eventually_within};

const TOKEN: &str = "reads-the-numbers";
const PROFILE: &str = "/api/profile/get_profile";
/// Less than the tolerance for signatures, and far more than a lease, a pause or a beat.
const FOUR_MINUTES: i64 = 240;

/// A clock that a test moves.
struct Clock {
    folder: TempDir,
}

impl Clock {
    fn new() -> Self {
        let clock = Self { folder: tempfile::tempdir().expect("a folder") };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/clock.c");
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(clock.library()).arg(source).status();
        assert!(built.expect("a C compiler").success(), "the library is built");
        std::fs::write(clock.file(), 0_i64.to_ne_bytes()).expect("written");
        clock
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("clock.so")
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("moved-by")
    }

    /// In place: the server has it mapped.
    fn move_by(&self, seconds: i64) {
        let mut file = std::fs::File::options().write(true).open(self.file()).expect("a file");
        file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(&seconds.to_ne_bytes())).expect("written");
    }
}

/// A server whose clock is right until it is moved.
async fn start() -> (Site, Server, Clock) {
    let clock = Clock::new();
    let mut site = Site::of(1, TestDatabase::new().await).await;
    let (library, file) = (clock.library(), clock.file());
    site.change(&[
        ("LD_PRELOAD", library.to_str().expect("UTF-8")),
        ("CLOCK_MOVED_BY", file.to_str().expect("UTF-8")),
        ("ROLLCALL_METRICS_TOKEN", TOKEN),
    ]);
    let server = site.start(0).await;
    (site, server, clock)
}

async fn refused(site: &Site, server: &Server, reason: &str) -> u64 {
    let asked = site.client.get(format!("{}/metrics", server.url)).bearer_auth(TOKEN).send().await.expect("an answer");
    let text = asked.text().await.expect("text");
    let label = format!("webhooks_refused_total{{reason=\"{reason}\"}} ");
    let line = text.lines().find_map(|line| line.split_once(&label).map(|(_, count)| count.to_owned()));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_19_a_clock_ten_minutes_wrong_refuses_by_name_and_loses_nothing() {
    let (site, server, clock) = start().await;
    let known = site.create("known");
    site.delivered(Duration::from_secs(20)).await;
    settled(&site.database, Duration::from_secs(20)).await;
    for (moved_by, reason) in [(600, "timestamp_too_old"), (-600, "timestamp_in_future")] {
        let before = refused(&site, &server, reason).await;
        clock.move_by(moved_by);
        let id = site.create(&format!("late-{}", moved_by > 0));
        eventually("what is signed now is refused by name, and counted", || async {
            let count = refused(&site, &server, reason).await;
            if count > before { Ok(()) } else { Err(format!("{count} refused")) }
        })
        .await;
        assert!(site.database.user(&id).await.is_none(), "it was not believed");
        let status = site.get_as(0, &known, PROFILE).await.status();
        assert!(status.is_client_error(), "nor is a token of now: {status}");
        clock.move_by(0);
        site.delivered(Duration::from_mins(1)).await;
        settled(&site.database, Duration::from_secs(20)).await;
        assert!(site.database.user(&id).await.is_some(), "once the clock is right it is there");
        assert_eq!(site.get_as(0, &known, PROFILE).await.status(), 200);
    }
    site.finish(&["webhook refused"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_19_a_clock_that_jumps_under_load_loses_nothing_and_applies_nothing_twice() {
    let (site, _server, clock) = start().await;
    let traffic = Traffic::start(&site.clerk, 60);
    for moved_by in [FOUR_MINUTES, -FOUR_MINUTES, 0, -FOUR_MINUTES, FOUR_MINUTES, 0] {
        clock.move_by(moved_by);
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    traffic.stop().await;
    site.delivered(Duration::from_mins(1)).await;
    site.finish(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_19_what_was_put_off_before_the_clock_was_set_back_is_done_when_it_is_right() {
    let (site, _server, clock) = start().await;
    let id = site.create("truth");
    site.delivered(Duration::from_secs(20)).await;
    settled(&site.database, Duration::from_secs(20)).await;
    site.clerk.set_levers(Levers { bapi_status: Some(503), ..Levers::default() });
    clock.move_by(FOUR_MINUTES);
    // The version that is stored, with another name: only Clerk can settle that (D2-25).
    let (_, told) = site.told_of(&id).remove(0);
    let mut lie: Value = serde_json::from_str(&told).expect("JSON");
    lie["type"] = json!("user.updated");
    lie["data"]["first_name"] = json!("Lie");
    assert_eq!(site.post(0, "msg_lie", &lie.to_string()).await.status(), 200);
    let lie = async || -> Result<Document, String> {
        site.database.event("msg_lie").await.ok_or_else(|| "not recorded".to_owned())
    };
    eventually_within(Duration::from_secs(30), "it is put off", || async {
        let event = lie().await?;
        if event.get_str("state").ok() == Some("failed") { Ok(()) } else { Err(event.to_string()) }
    })
    .await;
    // Set back: what is due is minutes away. Whatever is new goes on all the same.
    clock.move_by(0);
    site.clerk.set_levers(Levers::default());
    let other = site.create("meanwhile");
    eventually("what is new is applied", || async {
        site.database.user(&other).await.map(drop).ok_or_else(|| "nobody".to_owned())
    })
    .await;
    assert_eq!(lie().await.expect("an event").get_str("state").ok(), Some("failed"), "by the clock it is early");
    // As time passes.
    clock.move_by(FOUR_MINUTES + 20);
    settled(&site.database, Duration::from_secs(40)).await;
    clock.move_by(0);
    assert_eq!(site.database.user(&id).await.expect("there").get_str("firstName").ok(), Some("truth"));
    assert_eq!(site.database.count("events", doc! { "state": "dead" }).await, 0);
    site.finish(&["Clerk is away"]).await;
}
