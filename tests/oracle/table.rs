//! The recorded table: what Clerk's own library was asked and what it said. Written by `record.mjs`, read without Node.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

const TEXT: &str = include_str!("table.jsonl");
const DEFAULT_PAGE: &str = "/page?a=1";

/// What all requests share.
#[derive(Deserialize)]
pub struct Head {
    pub sdk: String,
    /// The recorded moment, in seconds.
    pub now: i64,
    pub pem: String,
    pub jwk: Value,
    pub configs: BTreeMap<String, Setup>,
    /// What a nonce stands for, and what a refresh brings, by name.
    pub directives: BTreeMap<String, Vec<String>>,
    answers: usize,
}

/// How a server is configured.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Setup {
    pub kind: String,
    pub parties: Vec<String>,
    pub proxy: Option<String>,
    pub satellite: Option<SatelliteSetup>,
    pub satellites: Vec<String>,
    pub organizations: Vec<String>,
    pub personal: Vec<String>,
    pub keys: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SatelliteSetup {
    pub domain: String,
    pub sign_in_url: String,
    pub auto_sync: bool,
}

/// One request. What is absent has its usual value; names are explained in `requests.mjs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Row {
    #[serde(rename = "k")]
    pub config: Option<String>,
    #[serde(rename = "m")]
    pub method: Option<String>,
    #[serde(rename = "u")]
    pub url: Option<String>,
    #[serde(rename = "c")]
    pub cookies: Option<String>,
    #[serde(rename = "C")]
    pub cookie_line: Option<String>,
    #[serde(rename = "z")]
    pub authorization: Option<String>,
    #[serde(rename = "d")]
    pub dest: Option<String>,
    #[serde(rename = "x")]
    pub accept: Option<String>,
    #[serde(rename = "r")]
    pub referer: Option<String>,
    #[serde(rename = "t")]
    pub milliseconds: i64,
    #[serde(rename = "n")]
    pub nonce: Option<String>,
    #[serde(rename = "f")]
    pub refresh: Option<String>,
    #[serde(rename = "a")]
    pub answer: usize,
}

/// What was said, with tokens and the suffix by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answer {
    /// `in`, `out`, `handshake`, or `throws`.
    #[serde(rename = "s")]
    pub status: String,
    #[serde(rename = "r")]
    pub reason: Option<String>,
    #[serde(rename = "m")]
    pub has_message: u8,
    /// The address without its query, then names and values in turn.
    #[serde(rename = "l")]
    pub location: Vec<String>,
    #[serde(rename = "c")]
    pub cookies: Vec<String>,
    #[serde(rename = "h")]
    pub is_not_stored: u8,
    #[serde(rename = "o")]
    pub has_cors: u8,
    /// The token that was believed; the library alone says which.
    #[serde(rename = "k")]
    pub token: Option<String>,
    /// Person, session, organization's id, slug and role, actor, status.
    #[serde(rename = "w")]
    pub who: Option<[Option<String>; 7]>,
}

pub struct Table {
    pub head: Head,
    pub rows: Vec<Row>,
    tokens: Vec<(String, String)>,
    answers: Vec<Answer>,
    places: HashMap<Row, usize>,
}

impl Table {
    pub fn read() -> Self {
        let mut lines = TEXT.lines();
        let mut next = || lines.next().expect("a line");
        let head: Head = serde_json::from_str(next()).expect("the head");
        let tokens: BTreeMap<String, String> = serde_json::from_str(next()).expect("the tokens");
        let answers: Vec<Answer> =
            (0..head.answers).map(|_| serde_json::from_str(next()).expect("an answer")).collect();
        let rows: Vec<Row> = lines.map(|line| serde_json::from_str(line).expect("a request")).collect();
        let places = rows.iter().enumerate().map(|(place, row)| (row.key(), place)).collect();
        let mut tokens: Vec<_> = tokens.into_iter().collect();
        // What contains another token must be named first.
        tokens.sort_by_key(|(_, token)| std::cmp::Reverse(token.len()));
        Self { head, rows, tokens, answers, places }
    }

    /// What the library said.
    pub fn theirs(&self, row: &Row) -> Answer {
        self.answers[row.answer].clone()
    }

    /// The recorded request that is the same but for its answer.
    pub fn find(&self, row: &Row) -> Option<&Row> {
        self.places.get(&row.key()).map(|place| &self.rows[*place])
    }

    /// `{name}` becomes the token, `{S}` the suffix.
    pub fn expand(&self, text: &str, suffix: &str) -> String {
        let with_suffix = text.replace("{S}", suffix);
        if !with_suffix.contains('{') {
            return with_suffix;
        }
        self.tokens.iter().fold(with_suffix, |text, (name, token)| text.replace(&format!("{{{name}}}"), token))
    }

    /// The other way round.
    pub fn collapse(&self, text: &str, suffix: &str) -> String {
        const SHORTEST: usize = 21;
        let mut text = text.to_owned();
        for (name, token) in self.tokens.iter().filter(|(_, token)| token.len() >= SHORTEST) {
            if text.len() >= token.len() && text.contains(token.as_str()) {
                text = text.replace(token.as_str(), &format!("{{{name}}}"));
            }
        }
        if suffix.is_empty() { text } else { text.replace(&format!("_{suffix}"), "_{S}") }
    }
}

impl Row {
    pub fn config(&self) -> &str {
        self.config.as_deref().unwrap_or("live")
    }

    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap_or(DEFAULT_PAGE)
    }

    pub fn method(&self) -> &str {
        self.method.as_deref().unwrap_or("GET")
    }

    pub fn is_production(&self) -> bool {
        self.config().starts_with("live")
    }

    /// A cookie by its short name.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let pairs = self.cookies.as_deref()?.split(';').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(known, _)| *known == name).map(|(_, value)| value).next()
    }

    pub fn with_cookie(&self, name: &str, value: Option<&str>) -> Self {
        let pairs = self.cookies.as_deref().unwrap_or_default().split(';');
        let pairs = pairs.filter_map(|pair| {
            let is_meant = pair.split_once('=').is_some_and(|(known, _)| known == name);
            if is_meant { value.map(|value| format!("{name}={value}")) } else { Some(pair.to_owned()) }
        });
        let cookies = pairs.collect::<Vec<_>>().join(";");
        Self { cookies: Some(cookies).filter(|text| !text.is_empty()), ..self.clone() }
    }

    /// A parameter of the address.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.url().split_once('?')?;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    pub fn without_parameter(&self, name: &str) -> Self {
        let Some((path, query)) = self.url().split_once('?') else { return self.clone() };
        let kept: Vec<_> =
            query.split('&').filter(|pair| pair.split('=').next().is_some_and(|known| known != name)).collect();
        let url = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
        Self { url: Some(url), ..self.clone() }
    }

    /// Two requests that are the same have the same key.
    fn key(&self) -> Self {
        let url = self.url.clone().filter(|url| url != DEFAULT_PAGE);
        Self { answer: 0, url, ..self.clone() }
    }
}
