//! Table `[server]`: where we are reached and how long we wait.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use ipnet::IpNet;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::server::settings::Environment;
use crate::server::settings::reader::Reader;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug)]
pub struct Server {
    /// Scheme, host and port that people use. Never taken from a request (D5-27).
    pub public_url: Url,
    /// Bytes.
    pub webhook_body_limit: usize,
    pub request_timeout: Duration,
    pub shutdown_grace: Duration,
    /// Whose word for a caller's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// What one address may do in a minute: requests, and failures to prove who sends. None: any number.
    pub address_requests: Option<NonZeroU32>,
    pub address_failures: Option<NonZeroU32>,
    /// Who shows it may read the metrics; without one there are none to read.
    pub metrics_token: Option<SecretString>,
    pub log_format: LogFormat,
    pub log_filter: String,
}

impl Server {
    pub fn read(reader: &mut Reader<'_>, environment: Environment, site_addr: Option<SocketAddr>) -> Option<Self> {
        let public_url = read_public_url(reader, environment, site_addr);
        let body_limit =
            reader.number("server", "webhook-body-limit", &["ROLLCALL_WEBHOOK_BODY_LIMIT"], (1_024, 15_728_640));
        let request_timeout = reader.number("server", "request-timeout", &["ROLLCALL_REQUEST_TIMEOUT"], (1, 300));
        let shutdown_grace = reader.number("server", "shutdown-grace", &["ROLLCALL_SHUTDOWN_GRACE"], (0, 300));
        let trusted_proxies = read_trusted_proxies(reader);
        let requests = reader.number("server", "address-requests", &["ROLLCALL_ADDRESS_REQUESTS"], (0, 100_000_000));
        let failures = reader.number("server", "address-failures", &["ROLLCALL_ADDRESS_FAILURES"], (0, 100_000_000));
        let metrics_token = read_metrics_token(reader);
        let log_format = read_log_format(reader);
        let log_filter = read_log_filter(reader);
        Some(Self {
            public_url: public_url?,
            webhook_body_limit: usize::try_from(body_limit?).ok()?,
            request_timeout: Duration::from_secs(request_timeout?),
            shutdown_grace: Duration::from_secs(shutdown_grace?),
            trusted_proxies,
            address_requests: u32::try_from(requests?).ok().and_then(NonZeroU32::new),
            address_failures: u32::try_from(failures?).ok().and_then(NonZeroU32::new),
            metrics_token,
            log_format: log_format?,
            log_filter: log_filter?,
        })
    }
}

fn read_metrics_token(reader: &mut Reader<'_>) -> Option<SecretString> {
    const SHORTEST: usize = 16;
    let (variable, token) = reader.secret(&["ROLLCALL_METRICS_TOKEN"])?;
    let text = token.expose_secret();
    if text.len() < SHORTEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return reader
            .problem(&variable, "must be 16 characters or more, without spaces: openssl rand -hex 16 makes one");
    }
    Some(token)
}

/// Addresses, or networks in CIDR notation.
fn read_trusted_proxies(reader: &mut Reader<'_>) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in reader.list("server", "trusted-proxies", &["ROLLCALL_TRUSTED_PROXIES"]) {
        if let Ok(network) = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
            networks.push(network);
        } else {
            let message = format!("{text:?} must be an address or a network such as 10.0.0.0/8");
            reader.problem::<()>("ROLLCALL_TRUSTED_PROXIES", message);
        }
    }
    networks
}

fn read_log_format(reader: &mut Reader<'_>) -> Option<LogFormat> {
    match reader.required_text("server", "log-format", &["ROLLCALL_LOG_FORMAT"])?.trim() {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => reader.problem("ROLLCALL_LOG_FORMAT", "must be text or json"),
    }
}

fn read_log_filter(reader: &mut Reader<'_>) -> Option<String> {
    const VARIABLES: [&str; 2] = ["ROLLCALL_LOG", "RUST_LOG"];
    let filter = reader.required_text("server", "log-filter", &VARIABLES)?;
    if filter.parse::<tracing_subscriber::EnvFilter>().is_err() {
        let name = reader.name_of("server", "log-filter", &VARIABLES);
        return reader.problem(&name, "is not a filter, such as info or rollcall=debug");
    }
    Some(filter)
}

/// Required in production; in development it follows the listen address.
fn read_public_url(reader: &mut Reader<'_>, environment: Environment, site_addr: Option<SocketAddr>) -> Option<Url> {
    const VARIABLES: [&str; 2] = ["ROLLCALL_PUBLIC_URL", "NEXT_PUBLIC_URL"];
    let text = match (reader.text("server", "public-url", &VARIABLES), environment) {
        (Some(text), _) => text,
        (None, Environment::Development) => format!("http://localhost:{}", site_addr?.port()),
        (None, Environment::Production) => {
            return reader.problem(VARIABLES[0], "is required in production, such as https://app.example.com");
        }
    };
    let name = reader.name_of("server", "public-url", &VARIABLES);
    let Ok(url) = Url::parse(text.trim()) else {
        return reader.problem(&name, "must be an address such as https://app.example.com");
    };
    // What is left of an origin: anything more (a path, a query, a user) would end up in links and in `azp`.
    let origin_only = url.as_str() == format!("{}/", url.origin().ascii_serialization());
    if !matches!(url.scheme(), "http" | "https") || !origin_only {
        return reader.problem(&name, "must be scheme, host and port only, such as https://app.example.com");
    }
    Some(url)
}
