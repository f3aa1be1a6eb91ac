//! Query strings and form bodies as lists of names and values, the way Clerk reads them.
//!
//! Knows `name`, `name[]` and repetition; knows no particular parameter.

use serde_json::{Map, Value};

use crate::standin::refusal::Refusal;

#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn parse(text: &[u8]) -> Params {
        Params(url::form_urlencoded::parse(text).into_owned().collect())
    }

    pub fn of_json(object: &Map<String, Value>) -> Params {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Params(object.iter().map(|(name, value)| (name.clone(), text(value))).collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Like `get`, with an empty value as absence.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Every value of `name` and `name[]`; Clerk takes at most 100.
    pub fn all(&self, name: &str) -> Result<Vec<&str>, Refusal> {
        let bracketed = format!("{name}[]");
        let matches = self.0.iter().filter(|(key, _)| key == name || *key == bracketed);
        let values: Vec<&str> = matches.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty()).collect();
        if values.len() > 100 {
            return Err(Refusal::form(
                name,
                "form_param_max_length_exceeded",
                format!("{name} must not exceed 100 items."),
            ));
        }
        Ok(values)
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        self.given(name).map(|text| text.parse().map_err(|_| Refusal::format(name))).transpose()
    }

    pub fn number(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.given(name).map(|text| text.parse().map_err(|_| Refusal::format(name))).transpose()
    }

    /// The named fields as JSON texts, for code that reads JSON bodies.
    pub fn pick(&self, names: &[&str]) -> Value {
        let present =
            names.iter().filter_map(|name| self.get(name).map(|value| ((*name).to_owned(), Value::from(value))));
        Value::Object(present.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_and_brackets_mean_the_same() {
        let params = Params::parse(b"user_id=a&user_id=b&user_id%5B%5D=c&x=1");
        assert_eq!(params.all("user_id").unwrap(), ["a", "b", "c"]);
        assert!(params.number("user_id").is_err());
    }
}
