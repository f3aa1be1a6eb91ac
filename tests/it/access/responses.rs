//! What answers carry: headers of D6, cookies (D5-25), pictures from where they may come (D5-02), and no request to whom a
//! person names (D5-23, D4-05).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mongodb::bson::doc;
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE, SET_COOKIE};
use serde_json::json;

use crate::access::PAGES;
use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::user_event;
use crate::support::receiver::Receiver;

fn header(answer: &Response, name: &str) -> String {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn d6_every_page_has_every_header_and_a_nonce_of_its_own() {
    let app = TestApp::new().await;
    let admin = app.person(json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } })).await;
    let clerk = app.clerk.url();
    // Beside D6: any page may have to renew the session at Clerk, by a question of its script or on a form's way to it.
    let common = format!(
        "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self' {clerk}; \
         font-src 'self'; manifest-src 'self'; img-src 'self' https://img.clerk.com data: {clerk}"
    );
    let scripts = "script-src 'self' 'nonce-N' 'strict-dynamic' 'wasm-unsafe-eval'";
    let strict = format!("{common}; {scripts}; style-src 'self'; connect-src 'self' {clerk}");
    let for_clerk = format!(
        "{common}; {scripts} {clerk} https://challenges.cloudflare.com; style-src 'self' 'unsafe-inline'; \
         worker-src 'self' blob:; frame-src https://challenges.cloudflare.com; \
         connect-src 'self' {clerk} https://*.protect.clerk.com:*"
    );
    let mut nonces = std::collections::BTreeSet::new();
    let anybody = PAGES.iter().filter(|(_, anonymous, ..)| *anonymous == 200).map(|(path, ..)| (*path, false));
    for (path, is_admin) in PAGES.iter().map(|(path, ..)| (*path, true)).chain(anybody) {
        let answer = if is_admin {
            app.get_as(&admin, path).await
        } else {
            let cookies = "__clerk_db_jwt=dvb_test; __client_uat=0";
            app.visit(cookies, path).await
        };
        let policy = header(&answer, "content-security-policy");
        let nonce =
            policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default().to_owned();
        let with_clerk = ["/sign-in", "/sign-up", "/profile/account"].contains(&path);
        let expected = if with_clerk { &for_clerk } else { &strict };
        assert_eq!(&policy.replace(&format!("nonce-{nonce}"), "nonce-N"), expected, "{path}");
        let opener = if with_clerk { "same-origin-allow-popups" } else { "same-origin" };
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "strict-origin-when-cross-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", opener),
            ("cache-control", "private, no-store"),
        ] {
            assert_eq!(header(&answer, name), value, "{path} {name}");
        }
        assert!(header(&answer, "permissions-policy").contains("camera=()"), "{path}");
        assert!(header(&answer, "server-timing").starts_with("total;dur="), "{path}: in development");
        assert!(!answer.headers().contains_key("strict-transport-security"), "{path}: only with https");
        let page = answer.text().await.expect("text");
        assert!(nonce.len() >= 22 && page.contains(&format!("nonce=\"{nonce}\"")), "{path}");
        assert!(nonces.insert(nonce), "{path}: used before");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_25_d6_with_https_cookies_are_bound_to_the_host_and_browsers_stay_with_it() {
    let variables =
        vec![("ROLLCALL_PUBLIC_URL", "https://app.example.com".to_owned()), ("LEPTOS_ENV", "PROD".to_owned())];
    let app = TestApp::with(Wishes { variables, production_clerk: true, ..Wishes::default() }).await;
    let post = async |path: &str, body: &'static str| {
        let post = app.client.post(app.at(path)).header("sec-fetch-site", "same-origin").header(ACCEPT, "text/html");
        post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body).send().await.expect("an answer")
    };
    let mut seen = Vec::new();
    for (path, body) in [("/theme", "theme=dark"), ("/theme", "theme=system"), ("/api/profile/edit_bio", "bio=b")] {
        let answer = post(path, body).await;
        assert_eq!(answer.status(), 303, "{path}");
        assert_eq!(header(&answer, "strict-transport-security"), "max-age=31536000; includeSubDomains");
        assert!(!answer.headers().contains_key("server-timing"), "{path}: not in production");
        let lines = answer.headers().get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        for line in lines.filter(|line| line.contains("rollcall_")) {
            assert!(line.starts_with("__Host-rollcall_"), "{line}");
            for attribute in ["; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
                assert!(line.contains(attribute), "{line}");
            }
            assert!(!line.contains("Domain"), "{line}");
            seen.push(line.to_owned());
        }
    }
    assert_eq!(seen.len(), 3, "{seen:?}");
    // And they are read by that name, and by no other.
    let pair = |line: &String| line.split(';').next().expect("a pair").to_owned();
    let home = async |cookie: String| {
        let home = app.client.get(app.at("/")).header("cookie", cookie).send().await.expect("an answer");
        home.text().await.expect("text")
    };
    assert!(home(pair(&seen[0])).await.contains("data-theme=\"dark\""));
    assert!(!home(pair(&seen[0]).replace("__Host-", "")).await.contains("data-theme=\"dark\""));
    assert!(home(pair(&seen[2])).await.contains("Your session had run out"));
    app.finish().await;
}

