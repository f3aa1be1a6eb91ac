//! One person's events into one write.

use super::*;
use crate::model::user::{Role, SyncSource};
use crate::server::settings::fields::FieldValues;
use crate::server::store::users::Version;
use crate::server::sync::apply::{Person, apply};

const T: i64 = 1_760_000_000_000;
const ID: &str = "507f1f77bcf86cd799439011";
const ETAG: &str = "507f1f77bcf86cd799439012";

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).expect("within range")
}

fn person(first_name: &str, time: i64, source: SyncSource) -> Incoming {
    let person = Person {
        clerk_id: "user_1".to_owned(),
        email: None,
        email_verified: false,
        emails: Vec::new(),
        first_name: Some(first_name.to_owned()),
        last_name: None,
        username: Some("ada".to_owned()),
        image_url: None,
        role: Role::User,
        banned: false,
        locked: false,
        created_at: at(T),
        updated_at: at(time),
        claims: Claims::default(),
        fields: FieldValues::new(),
    };
    let event_at = if source == SyncSource::Webhook { time } else { 0 };
    Incoming::Person { person: Box::new(person), version: Version { updated_at: time, event_at }, source }
}

fn told(first_name: &str, time: i64) -> Incoming {
    person(first_name, time, SyncSource::Webhook)
}

fn gone(time: i64) -> Incoming {
    Incoming::Deleted { clerk_id: "user_1".to_owned(), at: at(time) }
}

fn case(incoming: impl IntoIterator<Item = Incoming>) -> Case {
    let mut case = Case::of("user_1");
    case.said = incoming
        .into_iter()
        .map(|incoming| Said { event: None, attempts: 0, waits: 0, incoming, trace: None })
        .collect();
    case
}

fn folded(stored: Option<&User>, case: &Case, plan: Plan) -> Folded {
    let now = at(T + 9);
    let fresh = Fresh { id: ID, etag: ETAG, now, plan, fields: &Fields::default() };
    fold(stored, None, case, fresh, |stored, incoming, id| apply(stored, incoming, id, now))
}

