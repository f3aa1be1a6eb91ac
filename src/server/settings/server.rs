//! Table `[server]`: where we are reached and how long we wait.

use std::net::SocketAddr;
use std::time::Duration;

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
        let log_format = read_log_format(reader);
        let log_filter = read_log_filter(reader);
        Some(Self {
            public_url: public_url?,
            webhook_body_limit: usize::try_from(body_limit?).ok()?,
            request_timeout: Duration::from_secs(request_timeout?),
            shutdown_grace: Duration::from_secs(shutdown_grace?),
            log_format: log_format?,
            log_filter: log_filter?,
        })
    }
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
