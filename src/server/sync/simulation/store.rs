//! The model of MongoDB: documents, unique keys, guards and outboxes, as `server::store` promises them.
//!
//! Every write is looked at as it happens: what must never be, not even for a moment, is noted as a breach.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::event::EventState;
use crate::model::job::JobKind;
use crate::model::user::Role;
use crate::server::store::deliveries::Batch;
use crate::server::store::events::{Event, Origin, Outcome, Record};
use crate::server::store::jobs::Effect;
use crate::server::store::users::history::Entry;
use crate::server::store::users::outbox::Outbox;
use crate::server::store::users::writes::{Guard, Write, Written};
use crate::server::store::users::{LocalUser, User};
use crate::server::sync::effects::{Plan, Step, effects_of};
use crate::server::sync::history::entry_of;
use crate::server::sync::ports::Holder;
use crate::server::sync::simulation::world::FIELDS;

/// As in `ports`.
const LEASE: SignedDuration = SignedDuration::from_secs(15);

#[derive(Debug, Default)]
pub struct Store {
    pub people: BTreeMap<String, Row>,
    pub locals: Vec<Local>,
    /// Each batch, and when it is due, if it is not finished.
    pub deliveries: BTreeMap<String, (Batch, Option<Timestamp>)>,
    pub events: BTreeMap<String, Event>,
    pub jobs: BTreeMap<String, Job>,
    /// Every effect that ever stood in an outbox, by key.
    pub effects: BTreeMap<String, Effect>,
    /// What the receivers of effects saw, by effect. They know an idempotency key again.
    pub seen: BTreeMap<String, u32>,
    idempotency_keys: BTreeMap<String, u32>,
    pub breaches: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Row {
    pub user: User,
    pub outbox: Vec<Effect>,
    pub history: Vec<Entry>,
}

impl Row {
    /// Whether a role was set here at any time.
    pub fn is_or_was_pending(&self) -> bool {
        self.history.iter().flat_map(|entry| &entry.fields).any(|change| change.field == "rolePending")
    }
}

/// The application's own person.
#[derive(Clone, Debug)]
pub struct Local {
    pub found: LocalUser,
    pub username: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Job {
    pub effect: Effect,
    pub generation: u32,
    pub is_done: bool,
}

impl Store {
    pub fn write(&mut self, write: &Write) -> Written {
        let Write { user, guard, effects, history, .. } = write;
        let stored = self.people.get(&user.clerk_id);
        let holds = match guard {
            Guard::New => stored.is_none(),
            Guard::Unchanged(etag) => stored.is_some_and(|row| row.user.etag == *etag),
            Guard::Local => stored.is_none() && self.locals.iter().any(|local| local.found.id == user.id),
        };
        if !holds {
            return Written::Lost;
        }
        if user.username.as_deref().is_some_and(|name| self.is_taken(name, user)) {
            return Written::UsernameTaken;
        }
        let before = stored.map(|row| row.user.clone());
        self.inspect(before.as_ref(), write);
        if *guard == Guard::Local {
            self.locals.retain(|local| local.found.id != user.id);
        }
        let row = self.people.remove(&user.clerk_id);
        let (mut outbox, mut entries) = row.map(|row| (row.outbox, row.history)).unwrap_or_default();
        outbox.extend(effects.iter().cloned());
        entries.extend(history.iter().cloned());
        self.people.insert(user.clerk_id.clone(), Row { user: user.clone(), outbox, history: entries });
        Written::Done
    }

    /// As an admin does it: the effects come with the role, which stands until Clerk's answer to our push shows it.
    pub fn set_role(&mut self, clerk_id: &str, role: Role, etag: String, plan: Plan, now: Timestamp) {
        let Some(row) = self.people.get(clerk_id) else { return };
        let before = row.user.clone();
        if before.deleted_at.is_some() || before.role == role {
            return;
        }
        let after = User { role, role_pending: true, etag: Some(etag), ..before.clone() };
        let guard = Guard::Unchanged(before.etag.clone());
        let step = Step { before: Some(&before), after: &after, claims: None, guard: &guard };
        let effects = effects_of(step, plan, now);
        let history = entry_of(now, &before, &after, &FIELDS).into_iter().collect();
        self.write(&Write { user: after, before: Some(Box::new(before)), guard, effects, history });
    }

