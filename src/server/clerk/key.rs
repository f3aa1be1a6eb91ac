//! Publishable and secret keys, parsed once, and everything that follows from them (`clerk.md` 1.1, 1.2).
//!
//! Invariant: a [`PublishableKey`] always names a host from which an `https://` URL can be made. It does not know whether
//! the instance exists, nor whether two keys belong together beyond being of the same kind.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use secrecy::{ExposeSecret, SecretString};
use sha1::{Digest, Sha1};
use url::Url;

/// Whether an instance is for development or for the public. The prefix of the key decides, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstanceKind {
    Development,
    Production,
}

impl InstanceKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }

    /// How often Clerk lets such an instance call its Backend API in ten seconds.
    pub fn calls_in_ten_seconds(self) -> u32 {
        match self {
            Self::Development => 100,
            Self::Production => 1_000,
        }
    }
}

/// What is wrong with a key. Never contains the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key is empty")]
    Empty,
    #[error("the key contains whitespace, or characters no key has")]
    Characters,
    #[error("a publishable key begins with pk_test_ or pk_live_")]
    PublishablePrefix,
    #[error("a secret key begins with sk_test_ or sk_live_")]
    SecretPrefix,
    #[error("a publishable key was given where the secret key belongs")]
    PublishableAsSecret,
    #[error("a secret key was given where the publishable key belongs")]
    SecretAsPublishable,
    #[error("the last part of the publishable key is not base64")]
    Base64,
    #[error("the publishable key does not contain a Frontend API host")]
    Host,
}

/// A publishable key: public, and the source of the Frontend API host, the issuer and the cookie suffix.
#[derive(Clone, PartialEq, Eq)]
pub struct PublishableKey {
    text: String,
    kind: InstanceKind,
    host: String,
    suffix: String,
}

/// Like the browser's own decoder: padding is optional and left-over bits are ignored.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Far above any real key; bounds the work a mistaken setting can cause.
const LONGEST_KEY: usize = 512;

impl PublishableKey {
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        check_characters(text)?;
        if text.starts_with("sk_") {
            return Err(KeyError::SecretAsPublishable);
        }
        let mut parts = text.split('_');
        let (Some("pk"), Some(kind), Some(encoded), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::PublishablePrefix);
        };
        let kind = instance_kind(kind).ok_or(KeyError::PublishablePrefix)?;
        let decoded = FORGIVING.decode(encoded).map_err(|_| KeyError::Base64)?;
        let decoded = String::from_utf8(decoded).map_err(|_| KeyError::Host)?;
        let host = decoded.strip_suffix('$').ok_or(KeyError::Host)?;
        if !is_host(host) {
            return Err(KeyError::Host);
        }
        Ok(Self { text: text.to_owned(), kind, host: host.to_owned(), suffix: cookie_suffix(text) })
    }

    /// The instance's own Frontend API host, possibly with a port. Tokens are issued in its name even behind a proxy.
    pub fn frontend_api_host(&self) -> &str {
        &self.host
    }

    pub fn instance_kind(&self) -> InstanceKind {
        self.kind
    }

    pub fn is_production(&self) -> bool {
        self.kind == InstanceKind::Production
    }

    /// Tells the cookies of several instances on one host apart.
    pub fn cookie_suffix(&self) -> &str {
        &self.suffix
    }

    /// The `iss` of every session token of this instance.
    pub fn issuer(&self) -> String {
        format!("https://{}", self.host)
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for PublishableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublishableKey").field(&self.text).finish()
    }
}

/// A secret key. Only ever sent to the Backend API.
#[derive(Clone)]
pub struct SecretKey {
    text: SecretString,
    kind: InstanceKind,
}

impl SecretKey {
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        check_characters(text)?;
        if text.starts_with("pk_") {
            return Err(KeyError::PublishableAsSecret);
        }
        let mut parts = text.splitn(3, '_');
        let (Some("sk"), Some(kind), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::SecretPrefix);
        };
        let kind = instance_kind(kind).ok_or(KeyError::SecretPrefix)?;
        if rest.is_empty() {
            return Err(KeyError::Empty);
        }
        Ok(Self { text: SecretString::from(text), kind })
    }

    pub fn instance_kind(&self) -> InstanceKind {
        self.kind
    }

    /// The key in the clear, for the one header that carries it.
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("kind", &self.kind).finish_non_exhaustive()
    }
}

fn check_characters(text: &str) -> Result<(), KeyError> {
    if text.is_empty() {
        return Err(KeyError::Empty);
    }
    if text.len() > LONGEST_KEY || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KeyError::Characters);
    }
    Ok(())
}

fn instance_kind(part: &str) -> Option<InstanceKind> {
    match part {
        "test" => Some(InstanceKind::Development),
        "live" => Some(InstanceKind::Production),
        _ => None,
    }
}

