//! Clerk is down, slow, refuses, limits, talks nonsense, or lives in another time.

use std::process::Command;
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use rollcall::standin::levers::Levers;
use rollcall::standin::{self, Standin};
use serde_json::{Value, json};

use crate::site::Site;
use crate::support::delivery::Delivery;
use crate::support::invariants::settled;
use crate::support::process::Server;
use crate::support::{eventually, eventually_within};

const PROFILE: &str = "/api/profile/get_profile";
/// What is logged of a Clerk that cannot be asked.
const AWAY: [&str; 3] = ["Clerk is away", "Clerk refused", "webhook refused"];

/// A server, a person, and an event about that person that only Clerk can settle: the version that is stored, with
/// another name (D2-25).
async fn with_a_question(changes: &[(&str, &str)], levers: Levers) -> (Site, Server, String) {
    let (site, server) = Site::with(changes).await;
    let id = site.create("truth");
    site.delivered(Duration::from_secs(20)).await;
    settled(&site.database, Duration::from_secs(20)).await;
    site.clerk.set_levers(levers);
    let (_, told) = site.told_of(&id).remove(0);
    let mut lie: Value = serde_json::from_str(&told).expect("JSON");
    lie["type"] = json!("user.updated");
    lie["data"]["first_name"] = json!("Lie");
    assert_eq!(site.post(0, "msg_lie", &lie.to_string()).await.status(), 200);
    (site, server, id)
}

async fn asked(site: &Site, times: u64) {
    eventually_within(Duration::from_secs(30), "Clerk is asked", || async {
        let calls = site.clerk.backend_calls();
        if calls >= times { Ok(()) } else { Err(format!("{calls} of {times} calls")) }
    })
    .await;
}

/// Other people's events go on, and a person whose webhook is late is told to come back, not turned away.
async fn the_rest_works(site: &Site, name: &str) {
    let id = site.create(name);
    eventually("an event is applied by its payload", || async {
        site.database.user(&id).await.map(drop).ok_or_else(|| "nobody".to_owned())
    })
    .await;
    assert_eq!(site.get_as(0, &id, PROFILE).await.status(), 200);
}

