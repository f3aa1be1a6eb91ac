//! Sessions as requests carry them: header, cookies, keys fetched or configured, the way to Clerk and back.

use std::sync::Arc;

use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Router};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rollcall::server::access::Session;
use rollcall::server::http::Shared;
use rollcall::server::http::session::{attach, attach_quietly};
use rollcall::server::rpc::caller::Caller;
use rollcall::standin::keys::cookie_suffix;
use rollcall::standin::token::TokenOptions;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::app::{TestApp, Wishes, claims_of};

const VIEWER: &str = "/api/session/get_viewer";
const PROFILE: &str = "/api/profile/get_profile";

async fn jo(app: &TestApp) -> String {
    app.person(json!({ "email_address": ["jo@example.com"], "first_name": "Jo" })).await
}

/// The states of a person's sessions at Clerk.
async fn session_states(app: &TestApp, id: &str) -> Vec<String> {
    let sessions = app.clerk.url() + "/v1/sessions?user_id=" + id;
    let listed = app.client.get(sessions).bearer_auth(app.clerk.secret_key()).send().await.expect("an answer");
    let listed: Value = listed.json().await.expect("JSON");
    listed.as_array().expect("a list").iter().filter_map(|row| Some(row["status"].as_str()?.to_owned())).collect()
}

/// The cookies of a development browser whose session has run out a minute ago, with what renews it.
fn stale_cookies(app: &TestApp, token: &str, refresh_token: &str) -> String {
    let suffix = cookie_suffix(app.clerk.publishable_key());
    format!(
        "__clerk_db_jwt_{suffix}=dvb_test; __client_uat_{suffix}=1; __session_{suffix}={token}; __refresh_{suffix}={refresh_token}"
    )
}

/// The refresh token of the session that a token names.
fn refresh_token(app: &TestApp, token: &str) -> String {
    app.clerk.sign(&json!({ "sid": claims_of(token)["sid"], "st": "refresh_token" }))
}

#[tokio::test]
async fn a_session_that_has_run_out_is_renewed_on_the_spot() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let old = TokenOptions { iat_offset_s: -120, ..TokenOptions::asked_by(&app.url) };
    let token = app.clerk.session_token(&id, old);
    let cookies = stale_cookies(&app, &token, &refresh_token(&app, &token));
    let page = app.visit(&cookies, "/profile").await;
    assert_eq!(page.status(), 200, "no way round by Clerk");
    let headers = page.headers().clone();
    let set: Vec<&str> = headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(set.iter().any(|cookie| cookie.starts_with("__session=ey")), "{set:?}");
    assert!(set.iter().any(|cookie| cookie.starts_with("__session_")), "{set:?}");
    assert!(page.text().await.expect("text").contains("jo@example.com"));
    let function = app.client.get(app.at(PROFILE)).header("cookie", &cookies).send().await.expect("an answer");
    assert_eq!(function.status(), 200, "a function is no navigation, and is renewed all the same");
    let form = app.client.post(app.at("/api/profile/edit_bio")).header("cookie", &cookies);
    let form = form.header("sec-fetch-site", "same-origin").form(&[("bio", "Sent a minute later.")]);
    assert_eq!(form.send().await.expect("an answer").status(), 200, "nor is a form");
    assert!(app.visit(&cookies, "/profile").await.text().await.expect("text").contains("Sent a minute later."));
    app.finish().await;
}

#[tokio::test]
async fn what_cannot_be_renewed_goes_round_by_clerk_and_says_why() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let old = || TokenOptions { iat_offset_s: -120, ..TokenOptions::asked_by(&app.url) };
    let (token, other) = (app.clerk.session_token(&id, old()), app.clerk.session_token(&id, old()));
    let cookies = stale_cookies(&app, &token, &refresh_token(&app, &other));
    let reason = "session-token-expired-refresh-invalid_refresh_token";
    let page = app.visit(&cookies, "/profile").await;
    assert_eq!((page.status().as_u16(), page.headers()["x-clerk-auth-reason"].to_str().expect("text")), (307, reason));
    let function = app.client.get(app.at(PROFILE)).header("cookie", &cookies).send().await.expect("an answer");
    assert_eq!(
        (function.status().as_u16(), function.headers()["x-clerk-auth-reason"].to_str().expect("text")),
        (401, reason)
    );
    let post = app.client.post(app.at("/theme")).header("cookie", &cookies).header("sec-fetch-site", "same-origin");
    let posted = post.form(&[("theme", "dark")]).send().await.expect("an answer");
    assert_eq!(posted.headers()["x-clerk-auth-reason"], reason);
    app.clerk.set_levers(rollcall::standin::levers::Levers { bapi_status: Some(500), ..app.clerk.levers() });
    let page = app.visit(&stale_cookies(&app, &token, &refresh_token(&app, &token)), "/profile").await;
    assert_eq!(page.status(), 307);
    app.finish().await;
}

