//! MongoDB: reachable, a replica set, rights, validator, indexes, and an audit trail that holds.

use crate::server::error::causes;
use crate::server::health::Finding;
use crate::server::store::topology::Topology;
use crate::server::store::{Error, Store};

/// MongoDB's code for who lacks a right.
const UNAUTHORIZED: i32 = 13;

pub async fn examine(store: &Store) -> Vec<Finding> {
    let topology = match store.topology().await {
        Ok(topology) => topology,
        Err(error) => return vec![unreachable(&error)],
    };
    let mut findings = vec![
        Finding::good("MongoDB reachable", format!("version {}", topology.version)),
        replica_set(&topology),
        rights(store).await,
    ];
    findings.extend(validator(store).await);
    findings.push(indexes(store).await);
    findings.push(audit(store).await);
    findings
}

/// Who is refused at the door is told so: it looks the same as nobody at home otherwise.
fn unreachable(error: &Error) -> Finding {
    const CHECK: &str = "MongoDB reachable";
    if error.is_refused_login() {
        return Finding::bad(
            CHECK,
            "MongoDB refuses the user or the password",
            "correct user and password in MONGODB_URI (percent-encoded), or add ?authSource=admin",
        );
    }
    Finding::bad(CHECK, causes(error), "start MongoDB, or correct MONGODB_URI (host, port, user, password, TLS)")
}

fn replica_set(topology: &Topology) -> Finding {
    const CHECK: &str = "replica set";
    match &topology.replica_set {
        Some(_) if !topology.is_writable => Finding::bad(
            CHECK,
            "the node that answers takes no writes",
            "name every node and ?replicaSet=… in MONGODB_URI, without directConnection; see rs.status()",
        ),
        Some(name) => Finding::good(CHECK, name.clone()),
        None if topology.is_sharded => Finding::good(CHECK, "a sharded cluster"),
        None => Finding::bad(
            CHECK,
            "a stand-alone server: no majority to confirm a write",
            "start mongod with --replSet rs0 and run rs.initiate() once; one node is enough",
        ),
    }
}

async fn rights(store: &Store) -> Finding {
    const CHECK: &str = "MongoDB rights";
    match store.check_rights().await {
        Ok(()) => Finding::good(CHECK, "may write, read and delete"),
        Err(error) => Finding::bad(
            CHECK,
            match error.code() {
                Some(UNAUTHORIZED) => format!("not authorized on {} (code {UNAUTHORIZED})", store.database_name()),
                _ => causes(&error),
            },
            format!("grant the user readWrite and dbAdmin on the database {}", store.database_name()),
        ),
    }
}

/// Nothing to say when it is ours, or when there is no collection yet.
async fn validator(store: &Store) -> Option<Finding> {
    const CHECK: &str = "validator";
    match store.has_foreign_validator().await {
        Ok(false) => None,
        Ok(true) => Some(Finding::warning(
            CHECK,
            "the collection users has one of somebody else's, which may refuse people",
            "see that it takes what Rollcall writes, or remove it: db.runCommand({collMod: \"users\", validator: {}})",
        )),
        Err(error) => Some(Finding::bad(CHECK, causes(&error), "grant the user the right to list collections")),
    }
}

async fn indexes(store: &Store) -> Finding {
    const CHECK: &str = "indexes";
    let missing = match store.missing_indexes().await {
        Ok(missing) => missing,
        Err(error) => return Finding::bad(CHECK, causes(&error), "grant the user the right to list indexes"),
    };
    if missing.is_empty() {
        return match store.users.foreign_unique_indexes().await {
            Ok(foreign) if !foreign.is_empty() => Finding::warning(
                CHECK,
                format!("unique indexes on users that are not ours: {}", foreign.join(", ")),
                "remove them, or make them not unique: Clerk may know two people whom they tell apart from nobody",
            ),
            _ => Finding::good(CHECK, "all there"),
        };
    }
    match store.find_doubled_field().await {
        Ok(Some(field)) => Finding::bad(
            CHECK,
            format!("two documents of users have the same {field}, so its unique index cannot be made"),
            format!("remove one of them (group users by {field} to find them), then start `rollcall serve`"),
        ),
        _ => Finding::warning(
            CHECK,
            format!("missing: {}", missing.join(", ")),
            "start `rollcall serve` once: it creates them",
        ),
    }
}

async fn audit(store: &Store) -> Finding {
    const CHECK: &str = "audit trail";
    match store.audit.verify().await {
        Ok(trail) => match trail.broken {
            None => Finding::good(CHECK, format!("{} entries, unbroken", trail.entries)),
            Some(broken) => Finding::bad(
                CHECK,
                format!("entry {} does not hold: {}", broken.number, broken.cause),
                format!(
                    "somebody else wrote to the collection audit: compare from entry {} on with a backup",
                    broken.number
                ),
            ),
        },
        Err(error) => Finding::bad(CHECK, causes(&error), "grant the user the right to read the collection audit"),
    }
}
