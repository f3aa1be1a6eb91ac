//! Keys made for one test run, and tokens signed with them. For tests only.

use std::sync::LazyLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::server::clerk::jwks::KeySet;

/// The instance that the tests are about.
pub const PUBLISHABLE_TEST: &str = "pk_test_Y2xlcmsuY2xlcmsuZGV2JA";
pub const PUBLISHABLE_LIVE: &str = "pk_live_Y2xlcmsuY2xlcmsuZGV2JA";
pub const ISSUER: &str = "https://clerk.clerk.dev";
pub const KID: &str = "ins_test";
pub const NOW: i64 = 1_750_000_000;

pub static INSTANCE: LazyLock<Signer> = LazyLock::new(Signer::generate);
pub static STRANGER: LazyLock<Signer> = LazyLock::new(Signer::generate);

pub struct Signer {
    key: KeyPair,
}

pub fn now() -> Timestamp {
    at(0)
}

/// So many seconds after the moment that the tests happen in.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(NOW + seconds).unwrap()
}

/// What Clerk puts into a session token at [`NOW`].
pub fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "user_1", "sid": "sess_1", "iat": NOW, "nbf": NOW - 10, "exp": NOW + 60, "jti": "j",
        "v": 2, "fva": [0, -1], "sts": "active",
    })
}

/// [`claims`] with some of them replaced, or removed where the replacement is `null`.
pub fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    merge(claims.as_object_mut().unwrap(), changes);
    claims
}

pub fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": KID, "cat": "cl_B7d4PD111AAA"})
}

pub fn header_with(changes: Value) -> Value {
    let mut header = header();
    merge(header.as_object_mut().unwrap(), changes);
    header
}

fn merge(into: &mut Map<String, Value>, changes: Value) {
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (name, value) in changes {
        if value.is_null() {
            into.remove(&name)
        } else {
            into.insert(name, value)
        };
    }
}

pub fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

impl Signer {
    fn generate() -> Self {
        Self { key: KeyPair::generate(KeySize::Rsa2048).unwrap() }
    }

    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&header(), claims)
    }

    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.token_by(&RSA_PKCS1_SHA256, header, claims)
    }

    pub fn token_by(&self, algorithm: &'static dyn RsaEncoding, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = self.sign(algorithm, message.as_bytes());
        format!("{message}.{}", encode(signature))
    }

    pub fn sign(&self, algorithm: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(algorithm, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    /// The public key as Clerk's dashboard shows it.
    pub fn pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        let base64 = STANDARD.encode(der.as_ref());
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }

    /// The public key as the key endpoint lists it.
    pub fn jwk(&self, kid: &str) -> Value {
        let public = self.key.public_key();
        let modulus = encode(public.modulus().big_endian_without_leading_zero());
        let exponent = encode(public.exponent().big_endian_without_leading_zero());
        json!({"use": "sig", "kty": "RSA", "kid": kid, "alg": "RS256", "n": modulus, "e": exponent})
    }

    pub fn key_set(&self, kid: &str) -> KeySet {
        KeySet::from_json(json!({"keys": [self.jwk(kid)]}).to_string().as_bytes()).unwrap()
    }
}

/// The keys of the instance, by id.
pub fn keys() -> KeySet {
    INSTANCE.key_set(KID)
}