fn written(stored: Option<&User>, case: &Case) -> (Write, Vec<EventState>) {
    match folded(stored, case, Plan::default()) {
        Folded::Write(write, outcomes) => (*write, outcomes.into_iter().map(|outcome| outcome.state).collect()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_life_is_one_write() {
    let life = [told("Ada", T), told("Adele", T + 1), told("Ada", T), gone(T + 2), told("Revived", T + 2)];
    let (write, states) = written(None, &case(life));
    let (applied, stale) = (EventState::Applied, EventState::Stale);
    assert_eq!(states, [applied, applied, stale, applied, stale]);
    assert_eq!((write.guard, write.user.deleted_at, write.user.first_name), (Guard::New, Some(at(T + 2)), None));
}

#[test]
fn the_write_is_guarded_by_what_was_read_and_not_by_what_was_folded() {
    let (first, _) = written(None, &case([told("Ada", T)]));
    let (write, _) = written(Some(&first.user), &case([told("B", T + 1), told("C", T + 2)]));
    assert_eq!(write.guard, Guard::Unchanged(Some(ETAG.to_owned())));
    assert_eq!((write.user.id, write.user.first_name.as_deref()), (first.user.id, Some("C")));
}

#[test]
fn nothing_new_is_no_write_and_a_question_waits_for_its_answer() {
    let (first, _) = written(None, &case([told("Ada", T)]));
    let again = folded(Some(&first.user), &case([told("Ada", T)]), Plan::default());
    assert_eq!(again, Folded::Settled(vec![end(EventState::Duplicate, "exactly this was already stored")]));
    let mut question = case([told("Other", T)]);
    assert_eq!(folded(Some(&first.user), &question, Plan::default()), Folded::Ask);
    question.answer = Some(Answer { incoming: person("Other", T, SyncSource::Refetch), over: first.user.etag.clone() });
    let (write, _) = written(Some(&first.user), &question);
    assert_eq!(write.user.first_name.as_deref(), Some("Other"));
}

#[test]
fn a4_05_a_taken_name_gets_its_suffix_in_the_same_write() {
    let mut case = case([told("Ada", T)]);
    case.suffix = Suffix::Short;
    let (write, _) = written(None, &case);
    assert_eq!((write.user.username.as_deref(), write.user.username_conflict), (Some("ada-user1"), true));
    assert_eq!(write.user.clerk_username.as_deref(), Some("ada"));
}

#[test]
fn an_adopted_person_keeps_their_id_and_is_no_newcomer() {
    let local = LocalUser {
        id: "507f1f77bcf86cd799439099".to_owned(),
        email: "ada@example.com".to_owned(),
        role: Role::Moderator,
    };
    let now = at(T + 9);
    let plan = Plan { metadata: true, welcome: true, webhook: true };
    let fresh = Fresh { id: ID, etag: ETAG, now, plan, fields: &Fields::default() };
    let decide = |stored: Option<&User>, incoming: &Incoming, id: &str| apply(stored, incoming, id, now);
    let Folded::Write(write, _) = fold(None, Some(&local), &case([told("Ada", T)]), fresh, decide) else {
        panic!("a write")
    };
    assert_eq!((write.user.id.as_str(), write.guard), (local.id.as_str(), Guard::Local));
    let keys: Vec<&str> = write.effects.iter().map(|effect| effect.key.as_str()).collect();
    assert_eq!(keys, ["metadata:user_1", "webhook:user_1:507f1f77bcf86cd799439012"]);
}

/// Clerk's answer that it knows nobody.
fn absent(time: i64) -> Incoming {
    Incoming::Absent { clerk_id: "user_1".to_owned(), at: at(time) }
}

/// Clerk's answer over exactly this.
fn answering(stored: &User, incoming: Incoming) -> Answer {
    Answer { incoming, over: stored.etag.clone() }
}

#[test]
fn d2_25_an_answer_that_lags_behind_settles_nothing() {
    let (first, _) = written(None, &case([told("Ada", T)]));
    let mut question = case([told("Other", T)]);
    question.answer = Some(answering(&first.user, person("Before", T - 1, SyncSource::Refetch)));
    assert_eq!(folded(Some(&first.user), &question, Plan::default()), Folded::Behind);
}

#[test]
fn d2_24_clerk_may_not_know_a_newcomer_yet_which_is_no_deletion() {
    let (first, _) = written(None, &case([told("Ada", T)]));
    let mut question = case([told("Other", T)]);
    question.answer = Some(answering(&first.user, absent(T + 1)));
    assert_eq!(folded(Some(&first.user), &question, Plan::default()), Folded::Behind);
    let long_here = User { created_at: at(T - 300_000), ..first.user };
    let (write, _) = written(Some(&long_here), &question);
    assert!(write.user.deleted_at.is_some());
}

#[test]
fn d2_24_that_somebody_deleted_lives_is_for_clerk_to_confirm_and_revives_nobody() {
    let (first, _) = written(None, &case([told("Ada", T), gone(T + 1)]));
    let mut question = case([told("Revived", T + 2)]);
    assert_eq!(folded(Some(&first.user), &question, Plan::default()), Folded::Ask);
    let stale = |reason: &str| Folded::Settled(vec![end(EventState::Stale, reason)]);
    question.answer = Some(answering(&first.user, absent(T + 3)));
    let confirmed = stale("the person is deleted, which Clerk confirms");
    assert_eq!(folded(Some(&first.user), &question, Plan::default()), confirmed);
    question.answer = Some(answering(&first.user, person("Revived", T + 2, SyncSource::Refetch)));
    let denied = stale("the person is deleted, which is for ever, though Clerk knows them");
    assert_eq!(folded(Some(&first.user), &question, Plan::default()), denied);
}

#[test]
fn d3_28_a_hint_takes_clerks_answer_only_over_what_was_stored_when_it_was_asked() {
    let (first, _) = written(None, &case([told("Ada", T)]));
    let mut hint = case([Incoming::Hint { clerk_id: "user_1".to_owned(), source: SyncSource::Inngest, news: None }]);
    hint.answer = Some(Answer { incoming: person("Before", T, SyncSource::Refetch), over: None });
    assert_eq!(folded(Some(&first.user), &hint, Plan::default()), Folded::Ask, "an event came between");
    hint.answer = Some(answering(&first.user, person("After", T, SyncSource::Refetch)));
    let (write, _) = written(Some(&first.user), &hint);
    assert_eq!((write.user.first_name.as_deref(), write.user.sync_source), (Some("After"), SyncSource::Inngest));
}

#[test]
fn d3_28_an_answer_that_does_not_know_of_fresh_news_may_lag_and_of_old_news_is_the_truth() {
    let (first, _) = written(None, &case([told("Ada", T)]));
    let newcomer = Some(&first.user);
    let mut long_here = first.user.clone();
    long_here.created_at = at(T - 300_000);
    let stored = Some(&long_here);
    let lives = |updated_at: i64| News { at: at(T), is_deletion: false, updated_at: Some(at(updated_at)) };
    let dies = News { at: at(T), is_deletion: true, updated_at: None };
    let old = |news: News| News { at: at(T - 300_000), ..news };
    let decided = |stored: Option<&User>, news: News, answer: Incoming| {
        let hint = Incoming::Hint { clerk_id: "user_1".to_owned(), source: SyncSource::Inngest, news: Some(news) };
        let mut case = case([hint]);
        case.answer = Some(Answer { incoming: answer, over: stored.and_then(|stored| stored.etag.clone()) });
        match folded(stored, &case, Plan::default()) {
            Folded::Behind => "behind".to_owned(),
            Folded::Settled(outcomes) | Folded::Write(_, outcomes) => outcomes[0].decision.clone(),
            Folded::Ask => "ask".to_owned(),
        }
    };
    let known = || match person("Ada", T, SyncSource::Refetch) {
        Incoming::Person { mut person, version, source } => {
            person.created_at = at(T - 300_000);
            Incoming::Person { person, version, source }
        }
        other => other,
    };
    let same = "exactly this was already stored";
    for (case, stored, news, answer, expected) in [
        ("created, not known yet", None, lives(T), absent(T), "behind"),
        ("changed, not known any more", stored, lives(T), absent(T), "behind"),
        ("created long ago", None, old(lives(T)), absent(T), "Clerk knows nobody by this id"),
        ("changed long ago", stored, old(lives(T)), absent(T), "deleted"),
        ("changed long ago, so they say, of a newcomer", newcomer, old(lives(T)), absent(T), "behind"),
        ("a newcomer is deleted", newcomer, dies, absent(T), "deleted"),
        ("changed since the answer", stored, lives(T + 1), known(), "behind"),
        ("changed as answered", stored, lives(T), known(), same),
        ("changed long ago, so they say", stored, old(lives(T + 1)), known(), same),
        ("deleted, and still there", stored, dies, known(), "behind"),
        ("deleted long ago, so they say", stored, old(dies), known(), same),
        ("deleted", stored, dies, absent(T), "deleted"),
        ("deleted, and never here", None, dies, absent(T), "deleted; was never stored"),
    ] {
        assert_eq!(decided(stored, news, answer), expected, "{case}");
    }
    let (gone, _) = written(stored, &case([gone(T + 1)]));
    assert_eq!(decided(Some(&gone.user), lives(T + 2), absent(T)), same, "a deletion is for ever");
}
