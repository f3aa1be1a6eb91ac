//! Tables `[[fields]]`: which of Clerk's fields go into which fields of a person's document beside ours (A2-24, C-10).
//!
//! What a field may be called, where it comes from, which values it takes. Finding one is `sync::fields`' business.

use std::collections::BTreeMap;
use std::sync::{Arc, Once};

use jiff::Timestamp;
use serde_json::{Number, Value};

use crate::server::clerk::lenient::timestamp_of;
use crate::server::settings::reader::Reader;

const MOST_FIELDS: usize = 64;
const LONGEST_NAME: usize = 64;
/// MongoDB takes a hundred levels, ours among them.
const DEEPEST: usize = 32;
const KEYS: [&str; 6] = ["name", "from", "type", "default", "personal", "editable"];

/// What we write into a person's document ourselves, and what would be taken for it.
pub const RESERVED: [&str; 33] = [
    "_id",
    "authProvider",
    "banned",
    "bio",
    "clerkId",
    "clerkUsername",
    "createdAt",
    "deletedAt",
    "email",
    "emails",
    "emailVerified",
    "etag",
    "firstName",
    "history",
    "id",
    "imageUrl",
    "isAdmin",
    "lastActiveAt",
    "lastClerkSync",
    "lastName",
    "locked",
    "name",
    "outbox",
    "passwordHash",
    "role",
    "rolePending",
    "syncReason",
    "syncSource",
    "syncStatus",
    "updatedAt",
    "username",
    "usernameConflict",
    "version",
];

/// The table. Cheap to clone; without rows it costs nobody anything.
#[derive(Clone, Debug, Default)]
pub struct Fields(Arc<[Field]>);

#[derive(Debug)]
pub struct Field {
    /// As long as the process: the table is read once, and its names go along with every person.
    pub name: &'static str,
    pub from: Source,
    pub kind: Kind,
    /// What stands in the document where Clerk has nothing, or nothing of this kind.
    pub default: FieldValue,
    pub is_personal: bool,
    /// Whether people may change it themselves: at Clerk, in the metadata that is theirs.
    pub is_editable: bool,
    told: Once,
}

/// Where in Clerk's user a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Under this path of keys.
    Metadata {
        of: Metadata,
        path: Vec<String>,
    },
    Own(Own),
}

/// Whose metadata it is: the backend's and everybody's to see, the backend's alone, or the person's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    Public,
    Private,
    Unsafe,
}

/// A field of Clerk's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    PhoneNumber,
    Locale,
    ExternalId,
    ImageUrl,
    HasImage,
    PasswordEnabled,
    TwoFactorEnabled,
    LastSignInAt,
    LastActiveAt,
    LegalAcceptedAt,
}

/// What a field's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Integer,
    Boolean,
    Timestamp,
    ListOfText,
    Json,
}

const METADATA: [(&str, Metadata); 3] = [
    ("public_metadata.", Metadata::Public),
    ("private_metadata.", Metadata::Private),
    ("unsafe_metadata.", Metadata::Unsafe),
];

const OWN: [(&str, Own, Kind); 10] = [
    ("phone_number", Own::PhoneNumber, Kind::Text),
    ("locale", Own::Locale, Kind::Text),
    ("external_id", Own::ExternalId, Kind::Text),
    ("image_url", Own::ImageUrl, Kind::Text),
    ("has_image", Own::HasImage, Kind::Boolean),
    ("password_enabled", Own::PasswordEnabled, Kind::Boolean),
    ("two_factor_enabled", Own::TwoFactorEnabled, Kind::Boolean),
    ("last_sign_in_at", Own::LastSignInAt, Kind::Timestamp),
    ("last_active_at", Own::LastActiveAt, Kind::Timestamp),
    ("legal_accepted_at", Own::LegalAcceptedAt, Kind::Timestamp),
];

const KINDS: [(&str, Kind); 7] = [
    ("text", Kind::Text),
    ("number", Kind::Number),
    ("integer", Kind::Integer),
    ("boolean", Kind::Boolean),
    ("timestamp", Kind::Timestamp),
    ("list-of-text", Kind::ListOfText),
    ("json", Kind::Json),
];

/// One value of one person's field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// `null` is no value.
    Json(Value),
    /// In milliseconds.
    Timestamp(Timestamp),
    /// Found in the document and of no kind of ours. Whatever Clerk says differs from it; it is never written.
    Foreign,
}

/// The values of one person, by name.
pub type FieldValues = BTreeMap<&'static str, FieldValue>;

impl Default for FieldValue {
    fn default() -> Self {
        Self::Json(Value::Null)
    }
}

