//! Which events: what the address of the event list says, and what is meant by it. Pure.
//!
//! The search box understands qualifiers (`type:user.updated status:dead user:user_x after:2026-11-01 before:2h`) and, as
//! free text, the beginning of an event's or a person's id, an address, or a username. The same filter lists, is saved, and is
//! replayed.

use std::fmt::Write;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::event::EventState;
use crate::model::failure::FAILURES;

/// The word for what waits for an attempt, in whichever of the two states.
pub const WAITING: &str = "waiting";
/// What the search box understands.
pub const QUALIFIERS: [&str; 6] = ["type:", "status:", "user:", "after:", "before:", "cause:"];
/// A day of UTC, as everything that is typed.
const YESTERDAY: &str = "yesterday";
/// How long ago, as an address says it, and in words (E-10); besides, the exact range.
pub const RANGES: [(&str, &str); 7] = [
    ("15m", "15 minutes"),
    ("1h", "1 hour"),
    ("5h", "5 hours"),
    ("24h", "24 hours"),
    (YESTERDAY, "yesterday (UTC)"),
    ("7d", "7 days"),
    ("30d", "30 days"),
];
const LONGEST_TEXT: usize = 512;

/// The address of the event list, as it was typed or followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct EventQuery {
    /// The search box.
    pub q: Option<String>,
    pub state: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// An id or a username.
    pub person: Option<String>,
    pub cause: Option<String>,
    /// One of [`RANGES`].
    pub range: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// What is meant; what is not said does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventFilter {
    /// In one of these.
    pub states: Vec<EventState>,
    pub kind: Option<String>,
    /// Clerk's id; before it was looked up, perhaps a username.
    pub person: Option<String>,
    /// The beginning of a person's id.
    pub person_begins: Option<String>,
    /// The beginning of an event's id; before it was looked up, perhaps a username.
    pub id_begins: Option<String>,
    /// Failed for this.
    pub cause: Option<String>,
    /// Those that arrived then or later.
    pub since: Option<Timestamp>,
    /// Those that arrived earlier.
    pub before: Option<Timestamp>,
}

/// Which events are carried out again, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReplayPlan {
    /// These; empty for all that match.
    pub ids: Vec<String>,
    pub filter: EventFilter,
    /// Mails and webhooks go out for what changes.
    pub effects: bool,
}

/// What cannot be understood, and of which field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear {
    pub field: &'static str,
    pub message: String,
}

impl EventQuery {
    /// Each part with its name in an address.
    pub fn parts(&self) -> [(&'static str, Option<&str>); 8] {
        let Self { q, state, kind, person, cause, range, from, to } = self;
        [
            ("q", q.as_deref()),
            ("state", state.as_deref()),
            ("type", kind.as_deref()),
            ("person", person.as_deref()),
            ("cause", cause.as_deref()),
            ("range", range.as_deref()),
            ("from", from.as_deref()),
            ("to", to.as_deref()),
        ]
    }

    /// Of the parts of an address, by their names.
    pub fn of(part: impl Fn(&str) -> Option<String>) -> Self {
        let part = |name: &str| part(name).filter(|text| !text.trim().is_empty());
        Self {
            q: part("q"),
            state: part("state"),
            kind: part("type"),
            person: part("person"),
            cause: part("cause"),
            range: part("range"),
            from: part("from"),
            to: part("to"),
        }
    }

    /// Whether nothing is asked for.
    pub fn is_nothing(&self) -> bool {
        self.parts().iter().all(|(_, value)| value.is_none())
    }

    /// As the query of an address, without the question mark.
    pub fn encoded(&self) -> String {
        let pairs = self.parts().into_iter().filter_map(|(name, value)| Some((name, value?)));
        pairs.map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect::<Vec<_>>().join("&")
    }

    /// # Errors
    /// The first part that cannot be understood.
    pub fn read(&self, now: Timestamp) -> Result<EventFilter, Unclear> {
        let mut filter = EventFilter::default();
        let text =
            |value: &Option<String>| value.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        if self.parts().iter().any(|(_, value)| value.is_some_and(|value| value.len() > LONGEST_TEXT)) {
            return Err(Unclear { field: "q", message: "This is too long.".to_owned() });
        }
        let (range, until) = match text(&self.range) {
            Some(range) if range == YESTERDAY => {
                let today = now.to_zoned(TimeZone::UTC).date();
                (today.yesterday().ok().map(|day| day.to_string()), Some(today.to_string()))
            }
            range => (range, None),
        };
        for (field, qualifier, value) in [
            ("state", "status", text(&self.state)),
            ("type", "type", text(&self.kind)),
            ("person", "user", text(&self.person)),
            ("cause", "cause", text(&self.cause)),
            ("range", "after", range),
            ("range", "before", until),
            ("from", "after", text(&self.from)),
            ("to", "before", text(&self.to)),
        ] {
            if let Some(value) = value {
                filter.narrow(qualifier, &value, now).map_err(|message| Unclear { field, message })?;
            }
        }
        for word in words(self.q.as_deref().unwrap_or_default()) {
            filter.search(&word, now).map_err(|message| Unclear { field: "q", message })?;
        }
        if filter.cause.is_some() && filter.states.is_empty() {
            filter.states = FAILURES.to_vec();
        }
        Ok(filter)
    }
}

/// The states that go by this word: one, or both of what waits.
pub fn states_of(word: &str) -> Option<Vec<EventState>> {
    if word == WAITING {
        return Some(EventState::PENDING.to_vec());
    }
    EventState::ALL.into_iter().find(|state| state.as_str() == word).map(|state| vec![state])
}

impl EventFilter {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn search(&mut self, word: &str, now: Timestamp) -> Result<(), String> {
        if let Some((qualifier, value)) = word.split_once(':') {
            if value.is_empty() {
                return Err(format!("{qualifier}: what? Nothing follows it."));
            }
            return self.narrow(qualifier, value, now);
        }
        if word.contains('@') {
            return self.narrow("user", word, now);
        }
        let place = if word.starts_with("user_") { &mut self.person_begins } else { &mut self.id_begins };
        once(place, word.to_owned(), "the beginning of an id")
    }

