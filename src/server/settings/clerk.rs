//! Table `[clerk]`: which Clerk instance, under Clerk's own variable names.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::server::clerk::handshake::Satellite;
use crate::server::clerk::handshake::organization::{OrganizationPaths, PathPattern};
use crate::server::clerk::jwks::KeySet;
use crate::server::clerk::key::{PublishableKey, SecretKey};
use crate::server::clerk::webhook::Verifier;
use crate::server::settings::Environment;
use crate::server::settings::reader::Reader;

/// Names of the webhook secret's variable, first wins (requirements section 0).
pub const WEBHOOK_SECRET_VARIABLES: [&str; 3] =
    ["CLERK_WEBHOOK_SIGNING_SECRET", "CLERK_WEBHOOK_SECRET", "WEBHOOK_SECRET"];
const PUBLISHABLE_KEY_VARIABLES: [&str; 2] = ["CLERK_PUBLISHABLE_KEY", "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"];

#[derive(Clone, Debug)]
pub struct Clerk {
    pub publishable_key: PublishableKey,
    pub secret_key: SecretKey,
    /// Empty only in development: the webhook then answers 500 and says which variable is missing (A2-17).
    pub webhook_secrets: Vec<SecretString>,
    /// Events of any other instance are refused (D3-25).
    pub instance_id: Option<String>,
    /// PEM; sessions are then checked without asking Clerk for its keys.
    pub jwt_key: Option<String>,
    pub api_url: Url,
    pub proxy_url: Option<String>,
    pub domain: Option<String>,
    /// Set if sessions are taken over from a primary domain.
    pub satellite: Option<Satellite>,
    /// The origins that take sessions over from here.
    pub satellites: Vec<String>,
    pub organizations: OrganizationPaths,
    pub sign_in_url: String,
    pub sign_up_url: String,
    pub authorized_parties: Vec<String>,
    pub tokens: Tokens,
    pub timeout: Duration,
    /// The most calls to the Backend API in any ten seconds, of all processes on this database together.
    pub calls_in_ten_seconds: u32,
}

/// What is demanded of a session token, where instances differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// One that does not say for which origin it was made is refused.
    pub require_azp: bool,
    /// One without `iss` or `sid` is accepted.
    pub lax_claims: bool,
    /// How far Clerk's clock and ours may differ.
    pub clock_skew: Duration,
    /// One that is meant for others only is refused (A3-17); none: whoever it is meant for.
    pub audiences: Vec<String>,
}

impl Clerk {
    pub fn read(reader: &mut Reader<'_>, environment: Environment, public_url: Option<&Url>) -> Option<Self> {
        let publishable_key = read_publishable_key(reader);
        let secret_key = read_secret_key(reader);
        if let (Some(publishable), Some(secret)) = (&publishable_key, &secret_key)
            && publishable.instance_kind() != secret.instance_kind()
        {
            reader.problem::<()>(
                "CLERK_SECRET_KEY",
                "and CLERK_PUBLISHABLE_KEY must be of one instance: one is live, one is test",
            );
        }
        let webhook_secrets = read_webhook_secrets(reader, environment);
        let instance_id = reader.text("clerk", "instance-id", &["ROLLCALL_CLERK_INSTANCE_ID"]);
        if instance_id.as_ref().is_some_and(|id| !id.starts_with("ins_")) {
            reader.problem::<()>("ROLLCALL_CLERK_INSTANCE_ID", "must be an instance's id, which begins with ins_");
        }
        let jwt_key = read_jwt_key(reader);
        let api_url = read_api_url(reader);
        let proxy_url = read_proxy_url(reader);
        let domain = reader.text("clerk", "domain", &["CLERK_DOMAIN"]);
        if domain.as_ref().is_some_and(|domain| !is_domain(domain)) {
            reader.problem::<()>("CLERK_DOMAIN", "must be a domain such as satellite.example.com");
        }
        let sign_in_url = read_page(reader, "sign-in-url", &["CLERK_SIGN_IN_URL", "NEXT_PUBLIC_CLERK_SIGN_IN_URL"]);
        let sign_up_url = read_page(reader, "sign-up-url", &["CLERK_SIGN_UP_URL", "NEXT_PUBLIC_CLERK_SIGN_UP_URL"]);
        let satellite = read_satellite(reader, domain.as_ref(), proxy_url.as_ref(), sign_in_url.as_ref());
        let satellites = reader.list("clerk", "satellites", &["ROLLCALL_CLERK_SATELLITES"]);
        check_origins(reader, "ROLLCALL_CLERK_SATELLITES", &satellites);
        let organizations = OrganizationPaths {
            organizations: read_paths(reader, "organization-paths", "ROLLCALL_ORGANIZATION_PATHS"),
            personal: read_paths(reader, "personal-paths", "ROLLCALL_PERSONAL_PATHS"),
        };
        let authorized_parties = read_authorized_parties(reader, public_url);
        let tokens = read_tokens(reader);
        let timeout = reader.number("clerk", "timeout", &["ROLLCALL_CLERK_TIMEOUT"], (1, 60));
        let calls = read_calls(reader, secret_key.as_ref());
        Some(Self {
            publishable_key: publishable_key?,
            secret_key: secret_key?,
            webhook_secrets: webhook_secrets?,
            instance_id,
            jwt_key,
            api_url: api_url?,
            proxy_url,
            domain,
            satellite: satellite?,
            satellites,
            organizations,
            sign_in_url: sign_in_url?,
            sign_up_url: sign_up_url?,
            authorized_parties,
            tokens: tokens?,
            timeout: Duration::from_secs(timeout?),
            calls_in_ten_seconds: calls?,
        })
    }
}

