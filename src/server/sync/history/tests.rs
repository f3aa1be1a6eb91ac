//! Folding the entries gives the document, whatever was said in whatever order.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::model::user::{Email, Role};
use crate::server::settings::environment::Variables;
use crate::server::settings::fields::FieldValues;
use crate::server::settings::reader::Reader;
use crate::server::store::events::Origin;
use crate::server::store::users::Version;
use crate::server::sync::apply::{Claims, Person, apply};
use crate::server::sync::effects::Plan;
use crate::server::sync::fold::{Answer, Case, Folded, Fresh, Said, Suffix, fold};

/// One field that is personal, and one that is not.
static TABLE: LazyLock<Fields> = LazyLock::new(|| {
    let rows = r#"fields = [
        { name = "department", from = "public_metadata.department", type = "text", personal = false },
        { name = "phone", from = "phone_number", type = "text" },
    ]"#;
    Fields::read(&mut Reader::new(rows, &Variables::default()).expect("TOML"))
});
const T: i64 = 1_760_000_000_000;
const ID: &str = "507f1f77bcf86cd799439011";

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(T + milliseconds).expect("within range")
}

/// A few bits decide what Clerk says of the person at a time.
fn person(bits: u8, time: i64, source: SyncSource) -> Incoming {
    let is_set = |bit: u8| bits & (1 << bit) != 0;
    let address = format!("{}@example.com", bits >> 6);
    let person = Person {
        clerk_id: "user_1".to_owned(),
        email: Some(address.clone()),
        email_verified: is_set(0),
        emails: vec![Email { address, verified: is_set(0) }],
        first_name: is_set(1).then(|| "Ada".to_owned()),
        last_name: None,
        username: Some(if is_set(2) { "ada" } else { "eve" }.to_owned()),
        image_url: None,
        role: if is_set(3) { Role::Admin } else { Role::User },
        banned: is_set(4),
        locked: is_set(5),
        created_at: at(i64::from(is_set(5))),
        updated_at: at(time),
        claims: Claims::default(),
        fields: FieldValues::from([
            ("department", FieldValue::Json(if is_set(6) { "sales" } else { "research" }.into())),
            ("phone", FieldValue::Json(if is_set(7) { "+1555" } else { "+1666" }.into())),
        ]),
    };
    let event_at = if source == SyncSource::Webhook { T + time } else { 0 };
    let version = Version { updated_at: T + time, event_at };
    Incoming::Person { person: Box::new(person), version, source }
}

/// Something that happens to a person.
#[derive(Clone, Debug)]
enum Happening {
    /// Several things said at once.
    Said(Vec<(u8, i64, SyncSource)>, Suffix),
    Deleted(i64),
    /// An admin gives a role, as the store writes it.
    Role(Role),
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let source = prop_oneof![
        4 => Just(SyncSource::Webhook),
        1 => Just(SyncSource::Push),
        1 => Just(SyncSource::Edit),
        1 => Just(SyncSource::Moderation),
        1 => Just(SyncSource::Reconcile),
    ];
    let suffix = prop_oneof![4 => Just(Suffix::None), 1 => Just(Suffix::Short)];
    let role = prop_oneof![Just(Role::User), Just(Role::Moderator), Just(Role::Admin)];
    let said = prop::collection::vec((any::<u8>(), 0..40_i64, source), 1..4);
    let happening = prop_oneof![
        12 => (said, suffix).prop_map(|(said, suffix)| Happening::Said(said, suffix)),
        1 => (0..40_i64).prop_map(Happening::Deleted),
        3 => role.prop_map(Happening::Role),
    ];
    prop::collection::vec(happening, 1..16)
}

fn carry_out(stored: Option<&User>, happening: &Happening, turn: i64) -> (Option<User>, Vec<Entry>) {
    let said = match happening {
        Happening::Role(role) => {
            let Some(before) = stored.filter(|user| user.deleted_at.is_none() && user.role != *role) else {
                return (stored.cloned(), Vec::new());
            };
            let after = User { role: *role, role_pending: true, ..before.clone() };
            let entries = entry_of(at(turn), before, &after, &TABLE).into_iter().collect();
            return (Some(after), entries);
        }
        Happening::Deleted(time) => vec![Incoming::Deleted { clerk_id: "user_1".to_owned(), at: at(*time) }],
        Happening::Said(said, _) => said.iter().map(|(bits, time, source)| person(*bits, *time, *source)).collect(),
    };
    let suffix = if let Happening::Said(_, suffix) = happening { *suffix } else { Suffix::None };
    let answer = Answer {
        incoming: person(0b0101_1010, 60 + turn, SyncSource::Refetch),
        over: stored.and_then(|user| user.etag.clone()),
    };
    let said = said.into_iter().enumerate().map(|(place, incoming)| {
        let event = Some(Origin::Stored(format!("msg_{turn}_{place}")));
        Said { event, attempts: 0, waits: 0, incoming, trace: None }
    });
    let case = Case { said: said.collect(), answer: Some(answer), suffix, ..Case::of("user_1") };
    let etag = format!("507f1f77bcf86cd7994{turn:05}");
    let fresh = Fresh { id: ID, etag: &etag, now: at(turn), plan: Plan::default(), fields: &TABLE };
    match fold(stored, None, &case, fresh, |stored, incoming, id| apply(stored, incoming, id, at(turn))) {
        Folded::Write(write, _) => (Some(write.user), write.history),
        Folded::Settled(_) | Folded::Ask | Folded::Behind => (stored.cloned(), Vec::new()),
    }
}

