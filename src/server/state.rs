//! What every request shares, and how it is put together from the settings.
//!
//! Holds handles only: nothing here would be missed after a crash.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::sync::{Notify, OnceCell, Semaphore};

use crate::server::allowance::least_of;
use crate::server::clerk::client::{self, Client};
use crate::server::clerk::handshake;
use crate::server::clerk::handshake::redirect::{ProxyUrl, ProxyUrlError};
use crate::server::clerk::jwks::{KeySet, Keys, PemError};
use crate::server::clerk::session::VerifyOptions;
use crate::server::clerk::verified::Verified;
use crate::server::clerk::webhook::Verifier;
use crate::server::inngest;
use crate::server::limits::Limits;
use crate::server::live::Live;
use crate::server::mail::{Mailer, Relay, RelayError};
use crate::server::metrics::METRICS;
use crate::server::outgoing::{Sender, SenderError};
use crate::server::readiness::Vitals;
use crate::server::rotation::Rotation;
use crate::server::settings::clerk::Tokens;
use crate::server::settings::{self, Settings};
use crate::server::statistics::tally::Tally;
use crate::server::store::users::new_id;
use crate::server::store::{self, Store};
use crate::server::sync::arrivals::Arrivals;
use crate::server::sync::effects::Plan;
use crate::server::sync::inbox::Inbox;
use crate::server::sync::provision::Flights;

const REDEMPTIONS_AT_ONCE: usize = 8;
const REFRESHES_AT_ONCE: usize = 32;

#[derive(Debug)]
pub struct AppState {
    pub settings: Settings,
    pub store: Store,
    pub clerk: Client,
    pub keys: Keys,
    pub session: handshake::Config,
    /// None when no secret is configured, which only development allows (A2-17).
    pub verifier: Option<Verifier>,
    /// Which of its secrets are in use.
    pub rotation: Rotation,
    /// None when Inngest is off.
    pub inngest: Option<inngest::client::Client>,
    pub inbox: Inbox,
    /// What the inbox hands to the worker; taken once, by the worker.
    arrivals: Mutex<Option<Arrivals>>,
    /// Notified when there are new jobs.
    pub wake: Arc<Notify>,
    /// Which effects a change has.
    pub plan: Plan,
    /// None when no mail goes out.
    pub mailer: Option<Mailer>,
    /// To whom we send what is not mail.
    pub sender: Sender,
    pub flights: Flights,
    /// Of which Clerk instance the secret key is, once somebody asked; `None` inside: Clerk does not say.
    pub clerk_instance: OnceCell<Option<String>>,
    /// How many nonces may be redeemed at once: a visitor can make them up, and each costs a call to Clerk.
    pub redemptions: Semaphore,
    /// How many sessions may be refreshed at once; beyond that visitors are sent to Clerk.
    pub refreshes: Semaphore,
    /// Only one question at a time whether Clerk takes our key.
    pub key_question: Arc<Semaphore>,
    pub limits: Limits,
    pub vitals: Vitals,
    /// What is counted and not added to everybody's numbers yet.
    pub tally: Arc<Tally>,
    /// Dashboards that are open.
    pub live: Live,
    /// By which this process is told from others.
    pub instance_id: String,
    pub started_at: Timestamp,
}

