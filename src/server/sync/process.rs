//! Carries out what is said about people: reads those concerned, decides by `fold`, writes under guard, records the
//! outcomes and makes jobs of the effects.
//!
//! Safe to run anywhere, any number of times, at once: the guard makes it correct. Does not know when it runs (`worker`).

use std::collections::{BTreeSet, HashMap};
use std::time::SystemTime;

use jiff::Timestamp;

use crate::model::event::EventState;
use crate::server::error::Error;
use crate::server::metrics::METRICS;
use crate::server::state::AppState;
use crate::server::store::events::{Origin, Outcome, Record};
use crate::server::store::users::outbox::Outbox;
use crate::server::store::users::writes::{Write, Written};
use crate::server::store::users::{LocalUser, User};
use crate::server::sync::apply::Incoming;
use crate::server::sync::attempts::{Applied, fail};
use crate::server::sync::consequences::{Consequence, consequences_of};
use crate::server::sync::fold::{Case, Folded, Fresh, Said, Suffix, end, fold, group, read};
use crate::server::sync::outboxes::{PUSHES_A_SECOND, put_back, relay};
use crate::server::sync::ports::{LEASE, Ports};
use crate::server::sync::questions::{Question, ask_and_settle};
use crate::server::sync::usernames::settle_usernames;

/// A case that loses this often in a row is put off, not repeated.
const MOST_ROUNDS: usize = 20;
/// What came of a batch, before it is recorded.
#[derive(Debug, Default)]
pub struct Settled {
    pub ended: Vec<Ended>,
    /// Clerk has to be asked about these first; that must hold up nobody else.
    pub asks: Vec<Question>,
    /// Events that were finished without touching a person.
    pub records: Vec<Record>,
    /// Batches of deliveries that are done with when all is recorded.
    pub batches: Vec<String>,
    /// Usernames that somebody let go of, or could not have.
    pub names: BTreeSet<String>,
    /// Effects that are written and not jobs yet.
    pub outboxes: Vec<Outbox>,
    /// Some of them are left where they are for now.
    pub has_effects_left: bool,
    /// When it was begun.
    pub began_at: Option<SystemTime>,
}

/// One case at its end.
#[derive(Debug)]
pub struct Ended {
    pub case: Case,
    /// In the order of what was said.
    pub outcomes: Vec<Outcome>,
    /// The person as stored now, if there is one.
    pub user: Option<User>,
    /// As stored before it was written; none of a newcomer.
    pub before: Option<Box<User>>,
    /// Why it could not be carried out.
    pub error: Option<Error>,
}

/// Decides and writes, all together and again for those who lost a race, until each case has ended or needs Clerk.
///
/// # Errors
/// Only those that concern all of them: MongoDB away.
pub async fn settle<P: Ports>(ports: &P, mut cases: Vec<Case>) -> Result<Settled, Error> {
    let mut settled = Settled { began_at: Some(SystemTime::now()), ..Settled::default() };
    for _ in 0..MOST_ROUNDS {
        if cases.is_empty() {
            return Ok(settled);
        }
        cases = settle_once(ports, cases, &mut settled).await?;
    }
    for case in cases {
        settled.ended.push(fail(ports, case, Error::Conflict));
    }
    Ok(settled)
}

