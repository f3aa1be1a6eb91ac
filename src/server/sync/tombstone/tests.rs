//! Tables and properties of what stays. Test names cite requirements.

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;
use crate::model::user::Email;
use crate::server::sync::apply::{Claims, Person, apply};

const ID: &str = "507f1f77bcf86cd799439011";
const DELETED: i64 = 50;

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).expect("within range")
}

fn said(time: i64) -> Incoming {
    let person = Person {
        clerk_id: "user_1".to_owned(),
        email: Some(format!("{time}@example.com")),
        email_verified: true,
        emails: vec![Email { address: format!("{time}@example.com"), verified: true }],
        first_name: Some(format!("Ada {time}")),
        last_name: None,
        username: Some("ada".to_owned()),
        image_url: None,
        role: Role::Admin,
        banned: false,
        locked: false,
        created_at: at(1),
        updated_at: at(time),
        claims: Claims::default(),
        fields: [("team", FieldValue::Json("blue".into()))].into(),
    };
    let version = Version { updated_at: time, event_at: time };
    Incoming::Person { person: Box::new(person), version, source: SyncSource::Webhook }
}

fn deleted() -> Incoming {
    Incoming::Deleted { clerk_id: "user_1".to_owned(), at: at(DELETED) }
}

fn decided(stored: Option<&User>, incoming: &Incoming) -> Change {
    let decide = |stored: Option<&User>, incoming: &Incoming| apply(stored, incoming, ID, at(99));
    keeping(stored, incoming, decide(stored, incoming), decide)
}

fn told(history: &[Incoming]) -> User {
    let told = history.iter().fold(None, |stored: Option<User>, incoming| match decided(stored.as_ref(), incoming) {
        Change::Insert(user) | Change::Update { user, .. } => Some(*user),
        Change::Stale(_) | Change::Unchanged => stored,
        // Clerk says that they are gone, which is known.
        Change::Ask if stored.as_ref().is_some_and(|stored| stored.deleted_at.is_some()) => stored,
        other => panic!("{other:?}"),
    });
    told.expect("somebody")
}

#[test]
fn a0_19_kept_means_as_they_were_without_the_username_rights_and_what_was_pending() {
    let user = told(&[said(10), said(20), deleted()]);
    assert_eq!((user.deleted_at, user.updated_at), (Some(at(DELETED)), at(DELETED)));
    assert_eq!((user.first_name.as_deref(), user.email.as_deref()), (Some("Ada 20"), Some("20@example.com")));
    assert_eq!((user.username, user.clerk_username.as_deref(), user.role), (None, Some("ada"), Role::User));
    assert_eq!(user.fields, FieldValues::from([("team", FieldValue::Json("blue".into()))]));
}

#[test]
fn d2_24_what_is_said_later_of_the_time_before_counts_and_nothing_said_of_after_it() {
    let stored = told(&[said(20), deleted()]);
    assert!(matches!(decided(Some(&stored), &said(10)), Change::Stale(_)), "older than what is kept");
    assert!(matches!(decided(Some(&stored), &said(20)), Change::Stale(_)), "the same");
    let Change::Update { user, changed } = decided(Some(&stored), &said(30)) else { panic!("it is news") };
    assert_eq!((user.first_name.as_deref(), user.deleted_at), (Some("Ada 30"), Some(at(DELETED))));
    assert_eq!(changed, ["email", "emails", "firstName", "name"]);
    assert_eq!(decided(Some(&stored), &said(60)), Change::Ask, "whoever lives after it may be known to Clerk");
    assert_eq!(decided(Some(&stored), &deleted()), Change::Unchanged);
}

#[test]
fn c_11_whoever_was_erased_or_deleted_while_nothing_was_kept_is_not_filled_again() {
    let stored = told(&[said(20), deleted()]);
    let bare = stripped(&stored, at(99)).expect("there is something");
    assert_eq!((bare.name.as_str(), &bare.email, &bare.clerk_username), (NAME, &None, &None));
    assert_eq!(bare.fields, FieldValues::from([("team", FieldValue::default())]));
    assert_eq!(stripped(&bare, at(99)), None, "nothing is left");
    assert!(matches!(decided(Some(&bare), &said(30)), Change::Stale(_)));
    let tombstone = tombstone(ID, "user_1", at(DELETED), at(99));
    assert_eq!(stripped(&tombstone, at(99)), None);
    assert!(matches!(decided(Some(&tombstone), &said(30)), Change::Stale(_)));
    assert_eq!(stripped(&told(&[said(20)]), at(99)), None, "nobody living is stripped");
}

proptest! {
    /// Whatever comes in whichever order, the last word of before the deletion is what is kept.
    #[test]
    fn d8_any_order_of_words_and_deletion_keeps_the_same(
        times in subsequence((1..DELETED).step_by(7).collect::<Vec<i64>>(), 1..=7),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        place in any::<prop::sample::Index>(),
        keys in prop::collection::vec(any::<u32>(), 16),
    ) {
        let mut history: Vec<Incoming> = times.iter().map(|time| said(*time)).collect();
        history.extend(again.iter().map(|index| said(*index.get(&times))));
        let mut keyed: Vec<(u32, Incoming)> = keys.into_iter().zip(history).collect();
        keyed.sort_by_key(|(key, _)| *key);
        let mut history: Vec<Incoming> = keyed.into_iter().map(|(_, said)| said).collect();
        history.insert(place.index(history.len() + 1), deleted());
        let user = told(&history);
        let last = times.last().map(|time| format!("Ada {time}"));
        prop_assert_eq!((user.deleted_at, user.first_name), (Some(at(DELETED)), last));
    }
}
