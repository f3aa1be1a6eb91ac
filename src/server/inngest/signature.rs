//! Signatures of requests (F.2): `t=<seconds>&s=<hex>` over the raw body followed by the text of `t`.
//!
//! Works on the bytes that came: the same JSON written otherwise has another signature.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use jiff::Timestamp;
use url::form_urlencoded;

use crate::server::inngest::keys::{SigningKey, hex, hex_decoded};
use crate::server::inngest::{Config, Mode};

/// How far the sender's clock may be from ours, both ways.
const TOLERANCE_SECONDS: i64 = 300;
/// Longer than any count of seconds.
const LONGEST_TIME: usize = 12;

/// Why a request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    Missing,
    Malformed,
    /// More than five minutes ago.
    Expired,
    /// More than five minutes ahead.
    Early,
    Mismatch,
}

impl Rejection {
    /// Stable: logs use it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Missing => "signature_missing",
            Self::Malformed => "signature_malformed",
            Self::Expired => "signature_expired",
            Self::Early => "signature_early",
            Self::Mismatch => "signature_mismatch",
        }
    }
}

/// How far a request is believed.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// Signed with this key.
    Signed(&'a SigningKey),
    /// The development server signs nothing.
    Development,
    Refused(Rejection),
}

impl<'a> Trust<'a> {
    /// Cloud: a valid signature. Development: a signature is checked if there is one and we have a key.
    pub fn of(config: &'a Config, signature: Option<&str>, body: &[u8], now: Timestamp) -> Self {
        let unsigned = signature.is_none() || config.signing_key.is_none();
        if config.mode == Mode::Development && unsigned {
            return Self::Development;
        }
        match verify(signature, body, config.keys(), now) {
            Ok(key) => Self::Signed(key),
            Err(rejection) => Self::Refused(rejection),
        }
    }

    pub fn is_refused(self) -> bool {
        matches!(self, Self::Refused(_))
    }
}

/// The key that signed this, of those given.
pub fn verify<'a>(
    signature: Option<&str>,
    body: &[u8],
    keys: impl Iterator<Item = &'a SigningKey>,
    now: Timestamp,
) -> Result<&'a SigningKey, Rejection> {
    let signature = signature.ok_or(Rejection::Missing)?;
    let part = |name: &str| form_urlencoded::parse(signature.as_bytes()).find(|(key, _)| key == name);
    let (Some((_, time)), Some((_, code))) = (part("t"), part("s")) else { return Err(Rejection::Malformed) };
    let seconds = seconds_of(&time).ok_or(Rejection::Malformed)?;
    let is_lower = !code.bytes().any(|byte| byte.is_ascii_uppercase());
    let code = hex_decoded(&code).filter(|_| is_lower).ok_or(Rejection::Malformed)?;
    match now.as_second() - seconds {
        age if age > TOLERANCE_SECONDS => return Err(Rejection::Expired),
        age if age < -TOLERANCE_SECONDS => return Err(Rejection::Early),
        _ => {}
    }
    let mut keys = keys;
    let is_of = |key: &&SigningKey| verify_slices_are_equal(tag(key, body, &time).as_ref(), &code).is_ok();
    keys.find(is_of).ok_or(Rejection::Mismatch)
}

/// A signature of ours, for an answer.
pub fn sign(key: &SigningKey, body: &[u8], now: Timestamp) -> String {
    let time = now.as_second().to_string();
    format!("t={time}&s={}", hex(tag(key, body, &time).as_ref()))
}

fn tag(key: &SigningKey, body: &[u8], time: &str) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.mac_key()));
    context.update(body);
    context.update(time.as_bytes());
    context.sign()
}