/// One round; returns the cases that have to go again.
async fn settle_once<P: Ports>(ports: &P, cases: Vec<Case>, settled: &mut Settled) -> Result<Vec<Case>, Error> {
    let ids: Vec<&str> = cases.iter().map(|case| case.clerk_id.as_str()).collect();
    let (found, has_local) = futures::try_join!(ports.find_people(&ids), ports.has_local())?;
    let unreadable = found.unreadable;
    let mut stored: HashMap<String, User> = found.users.into_iter().map(|user| (user.clerk_id.clone(), user)).collect();
    let locals = if has_local { find_locals(ports, &cases, &stored).await? } else { HashMap::new() };
    let (mut writes, mut written) = (Vec::new(), Vec::new());
    for case in cases {
        if unreadable.contains(&case.clerk_id) {
            settled.ended.push(fail(ports, case, Error::Unreadable));
            continue;
        }
        let before = stored.remove(&case.clerk_id);
        let local = case.verified_emails().find_map(|email| locals.get(&email.to_lowercase()));
        let (id, etag) = (ports.new_id(), ports.new_id());
        let plan = if case.is_quiet { ports.plan().quiet() } else { ports.plan() };
        let fresh = Fresh { id: &id, etag: &etag, now: ports.now(), plan, fields: ports.fields() };
        match fold(before.as_ref(), local, &case, fresh, |stored, incoming, id| ports.decide(stored, incoming, id)) {
            Folded::Ask => settled.asks.push(Question { case, over: before.and_then(|before| before.etag) }),
            Folded::Behind => settled.ended.push(fail(ports, case, Error::Behind)),
            Folded::Settled(outcomes) => {
                settled.ended.push(Ended { case, outcomes, user: before, before: None, error: None });
            }
            Folded::Write(mut write, outcomes) => {
                let trace = case.said.iter().rev().find_map(|said| said.trace.as_ref());
                let events = applied_by(&case, &outcomes);
                for effect in &mut write.effects {
                    (effect.trace, effect.events) = (trace.cloned(), events.clone());
                }
                settled.names.extend(names_to_settle(before.as_ref(), &write).into_iter().flatten());
                writes.push(*write);
                written.push((case, outcomes));
            }
        }
    }
    if writes.is_empty() {
        return Ok(Vec::new());
    }
    let ends = ports.write_people(&writes).await?;
    let mut again = Vec::new();
    for (((case, outcomes), write), end) in written.into_iter().zip(writes).zip(ends) {
        match end {
            Written::Done => settled.close(case, outcomes, write),
            Written::Lost => again.push(case),
            Written::UsernameTaken => {
                settled.names.extend(write.user.clerk_username);
                match longer(case.suffix) {
                    Some(suffix) => again.push(Case { suffix, ..case }),
                    None => settled.ended.push(fail(ports, case, Error::Unstorable { code: None })),
                }
            }
            Written::Refused(code) => {
                settled.ended.push(fail(ports, case, Error::Unstorable { code: Some(code) }));
            }
        }
    }
    Ok(again)
}

/// The events that a write carries out.
fn applied_by(case: &Case, outcomes: &[Outcome]) -> Vec<String> {
    let applied = case.said.iter().zip(outcomes).filter(|(_, outcome)| outcome.state == EventState::Applied);
    applied.filter_map(|(said, _)| said.event.as_ref().map(|event| event.id().to_owned())).collect()
}

impl Settled {
    fn close(&mut self, case: Case, outcomes: Vec<Outcome>, write: Write) {
        if !write.effects.is_empty() {
            self.outboxes.push(Outbox { clerk_id: case.clerk_id.clone(), outbox: write.effects });
        }
        self.ended.push(Ended { case, outcomes, user: Some(write.user), before: write.before, error: None });
    }

    /// Takes what came of others to what came of these.
    pub fn absorb(&mut self, other: Self) {
        let Self { ended, asks, records, batches, names, outboxes, has_effects_left, began_at: _ } = other;
        self.ended.extend(ended);
        self.asks.extend(asks);
        self.records.extend(records);
        self.batches.extend(batches);
        self.outboxes.extend(outboxes);
        self.names.extend(names);
        self.has_effects_left |= has_effects_left;
    }

    /// Every event and what became of it, taken out. Those that have to wait for Clerk's answer are in `events` from here
    /// on, due when whoever asks must have died.
    fn take_records(&mut self, now: Timestamp) -> Vec<Record> {
        let mut records = std::mem::take(&mut self.records);
        for Ended { case, outcomes, .. } in &mut self.ended {
            let of_events = case.said.iter_mut().zip(outcomes.iter());
            records
                .extend(of_events.filter_map(|(said, outcome)| {
                    Some(Record { event: said.event.take()?, outcome: outcome.clone() })
                }));
        }
        let due_at = now.saturating_add(LEASE).unwrap_or(Timestamp::MAX);
        for said in self.asks.iter_mut().flat_map(|question| &mut question.case.said) {
            if let Some(Origin::Arrived(event)) = &said.event {
                let stored = Origin::Stored(event.id.clone());
                let decision = "Clerk has to be asked".to_owned();
                let outcome = Outcome { state: EventState::Received, decision, due_at: Some(due_at), is_wait: false };
                records.extend(said.event.replace(stored).map(|event| Record { event, outcome }));
            }
        }
        records
    }
}

