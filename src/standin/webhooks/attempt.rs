//! One attempt at one webhook: signature, headers, time limit, and what the answer means.
//!
//! Knows nothing of queues or schedules.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::redirect::Policy;
use svix::webhooks::Webhook;

use crate::standin::clock::Clock;

const TIME_LIMIT: Duration = Duration::from_secs(15);

/// Where to and signed with what, as of this attempt.
#[derive(Debug)]
pub struct Order {
    pub url: String,
    pub secret: String,
}

#[derive(Debug)]
pub struct Outcome {
    pub delivered: bool,
    /// The receiver asked in a header not to be sent this message again.
    pub aborted: bool,
    pub status: Option<u16>,
    pub at_ms: i64,
}

#[derive(Debug)]
pub struct Sender {
    client: reqwest::Client,
}

impl Sender {
    pub fn new() -> std::io::Result<Sender> {
        let builder = reqwest::Client::builder().timeout(TIME_LIMIT).redirect(Policy::none()).no_proxy();
        Ok(Sender { client: builder.build().map_err(std::io::Error::other)? })
    }

    pub async fn attempt(&self, clock: &Clock, svix_id: &str, body: &Arc<str>, order: &Order) -> Outcome {
        let timestamp = clock.now_s();
        // A secret that cannot sign is a lever's doing; the receiver shall see a signature that does not verify.
        let signature = Webhook::new(&order.secret)
            .and_then(|webhook| webhook.sign(svix_id, timestamp, body.as_bytes()))
            .unwrap_or_else(|_| "v1,AAAA".to_owned());
        let request = self
            .client
            .post(&order.url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "Svix-Webhooks/1.0 (sender-local; +https://www.svix.com/http-sender/)")
            .header("svix-id", svix_id)
            .header("svix-timestamp", timestamp)
            .header("svix-signature", signature)
            .body(body.to_string());
        let answer = request.send().await;
        let at_ms = clock.now_ms();
        match answer {
            Ok(response) => {
                let wish = response.headers().get("webhook-delivery").and_then(|value| value.to_str().ok());
                let aborted = wish.is_some_and(|wish| matches!(wish, "abort-message" | "disable"));
                let status = response.status();
                // Reading the answer to its end lets the connection be used again.
                let _ = response.bytes().await;
                Outcome { delivered: status.is_success(), aborted, status: Some(status.as_u16()), at_ms }
            }
            Err(_) => Outcome { delivered: false, aborted: false, status: None, at_ms },
        }
    }
}
