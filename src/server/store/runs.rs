//! Collection `runs`: walks through everybody at Clerk, each with its checkpoint and its history, and when the next is due.
//!
//! Of all runs one is running (a unique index says so), by whoever holds its lease; what somebody else records is not
//! kept. What a run does is decided elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt;
use jiff::Timestamp;
use mongodb::bson::{Bson, Document, doc, serialize_to_bson};
use mongodb::options::{IndexOptions, ReturnDocument};
use mongodb::{Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};

use crate::model::event_filter::ReplayPlan;
use crate::model::finding::Difference;
use crate::model::replay::ReplaySums;
use crate::model::run::{Counted, RunCounts, RunKind, RunOptions, RunState, Starter, Wish};
use crate::server::store::encoding::{date, optional_date, to_date};
use crate::server::store::expiry::ensure_expiry;
use crate::server::store::findings::Found;
use crate::server::store::{DUPLICATE_KEY, Error};

/// Where in Clerk's list a run is; of a replay, among the events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// The last person seen.
    pub cursor: Option<String>,
    /// When they joined, in milliseconds.
    pub joined_at: Option<i64>,
    /// Who joined in that millisecond, as far as they were seen.
    pub tail: Vec<String>,
}

/// A person who differed a moment ago, and as what Clerk had them then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspect {
    pub clerk_id: String,
    /// Clerk's `updated_at`; none if Clerk did not know them.
    pub updated_at: Option<i64>,
    /// When that was, in milliseconds.
    pub seen_at: i64,
    /// How often it was something else than the time before.
    pub moves: u32,
}

/// Everything that a checkpoint moves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    pub place: Place,
    pub pages: u64,
    pub counts: RunCounts,
    /// Of those seen, who joined before the run began.
    pub listed_before: u64,
    /// Whether everybody was looked at, so that only tombstones and the counts are left.
    pub is_walked: bool,
    /// People at Clerk who are known not to be here, as people who were skipped.
    pub absent: u64,
    pub fields: BTreeMap<String, u64>,
    /// Of a replay: what it changed, or would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sums: Option<ReplaySums>,
    /// Not in `findings` yet: the next checkpoint puts it there.
    #[serde(skip)]
    pub found: Vec<Found>,
    /// Of an attempt at the same step that came to no checkpoint: counted, and not met again so far.
    #[serde(skip)]
    pub recalled: Vec<Difference>,
    pub suspects: Vec<Suspect>,
    /// Here and certainly not at Clerk: held until it is known how many they are.
    pub held: Vec<String>,
    pub per_second: u64,
}

impl Progress {
    /// Without what is only needed to go on.
    fn leave_place(&mut self) {
        self.place = Place::default();
        self.suspects.clear();
        self.held.clear();
    }
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    #[serde(rename = "_id")]
    pub id: String,
    pub kind: RunKind,
    pub state: RunState,
    pub starter: Starter,
    pub options: RunOptions,
    pub wish: Option<Wish>,
    #[serde(with = "date")]
    pub started_at: Timestamp,
    #[serde(default, with = "optional_date")]
    pub finished_at: Option<Timestamp>,
    /// When it was last heard of.
    #[serde(with = "date")]
    pub moved_at: Timestamp,
    /// Who changed before that is not looked at, in a catch-up.
    #[serde(default, with = "optional_date")]
    pub since: Option<Timestamp>,
    pub lease_owner: Option<String>,
    #[serde(default, with = "optional_date")]
    pub lease_until: Option<Timestamp>,
    /// People at Clerk, and here, when it began.
    pub total: u64,
    pub here: u64,
    pub progress: Progress,
    pub counted: Option<Counted>,
    pub cause: Option<String>,
    /// Of a replay: which events, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayPlan>,
    /// When it may be forgotten.
    #[serde(default, with = "optional_date", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Whose turn it is, and until when.
#[derive(Clone, Copy, Debug)]
pub struct Lease<'a> {
    pub owner: &'a str,
    pub now: Timestamp,
    pub until: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Runs {
    documents: Collection<Run>,
}

impl Runs {
    pub fn of(database: &Database) -> Self {
        Self { documents: database.collection("runs") }
    }

