//! Clerk's JSON as it is sent: users, sessions and the few other objects we read (`clerk.md` 3.4, 3.5, 4).
//!
//! Reading is lenient where Clerk is known to be loose (only `id` is demanded, `null` equals absent, unknown fields are
//! ignored) and strict where looseness would be dangerous (an object where text belongs is an error). Clerk's numbers
//! become [`Timestamp`]s here and nowhere else. What a role is, and what of this is stored, is decided elsewhere.
//!
//! `Debug` of anything that describes a person shows its id only, so that no log can carry an address by accident.

use std::fmt;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::server::clerk::lenient::{self, nullable, timestamp};

/// A person, as the Backend API and the `user.*` webhooks describe them.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the shape is Clerk's")]
pub struct User {
    #[serde(deserialize_with = "lenient::id")]
    pub id: String,
    pub external_id: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub locale: Option<String>,
    pub image_url: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub has_image: bool,
    pub primary_email_address_id: Option<String>,
    pub primary_phone_number_id: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub email_addresses: Vec<EmailAddress>,
    #[serde(default, deserialize_with = "nullable")]
    pub phone_numbers: Vec<PhoneNumber>,
    #[serde(default, deserialize_with = "nullable")]
    pub external_accounts: Vec<ExternalAccount>,
    #[serde(default, deserialize_with = "nullable")]
    pub public_metadata: Map<String, Value>,
    #[serde(default, deserialize_with = "nullable")]
    pub private_metadata: Map<String, Value>,
    #[serde(default, deserialize_with = "nullable")]
    pub unsafe_metadata: Map<String, Value>,
    #[serde(default, deserialize_with = "nullable")]
    pub password_enabled: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub two_factor_enabled: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub banned: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub locked: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub deprovisioned: bool,
    #[serde(default, deserialize_with = "timestamp")]
    pub last_sign_in_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "timestamp")]
    pub last_active_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "timestamp")]
    pub legal_accepted_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "timestamp")]
    pub created_at: Option<Timestamp>,
    /// The version of the record; what ordering is built on.
    #[serde(default, deserialize_with = "timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// The address that stands for a user, and whether its owner proved it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PrimaryEmail<'a> {
    pub address: &'a str,
    pub verified: bool,
}

impl User {
    /// The entry that Clerk calls primary, else the first verified one, else the first, else none. An administrator can
    /// create people whose primary address nobody proved, so the answer says whether it is verified.
    pub fn primary_email(&self) -> Option<PrimaryEmail<'_>> {
        let usable = || self.email_addresses.iter().filter(|entry| !entry.email_address.is_empty());
        let named = self.primary_email_address_id.as_deref().filter(|id| !id.is_empty());
        named
            .and_then(|id| usable().find(|entry| entry.id == id))
            .or_else(|| usable().find(|entry| entry.is_verified()))
            .or_else(|| usable().next())
            .map(|entry| PrimaryEmail { address: &entry.email_address, verified: entry.is_verified() })
    }

    /// The entry that Clerk calls primary.
    pub fn primary_phone_number(&self) -> Option<&str> {
        let id = self.primary_phone_number_id.as_deref().filter(|id| !id.is_empty())?;
        self.phone_numbers.iter().find(|entry| entry.id == id).map(|entry| entry.phone_number.as_str())
    }
}

#[derive(Clone, Default, PartialEq, Deserialize)]
pub struct EmailAddress {
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub email_address: String,
    pub verification: Option<Verification>,
}

impl EmailAddress {
    pub fn is_verified(&self) -> bool {
        self.verification.as_ref().is_some_and(Verification::is_verified)
    }
}

#[derive(Clone, Default, PartialEq, Deserialize)]
pub struct PhoneNumber {
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub phone_number: String,
    pub verification: Option<Verification>,
}

/// How something was proved. Clerk's union has seven forms whose tag is optional; their common fields are enough.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Verification {
    #[serde(default, deserialize_with = "nullable")]
    pub status: String,
    #[serde(default, deserialize_with = "nullable")]
    pub strategy: String,
}

impl Verification {
    pub fn is_verified(&self) -> bool {
        self.status == "verified"
    }
}

/// An account elsewhere that a user signs in with.
#[derive(Clone, Default, PartialEq, Deserialize)]
pub struct ExternalAccount {
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub provider: String,
    #[serde(default, deserialize_with = "nullable")]
    pub provider_user_id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub email_address: String,
    pub username: Option<String>,
    pub image_url: Option<String>,
    pub verification: Option<Verification>,
}

/// One sign-in of one person on one browser.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Session {
    #[serde(deserialize_with = "lenient::id")]
    pub id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub user_id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub client_id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub status: String,
    /// Where and with what it was last used, as far as Clerk knows.
    pub latest_activity: Option<SessionActivity>,
    #[serde(default, deserialize_with = "timestamp")]
    pub last_active_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "timestamp")]
    pub expire_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "timestamp")]
    pub abandon_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "timestamp")]
    pub created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "timestamp")]
    pub updated_at: Option<Timestamp>,
}

/// The device behind a session.
#[derive(Clone, Default, PartialEq, Deserialize)]
pub struct SessionActivity {
    pub device_type: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub is_mobile: bool,
    pub browser_name: Option<String>,
    pub browser_version: Option<String>,
    pub ip_address: Option<String>,
    pub city: Option<String>,
    pub country: Option<String>,
}

/// A session token as the Backend API hands it out.
#[derive(Clone, Deserialize)]
pub struct Token {
    pub jwt: String,
}

/// The instance that a secret key belongs to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Instance {
    #[serde(deserialize_with = "lenient::id")]
    pub id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub environment_type: String,
    #[serde(default, deserialize_with = "nullable")]
    pub allowed_origins: Vec<String>,
}

/// What is left of a deleted object. Clerk's schema does not even promise the id.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct DeletedObject {
    pub id: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub object: String,
    #[serde(default, deserialize_with = "nullable")]
    pub deleted: bool,
    pub external_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct TotalCount {
    pub total_count: u64,
}

/// The cookies that a handshake nonce stands for.
#[derive(Clone, Default, PartialEq, Deserialize)]
pub struct HandshakePayload {
    #[serde(default, deserialize_with = "nullable")]
    pub directives: Vec<String>,
}

/// The cookies of a session that was refreshed.
#[derive(Clone, Default, PartialEq, Deserialize)]
pub struct RefreshedSession {
    #[serde(default, deserialize_with = "nullable")]
    pub cookies: Vec<String>,
}

/// The body of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Refusal {
    #[serde(default, deserialize_with = "nullable")]
    pub errors: Vec<RefusalEntry>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct RefusalEntry {
    #[serde(default, deserialize_with = "nullable")]
    pub code: String,
    #[serde(default, deserialize_with = "nullable")]
    pub message: String,
    pub long_message: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub meta: Map<String, Value>,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("updated_at", &self.updated_at).finish_non_exhaustive()
    }
}

impl fmt::Debug for PrimaryEmail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrimaryEmail").field("verified", &self.verified).finish_non_exhaustive()
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailAddress").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneNumber").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccount")
            .field("id", &self.id)
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SessionActivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionActivity").field("is_mobile", &self.is_mobile).finish_non_exhaustive()
    }
}

impl fmt::Debug for HandshakePayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakePayload").field("directives", &self.directives.len()).finish()
    }
}

impl fmt::Debug for RefreshedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshedSession").field("cookies", &self.cookies.len()).finish()
    }
}

#[cfg(test)]
mod tests;
