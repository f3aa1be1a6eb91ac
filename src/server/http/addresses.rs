//! Who is on the other end, and how much one address may cost us (D3-31).
//!
//! Pages, forms and the API count every request; webhooks and Inngest only what fails: whoever signs is never refused here,
//! however much they send. The crate `tower_governor` counts requests before they are answered, so it cannot do the latter.
//! An address is the peer's, or what a proxy says that the settings trust; it is never logged.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ipnet::IpNet;

use crate::server::error::Error;
use crate::server::http::api::refusal::Refusal;
use crate::server::http::webhooks::DELIVERY;
use crate::server::http::{Shared, declared_length};
use crate::server::metrics::METRICS;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// A body that costs next to nothing to verify. Clerk's are a few kilobytes: so an address that forges and signs, because a
/// proxy that is not trusted stands before both, is still heard.
const CHEAP: usize = 64 * 1024;

/// Who is on the other end of a request, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Address(pub IpAddr);

/// Refuses an address that asks for too much, and says in the request which it is.
pub async fn limit_requests(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let Some(address) = address_of(&shared, &request) else { return next.run(request).await };
    request.extensions_mut().insert(Address(address));
    match shared.0.limits.requests.take(&address) {
        Ok(()) => next.run(request).await,
        Err(error) if request.uri().path().starts_with("/api/") => {
            METRICS.too_often("requests");
            Refusal::of("limit_requests", &error).into_response()
        }
        Err(error) => refuse("requests", error.retry_after()),
    }
}

/// Refuses an address whose signatures fail too often: what fails is answered so, and what would cost something to verify is
/// not read.
pub async fn limit_failures(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let Some(address) = address_of(&shared, &request) else { return next.run(request).await };
    let failures = &shared.0.limits.failures;
    if let Some(wait) = failures.held_for(&address)
        && declared_length(request.headers()).is_none_or(|length| length > CHEAP)
    {
        return refuse("failures", Some(wait));
    }
    let response = next.run(request).await;
    if is_failure(&response)
        && let Err(Error::TooOften { retry_after }) = failures.take(&address)
    {
        failures.hold(address, retry_after);
        return refuse("failures", Some(retry_after));
    }
    response
}

/// What no signature stood behind. A signed event that is refused tells its sender so.
fn is_failure(response: &Response) -> bool {
    const REFUSALS: [StatusCode; 4] = [
        StatusCode::BAD_REQUEST,
        StatusCode::UNAUTHORIZED,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
    ];
    REFUSALS.contains(&response.status()) && !response.headers().contains_key(DELIVERY)
}

fn refuse(limit: &'static str, wait: Option<Duration>) -> Response {
    METRICS.too_often(limit);
    tracing::debug!("an address asks too often; if it is your proxy's, name it in ROLLCALL_TRUSTED_PROXIES");
    let mut response = (StatusCode::TOO_MANY_REQUESTS, "Too many requests.").into_response();
    let seconds = wait.unwrap_or_default().as_secs().max(1);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// None only where there is no connection, which is so in no server.
fn address_of(shared: &Shared, request: &Request) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
    Some(network_of(caller(peer.ip(), request.headers(), &shared.0.settings.server.trusted_proxies)))
}

/// Each proxy adds whom it heard from at the end. So from the end on, the first that is no proxy of ours is the caller: what
/// stands before it anybody can make up.
fn caller(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut nearest = peer.to_canonical();
    let lines: Vec<&str> =
        headers.get_all(FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or_default()).collect();
    for named in lines.iter().flat_map(|line| line.split(',')).rev() {
        let Some(address) = parse(named.trim()).filter(|_| is_trusted(nearest)) else { break };
        nearest = address;
    }
    nearest
}

/// Some proxies add the port.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

/// Who has one IPv6 address has the 2^64 beside it.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller_of(peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"].map(|network| network.parse().unwrap());
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        caller(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn d3_31_a_forwarded_address_counts_only_from_a_trusted_proxy() {
        for (peer, lines, expected) in [
            ("198.51.100.9", &["203.0.113.1"][..], "198.51.100.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["203.0.113.1, 10.9.9.9, 192.0.2.1"], "203.0.113.1"),
            ("10.0.0.1", &["203.0.113.1:4711"], "203.0.113.1"),
            ("::ffff:10.0.0.1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("fd00::1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1, _hidden"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1, , 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["10.0.0.2, 10.0.0.3"], "10.0.0.2"),
        ] {
            assert_eq!(caller_of(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn d3_31_the_addresses_of_one_ipv6_network_are_one() {
        let network = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
