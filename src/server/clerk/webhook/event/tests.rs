//! The attack list for bodies (D3-16 to D3-27).

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn parse(body: &Value) -> Result<Event, ParseError> {
    Event::parse(body.to_string().as_bytes())
}

fn reason(body: &[u8]) -> &'static str {
    Event::parse(body).unwrap_err().reason()
}

#[test]
fn a_user_event_is_read_whatever_the_order_of_its_fields() {
    let before = br#"{"data":{"id":"user_1","updated_at":1700000000000},"instance_id":"ins_1","object":"event","timestamp":1700000000123,"type":"user.updated"}"#;
    let after = br#"{"type":"user.updated","timestamp":1700000000123,"instance_id":"ins_1","data":{"updated_at":1700000000000,"id":"user_1"}}"#;
    let event = Event::parse(before).unwrap();
    assert_eq!(event, Event::parse(after).unwrap());
    assert_eq!(
        (event.kind.as_str(), event.user_id(), event.instance_id.as_deref()),
        ("user.updated", Some("user_1"), Some("ins_1"))
    );
    assert_eq!(event.timestamp.map(Timestamp::as_millisecond), Some(1_700_000_000_123));
}

#[test]
fn a_deletion_needs_nothing_but_the_id() {
    let event =
        parse(&json!({"type": "user.deleted", "data": {"id": "user_1", "object": "user", "deleted": true}})).unwrap();
    assert_eq!(event.subject, Subject::DeletedUser { id: "user_1".to_owned() });
    assert_eq!((event.timestamp, event.instance_id), (None, None));
}

#[test]
fn d3_16_what_is_no_event_is_refused_without_harm() {
    let deep = |open: &str, close: &str| {
        format!("{{\"type\":\"user.created\",\"data\":{}1{}}}", open.repeat(10_000), close.repeat(10_000))
    };
    for body in [
        "",
        " ",
        "null",
        "1",
        "\"x\"",
        "[]",
        "{",
        "{}x",
        "{\"type\":}",
        "\u{feff}{\"type\":\"x\"}",
        "{\"type\":\"a\",\"data\":{\"n\":1e400}}",
        "{\"type\":\"\\ud800\"}",
        "{\"type\":\"a\",\"type\":\"b\"}",
        "{\"type\":\"a\",\"data\":{\"id\":\"x\",\"id\":\"y\"}}",
        "[\"user.deleted\", 1, \"ins_1\", {\"id\": \"user_1\"}]",
        &deep("{\"a\":", "}"),
    ] {
        assert_eq!(reason(body.as_bytes()), "json", "{body:.60}");
    }
    assert_eq!(reason(deep("[", "]").as_bytes()), "data", "what is skipped has no depth");
}

#[test]
fn d3_17_invalid_utf8_is_refused() {
    assert_eq!(reason(b"{\"type\":\"\xff\xfe\"}"), "json");
}

#[test]
fn d3_20_d3_22_an_unusable_id_has_a_fault_of_its_own() {
    for kind in ["user.created", "user.updated", "user.deleted"] {
        for (data, expected) in [
            (json!({}), "subject_id_missing"),
            (json!({"id": null}), "subject_id_missing"),
            (json!({"id": ""}), "subject_id_missing"),
            (json!({"id": 7}), "subject_id_not_text"),
            (json!({"id": {"$gt": ""}}), "subject_id_not_text"),
            (json!({"id": ["user_1"]}), "subject_id_not_text"),
            (json!({"id": "x".repeat(129)}), "subject_id_too_long"),
            (json!({"id": "x".repeat(1_000_000)}), "subject_id_too_long"),
            (json!({"id": "$where"}), "subject_id_characters"),
            (json!({"id": "user_1.name"}), "subject_id_characters"),
            (json!({"id": "user_1\u{0}"}), "subject_id_characters"),
            (json!({"id": "../users"}), "subject_id_characters"),
            (json!("user_1"), "data"),
            (json!(null), "data"),
            (json!([{"id": "user_1"}]), "data"),
        ] {
            let body = json!({"type": kind, "data": data}).to_string();
            assert_eq!(reason(body.as_bytes()), expected, "{kind} {body:.80}");
        }
        assert_eq!(reason(json!({"type": kind}).to_string().as_bytes()), "data");
    }
}

#[test]
fn d3_21_deep_metadata_is_kept_or_refused_but_never_fatal() {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let body =
        |depth| format!(r#"{{"type":"user.created","data":{{"id":"user_1","public_metadata":{}}}}}"#, nested(depth));
    assert!(Event::parse(body(100).as_bytes()).is_ok());
    assert_eq!(reason(body(5000).as_bytes()), "json");
}

#[test]
fn d3_22_an_operator_in_an_address_is_a_type_error() {
    let body =
        json!({"type": "user.created", "data": {"id": "user_1", "email_addresses": [{"email_address": {"$gt": ""}}]}});
    assert_eq!(parse(&body).unwrap_err().reason(), "user");
}

#[test]
fn d3_24_odd_letters_and_long_names_are_read() {
    let name = format!("\u{202e}\u{200b}e\u{301}\u{1f600}{}", "n".repeat(1_000_000));
    let event = parse(&json!({"type": "user.created", "data": {"id": "user_1", "first_name": name}})).unwrap();
    assert!(matches!(event.subject, Subject::User(user) if user.first_name.as_deref() == Some(name.as_str())));
}

#[test]
fn d3_26_every_type_of_the_schema_is_known_and_only_users_are_read() {
    let mut seen = HashSet::new();
    for kind in KNOWN_TYPES {
        assert!(seen.insert(kind), "{kind} is listed twice");
        let event = parse(&json!({"type": kind, "data": {"id": "user_1"}})).unwrap();
        assert_eq!(event.known_kind(), Some(kind));
        let is_read = matches!(kind, "user.created" | "user.updated" | "user.deleted");
        assert_eq!(event.subject == Subject::Other, !is_read, "{kind}");
    }
}

#[test]
fn types_nobody_knows_yet_are_no_error_whatever_their_data() {
    for data in [
        json!(null),
        json!(1),
        json!(-1),
        json!(1.5),
        json!("x"),
        json!(true),
        json!([1, {"a": []}]),
        json!({"id": {"$gt": 1}}),
    ] {
        let event = parse(&json!({"type": "subscriptionItem.created", "data": data})).unwrap();
        assert_eq!((&event.subject, event.known_kind()), (&Subject::Other, None), "{data}");
    }
}

#[test]
fn d3_27_types_that_cannot_be_a_label_are_refused() {
    for kind in [json!("x".repeat(10_000)), json!(""), json!(7), json!(null), json!({"$gt": ""})] {
        assert_eq!(parse(&json!({"type": kind, "data": {}})).unwrap_err().reason(), "kind");
    }
    assert_eq!(reason(b"{}"), "kind");
}

#[test]
fn an_instance_id_that_is_no_id_is_none() {
    for instance in [json!(7), json!(null), json!("ins $"), json!("x".repeat(500))] {
        assert_eq!(parse(&json!({"type": "x", "instance_id": instance})).unwrap().instance_id, None);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        text in "[{}\\[\\]\":,a-z0-9.$ \\\\-]{0,100}",
    ) {
        let _ = Event::parse(&bytes);
        for kind in ["user.created", "user.deleted", "x"] {
            let _ = Event::parse(format!(r#"{{"type":"{kind}","data":{{"id":"user_1",{text}}}}}"#).as_bytes());
            let _ = Event::parse(format!(r#"{{"type":"{kind}","data":{text}}}"#).as_bytes());
        }
    }
}