/// A dot is Clerk's own rule; the rest makes sure that nothing but a host hides in the key, because URLs are built of it.
fn is_host(host: &str) -> bool {
    let shaped = host.contains('.') && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
    let named = !host.starts_with('.') && !host.contains("..");
    shaped
        && named
        && Url::parse(&format!("https://{host}/")).is_ok_and(|url| url.host_str().is_some() && url.path() == "/")
}

fn cookie_suffix(text: &str) -> String {
    let encoded = STANDARD.encode(Sha1::digest(text.as_bytes()));
    encoded
        .chars()
        .take(8)
        .map(|character| match character {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key_of(content: &str) -> String {
        format!("pk_test_{}", STANDARD.encode(content))
    }

    #[test]
    fn the_published_vectors_give_the_published_suffixes() {
        let live = PublishableKey::parse("pk_live_Y2xlcmsuY2xlcmsuZGV2JA").unwrap();
        assert_eq!((live.cookie_suffix(), live.instance_kind()), ("1Z8AzTQD", InstanceKind::Production));
        let test = PublishableKey::parse("pk_test_Y2xlcmsuY2xlcmsuZGV2JA").unwrap();
        assert_eq!((test.cookie_suffix(), test.instance_kind()), ("QvfNY2dr", InstanceKind::Development));
        assert_eq!(test.frontend_api_host(), "clerk.clerk.dev");
        assert_eq!(test.issuer(), "https://clerk.clerk.dev");
    }

    #[test]
    fn padding_is_optional() {
        let with = PublishableKey::parse("pk_live_Y2xlcmsuY2xlcmsuZGV2JA==").unwrap();
        assert_eq!(with.frontend_api_host(), "clerk.clerk.dev");
    }

    #[test]
    fn a_host_needs_a_dot_and_exactly_one_dollar_at_the_end() {
        for (content, accepted) in [
            ("127.0.0.1:1234$", true),
            ("word-word-1.clerk.accounts.dev$", true),
            ("localhost:1234$", false),
            ("clerk.example.com", false),
            ("clerk.example.com$$", false),
            ("cl$erk.example.com$", false),
            ("$", false),
            ("", false),
            (".$", false),
            ("evil.example/path$", false),
            ("user@evil.example$", false),
            ("evil.example?x$", false),
            ("evil .example$", false),
            ("evil.example:99999$", false),
            ("\u{1F600}.example$", false),
        ] {
            assert_eq!(PublishableKey::parse(&key_of(content)).is_ok(), accepted, "{content}");
        }
    }

    #[test]
    fn other_prefixes_and_part_counts_are_refused() {
        let encoded = "Y2xlcmsuY2xlcmsuZGV2JA";
        for (text, error) in [
            (format!("pk_prod_{encoded}"), KeyError::PublishablePrefix),
            (format!("pk_test_{encoded}_x"), KeyError::PublishablePrefix),
            (format!("PK_test_{encoded}"), KeyError::PublishablePrefix),
            (format!("pk_{encoded}"), KeyError::PublishablePrefix),
            (format!("sk_test_{encoded}"), KeyError::SecretAsPublishable),
            (format!(" pk_test_{encoded}"), KeyError::Characters),
            (format!("pk_test_{encoded}\n"), KeyError::Characters),
            ("pk_test_!!!".to_owned(), KeyError::Base64),
            (String::new(), KeyError::Empty),
            ("p".repeat(10_000), KeyError::Characters),
        ] {
            assert_eq!(PublishableKey::parse(&text).unwrap_err(), error, "{text:.40}");
        }
    }

    #[test]
    fn a_secret_key_never_shows_in_debug_output() {
        let key = SecretKey::parse("sk_live_verysecretindeed").unwrap();
        assert_eq!(key.instance_kind(), InstanceKind::Production);
        assert_eq!(key.expose(), "sk_live_verysecretindeed");
        assert!(!format!("{key:?}").contains("verysecret"));
    }

    #[test]
    fn secret_keys_of_a_wrong_form_are_named() {
        for (text, error) in [
            ("", KeyError::Empty),
            ("sk_test_", KeyError::Empty),
            ("sk_prod_x", KeyError::SecretPrefix),
            ("whsec_x", KeyError::SecretPrefix),
            ("pk_test_x", KeyError::PublishableAsSecret),
            ("sk_test_a b", KeyError::Characters),
            ("sk_test_a\r\nx: y", KeyError::Characters),
        ] {
            assert_eq!(SecretKey::parse(text).unwrap_err(), error, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_key_parsers_panic(text in "(pk|sk)?_?(test|live)?_?.{0,40}", content in ".{0,30}") {
            let _ = PublishableKey::parse(&text);
            let _ = SecretKey::parse(&text);
            let _ = PublishableKey::parse(&key_of(&content));
        }
    }
}
