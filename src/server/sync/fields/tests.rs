//! What becomes of Clerk's user under a table: a table of cases for every source, kind and absence.

use serde_json::json;

use super::*;
use crate::server::settings::environment::Variables;
use crate::server::settings::reader::Reader;

/// The table of these rows, which must be good.
fn table(rows: &str) -> Fields {
    let nothing = Variables::default();
    let text = format!("fields = [{rows}]");
    let mut reader = Reader::new(&text, &nothing).expect("TOML");
    let fields = Fields::read(&mut reader);
    assert_eq!(reader.finish(), (Vec::new(), Vec::new()), "{rows}");
    fields
}

fn user(value: Value) -> wire::User {
    serde_json::from_value(value).expect("a user of Clerk's")
}

/// The one field of a table of one row.
fn value(row: &str, of: &Value) -> FieldValue {
    let mut of = of.clone();
    of["id"] = json!("user_1");
    values_of(&user(of), &table(row)).remove("a").expect("a value")
}

fn moment(text: &str) -> FieldValue {
    FieldValue::Timestamp(text.parse().expect("a time"))
}

#[test]
fn a2_24_each_source_is_found_and_its_absence_is_the_default() {
    let person = json!({
        "public_metadata": { "department": "Sales", "desk": { "floor": 3 }, "a.b": "hidden", "gone": null },
        "private_metadata": { "grade": "B7" },
        "unsafe_metadata": { "theme": "dark" },
        "phone_numbers": [{ "id": "p1", "phone_number": "+15555550100" }, { "id": "p2", "phone_number": "+15555550101" }],
        "primary_phone_number_id": "p2",
        "image_url": "https://img.example/a", "locale": "de-AT", "external_id": " ", "has_image": true, "password_enabled": true, "two_factor_enabled": false,
        "last_sign_in_at": 1_700_000_000_123_i64, "last_active_at": 1_700_000_000, "legal_accepted_at": null,
    });
    let nothing = FieldValue::default();
    for (from, kind, expected) in [
        ("public_metadata.department", "text", FieldValue::Json(json!("Sales"))),
        ("public_metadata.desk.floor", "integer", FieldValue::Json(json!(3))),
        ("public_metadata.desk", "json", FieldValue::Json(json!({ "floor": 3 }))),
        ("public_metadata.desk.floor.tile", "text", nothing.clone()),
        ("public_metadata.a.b", "text", nothing.clone()),
        ("public_metadata.gone", "json", nothing.clone()),
        ("public_metadata.grade", "text", nothing.clone()),
        ("private_metadata.grade", "text", FieldValue::Json(json!("B7"))),
        ("unsafe_metadata.theme", "text", FieldValue::Json(json!("dark"))),
        ("phone_number", "text", FieldValue::Json(json!("+15555550101"))),
        ("locale", "text", FieldValue::Json(json!("de-AT"))),
        ("external_id", "text", nothing.clone()),
        ("image_url", "text", FieldValue::Json(json!("https://img.example/a"))),
        ("has_image", "boolean", FieldValue::Json(json!(true))),
        ("password_enabled", "boolean", FieldValue::Json(json!(true))),
        ("two_factor_enabled", "boolean", FieldValue::Json(json!(false))),
        ("last_sign_in_at", "timestamp", moment("2023-11-14T22:13:20.123Z")),
        ("last_active_at", "timestamp", moment("2023-11-14T22:13:20Z")),
        ("legal_accepted_at", "timestamp", nothing),
    ] {
        let row = format!("{{ name = \"a\", from = \"{from}\", type = \"{kind}\" }}");
        assert_eq!(value(&row, &person), expected, "{from}");
    }
}

#[test]
fn a2_24_a_phone_number_is_the_primary_one_or_none() {
    let row = r#"{ name = "a", from = "phone_number", type = "text", default = "unknown" }"#;
    let numbers = json!([{ "id": "p1", "phone_number": "+15555550100" }]);
    for primary in [json!(null), json!(""), json!("p9")] {
        let person = json!({ "phone_numbers": numbers, "primary_phone_number_id": primary });
        assert_eq!(value(row, &person), FieldValue::Json(json!("unknown")), "{primary}");
    }
}

