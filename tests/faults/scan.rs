//! Very many people (D2-26, D2-27, D2-33, C-1): an import that is killed ten times, and a thousand differences of every kind,
//! all found and mended while fifty changes a second arrive, and none that is false.
//!
//! Twenty thousand people, or as many as `ROLLCALL_FAULT_PEOPLE` says.

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::between::Between;
use crate::site::{Site, Traffic, id_of};
use crate::support::eventually_within;
use crate::support::invariants::settled;
use crate::support::mongo::TestDatabase;

const PEOPLE: usize = 20_000;
const PAGE: usize = 500;
const KILLS: usize = 10;
const DIFFERENCES: usize = 1_000;
const CHANGES_A_SECOND: u32 = 50;

fn people() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the runner says by the environment how many people it has time for")]
    let wish = std::env::var("ROLLCALL_FAULT_PEOPLE").ok();
    wish.map_or(PEOPLE, |wish| wish.parse().expect("ROLLCALL_FAULT_PEOPLE is a number"))
}

fn spawn(site: &Site, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .arg("sync")
        .args(arguments)
        .env_clear()
        .envs(site.variables.iter())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the binary starts")
}

/// Runs to the end; what it says, and its exit code.
async fn run(site: &Site, arguments: &[&str]) -> (Value, Option<i32>) {
    let began = Instant::now();
    let output = spawn(site, &[arguments, &["--json"]].concat()).wait_with_output().await.expect("an end");
    eprintln!("{arguments:?} took {:?}", began.elapsed());
    (serde_json::from_slice(&output.stdout).unwrap_or_default(), output.status.code())
}

/// A person who differs in one way, and how that is to be found: a kind of difference, and fields by name.
type Plant = fn(&str) -> (Where, &'static [&'static str]);

enum Where {
    /// Not here.
    Missing,
    /// Not at Clerk.
    Gone,
    /// Other fields here.
    Here(Document),
    /// Newer at Clerk, of which nobody told us.
    AtClerk(Value),
    /// What was written back is not at Clerk.
    WriteBack,
}

/// Every kind of difference, one after the other.
fn plants() -> Vec<Plant> {
    vec![
        |_| (Where::Missing, &[]),
        |_| (Where::Gone, &[]),
        |_| (Where::AtClerk(json!({ "first_name": "Stale" })), &["firstName", "name", "updatedAt"]),
        |_| (Where::WriteBack, &["metadata", "updatedAt"]),
        |id| (Where::Here(doc! { "email": format!("{id}@other.example") }), &["email"]),
        |_| (Where::Here(doc! { "emailVerified": false }), &["emailVerified"]),
        |_| (Where::Here(doc! { "emails": [] }), &["emails"]),
        |_| (Where::Here(doc! { "firstName": "Other" }), &["firstName"]),
        |_| (Where::Here(doc! { "lastName": Bson::Null }), &["lastName"]),
        |_| (Where::Here(doc! { "name": "Other" }), &["name"]),
        |id| (Where::Here(doc! { "clerkUsername": id }), &["username"]),
        |_| (Where::Here(doc! { "imageUrl": Bson::Null }), &["imageUrl"]),
        |_| (Where::Here(doc! { "role": "admin" }), &["metadata", "role"]),
        |_| (Where::Here(doc! { "banned": true }), &["banned"]),
        |_| (Where::Here(doc! { "locked": true }), &["locked"]),
        |_| (Where::Here(doc! { "createdAt": DateTime::from_millis(1_700_000_000_000) }), &["createdAt"]),
        |_| (Where::Here(doc! { "updatedAt": DateTime::from_millis(1_700_000_000_000) }), &["updatedAt"]),
    ]
}

/// What has to be found.
#[derive(Default)]
struct Planted {
    missing: u64,
    gone: u64,
    differing: u64,
    fields: BTreeMap<String, u64>,
    /// Who does not differ.
    equal: Vec<String>,
}

