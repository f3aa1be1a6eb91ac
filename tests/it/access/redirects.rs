//! Where a request can lead somebody: to pages of ours, whatever it names (D5-06, D5-07), and by the address that is
//! configured, whatever it claims to have asked for (D4-29, D5-27).

use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION, REFERER};
use url::Url;
use url::form_urlencoded::Serializer;

use crate::support::app::TestApp;

/// Each leads, in one reading or another, to where this word is: none may.
const EVIL: &str = "evil.example";
const FOREIGN: [&str; 42] = [
    "https://evil.example",
    "https://evil.example/profile",
    "http://evil.example",
    "HTTPS://EVIL.EXAMPLE@evil.example/",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "/\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    " https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "https:\\\\evil.example",
    "http:///evil.example",
    "https://localhost@evil.example",
    "https://localhost:3000@evil.example/",
    "https://localhost.evil.example",
    "https://evil.example#localhost",
    "https://evil.example?localhost",
    "https://evil.example\\@localhost",
    "//evil.example@localhost",
    "//localhost@evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/a/..//evil.example",
    "/a/../..//evil.example",
    "/./\\evil.example",
    "javascript:location='//evil.example'",
    "JaVaScRiPt:location='//evil.example'",
    "java\tscript:location='//evil.example'",
    "data:text/html,<script>location='//evil.example'</script>",
    "vbscript:evil.example",
    "ftp://evil.example",
    "/\u{0}//evil.example",
    "https://evil.example%2f@localhost/",
];

