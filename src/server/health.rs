//! Named checks of everything we depend on, for `doctor`. What a process knows of itself is `readiness`.
//!
//! Each check ends in a finding with its fix in one line. Knows nothing of HTTP and of terminals.

use jiff::Timestamp;

use crate::server::clerk::Error as ClerkError;
use crate::server::clerk::client::Client;
use crate::server::error::causes;
use crate::server::jobs::webhook::find_off;
use crate::server::settings::Settings;
use crate::server::state::mailer;
use crate::server::store::Store;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// Works, but should be looked at.
    Warning,
    Bad,
}

/// One check's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub check: &'static str,
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
    /// What to do about it; none when good.
    pub fix: Option<String>,
}

impl Finding {
    fn good(check: &'static str, seen: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Good, seen: seen.into(), fix: None }
    }

    fn warning(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, seen: seen.into(), fix: Some(fix.into()) }
    }

    fn bad(check: &'static str, seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Bad, seen: seen.into(), fix: Some(fix.into()) }
    }
}

/// Every check, in the order of dependence.
pub async fn examine(settings: &Settings, store: &Store, clerk: &Client) -> Vec<Finding> {
    let mut findings = vec![settings_finding(settings), webhook_secret(settings)];
    findings.extend(fields(settings));
    findings.extend(mongodb(store).await);
    findings.extend(clerk_api(settings, clerk).await);
    findings.extend(mail(settings).await);
    findings.extend(webhook(settings, store).await);
    findings
}

fn settings_finding(settings: &Settings) -> Finding {
    const CHECK: &str = "settings";
    let warnings: Vec<String> = settings.warnings.iter().map(ToString::to_string).collect();
    if warnings.is_empty() {
        return Finding::good(CHECK, "complete and well-formed");
    }
    Finding::warning(CHECK, warnings.join("; "), "set or unset what is named")
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
        count => Finding::good(CHECK, format!("{count}, all of the right shape")),
    }
}

async fn mongodb(store: &Store) -> Vec<Finding> {
    let topology = match store.topology().await {
        Ok(topology) => topology,
        Err(error) => {
            return vec![Finding::bad(
                "MongoDB reachable",
                causes(&error),
                "start MongoDB, or correct MONGODB_URI (host, port, user, password, TLS)",
            )];
        }
    };
    let mut findings = vec![Finding::good("MongoDB reachable", format!("version {}", topology.version))];
    findings.push(match (&topology.replica_set, topology.is_durable()) {
        (Some(name), _) => Finding::good("replica set", name.clone()),
        (None, true) => Finding::good("replica set", "a sharded cluster"),
        (None, false) => Finding::bad(
            "replica set",
            "a stand-alone server: no majority to confirm a write",
            "start mongod with --replSet rs0 and run rs.initiate() once; one node is enough",
        ),
    });
    findings.push(match store.check_rights().await {
        Ok(()) => Finding::good("MongoDB rights", "may write, read and delete"),
        Err(error) => Finding::bad(
            "MongoDB rights",
            causes(&error),
            format!("grant the user readWrite and dbAdmin on the database {}", store.database_name()),
        ),
    });
    findings.push(match store.missing_indexes().await {
        Ok(missing) if missing.is_empty() => Finding::good("indexes", "all there"),
        Ok(missing) => Finding::warning(
            "indexes",
            format!("missing: {}", missing.join(", ")),
            "start `rollcall serve` once: it creates them",
        ),
        Err(error) => Finding::bad("indexes", causes(&error), "grant the user the right to list indexes"),
    });
    findings
}

/// Nothing to say when no mail is configured.
async fn mail(settings: &Settings) -> Option<Finding> {
    const CHECK: &str = "mail";
    const FIX: &str =
        "correct ROLLCALL_SMTP_URL (scheme, host, port, user, password), or let the server's firewall pass";
    let smtp = settings.mail.smtp.as_ref()?;
    let checked = match mailer(smtp) {
        Ok(mailer) => mailer.check().await,
        Err(error) => return Some(Finding::bad(CHECK, error.to_string(), FIX)),
    };
    Some(match checked {
        Ok(()) if settings.mail.welcome => Finding::good(CHECK, "the mail server answers; newcomers are welcomed"),
        Ok(()) => Finding::good(CHECK, "the mail server answers; newcomers are not welcomed (ROLLCALL_WELCOME)"),
        Err(error) => Finding::bad(CHECK, error.to_string(), FIX),
    })
}

/// Nothing is sent: the receiver would take it for a change.
async fn webhook(settings: &Settings, store: &Store) -> Option<Finding> {
    const CHECK: &str = "outgoing webhook";
    let webhook = settings.effects.webhook.as_ref()?;
    // Whether MongoDB answers is a finding of its own.
    if let Ok(Some(since)) = find_off(store, &webhook.url).await {
        return Some(Finding::bad(
            CHECK,
            format!("switched off since {since:.0}: it answered 410"),
            "correct ROLLCALL_WEBHOOK_URL, or run `rollcall webhook on` once the receiver is back",
        ));
    }
    let host = webhook.url.host_str().unwrap_or_default();
    let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    Some(match webhook.url.scheme() {
        "https" => Finding::good(CHECK, format!("to {host}, signed")),
        _ if is_local => Finding::good(CHECK, "to this machine, signed"),
        _ => Finding::warning(
            CHECK,
            format!("to {host}, signed, but anybody on the way can read it"),
            "use an address with https:// in ROLLCALL_WEBHOOK_URL",
        ),
    })
}

async fn clerk_api(settings: &Settings, clerk: &Client) -> Vec<Finding> {
    let mut findings = vec![match clerk.count_users().await {
        Ok(count) => Finding::good("Clerk API", format!("answers; {count} users")),
        Err(ClerkError::Unauthorized) => Finding::bad(
            "Clerk API",
            "refuses the key",
            "copy CLERK_SECRET_KEY again from Clerk's dashboard, API keys; it may have been rotated",
        ),
        Err(error) => Finding::bad(
            "Clerk API",
            causes(&error),
            format!("make sure that {} can be reached from here (CLERK_API_URL)", settings.clerk.api_url),
        ),
    }];
    findings.push(jwks(settings, clerk).await);
    findings.push(clock(clerk).await);
    findings
}

async fn jwks(settings: &Settings, clerk: &Client) -> Finding {
    const CHECK: &str = "JWKS";
    match clerk.fetch_jwks().await {
        Ok(keys) if keys.is_empty() => {
            Finding::bad(CHECK, "Clerk lists no key", "check that CLERK_SECRET_KEY is of the right instance")
        }
        Ok(keys) if settings.clerk.jwt_key.is_some() => Finding::good(
            CHECK,
            format!("{} key(s); sessions are checked by CLERK_JWT_KEY, without asking", keys.len()),
        ),
        Ok(keys) => Finding::good(CHECK, format!("{} key(s)", keys.len())),
        Err(error) if settings.clerk.jwt_key.is_some() => {
            Finding::warning(CHECK, causes(&error), "sessions still work by CLERK_JWT_KEY; see the Clerk API finding")
        }
        Err(error) => Finding::bad(CHECK, causes(&error), "see the Clerk API finding, or set CLERK_JWT_KEY"),
    }
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
