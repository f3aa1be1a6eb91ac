//! An application beside a Clerk full of people, the command line beside both, and differences between the two.

use std::process::Stdio;
use std::time::Duration;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use rollcall::server::settings::environment::Variables;
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::app::{TestApp, Wishes, variables};
use crate::support::eventually_within;

/// How a command ended and what it said.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "standard output:\n{}\nstandard error:\n{}", self.out, self.err);
        assert!(!self.out.contains('\u{1b}') && !self.err.contains('\u{1b}'), "coloured, though nobody looks");
        self
    }

    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        let all = format!("{}{}", self.out, self.err);
        for word in words {
            assert!(all.contains(word), "{word:?} is not in:\n{all}");
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("JSON on standard output")
    }
}

pub struct World {
    pub app: TestApp,
    /// Of the command line.
    pub environment: Variables,
}

impl World {
    /// So many people at Clerk, nobody here.
    pub async fn of(people: usize) -> Self {
        Self::with(people, &[]).await
    }

    pub async fn with(people: usize, changes: &[(&'static str, &str)]) -> Self {
        let changes: Vec<_> = changes.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let wishes = Wishes { variables: changes.clone(), seed_users: people, ..Wishes::default() };
        let app = TestApp::with(wishes).await;
        let environment = variables(&app.clerk, &app.database.uri, &app.url).with(changes);
        Self { app, environment }
    }

    /// The command line asks Clerk here.
    pub fn through(&mut self, url: &str) {
        self.environment = self.environment.clone().with([("CLERK_API_URL", url.to_owned())]);
    }

    pub fn spawn(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_rollcall"))
            .arg("sync")
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts")
    }

    pub async fn sync(&self, arguments: &[&str]) -> Ended {
        ended(self.spawn(arguments)).await
    }

    /// Everybody is imported and nothing differs.
    pub async fn imported(&self) {
        self.sync(&["backfill", "--yes"]).await.expect(0).says(&["backfill done"]);
    }

    /// Whether webhooks reach us.
    pub async fn webhooks(&self, arrive: bool) {
        assert!(self.app.clerk.drained(Duration::from_secs(30)).await, "webhooks are waiting");
        let drop = if arrive { 0.0 } else { 1.0 };
        self.app.clerk.set_levers(Levers { drop, ..self.app.clerk.levers() });
    }

    /// Clerk ids, oldest first, without the first hundred, who are special.
    pub fn ids(&self) -> Vec<String> {
        let users = self.app.clerk.users();
        users.iter().map(|user| user["id"].as_str().expect("an id").to_owned()).collect()
    }

    pub async fn runs(&self) -> Vec<Document> {
        let all = self.app.database.all("runs").await;
        all.into_iter().filter(|run| run.contains_key("kind")).collect()
    }

    /// Waits until the only run has gone so many pages.
    pub async fn walked(&self, pages: i64) {
        eventually_within(Duration::from_mins(1), "the walk goes on", || async {
            let run = self.app.database.find("runs", doc! { "progress.pages": { "$gte": pages } }).await;
            run.map(|_| ()).ok_or_else(|| format!("not {pages} pages yet"))
        })
        .await;
    }

    pub async fn set(&self, clerk_id: &str, fields: Document) {
        self.app.database.set("users", doc! { "clerkId": clerk_id }, fields).await;
    }

    /// A document of somebody whom Clerk never had.
    pub async fn insert_stranger(&self, clerk_id: &str, joined_at: DateTime) {
        let stranger = doc! {
            "_id": ObjectId::new(), "clerkId": clerk_id, "name": "Stranger", "role": "user", "syncStatus": "active",
            "authProvider": "clerk", "version": { "updatedAt": 1_i64, "eventAt": 1_i64 }, "etag": ObjectId::new(),
            "createdAt": joined_at, "updatedAt": joined_at, "deletedAt": Bson::Null,
        };
        self.app.database.insert("users", stranger).await;
    }

    pub async fn living(&self) -> u64 {
        self.app.database.count("users", doc! { "deletedAt": Bson::Null }).await
    }

    pub async fn tombstones(&self) -> u64 {
        self.app.database.count("users", doc! { "deletedAt": { "$type": "date" } }).await
    }

    pub async fn finish(self) {
        self.app.finish().await;
    }
}

pub async fn ended(child: Child) -> Ended {
    let output = tokio::time::timeout(Duration::from_secs(90), child.wait_with_output()).await;
    let output = output.expect("an end").expect("an output");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// Newcomers, changes and departures that never pause, each told by webhook.
pub struct Traffic {
    stop: watch::Sender<bool>,
    task: JoinHandle<usize>,
}

impl Traffic {
    pub fn start(app: &TestApp, per_second: u32) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let clerk = app.clerk.clone();
        let task = tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_secs(1) / per_second);
            let (mut ids, mut number) = (Vec::<String>::new(), 0);
            while !*stopped.borrow() {
                tokio::select! {
                    _ = beat.tick() => {}
                    _ = stopped.changed() => {}
                }
                number += 1;
                match number % 5 {
                    0 | 1 => {
                        let email = format!("visitor-{number}@example.com");
                        let user = clerk.create_user(json!({ "email_address": [email], "first_name": "Visitor" }));
                        ids.push(user["id"].as_str().expect("an id").to_owned());
                    }
                    2 if ids.len() > 5 => drop(clerk.delete_user(&ids.remove(0))),
                    _ => {
                        let name = json!({ "first_name": format!("Visitor {number}") });
                        drop(ids.last().map(|id| clerk.update_user(id, name)));
                    }
                }
            }
            number
        });
        Self { stop, task }
    }

    /// Ends; answers how many changes there were.
    pub async fn stop(self) -> usize {
        self.stop.send_replace(true);
        self.task.await.expect("an orderly end")
    }
}
