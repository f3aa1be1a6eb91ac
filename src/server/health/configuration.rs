//! Settings that are well-formed and still wrong, each by itself or beside another.

use url::Url;

use crate::server::health::Finding;
use crate::server::probe;
use crate::server::settings::{Environment, Settings};

pub fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = of_settings(settings);
    findings.push(webhook_secret(settings));
    findings.extend(fields(settings));
    findings
        .extend([public_url(settings), instance_kind(settings), authorized_parties(settings)].into_iter().flatten());
    findings
}

/// One finding for each, for each has a fix of its own.
fn of_settings(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "settings";
    if settings.warnings.is_empty() {
        return vec![Finding::good(CHECK, "complete and well-formed")];
    }
    let warning = |problem: &crate::server::settings::Problem| {
        Finding::warning(CHECK, problem.to_string(), format!("set or unset {}", problem.variable))
    };
    settings.warnings.iter().map(warning).collect()
}

/// Fields of the application's own, if it has any.
fn fields(settings: &Settings) -> Option<Finding> {
    let rows = settings.fields.rows();
    let named =
        rows.iter().map(|field| format!("{}{}", field.name, if field.is_personal { " (personal)" } else { "" }));
    (!rows.is_empty()).then(|| Finding::good("fields", named.collect::<Vec<_>>().join(", ")))
}

fn webhook_secret(settings: &Settings) -> Finding {
    const CHECK: &str = "webhook secret";
    match settings.clerk.webhook_secrets.len() {
        0 => Finding::bad(
            CHECK,
            "none is configured, so every webhook is answered with 500",
            "set CLERK_WEBHOOK_SIGNING_SECRET to the endpoint's signing secret (whsec_…)",
        ),
        1 => Finding::good(CHECK, "one, of the right shape"),
        count => Finding::good(CHECK, format!("{count}, all of the right shape; `rollcall secrets` says which can go")),
    }
}

/// Nothing to say when it is as it should be.
fn public_url(settings: &Settings) -> Option<Finding> {
    const CHECK: &str = "public URL";
    let url = &settings.server.public_url;
    if settings.environment == Environment::Development || url.scheme() == "https" {
        return None;
    }
    let fix = "use the address with https:// in ROLLCALL_PUBLIC_URL";
    Some(if is_local(url) {
        Finding::warning(CHECK, format!("{} is this machine, in production", settings.public_url()), fix)
    } else {
        Finding::bad(CHECK, format!("{} is not encrypted, in production", settings.public_url()), fix)
    })
}

fn instance_kind(settings: &Settings) -> Option<Finding> {
    const CHECK: &str = "Clerk instance";
    match (settings.environment, settings.clerk.publishable_key.is_production()) {
        (Environment::Production, false) if is_local(&settings.clerk.api_url) => Some(Finding::bad(
            CHECK,
            "a local Clerk, in production: anybody may sign in with 424242",
            "unset CLERK_API_URL and CLERK_PROXY_URL, and use the keys of a production instance (pk_live_…, sk_live_…)",
        )),
        (Environment::Production, false) => Some(Finding::warning(
            CHECK,
            "a development instance, in production",
            "use the keys of a production instance (pk_live_…, sk_live_…)",
        )),
        (Environment::Development, true) => Some(Finding::warning(
            CHECK,
            "a production instance, with LEPTOS_ENV=DEV",
            "use the keys of a development instance (pk_test_…, sk_test_…), or unset LEPTOS_ENV",
        )),
        _ => None,
    }
}

fn authorized_parties(settings: &Settings) -> Option<Finding> {
    let own = settings.server.public_url.origin().ascii_serialization();
    if settings.clerk.authorized_parties.contains(&own) {
        return None;
    }
    Some(Finding::bad(
        "authorized parties",
        format!("sessions of our own pages ({own}) are refused"),
        format!("add {own} to CLERK_AUTHORIZED_PARTIES"),
    ))
}

/// Nothing is sent: the receiver would take it for a change.
pub fn outgoing_webhook(settings: &Settings) -> Option<Finding> {
    const CHECK: &str = "outgoing webhook";
    let webhook = settings.effects.webhook.as_ref()?;
    let host = webhook.url.host_str().unwrap_or_default();
    let is_own = webhook.url.origin() == settings.server.public_url.origin() && webhook.url.path() == probe::PATH;
    Some(if is_own {
        Finding::bad(
            CHECK,
            "to our own webhook route, which takes only Clerk's",
            "set ROLLCALL_WEBHOOK_URL to the system that is to be told",
        )
    } else if webhook.url.scheme() == "https" {
        Finding::good(CHECK, format!("to {host}, signed"))
    } else if is_local(&webhook.url) {
        Finding::good(CHECK, "to this machine, signed")
    } else {
        Finding::warning(
            CHECK,
            format!("to {host}, signed, but anybody on the way can read it"),
            "use an address with https:// in ROLLCALL_WEBHOOK_URL",
        )
    })
}

fn is_local(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}
