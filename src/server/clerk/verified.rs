//! Tokens that were found good, remembered until they run out: the many requests of one page cost one signature.
//!
//! Revocation is what it was: a signed token is good until its time is over, however often it is looked at. Time and party are
//! looked at each time. Only tokens that were found good are kept, so nobody else's can push them out; by hash, so that none
//! lies in memory; a bounded number, none for longer than [`LONGEST_SECONDS`], so that a key that was taken back is
//! forgotten too.

use std::collections::HashMap;
use std::fmt;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;

use crate::server::clerk::session::{Claims, VerifyOptions};

/// Ten times the life of Clerk's tokens, which are a minute each.
const LONGEST_SECONDS: i64 = 600;
/// In each of the two generations. An entry is less than a kilobyte, unless an instance writes much into its tokens.
const MOST: usize = 4096;

type Hash = [u8; 32];

/// What is remembered. Clones share it.
#[derive(Clone, Default)]
pub struct Verified(Arc<Mutex<Generations>>);

/// The older generation goes when the younger is full: what is still asked for was moved over by then.
#[derive(Default)]
struct Generations {
    young: HashMap<Hash, Entry>,
    old: HashMap<Hash, Entry>,
}

#[derive(Clone)]
struct Entry {
    claims: Arc<Claims>,
    kept_at: i64,
}

impl Verified {
    /// The claims of a token that was found good before, if it is still good now.
    pub fn find(&self, token: &str, options: &VerifyOptions, now: Timestamp) -> Option<Arc<Claims>> {
        let hash = hash(token)?;
        let entry = self.generations().find(&hash)?;
        let age = now.as_second().saturating_sub(entry.kept_at);
        let is_good = (0..=LONGEST_SECONDS).contains(&age) && options.still_accept(&entry.claims, now);
        is_good.then_some(entry.claims)
    }

    /// To be told of a token that was just found good.
    pub fn keep(&self, token: &str, claims: &Arc<Claims>, now: Timestamp) {
        if let Some(hash) = hash(token) {
            self.generations().keep(hash, Entry { claims: Arc::clone(claims), kept_at: now.as_second() });
        }
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generations = self.generations();
        f.debug_struct("Verified").field("kept", &(generations.young.len() + generations.old.len())).finish()
    }
}

impl Generations {
    fn find(&mut self, hash: &Hash) -> Option<Entry> {
        if let Some(entry) = self.young.get(hash) {
            return Some(entry.clone());
        }
        let entry = self.old.remove(hash)?;
        self.keep(*hash, entry.clone());
        Some(entry)
    }

    fn keep(&mut self, hash: Hash, entry: Entry) {
        if self.young.len() >= MOST {
            self.old = take(&mut self.young);
        }
        self.young.insert(hash, entry);
    }
}

fn hash(token: &str) -> Option<Hash> {
    digest(&SHA256, token.as_bytes()).as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::server::clerk::session::verify_token;
    use crate::server::clerk::signer::{INSTANCE, ISSUER, NOW, at, claims_with, keys, now};

    fn options() -> VerifyOptions {
        VerifyOptions::for_issuer(ISSUER)
    }

    fn kept(verified: &Verified, changes: serde_json::Value) -> String {
        let token = INSTANCE.token(&claims_with(changes));
        let claims = verify_token(&token, &keys(), &options(), now()).unwrap();
        verified.keep(&token, &Arc::new(claims), now());
        token
    }

    #[test]
    fn what_was_found_good_is_found_again_until_it_runs_out() {
        let verified = Verified::default();
        let token = kept(&verified, json!({}));
        for (seconds, is_found) in [(0, true), (64, true), (65, false), (-6, false)] {
            assert_eq!(verified.find(&token, &options(), at(seconds)).is_some(), is_found, "{seconds}");
        }
        let other = INSTANCE.token(&claims_with(json!({"jti": "other"})));
        assert!(verified.find(&other, &options(), now()).is_none());
        assert!(verified.find(&token[..token.len() - 1], &options(), now()).is_none());
    }

    #[test]
    fn a_long_lived_token_is_looked_at_again_after_ten_minutes() {
        let verified = Verified::default();
        let token = kept(&verified, json!({"exp": NOW + 86_400}));
        assert!(verified.find(&token, &options(), at(LONGEST_SECONDS)).is_some());
        assert!(verified.find(&token, &options(), at(LONGEST_SECONDS + 1)).is_none());
    }

    #[test]
    fn d4_14_whoever_accepts_other_parties_finds_only_what_they_accept() {
        let verified = Verified::default();
        let token = kept(&verified, json!({"azp": "https://app.example.com"}));
        let parties = |party: &str| VerifyOptions { authorized_parties: vec![party.to_owned()], ..options() };
        assert!(verified.find(&token, &parties("https://app.example.com"), now()).is_some());
        assert!(verified.find(&token, &parties("https://evil.example"), now()).is_none());
        let bare = kept(&verified, json!({"jti": "bare"}));
        let strict = VerifyOptions { require_azp: true, ..options() };
        assert!(verified.find(&bare, &strict, now()).is_none());
    }

    #[test]
    fn d4_11_what_a_lenient_clock_let_in_a_strict_one_does_not_find() {
        let verified = Verified::default();
        let token = INSTANCE.token(&claims_with(json!({"nbf": NOW + 60})));
        let lenient = VerifyOptions { clock_skew: Duration::from_hours(1), ..options() };
        let claims = verify_token(&token, &keys(), &lenient, now()).unwrap();
        verified.keep(&token, &Arc::new(claims), now());
        assert!(verified.find(&token, &options(), now()).is_none());
        assert!(verified.find(&token, &options(), at(55)).is_some());
    }

    #[test]
    fn the_number_kept_is_bounded_and_who_comes_again_stays() {
        let verified = Verified::default();
        let token = kept(&verified, json!({}));
        let claims = verified.find(&token, &options(), now()).unwrap();
        for number in 0..5 * MOST {
            verified.keep(&number.to_string(), &claims, now());
            if number % MOST == 0 {
                assert!(verified.find(&token, &options(), now()).is_some(), "{number}");
            }
        }
        let generations = verified.generations();
        assert!(generations.young.len() <= MOST && generations.old.len() <= MOST);
        drop(generations);
        assert!(verified.find("0", &options(), now()).is_none());
    }
}
