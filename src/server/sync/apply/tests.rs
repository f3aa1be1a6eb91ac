//! Tables and properties of the decision. Test names cite requirements.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ID: &str = "507f1f77bcf86cd799439011";

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).expect("within range")
}

/// Two fields of the application's own, of which every second version has one only.
fn own(first_name: &str) -> FieldValues {
    let has_team = first_name.bytes().last().is_some_and(|last| last.is_multiple_of(2));
    let team = if has_team { json!(first_name.to_lowercase()) } else { Value::Null };
    [("badge", json!(first_name)), ("team", team)].map(|(name, value)| (name, FieldValue::Json(value))).into()
}

fn person(first_name: &str, updated_at: i64) -> Person {
    Person {
        clerk_id: "user_1".to_owned(),
        email: Some("ada@example.com".to_owned()),
        email_verified: true,
        emails: vec![Email { address: "ada@example.com".to_owned(), verified: true }],
        first_name: Some(first_name.to_owned()),
        last_name: None,
        username: Some("ada".to_owned()),
        image_url: None,
        role: Role::User,
        banned: false,
        locked: false,
        created_at: at(1),
        updated_at: at(updated_at),
        claims: Claims::default(),
        fields: own(first_name),
    }
}

fn said(first_name: &str, updated_at: i64, event_at: i64) -> Incoming {
    let version = Version { updated_at, event_at };
    Incoming::Person { person: Box::new(person(first_name, updated_at)), version, source: SyncSource::Webhook }
}

fn answered(first_name: &str, updated_at: i64) -> Incoming {
    let version = Version { updated_at, event_at: 0 };
    Incoming::Person { person: Box::new(person(first_name, updated_at)), version, source: SyncSource::Refetch }
}

fn deleted(at_ms: i64) -> Incoming {
    Incoming::Deleted { clerk_id: "user_1".to_owned(), at: at(at_ms) }
}

/// What is stored after `incoming`; equal versions that differ are settled by `truth`, as Clerk would.
fn step(stored: Option<User>, incoming: &Incoming, truth: &Incoming) -> Option<User> {
    match apply(stored.as_ref(), incoming, ID, at(99)) {
        Change::Insert(user) | Change::Update { user, .. } => Some(*user),
        Change::Stale(_) | Change::Unchanged | Change::Behind | Change::Nobody => stored,
        Change::Ask => step(stored, truth, truth),
    }
}

fn fold(history: &[Incoming], truth: &Incoming) -> Option<User> {
    history.iter().fold(None, |stored, incoming| step(stored, incoming, truth))
}

#[test]
fn d2_23_an_update_before_the_creation_adds_the_person() {
    assert!(matches!(apply(None, &said("Ada", 5, 5), ID, at(9)), Change::Insert(_)));
}

#[test]
fn d2_21_an_older_version_is_stale() {
    let stored = fold(&[said("New", 7, 7)], &answered("New", 7));
    assert!(matches!(apply(stored.as_ref(), &said("Old", 6, 6), ID, at(9)), Change::Stale(_)));
    assert!(matches!(apply(stored.as_ref(), &said("New", 7, 6), ID, at(9)), Change::Stale(_)));
}

#[test]
fn d2_20_the_same_again_changes_nothing() {
    let stored = fold(&[said("Ada", 7, 7)], &answered("Ada", 7));
    assert_eq!(apply(stored.as_ref(), &said("Ada", 7, 7), ID, at(9)), Change::Unchanged);
}

#[test]
fn d2_25_equal_versions_that_differ_are_settled_by_clerk() {
    let stored = fold(&[said("One", 7, 7)], &answered("One", 7));
    assert_eq!(apply(stored.as_ref(), &said("Other", 7, 7), ID, at(9)), Change::Ask);
    let settled = step(stored, &said("Other", 7, 7), &answered("Other", 7)).expect("a document");
    assert_eq!(settled.first_name.as_deref(), Some("Other"));
    assert_eq!(settled.version, Version { updated_at: 7, event_at: 7 });
}

#[test]
fn d2_24_nothing_revives_the_deleted() {
    let stored = fold(&[said("Ada", 5, 5), deleted(6)], &deleted(6));
    let tombstone = stored.clone().expect("a tombstone");
    assert_eq!(tombstone.deleted_at, Some(at(6)));
    assert_eq!((tombstone.email, tombstone.first_name, tombstone.username), (None, None, None));
    assert_eq!(tombstone.fields.keys().copied().collect::<Vec<_>>(), ["badge", "team"]);
    assert!(tombstone.fields.values().all(|value| *value == FieldValue::default()));
    assert!(matches!(apply(stored.as_ref(), &said("Ada", 6, 6), ID, at(9)), Change::Stale(_)));
    assert!(matches!(apply(stored.as_ref(), &answered("Ada", 9), ID, at(9)), Change::Stale(_)));
    assert_eq!(apply(stored.as_ref(), &said("Ada", 9, 9), ID, at(9)), Change::Ask, "Clerk confirms it");
    assert_eq!(apply(stored.as_ref(), &deleted(9), ID, at(9)), Change::Unchanged);
}

