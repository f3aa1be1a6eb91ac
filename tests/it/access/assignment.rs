//! What a request says beyond its fields (D5-10): refused by its name, by every function and every route with a body, and
//! nothing is changed. What the forms of our own pages send is none of that.

use std::collections::BTreeSet;

use mongodb::bson::{DateTime, doc};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use rollcall::model::alert::AlertKind;
use rollcall::server::jobs::watch::raise;
use serde_json::{Value, json};

use crate::access::callers::Ask;
use crate::access::{FORMS, FUNCTIONS, PAGES};
use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::user_event;

/// What makes somebody more than they are, in each notation that a form or a document can have.
const HOSTILE: [&str; 18] = [
    "role",
    "isAdmin",
    "is_admin",
    "clerkId",
    "clerk_id",
    "syncStatus",
    "_id",
    "id",
    "email",
    "emailVerified",
    "banned",
    "public_metadata[role]",
    "unsafe_metadata[role]",
    "user[role]",
    "viewer[role]",
    "__proto__[role]",
    "$set[role]",
    "%72ole",
];
const KEPT: [&str; 13] = [
    "_id",
    "clerkId",
    "role",
    "email",
    "emailVerified",
    "syncStatus",
    "banned",
    "authProvider",
    "deletedAt",
    "createdAt",
    "firstName",
    "username",
    "bio",
];
/// One of the application's own, which people may change.
const FIELD: &str = "[[fields]]\nname = \"city\"\nfrom = \"unsafe_metadata.city\"\ntype = \"text\"\neditable = true\n";

fn with(body: &str, more: &str) -> String {
    [body, more].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&")
}

