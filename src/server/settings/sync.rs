//! Table `[sync]`: sizes and limits of the engine.

use std::time::Duration;

use crate::server::settings::reader::Reader;

#[derive(Clone, Debug)]
pub struct Sync {
    /// Deliveries that may wait to be stored; more are refused with 503.
    pub inbox_capacity: usize,
    /// The most events in one command.
    pub batch: usize,
    /// Attempts before an event is dead.
    pub attempts: u32,
    pub event_retention: Duration,
}

impl Sync {
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let capacity = reader.number("sync", "inbox-capacity", &["ROLLCALL_INBOX_CAPACITY"], (1, 100_000));
        let batch = reader.number("sync", "batch", &["ROLLCALL_BATCH"], (1, 10_000));
        let attempts = reader.number("sync", "attempts", &["ROLLCALL_ATTEMPTS"], (1, 100));
        let days = reader.number("sync", "event-retention-days", &["ROLLCALL_EVENT_RETENTION_DAYS"], (2, 3_650));
        Some(Self {
            inbox_capacity: usize::try_from(capacity?).ok()?,
            batch: usize::try_from(batch?).ok()?,
            attempts: u32::try_from(attempts?).ok()?,
            event_retention: Duration::from_secs(days? * 86_400),
        })
    }
}
