//! The real binary: that it starts, and what its log says of people and of failures.

use mongodb::bson::doc;
use rollcall::standin::token::TokenOptions;
use rollcall::standin::{self, Standin};
use serde_json::json;

use crate::support::app::{client, variables};
use crate::support::eventually;
use crate::support::mongo::TestDatabase;
use crate::support::process::{Server, free_port, log_in, read_log};

/// A server process that logs everything, and what it talks to.
struct Watched {
    clerk: Standin,
    database: TestDatabase,
    server: Server,
    log: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Watched {
    async fn start() -> Self {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
        let log = log_in(folder.path(), "server");
        let url = format!("http://127.0.0.1:{port}");
        let options = standin::Options {
            app_origin: url.clone(),
            webhook_url: Some(format!("{url}/api/webhooks/clerk")),
            seed_users: 0,
            retry_scale: 0.001,
            ..standin::Options::default()
        };
        let clerk = Standin::start(options).await.expect("the stand-in");
        let database = TestDatabase::new().await;
        let environment = variables(&clerk, &database.uri, &url).with([("ROLLCALL_LOG", "debug".to_owned())]);
        let server = Server::start(port, &environment, &log).await;
        Self { clerk, database, server, log, _folder: folder }
    }

    /// A new person, whose event has ended in `state`.
    async fn person(&self, attributes: serde_json::Value, state: &str) -> String {
        let id = self.clerk.create_user(attributes)["id"].as_str().expect("an id").to_owned();
        self.ended(&id, state).await;
        id
    }

    async fn ended(&self, id: &str, state: &str) {
        eventually("the event ends", || async {
            match self.database.count("events", doc! { "clerkId": id, "state": state }).await {
                0 => Err("not yet".to_owned()),
                _ => Ok(()),
            }
        })
        .await;
    }

    async fn finish(mut self) {
        self.server.kill();
        self.clerk.stop().await;
        self.database.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a0_12_a3_27_d7_05_the_binary_starts_and_its_log_names_people_by_id_only() {
    let watched = Watched::start().await;
    let admin = json!({
        "email_address": ["marked.address@example.com"], "first_name": "Markedfirst", "last_name": "Markedlast",
        "username": "markedname", "public_metadata": { "role": "admin" },
    });
    let id = watched.person(admin, "applied").await;
    let token = watched.clerk.session_token(&id, TokenOptions::asked_by(&watched.server.url));
    for path in [
        "/api/admin_sync/get_overview",
        "/admin/sync/connection",
        "/api/activity/get_activity",
        "/api/profile/get_profile",
        "/api/me",
    ] {
        let ask = client().get(format!("{}{path}", watched.server.url)).bearer_auth(&token);
        assert_eq!(ask.send().await.expect("an answer").status(), 200, "{path}");
    }
    let log = read_log(&watched.log);
    assert!(log.contains("serving"), "the log is kept");
    for marked in ["marked.address", "Markedfirst", "Markedlast", "markedname", token.as_str(), "whsec_", "sk_test_"] {
        assert!(!log.contains(marked), "the log has {marked}");
    }
    watched.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_19_the_milestones_of_an_event_are_in_the_log() {
    let watched = Watched::start().await;
    let id = watched.person(json!({ "email_address": ["a@example.com"] }), "applied").await;
    let event = watched.database.find("events", doc! { "clerkId": &id }).await.expect("an event");
    let event = event.get_str("_id").expect("an id").to_owned();
    let log = read_log(&watched.log);
    for milestone in ["webhook received", "event dealt with"] {
        let is_told = |line: &str| line.contains(milestone) && line.contains(&event);
        assert!(log.lines().any(is_told), "{milestone} of {event} is not in {log}");
    }
    watched.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a0_20_a_failure_of_the_database_is_logged_with_the_ids_and_tried_again() {
    let watched = Watched::start().await;
    let id = watched.person(json!({ "email_address": ["a@example.com"], "first_name": "Ada" }), "applied").await;
    watched.database.relax("users").await;
    let readable =
        watched.database.user(&id).await.expect("stored").get_str("role").map(str::to_owned).expect("a role");
    watched.database.set("users", doc! { "clerkId": &id }, doc! { "role": 7 }).await;
    watched.clerk.update_user(&id, json!({ "first_name": "Adele" }));
    watched.ended(&id, "failed").await;
    eventually("the failure is logged with both ids", || async {
        let log = read_log(&watched.log);
        let is_told = |line: &&str| {
            line.contains(" WARN ")
                && line.contains(&id)
                && line.contains("event.id=")
                && line.contains("cannot be read")
        };
        if log.lines().any(|line| is_told(&line)) { Ok(()) } else { Err(log) }
    })
    .await;
    // Somebody mends it: the next attempt holds.
    watched.database.set("users", doc! { "clerkId": &id }, doc! { "role": readable }).await;
    eventually("the event is applied", || async {
        let user = watched.database.user(&id).await.ok_or_else(|| "nobody".to_owned())?;
        if user.get_str("firstName").ok() == Some("Adele") { Ok(()) } else { Err(user.to_string()) }
    })
    .await;
    watched.finish().await;
}
