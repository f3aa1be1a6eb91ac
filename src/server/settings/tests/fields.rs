//! The tables `[[fields]]`: what a row may say, and that every mistake is reported at once by its row.

use serde_json::json;

use super::*;
use crate::server::settings::fields::{FieldValue, Kind, Metadata, Own, Source};

/// The defaults with these rows.
fn load_with(rows: &str) -> Result<Settings, Problems> {
    Settings::load(&format!("{DEFAULTS}\n{rows}"), &production())
}

fn complaints(rows: &str) -> Vec<String> {
    let refused = load_with(rows).map(|_| ()).expect_err("the table should have been refused");
    refused.0.iter().map(ToString::to_string).collect()
}

#[test]
fn c_10_without_a_table_there_are_no_fields() {
    assert!(loaded(&production()).fields.rows().is_empty());
}

#[test]
fn a2_24_c_10_a_row_is_read_whole_and_is_personal_unless_it_says_otherwise() {
    let rows = r#"
        [[fields]]
        name = "department"
        from = "public_metadata.work.department"
        type = "text"
        default = "none"
        personal = false
        [[fields]]
        name = "phone"
        from = "phone_number"
        type = "text"
    "#;
    let settings = load_with(rows).expect("settings");
    let [department, phone] = settings.fields.rows() else { panic!("{:?}", settings.fields) };
    let path = ["work", "department"].map(str::to_owned).to_vec();
    assert_eq!((department.name, department.kind), ("department", Kind::Text));
    assert_eq!(department.from, Source::Metadata { of: Metadata::Public, path });
    assert_eq!(department.default, FieldValue::Json(json!("none")));
    assert!(!department.is_personal);
    assert_eq!((phone.name, &phone.from), ("phone", &Source::Own(Own::PhoneNumber)));
    assert_eq!((&phone.default, phone.is_personal), (&FieldValue::default(), true));
}

#[test]
fn c_10_the_example_in_leptos_toml_is_a_table() {
    let from_there =
        DEFAULTS.lines().skip_while(|line| *line != "#   [[fields]]").take_while(|line| line.starts_with('#'));
    let example: Vec<&str> = from_there.filter_map(|line| line.strip_prefix("#   ")).collect();
    assert!(example.contains(&"[[fields]]"), "{example:?}");
    let settings = load_with(&example.join("\n")).expect("settings");
    assert!(settings.fields.rows().len() > 1);
}

#[test]
fn c_10_every_mistake_of_every_row_is_reported_at_once() {
    let rows = r#"
        [[fields]]
        name = "role"
        from = "public_metadata.x"
        type = "text"
        [[fields]]
        name = "half-done"
        type = "text"
        personal = "yes"
        [[fields]]
        from = "birthday"
        type = "date"
        [[fields]]
        name = "twice"
        from = "public_metadata.x"
        type = "text"
        default = 1
        [[fields]]
        name = "twice"
        from = "has_image"
        type = "text"
        perosnal = false
    "#;
    let found = complaints(rows);
    for (place, rule) in [
        ("[[fields]] role: ", "`name` is taken"),
        ("[[fields]] half-done: ", "`name` must be camelCase"),
        ("[[fields]] half-done: ", "`from` is required"),
        ("[[fields]] half-done: ", "`personal` must be true or false"),
        ("[[fields]] number 3: ", "`name` is required"),
        ("[[fields]] number 3: ", "`from` must be a key such as public_metadata.department"),
        (
            "[[fields]] number 3: ",
            "`type` must be one of text, number, integer, boolean, timestamp, list-of-text, json",
        ),
        ("[[fields]] twice: ", "`default` must be of the type text"),
        ("[[fields]] twice: ", "is there twice"),
        ("[[fields]] twice: ", "`type` must be boolean, which has_image is at Clerk"),
        ("[[fields]] twice: ", "has no key `perosnal`"),
    ] {
        let is_said = found.iter().any(|line| line.starts_with(place) && line[place.len()..].starts_with(rule));
        assert!(is_said, "{place}{rule} is not among {found:#?}");
    }
    assert_eq!(found.len(), 11, "{found:#?}");
}

