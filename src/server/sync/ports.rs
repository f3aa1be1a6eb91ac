//! What the engine needs of the world: people, events, jobs, Clerk, a clock and new ids.
//!
//! The application is one world (`state`); the simulation is another, with a model store, faults and a clock of its own.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::event::EventState;
use crate::server::clerk;
use crate::server::clerk::client::MetadataChange;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::metrics::METRICS;
use crate::server::settings::fields::Fields;
use crate::server::settings::sync::Deletions;
use crate::server::state::AppState;
use crate::server::store::deliveries::Batch;
use crate::server::store::events::{Event, Record};
use crate::server::store::jobs::{Effect, Refused};
use crate::server::store::users::outbox::Outbox;
use crate::server::store::users::writes::{Write, Written};
use crate::server::store::users::{Found, LocalUser, User, new_id};
use crate::server::sync::apply::{Change, Incoming, apply};
use crate::server::sync::effects::Plan;
use crate::server::sync::fold::Reading;
use crate::server::sync::instance;
use crate::server::sync::tombstone::keeping;

/// The world of the engine. Every call may fail, be late, or be the last before a crash.
pub trait Ports: Sync {
    fn now(&self) -> Timestamp;
    /// 24 hex digits that nobody else has.
    fn new_id(&self) -> String;
    fn plan(&self) -> Plan;
    /// The application's own fields.
    fn fields(&self) -> &Fields;
    /// How events are read.
    fn reading(&self) -> Reading<'_> {
        Reading { fields: self.fields(), instance: self.instance() }
    }
    /// The only Clerk instance whose events count, if there is one.
    fn instance(&self) -> Option<&str>;
    /// Attempts at what does not pass by itself.
    fn most_attempts(&self) -> u32;

    /// The decision. One place to plant a fault that the simulation must find.
    fn decide(&self, stored: Option<&User>, incoming: &Incoming, id: &str) -> Change {
        apply(stored, incoming, id, self.now())
    }

    fn find_people(&self, ids: &[&str]) -> impl Future<Output = Result<Found, Error>> + Send;
    /// Whether there are people of the application's own.
    fn has_local(&self) -> impl Future<Output = Result<bool, Error>> + Send;
    /// Those of them with one of these addresses, in any case.
    fn find_local(&self, emails: &[&str]) -> impl Future<Output = Result<Vec<LocalUser>, Error>> + Send;
    fn write_people(&self, writes: &[Write]) -> impl Future<Output = Result<Vec<Written>, Error>> + Send;
    /// Those with a suffix who want one of these usernames, as many as there are names: name by name, in the order of claims.
    fn list_username_conflicts(&self, names: &[&str]) -> impl Future<Output = Result<Vec<User>, Error>> + Send;
    /// The same of all names behind this one, as many as are looked at in one go.
    fn list_username_conflicts_after(&self, name: &str) -> impl Future<Output = Result<Vec<User>, Error>> + Send;
    /// The person of Clerk's with this username, or that it is somebody else's, or nobody's.
    fn find_username(&self, username: &str) -> impl Future<Output = Result<Holder, Error>> + Send;

    /// Events whose next attempt is due, with their bodies.
    fn list_due(&self, limit: usize) -> impl Future<Output = Result<Vec<Event>, Error>> + Send;
    /// Batches of deliveries that whoever accepted them did not finish in time.
    fn list_left(&self) -> impl Future<Output = Result<Vec<Batch>, Error>> + Send;
    fn record(&self, records: Vec<Record>) -> impl Future<Output = Result<(), Error>> + Send;
    fn close_batches(&self, ids: &[String]) -> impl Future<Output = Result<(), Error>> + Send;

    fn list_outboxes(&self, people: usize) -> impl Future<Output = Result<Vec<Outbox>, Error>> + Send;
    /// Makes jobs of these effects; answers those that MongoDB will not have.
    fn add_each(&self, effects: &[Effect]) -> impl Future<Output = Result<Vec<Refused>, Error>> + Send;
    /// The same of effects that are in no outbox, so that each has to become one.
    fn add_jobs(&self, effects: &[Effect]) -> impl Future<Output = Result<(), Error>> + Send {
        async move {
            let refused = self.add_each(effects).await?;
            refused.first().map_or(Ok(()), |refused| Err(Error::Unstorable { code: Some(refused.code) }))
        }
    }
    fn clear_outboxes(&self, outboxes: &[Outbox]) -> impl Future<Output = Result<(), Error>> + Send;

    /// Clerk's answer about many now, [`MOST_IDS`] at most; whoever it leaves out may still be there.
    fn fetch_people(&self, ids: &[&str]) -> impl Future<Output = Result<Vec<wire::User>, Error>> + Send;
    /// Clerk's answer about a person now; `None` if it knows nobody by this id.
    fn fetch_person(&self, id: &str) -> impl Future<Output = Result<Option<wire::User>, Error>> + Send;
    /// Merges this into a person's metadata at Clerk, which answers with the person as they are then.
    fn merge_metadata(
        &self,
        id: &str,
        change: &MetadataChange,
    ) -> impl Future<Output = Result<wire::User, Error>> + Send;
}

/// Who has a username.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    /// A person of Clerk's.
    Person(Box<User>),
    /// The application's own person, whom Clerk does not know; or somebody who cannot be read, and so keeps it.
    Local,
}