#[tokio::test]
async fn a_primary_sends_visitors_back_to_its_satellites_and_nowhere_else() {
    let satellites = vec![("ROLLCALL_CLERK_SATELLITES", "https://satellite.example".to_owned())];
    let app = TestApp::with(Wishes { variables: satellites, ..Wishes::default() }).await;
    let cookies = "__clerk_db_jwt=dvb_test";
    let sent = app.visit(cookies, "/sign-in?__clerk_redirect_url=https://satellite.example/page").await;
    assert_eq!(sent.status(), 307);
    assert_eq!(
        sent.headers()["location"],
        "https://satellite.example/page?__clerk_db_jwt=dvb_test&__clerk_synced=true"
    );
    let stays = app.visit(cookies, "/sign-in?__clerk_redirect_url=https://evil.example/page").await;
    assert_eq!(stays.status(), 200);
    app.finish().await;
}

/// A satellite of a primary domain whose sign-in page is there.
async fn satellite(sign_in_url: &str) -> TestApp {
    let variables = vec![
        ("CLERK_IS_SATELLITE", "true".to_owned()),
        ("CLERK_DOMAIN", "satellite.example".to_owned()),
        ("CLERK_SIGN_IN_URL", sign_in_url.to_owned()),
    ];
    TestApp::with(Wishes { variables, ..Wishes::default() }).await
}

#[tokio::test]
async fn a_satellite_asks_the_primary_when_it_is_told_to() {
    let app = satellite("https://primary.example/sign-in").await;
    let first = app.visit("__clerk_db_jwt=dvb_test", "/").await;
    assert_eq!(first.status(), 200, "a guest is left alone");
    let back = app.visit("__clerk_db_jwt=dvb_test", "/?__clerk_synced=false").await;
    assert_eq!(back.headers()["x-clerk-auth-reason"], "satellite-needs-syncing");
    let location = back.headers()["location"].to_str().expect("text");
    assert!(location.starts_with("https://primary.example/sign-in?__clerk_redirect_url="), "{location}");
    let page = app.visit("__clerk_db_jwt=dvb_test", "/profile").await;
    let location = page.headers()["location"].to_str().expect("text").to_owned();
    assert!(location.starts_with("https://primary.example/sign-in?redirect_url=http%3A%2F%2F"), "{location}");
    assert!(location.ends_with("%2Fprofile%3F__clerk_synced%3Dfalse"), "{location}");
    app.finish().await;
}

#[tokio::test]
async fn e_31_who_signs_out_of_a_satellite_to_sign_in_again_comes_back_to_it() {
    let app = satellite("https://primary.example/sign-in?tenant=a").await;
    let asked =
        [("/people?q=a", "/people?q=a&__clerk_synced=false"), ("//evil.example", "/profile?__clerk_synced=false")];
    for (back, led) in asked {
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("back", back).finish();
        let out = app.post_as(None, "/sign-out", &body).await;
        let location = out.headers()["location"].to_str().expect("text");
        let location = url::Url::parse(location).expect("a whole address");
        let pairs: Vec<(String, String)> = location.query_pairs().into_owned().collect();
        let expected = [("tenant".to_owned(), "a".to_owned()), ("redirect_url".to_owned(), app.at(led))];
        assert_eq!((location.host_str(), pairs.as_slice()), (Some("primary.example"), expected.as_slice()), "{back}");
    }
    app.finish().await;
}

/// The cookies of a signed-in development browser.
fn cookies(token: &str) -> String {
    format!("__clerk_db_jwt=dvb_test; __client_uat=1; __session={token}")
}

