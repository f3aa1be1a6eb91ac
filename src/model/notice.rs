//! What the next page says about the form that was just sent.
//!
//! Plain data: how it travels is `server::notice`, how it looks `app::components::notice`.

use serde::{Deserialize, Serialize};

/// What a form sends to say whom or what it is about. Nobody typed it, so nothing beside it could say what is wrong.
const NAMING: [&str; 6] = ["id", "ids", "role", "cause", "kind", "query"];

/// What a field stood as when its form was made, among what was typed.
pub fn original_of(field: &str) -> String {
    format!("original.{field}")
}

/// The outcome of one form, shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub tone: Tone,
    pub text: String,
    /// The form it is about, by the name of its operation; filled in on the way.
    pub form: Option<String>,
    /// Which of its fields was wrong.
    pub field: Option<String>,
    /// What was typed, so that nobody types it twice.
    pub values: Vec<(String, String)>,
    /// How to take it back, for a few seconds.
    pub undo: Option<Undo>,
    /// How to send it once more, where only the session had run out.
    pub repeat: Option<Repeat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tone {
    Done,
    Failed,
}

/// A form that takes something back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undo {
    /// The server function's path.
    pub action: String,
    pub values: Vec<(String, String)>,
}

/// A form that came with a token that had run out, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// Whose it was: in another session it would be somebody else's.
    pub session_id: String,
    /// The server function's path.
    pub action: String,
    pub values: Vec<(String, String)>,
}

impl Notice {
    /// It went well.
    pub fn done(text: impl Into<String>) -> Self {
        Self {
            tone: Tone::Done,
            text: text.into(),
            form: None,
            field: None,
            values: Vec::new(),
            undo: None,
            repeat: None,
        }
    }

    /// It did not, and why.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { tone: Tone::Failed, ..Self::done(text) }
    }

    /// Says whom or what it is about.
    #[must_use]
    pub fn about(self, id: &str) -> Self {
        Self { values: vec![("id".to_owned(), id.to_owned())], ..self }
    }

    /// Whether this operation went well, and about this.
    pub fn is_about(&self, form: &str, id: &str) -> bool {
        let is_it = self.values.iter().any(|(name, value)| name == "id" && value == id);
        self.tone == Tone::Done && self.form.as_deref() == Some(form) && is_it
    }

    /// Whether what is wrong is said at an input: only what was typed has one.
    pub fn is_said_at_field(&self) -> bool {
        let is_typed = |field: &String| self.values.iter().any(|(name, _)| name == field);
        self.field.as_ref().is_some_and(|field| is_typed(field) && !NAMING.contains(&field.as_str()))
    }

    /// What is wrong with all of it is said where what was typed begins.
    #[must_use]
    pub fn at_first_field(self) -> Self {
        let first = self.values.iter().map(|(name, _)| name).find(|name| !NAMING.contains(&name.as_str())).cloned();
        Self { field: self.field.or(first), ..self }
    }

    /// As it may be shown in this session.
    #[must_use]
    pub fn within(self, session_id: Option<&str>) -> Self {
        let repeat = self.repeat.filter(|repeat| session_id == Some(repeat.session_id.as_str()));
        Self { repeat, ..self }
    }

    /// Offers to take it back.
    #[must_use]
    pub fn with_undo(self, action: &str, values: &[(&str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { undo: Some(Undo { action: action.to_owned(), values }), ..self }
    }
}
