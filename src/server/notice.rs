//! How a notice gets from a form to the next page: in a cookie that scripts cannot read, that nobody else can have written
//! (HMAC under a key derived from Clerk's secret key, so any process of ours can read it), and that is gone once shown. A long
//! one is packed into a few: the seal is over all of them, so that parts of two notices are none.
//!
//! Knows nothing of forms and pages.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use url::Url;

use crate::model::notice::Notice;
use crate::server::clerk::key::SecretKey;
use crate::server::cookie::{NOTICE, OwnCookie};

/// Browsers keep no cookie above 4096 bytes, its name and attributes included.
const LONGEST: usize = 3800;
const LIVES_S: u32 = 60;
/// How far the clocks of two processes may be apart.
const SKEW_S: i64 = 60;
const COMPRESSION: i32 = 3;
const PURPOSE: &str = "rollcall notice\n";

/// The lines that set it for the next page, within a minute. What is too long to come along is left out: first the
/// form to be sent once more, then what was typed.
pub fn cookies(notice: &Notice, secret: &SecretKey, public_url: &Url) -> Vec<String> {
    let until = Timestamp::now().as_second().saturating_add(LIVES_S.into());
    let parts = NOTICE.into_iter().zip(seal(notice, until, secret));
    parts.map(|(cookie, part)| cookie.line(public_url, &part, LIVES_S)).collect()
}

/// The notice of the cookies that a request carries, if we made it and not longer ago than it lives: what a notice shows once,
/// a cookie that somebody kept does not show again.
pub fn open(carried: impl Fn(OwnCookie) -> Option<String>, secret: &SecretKey) -> Option<Notice> {
    let first = carried(NOTICE[0])?;
    let (count, _) = first.split_once('.')?;
    let parts: Option<String> = NOTICE.into_iter().take(count.parse().ok()?).map(carried).collect();
    let whole = parts?;
    let (body, seal) = whole.split_once('.')?.1.split_once('.')?;
    let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
    verify(&key(secret), body.as_bytes(), &seal).ok()?;
    let packed = URL_SAFE_NO_PAD.decode(body).ok()?;
    let (until, notice): (i64, Notice) = serde_json::from_slice(&zstd::decode_all(&*packed).ok()?).ok()?;
    (Timestamp::now().as_second() <= until.saturating_add(SKEW_S)).then_some(notice)
}

/// The values of the cookies, in their order; none if even the words are too long.
fn seal(notice: &Notice, until: i64, secret: &SecretKey) -> Vec<String> {
    let without_repeat = Notice { repeat: None, ..notice.clone() };
    let words = Notice { values: Vec::new(), ..without_repeat.clone() };
    [notice, &without_repeat, &words].into_iter().find_map(|notice| sealed(notice, until, secret)).unwrap_or_default()
}

/// How many there are stands first.
fn sealed(notice: &Notice, until: i64, secret: &SecretKey) -> Option<Vec<String>> {
    let packed = zstd::bulk::compress(&serde_json::to_vec(&(until, notice)).ok()?, COMPRESSION).ok()?;
    let body = URL_SAFE_NO_PAD.encode(packed);
    let seal = URL_SAFE_NO_PAD.encode(sign(&key(secret), body.as_bytes()));
    let count = ("0.".len() + body.len() + ".".len() + seal.len()).div_ceil(LONGEST);
    let whole = format!("{count}.{body}.{seal}").into_bytes();
    let parts = whole.chunks(LONGEST).map(|part| String::from_utf8_lossy(part).into_owned());
    (count <= NOTICE.len()).then(|| parts.collect())
}

fn key(secret: &SecretKey) -> Key {
    Key::new(HMAC_SHA256, format!("{PURPOSE}{}", secret.expose()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretKey {
        SecretKey::parse(text).unwrap()
    }

    /// What the browser sends back of these.
    fn opened(parts: &[String], secret: &SecretKey) -> Option<Notice> {
        let carried = |cookie| {
            let place = NOTICE.iter().position(|known| *known == cookie)?;
            parts.get(place).cloned()
        };
        open(carried, secret)
    }

    /// So many letters that hardly repeat.
    fn letters(count: u32, first: u32) -> String {
        (0..count)
            .filter_map(|place| {
                char::from_u32(0x4e00 + first.wrapping_add(place.wrapping_mul(place).wrapping_mul(7919)) % 20_000)
            })
            .collect()
    }

    fn typed(bio: String) -> Notice {
        Notice { values: vec![("bio".to_owned(), bio)], ..Notice::failed("Too long.") }
    }

    #[test]
    fn a_notice_comes_back_whole_and_a_forged_one_does_not() {
        let notice = Notice::done("Saved.").with_undo("/api/a/b", &[("id", "user_1")]);
        let parts = seal(&notice, i64::MAX, &secret("sk_test_a"));
        assert_eq!(parts.len(), 1);
        assert_eq!(opened(&parts, &secret("sk_test_a")), Some(notice));
        assert_eq!(opened(&parts, &secret("sk_test_b")), None);
        let kept = seal(&Notice::done("Saved."), Timestamp::now().as_second() - SKEW_S - 1, &secret("sk_test_a"));
        assert_eq!(opened(&kept, &secret("sk_test_a")), None, "its time is over");
        assert_eq!(opened(&[parts[0].replacen("1.", "1.x", 1)], &secret("sk_test_a")), None);
        for nonsense in ["", ".", "a.b", "a", "1", "1.", "1.a.b", "0.a.b", "9.a.b", "99999999999999999999.a.b"] {
            assert_eq!(opened(&[nonsense.to_owned()], &secret("sk_test_a")), None, "{nonsense}");
        }
    }

    #[test]
    fn e_19_what_was_typed_comes_along_in_several_parts_and_parts_of_two_are_none() {
        let secret = secret("sk_test_a");
        let (one, other) = (typed(letters(2000, 0)), typed(letters(2000, 1)));
        let (parts, others) = (seal(&one, i64::MAX, &secret), seal(&other, i64::MAX, &secret));
        assert!((2..=NOTICE.len()).contains(&parts.len()) && parts.iter().all(|part| part.len() <= LONGEST));
        assert_eq!(opened(&parts, &secret), Some(one));
        assert_eq!(opened(&others, &secret), Some(other));
        let mixed: Vec<String> = parts.iter().take(1).chain(others.iter().skip(1)).cloned().collect();
        assert_eq!(opened(&mixed, &secret), None);
        assert_eq!(opened(&parts[..1], &secret), None, "one is missing");
        // What is left of a longer one does no harm to a short one.
        let mut short = seal(&Notice::done("Saved."), i64::MAX, &secret);
        short.extend(parts.into_iter().skip(1));
        assert_eq!(opened(&short, &secret), Some(Notice::done("Saved.")));
    }

    #[test]
    fn what_was_typed_stays_behind_when_it_is_too_long() {
        let secret = secret("sk_test_a");
        let parts = seal(&typed(letters(20_000, 0)), i64::MAX, &secret);
        assert_eq!((parts.len(), opened(&parts, &secret)), (1, Some(Notice::failed("Too long."))));
        assert_eq!(seal(&Notice::failed(letters(20_000, 0)), i64::MAX, &secret), [""; 0]);
    }
}
