//! The tests' MongoDB: the one that nextest started for the run, else one for this process.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::options::ClientOptions;
use rollcall::server::store::topology::ensure_replica_set;

use crate::support::eventually;

/// Base of the connection string, ending in `/?…`.
fn base() -> &'static str {
    static BASE: OnceLock<String> = OnceLock::new();
    BASE.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "the runner says by the environment where its MongoDB is")]
        if let Ok(uri) = std::env::var("ROLLCALL_TEST_MONGODB_URI") {
            return uri;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/mongod.sh");
        let output = Command::new(script).arg(std::process::id().to_string()).output().expect("bash");
        let text = String::from_utf8_lossy(&output.stdout);
        let uri = text.trim().strip_prefix("ROLLCALL_TEST_MONGODB_URI=");
        assert!(uri.is_some(), "no MongoDB: {}", String::from_utf8_lossy(&output.stderr));
        uri.unwrap_or_default().to_owned()
    })
}

/// Host and port of another MongoDB, which ends with this process: a stand-alone server with these options.
pub fn unrestricted_mongod(options: &[&str]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/mongod.sh");
    let output = Command::new(script).arg(std::process::id().to_string()).args(options).output().expect("bash");
    let text = String::from_utf8_lossy(&output.stdout);
    let uri = text.trim().strip_prefix("ROLLCALL_TEST_MONGODB_URI=mongodb://");
    let address = uri.and_then(|uri| uri.split('/').next());
    assert!(address.is_some(), "no MongoDB: {}", String::from_utf8_lossy(&output.stderr));
    address.unwrap_or_default().to_owned()
}

/// A database that no other test has, removed by `drop`.
pub struct TestDatabase {
    pub name: String,
    pub uri: String,
    pub client: Client,
}

impl TestDatabase {
    pub async fn new() -> Self {
        let base = base();
        let address = base.trim_start_matches("mongodb://").split('/').next().expect("host and port");
        ensure_replica_set(address, "rs0", Duration::from_secs(30)).await.expect("a replica set");
        Self::at(base).await
    }

    /// On another MongoDB, which takes writes already; `base` ends in `/?…`.
    pub async fn at(base: &str) -> Self {
        let name = format!("test_{}", mongodb::bson::oid::ObjectId::new().to_hex());
        let uri = base.replacen("/?", &format!("/{name}?"), 1);
        let options = ClientOptions::parse(&uri).await.expect("a connection string");
        let client = Client::with_options(options).expect("a client");
        Self { name, uri, client }
    }

    /// Host and port of the one node.
    pub fn address(&self) -> String {
        self.uri.trim_start_matches("mongodb://").split('/').next().expect("host and port").to_owned()
    }

    /// The database itself, for what only one test asks of it.
    pub fn handle(&self) -> mongodb::Database {
        self.client.database(&self.name)
    }

    fn collection(&self, name: &str) -> mongodb::Collection<Document> {
        self.handle().collection(name)
    }

    pub async fn user(&self, clerk_id: &str) -> Option<Document> {
        self.collection("users").find_one(doc! { "clerkId": clerk_id }).await.expect("a query")
    }

    /// An event that was acknowledged, once it has an outcome.
    pub async fn event(&self, id: &str) -> Option<Document> {
        self.recorded().await;
        self.collection("events").find_one(doc! { "_id": id }).await.expect("a query")
    }

    /// Batches of deliveries whose events are not all in `events` yet.
    pub async fn open_batches(&self) -> u64 {
        self.count("deliveries", doc! { "dueAt": { "$exists": true } }).await
    }

    /// Waits until every event that was delivered is in `events`.
    pub async fn recorded(&self) {
        eventually("every delivered event has an outcome", || async {
            match self.open_batches().await {
                0 => Ok(()),
                open => Err(format!("{open} batches")),
            }
        })
        .await;
    }

    /// Any one document.
    pub async fn find(&self, collection: &str, filter: Document) -> Option<Document> {
        self.collection(collection).find_one(filter).await.expect("a query")
    }

    pub async fn remove(&self, collection: &str, filter: Document) {
        self.collection(collection).delete_many(filter).await.expect("removed");
    }

    pub async fn job(&self, key: &str) -> Option<Document> {
        self.collection("jobs").find_one(doc! { "_id": key }).await.expect("a query")
    }

    pub async fn count(&self, collection: &str, filter: Document) -> u64 {
        self.collection(collection).count_documents(filter).await.expect("a count")
    }

    pub async fn all(&self, collection: &str) -> Vec<Document> {
        use futures::TryStreamExt;
        let found = self.collection(collection).find(doc! {}).await.expect("a query");
        found.try_collect().await.expect("documents")
    }

    pub async fn set(&self, collection: &str, filter: Document, fields: Document) {
        self.collection(collection).update_one(filter, doc! { "$set": fields }).await.expect("an update");
    }

    pub async fn insert(&self, collection: &str, document: Document) {
        self.collection(collection).insert_one(document).await.expect("an insert");
    }

    /// As a database looks that had no validator when its documents were written.
    pub async fn relax(&self, collection: &str) {
        let change = doc! { "collMod": collection, "validationLevel": "moderate", "validationAction": "warn" };
        self.client.database(&self.name).run_command(change).await.expect("changed");
    }

    pub async fn drop(&self) {
        self.client.database(&self.name).drop().await.expect("the database goes");
    }
}
