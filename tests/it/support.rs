//! What tests share: a running application on a database of its own, a stand-in Clerk, signed deliveries, the real binary.
//!
//! No sleeping: `eventually` waits for a condition and fails with what it saw last. Both test binaries mount this file, so
//! the places of its parts are spelled out.

#[path = "support/app.rs"]
pub mod app;
#[path = "support/delivery.rs"]
pub mod delivery;
#[path = "support/inngest.rs"]
pub mod inngest;
#[path = "support/invariants.rs"]
pub mod invariants;
#[path = "support/mongo.rs"]
pub mod mongo;
#[path = "support/process.rs"]
pub mod process;
#[path = "support/receiver.rs"]
pub mod receiver;
#[path = "support/smtp.rs"]
pub mod smtp;

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks again and again until the answer is yes; panics with the last answer after ten seconds.
pub async fn eventually<T, F>(what: &str, ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    eventually_within(Duration::from_secs(10), what, ask).await
}

/// The same with a patience of its own, for what a fault delays.
pub async fn eventually_within<T, F>(patience: Duration, what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + patience;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(seen) => assert!(Instant::now() < deadline, "{what} did not happen within {patience:?}; seen: {seen}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
