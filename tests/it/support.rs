//! What tests share: a running application on a database of its own, a stand-in Clerk, signed deliveries.
//!
//! No sleeping: `eventually` waits for a condition and fails with what it saw last.

pub mod app;
pub mod delivery;
pub mod mongo;
pub mod process;
pub mod receiver;
pub mod smtp;

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks again and again until the answer is yes; panics with the last answer after ten seconds.
pub async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(seen) => assert!(Instant::now() < deadline, "{what} did not happen within 10 s; seen: {seen}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