#[tokio::test]
async fn a1_10_a_token_is_accepted_as_bearer_and_as_cookie() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let by_header = app.get_as(&id, VIEWER).await;
    assert_eq!(by_header.json::<Value>().await.expect("JSON")["name"], "Jo");
    let by_cookie = app.visit(&cookies(&app.token(&id)), VIEWER).await;
    assert_eq!(by_cookie.json::<Value>().await.expect("JSON")["name"], "Jo");
    app.finish().await;
}

#[tokio::test]
async fn a3_02_a_guest_passes_and_a3_04_a_function_for_the_signed_in_says_401() {
    let app = TestApp::new().await;
    let guest = app.get(VIEWER).await;
    assert_eq!((guest.status().as_u16(), guest.text().await.expect("text").as_str()), (200, "null"));
    let refused = app.get(PROFILE).await;
    assert_eq!(refused.status(), 401);
    assert_eq!(refused.headers()["x-clerk-auth-status"], "signed-out");
    app.finish().await;
}

#[tokio::test]
async fn d4_01_d4_10_d4_18_spoilt_tokens_are_nobody() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let good = app.token(&id);
    let (signed, signature) = good.rsplit_once('.').expect("three parts");
    let (header, _) = signed.split_once('.').expect("two parts");
    let other = app.clerk.session_token(&id, TokenOptions::asked_by("https://evil.example"));
    let old = TokenOptions { iat_offset_s: -120, ..TokenOptions::asked_by(&app.url) };
    let spoilt = [
        String::new(),
        "nonsense".to_owned(),
        format!("{header}.e30.{signature}"),
        format!("{signed}."),
        format!("{signed}.AAAA"),
        format!("{good}.{good}"),
        other,
        app.clerk.session_token(&id, old),
    ];
    for token in spoilt {
        let answer = app.client.get(app.at(PROFILE)).bearer_auth(&token).send().await.expect("an answer");
        assert_eq!(answer.status(), 401, "{token}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d2_17_keys_come_from_clerk_when_none_is_configured() {
    let fetched = vec![("CLERK_JWT_KEY", String::new())];
    let app = TestApp::with(Wishes { variables: fetched, ..Wishes::default() }).await;
    let id = jo(&app).await;
    assert_eq!(app.get_as(&id, PROFILE).await.status(), 200);
    app.clerk.set_levers(rollcall::standin::levers::Levers { bapi_status: Some(500), ..app.clerk.levers() });
    assert_eq!(app.get_as(&id, PROFILE).await.status(), 200, "keys that are known outlast an outage");
    app.finish().await;
}

#[tokio::test]
async fn a_first_visit_goes_to_clerk_and_comes_back_with_a_session() {
    let app = TestApp::new().await;
    let first = app.visit("", "/profile?tab=1").await;
    assert_eq!(first.status(), 307);
    assert_eq!(first.headers()["x-clerk-auth-reason"], "dev-browser-missing");
    assert_eq!(first.headers()["cache-control"], "no-store");
    let location = first.headers()["location"].to_str().expect("text").to_owned();
    assert!(location.starts_with(&format!("{}/v1/client/handshake?", app.clerk.url())), "{location}");
    let at_clerk = app.client.get(&location).send().await.expect("an answer");
    let back = at_clerk.headers()["location"].to_str().expect("text").to_owned();
    let back = back.strip_prefix(&app.url).expect("back to us").to_owned();
    let returned = app.visit("", &back).await;
    assert_eq!(returned.status(), 307, "the handshake leaves the address bar");
    assert_eq!(returned.headers()["location"], app.at("/profile?tab=1"));
    let set: Vec<&str> =
        returned.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(set.iter().any(|cookie| cookie.starts_with("__clerk_db_jwt=")), "{set:?}");
    app.finish().await;
}

#[tokio::test]
async fn d4_16_whoever_has_a_step_of_signing_in_left_is_told_and_led_to_it() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let says = "One step of signing in is left.";
    let pending = TokenOptions { sts: "pending".to_owned(), ..TokenOptions::asked_by(&app.url) };
    let pending = cookies(&app.clerk.session_token(&id, pending));
    for path in ["/", "/sign-in", "/no-such-page"] {
        let shown = app.visit(&pending, path).await.text().await.expect("text");
        let (_, rest) = shown.split_once(says).expect("it is said");
        let (way, _) = rest.split_once("</aside>").expect("with the way there");
        assert!(way.contains("href=\"/sign-in\""), "{path}: {way}");
        assert!(!shown.contains("action=\"/sign-out\""), "{path}: signed out everywhere else");
    }
    let led = app.visit(&pending, "/profile").await;
    assert_eq!(led.headers()["location"], "/sign-in?redirect_url=%2Fprofile");
    for cookies in ["__clerk_db_jwt=dvb_test".to_owned(), cookies(&app.token(&id))] {
        assert!(!app.visit(&cookies, "/").await.text().await.expect("text").contains(says), "{cookies}");
    }
    app.finish().await;
}

