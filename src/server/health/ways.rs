//! The ways in and out: the webhook from the public address, event types, other front ends, mail, Inngest.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use url::Url;

use crate::model::alert::{AlertKind, AlertState};
use crate::model::canary::CanaryState;
use crate::model::event::SYNCED_TYPES;
use crate::model::health::SilenceCause;
use crate::server::canary::get_report;
use crate::server::error::causes;
use crate::server::health::Finding;
use crate::server::inngest;
use crate::server::jobs::webhook::find_off;
use crate::server::outgoing::{Message, Sender, Signer};
use crate::server::probe::{self, Fault};
use crate::server::settings::Settings;
use crate::server::state::mailer;
use crate::server::store::Store;
use crate::server::store::users::new_id;

/// What comes in.
pub async fn examine_inward(settings: &Settings, store: &Store, sender: &Sender) -> Vec<Finding> {
    let mut findings = Vec::new();
    let url = webhook_url(settings);
    let reached = probe_webhook(settings, sender, &url).await;
    let is_reached = reached.is_ok();
    if !settings.clerk.webhook_secrets.is_empty() {
        findings.push(match reached {
            Ok(_) => Finding::good("webhook route", format!("{url} takes a signed delivery")),
            Err((seen, fix)) => Finding::bad("webhook route", seen, fix),
        });
    }
    if is_reached && settings.api.is_enabled {
        findings.extend(front_ends(settings, sender).await);
    }
    findings.push(event_types(store).await);
    findings
}

/// The receiver of our webhook wants no more. Whether MongoDB answers is a finding of its own.
pub async fn switched_off(settings: &Settings, store: &Store) -> Option<Finding> {
    let webhook = settings.effects.webhook.as_ref()?;
    let since = find_off(store, &webhook.url).await.ok()??;
    Some(Finding::bad(
        "outgoing webhook",
        format!("switched off since {since:.0}: it answered 410"),
        "correct ROLLCALL_WEBHOOK_URL, or run `rollcall webhook on` once the receiver is back",
    ))
}

/// Where Clerk delivers.
pub fn webhook_url(settings: &Settings) -> Url {
    at(settings, probe::PATH)
}

fn at(settings: &Settings, path: &str) -> Url {
    let mut url = settings.server.public_url.clone();
    url.set_path(path);
    url
}

/// A delivery by each secret, and how long the slowest took; where one is not believed, a second says whether the body or the
/// secret is to blame.
pub async fn probe_webhook(settings: &Settings, sender: &Sender, url: &Url) -> Result<Duration, (String, String)> {
    let address = url.as_str();
    let mut slowest = Duration::ZERO;
    for secret in &settings.clerk.webhook_secrets {
        let Ok(signer) = Signer::new(secret.expose_secret()) else { continue };
        let send = async |body: &str| {
            let id = probe::id_of(&new_id());
            probe::judge(&id, sender.look(url, &signer, Message { id: &id, body }).await)
        };
        let began_at = Instant::now();
        match send(probe::TOUCHY).await {
            Ok(()) => slowest = slowest.max(began_at.elapsed()),
            Err(Fault::Unverified) if send(probe::PLAIN).await.is_ok() => {
                let seen = format!("somebody on the way to {address} changes bodies, so no signature can hold");
                let fix = format!("turn off whatever rewrites JSON on its way to {}", probe::PATH);
                return Err((seen, fix));
            }
            Err(fault) => return Err(fault.explain(address)),
        }
    }
    Ok(slowest)
}

/// A browser asks before it lets a page of another origin in; nothing to say of those that may.
async fn front_ends(settings: &Settings, sender: &Sender) -> Option<Finding> {
    const CHECK: &str = "front ends";
    let url = at(settings, "/api/me");
    for origin in &settings.api.client_origins {
        let is_allowed = match sender.preflight(&url, origin).await {
            Ok(look) => {
                look.headers.get("access-control-allow-origin").is_some_and(|allowed| allowed == origin.as_str())
            }
            Err(_) => false,
        };
        if !is_allowed {
            return Some(Finding::bad(
                CHECK,
                format!("the running application lets no page of {origin} in"),
                "restart `rollcall serve` with the CLIENT_URL that is set here; let proxies pass OPTIONS and its headers",
            ));
        }
    }
    None
}