#[tokio::test]
async fn d2_13_a_clerk_that_limits_is_left_alone_for_as_long_as_it_asks() {
    let limited = Levers { bapi_status: Some(429), retry_after_s: 3, ..Levers::default() };
    let (site, _server, id) = with_a_question(&[], limited).await;
    asked(&site, 1).await;
    let (first, started) = (site.clerk.backend_calls(), Instant::now());
    the_rest_works(&site, "limited").await;
    asked(&site, first + 2).await;
    // Two more calls cannot come sooner than two pauses of three seconds; a little is lost before the first is seen.
    assert!(started.elapsed() > Duration::from_millis(5_500), "{:?}", started.elapsed());
    site.clerk.set_levers(Levers::default());
    settled(&site.database, Duration::from_secs(30)).await;
    assert_eq!(site.database.user(&id).await.expect("there").get_str("firstName").ok(), Some("truth"));
    site.finish(&AWAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_14_a_clerk_that_fails_or_hangs_is_asked_again_ever_more_slowly() {
    for levers in [
        Levers { bapi_status: Some(500), ..Levers::default() },
        Levers { bapi_status: Some(502), ..Levers::default() },
        Levers { bapi_delay_ms: 5_000, ..Levers::default() },
    ] {
        let (site, _server, id) = with_a_question(&[("ROLLCALL_CLERK_TIMEOUT", "1")], levers).await;
        asked(&site, 1).await;
        the_rest_works(&site, "paid").await;
        asked(&site, 3).await;
        // 1 s, 2 s, 4 s … apart: six seconds cannot hold more than a handful of questions.
        assert!(site.clerk.backend_calls() <= 6, "{} calls", site.clerk.backend_calls());
        site.clerk.set_levers(Levers::default());
        settled(&site.database, Duration::from_secs(40)).await;
        assert_eq!(site.database.user(&id).await.expect("there").get_str("firstName").ok(), Some("truth"));
        assert_eq!(site.database.count("events", doc! { "state": "dead" }).await, 0);
        site.finish(&AWAY).await;
    }
}

#[tokio::test]
async fn d2_15_a_revoked_key_is_seldom_tried_raises_the_alert_and_costs_no_event() {
    let revoked = Levers { bapi_status: Some(401), ..Levers::default() };
    let (site, _server, id) = with_a_question(&[("ROLLCALL_ATTEMPTS", "3")], revoked).await;
    the_rest_works(&site, "keyless").await;
    let alert = async |state: &str| {
        let found = site.database.find("alerts", doc! { "_id": "key-refused", "state": state }).await;
        found.map(drop).ok_or_else(|| format!("no alert that is {state}"))
    };
    eventually("the alert is raised", || alert("open")).await;
    // More attempts than are made at anything that does not pass by itself.
    eventually_within(Duration::from_secs(30), "the event waits", || async {
        let event = site.database.event("msg_lie").await.ok_or_else(|| "none".to_owned())?;
        let attempts = event.get_i32("attempts").map(i64::from).or(event.get_i64("attempts")).unwrap_or_default();
        if attempts >= 4 && event.get_str("state").ok() == Some("failed") { Ok(()) } else { Err(event.to_string()) }
    })
    .await;
    assert!(site.clerk.backend_calls() <= 3, "{} calls with a key that is refused", site.clerk.backend_calls());
    site.clerk.set_levers(Levers::default());
    settled(&site.database, Duration::from_mins(1)).await;
    assert_eq!(site.database.count("events", doc! { "state": "dead" }).await, 0);
    assert_eq!(site.database.user(&id).await.expect("there").get_str("firstName").ok(), Some("truth"));
    eventually("the alert is over", || alert("closed")).await;
    site.finish(&[&AWAY[..], &["secret key"]].concat()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_16_a_clerk_that_answers_with_pages_or_wrong_shapes_is_asked_again() {
    for page in ["<!doctype html><h1>It works!</h1>", "", "[]", "{\"id\":{\"$gt\":\"\"}}", "{\"id\":7}", "null"] {
        let nonsense = Levers { bapi_body: Some(page.to_owned()), ..Levers::default() };
        let (site, _server, id) = with_a_question(&[], nonsense).await;
        asked(&site, 2).await;
        the_rest_works(&site, "sensible").await;
        site.clerk.set_levers(Levers::default());
        settled(&site.database, Duration::from_secs(30)).await;
        assert_eq!(site.database.user(&id).await.expect("there").get_str("firstName").ok(), Some("truth"), "{page}");
        assert_eq!(site.database.count("events", doc! { "state": "dead" }).await, 0, "{page}");
        site.finish(&AWAY).await;
    }
}

#[tokio::test]
async fn d2_17_without_keys_nobody_is_let_in_and_known_keys_outlast_an_outage() {
    let mut site = Site::of(1, crate::support::mongo::TestDatabase::new().await).await;
    site.change(&[("CLERK_JWT_KEY", "")]);
    site.clerk.set_levers(Levers { bapi_status: Some(500), ..Levers::default() });
    let _server = site.start(0).await;
    let id = site.create("keyed");
    site.delivered(Duration::from_secs(20)).await;
    let closed = site.get_as(0, &id, PROFILE).await.status().as_u16();
    assert!(matches!(closed, 401 | 503), "closed, not open: {closed}");
    site.clerk.set_levers(Levers::default());
    eventually_within(Duration::from_mins(1), "the keys are fetched", || async {
        let status = site.get_as(0, &id, PROFILE).await.status();
        if status == 200 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    site.clerk.set_levers(Levers { bapi_status: Some(500), ..Levers::default() });
    for _ in 0..20 {
        assert_eq!(site.get_as(0, &id, PROFILE).await.status(), 200);
    }
    // A token that no known key signed stays outside, whoever is down.
    let stranger =
        Standin::start(standin::Options { seed_users: 0, ..standin::Options::default() }).await.expect("another");
    let token = stranger.session_token(&id, standin::token::TokenOptions::default());
    let url = site.webhook_url(0).replace("/api/webhooks/clerk", PROFILE);
    let foreign = site.client.get(url).bearer_auth(token).send().await.expect("an answer");
    assert!(foreign.status().is_client_error() || foreign.status() == 503, "{}", foreign.status());
    stranger.stop().await;
    site.finish(&["Clerk", "keys"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_18_ten_minutes_of_skew_are_refused_and_named_and_five_are_not() {
    let (site, _server) = Site::simple().await;
    site.clerk.set_levers(Levers { paused: true, ..Levers::default() });
    let id = site.create("skewed");
    let (message, body) = site.told_of(&id).remove(0);
    let now = jiff::Timestamp::now().as_second();
    let signed = |at: i64| Delivery::signed_at(site.clerk.webhook_secret(), &message, body.as_bytes(), at);
    for skew in [-600, 600, -310, 310] {
        assert_eq!(site.send(0, &signed(now + skew)).await.status(), 400, "{skew} s");
    }
    assert_eq!(site.database.count("deliveries", doc! {}).await, 0);
    for skew in [-290, 290] {
        assert_eq!(site.send(0, &signed(now + skew)).await.status(), 200, "{skew} s");
    }
    for (offset_ms, words) in [(600_000, "behind Clerk's"), (-600_000, "ahead of Clerk's")] {
        site.clerk.set_levers(Levers { clock_offset_ms: offset_ms, paused: true, ..Levers::default() });
        let output = doctor(&site);
        assert!(output.contains("clock") && output.contains(words), "{output}");
        let seconds = output.split(words).next().and_then(|before| before.split_whitespace().rev().nth(1));
        let measured = seconds.and_then(|word| word.parse::<i64>().ok());
        assert!(measured.is_some_and(|measured| (595..=605).contains(&measured)), "{output}");
    }
    site.clerk.set_levers(Levers::default());
    site.delivered(Duration::from_secs(30)).await;
    site.finish(&["webhook refused"]).await;
}

fn doctor(site: &Site) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_rollcall"))
        .arg("doctor")
        .env_clear()
        .envs(site.variables.iter())
        .output()
        .expect("the binary starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_38_a_role_given_while_clerk_is_down_is_in_force_at_once_and_arrives_after_a_crash() {
    let (site, mut server) = Site::with(&[("ROLLCALL_METADATA", "true")]).await;
    let person = |name: &str, role: &str| {
        let attributes =
            json!({ "email_address": [format!("{name}@example.com")], "public_metadata": { "role": role } });
        site.clerk.create_user(attributes)["id"].as_str().expect("an id").to_owned()
    };
    let (admin, id) = (person("admin", "admin"), person("jo", "user"));
    site.delivered(Duration::from_secs(30)).await;
    settled(&site.database, Duration::from_secs(30)).await;
    let job = format!("metadata:{id}");
    let ended = async |state: &str| match site.database.job(&job).await {
        Some(found) if found.get_str("state").ok() == Some(state) => Ok(()),
        found => Err(format!("{found:?}")),
    };
    eventually_within(Duration::from_secs(30), "Clerk knows them first", || ended("done")).await;
    site.delivered(Duration::from_secs(30)).await;
    settled(&site.database, Duration::from_secs(30)).await;

    site.clerk.set_levers(Levers { bapi_status: Some(503), ..Levers::default() });
    assert_eq!(site.get_as(0, &id, "/api/users").await.status(), 403);
    let origin = site.variables.get("ROLLCALL_PUBLIC_URL").expect("set");
    let token = site.clerk.session_token(&admin, standin::token::TokenOptions::asked_by(&origin));
    let given = site.client.patch(format!("{}/api/users/{id}/role", server.url)).bearer_auth(token);
    assert_eq!(given.json(&json!({ "role": "moderator" })).send().await.expect("an answer").status(), 200);
    assert_eq!(site.get_as(0, &id, "/api/users").await.status(), 200, "in force at the next request");
    let page = site.get_as(0, &admin, &format!("/admin/users/{id}")).await.text().await.expect("a page");
    assert!(page.contains("Clerk has yet to confirm it"), "how far it is on its way is shown: {page}");
    eventually("its way to Clerk is tried", || async {
        let found = site.database.job(&job).await.unwrap_or_default();
        let tries = found.get_i32("attempts").unwrap_or_default();
        if tries >= 1 && found.get_str("state").ok() == Some("waiting") { Ok(()) } else { Err(found.to_string()) }
    })
    .await;
    // Clerk says something newer that still has the old role, and the process dies before it was told.
    site.clerk.update_user(&id, json!({ "first_name": "Grace" }));
    site.delivered(Duration::from_secs(30)).await;
    settled(&site.database, Duration::from_secs(30)).await;
    server.kill();
    let stored = site.database.user(&id).await.expect("stored");
    assert_eq!((stored.get_str("role").ok(), stored.get_bool("rolePending").ok()), (Some("moderator"), Some(true)));
    assert_eq!(stored.get_str("firstName").ok(), Some("Grace"), "the rest is Clerk's");
    site.clerk.set_levers(Levers::default());
    let _server = site.start(0).await;
    // Whoever died may have held the job, for two minutes.
    eventually_within(Duration::from_mins(3), "it arrives", || ended("done")).await;
    assert_eq!(site.clerk.user(&id).expect("there")["public_metadata"]["role"], json!("moderator"));
    site.delivered(Duration::from_secs(30)).await;
    settled(&site.database, Duration::from_secs(30)).await;
    let stored = site.database.user(&id).await.expect("stored");
    assert_eq!((stored.get_str("role").ok(), stored.get_bool("rolePending").ok()), (Some("moderator"), Some(false)));
    site.finish(&AWAY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_37_events_do_not_answer_each_other_in_a_loop() {
    let (site, _server) = Site::with(&[("ROLLCALL_METADATA", "true")]).await;
    let ids: Vec<String> = (0..50).map(|number| site.create(&format!("echo-{number}"))).collect();
    for id in &ids {
        site.clerk.merge_metadata(id, json!({ "public_metadata": { "role": "moderator" } }));
    }
    site.delivered(Duration::from_secs(30)).await;
    settled(&site.database, Duration::from_secs(30)).await;
    eventually_within(Duration::from_secs(30), "every write-back is done", || async {
        match site.database.count("jobs", doc! { "state": "waiting" }).await {
            0 => Ok(()),
            waiting => Err(format!("{waiting} jobs wait")),
        }
    })
    .await;
    let told = site.clerk.deliveries().len();
    tokio::time::sleep(Duration::from_secs(2)).await;
    site.delivered(Duration::from_secs(30)).await;
    assert_eq!(site.clerk.deliveries().len(), told, "it is quiet");
    for id in &ids {
        let stored = site.database.user(id).await.expect("stored");
        let own = stored.get_object_id("_id").expect("an id").to_hex();
        assert_eq!(site.clerk.user(id).expect("there")["public_metadata"]["userMongoId"], json!(own));
    }
    // For each person the two changes, and a write-back after each at most, whose echo causes none.
    assert!((150..=200).contains(&told), "{told} events of 100 changes");
    // Each write-back asks first.
    assert!(site.clerk.backend_calls() <= 200, "{} calls to Clerk", site.clerk.backend_calls());
    site.finish(&[]).await;
}
