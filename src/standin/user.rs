//! One user as this Clerk keeps it, and the JSON both APIs and the webhooks show of it.
//!
//! Shapes follow the published `User`, `EmailAddress`, `PhoneNumber` and `ExternalAccountWithVerification`.
//! Does not know how users change; see `accounts`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::standin::ids;
use crate::standin::password::Password;
use crate::standin::refusal::Refusal;

pub type Metadata = Map<String, Value>;

#[expect(clippy::struct_excessive_bools, reason = "Clerk's user has that many independent flags")]
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct User {
    pub id: String,
    pub external_id: Option<String>,
    pub username: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub locale: Option<String>,
    pub password: Option<Password>,
    pub password_last_updated_at: Option<i64>,
    pub primary_email_address_id: Option<String>,
    pub primary_phone_number_id: Option<String>,
    pub email_addresses: Vec<Contact>,
    pub phone_numbers: Vec<Contact>,
    pub external_accounts: Vec<ExternalAccount>,
    pub public_metadata: Metadata,
    pub private_metadata: Metadata,
    pub unsafe_metadata: Metadata,
    pub image: Option<Image>,
    pub banned: bool,
    pub locked: bool,
    pub delete_self_enabled: bool,
    pub create_organization_enabled: bool,
    pub create_organizations_limit: Option<i64>,
    pub bypass_client_trust: bool,
    pub legal_accepted_at: Option<i64>,
    pub last_sign_in_at: Option<i64>,
    pub last_active_at: Option<i64>,
    pub created_at: i64,
    pub updated_at: i64,
}

/// An e-mail address or a phone number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Contact {
    pub id: String,
    pub value: String,
    pub verified: bool,
    /// `email_code`, `phone_code`, `admin` or `from_oauth_…`.
    pub strategy: String,
    /// The identification this one came with, such as an external account.
    pub linked_to: Option<(String, String)>,
    pub at: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExternalAccount {
    pub id: String,
    pub identification_id: String,
    /// Without the `oauth_` prefix: `google`.
    pub provider: String,
    pub provider_user_id: String,
    pub email_address: String,
    pub first_name: String,
    pub last_name: String,
    pub at: i64,
}

/// A picture that was uploaded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// New with every picture, so that no cache shows the old one.
    pub id: String,
    pub media_type: String,
    /// In base64.
    pub content: String,
}

/// Clerk takes pictures of up to ten megabytes.
pub const LARGEST_IMAGE: usize = 10 * 1024 * 1024;
/// How files of each kind begin.
const IMAGES: [(&[u8], &str); 4] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
];

impl Image {
    /// A new picture with what a file holds.
    pub fn read(bytes: &[u8]) -> Result<Image, Refusal> {
        if bytes.len() > LARGEST_IMAGE {
            return Err(Refusal::image("The image must be 10 MB or smaller."));
        }
        let kind = IMAGES.into_iter().find(|(beginning, _)| bytes.starts_with(beginning)).map(|(_, kind)| kind);
        let kind = kind.ok_or_else(|| Refusal::image("The image must be a PNG, JPEG, GIF or WebP file."))?;
        Ok(Image { id: ids::fresh("img"), media_type: kind.to_owned(), content: STANDARD.encode(bytes) })
    }
}

impl User {
    /// The full shape of the Backend API and of webhooks. `base` is where the avatars live.
    pub fn to_json(&self, base: &str) -> Value {
        let mut shape = self.to_browser_json(base);
        if let Some(fields) = shape.as_object_mut() {
            fields.insert("private_metadata".to_owned(), Value::Object(self.private_metadata.clone()));
            fields.insert("create_organizations_limit".to_owned(), json!(self.create_organizations_limit));
        }
        shape
    }

    /// What the Frontend API shows: no private metadata, and no limit where the Backend API has null.
    pub fn to_browser_json(&self, base: &str) -> Value {
        let image_url = self.image_url(base);
        let mut shape = json!({
            "id": self.id, "object": "user", "external_id": self.external_id, "username": self.username,
            "first_name": self.first_name, "last_name": self.last_name, "locale": self.locale,
            "image_url": image_url, "profile_image_url": image_url, "has_image": self.image.is_some(),
            "primary_email_address_id": self.primary_email_address_id,
            "primary_phone_number_id": self.primary_phone_number_id, "primary_web3_wallet_id": null,
            "public_metadata": self.public_metadata, "unsafe_metadata": self.unsafe_metadata,
        });
        if let Some(fields) = shape.as_object_mut() {
            fields.extend(object(self.identifications()));
            fields.extend(object(self.flags()));
            fields.extend(object(self.times()));
        }
        shape
    }

    pub fn image_url(&self, base: &str) -> String {
        match &self.image {
            Some(image) => format!("{base}/avatars/{}/{}", self.id, image.id),
            None => format!("{base}/avatars/{}.svg", self.id),
        }
    }

    /// What a session shows of its user.
    pub fn to_public_json(&self, base: &str) -> Value {
        let image_url = self.image_url(base);
        json!({
            "user_id": self.id, "first_name": self.first_name, "last_name": self.last_name, "username": self.username,
            "image_url": image_url, "profile_image_url": image_url, "has_image": self.image.is_some(),
            "identifier": self.identifier().unwrap_or_default(), "banned": self.banned,
        })
    }

    pub fn primary_email(&self) -> Option<&Contact> {
        self.email_addresses.iter().find(|address| Some(&address.id) == self.primary_email_address_id.as_ref())
    }