fn read_publishable_key(reader: &mut Reader<'_>) -> Option<PublishableKey> {
    let Some((variable, text)) = reader.first_variable(&PUBLISHABLE_KEY_VARIABLES) else {
        return reader
            .problem(PUBLISHABLE_KEY_VARIABLES[0], "is required: pk_test_… or pk_live_…, from Clerk's dashboard");
    };
    match PublishableKey::parse(text.trim()) {
        Ok(key) => Some(key),
        Err(error) => reader.problem(&variable, error),
    }
}

fn read_secret_key(reader: &mut Reader<'_>) -> Option<SecretKey> {
    let Some((variable, secret)) = reader.secret(&["CLERK_SECRET_KEY"]) else {
        return reader.problem("CLERK_SECRET_KEY", "is required: sk_test_… or sk_live_…, from Clerk's dashboard");
    };
    match SecretKey::parse(secret.expose_secret()) {
        Ok(key) => Some(key),
        Err(error) => reader.problem(&variable, error),
    }
}

/// A comma list, so that two secrets are valid while one replaces the other (D7-03).
fn read_webhook_secrets(reader: &mut Reader<'_>, environment: Environment) -> Option<Vec<SecretString>> {
    let Some((variable, list)) = reader.secret(&WEBHOOK_SECRET_VARIABLES) else {
        return match environment {
            Environment::Development => {
                reader.warning(WEBHOOK_SECRET_VARIABLES[0], "is not set: webhooks are answered with 500");
                Some(Vec::new())
            }
            Environment::Production => {
                reader.problem(WEBHOOK_SECRET_VARIABLES[0], "is required: whsec_…, from the webhook endpoint's page")
            }
        };
    };
    let secrets: Vec<SecretString> =
        list.expose_secret().split(',').map(|secret| SecretString::from(secret.to_owned())).collect();
    match Verifier::new(&secrets) {
        Ok(_) => Some(secrets),
        Err(error) => reader.problem(&variable, error),
    }
}

/// The PEM may be written in one line with `\n` in it, as env files force people to.
fn read_jwt_key(reader: &mut Reader<'_>) -> Option<String> {
    let (variable, text) = reader.first_variable(&["CLERK_JWT_KEY"])?;
    let pem = text.replace("\\n", "\n");
    if KeySet::from_pems(&[pem.as_str()]).is_err() {
        return reader.problem(&variable, "must be the PEM public key (-----BEGIN PUBLIC KEY-----) of the instance");
    }
    Some(pem)
}

/// Unless told, nine tenths of what Clerk lets such an instance do: doctors, other programs and other processes call too.
fn read_calls(reader: &mut Reader<'_>, secret_key: Option<&SecretKey>) -> Option<u32> {
    const VARIABLES: [&str; 1] = ["ROLLCALL_CLERK_RATE"];
    if reader.text("clerk", "rate", &VARIABLES).is_none() {
        return secret_key.map(|key| key.instance_kind().calls_in_ten_seconds() / 10 * 9);
    }
    reader.number("clerk", "rate", &VARIABLES, (10, 100_000)).and_then(|calls| u32::try_from(calls).ok())
}

fn read_api_url(reader: &mut Reader<'_>) -> Option<Url> {
    const FORM: &str = "an address such as https://api.clerk.com";
    let url: Url = reader.parsed("clerk", "api-url", &["CLERK_API_URL"], FORM)?;
    // A user or password in it would be printed with the address.
    if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
        return reader.problem("CLERK_API_URL", format!("must be {FORM}"));
    }
    Some(url)
}

