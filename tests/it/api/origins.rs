//! Other origins: what a browser is told it may do, and what is refused whatever it was told (A0-07, D5-04, D5-18).

use reqwest::Response;
use serde_json::json;

use crate::api::{CLIENT, app, someone};
use crate::support::app::TestApp;

/// Origins that are not the client's, and look as if they were.
const OTHERS: [&str; 10] = [
    "null",
    "https://evil.example",
    "https://front.example.com.evil.example",
    "https://evilfront.example.com",
    "https://sub.front.example.com",
    "https://front.example.com:8443",
    "http://front.example.com",
    "https://FRONT.example.com",
    "https://front.example.com/",
    "https://front.example.com, https://evil.example",
];

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).and_then(|value| value.to_str().ok())
}

async fn preflight(app: &TestApp, path: &str, origin: &str, method: &str) -> Response {
    let request = app.client.request(reqwest::Method::OPTIONS, app.at(path)).header("origin", origin);
    let request = request.header("access-control-request-method", method);
    request.header("access-control-request-headers", "authorization,content-type").send().await.expect("an answer")
}

#[tokio::test]
async fn a0_07_the_client_may_ask_first_and_then_do() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    let allowed = preflight(&app, "/api/profile", CLIENT, "PATCH").await;
    assert!(allowed.status().is_success());
    assert_eq!(header(&allowed, "access-control-allow-origin"), Some(CLIENT));
    assert_eq!(header(&allowed, "access-control-allow-credentials"), Some("true"));
    assert_eq!(header(&allowed, "access-control-allow-methods"), Some("GET,PATCH,OPTIONS"));
    assert_eq!(header(&allowed, "access-control-allow-headers"), Some("authorization,content-type"));
    assert_eq!(header(&allowed, "access-control-max-age"), Some("3600"));
    let edit = app.client.patch(app.at("/api/profile")).header("origin", CLIENT).bearer_auth(app.token(&id));
    let edited = edit.json(&json!({ "firstName": "Joan" })).send().await.expect("an answer");
    assert_eq!(edited.status(), 200);
    assert_eq!(header(&edited, "access-control-allow-origin"), Some(CLIENT));
    let vary: Vec<&str> = edited.headers().get_all("vary").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(vary.join(",").to_lowercase().contains("origin"), "{vary:?}");
    // The client can also read why it was refused.
    let refused = app.client.get(app.at("/api/me")).header("origin", CLIENT).send().await.expect("an answer");
    assert_eq!((refused.status().as_u16(), header(&refused, "access-control-allow-origin")), (401, Some(CLIENT)));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn d5_18_no_other_origin_is_allowed_to_read_or_to_ask() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    for origin in OTHERS {
        let asked = preflight(&app, "/api/profile", origin, "PATCH").await;
        assert_eq!(header(&asked, "access-control-allow-origin"), None, "{origin}");
        let read = app.client.get(app.at("/api/profile")).header("origin", origin).bearer_auth(app.token(&id));
        let read = read.send().await.expect("an answer");
        assert_eq!(header(&read, "access-control-allow-origin"), None, "{origin}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_04_a_change_by_cookie_comes_from_a_page_of_ours_or_of_the_client() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    let own = app.url.clone();
    let change = async |pairs: &[(&str, &str)]| {
        let cookies = format!("__clerk_db_jwt=dvb_test; __client_uat=1; __session={}", app.token(&id));
        let mut request = app.client.patch(app.at("/api/profile")).header("cookie", cookies).json(&json!({}));
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(change(&[("origin", CLIENT), ("sec-fetch-site", "cross-site")]).await, 200);
    assert_eq!(change(&[("origin", &own), ("sec-fetch-site", "same-origin")]).await, 200);
    assert_eq!(change(&[("origin", &own)]).await, 200);
    assert_eq!(change(&[]).await, 403, "nobody says where it comes from");
    assert_eq!(change(&[("sec-fetch-site", "cross-site")]).await, 403);
    for origin in OTHERS {
        assert_eq!(change(&[("origin", origin), ("sec-fetch-site", "cross-site")]).await, 403, "{origin}");
        assert_eq!(change(&[("origin", origin)]).await, 403, "{origin}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d4_14_a_token_made_for_the_client_opens_the_api_and_no_page() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    let of = |origin: &str| app.clerk.session_token(&id, rollcall::standin::token::TokenOptions::asked_by(origin));
    let ask = async |token: String, path: &str| {
        app.client.get(app.at(path)).bearer_auth(token).send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(ask(of(CLIENT), "/api/me").await, 200);
    assert_eq!(ask(of(CLIENT), "/api/profile/get_profile").await, 401);
    for other in ["https://evil.example", "https://front.example.com.evil.example", "https://front.example.com:8443"] {
        assert_eq!(ask(of(other), "/api/me").await, 401, "{other}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a0_07_nothing_but_the_api_answers_to_other_origins() {
    let app = app().await;
    for path in ["/", "/profile", "/api/webhooks/clerk", "/api/profile/get_profile", "/api/none", "/healthz", "/theme"]
    {
        let asked = preflight(&app, path, CLIENT, "GET").await;
        let read = app.client.get(app.at(path)).header("origin", CLIENT).send().await.expect("an answer");
        for answer in [asked, read] {
            assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")), "{path}");
        }
    }
    app.finish().await;
}