/// Who asks, in one line.
async fn who(Extension(caller): Extension<Arc<Caller>>) -> String {
    match &caller.session {
        Session::SignedIn { claims } => claims.sub.clone(),
        Session::SignedOut { reason } => format!("nobody: {reason}"),
    }
}

#[tokio::test]
async fn a3_02_a_route_may_take_visitors_as_they_come_and_send_nobody_to_clerk() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let shared = Shared(Arc::clone(&app.state));
    let quiet = Router::new().route("/quiet", get(who)).layer(from_fn_with_state(shared.clone(), attach_quietly));
    let usual = Router::new().route("/usual", get(who)).layer(from_fn_with_state(shared.clone(), attach));
    let router: Router = quiet.merge(usual).with_state(shared);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let ask = async |cookies: &str, path: &str| {
        let request = app.client.get(format!("{origin}{path}")).header("accept", "text/html");
        request.header("sec-fetch-dest", "document").header("cookie", cookies).send().await.expect("an answer")
    };
    let old = || TokenOptions { iat_offset_s: -120, ..TokenOptions::asked_by(&app.url) };
    let (token, other) = (app.clerk.session_token(&id, old()), app.clerk.session_token(&id, old()));
    let stale = stale_cookies(&app, &token, &refresh_token(&app, &other));
    let renewable = stale_cookies(&app, &token, &refresh_token(&app, &token));
    for (carried, reason) in [
        ("", "dev-browser-missing"),
        ("__clerk_db_jwt=dvb_test; __client_uat=1", "client-uat-but-no-session-token"),
        (stale.as_str(), "session-token-expired-refresh-invalid_refresh_token"),
    ] {
        let usual = ask(carried, "/usual").await;
        assert_eq!(usual.status(), 307, "{reason}");
        assert_eq!(usual.headers()["x-clerk-auth-status"], "handshake", "{reason}");
        let quiet = ask(carried, "/quiet").await;
        assert_eq!(quiet.status(), 200, "{reason}");
        assert_eq!(quiet.headers()["x-clerk-auth-status"], "signed-out", "{reason}");
        for header in ["location", "set-cookie"] {
            assert!(!quiet.headers().contains_key(header), "{reason}: {header}");
        }
        assert_eq!(quiet.text().await.expect("text"), format!("nobody: {reason}"));
    }
    for carried in [cookies(&app.token(&id)), renewable] {
        assert_eq!(ask(&carried, "/quiet").await.text().await.expect("text"), id);
    }
    app.finish().await;
}

#[tokio::test]
async fn sign_out_ends_the_session_at_clerk_and_takes_the_cookies() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let token = app.token(&id);
    let answer = app
        .client
        .post(app.at("/sign-out"))
        .header("cookie", cookies(&token))
        .header("sec-fetch-site", "same-origin")
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 303);
    let set: Vec<&str> =
        answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(set.iter().any(|cookie| cookie.starts_with("__session=;")), "{set:?}");
    assert_eq!(session_states(&app, &id).await, ["revoked"]);
    app.finish().await;
}

