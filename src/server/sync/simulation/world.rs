//! The world of a simulated process: the model store and the model Clerk behind calls that may fail, be late or be its last.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::task::Waker;

use futures::future::BoxFuture;
use jiff::Timestamp;
use rand::Rng;
use rand::rngs::StdRng;

use crate::model::user::SyncSource;
use crate::server::clerk;
use crate::server::clerk::client::MetadataChange;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::settings::environment::Variables;
use crate::server::settings::fields::Fields;
use crate::server::settings::reader::Reader;
use crate::server::store;
use crate::server::store::deliveries::Batch;
use crate::server::store::events::{Event, Record};
use crate::server::store::jobs::{Effect, Refused};
use crate::server::store::users::outbox::Outbox;
use crate::server::store::users::writes::{Write, Written};
use crate::server::store::users::{Found, LocalUser, User, Version};
use crate::server::sync::apply::{Change, Incoming, apply};
use crate::server::sync::arrivals::Arrived;
use crate::server::sync::effects::Plan;
use crate::server::sync::ports::{BATCHES_AT_ONCE, Holder, Ports};
use crate::server::sync::simulation::clerk::{Clerk, START};
use crate::server::sync::simulation::engine;
use crate::server::sync::simulation::history::FaultKind;
use crate::server::sync::simulation::scheduler::{Owner, pause};
use crate::server::sync::simulation::store::Store;

pub type Shared = Arc<Mutex<Universe>>;

/// A fault in the engine, planted to see whether it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    Nothing,
    /// A deletion leaves nothing that would forbid a late event to bring the person back.
    NoTombstone,
    /// `<=` for `<`: of two equal versions the one that comes last is taken.
    EqualIsNewer,
    /// Older versions are taken as well.
    OlderIsNewer,
    /// Jobs are added under a key of their own each time.
    EffectWithoutKey,
    /// A refresh takes Clerk's answer over whatever is stored by then.
    AnswerOverAnything,
    /// What says nothing of when it was counts from when it is looked at.
    ArrivalDecides,
    /// An answer of Clerk's that lags is taken for the newest.
    LateIsNewer,
    /// What is said about one person makes us panic.
    Panic,
    /// Whatever is written along with one person is refused, all of it.
    Refusal,
}

/// MongoDB's number for a document that fails validation.
const REFUSED: i32 = 121;

/// Whom that is.
pub const GUILTY: &str = "user_guilty";

/// Everything there is.
pub struct Universe {
    /// Milliseconds since the simulation began.
    pub now: i64,
    pub rng: StdRng,
    pub clerk: Clerk,
    pub store: Store,
    pub processes: Vec<State>,
    pub faults: BTreeMap<u32, FaultKind>,
    pub calls: u32,
    pub plant: Plant,
    pub timers: BTreeMap<(i64, u64), Waker>,
    pub spawned: Vec<(Owner, BoxFuture<'static, ()>)>,
    pub crashes: Vec<usize>,
    /// Changes that Clerk has still to make, and deliveries that nobody has acknowledged.
    pub outside: usize,
    /// How often Clerk was asked about a person.
    pub questions: u32,
    pub unanswered: Vec<u32>,
    pub serial: u64,
}

/// What dies with a process, and its clock.
#[derive(Debug, Default)]
pub struct State {
    pub is_up: bool,
    pub incarnation: u32,
    pub clock: i64,
    pub arrivals: VecDeque<Arrived>,
    pub waker: Option<Waker>,
}

pub fn enter(shared: &Shared) -> MutexGuard<'_, Universe> {
    shared.lock().expect("nobody panics with it")
}

impl Universe {
    pub fn wake_at(&mut self, at: i64, waker: Waker) {
        self.serial += 1;
        self.timers.insert((at, self.serial), waker);
    }
}

pub fn spawn(shared: &Shared, owner: Owner, future: impl Future<Output = ()> + Send + 'static) {
    enter(shared).spawned.push((owner, Box::pin(future)));
}

/// One process, as its own code sees the world.
#[derive(Clone)]
pub struct Process {
    pub shared: Shared,
    pub index: usize,
    pub incarnation: u32,
}

impl Process {
    pub fn of(shared: &Shared, index: usize) -> Self {
        Self { shared: Arc::clone(shared), index, incarnation: enter(shared).processes[index].incarnation }
    }

