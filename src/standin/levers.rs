//! The levers: how a test or a developer makes this Clerk late, lossy, repetitive, wrong or down, while it runs.
//!
//! Only what they are; `webhooks`, `bapi` and `fapi` obey them.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Levers {
    /// Every webhook waits this long before its first attempt.
    pub delay_ms: u64,
    /// Below 1 the probability of one extra copy of a webhook; from 1 on, that many extra copies of each.
    pub duplicate: f64,
    /// Within how many neighbours webhooks are shuffled; 0 and 1 keep their order.
    pub reorder: u32,
    /// The probability that a webhook is lost without any attempt.
    pub drop: f64,
    /// Webhooks wait until this is false again.
    pub paused: bool,
    /// The endpoint is switched off at the sender: webhooks are recorded and none is attempted, nor repeated.
    pub disabled: bool,
    /// Signs webhooks with this secret (`whsec_…`) instead of the agreed one.
    pub signing_secret: Option<String>,
    /// The Backend API answers everything with this status.
    pub bapi_status: Option<u16>,
    /// The Backend API answers everything with this text as a web page, as a proxy in front of it would.
    pub bapi_body: Option<String>,
    /// The Backend API answers this much later.
    pub bapi_delay_ms: u64,
    /// The Frontend API answers everything with this status.
    pub fapi_status: Option<u16>,
    /// What `Retry-After` says beside a 429 or 503 that a lever or a rate limit caused, in seconds.
    pub retry_after_s: u64,
    /// How wrong this Clerk's clock is: tokens, webhooks and timestamps.
    pub clock_offset_ms: i64,
}

impl Default for Levers {
    fn default() -> Levers {
        Levers {
            delay_ms: 0,
            duplicate: 0.0,
            reorder: 0,
            drop: 0.0,
            paused: false,
            disabled: false,
            signing_secret: None,
            bapi_status: None,
            bapi_body: None,
            bapi_delay_ms: 0,
            fapi_status: None,
            retry_after_s: 1,
            clock_offset_ms: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_absent_lever_is_in_its_rest_position_and_an_unknown_one_is_an_error() {
        let levers: Levers = serde_json::from_value(json!({ "drop": 0.5 })).unwrap();
        assert_eq!(levers, Levers { drop: 0.5, ..Levers::default() });
        assert!(serde_json::from_value::<Levers>(json!({ "dorp": 0.5 })).is_err());
    }
}
