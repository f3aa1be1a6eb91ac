//! The pages and forms with which people are looked after: who sees what, what changes, what stays on record (issue 5, item 6).

mod forms;
mod person;
mod races;
mod table;

use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use rollcall::server::store::audit::Entry;
use serde_json::{Value, json};

use crate::support::app::TestApp;

/// Somebody with this first name and role.
async fn someone(app: &TestApp, name: &str, role: &str) -> String {
    let lower = name.to_lowercase();
    let address = format!("{lower}@example.com");
    let attributes = json!({
        "email_address": [address], "first_name": name, "username": format!("{lower}_name"),
        "public_metadata": { "role": role },
    });
    app.person(attributes).await
}

/// A form of the admin pages, as a script sends it.
async fn post(app: &TestApp, by: &str, verb: &str, body: &str) -> Response {
    let post = app.client.post(app.at(&format!("/api/admin_users/{verb}"))).header("sec-fetch-site", "same-origin");
    let post = post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.to_owned());
    post.bearer_auth(app.token(by)).send().await.expect("an answer")
}

/// The same without scripts: where it leads to, and the page there.
async fn submit(app: &TestApp, by: &str, path: &str, body: &str) -> (String, String) {
    let post = app.client.post(app.at(path)).header("sec-fetch-site", "same-origin").header(ACCEPT, "text/html");
    let post = post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.to_owned());
    let answer = post.bearer_auth(app.token(by)).send().await.expect("an answer");
    assert_eq!(answer.status(), 303, "{path}");
    let header = |name: &reqwest::header::HeaderName| answer.headers()[name].to_str().expect("text").to_owned();
    let (location, cookie) = (header(&LOCATION), header(&SET_COOKIE));
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    let page = app.client.get(app.at(&location)).header(COOKIE, cookie).bearer_auth(app.token(by));
    let page = page.send().await.expect("an answer").text().await.expect("text");
    (location, page)
}

async fn page(app: &TestApp, by: &str, path: &str) -> (u16, String) {
    let answer = app.get_as(by, path).await;
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("text"))
}

async fn read(app: &TestApp, by: &str, path: &str) -> Value {
    let answer = app.get_as(by, &format!("/api/admin_users/{path}")).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.expect("JSON")
}

async fn trail(app: &TestApp, id: &str) -> Vec<Entry> {
    app.state.store.audit.list_about(id).await.expect("entries")
}

async fn text_of(app: &TestApp, id: &str, field: &str) -> String {
    app.database.user(id).await.expect("stored").get_str(field).expect("text").to_owned()
}
