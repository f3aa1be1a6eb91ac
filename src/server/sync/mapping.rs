//! From Clerk's user to the fields we keep: which address, which name, which role.
//!
//! Pure. Whether the result is written is `apply`'s business.

use jiff::Timestamp;

use crate::model::user::{Email, Role, SyncSource};
use crate::server::clerk::webhook::event::{Event, Subject};
use crate::server::clerk::wire;
use crate::server::settings::fields::Fields;
use crate::server::store::users::Version;
use crate::server::sync::apply::{Claims, Incoming, Person};
use crate::server::sync::fields::values_of;

/// What a delivered event says about a person; `None` for every other event.
pub fn from_event(event: &Event, received_at: Timestamp, fields: &Fields) -> Option<Incoming> {
    let shown_at = event.timestamp.unwrap_or(received_at);
    match &event.subject {
        Subject::User(user) => {
            let person = person_of(user, shown_at, fields);
            // When it arrived says nothing about order: what is missing is 0.
            let version = Version { updated_at: or_zero(user.updated_at), event_at: or_zero(event.timestamp) };
            Some(Incoming::Person { person: Box::new(person), version, source: SyncSource::Webhook })
        }
        Subject::DeletedUser { id } => Some(Incoming::Deleted { clerk_id: id.clone(), at: shown_at }),
        Subject::Other => None,
    }
}

/// What Clerk's Backend API says about a person now.
pub fn from_fetched(user: &wire::User, source: SyncSource, now: Timestamp, fields: &Fields) -> Incoming {
    let person = person_of(user, now, fields);
    let version = Version { updated_at: or_zero(user.updated_at), event_at: 0 };
    Incoming::Person { person: Box::new(person), version, source }
}

fn or_zero(at: Option<Timestamp>) -> i64 {
    at.map_or(0, Timestamp::as_millisecond)
}

fn person_of(user: &wire::User, fallback: Timestamp, fields: &Fields) -> Person {
    let primary = user.primary_email();
    let emails = user.email_addresses.iter().filter_map(|email| {
        let address = present(Some(&email.email_address))?;
        Some(Email { address, verified: email.is_verified() })
    });
    Person {
        clerk_id: user.id.clone(),
        email: primary.as_ref().map(|primary| primary.address.to_owned()),
        email_verified: primary.as_ref().is_some_and(|primary| primary.verified),
        emails: emails.collect(),
        first_name: present(user.first_name.as_deref()),
        last_name: present(user.last_name.as_deref()),
        username: present(user.username.as_deref()),
        image_url: present(user.image_url.as_deref()),
        role: role_of(user),
        banned: user.banned,
        locked: user.locked,
        created_at: user.created_at.unwrap_or(fallback),
        updated_at: user.updated_at.unwrap_or(fallback),
        claims: claims_of(user),
        fields: values_of(user, fields),
    }
}

/// From `public_metadata` only, which the person cannot write (D5-11): `role`, or the older `isAdmin` flag.
fn role_of(user: &wire::User) -> Role {
    let named = user.public_metadata.get("role").and_then(|role| role.as_str()).and_then(|role| role.parse().ok());
    let flagged = user.public_metadata.get("isAdmin").and_then(serde_json::Value::as_bool).unwrap_or(false);
    named.unwrap_or(if flagged { Role::Admin } else { Role::User })
}

/// What Clerk holds of what we write there.
pub fn claims_of(user: &wire::User) -> Claims {
    let text = |key: &str| user.public_metadata.get(key).and_then(|value| value.as_str()).map(str::to_owned);
    Claims {
        user_mongo_id: text("userMongoId"),
        role: text("role"),
        is_admin: user.public_metadata.get("isAdmin").and_then(serde_json::Value::as_bool),
    }
}

fn present(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
