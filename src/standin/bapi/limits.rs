//! Clerk's published rate limits of the Backend API, when the options ask for them.
//!
//! Knows routes only as far as the limits differ by them.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::Duration;

use axum::http::Method;
use tokio::time::Instant;

use crate::standin::instance::Instance;
use crate::standin::refusal::Refusal;

const WINDOW: Duration = Duration::from_secs(10);
const DEVELOPMENT: usize = 100;
const PRODUCTION: usize = 1_000;
const PER_USER: usize = 10;

pub fn check(instance: &Instance, method: &Method, path: &str) -> Result<(), Refusal> {
    if !instance.rate_limits || path == "/v1/jwks" {
        return Ok(());
    }
    let limit = if instance.production { PRODUCTION } else { DEVELOPMENT };
    spend(instance, "instance", limit)?;
    match limited_user(method, path) {
        Some(bucket) => spend(instance, &bucket, PER_USER),
        None => Ok(()),
    }
}

/// `PATCH /users/{id}` and `PATCH|PUT /users/{id}/metadata` have a bucket per user each.
fn limited_user(method: &Method, path: &str) -> Option<String> {
    let rest = path.strip_prefix("/v1/users/")?;
    let limited = match rest.split_once('/') {
        None => method == Method::PATCH,
        Some((_, "metadata")) => method == Method::PATCH || method == Method::PUT,
        Some(_) => false,
    };
    limited.then(|| rest.to_owned())
}

fn spend(instance: &Instance, bucket: &str, limit: usize) -> Result<(), Refusal> {
    let now = Instant::now();
    let mut requests = instance.requests.lock().unwrap_or_else(PoisonError::into_inner);
    let times: &mut VecDeque<Instant> = requests.entry(bucket.to_owned()).or_default();
    while times.front().is_some_and(|first| now.duration_since(*first) >= WINDOW) {
        times.pop_front();
    }
    if times.len() < limit {
        times.push_back(now);
        return Ok(());
    }
    let oldest = times.front().map_or(Duration::ZERO, |first| now.duration_since(*first));
    // Rounded up: whoever comes back at the second that was named must not be too early.
    let wait = WINDOW.saturating_sub(oldest).as_millis().div_ceil(1_000);
    Err(Refusal::rate_limited(u64::try_from(wait).unwrap_or(1).max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_of_a_profile_or_its_metadata_count_per_user() {
        assert_eq!(limited_user(&Method::PATCH, "/v1/users/user_1").as_deref(), Some("user_1"));
        assert_eq!(limited_user(&Method::PUT, "/v1/users/user_1/metadata").as_deref(), Some("user_1/metadata"));
        assert_eq!(limited_user(&Method::GET, "/v1/users/user_1"), None);
        assert_eq!(limited_user(&Method::POST, "/v1/users/user_1/ban"), None);
    }
}
