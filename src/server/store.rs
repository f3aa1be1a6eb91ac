//! MongoDB, and nobody else imports the driver: one file per collection with its document, indexes and named queries.
//!
//! It stores; it does not judge: no decision about Clerk's data is taken here. Every write waits for a journaled
//! majority (design 2.4).

pub mod alerts;
pub mod allowances;
pub mod audit;
pub mod canary;
pub mod clerk_instance;
pub mod codes;
pub mod commands;
pub mod deliveries;
pub mod directory;
pub mod dossier;
pub mod encoding;
pub mod endpoints;
pub mod erasure;
pub mod events;
pub mod examinations;
pub mod expiry;
pub mod findings;
pub mod instances;
pub mod jobs;
pub mod legible;
pub mod mutes;
pub mod paging;
pub mod pending;
pub mod roles;
pub mod runs;
pub mod saved_filters;
pub mod secrets;
pub mod statistics;
pub mod together;
pub mod topology;
pub mod users;

use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Document, doc};
use mongodb::error::{ErrorKind, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR, WriteFailure};
use mongodb::options::{Acknowledgment, ClientOptions, IndexOptions, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Database, IndexModel};
use secrecy::ExposeSecret;

use crate::server::settings;
use crate::server::settings::fields::Fields;
use crate::server::store::alerts::Alerts;
use crate::server::store::allowances::Allowances;
use crate::server::store::audit::Audit;
use crate::server::store::canary::Canary;
use crate::server::store::clerk_instance::ClerkInstance;
use crate::server::store::codes::Cause;
use crate::server::store::deliveries::Deliveries;
use crate::server::store::directory::Directory;
use crate::server::store::endpoints::Endpoints;
use crate::server::store::events::Events;
use crate::server::store::examinations::Examinations;
use crate::server::store::findings::Findings;
use crate::server::store::instances::Instances;
use crate::server::store::jobs::Jobs;
use crate::server::store::mutes::Mutes;
use crate::server::store::pending::Pending;
use crate::server::store::roles::Roles;
use crate::server::store::runs::Runs;
use crate::server::store::saved_filters::SavedFilters;
use crate::server::store::secrets::Secrets;
use crate::server::store::statistics::Statistics;
use crate::server::store::together::Together;
use crate::server::store::users::Users;

/// MongoDB's code for a duplicate key.
const DUPLICATE_KEY: i32 = 11_000;
const GOODBYE: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers, or not in time: the same call may succeed later.
    #[error("MongoDB is not available")]
    Unavailable(#[source] Cause),
    /// MongoDB did not answer within the time we allow.
    #[error("MongoDB did not answer in time")]
    TimedOut,
    /// The connection string cannot be used.
    #[error("the connection string cannot be used")]
    ConnectionString(#[source] mongodb::error::Error),
    /// It will not have one of the documents, for the reason of this code.
    #[error("MongoDB refused a document (code {0})")]
    Document(i32),
    /// It cannot write now, for the reason of this code.
    #[error("MongoDB cannot write now (code {0})")]
    NotNow(i32),
    /// It answered that it will not do it.
    #[error("MongoDB refused")]
    Refused(#[source] Cause),
}

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        let passing = matches!(
            *error.kind,
            ErrorKind::Io(_)
                | ErrorKind::ServerSelection { .. }
                | ErrorKind::ConnectionPoolCleared { .. }
                | ErrorKind::DnsResolve { .. }
        ) || error.contains_label(RETRYABLE_WRITE_ERROR)
            || error.contains_label(TRANSIENT_TRANSACTION_ERROR)
            || codes::is_passing_kind(&error.kind);
        if passing { Self::Unavailable(Cause(error)) } else { Self::Refused(Cause(error)) }
    }
}

impl Error {
    /// MongoDB's number for what it refused.
    pub fn code(&self) -> Option<i32> {
        let error = match self {
            Self::Refused(error) => error,
            Self::Document(code) | Self::NotNow(code) => return Some(*code),
            _ => return None,
        };
        match &*error.0.kind {
            ErrorKind::Command(failure) => Some(failure.code),
            ErrorKind::Write(WriteFailure::WriteError(failure)) => Some(failure.code),
            _ => None,
        }
    }

    /// Whether single documents are refused, and the others taken.
    pub fn is_of_a_document(&self) -> bool {
        matches!(self, Self::Document(code) if !codes::is_of_the_collection(*code))
    }

    /// Whether it refuses the user or the password.
    pub fn is_refused_login(&self) -> bool {
        matches!(self, Self::Refused(error) if matches!(*error.0.kind, ErrorKind::Authentication { .. }))
    }

