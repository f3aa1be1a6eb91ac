//! Behind a shared cache (D5-14): nobody is shown what was made for somebody else, and files come from the cache.

use std::time::SystemTime;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use reqwest::Response;
use serde_json::json;
use tokio::net::TcpListener;

use crate::access::cache::{CAME, before};
use crate::access::{FUNCTIONS, OTHERS, PAGES};
use crate::support::app::{TestApp, Wishes, files_of};

async fn ask(cache: &str, path: &str, cookies: &str) -> Response {
    let client = crate::support::app::client();
    let request = client.get(format!("{cache}{path}")).header("sec-fetch-dest", "document");
    let request = if path.starts_with("/api/") { request } else { request.header("accept", "text/html") };
    let request = if cookies.is_empty() { request } else { request.header("cookie", cookies) };
    request.send().await.expect("an answer")
}

fn came(answer: &Response) -> String {
    answer.headers()[CAME].to_str().expect("text").to_owned()
}

/// What is measured with measures: whatever a server lets it keep, it keeps, and shows to everybody.
#[tokio::test]
async fn the_cache_of_these_tests_keeps_what_it_may_and_mixes_up_whom_it_may() {
    let of = |headers: HeaderMap| headers.get("cookie").map_or(String::new(), |value| format!("{value:?}"));
    let says = |control: &'static str, varies: &'static str| {
        get(move |headers: HeaderMap| async move { ([("cache-control", control), ("vary", varies)], of(headers)) })
    };
    let router = Router::new()
        .route("/silent", get(move |headers: HeaderMap| async move { of(headers) }))
        .route("/public", says("public, max-age=60", "accept"))
        .route("/varied", says("max-age=60", "Cookie"))
        .route("/private", says("private", "accept"))
        .route("/no-store", says("no-store", "accept"))
        .route("/over", says("max-age=0", "accept"))
        .route("/asked-again", says("no-cache", "accept"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let cache = before(&origin).await;
    for (path, second, is_mixed) in [
        ("/silent", "kept", true),
        ("/public", "kept", true),
        ("/varied", "fetched", false),
        ("/private", "fetched", false),
        ("/no-store", "fetched", false),
        ("/over", "fetched", false),
        ("/asked-again", "fetched", false),
    ] {
        assert_eq!(came(&ask(&cache, path, "who=one").await), "fetched", "{path}");
        let other = ask(&cache, path, "who=other").await;
        assert_eq!(came(&other), second, "{path}");
        assert_eq!(other.text().await.expect("text").contains("one"), is_mixed, "{path}");
    }
    assert_eq!(came(&ask(&cache, "/varied", "who=one").await), "kept", "each has their own");
}

#[tokio::test]
async fn d5_14_two_people_behind_one_cache_take_turns_and_nobody_sees_the_others_page() {
    let site = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(site.path().join("pkg")).expect("a folder");
    for file in ["pkg/rollcall.css", "pkg/rollcall.js", "pkg/rollcall.wasm", "favicon.svg"] {
        std::fs::write(site.path().join(file), "of everybody").expect("a file");
        let an_hour_ago = SystemTime::now() - std::time::Duration::from_hours(1);
        let opened = std::fs::File::options().write(true).open(site.path().join(file)).expect("the file");
        opened.set_modified(an_hour_ago).expect("an older file");
    }
    let root = site.path().to_string_lossy().into_owned();
    let app = TestApp::with(Wishes { variables: vec![("LEPTOS_SITE_ROOT", root)], ..Wishes::default() }).await;
    let cache = before(&app.url).await;
    let mut people = Vec::new();
    for name in ["ada", "bob"] {
        let attributes = json!({
            "email_address": [format!("{name}@example.com")], "first_name": format!("First-of-{name}"),
            "username": format!("{name}_name"), "public_metadata": { "role": "admin" },
        });
        people.push((name, app.person(attributes).await));
    }
    let cookies = |id: &str| format!("__clerk_db_jwt=dvb_test; __client_uat=1; __session={}", app.token(id));
    let reads = FUNCTIONS.iter().chain(PAGES).map(|row| row.0);
    let others = OTHERS.iter().filter(|row| row.0 == "GET" && row.1 != "/admin/sync/live").map(|row| row.1);
    for path in reads.chain(others).chain(["/people/ada_name", "/people/bob_name"]) {
        for turn in 0..4 {
            let (_, id) = &people[turn % 2];
            let answer = ask(&cache, path, &cookies(id)).await;
            assert_eq!(came(&answer), "fetched", "{path}, turn {turn}");
        }
        let nobody = ask(&cache, path, "").await;
        assert_eq!(came(&nobody), "fetched", "{path} of nobody");
        let text = nobody.text().await.expect("text");
        let is_told = people.iter().any(|(name, _)| text.contains(&format!("First-of-{name}")));
        assert!(!is_told, "{path} of nobody: {text}");
    }
    // Where somebody is told of themselves, it is of them.
    let own =
        ["/profile", "/profile/data", "/api/me", "/api/profile", "/api/session/get_viewer", "/api/profile/get_profile"];
    for path in own {
        for turn in 0..4 {
            let ((name, id), (other, other_id)) = (&people[turn % 2], &people[(turn + 1) % 2]);
            let answer = ask(&cache, path, &cookies(id)).await;
            assert_eq!(answer.status(), 200, "{path} of {name}");
            let text = answer.text().await.expect("text");
            let mine = [format!("First-of-{name}"), id.clone(), format!("{name}_name")];
            assert!(mine.iter().any(|mark| text.contains(mark.as_str())), "{path} of {name}: {text}");
            let theirs = [format!("First-of-{other}"), other_id.clone(), format!("{other}_name")];
            assert!(!theirs.iter().any(|mark| text.contains(mark.as_str())), "{path} of {name}: {text}");
        }
    }
    // Files are everybody's: the second is shown what was fetched for the first, once it is known to be the newest; those of
    // this version alone, which their names say, at once.
    let page = ask(&cache, "/", &cookies(&people[0].1)).await.text().await.expect("a page");
    let built = files_of(&page);
    assert_eq!(built.len(), 3, "{built:?}");
    for (path, second) in built.iter().map(|path| (path.as_str(), "kept")).chain([("/favicon.svg", "confirmed")]) {
        let answers =
            [ask(&cache, path, &cookies(&people[0].1)).await, ask(&cache, path, &cookies(&people[1].1)).await];
        assert_eq!(answers.each_ref().map(came), ["fetched", second], "{path}");
        for answer in answers {
            assert_eq!(answer.status(), 200, "{path}");
            assert!(!answer.headers().contains_key("set-cookie"), "{path}");
            assert_eq!(answer.text().await.expect("text"), "of everybody");
        }
    }
    app.finish().await;
}
