//! Requests that are not what they seem: tricks with paths and methods (D5-09), from elsewhere (D5-04), none of the choices
//! (D5-21), deeper than anything is.

use mongodb::bson::doc;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::access::callers::Ask;
use crate::access::{FORMS, OTHERS, PAGES};
use crate::support::app::TestApp;

/// A request whose path nobody tidies up on its way: its status and its answer.
async fn raw(app: &TestApp, method: &str, target: &str, headers: &str) -> (u16, String) {
    let address = app.url.trim_start_matches("http://").replace("localhost", "127.0.0.1");
    let mut line = TcpStream::connect(&address).await.expect("a connection");
    let text = format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}\r\n");
    line.write_all(text.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    line.read_to_end(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer)
}

fn tricks(path: &str) -> Vec<String> {
    let rest = path.trim_start_matches('/');
    let (first, further) = rest.split_once('/').unwrap_or((rest, ""));
    vec![
        path.to_uppercase(),
        format!("/{}{}", rest[..1].to_uppercase(), &rest[1..]),
        format!("/{path}"),
        format!("/{first}//{further}"),
        format!("/{first}%2f{further}"),
        format!("/{first}%2F{further}"),
        format!("/{first}%252f{further}"),
        format!("/{first}\\{further}"),
        format!("/{first}%5c{further}"),
        format!("/{first}/./{further}"),
        format!("/{first}/.;/{further}"),
        format!("/{first};x/{further}"),
        format!("/x/..{path}"),
        format!("/x/..;{path}"),
        format!("/x/..%2f{rest}"),
        format!("/x/%2e%2e{path}"),
        format!("/%2e{path}"),
        format!("/{first}/{further}/"),
        format!("/{first}/{further}."),
        format!("/{first}/{further}%20"),
        format!("/{first}/{further}%00"),
        format!("/{first}/{further};x"),
        format!("/{first}/{further}/.."),
        format!("/{first}/{further}.json"),
        format!("/{first}/{further}?_method=GET"),
        format!("/{first}/{further}#x"),
        format!("/%{:02x}{}", rest.as_bytes()[0], &rest[1..]),
        format!("http://evil.example{path}"),
    ]
}

#[tokio::test]
async fn d5_09_tricks_with_the_path_open_nothing() {
    let app = TestApp::new().await;
    let member = app.person(json!({ "email_address": ["m@example.com"] })).await;
    for path in [
        "/admin/sync",
        "/admin/users",
        "/admin/sync/live",
        "/admin/sync/audit/export",
        "/api/admin_users/list_users",
        "/api/trail/list_trail",
        "/api/users",
    ] {
        let shown = ["Last 50 events", "Search and filter", "m@example.com", "event:"];
        for trick in tricks(path) {
            for token in [None, Some(app.token(&member))] {
                let bearer = |token: &String| format!("authorization: Bearer {token}\r\n");
                let headers = token.as_ref().map(bearer).unwrap_or_default();
                let (status, answer) = raw(&app, "GET", &trick, &headers).await;
                let is_nowhere = [400, 401, 403, 404, 405].contains(&status) || answer.contains("Page not found");
                assert!(is_nowhere, "{trick} by {token:?}: {status}");
                assert!(!shown.iter().any(|text| answer.contains(text)), "{trick} by {token:?}: {answer}");
            }
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_05_d5_09_what_changes_something_is_reached_by_its_own_method_only() {
    let app = TestApp::new().await;
    let admin = app.person(json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } })).await;
    let member = app.person(json!({ "email_address": ["m@example.com"] })).await;
    let posts = FORMS.iter().map(|row| row.0).chain(OTHERS.iter().filter(|row| row.0 == "POST").map(|row| row.1));
    for path in posts {
        for query in ["", &format!("?id={member}&role=admin&typed={member}&_method=POST")] {
            for header in ["x-http-method-override", "x-method-override", "x-http-method"] {
                let ask = app.client.get(app.at(&format!("{path}{query}"))).header(header, "POST");
                let status = ask.bearer_auth(app.token(&admin)).send().await.expect("an answer").status();
                assert!([404, 405].contains(&status.as_u16()), "GET {path}{query}: {status}");
            }
        }
    }
    // Nor does a page take a form.
    for (path, ..) in PAGES {
        let status = app.post_as(Some(&admin), &format!("{path}?_method=GET"), "_method=GET").await.status();
        assert!([404, 405].contains(&status.as_u16()), "POST {path}: {status}");
    }
    assert_eq!(app.database.count("audit", doc! {}).await, 0);
    app.finish().await;
}

