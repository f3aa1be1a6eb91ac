//! Clerk: the key is taken, both keys are of one instance, what was pinned fits, the clocks agree, tokens carry the role.

use jiff::Timestamp;
use url::Url;

use crate::model::user::Role;
use crate::server::clerk::Error;
use crate::server::clerk::client::Client;
use crate::server::clerk::jwks::PublicKeys;
use crate::server::clerk::jwt::Decoded;
use crate::server::error::causes;
use crate::server::health::Finding;
use crate::server::settings::Settings;
use crate::server::store::Store;
use crate::server::store::directory::filter::Filter;
use crate::server::store::directory::{Order, Wanted};

/// Of how many admins a session is looked for.
const ADMINS: u16 = 5;

pub async fn examine(settings: &Settings, store: &Store, clerk: &Client) -> Vec<Finding> {
    let mut findings = vec![api(settings, clerk).await];
    let keys = clerk.fetch_public_keys().await;
    findings.push(jwks(settings, &keys));
    if let Ok(keys) = &keys {
        findings.push(issuer(settings, clerk, keys).await);
        findings.extend(pinned_instance(settings, clerk).await);
        findings.extend(session_claim(settings, store, clerk).await);
    }
    findings.push(clock(clerk).await);
    findings
}

async fn api(settings: &Settings, clerk: &Client) -> Finding {
    const CHECK: &str = "Clerk API";
    match clerk.count_users().await {
        Ok(count) => Finding::good(CHECK, format!("answers; {count} users")),
        Err(Error::Unauthorized) => Finding::bad(
            CHECK,
            "refuses the key",
            "copy CLERK_SECRET_KEY again from Clerk's dashboard, API keys; it may have been rotated",
        ),
        Err(Error::Rejected { status: 404, .. } | Error::Malformed(_)) => Finding::bad(
            CHECK,
            format!("{} is not Clerk's Backend API", settings.clerk.api_url),
            "unset CLERK_API_URL: it is https://api.clerk.com, without a version",
        ),
        Err(error) => Finding::bad(
            CHECK,
            causes(&error),
            format!("make sure that {} can be reached from here (CLERK_API_URL)", settings.clerk.api_url),
        ),
    }
}

fn jwks(settings: &Settings, keys: &Result<PublicKeys, Error>) -> Finding {
    const CHECK: &str = "JWKS";
    match (keys, &settings.clerk.jwt_key) {
        (Ok(keys), Some(pem)) if !keys.hold(pem) => Finding::bad(
            CHECK,
            "CLERK_JWT_KEY is not a key of this instance: every session is refused",
            "copy it again from Clerk's dashboard, API keys, JWKS public key; or unset it",
        ),
        (Ok(keys), Some(_)) => Finding::good(
            CHECK,
            format!("{} key(s); sessions are checked by CLERK_JWT_KEY, without asking", keys.len()),
        ),
        (Ok(keys), None) => Finding::good(CHECK, format!("{} key(s)", keys.len())),
        (Err(error), Some(_)) => {
            Finding::warning(CHECK, causes(error), "sessions still work by CLERK_JWT_KEY; see the Clerk API finding")
        }
        (Err(error), None) => Finding::bad(CHECK, causes(error), "see the Clerk API finding, or set CLERK_JWT_KEY"),
    }
}

