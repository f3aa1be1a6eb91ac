//! `rollcall events`: what Clerk sent and what became of it, and what an operator does about one.

pub mod list;
pub mod replay;
pub mod show;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cli::End;
use crate::cli::console::Console;
use crate::model::event::EventState;
use crate::model::event_filter::{EventFilter, WAITING, states_of};
use crate::server::error::Error;
use crate::server::store::events::Summary;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Events, the newest first, a page at a time.
    List(list::Options),
    /// One event with its body, what was decided, and where the body is kept.
    Show(show::Options),
    /// Carry events out again over what is stored now, whatever became of them.
    Replay(replay::Options),
    /// Decide that an event which waits, failed or was given up shall not be tried again.
    Discard(replay::DiscardOptions),
}

/// Which events.
#[derive(Debug, Args)]
pub struct Which {
    /// Only those in this state; waiting: for an attempt, in whichever state.
    #[arg(long, value_parser = states())]
    state: Option<States>,
    /// Only those of this type, such as user.updated.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Only those about this person, by Clerk's id.
    #[arg(long, value_name = "ID")]
    person: Option<String>,
    /// Only those that arrived then or later: a time, or how long ago (2h).
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Timestamp>,
    /// Only those that arrived earlier.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    before: Option<Timestamp>,
}

impl Which {
    fn filter(self) -> EventFilter {
        EventFilter {
            states: self.state.map(|States(states)| states).unwrap_or_default(),
            kind: self.kind,
            person: self.person,
            since: self.since,
            before: self.before,
            ..EventFilter::default()
        }
    }
}

pub async fn run(command: Command, console: &Console) -> anyhow::Result<End> {
    match command {
        Command::List(options) => list::run(console, options).await,
        Command::Show(options) => show::run(console, options).await,
        Command::Replay(options) => replay::replay(console, options).await,
        Command::Discard(options) => replay::discard(console, options).await,
    }
}

/// What one word says of the state.
#[derive(Clone, Debug)]
struct States(Vec<EventState>);

fn states() -> impl TypedValueParser<Value = States> {
    let words = EventState::ALL.map(EventState::as_str).into_iter().chain([WAITING]);
    PossibleValuesParser::new(words).try_map(|word| states_of(&word).map(States).ok_or("is no state"))
}

/// A moment, or a time span before now.
fn instant(text: &str) -> Result<Timestamp, &'static str> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let ago = text.parse::<SignedDuration>().map_err(|_| "must be as 2026-01-02T03:04:05Z, or as 2h")?;
    Timestamp::now().checked_sub(ago.abs()).map_err(|_| "is too long ago")
}

/// The sync page's row.
fn row(event: &Summary) -> Value {
    json!({
        "id": event.id,
        "kind": event.kind,
        "clerkId": event.clerk_id,
        "state": event.state,
        "decision": event.decision,
        "attempts": event.attempts,
        "deliveries": event.deliveries,
        "receivedAt": event.received_at,
        "finishedAt": event.finished_at,
    })
}

/// What a rule says about one of several.
fn about(id: &str, error: Error) -> Error {
    match error {
        Error::Refused { field, message } => Error::Refused { field, message: format!("{id}: {message}") },
        error => error,
    }
}