    /// One call: takes a while, meets its fault if it has one, and lets others go first.
    pub async fn call<T>(&self, items: usize, carry_out: impl FnOnce(&mut Universe, usize) -> T) -> Result<T, Error> {
        let (fault, before, after) = {
            let mut universe = enter(&self.shared);
            universe.calls += 1;
            let fault = universe.calls.checked_sub(1).and_then(|call| universe.faults.remove(&call));
            (fault, universe.rng.random_range(0..6), universe.rng.random_range(0..6))
        };
        let before = if let Some(FaultKind::Slow(milliseconds)) = fault { milliseconds } else { before };
        pause(&self.shared, before).await;
        match fault {
            Some(FaultKind::Refused) => return Err(away()),
            Some(FaultKind::CrashBefore) => return Err(self.crash().await),
            Some(FaultKind::Clock(wrong)) => enter(&self.shared).processes[self.index].clock = wrong,
            _ => {}
        }
        let share = if fault == Some(FaultKind::Half) { items / 2 } else { items };
        let answer = carry_out(&mut enter(&self.shared), share);
        pause(&self.shared, after).await;
        match fault {
            Some(FaultKind::AnswerLost | FaultKind::Half) => Err(away()),
            Some(FaultKind::CrashAfter) => Err(self.crash().await),
            _ => Ok(answer),
        }
    }

    /// The process ends here. Only who called it from outside sees the error.
    async fn crash(&self) -> Error {
        {
            let mut universe = enter(&self.shared);
            let state = &mut universe.processes[self.index];
            if state.is_up && state.incarnation == self.incarnation {
                state.is_up = false;
                state.incarnation += 1;
                state.arrivals.clear();
                universe.crashes.push(self.index);
                let restart = engine::restart(Arc::clone(&self.shared), self.index);
                universe.spawned.push((Owner::Outside, Box::pin(restart)));
            }
        }
        pause(&self.shared, 1).await;
        away()
    }
}

/// The same as if it had happened now, if it does not say when it did.
fn by_arrival(incoming: &Incoming, now: Timestamp) -> Option<Incoming> {
    let Incoming::Person { person, version, source: SyncSource::Webhook } = incoming else { return None };
    let or_now = |time: i64| if time == 0 { now.as_millisecond() } else { time };
    let version = Version { updated_at: or_now(version.updated_at), event_at: or_now(version.event_at) };
    Some(Incoming::Person { person: person.clone(), version, source: SyncSource::Webhook })
}

fn away() -> Error {
    Error::from(store::Error::TimedOut)
}

/// The application's own fields: what the histories change at Clerk anyway, and what has a default.
pub static FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let table = r#"fields = [
        { name = "clerkRole", from = "public_metadata.role", type = "text", default = "nobody", personal = false },
        { name = "mongoId", from = "public_metadata.userMongoId", type = "text" },
    ]"#;
    Fields::read(&mut Reader::new(table, &Variables::default()).expect("TOML"))
});

/// Fewer than there may be, so that a sweep has to go on where the last one ended.
const CONFLICTS_AT_ONCE: usize = 2;

/// As `settings` has it.
const MOST_ATTEMPTS: u32 = 10;

impl Ports for Process {
    fn now(&self) -> Timestamp {
        let universe = enter(&self.shared);
        let elapsed = universe.now + universe.processes[self.index].clock;
        Timestamp::from_millisecond(START + elapsed).expect("within range")
    }

    fn new_id(&self) -> String {
        let mut universe = enter(&self.shared);
        universe.serial += 1;
        format!("{:024x}", universe.serial)
    }

    fn plan(&self) -> Plan {
        Plan { metadata: true, welcome: true, webhook: true }
    }

    fn fields(&self) -> &Fields {
        &FIELDS
    }

    fn instance(&self) -> Option<&str> {
        None
    }

    fn most_attempts(&self) -> u32 {
        MOST_ATTEMPTS
    }

    fn decide(&self, stored: Option<&User>, incoming: &Incoming, id: &str) -> Change {
        let plant = enter(&self.shared).plant;
        assert!(plant != Plant::Panic || incoming.clerk_id() != GUILTY, "planted");
        let dated = if plant == Plant::ArrivalDecides { by_arrival(incoming, self.now()) } else { None };
        let incoming = dated.as_ref().unwrap_or(incoming);
        let change = apply(stored, incoming, id, self.now());
        let Some(stored) = stored else { return change };
        let is_taken = match (plant, &change) {
            (Plant::NoTombstone, Change::Stale(_)) if stored.deleted_at.is_some() => {
                return match apply(None, incoming, &stored.id, self.now()) {
                    Change::Insert(user) => Change::Update { user, changed: vec!["deletedAt"] },
                    other => other,
                };
            }
            (Plant::EqualIsNewer, Change::Ask) | (Plant::LateIsNewer, Change::Behind) => true,
            (Plant::OlderIsNewer, Change::Stale(_)) => stored.deleted_at.is_none(),
            _ => false,
        };
        if !is_taken {
            return change;
        }
        let older = User { version: Version::default(), last_clerk_sync: None, ..stored.clone() };
        apply(Some(&older), incoming, id, self.now())
    }

    async fn find_people(&self, ids: &[&str]) -> Result<Found, Error> {
        self.call(0, |universe, _| {
            let users = ids.iter().filter_map(|id| universe.store.people.get(*id)).map(|row| row.user.clone());
            Found { users: users.collect(), unreadable: Vec::new() }
        })
        .await
    }

    async fn has_local(&self) -> Result<bool, Error> {
        self.call(0, |universe, _| !universe.store.locals.is_empty()).await
    }

