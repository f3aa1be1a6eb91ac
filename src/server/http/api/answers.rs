//! What goes over the wire: bodies in and out, with their shapes for the document (A4-23).
//!
//! Ids are text, instants are RFC 3339. What comes in is a list of what is allowed, and nothing else passes (A3-26, D5-10).

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::model::user::{Email, Role, SyncStatus};
use crate::server::settings::fields::Fields;
use crate::server::store::users::User;

/// The session and whose it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Me {
    /// Clerk's id of the person.
    #[schema(example = "user_2abc")]
    pub user_id: String,
    /// Clerk's id of the session.
    pub session_id: String,
    /// Who really asks, while the person is impersonated.
    pub actor_id: Option<String>,
    /// MongoDB's id of the person.
    #[schema(example = "66b1f0c2a4d3e5f6a7b8c9d0")]
    pub mongo_id: String,
    /// The role in force.
    pub role: Role,
}

/// A person as stored.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// MongoDB's id, 24 hexadecimal digits.
    pub id: String,
    pub clerk_id: String,
    /// The name to show; never empty.
    pub name: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub username: Option<String>,
    /// The primary address.
    pub email: Option<String>,
    pub email_verified: bool,
    pub emails: Vec<Address>,
    pub image_url: Option<String>,
    pub role: Role,
    pub banned: bool,
    pub locked: bool,
    /// Whether the copy is known to be what Clerk has.
    pub sync_status: SyncStatus,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_clerk_sync: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Fields of the application's own by name; absent if it has none.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
}

/// One e-mail address.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Address {
    pub address: String,
    pub verified: bool,
}

/// Some people.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonPage {
    pub users: Vec<Person>,
    /// What `cursor` must be for the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// What people may change of themselves.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProfileEdit {
    #[serde(default, deserialize_with = "text_or_null")]
    #[schema(max_length = 256)]
    pub first_name: Option<String>,
    #[serde(default, deserialize_with = "text_or_null")]
    #[schema(max_length = 256)]
    pub last_name: Option<String>,
    #[serde(default, deserialize_with = "text_or_null")]
    #[schema(max_length = 256)]
    pub username: Option<String>,
}

/// The role to give.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleEdit {
    pub role: Role,
}

impl Person {
    /// With those of the application's own `fields` that may be seen.
    pub fn of(user: &User, role: Role, fields: &Fields) -> Self {
        let address = |email: &Email| Address { address: email.address.clone(), verified: email.verified };
        Self {
            id: user.id.clone(),
            clerk_id: user.clerk_id.clone(),
            name: user.name.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            username: user.username.clone(),
            email: user.email.clone(),
            email_verified: user.email_verified,
            emails: user.emails.iter().map(address).collect(),
            image_url: user.image_url.clone(),
            role,
            banned: user.banned,
            locked: user.locked,
            sync_status: user.sync_status,
            last_clerk_sync: user.last_clerk_sync,
            created_at: user.created_at,
            updated_at: user.updated_at,
            fields: fields.shown(&user.fields).map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

/// `null` removes, as an empty text does; what is absent is left to `default`.
fn text_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| Some(text.unwrap_or_default()))
}

// The model's words, described here: the browser half knows no document.
impl PartialSchema for Role {
    fn schema() -> RefOr<Schema> {
        words([Self::User, Self::Moderator, Self::Admin].map(Self::as_str))
    }
}

impl ToSchema for Role {}

impl PartialSchema for SyncStatus {
    fn schema() -> RefOr<Schema> {
        words([Self::Active, Self::Pending, Self::Error].map(Self::as_str))
    }
}

impl ToSchema for SyncStatus {}

fn words<const N: usize>(words: [&str; N]) -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
}
