//! Many documents at once, of which one may be unreadable because somebody else's hand was in it: it is left out and said so
//! in the log now and then, and holds up nobody else.
//!
//! Nothing of such a document is logged: it may hold anything.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use mongodb::Cursor;
use mongodb::bson::{RawDocument, RawDocumentBuf, deserialize_from_slice};
use serde::de::DeserializeOwned;

use crate::server::store::Error;

/// How often it is said of a collection.
const SAID_EVERY: Duration = Duration::from_mins(10);

static SAID: Mutex<Option<HashMap<&'static str, Instant>>> = Mutex::new(None);

/// Reads on until so many could be read.
pub async fn take<T>(
    collection: &'static str,
    mut documents: Cursor<RawDocumentBuf>,
    most: usize,
    read: impl Fn(&RawDocument) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let (mut taken, mut unreadable) = (Vec::new(), 0);
    while taken.len() < most
        && let Some(document) = documents.try_next().await?
    {
        match read(&document) {
            Some(item) => taken.push(item),
            None => unreadable += 1,
        }
    }
    say(collection, unreadable);
    Ok(taken)
}

/// Those of these that can be read.
pub fn keep<T: DeserializeOwned>(collection: &'static str, documents: &[RawDocumentBuf]) -> Vec<T> {
    readable(collection, documents.iter().map(|document| parse(document)))
}

/// Those that could be.
pub fn readable<T>(collection: &'static str, read: impl ExactSizeIterator<Item = Option<T>>) -> Vec<T> {
    let all = read.len();
    let kept: Vec<T> = read.flatten().collect();
    say(collection, all - kept.len());
    kept
}

pub fn parse<T: DeserializeOwned>(document: &RawDocument) -> Option<T> {
    deserialize_from_slice(document.as_bytes()).ok()
}

fn say(collection: &'static str, count: usize) {
    if count > 0 && is_time(collection, Instant::now()) {
        tracing::error!(collection, count, "documents that cannot be read are left out");
    }
}

fn is_time(collection: &'static str, now: Instant) -> bool {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    let said = said.get_or_insert_default();
    let is_time = said.get(collection).is_none_or(|at| now.saturating_duration_since(*at) >= SAID_EVERY);
    if is_time {
        said.insert(collection, now);
    }
    is_time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_once_in_a_while_and_for_each_collection() {
        let now = Instant::now();
        assert!(is_time("one", now));
        assert!(!is_time("one", now + SAID_EVERY / 2));
        assert!(is_time("other", now));
        assert!(is_time("one", now + SAID_EVERY));
    }
}
