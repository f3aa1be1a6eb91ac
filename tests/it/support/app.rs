//! A running application: real listener, real worker, the stand-in as its Clerk, a database of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE};
use reqwest::{Client, Response};
use rollcall::server::settings::environment::Variables;
use rollcall::server::settings::{DEFAULTS, Settings};
use rollcall::server::state::AppState;
use rollcall::server::{allowance, http, jobs, statistics, worker};
use rollcall::standin::token::TokenOptions;
use rollcall::standin::{self, Standin};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::support::eventually;
use crate::support::mongo::TestDatabase;

/// The application under test. Call `finish` at the end: it checks that nothing is left undone.
pub struct TestApp {
    pub url: String,
    pub clerk: Standin,
    pub database: TestDatabase,
    pub client: Client,
    pub state: Arc<AppState>,
    stop: watch::Sender<bool>,
}

/// What a test wants otherwise than usual.
#[derive(Default)]
pub struct Wishes {
    /// Variables laid over the usual ones; an empty value unsets.
    pub variables: Vec<(&'static str, String)>,
    /// Added to the default settings file.
    pub config: &'static str,
    pub seed_users: usize,
    pub production_clerk: bool,
    /// Clerk's own limits are in force, and so is ours.
    pub clerk_limits: bool,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(Wishes::default()).await
    }

    pub async fn with(wishes: Wishes) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = format!("http://localhost:{port}");
        let clerk = start_clerk(&url, port, &wishes).await;
        let database = TestDatabase::new().await;
        let mut variables = variables(&clerk, &database.uri, &url);
        if wishes.clerk_limits {
            variables = variables.with([("ROLLCALL_CLERK_RATE", String::new())]);
        }
        let variables = variables.with(wishes.variables);
        let settings = Settings::load(&format!("{DEFAULTS}\n{}", wishes.config), &variables).expect("settings");
        let state = Arc::new(AppState::assemble(settings).await.expect("a state"));
        // A database that a test made unreachable on purpose has no schema to make.
        let _ = state.store.ensure_schema().await;
        let _ = state.store.apply_retention(&state.settings.retention).await;
        let (stop, stopped) = watch::channel(false);
        work(&state, &stopped);
        let mut until = stopped;
        tokio::spawn(http::serve(listener, http::router(Arc::clone(&state)), async move {
            let _ = until.wait_for(|stop| *stop).await;
        }));
        Self { url, clerk, database, client: client(), state, stop }
    }

    /// Another process on the same database, as far as events and jobs go.
    pub async fn second_process(&self) -> Arc<AppState> {
        let state = Arc::new(AppState::assemble(self.state.settings.clone()).await.expect("a state"));
        work(&state, &self.stop.subscribe());
        state
    }

    /// A session token of this person, as their browser would hold it.
    pub fn token(&self, clerk_id: &str) -> String {
        self.clerk.session_token(clerk_id, TokenOptions::asked_by(&self.url))
    }

    pub async fn get(&self, path: &str) -> Response {
        self.client.get(self.at(path)).send().await.expect("an answer")
    }

    /// A page or function asked for by this person, over the header that scripts use.
    pub async fn get_as(&self, clerk_id: &str, path: &str) -> Response {
        let bearer = format!("Bearer {}", self.token(clerk_id));
        self.client.get(self.at(path)).header(AUTHORIZATION, bearer).send().await.expect("an answer")
    }

    /// A form as a script sends it: the plain answer comes back, no redirect.
    pub async fn post_as(&self, clerk_id: Option<&str>, path: &str, body: &str) -> Response {
        let post = self.client.post(self.at(path)).header("sec-fetch-site", "same-origin");
        let post = post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.to_owned());
        let post = clerk_id.into_iter().fold(post, |post, id| post.bearer_auth(self.token(id)));
        post.send().await.expect("an answer")
    }

    /// A page navigated to in a browser with these cookies.
    pub async fn visit(&self, cookies: &str, path: &str) -> Response {
        let request = self.client.get(self.at(path)).header(ACCEPT, "text/html").header("sec-fetch-dest", "document");
        request.header(COOKIE, cookies).send().await.expect("an answer")
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A new person at Clerk, whose webhook has been applied here.
    pub async fn person(&self, attributes: Value) -> String {
        let user = self.clerk.create_user(attributes);
        let id = user["id"].as_str().expect("an id").to_owned();
        eventually("the person arrives", || async {
            self.database.user(&id).await.map(|_| ()).ok_or_else(|| "no document".to_owned())
        })
        .await;
        id
    }

    /// Waits until every stored event is finished.
    pub async fn settled(&self) {
        let waiting = mongodb::bson::doc! { "state": { "$in": ["received", "failed"] } };
        eventually("every event is finished", || async {
            let open = self.database.open_batches().await;
            match self.database.count("events", waiting.clone()).await {
                0 if open == 0 => Ok(()),
                count => Err(format!("{count} events and {open} batches waiting")),
            }
        })
        .await;
    }

    /// Waits until no job has anything left to do.
    pub async fn jobs_settled(&self) {
        eventually("every job is finished", || async {
            // An effect comes with its event, and leaves the outbox once it is a job.
            let new = self.database.count("events", mongodb::bson::doc! { "state": "received" }).await;
            let full = self.database.count("users", mongodb::bson::doc! { "outbox.0": { "$exists": true } }).await;
            let open = self.database.open_batches().await;
            if new + full + open > 0 {
                return Err(format!("{new} events, {full} outboxes, {open} batches"));
            }
            let jobs = self.database.all("jobs").await;
            match jobs.iter().find(|job| job.get_str("state").ok() == Some("waiting")) {
                None => Ok(()),
                Some(job) => Err(job.to_string()),
            }
        })
        .await;
    }

    /// Waits until Clerk has nothing more to tell, and all that came of it is done.
    pub async fn quiet(&self) {
        assert!(self.clerk.drained(Duration::from_secs(10)).await);
        self.settled().await;
        self.jobs_settled().await;
    }

    /// Ends the test: nothing may be left waiting.
    pub async fn finish(self) {
        self.settled().await;
        let _ = self.stop.send(true);
        self.clerk.stop().await;
        self.database.drop().await;
    }
}

