//! Each kind of caller at each endpoint (D5-08), and what every answer says beside its body (D5-14, D5-17, D5-26).

use mongodb::bson::doc;
use reqwest::header::HeaderMap;
use reqwest::{Method, Response};
use rollcall::standin::token::TokenOptions;
use serde_json::{Value, json};

use crate::access::{FORMS, FUNCTIONS, MODERATORS, OTHERS, PAGES, path_of};
use crate::support::app::TestApp;

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub body: &'a str,
}

impl<'a> Ask<'a> {
    pub fn get(path: &'a str) -> Self {
        Self { method: "GET", path, body: "" }
    }

    pub fn post(path: &'a str, body: &'a str) -> Self {
        Self { method: "POST", path, body }
    }

    pub async fn send(self, app: &TestApp, token: Option<&str>) -> Response {
        let method = Method::from_bytes(self.method.as_bytes()).expect("a method");
        let kind = if self.method == "PATCH" { "application/json" } else { "application/x-www-form-urlencoded" };
        let mut ask = app.client.request(method, app.at(self.path));
        if self.method != "GET" {
            ask = ask.header("sec-fetch-site", "same-origin").header("content-type", kind).body(self.body.to_owned());
        }
        token.into_iter().fold(ask, reqwest::RequestBuilder::bearer_auth).send().await.expect("an answer")
    }
}

/// An endpoint with what a visitor, a member and an admin get.
type Row<'a> = (Ask<'a>, [u16; 3]);

fn pages_and_functions() -> Vec<Row<'static>> {
    let reads = FUNCTIONS
        .iter()
        .chain(PAGES)
        .map(|(path, anonymous, member, admin)| (Ask::get(path), [*anonymous, *member, *admin]));
    let forms = FORMS
        .iter()
        .map(|(path, body, anonymous, member, admin)| (Ask::post(path, body), [*anonymous, *member, *admin]));
    reads.chain(forms).collect()
}

fn other_routes() -> Vec<Row<'static>> {
    let others = OTHERS.iter().map(|(method, path, body, anonymous, member, admin)| {
        let path = if *path == "/api/users/{id}/role" { "/api/users/user_nobody/role" } else { *path };
        (Ask { method, path, body }, [*anonymous, *member, *admin])
    });
    others.collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nobody,
    Person,
    Moderator,
    Admin,
    /// Of an admin.
    Banned,
    Deleted,
    /// Somebody in an admin's place.
    Impersonator,
}

/// By somebody whose session is good and who may nothing at all.
fn for_the_excluded(anonymous: u16) -> u16 {
    if anonymous == 401 { 403 } else { anonymous }
}

/// What is done in nobody else's place (D4-17): whatever admins change or take away, and what cannot be taken back.
fn wants_own_hand(ask: Ask<'_>, [_, member, _]: [u16; 3]) -> bool {
    let is_form = ask.method != "GET" && member == 403;
    is_form || ["/api/profile/delete_account", "/profile/export"].contains(&ask.path)
}

fn expected(kind: Kind, ask: Ask<'_>, row: [u16; 3]) -> u16 {
    let [anonymous, member, admin] = row;
    match kind {
        Kind::Nobody => anonymous,
        Kind::Banned | Kind::Deleted => for_the_excluded(anonymous),
        Kind::Impersonator if wants_own_hand(ask, row) => 403,
        Kind::Moderator if MODERATORS.contains(&path_of(ask.path)) => admin,
        Kind::Person | Kind::Moderator => member,
        Kind::Admin | Kind::Impersonator => admin,
    }
}

async fn someone(app: &TestApp, name: &str, role: &str) -> String {
    let address = format!("{name}@example.com");
    let attributes = json!({ "email_address": [address], "first_name": name, "username": name, "public_metadata": { "role": role } });
    app.person(attributes).await
}

/// A token lives a minute, which is shorter than this takes.
fn token(app: &TestApp, kind: Kind, id: &str) -> Option<String> {
    match kind {
        Kind::Nobody => None,
        Kind::Impersonator => {
            let claims = json!({ "act": { "sub": "user_support" } }).as_object().cloned().unwrap_or_default();
            Some(app.clerk.session_token(id, TokenOptions { claims, ..TokenOptions::asked_by(&app.url) }))
        }
        _ => Some(app.token(id)),
    }
}

