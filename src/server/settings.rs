//! Every setting: one struct per table of `Leptos.toml`, laid over by the environment, checked as a whole.
//!
//! The only place (with `main.rs`) where the environment is known by name. All problems are reported at once, each by
//! its variable (A0-21, A2-10). Secrets are `SecretString`, so no `Debug` of a setting can print one (D7-01).

pub mod access;
pub mod alerts;
pub mod api;
pub mod canary;
pub mod clerk;
pub mod database;
pub mod effects;
pub mod environment;
pub mod fields;
pub mod inngest;
pub mod mail;
pub mod reader;
pub mod retention;
pub mod server;
pub mod sync;
pub mod telemetry;

use std::fmt;
use std::net::SocketAddr;

use leptos::config::LeptosOptions;

use crate::server::settings::environment::Variables;
use crate::server::settings::reader::Reader;

/// The defaults, compiled in.
pub const DEFAULTS: &str = include_str!("../../Leptos.toml");

/// The one setting in which development differs from production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    Development,
    Production,
}

/// Everything that a process is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    pub environment: Environment,
    pub leptos: LeptosOptions,
    pub server: server::Server,
    pub database: database::Database,
    pub clerk: clerk::Clerk,
    pub sync: sync::Sync,
    pub retention: retention::Retention,
    pub fields: fields::Fields,
    pub access: access::Access,
    pub inngest: inngest::Inngest,
    pub api: api::Api,
    pub effects: effects::Effects,
    pub mail: mail::Mail,
    pub alerts: alerts::Alerts,
    pub telemetry: telemetry::Telemetry,
    /// What works but should be looked at; logged at start and shown by `doctor`.
    pub warnings: Vec<Problem>,
}

/// One thing wrong with one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub variable: String,
    pub message: String,
}

/// Everything wrong with the settings, at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.message)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings have {} problem(s)", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl Settings {
    /// Reads `text` (the shape of `Leptos.toml`) and lays `variables` over it.
    ///
    /// # Errors
    /// Every missing or malformed value, each named by its variable.
    pub fn load(text: &str, variables: &Variables) -> Result<Self, Problems> {
        let mut reader = Reader::new(text, variables).map_err(|problem| Problems(vec![problem]))?;
        for place in variables.unreadable() {
            reader.warning(place, "cannot be read and counts as not set");
        }
        let environment = read_environment(&mut reader);
        let leptos = read_leptos(&mut reader, environment);
        let server = server::Server::read(&mut reader, environment, leptos.as_ref().map(|options| options.site_addr));
        let database = database::Database::read(&mut reader);
        let clerk = clerk::Clerk::read(&mut reader, environment, server.as_ref().map(|server| &server.public_url));
        let sync = sync::Sync::read(&mut reader);
        let retention = retention::Retention::read(&mut reader);
        let fields = fields::Fields::read(&mut reader);
        let access = access::Access::read(&mut reader, environment, &fields);
        let public_url = server.as_ref().map(|server| &server.public_url);
        let inngest = inngest::Inngest::read(&mut reader, environment, public_url);
        let api = api::Api::read(&mut reader, environment);
        let effects = effects::Effects::read(&mut reader);
        let mail = mail::Mail::read(&mut reader);
        let can_mail = mail.as_ref().is_some_and(|mail| mail.smtp.is_some());
        let alerts = alerts::Alerts::read(&mut reader, effects.as_ref(), can_mail);
        let telemetry = telemetry::Telemetry::read(&mut reader);
        let (problems, warnings) = reader.finish();
        let required = leptos.zip(server).zip(database).zip(clerk).zip(sync.zip(retention));
        let optional = inngest.zip(api).zip(effects).zip(mail).zip(alerts).zip(access).zip(telemetry);
        let Some((required, optional)) = required.zip(optional) else { return Err(Problems(problems)) };
        let ((((leptos, server), database), clerk), (sync, retention)) = required;
        let ((((((inngest, api), effects), mail), alerts), access), telemetry) = optional;
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        Ok(Self {
            environment,
            leptos,
            server,
            database,
            clerk,
            sync,
            retention,
            fields,
            access,
            inngest,
            api,
            effects,
            mail,
            alerts,
            telemetry,
            warnings,
        })
    }

    /// The address people type, for messages.
    pub fn public_url(&self) -> &str {
        self.server.public_url.as_str().trim_end_matches('/')
    }
}

fn read_environment(reader: &mut Reader<'_>) -> Environment {
    let word = reader.text("package.metadata.leptos", "env", &["LEPTOS_ENV"]).unwrap_or_default();
    match word.to_ascii_uppercase().as_str() {
        "DEV" | "DEVELOPMENT" => Environment::Development,
        "PROD" | "PRODUCTION" => Environment::Production,
        _ => {
            reader.problem::<()>("LEPTOS_ENV", "must be DEV or PROD");
            Environment::Production
        }
    }
}

fn read_leptos(reader: &mut Reader<'_>, environment: Environment) -> Option<LeptosOptions> {
    const TABLE: &str = "package.metadata.leptos";
    let output_name = reader.required_text(TABLE, "output-name", &["LEPTOS_OUTPUT_NAME"]);
    let site_root = reader.required_text(TABLE, "site-root", &["LEPTOS_SITE_ROOT"]);
    let pkg_dir = reader.required_text(TABLE, "site-pkg-dir", &["LEPTOS_SITE_PKG_DIR"]);
    let site_addr = match (reader.variable("LEPTOS_SITE_ADDR"), reader.variable("PORT")) {
        (None, Some(port)) => match port.parse::<u16>() {
            Ok(port) => Some(SocketAddr::from(([0, 0, 0, 0], port))),
            Err(_) => reader.problem("PORT", "must be a port number from 0 to 65535"),
        },
        _ => {
            reader.parsed::<SocketAddr>(TABLE, "site-addr", &["LEPTOS_SITE_ADDR"], "an address such as 127.0.0.1:3000")
        }
    };
    let env = match environment {
        Environment::Development => leptos::config::Env::DEV,
        Environment::Production => leptos::config::Env::PROD,
    };
    Some(
        LeptosOptions::builder()
            .output_name(output_name?)
            .site_root(site_root?)
            .site_pkg_dir(pkg_dir?)
            .site_addr(site_addr?)
            .env(env)
            .build(),
    )
}

#[cfg(test)]
mod tests;
