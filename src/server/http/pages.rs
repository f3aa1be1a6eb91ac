//! Mounts the interface: pages, server functions, assets; gives each page its content policy, theme and Clerk's
//! addresses. The only edge from `server` back to `app`.

use std::future::ready;
use std::sync::Arc;

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::map_response;
use axum::response::Response;
use leptos::nonce::use_nonce;
use leptos::prelude::{provide_context, use_context};
use leptos_axum::{ErrorHandler, LeptosRoutes, ResponseOptions, generate_route_list};
use tower_http::services::ServeDir;
use url::Url;

use crate::app::App;
use crate::app::components::clerk_widget::ClerkAddresses;
use crate::app::pages::WITH_CLERK;
use crate::app::shell::{Choices, Nonce, PendingSession, RequestId, Theme, shell};
use crate::server::clerk::handshake;
use crate::server::clerk::handshake::redirect::API_VERSION;
use crate::server::cookie::{NOTICE, OwnCookie, SHORTCUTS, THEME, TIMES};
use crate::server::http::site::Site;
use crate::server::http::{Shared, layers, own_cookies};
use crate::server::notice;
use crate::server::rpc::caller::Caller;
use crate::server::settings::clerk::Clerk;
use crate::server::state::AppState;

const OPENERS: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// All pages, which load what is of this site, and everything else as a file or the page "not found". Leptos' own handler of
/// files is not used: one that it sends while a page is made on the same thread takes that page's headers, policy and cookies,
/// for its own (D5-14).
pub fn router(shared: &Shared, site: &Site) -> Router<Shared> {
    let state = Arc::clone(&shared.0);
    let options = site.options(state.settings.leptos.clone());
    let context = move || provide_page_context(&state);
    let files = ServeDir::new(&*options.site_root)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip()
        .call_fallback_on_method_not_allowed(true)
        .fallback(ErrorHandler::new_with_context(context.clone(), shell, options.clone()));
    let public_url = &shared.0.settings.server.public_url;
    let gone = NOTICE.into_iter().filter_map(|cookie| HeaderValue::from_str(&cookie.line(public_url, "", 0)).ok());
    let gone: Vec<HeaderValue> = gone.collect();
    Router::new()
        .leptos_routes_with_context(shared, generate_route_list(App), context, move || shell(options.clone()))
        .layer(map_response(move |response| ready(keep_notice(&gone, response))))
        .fallback_service(files)
}

/// What leads to another page shows nothing: what was to be said is said on that one.
fn keep_notice(gone: &[HeaderValue], mut response: Response) -> Response {
    if response.status().is_redirection() {
        let headers = response.headers_mut();
        let lines = headers.get_all(SET_COOKIE).iter().filter(|line| !gone.contains(line));
        let kept: Vec<HeaderValue> = lines.cloned().collect();
        headers.remove(SET_COOKIE);
        headers.extend(kept.into_iter().map(|line| (SET_COOKIE, line)));
    }
    response
}