/// A page that leads on shows nothing: what came of a form is said on the page that it leads to.
#[tokio::test]
async fn what_a_form_came_to_is_still_said_where_one_signs_in_and_then_no_more() {
    let app = TestApp::new().await;
    let post = app.client.post(app.at("/api/profile/edit_bio")).header("sec-fetch-site", "same-origin");
    let post = post.header(ACCEPT, "text/html").header("referer", app.at("/profile"));
    let post = post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body("bio=typed");
    let refused = post.send().await.expect("an answer");
    assert_eq!(refused.status(), 303);
    assert_eq!(header(&refused, "location"), "/profile");
    let notice = header(&refused, "set-cookie").split(';').next().expect("a pair").to_owned();
    // As after a handshake that found nobody.
    let cookies = format!("__clerk_db_jwt=dvb_test; __client_uat=0; {notice}");
    let led = app.visit(&cookies, "/profile").await;
    assert_eq!(led.status(), 302);
    assert_eq!(header(&led, "location"), "/sign-in?redirect_url=%2Fprofile");
    let lines = |answer: &Response| {
        let lines = answer.headers().get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
        lines.filter(|line| line.starts_with("rollcall_notice=")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&led), Vec::<String>::new(), "it stays");
    let shown = app.visit(&cookies, "/sign-in?redirect_url=%2Fprofile").await;
    assert!(lines(&shown).iter().all(|line| line.contains("Max-Age=0")) && lines(&shown).len() == 1, "it goes");
    let page = shown.text().await.expect("text");
    assert!(page.contains("Your session had run out, so nothing was changed."), "{page}");
    app.finish().await;
}

#[tokio::test]
async fn d5_02_pictures_come_from_where_they_may_or_initials_stand_there() {
    let app = TestApp::new().await;
    let admin = app.person(json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } })).await;
    let attributes =
        json!({ "email_address": ["p@example.com"], "first_name": "Paula", "last_name": "Quist", "username": "paula" });
    let id = app.person(attributes).await;
    let huge = format!("https://img.clerk.com/{}", "x".repeat(100_000));
    for (url, is_shown) in [
        ("https://img.clerk.com/abc?width=64", true),
        ("javascript:alert('evil')", false),
        ("data:image/svg+xml,<svg onload='evil()'/>", false),
        ("//evil.example/x.png", false),
        ("http://evil.example/x.png", false),
        ("ftp://evil.example/x.png", false),
        ("file:///evil", false),
        ("blob:https://evil.example/x", false),
        (" https://evil.example/x.png", false),
        ("https", false),
        (huge.as_str(), false),
        ("", false),
    ] {
        app.database.set("users", doc! { "clerkId": &id }, doc! { "imageUrl": url }).await;
        for path in ["/people", "/people/paula", &format!("/admin/users/{id}")] {
            let answer = app.get_as(&admin, path).await;
            let policy = header(&answer, "content-security-policy");
            let page = answer.text().await.expect("text");
            let start = url.get(..url.len().min(40)).unwrap_or_default().replace('&', "&amp;");
            let picture = page.split("<img ").skip(1).find(|rest| rest.contains(&format!("src=\"{start}")));
            let picture = picture.map(|rest| rest.split('>').next().unwrap_or_default());
            assert_eq!(picture.is_some() && !url.is_empty(), is_shown, "{path} {start}");
            assert!(page.contains(">PQ<"), "{path} {start}: initials");
            if let Some(picture) = picture.filter(|_| is_shown) {
                for attribute in ["width=", "height=", "loading=\"lazy\"", "referrerpolicy=\"no-referrer\"", "alt=\"\""]
                {
                    assert!(picture.contains(attribute), "{path}: {picture}");
                }
            }
            // Whatever stands there, a browser loads pictures from nowhere else.
            let sources = policy.split("img-src ").nth(1).and_then(|rest| rest.split(';').next()).expect("a policy");
            assert_eq!(sources.trim(), format!("'self' https://img.clerk.com data: {}", app.clerk.url()));
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_23_d4_05_nothing_is_fetched_from_where_a_person_or_a_token_says() {
    let app = TestApp::new().await;
    let listener = Receiver::replying(&[]).await;
    let admin = app.person(json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } })).await;
    let url = &listener.url;
    let attributes = json!({
        "email_address": ["p@example.com"], "first_name": url, "last_name": format!("<img src={url}>"), "username": "paula",
        "unsafe_metadata": { "website": url, "avatar": url }, "public_metadata": { "webhook": url },
    });
    let id = app.person(attributes).await;
    let mut event = user_event("user.updated", &id, url, jiff::Timestamp::now().as_millisecond());
    event["data"]["username"] = json!("paula");
    (event["data"]["image_url"], event["data"]["profile_image_url"]) = (json!(url), json!(url));
    app.deliver("msg_pictures", &event).await;
    app.settled().await;
    app.database.set("users", doc! { "clerkId": &id }, doc! { "imageUrl": url }).await;
    let person = format!("/admin/users/{id}");
    for path in ["/people", "/people/paula", "/admin/users", &person, "/admin/sync/events/msg_pictures", "/api/users"] {
        assert_eq!(app.get_as(&admin, path).await.status(), 200, "{path}");
    }
    for (body, status) in [(format!("url={url}"), 400), (String::new(), 200)] {
        assert_eq!(app.post_as(Some(&admin), "/api/connection/examine", &body).await.status(), status, "{body}");
    }
    // A token that brings its own keys, or says where they are.
    let token = app.token(&id);
    let (_, rest) = token.split_once('.').expect("a header");
    for name in ["jku", "x5u"] {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "ins_other", name: url });
        let token = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header.to_string()));
        let answer = app.client.get(app.at("/api/me")).bearer_auth(token).send().await.expect("an answer");
        assert_eq!(answer.status(), 401, "{name}");
    }
    assert_eq!(listener.received().len(), 0);
    app.finish().await;
}