/// Clerk does not say what an endpoint is subscribed to; what ever came does, though the events themselves may be forgotten.
async fn event_types(store: &Store) -> Finding {
    const CHECK: &str = "event types";
    const FIX: &str =
        "Clerk's dashboard, Webhooks, the endpoint: subscribe to user.created, user.updated, user.deleted";
    let came = store.statistics.list_types().await.unwrap_or_default();
    let mut unseen = Vec::new();
    for kind in SYNCED_TYPES {
        match store.has_event_of(kind).await {
            Ok(is_there) if is_there || came.iter().any(|seen| seen.kind == kind) => {}
            Ok(_) => unseen.push(kind),
            Err(error) => return Finding::warning(CHECK, causes(&error), "see the MongoDB findings"),
        }
    }
    match unseen.as_slice() {
        [] => Finding::good(CHECK, "each was seen"),
        all if all.len() == SYNCED_TYPES.len() => Finding::warning(
            CHECK,
            "nothing ever came from Clerk",
            format!("{FIX}; `rollcall simulate signup` tries it"),
        ),
        some => Finding::warning(CHECK, format!("never seen: {}", some.join(", ")), FIX),
    }
}

/// It is too quiet, by the alert that is open. Whether MongoDB answers is a finding of its own.
pub async fn silence(store: &Store) -> Option<Finding> {
    let alerts = store.alerts.list().await.ok()?;
    let mut open = alerts.iter().filter(|alert| alert.kind == AlertKind::Silence && alert.state == AlertState::Open);
    let cause = open.find_map(|alert| SilenceCause::named(&alert.cause))?;
    Some(Finding::bad("silence", cause.explanation(), cause.advice()))
}

/// Nothing to say without a canary, or before its first touch. Whether MongoDB answers is a finding of its own.
pub async fn canary(settings: &Settings, store: &Store) -> Option<Finding> {
    const CHECK: &str = "canary";
    let report = get_report(settings, store).await.ok()??;
    Some(match (report.state, report.cause) {
        (CanaryState::Untouched, _) => Finding::bad(
            CHECK,
            report.statement,
            format!(
                "see that ROLLCALL_CANARY_USER ({}) is somebody at Clerk, and the Clerk API finding",
                report.clerk_id
            ),
        ),
        (_, Some(cause)) => Finding::bad(CHECK, report.statement, cause.advice()),
        (_, None) => Finding::good(CHECK, report.statement),
    })
}

/// Nothing to say when no mail is configured.
pub async fn mail(settings: &Settings) -> Option<Finding> {
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

/// Nothing to say when it is off.
pub async fn inngest(settings: &Settings) -> Option<Finding> {
    const CHECK: &str = "Inngest";
    if !settings.inngest.is_on {
        return None;
    }
    let config = settings.inngest.protocol.clone();
    let origin = config.api_origin.origin().ascii_serialization();
    let checked = match inngest::client::Client::new(config) {
        Ok(client) => client.check().await,
        Err(error) => Err(error),
    };
    Some(match checked {
        Ok(()) => Finding::good(CHECK, format!("{origin} takes the key")),
        Err(error @ inngest::client::Error::Refused { .. }) => Finding::bad(
            CHECK,
            format!("{origin}: {error}"),
            "copy INNGEST_SIGNING_KEY again from Inngest's dashboard, of the right environment",
        ),
        Err(error) => Finding::bad(
            CHECK,
            format!("{origin}: {}", causes(&error)),
            "make sure that it can be reached from here (INNGEST_BASE_URL, or INNGEST_DEV in development)",
        ),
    })
}
