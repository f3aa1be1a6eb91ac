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

use futures::{StreamExt, TryStreamExt};
use mongodb::bson::{Bson, Document, doc, serialize_to_raw_document_buf};
use mongodb::error::{ErrorKind, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR, WriteFailure};
use mongodb::options::{Acknowledgment, ClientOptions, IndexOptions, ReadPreference, SelectionCriteria, WriteConcern};
use mongodb::{Client, Collection, Database, IndexModel};
use secrecy::ExposeSecret;
use serde::Serialize;

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
/// MongoDB takes the documents of one `insert` in one transaction, and whoever writes meanwhile, an acknowledgement say,
/// waits until that is over: with 500 a command the median went from 1.6 to 7 ms, with 50 to 2.9 (benches/README.md).
const INSERTS_AT_ONCE: usize = 50;
const GOODBYE: Duration = Duration::from_secs(1);
/// How many such commands are on their way at once.
const INSERT_COMMANDS: usize = 2;
/// How long a majority may take to confirm a command of many writes.
const WRITE_WITHIN_MS: i32 = 10_000;

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

    /// Whether it refuses the user or the password.
    pub fn is_refused_login(&self) -> bool {
        matches!(self, Self::Refused(error) if matches!(*error.0.kind, ErrorKind::Authentication { .. }))
    }

    /// Whether the same call may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::TimedOut | Self::NotNow(_))
    }
}

/// How a command of many writes ended.
struct Answer {
    /// Documents that some statement matched or added.
    matched: u64,
    refused: Vec<Refusal>,
}

impl Answer {
    /// Nothing was refused, or it is an error.
    fn whole(self) -> Result<(), Error> {
        self.refused.first().map_or(Ok(()), |refusal| Err(Error::Document(refusal.code)))
    }
}

/// One statement that was not carried out.
struct Refusal {
    /// Its place among the statements.
    place: usize,
    code: i32,
    /// The first field of the unique index that it would have broken.
    key: Option<String>,
}

/// Many writes (`insert` or `update`), in no order, journaled on a majority on return: what that costs is paid once,
/// however many there are (design 2.4).
async fn write_each<T: Send + Sync, S: Serialize>(
    collection: &Collection<T>,
    verb: &'static str,
    statements: Vec<S>,
) -> Result<Answer, Error> {
    if verb != "insert" || statements.len() <= INSERTS_AT_ONCE {
        return write_command(collection, verb, statements).await;
    }
    let mut left = statements.into_iter();
    let parts = std::iter::from_fn(|| {
        let part: Vec<S> = left.by_ref().take(INSERTS_AT_ONCE).collect();
        (!part.is_empty()).then_some(part)
    });
    let parts: Vec<Vec<S>> = parts.collect();
    let commands = parts.into_iter().map(|part| write_command(collection, verb, part));
    let answers: Vec<Answer> = futures::stream::iter(commands).buffered(INSERT_COMMANDS).try_collect().await?;
    let mut whole = Answer { matched: 0, refused: Vec::new() };
    for (number, answer) in answers.into_iter().enumerate() {
        let first = number * INSERTS_AT_ONCE;
        whole.matched += answer.matched;
        let moved = |refusal: Refusal| Refusal { place: first + refusal.place, ..refusal };
        whole.refused.extend(answer.refused.into_iter().map(moved));
    }
    Ok(whole)
}

/// The same in one command.
async fn write_command<T: Send + Sync, S: Serialize>(
    collection: &Collection<T>,
    verb: &'static str,
    statements: Vec<S>,
) -> Result<Answer, Error> {
    let namespace = collection.namespace();
    let written = |error: mongodb::bson::error::Error| Error::from(mongodb::error::Error::custom(error));
    let command = match verb {
        "insert" => serialize_to_raw_document_buf(&Insert::of(&namespace.coll, statements)),
        _ => serialize_to_raw_document_buf(&Update::of(&namespace.coll, statements)),
    };
    let database = collection.client().database(&namespace.db);
    let command = command.map_err(written)?;
    // Every write here is safe to repeat: what the first attempt did is met by its key, its guard or its mark. Only numbers
    // for charts may be added twice.
    let answer = match database.run_raw_command(command.clone()).await.map_err(Error::from) {
        Err(Error::Unavailable(_)) => database.run_raw_command(command).await?,
        answer => answer?,
    };
    read_answer(&answer)
}

/// What it cannot take now, it takes when the whole command is repeated: only what it will not have is a refusal.
fn read_answer(answer: &Document) -> Result<Answer, Error> {
    if answer.contains_key("writeConcernError") {
        return Err(Error::TimedOut);
    }
    let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    let refused: Vec<Refusal> = errors.iter().filter_map(Bson::as_document).filter_map(refusal).collect();
    match refused.iter().find(|refusal| codes::is_passing(refusal.code)) {
        Some(refusal) => Err(Error::NotNow(refusal.code)),
        None => Ok(Answer { matched: answer.get_i32("n").map_or(0, |count| u64::from(count.unsigned_abs())), refused }),
    }
}

fn refusal(error: &Document) -> Option<Refusal> {
    let pattern = error.get_document("keyPattern").ok();
    Some(Refusal {
        place: usize::try_from(error.get_i32("index").ok()?).ok()?,
        code: error.get_i32("code").unwrap_or_default(),
        key: pattern.and_then(|pattern| pattern.keys().next().cloned()),
    })
}

#[derive(Serialize)]
struct Insert<'a, S> {
    #[serde(rename = "insert")]
    collection: &'a str,
    documents: Vec<S>,
    ordered: bool,
    #[serde(rename = "writeConcern")]
    write_concern: Document,
}

#[derive(Serialize)]
struct Update<'a, S> {
    #[serde(rename = "update")]
    collection: &'a str,
    updates: Vec<S>,
    ordered: bool,
    #[serde(rename = "writeConcern")]
    write_concern: Document,
}

impl<'a, S> Insert<'a, S> {
    fn of(collection: &'a str, documents: Vec<S>) -> Self {
        Self { collection, documents, ordered: false, write_concern: journaled() }
    }
}

impl<'a, S> Update<'a, S> {
    fn of(collection: &'a str, updates: Vec<S>) -> Self {
        Self { collection, updates, ordered: false, write_concern: journaled() }
    }
}

fn journaled() -> Document {
    doc! { "w": "majority", "j": true, "wtimeout": WRITE_WITHIN_MS }
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
