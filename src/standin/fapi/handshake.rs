//! The handshake: tells an application server, through a redirect of the visitor, who is signed in.
//!
//! Development instances answer in the query, production ones in a cookie. The envelope is a JWT without an end.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use url::Url;

use crate::standin::fapi::client::{new_browser, signed_in_since};
use crate::standin::fapi::request::Call;
use crate::standin::instance::Instance;
use crate::standin::refusal::Refusal;
use crate::standin::token::TokenOptions;

const YEAR_S: u32 = 31_536_000;

pub fn answer(instance: &Instance, call: &mut Call) -> Response {
    let target = call.query.given("redirect_url").and_then(|text| Url::parse(text).ok());
    let Some(mut target) = target.filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Refusal::form(
            "redirect_url",
            "form_param_value_invalid",
            "redirect_url must be an absolute http(s) URL.",
        )
        .into_response();
    };
    let envelope = instance.signing.sign(&json!({ "handshake": directives(instance, call) }));
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    if instance.production {
        let cookie = format!("__clerk_handshake={envelope}; Path=/; Max-Age=10; HttpOnly; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    } else {
        target.query_pairs_mut().append_pair("__clerk_handshake", &envelope);
    }
    if let Ok(location) = HeaderValue::from_str(target.as_str()) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

/// The cookies the application's server shall set, each plain and suffixed.
fn directives(instance: &Instance, call: &mut Call) -> Vec<String> {
    let mut world = instance.world();
    let suffix = format!("_{}", instance.publishable.cookie_suffix);
    let mut lines = Vec::new();
    let mut both = |name: &str, rest: String| {
        lines.push(format!("{name}={rest}"));
        lines.push(format!("{name}{suffix}={rest}"));
    };
    if !instance.production {
        let key = call.browser.take().filter(|key| world.browsers.contains_key(key));
        let key = key.unwrap_or_else(|| new_browser(&mut world));
        both("__clerk_db_jwt", format!("{key}; Path=/; Max-Age={YEAR_S}; SameSite=Lax"));
        call.browser = Some(key);
        instance.changed.notify_one();
    }
    let client = call.browser.as_ref().and_then(|key| world.client_of(key));
    let since = signed_in_since(instance, &world, client);
    let same_site = if instance.production { "Lax" } else { "Strict" };
    both("__client_uat", format!("{since}; Path=/; Max-Age={YEAR_S}; SameSite={same_site}"));
    match client.and_then(|client| world.current_session(client, instance.clock.now_ms())) {
        // A navigation has no origin, so this token names no page.
        Some(session) => {
            let token = instance.mint(session, &TokenOptions::default());
            both("__session", format!("{token}; Path=/; Max-Age={YEAR_S}; SameSite=Lax"));
            let refresh = instance.refresh_token(&session.id);
            lines.push(format!("__refresh{suffix}={refresh}; Path=/; Max-Age={YEAR_S}; HttpOnly; SameSite=Lax"));
        }
        None => {
            both("__session", "; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; SameSite=Lax".to_owned());
        }
    }
    lines
}
