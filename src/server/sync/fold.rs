//! Several things said about one person into one write: the last state that they lead to, and what became of each.
//!
//! Pure. Stops where `apply` wants Clerk asked; with Clerk's answer in the case it goes on.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::model::event::EventState;
use crate::model::user::SyncSource;
use crate::server::clerk::webhook::event::Event as Delivered;
use crate::server::settings::fields::Fields;
use crate::server::store::deliveries::ERASED;
use crate::server::store::events::{Event, Origin, Outcome};
use crate::server::store::users::writes::{Guard, Write};
use crate::server::store::users::{LocalUser, User};
use crate::server::sync::apply::{Change, Claims, Incoming, News, give_suffix, may_not_be_known_yet};
use crate::server::sync::effects::{Plan, Step, effects_of};
use crate::server::sync::history::{Stage, entries_of};
use crate::server::sync::mapping::from_event;

/// Why an event of another instance than the pinned one ends (D3-25).
pub const FOREIGN: &str = "it is of another Clerk instance (ROLLCALL_CLERK_INSTANCE_ID)";

/// One person, and what is said about them, in the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    pub clerk_id: String,
    pub said: Vec<Said>,
    /// What Clerk said, if it had to be asked.
    pub answer: Option<Answer>,
    /// How long a suffix the username needs: none, the usual one, or the whole id.
    pub suffix: Suffix,
    /// Nobody is to be told of what changes.
    pub is_quiet: bool,
}

/// What Clerk said about a person, and over what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub incoming: Incoming,
    /// The etag of what was stored before the question. Of something stored since then the answer may know nothing, so it
    /// settles nothing any more.
    pub over: Option<String>,
}

/// Whether the username that Clerk has can be had here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Suffix {
    #[default]
    None,
    Short,
    /// Even the short one is taken.
    Whole,
}

/// One event, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The event, or none for what did not come as one.
    pub event: Option<Origin>,
    pub attempts: u32,
    /// Those of them that failed for what passes by itself.
    pub waits: u32,
    pub incoming: Incoming,
    /// The trace that its arrival belongs to.
    pub trace: Option<String>,
}

/// What a fold needs from outside.
#[derive(Clone, Copy, Debug)]
pub struct Fresh<'a> {
    pub id: &'a str,
    pub etag: &'a str,
    pub now: Timestamp,
    pub plan: Plan,
    /// The application's own fields.
    pub fields: &'a Fields,
}

/// How a case is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folded {
    /// Nothing is to be written.
    Settled(Vec<Outcome>),
    /// The outcomes are true once the write holds.
    Write(Box<Write>, Vec<Outcome>),
    /// Clerk has to be asked first.
    Ask,
    /// Clerk's answer lags behind what is stored, and settles nothing: it has to be asked again later.
    Behind,
}

impl Case {
    /// About this person, nothing said yet.
    pub fn of(clerk_id: &str) -> Self {
        Self { clerk_id: clerk_id.to_owned(), said: Vec::new(), answer: None, suffix: Suffix::None, is_quiet: false }
    }

    /// Addresses that Clerk has verified to be this person's.
    pub fn verified_emails(&self) -> impl Iterator<Item = &str> {
        let incoming =
            self.said.iter().map(|said| &said.incoming).chain(self.answer.iter().map(|answer| &answer.incoming));
        let people = incoming.filter_map(|incoming| match incoming {
            Incoming::Person { person, .. } => Some(person),
            _ => None,
        });
        people
            .flat_map(|person| person.emails.iter().filter(|email| email.verified).map(|email| email.address.as_str()))
    }
}

/// One case a person; what is said about one stays in order.
pub fn group(said: Vec<Said>) -> Vec<Case> {
    let mut places: HashMap<String, usize> = HashMap::with_capacity(said.len());
    let mut cases: Vec<Case> = Vec::with_capacity(said.len());
    for said in said {
        let clerk_id = said.incoming.clerk_id();
        if let Some(place) = places.get(clerk_id) {
            cases[*place].said.push(said);
        } else {
            places.insert(clerk_id.to_owned(), cases.len());
            let mut case = Case::of(clerk_id);
            case.said.push(said);
            cases.push(case);
        }
    }
    cases
}

