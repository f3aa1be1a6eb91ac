//! axum lives here: `router` is the table of all URLs.
//!
//! Knows nothing of MongoDB and of what an event means; each file holds handlers of one kind.
//!
//! # Routes of one's own
//!
//! A handler says what it demands by what it takes (A3-18). [`session::attach`] settles who asks and blocks nobody: a handler
//! that takes the [`Caller`](crate::server::rpc::caller::Caller) finds out, and decides itself.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::Extension;
//! use rollcall::server::access::Session;
//! use rollcall::server::rpc::caller::Caller;
//!
//! // GET /greeting: for everybody, with or without a session.
//! async fn greet(Extension(caller): Extension<Arc<Caller>>) -> String {
//!     match &caller.session {
//!         Session::SignedIn { claims } => match claims.actor() {
//!             None => claims.sub.clone(),
//!             Some(actor) => format!("{}, and really {actor}", claims.sub),
//!         },
//!         Session::SignedOut { reason } => format!("nobody: {reason}"),
//!     }
//! }
//! ```
//!
//! The proofs of [`access`](crate::server::access) demand more. Without a session they answer 401 `Unauthorized - Invalid
//! token`, and that is all that [`SignedIn`](crate::server::access::SignedIn) asks for. The others load the person from
//! MongoDB, or from Clerk on a first request: 404 `User not found` when Clerk knows nobody, 503 with `Retry-After` while one of
//! the two is away, 403 for the banned. A role that does not suffice is 403, `Forbidden - admin access only` or `Forbidden -
//! insufficient permissions`; in development it says which role it was.
//!
//! [`session::attach`] sends a browser to Clerk and back where only Clerk can say who asks: at every first visit while the
//! instance is one of development, and when a session cannot be renewed on the spot. Routes for which that is too much are
//! behind [`session::attach_quietly`], which sends nobody there: whoever would go is signed out, with the reason.
//!
//! ```
//! use std::sync::Arc;
//!
//! use axum::middleware::from_fn_with_state;
//! use axum::routing::get;
//! use axum::{Extension, Router};
//! use rollcall::server::access::Session;
//! use rollcall::server::http::Shared;
//! use rollcall::server::http::session::{attach, attach_quietly};
//! use rollcall::server::rpc::caller::Caller;
//!
//! // GET /prices: the same for everybody, but for a greeting.
//! async fn prices(Extension(caller): Extension<Arc<Caller>>) -> String {
//!     match &caller.session {
//!         Session::SignedIn { claims } => format!("1 €, {}", claims.sub),
//!         // "dev-browser-missing" at a first visit.
//!         Session::SignedOut { reason } => format!("1 € ({reason})"),
//!     }
//! }
//!
//! fn routes(shared: &Shared) -> Router<Shared> {
//!     let open = Router::new()
//!         .route("/prices", get(prices))
//!         .layer(from_fn_with_state(shared.clone(), attach_quietly));
//!     let own = Router::new()
//!         .route("/basket", get(|| async { "yours" }))
//!         .layer(from_fn_with_state(shared.clone(), attach));
//!     open.merge(own)
//! }
//! ```
//!
//! One's own: whoever is signed in.
//!
//! ```
//! use rollcall::server::access::{SignedIn, Viewer};
//!
//! // GET /account: with their document.
//! async fn account(viewer: Viewer) -> String {
//!     viewer.user().name.clone()
//! }
//!
//! // GET /device: the session will do; nobody is looked up.
//! async fn device(session: SignedIn) -> String {
//!     session.session_id().to_owned()
//! }
//!
//! // GET /invoices: what Clerk's token says of the organization, and what the instance adds to its tokens.
//! async fn invoices(viewer: Viewer) -> String {
//!     let claims = viewer.claims();
//!     let may = claims.org.as_ref().is_some_and(|org| org.has_permission("org:invoices:read"));
//!     let plan = claims.extra.get("plan").and_then(|plan| plan.as_str()).unwrap_or("none");
//!     format!("{may} {plan}")
//! }
//! ```
//!
//! Admins only.
//!
//! ```
//! use rollcall::server::access::Admin;
//!
//! // POST /products
//! async fn add_product(admin: Admin) -> String {
//!     format!("added by {}", admin.actor().id)
//! }
//! ```
//!
//! Several roles: moderators, and admins, who may what they may. What demands nothing by itself is guarded by a layer, which
//! asks for the same proof.
//!
//! ```
//! use axum::extract::Path;
//! use axum::middleware::{from_extractor_with_state, from_fn_with_state};
//! use axum::routing::{get, patch, put};
//! use axum::Router;
//! use rollcall::server::access::{Admin, Moderator};
//! use rollcall::server::http::session::attach;
//! use rollcall::server::http::{Shared, layers};
//!
//! // PATCH /orders/{id}
//! async fn change_order(moderator: Moderator, Path(id): Path<String>) -> String {
//!     format!("{id} changed by {}", moderator.viewer().user().clerk_id)
//! }
//!
//! // PUT /products/{id}
//! async fn change_product(_: Moderator, Path(id): Path<String>) -> String {
//!     id
//! }
//!
//! fn routes(shared: &Shared) -> Router<Shared> {
//!     let reports = Router::new()
//!         .route("/reports", get(|| async { "for admins" }))
//!         .route_layer(from_extractor_with_state::<Admin, _>(shared.clone()));
//!     Router::new()
//!         .route("/products/{id}", put(change_product))
//!         .route("/orders/{id}", patch(change_order))
//!         .merge(reports)
//!         // What changes something comes from pages of ours only.
//!         .layer(from_fn_with_state(shared.clone(), layers::same_origin))
//!         .layer(from_fn_with_state(shared.clone(), attach))
//! }
//! ```