#[test]
fn a0_19_deleting_the_unknown_leaves_a_tombstone() {
    let stored = fold(&[deleted(6), said("Late", 9, 9)], &deleted(6)).expect("a tombstone");
    assert!(stored.deleted_at.is_some());
}

#[test]
fn a_newer_event_that_says_the_same_still_moves_the_version() {
    let stored = fold(&[answered("Ada", 7)], &answered("Ada", 7));
    match apply(stored.as_ref(), &said("Ada", 7, 8), ID, at(9)) {
        Change::Update { user, changed, .. } => {
            assert!(changed.is_empty());
            assert_eq!(user.version, Version { updated_at: 7, event_at: 8 });
        }
        other => panic!("{other:?}"),
    }
}

/// The same answer by another way than a question.
fn told_by(source: SyncSource, answer: &Incoming) -> Incoming {
    match answer.clone() {
        Incoming::Person { person, version, .. } => Incoming::Person { person, version, source },
        other => other,
    }
}

#[test]
fn d2_25_an_older_answer_of_clerks_lags_and_settles_nothing() {
    let stored = fold(&[said("New", 8, 8)], &answered("New", 8));
    assert_eq!(apply(stored.as_ref(), &answered("Old", 7), ID, at(200)), Change::Behind);
    for source in [SyncSource::Backfill, SyncSource::Reconcile, SyncSource::Push, SyncSource::Jit] {
        let answer = told_by(source, &answered("Old", 7));
        assert!(matches!(apply(stored.as_ref(), &answer, ID, at(200)), Change::Stale(_)), "{source:?}");
    }
}

