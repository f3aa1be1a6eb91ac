//! Webhook deliveries: who sent this, when, and what does it say (`clerk.md` 3; attack list D3).
//!
//! [`Verifier::verify`] works on the raw bytes and the headers alone and comes first; [`event::Event::parse`] reads the body, once.
//! Invariant: nothing here keeps, logs or compares by ordinary means a secret or a signature. Whether a delivery was seen
//! before, and what becomes of an event, is decided elsewhere.

pub mod contacts;
pub mod event;

use std::str;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

/// Every event type of Clerk's published schema. Others exist or will: they are acknowledged and ignored.
pub const KNOWN_TYPES: [&str; 45] = [
    "email.created",
    "organization.created",
    "organization.deleted",
    "organization.updated",
    "organizationDomain.created",
    "organizationDomain.deleted",
    "organizationDomain.updated",
    "organizationInvitation.accepted",
    "organizationInvitation.created",
    "organizationInvitation.revoked",
    "organizationMembership.created",
    "organizationMembership.deleted",
    "organizationMembership.updated",
    "paymentAttempt.created",
    "paymentAttempt.updated",
    "permission.created",
    "permission.deleted",
    "permission.updated",
    "role.created",
    "role.deleted",
    "role.updated",
    "session.created",
    "session.ended",
    "session.pending",
    "session.removed",
    "session.revoked",
    "sms.created",
    "subscription.active",
    "subscription.created",
    "subscription.pastDue",
    "subscription.updated",
    "subscriptionItem.abandoned",
    "subscriptionItem.active",
    "subscriptionItem.canceled",
    "subscriptionItem.ended",
    "subscriptionItem.freeTrialEnding",
    "subscriptionItem.incomplete",
    "subscriptionItem.pastDue",
    "subscriptionItem.upcoming",
    "subscriptionItem.updated",
    "user.created",
    "user.deleted",
    "user.updated",
    "waitlistEntry.created",
    "waitlistEntry.updated",
];

/// How far a delivery's time may be from ours, either way. Svix's own tolerance.
pub const TOLERANCE_SECONDS: i64 = 300;

const SECRET_PREFIX: &str = "whsec_";
/// Svix makes secrets of 24 to 64 bytes; a shorter one was cut off while copying.
const SHORTEST_SECRET: usize = 24;
const LONGEST_ID: usize = 256;
/// Room for some forty signatures: rotation needs two.
const LONGEST_SIGNATURES: usize = 4096;

/// What is wrong with a signing secret. Never contains the secret; `index` counts from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("no webhook signing secret is configured")]
    None,
    #[error("webhook signing secret {index} is empty")]
    Empty { index: usize },
    #[error("webhook signing secret {index} contains whitespace")]
    Whitespace { index: usize },
    #[error("webhook signing secret {index} does not begin with whsec_")]
    Prefix { index: usize },
    #[error("webhook signing secret {index} is not base64 after whsec_")]
    Base64 { index: usize },
    #[error("webhook signing secret {index} is too short to be a whole secret")]
    TooShort { index: usize },
}

/// Why a delivery was not believed. `reason` is stable: metrics and logs use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the delivery was refused: {}", self.reason())]
pub enum Rejection {
    IdMissing,
    TimestampMissing,
    SignatureMissing,
    DuplicateHeader,
    IdInvalid,
    TimestampInvalid,
    TimestampTooOld,
    TimestampInFuture,
    SignatureUnreadable,
    BodyNotText,
    SignatureMismatch,
}

impl Rejection {
    pub const ALL: [Self; 11] = [
        Self::IdMissing,
        Self::TimestampMissing,
        Self::SignatureMissing,
        Self::DuplicateHeader,
        Self::IdInvalid,
        Self::TimestampInvalid,
        Self::TimestampTooOld,
        Self::TimestampInFuture,
        Self::SignatureUnreadable,
        Self::BodyNotText,
        Self::SignatureMismatch,
    ];

