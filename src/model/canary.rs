//! What came of the canary's last touch, as pages and commands show it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::health::{SilenceCause, milliseconds};

/// How the last touch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanaryState {
    /// Touched; its webhook may still come in time.
    Waiting,
    /// Its webhook came back in time.
    Returned,
    /// It came back, and not in time.
    Late,
    /// It did not come back in time.
    Missing,
    /// Clerk did not make the change.
    Untouched,
}

/// The last touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryReport {
    pub clerk_id: String,
    pub state: CanaryState,
    pub touched_at: Timestamp,
    /// From the touch to the webhook.
    pub took_ms: Option<u64>,
    /// Why webhooks do not come back in time, most likely. It stands until one does.
    pub cause: Option<SilenceCause>,
    /// Why Clerk did not make the change.
    pub refusal: Option<String>,
    pub statement: String,
}

impl CanaryReport {
    /// It in one line.
    pub fn describe(&self) -> String {
        let took = milliseconds(self.took_ms.unwrap_or_default());
        let cause = self.cause.map(|cause| format!(" {}", cause.explanation())).unwrap_or_default();
        match self.state {
            CanaryState::Waiting => format!("Touched; its webhook is awaited.{cause}"),
            CanaryState::Returned => format!("Its webhook came back in {took}."),
            CanaryState::Late => format!("Its webhook came back in {took}, which is too late."),
            CanaryState::Missing => format!("Its webhook did not come back in time.{cause}"),
            CanaryState::Untouched => {
                format!("It could not be touched: {}.", self.refusal.as_deref().unwrap_or("Clerk has not answered"))
            }
        }
    }
}
