//! Deliveries signed by Svix' own library, and every way to spoil one.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use svix::webhooks::Webhook;

use crate::support::app::TestApp;

/// A delivery before it is sent: everything a forger may change.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: String,
    pub timestamp: i64,
    pub signature: String,
    pub body: Vec<u8>,
}

impl Delivery {
    /// Signed now with this secret.
    pub fn signed(secret: &str, id: &str, body: &[u8]) -> Self {
        Self::signed_at(secret, id, body, jiff::Timestamp::now().as_second())
    }

    pub fn signed_at(secret: &str, id: &str, body: &[u8], timestamp: i64) -> Self {
        let signature =
            Webhook::new(secret).and_then(|webhook| webhook.sign(id, timestamp, body)).expect("a signature");
        Self { id: id.to_owned(), timestamp, signature, body: body.to_vec() }
    }

    /// Signed now by hand: Svix' library signs only text.
    pub fn signed_bytes(secret: &str, id: &str, body: &[u8]) -> Self {
        let timestamp = jiff::Timestamp::now().as_second();
        let key = STANDARD.decode(secret.trim_start_matches("whsec_")).expect("base64");
        let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed);
        let signature = format!("v1,{}", STANDARD.encode(tag));
        Self { id: id.to_owned(), timestamp, signature, body: body.to_vec() }
    }

    pub fn request(&self, app: &TestApp) -> RequestBuilder {
        self.request_to(&app.client, &app.at("/api/webhooks/clerk"))
    }

    pub fn request_to(&self, client: &Client, url: &str) -> RequestBuilder {
        client
            .post(url)
            .header("content-type", "application/json")
            .header("svix-id", &self.id)
            .header("svix-timestamp", self.timestamp.to_string())
            .header("svix-signature", &self.signature)
            .body(self.body.clone())
    }

    pub async fn send(&self, app: &TestApp) -> Response {
        self.request(app).send().await.expect("an answer")
    }
}

impl TestApp {
    /// Delivers this body as Clerk would and expects it to be accepted.
    pub async fn deliver(&self, id: &str, body: &Value) {
        let delivery = Delivery::signed(self.clerk.webhook_secret(), id, body.to_string().as_bytes());
        let answer = delivery.send(self).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.json::<Value>().await.expect("JSON"), json!({ "received": true }));
    }
}

/// The body of an event about a user, with the fewest fields.
pub fn user_event(kind: &str, id: &str, first_name: &str, updated_at: i64) -> Value {
    json!({
        "object": "event",
        "type": kind,
        "timestamp": updated_at,
        "instance_id": "ins_test",
        "data": {
            "object": "user",
            "id": id,
            "first_name": first_name,
            "primary_email_address_id": "idn_1",
            "email_addresses": [{
                "id": "idn_1", "object": "email_address", "email_address": format!("{id}@example.com"),
                "verification": { "status": "verified", "strategy": "email_code" },
            }],
            "created_at": 1_700_000_000_000_i64,
            "updated_at": updated_at,
        },
    })
}

pub fn deleted_event(id: &str, at: i64) -> Value {
    json!({
        "object": "event", "type": "user.deleted", "timestamp": at, "instance_id": "ins_test",
        "data": { "object": "user", "id": id, "deleted": true },
    })
}