    pub fn reason(self) -> &'static str {
        match self {
            Self::IdMissing => "id_missing",
            Self::TimestampMissing => "timestamp_missing",
            Self::SignatureMissing => "signature_missing",
            Self::DuplicateHeader => "duplicate_header",
            Self::IdInvalid => "id_invalid",
            Self::TimestampInvalid => "timestamp_invalid",
            Self::TimestampTooOld => "timestamp_too_old",
            Self::TimestampInFuture => "timestamp_in_future",
            Self::SignatureUnreadable => "signature_unreadable",
            Self::BodyNotText => "body_not_text",
            Self::SignatureMismatch => "signature_mismatch",
        }
    }
}

/// Proof that a delivery came from the holder of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The same on every retry and replay: what duplicates are recognised by.
    pub id: String,
    /// When this attempt was sent.
    pub timestamp: Timestamp,
    /// Which of the configured secrets signed, to see when a rotation is over.
    pub secret: usize,
}

/// Checks deliveries against one or several secrets.
#[derive(Debug)]
pub struct Verifier {
    secrets: Vec<hmac::Key>,
}

impl Verifier {
    pub fn new(secrets: &[SecretString]) -> Result<Self, SecretError> {
        if secrets.is_empty() {
            return Err(SecretError::None);
        }
        let secrets = secrets.iter().enumerate().map(|(index, secret)| parse_secret(secret.expose_secret(), index));
        Ok(Self { secrets: secrets.collect::<Result<_, _>>()? })
    }

    /// Cheap refusals come first, so that a flood of nonsense costs no hashing.
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Verified, Rejection> {
        let signed = SignedHeaders::find(headers)?;
        let id = parse_id(signed.id)?;
        let timestamp = parse_timestamp(signed.timestamp)?;
        let age = now.as_second().saturating_sub(timestamp.as_second());
        if age > TOLERANCE_SECONDS {
            return Err(Rejection::TimestampTooOld);
        }
        if age < -TOLERANCE_SECONDS {
            return Err(Rejection::TimestampInFuture);
        }
        check_signatures(signed.signature)?;
        str::from_utf8(body).map_err(|_| Rejection::BodyNotText)?;

        let signatures = text(signed.signature).ok_or(Rejection::SignatureUnreadable)?;
        let at = text(signed.timestamp).ok_or(Rejection::TimestampInvalid)?;
        let secret = self.secrets.iter().position(|secret| has_signature(signatures, &sign(secret, id, at, body)));
        let secret = secret.ok_or(Rejection::SignatureMismatch)?;
        Ok(Verified { id: id.to_owned(), timestamp, secret })
    }
}

/// One complete set of headers.
struct SignedHeaders<'a> {
    id: &'a HeaderValue,
    timestamp: &'a HeaderValue,
    signature: &'a HeaderValue,
}

const SVIX: [HeaderName; 3] = [
    HeaderName::from_static("svix-id"),
    HeaderName::from_static("svix-timestamp"),
    HeaderName::from_static("svix-signature"),
];
const UNBRANDED: [HeaderName; 3] = [
    HeaderName::from_static("webhook-id"),
    HeaderName::from_static("webhook-timestamp"),
    HeaderName::from_static("webhook-signature"),
];

impl<'a> SignedHeaders<'a> {
    /// D3-11: the `svix-*` set when it is complete, else the `webhook-*` set when that one is. The two never mix, which is
    /// where Svix's own libraries are laxer.
    fn find(headers: &'a HeaderMap) -> Result<Self, Rejection> {
        match (Self::read(headers, &SVIX), Self::read(headers, &UNBRANDED)) {
            (Ok(set), _) => Ok(set),
            (Err(Rejection::DuplicateHeader), _) | (_, Err(Rejection::DuplicateHeader)) => {
                Err(Rejection::DuplicateHeader)
            }
            (Err(_), Ok(set)) => Ok(set),
            (Err(svix), Err(unbranded)) => {
                let svix_was_meant = SVIX.iter().any(|name| headers.contains_key(name));
                Err(if svix_was_meant { svix } else { unbranded })
            }
        }
    }