/// The application's own people that newcomers may turn out to be, by address in lower case.
///
/// # Errors
/// MongoDB's.
pub(super) async fn find_locals<P: Ports>(
    ports: &P,
    cases: &[Case],
    stored: &HashMap<String, User>,
) -> Result<HashMap<String, LocalUser>, Error> {
    let newcomers = cases.iter().filter(|case| !stored.contains_key(&case.clerk_id));
    let mut emails: Vec<&str> = newcomers.flat_map(Case::verified_emails).collect();
    emails.sort_unstable();
    emails.dedup();
    if emails.is_empty() {
        return Ok(HashMap::new());
    }
    let locals = ports.find_local(&emails).await?;
    // Looked up by the address in lower case, so that nobody is found by one that is only similar. Of several with one address
    // the oldest is taken: they come in order.
    Ok(locals.into_iter().rev().map(|local| (local.email.to_lowercase(), local)).collect())
}

/// The username that a write lets go of, and the one that it could not have.
fn names_to_settle(before: Option<&User>, write: &Write) -> [Option<String>; 2] {
    let after = &write.user;
    let had = before.and_then(|before| before.username.clone());
    let wants = after.clerk_username.clone().filter(|_| after.username_conflict);
    [had.filter(|had| Some(had) != after.username.as_ref()), wants]
}

/// The next longer suffix.
fn longer(suffix: Suffix) -> Option<Suffix> {
    match suffix {
        Suffix::None => Some(Suffix::Short),
        Suffix::Short => Some(Suffix::Whole),
        Suffix::Whole => None,
    }
}

/// Records what came of a batch, makes jobs of its effects, and settles usernames. A crash before this loses nothing: the
/// events are found again, and the effects are in the outboxes. What Clerk has to be asked about is left in `asks`.
///
/// # Errors
/// MongoDB away.
pub async fn finish<P: Ports>(ports: &P, settled: &mut Settled) -> Result<(), Error> {
    let mut pushes = PUSHES_A_SECOND;
    finish_some(ports, settled, &mut pushes).await
}

/// The same with no more than so many pushes of metadata, which are counted down.
///
/// # Errors
/// MongoDB away.
pub async fn finish_some<P: Ports>(ports: &P, settled: &mut Settled, pushes: &mut usize) -> Result<(), Error> {
    let applied = Applied::of(settled);
    let records = settled.take_records(ports.now());
    let recorded = async {
        let recorded = ports.record(records).await;
        // Of a command that is refused as a whole nothing is recorded: the batch is all there is of its events.
        if recorded.as_ref().is_err_and(|error| !error.is_of_a_document()) {
            return recorded;
        }
        applied.into_iter().for_each(Applied::trace);
        // What MongoDB will never take as a record must not bring the whole batch back for ever.
        ports.close_batches(&settled.batches).await?;
        recorded
    };
    settled.has_effects_left = put_back(&mut settled.outboxes, pushes);
    // Neither is cut off because the other failed.
    let (recorded, relayed) = futures::join!(recorded, relay(ports, &settled.outboxes));
    recorded?;
    relayed?;
    settle_usernames(ports, &settled.names).await
}

/// Carries out one stored event now, due or not, and records how it ended. `None`: there is no such event.
///
/// # Errors
/// The attempt's, which is recorded too; another follows.
pub async fn carry_out(state: &AppState, event_id: &str) -> Result<Option<Outcome>, Error> {
    let Some(event) = state.store.events.find(event_id).await? else { return Ok(None) };
    if !matches!(event.state, EventState::Received | EventState::Failed) {
        return Ok(Some(end(event.state, event.decision.unwrap_or_default())));
    }
    match read(&event, state.reading()) {
        Ok(said) => carry_out_alone(state, said).await.map(|(outcome, _)| Some(outcome)),
        Err(outcome) => {
            state.record(vec![Record { event: Origin::Stored(event.id), outcome: outcome.clone() }]).await?;
            Ok(Some(outcome))
        }
    }
}