fn read_proxy_url(reader: &mut Reader<'_>) -> Option<String> {
    let text = reader.text("clerk", "proxy-url", &["CLERK_PROXY_URL"])?;
    let absolute = Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if absolute || (text.starts_with('/') && !text.starts_with("//")) {
        return Some(text.trim_end_matches('/').to_owned());
    }
    reader.problem("CLERK_PROXY_URL", "must be an address, or a path such as /__clerk")
}

fn read_page(reader: &mut Reader<'_>, key: &str, variables: &[&str]) -> Option<String> {
    let text = reader.required_text("clerk", key, variables)?;
    let absolute = Url::parse(&text).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if absolute || (text.starts_with('/') && !text.starts_with("//")) {
        return Some(text);
    }
    reader.problem(&reader.name_of("clerk", key, variables), "must be an address, or a path such as /sign-in")
}

/// Nothing, if this is no satellite; `None` outside for what cannot be one.
#[expect(clippy::option_option, reason = "no satellite and a wrong one are two things")]
fn read_satellite(
    reader: &mut Reader<'_>,
    domain: Option<&String>,
    proxy_url: Option<&String>,
    sign_in_url: Option<&String>,
) -> Option<Option<Satellite>> {
    let is_satellite = reader.parsed("clerk", "is-satellite", &["CLERK_IS_SATELLITE"], "true or false");
    let auto_sync = reader.parsed("clerk", "satellite-auto-sync", &["CLERK_SATELLITE_AUTO_SYNC"], "true or false");
    if !is_satellite? {
        return Some(None);
    }
    if domain.is_none() && proxy_url.is_none() {
        return reader.problem("CLERK_DOMAIN", "or CLERK_PROXY_URL is required when CLERK_IS_SATELLITE is true");
    }
    let Ok(sign_in_url) = Url::parse(sign_in_url?) else {
        return reader
            .problem("CLERK_SIGN_IN_URL", "must be an address of the primary domain when CLERK_IS_SATELLITE is true");
    };
    Some(Some(Satellite { domain: domain.cloned(), sign_in_url, auto_sync: auto_sync? }))
}

fn is_domain(text: &str) -> bool {
    text.contains('.') && Url::parse(&format!("https://{text}/")).is_ok_and(|url| url.host_str() == Some(text))
}

/// Patterns of paths; what is none is reported.
fn read_paths(reader: &mut Reader<'_>, key: &str, variable: &str) -> Vec<PathPattern> {
    let read = |reader: &mut Reader<'_>, text: &str| match PathPattern::parse(text) {
        Ok(pattern) => Some(pattern),
        Err(error) => reader.problem(variable, format!("{text:?}: {error}")),
    };
    let listed = reader.list("clerk", key, &[variable]);
    listed.iter().filter_map(|text| read(reader, text)).collect()
}

/// Tokens of other origins are refused; unless told, only our own public origin's are accepted (D4-14).
fn read_authorized_parties(reader: &mut Reader<'_>, public_url: Option<&Url>) -> Vec<String> {
    let listed = reader.list("clerk", "authorized-parties", &["CLERK_AUTHORIZED_PARTIES"]);
    check_origins(reader, "CLERK_AUTHORIZED_PARTIES", &listed);
    if listed.is_empty() {
        return public_url.map(|url| url.origin().ascii_serialization()).into_iter().collect();
    }
    listed
}

fn read_tokens(reader: &mut Reader<'_>) -> Option<Tokens> {
    const FORM: &str = "true or false";
    let require_azp = reader.parsed("clerk", "require-azp", &["ROLLCALL_REQUIRE_AZP"], FORM);
    let lax_claims = reader.parsed("clerk", "lax-claims", &["ROLLCALL_LAX_CLAIMS"], FORM);
    let clock_skew = reader.number("clerk", "clock-skew", &["ROLLCALL_CLOCK_SKEW"], (0, 60));
    let audiences = reader.list("clerk", "audiences", &["ROLLCALL_AUDIENCES"]);
    Some(Tokens {
        require_azp: require_azp?,
        lax_claims: lax_claims?,
        clock_skew: Duration::from_secs(clock_skew?),
        audiences,
    })
}

fn check_origins(reader: &mut Reader<'_>, variable: &str, listed: &[String]) {
    let is_origin = |text: &str| Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text);
    for text in listed.iter().filter(|text| !is_origin(text)) {
        reader.problem::<()>(variable, format!("{text:?} must be an origin such as https://app.example.com"));
    }
}