/// Decides a case over what is stored. `local` is the application's own person that a newcomer may turn out to be.
pub fn fold(
    stored: Option<&User>,
    local: Option<&LocalUser>,
    case: &Case,
    fresh: Fresh<'_>,
    decide: impl Fn(Option<&User>, &Incoming, &str) -> Change,
) -> Folded {
    let mut user = stored.cloned();
    let mut outcomes = Vec::with_capacity(case.said.len());
    let mut claims: Option<&Claims> = None;
    let mut stages: Vec<Stage> = Vec::new();
    for said in &case.said {
        let mut incoming = &said.incoming;
        let mut change = decide(user.as_ref(), incoming, fresh.id);
        if change == Change::Ask {
            let etag = stored.and_then(|stored| stored.etag.as_ref());
            let Some(answer) = case.answer.as_ref().filter(|answer| answer.over.as_ref() == etag) else {
                return Folded::Ask;
            };
            let confirmed = confirmed_deletion(incoming, &answer.incoming);
            let is_absent = confirmed.is_none() && matches!(answer.incoming, Incoming::Absent { .. });
            let is_early = is_absent && user.as_ref().is_some_and(|user| may_not_be_known_yet(user, fresh.now));
            if is_early || is_behind_news(user.as_ref(), incoming, &answer.incoming, fresh.now) {
                return Folded::Behind;
            }
            change = match decide(user.as_ref(), confirmed.as_ref().unwrap_or(&answer.incoming), fresh.id) {
                Change::Behind => return Folded::Behind,
                settled => of_the_deleted(user.as_ref(), incoming, &answer.incoming).unwrap_or(settled),
            };
            incoming = &answer.incoming;
        }
        outcomes.push(outcome_of(&change));
        if let Change::Insert(mut next) | Change::Update { user: mut next, .. } = change {
            if let (Incoming::Hint { source, .. }, None) = (&said.incoming, next.deleted_at) {
                next.sync_source = *source;
            }
            claims = claims_of(incoming);
            stages.push(Stage { event: said.event.as_ref().map(Origin::id), incoming, user: (*next).clone() });
            user = Some(*next);
        }
    }
    match user.filter(|_| !stages.is_empty()) {
        None => Folded::Settled(outcomes),
        Some(user) => {
            let mut write = write_of(stored, local, user, claims, case.suffix, fresh);
            write.history = entries_of(stored, stages, &write.user, fresh.now, fresh.fields);
            Folded::Write(Box::new(write), outcomes)
        }
    }
}

/// Whether Clerk's answer may lag behind the hint it was asked for. A deletion that is stored is for ever, whatever is said.
fn is_behind_news(stored: Option<&User>, said: &Incoming, answer: &Incoming, now: Timestamp) -> bool {
    let Incoming::Hint { news: Some(news), .. } = said else { return false };
    stored.is_none_or(|stored| stored.deleted_at.is_none()) && news.is_ahead_of(answer, now)
}

/// A deletion of which a hint spoke, and which Clerk's answer confirms: it leaves a tombstone also of somebody who never was
/// stored, for what created them may still be on its way (D2-24).
fn confirmed_deletion(said: &Incoming, answer: &Incoming) -> Option<Incoming> {
    match (said, answer) {
        (Incoming::Hint { news: Some(News { is_deletion: true, .. }), .. }, Incoming::Absent { clerk_id, at }) => {
            Some(Incoming::Deleted { clerk_id: clerk_id.clone(), at: *at })
        }
        _ => None,
    }
}

/// What Clerk's answer makes of the news that somebody lives who is deleted here (D2-24).
fn of_the_deleted(stored: Option<&User>, said: &Incoming, answer: &Incoming) -> Option<Change> {
    let is_deleted = stored.is_some_and(|stored| stored.deleted_at.is_some());
    if !is_deleted || !matches!(said, Incoming::Person { .. }) {
        return None;
    }
    Some(Change::Stale(match answer {
        Incoming::Absent { .. } => "the person is deleted, which Clerk confirms",
        _ => "the person is deleted, which is for ever, though Clerk knows them",
    }))
}