    /// Adds a run that is running. `false`: another one is.
    pub async fn insert(&self, run: &Run) -> Result<bool, Error> {
        unless_another(self.documents.insert_one(run).await.map(|_| true).map_err(Error::from))
    }

    pub async fn find(&self, id: &str) -> Result<Option<Run>, Error> {
        Ok(self.documents.find_one(doc! { "_id": id }).await?)
    }

    /// The one that is running.
    pub async fn find_running(&self) -> Result<Option<Run>, Error> {
        Ok(self.documents.find_one(doc! { "state": RunState::Running.as_str() }).await?)
    }

    /// The newest of a kind in one of these states; dry ones aside.
    pub async fn find_newest(&self, kind: RunKind, states: &[RunState]) -> Result<Option<Run>, Error> {
        let of = doc! { "kind": kind.as_str(), "state": { "$in": words(states) }, "options.dryRun": { "$ne": true } };
        Ok(self.documents.find_one(of).sort(doc! { "startedAt": -1 }).await?)
    }

    /// The newest of a kind that was wanted in this way, a dry one too, however it stands.
    pub async fn find_newest_like(&self, kind: RunKind, options: RunOptions) -> Result<Option<Run>, Error> {
        let of = doc! {
            "kind": kind.as_str(),
            "options.dryRun": options.dry_run,
            "options.allowDeletions": options.allow_deletions,
        };
        Ok(self.documents.find_one(of).sort(doc! { "startedAt": -1 }).await?)
    }

    /// The newest of all kinds, from before this moment on.
    pub async fn list_before(&self, before: Option<Timestamp>, limit: i64) -> Result<Vec<Run>, Error> {
        let mut runs = doc! { "kind": { "$exists": true } };
        if let Some(before) = before {
            runs.insert("startedAt", doc! { "$lt": to_date(before) });
        }
        Ok(self.documents.find(runs).sort(doc! { "startedAt": -1 }).limit(limit).await?.try_collect().await?)
    }

    /// The newest of all kinds.
    pub async fn list_newest(&self, limit: i64) -> Result<Vec<Run>, Error> {
        self.list_before(None, limit).await
    }

    /// Takes a running run that nobody is at.
    pub async fn take(&self, id: &str, lease: Lease<'_>) -> Result<Option<Run>, Error> {
        let free = doc! { "_id": id, "state": RunState::Running.as_str(), "leaseUntil": free_at(lease.now) };
        self.change(free, doc! { "$set": fields_of(lease), "$unset": { "wish": "" } }).await
    }

    /// Takes one that waits at its checkpoint. `None`: it does not wait, or another run is running.
    pub async fn resume(&self, id: &str, lease: Option<Lease<'_>>) -> Result<Option<Run>, Error> {
        let waiting = words(&[RunState::Paused, RunState::Failed]);
        let mut fields = lease.map(fields_of).unwrap_or_default();
        fields.insert("state", RunState::Running.as_str());
        let gone = doc! { "wish": "", "cause": "", "finishedAt": "" };
        let waits = doc! { "_id": id, "state": { "$in": waiting } };
        match self.change(waits, doc! { "$set": fields, "$unset": gone }).await {
            Err(error) if error.code() == Some(DUPLICATE_KEY) => Ok(None),
            resumed => resumed,
        }
    }

    /// Keeps the lease, and hears what operators want. `None`: somebody else has it now.
    pub async fn renew(&self, id: &str, lease: Lease<'_>) -> Result<Option<Run>, Error> {
        self.change(mine(id, lease.owner), doc! { "$set": fields_of(lease) }).await
    }

