//! Entries followed one after another: whether each is the next, follows the one before it, and is as it was sealed.

use mongodb::bson::{Document, deserialize_from_document};

use crate::server::store::audit::{Broken, End, Entry, Trail};

/// How far the trail was followed.
pub(in crate::server::store) struct Chain {
    /// How many left before it.
    left: i64,
    pub(super) number: i64,
    pub(super) seal: String,
}

impl Chain {
    pub(in crate::server::store) fn after(start: &End) -> Self {
        Self { left: start.number, number: start.number, seal: start.seal.clone() }
    }

    /// Goes on to the next entry; answers where it is then.
    pub(in crate::server::store) fn follow(&mut self, row: Document) -> Result<End, &'static str> {
        let entry: Entry = deserialize_from_document(row).map_err(|_| "it cannot be read")?;
        if entry.number != self.number + 1 {
            return Err("it is missing");
        }
        if entry.previous != self.seal {
            return Err("it does not follow the entry before it");
        }
        if entry.seal != entry.sealed() || !entry.has_its_reason() {
            return Err("it was changed");
        }
        (self.number, self.seal) = (entry.number, entry.seal.clone());
        Ok(End { number: entry.number, seal: entry.seal })
    }

    pub(super) fn whole(&self) -> Trail {
        Trail { left: self.left, entries: self.number - self.left, broken: None }
    }

    pub(super) fn broken(&self, cause: &'static str) -> Trail {
        self.broken_at(self.number + 1, cause)
    }

    pub(super) fn broken_at(&self, number: i64, cause: &'static str) -> Trail {
        let entries = (number - 1 - self.left).max(0);
        Trail { left: self.left, entries, broken: Some(Broken { number, cause }) }
    }
}
