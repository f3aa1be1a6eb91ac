//! How a notice gets from a form to the next page: in a cookie that scripts cannot read, that nobody else can have written
//! (HMAC under a key derived from Clerk's secret key, so any process of ours can read it), and that is gone once shown.
//!
//! Knows nothing of forms and pages.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use crate::model::notice::Notice;
use crate::server::clerk::key::SecretKey;
use crate::server::cookie::NOTICE;

/// Browsers keep no cookie above 4096 bytes, its name and attributes included.
const LONGEST: usize = 3800;
const PURPOSE: &str = "rollcall notice\n";

/// The cookie's value. What was typed is left out when it is too long to come along.
pub fn seal(notice: &Notice, secret: &SecretKey) -> Option<String> {
    let whole = sealed(notice, secret)?;
    if whole.len() <= LONGEST {
        return Some(whole);
    }
    let short = Notice { values: Vec::new(), ..notice.clone() };
    sealed(&short, secret).filter(|value| value.len() <= LONGEST)
}

/// The notice of a cookie's value, if we made it.
pub fn open(value: &str, secret: &SecretKey) -> Option<Notice> {
    let (body, seal) = value.split_once('.')?;
    let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
    verify(&key(secret), body.as_bytes(), &seal).ok()?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

/// The line that sets it for the next page, within a minute.
pub fn cookie(value: &str, public_url: &Url) -> String {
    NOTICE.line(public_url, value, 60)
}

fn sealed(notice: &Notice, secret: &SecretKey) -> Option<String> {
    let body = URL_SAFE_NO_PAD.encode(serde_json::to_vec(notice).ok()?);
    let seal = URL_SAFE_NO_PAD.encode(sign(&key(secret), body.as_bytes()));
    Some(format!("{body}.{seal}"))
}

fn key(secret: &SecretKey) -> Key {
    Key::new(HMAC_SHA256, format!("{PURPOSE}{}", secret.expose()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_comes_back_whole_and_a_forged_one_does_not() {
        let secret = SecretKey::parse("sk_test_a").unwrap();
        let notice = Notice::done("Saved.").with_undo("/api/a/b", &[("id", "user_1")]);
        let value = seal(&notice, &secret).unwrap();
        assert_eq!(open(&value, &secret), Some(notice));
        assert_eq!(open(&value, &SecretKey::parse("sk_test_b").unwrap()), None);
        assert_eq!(open(&format!("x{value}"), &secret), None);
        for nonsense in ["", ".", "a.b", "a"] {
            assert_eq!(open(nonsense, &secret), None);
        }
    }

    #[test]
    fn what_was_typed_stays_behind_when_it_is_too_long() {
        let secret = SecretKey::parse("sk_test_a").unwrap();
        let values = vec![("bio".to_owned(), "é".repeat(4000))];
        let notice = Notice { values, ..Notice::failed("Too long.") };
        let value = seal(&notice, &secret).unwrap();
        assert!(value.len() <= LONGEST);
        assert_eq!(open(&value, &secret), Some(Notice::failed("Too long.")));
        assert_eq!(seal(&Notice::failed("x".repeat(5000)), &secret), None);
    }
}
