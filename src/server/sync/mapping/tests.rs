//! Seed defects about mapping, one test each.

use serde_json::json;

use super::*;

fn received() -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000).expect("within range")
}

fn map(data: &serde_json::Value) -> Person {
    let body = json!({ "object": "event", "type": "user.updated", "timestamp": 1_700_000_000_500_i64, "data": data });
    let event = Event::parse(body.to_string().as_bytes()).expect("a readable event");
    match from_event(&event, received(), &Fields::default()).expect("about a person") {
        Incoming::Person { person, .. } => *person,
        other => panic!("{other:?}"),
    }
}

fn address(id: &str, address: &str, status: &str) -> serde_json::Value {
    json!({ "id": id, "email_address": address, "verification": { "status": status } })
}

#[test]
fn a0_13_a0_14_the_address_is_the_one_marked_primary() {
    let data = json!({
        "id": "user_1",
        "email_addresses": [address("a", "first@example.com", "verified"), address("b", "main@example.com", "unverified")],
        "primary_email_address_id": "b",
    });
    let person = map(&data);
    assert_eq!(person.email.as_deref(), Some("main@example.com"));
    assert!(!person.email_verified);
    assert_eq!(person.emails.len(), 2);
}

#[test]
fn a0_14_without_a_mark_the_first_verified_then_the_first() {
    let unmarked = json!({
        "id": "user_1",
        "email_addresses": [address("a", "first@example.com", "unverified"), address("b", "second@example.com", "verified")],
    });
    assert_eq!(map(&unmarked).email.as_deref(), Some("second@example.com"));
    let unverified = json!({ "id": "user_1", "email_addresses": [address("a", "first@example.com", "unverified")] });
    assert_eq!(map(&unverified).email.as_deref(), Some("first@example.com"));
}

#[test]
fn a0_15_no_address_is_stated_as_none() {
    let person = map(&json!({ "id": "user_1" }));
    assert_eq!((person.email, person.email_verified), (None, false));
}

#[test]
fn a2_04_blank_names_count_as_absent() {
    let person = map(&json!({ "id": "user_1", "first_name": " ", "last_name": "", "username": null }));
    assert_eq!((person.first_name, person.last_name, person.username), (None, None, None));
}

#[test]
fn d5_11_a_role_comes_from_public_metadata_only() {
    let role = |data: serde_json::Value| map(&data).role;
    assert_eq!(role(json!({ "id": "user_1", "public_metadata": { "role": "admin" } })), Role::Admin);
    assert_eq!(role(json!({ "id": "user_1", "public_metadata": { "isAdmin": true } })), Role::Admin);
    assert_eq!(role(json!({ "id": "user_1", "public_metadata": { "role": "user", "isAdmin": true } })), Role::User);
    assert_eq!(role(json!({ "id": "user_1", "unsafe_metadata": { "role": "admin" } })), Role::User);
    assert_eq!(role(json!({ "id": "user_1", "private_metadata": { "role": "admin" } })), Role::User);
    assert_eq!(role(json!({ "id": "user_1", "public_metadata": { "role": "emperor" } })), Role::User);
    assert_eq!(role(json!({ "id": "user_1", "public_metadata": { "role": { "$ne": 1 } } })), Role::User);
}

#[test]
fn d2_28_times_in_seconds_and_in_milliseconds_are_the_same_time() {
    let seconds = map(&json!({ "id": "user_1", "updated_at": 1_700_000_000 }));
    let milliseconds = map(&json!({ "id": "user_1", "updated_at": 1_700_000_000_000_i64 }));
    assert_eq!(seconds.updated_at, milliseconds.updated_at);
}

#[test]
fn a_deletion_carries_the_events_time() {
    let body = json!({ "type": "user.deleted", "timestamp": 1_700_000_000_500_i64, "data": { "id": "user_1", "deleted": true } });
    let event = Event::parse(body.to_string().as_bytes()).expect("a readable event");
    let expected = Timestamp::from_millisecond(1_700_000_000_500).expect("within range");
    assert_eq!(
        from_event(&event, received(), &Fields::default()),
        Some(Incoming::Deleted { clerk_id: "user_1".to_owned(), at: expected })
    );
}

#[test]
fn other_events_say_nothing_about_a_person() {
    let body = json!({ "type": "session.created", "data": { "id": "sess_1", "user_id": "user_1" } });
    let event = Event::parse(body.to_string().as_bytes()).expect("a readable event");
    assert_eq!(from_event(&event, received(), &Fields::default()), None);
}