#[test]
fn c_10_names_are_camel_case_and_not_ours() {
    let long = "x".repeat(65);
    for (name, accepted) in [
        ("department", true),
        ("costCentre2", true),
        (&long[1..], true),
        (&long, false),
        ("", false),
        ("Department", false),
        ("cost_centre", false),
        ("2nd", false),
        ("$where", false),
        ("a.b", false),
        ("a\\u0000b", false),
        ("größe", false),
        ("_id", false),
        ("clerkId", false),
        ("passwordHash", false),
        ("isAdmin", false),
    ] {
        let row = format!("[[fields]]\nname = \"{name}\"\nfrom = \"public_metadata.x\"\ntype = \"text\"");
        assert_eq!(load_with(&row).is_ok(), accepted, "{name}");
    }
}

#[test]
fn c_10_sources_are_known_ones_and_nobody_writes_their_own_role() {
    for (from, accepted) in [
        ("public_metadata.role", true),
        ("private_metadata.a.b.c", true),
        ("unsafe_metadata.theme", true),
        ("unsafe_metadata.role", false),
        ("unsafe_metadata.app.isAdmin", false),
        ("public_metadata", false),
        ("public_metadata.", false),
        ("public_metadata.a..b", false),
        ("metadata.a", false),
        ("email", false),
        ("", false),
    ] {
        let row = format!("[[fields]]\nname = \"a\"\nfrom = \"{from}\"\ntype = \"text\"");
        assert_eq!(load_with(&row).is_ok(), accepted, "{from}");
    }
}

#[test]
fn c_10_a_default_has_the_type() {
    for (kind, default, accepted) in [
        ("text", "\"\"", true),
        ("text", "1", false),
        ("number", "1", true),
        ("number", "1.5", true),
        ("number", "nan", false),
        ("integer", "1.5", false),
        ("boolean", "false", true),
        ("boolean", "\"false\"", false),
        ("timestamp", "2026-01-02T03:04:05Z", true),
        ("timestamp", "\"2026-01-02T03:04:05+01:00\"", true),
        ("timestamp", "2026-01-02", false),
        ("list-of-text", "[\"a\"]", true),
        ("list-of-text", "[1]", false),
        ("json", "{ a = [1, { b = 2 }] }", true),
        ("json", "{ \"$a\" = 1 }", false),
    ] {
        let row =
            format!("[[fields]]\nname = \"a\"\nfrom = \"public_metadata.x\"\ntype = \"{kind}\"\ndefault = {default}");
        assert_eq!(load_with(&row).is_ok(), accepted, "{kind} {default}");
    }
}

#[test]
fn c_10_too_many_rows_and_what_is_no_table_are_refused() {
    let row = |index: usize| format!("[[fields]]\nname = \"a{index}\"\nfrom = \"locale\"\ntype = \"text\"\n");
    let rows = |count: usize| (0..count).map(row).collect::<String>();
    assert_eq!(load_with(&rows(64)).expect("settings").fields.rows().len(), 64);
    assert_eq!(complaints(&rows(65)), ["[[fields]]: may be 64 at most, not 65"]);
    for wrong in ["[fields]\nname = \"a\"", "[[fields.inner]]\nname = \"a\""] {
        assert_eq!(complaints(wrong), ["[[fields]]: must be tables, each under this heading"]);
    }
}

#[test]
fn a2_24_only_what_is_the_persons_own_and_plain_can_be_editable() {
    let row = |from: &str, kind: &str| {
        format!("[[fields]]\nname = \"a\"\nfrom = \"{from}\"\ntype = \"{kind}\"\neditable = true\n")
    };
    for kind in ["text", "number", "integer", "boolean"] {
        let settings = load_with(&row("unsafe_metadata.a", kind)).expect("settings");
        assert!(settings.fields.rows()[0].is_editable, "{kind}");
    }
    for (from, kind) in [
        ("public_metadata.a", "text"),
        ("private_metadata.a", "text"),
        ("locale", "text"),
        ("unsafe_metadata.a", "json"),
        ("unsafe_metadata.a", "timestamp"),
    ] {
        let told = complaints(&row(from, kind));
        assert!(
            matches!(&told[..], [only] if only.contains("`editable` is for what people may write")),
            "{from} {kind}: {told:?}"
        );
    }
    assert!(
        !load_with(&row("unsafe_metadata.a", "text").replace("true", "false")).expect("settings").fields.rows()[0]
            .is_editable
    );
}
