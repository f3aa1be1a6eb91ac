//! Signing keys: parsed once, and the two things made of them, the key of signatures and the bearer of our own calls.
//!
//! Invariant: a key is never printed, and in cloud mode its secret part is always hex.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use crate::server::inngest::Mode;

/// As many characters of a hash as an introspection shows.
const FINGERPRINT: usize = 12;

/// What is wrong with a key. Never contains the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key is empty")]
    Empty,
    #[error("the key must be signkey-<environment>-<hex digits>, as Inngest's dashboard shows it")]
    NotHex,
}

/// One signing key.
#[derive(Clone)]
pub struct SigningKey {
    /// `signkey-<environment>-`, or nothing.
    prefix: String,
    secret: SecretString,
}

impl SigningKey {
    /// The development server takes any text for a key.
    pub fn parse(text: &str, mode: Mode) -> Result<Self, KeyError> {
        let text = text.trim();
        let (prefix, secret) = text.split_at(prefix_length(text));
        if secret.is_empty() {
            return Err(KeyError::Empty);
        }
        if mode == Mode::Cloud && hex_decoded(secret).is_none() {
            return Err(KeyError::NotHex);
        }
        Ok(Self { prefix: prefix.to_owned(), secret: SecretString::from(secret.to_owned()) })
    }

    /// The key of signatures: the characters after the prefix, as they are.
    pub fn mac_key(&self) -> &[u8] {
        self.secret.expose_secret().as_bytes()
    }

    /// What our own calls are authorised by (F.3): the prefix, and the hash of the bytes that the hex digits stand for.
    pub fn bearer(&self) -> String {
        format!("{}{}", self.prefix, self.hash())
    }

    /// The beginning of the hash: enough to compare two keys, and no more.
    pub fn fingerprint(&self) -> String {
        self.hash()[..FINGERPRINT].to_owned()
    }

    fn hash(&self) -> String {
        let secret = self.secret.expose_secret();
        hash_of(&hex_decoded(secret).unwrap_or_else(|| secret.as_bytes().to_vec()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The beginning of an event key's hash.
pub fn event_key_fingerprint(key: &SecretString) -> String {
    hash_of(key.expose_secret().as_bytes())[..FINGERPRINT].to_owned()
}

/// Lower-case hex digits of some bytes.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that hex digits stand for, of either case.
pub fn hex_decoded(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

fn hash_of(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// How much of a key `^signkey-\w+-` matches: `\w` has no dash, so the first dash after it ends the prefix.
fn prefix_length(text: &str) -> usize {
    const START: &str = "signkey-";
    let Some(rest) = text.strip_prefix(START) else { return 0 };
    let Some(length) = rest.find('-') else { return 0 };
    let is_word = rest[..length].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if length > 0 && is_word { START.len() + length + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::inngest::fixtures::{KEY, key};

    #[test]
    fn f_3_the_bearer_is_the_prefix_and_the_hash_of_the_decoded_key() {
        let table = [
            ("signkey-prod-12345678", "signkey-prod-b2ed992186a5cb19f6668aade821f502c1d00970dfd0e35128d51bac4649916c"),
            (KEY, "signkey-test-e4bf4a2e7f55c7eb954b6e72f8f69628fbc409fe7da6d0f6958770987dcf0e02"),
        ];
        for (text, bearer) in table {
            assert_eq!(key(text).bearer(), bearer);
        }
        assert_eq!(key(KEY).fingerprint(), "e4bf4a2e7f55");
    }

    #[test]
    fn f_2_the_prefix_ends_at_the_first_dash_after_its_word() {
        for (text, secret) in [
            ("signkey-test-00ff", "00ff"),
            ("signkey-my_branch-00ff", "00ff"),
            ("00ff", "00ff"),
            ("signkey-test-branch-00ff", "branch-00ff"),
            ("signkey--00ff", "signkey--00ff"),
            ("signkey-00ff", "signkey-00ff"),
            ("signkey-a.b-00ff", "signkey-a.b-00ff"),
            (" signkey-test-00ff\n", "00ff"),
        ] {
            let key = SigningKey::parse(text, Mode::Development).unwrap();
            assert_eq!(key.mac_key(), secret.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn f_3_a_key_that_is_not_hex_is_refused_for_the_cloud_and_never_printed() {
        for (text, error) in [
            ("", KeyError::Empty),
            ("signkey-test-", KeyError::Empty),
            ("signkey-test-xyz", KeyError::NotHex),
            ("signkey-test-123", KeyError::NotHex),
            ("signkey-test-branch-1234", KeyError::NotHex),
            ("evk_1234", KeyError::NotHex),
        ] {
            assert_eq!(SigningKey::parse(text, Mode::Cloud).map(|_| ()), Err(error), "{text:?}");
        }
        let printed = format!("{:?}", key(KEY));
        assert!(!printed.contains("8ee2262a"), "{printed}");
    }
}