/// The values that the entries lead to, from those of the beginning on.
fn folded(first: &User, entries: &[Entry]) -> BTreeMap<&'static str, String> {
    let mut values = values_of(first, &TABLE);
    for change in entries.iter().flat_map(|entry| &entry.fields) {
        let Some(name) = shown().find(|name| *name == change.field) else { continue };
        assert_eq!(values.get(name), change.before.as_ref(), "{name} was something else before");
        match &change.after {
            Some(after) => values.insert(name, after.clone()),
            None => values.remove(name),
        };
    }
    values
}

/// Fields whose values are on record.
fn shown() -> impl Iterator<Item = &'static str> {
    SHOWN.into_iter().chain(["department"])
}

/// Personal fields, whose changes are on record by name.
fn personal(user: &User) -> [(&'static str, Option<String>); 5] {
    [
        ("phone", user.fields.get("phone").and_then(|value| value.to_json().as_str().map(str::to_owned))),
        ("email", user.email.clone()),
        ("firstName", user.first_name.clone()),
        ("name", Some(user.name.clone())),
        ("username", user.username.clone()),
    ]
}

proptest! {
    #[test]
    fn c_6_folding_what_is_on_record_of_a_person_gives_the_document(happenings in happenings()) {
        let (mut stored, mut first): (Option<User>, Option<User>) = (None, None);
        let (mut of_the_first, mut entries): (Vec<Entry>, Vec<Entry>) = (Vec::new(), Vec::new());
        for (turn, happening) in happenings.iter().enumerate() {
            let turn = i64::try_from(turn).expect("a small number");
            let (after, new) = carry_out(stored.as_ref(), happening, turn);
            let is_first = stored.is_none();
            for (name, value) in after.iter().flat_map(personal) {
                let before = stored.as_ref().and_then(|user| personal(user).into_iter().find(|row| row.0 == name));
                let is_named = new.iter().flat_map(|entry| &entry.fields).any(|change| change.field == name);
                let is_other = before.is_some_and(|row| row.1 != value);
                prop_assert!(!is_other || is_named, "{name} changed and is not on record");
            }
            prop_assert!(new.iter().flat_map(|entry| &entry.fields).all(|change| {
                shown().any(|name| name == change.field) || (change.before.is_none() && change.after.is_none())
            }), "a personal value is on record");
            // Of a newcomer the first write ends in the state from which the others go on.
            if is_first {
                first.clone_from(&after);
                of_the_first = new;
            } else {
                entries.extend(new);
            }
            stored = after;
        }
        if let (Some(first), Some(stored)) = (&first, &stored) {
            prop_assert_eq!(folded(first, &entries), values_of(stored, &TABLE));
            let all = [of_the_first, entries].concat();
            prop_assert_eq!(unexplained(stored, &all, &TABLE), Vec::<&str>::new());
        }
    }
}

#[test]
fn c_10_a_field_of_the_applications_own_is_on_record_with_values_unless_it_is_personal() {
    let (stored, _) = carry_out(None, &Happening::Said(vec![(0, 1, SyncSource::Webhook)], Suffix::None), 0);
    let stored = stored.expect("a person");
    let other = Happening::Said(vec![(0b1100_0000, 2, SyncSource::Webhook)], Suffix::None);
    let (after, entries) = carry_out(Some(&stored), &other, 1);
    let after = after.expect("a person");
    let change = |name: &str| {
        let change = entries[0].fields.iter().find(|change| change.field == name).expect("on record");
        (change.before.as_deref(), change.after.as_deref())
    };
    assert_eq!(change("department"), (Some("research"), Some("sales")));
    assert_eq!(change("phone"), (None, None));
    assert_eq!(unexplained(&after, &entries, &TABLE), Vec::<&str>::new());
    let mut touched = after.clone();
    touched.fields.insert("department", FieldValue::Json("board".into()));
    assert_eq!(unexplained(&touched, &entries, &TABLE), ["department"]);
    // It was personal when that was recorded, so its value is not on record.
    let mut personal = entries.clone();
    for change in &mut personal[0].fields {
        (change.before, change.after) = (None, None);
    }
    assert_eq!(unexplained(&touched, &personal, &TABLE), Vec::<&str>::new());
}

#[test]
fn c_6_a_hand_that_left_no_entry_is_found() {
    let (stored, _) = carry_out(None, &Happening::Said(vec![(0, 1, SyncSource::Webhook)], Suffix::None), 0);
    let stored = stored.expect("a person");
    let (after, entries) = carry_out(Some(&stored), &Happening::Role(Role::Moderator), 1);
    let after = after.expect("a person");
    assert_eq!(unexplained(&after, &entries, &TABLE), Vec::<&str>::new());
    assert_eq!(unexplained(&User { role: Role::Admin, ..after }, &entries, &TABLE), ["role"]);
}

#[test]
fn c_6_each_event_has_the_fields_that_it_changed_and_the_suffix_belongs_to_the_last() {
    let (stored, _) = carry_out(None, &Happening::Said(vec![(0, 1, SyncSource::Webhook)], Suffix::None), 0);
    let two = vec![(0b0001_0000, 2, SyncSource::Webhook), (0b0001_0100, 3, SyncSource::Webhook)];
    let (_, entries) = carry_out(stored.as_ref(), &Happening::Said(two, Suffix::Short), 1);
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.event.as_deref(), entry.fields.iter().map(|change| change.field.as_str()).collect()))
        .collect();
    let expected: [(Option<&str>, Vec<&str>); 2] =
        [(Some("msg_1_0"), vec!["banned"]), (Some("msg_1_1"), vec!["name", "username", "usernameConflict"])];
    assert_eq!(told, expected);
}
