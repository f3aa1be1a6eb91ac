//! Where a page of people ended, as the text that asks for the next one.
//!
//! It says after which key of which walk to go on, so that nothing is counted or skipped, whoever joins or leaves meanwhile.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime};
use serde::{Deserialize, Serialize};

/// The last person of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Name of the walk.
    walk: String,
    key: Key,
    tie: Tie,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Key {
    /// The order has no key but the tie.
    Nothing,
    Text(String),
    /// Milliseconds since 1970.
    Moment(i64),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Tie {
    Id(ObjectId),
    Text(String),
}

impl Cursor {
    /// Nothing for values that no order of ours has.
    pub fn of(walk: &str, key: Option<Bson>, tie: Bson) -> Option<Self> {
        let key = match key {
            None => Key::Nothing,
            Some(Bson::String(text)) => Key::Text(text),
            Some(Bson::DateTime(at)) => Key::Moment(at.timestamp_millis()),
            Some(_) => return None,
        };
        let tie = match tie {
            Bson::ObjectId(id) => Tie::Id(id),
            Bson::String(text) => Tie::Text(text),
            _ => return None,
        };
        Some(Self { walk: walk.to_owned(), key, tie })
    }

    pub fn walk(&self) -> &str {
        &self.walk
    }

    pub fn key(&self) -> Option<Bson> {
        match &self.key {
            Key::Nothing => None,
            Key::Text(text) => Some(Bson::String(text.clone())),
            Key::Moment(at) => Some(Bson::DateTime(DateTime::from_millis(*at))),
        }
    }

    pub fn tie(&self) -> Bson {
        match &self.tie {
            Tie::Id(id) => Bson::ObjectId(*id),
            Tie::Text(text) => Bson::String(text.clone()),
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }

    pub fn encode(&self) -> Option<String> {
        serde_json::to_vec(self).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
    }
}

/// Whether a text is where some page ended.
pub fn is_cursor(text: &str) -> bool {
    Cursor::parse(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_what_it_writes_and_nonsense_is_none() {
        let id = Bson::ObjectId(ObjectId::parse_str("66b1f0c2a4d3e5f6a7b8c9d0").unwrap());
        let keys = [None, Some(Bson::String("Zoë".to_owned())), Some(Bson::DateTime(DateTime::from_millis(5)))];
        for key in keys {
            let cursor = Cursor::of("name", key.clone(), id.clone()).unwrap();
            let text = cursor.encode().unwrap();
            assert_eq!(Cursor::parse(&text), Some(cursor.clone()));
            assert_eq!((cursor.key(), cursor.tie()), (key, id.clone()));
        }
        assert_eq!(Cursor::of("name", Some(Bson::Null), id), None);
        for nonsense in ["", "x", "66b1f0c2a4d3e5f6a7b8c9d0", "e30"] {
            assert!(!is_cursor(nonsense), "{nonsense}");
        }
    }
}
