//! When Inngest is on, in which mode, at which addresses, and what the relay needs.

use super::*;

const SIGNING_KEY: &str = "signkey-prod-12345678";

fn cloud() -> Variables {
    with(production(), "INNGEST_SIGNING_KEY", SIGNING_KEY)
}

fn addresses(variables: &Variables) -> [String; 3] {
    let protocol = loaded(variables).inngest.protocol;
    [protocol.api_origin, protocol.event_origin, protocol.serve_url].map(|url| url.to_string())
}

#[test]
fn f_1_inngest_is_off_until_a_signing_key_or_a_development_server_is_set() {
    for (variables, is_on, mode) in [
        (production(), false, "cloud"),
        (development(), false, "cloud"),
        (cloud(), true, "cloud"),
        (with(cloud(), "INNGEST_DEV", "0"), true, "cloud"),
        (with(development(), "INNGEST_DEV", "1"), true, "dev"),
        (with(development(), "INNGEST_DEV", "false"), false, "cloud"),
        (with(development(), "INNGEST_DEV", "inngest.local:8288"), true, "dev"),
    ] {
        let inngest = loaded(&variables).inngest;
        assert_eq!((inngest.is_on, inngest.protocol.mode.as_str(), inngest.relay), (is_on, mode, false));
    }
    let event_key_only = with(production(), "INNGEST_EVENT_KEY", "evt");
    assert!(!loaded(&event_key_only).inngest.is_on);
    assert_eq!(warned(&event_key_only), ["INNGEST_SIGNING_KEY"]);
}

#[test]
fn f_1_production_is_never_without_signatures() {
    assert_eq!(refused(&with(cloud(), "INNGEST_DEV", "1")), ["INNGEST_DEV"]);
    assert_eq!(refused(&with(production(), "INNGEST_DEV", "https://inngest.example.com")), ["INNGEST_DEV"]);
}

#[test]
fn f_3_a_key_that_is_not_hex_is_refused_for_the_cloud_only() {
    assert_eq!(refused(&with(production(), "INNGEST_SIGNING_KEY", "signkey-prod-key")), ["INNGEST_SIGNING_KEY"]);
    let local = with(with(development(), "INNGEST_DEV", "1"), "INNGEST_SIGNING_KEY", "any key");
    assert!(loaded(&local).inngest.protocol.signing_key.is_some());
}

#[test]
fn f_1_addresses_follow_the_mode_and_their_variables() {
    const SERVE: &str = "https://app.example.com/api/inngest";
    assert_eq!(addresses(&cloud()), ["https://api.inngest.com/", "https://inn.gs/", SERVE]);
    let own = with(cloud(), "INNGEST_BASE_URL", "https://inngest.example.com");
    assert_eq!(addresses(&own), ["https://inngest.example.com/", "https://inngest.example.com/", SERVE]);
    let split = with(own, "INNGEST_EVENT_API_BASE_URL", "https://events.example.com");
    assert_eq!(addresses(&split), ["https://inngest.example.com/", "https://events.example.com/", SERVE]);
    let served = with(cloud(), "INNGEST_SERVE_HOST", "proxy.example.com");
    let served = with(served, "INNGEST_SERVE_PATH", "/hooks/inngest");
    assert_eq!(addresses(&served)[2], "https://proxy.example.com/hooks/inngest");
    let served = with(served, "INNGEST_SERVE_ORIGIN", "https://front.example.com");
    assert_eq!(addresses(&served)[2], "https://front.example.com/hooks/inngest");
}

#[test]
fn the_relay_needs_a_way_there_and_a_way_back() {
    let relay = |base: Variables| with(base, "ROLLCALL_INNGEST_RELAY", "true");
    assert_eq!(refused(&relay(production())), ["INNGEST_SIGNING_KEY", "INNGEST_EVENT_KEY"]);
    assert_eq!(refused(&relay(cloud())), ["INNGEST_EVENT_KEY"]);
    assert!(loaded(&relay(with(cloud(), "INNGEST_EVENT_KEY", "evt"))).inngest.relay);
    assert!(loaded(&relay(with(development(), "INNGEST_DEV", "1"))).inngest.relay);
}

#[test]
fn d7_01_no_key_is_printed() {
    let keys = with(with(cloud(), "INNGEST_EVENT_KEY", "evtNeverPrinted"), "INNGEST_SIGNING_KEY_FALLBACK", "00ff00ff");
    let printed = format!("{:?}", loaded(&keys));
    for secret in ["12345678", "evtNeverPrinted", "00ff00ff"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}
