//! Clerk's cookies: reading them, choosing between the two sets, removing them (`clerk.md` 1.2).
//!
//! Every cookie exists twice, plain and with the instance's suffix, because several instances can share a host. One decision
//! is made for all of them. Invariant: tokens are decoded here without a look at their signature, so what is found here
//! selects and never authorises.

use std::borrow::Cow;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::{Host, Url};

use crate::server::clerk::jwt::Decoded;
use crate::server::clerk::key::PublishableKey;

pub const SESSION: &str = "__session";
pub const CLIENT_UAT: &str = "__client_uat";
pub const DEV_BROWSER: &str = "__clerk_db_jwt";
pub const REFRESH: &str = "__refresh";
pub const HANDSHAKE: &str = "__clerk_handshake";
pub const HANDSHAKE_NONCE: &str = "__clerk_handshake_nonce";
pub const REDIRECT_COUNT: &str = "__clerk_redirect_count";

const PREFIXES: [&str; 4] = [SESSION, CLIENT_UAT, "__clerk_", REFRESH];
/// D4-20. Nobody has that many of Clerk's cookies; what comes after is not read.
const MOST_COOKIES: usize = 64;
const LONGEST_HEADER: usize = 64 * 1024;

/// Clerk's cookies of one request.
#[derive(Clone, Debug, Default)]
pub struct Cookies<'a> {
    pairs: Vec<(&'a str, Cow<'a, str>)>,
}

impl<'a> Cookies<'a> {
    /// Splits first and decodes the values after: the other order would let a value smuggle in further cookies.
    pub fn parse(header: &'a str) -> Self {
        let header = if header.len() <= LONGEST_HEADER { header } else { "" };
        let pairs = header
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.trim(), value.trim()))
            .filter(|(name, _)| PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
            .take(MOST_COOKIES)
            .map(|(name, value)| (name, decode(value)))
            .collect();
        Self { pairs }
    }

    /// The first cookie of that name; an empty one counts as absent.
    pub fn find(&self, name: &str) -> Option<&str> {
        let (_, value) = self.pairs.iter().find(|(known, _)| *known == name)?;
        Some(value.as_ref()).filter(|value| !value.is_empty())
    }

    fn find_suffixed(&self, name: &str, suffix: &str) -> Option<&str> {
        let matches = |known: &str| known.strip_prefix(name).and_then(|rest| rest.strip_prefix('_')) == Some(suffix);
        let (_, value) = self.pairs.iter().find(|(known, _)| matches(known))?;
        Some(value.as_ref()).filter(|value| !value.is_empty())
    }
}

fn decode(value: &str) -> Cow<'_, str> {
    percent_decode_str(value).decode_utf8().unwrap_or(Cow::Borrowed(value))
}

/// The set that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub suffixed: bool,
    pub session: Option<String>,
    /// When the browser's sign-in state last changed, in seconds; 0 is signed out. Clerk's library reads the beginning of a
    /// text as a number and takes a negative one for signed in; here both are 0.
    pub client_uat: i64,
    pub dev_browser: Option<String>,
    pub refresh: Option<String>,
}

impl Chosen {
    /// `issuer` is the `iss` of this site's tokens.
    pub fn from_cookies(cookies: &Cookies<'_>, key: &PublishableKey, issuer: &str, now: Timestamp) -> Self {
        let suffix = key.cookie_suffix();
        let suffixed = uses_suffixed(cookies, key, issuer, now);
        let find = |name: &str| if suffixed { cookies.find_suffixed(name, suffix) } else { cookies.find(name) };
        Self {
            suffixed,
            session: find(SESSION).map(str::to_owned),
            client_uat: find(CLIENT_UAT).map_or(0, seconds),
            dev_browser: find(DEV_BROWSER).map(str::to_owned),
            refresh: cookies.find_suffixed(REFRESH, suffix).map(str::to_owned),
        }
    }
}

/// Plain digits, few enough not to overflow anything they are compared with.
fn seconds(text: &str) -> i64 {
    let plain = text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain).unwrap_or(0)
}