#[test]
fn a2_24_a_value_of_another_kind_becomes_the_default() {
    for (kind, default, good, bad) in [
        ("text", "\"d\"", vec![json!(""), json!(" as it is ")], vec![json!(1), json!(true), json!(["a"]), json!({})]),
        ("number", "0.5", vec![json!(1), json!(-1.5)], vec![json!("1"), json!(u64::MAX), json!(false)]),
        ("integer", "7", vec![json!(0), json!(i64::MIN)], vec![json!(1.5), json!("1"), json!(u64::MAX)]),
        ("boolean", "true", vec![json!(false)], vec![json!(0), json!("false"), json!([])]),
        ("list-of-text", "[\"d\"]", vec![json!([]), json!(["a", "b"])], vec![json!("a"), json!(["a", 1]), json!({})]),
    ] {
        let row = format!("{{ name = \"a\", from = \"public_metadata.x\", type = \"{kind}\", default = {default} }}");
        let in_public = |value: &Value| json!({ "public_metadata": { "x": value } });
        for taken in good {
            assert_eq!(value(&row, &in_public(&taken)), FieldValue::Json(taken.clone()), "{kind} {taken}");
        }
        let default = value(&row, &json!({}));
        assert_ne!(default, FieldValue::default());
        for refused in bad.into_iter().chain([Value::Null]) {
            assert_eq!(value(&row, &in_public(&refused)), default, "{kind} {refused}");
        }
    }
}

#[test]
fn a2_24_a_timestamp_is_a_count_or_rfc_3339_and_no_finer_than_milliseconds() {
    let row = r#"{ name = "a", from = "public_metadata.x", type = "timestamp", default = 2000-01-01T00:00:00Z }"#;
    for (written, expected) in [
        (json!("2026-01-02T03:04:05.678901Z"), "2026-01-02T03:04:05.678Z"),
        (json!("2026-01-02T03:04:05+02:00"), "2026-01-02T01:04:05Z"),
        (json!(1_700_000_000_123_i64), "2023-11-14T22:13:20.123Z"),
        (json!("2026-01-02"), "2000-01-01T00:00:00Z"),
        (json!("yesterday"), "2000-01-01T00:00:00Z"),
        (json!(true), "2000-01-01T00:00:00Z"),
        (json!(-1), "2000-01-01T00:00:00Z"),
    ] {
        let person = json!({ "public_metadata": { "x": written } });
        assert_eq!(value(row, &person), moment(expected), "{written}");
    }
}

#[test]
fn a2_24_json_that_mongodb_could_not_keep_becomes_the_default() {
    let row = r#"{ name = "a", from = "public_metadata.x", type = "json", default = { empty = true } }"#;
    let nested = |levels: usize| (0..levels).fold(json!("deep"), |inner, _| json!([inner]));
    for (value_at_clerk, is_kept) in [
        (json!({ "a": [1, 2.5, { "b": null }], "a.b": "dots may be", "": "empty too" }), true),
        (json!("text"), true),
        (nested(32), true),
        (nested(33), false),
        (json!({ "a": { "$where": "1" } }), false),
        (json!({ "nul\0": 1 }), false),
        (json!([u64::MAX]), false),
    ] {
        let expected = if is_kept { value_at_clerk.clone() } else { json!({ "empty": true }) };
        let person = json!({ "public_metadata": { "x": value_at_clerk } });
        assert_eq!(value(row, &person), FieldValue::Json(expected), "{value_at_clerk}");
    }
}

#[test]
fn c_10_without_a_table_there_is_nothing() {
    let person = user(json!({ "id": "user_1", "public_metadata": { "department": "Sales" } }));
    assert_eq!(values_of(&person, &Fields::default()), FieldValues::new());
}

#[test]
fn c_10_what_comes_from_private_metadata_is_shown_to_nobody() {
    let fields = table(
        r#"{ name = "grade", from = "private_metadata.grade", type = "text", default = "none" },
           { name = "team", from = "public_metadata.team", type = "text" },
           { name = "theme", from = "unsafe_metadata.theme", type = "text" },
           { name = "seenAt", from = "last_active_at", type = "timestamp" }"#,
    );
    let person = json!({
        "id": "user_1", "private_metadata": { "grade": "B7" }, "public_metadata": { "team": "A" },
        "last_active_at": 1_700_000_000_000_i64,
    });
    let values = values_of(&user(person), &fields);
    assert_eq!(values["grade"], FieldValue::Json(json!("B7")));
    let shown: Vec<(&str, Value)> = fields.shown(&values).collect();
    assert_eq!(shown, [("team", json!("A")), ("theme", Value::Null), ("seenAt", json!("2023-11-14T22:13:20Z"))]);
}