/// The publishable key leads to the Frontend API, the secret key to the Backend API: both must sign with the same keys.
async fn issuer(settings: &Settings, clerk: &Client, keys: &PublicKeys) -> Finding {
    const CHECK: &str = "issuer";
    let clerk_settings = &settings.clerk;
    let address = match &clerk_settings.proxy_url {
        Some(path) if path.starts_with('/') => format!("{}{path}", settings.public_url()),
        Some(url) => url.clone(),
        None => clerk_settings.publishable_key.issuer(),
    };
    let variable = if clerk_settings.proxy_url.is_some() { "CLERK_PROXY_URL" } else { "CLERK_PUBLISHABLE_KEY" };
    let Ok(url) = Url::parse(&address) else {
        return Finding::bad(CHECK, format!("{address} is no address"), format!("correct {variable}"));
    };
    match clerk.fetch_public_keys_of(&url).await {
        Ok(theirs) if theirs.shares_any_with(keys) => Finding::good(CHECK, format!("{address}, of the same instance")),
        Ok(_) => Finding::bad(
            CHECK,
            "CLERK_PUBLISHABLE_KEY and CLERK_SECRET_KEY are of two instances: nobody can sign in",
            "copy both keys from the same page of Clerk's dashboard (API keys)",
        ),
        Err(error) => Finding::bad(
            CHECK,
            format!("{address}: {}", causes(&error)),
            format!("make sure that Clerk's Frontend API can be reached there ({variable})"),
        ),
    }
}

/// Nothing to say when none is pinned.
async fn pinned_instance(settings: &Settings, clerk: &Client) -> Option<Finding> {
    const CHECK: &str = "pinned instance";
    let pinned = settings.clerk.instance_id.as_ref()?;
    Some(match clerk.fetch_instance().await {
        Ok(instance) if instance.id == *pinned => Finding::good(CHECK, pinned.clone()),
        Ok(instance) => Finding::bad(
            CHECK,
            format!(
                "ROLLCALL_CLERK_INSTANCE_ID is {pinned}, but the keys are of {}: every event is refused",
                instance.id
            ),
            format!("set ROLLCALL_CLERK_INSTANCE_ID to {}, or unset it", instance.id),
        ),
        Err(error) => Finding::warning(CHECK, causes(&error), "see the Clerk API finding"),
    })
}

/// As a token of an admin's shows it, which is made and thrown away; in a development instance only. Nothing to say when
/// no admin is signed in.
async fn session_claim(settings: &Settings, store: &Store, clerk: &Client) -> Option<Finding> {
    const CHECK: &str = "session claim";
    if settings.clerk.publishable_key.is_production() {
        return None;
    }
    let filter = Filter { role: Some(Role::Admin), ..Filter::default() };
    let wanted = Wanted { limit: ADMINS, after: None, prefix: None, with_email: false, order: Order::Stored, filter };
    for admin in store.directory.list(wanted).await.ok()?.users {
        let Some(session) = clerk.list_sessions(&admin.clerk_id).await.ok()?.into_iter().next() else { continue };
        let token = clerk.create_session_token(&session.id).await.ok()?;
        let claims = Decoded::read(&token)?.claims;
        let has_role = claims.contains_key("role")
            || ["metadata", "public_metadata"]
                .iter()
                .any(|name| claims.get(*name).is_some_and(|data| data.get("role").is_some()));
        return Some(if has_role {
            Finding::good(CHECK, "tokens carry the role")
        } else {
            Finding::warning(
                CHECK,
                "tokens do not carry the role; here MongoDB's is used, but front ends may look for it",
                "Clerk's dashboard, Sessions, Customize session token: {\"metadata\": \"{{user.public_metadata}}\"}",
            )
        });
    }
    None
}

async fn clock(clerk: &Client) -> Finding {
    const CHECK: &str = "clock";
    const TOLERATED_SECONDS: i64 = 5;
    match clerk.fetch_server_time().await {
        Ok(theirs) => {
            let off = Timestamp::now().duration_since(theirs).as_secs();
            if off.abs() <= TOLERATED_SECONDS {
                return Finding::good(CHECK, "agrees with Clerk's");
            }
            Finding::bad(
                CHECK,
                format!("{} s {} Clerk's", off.abs(), if off > 0 { "ahead of" } else { "behind" }),
                "synchronise this machine's clock (NTP): sessions last 60 s, webhooks are refused beyond 300 s",
            )
        }
        Err(error) => Finding::warning(CHECK, causes(&error), "see the Clerk API finding"),
    }
}
