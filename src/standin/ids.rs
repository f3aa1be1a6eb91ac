//! Identifiers that look like Clerk's: a prefix, an underscore and 27 base62 characters.
//!
//! Two kinds: fresh ones, which never repeat, and seeded ones, which are the same on every machine and every day.
//! Knows nothing of what it names.

use aws_lc_rs::digest;
use rand::Rng;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// How many characters follow the leading `3`, which every identifier of our decade has at Clerk too.
const TAIL: usize = 26;

pub fn fresh(prefix: &str) -> String {
    format!("{prefix}_3{}", random_text(TAIL))
}

/// The same identifier for the same prefix and seed, for ever.
pub fn seeded(prefix: &str, seed: &str) -> String {
    let hash = digest::digest(&digest::SHA256, format!("{prefix}/{seed}").as_bytes());
    let tail: String = hash.as_ref().iter().take(TAIL).map(|byte| letter(usize::from(*byte))).collect();
    format!("{prefix}_3{tail}")
}

pub fn random_text(length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).map(|_| letter(rng.random_range(0..ALPHABET.len()))).collect()
}

/// What Clerk calls a trace id: 32 hexadecimal digits.
pub fn trace() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}

fn letter(index: usize) -> char {
    char::from(ALPHABET[index % ALPHABET.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_a_prefix_and_27_characters() {
        let id = fresh("user");
        let (prefix, tail) = id.split_once('_').unwrap();
        assert_eq!((prefix, tail.len()), ("user", 27));
        assert!(tail.chars().all(|letter| letter.is_ascii_alphanumeric()));
    }

    #[test]
    fn seeded_identifiers_repeat_and_fresh_ones_do_not() {
        assert_eq!(seeded("user", "1"), seeded("user", "1"));
        assert_ne!(seeded("user", "1"), seeded("user", "2"));
        assert_ne!(fresh("user"), fresh("user"));
    }
}