    fn read(headers: &'a HeaderMap, [id, timestamp, signature]: &[HeaderName; 3]) -> Result<Self, Rejection> {
        Ok(Self {
            id: single(headers, id, Rejection::IdMissing)?,
            timestamp: single(headers, timestamp, Rejection::TimestampMissing)?,
            signature: single(headers, signature, Rejection::SignatureMissing)?,
        })
    }
}

/// As Svix signs: id, time and body, with a dot between them. Done here, because this is the costliest step of a delivery,
/// and Svix's own library takes six times as long; the tests have its signatures to compare with.
fn sign(key: &hmac::Key, id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut signed = hmac::Context::with_key(key);
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        signed.update(part);
    }
    STANDARD.encode(signed.sign())
}

/// Whether one of the signatures is this one, in a time that does not tell how much of it is right.
fn has_signature(signatures: &str, wanted: &str) -> bool {
    let ours = signatures.split(' ').filter_map(|entry| entry.strip_prefix("v1,"));
    ours.filter(|one| verify_slices_are_equal(one.as_bytes(), wanted.as_bytes()).is_ok()).count() > 0
}

fn text(value: &HeaderValue) -> Option<&str> {
    value.to_str().ok()
}

/// D3-12: two lines of one name are refused, because two readers could believe different ones.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName, missing: Rejection) -> Result<&'a HeaderValue, Rejection> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(missing)?;
    if values.next().is_some() {
        return Err(Rejection::DuplicateHeader);
    }
    if value.as_bytes().trim_ascii().is_empty() {
        return Err(missing);
    }
    Ok(value)
}

/// D3-10: the id becomes a key, and part of addresses. A dot would let the signed text be cut in another place.
fn parse_id(value: &HeaderValue) -> Result<&str, Rejection> {
    let id = value.to_str().map_err(|_| Rejection::IdInvalid)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'~' | b':');
    if id.len() <= LONGEST_ID && id.bytes().all(allowed) { Ok(id) } else { Err(Rejection::IdInvalid) }
}

/// D3-07: plain decimal seconds. A sign or a leading zero would make two texts out of one signed number.
fn parse_timestamp(value: &HeaderValue) -> Result<Timestamp, Rejection> {
    let text = value.to_str().map_err(|_| Rejection::TimestampInvalid)?;
    let plain = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let seconds = text.parse().ok().filter(|_| plain).ok_or(Rejection::TimestampInvalid)?;
    Timestamp::from_second(seconds).map_err(|_| Rejection::TimestampInvalid)
}

/// D3-03: without one whole signature of the version we know there is nothing to compare with.
fn check_signatures(value: &HeaderValue) -> Result<(), Rejection> {
    let text = value.to_str().map_err(|_| Rejection::SignatureUnreadable)?;
    let is_whole = |entry: &str| entry.strip_prefix("v1,").is_some_and(|signature| signature.len() == 44);
    if text.len() <= LONGEST_SIGNATURES && text.split(' ').any(is_whole) {
        Ok(())
    } else {
        Err(Rejection::SignatureUnreadable)
    }
}

/// D3-30. Svix takes a secret without its prefix too; we do not, because what lacks it is usually another secret.
fn parse_secret(secret: &str, index: usize) -> Result<hmac::Key, SecretError> {
    if secret.is_empty() {
        return Err(SecretError::Empty { index });
    }
    if secret.chars().any(char::is_whitespace) {
        return Err(SecretError::Whitespace { index });
    }
    let encoded = secret.strip_prefix(SECRET_PREFIX).ok_or(SecretError::Prefix { index })?;
    let key = STANDARD.decode(encoded).map_err(|_| SecretError::Base64 { index })?;
    if key.len() < SHORTEST_SECRET {
        return Err(SecretError::TooShort { index });
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

#[cfg(test)]
mod tests;