#[test]
fn d3_23_a_version_above_clerks_own_is_lowered_by_an_answer_that_cannot_lag_any_more() {
    let stored = fold(&[said("Ahead", 8, 8)], &answered("Ahead", 8));
    let later = at(99 + 300_001);
    let reconciled = told_by(SyncSource::Reconcile, &answered("Clerk's", 7));
    assert_eq!(apply(stored.as_ref(), &reconciled, ID, later), Change::Ask, "a scan never lowers it by itself");
    match apply(stored.as_ref(), &answered("Clerk's", 7), ID, later) {
        Change::Update { user, .. } => {
            assert_eq!(user.first_name.as_deref(), Some("Clerk's"));
            assert_eq!(user.version, Version { updated_at: 7, event_at: 0 });
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn d3_23_a_time_ahead_of_every_clock_puts_nothing_in_order() {
    const CENTURY: i64 = 4_102_444_800_000;
    let now = at(1_760_000_000_000);
    let stored = apply(None, &said("Ahead", CENTURY, CENTURY), ID, now);
    let Change::Insert(stored) = stored else { panic!("{stored:?}") };
    let event = said("Ada", 1_759_999_999_000, 1_759_999_999_000);
    assert_eq!(apply(Some(&stored), &event, ID, now), Change::Ask, "neither older nor newer");
    let same = said("Ahead", 1_759_999_999_000, 1_759_999_999_000);
    assert_eq!(apply(Some(&stored), &same, ID, now), Change::Ask, "so that the version is mended");
    match apply(Some(&stored), &answered("Ada", 1_759_999_999_000), ID, now) {
        Change::Update { user, .. } => {
            assert_eq!(user.version, Version { updated_at: 1_759_999_999_000, event_at: 0 });
        }
        other => panic!("{other:?}"),
    }
    let timely = apply(None, &event, ID, now);
    let Change::Insert(timely) = timely else { panic!("{timely:?}") };
    assert_eq!(apply(Some(&timely), &said("Ahead", CENTURY, CENTURY), ID, now), Change::Ask);
    assert_eq!(apply(Some(&timely), &said("Ahead", 1_759_999_999_000, CENTURY), ID, now), Change::Ask);
    assert_eq!(apply(Some(&timely), &said("Ada", 1_759_999_999_000, 1_759_999_999_000), ID, now), Change::Unchanged);
}

#[test]
fn d2_25_without_a_time_nothing_is_newer() {
    let dated = fold(&[said("One", 7, 7)], &answered("One", 7));
    let asked = |stored: &Option<User>, incoming: &Incoming| apply(stored.as_ref(), incoming, ID, at(99));
    assert_eq!(asked(&dated, &said("Other", 7, 0)), Change::Ask, "no event time");
    assert_eq!(asked(&dated, &said("One", 7, 0)), Change::Unchanged);
    assert_eq!(asked(&dated, &said("Other", 0, 9)), Change::Ask, "no time of the person's");
    assert_eq!(asked(&dated, &said("One", 0, 9)), Change::Unchanged);
    let untimed = fold(&[said("One", 7, 0)], &answered("One", 7));
    assert_eq!(asked(&untimed, &said("Other", 7, 9)), Change::Ask);
    assert_eq!(asked(&untimed, &said("Other", 7, 0)), Change::Ask);
    let undated = fold(&[said("One", 0, 0)], &answered("One", 0));
    assert_eq!(asked(&undated, &said("Other", 0, 0)), Change::Ask);
    assert_eq!(asked(&undated, &said("One", 0, 0)), Change::Unchanged);
    match asked(&undated, &answered("Other", 0)) {
        Change::Update { user, .. } => assert_eq!(user.updated_at, undated.as_ref().expect("stored").updated_at),
        other => panic!("{other:?}"),
    }
}

#[test]
fn d3_28_a_hint_is_a_question_and_no_more() {
    let hint = Incoming::Hint { clerk_id: "user_1".to_owned(), source: SyncSource::Inngest, news: None };
    assert_eq!(apply(None, &hint, ID, at(9)), Change::Ask);
    assert_eq!(apply(fold(&[deleted(6)], &deleted(6)).as_ref(), &hint, ID, at(9)), Change::Ask);
}

#[test]
fn a4_05_a_suffix_stays_while_the_same_name_is_wanted_and_goes_with_the_wish() {
    let mut stored = fold(&[said("Ada", 5, 5)], &answered("Ada", 5)).expect("a document");
    give_suffix(&mut stored, Suffix::Short);
    let later = step(Some(stored.clone()), &said("Adele", 6, 6), &answered("Adele", 6)).expect("a document");
    assert_eq!((later.username, later.username_conflict), (Some(suffixed_username("ada", "user_1")), true));
    let mut other = person("Adele", 7);
    other.username = Some("adele".to_owned());
    let version = Version { updated_at: 7, event_at: 7 };
    let wish = Incoming::Person { person: Box::new(other), version, source: SyncSource::Webhook };
    let later = step(Some(stored), &wish, &wish).expect("a document");
    assert_eq!((later.username.as_deref(), later.username_conflict, later.sync_reason), (Some("adele"), false, None));
}

#[test]
fn d2_38_a_role_that_was_set_here_stands_until_clerks_answer_to_our_push_shows_it() {
    let mut stored = fold(&[said("Ada", 5, 5)], &answered("Ada", 5)).expect("a document");
    (stored.role, stored.role_pending) = (Role::Moderator, true);
    let later = step(Some(stored), &said("Adele", 6, 6), &answered("Adele", 6)).expect("a document");
    assert_eq!((later.role, later.role_pending), (Role::Moderator, true));
    let mut confirmed = person("Adele", 7);
    confirmed.role = Role::Moderator;
    let version = Version { updated_at: 7, event_at: 0 };
    let answer = Incoming::Person { person: Box::new(confirmed), version, source: SyncSource::Push };
    let later = step(Some(later), &answer, &answer).expect("a document");
    assert_eq!((later.role, later.role_pending), (Role::Moderator, false));
    let later = step(Some(later), &said("Adele", 8, 8), &answered("Adele", 8)).expect("a document");
    assert_eq!(later.role, Role::User, "what Clerk's dashboard says afterwards counts again");
}

#[test]
fn d2_25_an_event_that_differs_from_clerks_answer_of_the_same_version_is_settled_by_clerk() {
    let stored = fold(&[answered("Answer", 7)], &answered("Answer", 7));
    assert_eq!(apply(stored.as_ref(), &said("Event", 7, 8), ID, at(9)), Change::Ask);
}

#[test]
fn a4_05_the_suffix_depends_on_the_person_alone() {
    assert_eq!(suffixed_username("ada", "user_2AbCdEfGhI"), "ada-defghi");
    assert_eq!(suffixed_username("ada", "user_2AbCdEfGhI"), suffixed_username("ada", "user_2AbCdEfGhI"));
    assert_ne!(suffixed_username("ada", "user_2AbCdEfGhI"), suffixed_username("ada", "user_2AbCdEfGhJ"));
}

#[test]
fn changes_are_named_by_field_and_never_by_value() {
    let stored = fold(&[said("Ada", 5, 5)], &answered("Ada", 5));
    match apply(stored.as_ref(), &said("Adele", 6, 6), ID, at(9)) {
        Change::Update { changed, .. } => assert_eq!(changed, ["firstName", "name", "badge"]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a2_24_c_10_a_field_that_the_table_gained_counts_from_clerks_next_word_and_no_value_is_no_difference() {
    let mut stored = fold(&[said("Ada", 5, 5)], &answered("Ada", 5)).expect("a document");
    let full = stored.clone();
    stored.fields = FieldValues::from([("team", FieldValue::default())]);
    assert_eq!(apply(Some(&stored), &said("Ada", 5, 5), ID, at(9)), Change::Ask);
    match apply(Some(&stored), &answered("Ada", 5), ID, at(9)) {
        Change::Update { user, changed } => {
            assert_eq!((changed, &user.fields), (vec!["badge"], &full.fields));
        }
        other => panic!("{other:?}"),
    }
    let bare = User { fields: FieldValues::from([("badge", full.fields["badge"].clone())]), ..full };
    assert_eq!(apply(Some(&bare), &answered("Ada", 5), ID, at(9)), Change::Unchanged);
}

#[test]
fn a2_24_what_somebody_else_wrote_into_a_field_differs_from_everything() {
    let mut stored = fold(&[said("Ada", 5, 5)], &answered("Ada", 5)).expect("a document");
    stored.fields.insert("team", FieldValue::Foreign);
    match apply(Some(&stored), &answered("Ada", 5), ID, at(9)) {
        Change::Update { user, changed } => {
            assert_eq!((changed, &user.fields["team"]), (vec!["team"], &FieldValue::default()));
        }
        other => panic!("{other:?}"),
    }
}

/// A history of one person as Clerk makes it: versions in order, each with its snapshot, perhaps deleted at the end.
fn histories() -> impl Strategy<Value = (Vec<Incoming>, Incoming)> {
    (1_usize..8, any::<bool>(), prop::collection::vec(0_i64..3, 8)).prop_map(|(count, ends, steps)| {
        let mut updated_at = 10;
        let mut history = Vec::new();
        for (index, step) in steps.iter().take(count).enumerate() {
            // A step of zero makes two versions of the same millisecond.
            updated_at += step;
            let event_at = 100 + i64::try_from(index).expect("small");
            history.push(said(&format!("Name {index}"), updated_at, event_at));
        }
        let last = answered(&format!("Name {}", count - 1), updated_at);
        if ends {
            history.push(deleted(1_000));
            return (history, deleted(1_000));
        }
        (history, last)
    })
}

/// What must be equal however the events arrived: everything but when we looked and who told us.
fn comparable(user: Option<User>) -> Option<User> {
    user.map(|mut user| {
        user.last_clerk_sync = None;
        user.sync_source = SyncSource::Webhook;
        if user.deleted_at.is_some() {
            // A tombstone keeps when the person joined only if it was ever told.
            user.created_at = Timestamp::UNIX_EPOCH;
            user.version = Version::default();
            user.fields.retain(|_, value| *value != FieldValue::default());
        }
        user
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_order_and_any_repetition_end_in_the_same_document(
        (history, truth) in histories(),
        seeds in prop::collection::vec(any::<u32>(), 24),
    ) {
        let expected = comparable(fold(&history, &truth));
        let mut deliveries: Vec<(u32, &Incoming)> =
            seeds.iter().enumerate().map(|(index, seed)| (*seed, &history[index % history.len()])).collect();
        deliveries.sort_by_key(|(seed, _)| *seed);
        let shuffled: Vec<Incoming> = deliveries.into_iter().map(|(_, incoming)| incoming.clone()).collect();
        prop_assert_eq!(comparable(fold(&shuffled, &truth)), expected);
    }

    #[test]
    fn a_lost_delivery_is_made_good_by_asking_clerk((history, truth) in histories(), lost in any::<prop::sample::Index>()) {
        let mut delivered = history.clone();
        delivered.remove(lost.index(delivered.len()));
        delivered.push(truth.clone());
        let healed = fold(&delivered, &truth).expect("a document");
        let whole = fold(&history, &truth).expect("a document");
        let own = |user: &User| comparable(Some(user.clone())).map(|user| user.fields);
        prop_assert_eq!(own(&healed), own(&whole));
        prop_assert_eq!(healed.first_name, whole.first_name);
        prop_assert_eq!(healed.deleted_at, whole.deleted_at);
        prop_assert_eq!(healed.version.updated_at, whole.version.updated_at);
    }
}
