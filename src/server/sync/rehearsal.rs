//! What events would do over what is stored now (C-7): the same `fold`, and nothing is written and nobody asked.
//!
//! What would be stored by then is kept in a recording, so that what comes after is decided over it, as in a replay.

use std::collections::HashMap;

use crate::model::event::{EventRow, EventState};
use crate::model::replay::Rehearsal;
use crate::server::error::Error;
use crate::server::store::deliveries::ERASED;
use crate::server::store::events::{Event, Outcome};
use crate::server::store::users::{LocalUser, User};
use crate::server::sync::consequences::Consequence;
use crate::server::sync::fold::{Case, Folded, Fresh, end, fold, group, read};
use crate::server::sync::ports::Ports;
use crate::server::sync::process::find_locals;

pub const NO_BODY: &str = "its body is not kept any more";
/// So many documents are recorded; of whoever comes after them, each batch is decided over what is stored.
const MOST_RECORDED: usize = 20_000;

/// One event, decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsed {
    pub outcome: Outcome,
    /// With the last of several events that one write carries out.
    pub consequence: Option<Consequence>,
}

/// Some events, decided together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// In the order of the events.
    pub rehearsed: Vec<Rehearsed>,
    /// So many of them only Clerk can settle.
    pub asked: u64,
    /// As they would be stored.
    people: Vec<User>,
}

/// Whoever would be stored otherwise by now.
#[derive(Debug, Default)]
pub struct Recording {
    people: HashMap<String, User>,
    /// Not all of them are recorded.
    pub is_full: bool,
}

impl Rehearsed {
    fn of(outcome: Outcome) -> Self {
        Self { outcome, consequence: None }
    }
}

impl Batch {
    pub fn consequences(&self) -> impl Iterator<Item = &Consequence> {
        self.rehearsed.iter().filter_map(|rehearsed| rehearsed.consequence.as_ref())
    }
}

/// Whether there is something to carry out.
pub fn has_body(event: &Event) -> bool {
    !matches!(event.payload.as_str(), "" | ERASED)
}

impl Recording {
    /// Some events, with their bodies, in their order, as one batch of a replay. What they would leave is not recorded yet.
    ///
    /// # Errors
    /// MongoDB's.
    pub async fn rehearse<P: Ports>(&self, ports: &P, events: &[Event]) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        let (mut decided, mut said) = (HashMap::with_capacity(events.len()), Vec::with_capacity(events.len()));
        for event in events {
            let body = if has_body(event) { read(event, ports.reading()) } else { Err(end(event.state, NO_BODY)) };
            match body {
                Ok(of_event) => said.push(of_event),
                Err(outcome) => {
                    decided.insert(event.id.clone(), Rehearsed::of(outcome));
                }
            }
        }
        let cases = group(said);
        let (stored, unreadable) = self.find(ports, &cases).await?;
        let has_local = ports.has_local().await?;
        let locals = if has_local { find_locals(ports, &cases, &stored).await? } else { HashMap::new() };
        for case in cases {
            let local = case.verified_emails().find_map(|email| locals.get(&email.to_lowercase()));
            let each = |state, why: &str| Decided {
                outcomes: case.said.iter().map(|_| end(state, why)).collect(),
                written: None,
            };
            let Decided { outcomes, written } = if unreadable.contains(&case.clerk_id) {
                each(EventState::Failed, &Error::Unreadable.cause())
            } else if let Some(decided) = decide(ports, stored.get(&case.clerk_id), local, &case) {
                decided
            } else {
                batch.asked += case.said.len() as u64;
                each(EventState::Received, "Clerk would be asked")
            };
            let mut rehearsed: Vec<Rehearsed> = outcomes.into_iter().map(Rehearsed::of).collect();
            if let Some((user, consequence)) = written {
                let last = rehearsed.iter_mut().rfind(|rehearsed| rehearsed.outcome.state == EventState::Applied);
                if let Some(last) = last {
                    last.consequence = Some(consequence);
                }
                batch.people.push(user);
            }
            let ids = case.said.into_iter().filter_map(|said| said.event).map(|event| event.id().to_owned());
            decided.extend(ids.zip(rehearsed));
        }
        batch.rehearsed = events.iter().filter_map(|event| decided.remove(&event.id)).collect();
        Ok(batch)
    }

    /// From now on that is what would be stored.
    pub fn keep(&mut self, batch: Batch) {
        for user in batch.people {
            if self.people.len() < MOST_RECORDED || self.people.contains_key(&user.clerk_id) {
                self.people.insert(user.clerk_id.clone(), user);
            } else {
                self.is_full = true;
            }
        }
    }

    /// Whom these cases are about, as recorded or else as stored; and whose documents cannot be read.
    async fn find<P: Ports>(&self, ports: &P, cases: &[Case]) -> Result<(HashMap<String, User>, Vec<String>), Error> {
        let ids = cases.iter().map(|case| case.clerk_id.as_str());
        let (recorded, others): (Vec<&str>, Vec<&str>) = ids.partition(|id| self.people.contains_key(*id));
        let recorded = recorded.into_iter().filter_map(|id| self.people.get(id)).cloned();
        let mut stored: HashMap<String, User> = recorded.map(|user| (user.clerk_id.clone(), user)).collect();
        if others.is_empty() {
            return Ok((stored, Vec::new()));
        }
        let found = ports.find_people(&others).await?;
        stored.extend(found.users.into_iter().map(|user| (user.clerk_id.clone(), user)));
        Ok((stored, found.unreadable))
    }
}

/// What becomes of each event of a case, and of the person, if there is something to write.
struct Decided {
    outcomes: Vec<Outcome>,
    written: Option<(User, Consequence)>,
}

/// `None`: Clerk would be asked.
fn decide<P: Ports>(ports: &P, stored: Option<&User>, local: Option<&LocalUser>, case: &Case) -> Option<Decided> {
    let (id, etag) = (ports.new_id(), ports.new_id());
    let table = ports.fields();
    let fresh = Fresh { id: &id, etag: &etag, now: ports.now(), plan: ports.plan(), fields: table };
    match fold(stored, local, case, fresh, |stored, incoming, id| ports.decide(stored, incoming, id)) {
        Folded::Ask | Folded::Behind => None,
        Folded::Settled(outcomes) => Some(Decided { outcomes, written: None }),
        Folded::Write(write, outcomes) => {
            let effects = write.effects.iter().map(|effect| effect.kind).collect();
            let consequence = Consequence::of(stored, &write.user, effects, table);
            Some(Decided { outcomes, written: Some((write.user, consequence)) })
        }
    }
}

/// As a page shows it.
pub fn shown(event: EventRow, rehearsed: Rehearsed) -> Rehearsal {
    let Rehearsed { outcome, consequence } = rehearsed;
    let (fields, effects) = consequence.map(|written| (written.fields, written.effects)).unwrap_or_default();
    Rehearsal { event, state: outcome.state, decision: outcome.decision, fields, effects }
}