/// However it is sent (D5-04): with a cookie, by a page of somebody else's, or by one that does not say which.
#[tokio::test]
async fn d5_04_no_form_is_taken_from_elsewhere() {
    let app = TestApp::new().await;
    let id = app.person(json!({ "email_address": ["m@example.com"], "first_name": "Mo" })).await;
    let cookies = format!("__clerk_db_jwt=dvb_test; __client_uat=1; __session={}", app.token(&id));
    let sibling = app.url.replace("localhost", "evil.localhost");
    let other_port = app.clerk.url();
    let origins = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("sec-fetch-site", "none"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", sibling.as_str()),
        ("origin", other_port.as_str()),
        ("x-no-origin", "at all"),
    ];
    let kinds = [
        ("application/x-www-form-urlencoded", "first_name=Evil&last_name=&username="),
        ("text/plain", "first_name=Evil&last_name=&username="),
        ("application/json", r#"{"first_name":"Evil","last_name":"","username":""}"#),
        (
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"first_name\"\r\n\r\nEvil\r\n--x--\r\n",
        ),
        ("", ""),
    ];
    let paths = FORMS.iter().map(|row| row.0).chain(OTHERS.iter().filter(|row| row.0 == "POST").map(|row| row.1));
    for (number, path) in paths.enumerate() {
        for (place, (name, value)) in origins.iter().enumerate() {
            // Each origin with each kind of form, though not on each path.
            let (kind, body) = kinds[(number + place) % kinds.len()];
            let post = app.client.post(app.at(path)).header("cookie", &cookies).header(*name, *value);
            let answer = post.header(CONTENT_TYPE, kind).body(body).send().await.expect("an answer");
            assert_eq!(answer.status(), 403, "{path} {name}: {value} {kind}");
        }
    }
    let stored = app.database.user(&id).await.expect("stored");
    assert_eq!((stored.get_str("firstName").ok(), app.clerk.user(&id).is_some()), (Some("Mo"), true));
    app.finish().await;
}

#[tokio::test]
async fn d5_21_what_an_address_asks_for_is_one_of_the_choices_or_400() {
    let app = TestApp::new().await;
    let admin = app
        .person(json!({ "email_address": ["a@example.com"], "username": "admin_name", "public_metadata": { "role": "admin" } }))
        .await;
    let person = format!("/admin/users/{admin}");
    let table: &[(&str, &[&str])] = &[
        ("/people", &["after=x"]),
        (
            "/admin/users",
            &["role=king", "sort=$where", "state=none", "provider=none", "mark=all", "after=x", "column=_id"],
        ),
        ("/admin/users", &["joined_from=yesterday", "joined_to=2026-13-01", "active_from=x", "active_to=x"]),
        ("/admin/sync", &["period=year", "period=$ne"]),
        ("/admin/sync/events", &["state=lost", "cursor=x", "q=colour:red", "q=status:lost", "from=soon", "to=soon"]),
        ("/admin/sync/effects", &["state=none", "kind=none", "cursor=x"]),
        ("/admin/sync/runs", &["before=x"]),
        ("/admin/sync/audit", &["action=none", "from=x", "to=x", "before=x"]),
        ("/admin/role-changes", &["id=user_x&role=king"]),
        (person.as_str(), &["before=x"]),
        ("/api/users", &["limit=0", "limit=101", "limit=x", "cursor=x", "sort=name", "q=a&q=b"]),
        ("/api/people/list_people", &["after=x"]),
        ("/api/events/list_events", &["cursor=x", "query=state%3Dlost"]),
        ("/api/trail/list_trail", &["before=x", "query[action]=none"]),
        ("/api/admin_sync/get_charts", &["period=year"]),
    ];
    for (path, queries) in table {
        for query in *queries {
            let address = format!("{path}?{query}");
            let answer = app.get_as(&admin, &address).await;
            assert_eq!(answer.status(), 400, "{address}");
            assert!(!answer.text().await.expect("text").to_lowercase().contains("mongodb://"), "{address}");
        }
        assert_eq!(app.get_as(&admin, path).await.status(), 200, "{path}");
    }
    for (body, status) in [("format=xml", 422), ("action=none", 400), ("from=x", 400)] {
        assert_eq!(app.post_as(Some(&admin), "/admin/sync/audit/export", body).await.status(), status, "{body}");
    }
    app.finish().await;
}

/// Nothing nests a stack full, or is read for longer than it is worth.
#[tokio::test]
async fn d5_10_what_is_nested_or_large_beyond_reason_is_refused() {
    let app = TestApp::new().await;
    let id = app.person(json!({ "email_address": ["m@example.com"] })).await;
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let object = |depth: usize| format!("{}1{}", "{\"firstName\":".repeat(depth), "}".repeat(depth));
    for (body, status) in [
        (deep(200), 400),
        (deep(30_000), 400),
        (object(2_000), 400),
        (format!("{{\"firstName\":\"{}\"}}", "x".repeat(70_000)), 413),
    ] {
        let answer = Ask { method: "PATCH", path: "/api/profile", body: &body }.send(&app, Some(&app.token(&id))).await;
        assert_eq!(answer.status(), status, "{} bytes", body.len());
    }
    for body in [format!("values{}=1", "[a]".repeat(5_000)), format!("bio={}", "x".repeat(3_000_000))] {
        for path in ["/api/profile/edit_fields", "/api/profile/edit_bio"] {
            let answer = app.post_as(Some(&id), path, &body).await;
            assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
        }
    }
    app.finish().await;
}
