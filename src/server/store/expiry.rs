//! What leaves when it is old enough: by indexes that follow the settings, and from the audit trail so that its chain holds.

use std::time::Duration;

use futures::{FutureExt, TryStreamExt};
use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;
use mongodb::options::ReadConcern;
use mongodb::{Collection, Database};

use crate::server::settings::retention::Retention;
use crate::server::store::audit::chain::Chain;
use crate::server::store::audit::{Audit, End, first_kept};
use crate::server::store::encoding::to_date;
use crate::server::store::{Error, Store, partial_index};

const NAMESPACE_NOT_FOUND: i32 = 26;
const INDEX_NOT_FOUND: i32 = 27;
const INDEX_OPTIONS_CONFLICT: i32 = 85;
/// So many entries leave in one transaction.
const AT_ONCE: i64 = 1_000;

/// An index on a moment by which MongoDB removes a document `retention` after it; without one there is no such index.
pub async fn ensure_expiry<T: Send + Sync>(
    database: &Database,
    documents: &Collection<T>,
    (field, name): (&str, &str),
    retention: Option<Duration>,
) -> Result<(), Error> {
    let Some(retention) = retention else { return forget_index(documents, name).await };
    let mut expiring = partial_index(doc! { field: 1 }, name, None);
    expiring.options.get_or_insert_default().expire_after = Some(retention);
    match documents.create_index(expiring).await {
        // It is there with another retention: the setting was changed.
        Err(error) if is_code(&error, INDEX_OPTIONS_CONFLICT) => {
            let seconds = i64::try_from(retention.as_secs()).unwrap_or(i64::MAX);
            let index = doc! { "name": name, "expireAfterSeconds": seconds };
            database.run_command(doc! { "collMod": documents.name(), "index": index }).await?;
            Ok(())
        }
        created => Ok(created.map(|_| ())?),
    }
}

/// Whoever comes second finds it gone, which is as good.
pub(super) async fn forget_index<T: Send + Sync>(documents: &Collection<T>, name: &str) -> Result<(), Error> {
    match documents.drop_index(name).await {
        Err(error) if is_code(&error, INDEX_NOT_FOUND) || is_code(&error, NAMESPACE_NOT_FOUND) => Ok(()),
        dropped => Ok(dropped?),
    }
}

fn is_code(error: &mongodb::error::Error, code: i32) -> bool {
    matches!(*error.kind, ErrorKind::Command(ref failure) if failure.code == code)
}

impl Store {
    /// What is older than `retention` says goes from now on: MongoDB sees to it within a minute, by indexes that follow it.
    pub async fn apply_retention(&self, retention: &Retention) -> Result<(), Error> {
        self.deliveries.ensure_expiry(&self.database, retention.bodies).await?;
        self.events.ensure_expiry(&self.database, retention.events).await?;
        self.runs.ensure_expiry(&self.database, retention.runs).await?;
        self.findings.ensure_expiry(&self.database, retention.runs).await?;
        self.audit.forget(retention.audit, Timestamp::now()).await
    }
}

impl Audit {
    /// Entries of this age leave, and the seal of the last stays as what the first that is kept follows; without an age none
    /// leaves. What does not hold stays, with everything after it.
    pub async fn forget(&self, age: Option<Duration>, now: Timestamp) -> Result<(), Error> {
        let Some(before) = age.and_then(|age| now.saturating_sub(age).ok()) else { return Ok(()) };
        // Entries are in the order of their moments.
        let old = self.entries.find_one(doc! { "at": { "$lt": to_date(before) } }).sort(doc! { "at": -1 });
        let Some(last) = old.await? else { return Ok(()) };
        let start = self.find_start().await?;
        let (mut chain, mut forgotten, mut end) = (Chain::after(&start), start.number, start);
        let rows = self.entries.clone_with_type::<Document>();
        let mut found = rows.find(doc! { "_id": { "$lte": last.number } }).sort(doc! { "_id": 1 }).await?;
        while let Some(Ok(followed)) = found.try_next().await?.map(|row| chain.follow(row)) {
            end = followed;
            if end.number - forgotten == AT_ONCE {
                forgotten = end.number;
                self.forget_until(end.clone()).await?;
            }
        }
        if end.number > forgotten { self.forget_until(end).await } else { Ok(()) }
    }

    /// Of two processes that are at it one comes after the other, and leaves alone what the other did.
    async fn forget_until(&self, end: End) -> Result<(), Error> {
        let mut session = self.locks.client().start_session().await?;
        session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .and_run((self.clone(), end), |session, (audit, end)| {
                async move {
                    let starts = audit.locks.clone_with_type::<End>();
                    let known = starts.find_one(first_kept()).session(&mut *session).await?;
                    if known.is_some_and(|known| known.number >= end.number) {
                        return Ok(());
                    }
                    let fields = doc! { "$set": { "number": end.number, "seal": &end.seal } };
                    audit.locks.update_one(first_kept(), fields).upsert(true).session(&mut *session).await?;
                    let earlier = doc! { "_id": { "$lte": end.number } };
                    audit.entries.delete_many(earlier).session(session).await.map(|_| ())
                }
                .boxed()
            })
            .await?;
        Ok(())
    }
}
