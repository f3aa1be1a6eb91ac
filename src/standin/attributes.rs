//! Reading the attributes of a user out of a request body, with Clerk's validation and Clerk's complaints.
//!
//! Pure: a user and a body in, the changed user or a refusal out. Uniqueness is `world`'s business.

use serde_json::{Map, Value};

use crate::standin::ids;
use crate::standin::password::Password;
use crate::standin::refusal::Refusal;
use crate::standin::user::{Contact, Metadata, User};

/// What `PATCH /v1/users/{id}` takes as of 2026-05-12.
pub const UPDATABLE: &[&str] = &[
    "external_id",
    "first_name",
    "last_name",
    "locale",
    "primary_email_address_id",
    "notify_primary_email_address_changed",
    "primary_phone_number_id",
    "primary_web3_wallet_id",
    "username",
    "profile_image_id",
    "password",
    "password_digest",
    "password_hasher",
    "skip_password_checks",
    "sign_out_of_other_sessions",
    "totp_secret",
    "backup_codes",
    "delete_self_enabled",
    "create_organization_enabled",
    "legal_accepted_at",
    "skip_legal_checks",
    "create_organizations_limit",
    "created_at",
    "bypass_client_trust",
];

/// A JSON object read by name, with a refusal for each wrong type.
pub struct Body<'a> {
    fields: &'a Map<String, Value>,
}

impl<'a> Body<'a> {
    pub fn new(value: &'a Value) -> Result<Body<'a>, Refusal> {
        let invalid = || Refusal::new(http::StatusCode::BAD_REQUEST, "request_body_invalid", "Request body invalid");
        value.as_object().map(|fields| Body { fields }).ok_or_else(invalid)
    }

    pub fn refuse_unknown(&self, known: &[&str], also: &[&str]) -> Result<(), Refusal> {
        match self.fields.keys().find(|key| !known.contains(&key.as_str()) && !also.contains(&key.as_str())) {
            Some(key) => Err(Refusal::form(
                key,
                "form_param_unknown",
                format!("{key} is not a valid parameter for this request."),
            )),
            None => Ok(()),
        }
    }

    /// Absent, present as null (or empty), or a text.
    #[expect(clippy::option_option, reason = "absent and null mean different things in a PATCH")]
    pub fn text(&self, name: &str) -> Result<Option<Option<String>>, Refusal> {
        match self.fields.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) if text.is_empty() => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
            Some(_) => Err(Refusal::format(name)),
        }
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Refusal::format(name)),
        }
    }

    pub fn object(&self, name: &str) -> Result<Option<&'a Metadata>, Refusal> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(object)) => Ok(Some(object)),
            Some(_) => Err(Refusal::format(name)),
        }
    }

    pub fn texts(&self, name: &str) -> Result<Vec<String>, Refusal> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| Refusal::format(name))).collect()
            }
            Some(_) => Err(Refusal::format(name)),
        }
    }

    /// An RFC 3339 text or Unix milliseconds, as milliseconds.
    fn time(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(|| Refusal::format(name)),
            Some(Value::String(text)) => text
                .parse::<jiff::Timestamp>()
                .map(|time| Some(time.as_millisecond()))
                .map_err(|_| Refusal::format(name)),
            Some(_) => Err(Refusal::format(name)),
        }
    }
}

/// E-mail addresses and phone numbers of a new user; an administrator's word makes them verified.
pub fn apply_identifiers(user: &mut User, body: &Body, now: i64) -> Result<(), Refusal> {
    let statuses = body.texts("email_address_identification_status")?;
    for (index, email) in body.texts("email_address")?.iter().enumerate() {
        let reserved = statuses.get(index).is_some_and(|status| status == "reserved");
        user.email_addresses.push(contact(checked_email(email)?, !reserved, "admin", now));
    }
    for phone in body.texts("phone_number")? {
        user.phone_numbers.push(contact(checked_phone(&phone)?, true, "admin", now));
    }
    user.primary_email_address_id = user.email_addresses.first().map(|contact| contact.id.clone());
    user.primary_phone_number_id = user.phone_numbers.first().map(|contact| contact.id.clone());
    Ok(())
}

pub fn contact(value: String, verified: bool, strategy: &str, at: i64) -> Contact {
    Contact { id: ids::fresh("idn"), value, verified, strategy: strategy.to_owned(), linked_to: None, at }
}

/// Everything of the profile that both creation and change may set.
pub fn apply_profile(user: &mut User, body: &Body, now: i64) -> Result<(), Refusal> {
    for (name, slot) in [
        ("first_name", &mut user.first_name),
        ("last_name", &mut user.last_name),
        ("locale", &mut user.locale),
        ("external_id", &mut user.external_id),
    ] {
        if let Some(text) = body.text(name)? {
            *slot = text.map(|text| checked_length(name, text)).transpose()?;
        }
    }
    if let Some(username) = body.text("username")? {
        user.username = username.map(|text| checked_username(&text)).transpose()?;
    }
    if let Some(Some(password)) = body.text("password")? {
        let unchecked = body.flag("skip_password_checks")?.unwrap_or(false);
        user.password = Some(if unchecked { Password::new(&password) } else { Password::checked(&password)? });
        user.password_last_updated_at = Some(now);
    }
    apply_switches(user, body)
}