/// Worker and jobs of one process.
fn work(state: &Arc<AppState>, stopped: &watch::Receiver<bool>) {
    let arrivals = state.take_arrivals().expect("the first worker");
    tokio::spawn(worker::run(Arc::clone(state), arrivals, stopped.clone()));
    tokio::spawn(jobs::run(Arc::clone(state), stopped.clone()));
    tokio::spawn(statistics::run(Arc::clone(state), stopped.clone()));
    tokio::spawn(allowance::run(Arc::clone(state), stopped.clone()));
}

/// What a token says, unverified.
pub fn claims_of(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a payload")).expect("base64");
    serde_json::from_slice(&payload).expect("JSON")
}

/// What a page loads of the built site.
pub fn files_of(page: &str) -> BTreeSet<String> {
    page.split('"').filter(|part| part.starts_with("/pkg/")).map(str::to_owned).collect()
}

/// A form with one file: its content type and its body.
pub fn multipart(name: &str, content: &[u8]) -> (&'static str, Vec<u8>) {
    let head = format!("--edge\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"me\"\r\n\r\n");
    ("multipart/form-data; boundary=edge", [head.as_bytes(), content, b"\r\n--edge--\r\n"].concat())
}

/// Follows no redirect, keeps no cookie: a test sees every answer.
pub fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

async fn start_clerk(app_url: &str, app_port: u16, wishes: &Wishes) -> Standin {
    let options = standin::Options {
        app_origin: app_url.to_owned(),
        webhook_url: Some(format!("http://127.0.0.1:{app_port}/api/webhooks/clerk")),
        seed_users: wishes.seed_users,
        retry_scale: 0.001,
        production: wishes.production_clerk,
        rate_limits: wishes.clerk_limits,
        ..standin::Options::default()
    };
    Standin::start(options).await.expect("the stand-in")
}

/// A folder for the built site that is there and empty, so that no log warns of it.
fn nothing_built() -> String {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nothing-built");
    std::fs::create_dir_all(root.join("pkg")).expect("a folder");
    root.to_str().expect("a path in UTF-8").to_owned()
}

/// The environment of an application beside this Clerk and this database.
pub fn variables(clerk: &Standin, mongodb_uri: &str, app_url: &str) -> Variables {
    [
        ("LEPTOS_ENV", "DEV".to_owned()),
        ("LEPTOS_SITE_ROOT", nothing_built()),
        ("ROLLCALL_PUBLIC_URL", app_url.to_owned()),
        ("MONGODB_URI", mongodb_uri.to_owned()),
        ("CLERK_PUBLISHABLE_KEY", clerk.publishable_key().to_owned()),
        ("CLERK_SECRET_KEY", clerk.secret_key().to_owned()),
        ("CLERK_WEBHOOK_SIGNING_SECRET", clerk.webhook_secret().to_owned()),
        ("CLERK_API_URL", clerk.url()),
        ("CLERK_PROXY_URL", clerk.url()),
        ("CLERK_JWT_KEY", clerk.jwt_key()),
        // Its echo is an event of its own, which tests that count events do not expect.
        ("ROLLCALL_METADATA", "false".to_owned()),
        // Tests do more, and from one address, than is allowed; those of the limits ask for them.
        ("ROLLCALL_CLERK_RATE", "100000".to_owned()),
        ("ROLLCALL_ADDRESS_REQUESTS", "0".to_owned()),
        ("ROLLCALL_ADDRESS_FAILURES", "0".to_owned()),
    ]
    .into_iter()
    .collect()
}
