//! A browser as clerk-js makes one: a key of its own, and somebody signed in.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rollcall::standin::people::PASSWORD;
use serde_json::Value;

use crate::standin::clerk::{Clerk, text};

/// The code of every verification.
pub const CODE: &str = "424242";

pub struct Browser {
    pub key: String,
    pub session: String,
}

impl Clerk {
    pub async fn new_browser(&self) -> String {
        text(&self.frontend("POST /v1/dev_browser", "").gives(200).await["id"])
    }

    pub async fn sign_in(&self, identifier: &str) -> Browser {
        let key = self.new_browser().await;
        let form = [("identifier", identifier), ("password", PASSWORD)];
        let body = self.frontend("POST /v1/client/sign_ins", &key).form(&form).gives(200).await;
        assert_eq!(body["response"]["status"], "complete");
        Browser { session: text(&body["response"]["created_session_id"]), key }
    }

    /// Whether a call of this browser finds anybody signed in.
    pub async fn sessions(&self, browser: &str) -> Vec<Value> {
        let client = self.frontend("GET /v1/client", browser).gives(200).await;
        client["response"]["sessions"].as_array().expect("a list").clone()
    }

    /// The claims of a token that this instance signed, whatever its age.
    pub fn claims(&self, token: &str) -> Value {
        let key = DecodingKey::from_rsa_pem(self.standin.jwt_key().as_bytes()).expect("a key");
        let mut rules = Validation::new(Algorithm::RS256);
        (rules.validate_exp, rules.required_spec_claims) = (false, std::collections::HashSet::new());
        let token = jsonwebtoken::decode::<Value>(token, &key, &rules).expect("a token of this instance");
        assert_eq!(token.header.kid.as_deref(), Some(self.standin.instance_id()));
        token.claims
    }
}