    /// Writes how far it is. `false`: somebody else has it now.
    pub async fn checkpoint(&self, run: &Run) -> Result<bool, Error> {
        let written = |error| Error::from(mongodb::error::Error::custom(error));
        let progress = serialize_to_bson(&run.progress).map_err(written)?;
        let (total, here) = (number(run.total), number(run.here));
        let fields = doc! { "progress": progress, "total": total, "here": here, "movedAt": to_date(run.moved_at) };
        let mine = mine(&run.id, run.lease_owner.as_deref().unwrap_or_default());
        Ok(self.documents.update_one(mine, doc! { "$set": fields }).await?.matched_count == 1)
    }

    /// Writes how it ended, and gives the lease back. `false`: somebody else has it now.
    pub async fn end(&self, run: &Run) -> Result<bool, Error> {
        let mine = mine(&run.id, run.lease_owner.as_deref().unwrap_or_default());
        let mut ended = Run { lease_owner: None, lease_until: None, wish: None, ..run.clone() };
        if !matches!(run.state, RunState::Paused | RunState::Failed) {
            // Nobody goes on from there, and it names people.
            ended.progress.leave_place();
        }
        Ok(self.documents.replace_one(mine, ended).await?.matched_count == 1)
    }

    /// Gives back whatever this owner has.
    pub async fn release(&self, owner: &str) -> Result<(), Error> {
        let gone = doc! { "$unset": { "leaseOwner": "", "leaseUntil": "" } };
        self.documents.update_many(doc! { "leaseOwner": owner }, gone).await?;
        Ok(())
    }

    /// Tells whoever is at a run.
    pub async fn tell(&self, id: &str, wish: Wish) -> Result<(), Error> {
        let running = doc! { "_id": id, "state": RunState::Running.as_str() };
        self.documents.update_one(running, doc! { "$set": { "wish": wish.as_str() } }).await?;
        Ok(())
    }

    /// Puts aside one that nobody is at. `false`: somebody is, or it has ended.
    pub async fn put_aside(&self, id: &str, state: RunState, cause: &str, now: Timestamp) -> Result<bool, Error> {
        let open = words(&[RunState::Running, RunState::Paused, RunState::Failed]);
        let free = doc! { "_id": id, "state": { "$in": open }, "leaseUntil": free_at(now) };
        let mut fields = doc! { "state": state.as_str(), "cause": cause, "movedAt": to_date(now) };
        if state != RunState::Paused {
            fields.insert("finishedAt", to_date(now));
        }
        if state == RunState::Cancelled {
            fields.extend(doc! { "progress.place": {}, "progress.suspects": [], "progress.held": [] });
        }
        let gone = doc! { "leaseOwner": "", "leaseUntil": "", "wish": "" };
        let put = self.documents.update_one(free, doc! { "$set": fields, "$unset": gone }).await?;
        Ok(put.matched_count == 1)
    }

    /// Whether a timer is due; of all who ask, one is told so, and the next time is `next`. The first question sets it, to
    /// no later than `latest`.
    pub async fn is_due(&self, timer: &str, now: Timestamp, next: Timestamp, latest: Timestamp) -> Result<bool, Error> {
        if self.put_off(timer, now, next).await? {
            return Ok(true);
        }
        let timers = self.documents.clone_with_type::<Document>();
        // Not later than by the setting of today.
        let first = doc! { "$min": { "dueAt": to_date(latest) } };
        match timers.update_one(doc! { "_id": format!("timer:{timer}") }, first).upsert(true).await.map_err(Error::from)
        {
            Err(error) if error.code() != Some(DUPLICATE_KEY) => Err(error),
            _ => Ok(false),
        }
    }

    /// Makes a timer due at a moment, that of something that happens once as well as one that goes on.
    pub async fn set_due(&self, timer: &str, at: Timestamp) -> Result<(), Error> {
        let timers = self.documents.clone_with_type::<Document>();
        let due = doc! { "$set": { "dueAt": to_date(at) } };
        timers.update_one(doc! { "_id": format!("timer:{timer}") }, due).upsert(true).await?;
        Ok(())
    }