/// Carries out one thing that did not come as an event; every source but the inbox comes through here. Returns what became
/// of it, and the person as stored then.
///
/// # Errors
/// MongoDB or Clerk away, or a person written by others without pause.
pub async fn write<P: Ports>(ports: &P, incoming: Incoming) -> Result<(Outcome, Option<User>), Error> {
    carry_out_alone(ports, Said { event: None, attempts: 0, waits: 0, incoming, trace: None }).await
}

/// The same for many, whatever they are about; each ends in its own way.
///
/// # Errors
/// Only those that concern all of them: MongoDB away.
pub async fn write_all<P: Ports>(ports: &P, incoming: Vec<Incoming>) -> Result<Vec<Ended>, Error> {
    let said = incoming.into_iter().map(|incoming| Said { event: None, attempts: 0, waits: 0, incoming, trace: None });
    carry_out_all(ports, said.collect()).await
}

/// Carries out what is said and asks Clerk where only Clerk can say.
async fn carry_out_all<P: Ports>(ports: &P, said: Vec<Said>) -> Result<Vec<Ended>, Error> {
    let mut settled = settle_all(ports, group(said)).await?;
    finish(ports, &mut settled).await?;
    Ok(settled.ended)
}

/// What carrying events out again came to.
#[derive(Debug)]
pub struct Repeated {
    /// What became of each, which is not recorded yet.
    pub records: Vec<Record>,
    pub consequences: Vec<Consequence>,
    /// What passes by itself, whomever it concerns: then all of it is to be done again.
    pub passing: Option<Error>,
}

/// Carries out again what events say. Safe to repeat.
///
/// # Errors
/// Only those that concern all of them: MongoDB away.
pub async fn repeat<P: Ports>(ports: &P, said: Vec<Said>, is_quiet: bool) -> Result<Repeated, Error> {
    let cases = group(said).into_iter().map(|case| Case { is_quiet, ..case }).collect();
    let mut settled = settle_all(ports, cases).await?;
    let consequences = consequences_of(&settled, ports.fields());
    let records = settled.take_records(ports.now());
    finish(ports, &mut settled).await?;
    let passing = settled.ended.into_iter().filter_map(|ended| ended.error).find(Error::is_passing);
    Ok(Repeated { records, consequences, passing })
}

/// Records what came of a repetition, in the numbers of attempts too.
///
/// # Errors
/// MongoDB's.
pub async fn record_again(state: &AppState, records: Vec<Record>) -> Result<(), Error> {
    let states: Vec<EventState> = records.iter().map(|record| record.outcome.state).collect();
    state.store.events.record_again(records, state.now()).await?;
    METRICS.ended(&states);
    state.tally.ended(&states);
    Ok(())
}

async fn settle_all<P: Ports>(ports: &P, cases: Vec<Case>) -> Result<Settled, Error> {
    let mut settled = settle(ports, cases).await?;
    for _ in 0..MOST_ROUNDS {
        if settled.asks.is_empty() {
            break;
        }
        let answered = ask_and_settle(ports, std::mem::take(&mut settled.asks)).await?;
        settled.absorb(answered);
    }
    for Question { case, .. } in std::mem::take(&mut settled.asks) {
        settled.ended.push(fail(ports, case, Error::Conflict));
    }
    Ok(settled)
}

async fn carry_out_alone<P: Ports>(ports: &P, said: Said) -> Result<(Outcome, Option<User>), Error> {
    let ended = carry_out_all(ports, vec![said]).await?.pop().ok_or(Error::Conflict)?;
    match (ended.error, ended.outcomes.into_iter().next()) {
        (Some(error), _) => Err(error),
        (None, Some(outcome)) => Ok((outcome, ended.user)),
        (None, None) => Err(Error::Conflict),
    }
}