    fn is_taken(&self, name: &str, by: &User) -> bool {
        let of_person = |row: &Row| row.user.clerk_id != by.clerk_id && row.user.username.as_deref() == Some(name);
        self.people.values().any(of_person)
            || self.locals.iter().any(|local| local.found.id != by.id && local.username == Some(name))
    }

    /// What is true of every single write.
    fn inspect(&mut self, before: Option<&User>, write: &Write) {
        let after = &write.user;
        if let Some(before) = before {
            if before.id != after.id {
                self.breaches.push(format!("{} got another _id", after.clerk_id));
            }
            if before.deleted_at.is_some() && *before != *after {
                self.breaches.push(format!("the tombstone of {} was written to", after.clerk_id));
            }
        }
        let told = write.effects.iter().filter(|effect| effect.kind == JobKind::Webhook).count();
        let is_visible = before.is_none_or(|before| shown(before) != shown(after));
        if told != usize::from(is_visible) {
            self.breaches.push(format!("{} changed visibly: {is_visible}, told {told} times", after.clerk_id));
        }
        for effect in &write.effects {
            let known = self.effects.insert(effect.key.clone(), effect.clone());
            if known.is_some() && effect.kind == JobKind::Webhook {
                self.breaches.push(format!("{} stands for two changes", effect.key));
            }
        }
    }

    pub fn holder(&self, name: &str) -> Holder {
        let person = self.people.values().find(|row| row.user.username.as_deref() == Some(name));
        match person {
            Some(row) => Holder::Person(Box::new(row.user.clone())),
            None if self.locals.iter().any(|local| local.username == Some(name)) => Holder::Local,
            None => Holder::Nobody,
        }
    }

    /// Name by name, in the order of claims.
    pub fn conflicts(&self, is_wanted: impl Fn(&str) -> bool, most: usize) -> Vec<User> {
        let wants = |user: &&User| user.username_conflict && user.clerk_username.as_deref().is_some_and(&is_wanted);
        let mut users: Vec<User> = self.people.values().map(|row| &row.user).filter(wants).cloned().collect();
        users.sort_by(|one, other| {
            let before = (&one.clerk_username, one.created_at, &one.clerk_id);
            before.cmp(&(&other.clerk_username, other.created_at, &other.clerk_id))
        });
        users.truncate(most);
        users
    }

    pub fn insert_batches(&mut self, batches: &[Batch]) {
        for batch in batches {
            self.deliveries.insert(batch.id.clone(), (batch.clone(), Some(batch.due_at)));
        }
    }

    pub fn lease_batches(&mut self, now: Timestamp, limit: usize) -> Vec<Batch> {
        let due = self.deliveries.values_mut().filter(|(_, due)| due.is_some_and(|at| at <= now));
        let leased = due.take(limit).map(|(batch, due)| {
            *due = now.checked_add(LEASE).ok();
            batch.clone()
        });
        leased.collect()
    }

    pub fn close_batches(&mut self, ids: &[String]) {
        for id in ids {
            if let Some((batch, due)) = self.deliveries.get_mut(id) {
                *due = None;
                let missing = batch.events.iter().find(|event| !self.events.contains_key(&event.id));
                self.breaches.extend(missing.map(|event| format!("{} is lost with its batch", event.id)));
            }
        }
    }

    pub fn lease_due(&mut self, now: Timestamp, limit: usize) -> Vec<Event> {
        let is_due = |event: &&mut Event| is_pending(event) && event.due_at.is_some_and(|at| at <= now);
        let mut due: Vec<&mut Event> = self.events.values_mut().filter(is_due).collect();
        due.sort_by_key(|event| event.due_at);
        due.truncate(limit);
        let found: Vec<Event> = due.iter().map(|event| Event::clone(event)).collect();
        for event in due {
            event.due_at = now.checked_add(LEASE).ok();
        }
        found
    }