    async fn find_local(&self, emails: &[&str]) -> Result<Vec<LocalUser>, Error> {
        self.call(0, |universe, _| {
            let locals = universe.store.locals.iter().map(|local| &local.found);
            let is_asked = |local: &&LocalUser| emails.iter().any(|email| email.eq_ignore_ascii_case(&local.email));
            locals.filter(is_asked).cloned().collect()
        })
        .await
    }

    async fn write_people(&self, writes: &[Write]) -> Result<Vec<Written>, Error> {
        let is_guilty = |write: &Write| write.user.clerk_id == GUILTY;
        if enter(&self.shared).plant == Plant::Refusal && writes.iter().any(is_guilty) {
            return Err(store::Error::Document(REFUSED).into());
        }
        self.call(writes.len(), |universe, share| {
            writes[..share].iter().map(|write| universe.store.write(write)).collect()
        })
        .await
    }

    async fn list_username_conflicts(&self, names: &[&str]) -> Result<Vec<User>, Error> {
        self.call(0, |universe, _| universe.store.conflicts(|name| names.contains(&name), names.len())).await
    }

    async fn list_username_conflicts_after(&self, name: &str) -> Result<Vec<User>, Error> {
        self.call(0, |universe, _| universe.store.conflicts(|other| other > name, CONFLICTS_AT_ONCE)).await
    }

    async fn find_username(&self, username: &str) -> Result<Holder, Error> {
        self.call(0, |universe, _| universe.store.holder(username)).await
    }

    async fn list_due(&self, limit: usize) -> Result<Vec<Event>, Error> {
        let now = self.now();
        self.call(0, |universe, _| universe.store.lease_due(now, limit)).await
    }

    async fn list_left(&self) -> Result<Vec<Batch>, Error> {
        let now = self.now();
        let limit = usize::try_from(BATCHES_AT_ONCE).unwrap_or(1);
        self.call(0, |universe, _| universe.store.lease_batches(now, limit)).await
    }

    async fn record(&self, records: Vec<Record>) -> Result<(), Error> {
        if records.is_empty() {
            return Ok(());
        }
        let now = self.now();
        self.call(records.len(), |universe, share| {
            for record in &records[..share] {
                universe.store.record(record, now);
            }
        })
        .await
    }

    async fn close_batches(&self, ids: &[String]) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        self.call(ids.len(), |universe, share| universe.store.close_batches(&ids[..share])).await
    }

    async fn list_outboxes(&self, people: usize) -> Result<Vec<Outbox>, Error> {
        self.call(0, |universe, _| universe.store.outboxes(people)).await
    }

    async fn add_each(&self, effects: &[Effect]) -> Result<Vec<Refused>, Error> {
        self.call(effects.len(), |universe, share| {
            for effect in &effects[..share] {
                universe.serial += 1;
                let key = match universe.plant {
                    Plant::EffectWithoutKey => format!("{} {}", effect.key, universe.serial),
                    _ => effect.key.clone(),
                };
                universe.store.add_job(key, effect);
            }
            Vec::new()
        })
        .await
    }

    async fn clear_outboxes(&self, outboxes: &[Outbox]) -> Result<(), Error> {
        self.call(outboxes.len(), |universe, share| {
            for outbox in &outboxes[..share] {
                universe.store.clear_outbox(outbox);
            }
        })
        .await
    }

    async fn fetch_people(&self, ids: &[&str]) -> Result<Vec<wire::User>, Error> {
        self.call(0, |universe, _| universe.clerk.answer_late(ids, START + universe.now)).await
    }

    async fn fetch_person(&self, id: &str) -> Result<Option<wire::User>, Error> {
        let answer = self.call(0, |universe, _| {
            universe.questions += 1;
            let is_answered = !universe.unanswered.contains(&universe.questions);
            let now = START + universe.now;
            is_answered.then(|| universe.clerk.answer_late(&[id], now).pop()).ok_or_else(away)
        });
        let answer = answer.await.flatten();
        answer.map_err(|_| Error::from(clerk::Error::UnavailableStatus(503)))
    }

    async fn merge_metadata(&self, id: &str, change: &MetadataChange) -> Result<wire::User, Error> {
        let text = |key: &str| change.public.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let (mongo_id, role) = (text("userMongoId"), text("role"));
        let answer = self.call(0, |universe, _| {
            let (answer, made) = universe.clerk.merge(id, mongo_id, role, START + universe.now)?;
            // Clerk tells of it whether or not we get its answer.
            if let Some(made) = made {
                universe.outside += 1;
                let delivery = engine::deliver(Arc::clone(&self.shared), made, 50);
                universe.spawned.push((Owner::Outside, Box::pin(delivery)));
            }
            Some(answer)
        });
        let answer = answer.await.map_err(|_| Error::from(clerk::Error::UnavailableStatus(503)))?;
        answer.ok_or_else(|| Error::from(clerk::Error::NotFound))
    }
}