/// Why a process cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    #[error("MongoDB")]
    Store(#[from] store::Error),
    #[error("Clerk's client")]
    Clerk(#[from] crate::server::clerk::Error),
    #[error("Clerk's keys")]
    Keys(#[from] PemError),
    #[error("CLERK_PROXY_URL")]
    ProxyUrl(#[from] ProxyUrlError),
    #[error("Inngest's client")]
    Inngest(#[from] inngest::client::Error),
    #[error("the webhook secrets")]
    Secrets(#[from] crate::server::clerk::webhook::SecretError),
    #[error("ROLLCALL_SMTP_URL")]
    Relay(#[from] RelayError),
    #[error("the sender of webhooks")]
    Sender(#[from] SenderError),
}

impl AppState {
    /// Puts everything together and starts the inbox. Connects to nothing yet.
    pub async fn assemble(settings: Settings) -> Result<Self, AssemblyError> {
        let store = Store::connect(&settings.database, &settings.fields).await?;
        let clerk = clerk_client(&settings.clerk)?;
        // Until the others were asked.
        clerk.allow(least_of(settings.clerk.calls_in_ten_seconds));
        let secrets = &settings.clerk.webhook_secrets;
        let verifier = if secrets.is_empty() { None } else { Some(Verifier::new(secrets)?) };
        let inngest = &settings.inngest;
        let inngest = inngest.is_on.then(|| inngest::client::Client::new(inngest.protocol.clone())).transpose()?;
        let limits = &settings.sync;
        let (inbox, arrivals) =
            Inbox::start(store.deliveries.clone(), store.events.clone(), limits.inbox_capacity, limits.batch);
        Ok(Self {
            keys: keys(&settings.clerk, &clerk)?,
            session: session_config(&settings)?,
            store,
            clerk,
            rotation: Rotation::of(secrets),
            verifier,
            inngest,
            inbox,
            arrivals: Mutex::new(Some(arrivals)),
            wake: Arc::new(Notify::new()),
            plan: plan(&settings),
            mailer: settings.mail.smtp.as_ref().map(mailer).transpose()?,
            sender: Sender::new(settings.effects.timeout)?,
            flights: Flights::default(),
            clerk_instance: OnceCell::new(),
            redemptions: Semaphore::new(REDEMPTIONS_AT_ONCE),
            refreshes: Semaphore::new(REFRESHES_AT_ONCE),
            key_question: Arc::new(Semaphore::new(1)),
            vitals: Vitals::default(),
            tally: Arc::default(),
            live: Live::default(),
            instance_id: new_id(),
            started_at: Timestamp::now(),
            limits: Limits::new(settings.server.address_requests, settings.server.address_failures),
            settings,
        })
    }
}

impl AppState {
    /// What arrives through the inbox, for the one who applies it; `None` for anybody after the first.
    pub fn take_arrivals(&self) -> Option<Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The Backend API client of these settings. `CLERK_API_URL` is without the version, as in Clerk's own libraries.
pub fn clerk_client(settings: &settings::clerk::Clerk) -> Result<Client, crate::server::clerk::Error> {
    let mut api_url = settings.api_url.clone();
    if let Ok(mut segments) = api_url.path_segments_mut() {
        segments.pop_if_empty().push("v1");
    }
    Client::new(client::Config {
        api_url,
        secret_key: settings.secret_key.clone(),
        timeout: settings.timeout,
        user_agent: concat!("rollcall/", env!("CARGO_PKG_VERSION")).to_owned(),
        calls_in_ten_seconds: settings.calls_in_ten_seconds,
        observe: |seen| METRICS.asked_clerk(seen),
    })
}

/// What is configured happens.
fn plan(settings: &Settings) -> Plan {
    Plan {
        metadata: settings.effects.metadata,
        welcome: settings.mail.welcome && settings.mail.smtp.is_some(),
        webhook: settings.effects.webhook.is_some(),
    }
}

/// The way mail goes out by these settings.
pub fn mailer(smtp: &settings::mail::Smtp) -> Result<Mailer, RelayError> {
    Ok(Mailer::new(Relay::parse(smtp.url.expose_secret())?, smtp.from.clone(), smtp.timeout))
}

/// The configured key, or Clerk's own list, cached.
fn keys(settings: &settings::clerk::Clerk, client: &Client) -> Result<Keys, PemError> {
    if let Some(pem) = &settings.jwt_key {
        return Ok(Keys::fixed(KeySet::from_pems(&[pem])?));
    }
    let client = client.clone();
    Ok(Keys::remote(move || {
        let client = client.clone();
        async move { client.fetch_jwks().await }
    }))
}

fn session_config(settings: &Settings) -> Result<handshake::Config, ProxyUrlError> {
    let clerk = &settings.clerk;
    let host = handshake::Config::frontend_api_host(&clerk.publishable_key, clerk.satellite.as_ref());
    let mut verify = VerifyOptions::for_issuer(format!("https://{host}"));
    verify.authorized_parties.clone_from(&clerk.authorized_parties);
    let Tokens { require_azp, lax_claims, clock_skew, audiences } = clerk.tokens.clone();
    let verify = VerifyOptions { require_azp, clock_skew, lax_claims, audiences, ..verify };
    Ok(handshake::Config {
        publishable_key: clerk.publishable_key.clone(),
        proxy_url: clerk.proxy_url.as_deref().map(ProxyUrl::parse).transpose()?,
        verify,
        satellite: clerk.satellite.clone(),
        satellites: clerk.satellites.clone(),
        organizations: clerk.organizations.clone(),
        verified: Verified::default(),
    })
}