    /// Whether a timer that somebody set is due; of all who ask, one is told so, and the next time is `next`.
    pub async fn put_off(&self, timer: &str, now: Timestamp, next: Timestamp) -> Result<bool, Error> {
        let timers = self.documents.clone_with_type::<Document>();
        let due = doc! { "_id": format!("timer:{timer}"), "dueAt": { "$lte": to_date(now) } };
        let later = doc! { "$set": { "dueAt": to_date(next) } };
        Ok(timers.update_one(due, later).await?.matched_count == 1)
    }

    /// What happens once is not wanted any more.
    pub async fn forget_due(&self, timer: &str) -> Result<(), Error> {
        let timers = self.documents.clone_with_type::<Document>();
        timers.delete_one(doc! { "_id": format!("timer:{timer}") }).await?;
        Ok(())
    }

    async fn change(&self, which: Document, update: Document) -> Result<Option<Run>, Error> {
        let changed = self.documents.find_one_and_update(which, update);
        Ok(changed.return_document(ReturnDocument::After).await?)
    }

    pub async fn ensure_indexes(&self) -> Result<(), Error> {
        let [running, history, expiry] = INDEXES;
        let named = |keys: Document, name: &str| {
            let options = IndexOptions::builder().name(name.to_owned()).build();
            IndexModel::builder().keys(keys).options(options).build()
        };
        let mut one = named(doc! { "state": 1 }, running);
        let options = one.options.get_or_insert_default();
        options.unique = Some(true);
        options.partial_filter_expression = Some(doc! { "state": RunState::Running.as_str() });
        let mut expiring = named(doc! { "expiresAt": 1 }, expiry);
        expiring.options.get_or_insert_default().expire_after = Some(Duration::ZERO);
        self.documents.create_indexes([one, named(doc! { "startedAt": -1 }, history), expiring]).await?;
        Ok(())
    }

    /// MongoDB removes a run `retention` after it was last heard of, which is its end if it has one: what waits at its
    /// checkpoint for so long is forgotten as well. A catch-up that found nothing goes sooner.
    pub async fn ensure_expiry(&self, database: &Database, retention: Option<Duration>) -> Result<(), Error> {
        // Of an earlier version, by which what never ended stayed for ever.
        ensure_expiry(database, &self.documents, ("finishedAt", "finishedAt_1"), None).await?;
        ensure_expiry(database, &self.documents, ("movedAt", AGE), retention).await
    }

    /// Names of the indexes that are there, for `doctor`.
    pub async fn index_names(&self) -> Result<Vec<String>, Error> {
        Ok(self.documents.list_index_names().await?)
    }
}

/// Names of the indexes that `ensure_indexes` makes.
pub const INDEXES: [&str; 3] = ["state_1_running", "startedAt_-1", "expiresAt_1"];
/// There only while runs are not kept for ever.
const AGE: &str = "movedAt_1";

fn unless_another(written: Result<bool, Error>) -> Result<bool, Error> {
    match written {
        Err(error) if error.code() == Some(DUPLICATE_KEY) => Ok(false),
        written => written,
    }
}

fn mine(id: &str, owner: &str) -> Document {
    doc! { "_id": id, "state": RunState::Running.as_str(), "leaseOwner": owner }
}

fn fields_of(lease: Lease<'_>) -> Document {
    doc! { "leaseOwner": lease.owner, "leaseUntil": to_date(lease.until) }
}

/// Not leased, or not any more.
fn free_at(now: Timestamp) -> Document {
    doc! { "$not": { "$gt": to_date(now) } }
}

fn words(states: &[RunState]) -> Bson {
    Bson::Array(states.iter().map(|state| state.as_str().into()).collect())
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
