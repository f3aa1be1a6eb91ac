//! What we tell Inngest about ourselves (F.5): a summary, and to whom it can trust more.
//!
//! Keys are shown as the beginning of their hashes only.

use serde_json::{Value, json};

use crate::server::inngest::functions::FUNCTIONS;
use crate::server::inngest::keys::{SigningKey, event_key_fingerprint};
use crate::server::inngest::signature::Trust;
use crate::server::inngest::{Config, FRAMEWORK, SDK_LANGUAGE};

const SCHEMA_VERSION: &str = "2024-05-24";

/// What this implementation can do beyond the protocol's core.
pub fn capabilities() -> Value {
    json!({ "trust_probe": "v1", "in_band_sync": "v1" })
}

/// The introspection object. To be shown to nobody who is refused.
pub fn document(config: &Config, trust: Trust<'_>) -> Value {
    let authenticated = match trust {
        Trust::Signed(_) => Some(true),
        Trust::Development => None,
        Trust::Refused(_) => Some(false),
    };
    let mut document = json!({
        "schema_version": SCHEMA_VERSION,
        "mode": config.mode.as_str(),
        "function_count": FUNCTIONS.len(),
        "has_event_key": config.event_key.is_some(),
        "has_signing_key": config.signing_key.is_some(),
        "has_signing_key_fallback": config.signing_key_fallback.is_some(),
        "authentication_succeeded": authenticated,
        "capabilities": capabilities(),
        "extra": { "is_streaming": false, "native_crypto": true },
    });
    if let (Some(true), Some(fields)) = (authenticated, document.as_object_mut()) {
        let details = json!({
            "app_id": config.app_id,
            "env": config.environment,
            "framework": FRAMEWORK,
            "sdk_language": SDK_LANGUAGE,
            "sdk_version": env!("CARGO_PKG_VERSION"),
            "api_origin": config.api_origin.origin().ascii_serialization(),
            "event_api_origin": config.event_origin.origin().ascii_serialization(),
            "serve_origin": config.serve_url.origin().ascii_serialization(),
            "serve_path": config.serve_url.path(),
            "event_key_hash": config.event_key.as_ref().map(event_key_fingerprint),
            "signing_key_hash": config.signing_key.as_ref().map(SigningKey::fingerprint),
            "signing_key_fallback_hash": config.signing_key_fallback.as_ref().map(SigningKey::fingerprint),
        });
        fields.extend(details.as_object().cloned().unwrap_or_default());
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::inngest::Mode;
    use crate::server::inngest::fixtures::{KEY, config, key};

    #[test]
    fn f_5_only_a_signed_request_learns_more_than_the_summary() {
        let mut config = config();
        let key = key(KEY);
        let full = document(&config, Trust::Signed(&key));
        assert_eq!(full["function_count"], 3);
        assert_eq!(full["signing_key_hash"], "e4bf4a2e7f55");
        assert_eq!(
            (&full["serve_origin"], &full["serve_path"]),
            (&json!("https://app.example.com"), &json!("/api/inngest"))
        );
        assert!(!full.to_string().contains("8ee2262a") && !full.to_string().contains("opensNothing"));
        config.mode = Mode::Development;
        let summary = document(&config, Trust::Development);
        assert_eq!((&summary["mode"], &summary["authentication_succeeded"]), (&json!("dev"), &Value::Null));
        assert!(summary.get("signing_key_hash").is_none() && summary.get("app_id").is_none());
    }
}