    fn narrow(&mut self, qualifier: &str, value: &str, now: Timestamp) -> Result<(), String> {
        match qualifier {
            "status" | "state" => {
                let all = || EventState::ALL.map(EventState::as_str).join(", ");
                let states =
                    states_of(value).ok_or_else(|| format!("{value} is no state. There are {}, {WAITING}.", all()))?;
                if self.states.is_empty() || self.states == states {
                    self.states = states;
                    return Ok(());
                }
                Err("An event is in one state only.".to_owned())
            }
            "type" => once(&mut self.kind, value.to_owned(), "type"),
            "user" | "person" => once(&mut self.person, value.to_owned(), "user"),
            "cause" => once(&mut self.cause, value.to_owned(), "cause"),
            "after" => {
                self.since = self.since.max(Some(instant(value, now)?));
                Ok(())
            }
            "before" => {
                let at = instant(value, now)?;
                self.before = Some(self.before.map_or(at, |known| known.min(at)));
                Ok(())
            }
            unknown => Err(format!("{unknown}: is not known here. There are {}.", QUALIFIERS.join(", "))),
        }
    }

    /// In one line, for people.
    pub fn describe(&self) -> String {
        let states: Vec<&str> = self.states.iter().map(|state| state.as_str()).collect();
        let parts = [
            (!states.is_empty()).then(|| format!("in the state {}", states.join(" or "))),
            self.kind.as_ref().map(|kind| format!("of the type {kind}")),
            self.person.as_ref().map(|person| format!("about {person}")),
            self.person_begins.as_ref().map(|text| format!("about people whose id begins with {text}")),
            self.id_begins.as_ref().map(|text| format!("whose id begins with {text}")),
            self.cause.as_ref().map(|cause| format!("that failed for: {cause}")),
            self.since.map(|at| format!("from {at} on")),
            self.before.map(|at| format!("before {at}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "all events".to_owned() } else { format!("events {}", parts.join(", ")) }
    }
}

impl ReplayPlan {
    pub fn describe(&self) -> String {
        match self.ids.as_slice() {
            [] => self.filter.describe(),
            [id] => format!("the event {id}"),
            ids => format!("{} selected events", ids.len()),
        }
    }
}

fn once(place: &mut Option<String>, value: String, name: &str) -> Result<(), String> {
    match place {
        Some(known) if *known != value => Err(format!("{name} is said twice: {known} and {value}.")),
        _ => {
            *place = Some(value);
            Ok(())
        }
    }
}

/// Words, of which one in double quotes may have spaces.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted) = (Vec::new(), String::new(), false);
    for character in text.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            space if space.is_whitespace() && !is_quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A moment (in UTC unless it says otherwise), a day's beginning, or how long before now.
///
/// # Errors
/// In words, for anything else.
pub fn instant(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let wrong = || format!("{text} is no time. Write it as 2026-11-01, 2026-11-01T10:30, or as 2h.");
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return at.to_zoned(TimeZone::UTC).map(|at| at.timestamp()).map_err(|_| wrong());
    }
    let unit = text.chars().last().and_then(|unit| match unit {
        'm' => Some(1),
        'h' => Some(60),
        'd' => Some(24 * 60),
        _ => None,
    });
    let count = text.get(..text.len().saturating_sub(1)).and_then(|count| count.parse::<u32>().ok());
    let (Some(unit), Some(count)) = (unit, count) else { return Err(wrong()) };
    now.checked_sub(SignedDuration::from_mins(i64::from(count) * unit)).map_err(|_| wrong())
}

/// As it stands in an address: everything but letters, digits and four signs by its number.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
