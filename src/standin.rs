//! A Clerk on this machine: Backend API, Frontend API, keys, handshake, signed webhooks, and levers for faults.
//!
//! The application meets it only as URLs and keys. Invariant: nothing here imports anything of the application, and
//! every answer is JSON written by hand after the published API, so that a misreading of Clerk cannot hide in a type
//! both sides share. In memory; a state file carries it over a restart.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::standin::clock::Clock;
use crate::standin::instance::Instance;
use crate::standin::keys::{Publishable, SigningKey};
use crate::standin::levers::Levers;
use crate::standin::refusal::Refusal;
use crate::standin::state::Saved;
use crate::standin::token::TokenOptions;
use crate::standin::user::User;
use crate::standin::webhooks::{Delivery, Outbox, attempt};
use crate::standin::world::World;

mod accounts;
mod admin;
mod assets;
mod attributes;
mod bapi;
mod clock;
mod fapi;
mod ids;
mod instance;
pub mod keys;
pub mod levers;
mod params;
mod password;
pub mod people;
pub mod refusal;
mod session;
mod state;
pub mod token;
mod user;
pub mod webhooks;
mod world;

/// The fixed key of every local Clerk that is given no other; it opens nothing else.
const SECRET_KEY: &str = "sk_test_rollcallLocalStandInKeyOpensNothingElse";
const SECRET_KEY_PRODUCTION: &str = "sk_live_rollcallLocalStandInKeyOpensNothingElse";
/// How long open connections may hold up a stop.
const FAREWELL: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct Options {
    /// Port 0 takes any free one.
    pub addr: SocketAddr,
    /// Where the application lives: the `azp` of requests without an origin, and the home of redirects.
    pub app_origin: String,
    /// Where signed webhooks go; without it none are made.
    pub webhook_url: Option<String>,
    /// `whsec_…`; made at the start when absent.
    pub webhook_secret: Option<String>,
    pub secret_key: Option<String>,
    /// The first 20 are the varied people, the rest ordinary ones.
    pub seed_users: usize,
    /// 1 is Svix's own schedule of retries.
    pub retry_scale: f64,
    /// Clerk's limits of the Backend API.
    pub rate_limits: bool,
    /// The folder that holds `clerk-js/dist` and `ui/dist`.
    pub clerk_js_dir: Option<PathBuf>,
    /// Read at the start, written after changes.
    pub state_file: Option<PathBuf>,
    /// Cookies and keys of a production instance instead of a development one.
    pub production: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            addr: SocketAddr::from(([127, 0, 0, 1], 0)),
            app_origin: "http://localhost:3000".to_owned(),
            webhook_url: None,
            webhook_secret: None,
            secret_key: None,
            seed_users: 20,
            retry_scale: 1.0,
            rate_limits: false,
            clerk_js_dir: None,
            state_file: None,
            production: false,
        }
    }
}

/// A running stand-in; clones are handles to the same one.
#[derive(Clone)]
pub struct Standin {
    instance: Arc<Instance>,
    state_file: Option<PathBuf>,
    stopping: watch::Sender<bool>,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Standin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Standin").field("url", &self.instance.base_url).finish_non_exhaustive()
    }
}

impl Standin {
    pub async fn start(options: Options) -> io::Result<Standin> {
        let listener = TcpListener::bind(options.addr).await?;
        let base_url = format!("http://localhost:{}", listener.local_addr()?.port());
        let state_file = options.state_file.clone();
        // Making an RSA key and a hundred thousand people takes a moment.
        let instance =
            tokio::task::spawn_blocking(move || build(options, base_url)).await.map_err(io::Error::other)??;
        let instance = Arc::new(instance);
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = vec![
            tokio::spawn(serve(listener, router(&instance), stopped)),
            tokio::spawn(webhooks::run(Arc::clone(&instance), attempt::Sender::new()?)),
        ];
        if let Some(path) = &state_file {
            tasks.push(tokio::spawn(state::keep_saving(Arc::clone(&instance), path.clone())));
            instance.changed.notify_one();
        }
        Ok(Standin { instance, state_file, stopping, tasks: Arc::new(Mutex::new(tasks)) })
    }

