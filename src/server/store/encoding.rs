//! How our plain types look in BSON: instants as dates, ids as object ids.
//!
//! Used by the documents' serde attributes; knows no collection.

use jiff::Timestamp;
use mongodb::bson::DateTime;

/// A BSON date (milliseconds).
pub fn to_date(timestamp: Timestamp) -> DateTime {
    DateTime::from_millis(timestamp.as_millisecond())
}

/// `jiff::Timestamp` as a BSON date (milliseconds).
pub mod date {
    use jiff::Timestamp;
    use mongodb::bson::DateTime;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(timestamp: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        DateTime::from_millis(timestamp.as_millisecond()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let date = DateTime::deserialize(deserializer)?;
        Timestamp::from_millisecond(date.timestamp_millis()).map_err(D::Error::custom)
    }
}

/// `Option<jiff::Timestamp>` as a BSON date or null.
pub mod optional_date {
    use jiff::Timestamp;
    use mongodb::bson::DateTime;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(timestamp: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        timestamp.map(|timestamp| DateTime::from_millis(timestamp.as_millisecond())).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let date = Option::<DateTime>::deserialize(deserializer)?;
        date.map(|date| Timestamp::from_millisecond(date.timestamp_millis())).transpose().map_err(D::Error::custom)
    }
}

/// 24 hex digits as an object id.
pub mod object_id {
    use mongodb::bson::oid::ObjectId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

    pub fn serialize<S: Serializer>(id: &str, serializer: S) -> Result<S::Ok, S::Error> {
        ObjectId::parse_str(id).map_err(S::Error::custom)?.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
        ObjectId::deserialize(deserializer).map(ObjectId::to_hex)
    }
}

/// Maybe 24 hex digits, as an object id or null.
pub mod optional_object_id {
    use mongodb::bson::oid::ObjectId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};

    pub fn serialize<S: Serializer>(id: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
        id.as_deref().map(ObjectId::parse_str).transpose().map_err(S::Error::custom)?.serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
        Ok(Option::<ObjectId>::deserialize(deserializer)?.map(ObjectId::to_hex))
    }
}