/// What pages find in their context, and the header that depends on their nonce.
fn provide_page_context(state: &Arc<AppState>) {
    provide_context(Arc::clone(state));
    provide_context(clerk_addresses(&state.settings.clerk, state.settings.public_url()));
    // Absent when the route list is made and for assets: neither shows a page.
    let (Some(parts), Some(response)) = (use_context::<Parts>(), use_context::<ResponseOptions>()) else { return };
    let public_url = &state.settings.server.public_url;
    provide_context(chosen_theme(&parts.headers, public_url));
    let is_set = |cookie: OwnCookie, word: &str| {
        own_cookies(&parts.headers, &cookie.name(public_url)).next().is_some_and(|set| set == word)
    };
    provide_context(Choices { is_utc: is_set(TIMES, "utc"), has_shortcuts: !is_set(SHORTCUTS, "off") });
    if let Some(layers::RequestId(id)) = parts.extensions.get() {
        provide_context(RequestId(id.clone()));
    }
    if parts.extensions.get::<Arc<Caller>>().is_some_and(|caller| caller.session.is_pending()) {
        provide_context(PendingSession);
    }
    let carried = |cookie: OwnCookie| {
        let name = cookie.name(public_url);
        own_cookies(&parts.headers, &name).next().map(str::to_owned)
    };
    let nonce = use_nonce().map(|nonce| nonce.to_string()).unwrap_or_default();
    if let Some(notice) = notice::open(carried, &state.settings.clerk.secret_key) {
        let session_id = parts.extensions.get::<Arc<Caller>>().and_then(|caller| caller.session.id());
        provide_context(notice.within(session_id));
        provide_context(Nonce(nonce.clone()));
    }
    let gone = NOTICE.into_iter().filter(|cookie| carried(*cookie).is_some());
    for line in gone.filter_map(|cookie| HeaderValue::from_str(&cookie.line(public_url, "", 0)).ok()) {
        response.append_header(SET_COOKIE, line);
    }
    let with_clerk = WITH_CLERK.contains(&parts.uri.path());
    let policy = content_policy(&nonce, &state.settings.clerk, with_clerk);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(CONTENT_SECURITY_POLICY, policy);
    }
    // Whoever signs in with another provider does it in a window that this page opens.
    let openers = if with_clerk { "same-origin-allow-popups" } else { "same-origin" };
    response.insert_header(OPENERS, HeaderValue::from_static(openers));
}

fn chosen_theme(headers: &HeaderMap, public_url: &Url) -> Theme {
    match own_cookies(headers, &THEME.name(public_url)).next() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    }
}

fn clerk_addresses(clerk: &Clerk, public_url: &str) -> ClerkAddresses {
    ClerkAddresses {
        publishable_key: clerk.publishable_key.as_str().to_owned(),
        proxy_url: clerk.proxy_url.clone(),
        domain: clerk.domain.clone(),
        frontend_api: frontend_api(clerk),
        api_version: API_VERSION,
        cookie_suffix: clerk.publishable_key.cookie_suffix().to_owned(),
        sign_in_url: clerk.sign_in_url.clone(),
        sign_up_url: clerk.sign_up_url.clone(),
        satellite_origin: clerk.satellite.as_ref().map(|_| public_url.to_owned()),
        satellites: clerk.satellites.clone(),
    }
}

/// Where the Frontend API answers, and where clerk-js is served from: the proxy if there is one.
fn frontend_api(clerk: &Clerk) -> String {
    let host = || handshake::Config::frontend_api_host(&clerk.publishable_key, clerk.satellite.as_ref());
    clerk.proxy_url.clone().unwrap_or_else(|| format!("https://{}", host()))
}

/// The origin of Clerk's scripts for a policy: of an address, whatever its path; none for a path, which is our own.
fn foreign_origin(place: &str) -> String {
    Url::parse(place).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// The policy of D6. A form may lead to Clerk, for the page behind it may have to renew a session there first; and any page may
/// ask Clerk to renew the session's token. Only pages with a Clerk widget allow what else clerk-js needs (clerk.md 5.1).
fn content_policy(nonce: &str, clerk: &Clerk, with_clerk: bool) -> String {
    let clerk_origin = foreign_origin(&frontend_api(clerk));
    let local_images = if clerk_origin.starts_with("http://") { clerk_origin.as_str() } else { "" };
    let common = format!(
        "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; \
         form-action 'self' {clerk_origin}; \
         font-src 'self'; manifest-src 'self'; img-src 'self' https://img.clerk.com data: {local_images}"
    );
    let rest = if with_clerk {
        format!(
            "script-src 'self' 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval' {clerk_origin} \
             https://challenges.cloudflare.com; \
             style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; frame-src https://challenges.cloudflare.com; \
             connect-src 'self' {clerk_origin} https://*.protect.clerk.com:*"
        )
    } else {
        format!(
            "script-src 'self' 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
             connect-src 'self' {clerk_origin}"
        )
    };
    format!("{common}; {rest}")
}
