//! What forms may say, without MongoDB and Clerk.

use serde_json::json;

use super::*;
use crate::server::settings::environment::Variables;
use crate::server::settings::fields::{FieldValue, FieldValues};
use crate::server::settings::reader::Reader;

const TABLE: &str = r#"
[[fields]]
name = "team"
from = "unsafe_metadata.work.team"
type = "text"
editable = true
[[fields]]
name = "floor"
from = "unsafe_metadata.work.floor"
type = "integer"
editable = true
[[fields]]
name = "height"
from = "unsafe_metadata.height"
type = "number"
editable = true
[[fields]]
name = "remote"
from = "unsafe_metadata.remote"
type = "boolean"
editable = true
[[fields]]
name = "department"
from = "public_metadata.department"
type = "text"
"#;

fn fields() -> Fields {
    let nothing = Variables::default();
    Fields::read(&mut Reader::new(TABLE, &nothing).expect("TOML"))
}

fn change(values: &[(&str, &str)]) -> Result<Value, (&'static str, String)> {
    let stored = json!({ "team": "Blue", "floor": 3 });
    let known = |name: &str| FieldValue::Json(stored[name].clone());
    let values_here: FieldValues = fields().rows().iter().map(|field| (field.name, known(field.name))).collect();
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match change_of_fields(&fields(), &values_here, &values, &BTreeMap::new()) {
        Ok((change, _)) => Ok(Value::Object(change)),
        Err(Error::Refused { field, message }) => Err((field, message)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a2_24_only_what_differs_goes_to_clerk_under_its_path_and_with_its_type() {
    let all = [("team", " Red "), ("floor", "3"), ("height", "1.5"), ("remote", "true")];
    assert_eq!(change(&all), Ok(json!({ "work": { "team": "Red" }, "height": 1.5, "remote": true })));
    assert_eq!(change(&[("team", ""), ("floor", "4")]), Ok(json!({ "work": { "team": null, "floor": 4 } })));
    assert_eq!(change(&[("team", "Blue"), ("remote", "")]), Ok(json!({})));
}

#[test]
fn what_clerk_refuses_of_several_fields_is_said_at_the_first_of_the_form() {
    let stored = FieldValues::default();
    let first = |values: &[(&str, &str)]| {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        change_of_fields(&fields(), &stored, &values, &BTreeMap::new()).expect("a change").1
    };
    assert_eq!(first(&[("floor", "3"), ("team", "Red")]), Some("team"));
    assert_eq!(first(&[("remote", "true"), ("team", "")]), Some("remote"));
    assert_eq!(first(&[("team", "")]), None);
}

#[test]
fn d5_10_what_is_not_editable_or_not_of_its_type_is_refused_by_its_name() {
    for (name, value, field) in [
        ("department", "Sales", "fields"),
        ("role", "admin", "fields"),
        ("floor", "third", "floor"),
        ("floor", "1.5", "floor"),
        ("height", "NaN", "height"),
        ("remote", "yes", "remote"),
        ("team", "a\u{0}b", "team"),
    ] {
        assert_eq!(change(&[(name, value)]).map_err(|refused| refused.0), Err(field), "{name} {value}");
    }
    let long = "x".repeat(LONGEST_VALUE + 1);
    assert_eq!(change(&[("team", &long)]).map_err(|refused| refused.0), Err("team"));
}

#[test]
fn a_picture_is_what_its_bytes_say() {
    for (bytes, media_type) in [
        (b"\x89PNG\r\n\x1a\n...".as_slice(), "image/png"),
        (b"\xff\xd8\xff...", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\0\0\0\0WEBP...", "image/webp"),
    ] {
        assert_eq!(picture_of(bytes.to_vec()).expect("a picture").media_type, media_type);
    }
    for other in [b"".as_slice(), b"<svg/>", b"RIFF\0\0\0\0WAVE", b"%PDF"] {
        assert!(picture_of(other.to_vec()).is_err());
    }
    assert!(picture_of([b"GIF8".to_vec(), vec![0; LARGEST_PICTURE]].concat()).is_err());
}
