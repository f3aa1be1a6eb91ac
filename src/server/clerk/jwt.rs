//! The outer form of a signed token: three parts, their JSON, the signature over them (`clerk.md` 1.4, 1.5).
//!
//! It is the only place that cuts a token apart, so session tokens and handshakes are read the same way. What the claims
//! mean, and whether they are acceptable, is decided by [`session`](crate::server::clerk::session) and
//! [`handshake`](crate::server::clerk::handshake). Invariant: [`Decoded`] is a reading, never a proof; the proof is
//! [`Decoded::is_signed_by`].

use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// D4-20. A browser keeps no cookie over 4 kB and Clerk moves large handshakes out of the URL.
pub const LONGEST_TOKEN: usize = 16 * 1024;

/// Marks a session token and a handshake. All classes of token are signed with one key, so the class is what keeps a
/// template token, whose content application code chooses, from being taken for either.
pub const CATEGORY_SESSION: &str = "cl_B7d4PD111AAA";
/// Marks a token whose class is not to be judged.
pub const CATEGORY_IGNORE: &str = "cl_I7d4PD111III";

/// A public RSA key for signatures, made ready once: to do so again for each token was a seventh of what one costs.
#[derive(Debug)]
pub struct RsaKey(ParsedPublicKey);

impl RsaKey {
    /// Of a JWK's `n` and `e`, in base64url.
    pub fn of_components(modulus: &str, exponent: &str) -> Option<Self> {
        let (n, e) = (URL_SAFE_NO_PAD.decode(modulus).ok()?, URL_SAFE_NO_PAD.decode(exponent).ok()?);
        RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok().map(Self)
    }

    /// Of what a PEM text holds: `SubjectPublicKeyInfo` or `RSAPublicKey`.
    pub fn of_der(der: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).ok().map(Self)
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

/// A token cut apart and read, not believed.
#[derive(Clone, Debug)]
pub struct Decoded<'a> {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    text: &'a str,
    message: &'a str,
    signature: Vec<u8>,
}

impl<'a> Decoded<'a> {
    /// `None` for anything that is not three parts of canonical base64url with two JSON objects in front (D4-19), is too
    /// long, demands extensions (`crit`, D4-06) or names its key by something other than text.
    pub fn read(token: &'a str) -> Option<Self> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let header = object(header)?;
        if header.contains_key("crit")
            || header.contains_key("b64")
            || header.get("kid").is_some_and(|kid| !kid.is_string())
        {
            return None;
        }
        Some(Self { header, claims: object(claims)?, text: token, message, signature })
    }

    /// The token as it came.
    pub fn as_str(&self) -> &'a str {
        self.text
    }

    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Value::as_str)
    }

    /// D4-08. Absence is accepted, as Clerk's own library does.
    pub fn has_jwt_type(&self) -> bool {
        self.header.get("typ").is_none_or(|typ| typ == "JWT")
    }

    /// D4-01, D4-02, D4-03: Clerk signs with RS256, so nothing else is tried, although its own library would take RS384
    /// and RS512.
    pub fn has_our_algorithm(&self) -> bool {
        self.header.get("alg").is_some_and(|alg| alg == "RS256")
    }

    /// D4-09.
    pub fn has_session_category(&self) -> bool {
        self.header.get("cat").is_none_or(|category| category == CATEGORY_SESSION || category == CATEGORY_IGNORE)
    }

    /// A token of a machine, not of a person.
    pub fn is_of_a_machine(&self) -> bool {
        self.header.get("typ").is_some_and(|typ| typ == "at+jwt" || typ == "application/at+jwt")
            || self.text("sub").is_some_and(|sub| sub.starts_with("mch_"))
    }

    /// A claim, if it is text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }

    /// A claim, if it is a whole number of seconds that a clock can show. Fractions, texts and negative numbers are not
    /// (D4-12).
    pub fn seconds(&self, claim: &str) -> Option<i64> {
        const LAST: i64 = 253_402_300_799;
        self.claims.get(claim).and_then(Value::as_i64).filter(|seconds| (0..=LAST).contains(seconds))
    }

    /// Whether one of the keys signed exactly this header and these claims. Keys that a token carries or points to are
    /// never looked at (D4-05).
    pub fn is_signed_by(&self, keys: &[RsaKey]) -> bool {
        keys.iter().any(|key| key.has_signed(self.message.as_bytes(), &self.signature))
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}
