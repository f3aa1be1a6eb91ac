//! The whole system of a test: a Clerk, a database, as many server processes as wanted, and traffic between them.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Client, Response};
use rollcall::server::settings::environment::Variables;
use rollcall::standin::token::TokenOptions;
use rollcall::standin::webhooks::State;
use rollcall::standin::{self, Standin};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::app::{client, variables};
use crate::support::delivery::Delivery;
use crate::support::invariants::Invariants;
use crate::support::mongo::TestDatabase;
use crate::support::process::{Server, free_port, log_in};

/// Svix' schedule of 5 s, 5 min, 30 min, 2 h … in hundredths of a second: late enough to outlast a fault, soon enough to
/// wait for.
const RETRY_SCALE: f64 = 0.003;
/// What a sender waits for an answer (clerk.md 3.7).
pub const SENDER_WAITS: Duration = Duration::from_secs(15);

pub struct Site {
    pub clerk: Standin,
    pub database: TestDatabase,
    pub variables: Variables,
    pub client: Client,
    ports: Vec<u16>,
    pub logs: Vec<PathBuf>,
    folder: TempDir,
}

impl Site {
    /// With room for this many servers; none is started yet. Clerk's webhooks go to the first.
    pub async fn of(servers: usize, database: TestDatabase) -> Self {
        Self::peopled(servers, database, 0).await
    }

    /// The same with so many people at Clerk, of whom no webhook tells.
    pub async fn peopled(servers: usize, database: TestDatabase, people: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ports: Vec<u16> = (0..servers).map(|_| free_port()).collect();
        let url = format!("http://127.0.0.1:{}", ports[0]);
        let clerk = Standin::start(standin::Options {
            app_origin: url.clone(),
            webhook_url: Some(format!("{url}/api/webhooks/clerk")),
            seed_users: people,
            retry_scale: RETRY_SCALE,
            ..standin::Options::default()
        })
        .await
        .expect("the stand-in");
        let variables = variables(&clerk, &database.uri, &url);
        let logs = (0..servers).map(|place| log_in(folder.path(), &format!("server-{place}"))).collect();
        // A test that looks at every answer waits longer than any answer may take.
        let client = client();
        Self { clerk, database, variables, client, ports, logs, folder }
    }

    /// One server on a database of the shared MongoDB.
    pub async fn simple() -> (Self, Server) {
        Self::with(&[]).await
    }

    pub async fn with(changes: &[(&str, &str)]) -> (Self, Server) {
        let mut site = Self::of(1, TestDatabase::new().await).await;
        site.change(changes);
        let server = site.start(0).await;
        (site, server)
    }

    /// Variables laid over the usual ones; an empty value unsets.
    pub fn change(&mut self, changes: &[(&str, &str)]) {
        let changes = changes.iter().map(|(name, value)| (*name, (*value).to_owned()));
        self.variables = self.variables.clone().with(changes);
    }

    pub async fn start(&self, place: usize) -> Server {
        Server::start(self.ports[place], &self.variables, &self.logs[place]).await
    }

    pub fn webhook_url(&self, place: usize) -> String {
        format!("http://127.0.0.1:{}/api/webhooks/clerk", self.ports[place])
    }

    /// Signs this body now and posts it to one server.
    pub async fn post(&self, place: usize, id: &str, body: &str) -> Response {
        let delivery = Delivery::signed(self.clerk.webhook_secret(), id, body.as_bytes());
        self.send(place, &delivery).await
    }

    pub async fn send(&self, place: usize, delivery: &Delivery) -> Response {
        delivery.request_to(&self.client, &self.webhook_url(place)).send().await.expect("an answer")
    }

    /// A page or function of one server, asked for by this person.
    pub async fn get_as(&self, place: usize, clerk_id: &str, path: &str) -> Response {
        let origin = self.variables.get("ROLLCALL_PUBLIC_URL").expect("set above");
        let token = self.clerk.session_token(clerk_id, TokenOptions::asked_by(&origin));
        let url = format!("http://127.0.0.1:{}{path}", self.ports[place]);
        self.client.get(url).bearer_auth(token).send().await.expect("an answer")
    }