fn assert_headers(headers: &HeaderMap, of: &str) {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    assert_eq!(text("cache-control"), "private, no-store", "{of}");
    let varies = headers.get_all("vary").iter().any(|value| value.to_str().is_ok_and(|vary| vary.contains("Cookie")));
    assert!(varies, "{of}: {headers:?}");
    assert_eq!((text("x-content-type-options"), text("x-frame-options")), ("nosniff".into(), "DENY".into()), "{of}");
    assert_eq!(text("x-request-id").len(), 32, "{of}");
    assert!(!headers.contains_key("server") && !headers.contains_key("x-powered-by"), "{of}");
    if text("content-type").starts_with("text/html") {
        assert!(text("content-security-policy").contains("frame-ancestors 'none'"), "{of}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d5_08_d5_14_d5_17_d5_26_every_page_and_function_answers_each_caller_as_declared() {
    each_answers_as_declared(pages_and_functions()).await;
}

/// By people of its own: nobody may do more than so many things in a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d5_08_d5_14_d5_17_d5_26_every_other_route_answers_each_caller_as_declared() {
    each_answers_as_declared(other_routes()).await;
}

async fn each_answers_as_declared(rows: Vec<Row<'static>>) {
    let app = TestApp::new().await;
    let mut callers = vec![(Kind::Nobody, String::new())];
    for (kind, name, role) in [
        (Kind::Person, "member", "user"),
        (Kind::Person, "other", "user"),
        (Kind::Moderator, "moderator", "moderator"),
        (Kind::Admin, "admin", "admin"),
        (Kind::Banned, "banned", "admin"),
        (Kind::Deleted, "deleted", "admin"),
        (Kind::Impersonator, "impersonated", "admin"),
    ] {
        callers.push((kind, someone(&app, name, role).await));
    }
    for (kind, id) in &callers {
        match kind {
            Kind::Banned => drop(app.clerk.ban(id)),
            Kind::Deleted => drop(app.clerk.delete_user(id)),
            _ => {}
        }
    }
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    for (ask, row) in rows {
        for (kind, id) in &callers {
            let of = format!("{} {} by {kind:?}", ask.method, ask.path);
            let answer = ask.send(&app, token(&app, *kind, id).as_deref()).await;
            let status = answer.status().as_u16();
            assert_eq!(status, expected(*kind, ask, row), "{of}");
            assert_headers(answer.headers(), &of);
            // The stream has no end.
            if status != 200 {
                let body = answer.text().await.expect("text").to_lowercase();
                for internal in ["panick", "mongodb://", "127.0.0.1", ".rs:", "serde", "sk_test"] {
                    assert!(!body.contains(internal), "{of} says {internal}: {body}");
                }
            }
        }
    }
    app.finish().await;
}

/// Whose id it is, or whether it is anybody's, is told to nobody who may not know.
#[tokio::test]
async fn d5_08_what_is_somebody_elses_is_answered_like_what_is_not_there() {
    let app = TestApp::new().await;
    let (victim, person) = (someone(&app, "victim", "user").await, someone(&app, "person", "user").await);
    let (moderator, admin) = (someone(&app, "moderator", "moderator").await, someone(&app, "admin", "admin").await);
    app.token(&victim);
    app.settled().await;
    let event = app.database.all("events").await.remove(0).get_str("_id").expect("an id").to_owned();
    let session = app.state.clerk.list_sessions(&victim).await.expect("sessions").remove(0).id;
    let mut asked = Vec::new();
    for (path, id, body) in [
        ("/api/events/reveal_payload", &event, ""),
        ("/api/events/replay_event", &event, ""),
        ("/api/events/discard_event", &event, "&reason=r"),
        ("/api/admin_users/change_role", &victim, "&role=admin"),
        ("/api/admin_users/ban", &victim, ""),
        ("/api/admin_users/lock", &victim, ""),
        ("/api/admin_users/revoke_sessions", &victim, ""),
        ("/api/admin_users/refresh_user", &victim, ""),
        ("/api/admin_users/erase_user", &victim, "&typed=victim"),
        ("/api/runs/refresh_user", &victim, ""),
        ("/api/profile/revoke_session", &session, ""),
        ("/admin/users/export", &victim, ""),
    ] {
        asked.push([
            "POST".to_owned(),
            path.to_owned(),
            path.to_owned(),
            format!("id={id}{body}"),
            format!("id={id}x{body}"),
        ]);
    }
    for (path, id) in [
        ("/api/events/get_event?id=", &event),
        ("/api/admin_users/get_person?id=", &victim),
        ("/api/admin_users/list_timeline?id=", &victim),
        ("/admin/sync/events/", &event),
        ("/admin/users/", &victim),
    ] {
        asked.push(["GET".to_owned(), format!("{path}{id}"), format!("{path}{id}x"), String::new(), String::new()]);
    }
    for [method, real, made_up, body, made_up_body] in &asked {
        for id in [None, Some(&person), Some(&moderator)] {
            if id == Some(&moderator) && method == "GET" && MODERATORS.iter().any(|open| real.starts_with(open)) {
                continue;
            }
            let of = format!("{method} {real} by {id:?}");
            let token = id.map(|id| app.token(id));
            let mut answers = Vec::new();
            for (path, body) in [(real, body), (made_up, made_up_body)] {
                let answer = Ask { method, path, body }.send(&app, token.as_deref()).await;
                answers.push((answer.status().as_u16(), answer.text().await.expect("text")));
            }
            assert!(!answers[0].1.contains("victim"), "{of}");
            assert!([401, 403, 404].contains(&answers[0].0), "{of}");
            // A page names what was asked for, and has a nonce of its own.
            let is_page = method == "GET" && !real.starts_with("/api/");
            assert!(if is_page { answers[0].0 == answers[1].0 } else { answers[0] == answers[1] }, "{of}: {answers:?}");
        }
    }
    assert_eq!(app.database.count("audit", doc! {}).await, 0);
    let stored = app.database.user(&victim).await.expect("stored");
    assert_eq!((stored.get_str("role").ok(), stored.get_bool("banned").ok()), (Some("user"), Some(false)));
    // What one admin keeps for themselves is none of another's either.
    let kept =
        Ask::post("/api/events/save_filter", "name=mine&query=state%3Ddead").send(&app, Some(&app.token(&admin))).await;
    assert_eq!(kept.status(), 200);
    let filter = app.database.all("filters").await.remove(0);
    let filter = filter.get_object_id("_id").map(mongodb::bson::oid::ObjectId::to_hex).unwrap_or_default();
    let colleague = someone(&app, "colleague", "admin").await;
    for (path, body) in [
        ("/api/events/rename_filter", format!("id={filter}&name=n")),
        ("/api/events/set_default_filter", format!("id={filter}&wanted=on")),
        ("/api/events/delete_filter", format!("id={filter}")),
    ] {
        let answer = Ask::post(path, &body).send(&app, Some(&app.token(&colleague))).await;
        assert_eq!(answer.status(), 404, "{path}");
    }
    let own: Value = app.get_as(&colleague, "/api/events/list_choices").await.json().await.expect("JSON");
    assert_eq!(own["saved"], json!([]));
    app.finish().await;
}