fn location(answer: &Response) -> String {
    answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn encoded(name: &str, value: &str) -> String {
    Serializer::new(String::new()).append_pair(name, value).finish()
}

/// Whether a browser on a page of ours that is led there stays here.
fn stays(app: &TestApp, location: &str) -> bool {
    let here = Url::parse(&app.url).expect("an address");
    here.join("/some/page").and_then(|page| page.join(location)).is_ok_and(|url| url.origin() == here.origin())
}

#[tokio::test]
async fn d5_07_of_forty_foreign_addresses_none_is_followed_wherever_one_may_be_named() {
    let app = TestApp::new().await;
    for foreign in FOREIGN {
        for (page, name) in [("/sign-in", "redirect_url"), ("/sign-up", "redirect_url"), ("/verify", "back")] {
            let answer = app.get(&format!("{page}?{}", encoded(name, foreign))).await;
            assert_eq!(answer.status(), 200, "{page} {foreign}");
            assert!(!answer.text().await.expect("text").to_lowercase().contains(EVIL), "{page} {foreign}");
        }
        let out = app.post_as(None, "/sign-out", &encoded("back", foreign)).await;
        assert_eq!((out.status().as_u16(), location(&out).as_str()), (303, "/sign-in"), "{foreign}");
        // A form's referrer is its page, or else the home page is.
        let Ok(referer) = reqwest::header::HeaderValue::from_str(foreign) else { continue };
        for (path, body) in [("/theme", "theme=dark"), ("/api/runs/control_run", "id=none&wish=pause")] {
            let post =
                app.client.post(app.at(path)).header("sec-fetch-site", "same-origin").header(ACCEPT, "text/html");
            let post = post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").header(REFERER, referer.clone());
            let answer = post.body(body).send().await.expect("an answer");
            assert_eq!((answer.status().as_u16(), location(&answer).as_str()), (303, "/"), "{path} {foreign}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_07_what_is_ours_is_followed() {
    let app = TestApp::new().await;
    // Of what is encoded in them nothing is lost: `R&D`, `ada+test@x.org`.
    let encoded_in_it = ["/people?q=R%26D", "/admin/users?q=ada%2Btest%40x.org", "/people?q=100%25ab"];
    let plain = ["/people", "/admin/sync/events?q=dead", "/profile#bio", "/people?q=//"];
    for own in plain.into_iter().chain(encoded_in_it) {
        let page = app.get(&format!("/verify?{}", encoded("back", own))).await.text().await.expect("text");
        assert!(page.contains(&format!("href=\"{own}\"")), "{own}: {page}");
        let out = app.post_as(None, "/sign-out", &encoded("back", own)).await;
        let next = location(&out);
        let (_, query) = next.split_once('?').expect("a query");
        assert_eq!(url::form_urlencoded::parse(query.as_bytes()).next().expect("one").1, own);
        let sign_in = app.get(&format!("/sign-in?{}", encoded("redirect_url", own))).await.text().await.expect("text");
        assert!(sign_in.contains(&format!("&quot;{own}&quot;")), "{own}: {sign_in}");
    }
    let reader = app.person(serde_json::json!({ "email_address": ["r@example.com"] })).await;
    let found = app.get_as(&reader, "/people?q=100%25ab+%2B").await.text().await.expect("text");
    assert!(found.contains("value=\"100%ab +\""), "{found}");
    let theme = app.client.post(app.at("/theme")).header("sec-fetch-site", "same-origin");
    let theme = theme.header(REFERER, app.at("/people?q=a")).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(location(&theme.body("theme=dark").send().await.expect("an answer")), "/people?q=a");
    app.finish().await;
}

/// A visitor without a session is sent to Clerk and comes back: to the address they asked for, on this origin.
#[tokio::test]
async fn d5_07_d4_27_from_a_handshake_one_comes_back_to_this_site() {
    let app = TestApp::new().await;
    for path in ["//evil.example", "/.//evil.example", "/\\evil.example", "/profile?redirect_url=https://evil.example"]
    {
        let out = app.visit("", path).await;
        if out.status() != 307 {
            assert!(!out.status().is_redirection(), "{path}");
            continue;
        }
        let to_clerk = Url::parse(&location(&out)).expect("an address");
        assert_eq!(to_clerk.origin(), Url::parse(&app.clerk.url()).expect("an address").origin(), "{path}");
        let (_, back) = to_clerk.query_pairs().find(|(name, _)| name == "redirect_url").expect("a way back");
        assert!(back.starts_with(&format!("{}/", app.url)), "{path}: {back}");
        // And with what Clerk brings back, clean of it.
        let at_clerk = app.client.get(to_clerk).send().await.expect("an answer");
        let returned = location(&at_clerk);
        assert!(stays(&app, &returned), "{path}: {returned}");
        let own = returned.strip_prefix(&app.url).expect("ours").to_owned();
        let cleaned = app.visit("", &own).await;
        assert!(location(&cleaned).is_empty() || stays(&app, &location(&cleaned)), "{path}: {}", location(&cleaned));
    }
    app.finish().await;
}

#[tokio::test]
async fn d4_29_d5_27_claimed_hosts_change_no_address() {
    let app = TestApp::new().await;
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "localhost:1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-port", "444"),
        ("x-forwarded-server", "evil.example"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-host", "evil.example"),
        ("x-original-url", "/admin/sync"),
        ("x-rewrite-url", "/admin/sync"),
    ] {
        let of = format!("{name}: {value}");
        let visit = app.client.get(app.at("/profile")).header(ACCEPT, "text/html").header("sec-fetch-dest", "document");
        let out = visit.header(name, value).send().await.expect("an answer");
        assert_eq!(out.status(), 307, "{of}");
        let to_clerk = Url::parse(&location(&out)).expect("an address");
        let back = to_clerk.query_pairs().find(|(name, _)| name == "redirect_url").map(|(_, back)| back.into_owned());
        assert_eq!(back, Some(app.at("/profile")), "{of}");
        for path in ["/", "/sign-in", "/api/openapi.json"] {
            let page = app.client.get(app.at(path)).header(name, value).send().await.expect("an answer");
            assert_eq!(page.status(), 200, "{of}");
            let page = page.text().await.expect("text");
            assert!(
                !page.contains(EVIL) && !page.contains("Admins only") && !page.contains("localhost:1/"),
                "{path} {of}"
            );
        }
        let theme = app.client.post(app.at("/theme")).header("sec-fetch-site", "same-origin").header(name, value);
        let theme =
            theme.header(REFERER, "https://evil.example/").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = theme.body("theme=dark").send().await.expect("an answer");
        assert_eq!(location(&answer), "/", "{of}");
        assert!(!answer.headers()["set-cookie"].to_str().expect("text").contains("Domain"), "{of}");
    }
    app.finish().await;
}
