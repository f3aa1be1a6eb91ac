//! A hundred thousand people: killed at random in the import, a thousand differences found under live traffic, and no more
//! memory than for a few.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mongodb::bson::{Bson, doc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use crate::site::{Site, Traffic};
use crate::support::eventually_within;
use crate::support::mongo::TestDatabase;

const PEOPLE: usize = 100_000;
const KILLS: u64 = 10;
const DIFFERENCES: usize = 1_000;
/// Beyond what a walk through a few people needs.
const MORE_MB: u64 = 64;

fn spawn(site: &Site, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .arg("sync")
        .args(arguments)
        .env_clear()
        .envs(site.variables.iter())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary starts")
}

/// Runs to the end; the report, the exit code, and the most memory it held, in megabytes.
async fn run(site: &Site, arguments: &[&str]) -> (Value, Option<i32>, u64) {
    let mut child = spawn(site, &[arguments, &["--json"]].concat());
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().expect("a state").is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let held = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = held.map_or(peak, |kilobytes| peak.max(kilobytes / 1_024));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let output = child.wait_with_output().expect("an output");
    (serde_json::from_slice(&output.stdout).unwrap_or_default(), output.status.code(), peak)
}

async fn crowd(people: usize) -> Site {
    Site::peopled(1, TestDatabase::new().await, people).await
}

/// Random people differ in random ways; as many as are returned.
async fn plant(site: &Site) -> usize {
    site.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    let users = site.clerk.users();
    let mut ids: Vec<&str> = users.iter().map(|user| user["id"].as_str().expect("an id")).skip(100).collect();
    // The seed is fixed, so that a failure can be looked at again.
    let mut random = StdRng::seed_from_u64(2_026);
    for _ in 0..DIFFERENCES {
        let id = ids.swap_remove(random.random_range(0..ids.len()));
        let one = doc! { "clerkId": id };
        match random.random_range(0..6) {
            0 => site.database.remove("users", one).await,
            1 => site.database.set("users", one, doc! { "firstName": Bson::Null }).await,
            2 => site.database.set("users", one, doc! { "role": "admin" }).await,
            3 => site.database.set("users", one, doc! { "email": Bson::Null, "emails": [] }).await,
            4 => drop(site.clerk.delete_user(id)),
            _ => drop(site.clerk.update_user(id, json!({ "last_name": "Changed" }))),
        }
    }
    assert!(site.clerk.drained(Duration::from_mins(1)).await, "webhooks are waiting");
    site.clerk.set_levers(Levers::default());
    DIFFERENCES
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_33_c_1_a_hundred_thousand_people_killed_ten_times_a_thousand_differences_and_constant_memory() {
    let few = crowd(5_000).await;
    let (_, code, peak_of_few) = run(&few, &["backfill", "--yes"]).await;
    assert_eq!(code, Some(0));
    few.database.drop().await;

    let site = crowd(PEOPLE).await;
    let mut random = StdRng::seed_from_u64(33);
    for kill in 0..KILLS {
        let mut backfill = spawn(&site, &["backfill", "--yes"]);
        let seen = i64::try_from(kill * 5_000 + 500).expect("a number");
        eventually_within(Duration::from_mins(1), "the walk goes on", || async {
            let run = site.database.find("runs", doc! { "progress.counts.seen": { "$gte": seen } }).await;
            run.map(|_| ()).ok_or_else(|| format!("not {seen} yet"))
        })
        .await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
        backfill.kill().expect("killed");
        backfill.wait().expect("an end");
    }
    let (report, code, peak) = run(&site, &["backfill", "--yes"]).await;
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["counts"]["seen"], json!(PEOPLE));
    assert_eq!(report["counted"], json!({ "clerk": PEOPLE, "here": PEOPLE }));
    assert_eq!(site.database.count("runs", doc! { "kind": "backfill" }).await, 1);
    assert!(peak <= peak_of_few + MORE_MB, "{peak} MB, and {peak_of_few} MB for a few");

    let differences = plant(&site).await;
    let server = site.start(0).await;
    let traffic = Traffic::start(&site.clerk, 20);
    let (proof, code, peak) = run(&site, &["prove"]).await;
    assert_eq!(code, Some(1), "{proof}");
    let of = |kind: &str| proof["counts"][kind].as_u64().expect("a count");
    assert_eq!(of("missing") + of("differing") + of("gone"), differences as u64, "{}", proof["counts"]);
    assert_eq!(of("revived") + of("unreadable") + of("unsettled"), 0, "{}", proof["counts"]);
    assert!(peak <= peak_of_few + MORE_MB, "{peak} MB, and {peak_of_few} MB for a few");
    let (mended, code, _) = run(&site, &["reconcile", "--yes"]).await;
    assert_eq!(code, Some(0), "{mended}");
    let (again, code, _) = run(&site, &["prove"]).await;
    assert_eq!(code, Some(0), "{again}");
    traffic.stop().await;
    site.delivered(Duration::from_mins(1)).await;
    drop(server);
    site.clerk.stop().await;
    site.database.drop().await;
}