fn write_of(
    stored: Option<&User>,
    local: Option<&LocalUser>,
    mut user: User,
    claims: Option<&Claims>,
    suffix: Suffix,
    fresh: Fresh<'_>,
) -> Write {
    give_suffix(&mut user, suffix);
    user.etag = Some(fresh.etag.to_owned());
    let is_living = user.deleted_at.is_none();
    let guard = match (stored, local.filter(|_| is_living)) {
        (Some(stored), _) => Guard::Unchanged(stored.etag.clone()),
        (None, None) => Guard::New,
        (None, Some(local)) => {
            user.id.clone_from(&local.id);
            // The role is ours: Clerk, which does not know of it, is told.
            if local.role > user.role {
                (user.role, user.role_pending) = (local.role, true);
            }
            Guard::Local
        }
    };
    let effects = effects_of(Step { before: stored, after: &user, claims, guard: &guard }, fresh.plan, fresh.now);
    Write { user, before: stored.cloned().map(Box::new), guard, effects, history: Vec::new() }
}

fn claims_of(incoming: &Incoming) -> Option<&Claims> {
    match incoming {
        Incoming::Person { person, .. } => Some(&person.claims),
        _ => None,
    }
}

/// What a stored event is read by.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// The application's own fields.
    pub fields: &'a Fields,
    /// The only Clerk instance whose events count, if there is one (D3-25).
    pub instance: Option<&'a str>,
}

impl Reading<'_> {
    /// Whether an event of this instance is none of ours; of whom it is says nothing if it does not say.
    pub fn is_foreign(&self, instance_id: Option<&str>) -> bool {
        self.instance.zip(instance_id).is_some_and(|(ours, theirs)| ours != theirs)
    }
}

/// What a stored event says about a person, or how it ends because it says nothing.
pub fn read(event: &Event, reading: Reading<'_>) -> Result<Said, Outcome> {
    if event.payload == ERASED {
        return Err(end(EventState::Ignored, "its person was erased"));
    }
    if reading.is_foreign(event.instance_id.as_deref()) {
        return Err(end(EventState::Dead, FOREIGN));
    }
    if let Some(clerk_id) = waited_too_long(event) {
        // It says at least about whom there is something to ask Clerk.
        let source = SyncSource::Refetch;
        let is_deletion = event.kind == "user.deleted";
        let news = is_deletion.then_some(News { at: event.received_at, is_deletion, updated_at: None });
        return Ok(said(event, Incoming::Hint { clerk_id: clerk_id.to_owned(), source, news }));
    }
    let Ok(delivered) = Delivered::parse(event.payload.as_bytes()) else {
        return Err(end(EventState::Dead, "the payload cannot be read"));
    };
    match from_event(&delivered, event.received_at, reading.fields) {
        Some(incoming) => Ok(said(event, incoming)),
        None => Err(end(EventState::Ignored, "not about a person")),
    }
}

fn said(event: &Event, incoming: Incoming) -> Said {
    let stored = Origin::Stored(event.id.clone());
    let trace = event.trace.clone();
    Said { event: Some(stored), attempts: event.attempts, waits: event.waits, incoming, trace }
}

/// Whom an event is about that waited until its body was not kept any more, as for a key that Clerk takes.
fn waited_too_long(event: &Event) -> Option<&str> {
    let is_waiting = EventState::PENDING.contains(&event.state) && event.attempts > 0;
    event.clerk_id.as_deref().filter(|_| is_waiting && event.payload.is_empty())
}

/// What an event is told of its change, once that is written. (`Ask` and `Behind` are no end; nothing is recorded of them.)
pub fn outcome_of(change: &Change) -> Outcome {
    match change {
        Change::Insert(user) if user.deleted_at.is_some() => end(EventState::Applied, "deleted; was never stored"),
        Change::Insert(_) => end(EventState::Applied, "created"),
        Change::Update { changed, .. } => end(EventState::Applied, describe(changed)),
        Change::Stale(reason) => end(EventState::Stale, *reason),
        Change::Nobody => end(EventState::Ignored, "Clerk knows nobody by this id"),
        Change::Unchanged => end(EventState::Duplicate, "exactly this was already stored"),
        Change::Ask => end(EventState::Failed, "Clerk has to be asked"),
        Change::Behind => end(EventState::Failed, "Clerk's answer may be older than what is stored"),
    }
}

/// An event's last word.
pub fn end(state: EventState, decision: impl Into<String>) -> Outcome {
    Outcome { state, decision: decision.into(), due_at: None, is_wait: false }
}

fn describe(changed: &[&str]) -> String {
    match changed {
        [] => "confirmed; nothing differed".to_owned(),
        ["deletedAt"] => "deleted".to_owned(),
        fields => format!("updated {}", fields.join(", ")),
    }
}

#[cfg(test)]
mod tests;
