//! What the tests of the protocol share: keys that open nothing, and a configuration.

use secrecy::SecretString;
use url::Url;

use crate::server::inngest::keys::SigningKey;
use crate::server::inngest::{Config, Mode};

/// The key of the published vectors.
pub const KEY: &str = "signkey-test-8ee2262a15e8d3c42d6a840db7af3de2aab08ef632b32a37a687f24b34dba3ff";
pub const OTHER_KEY: &str = "signkey-test-00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

pub fn key(text: &str) -> SigningKey {
    SigningKey::parse(text, Mode::Cloud).expect("a key")
}

pub fn config() -> Config {
    let url = |text| Url::parse(text).expect("an address");
    Config {
        app_id: "rollcall".to_owned(),
        mode: Mode::Cloud,
        api_origin: url("https://api.inngest.com"),
        event_origin: url("https://inn.gs"),
        serve_url: url("https://app.example.com/api/inngest"),
        environment: None,
        event_key: Some(SecretString::from("evt_opensNothing".to_owned())),
        signing_key: Some(key(KEY)),
        signing_key_fallback: None,
    }
}