/// Digits only: no sign, no space, no `0x`.
fn seconds_of(time: &str) -> Option<i64> {
    let is_number = time.len() <= LONGEST_TIME && time.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { time.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::inngest::fixtures::{KEY, OTHER_KEY, config, key};

    const TIME: i64 = 1_689_920_619;
    const CODE: &str = "31df77f5b1b029de4bfce3a77e0517aa4ce0f5e2195a6467fc126a489ca2330b";
    /// The published vector: keys in alphabetical order.
    const BODY: &str = concat!(
        r#"{"ctx":{"fn_id":"local-testing-local-cron","run_id":"01GQ3HTEZ01M7R8Z9PR1DMHDN1","step_id":"step"},"#,
        r#""event":{"data":{},"id":"","name":"inngest/scheduled.timer","ts":1674082830001,"user":{},"v":"1"},"#,
        r#""events":[{"data":{},"id":"","name":"inngest/scheduled.timer","ts":1674082830001,"user":{},"v":"1"}],"#,
        r#""steps":{},"use_api":false}"#,
    );

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).expect("within range")
    }

    fn verified(signature: &str, body: &str, now: i64) -> Result<(), Rejection> {
        verify(Some(signature), body.as_bytes(), [key(KEY)].iter(), at(now)).map(|_| ())
    }

    #[test]
    fn f_2_the_published_vector_is_verified_and_made() {
        let signature = format!("t={TIME}&s={CODE}");
        assert_eq!(verified(&signature, BODY, TIME), Ok(()));
        assert_eq!(sign(&key(KEY), BODY.as_bytes(), at(TIME)), signature);
        // The order of the parts is nobody's business, the order of the body's keys is.
        assert_eq!(verified(&format!("s={CODE}&t={TIME}"), BODY, TIME), Ok(()));
        let reordered = BODY.replacen(r#","use_api":false"#, "", 1).replacen('{', r#"{"use_api":false,"#, 1);
        assert_eq!(verified(&signature, &reordered, TIME), Err(Rejection::Mismatch));
        assert_eq!(verified(&signature, &format!("{BODY} "), TIME), Err(Rejection::Mismatch));
    }

    #[test]
    fn f_2_the_clock_may_differ_by_five_minutes_both_ways() {
        let signature = format!("t={TIME}&s={CODE}");
        for (now, expected) in [
            (TIME + 300, Ok(())),
            (TIME + 301, Err(Rejection::Expired)),
            (TIME - 300, Ok(())),
            (TIME - 301, Err(Rejection::Early)),
        ] {
            assert_eq!(verified(&signature, BODY, now), expected, "{now}");
        }
    }

    #[test]
    fn f_2_what_is_not_a_time_and_lower_case_hex_is_malformed() {
        for signature in [
            String::new(),
            "t=&s=".to_owned(),
            format!("t={TIME}"),
            format!("s={CODE}"),
            format!("t=0x64ba3e2b&s={CODE}"),
            format!("t=64ba3e2b&s={CODE}"),
            format!("t=+{TIME}&s={CODE}"),
            format!("t=-{TIME}&s={CODE}"),
            format!("t={TIME}.0&s={CODE}"),
            format!("t=99999999999999999999&s={CODE}"),
            format!("t={TIME}&s={}", CODE.to_uppercase()),
            format!("t={TIME}&s={}", &CODE[1..]),
            format!("t={TIME}&s=zz{}", &CODE[2..]),
        ] {
            assert_eq!(verified(&signature, BODY, TIME), Err(Rejection::Malformed), "{signature}");
        }
        assert_eq!(verified(&format!("t={TIME}&s={}", &CODE[2..]), BODY, TIME), Err(Rejection::Mismatch));
        assert_eq!(verify(None, b"", [key(KEY)].iter(), at(TIME)).map(|_| ()), Err(Rejection::Missing));
    }

    #[test]
    fn f_2_the_fallback_key_is_tried_when_the_first_one_fails_and_no_other() {
        let (first, second) = (key(OTHER_KEY), key(KEY));
        let signature = format!("t={TIME}&s={CODE}");
        let both = [first.clone(), second];
        let found = verify(Some(&signature), BODY.as_bytes(), both.iter(), at(TIME)).expect("the fallback");
        assert_eq!(found.mac_key(), both[1].mac_key());
        let foreign = [first];
        let refused = verify(Some(&signature), BODY.as_bytes(), foreign.iter(), at(TIME));
        assert_eq!(refused.map(|_| ()), Err(Rejection::Mismatch));
    }

    #[test]
    fn f_2_a_request_without_a_body_signs_the_time_alone() {
        let signature = sign(&key(KEY), b"", at(TIME));
        assert_eq!(verified(&signature, "", TIME), Ok(()));
    }

    #[test]
    fn f_2_development_checks_a_signature_only_if_there_is_one_and_a_key() {
        let mut config = config();
        let trust = |config: &Config, signature: Option<&str>| match Trust::of(config, signature, b"", at(TIME)) {
            Trust::Signed(_) => "signed",
            Trust::Development => "development",
            Trust::Refused(rejection) => rejection.reason(),
        };
        let good = sign(&key(KEY), b"", at(TIME));
        let cases = [None, Some(good.as_str()), Some("t=1&s=00")];
        let of = |config: &Config| cases.map(|signature| trust(config, signature));
        assert_eq!(of(&config), ["signature_missing", "signed", "signature_expired"]);
        config.mode = Mode::Development;
        assert_eq!(of(&config), ["development", "signed", "signature_expired"]);
        config.signing_key = None;
        assert_eq!(of(&config), ["development"; 3]);
    }
}
