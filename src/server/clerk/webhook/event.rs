//! What a verified body says. Users are read; everything else is only named.
//!
//! Nothing is built that is not kept: the data stays text until its keys were looked at. It knows nothing of signatures, and decides nothing about the
//! event: an unknown type is not an error, because Clerk adds types without asking.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

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
        let data = envelope.data.map_or("null", RawValue::get);
        let keys =
            data.starts_with('{').then(|| serde_json::from_str::<Keys>(data)).transpose().map_err(ParseError::Json)?;
        let subject = match kind.as_str() {
            "user.created" | "user.updated" => {
                checked_id(keys)?;
                Subject::User(serde_json::from_str(data).map_err(user_error)?)
            }
            "user.deleted" => Subject::DeletedUser { id: checked_id(keys)? },
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

/// What is no JSON, or too deep, is the body's fault; what has the wrong type is the user's.
fn user_error(error: serde_json::Error) -> ParseError {
    if error.is_data() { ParseError::User(error) } else { ParseError::Json(error) }
}

fn checked_id(keys: Option<Keys>) -> Result<String, ParseError> {
    let id_error = match keys.ok_or(ParseError::Data)?.id {
        None | Some(Value::Null) => SubjectIdError::Missing,
        Some(Value::String(id)) if is_id(&id) => return Ok(id),
        Some(Value::String(id)) if id.is_empty() => SubjectIdError::Missing,
        Some(Value::String(id)) if id.len() > LONGEST_ID => SubjectIdError::TooLong,
        Some(Value::String(_)) => SubjectIdError::Characters,
        Some(_) => SubjectIdError::NotText,
    };
    Err(ParseError::SubjectId(id_error))
}

/// `data` comes before `type` in what Clerk sends, so it is kept as text until it is known what it is.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type")]
    kind: Option<Value>,
    #[serde(default, deserialize_with = "timestamp")]
    timestamp: Option<Timestamp>,
    instance_id: Option<Value>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// The keys of the data, looked at without keeping anything but the id.
struct Keys {
    id: Option<Value>,
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the data of an event")
    }

    /// A key that comes twice is refused (D3-16): two readers could believe different ones.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
        let mut seen: HashSet<Cow<'de, str>> = HashSet::with_capacity(64);
        let mut keys = Keys { id: None };
        while let Some(Key(key)) = map.next_key()? {
            if key == "id" {
                keys.id = map.next_value()?;
            } else {
                map.next_value::<Sound>()?;
            }
            if !seen.insert(key) {
                return Err(A::Error::custom("a key of the data comes twice"));
            }
        }
        Ok(keys)
    }
}

/// Any value, read to its end and not kept: unlike what serde skips, its numbers exist and its depth is bounded.
struct Sound;

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SoundVisitor)
    }
}

struct SoundVisitor;

impl<'de> Visitor<'de> for SoundVisitor {
    type Value = Sound;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sound, A::Error> {
        while map.next_entry::<Sound, Sound>()?.is_some() {}
        Ok(Sound)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Sound, A::Error> {
        while seq.next_element::<Sound>()?.is_some() {}
        Ok(Sound)
    }

    fn visit_unit<E>(self) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Sound, E> {
        Ok(Sound)
    }

    fn visit_str<E>(self, _: &str) -> Result<Sound, E> {
        Ok(Sound)
    }
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests;
