//! Fields of the application's own beside ours: read and written by the names of the table, and no others.

use jiff::Timestamp;
use mongodb::bson::{DateTime, RawBsonRef, RawDocument};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use crate::server::settings::fields::{FieldValue, FieldValues, Fields};

/// A value as BSON has it.
#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Json(&'a Value),
    Date(DateTime),
}

/// As entries of the document they stand in.
pub fn serialize<S: Serializer>(values: &FieldValues, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(values.iter().filter_map(|(name, value)| {
        let written = match value {
            FieldValue::Json(value) => Written::Json(value),
            FieldValue::Timestamp(timestamp) => Written::Date(DateTime::from_millis(timestamp.as_millisecond())),
            FieldValue::Foreign => return None,
        };
        Some((name, written))
    }))
}

/// A value for every row of the table; none where the document has none.
pub fn read(document: &RawDocument, fields: &Fields) -> mongodb::error::Result<FieldValues> {
    let value = |name| {
        let found = document.get(name).map_err(mongodb::error::Error::custom)?;
        Ok((name, found.map_or_else(FieldValue::default, value_of)))
    };
    fields.rows().iter().map(|field| value(field.name)).collect()
}

fn value_of(found: RawBsonRef<'_>) -> FieldValue {
    match found {
        RawBsonRef::DateTime(date) => {
            Timestamp::from_millisecond(date.timestamp_millis()).map_or(FieldValue::Foreign, FieldValue::Timestamp)
        }
        found => json_of(found).map_or(FieldValue::Foreign, FieldValue::Json),
    }
}

/// `None` for what JSON cannot say, which somebody else wrote.
fn json_of(found: RawBsonRef<'_>) -> Option<Value> {
    Some(match found {
        RawBsonRef::Null => Value::Null,
        RawBsonRef::Boolean(flag) => flag.into(),
        RawBsonRef::Int32(number) => number.into(),
        RawBsonRef::Int64(number) => number.into(),
        RawBsonRef::Double(number) => Number::from_f64(number)?.into(),
        RawBsonRef::String(text) => text.into(),
        RawBsonRef::Array(items) => {
            items.into_iter().map(|item| json_of(item.ok()?)).collect::<Option<Vec<_>>>()?.into()
        }
        RawBsonRef::Document(document) => {
            let pairs = document.into_iter().map(|pair| {
                let (key, value) = pair.ok()?;
                Some((key.as_str().to_owned(), json_of(value)?))
            });
            Value::Object(pairs.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mongodb::bson::{Bson, Decimal128, Document, doc, oid::ObjectId, serialize_to_raw_document_buf};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::server::settings::environment::Variables;
    use crate::server::settings::fields::{Kind, RESERVED};
    use crate::server::settings::reader::Reader;
    use crate::server::store::users::{User, read_user};

    fn table(name: &str) -> Fields {
        let nothing = Variables::default();
        let text = format!("[[fields]]\nname = \"{name}\"\nfrom = \"public_metadata.a\"\ntype = \"json\"");
        Fields::read(&mut Reader::new(&text, &nothing).expect("TOML"))
    }

    #[derive(Serialize)]
    struct Beside {
        ours: i32,
        #[serde(flatten, serialize_with = "serialize")]
        values: FieldValues,
    }

    #[test]
    fn a2_24_a_value_reads_back_as_it_was_written() {
        let moment: Timestamp = "2026-01-02T03:04:05.678Z".parse().expect("a time");
        let values = [
            json!(null),
            json!("text"),
            json!(true),
            json!(0),
            json!(-5_000_000_000_i64),
            json!(i64::MAX),
            json!(1.0),
            json!([]),
            json!(["a", "b"]),
            json!({ "a": { "b": [1, 2.5, null, false, "c"] }, "": {}, "a.b": 1 }),
        ];
        let values = values.into_iter().map(FieldValue::Json).chain([FieldValue::Timestamp(moment)]);
        for value in values {
            let written = Beside { ours: 1, values: FieldValues::from([("own", value.clone())]) };
            let document = serialize_to_raw_document_buf(&written).expect("a document");
            assert_eq!(document.get_i32("ours").ok(), Some(1));
            let read = read(&document, &table("own")).expect("a readable document");
            assert_eq!(read, FieldValues::from([("own", value)]));
        }
    }

    /// What JSON can say, with some of what BSON cannot.
    fn json_values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            let key = prop_oneof!["[a-c.]{0,3}", "[$a-b\\x00]{1,2}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..4).prop_map(|pairs| pairs.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn a2_24_whatever_passes_as_json_is_written_and_reads_back_the_same(value in json_values()) {
            let Some(value) = Kind::Json.read(&value) else { return Ok(()) };
            let written = Beside { ours: 1, values: FieldValues::from([("own", value.clone())]) };
            let document = serialize_to_raw_document_buf(&written).expect("a document");
            prop_assert_eq!(&read(&document, &table("own")).expect("a readable document")["own"], &value);
        }
    }

    #[test]
    fn a2_24_what_somebody_else_wrote_is_seen_as_foreign_and_never_written() {
        let foreign = [
            Bson::ObjectId(ObjectId::new()),
            Bson::Decimal128(Decimal128::from_bytes([0; 16])),
            Bson::Double(f64::NAN),
            Bson::Array(vec![Bson::ObjectId(ObjectId::new())]),
        ];
        for value in foreign {
            let document = serialize_to_raw_document_buf(&doc! { "own": value }).expect("a document");
            let values = read(&document, &table("own")).expect("a readable document");
            assert_eq!(values["own"], FieldValue::Foreign);
            let written = serialize_to_raw_document_buf(&Beside { ours: 1, values }).expect("a document");
            assert_eq!(written.get("own").expect("readable"), None);
        }
    }

    #[test]
    fn a2_24_only_names_of_the_table_are_read_and_every_name_of_ours_is_reserved() {
        let id = ObjectId::new();
        let bare = doc! { "_id": id, "clerkId": "user_1", "own": "o", "theirs": "t" };
        let bare = serialize_to_raw_document_buf(&bare).expect("a document");
        let user = read_user(&bare, &table("own")).expect("a person");
        assert_eq!(user.fields, FieldValues::from([("own", FieldValue::Json(json!("o")))]));
        let nobody = read_user(&bare, &Fields::default()).expect("a person");
        assert_eq!(nobody.fields, FieldValues::new());
        let keys = |user: &User| {
            let written = serialize_to_raw_document_buf(user).expect("a document");
            let written = Document::try_from(written.as_ref()).expect("a document");
            written.keys().cloned().collect::<BTreeSet<_>>()
        };
        let ours = keys(&nobody);
        assert_eq!(keys(&user).difference(&ours).collect::<Vec<_>>(), ["own"]);
        let unreserved: Vec<_> = ours.iter().filter(|key| !RESERVED.contains(&key.as_str())).collect();
        assert_eq!(unreserved, Vec::<&String>::new());
    }
}
