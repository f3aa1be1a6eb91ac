//! Session token → claims (`clerk.md` 1.4, 1.5; attack list D4).
//!
//! Pure: keys, options and the time are parameters. It knows tokens, not cookies or requests, and does not know whether the
//! person still exists. Stricter than Clerk's own library on purpose: RS256 only, and `iss`, `sid`, `iat` and a `sub` of a
//! person are demanded, although Clerk's own test suite uses tokens without the first two; `lax_claims` is for instances
//! that need it so.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::server::clerk::jwks::{KeySet, Lookup};
use crate::server::clerk::jwt::Decoded;
use crate::server::clerk::lenient::is_id;
use crate::server::clerk::membership::Organization;

/// Why a token was not accepted. The texts are Clerk's own, which its tools and documentation use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.as_str())]
pub enum Reason {
    TokenInvalid,
    TokenTypeMismatch,
    JwkLocalMissing,
    JwkFailedToResolve,
    JwkRemoteFailedToLoad,
    SecretKeyInvalid,
    JwkKidMismatch,
    TokenInvalidAlgorithm,
    TokenInvalidSignature,
    TokenVerificationFailed,
    TokenInvalidAuthorizedParties,
    TokenExpired,
    TokenNotActiveYet,
    TokenIatInTheFuture,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenInvalid => "token-invalid",
            Self::TokenTypeMismatch => "token-type-mismatch",
            Self::JwkLocalMissing => "jwk-local-missing",
            Self::JwkFailedToResolve => "jwk-failed-to-resolve",
            Self::JwkRemoteFailedToLoad => "jwk-remote-failed-to-load",
            Self::SecretKeyInvalid => "secret-key-invalid",
            Self::JwkKidMismatch => "jwk-kid-mismatch",
            Self::TokenInvalidAlgorithm => "token-invalid-algorithm",
            Self::TokenInvalidSignature => "token-invalid-signature",
            Self::TokenVerificationFailed => "token-verification-failed",
            Self::TokenInvalidAuthorizedParties => "token-invalid-authorized-parties",
            Self::TokenExpired => "token-expired",
            Self::TokenNotActiveYet => "token-not-active-yet",
            Self::TokenIatInTheFuture => "token-iat-in-the-future",
        }
    }

    /// Whether a fresh token would do, or a better clock: what a handshake can mend.
    pub fn is_about_time(self) -> bool {
        matches!(self, Self::TokenExpired | Self::TokenNotActiveYet | Self::TokenIatInTheFuture)
    }
}

/// What is demanded of a token.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// The exact `iss`, from [`PublishableKey::issuer`](crate::server::clerk::key::PublishableKey::issuer).
    pub issuer: String,
    /// The origins a token may have been made for. Empty: not checked.
    pub authorized_parties: Vec<String>,
    /// Whether a token without `azp` is refused. Tokens from a handshake carry none, so this locks out whoever was last
    /// refreshed by a page load until clerk-js renews the token.
    pub require_azp: bool,
    /// How far clocks may differ. Clerk's own default is 5 s.
    pub clock_skew: Duration,
    /// Accept tokens without `iss` or `sid`, as Clerk's own library does. A wrong `iss` is refused all the same.
    pub lax_claims: bool,
    /// What a token may be meant for, where it says so (A3-17). Empty: not checked.
    pub audiences: Vec<String>,
}

impl VerifyOptions {
    pub fn for_issuer(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            authorized_parties: Vec::new(),
            require_azp: false,
            clock_skew: Duration::from_secs(5),
            lax_claims: false,
            audiences: Vec::new(),
        }
    }

    /// Whether what was found good with these options, or with others of the same instance, still is.
    pub fn still_accept(&self, claims: &Claims, now: Timestamp) -> bool {
        let times = Times { exp: claims.exp, nbf: claims.nbf, iat: claims.iat };
        self.admit(claims.azp.as_deref()) && times.check(self.clock_skew, now).is_ok()
    }

    fn admit(&self, party: Option<&str>) -> bool {
        match party {
            None => !self.require_azp,
            Some(party) => self.authorized_parties.is_empty() || self.authorized_parties.iter().any(|own| own == party),
        }
    }
}

