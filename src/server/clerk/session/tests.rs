//! The attack list for session tokens (D4).

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::server::clerk::jwt::LONGEST_TOKEN;
use crate::server::clerk::signer::{
    INSTANCE, ISSUER, NOW, STRANGER, at, claims, claims_with, encode, header, header_with, keys, now,
};

fn options() -> VerifyOptions {
    VerifyOptions::for_issuer(ISSUER)
}

fn verify(token: &str) -> Result<Claims, Reason> {
    verify_token(token, &keys(), &options(), now())
}

fn verify_claims(changes: Value) -> Result<Claims, Reason> {
    verify(&INSTANCE.token(&claims_with(changes)))
}

fn verify_header(changes: Value) -> Result<Claims, Reason> {
    verify(&INSTANCE.token_with(&header_with(changes), &claims()))
}

#[test]
fn a_good_token_gives_its_claims() {
    let read = verify_claims(json!({
        "azp": "https://app.test", "act": {"sub": "user_2", "why": 1}, "o": {"id": "org_1", "slg": "acme", "rol": "admin"}, "role": "x",
    }))
    .unwrap();
    assert_eq!(
        (read.sub.as_str(), read.sid.as_str(), read.iat, read.exp, read.v),
        ("user_1", "sess_1", NOW, NOW + 60, 2)
    );
    assert_eq!((read.azp.as_deref(), read.sts), (Some("https://app.test"), Status::Active));
    assert_eq!(read.fva, Some(FactorAge { first: Some(0), second: None }));
    assert_eq!(read.act.map(|act| act.sub), Some("user_2".to_owned()));
    assert_eq!(read.org.and_then(|org| org.slug).as_deref(), Some("acme"));
    assert_eq!(read.extra, *json!({"role": "x"}).as_object().unwrap());
}

#[test]
fn version_one_claims_are_read_too() {
    let read = verify_claims(json!({"v": null, "sts": null, "fva": null, "org_id": "org_1", "org_role": "org:admin"}))
        .unwrap();
    assert_eq!((read.v, read.sts, read.fva), (1, Status::Active, None));
    assert_eq!(read.org.and_then(|org| org.role).as_deref(), Some("admin"));
}

#[test]
fn d4_01_no_algorithm_is_no_signature() {
    for alg in ["none", "None", "nOnE", ""] {
        let message =
            format!("{}.{}", encode(header_with(json!({"alg": alg})).to_string()), encode(claims().to_string()));
        for signature in ["", "AAAA"] {
            assert_eq!(verify(&format!("{message}.{signature}")), Err(Reason::TokenInvalidAlgorithm), "{alg}");
        }
    }
    let good = INSTANCE.token(&claims());
    let stripped = format!("{}.", good.rsplit_once('.').unwrap().0);
    assert_eq!(verify(&stripped), Err(Reason::TokenInvalidSignature));
}