    /// How the user is called where no name is known.
    pub fn identifier(&self) -> Option<&str> {
        let email = self.primary_email().or(self.email_addresses.first()).map(|contact| contact.value.as_str());
        email.or(self.username.as_deref()).or(self.phone_numbers.first().map(|contact| contact.value.as_str()))
    }

    pub fn names(&self) -> String {
        let names: Vec<&str> = [&self.first_name, &self.last_name].into_iter().flatten().map(String::as_str).collect();
        names.join(" ")
    }

    fn identifications(&self) -> Value {
        json!({
            "email_addresses": self.email_addresses.iter().map(Contact::to_email_json).collect::<Vec<_>>(),
            "phone_numbers": self.phone_numbers.iter().map(Contact::to_phone_json).collect::<Vec<_>>(),
            "external_accounts": self.external_accounts.iter().map(ExternalAccount::to_json).collect::<Vec<_>>(),
            "web3_wallets": [], "passkeys": [], "saml_accounts": [], "enterprise_accounts": [],
            "organization_memberships": [],
        })
    }

    fn flags(&self) -> Value {
        json!({
            "password_enabled": self.password.is_some(), "two_factor_enabled": false, "totp_enabled": false,
            "backup_code_enabled": false, "banned": self.banned, "locked": self.locked, "deprovisioned": false,
            "lockout_expires_in_seconds": null, "verification_attempts_remaining": 100,
            "delete_self_enabled": self.delete_self_enabled,
            "create_organization_enabled": self.create_organization_enabled,
            "bypass_client_trust": self.bypass_client_trust, "scim": null,
        })
    }

    fn times(&self) -> Value {
        json!({
            "password_last_updated_at": self.password_last_updated_at, "mfa_enabled_at": null, "mfa_disabled_at": null,
            "legal_accepted_at": self.legal_accepted_at, "last_sign_in_at": self.last_sign_in_at,
            "last_active_at": self.last_active_at, "created_at": self.created_at, "updated_at": self.updated_at,
        })
    }
}

impl Contact {
    pub fn to_email_json(&self) -> Value {
        let mut shape = self.shape("email_address", "email_code");
        shape["matches_sso_connection"] = json!(false);
        shape
    }

    fn to_phone_json(&self) -> Value {
        let mut shape = self.shape("phone_number", "phone_code");
        shape["reserved_for_second_factor"] = json!(false);
        shape["default_second_factor"] = json!(false);
        shape["backup_codes"] = Value::Null;
        shape
    }

    fn shape(&self, object: &str, own_strategy: &str) -> Value {
        let kind = match self.strategy.as_str() {
            "admin" => "verification_admin",
            strategy if strategy == own_strategy => "verification_otp",
            _ => "verification_from_oauth",
        };
        // Only a code is attempted and expires.
        let (attempts, expire_at) =
            if kind == "verification_otp" { (Some(1), Some(self.at + 600_000)) } else { (None, None) };
        let status = if self.verified { "verified" } else { "unverified" };
        let linked: Vec<Value> = self.linked_to.iter().map(|(kind, id)| json!({ "type": kind, "id": id })).collect();
        json!({
            "id": self.id, "object": object, object: self.value, "reserved": false, "linked_to": linked,
            "verification": { "object": kind, "status": status, "strategy": self.strategy, "attempts": attempts, "expire_at": expire_at },
            "created_at": self.at, "updated_at": self.at,
        })
    }
}

impl ExternalAccount {
    fn to_json(&self) -> Value {
        json!({
            "object": "external_account", "id": self.id, "provider": format!("oauth_{}", self.provider),
            "identification_id": self.identification_id, "provider_user_id": self.provider_user_id,
            "approved_scopes": "email openid profile", "email_address": self.email_address, "email_address_verified": true,
            "first_name": self.first_name, "last_name": self.last_name, "image_url": null, "username": null,
            "phone_number": null, "public_metadata": {}, "label": null, "created_at": self.at, "updated_at": self.at,
            "verification": {
                "object": "verification_oauth", "status": "verified", "strategy": format!("oauth_{}", self.provider),
                "attempts": null, "expire_at": self.at + 600_000,
            },
        })
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `required` list of `User` in the published Backend API of 2026-05-12.
    const REQUIRED: [&str; 35] = [
        "id",
        "object",
        "username",
        "first_name",
        "last_name",
        "has_image",
        "primary_email_address_id",
        "primary_phone_number_id",
        "primary_web3_wallet_id",
        "password_enabled",
        "two_factor_enabled",
        "totp_enabled",
        "backup_code_enabled",
        "email_addresses",
        "phone_numbers",
        "web3_wallets",
        "passkeys",
        "external_accounts",
        "saml_accounts",
        "enterprise_accounts",
        "public_metadata",
        "external_id",
        "last_sign_in_at",
        "banned",
        "locked",
        "lockout_expires_in_seconds",
        "verification_attempts_remaining",
        "created_at",
        "updated_at",
        "delete_self_enabled",
        "create_organization_enabled",
        "last_active_at",
        "mfa_enabled_at",
        "mfa_disabled_at",
        "legal_accepted_at",
    ];

    #[test]
    fn a_user_has_every_required_field_and_never_a_password() {
        let user = User { id: "user_1".to_owned(), password: Some(Password::new("Sup3r-secret")), ..User::default() };
        let shape = user.to_json("http://localhost:1");
        for field in REQUIRED {
            assert!(shape.get(field).is_some(), "{field} is missing");
        }
        assert!(shape.get("password").is_none());
        assert!(shape.get("private_metadata").is_some());
        assert!(user.to_browser_json("").get("private_metadata").is_none());
    }
}