/// A believed token's content. Ids and times only; what they mean for a person is for others to find out.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims {
    pub sub: String,
    /// Empty only with `lax_claims`.
    pub sid: String,
    pub iat: i64,
    pub exp: i64,
    pub nbf: Option<i64>,
    pub azp: Option<String>,
    pub sts: Status,
    /// Who acts in the person's place, during impersonation (D4-17).
    pub act: Option<Actor>,
    pub fva: Option<FactorAge>,
    /// The version of the claims: 2, or 1 for what Clerk no longer issues.
    pub v: u8,
    pub org: Option<Organization>,
    /// Everything else: what the instance adds to its tokens.
    pub extra: Map<String, Value>,
}

impl Claims {
    /// Who really asks, while somebody is impersonated.
    pub fn actor(&self) -> Option<&str> {
        self.act.as_ref().map(|actor| actor.sub.as_str())
    }

    /// Signed in, but with something left to do that the instance demands (D4-16).
    pub fn is_pending(&self) -> bool {
        self.sts == Status::Pending
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Pending,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    pub sub: String,
    pub claims: Map<String, Value>,
}

/// Minutes since each factor was last proved; `None` is never (D4-25).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactorAge {
    pub first: Option<u32>,
    pub second: Option<u32>,
}

/// Decides about one token, in the order of Clerk's own library: form, key, type, algorithm, signature, then claims, so
/// that nobody without the key learns anything about our configuration.
pub fn verify_token(token: &str, keys: &KeySet, options: &VerifyOptions, now: Timestamp) -> Result<Claims, Reason> {
    let token = Decoded::read(token).ok_or(Reason::TokenInvalid)?;
    verify_decoded(&token, keys, options, now)
}

/// As [`verify_token`], for a token that was cut apart before.
pub fn verify_decoded(
    token: &Decoded<'_>,
    keys: &KeySet,
    options: &VerifyOptions,
    now: Timestamp,
) -> Result<Claims, Reason> {
    if !token.has_session_category() {
        return Err(Reason::TokenInvalid);
    }
    verify_signature(token, keys)?;
    check_parties(token, options)?;
    let times = Times::read(token)?;
    times.check(options.clock_skew, now)?;
    read_claims(token, &times)
}

/// Everything up to the signature; handshakes need this part alone.
pub fn verify_signature(token: &Decoded<'_>, keys: &KeySet) -> Result<(), Reason> {
    let candidates = match keys.find(token.kid()) {
        Lookup::Found(candidates) => candidates,
        Lookup::Unknown { .. } => return Err(Reason::JwkKidMismatch),
        Lookup::Unavailable { reason, .. } => return Err(reason),
    };
    if !token.has_jwt_type() {
        return Err(Reason::TokenInvalid);
    }
    if !token.has_our_algorithm() {
        return Err(Reason::TokenInvalidAlgorithm);
    }
    if token.is_signed_by(candidates) { Ok(()) } else { Err(Reason::TokenInvalidSignature) }
}

/// Whether fetching the keys again is worth it for this token: its key is unknown, a fetch is allowed, and nothing that can
/// be seen without a key already speaks against it. `issuer` is `None` for handshakes, which name none.
pub fn wants_new_keys(token: &Decoded<'_>, keys: &KeySet, issuer: Option<&str>) -> bool {
    let allowed =
        matches!(keys.find(token.kid()), Lookup::Unknown { refetch: true } | Lookup::Unavailable { refetch: true, .. });
    let plausible = token.has_jwt_type() && token.has_our_algorithm() && token.has_session_category();
    let issuer_fits = issuer.is_none_or(|issuer| token.text("iss").is_none_or(|iss| iss == issuer));
    allowed && plausible && issuer_fits
}

/// D4-13, D4-14, D4-15: for whom, by whom, for which site.
fn check_parties(token: &Decoded<'_>, options: &VerifyOptions) -> Result<(), Reason> {
    let sub = token.text("sub").unwrap_or_default();
    if !is_id(sub) || !(sub.starts_with("user_") || options.lax_claims) {
        return Err(Reason::TokenVerificationFailed);
    }
    let iss_missing = !token.claims.contains_key("iss");
    if token.text("iss") != Some(options.issuer.as_str()) && !(options.lax_claims && iss_missing) {
        return Err(Reason::TokenVerificationFailed);
    }
    if token.text("sid").is_none_or(str::is_empty) && !options.lax_claims {
        return Err(Reason::TokenVerificationFailed);
    }
    if !is_meant_for(token.claims.get("aud"), &options.audiences) {
        return Err(Reason::TokenVerificationFailed);
    }
    let allowed = match token.claims.get("azp") {
        None | Some(Value::Null) => options.admit(None),
        // What is no text is no party that could be listed.
        Some(azp) => options.admit(Some(azp.as_str().unwrap_or_default())),
    };
    if allowed { Ok(()) } else { Err(Reason::TokenInvalidAuthorizedParties) }
}