#[test]
fn d4_02_the_public_key_is_no_shared_secret() {
    let modulus = INSTANCE.jwk("x")["n"].as_str().unwrap().to_owned();
    let base64: String = INSTANCE.pem().lines().filter(|line| !line.contains("-----")).collect();
    let der = STANDARD.decode(base64).unwrap();
    for secret in [INSTANCE.pem().into_bytes(), INSTANCE.pem().trim().as_bytes().to_vec(), der, modulus.into_bytes()] {
        let message =
            format!("{}.{}", encode(header_with(json!({"alg": "HS256"})).to_string()), encode(claims().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        assert_eq!(verify(&format!("{message}.{}", encode(tag.as_ref()))), Err(Reason::TokenInvalidAlgorithm));
        let message = format!("{}.{}", encode(header().to_string()), encode(claims().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
        assert_eq!(verify(&format!("{message}.{}", encode(tag.as_ref()))), Err(Reason::TokenInvalidSignature));
    }
}

#[test]
fn d4_03_only_rs256_is_accepted_even_with_the_right_key() {
    for (alg, algorithm) in [("RS384", &RSA_PKCS1_SHA384), ("RS512", &RSA_PKCS1_SHA512), ("PS256", &RSA_PSS_SHA256)] {
        let token = INSTANCE.token_by(algorithm, &header_with(json!({"alg": alg})), &claims());
        assert_eq!(verify(&token), Err(Reason::TokenInvalidAlgorithm), "{alg}");
        let disguised = INSTANCE.token_by(algorithm, &header(), &claims());
        assert_eq!(verify(&disguised), Err(Reason::TokenInvalidSignature), "{alg}");
    }
    for alg in [json!("ES256"), json!("EdDSA"), json!("rs256"), json!(["RS256"]), json!(256), json!(null)] {
        assert_eq!(verify_header(json!({"alg": alg})), Err(Reason::TokenInvalidAlgorithm), "{alg}");
    }
}

#[test]
fn d4_04_strange_key_ids_lead_nowhere() {
    for kid in [
        json!(null),
        json!("ins_other"),
        json!("../../etc/passwd"),
        json!("' OR 1=1 --"),
        json!("k".repeat(10_000)),
        json!(""),
    ] {
        assert_eq!(verify_header(json!({"kid": kid})), Err(Reason::JwkKidMismatch), "{kid:.40}");
    }
    for kid in [json!(["ins_test"]), json!({"a": 1}), json!(7)] {
        assert_eq!(verify_header(json!({"kid": kid})), Err(Reason::TokenInvalid), "{kid}");
    }
}

#[test]
fn d4_05_keys_that_a_token_brings_are_ignored() {
    let brought = header_with(json!({
        "jwk": STRANGER.jwk("ins_test"), "jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/x", "x5c": ["AAAA"],
    }));
    assert_eq!(verify(&STRANGER.token_with(&brought, &claims())), Err(Reason::TokenInvalidSignature));
    assert!(verify(&INSTANCE.token_with(&brought, &claims())).is_ok());
}

#[test]
fn d4_06_demanded_extensions_are_refused() {
    for changes in [
        json!({"crit": ["exp"]}),
        json!({"crit": []}),
        json!({"b64": false}),
        json!({"b64": true}),
        json!({"crit": ["b64"], "b64": false}),
    ] {
        assert_eq!(verify_header(changes.clone()), Err(Reason::TokenInvalid), "{changes}");
    }
}

#[test]
fn d4_07_d4_08_the_type_is_judged_and_unknown_headers_are_not() {
    assert!(verify_header(json!({"oiat": NOW, "future": {"a": 1}})).is_ok());
    assert!(verify_header(json!({"typ": null})).is_ok());
    for typ in [json!("at+jwt"), json!("jwt"), json!(""), json!(1), json!(["JWT"])] {
        assert_eq!(verify_header(json!({"typ": typ})), Err(Reason::TokenInvalid), "{typ}");
    }
}

#[test]
fn d4_09_only_a_sessions_class_is_a_session() {
    for (category, accepted) in [
        (json!("cl_B7d4PD111AAA"), true),
        (json!("cl_I7d4PD111III"), true),
        (json!(null), true),
        (json!("cl_B7d4PD222AAA"), false),
        (json!("cl_B7d4PD333AAA"), false),
        (json!(""), false),
        (json!(1), false),
    ] {
        let expected = if accepted { None } else { Some(Reason::TokenInvalid) };
        assert_eq!(verify_header(json!({"cat": category})).err(), expected, "{category}");
    }
}

#[test]
fn d4_10_d4_11_times_are_judged_with_five_seconds_of_grace() {
    let token = INSTANCE.token(&claims());
    for (seconds, expected) in
        [(59, None), (60, None), (64, None), (65, Some(Reason::TokenExpired)), (66, Some(Reason::TokenExpired))]
    {
        assert_eq!(verify_token(&token, &keys(), &options(), at(seconds)).err(), expected, "{seconds}");
    }
    for (changes, expected) in [
        (json!({"nbf": NOW + 4}), None),
        (json!({"nbf": NOW + 5}), None),
        (json!({"nbf": NOW + 6}), Some(Reason::TokenNotActiveYet)),
        (json!({"nbf": null}), None),
        (json!({"iat": NOW + 4}), None),
        (json!({"iat": NOW + 6}), Some(Reason::TokenIatInTheFuture)),
        (json!({"nbf": NOW + 6, "iat": NOW + 6, "exp": NOW - 6}), Some(Reason::TokenExpired)),
        (json!({"nbf": NOW + 6, "iat": NOW + 6}), Some(Reason::TokenNotActiveYet)),
    ] {
        assert_eq!(verify_claims(changes.clone()).err(), expected, "{changes}");
    }
}

#[test]
fn d4_12_times_that_are_not_whole_seconds_are_refused() {
    for claim in ["exp", "iat", "nbf"] {
        for value in [
            json!("1750000060"),
            json!(1_750_000_060.5),
            json!(-1),
            json!(9_223_372_036_854_775_808_u64),
            json!(i64::MAX),
            json!(true),
            json!([1]),
        ] {
            assert_eq!(
                verify_claims(json!({claim: value})).err(),
                Some(Reason::TokenVerificationFailed),
                "{claim} {value}"
            );
        }
    }
    for claim in ["exp", "iat"] {
        assert_eq!(verify_claims(json!({claim: null})).err(), Some(Reason::TokenVerificationFailed), "{claim}");
    }
}

#[test]
fn d4_13_the_issuer_is_exact() {
    for iss in [
        json!("https://clerk.clerk.dev/"),
        json!("http://clerk.clerk.dev"),
        json!("https://clerk.clerk.dev.evil.test"),
        json!("https://clerk.clerk.devil"),
        json!("HTTPS://clerk.clerk.dev"),
        json!(["https://clerk.clerk.dev"]),
        json!(""),
        json!(null),
    ] {
        assert_eq!(verify_claims(json!({"iss": iss})).err(), Some(Reason::TokenVerificationFailed), "{iss}");
    }
}

#[test]
fn a3_17_a_token_that_is_meant_for_others_only_is_refused_once_audiences_are_configured() {
    let options = VerifyOptions { audiences: vec!["api".into(), "app".into()], ..options() };
    let verify = |aud: Value, options: &VerifyOptions| {
        verify_token(&INSTANCE.token(&claims_with(json!({ "aud": aud }))), &keys(), options, now()).err()
    };
    for aud in [json!(null), json!(""), json!([]), json!("api"), json!(["other", "app"])] {
        assert_eq!(verify(aud.clone(), &options), None, "{aud}");
    }
    for aud in [json!("other"), json!("API"), json!(["other"]), json!(7), json!({ "api": true }), json!([["api"]])] {
        assert_eq!(verify(aud.clone(), &options), Some(Reason::TokenVerificationFailed), "{aud}");
        assert_eq!(verify(aud, &self::options()), None, "not looked at unless it is configured");
    }
}

#[test]
fn d4_14_a_party_must_be_listed_exactly_once_parties_are_configured() {
    let configured =
        |require_azp| VerifyOptions { authorized_parties: vec!["https://app.test".into()], require_azp, ..options() };
    for (azp, lenient, strict) in [
        (json!("https://app.test"), true, true),
        (json!(null), true, false),
        (json!("https://app.test:8443"), false, false),
        (json!("https://app.tes"), false, false),
        (json!("https://app.test/"), false, false),
        (json!("https://evil.test"), false, false),
        (json!(""), false, false),
        (json!(["https://app.test"]), false, false),
    ] {
        let token = INSTANCE.token(&claims_with(json!({"azp": azp})));
        for (require_azp, accepted) in [(false, lenient), (true, strict)] {
            let expected = if accepted { None } else { Some(Reason::TokenInvalidAuthorizedParties) };
            assert_eq!(
                verify_token(&token, &keys(), &configured(require_azp), now()).err(),
                expected,
                "{azp} {require_azp}"
            );
        }
        assert!(verify(&token).is_ok());
    }
}

#[test]
fn d4_15_the_subject_is_a_person() {
    for sub in [
        json!(null),
        json!(""),
        json!("mch_1"),
        json!("admin"),
        json!(1),
        json!(["user_1"]),
        json!("user_$gt"),
        json!("user_1\n"),
        json!(format!("user_{}", "x".repeat(200))),
    ] {
        assert_eq!(verify_claims(json!({"sub": sub})).err(), Some(Reason::TokenVerificationFailed), "{sub:.40}");
    }
    for sid in [json!(null), json!(""), json!(7)] {
        assert_eq!(verify_claims(json!({"sid": sid})).err(), Some(Reason::TokenVerificationFailed), "{sid}");
    }
}

#[test]
fn the_lax_setting_forgives_absence_and_nothing_else() {
    let lax = VerifyOptions { lax_claims: true, ..options() };
    let check = |changes: Value| verify_token(&INSTANCE.token(&claims_with(changes)), &keys(), &lax, now());
    assert_eq!(check(json!({"iss": null, "sid": null, "azp": null})).unwrap().sid, "");
    assert_eq!(check(json!({"iss": "https://evil.test"})).err(), Some(Reason::TokenVerificationFailed));
    assert_eq!(check(json!({"sub": ""})).err(), Some(Reason::TokenVerificationFailed));
    assert_eq!(check(json!({"exp": null})).err(), Some(Reason::TokenVerificationFailed));
}

#[test]
fn d4_16_whatever_is_not_active_is_pending() {
    for (sts, pending) in [
        (json!("active"), false),
        (json!(null), false),
        (json!("pending"), true),
        (json!("new"), true),
        (json!(1), true),
    ] {
        assert_eq!(verify_claims(json!({"sts": sts})).unwrap().is_pending(), pending, "{sts}");
    }
}

#[test]
fn d4_17_an_actor_is_never_overlooked() {
    for act in [json!({}), json!({"sub": ""}), json!({"sub": 1}), json!("user_2"), json!([])] {
        assert_eq!(verify_claims(json!({"act": act})).err(), Some(Reason::TokenVerificationFailed), "{act}");
    }
}

#[test]
fn d4_18_the_signature_is_judged_before_the_claims() {
    let good = INSTANCE.token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let other = INSTANCE.token(&claims_with(json!({"sub": "user_2"})));
    let expired = encode(claims_with(json!({"exp": 1, "iss": "https://evil.test"})).to_string());
    let changed_header = encode(header_with(json!({"oiat": 1})).to_string());
    for token in [
        format!("{}.{}.{}", parts[0], parts[1], other.rsplit('.').next().unwrap()),
        format!("{}.{expired}.{}", parts[0], parts[2]),
        format!("{changed_header}.{}.{}", parts[1], parts[2]),
        STRANGER.token(&claims()),
        format!("{}.{}.AAAA", parts[0], parts[1]),
    ] {
        assert_eq!(verify(&token), Err(Reason::TokenInvalidSignature));
    }
}

#[test]
fn d4_19_d4_20_other_forms_are_refused() {
    let good = INSTANCE.token(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    // A 256-byte signature ends in a character of which two bits are not used: another last character is the same bytes.
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.iter().position(|byte| Some(byte) == good.as_bytes().last()).unwrap();
    let non_canonical = format!("{}{}", &good[..good.len() - 1], char::from(alphabet[last | 1]));
    let array = format!("{}.{}.{}", encode("[]"), parts[1], parts[2]);
    let deep = format!("{}.{}.{}", parts[0], encode(format!("{}{}", "[".repeat(9000), "]".repeat(9000))), parts[2]);
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        " ".into(),
        "a".into(),
        parts[..2].join("."),
        format!("{good}.x"),
        format!("{good}.x.y"),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        format!("{good}="),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        good.replace('.', " "),
        non_canonical,
        array,
        deep,
        format!("{good}\u{e9}"),
        "x".repeat(LONGEST_TOKEN + 1),
        "x.".repeat(500_000),
    ] {
        assert_eq!(verify(&token), Err(Reason::TokenInvalid), "{token:.60}");
    }
    let large = INSTANCE.token(&claims_with(json!({"custom": "x".repeat(LONGEST_TOKEN)})));
    assert_eq!(verify(&large), Err(Reason::TokenInvalid));
}

#[test]
fn a_fixed_key_looks_at_no_key_id() {
    let fixed = KeySet::from_pems(&[STRANGER.pem(), INSTANCE.pem()]).unwrap();
    let token = INSTANCE.token_with(&header_with(json!({"kid": null})), &claims());
    assert!(verify_token(&token, &fixed, &options(), now()).is_ok());
    let other = KeySet::from_pems(&[STRANGER.pem()]).unwrap();
    assert_eq!(verify_token(&token, &other, &options(), now()).err(), Some(Reason::TokenInvalidSignature));
}

#[test]
fn signatures_are_made_as_the_tests_claim() {
    let token = INSTANCE.token_by(&RSA_PKCS1_SHA256, &header(), &claims());
    assert!(verify(&token).is_ok());
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,80}", header in "[{}\\[\\]\":,a-z0-9.]{0,40}", claims in "[{}\\[\\]\":,a-z0-9.]{0,40}") {
        let keys = KeySet::from_pems(&[INSTANCE.pem()]).unwrap();
        for token in [text.clone(), format!("{}.{}.{}", encode(&header), encode(&claims), encode(&text))] {
            prop_assert!(verify_token(&token, &keys, &options(), now()).is_err());
        }
    }
}