fn apply_switches(user: &mut User, body: &Body) -> Result<(), Refusal> {
    if let Some(flag) = body.flag("delete_self_enabled")? {
        user.delete_self_enabled = flag;
    }
    if let Some(flag) = body.flag("create_organization_enabled")? {
        user.create_organization_enabled = flag;
    }
    if let Some(flag) = body.flag("bypass_client_trust")? {
        user.bypass_client_trust = flag;
    }
    if let Some(at) = body.time("created_at")? {
        user.created_at = at;
    }
    if let Some(at) = body.time("legal_accepted_at")? {
        user.legal_accepted_at = Some(at);
    }
    Ok(())
}

/// The primary e-mail address and phone number, which must be the user's own.
pub fn apply_primaries(user: &mut User, body: &Body) -> Result<(), Refusal> {
    if let Some(Some(id)) = body.text("primary_email_address_id")? {
        primary("primary_email_address_id", &user.email_addresses, &id)?;
        user.primary_email_address_id = Some(id);
    }
    if let Some(Some(id)) = body.text("primary_phone_number_id")? {
        primary("primary_phone_number_id", &user.phone_numbers, &id)?;
        user.primary_phone_number_id = Some(id);
    }
    Ok(())
}

fn primary(param: &str, contacts: &[Contact], id: &str) -> Result<(), Refusal> {
    let known = contacts.iter().any(|contact| contact.id == id && contact.verified);
    if known {
        Ok(())
    } else {
        Err(Refusal::form(
            param,
            "form_resource_not_found",
            "The resource associated with the supplied id was not found.",
        ))
    }
}

fn checked_length(param: &str, text: String) -> Result<String, Refusal> {
    if text.chars().count() > 256 {
        return Err(Refusal::form(
            param,
            "form_param_max_length_exceeded",
            format!("{param} should not exceed 256 characters."),
        ));
    }
    Ok(text)
}

pub fn checked_email(text: &str) -> Result<String, Refusal> {
    let email = text.trim().to_lowercase();
    let valid = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains('@')
    });
    if valid && !email.contains(char::is_whitespace) && email.len() <= 254 {
        return Ok(email);
    }
    Err(Refusal::form("email_address", "form_param_format_invalid", "Email address must be a valid email address."))
}

fn checked_phone(text: &str) -> Result<String, Refusal> {
    let phone = text.replace([' ', '-', '(', ')'], "");
    let digits = phone.strip_prefix('+').unwrap_or_default();
    if (7..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Ok(phone);
    }
    Err(Refusal::form(
        "phone_number",
        "form_param_format_invalid",
        "Phone number must be a valid phone number according to E.164 international standard.",
    ))
}

pub fn checked_username(text: &str) -> Result<String, Refusal> {
    let username = text.trim().to_lowercase();
    if !(3..=64).contains(&username.chars().count()) {
        return Err(Refusal::form(
            "username",
            "form_username_invalid_length",
            "Username must be between 3 and 64 characters long.",
        ));
    }
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if !username.chars().all(allowed) {
        return Err(Refusal::form(
            "username",
            "form_username_invalid_character",
            "Username can only contain letters, numbers and '_' or '-'.",
        ));
    }
    Ok(username)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_email_address_is_normalised_or_refused() {
        assert_eq!(checked_email(" Ada@Example.COM ").unwrap(), "ada@example.com");
        for wrong in ["", "ada", "ada@", "@example.com", "a b@example.com", "ada@localhost"] {
            assert_eq!(checked_email(wrong).unwrap_err().code, "form_param_format_invalid", "{wrong}");
        }
    }

    #[test]
    fn null_and_empty_both_remove_a_name() {
        for value in [json!(null), json!("")] {
            let mut user = User { first_name: Some("Ada".to_owned()), ..User::default() };
            let body = json!({ "first_name": value });
            apply_profile(&mut user, &Body::new(&body).unwrap(), 1).unwrap();
            assert_eq!(user.first_name, None);
        }
    }

    #[test]
    fn a_wrong_type_and_an_unknown_parameter_are_refused_by_name() {
        let body = json!({ "first_name": 7, "colour": "red" });
        let body = Body::new(&body).unwrap();
        assert_eq!(apply_profile(&mut User::default(), &body, 1).unwrap_err().code, "form_param_format_invalid");
        assert_eq!(body.refuse_unknown(UPDATABLE, &[]).unwrap_err().code, "form_param_unknown");
    }
}
