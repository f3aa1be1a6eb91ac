//! What is read, what is forgiven, and what is refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::server::clerk::lenient::timestamp_of;

fn user(value: Value) -> User {
    serde_json::from_value(value).unwrap()
}

#[test]
fn only_the_id_is_demanded() {
    let read = user(json!({"id": "user_1"}));
    assert_eq!(read, User { id: "user_1".to_owned(), ..User::default() });
    assert!(
        serde_json::from_value::<User>(json!({"first_name": "A"})).is_err_and(|error| error.to_string().contains("id"))
    );
}

#[test]
fn null_equals_absent_in_every_field() {
    let read = user(json!({
        "id": "user_1", "external_id": null, "username": null, "first_name": null, "last_name": null, "locale": null,
        "image_url": null, "has_image": null, "primary_email_address_id": null, "primary_phone_number_id": null,
        "email_addresses": null, "phone_numbers": null, "external_accounts": null, "public_metadata": null,
        "private_metadata": null, "unsafe_metadata": null, "password_enabled": null, "two_factor_enabled": null,
        "banned": null, "locked": null, "deprovisioned": null, "last_sign_in_at": null, "last_active_at": null,
        "legal_accepted_at": null, "created_at": null, "updated_at": null,
    }));
    assert_eq!(read, User { id: "user_1".to_owned(), ..User::default() });
}

#[test]
fn the_dashboards_incomplete_sample_is_read() {
    let read = user(json!({
        "birthday": "", "gender": "", "created_at": 1_654_012_591_514_i64, "updated_at": 1_654_012_824_306_i64,
        "email_addresses": [{
            "email_address": "exaple@clerk.dev", "id": "idn_1", "linked_to": [], "object": "email_address",
            "verification": {"status": "verified", "strategy": "ticket"},
        }],
        "external_accounts": [], "external_id": null, "first_name": "Example", "id": "user_1", "image_url": "https://x.test/i",
        "last_name": "Example", "last_sign_in_at": null, "object": "user", "password_enabled": true, "phone_numbers": [],
        "primary_email_address_id": "idn_1", "private_metadata": {}, "public_metadata": {"role": "admin"},
        "unsafe_metadata": {}, "username": null, "web3_wallets": [],
    }));
    assert_eq!(read.primary_email().map(|email| (email.address, email.verified)), Some(("exaple@clerk.dev", true)));
    assert_eq!(read.updated_at.map(Timestamp::as_millisecond), Some(1_654_012_824_306));
    assert_eq!(read.public_metadata["role"], "admin");
}

#[test]
fn d3_22_an_operator_where_text_belongs_is_a_type_error() {
    for body in [
        json!({"id": {"$gt": ""}}),
        json!({"id": "user_$gt"}),
        json!({"id": ""}),
        json!({"id": 7}),
        json!({"id": null}),
        json!({"id": "x".repeat(129)}),
        json!({"id": "user_1", "username": {"$ne": 1}}),
        json!({"id": "user_1", "email_addresses": [{"email_address": {"$gt": ""}}]}),
        json!({"id": "user_1", "email_addresses": "x"}),
        json!({"id": "user_1", "public_metadata": []}),
    ] {
        assert!(serde_json::from_value::<User>(body.clone()).is_err(), "{body}");
    }
}

#[test]
fn d2_28_seconds_and_milliseconds_are_told_apart_by_magnitude() {
    for (number, expected) in [
        (1_700_690_400_000, Some(1_700_690_400)),
        (1_700_690_400, Some(1_700_690_400)),
        (1, Some(1)),
        (99_999_999_999, Some(99_999_999_999)),
        (100_000_000_000, Some(100_000_000)),
        (99_999_999_999_999, Some(99_999_999_999)),
    ] {
        assert_eq!(timestamp_of(number).map(Timestamp::as_second), expected, "{number}");
    }
}

#[test]
fn d3_23_absurd_numbers_are_no_time_and_no_error() {
    for text in [
        "0",
        "-1",
        "-62135596800000",
        "9223372036854775807",
        "18446744073709551615",
        "99999999999999999999999",
        "1e300",
        "-1e300",
        "100000000000000",
        "true",
        "\"2024-01-01T00:00:00Z\"",
        "[1]",
        "{\"$date\": 1}",
        "null",
    ] {
        let read: User = serde_json::from_str(&format!(r#"{{"id": "user_1", "updated_at": {text}}}"#)).unwrap();
        assert_eq!(read.updated_at, None, "{text}");
    }
    let read: User = serde_json::from_str(r#"{"id": "user_1", "updated_at": 1700690400000.7}"#).unwrap();
    assert_eq!(read.updated_at.map(Timestamp::as_second), Some(1_700_690_400));
}

#[test]
fn the_primary_address_is_the_named_then_a_verified_then_the_first() {
    let entry = |id: &str, status: &str| json!({"id": id, "email_address": format!("{id}@x.test"), "verification": {"status": status}});
    for (primary, entries, expected) in [
        (json!("b"), vec![entry("a", "verified"), entry("b", "unverified")], Some(("b@x.test", false))),
        (json!("gone"), vec![entry("a", "unverified"), entry("b", "verified")], Some(("b@x.test", true))),
        (json!(null), vec![entry("a", "expired"), entry("b", "failed")], Some(("a@x.test", false))),
        (json!(""), vec![json!({"email_address": ""}), entry("b", "transferable")], Some(("b@x.test", false))),
        (
            json!("a"),
            vec![json!({"id": "a", "email_address": "a@x.test", "verification": null})],
            Some(("a@x.test", false)),
        ),
        (json!("a"), vec![], None),
    ] {
        let read = user(json!({"id": "user_1", "primary_email_address_id": primary, "email_addresses": entries}));
        assert_eq!(read.primary_email().map(|email| (email.address, email.verified)), expected);
    }
}

#[test]
fn d3_21_odd_metadata_keys_stay_data() {
    let odd = json!({"$set": {"a.b": 1}, "__proto__": {}, "": null, "a\u{0}b": [1]});
    let read = user(json!({"id": "user_1", "private_metadata": odd}));
    assert_eq!(Value::Object(read.private_metadata), odd);
}

#[test]
fn debug_output_names_nobody() {
    let read = user(json!({
        "id": "user_1", "first_name": "Ada", "private_metadata": {"ssn": "123"},
        "email_addresses": [{"id": "idn_1", "email_address": "ada@x.test"}],
    }));
    let shown = format!("{read:?} {:?} {:?}", read.email_addresses, read.primary_email());
    assert!(shown.contains("user_1"));
    assert!(!shown.contains("Ada") && !shown.contains("ada@") && !shown.contains("123"), "{shown}");
}

proptest! {
    #[test]
    fn no_number_makes_a_time_panic(number in any::<i64>()) {
        let _ = timestamp_of(number);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]\":,a-z0-9.$-]{0,60}") {
        let _ = serde_json::from_slice::<User>(&bytes);
        let _ = serde_json::from_str::<User>(&format!(r#"{{"id":"user_1",{text}}}"#));
    }
}
