//! Named checks of everything we depend on, for `doctor`. What a process knows of itself is `readiness`.
//!
//! Each check ends in a finding with its fix in one line. Knows nothing of HTTP and of terminals.

pub mod clerk;
pub mod configuration;
pub mod database;
pub mod ways;

use crate::server::clerk::client::Client;
use crate::server::outgoing::Sender;
use crate::server::settings::Settings;
use crate::server::store::Store;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// Works, but should be looked at.
    Warning,
    Bad,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
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
pub async fn examine(settings: &Settings, store: &Store, clerk: &Client, sender: &Sender) -> Vec<Finding> {
    let mut findings = configuration::examine(settings);
    findings.extend(database::examine(store).await);
    findings.extend(clerk::examine(settings, store, clerk).await);
    findings.extend(ways::examine_inward(settings, store, sender).await);
    findings.extend(ways::silence(store).await);
    findings.extend(ways::canary(settings, store).await);
    findings.extend(ways::inngest(settings).await);
    findings.extend(ways::mail(settings).await);
    findings.extend(match ways::switched_off(settings, store).await {
        Some(off) => Some(off),
        None => configuration::outgoing_webhook(settings),
    });
    findings
}
