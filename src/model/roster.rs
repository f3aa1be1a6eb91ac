//! Many people in a table, for those who look after them: what is asked for, the rows, and a change of many roles before it
//! is made.
//!
//! Does not know how people are stored or found (`server::accounts::roster`).

use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::user::{AuthProvider, Role, SyncStatus};

/// What is asked for, as an address or a form says it. An empty text says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Query {
    /// An id, or what name, username or address begins with.
    pub q: String,
    pub role: String,
    pub state: String,
    pub provider: String,
    /// `banned`, `locked` or `deleted`.
    pub mark: String,
    /// Days, in UTC, both included.
    pub joined_from: String,
    pub joined_to: String,
    pub active_from: String,
    pub active_to: String,
    /// The word of an [`Order`].
    pub sort: String,
    /// Names of columns, with commas.
    pub columns: String,
    /// Where the page before ended.
    pub after: String,
}

/// In which order people are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Newest,
    Oldest,
    Name,
    /// Who was here last comes first, and whoever never was here is left out.
    Active,
}

impl Order {
    pub const ALL: [Self; 4] = [Self::Newest, Self::Oldest, Self::Name, Self::Active];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "joined",
            Self::Oldest => "oldest",
            Self::Name => "name",
            Self::Active => "active",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Newest => "Newest",
            Self::Oldest => "Oldest",
            Self::Name => "By name",
            Self::Active => "Last active",
        }
    }
}

impl Query {
    /// The order, where there is a choice: a search has its own, and of the deleted whoever went last comes first.
    pub fn order(&self) -> Option<Order> {
        if !self.q.trim().is_empty() || self.mark == "deleted" {
            return None;
        }
        Some(Order::ALL.into_iter().find(|order| order.as_str() == self.sort).unwrap_or(Order::Newest))
    }
}

/// A column that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    Email,
    Username,
    Role,
    State,
    Marks,
    Provider,
    Joined,
    Active,
    Changed,
    Compared,
    Mongo,
}

impl Column {
    pub const ALL: [Self; 11] = [
        Self::Email,
        Self::Username,
        Self::Role,
        Self::State,
        Self::Marks,
        Self::Provider,
        Self::Joined,
        Self::Active,
        Self::Changed,
        Self::Compared,
        Self::Mongo,
    ];
    /// Those that are there unless others are chosen.
    pub const USUAL: [Self; 6] = [Self::Email, Self::Role, Self::State, Self::Marks, Self::Joined, Self::Active];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
            Self::Role => "role",
            Self::State => "state",
            Self::Marks => "marks",
            Self::Provider => "provider",
            Self::Joined => "joined",
            Self::Active => "active",
            Self::Changed => "changed",
            Self::Compared => "compared",
            Self::Mongo => "mongo",
        }
    }

    /// At the head of the table.
    pub fn title(self) -> &'static str {
        match self {
            Self::Email => "E-mail",
            Self::Username => "Username",
            Self::Role => "Role",
            Self::State => "Sync state",
            Self::Marks => "Marks",
            Self::Provider => "Provider",
            Self::Joined => "Joined",
            Self::Active => "Last active",
            Self::Changed => "Changed",
            Self::Compared => "Compared",
            Self::Mongo => "MongoDB id",
        }
    }
}

/// A word that names no column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownColumn;

impl FromStr for Column {
    type Err = UnknownColumn;

    fn from_str(word: &str) -> Result<Self, UnknownColumn> {
        Self::ALL.into_iter().find(|column| column.as_str() == word).ok_or(UnknownColumn)
    }
}

/// One page of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    pub rows: Vec<Row>,
    /// Where to go on, if there are more.
    pub next: Option<String>,
    pub columns: Vec<Column>,
    /// Whether whoever looks may change anything.
    pub can_change: bool,
}

/// One person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub clerk_id: String,
    pub id: String,
    pub name: String,
    pub image_url: Option<String>,
    pub email: Option<String>,
    pub email_verified: bool,
    pub username: Option<String>,
    pub role: Role,
    pub state: SyncStatus,
    /// Banned, locked, deleted, and what is on its way.
    pub marks: Vec<String>,
    pub provider: AuthProvider,
    pub joined: Timestamp,
    /// A day.
    pub active: Option<String>,
    pub changed: Timestamp,
    pub compared: Option<Timestamp>,
}

/// What a change of many roles would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    pub role: Role,
    pub rows: Vec<Outlook>,
}

/// What it would do to one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    pub clerk_id: String,
    pub name: String,
    pub before: Role,
    /// Why it would not be done.
    pub refusal: Option<String>,
}