#[tokio::test]
async fn a_token_that_the_left_page_writes_back_after_sign_out_opens_nothing() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let token = app.token(&id);
    let post = app.client.post(app.at("/sign-out")).header("sec-fetch-site", "same-origin");
    let answer = post.header("cookie", cookies(&token)).send().await.expect("an answer");
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let ended = set.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.starts_with("rollcall_ended="));
    let ended = ended.expect("the ended session is named");
    let again = app.visit(&format!("{}; {ended}", cookies(&token)), PROFILE).await;
    assert_eq!(again.status(), 401);
    let anew = app.visit(&format!("{}; {ended}", cookies(&app.token(&id))), PROFILE).await;
    assert_eq!(anew.status(), 200, "another session of the same person is another matter");
    app.finish().await;
}

#[tokio::test]
async fn sign_out_ends_a_session_whose_token_has_run_out() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let old = TokenOptions { iat_offset_s: -120, ..TokenOptions::asked_by(&app.url) };
    let token = app.clerk.session_token(&id, old);
    let post = app.client.post(app.at("/sign-out")).header("sec-fetch-site", "same-origin");
    let answer = post.header("cookie", cookies(&token)).send().await.expect("an answer");
    assert_eq!(answer.status(), 303);
    assert_eq!(session_states(&app, &id).await, ["revoked"]);
    app.finish().await;
}

#[tokio::test]
async fn while_clerk_is_away_nobody_is_told_that_they_are_signed_out() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    app.clerk.set_levers(rollcall::standin::levers::Levers { bapi_status: Some(500), ..app.clerk.levers() });
    let post = app.client.post(app.at("/sign-out")).header("sec-fetch-site", "same-origin");
    let answer = post.header("cookie", cookies(&app.token(&id))).send().await.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert!(!answer.headers().contains_key("set-cookie"));
    app.finish().await;
}

#[tokio::test]
async fn d2_17_without_clerks_keys_nobody_is_told_that_they_are_signed_out() {
    let fetched = vec![("CLERK_JWT_KEY", String::new())];
    let app = TestApp::with(Wishes { variables: fetched, ..Wishes::default() }).await;
    let id = jo(&app).await;
    app.clerk.set_levers(rollcall::standin::levers::Levers { bapi_status: Some(500), ..app.clerk.levers() });
    let post = app.client.post(app.at("/sign-out")).header("sec-fetch-site", "same-origin");
    let answer = post.header("cookie", cookies(&app.token(&id))).send().await.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert!(!answer.headers().contains_key("set-cookie"));
    app.clerk.set_levers(rollcall::standin::levers::Levers::default());
    assert_eq!(session_states(&app, &id).await, ["active"]);
    app.finish().await;
}

#[tokio::test]
async fn a_token_of_a_key_that_clerk_does_not_have_ends_no_session_and_goes() {
    let fetched = vec![("CLERK_JWT_KEY", String::new())];
    let app = TestApp::with(Wishes { variables: fetched, ..Wishes::default() }).await;
    let id = jo(&app).await;
    let token = app.token(&id);
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "RS256", "typ": "JWT", "kid": "ins_other" }).to_string());
    let (_, signed) = token.split_once('.').expect("three parts");
    let post = app.client.post(app.at("/sign-out")).header("sec-fetch-site", "same-origin");
    let answer = post.header("cookie", cookies(&format!("{header}.{signed}"))).send().await.expect("an answer");
    assert_eq!(answer.status(), 303);
    let mut set = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    assert!(set.any(|cookie| cookie.starts_with("__session=;")));
    assert_eq!(session_states(&app, &id).await, ["active"]);
    app.finish().await;
}

#[tokio::test]
async fn d5_06_a_function_leads_nobody_to_another_site() {
    let app = TestApp::new().await;
    for path in [VIEWER, PROFILE] {
        let ask =
            app.client.get(app.at(path)).header("accept", "text/html").header("referer", "https://evil.example/x");
        let answer = ask.send().await.expect("an answer");
        assert!(!answer.headers().contains_key("location"), "{path}: {:?}", answer.headers());
        assert!(!answer.status().is_redirection(), "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_04_another_site_cannot_post_here() {
    let app = TestApp::new().await;
    for (header, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("origin", "null")] {
        for path in ["/sign-out", "/theme"] {
            let post = app.client.post(app.at(path)).header(header, value).body("theme=dark");
            let answer =
                post.header("content-type", "application/x-www-form-urlencoded").send().await.expect("an answer");
            assert_eq!(answer.status(), 403, "{path} {value}");
        }
    }
    app.finish().await;
}