/// As Clerk's own library judges an audience: one of those that the token names is enough, and none says nothing.
fn is_meant_for(claim: Option<&Value>, audiences: &[String]) -> bool {
    let is_ours = |named: &Value| named.as_str().is_some_and(|named| audiences.iter().any(|ours| ours == named));
    if audiences.is_empty() {
        return true;
    }
    match claim {
        None | Some(Value::Null) => true,
        Some(Value::String(named)) if named.is_empty() => true,
        Some(Value::Array(named)) if named.is_empty() => true,
        Some(Value::Array(named)) => named.iter().any(is_ours),
        Some(named) => is_ours(named),
    }
}

/// D4-10, D4-11, D4-12.
struct Times {
    exp: i64,
    nbf: Option<i64>,
    iat: i64,
}

impl Times {
    fn read(token: &Decoded<'_>) -> Result<Self, Reason> {
        let (Some(exp), Some(iat)) = (token.seconds("exp"), token.seconds("iat")) else {
            return Err(Reason::TokenVerificationFailed);
        };
        let nbf = match token.claims.get("nbf") {
            None => None,
            Some(_) => Some(token.seconds("nbf").ok_or(Reason::TokenVerificationFailed)?),
        };
        Ok(Self { exp, nbf, iat })
    }

    fn check(&self, skew: Duration, now: Timestamp) -> Result<(), Reason> {
        let skew = i64::try_from(skew.as_millis()).unwrap_or(i64::MAX);
        let now = now.as_millisecond();
        if self.exp * 1000 <= now.saturating_sub(skew) {
            return Err(Reason::TokenExpired);
        }
        if self.nbf.is_some_and(|nbf| nbf * 1000 > now.saturating_add(skew)) {
            return Err(Reason::TokenNotActiveYet);
        }
        if self.iat * 1000 > now.saturating_add(skew) {
            return Err(Reason::TokenIatInTheFuture);
        }
        Ok(())
    }
}

/// Claims with a meaning of their own; the rest is the instance's.
const READ: [&str; 18] = [
    "sub",
    "sid",
    "iat",
    "exp",
    "nbf",
    "iss",
    "azp",
    "sts",
    "act",
    "fva",
    "v",
    "o",
    "jti",
    "org_id",
    "org_slug",
    "org_role",
    "org_permissions",
    "aud",
];

fn read_claims(token: &Decoded<'_>, times: &Times) -> Result<Claims, Reason> {
    let text = |claim: &str| token.text(claim).map(str::to_owned);
    let claims = &token.claims;
    let sts = match claims.get("sts") {
        None => Status::Active,
        Some(status) if status == "active" => Status::Active,
        // A status that is unknown today must not open what a pending session may not open.
        Some(_) => Status::Pending,
    };
    let act = match claims.get("act") {
        None | Some(Value::Null) => None,
        Some(act) => Some(read_actor(act).ok_or(Reason::TokenVerificationFailed)?),
    };
    Ok(Claims {
        sub: text("sub").ok_or(Reason::TokenVerificationFailed)?,
        sid: text("sid").unwrap_or_default(),
        iat: times.iat,
        exp: times.exp,
        nbf: times.nbf,
        azp: text("azp"),
        sts,
        act,
        fva: claims.get("fva").and_then(read_factor_age),
        v: claims.get("v").and_then(Value::as_u64).and_then(|version| u8::try_from(version).ok()).unwrap_or(1),
        org: Organization::read(claims),
        extra: claims
            .iter()
            .filter(|(name, _)| !READ.contains(&name.as_str()))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect(),
    })
}

/// An `act` that cannot be read refuses the token: overlooking it would turn an impersonation into the person.
fn read_actor(act: &Value) -> Option<Actor> {
    let claims = act.as_object()?;
    let sub = claims.get("sub").and_then(Value::as_str).filter(|sub| !sub.is_empty())?;
    Some(Actor { sub: sub.to_owned(), claims: claims.clone() })
}

fn read_factor_age(fva: &Value) -> Option<FactorAge> {
    let [first, second] = fva.as_array()?.as_slice() else { return None };
    let minutes = |value: &Value| value.as_u64().and_then(|minutes| u32::try_from(minutes).ok());
    Some(FactorAge { first: minutes(first), second: minutes(second) })
}

#[cfg(test)]
mod tests;