/// How many people are looked at in one go when names are settled or outboxes emptied.
pub const PEOPLE_AT_ONCE: usize = 500;
/// How many batches of deliveries are taken over in one go.
pub const BATCHES_AT_ONCE: i64 = 8;
/// Longer than a question to Clerk takes; an event still pending after it is looked at again.
pub const LEASE: Duration = Duration::from_secs(15);

impl Ports for AppState {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn new_id(&self) -> String {
        new_id()
    }

    fn plan(&self) -> Plan {
        self.plan
    }

    fn fields(&self) -> &Fields {
        &self.settings.fields
    }

    fn instance(&self) -> Option<&str> {
        self.settings.clerk.instance_id.as_deref()
    }

    fn most_attempts(&self) -> u32 {
        self.settings.sync.attempts
    }

    fn decide(&self, stored: Option<&User>, incoming: &Incoming, id: &str) -> Change {
        let now = self.now();
        let decide = |stored: Option<&User>, incoming: &Incoming| apply(stored, incoming, id, now);
        let change = decide(stored, incoming);
        match self.settings.sync.deletions {
            Deletions::Kept => keeping(stored, incoming, change, decide),
            Deletions::Tombstone | Deletions::Hashed => change,
        }
    }

    async fn find_people(&self, ids: &[&str]) -> Result<Found, Error> {
        Ok(self.store.users.find_many(ids).await?)
    }

    async fn has_local(&self) -> Result<bool, Error> {
        Ok(self.store.users.has_local().await?)
    }

    async fn find_local(&self, emails: &[&str]) -> Result<Vec<LocalUser>, Error> {
        Ok(self.store.users.find_local(emails).await?)
    }

    async fn write_people(&self, writes: &[Write]) -> Result<Vec<Written>, Error> {
        let now = self.now();
        let erased_at = (self.settings.sync.deletions == Deletions::Hashed).then_some(now);
        let ends = self.store.users.write_many(writes, erased_at).await?;
        METRICS.written(writes, &ends, now);
        self.tally.written(writes, &ends, now);
        Ok(ends)
    }

    async fn list_username_conflicts(&self, names: &[&str]) -> Result<Vec<User>, Error> {
        Ok(self.store.users.list_username_conflicts(names, names.len()).await?)
    }

    async fn list_username_conflicts_after(&self, name: &str) -> Result<Vec<User>, Error> {
        Ok(self.store.users.list_username_conflicts_after(name, PEOPLE_AT_ONCE).await?)
    }

    async fn find_username(&self, username: &str) -> Result<Holder, Error> {
        match self.store.users.find_readable_by_username(username).await? {
            Some(user) => Ok(Holder::Person(Box::new(user))),
            None if self.store.users.has_username(username).await? => Ok(Holder::Local),
            None => Ok(Holder::Nobody),
        }
    }

    async fn list_due(&self, limit: usize) -> Result<Vec<Event>, Error> {
        let now = self.now();
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        Ok(self.store.events.lease_due(now, until, limit).await?)
    }

    async fn list_left(&self) -> Result<Vec<Batch>, Error> {
        let now = self.now();
        let until = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        let left = self.store.deliveries.lease_due(now, until, BATCHES_AT_ONCE).await?;
        if left.unreadable > 0 {
            tracing::error!(batches = left.unreadable, "deliveries cannot be read, and are given up");
        }
        Ok(left.batches)
    }

    async fn record(&self, records: Vec<Record>) -> Result<(), Error> {
        let states: Vec<EventState> = records.iter().map(|record| record.outcome.state).collect();
        for Record { event, outcome } in &records {
            tracing::debug!(event.id = event.id(), event.state = outcome.state.as_str(), "event dealt with");
        }
        self.store.events.record(records, self.now()).await?;
        METRICS.ended(&states);
        self.tally.ended(&states);
        Ok(())
    }

    async fn close_batches(&self, ids: &[String]) -> Result<(), Error> {
        Ok(self.store.deliveries.close(ids).await?)
    }

    async fn list_outboxes(&self, people: usize) -> Result<Vec<Outbox>, Error> {
        Ok(self.store.users.list_outboxes(people).await?)
    }

    async fn add_each(&self, effects: &[Effect]) -> Result<Vec<Refused>, Error> {
        let refused = self.store.jobs.add(effects, self.now()).await?;
        self.wake.notify_one();
        Ok(refused)
    }

    async fn clear_outboxes(&self, outboxes: &[Outbox]) -> Result<(), Error> {
        Ok(self.store.users.clear_outboxes(outboxes).await?)
    }

    async fn fetch_people(&self, ids: &[&str]) -> Result<Vec<wire::User>, Error> {
        Ok(self.clerk.list_users_by_id(ids).await?)
    }

    async fn fetch_person(&self, id: &str) -> Result<Option<wire::User>, Error> {
        match self.clerk.in_background().fetch_user(id).await {
            Ok(user) => Ok(Some(user)),
            Err(clerk::Error::NotFound) => instance::ensure_own(self).await.map(|()| None),
            Err(error) => Err(error.into()),
        }
    }

    async fn merge_metadata(&self, id: &str, change: &MetadataChange) -> Result<wire::User, Error> {
        Ok(self.clerk.merge_user_metadata(id, change).await?)
    }
}
