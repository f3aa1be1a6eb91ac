//! The canary: a webhook that must come back, and why it does not (C-4); an endpoint that the sender gave up (D2-44).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mongodb::bson::{DateTime, doc};
use rollcall::server::jobs::watch::check;
use rollcall::server::statistics;
use rollcall::standin::levers::Levers;
use rollcall::standin::{Options, Standin};
use serde_json::{Value, json};

use crate::cli::{Ended, beside, run, with};
use crate::support::app::{TestApp, Wishes};
use crate::support::{eventually, eventually_within};

const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const TOKEN: &str = "an-exact-token-of-a-test";
/// Later than the canary's webhook must be back.
const LATER: SignedDuration = SignedDuration::from_secs(11);

struct Cage {
    app: TestApp,
    id: String,
}

/// The id of a person whom every stand-in has.
async fn seeded() -> String {
    let clerk = Standin::start(Options { seed_users: 2, ..Options::default() }).await.expect("a stand-in");
    let admin = clerk.find_user("admin@example.com").expect("a seeded admin");
    clerk.stop().await;
    admin["id"].as_str().expect("an id").to_owned()
}

impl Cage {
    /// With a canary that was touched, and whose webhook came back, if it can.
    async fn with(more: &[(&'static str, &str)]) -> Self {
        let id = seeded().await;
        let mut variables = vec![
            ("ROLLCALL_CANARY_USER", id.clone()),
            ("ROLLCALL_CANARY_MINUTES", "60".to_owned()),
            ("ROLLCALL_CANARY_SECONDS", "10".to_owned()),
            ("ROLLCALL_METRICS_TOKEN", TOKEN.to_owned()),
        ];
        variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let app = TestApp::with(Wishes { variables, seed_users: 2, ..Wishes::default() }).await;
        let cage = Self { app, id };
        cage.touched().await;
        cage
    }

    async fn touched(&self) {
        eventually("the canary is touched", || async {
            match self.app.database.find("canary", doc! { "version": { "$exists": true } }).await {
                Some(_) => Ok(()),
                None => Err("no touch".to_owned()),
            }
        })
        .await;
    }

    async fn back(&self) {
        assert!(self.app.clerk.drained(Duration::from_secs(10)).await);
        eventually("its webhook is stored", || async {
            let arrived = doc! { "clerkId": &self.id, "kind": "user.updated", "state": "applied" };
            self.app.database.find("events", arrived).await.map(|_| ()).ok_or_else(|| "no event".to_owned())
        })
        .await;
    }

    /// How often Clerk has told that the canary changed.
    async fn updates(&self) -> u64 {
        assert!(self.app.clerk.drained(Duration::from_secs(10)).await);
        self.app.settled().await;
        self.app.database.count("events", doc! { "clerkId": &self.id, "kind": "user.updated" }).await
    }

    /// Once more, now.
    async fn touch_again(&self) -> Timestamp {
        self.app.database.set("canary", doc! {}, doc! { "dueAt": DateTime::from_millis(0) }).await;
        let now = Timestamp::now();
        check(&self.app.state, now).await.expect("a look");
        self.touched().await;
        now
    }

    async fn look(&self, at: Timestamp) {
        statistics::leave(&self.app.state).await;
        check(&self.app.state, at).await.expect("a look");
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        let environment = with(&beside(&self.app), "ROLLCALL_CANARY_USER", &self.id);
        run(arguments, &with(&environment, "ROLLCALL_CANARY_SECONDS", "10")).await
    }

    /// The causes of silence for which an alert is open.
    async fn alarms(&self) -> Vec<String> {
        let alerts = self.app.database.all("alerts").await;
        let open = alerts.iter().filter(|alert| alert.get_str("state").ok() == Some("open"));
        let silent = open.filter(|alert| alert.get_str("kind").ok() == Some("silence"));
        silent.map(|alert| alert.get_str("cause").expect("a cause").to_owned()).collect()
    }

    async fn overview(&self) -> Value {
        self.app.get_as(&self.id, "/api/admin_sync/get_overview").await.json().await.expect("JSON")
    }

    /// What is read for a metric is kept for a moment: it is so in a while.
    async fn metric(&self, name: &str, is_so: fn(f64) -> bool) {
        eventually(name, || async {
            let asked = self.app.client.get(self.app.at("/metrics")).bearer_auth(TOKEN).send().await;
            let text = asked.expect("an answer").text().await.expect("text");
            let value = text.lines().find_map(|line| line.strip_prefix(&format!("rollcall_{name} ")));
            let value = value.expect("the metric").parse().expect("a number");
            if is_so(value) { Ok(()) } else { Err(value.to_string()) }
        })
        .await;
    }
}

#[tokio::test]
async fn c_4_a_canary_whose_webhook_comes_back_is_shown_everywhere_and_alarms_nobody() {
    let cage = Cage::with(&[]).await;
    cage.back().await;
    cage.look(Timestamp::now()).await;
    assert_eq!(cage.alarms().await, [""; 0]);
    let touched = cage.app.clerk.user(&cage.id).expect("there");
    assert!(touched["private_metadata"]["rollcallCanary"].is_i64(), "{touched}");
    cage.run(&["sync", "status"]).await.expect(0).says(&["canary, touched 20", "Its webhook came back in "]);
    let told = cage.run(&["sync", "status", "--json"]).await.expect(0).json();
    let canary = &told["canary"];
    assert_eq!((&canary["clerk_id"], &canary["state"]), (&json!(cage.id), &json!("returned")), "{told}");
    assert!(canary["took_ms"].is_u64(), "{told}");
    cage.run(&["doctor"]).await.says(&["Its webhook came back in "]);
    assert_eq!(cage.overview().await["canary"]["state"], "returned");
    let page = cage.app.get_as(&cage.id, "/admin/sync").await.text().await.expect("text");
    assert!(page.contains("Its webhook came back in "));
    cage.metric("canary_return_seconds", |seconds| seconds > 0.0).await;
    cage.metric("canary_failing", |failing| failing == 0.0).await;
    // Not due for an hour.
    let calls = cage.app.clerk.backend_calls();
    cage.look(Timestamp::now()).await;
    assert_eq!(cage.app.clerk.backend_calls(), calls);
    cage.app.finish().await;
}

#[tokio::test]
async fn c_4_a_canary_whose_webhook_does_not_come_back_is_an_alarm_until_it_does() {
    let cage = Cage::with(&[]).await;
    cage.back().await;
    cage.app.clerk.set_levers(Levers { disabled: true, ..Levers::default() });
    let touched_at = cage.touch_again().await;
    cage.look(touched_at + LATER).await;
    assert_eq!(cage.alarms().await, ["nothing-arrives"]);
    let missing = "Its webhook did not come back in time. Not even an attempt reaches this address.";
    eventually_within(Duration::from_secs(30), "its time is over", || async {
        let told = cage.run(&["sync", "status"]).await.expect(1).out;
        if told.contains(missing) { Ok(()) } else { Err(told) }
    })
    .await;
    cage.run(&["doctor"]).await.expect(1).says(&["did not come back", "the endpoint's address and state"]);
    let overview = cage.overview().await;
    assert_eq!((&overview["health"], &overview["canary"]["cause"]), (&json!("Silent"), &json!("nothing-arrives")));
    cage.metric("canary_failing", |failing| failing > 0.5).await;
    // Enabled again, and what was missed is sent once more.
    cage.app.clerk.set_levers(Levers::default());
    assert_eq!(cage.app.clerk.replay_missing(), 1);
    eventually("it is late", || async {
        cage.look(Timestamp::now()).await;
        let alarms = cage.alarms().await;
        // It is back, and not in time: the next touch says whether that is over.
        if alarms == ["late"] { Ok(()) } else { Err(format!("{alarms:?}")) }
    })
    .await;
    cage.touch_again().await;
    eventually("the alarm is over", || async {
        cage.look(Timestamp::now()).await;
        let alarms = cage.alarms().await;
        if alarms.is_empty() { Ok(()) } else { Err(format!("{alarms:?}")) }
    })
    .await;
    cage.app.finish().await;
}

#[tokio::test]
async fn c_4_the_canary_names_a_wrong_secret() {
    let cage = Cage::with(&[]).await;
    cage.back().await;
    cage.app.clerk.set_levers(Levers { signing_secret: Some(OTHER.to_owned()), ..Levers::default() });
    let touched_at = cage.touch_again().await;
    eventually("the cause is named", || async {
        cage.look(touched_at + LATER).await;
        let alarms = cage.alarms().await;
        if alarms == ["wrong-secret"] { Ok(()) } else { Err(format!("{alarms:?}")) }
    })
    .await;
    let says = "Deliveries come, and none is signed by a secret that is configured here.";
    cage.run(&["sync", "status"]).await.expect(1).says(&[says]);
    cage.run(&["doctor"]).await.expect(1).says(&["CLERK_WEBHOOK_SIGNING_SECRET and restart"]);
    cage.app.clerk.set_levers(Levers::default());
    cage.app.finish().await;
}

#[tokio::test]
async fn c_4_the_canary_tells_deliveries_that_we_refuse_from_an_endpoint_that_was_given_up() {
    // No webhook of Clerk's is as small.
    let cage = Cage::with(&[("ROLLCALL_WEBHOOK_BODY_LIMIT", "1024")]).await;
    let touched_at = cage.touch_again().await;
    eventually("it is we who refuse", || async {
        cage.look(touched_at + LATER).await;
        let alarms = cage.alarms().await;
        if alarms == ["refused"] { Ok(()) } else { Err(format!("{alarms:?}")) }
    })
    .await;
    cage.app.clerk.set_levers(Levers { disabled: true, ..Levers::default() });
    let hours_later = touched_at + SignedDuration::from_hours(3);
    cage.look(hours_later).await;
    cage.look(hours_later + LATER).await;
    assert_eq!(cage.alarms().await, ["endpoint-disabled"]);
    cage.app.finish().await;
}

#[tokio::test]
async fn c_4_of_two_processes_one_touches_and_a_person_whom_clerk_does_not_know_is_named() {
    let cage = Cage::with(&[]).await;
    cage.back().await;
    let second = cage.app.second_process().await;
    // Else the canary changes at Clerk for other reasons, too.
    cage.app.jobs_settled().await;
    let before = cage.updates().await;
    cage.app.database.remove("canary", doc! {}).await;
    let now = Timestamp::now();
    // Their clocks differ, and whoever is ahead may be the first.
    let behind = now - SignedDuration::from_secs(5);
    let (one, other) = futures::join!(check(&cage.app.state, now), check(&second, behind));
    one.and(other).expect("both look");
    check(&second, behind).await.expect("a look");
    cage.touched().await;
    assert_eq!(cage.updates().await, before + 1);
    cage.app.clerk.delete_user(&cage.id);
    cage.touch_refused().await;
    cage.run(&["sync", "status"]).await.expect(0).says(&["It could not be touched: Clerk knows nobody by this id."]);
    cage.run(&["doctor"]).await.expect(1).says(&["see that ROLLCALL_CANARY_USER"]);
    assert_eq!(cage.alarms().await, [""; 0], "that says nothing about webhooks");
    cage.app.finish().await;
}

impl Cage {
    async fn touch_refused(&self) {
        self.app.database.remove("canary", doc! {}).await;
        check(&self.app.state, Timestamp::now()).await.expect("a look");
        let refused = self.app.database.find("canary", doc! { "refusal": { "$exists": true } }).await;
        assert!(refused.is_some());
    }
}

#[tokio::test]
async fn d2_44_an_endpoint_that_was_disabled_is_an_alarm_and_what_was_missed_is_applied_after_a_replay() {
    let app =
        TestApp::with(Wishes { variables: vec![("ROLLCALL_SILENCE_AFTER", "24".to_owned())], ..Wishes::default() })
            .await;
    let ada = app.person(json!({ "email_address": ["ada@example.com"], "first_name": "Ada" })).await;
    let eve = app.person(json!({ "email_address": ["eve@example.com"] })).await;
    app.clerk.set_levers(Levers { disabled: true, ..Levers::default() });
    app.clerk.update_user(&ada, json!({ "first_name": "Augusta" }));
    app.clerk.delete_user(&eve);
    let bob = app.clerk.create_user(json!({ "email_address": ["bob@example.com"] }));
    let bob = bob["id"].as_str().expect("an id");
    assert!(app.clerk.drained(Duration::from_secs(1)).await, "nothing is on its way");

    check(&app.state, Timestamp::now() + SignedDuration::from_hours(25)).await.expect("a look");
    let alert = app.database.find("alerts", doc! { "kind": "silence", "state": "open" }).await.expect("an alert");
    assert_eq!(alert.get_str("cause").ok(), Some("nothing-arrives"), "{alert}");
    let told = run(&["doctor"], &beside(&app)).await.expect(1);
    told.says(&["silence", "Not even an attempt reaches this address.", "the endpoint's address and state"]);
    assert!(app.database.user(bob).await.is_none(), "nothing came");

    app.clerk.set_levers(Levers::default());
    assert_eq!(app.clerk.replay_missing(), 3);
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    app.settled().await;
    assert_eq!(app.database.user(&ada).await.expect("there").get_str("firstName").ok(), Some("Augusta"));
    assert!(app.database.user(&eve).await.expect("a tombstone").get_datetime("deletedAt").is_ok());
    assert!(app.database.user(bob).await.is_some());
    assert_eq!(app.clerk.replay_missing(), 0, "nothing is missing any more");
    check(&app.state, Timestamp::now()).await.expect("a look");
    assert!(app.database.find("alerts", doc! { "kind": "silence", "state": "open" }).await.is_none());
    run(&["doctor"], &beside(&app)).await.says(&["each was seen"]);
    app.finish().await;
}
