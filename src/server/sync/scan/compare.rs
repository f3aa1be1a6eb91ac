//! What differs about one person between MongoDB and Clerk. Pure.

use jiff::{SignedDuration, Timestamp};

use crate::model::finding::{Difference, DifferenceKind, FieldDifference};
use crate::model::user::SyncSource;
use crate::server::clerk::wire;
use crate::server::settings::fields::Fields;
use crate::server::store::users::User;
use crate::server::sync::apply::{Claims, Incoming, Person, compare};
use crate::server::sync::effects::Plan;
use crate::server::sync::fields::open_value;
use crate::server::sync::mapping::from_fetched;

/// The name under which a write-back that did not arrive is a difference.
const METADATA: &str = "metadata";
/// What changed within so long may still be on its way.
const FRESH_FOR: SignedDuration = SignedDuration::from_secs(60);

/// What is stored of a person.
#[derive(Clone, Debug)]
pub enum Stored {
    Nothing,
    Person(Box<User>),
    Unreadable,
}

/// What differs, if anything does. `None` for Clerk: it knows nobody by this id.
pub fn difference(
    clerk_id: &str,
    stored: &Stored,
    theirs: Option<&wire::User>,
    plan: Plan,
    table: &Fields,
) -> Option<Difference> {
    let of = |kind, fields| Some(Difference { clerk_id: clerk_id.to_owned(), kind, fields, mended_at: None });
    match (stored, theirs) {
        (Stored::Nothing, None) => None,
        (Stored::Unreadable, _) => of(DifferenceKind::Unreadable, Vec::new()),
        (Stored::Nothing, Some(_)) => of(DifferenceKind::Missing, Vec::new()),
        (Stored::Person(user), None) if user.deleted_at.is_some() => None,
        (Stored::Person(_), None) => of(DifferenceKind::Gone, Vec::new()),
        (Stored::Person(user), Some(_)) if user.deleted_at.is_some() => of(DifferenceKind::Revived, Vec::new()),
        (Stored::Person(user), Some(theirs)) => {
            let fields = fields(user, theirs, plan, table);
            if fields.is_empty() { None } else { of(DifferenceKind::Differing, fields) }
        }
    }
}

/// Whether a write-back did not arrive, among what differs.
pub fn is_of_metadata(difference: &Difference) -> bool {
    difference.fields.iter().any(|field| field.field == METADATA)
}

/// Whether nothing else differs.
pub fn is_only_of_metadata(difference: &Difference) -> bool {
    difference.kind == DifferenceKind::Differing && difference.fields.iter().all(|field| field.field == METADATA)
}

/// Whether nothing else differs than a ban or a lock, of which Clerk does not promise that it is a change by its time: one
/// that is on its way looks like one that was never told.
pub fn is_only_of_state(difference: &Difference) -> bool {
    difference.kind == DifferenceKind::Differing
        && difference.fields.iter().all(|field| ["banned", "locked"].contains(&field.field.as_str()))
}

/// Whether the difference may be explained by something that is on its way: an event, or a write-back of ours.
pub fn is_fresh(difference: &Difference, stored: &Stored, theirs: Option<&wire::User>, now: Timestamp) -> bool {
    let is_recent = |at: Option<Timestamp>| at.is_some_and(|at| now.duration_since(at) < FRESH_FOR);
    match (difference.kind, stored, theirs) {
        (DifferenceKind::Unreadable, _, _) => false,
        // When somebody went, nobody says.
        (DifferenceKind::Gone | DifferenceKind::Revived, _, _) => true,
        (DifferenceKind::Differing, Stored::Person(user), Some(theirs)) => {
            let updated_at = theirs.updated_at.map_or(i64::MIN, Timestamp::as_millisecond);
            user.version.updated_at > updated_at
                || is_recent(theirs.updated_at)
                || (is_of_metadata(difference) && is_recent(user.last_clerk_sync))
        }
        (_, _, theirs) => theirs.is_some_and(|theirs| is_recent(theirs.updated_at)),
    }
}

