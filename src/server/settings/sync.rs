//! Table `[sync]`: sizes and limits of the engine.

use std::str::FromStr;
use std::time::Duration;

use crate::server::settings::canary::Canary;
use crate::server::settings::reader::Reader;

/// What stays of whoever is deleted from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deletions {
    /// Clerk's id and when; nothing personal.
    #[default]
    Tombstone,
    /// The same, and a keyed hash in place of the id as soon as nothing on record needs it.
    Hashed,
    /// The document as it was, marked as deleted; the username is free for others.
    Kept,
}

impl FromStr for Deletions {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        match word {
            "tombstone" => Ok(Self::Tombstone),
            "hashed" => Ok(Self::Hashed),
            "kept" => Ok(Self::Kept),
            _ => Err(()),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Sync {
    /// Deliveries that may wait to be stored, more are refused with 503; and as many events that may wait to be applied.
    pub inbox_capacity: usize,
    /// The most events in one command.
    pub batch: usize,
    /// Attempts before an event is dead.
    pub attempts: u32,
    /// How often a reconciliation begins by itself, and the proof after it; `None`: never.
    pub reconcile_every: Option<Duration>,
    /// How often those who changed since are looked at; `None`: never.
    pub catch_up_every: Option<Duration>,
    /// More deletions than this part of everybody, in percent, are not believed.
    pub most_deletions: u64,
    pub deletions: Deletions,
    pub canary: Option<Canary>,
}

impl Sync {
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let capacity = reader.number("sync", "inbox-capacity", &["ROLLCALL_INBOX_CAPACITY"], (1, 100_000));
        let batch = reader.number("sync", "batch", &["ROLLCALL_BATCH"], (1, 10_000));
        let attempts = reader.number("sync", "attempts", &["ROLLCALL_ATTEMPTS"], (1, 100));
        let hours = reader.number("sync", "reconcile-hours", &["ROLLCALL_RECONCILE_HOURS"], (0, 8_760));
        let minutes = reader.number("sync", "catch-up-minutes", &["ROLLCALL_CATCH_UP_MINUTES"], (0, 1_440));
        let most_deletions = reader.number("sync", "most-deletions", &["ROLLCALL_MOST_DELETIONS"], (0, 100));
        let words = "tombstone, hashed or kept";
        let deletions = reader.parsed("sync", "deletions", &["ROLLCALL_DELETIONS"], words);
        let canary = Canary::read(reader);
        let every = |number: u64, seconds: u64| (number > 0).then(|| Duration::from_secs(number * seconds));
        Some(Self {
            inbox_capacity: usize::try_from(capacity?).ok()?,
            batch: usize::try_from(batch?).ok()?,
            attempts: u32::try_from(attempts?).ok()?,
            reconcile_every: every(hours?, 3_600),
            catch_up_every: every(minutes?, 60),
            most_deletions: most_deletions?,
            deletions: deletions?,
            canary,
        })
    }
}
