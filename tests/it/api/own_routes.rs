//! Routes of somebody's own, as the documentation of `server::http` shows them (A3-18): what each demand answers to whom.

use std::sync::Arc;

use axum::extract::Path;
use axum::middleware::{from_extractor_with_state, from_fn_with_state};
use axum::routing::{get, patch, post, put};
use axum::{Extension, Router};
use reqwest::Method;
use rollcall::server::access::{Admin, Moderator, Session, SignedIn, Viewer};
use rollcall::server::http::session::attach;
use rollcall::server::http::{Shared, layers};
use rollcall::server::rpc::caller::Caller;
use rollcall::standin::levers::Levers;

use crate::api::{app, expired, someone, told};
use crate::support::app::TestApp;

async fn greet(Extension(caller): Extension<Arc<Caller>>) -> String {
    match &caller.session {
        Session::SignedIn { claims } => claims.sub.clone(),
        Session::SignedOut { .. } => "nobody".to_owned(),
    }
}

async fn device(session: SignedIn) -> String {
    session.session_id().to_owned()
}

async fn account(viewer: Viewer) -> String {
    viewer.user().name.clone()
}

async fn add_product(admin: Admin) -> String {
    admin.actor().id
}

async fn change_order(moderator: Moderator, Path(id): Path<String>) -> String {
    format!("{id} {}", moderator.viewer().user().clerk_id)
}

/// The application's state behind routes that are not its own; where they listen.
async fn serve(app: &TestApp) -> String {
    let shared = Shared(Arc::clone(&app.state));
    let reports = Router::new()
        .route("/reports", get(|| async { "for admins" }))
        .route_layer(from_extractor_with_state::<Admin, _>(shared.clone()));
    let routes = Router::new()
        .route("/greeting", get(greet))
        .route("/device", get(device))
        .route("/account", get(account))
        .route("/products", post(add_product))
        .route("/products/{id}", put(change_order))
        .route("/orders/{id}", patch(change_order))
        .merge(reports)
        .layer(from_fn_with_state(shared.clone(), layers::same_origin))
        .layer(from_fn_with_state(shared.clone(), attach))
        .with_state::<()>(shared);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, routes).into_future());
    url
}

async fn ask(app: &TestApp, url: &str, (method, path): (&str, &str), token: Option<&str>) -> (u16, String) {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let ask = app.client.request(method, format!("{url}{path}")).header("sec-fetch-site", "same-origin");
    told(token.into_iter().fold(ask, reqwest::RequestBuilder::bearer_auth).send().await.expect("an answer")).await
}

#[tokio::test]
async fn a3_02_to_a3_10_a3_18_routes_of_ones_own_demand_a_session_a_person_or_a_role() {
    let app = app().await;
    let url = serve(&app).await;
    let member = someone(&app, "Member", "user").await;
    let moderator = someone(&app, "Moderator", "moderator").await;
    let admin = someone(&app, "Admin", "admin").await;
    let banned = someone(&app, "Banned", "admin").await;
    app.clerk.ban(&banned);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let routes = [
        ("GET", "/greeting"),
        ("GET", "/device"),
        ("GET", "/account"),
        ("POST", "/products"),
        ("PUT", "/products/1"),
        ("PATCH", "/orders/1"),
        ("GET", "/reports"),
    ];
    let (fine, invalid) = ((200, ""), (401, "Unauthorized - Invalid token"));
    let (admins, roles) = ((403, "Forbidden - admin access only"), (403, "Forbidden - insufficient permissions"));
    for (who, token, expected) in [
        ("nobody", None, [fine, invalid, invalid, invalid, invalid, invalid, invalid]),
        ("expired", Some(expired(&app, &admin)), [fine, invalid, invalid, invalid, invalid, invalid, invalid]),
        ("member", Some(app.token(&member)), [fine, fine, fine, admins, roles, roles, admins]),
        ("moderator", Some(app.token(&moderator)), [fine, fine, fine, admins, fine, fine, admins]),
        ("admin", Some(app.token(&admin)), [fine; 7]),
        ("banned", Some(app.token(&banned)), [fine, fine, roles, roles, roles, roles, roles]),
    ] {
        for (route, (status, words)) in routes.into_iter().zip(expected) {
            let answer = ask(&app, &url, route, token.as_deref()).await;
            assert_eq!(answer, (status, words.to_owned()), "{who} {route:?}");
        }
    }
    // Whom Clerk does not know, and what is known while it is away.
    let stranger = app.token("user_nobody");
    assert_eq!(ask(&app, &url, ("GET", "/account"), Some(&stranger)).await, (404, "User not found".to_owned()));
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..app.clerk.levers() });
    assert_eq!(ask(&app, &url, ("GET", "/account"), Some(&stranger)).await, (503, "Service unavailable".to_owned()));
    assert_eq!(ask(&app, &url, ("GET", "/device"), Some(&stranger)).await.0, 200);
    assert_eq!(ask(&app, &url, ("GET", "/account"), Some(&app.token(&member))).await.0, 200);
    app.clerk.set_levers(Levers::default());
    let foreign = app.client.post(format!("{url}/products")).header("sec-fetch-site", "cross-site");
    assert_eq!(foreign.bearer_auth(app.token(&admin)).send().await.expect("an answer").status(), 403);
    app.finish().await;
}
