//! What a verified body says. Users are read; everything else is only named.
//!
//! The body is parsed once, in one pass over the bytes. It knows nothing of signatures, and decides nothing about the
//! event: an unknown type is not an error, because Clerk adds types without asking.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::server::clerk::lenient::{LONGEST_ID, is_id, timestamp};
use crate::server::clerk::webhook::KNOWN_TYPES;
use crate::server::clerk::wire::User;

/// Longer than any type, and short enough for any log line.
const LONGEST_TYPE: usize = 128;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The type as sent, such as `user.updated`.
    pub kind: String,
    /// When it happened, by Clerk's clock.
    pub timestamp: Option<Timestamp>,
    /// The instance it happened in.
    pub instance_id: Option<String>,
    pub subject: Subject,
}

/// Whom it is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// `user.created` and `user.updated`: the whole person.
    User(Box<User>),
    /// `user.deleted`: only the id is left.
    DeletedUser { id: String },
    /// Any other type.
    Other,
}

/// Why a body cannot be used. Sending it again cannot help.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    #[error("the body is not the JSON object of an event")]
    Json(#[source] serde_json::Error),
    #[error("the event has no type, or one that is too long")]
    Kind,
    #[error("the event has no data object")]
    Data,
    #[error("the id of the event's subject is unusable")]
    SubjectId(#[source] SubjectIdError),
    #[error("the event's user cannot be read")]
    User(#[source] serde_json::Error),
}

/// D3-20, D3-22: the id is what everything is looked up by, so it has a fault of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectIdError {
    #[error("the id is missing")]
    Missing,
    #[error("the id is not text")]
    NotText,
    #[error("the id is too long")]
    TooLong,
    #[error("the id contains characters no id has")]
    Characters,
}

impl ParseError {
    /// Stable: metrics and logs use it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Json(_) => "json",
            Self::Kind => "kind",
            Self::Data => "data",
            Self::SubjectId(SubjectIdError::Missing) => "subject_id_missing",
            Self::SubjectId(SubjectIdError::NotText) => "subject_id_not_text",
            Self::SubjectId(SubjectIdError::TooLong) => "subject_id_too_long",
            Self::SubjectId(SubjectIdError::Characters) => "subject_id_characters",
            Self::User(_) => "user",
        }
    }
}

impl Event {
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        // Without this an array would do as well: its elements would be taken for the fields in their order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err(ParseError::Json(serde_json::Error::custom("not an object")));
        }
        let envelope: Envelope = serde_json::from_slice(body).map_err(ParseError::Json)?;
        let kind = match envelope.kind {
            Some(Value::String(kind)) if !kind.is_empty() && kind.len() <= LONGEST_TYPE => kind,
            _ => return Err(ParseError::Kind),
        };
        let subject = match kind.as_str() {
            "user.created" | "user.updated" => {
                let data = checked_data(envelope.data)?;
                Subject::User(Box::new(User::deserialize(Value::Object(data)).map_err(ParseError::User)?))
            }
            "user.deleted" => {
                let mut data = checked_data(envelope.data)?;
                match data.remove("id") {
                    Some(Value::String(id)) => Subject::DeletedUser { id },
                    _ => return Err(ParseError::SubjectId(SubjectIdError::Missing)),
                }
            }
            _ => Subject::Other,
        };
        let instance_id =
            envelope.instance_id.as_ref().and_then(Value::as_str).filter(|id| is_id(id)).map(str::to_owned);
        Ok(Self { kind, timestamp: envelope.timestamp, instance_id, subject })
    }

    /// The type, if it is one of the schema's: safe as a metric's label whatever was sent (D3-27).
    pub fn known_kind(&self) -> Option<&'static str> {
        KNOWN_TYPES.iter().copied().find(|known| *known == self.kind)
    }

    /// The Clerk id of the user it is about.
    pub fn user_id(&self) -> Option<&str> {
        match &self.subject {
            Subject::User(user) => Some(&user.id),
            Subject::DeletedUser { id } => Some(id),
            Subject::Other => None,
        }
    }
}

fn checked_data(data: Data) -> Result<Map<String, Value>, ParseError> {
    let Data::Object(data) = data else { return Err(ParseError::Data) };
    let id_error = match data.get("id") {
        None | Some(Value::Null) => SubjectIdError::Missing,
        Some(Value::String(id)) if is_id(id) => return Ok(data),
        Some(Value::String(id)) if id.is_empty() => SubjectIdError::Missing,
        Some(Value::String(id)) if id.len() > LONGEST_ID => SubjectIdError::TooLong,
        Some(Value::String(_)) => SubjectIdError::Characters,
        Some(_) => SubjectIdError::NotText,
    };
    Err(ParseError::SubjectId(id_error))
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: Option<Value>,
    #[serde(default, deserialize_with = "timestamp")]
    timestamp: Option<Timestamp>,
    instance_id: Option<Value>,
    #[serde(default)]
    data: Data,
}

/// `data` comes before `type` in what Clerk sends, so it is read before anybody can know what it is.
#[derive(Default)]
enum Data {
    Object(Map<String, Value>),
    #[default]
    Other,
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DataVisitor)
    }
}

struct DataVisitor;

impl<'de> Visitor<'de> for DataVisitor {
    type Value = Data;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the data of an event")
    }

    /// A key that comes twice is refused (D3-16): two readers could believe different ones.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
        let mut object = Map::new();
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("a key of the data comes twice"));
            }
        }
        Ok(Data::Object(object))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Data, A::Error> {
        while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        Ok(Data::Other)
    }

    fn visit_unit<E>(self) -> Result<Data, E> {
        Ok(Data::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Data, E> {
        Ok(Data::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Data, E> {
        Ok(Data::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Data, E> {
        Ok(Data::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Data, E> {
        Ok(Data::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Data, E> {
        Ok(Data::Other)
    }
}

#[cfg(test)]
mod tests;