    /// A new person at Clerk; the webhook is on its way.
    pub fn create(&self, name: &str) -> String {
        let attributes = json!({ "email_address": [format!("{name}@example.com")], "first_name": name });
        id_of(&self.clerk.create_user(attributes))
    }

    /// What Clerk wants to tell of one person, in the order it happened: message ids and bodies.
    pub fn told_of(&self, clerk_id: &str) -> Vec<(String, String)> {
        let told = self.clerk.deliveries().into_iter().filter(|delivery| delivery.user_id == clerk_id);
        told.map(|delivery| (delivery.svix_id, delivery.body.to_string())).collect()
    }

    /// Waits until Clerk's sender has nothing left to send, and everything arrived.
    pub async fn delivered(&self, patience: Duration) {
        assert!(self.clerk.drained(patience).await, "webhooks are still waiting");
        for delivery in self.clerk.deliveries() {
            assert_eq!(delivery.state, State::Delivered, "{}: {:?}", delivery.svix_id, delivery.attempts);
        }
    }

    /// Asserts the invariants; `explained` are fragments of log lines that the fault is known to cause.
    pub async fn holds(&self, explained: &[&str]) {
        let (clerk, database, logs) = (&self.clerk, &self.database, &self.logs[..]);
        Invariants { clerk, database, logs, explained }.hold().await;
    }

    /// Ends the test: the invariants hold, and what was made is removed.
    pub async fn finish(self, explained: &[&str]) {
        self.holds(explained).await;
        self.clerk.stop().await;
        self.database.drop().await;
        drop(self.folder);
    }

    /// How often each status was the answer to an attempt of Clerk's sender; `None` is no answer.
    pub fn answers(&self, status: Option<u16>) -> usize {
        let deliveries = self.clerk.deliveries();
        deliveries.iter().flat_map(|delivery| &delivery.attempts).filter(|attempt| attempt.status == status).count()
    }

    /// Every status that Clerk's sender was ever answered.
    pub fn statuses(&self) -> Vec<Option<u16>> {
        let deliveries = self.clerk.deliveries();
        let mut seen: Vec<Option<u16>> =
            deliveries.iter().flat_map(|delivery| &delivery.attempts).map(|attempt| attempt.status).collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }
}

pub fn id_of(user: &Value) -> String {
    user["id"].as_str().expect("an id").to_owned()
}

/// People who come, change and go at Clerk for as long as a fault lasts.
pub struct Traffic {
    stop: watch::Sender<bool>,
    task: JoinHandle<usize>,
}

impl Traffic {
    /// About this many changes a second, to people of its own.
    pub fn start(clerk: &Standin, per_second: u32) -> Self {
        Self::among(clerk, Vec::new(), per_second)
    }

    /// The same, to these people as well.
    pub fn among(clerk: &Standin, mut ids: Vec<String>, per_second: u32) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let clerk = clerk.clone();
        let task = tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_secs(1) / per_second);
            let mut number = 0_usize;
            while !*stopped.borrow() {
                tokio::select! {
                    _ = beat.tick() => {}
                    _ = stopped.changed() => {}
                }
                number += 1;
                change_somebody(&clerk, &mut ids, number);
            }
            number
        });
        Self { stop, task }
    }

    /// How many changes there were.
    pub async fn stop(self) -> usize {
        self.stop.send_replace(true);
        self.task.await.expect("the traffic ends in order")
    }
}

/// Of ten changes four are new people, one a departure and one a ban; the rest are new names.
pub fn change_somebody(clerk: &Standin, ids: &mut Vec<String>, number: usize) {
    let attributes = json!({
        "email_address": [format!("person-{number}@example.com")],
        "first_name": format!("First {number}"), "last_name": "Of Many", "username": format!("person_{number}"),
    });
    if number % 10 < 4 || ids.len() < 10 {
        ids.push(id_of(&clerk.create_user(attributes)));
        return;
    }
    let place = (number * 7_919) % ids.len();
    match number % 10 {
        4 => drop(clerk.delete_user(&ids.swap_remove(place))),
        5 => drop(clerk.ban(&ids[place])),
        6 => drop(clerk.merge_metadata(&ids[place], json!({ "public_metadata": { "role": "moderator" } }))),
        _ => drop(clerk.update_user(&ids[place], json!({ "first_name": format!("Renamed {number}") }))),
    }
}