/// The eight steps, in their order. The first that applies decides.
fn uses_suffixed(cookies: &Cookies<'_>, key: &PublishableKey, issuer: &str, now: Timestamp) -> bool {
    let suffix = key.cookie_suffix();
    let (session, uat) = (cookies.find(SESSION), cookies.find(CLIENT_UAT));
    let (own_session, own_uat) = (cookies.find_suffixed(SESSION, suffix), cookies.find_suffixed(CLIENT_UAT, suffix));
    let (token, own_token) = (session.and_then(Decoded::read), own_session.and_then(Decoded::read));

    if session.is_some() {
        // 1: it cannot be told whose this is; the plain set leads to signed out and not into a redirect.
        let named = token.as_ref().and_then(|token| token.claims.get("iss")).filter(|named| !is_empty(named));
        let Some(named) = named else { return false };
        // 2: it is another instance's.
        if named.as_str().map(without_scheme) != Some(without_scheme(issuer)) {
            return true;
        }
    }
    // 3: there is nothing to choose.
    if own_uat.is_none() && own_session.is_none() {
        return false;
    }
    let made_at = |token: &Option<Decoded<'_>>| token.as_ref().and_then(|token| token.seconds("iat")).unwrap_or(0);
    let (zero, own_zero) = (uat == Some("0"), own_uat == Some("0"));
    // 4: both say signed in, and the plain token is newer.
    if !own_zero && !zero && made_at(&token) > made_at(&own_token) {
        return false;
    }
    // 5: an older clerk-js, which knows no suffix, has signed in since.
    if own_zero && !zero {
        return false;
    }
    // 6: an older clerk-js has signed out since. Only development needs this, where clerk-js writes the time itself.
    let own_expired =
        own_token.as_ref().and_then(|token| token.seconds("exp")).is_some_and(|exp| exp <= now.as_second());
    if !key.is_production() && !own_zero && zero && own_expired {
        return false;
    }
    // 7: Clerk has switched the suffix off; 8: otherwise the suffixed set.
    !(own_session.is_some() && own_uat.is_none())
}

fn is_empty(claim: &Value) -> bool {
    matches!(claim, Value::Null | Value::Bool(false)) || claim.as_str() == Some("") || claim.as_f64() == Some(0.0)
}

fn without_scheme(issuer: &str) -> &str {
    issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://")).unwrap_or(issuer)
}

/// The cookies that end a session in this browser, for our own sign-out: session and refresh cookies removed, both times
/// zero.
///
/// The session cookie and what renews it belong to the host. The time belongs to the domain that the instance's Frontend API
/// shares with this site, as far as the key tells; where it lies still higher, the next page load asks Clerk, which knows of
/// the sign-out.
pub fn clear_session_cookies(key: &PublishableKey, public_url: &Url) -> Vec<String> {
    let secure = if public_url.scheme() == "https" { "; Secure" } else { "" };
    let domain = shared_domain(key, public_url).map(|domain| format!("; Domain={domain}")).unwrap_or_default();
    let suffixed = |name: &str| format!("{name}_{}", key.cookie_suffix());
    let removed = |name: &str| format!("{name}=; Path=/; {EXPIRED}; SameSite=Lax{secure}");
    let zero = |name: &str| format!("{name}=0; Path=/{domain}; Max-Age=31536000; SameSite=Lax{secure}");
    vec![
        removed(SESSION),
        removed(&suffixed(SESSION)),
        removed(REFRESH),
        removed(&suffixed(REFRESH)),
        zero(CLIENT_UAT),
        zero(&suffixed(CLIENT_UAT)),
    ]
}

/// Removes a cookie that Clerk set on a domain above this host: which one is not known, so on each. A browser ignores the
/// ones that are nobody's to write.
pub fn clear_everywhere(name: &str, public_url: &Url) -> Vec<String> {
    let secure = if public_url.scheme() == "https" { "; Secure" } else { "" };
    let mut texts = vec![format!("{name}=; Path=/; {EXPIRED}; SameSite=Lax{secure}")];
    let parents = domains_of(public_url);
    texts.extend(
        parents.iter().map(|domain| format!("{name}=; Path=/; Domain={domain}; {EXPIRED}; SameSite=Lax{secure}")),
    );
    texts
}

const EXPIRED: &str = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0";

/// The host and what lies above it, while there is a dot: `a.b.test`, `b.test`.
fn domains_of(url: &Url) -> Vec<&str> {
    const DEEPEST: usize = 4;
    let Some(Host::Domain(host)) = url.host() else { return Vec::new() };
    let parents = std::iter::successors(Some(host), |host| host.split_once('.').map(|(_, parent)| parent));
    let mut domains: Vec<_> = parents.filter(|domain| domain.trim_matches('.').contains('.')).collect();
    // The widest are where Clerk writes.
    domains.drain(..domains.len().saturating_sub(DEEPEST));
    domains
}

fn shared_domain<'a>(key: &PublishableKey, public_url: &'a Url) -> Option<&'a str> {
    let frontend = key.frontend_api_host();
    let covers =
        |domain: &&str| frontend == *domain || frontend.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    domains_of(public_url).into_iter().find(|domain| key.is_production() && covers(domain))
}

#[cfg(test)]
mod tests;
