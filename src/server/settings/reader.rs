//! Reads one value at a time: environment first, then the file; collects what is wrong instead of stopping.
//!
//! Knows nothing of what the values mean.

use std::fmt::Display;
use std::str::FromStr;

use secrecy::SecretString;

use crate::server::settings::Problem;
use crate::server::settings::environment::Variables;

/// The two layers and the problems found so far.
pub struct Reader<'a> {
    file: toml::Table,
    environment: &'a Variables,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub fn new(text: &str, environment: &'a Variables) -> Result<Self, Problem> {
        let file = text.parse::<toml::Table>().map_err(|error| Problem {
            variable: "--config".to_owned(),
            message: format!("not TOML: {}", error.message()),
        })?;
        Ok(Self { file, environment, problems: Vec::new(), warnings: Vec::new() })
    }

    pub fn finish(self) -> (Vec<Problem>, Vec<Problem>) {
        (self.problems, self.warnings)
    }

    /// Notes a problem; returns `None` so that a reader can end with it.
    pub fn problem<T>(&mut self, variable: &str, message: impl Display) -> Option<T> {
        self.problems.push(Problem { variable: variable.to_owned(), message: message.to_string() });
        None
    }

    /// Whether something wrong was said of this variable, or of the file that stands for it.
    pub fn has_problem(&self, variable: &str) -> bool {
        let is_of = |name: &str| name == variable || name.strip_suffix("_FILE") == Some(variable);
        self.problems.iter().any(|problem| is_of(&problem.variable))
    }

    pub fn warning(&mut self, variable: &str, message: impl Display) {
        self.warnings.push(Problem { variable: variable.to_owned(), message: message.to_string() });
    }

    /// A variable that is set and not blank.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.environment.get(name)
    }

    /// The first of `variables` that is set, with its name.
    pub fn first_variable(&self, variables: &[&str]) -> Option<(String, String)> {
        variables.iter().find_map(|name| self.variable(name).map(|value| ((*name).to_owned(), value)))
    }

    /// A secret: from `NAME`, or from the file that `NAME_FILE` names (D7-02). Several names are aliases, first wins.
    pub fn secret(&mut self, variables: &[&str]) -> Option<(String, SecretString)> {
        if let Some((name, value)) = self.first_variable(variables) {
            return Some((name, SecretString::from(value)));
        }
        for name in variables {
            let file_variable = format!("{name}_FILE");
            let Some(path) = self.variable(&file_variable) else { continue };
            return match std::fs::read_to_string(&path) {
                Ok(text) => Some((file_variable, SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()))),
                Err(error) => self.problem(&file_variable, format!("cannot read the file it names: {error}")),
            };
        }
        None
    }

    pub fn text(&self, table: &str, key: &str, variables: &[&str]) -> Option<String> {
        self.first_variable(variables).map(|(_, value)| value).or_else(|| match self.in_file(table, key)? {
            toml::Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        })
    }

    pub fn required_text(&mut self, table: &str, key: &str, variables: &[&str]) -> Option<String> {
        let found = self.text(table, key, variables);
        if found.is_none() {
            return self.problem(&self.name_of(table, key, variables), "is required");
        }
        found
    }

    /// A required value in some written form; `form` completes the sentence "must be …".
    pub fn parsed<T: FromStr>(&mut self, table: &str, key: &str, variables: &[&str], form: &str) -> Option<T> {
        let text = self.required_text(table, key, variables)?;
        match text.trim().parse() {
            Ok(value) => Some(value),
            Err(_) => self.problem(&self.name_of(table, key, variables), format!("must be {form}")),
        }
    }

    /// A whole number within bounds.
    pub fn number(&mut self, table: &str, key: &str, variables: &[&str], range: (u64, u64)) -> Option<u64> {
        let (low, high) = range;
        let form = format!("a whole number from {low} to {high}");
        let number: u64 = self.parsed(table, key, variables, &form)?;
        if (low..=high).contains(&number) {
            return Some(number);
        }
        self.problem(&self.name_of(table, key, variables), format!("must be {form}"))
    }

    /// A list: an array in the file, separated by commas in the environment.
    pub fn list(&self, table: &str, key: &str, variables: &[&str]) -> Vec<String> {
        if let Some((_, value)) = self.first_variable(variables) {
            return value.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect();
        }
        let Some(toml::Value::Array(items)) = self.in_file(table, key) else { return Vec::new() };
        items.iter().filter_map(|item| item.as_str()).map(str::to_owned).collect()
    }

    /// The tables of a list: `[[name]]` in the file, which no variable can say.
    pub fn tables(&mut self, name: &str) -> Vec<toml::Table> {
        let found = match self.file.get(name) {
            None => return Vec::new(),
            Some(toml::Value::Array(items)) => items.iter().map(|item| item.as_table().cloned()).collect(),
            Some(_) => None,
        };
        let place = format!("[[{name}]]");
        found.or_else(|| self.problem(&place, "must be tables, each under this heading")).unwrap_or_default()
    }

    /// What to call a setting in a message: the alias that is set, else the first, else its place in the file.
    pub fn name_of(&self, table: &str, key: &str, variables: &[&str]) -> String {
        let set = self.first_variable(variables).map(|(name, _)| name);
        let first = || variables.first().map(|name| (*name).to_owned());
        set.or_else(first).unwrap_or_else(|| format!("[{table}] {key}"))
    }

    fn in_file(&self, table: &str, key: &str) -> Option<&toml::Value> {
        let mut tables = table.split('.');
        let first = self.file.get(tables.next()?)?.as_table()?;
        tables.try_fold(first, |inner, name| inner.get(name)?.as_table())?.get(key)
    }
}