/// The field that an answer of a function is about.
fn named(answer: &Value) -> &str {
    answer["Invalid"]["field"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn d5_10_nobody_makes_more_of_themselves_by_a_field_that_their_profile_has_not() {
    let app = TestApp::with(Wishes { config: FIELD, ..Wishes::default() }).await;
    let attributes = json!({ "email_address": ["m@example.com"], "first_name": "Mo", "username": "mo_name" });
    let id = app.person(attributes).await;
    app.get_as(&id, "/profile").await;
    let read = async || {
        let stored = app.database.user(&id).await.expect("stored");
        KEPT.map(|name| stored.get(name).cloned())
    };
    let before = read().await;
    for (path, body) in [
        ("/api/profile/edit_profile", "first_name=Moe&last_name=Doe&username=moe_name"),
        ("/api/profile/edit_bio", "bio=Mathematician"),
        ("/api/profile/edit_fields", "values[city]=Oslo"),
        ("/api/profile/remove_picture", ""),
        ("/api/profile/revoke_other_sessions", ""),
        ("/api/profile/delete_account", "typed=mo_name"),
    ] {
        for name in HOSTILE {
            let sent = [with(body, &format!("{name}=admin")), with(&format!("{name}=admin"), body)];
            for body in sent {
                let answer = app.post_as(Some(&id), path, &body).await;
                assert_eq!(answer.status(), 400, "{path} {body}");
                let answer: Value = answer.json().await.expect("JSON");
                let field = name.split('[').next().unwrap_or_default().replace("%72", "r");
                assert_eq!(named(&answer), field, "{path} {body}");
            }
        }
    }
    // By a plain form it is the same, and leads nowhere.
    let plain = app.client.post(app.at("/api/profile/edit_bio")).header("sec-fetch-site", "same-origin");
    let plain = plain.header("accept", "text/html").header("referer", app.at("/profile")).bearer_auth(app.token(&id));
    let plain = plain.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body("bio=b&role=admin");
    let plain = plain.send().await.expect("an answer");
    assert_eq!((plain.status().as_u16(), plain.headers().get(LOCATION)), (400, None));
    assert!(plain.text().await.expect("text").contains("role"));
    // Names of the application's own fields are the settings'.
    for name in HOSTILE.map(|name| name.split('[').next().unwrap_or_default()) {
        let answer = app.post_as(Some(&id), "/api/profile/edit_fields", &format!("values[{name}]=admin")).await;
        assert_eq!(answer.status(), 422, "{name}");
    }
    for name in ["role", "isAdmin", "clerkId", "syncStatus", "_id"] {
        let body = json!({ "firstName": "Moe", name: "admin" }).to_string();
        let answer = Ask { method: "PATCH", path: "/api/profile", body: &body }.send(&app, Some(&app.token(&id))).await;
        assert_eq!(answer.status(), 400, "{body}");
        assert!(answer.text().await.expect("text").contains(name), "{body}");
    }
    assert_eq!(read().await, before);
    let at_clerk = app.clerk.user(&id).expect("at Clerk");
    assert_eq!((&at_clerk["public_metadata"], &at_clerk["first_name"]), (&json!({}), &json!("Mo")));
    assert_eq!(app.get_as(&id, "/admin/users").await.status(), 403);
    assert_eq!(app.database.count("audit", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn d5_10_no_function_and_no_route_takes_a_field_that_is_not_its_own() {
    let app = TestApp::new().await;
    let admin = app.person(json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } })).await;
    for (path, body, ..) in FORMS {
        let answer = app.post_as(Some(&admin), path, &with(body, "surplus=1")).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(named(&answer.json().await.expect("JSON")), "surplus", "{path}");
    }
    for (path, ..) in FUNCTIONS {
        let joint = if path.contains('?') { '&' } else { '?' };
        let answer = app.get_as(&admin, &format!("{path}{joint}surplus=1")).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert_eq!(named(&answer.json().await.expect("JSON")), "surplus", "{path}");
    }
    for (path, field) in [
        ("/api/trail/list_trail?query[action]=ban&query[surplus]=1", "query.surplus"),
        ("/api/admin_users/list_users?query[q]=a&query[surplus]=1", "surplus"),
    ] {
        let answer = app.get_as(&admin, path).await;
        assert_eq!(answer.status(), 400, "{path}");
        assert!(answer.text().await.expect("text").contains(field), "{path}");
    }
    for (method, path, body, status) in [
        ("POST", "/theme", "theme=dark&surplus=1", 422),
        ("POST", "/admin/users/csv", "surplus=1", 422),
        ("POST", "/admin/users/export", "id=user_x&surplus=1", 422),
        ("POST", "/admin/sync/audit/export", "format=csv&surplus=1", 422),
        ("PATCH", "/api/profile", r#"{"firstName":"A","surplus":1}"#, 400),
        ("PATCH", "/api/users/user_nobody/role", r#"{"role":"user","surplus":1}"#, 400),
        ("GET", "/api/users?surplus=1", "", 400),
    ] {
        let answer = Ask { method, path, body }.send(&app, Some(&app.token(&admin))).await;
        assert_eq!(answer.status(), status, "{method} {path}");
        assert!(answer.text().await.expect("text").contains("surplus"), "{method} {path}");
    }
    // A picture comes alone.
    let part =
        |name: &str| format!("--x\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\nP\r\n");
    let upload = app.client.post(app.at("/profile/picture")).header("sec-fetch-site", "same-origin");
    let upload = upload.header(CONTENT_TYPE, "multipart/form-data; boundary=x").bearer_auth(app.token(&admin));
    let upload = upload.body(format!("{}{}--x--\r\n", part("picture"), part("surplus"))).send().await;
    let refused = upload.expect("an answer");
    assert_eq!(refused.status(), 422);
    assert!(refused.text().await.expect("text").contains("There is one field here, the picture."));
    assert_eq!(app.clerk.user(&admin).expect("at Clerk")["has_image"], json!(false));
    assert_eq!(app.database.count("audit", doc! {}).await, 0);
    app.finish().await;
}

/// Of a page's forms those that post to a function: where to, and what they send when nothing is typed.
fn forms_of(page: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        Some(rest.split('"').next().unwrap_or_default().replace("&amp;", "&"))
    };
    let forms = page.split("<form").skip(1).filter_map(|rest| {
        let form = rest.split("</form>").next().unwrap_or_default();
        let action = attribute(form.split('>').next()?, "action").filter(|action| action.starts_with("/api/"))?;
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        let mut names = BTreeSet::new();
        for tag in ["<input", "<select", "<textarea", "<button"].iter().flat_map(|tag| form.split(tag).skip(1)) {
            let (head, rest) = tag.split_once('>').unwrap_or((tag, ""));
            let Some(name) = attribute(&format!(" {head}"), "name") else { continue };
            let chosen = rest.split("<option").nth(1).and_then(|option| attribute(option, "value"));
            let value = attribute(&format!(" {head}"), "value").or(chosen).unwrap_or_default();
            if names.insert(name.clone()) {
                body.append_pair(&name, &value);
            }
        }
        Some((action, body.finish()))
    });
    forms.collect()
}

/// Sent by nobody, each is understood and then refused: 401, where a field too many or too few is 400.
#[tokio::test]
async fn d5_10_what_the_forms_of_our_own_pages_send_is_understood() {
    let app = TestApp::with(Wishes { config: FIELD, ..Wishes::default() }).await;
    let attributes =
        json!({ "email_address": ["a@example.com"], "username": "ad_min", "public_metadata": { "role": "admin" } });
    let admin = app.person(attributes).await;
    let member = app.person(json!({ "email_address": ["m@example.com"] })).await;
    for number in 0..2 {
        app.deliver(&format!("msg_f_{number}"), &user_event("user.created", &format!("user_{number}"), "F", 1)).await;
    }
    app.settled().await;
    for (event, decision) in [("msg_f_0", "MongoDB refused (code 121)"), ("msg_f_1", "MongoDB refused (code 7)")] {
        app.database.set("events", doc! { "_id": event }, doc! { "state": "dead", "decision": decision }).await;
    }
    let muted = [("cause", "MongoDB refused (code 7)"), ("hours", "4")];
    for (path, fields) in [
        ("/api/events/mute_failures", &muted[..]),
        ("/api/events/save_filter", &[("name", "Dead"), ("query", "state=dead")]),
        ("/api/runs/start_run", &[("kind", "proof")]),
    ] {
        let sent = app.client.post(app.at(path)).bearer_auth(app.token(&admin)).form(fields).send().await;
        assert_eq!(sent.expect("an answer").status(), 200, "{path}");
    }
    let job = doc! {
        "_id": "welcome:user_0", "kind": "welcome", "clerkId": "user_0", "body": "{}", "state": "dead", "attempts": 3,
        "generation": 1_i64, "cause": "refused (550)", "createdAt": DateTime::now(), "finishedAt": DateTime::now(),
    };
    app.database.insert("jobs", job).await;
    let about = [("kind", "jobs-dead"), ("hours", "4")];
    raise(&app.state, AlertKind::JobsDead, "").await.expect("raised");
    raise(&app.state, AlertKind::ProofOld, "").await.expect("raised");
    let muted =
        app.client.post(app.at("/api/admin_sync/mute_alert")).bearer_auth(app.token(&admin)).form(&about).send().await;
    assert_eq!(muted.expect("an answer").status(), 200);
    let mut pages: Vec<String> = PAGES.iter().map(|row| row.0.to_owned()).collect();
    pages.extend([
        format!("/admin/users/{member}"),
        format!("/admin/role-changes?ids={member}&role=moderator"),
        "/admin/sync/events/msg_f_0".to_owned(),
        "/admin/sync/replay?query=state%3Ddead".to_owned(),
        "/admin/sync/replay?state=dead".to_owned(),
    ]);
    let mut seen = BTreeSet::new();
    // A second session, to be ended.
    app.token(&admin);
    for path in pages {
        let page = app.get_as(&admin, &path).await.text().await.expect("text");
        for (action, body) in forms_of(&page) {
            let status = app.post_as(None, &action, &body).await.status();
            assert_eq!(status, 401, "{path}: {action} {body}");
            seen.insert(action);
        }
    }
    let unseen: Vec<&str> = FORMS.iter().map(|row| row.0).filter(|path| !seen.contains(*path)).collect();
    assert!(unseen.len() <= 8, "too many forms were not on any page: {unseen:?}");
    app.finish().await;
}
