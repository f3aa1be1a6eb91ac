//! `POST /api/webhooks/clerk`: what is accepted, what is refused, and what it does to MongoDB.
//!
//! The attack list (requirements D3), row by row, each row's id in the name of a test:
//!
//! | rows | where |
//! |---|---|
//! | D3-01 … D3-11, D3-29 | `signature` |
//! | D3-12 … D3-15, D3-18, D3-19, D3-28, D3-31 | `transport`, and `addresses` beside this folder |
//! | D3-16, D3-17, D3-21 … D3-24 | `body` |
//! | D3-20, D3-22, D3-25 … D3-27 | `subject` |
//! | D3-30 | `cli`, and by a table in `server::settings::tests` |

mod body;
mod effect;
mod outage;
mod signature;
mod subject;
mod transport;

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::support::app::TestApp;
use crate::support::delivery::Delivery;

const NOW: i64 = 1_760_000_000_000;

/// Sends a signed body that no repetition can mend. The one place that says how such a body is answered.
async fn assert_never_accepted(app: &TestApp, name: &str, body: &[u8]) {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let id = format!("msg_{:x}", hasher.finish());
    let delivery = Delivery::signed_bytes(app.clerk.webhook_secret(), &id, body);
    let answer = delivery.send(app).await;
    assert_eq!(answer.status(), 400, "{name}");
    // What is no text is refused before it is known who signed it.
    if std::str::from_utf8(body).is_ok() {
        let delivery = answer.headers().get("webhook-delivery").and_then(|value| value.to_str().ok());
        assert_eq!(delivery, Some("abort-message"), "{name}: the sender is told to stop");
        let kept = app.database.event(&id).await.expect("what is given up stays visible");
        assert_eq!(kept.get_str("state").ok(), Some("dead"), "{name}");
        assert!(kept.get_str("decision").is_ok_and(|decision| !decision.is_empty()), "{name}");
    }
    let said = answer.text().await.expect("text");
    assert!(said.len() < 100, "{name} is answered with nothing of what was sent: {said}");
}