pub mod addresses;
pub mod api;
pub mod exports;
pub mod forms;
pub mod health;
pub mod inngest;
pub mod layers;
pub mod live;
pub mod metrics;
pub mod outcome;
pub mod pages;
pub mod profile;
pub mod repeat;
pub mod session;
pub mod site;
pub mod webhooks;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::header::{CONTENT_LENGTH, COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{any, get, post};
use axum::{Router, body::Body};
use leptos::config::LeptosOptions;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;

use crate::server::http::site::Site;
use crate::server::state::AppState;

/// What handlers extract: the shared state, or Leptos' options out of it.
#[derive(Clone, Debug)]
pub struct Shared(pub Arc<AppState>);

impl FromRef<Shared> for Arc<AppState> {
    fn from_ref(shared: &Shared) -> Self {
        Arc::clone(&shared.0)
    }
}

impl FromRef<Shared> for LeptosOptions {
    fn from_ref(shared: &Shared) -> Self {
        shared.0.settings.leptos.clone()
    }
}

/// Every URL that is not a page, a server function or of the JSON API (`api::routes`), with the method it answers. Tested by
/// `tests/it/access.rs`.
pub const ROUTES: &[(&str, &str)] = &[
    ("POST", "/api/webhooks/clerk"),
    ("GET", "/api/inngest"),
    ("PUT", "/api/inngest"),
    ("POST", "/api/inngest"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/metrics.json"),
    ("POST", "/admin/users/csv"),
    ("POST", "/admin/users/export"),
    ("GET", "/admin/sync/live"),
    ("POST", "/sign-out"),
    ("POST", "/theme"),
    ("POST", "/preferences"),
    ("POST", "/profile/picture"),
    ("POST", "/profile/export"),
    ("POST", "/admin/sync/audit/export"),
];

/// The whole service.
pub fn router(state: Arc<AppState>) -> Router {
    let shared = Shared(Arc::clone(&state));
    // Layers are given together, the outermost first: for each call of `layer` a request copies all the layers below it.
    let limit = from_fn_with_state(shared.clone(), addresses::limit_requests);
    let attach = from_fn_with_state(shared.clone(), session::attach);
    // Machines: no session, no origin check, no page.
    let failures = from_fn_with_state(shared.clone(), addresses::limit_failures);
    let machines = Router::new()
        .route("/api/webhooks/clerk", post(webhooks::receive).layer(failures.clone()))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(metrics::render))
        .route("/metrics.json", get(metrics::render_json));
    // A function may take longer than a request; what comes in is read in its time all the same.
    let functions = Router::new().route("/api/inngest", any(inngest::receive).layer(failures));
    // It goes on for as long as the page is open: no timeout, and nothing that gathers what is sent.
    let streams = Router::new().route("/admin/sync/live", get(live::stream)).layer((limit.clone(), attach.clone()));
    // People: who asks is settled before anything else.
    let site = Site::read(&state.settings.leptos);
    let people = pages::router(&shared, &site)
        .route("/admin/users/csv", post(exports::export_people))
        .route("/admin/users/export", post(exports::export_person))
        .route("/sign-out", post(forms::sign_out))
        .route("/theme", post(forms::choose_theme))
        .route("/preferences", post(forms::choose_preferences))
        .route("/profile/picture", profile::picture_route())
        .route("/profile/export", post(exports::export_profile))
        .route("/admin/sync/audit/export", post(exports::export_trail))
        .route("/api/{*none}", any(|| async { StatusCode::NOT_FOUND }))
        .layer((
            limit.clone(),
            from_fn_with_state(shared.clone(), layers::own_referer),
            from_fn_with_state(shared.clone(), layers::same_origin),
            attach,
            compression(),
        ));
    let timeout =
        TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, state.settings.server.request_timeout);
    Router::<Shared>::new()
        .merge(machines)
        .merge(people)
        // Everybody's, the same for all: no session.
        .merge(site.router().layer((limit.clone(), compression())))
        // Front ends: a session, but no redirect; their own origin check, and CORS.
        .merge(api::router(&shared).layer(limit))
        .layer(timeout)
        .merge(functions)
        .merge(streams)
        .layer(from_fn_with_state(shared.clone(), layers::surround))
        .with_state::<()>(shared)
}

/// For what is not compressed yet.
fn compression() -> CompressionLayer {
    CompressionLayer::new().quality(CompressionLevel::Fastest)
}

/// The values of a cookie of our own.
fn own_cookies<'a>(headers: &'a HeaderMap, name: &'a str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter_map(move |(known, value)| (known == name).then_some(value))
}

/// How long a body says that it is, in bytes.
fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// An empty answer of this status.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Serves until `until` ends, then finishes what is in progress.
///
/// # Errors
/// The listener's.
pub async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    until: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(until).await
}