impl FieldValue {
    /// As other systems get it: a timestamp is RFC 3339.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Json(value) => value.clone(),
            Self::Timestamp(timestamp) => timestamp.to_string().into(),
            Self::Foreign => Value::Null,
        }
    }
}

impl Fields {
    /// Reads every row and notes everything wrong with any.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let tables = reader.tables("fields");
        if tables.len() > MOST_FIELDS {
            reader.problem::<()>("[[fields]]", format!("may be {MOST_FIELDS} at most, not {}", tables.len()));
        }
        let mut rows: Vec<Field> = Vec::with_capacity(tables.len());
        let mut names: Vec<String> = Vec::with_capacity(tables.len());
        for (index, table) in tables.iter().enumerate() {
            let name = table.get("name").and_then(toml::Value::as_str);
            let place = format!("[[fields]] {}", name.map_or_else(|| format!("number {}", index + 1), str::to_owned));
            if name.is_some_and(|name| names.iter().any(|known| known == name)) {
                reader.problem::<()>(&place, "is there twice");
            }
            names.extend(name.map(str::to_owned));
            rows.extend(read_row(&mut Row { reader, place, table }));
        }
        Self(rows.into())
    }

    pub fn rows(&self) -> &[Field] {
        &self.0
    }

    /// What a browser, or another front end, may see of a person's values.
    pub fn shown(&self, values: &FieldValues) -> impl Iterator<Item = (&'static str, Value)> {
        let shown = self.rows().iter().filter(|field| field.is_shown());
        shown.map(|field| (field.name, values.get(field.name).map_or(Value::Null, FieldValue::to_json)))
    }
}

impl Field {
    /// What Clerk keeps from front ends is kept from them here, too.
    pub fn is_shown(&self) -> bool {
        !matches!(self.from, Source::Metadata { of: Metadata::Private, .. })
    }

    /// Runs this at the first call only: what is wrong with one value is wrong with thousands.
    pub fn tell_once(&self, tell: impl FnOnce()) {
        self.told.call_once(tell);
    }
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(word, _)| word)
    }

    /// The value as one of this kind; `None` if it is none, or nothing that MongoDB could keep.
    pub fn read(self, value: &Value) -> Option<FieldValue> {
        let is_number = value.is_i64() || value.is_f64();
        let fits = match self {
            Self::Text => value.is_string(),
            Self::Number => is_number,
            Self::Integer => value.is_i64(),
            Self::Boolean => value.is_boolean(),
            Self::Timestamp => return moment(value).map(FieldValue::Timestamp),
            Self::ListOfText => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Self::Json => is_storable(value, DEEPEST),
        };
        fits.then(|| FieldValue::Json(value.clone()))
    }
}

/// RFC 3339, or a count as Clerk has it; no finer than MongoDB keeps it.
fn moment(value: &Value) -> Option<Timestamp> {
    let timestamp = match value {
        Value::Number(number) => timestamp_of(number.as_i64()?)?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    Timestamp::from_millisecond(timestamp.as_millisecond()).ok()
}

/// Whether MongoDB keeps it as it is, so that one person's odd value cannot spoil a write of many.
fn is_storable(value: &Value, levels: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.is_i64() || number.is_f64(),
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_storable(item, levels - 1)),
        Value::Object(object) => {
            let is_key = |key: &str| !key.starts_with('$') && !key.contains('\0');
            levels > 0 && object.iter().all(|(key, value)| is_key(key) && is_storable(value, levels - 1))
        }
    }
}

/// One table of the file, and how to complain of it.
struct Row<'r, 'v> {
    reader: &'r mut Reader<'v>,
    place: String,
    table: &'r toml::Table,
}

impl Row<'_, '_> {
    fn problem<T>(&mut self, message: impl std::fmt::Display) -> Option<T> {
        self.reader.problem(&self.place, message)
    }

    fn text(&mut self, key: &str) -> Option<String> {
        match self.table.get(key) {
            Some(toml::Value::String(text)) => Some(text.clone()),
            Some(_) => self.problem(format!("`{key}` must be text")),
            None => self.problem(format!("`{key}` is required")),
        }
    }
}

fn read_row(row: &mut Row<'_, '_>) -> Option<Field> {
    for key in row.table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        row.reader.problem::<()>(&row.place, format!("has no key `{key}`: there are {}", KEYS.join(", ")));
    }
    let name = read_name(row);
    let kind = read_kind(row);
    let from = read_source(row, kind);
    let default = read_default(row, kind);
    let is_personal = read_flag(row, "personal", true);
    let is_editable = read_flag(row, "editable", false);
    if is_editable == Some(true) && !is_for_people(kind, from.as_ref()) {
        row.problem::<()>(
            "`editable` is for what people may write themselves: a key of unsafe_metadata, as text, number, integer or boolean",
        );
    }
    let (name, from, kind, default) = (name?, from?, kind?, default?);
    let name = Box::leak(name.into_boxed_str());
    Some(Field { name, from, kind, default, is_personal: is_personal?, is_editable: is_editable?, told: Once::new() })
}