    pub fn url(&self) -> String {
        self.instance.base_url.clone()
    }

    pub fn publishable_key(&self) -> &str {
        &self.instance.publishable.text
    }

    pub fn secret_key(&self) -> &str {
        &self.instance.secret_key
    }

    pub fn webhook_secret(&self) -> &str {
        &self.instance.outbox.secret
    }

    /// The public key as PEM, for verification without a network.
    pub fn jwt_key(&self) -> String {
        self.instance.signing.public_pem()
    }

    pub fn instance_id(&self) -> &str {
        &self.instance.signing.kid
    }

    /// Everybody alive, oldest first, in the shape of the Backend API.
    pub fn users(&self) -> Vec<Value> {
        self.instance.world().by_age().map(|user| self.shape(user)).collect()
    }

    pub fn user(&self, id: &str) -> Option<Value> {
        self.instance.world().find_user(id).map(|user| self.shape(user))
    }

    /// By e-mail address, username or phone number.
    pub fn find_user(&self, identifier: &str) -> Option<Value> {
        self.instance.world().find_by_identifier(identifier).map(|user| self.shape(user))
    }

    /// The body of `POST /v1/users`. An invalid one is answered with Clerk's error body.
    pub fn create_user(&self, attributes: Value) -> Value {
        self.told(self.instance.create_user(&attributes))
    }

    /// The body of `PATCH /v1/users/{id}`, and metadata besides.
    pub fn update_user(&self, id: &str, attributes: Value) -> Value {
        self.told(self.instance.update_user(id, &attributes, true))
    }

    pub fn merge_metadata(&self, id: &str, metadata: Value) -> Value {
        self.told(self.instance.merge_metadata(id, &metadata))
    }

    pub fn ban(&self, id: &str) -> Value {
        self.told(self.instance.set_banned(id, true))
    }

    pub fn unban(&self, id: &str) -> Value {
        self.told(self.instance.set_banned(id, false))
    }

    pub fn lock(&self, id: &str) -> Value {
        self.told(self.instance.set_locked(id, true))
    }

    pub fn unlock(&self, id: &str) -> Value {
        self.told(self.instance.set_locked(id, false))
    }

    /// The deleted object, or Clerk's error body.
    pub fn delete_user(&self, id: &str) -> Value {
        self.instance.delete_user(id).unwrap_or_else(|refusal| refusal.body())
    }

    /// A new session and a token of it, without a webhook. Of an unknown user too: a session may outlive its user's
    /// record.
    pub fn session_token(&self, user_id: &str, options: TokenOptions) -> String {
        let session = self.instance.open_detached_session(user_id);
        let session = session
            .unwrap_or_else(|_| session::Session::new(user_id, "client_unknown", "", self.instance.clock.now_ms()));
        self.instance.mint(&session, &options)
    }

    /// Any claims, signed by this instance with the header of a session token; for tokens Clerk would not mint.
    pub fn sign(&self, claims: &Value) -> String {
        self.instance.signing.sign(claims)
    }

    /// Queues `user.created` of everybody under message ids that never change.
    pub fn announce(&self) {
        self.instance.announce();
    }

    pub fn set_webhook_target(&self, url: &str) {
        self.instance.outbox.set_target(url);
    }

    pub fn levers(&self) -> Levers {
        self.instance.levers()
    }

    pub fn set_levers(&self, levers: Levers) {
        self.instance.set_levers(levers);
    }

    /// Requests to the Backend API so far, refused ones included.
    pub fn backend_calls(&self) -> u64 {
        self.instance.backend_calls.load(Ordering::Relaxed)
    }

    /// Those of them that were above one of Clerk's limits.
    pub fn limited_calls(&self) -> u64 {
        self.instance.limited_calls.load(Ordering::Relaxed)
    }

