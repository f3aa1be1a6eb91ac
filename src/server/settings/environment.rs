//! The environment of this process: its variables over those of a `.env` file.
//!
//! Read once into a map; nothing is ever set, so tests can pass their own.

use std::collections::HashMap;

/// Variables by name, as `Settings::load` wants them.
#[derive(Clone, Default)]
pub struct Variables(HashMap<String, String>);

impl Variables {
    /// The process' own, over `.env` in the working folder or above it.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub fn of_process() -> Self {
        let mut variables: HashMap<String, String> =
            dotenvy::dotenv_iter().map(|lines| lines.filter_map(Result::ok).collect()).unwrap_or_default();
        variables.extend(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        );
        Self(variables)
    }

    pub fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Lays `overrides` over these.
    #[must_use]
    pub fn with<'a>(mut self, overrides: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        self.0.extend(overrides.into_iter().map(|(name, value)| (name.to_owned(), value)));
        self
    }
}

impl<'a> FromIterator<(&'a str, String)> for Variables {
    fn from_iter<I: IntoIterator<Item = (&'a str, String)>>(pairs: I) -> Self {
        Self::default().with(pairs)
    }
}
