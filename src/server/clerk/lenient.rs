//! How single values are read: what counts as absent, what a number of Clerk's means as a time.
//!
//! It knows nothing of the objects these values sit in.

use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The longest id we are ready to store or to put into a URL. Clerk's have about thirty characters.
pub const LONGEST_ID: usize = 128;

/// Whether a text can be one of Clerk's ids. Nothing in it can mean something to a database, a URL or a log.
pub fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= LONGEST_ID
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// An id: demanded wherever it is asked for, and checked.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if is_id(&text) { Ok(text) } else { Err(D::Error::custom("not an id")) }
}

/// `null` means the same as absent.
pub(super) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A time. Anything that is not a sensible number is no time, and never an error: one odd field must not make a person
/// unreadable.
pub fn timestamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    deserializer.deserialize_any(TimestampVisitor)
}

/// Clerk sends milliseconds, and seconds in some places (its own examples included), so the magnitude decides: up to the
/// year 5138 a count of seconds is below 10¹¹, and a count of milliseconds is above it since 1973. Zero, negative numbers
/// and anything after the year 5138 are no times.
pub fn timestamp_of(number: i64) -> Option<Timestamp> {
    const SECONDS_END: i64 = 100_000_000_000;
    match number {
        1..SECONDS_END => Timestamp::from_second(number).ok(),
        SECONDS_END..100_000_000_000_000 => Timestamp::from_millisecond(number).ok(),
        _ => None,
    }
}

struct TimestampVisitor;

impl<'de> Visitor<'de> for TimestampVisitor {
    type Value = Option<Timestamp>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time")
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(timestamp_of(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).ok().and_then(timestamp_of))
    }

    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates, and what saturates is no time")]
    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(timestamp_of(number as i64))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
