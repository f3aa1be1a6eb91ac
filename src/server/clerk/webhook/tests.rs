//! The attack list for deliveries (D3), as far as headers, time and signatures go.

use proptest::prelude::*;
use svix::webhooks::Webhook;

use super::*;

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OTHER: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const AT: i64 = 1_649_367_553;
const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const SIGNATURE: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

fn verifier(secrets: &[&str]) -> Verifier {
    let secrets: Vec<_> = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
    Verifier::new(&secrets).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

fn good() -> HeaderMap {
    headers(&[("svix-id", ID), ("svix-timestamp", "1649367553"), ("svix-signature", SIGNATURE)])
}

fn sign(secret: &str, id: &str, at: i64, body: &[u8]) -> String {
    Webhook::new(secret).unwrap().sign(id, at, body).unwrap()
}

fn verify(headers: &HeaderMap, body: &[u8]) -> Result<Verified, Rejection> {
    verifier(&[SECRET]).verify(headers, body, at(AT))
}

#[test]
fn the_published_vector_is_accepted() {
    assert_eq!(verify(&good(), BODY), Ok(Verified { id: ID.to_owned(), timestamp: at(AT), secret: 0 }));
}

#[test]
fn d3_01_missing_and_blank_headers_are_named() {
    for (name, rejection) in [
        ("svix-id", Rejection::IdMissing),
        ("svix-timestamp", Rejection::TimestampMissing),
        ("svix-signature", Rejection::SignatureMissing),
    ] {
        let mut missing = good();
        missing.remove(name);
        assert_eq!(verify(&missing, BODY), Err(rejection), "{name}");
        for blank in ["", " ", "\t "] {
            let mut blanked = good();
            blanked.insert(name, HeaderValue::from_str(blank).unwrap());
            assert_eq!(verify(&blanked, BODY), Err(rejection), "{name} {blank:?}");
        }
    }
    assert_eq!(verify(&HeaderMap::new(), BODY), Err(Rejection::IdMissing));
}

#[test]
fn d3_02_any_changed_byte_of_the_signature_is_refused() {
    for index in 3..SIGNATURE.len() {
        let mut bytes = SIGNATURE.as_bytes().to_vec();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let mut changed = good();
        changed.insert("svix-signature", HeaderValue::from_bytes(&bytes).unwrap());
        assert_eq!(verify(&changed, BODY), Err(Rejection::SignatureMismatch), "{index}");
    }
}

#[test]
fn d3_03_partial_and_foreign_signatures_are_refused() {
    let whole = SIGNATURE.strip_prefix("v1,").unwrap();
    for signature in [
        "v1,".to_owned(),
        "v1".to_owned(),
        whole.to_owned(),
        SIGNATURE[..20].to_owned(),
        format!("v2,{whole}"),
        format!("v1a,{whole}"),
        format!("V1,{whole}"),
        format!(" v1, {whole}"),
        format!("v1,{whole}extra"),
        "v1,\u{e9}".to_owned(),
        format!("{SIGNATURE} {}", "v1,x ".repeat(1000)),
    ] {
        let tried = headers(&[("svix-id", ID), ("svix-timestamp", "1649367553"), ("svix-signature", &signature)]);
        assert_eq!(verify(&tried, BODY), Err(Rejection::SignatureUnreadable), "{signature:.60}");
    }
}

#[test]
fn d3_04_one_valid_signature_among_several_is_enough() {
    let several = format!("v2,abc v1,{} {SIGNATURE} v1a,x", "A".repeat(44));
    let tried = headers(&[("svix-id", ID), ("svix-timestamp", "1649367553"), ("svix-signature", &several)]);
    assert!(verify(&tried, BODY).is_ok());
}

#[test]
fn d3_05_the_secret_that_signed_is_told() {
    let second = verifier(&[OTHER, SECRET]).verify(&good(), BODY, at(AT)).unwrap();
    assert_eq!(second.secret, 1);
    assert_eq!(verifier(&[OTHER]).verify(&good(), BODY, at(AT)), Err(Rejection::SignatureMismatch));
}

#[test]
fn d3_06_d3_09_the_raw_bytes_the_id_and_the_time_are_signed() {
    for body in [&BODY[1..], b"", br#"{"email": "test@example.com","username":"test_user"}"#, b"{}"] {
        assert_eq!(verify(&good(), body), Err(Rejection::SignatureMismatch));
    }
    let with_newline = [BODY, b"\n"].concat();
    assert_eq!(verify(&good(), &with_newline), Err(Rejection::SignatureMismatch));
    for (name, value) in [("svix-id", "msg_other"), ("svix-timestamp", "1649367554")] {
        let mut changed = good();
        changed.insert(name, HeaderValue::from_static(value));
        assert_eq!(verify(&changed, BODY), Err(Rejection::SignatureMismatch), "{name}");
    }
}

#[test]
fn d3_07_timestamps_outside_five_minutes_are_refused() {
    let verifier = verifier(&[SECRET]);
    for (now, expected) in [
        (AT + 300, None),
        (AT + 301, Some(Rejection::TimestampTooOld)),
        (AT - 300, None),
        (AT - 301, Some(Rejection::TimestampInFuture)),
        (0, Some(Rejection::TimestampInFuture)),
        (253_402_207_200, Some(Rejection::TimestampTooOld)),
    ] {
        assert_eq!(verifier.verify(&good(), BODY, at(now)).err(), expected, "{now}");
    }
}

#[test]
fn d3_07_timestamps_that_are_not_plain_seconds_are_refused() {
    for text in [
        "-1649367553",
        "+1649367553",
        "01649367553",
        "1649367553.0",
        "1.6e9",
        "0x624f5a41",
        "abc",
        "16493675530000000000",
        "1649367553 ",
        "1 649",
        "\u{661}",
        "999999999999",
        "0",
    ] {
        let mut changed = good();
        changed.insert("svix-timestamp", HeaderValue::from_bytes(text.as_bytes()).unwrap());
        assert!(
            verify(&changed, BODY).is_err_and(|rejection| matches!(
                rejection,
                Rejection::TimestampInvalid | Rejection::TimestampInFuture
            )),
            "{text}"
        );
    }
}

#[test]
fn d3_10_ids_that_cannot_be_keys_are_refused_even_when_signed() {
    for id in [
        "a.b".to_owned(),
        ".".to_owned(),
        "x".repeat(257),
        "x".repeat(10_000),
        "a b".to_owned(),
        "a\tb".to_owned(),
        "a/b#c".to_owned(),
        "%41".to_owned(),
        "x&all=1".to_owned(),
        "\u{e9}".to_owned(),
    ] {
        let signature = sign(SECRET, &id, AT, BODY);
        let tried = headers(&[("svix-id", &id), ("svix-timestamp", "1649367553"), ("svix-signature", &signature)]);
        assert_eq!(verify(&tried, BODY), Err(Rejection::IdInvalid), "{id:.20}");
    }
    let id = "x".repeat(256);
    let signature = sign(SECRET, &id, AT, BODY);
    let tried = headers(&[("svix-id", &id), ("svix-timestamp", "1649367553"), ("svix-signature", &signature)]);
    assert!(verify(&tried, BODY).is_ok());
}

#[test]
fn d3_11_the_svix_set_wins_when_complete_and_sets_never_mix() {
    let unbranded = [("webhook-id", ID), ("webhook-timestamp", "1649367553"), ("webhook-signature", SIGNATURE)];
    assert!(verify(&headers(&unbranded), BODY).is_ok());

    let other = [("svix-id", "msg_x"), ("svix-timestamp", "1649367553"), ("svix-signature", SIGNATURE)];
    assert_eq!(verify(&headers(&[other, unbranded].concat()), BODY), Err(Rejection::SignatureMismatch));

    let incomplete_svix = [&[("svix-id", "msg_x")], &unbranded[..]].concat();
    assert_eq!(verify(&headers(&incomplete_svix), BODY).map(|verified| verified.id), Ok(ID.to_owned()));

    let mixed = [("svix-id", ID), ("webhook-timestamp", "1649367553"), ("webhook-signature", SIGNATURE)];
    assert_eq!(verify(&headers(&mixed), BODY), Err(Rejection::TimestampMissing));
}

#[test]
fn d3_12_duplicate_lines_are_refused() {
    for name in ["svix-id", "svix-timestamp", "svix-signature"] {
        let mut doubled = good();
        let value = doubled[name].clone();
        doubled.append(name, value);
        assert_eq!(verify(&doubled, BODY), Err(Rejection::DuplicateHeader), "{name}");
    }
}

#[test]
fn d3_17_a_body_that_is_not_text_is_refused() {
    assert_eq!(verify(&good(), b"{\"a\":\"\xff\"}"), Err(Rejection::BodyNotText));
}

#[test]
fn d3_30_secrets_of_a_wrong_form_are_named_and_not_shown() {
    let error = |secret: &str| Verifier::new(&[SecretString::from(SECRET), SecretString::from(secret)]).unwrap_err();
    for (secret, expected) in [
        ("", SecretError::Empty { index: 1 }),
        (" ", SecretError::Whitespace { index: 1 }),
        ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n", SecretError::Whitespace { index: 1 }),
        ("C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::Prefix { index: 1 }),
        ("sk_test_abc", SecretError::Prefix { index: 1 }),
        ("WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", SecretError::Prefix { index: 1 }),
        ("whsec_not*base64", SecretError::Base64 { index: 1 }),
        ("whsec_", SecretError::TooShort { index: 1 }),
        ("whsec_c2hvcnQ=", SecretError::TooShort { index: 1 }),
    ] {
        assert_eq!(error(secret), expected, "{secret:?}");
        assert!(secret.trim().is_empty() || !expected.to_string().contains(secret));
    }
    assert_eq!(Verifier::new(&[]).unwrap_err(), SecretError::None);
    assert!(!format!("{:?}", verifier(&[SECRET])).contains("C2FV"));
}

#[test]
fn every_reason_is_another_snake_case_word() {
    let reasons: std::collections::HashSet<_> = Rejection::ALL.iter().map(|rejection| rejection.reason()).collect();
    assert_eq!(reasons.len(), Rejection::ALL.len());
    assert!(reasons.iter().all(|reason| reason.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
}

proptest! {
    #[test]
    fn only_the_right_signature_is_ever_accepted(
        id in proptest::collection::vec(any::<u8>(), 0..40),
        time in "[0-9+. -]{0,14}",
        signature in "(v1,)?[A-Za-z0-9+/= ,]{0,100}",
        body in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut tried = HeaderMap::new();
        for (name, value) in [("svix-id", &id[..]), ("svix-timestamp", time.as_bytes()), ("svix-signature", signature.as_bytes())] {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                tried.insert(name, value);
            }
        }
        prop_assert!(verify(&tried, &body).is_err());
    }

    #[test]
    fn what_was_signed_is_accepted(id in "[A-Za-z0-9_:~-]{1,60}", offset in -300_i64..=300, body in ".{0,80}") {
        let signature = sign(SECRET, &id, AT, body.as_bytes());
        let tried = headers(&[("svix-id", &id), ("svix-timestamp", "1649367553"), ("svix-signature", &signature)]);
        let verified = verifier(&[SECRET]).verify(&tried, body.as_bytes(), at(AT + offset)).unwrap();
        prop_assert_eq!(verified.id, id);
    }
}
