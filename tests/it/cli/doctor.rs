//! `rollcall doctor`: the whole chain in order, and each way of getting it wrong with a message and a fix of its own (C-12).

use std::collections::BTreeSet;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::DATE;
use mongodb::bson::doc;
use mongodb::options::ClientOptions;
use rollcall::server::settings::environment::Variables;
use rollcall::standin::token::TokenOptions;
use rollcall::standin::{self, Standin};
use serde_json::{Value, json};

use super::{PASSWORD, REQUIRED, beside, nothing, run, with};
use crate::support::app::TestApp;
use crate::support::inngest::{FakeInngest, KEY};
use crate::support::mongo::unrestricted_mongod;

/// Settings that are wrong, and what is said of them.
struct Wrong {
    settings: Vec<(&'static str, String)>,
    verdict: &'static str,
    check: &'static str,
    seen: &'static str,
    fix: &'static str,
}

fn bad(name: &'static str, value: &str, check: &'static str, seen: &'static str, fix: &'static str) -> Wrong {
    Wrong { settings: vec![(name, value.to_owned())], verdict: "bad", check, seen, fix }
}

fn warning(name: &'static str, value: &str, check: &'static str, seen: &'static str, fix: &'static str) -> Wrong {
    Wrong { verdict: "warning", ..bad(name, value, check, seen, fix) }
}

impl Wrong {
    fn and(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    /// The finding, after the run was held against what is expected of it.
    async fn found(&self, usual: &Variables) -> Value {
        let environment = self.settings.iter().fold(usual.clone(), |base, (name, value)| with(&base, name, value));
        let ended = run(&["doctor", "--json"], &environment).await;
        let findings = ended.findings();
        let is_bad = findings.iter().any(|finding| finding["verdict"] == "bad");
        assert_eq!(ended.status.code(), Some(i32::from(is_bad)), "{:?}: {findings:?}", self.settings);
        let found = the(&findings, self.check, self.seen);
        assert_eq!(found["verdict"], self.verdict, "{:?}: {found}", self.settings);
        let fix = found["fix"].as_str().expect("a fix");
        assert!(fix.contains(self.fix) && !fix.contains('\n'), "{:?}: {found}", self.settings);
        found
    }
}

#[track_caller]
fn the(findings: &[Value], check: &str, seen: &str) -> Value {
    let says = |finding: &&Value| {
        finding["check"] == check && finding["seen"].as_str().is_some_and(|text| text.contains(seen))
    };
    let found = findings.iter().find(says).cloned();
    assert!(found.is_some(), "no finding {check:?} with {seen:?} in {findings:?}");
    found.unwrap_or_default()
}

#[tokio::test]
async fn a2_11_doctor_without_an_environment_finds_every_missing_variable_with_its_fix() {
    let text = run(&["doctor"], &nothing()).await.expect(1);
    text.says(&REQUIRED).says(&["bad", "fix: set MONGODB_URI in the environment or in .env"]);
    let findings = run(&["doctor", "--json"], &nothing()).await.expect(1).findings();
    assert_eq!(findings.len(), REQUIRED.len());
    for finding in findings {
        assert_eq!((&finding["check"], &finding["verdict"]), (&"settings".into(), &"bad".into()));
        assert!(finding["fix"].as_str().is_some_and(|fix| fix.contains(".env.example")), "{finding}");
    }
}

#[tokio::test]
async fn a2_11_a2_14_a2_27_doctor_beside_a_running_application_finds_everything_in_order() {
    let app = TestApp::new().await;
    let id = app.person(json!({ "email_address": ["ada@example.com"] })).await;
    app.clerk.ban(&id);
    app.clerk.delete_user(&id);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let before = (app.database.count("deliveries", doc! {}).await, app.database.all("events").await);
    let text = run(&["doctor"], &beside(&app)).await.expect(0);
    assert!(text.err.is_empty(), "{}", text.err);
    let checks = [
        "settings",
        "webhook secret",
        "MongoDB reachable",
        "replica set",
        "MongoDB rights",
        "indexes",
        "audit trail",
        "Clerk API",
        "JWKS",
        "issuer",
        "clock",
        "webhook route",
        "event types",
    ];
    assert_eq!(text.out.lines().count(), checks.len(), "{}", text.out);
    assert!(text.out.lines().all(|line| line.starts_with("ok ")), "{}", text.out);

    let findings = run(&["doctor", "--json"], &beside(&app)).await.expect(0).findings();
    let named: Vec<&str> = findings.iter().filter_map(|finding| finding["check"].as_str()).collect();
    assert_eq!(named, checks);
    for finding in &findings {
        assert_eq!((&finding["verdict"], &finding["fix"]), (&"ok".into(), &Value::Null), "{finding}");
        assert!(finding["seen"].as_str().is_some_and(|seen| !seen.is_empty()), "{finding}");
    }
    let after = (app.database.count("deliveries", doc! {}).await, app.database.all("events").await);
    assert_eq!(after, before, "the probe leaves no trace");
    app.finish().await;
}

/// Settings that say it all by themselves.
fn malformed(clerk: &Standin) -> Vec<Wrong> {
    let secret = "CLERK_WEBHOOK_SIGNING_SECRET";
    let set = |name: &'static str, value: &str, seen: &'static str| bad(name, value, "settings", seen, name);
    vec![
        set("CLERK_PUBLISHABLE_KEY", "", "CLERK_PUBLISHABLE_KEY: is required"),
        set("CLERK_PUBLISHABLE_KEY", clerk.secret_key(), "a secret key was given where the publishable key belongs"),
        set("CLERK_PUBLISHABLE_KEY", "pk_test_?", "is not base64"),
        set("CLERK_SECRET_KEY", clerk.publishable_key(), "a publishable key was given where the secret key belongs"),
        set("CLERK_SECRET_KEY", "sk_live_neverToBePrinted", "must be of one instance: one is live, one is test"),
        set(secret, "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "does not begin with whsec_"),
        set(secret, "whsec_C2FVsBQIhrscChlQIMV+b5sS Yspob7oD", "contains whitespace"),
        set(secret, "whsec_C2FVsBQIhrsc", "is too short to be a whole secret"),
        set("CLERK_JWT_KEY", "-----BEGIN PUBLIC KEY-----", "must be the PEM public key"),
        set("MONGODB_URI", "http://127.0.0.1:27017", "must begin with mongodb://"),
        set("MONGODB_URI", "mongodb://keeper:never/ToBePrinted@127.0.0.1/x", "percent-encoded"),
        set("MONGODB_URI", "mongodb://127.0.0.1/x?w=1", "must not weaken the write concern"),
        set(
            "ROLLCALL_PUBLIC_URL",
            "https://app.example.com/sub",
            "ROLLCALL_PUBLIC_URL: must be scheme, host and port only",
        ),
        set("ROLLCALL_PUBLIC_URL", "", "ROLLCALL_PUBLIC_URL: is required in production").and("LEPTOS_ENV", "PROD"),
        set("CLIENT_URL", "https://*.example.com", "\"https://*.example.com\" must be scheme, host and port only"),
        set("CLERK_AUTHORIZED_PARTIES", "app.example.com", "\"app.example.com\" must be an origin"),
        set("INNGEST_DEV", "1", "is for development: calls are not signed").and("LEPTOS_ENV", "PROD"),
        set("INNGEST_EVENT_KEY", "", "is required to hand webhooks to Inngest")
            .and("ROLLCALL_INNGEST_RELAY", "true")
            .and("INNGEST_SIGNING_KEY", KEY),
        set("ROLLCALL_MAIL_FROM", "", "ROLLCALL_MAIL_FROM").and("ROLLCALL_SMTP_URL", "smtp://127.0.0.1:1"),
        set("ROLLCALL_WEBHOOK_SECRET", "", "ROLLCALL_WEBHOOK_SECRET")
            .and("ROLLCALL_WEBHOOK_URL", "https://127.0.0.1:1/"),
        set("ROLLCALL_CLERK_INSTANCE_ID", "clerk.example.com", "must be an instance's id"),
    ]
}

/// Settings that do not fit the MongoDB or the Clerk they name.
async fn unfit(app: &TestApp, other: &Standin) -> Vec<Wrong> {
    let away = "mongodb://keeper:neverToBePrinted@127.0.0.1:1/rollcall?replicaSet=rs0";
    let unusable = "mongodb://keeper:neverToBePrinted@127.0.0.1:none/rollcall";
    let differs = "DB_URL: differs from MONGODB_URI";
    let (api, proxy, uri) = ("CLERK_API_URL", "CLERK_PROXY_URL", "MONGODB_URI");
    let late = clerk_of_another_time().await;
    vec![
        warning("DB_URL", "mongodb://127.0.0.1:1/x", "settings", differs, "set or unset DB_URL"),
        bad(uri, away, "MongoDB reachable", "MongoDB is not available", "start MongoDB, or correct MONGODB_URI"),
        bad(uri, unusable, "MongoDB reachable", "connection string", "correct MONGODB_URI: mongodb://user"),
        bad(
            "CLERK_SECRET_KEY",
            "sk_test_ofAnotherInstance",
            "Clerk API",
            "refuses the key",
            "copy CLERK_SECRET_KEY again",
        ),
        bad(api, "http://127.0.0.1:1", "Clerk API", "cannot be reached", "can be reached from here"),
        bad(api, &app.url, "Clerk API", "is not Clerk's Backend API", "unset CLERK_API_URL"),
        bad(api, &late, "clock", "s ahead of Clerk's", "synchronise this machine's clock"),
        bad(proxy, "http://127.0.0.1:1", "issuer", "cannot be reached", "Frontend API can be reached there"),
        bad(proxy, &other.url(), "issuer", "are of two instances", "copy both keys from the same page"),
        bad("CLERK_JWT_KEY", &other.jwt_key(), "JWKS", "is not a key of this instance", "or unset it"),
        bad("ROLLCALL_CLERK_INSTANCE_ID", "ins_other", "pinned instance", "every event is refused", "or unset it"),
        bad("LEPTOS_ENV", "PROD", "Clerk instance", "a local Clerk, in production", "keys of a production instance"),
        warning("LEPTOS_ENV", "PROD", "Clerk instance", "a development instance, in production", "pk_live_")
            .and(api, "http://127.0.0.2:1"),
        warning("ROLLCALL_BATCH", "500", "event types", "nothing ever came from Clerk", "subscribe to user.created"),
    ]
}

/// Settings under which something does not get in, or out.
fn cut_off(app: &TestApp, inngest: &FakeInngest) -> Vec<Wrong> {
    let secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let (url, hook, own) = ("ROLLCALL_PUBLIC_URL", "ROLLCALL_WEBHOOK_URL", "CLERK_WEBHOOK_SIGNING_SECRET");
    let parties = "CLERK_AUTHORIZED_PARTIES";
    let front = "https://front.example.com";
    vec![
        bad(url, "http://127.0.0.2:1", "public URL", "is not encrypted, in production", "https://")
            .and("LEPTOS_ENV", "PROD"),
        warning("LEPTOS_ENV", "PROD", "public URL", "is this machine, in production", "https://"),
        bad(parties, front, "authorized parties", "sessions of our own pages", "to CLERK_AUTHORIZED_PARTIES"),
        bad(own, "", "webhook secret", "answered with 500", "set CLERK_WEBHOOK_SIGNING_SECRET"),
        bad(own, secret, "webhook route", "does not know this webhook secret", "restart `rollcall serve`"),
        bad(url, "http://127.0.0.1:1", "webhook route", "nobody answers at", "start `rollcall serve`"),
        bad("CLIENT_URL", front, "front ends", "lets no page of https://front.example.com in", "CLIENT_URL"),
        bad("ROLLCALL_SMTP_URL", "smtp://127.0.0.1:1", "mail", "", "correct ROLLCALL_SMTP_URL")
            .and("ROLLCALL_MAIL_FROM", "a@example.com"),
        bad("INNGEST_DEV", "http://127.0.0.1:1", "Inngest", "cannot be reached", "INNGEST_DEV in development"),
        bad("INNGEST_SIGNING_KEY", KEY, "Inngest", "Inngest refused (401)", "copy INNGEST_SIGNING_KEY again")
            .and("INNGEST_BASE_URL", &inngest.url),
        warning(hook, "http://127.0.0.2:1/", "outgoing webhook", "can read it", "https://")
            .and("ROLLCALL_WEBHOOK_SECRET", secret),
        bad(hook, &app.at("/api/webhooks/clerk"), "outgoing webhook", "our own webhook route", "to be told")
            .and("ROLLCALL_WEBHOOK_SECRET", secret),
    ]
}

#[tokio::test]
async fn c_12_every_misconfiguration_of_a_table_has_its_own_message_and_its_fix() {
    let app = TestApp::new().await;
    let options = standin::Options { seed_users: 0, ..standin::Options::default() };
    let other = Standin::start(options).await.expect("another Clerk");
    let inngest = FakeInngest::start().await;
    inngest.answer("/v0/runs/", 401, json!({ "error": "no such key" }));
    let usual = with(&beside(&app), "ROLLCALL_DATABASE_TIMEOUT_MS", "300");
    let mut table = malformed(&app.clerk);
    table.extend(unfit(&app, &other).await);
    table.extend(cut_off(&app, &inngest));
    assert!(table.len() >= 25, "{} rows", table.len());
    let mut said = BTreeSet::new();
    for wrong in &table {
        let found = wrong.found(&usual).await;
        let message = format!("{} {}", found["check"], found["seen"]);
        assert!(said.insert(message), "two are told the same: {found}");
    }
    other.stop().await;
    app.finish().await;
}

#[tokio::test]
async fn doctor_for_people_says_the_same_as_for_machines() {
    let app = TestApp::new().await;
    let environment = with(&beside(&app), "CLERK_SECRET_KEY", "sk_test_ofAnotherInstance");
    let found = the(&run(&["doctor", "--json"], &environment).await.expect(1).findings(), "Clerk API", "refuses");
    let text = run(&["doctor"], &environment).await.expect(1);
    text.says(&["bad      Clerk API", "refuses the key", &format!("fix: {}", found["fix"].as_str().expect("a fix"))]);
    app.finish().await;
}

/// A Clerk that answers nothing but how late it believes it to be.
async fn clerk_of_another_time() -> String {
    let answer = || async { (StatusCode::UNAUTHORIZED, [(DATE, "Wed, 01 Jan 2025 00:00:00 GMT")]) };
    super::ways::serve(Router::new().fallback(answer)).await
}

#[tokio::test]
async fn a2_21_doctor_finds_what_is_wrong_in_the_database() {
    let app = TestApp::new().await;
    let database = app.database.client.database(&app.database.name);
    let say = async |check: &str, seen: &str, verdict: &str, fix: &str| {
        let findings = run(&["doctor", "--json"], &beside(&app)).await.findings();
        let found = the(&findings, check, seen);
        assert!(found["verdict"] == verdict && found["fix"].as_str().is_some_and(|text| text.contains(fix)), "{found}");
    };
    let users = database.collection::<mongodb::bson::Document>("users");
    users.drop_index("clerkUsername_1_createdAt_1_clerkId_1").await.expect("dropped");
    say("indexes", "missing: users.clerkUsername_1_createdAt_1_clerkId_1", "warning", "start `rollcall serve` once")
        .await;

    app.database.relax("users").await;
    users.drop_index("username_1").await.expect("dropped");
    for id in ["user_1", "user_2"] {
        app.database.insert("users", doc! { "clerkId": id, "username": "ada" }).await;
    }
    say("indexes", "two documents of users have the same username", "bad", "remove one of them").await;

    let theirs = doc! { "collMod": "users", "validator": { "age": { "$gt": 17 } } };
    database.run_command(theirs).await.expect("changed");
    say("validator", "one of somebody else's", "warning", "collMod").await;

    let id = app.person(json!({ "email_address": ["ada@example.com"] })).await;
    say("event types", "never seen: user.updated, user.deleted", "warning", "user.deleted").await;

    super::users::users(&app, &["promote", &id, "--yes"]).await.expect(0);
    app.clerk.session_token(&id, TokenOptions::default());
    say("session claim", "tokens do not carry the role", "warning", "Customize session token").await;

    app.database.set("audit", doc! { "_id": 1_i64 }, doc! { "after": "user" }).await;
    say("audit trail", "entry 1 does not hold: it was changed", "bad", "compare from entry 1 on with a backup").await;
    app.finish().await;
}

#[tokio::test]
async fn a2_21_doctor_finds_a_stand_alone_server_missing_rights_and_a_wrong_password() {
    let app = TestApp::new().await;
    let address = unrestricted_mongod(&["--auth"]);
    let options =
        ClientOptions::parse(format!("mongodb://{address}/?directConnection=true")).await.expect("an address");
    let admin = mongodb::Client::with_options(options).expect("a client").database("admin");
    let root = doc! { "createUser": "root", "pwd": PASSWORD, "roles": ["root"] };
    admin.run_command(root).await.expect("the first user");
    let as_root = format!("mongodb://root:{PASSWORD}@{address}/?directConnection=true&authSource=admin");
    let as_root = mongodb::Client::with_uri_str(as_root).await.expect("a client").database("admin");
    let reader = doc! { "createUser": "reader", "pwd": PASSWORD, "roles": [{ "role": "read", "db": "rollcall" }] };
    as_root.run_command(reader).await.expect("a reader");
    let uri = |password: &str| {
        format!("mongodb://reader:{password}@{address}/rollcall?directConnection=true&authSource=admin")
    };

    let findings =
        run(&["doctor", "--json"], &with(&beside(&app), "MONGODB_URI", &uri(PASSWORD))).await.expect(1).findings();
    for (check, seen, fix) in [
        ("replica set", "a stand-alone server", "run rs.initiate() once"),
        (
            "MongoDB rights",
            "not authorized on rollcall",
            "grant the user readWrite and dbAdmin on the database rollcall",
        ),
    ] {
        let found = the(&findings, check, seen);
        assert!(found["verdict"] == "bad" && found["fix"].as_str().is_some_and(|text| text.contains(fix)), "{found}");
    }
    let findings =
        run(&["doctor", "--json"], &with(&beside(&app), "MONGODB_URI", &uri("wrong"))).await.expect(1).findings();
    let found = the(&findings, "MongoDB reachable", "refuses the user or the password");
    assert!(found["fix"].as_str().is_some_and(|fix| fix.contains("authSource=admin")), "{found}");
    app.finish().await;
}