    /// Whether the same call may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TimedOut | Self::NotNow(_))
    }
}

/// An index over some of the documents, or over all.
fn partial_index(keys: Document, name: &str, over: Option<Document>) -> IndexModel {
    let mut options = IndexOptions::builder().name(name.to_owned()).build();
    options.partial_filter_expression = over;
    IndexModel::builder().keys(keys).options(options).build()
}

/// All collections of one database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub users: Users,
    pub deliveries: Deliveries,
    pub events: Events,
    pub jobs: Jobs,
    pub alerts: Alerts,
    pub allowances: Allowances,
    pub canary: Canary,
    pub clerk_instance: ClerkInstance,
    pub mutes: Mutes,
    pub saved_filters: SavedFilters,
    pub directory: Directory,
    pub endpoints: Endpoints,
    pub roles: Roles,
    pub runs: Runs,
    pub findings: Findings,
    pub audit: Audit,
    pub secrets: Secrets,
    pub statistics: Statistics,
    pub instances: Instances,
    pub examinations: Examinations,
    pending: Arc<Together<Vec<Pending>>>,
    database: Database,
}

impl Store {
    /// Prepares a client; no connection is made before the first call. `fields` are the application's own.
    ///
    /// # Errors
    /// `ConnectionString` when it cannot be parsed or resolved.
    pub async fn connect(settings: &settings::database::Database, fields: &Fields) -> Result<Self, Error> {
        let mut options = ClientOptions::parse(settings.uri.expose_secret()).await.map_err(Error::ConnectionString)?;
        options.app_name = Some("rollcall".to_owned());
        options.server_selection_timeout = Some(settings.timeout);
        options.connect_timeout = Some(settings.timeout);
        // A role and a version are read where they are written, whatever the connection string prefers.
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
        options.max_pool_size = Some(settings.pool);
        options.write_concern = Some(
            WriteConcern::builder()
                .w(Acknowledgment::Majority)
                .journal(true)
                .w_timeout(settings.timeout.max(Duration::from_secs(5)))
                .build(),
        );
        let name = options.default_database.clone().unwrap_or_else(|| settings.name.clone());
        let database = Client::with_options(options).map_err(Error::ConnectionString)?.database(&name);
        Ok(Self {
            users: Users::of(&database, fields),
            deliveries: Deliveries::of(&database),
            events: Events::of(&database),
            jobs: Jobs::of(&database),
            alerts: Alerts::of(&database),
            allowances: Allowances::of(&database),
            canary: Canary::of(&database),
            clerk_instance: ClerkInstance::of(&database),
            mutes: Mutes::of(&database),
            saved_filters: SavedFilters::of(&database),
            directory: Directory::of(&database, fields),
            endpoints: Endpoints::of(&database),
            roles: Roles::of(&database, fields),
            runs: Runs::of(&database),
            findings: Findings::of(&database),
            audit: Audit::of(&database),
            secrets: Secrets::of(&database),
            statistics: Statistics::of(&database),
            instances: Instances::of(&database),
            examinations: Examinations::of(&database),
            pending: Arc::default(),
            database,
        })
    }

    /// Says goodbye to MongoDB, within a second. Nothing can be asked afterwards.
    pub async fn close(&self) {
        let goodbye = self.database.client().clone().shutdown().immediate(true);
        let _ = tokio::time::timeout(GOODBYE, goodbye.into_future()).await;
    }

    /// Creates collections, validator and indexes that are missing; leaves others' alone. Safe to repeat. Nothing goes by
    /// it: how long what is kept is kept is said by whoever serves (`apply_retention`).
    pub async fn ensure_schema(&self) -> Result<(), Error> {
        self.users.ensure_schema(&self.database).await?;
        self.users.pseudonyms.ensure_key().await?;
        self.deliveries.ensure_indexes().await?;
        self.events.ensure_indexes().await?;
        self.jobs.ensure_indexes().await?;
        self.alerts.ensure_indexes().await?;
        self.mutes.ensure_indexes().await?;
        self.saved_filters.ensure_indexes().await?;
        self.runs.ensure_indexes().await?;
        self.findings.ensure_indexes().await?;
        self.statistics.ensure_indexes().await?;
        self.instances.ensure_indexes().await?;
        self.audit.ensure_indexes().await
    }

    pub async fn ping(&self) -> Result<(), Error> {
        self.database.run_command(doc! { "ping": 1 }).await?;
        Ok(())
    }

    pub fn database_name(&self) -> &str {
        self.database.name()
    }
}
