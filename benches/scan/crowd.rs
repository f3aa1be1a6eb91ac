//! A Clerk without a rate limit that has as many people as wanted: just the calls that a walk through everybody makes.
//!
//! Everything about a person follows from their number, so nobody is kept in memory.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::ingest::delivery::Listing;
use crate::ingest::plan::{created_at, number_of, person_id};

struct Crowd {
    people: usize,
    listing: Listing,
}

/// Serves `people` until the benchmark ends; answers the address.
pub async fn serve(people: usize) -> anyhow::Result<String> {
    let crowd = Arc::new(Crowd { people, listing: Listing::new() });
    let app = Router::new().route("/v1/users", get(list)).route("/v1/users/count", get(count)).with_state(crowd);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(format!("http://{address}"))
}

/// Oldest first, from behind a person or a moment; or those that are named.
async fn list(State(crowd): State<Arc<Crowd>>, RawQuery(query): RawQuery) -> Response {
    match crowd.listed(&query.unwrap_or_default()) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
    }
}

async fn count(State(crowd): State<Arc<Crowd>>) -> Response {
    let body = format!(r#"{{"object":"total_count","total_count":{}}}"#, crowd.people);
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

impl Crowd {
    fn listed(&self, query: &str) -> anyhow::Result<Vec<u8>> {
        let (mut limit, mut first, mut named) = (10, 0, Vec::new());
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "limit" => limit = value.parse().context("limit")?,
                "starting_after" => first = number_of(value, person_id).context("starting_after")? + 1,
                "created_at_after" => first = joined_after(value.parse().context("created_at_after")?),
                "user_id" => named.extend(number_of(value, person_id).filter(|person| *person < self.people)),
                _ => {}
            }
        }
        let listed = if query.contains("user_id=") {
            named
        } else {
            (first..self.people.min(first.saturating_add(limit))).collect()
        };
        let mut body = Vec::with_capacity(2 + listed.len() * 2_300);
        body.push(b'[');
        for person in listed {
            if body.len() > 1 {
                body.push(b',');
            }
            self.listing.write(person, &mut body);
        }
        body.push(b']');
        Ok(body)
    }
}

/// They join one a millisecond.
fn joined_after(at: i64) -> usize {
    usize::try_from(at - created_at(0) + 1).unwrap_or_default()
}
