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
    async fn start(format: &str) -> Self {
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
        let environment = variables(&clerk, &database.uri, &url)
            .with([("ROLLCALL_LOG", "debug".to_owned()), ("ROLLCALL_LOG_FORMAT", format.to_owned())]);
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

/// Every page, with marked values in the addresses.
async fn read_everything(watched: &Watched, token: &str, other: &str, event: &str) {
    let pages = [
        "/",
        "/profile",
        "/profile/sessions",
        "/people?q=markedf",
        "/people/markedname",
        "/admin/sync",
        "/admin/users?q=marked.address%40example.com",
        "/admin/sync/events?q=user:markedname",
        "/admin/sync/audit?subject=marked.address",
        "/admin/sync/connection",
        "/admin/sync/failures",
        "/admin/sync/runs",
        "/admin/sync/effects?person=markedname",
        "/api/admin_sync/get_overview",
        "/api/activity/get_activity",
        "/api/profile/get_profile",
        "/api/me",
        "/api/users",
    ];
    let pages = pages.into_iter().map(str::to_owned).chain([
        format!("/admin/users/{other}"),
        format!("/admin/sync/events/{event}"),
        format!("/admin/sync/events/{event}?preview=1"),
        format!("/admin/sync/replay?id={event}"),
    ]);
    for path in pages {
        let ask = client().get(format!("{}{path}", watched.server.url)).bearer_auth(token);
        assert_eq!(ask.send().await.expect("an answer").status(), 200, "{path}");
    }
}

/// What is refused, by us, by Clerk, and by MongoDB, which repeats in its answer what it was sent.
async fn falter(watched: &Watched, token: &str, event: &str) {
    let never = doc! {
        "collMod": "users", "validator": { "impossible": { "$exists": true } }, "validationLevel": "strict",
    };
    watched.database.handle().run_command(never).await.expect("a validator of somebody else's");
    for (path, body) in [
        ("profile/edit_bio", "bio=markedrefused".to_owned()),
        ("profile/edit_profile", "first_name=Markedrefused&last_name=Markedlast&username=marked%20name".to_owned()),
        ("runs/start_run", "kind=proof&reason=markedreason".to_owned()),
        ("runs/control_run", "id=markedrun&wish=pause&reason=markedreason".to_owned()),
        ("runs/refresh_user", "run=markedrun&id=markedid".to_owned()),
        ("events/discard_event", format!("id={event}&reason=markedreason")),
        ("events/mute_failures", "cause=markedcause&hours=1".to_owned()),
        ("events/rename_filter", "id=markedid&name=markedname".to_owned()),
        ("effects/retry_job", "id=markedid&reason=markedreason".to_owned()),
        ("effects/discard_job", "id=markedid&reason=markedreason".to_owned()),
    ] {
        let post = client().post(format!("{}/api/{path}", watched.server.url)).header("sec-fetch-site", "same-origin");
        let post = post.header("content-type", "application/x-www-form-urlencoded").body(body).bearer_auth(token);
        let answer = post.send().await.expect("an answer");
        // What is not there is a refusal, too; an address that is not there would have no words.
        let (status, said) = (answer.status(), answer.text().await.expect("text"));
        assert!(!status.is_redirection() && !said.is_empty(), "{path}: {status}");
    }
}

/// Everything that people and admins do, with marked values wherever something can be typed; what each must not leave behind.
async fn full_run(format: &str) {
    let watched = Watched::start(format).await;
    let admin = json!({
        "email_address": ["marked.address@example.com"], "first_name": "Markedfirst", "last_name": "Markedlast",
        "username": "markedname", "public_metadata": { "role": "admin" },
        "private_metadata": { "note": "markedprivate" },
    });
    let id = watched.person(admin, "applied").await;
    let other = json!({ "email_address": ["marked.other@example.com"], "first_name": "Markedfriend" });
    let other = watched.person(other, "applied").await;
    let event = watched.database.find("events", doc! { "clerkId": &other }).await.expect("an event");
    let event = event.get_str("_id").expect("an id").to_owned();
    let token = watched.clerk.session_token(&id, TokenOptions::asked_by(&watched.server.url));
    read_everything(&watched, &token, &other, &event).await;
    let forms = [
        (
            "/api/profile/edit_profile",
            "first_name=Markedchanged&last_name=Markedlast&username=markedname".to_owned(),
            200,
        ),
        ("/api/profile/edit_bio", "bio=markedbio".to_owned(), 200),
        ("/api/profile/delete_account", "typed=markedtyped".to_owned(), 422),
        ("/api/admin_users/change_role", format!("id={other}&role=moderator&reason=markedreason"), 200),
        ("/api/admin_users/change_roles", format!("ids={other}&role=user&reason=markedreason"), 200),
        ("/api/admin_users/lock", format!("id={other}&reason=markedreason"), 200),
        ("/api/admin_users/ban", format!("id={id}&reason=markedreason"), 422),
        ("/api/admin_users/revoke_sessions", format!("id={other}&reason=markedreason"), 200),
        ("/api/admin_users/refresh_user", format!("id={other}"), 200),
        ("/api/events/reveal_payload", format!("id={event}"), 200),
        ("/api/events/replay_event", format!("id={event}&reason=markedreason"), 200),
        ("/api/events/save_filter", "name=markedfilter&query=q%3Duser%3Amarkedname".to_owned(), 200),
        ("/api/events/replay_events", format!("ids={event}&reason=markedreason"), 200),
        ("/admin/users/csv", "q=markedf".to_owned(), 200),
        ("/admin/users/export", format!("id={other}"), 200),
        ("/profile/export", String::new(), 200),
        ("/admin/sync/audit/export", "subject=marked.address".to_owned(), 200),
        ("/api/admin_users/erase_user", format!("id={other}&typed=markedtyped&reason=markedreason"), 422),
        ("/api/admin_users/erase_user", format!("id={other}&typed={other}&reason=markedreason"), 200),
        ("/theme", "theme=marked".to_owned(), 422),
    ];
    for (path, body, status) in forms {
        let post = client().post(format!("{}{path}", watched.server.url)).header("sec-fetch-site", "same-origin");
        let post = post.header("content-type", "application/x-www-form-urlencoded").body(body).bearer_auth(&token);
        let answer = post.send().await.expect("an answer");
        let is_as_said = answer.status() == status;
        assert!(is_as_said, "{path}: {} {}", answer.status(), answer.text().await.unwrap_or_default());
        // A file is whole before the log is read.
        let _ = answer.bytes().await;
    }
    falter(&watched, &token, &event).await;
    let log = read_log(&watched.log);
    assert!(log.contains("serving") && log.contains(&other), "the log is kept, and names people by id");
    assert!(log.contains("code 121"), "what MongoDB refused is in the log: {log}");
    let lines: Vec<&str> = log.lines().collect();
    let is_json = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert_eq!(lines.iter().all(is_json), format == "json", "each line is of the format that was asked for");
    let secrets = [watched.clerk.secret_key(), watched.clerk.webhook_secret(), token.as_str()];
    for marked in secrets.into_iter().chain(["marked", "Marked", "whsec_", "sk_test_", "__session"]) {
        let found = lines.iter().find(|line| line.contains(marked));
        assert!(found.is_none(), "the log has {marked}: {found:?}");
    }
    watched.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a0_12_a3_27_d7_05_the_log_of_a_full_run_names_people_by_id_only() {
    full_run("text").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a3_27_d7_05_the_log_of_a_full_run_as_json_names_people_by_id_only() {
    full_run("json").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_19_the_milestones_of_an_event_are_in_the_log() {
    let watched = Watched::start("text").await;
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
    let watched = Watched::start("text").await;
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