fn fields(user: &User, theirs: &wire::User, plan: Plan, table: &Fields) -> Vec<FieldDifference> {
    // Whoever has no date of joining keeps the one they were given here.
    let Incoming::Person { person, .. } = from_fetched(theirs, SyncSource::Reconcile, user.created_at, table) else {
        return Vec::new();
    };
    let mut fields: Vec<FieldDifference> =
        compare(user, &person).into_iter().map(|field| with_values(field, user, &person, table)).collect();
    if plan.metadata && person.claims != Claims::wanted(user) {
        fields.push(FieldDifference { field: METADATA.to_owned(), here: None, clerk: None });
    }
    fields
}

/// Both values, unless they are personal.
fn with_values(field: &str, user: &User, person: &Person, table: &Fields) -> FieldDifference {
    let both = |here: String, clerk: String| (Some(here), Some(clerk));
    let (here, clerk) = match field {
        "role" => both(user.role.to_string(), person.role.to_string()),
        "banned" => both(user.banned.to_string(), person.banned.to_string()),
        "locked" => both(user.locked.to_string(), person.locked.to_string()),
        "emailVerified" => both(user.email_verified.to_string(), person.email_verified.to_string()),
        "createdAt" => both(user.created_at.to_string(), person.created_at.to_string()),
        "updatedAt" => both(user.updated_at.to_string(), person.updated_at.to_string()),
        own => (open_value(&user.fields, table, own), open_value(&person.fields, table, own)),
    };
    FieldDifference { field: field.to_owned(), here, clerk }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::clerk::wire::EmailAddress;
    use crate::server::settings::environment::Variables;
    use crate::server::settings::reader::Reader;
    use crate::server::sync::apply::{Change, apply};

    const NOW: i64 = 1_800_000_000_000;

    type Spoil = fn(&mut User);

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    fn theirs() -> wire::User {
        wire::User {
            id: "user_a".to_owned(),
            first_name: Some("Ada".to_owned()),
            username: Some("ada".to_owned()),
            email_addresses: vec![EmailAddress {
                id: "idn_1".to_owned(),
                email_address: "ada@example.com".to_owned(),
                verification: None,
            }],
            created_at: Some(at(1_000)),
            updated_at: Some(at(2_000)),
            ..wire::User::default()
        }
    }

    fn stored() -> User {
        let incoming = from_fetched(&theirs(), SyncSource::Backfill, at(NOW), &Fields::default());
        match apply(None, &incoming, "66e5d00d00000000000000aa", at(NOW)) {
            Change::Insert(user) => *user,
            other => panic!("{other:?}"),
        }
    }

    fn found(user: &User, theirs: Option<&wire::User>, metadata: bool) -> Option<Difference> {
        let plan = Plan { metadata, ..Plan::default() };
        difference("user_a", &Stored::Person(Box::new(user.clone())), theirs, plan, &Fields::default())
    }

    #[test]
    fn c_1_a_person_as_clerk_says_is_no_difference_and_each_changed_field_is_named() {
        assert_eq!(found(&stored(), Some(&theirs()), false), None);
        let changes: [(&str, Spoil); 14] = [
            ("email", |user| user.email = Some("eve@example.com".to_owned())),
            ("emailVerified", |user| user.email_verified = true),
            ("emails", |user| user.emails.clear()),
            ("firstName", |user| user.first_name = None),
            ("lastName", |user| user.last_name = Some("Eve".to_owned())),
            ("name", |user| user.name = "Eve".to_owned()),
            ("username", |user| user.username = Some("eve".to_owned())),
            ("username", |user| user.clerk_username = Some("eve".to_owned())),
            ("imageUrl", |user| user.image_url = Some("https://example.com".to_owned())),
            ("role", |user| user.role = crate::model::user::Role::Admin),
            ("banned", |user| user.banned = true),
            ("locked", |user| user.locked = true),
            ("createdAt", |user| user.created_at = at(5)),
            ("updatedAt", |user| user.updated_at = at(5)),
        ];
        for (field, change) in changes {
            let mut user = stored();
            change(&mut user);
            let fields: Vec<String> = found(&user, Some(&theirs()), false)
                .map(|difference| difference.fields.into_iter().map(|field| field.field).collect())
                .unwrap_or_default();
            assert_eq!(fields, [field]);
        }
    }

    #[test]
    fn c_1_values_are_shown_only_where_they_are_not_personal() {
        let mut user = stored();
        user.first_name = Some("Eve".to_owned());
        user.banned = true;
        let fields = found(&user, Some(&theirs()), false).unwrap().fields;
        let shown: Vec<_> = fields.iter().map(|field| (field.field.as_str(), field.here.as_deref())).collect();
        assert_eq!(shown, [("firstName", None), ("banned", Some("true"))]);
    }

    #[test]
    fn c_10_a_field_of_the_applications_own_shows_its_values_unless_it_is_personal_or_private() {
        let rows = r#"fields = [
            { name = "department", from = "public_metadata.department", type = "text", personal = false },
            { name = "desk", from = "public_metadata.desk", type = "json", personal = false },
            { name = "grade", from = "private_metadata.grade", type = "integer", personal = false },
            { name = "locale", from = "locale", type = "text" },
        ]"#;
        let table = Fields::read(&mut Reader::new(rows, &Variables::default()).unwrap());
        let metadata = |value: serde_json::Value| value.as_object().unwrap().clone();
        let theirs = wire::User {
            public_metadata: metadata(serde_json::json!({ "department": "Sales", "desk": { "floor": 3 } })),
            private_metadata: metadata(serde_json::json!({ "grade": 7 })),
            locale: Some("de".to_owned()),
            ..theirs()
        };
        let user = Box::new(stored());
        let found = difference("user_a", &Stored::Person(user), Some(&theirs), Plan::default(), &table).unwrap();
        let shown: Vec<_> = found.fields.iter().map(|field| (field.field.as_str(), field.clerk.as_deref())).collect();
        let expected =
            [("department", Some("Sales")), ("desk", Some("{\"floor\":3}")), ("grade", None), ("locale", None)];
        assert_eq!(shown, expected);
        assert!(found.fields.iter().all(|field| field.here.is_none()), "nothing was here");
    }

    #[test]
    fn d2_38_a_role_on_its_way_to_clerk_is_no_difference_but_its_metadata_is() {
        let mut user = stored();
        user.role = crate::model::user::Role::Admin;
        user.role_pending = true;
        assert_eq!(found(&user, Some(&theirs()), false), None);
        let difference = found(&user, Some(&theirs()), true).unwrap();
        assert_eq!(difference.fields.len(), 1);
        assert_eq!(difference.fields[0].field, METADATA);
    }

    #[test]
    fn d2_27_whoever_is_gone_on_one_side_only_is_a_difference_and_tombstones_of_the_gone_are_none() {
        let kind = |user: &User, theirs| found(user, theirs, false).map(|difference| difference.kind);
        assert_eq!(kind(&stored(), None), Some(DifferenceKind::Gone));
        let deleted = User { deleted_at: Some(at(9)), ..stored() };
        assert_eq!(kind(&deleted, None), None);
        assert_eq!(kind(&deleted, Some(&theirs())), Some(DifferenceKind::Revived));
        let nothing =
            difference("user_a", &Stored::Nothing, Some(&theirs()), Plan::default(), &Fields::default()).unwrap();
        assert_eq!(nothing.kind, DifferenceKind::Missing);
        assert_eq!(difference("user_a", &Stored::Nothing, None, Plan::default(), &Fields::default()), None);
    }

    #[test]
    fn c_1_what_changed_a_moment_ago_is_looked_at_again_and_what_did_not_is_certain() {
        let fresh = |user: &User, theirs: &wire::User| {
            let stored = Stored::Person(Box::new(user.clone()));
            let difference = difference("user_a", &stored, Some(theirs), Plan::default(), &Fields::default()).unwrap();
            is_fresh(&difference, &stored, Some(theirs), at(NOW))
        };
        let mut user = stored();
        user.banned = true;
        assert!(!fresh(&user, &theirs()));
        assert!(fresh(&user, &wire::User { updated_at: Some(at(NOW - 1_000)), ..theirs() }));
        user.version.updated_at = 3_000;
        assert!(fresh(&user, &theirs()), "something newer is stored than what Clerk was asked for");
    }
}
