//! Whom an erasure is about, and whether a text or an event is about them.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::server::store::events::Event;

/// Shorter names are anybody's words.
const SHORTEST_NAME: usize = 3;

/// Whom to erase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    pub clerk_id: String,
    /// Addresses, numbers and their ids, former ones too, as far as they are known: a mail or a text message of Clerk's names
    /// nobody but by these.
    pub contacts: BTreeSet<String>,
    /// Usernames, and first and last name together: by these people call them, in what they write themselves. Nothing else is
    /// found by them, and a first name alone is looked for nowhere: it is others' too, and often a word.
    pub names: BTreeSet<String>,
}

impl Subject {
    /// Whether what somebody wrote says who it is.
    pub fn is_named_in(&self, text: &str) -> bool {
        self.sought().is_in(text)
    }

    pub(super) fn sought(&self) -> Sought {
        let lowered = |text: &String| Some(text.to_lowercase()).filter(|text| !text.is_empty());
        let names = self.names.iter().filter(|name| name.chars().count() >= SHORTEST_NAME);
        let leads: Vec<String> = std::iter::once(&self.clerk_id).chain(&self.contacts).filter_map(lowered).collect();
        Sought {
            id: self.clerk_id.clone(),
            all: leads.iter().cloned().chain(names.filter_map(lowered)).collect(),
            leads,
        }
    }
}

/// What is looked for, in lower case.
pub(super) struct Sought {
    id: String,
    /// What names nobody else.
    leads: Vec<String>,
    /// The same, and names.
    all: Vec<String>,
}

impl Sought {
    /// Whether what somebody wrote says who it is.
    pub fn is_in(&self, text: &str) -> bool {
        names_any(text, &self.all)
    }

    /// By its subject; sessions, mails, text messages and memberships have none, but name in the body whom they concern.
    pub fn is_about_them(&self, event: &Event) -> bool {
        event.clerk_id.as_ref().map_or_else(|| self.is_message(event), |clerk_id| *clerk_id == self.id)
    }

    /// Without a subject, and it names them in the body.
    pub fn is_message(&self, event: &Event) -> bool {
        let is_named = || match serde_json::from_str(&event.payload) {
            Ok(body) => is_named_in(&body, &self.leads),
            Err(_) => names_any(&event.payload, &self.leads),
        };
        event.clerk_id.is_none() && is_named()
    }
}

fn is_named_in(value: &Value, names: &[String]) -> bool {
    match value {
        Value::String(text) => names_any(text, names),
        Value::Array(items) => items.iter().any(|item| is_named_in(item, names)),
        Value::Object(object) => object.iter().any(|(key, inner)| names_any(key, names) || is_named_in(inner, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Whether one of these names, in lower case, is in the text as a whole: `ann@a.example` is not in `joann@a.example`.
fn names_any(text: &str, names: &[String]) -> bool {
    let text = text.to_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || "_-@%".contains(c);
    let is_whole = |start: usize, end: usize| {
        let (mut before, mut after) = (text[..start].chars().rev(), text[end..].chars());
        let goes_on = match after.next() {
            // The end of a sentence is not the middle of a name.
            Some('.') => after.next().is_some_and(is_part),
            next => next.is_some_and(is_part),
        };
        let began = match before.next() {
            // As people are called upon; in an address something comes before it.
            Some('@') => before.next().is_some_and(|c| !c.is_whitespace()),
            last => last.is_some_and(|c| is_part(c) || ".+".contains(c)),
        };
        !began && !goes_on
    };
    names
        .iter()
        .any(|name| text.match_indices(name.as_str()).any(|(start, found)| is_whole(start, start + found.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_11_somebody_is_named_by_the_whole_of_an_address_number_or_id_only() {
        let contacts = ["Ann@A.example", "+1555"].map(str::to_owned).into();
        let subject = Subject { clerk_id: "user_1".to_owned(), contacts, ..Subject::default() };
        for text in ["ann@a.example", "to Ann@a.example.", "<ann@A.EXAMPLE>", "(+1555)", "user_1", "user_1: ban"] {
            assert!(subject.is_named_in(text), "{text}");
        }
        for text in [
            "joann@a.example",
            "x.ann@a.example",
            "ann@a.example.com",
            "ann@a.example-two.com",
            "+15550",
            "user_12",
            "",
        ] {
            assert!(!subject.is_named_in(text), "{text}");
        }
    }

    #[test]
    fn c_11_somebody_is_named_by_a_username_or_the_full_name_as_whole_words_and_by_nothing_short() {
        let names = ["Ann_Lee", "Ann Lee", "al"].map(str::to_owned).into();
        let subject = Subject { clerk_id: "user_1".to_owned(), names, ..Subject::default() };
        for text in ["quarrels with ann_lee", "@ann_lee asked", "ANN LEE's wish", "(Ann Lee)", "user:ann_lee"] {
            assert!(subject.is_named_in(text), "{text}");
        }
        for text in ["Ann asked", "joann_lee", "ann_lee2", "x@ann_lee", "Ann Leeds", "Joann Lee", "al", "et al."] {
            assert!(!subject.is_named_in(text), "{text}");
        }
    }
}
