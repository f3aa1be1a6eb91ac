//! The keys of an instance: publishable key, cookie suffix, RSA signing key in all the forms Clerk publishes.
//!
//! Does not know what is signed; see `token` and `fapi::handshake`.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::standin::ids;

/// The class Clerk writes into the header of session tokens and of handshakes.
pub const SESSION_CATEGORY: &str = "cl_B7d4PD111AAA";

const DEVELOPMENT_HOST: &str = "rollcall-local-1.clerk.accounts.dev";
const PRODUCTION_HOST: &str = "clerk.rollcall.example";

/// A publishable key and what follows from its text.
#[derive(Debug, Clone)]
pub struct Publishable {
    pub text: String,
    pub host: &'static str,
    pub cookie_suffix: String,
}

impl Publishable {
    pub fn new(production: bool) -> Publishable {
        let (prefix, host) = if production { ("pk_live_", PRODUCTION_HOST) } else { ("pk_test_", DEVELOPMENT_HOST) };
        let text = format!("{prefix}{}", STANDARD_NO_PAD.encode(format!("{host}$")));
        let cookie_suffix = cookie_suffix(&text);
        Publishable { text, host, cookie_suffix }
    }

    pub fn issuer(&self) -> String {
        format!("https://{}", self.host)
    }
}

/// The first eight characters of the URL-safe base64 of the SHA-1 of the publishable key.
pub fn cookie_suffix(publishable_key: &str) -> String {
    let hash = STANDARD.encode(Sha1::digest(publishable_key.as_bytes()));
    hash.chars()
        .take(8)
        .map(|letter| match letter {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect()
}

/// The instance's RSA key and its `kid`, which at Clerk is the instance's own id.
pub struct SigningKey {
    pair: KeyPair,
    pub kid: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    pub fn generate() -> std::io::Result<SigningKey> {
        let pair =
            KeyPair::generate(KeySize::Rsa2048).map_err(|_| std::io::Error::other("no RSA key could be made"))?;
        Ok(SigningKey { pair, kid: ids::seeded("ins", "rollcall-local") })
    }

    pub fn load(pkcs8: &str) -> std::io::Result<SigningKey> {
        let invalid =
            |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, format!("the saved signing key: {what}"));
        let der = STANDARD.decode(pkcs8).map_err(|_| invalid("not base64"))?;
        let pair = KeyPair::from_pkcs8(&der).map_err(|_| invalid("not an RSA key"))?;
        Ok(SigningKey { pair, kid: ids::seeded("ins", "rollcall-local") })
    }

    /// The private key as base64 of PKCS#8, for the state file only.
    pub fn save(&self) -> Option<String> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().ok()?;
        Some(STANDARD.encode(der.as_ref()))
    }

    /// A compact JWT with Clerk's header.
    ///
    /// # Panics
    /// Never; see the expectation inside.
    pub fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "cat": SESSION_CATEGORY, "kid": self.kid, "typ": "JWT" });
        let message = format!("{}.{}", encode_part(&header), encode_part(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
            .expect("the buffer has the length of the modulus, and PKCS#1 signing has no other way to fail");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whether this is the signature of what it stands below: there is one for each text.
    pub fn has_signed(&self, token: &str) -> bool {
        let Some((message, signature)) = token.rsplit_once('.') else { return false };
        let mut own = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut own);
        signed.is_ok() && URL_SAFE_NO_PAD.encode(own) == signature
    }

    pub fn jwks(&self) -> Value {
        let public = self.pair.public_key();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "keys": [{
            "kid": self.kid, "alg": "RS256", "use": "sig", "kty": "RSA",
            "n": part(public.modulus().big_endian_without_leading_zero()),
            "e": part(public.exponent().big_endian_without_leading_zero()),
        }] })
    }

    /// The public key as a PEM text, as the dashboard shows it.
    ///
    /// # Panics
    /// Never; see the expectation inside.
    pub fn public_pem(&self) -> String {
        let der: PublicKeyX509Der<'_> =
            self.pair.public_key().as_der().expect("a key that was made or loaded has a DER form");
        let body = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = (0..body.len()).step_by(64).map(|at| &body[at..body.len().min(at + 64)]).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    }
}

fn encode_part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::jwk::JwkSet;
    use jsonwebtoken::{Algorithm, DecodingKey, Validation};

    use super::*;

    #[test]
    fn the_cookie_suffix_is_clerks() {
        assert_eq!(cookie_suffix("pk_live_Y2xlcmsuY2xlcmsuZGV2JA"), "1Z8AzTQD");
        assert_eq!(cookie_suffix("pk_test_Y2xlcmsuY2xlcmsuZGV2JA"), "QvfNY2dr");
    }

    #[test]
    fn the_publishable_key_names_its_host() {
        let key = Publishable::new(false);
        let decoded = STANDARD_NO_PAD.decode(key.text.strip_prefix("pk_test_").unwrap()).unwrap();
        assert_eq!(decoded, b"rollcall-local-1.clerk.accounts.dev$");
        assert!(Publishable::new(true).text.starts_with("pk_live_"));
    }

    #[test]
    fn both_public_forms_verify_what_the_key_signs_also_after_a_reload() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::load(&key.save().unwrap()).unwrap();
        let token = again.sign(&json!({ "sub": "user_1", "exp": 32_503_680_000_i64 }));
        let set: JwkSet = serde_json::from_value(key.jwks()).unwrap();
        for decoding in [
            DecodingKey::from_jwk(&set.keys[0]).unwrap(),
            DecodingKey::from_rsa_pem(key.public_pem().as_bytes()).unwrap(),
        ] {
            let read = jsonwebtoken::decode::<Value>(&token, &decoding, &Validation::new(Algorithm::RS256)).unwrap();
            assert_eq!(read.claims["sub"], "user_1");
            assert_eq!(read.header.kid.as_deref(), Some(key.kid.as_str()));
        }
    }
}
