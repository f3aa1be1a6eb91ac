//! From Clerk's user to the fields of the application's own: looks up what the table names, and nothing else. And which of
//! their values may be kept and shown where changes and differences are: those that are not personal.
//!
//! Pure, but for a line in the log: a value of another kind than declared is no reason to lose the person, so the default
//! takes its place, and that is said once a field.

use jiff::Timestamp;
use serde_json::Value;

use crate::server::clerk::wire;
use crate::server::settings::fields::{Field, FieldValue, FieldValues, Fields, Metadata, Own, Source};

/// What is longer is cut where it is only shown.
const LONGEST_SHOWN: usize = 200;

/// A value for every row of the table.
pub fn values_of(user: &wire::User, fields: &Fields) -> FieldValues {
    fields.rows().iter().map(|field| (field.name, value_of(user, field))).collect()
}

fn value_of(user: &wire::User, field: &Field) -> FieldValue {
    let found = match &field.from {
        Source::Own(own) => own_value(user, *own),
        Source::Metadata { of, path } => find(user, *of, path).and_then(|value| {
            let read = field.kind.read(value);
            if read.is_none() {
                field.tell_once(|| tell(user, field, value));
            }
            read
        }),
    };
    found.unwrap_or_else(|| field.default.clone())
}

/// `null` is as good as nothing.
fn find<'a>(user: &'a wire::User, of: Metadata, path: &[String]) -> Option<&'a Value> {
    let metadata = match of {
        Metadata::Public => &user.public_metadata,
        Metadata::Private => &user.private_metadata,
        Metadata::Unsafe => &user.unsafe_metadata,
    };
    let (first, deeper) = path.split_first()?;
    let found = deeper.iter().try_fold(metadata.get(first)?, |value, key| value.as_object()?.get(key))?;
    (!found.is_null()).then_some(found)
}

fn own_value(user: &wire::User, own: Own) -> Option<FieldValue> {
    let text = |text: Option<&str>| {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        Some(FieldValue::Json(text.into()))
    };
    let flag = |flag: bool| Some(FieldValue::Json(flag.into()));
    let moment = |moment: Option<Timestamp>| moment.map(FieldValue::Timestamp);
    match own {
        Own::PhoneNumber => text(user.primary_phone_number()),
        Own::Locale => text(user.locale.as_deref()),
        Own::ExternalId => text(user.external_id.as_deref()),
        Own::ImageUrl => text(user.image_url.as_deref()),
        Own::HasImage => flag(user.has_image),
        Own::PasswordEnabled => flag(user.password_enabled),
        Own::TwoFactorEnabled => flag(user.two_factor_enabled),
        Own::LastSignInAt => moment(user.last_sign_in_at),
        Own::LastActiveAt => moment(user.last_active_at),
        Own::LegalAcceptedAt => moment(user.legal_accepted_at),
    }
}

/// Fields whose values are nobody's secret: not personal, and not kept from front ends.
pub fn open_fields(fields: &Fields) -> impl Iterator<Item = &Field> {
    fields.rows().iter().filter(|field| !field.is_personal && field.is_shown())
}

/// The value of such a field in words, whatever its length; `None` for any other field, and for no value.
pub fn whole_value(values: &FieldValues, fields: &Fields, name: &str) -> Option<String> {
    let field = open_fields(fields).find(|field| field.name == name)?;
    match values.get(field.name)?.to_json() {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// The same, as much of it as is shown.
pub fn open_value(values: &FieldValues, fields: &Fields, name: &str) -> Option<String> {
    let text = whole_value(values, fields, name)?;
    let mut kept: String = text.chars().take(LONGEST_SHOWN).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    Some(kept)
}

/// Whom it is about and what is wrong; never the value.
fn tell(user: &wire::User, field: &Field, value: &Value) {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    let (field, declared) = (field.name, field.kind.as_str());
    tracing::warn!(
        user.id = user.id,
        field,
        declared,
        found,
        "a value at Clerk is not what [[fields]] declares: the default takes its place (said once a field)"
    );
}

#[cfg(test)]
mod tests;
