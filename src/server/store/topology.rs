//! What kind of MongoDB this is: replica set, rights, indexes; and the initiation of a single-node set.
//!
//! For `doctor`, `rollcall dev` and tests. Knows nothing of documents.

use std::time::{Duration, Instant};

use futures::TryStreamExt;
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::ClientOptions;
use mongodb::{Client, Database, IndexModel};

use crate::server::store::{
    Error, Store, alerts, audit, deliveries, events, findings, instances, jobs, mutes, runs, saved_filters, statistics,
    users,
};

/// `doctor` waits no longer for what has no index.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// What the server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    /// Name of the replica set, or none for a stand-alone server.
    pub replica_set: Option<String>,
    pub is_writable: bool,
    /// Sharded clusters have no set name of their own but the same guarantees.
    pub is_sharded: bool,
    pub version: String,
}

impl Topology {
    /// Change streams, retryable writes and majority need one (design 2.2).
    pub fn is_durable(&self) -> bool {
        self.replica_set.is_some() || self.is_sharded
    }
}

impl Store {
    pub async fn topology(&self) -> Result<Topology, Error> {
        read_topology(&self.database).await
    }

    /// Does everything that we need to be allowed to, in a collection of its own, and removes that (A2-21).
    pub async fn check_rights(&self) -> Result<(), Error> {
        let probes = self.database.collection::<Document>("doctor");
        let inserted = probes.insert_one(doc! { "probe": true }).await?.inserted_id;
        let own = doc! { "_id": inserted };
        probes.find_one(own.clone()).await?;
        probes.delete_one(own).await?;
        // What a start does to the real collections.
        probes.create_index(IndexModel::builder().keys(doc! { "probe": 1 }).build()).await?;
        self.database.run_command(doc! { "collMod": "doctor", "validator": {} }).await?;
        probes.drop().await?;
        Ok(())
    }

    pub async fn has_foreign_validator(&self) -> Result<bool, Error> {
        self.users.has_foreign_validator(&self.database).await
    }

    /// Which field that must be unique in `users` is not, if one is.
    pub async fn find_doubled_field(&self) -> Result<Option<&'static str>, Error> {
        let users = self.database.collection::<Document>("users");
        for field in ["clerkId", "username"] {
            let doubled = [
                doc! { "$match": { field: { "$gt": "" } } },
                doc! { "$group": { "_id": format!("${field}"), "count": { "$sum": 1 } } },
                doc! { "$match": { "count": { "$gt": 1 } } },
                doc! { "$limit": 1 },
            ];
            if users.aggregate(doubled).max_time(LONGEST_LOOK).await?.try_next().await?.is_some() {
                return Ok(Some(field));
            }
        }
        Ok(None)
    }

    /// Whether an event of this type is stored.
    pub async fn has_event_of(&self, kind: &str) -> Result<bool, Error> {
        let events = self.database.collection::<Document>("events");
        let one = events.find_one(doc! { "kind": kind }).projection(doc! { "_id": 1 });
        Ok(one.max_time(LONGEST_LOOK).await?.is_some())
    }

    /// Names of indexes that should be there and are not, as `collection.index`.
    pub async fn missing_indexes(&self) -> Result<Vec<String>, Error> {
        let wanted = [
            ("users", &users::schema::INDEXES[..], self.users.index_names().await),
            ("deliveries", &deliveries::INDEXES[..], self.deliveries.index_names().await),
            ("events", &events::schema::INDEXES[..], self.events.index_names().await),
            ("jobs", &jobs::INDEXES[..], self.jobs.index_names().await),
            ("alerts", &alerts::INDEXES[..], self.alerts.index_names().await),
            ("mutes", &mutes::INDEXES[..], self.mutes.index_names().await),
            ("filters", &saved_filters::INDEXES[..], self.saved_filters.index_names().await),
            ("runs", &runs::INDEXES[..], self.runs.index_names().await),
            ("findings", &findings::INDEXES[..], self.findings.index_names().await),
            ("audit", &audit::INDEXES[..], self.audit.index_names().await),
            ("statistics", &statistics::INDEXES[..], self.statistics.index_names().await),
            ("instances", &instances::INDEXES[..], self.instances.index_names().await),
        ];
        let mut missing = Vec::new();
        for (collection, names, found) in wanted {
            let found = match found {
                Ok(found) => found,
                // No such collection yet: no index either.
                Err(error) if error.code() == Some(26) => Vec::new(),
                Err(error) => return Err(error),
            };
            missing.extend(
                names
                    .iter()
                    .filter(|name| !found.iter().any(|have| have == *name))
                    .map(|name| format!("{collection}.{name}")),
            );
        }
        Ok(missing)
    }
}

async fn read_topology(database: &Database) -> Result<Topology, Error> {
    let hello = database.run_command(doc! { "hello": 1 }).await?;
    let build = database.run_command(doc! { "buildInfo": 1 }).await?;
    Ok(Topology {
        replica_set: hello.get_str("setName").ok().map(str::to_owned),
        is_writable: hello.get_bool("isWritablePrimary").unwrap_or(false),
        is_sharded: hello.get_str("msg").is_ok_and(|message| message == "isdbgrid"),
        version: build.get_str("version").unwrap_or("unknown").to_owned(),
    })
}

/// Makes the server at `address` (host:port) a replica set of one, if it is none yet, and waits until it takes writes.
///
/// # Errors
/// `Unavailable` or `TimedOut` when the server does not come up within `within`.
pub async fn ensure_replica_set(address: &str, set_name: &str, within: Duration) -> Result<(), Error> {
    let uri = format!("mongodb://{address}/?directConnection=true");
    let mut options = ClientOptions::parse(&uri).await.map_err(Error::ConnectionString)?;
    options.server_selection_timeout = Some(within);
    let database = Client::with_options(options).map_err(Error::ConnectionString)?.database("admin");
    let members = doc! { "_id": set_name, "members": [{ "_id": 0, "host": address }] };
    match database.run_command(doc! { "replSetInitiate": members }).await {
        Ok(_) => {}
        // AlreadyInitialized: this server was a set before, or another process was quicker.
        Err(error) if matches!(*error.kind, ErrorKind::Command(ref failure) if failure.code == 23) => {}
        Err(error) => return Err(error.into()),
    }
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if read_topology(&database).await.is_ok_and(|topology| topology.is_writable) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(Error::TimedOut)
}
