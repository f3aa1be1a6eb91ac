//! The environment of this process: its variables over those of a `.env` file.
//!
//! Read once into a map; nothing is ever set, so tests can pass their own.

use std::collections::HashMap;

use nix::unistd::{Uid, User};

/// Variables by name, as `Settings::load` wants them.
#[derive(Clone, Default)]
pub struct Variables {
    by_name: HashMap<String, String>,
    /// What could not be read: the place, never the content, which may be a secret.
    unreadable: Vec<String>,
}

impl Variables {
    /// The process' own, over `.env` in the working folder or above it.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_process() -> Self {
        let mut variables = Self::default();
        for (index, pair) in dotenvy::dotenv_iter().into_iter().flatten().enumerate() {
            match pair {
                Ok((name, value)) => drop(variables.by_name.insert(name, value)),
                Err(_) => variables.unreadable.push(format!("setting {} in .env", index + 1)),
            }
        }
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => drop(variables.by_name.insert(name, value)),
                (Ok(name), Err(_)) => variables.unreadable.push(name),
                (Err(_), _) => {}
            }
        }
        variables
    }

    /// Places and variables whose text could not be read.
    pub fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    /// The value; a blank one counts as not set.
    pub fn get(&self, name: &str) -> Option<String> {
        self.by_name.get(name).filter(|value| !value.trim().is_empty()).cloned()
    }

    /// Who runs this process, as the operating system knows them (D7-07): the name of the user id, or its number where no name
    /// is known, as in many containers. No variable says it, for anybody sets those; but who became root by `sudo` is whom
    /// `sudo` names.
    pub fn os_user(&self) -> String {
        self.get("SUDO_USER").filter(|_| Uid::effective().is_root()).unwrap_or_else(|| {
            let own = Uid::current();
            User::from_uid(own).ok().flatten().map_or_else(|| own.to_string(), |user| user.name)
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_name.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Lays `overrides` over these.
    #[must_use]
    pub fn with<'a>(mut self, overrides: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        self.by_name.extend(overrides.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self
    }
}

impl<'a> FromIterator<(&'a str, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (&'a str, String)>>(pairs: I) -> Self {
        Self::default().with(pairs)
    }
}