async fn plant(site: &Site) -> Planted {
    site.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    let users = site.clerk.users();
    // The first hundred are special: some lack what is spoilt here.
    let mut ids: Vec<String> = users.iter().skip(100).map(id_of).collect();
    // The seed is fixed, so that a failure can be looked at again.
    let mut random = StdRng::seed_from_u64(2_026);
    let mut planted = Planted::default();
    let kinds = plants();
    for number in 0..DIFFERENCES {
        let id = ids.swap_remove(random.random_range(0..ids.len()));
        let (place, fields) = kinds[number % kinds.len()](&id);
        let one = doc! { "clerkId": &id };
        match place {
            Where::Missing => {
                site.database.remove("users", one).await;
                planted.missing += 1;
            }
            Where::Gone if number % 2 == 0 => {
                site.clerk.delete_user(&id);
                planted.gone += 1;
            }
            // Somebody whom Clerk never had.
            Where::Gone => {
                let joined_at = DateTime::from_millis(random.random_range(1_000_000_000_000..1_790_000_000_000_i64));
                site.database.insert("users", stranger(number, joined_at)).await;
                planted.gone += 1;
            }
            Where::Here(fields) => site.database.set("users", one, fields).await,
            Where::AtClerk(attributes) => drop(site.clerk.update_user(&id, attributes)),
            Where::WriteBack => {
                drop(site.clerk.merge_metadata(&id, json!({ "public_metadata": { "userMongoId": null } })));
            }
        }
        planted.differing += u64::from(!fields.is_empty());
        for field in fields {
            *planted.fields.entry((*field).to_owned()).or_default() += 1;
        }
    }
    assert!(site.clerk.drained(Duration::from_mins(1)).await, "webhooks are waiting");
    site.clerk.set_levers(Levers::default());
    planted.equal = ids;
    planted
}