    /// Every webhook so far, in the order of the events.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.instance.outbox.deliveries()
    }

    pub fn resend(&self, svix_id: &str) -> bool {
        self.instance.outbox.resend(svix_id)
    }

    /// Sends whatever was never delivered once more; answers how many.
    pub fn replay_missing(&self) -> usize {
        self.instance.outbox.replay_missing()
    }

    /// True once nothing waits to be sent any more.
    pub async fn drained(&self, within: Duration) -> bool {
        self.instance.outbox.drained(within).await
    }

    /// Back to the seeds, silently.
    pub fn reset(&self) {
        self.instance.reset();
    }

    pub async fn stop(self) {
        self.stopping.send_replace(true);
        let tasks: Vec<JoinHandle<()>> =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        for (place, mut task) in tasks.into_iter().enumerate() {
            // The first task is the listener, which may finish what it is answering.
            let grace = if place == 0 { FAREWELL } else { Duration::ZERO };
            if tokio::time::timeout(grace, &mut task).await.is_err() {
                task.abort();
                let _ = task.await;
            }
        }
        if let Some(Err(error)) = self.state_file.as_deref().map(|path| state::save(&self.instance, path)) {
            tracing::warn!(%error, "the stand-in's state could not be saved");
        }
    }

    fn shape(&self, user: &User) -> Value {
        user.to_json(&self.instance.base_url)
    }

    fn told(&self, user: Result<User, Refusal>) -> Value {
        user.map_or_else(|refusal| refusal.body(), |user| self.shape(&user))
    }
}

fn build(options: Options, base_url: String) -> io::Result<Instance> {
    let saved = options.state_file.as_deref().map(Saved::load).transpose()?.flatten();
    let signing = saved.as_ref().map_or_else(SigningKey::generate, |saved| SigningKey::load(&saved.signing_key))?;
    let kept_secret = saved.as_ref().map(|saved| saved.webhook_secret.clone());
    let webhook_secret = options.webhook_secret.or(kept_secret).unwrap_or_else(new_webhook_secret);
    let world = saved.map_or_else(|| seeded_world(options.seed_users), Saved::into_world);
    let fixed_key = if options.production { SECRET_KEY_PRODUCTION } else { SECRET_KEY };
    Ok(Instance {
        base_url,
        app_origin: options.app_origin,
        production: options.production,
        rate_limits: options.rate_limits,
        seed_users: options.seed_users,
        clerk_js_dir: options.clerk_js_dir,
        secret_key: options.secret_key.unwrap_or_else(|| fixed_key.to_owned()),
        publishable: Publishable::new(options.production),
        signing,
        clock: Clock::default(),
        outbox: Outbox::new(options.webhook_url, webhook_secret, options.retry_scale),
        changed: tokio::sync::Notify::new(),
        backend_calls: AtomicU64::new(0),
        limited_calls: AtomicU64::new(0),
        requests: Mutex::default(),
        world: Mutex::new(world),
        levers: RwLock::default(),
    })
}

fn seeded_world(count: usize) -> World {
    let mut world = World::default();
    for user in people::people(count) {
        world.put(user).expect("the seeded people share no identifier");
    }
    world
}

fn new_webhook_secret() -> String {
    format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 24]>()))
}

fn router(instance: &Arc<Instance>) -> Router {
    Router::new()
        .merge(assets::router(Arc::clone(instance)))
        .merge(admin::router(Arc::clone(instance)))
        .merge(bapi::router(Arc::clone(instance)))
        .merge(fapi::router(Arc::clone(instance)))
        .fallback(|| async { Refusal::not_found("resource") })
}

async fn serve(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let until = async move {
        // An error means that every handle is gone, and then nobody is left to say stop.
        if stopped.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(until).await {
        tracing::error!(%error, "the stand-in's listener ended");
    }
}

impl Instance {
    fn reset(&self) {
        *self.world() = seeded_world(self.seed_users);
        self.outbox.clear();
        self.set_levers(Levers::default());
        self.changed.notify_one();
    }
}

#[cfg(test)]
mod tests;
