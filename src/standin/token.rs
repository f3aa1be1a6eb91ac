//! Session tokens: the claims of version 2, exactly as Clerk mints them.
//!
//! Does not know sessions' life; it is given one and believes it.

use serde_json::{Map, Value, json};

use crate::standin::ids;
use crate::standin::instance::Instance;
use crate::standin::session::Session;

/// What a test may bend about a token; the default is an ordinary token of 60 seconds.
#[derive(Debug, Clone)]
pub struct TokenOptions {
    pub ttl_s: i64,
    /// Moves `iat`, `nbf` and `exp` together.
    pub iat_offset_s: i64,
    /// The page that asked; `None` as in tokens minted by a handshake or the Backend API.
    pub azp: Option<String>,
    /// `active` or `pending`.
    pub sts: String,
    /// Merged at the top level; Clerk's own claims win.
    pub claims: Map<String, Value>,
}

impl Default for TokenOptions {
    fn default() -> TokenOptions {
        TokenOptions { ttl_s: 60, iat_offset_s: 0, azp: None, sts: "active".to_owned(), claims: Map::new() }
    }
}

impl TokenOptions {
    pub fn asked_by(origin: &str) -> TokenOptions {
        TokenOptions { azp: Some(origin.to_owned()), ..TokenOptions::default() }
    }
}

impl Instance {
    pub fn mint(&self, session: &Session, options: &TokenOptions) -> String {
        let now = self.clock.now_s();
        let iat = now + options.iat_offset_s;
        let verified_min = (now - session.created_at.div_euclid(1000)).max(0) / 60;
        let mut claims = options.claims.clone();
        let own = json!({
            "exp": iat + options.ttl_s, "fva": [verified_min, -1], "iat": iat, "iss": self.publishable.issuer(),
            "jti": ids::random_text(20).to_lowercase(), "nbf": iat - 10, "sid": session.id, "sts": options.sts,
            "sub": session.user_id, "v": 2,
        });
        if let Value::Object(own) = own {
            claims.extend(own);
        }
        if let Some(azp) = &options.azp {
            claims.insert("azp".to_owned(), json!(azp));
        }
        self.signing.sign(&Value::Object(claims))
    }
}