fn stranger(number: usize, joined_at: DateTime) -> Document {
    doc! {
        "_id": ObjectId::new(), "clerkId": format!("user_stranger{number}"), "name": "Stranger", "role": "user",
        "syncStatus": "active", "authProvider": "clerk", "version": { "updatedAt": 1_i64, "eventAt": 1_i64 },
        "etag": ObjectId::new(), "createdAt": joined_at, "updatedAt": joined_at, "deletedAt": Bson::Null,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_33_an_import_of_very_many_killed_ten_times_has_no_gap_and_no_repeat_beyond_a_page() {
    let people = people();
    let mut site = Site::peopled(1, TestDatabase::new().await, people).await;
    let between = Between::start(&site.clerk).await;
    site.change(&[("CLERK_API_URL", &between.url)]);
    // Clerk takes its time, so that there is a middle to be killed in.
    site.clerk.set_levers(Levers { bapi_delay_ms: 50, ..Levers::default() });
    let mut random = StdRng::seed_from_u64(33);
    for kill in 0..KILLS {
        let mut backfill = spawn(&site, &["backfill", "--yes"]);
        let seen = i64::try_from(kill * people / (KILLS + 5) + 1).expect("a number");
        eventually_within(Duration::from_mins(1), "the walk goes on", || async {
            let run = site.database.find("runs", doc! { "progress.counts.seen": { "$gte": seen } }).await;
            run.map(|_| ()).ok_or_else(|| format!("not {seen} yet"))
        })
        .await;
        tokio::time::sleep(Duration::from_millis(random.random_range(0..200))).await;
        backfill.kill().await.expect("killed");
    }
    site.clerk.set_levers(Levers::default());
    let (report, code) = run(&site, &["backfill", "--yes"]).await;
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["counts"]["seen"], json!(people));
    assert_eq!(report["counted"], json!({ "clerk": people, "here": people }));
    assert_eq!(site.database.count("runs", doc! { "kind": "backfill" }).await, 1, "one run all along");
    assert_eq!(site.database.count("users", doc! { "deletedAt": Bson::Null }).await, people as u64);
    let mut times: HashMap<String, usize> = HashMap::new();
    for cursor in between.cursors() {
        *times.entry(cursor).or_default() += 1;
    }
    // One for each page and the end marker; a kill costs the page in hand and the one that was fetched meanwhile.
    assert_eq!(times.len(), people.div_ceil(PAGE) + 1);
    let repeated: usize = times.values().map(|times| times - 1).sum();
    assert!(repeated <= 2 * KILLS, "{repeated} pages were asked for again");
    site.clerk.stop().await;
    site.database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_1_d2_26_d2_27_a_thousand_differences_among_very_many_are_found_and_mended_under_live_traffic() {
    let people = people();
    let mut site = Site::peopled(1, TestDatabase::new().await, people).await;
    let (imported, code) = run(&site, &["backfill", "--yes"]).await;
    assert_eq!(code, Some(0), "{imported}");
    // Write-backs are asked for by the server; until all are at Clerk, that they are not is no difference.
    site.change(&[
        ("ROLLCALL_METADATA", "true"),
        ("ROLLCALL_RECONCILE_HOURS", "0"),
        ("ROLLCALL_CATCH_UP_MINUTES", "0"),
    ]);
    written_back(&site, people).await;
    let server = site.start(0).await;
    let mut planted = plant(&site).await;
    let (traffic, began) =
        (Traffic::among(&site.clerk, std::mem::take(&mut planted.equal), CHANGES_A_SECOND), Instant::now());
    let (proof, code) = run(&site, &["prove"]).await;
    assert_eq!(code, Some(1), "{proof}");
    let of = |kind: &str| proof["counts"][kind].as_u64().expect("a count");
    assert_eq!(
        (of("missing"), of("gone"), of("differing")),
        (planted.missing, planted.gone, planted.differing),
        "all of them, and none that is false: {}",
        proof["counts"]
    );
    assert_eq!(of("revived") + of("unreadable") + of("unsettled"), 0, "{}", proof["counts"]);
    assert_eq!(proof["fields"], json!(planted.fields));
    let named = proof["differences"].as_array().expect("each by name").len() as u64;
    assert_eq!(named, planted.missing + planted.gone + planted.differing);

    let (mended, code) = run(&site, &["reconcile", "--yes"]).await;
    assert_eq!(code, Some(0), "{mended}");
    assert_eq!(mended["counts"]["deleted"], json!(planted.gone));
    let (again, code) = run(&site, &["reconcile", "--yes"]).await;
    assert_eq!(code, Some(0), "{again}");
    let counts = &again["counts"];
    assert_eq!((&counts["written"], &counts["deleted"]), (&json!(0), &json!(0)), "nothing is left: {again}");
    let (proof, code) = run(&site, &["prove"]).await;
    assert_eq!(code, Some(0), "{proof}");
    let lasted = began.elapsed().as_secs();
    let changes = traffic.stop().await as u64;
    assert!(changes >= lasted * u64::from(CHANGES_A_SECOND) / 2, "only {changes} changes in {lasted} s");
    assert!(site.clerk.drained(Duration::from_mins(2)).await, "webhooks are still waiting");
    settled(&site.database, Duration::from_mins(1)).await;
    let living = site.database.count("users", doc! { "deletedAt": Bson::Null }).await;
    assert_eq!(living, site.clerk.users().len() as u64);
    drop(server);
    site.clerk.stop().await;
    site.database.drop().await;
}

/// As if everybody's `userMongoId` and role had been written to Clerk long ago: by webhooks it would take hours of Clerk's
/// limit, which is not what is looked at here.
async fn written_back(site: &Site, people: usize) {
    site.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    for user in site.database.all("users").await {
        let clerk_id = user.get_str("clerkId").expect("an id");
        let (id, role) = (user.get_object_id("_id").expect("an id").to_hex(), user.get_str("role").expect("a role"));
        let ours = json!({ "userMongoId": id, "role": role, "isAdmin": role == "admin" });
        site.clerk.merge_metadata(clerk_id, json!({ "public_metadata": ours }));
    }
    site.clerk.set_levers(Levers::default());
    let (told, code) = run(site, &["reconcile", "--yes"]).await;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told["counts"]["seen"], json!(people));
}