fn read_flag(row: &mut Row<'_, '_>, key: &str, default: bool) -> Option<bool> {
    match row.table.get(key) {
        None => Some(default),
        Some(toml::Value::Boolean(flag)) => Some(*flag),
        Some(_) => row.problem(format!("`{key}` must be true or false")),
    }
}

/// Whether a form can ask for it and Clerk lets the person write it. What is unknown was complained of already.
fn is_for_people(kind: Option<Kind>, from: Option<&Source>) -> bool {
    let is_plain = |kind| matches!(kind, Kind::Text | Kind::Number | Kind::Integer | Kind::Boolean);
    let is_theirs = |from: &Source| matches!(from, Source::Metadata { of: Metadata::Unsafe, .. });
    kind.is_none_or(is_plain) && from.is_none_or(is_theirs)
}

fn read_name(row: &mut Row<'_, '_>) -> Option<String> {
    let name = row.text("name")?;
    if RESERVED.contains(&name.as_str()) {
        return row.problem("`name` is taken: Rollcall writes that field itself");
    }
    let is_camel_case = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && name.len() <= LONGEST_NAME;
    if !is_camel_case {
        return row.problem(format!(
            "`name` must be camelCase: a lower-case letter, then letters and digits, {LONGEST_NAME} at most"
        ));
    }
    Some(name)
}

fn read_kind(row: &mut Row<'_, '_>) -> Option<Kind> {
    let word = row.text("type")?;
    let found = KINDS.iter().find(|(known, _)| *known == word).map(|(_, kind)| *kind);
    if found.is_none() {
        let words = KINDS.map(|(word, _)| word).join(", ");
        return row.problem(format!("`type` must be one of {words}"));
    }
    found
}

fn read_source(row: &mut Row<'_, '_>, kind: Option<Kind>) -> Option<Source> {
    let from = row.text("from")?;
    if let Some((_, own, its_kind)) = OWN.iter().find(|(known, ..)| *known == from) {
        if kind.is_some_and(|kind| kind != *its_kind) {
            return row.problem(format!("`type` must be {}, which {from} is at Clerk", its_kind.as_str()));
        }
        return Some(Source::Own(*own));
    }
    let found = METADATA.iter().find_map(|(prefix, of)| Some((*of, from.strip_prefix(prefix)?)));
    let path = |keys: &str| keys.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (of, path) = match found.map(|(of, keys)| (of, path(keys))) {
        Some((of, path)) if path.iter().all(|key| !key.is_empty()) => (of, path),
        _ => {
            let known = OWN.map(|(known, ..)| known).join(", ");
            return row.problem(format!(
                "`from` must be a key such as public_metadata.department (or private_metadata, unsafe_metadata), or one of {known}"
            ));
        }
    };
    let is_power = |key: &String| ["role", "isadmin"].contains(&key.to_ascii_lowercase().as_str());
    if of == Metadata::Unsafe && path.iter().any(is_power) {
        return row.problem("`from` must not be a role that people write themselves: unsafe_metadata confers no power");
    }
    Some(Source::Metadata { of, path })
}

fn read_default(row: &mut Row<'_, '_>, kind: Option<Kind>) -> Option<FieldValue> {
    let Some(default) = row.table.get("default") else { return Some(FieldValue::default()) };
    let kind = kind?;
    match json_of(default).and_then(|value| kind.read(&value)) {
        Some(value) => Some(value),
        None => row.problem(format!("`default` must be of the type {}", kind.as_str())),
    }
}

/// A value of the file as Clerk would have it; `None` for what JSON cannot say.
fn json_of(value: &toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => text.as_str().into(),
        toml::Value::Integer(number) => (*number).into(),
        toml::Value::Float(number) => Number::from_f64(*number)?.into(),
        toml::Value::Boolean(flag) => (*flag).into(),
        toml::Value::Datetime(moment) => moment.to_string().into(),
        toml::Value::Array(items) => items.iter().map(json_of).collect::<Option<Vec<_>>>()?.into(),
        toml::Value::Table(table) => {
            let pairs = table.iter().map(|(key, value)| Some((key.clone(), json_of(value)?)));
            Value::Object(pairs.collect::<Option<_>>()?)
        }
    })
}