    pub fn record(&mut self, record: &Record, now: Timestamp) {
        let Record { event, outcome } = record;
        let arrived = match event {
            Origin::Stored(id) => return self.finish(id, outcome, is_pending, now),
            Origin::Arrived(event) => event,
        };
        let Some(known) = self.events.get_mut(&arrived.id) else {
            let mut event = Event::clone(arrived).with(outcome.clone(), now);
            event.payload = self.payload_of(&event);
            self.events.insert(event.id.clone(), event);
            return;
        };
        let batch_of = |event: &Event| event.place.as_ref().map(|place| place.batch.clone());
        if batch_of(known) != batch_of(arrived) {
            known.deliveries += 1;
        }
        if outcome.due_at.is_none() {
            self.finish(&arrived.id, outcome, |event| is_pending(event) || event.state == EventState::Dead, now);
        }
    }

    fn payload_of(&self, event: &Event) -> String {
        let place = event.place.as_ref();
        let batch = place.and_then(|place| self.deliveries.get(&place.batch));
        batch
            .and_then(|(batch, _)| batch.events.iter().find(|other| other.id == event.id))
            .map(|event| event.payload.clone())
            .unwrap_or_default()
    }

    fn finish(&mut self, id: &str, outcome: &Outcome, is_from: fn(&Event) -> bool, now: Timestamp) {
        let Some(event) = self.events.get_mut(id).filter(|event| is_from(event)) else { return };
        event.state = outcome.state;
        event.decision = Some(outcome.decision.clone());
        event.due_at = outcome.due_at;
        event.attempts += 1;
        event.waits += u32::from(outcome.is_wait);
        event.finished_at = outcome.due_at.is_none().then_some(now);
    }

    pub fn outboxes(&self, people: usize) -> Vec<Outbox> {
        let waiting = self.people.values().filter(|row| !row.outbox.is_empty()).take(people);
        waiting.map(|row| Outbox { clerk_id: row.user.clerk_id.clone(), outbox: row.outbox.clone() }).collect()
    }

    pub fn clear_outbox(&mut self, taken: &Outbox) {
        if let Some(row) = self.people.get_mut(&taken.clerk_id) {
            row.outbox.retain(|effect| {
                let one = |effect: &Effect| (effect.key.clone(), effect.events.clone(), effect.change.clone());
                !taken.outbox.iter().any(|other| one(other) == one(effect))
            });
        }
    }

    /// Under the effect's key; a state to reach may be asked for again.
    pub fn add_job(&mut self, key: String, effect: &Effect) {
        if let Some(job) = self.jobs.get_mut(&key) {
            if effect.kind == JobKind::Metadata {
                job.generation += 1;
                job.is_done = false;
            }
            return;
        }
        self.jobs.insert(key, Job { effect: effect.clone(), generation: 1, is_done: false });
    }

    /// The receiver's side: the same idempotency key again is not done again.
    pub fn perform(&mut self, key: &str, effect: &Effect) {
        let times = self.idempotency_keys.entry(key.to_owned()).or_default();
        *times += 1;
        if *times == 1 {
            *self.seen.entry(effect.key.clone()).or_default() += 1;
        }
    }
}

pub fn is_pending(event: &Event) -> bool {
    matches!(event.state, EventState::Received | EventState::Failed)
}

/// What a reader of the document sees, said independently of `effects`.
fn shown(user: &User) -> impl PartialEq {
    let names = (user.first_name.clone(), user.name.clone(), user.username.clone(), user.clerk_username.clone());
    let status = (user.role, user.banned, user.locked, user.deleted_at, user.username_conflict, user.created_at);
    (names, status, user.email.clone(), user.image_url.clone(), user.fields.clone())
}
