//! The document is the API: every route is in it and nothing else, and real answers have the shapes it says (A4-23).

use std::collections::BTreeSet;

use rollcall::server::http::api::routes;
use serde_json::{Value, json};

use crate::api::{app, ask, get, give_role, patch, someone, with_client};
use crate::support::app::{TestApp, Wishes};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

async fn document(app: &TestApp) -> Value {
    app.get("/api/openapi.json").await.json().await.expect("JSON")
}

/// Objects of the document, closed: a field that it does not name is a breach here.
fn closed(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(object) => {
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), json!(false));
            }
            for inner in object.values_mut() {
                *inner = closed(inner.take());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = closed(item.take())),
        _ => {}
    }
    schema
}

/// Panics unless the document has this answer for this route, in this shape.
fn check(document: &Value, method: &str, path: &str, status: u16, body: &Value) {
    let operation = &document["paths"][path][method.to_lowercase()];
    let schema = &operation["responses"][status.to_string()]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path} never answers {status}");
    let whole = json!({ "allOf": [schema], "components": closed(document["components"].clone()) });
    let validator = jsonschema::draft202012::new(&whole).expect("a schema that can be used");
    let errors: Vec<String> =
        validator.iter_errors(body).map(|error| format!("  {}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{method} {path} {status}:\n{}\n{body:#}", errors.join("\n"));
}

#[tokio::test]
async fn a4_23_the_document_has_every_route_and_no_other() {
    let app = app().await;
    let document = document(&app).await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for method in item.as_object().expect("methods").keys() {
            described.insert((method.to_uppercase(), path.clone()));
        }
    }
    let served: BTreeSet<(String, String)> =
        routes().into_iter().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    assert_eq!(described, served);
    for (_, path) in &served {
        for method in METHODS {
            let status = ask(&app, method, path, None, None).await.status().as_u16();
            let is_served = served.contains(&(method.to_owned(), path.clone()));
            let expected = match (is_served, path.as_str()) {
                (true, "/api/openapi.json") => 200,
                (true, _) => 401,
                (false, _) => 405,
            };
            assert_eq!(status, expected, "{method} {path}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a4_23_every_reference_resolves_and_whoever_must_sign_in_is_told_how() {
    let app = app().await;
    let document = document(&app).await;
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let is_open = path == "/api/openapi.json";
            assert_eq!(operation["security"].is_null(), is_open, "{method} {path}");
            assert_eq!(operation["responses"]["401"].is_null(), is_open, "{method} {path}");
        }
    }
    let edit = &document["components"]["schemas"]["ProfileEdit"];
    assert_eq!(edit["additionalProperties"], false, "{edit:#}");
    app.finish().await;
}

#[tokio::test]
async fn a4_23_real_answers_have_the_documented_shapes() {
    let app = app().await;
    let document = document(&app).await;
    let admin = someone(&app, "Admin", "admin").await;
    let bare = app.person(json!({ "phone_number": ["+15555550123"] })).await;
    let member = someone(&app, "Member", "user").await;
    let role = "/api/users/{id}/role";
    let mut answers = vec![
        ("GET", "/api/me", get(&app, &admin, "/api/me").await),
        ("GET", "/api/profile", get(&app, &bare, "/api/profile").await),
        ("GET", "/api/users", get(&app, &admin, "/api/users?limit=2").await),
        ("GET", "/api/users", get(&app, &admin, "/api/users").await),
        ("GET", "/api/users", get(&app, &admin, "/api/users?limit=0").await),
        ("GET", "/api/users", get(&app, &member, "/api/users").await),
        ("GET", "/api/me", app.get("/api/me").await),
        ("GET", "/api/profile", get(&app, "user_nobody", "/api/profile").await),
        ("PATCH", "/api/profile", patch(&app, &member, "/api/profile", &json!({ "firstName": "M" })).await),
        ("PATCH", "/api/profile", patch(&app, &member, "/api/profile", &json!({ "role": "admin" })).await),
        ("PATCH", "/api/profile", patch(&app, &member, "/api/profile", &json!({ "username": "?" })).await),
        ("PATCH", "/api/profile", ask(&app, "PATCH", "/api/profile", Some(&app.token(&member)), None).await),
        ("PATCH", role, give_role(&app, &admin, &bare, "moderator").await),
        ("PATCH", role, give_role(&app, &admin, &admin, "user").await),
        ("PATCH", role, give_role(&app, &admin, "nobody", "user").await),
        ("PATCH", role, give_role(&app, &member, &bare, "user").await),
        ("GET", "/api/openapi.json", app.get("/api/openapi.json").await),
    ];
    for _ in 0..8 {
        answers.push((
            "PATCH",
            "/api/profile",
            patch(&app, &member, "/api/profile", &json!({ "lastName": "N" })).await,
        ));
    }
    let mut seen = BTreeSet::new();
    for (method, path, answer) in answers {
        let status = answer.status().as_u16();
        check(&document, method, path, status, &answer.json().await.expect("JSON"));
        seen.insert(status);
    }
    assert_eq!(seen, BTreeSet::from([200, 400, 401, 403, 404, 415, 422, 429]));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn a4_23_c_10_fields_of_ones_own_are_in_the_documented_shape() {
    let config = "[[fields]]\nname = \"desk\"\nfrom = \"public_metadata.desk\"\ntype = \"json\"";
    let app = TestApp::with(Wishes { config, ..with_client(Vec::new()) }).await;
    let document = document(&app).await;
    let id = someone(&app, "Jo", "moderator").await;
    app.clerk.merge_metadata(&id, json!({ "public_metadata": { "desk": { "floor": 3 } } }));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    for path in ["/api/profile", "/api/users"] {
        let answer: Value = get(&app, &id, path).await.json().await.expect("JSON");
        check(&document, "GET", path, 200, &answer);
        let person = if path == "/api/users" { &answer["users"][0] } else { &answer };
        assert_eq!(person["fields"], json!({ "desk": { "floor": 3 } }), "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a4_23_ids_are_text_and_times_rfc_3339() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    let profile: Value = get(&app, &id, "/api/profile").await.json().await.expect("JSON");
    let mongo_id = profile["id"].as_str().expect("text");
    assert!(mongo_id.len() == 24 && mongo_id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{mongo_id}");
    assert_eq!(profile["clerkId"], id.as_str());
    for field in ["createdAt", "updatedAt", "lastClerkSync"] {
        let text = profile[field].as_str().expect("text");
        assert!(text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok(), "{field} {text}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_22_pages_follow_each_other_without_gap_or_repeat_while_people_come_and_go() {
    let app = app().await;
    let moderator = someone(&app, "Moderator", "moderator").await;
    let mut expected = vec![moderator.clone()];
    for number in 0..6 {
        expected.push(someone(&app, &format!("P{number}"), "user").await);
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for turn in 0..4 {
        let page: Value =
            get(&app, &moderator, &format!("/api/users?limit=2{cursor}")).await.json().await.expect("JSON");
        let users = page["users"].as_array().expect("a list");
        seen.extend(users.iter().filter_map(|user| Some(user["clerkId"].as_str()?.to_owned())));
        if turn == 0 {
            // Somebody already listed goes: nobody is skipped for it.
            app.clerk.delete_user(&expected[1]);
            assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
            app.settled().await;
        }
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => assert_eq!(turn, 3, "the last page"),
        }
    }
    assert_eq!(seen, expected);
    app.finish().await;
}

#[tokio::test]
async fn d5_20_d5_21_a_search_is_a_literal_prefix_and_wrong_parameters_are_400() {
    let app = app().await;
    let moderator = someone(&app, "Moderator", "moderator").await;
    let ada = app
        .person(json!({ "email_address": ["lovelace@example.com"], "first_name": "Ada", "username": "countess" }))
        .await;
    someone(&app, "Bob", "user").await;
    let found = async |q: &str| {
        let page: Value = get(&app, &moderator, &format!("/api/users?q={q}")).await.json().await.expect("JSON");
        let ids = page["users"].as_array().expect("a list").iter().filter_map(|user| user["clerkId"].as_str());
        ids.map(str::to_owned).collect::<Vec<_>>()
    };
    for q in ["ada", "ADA", "love", "counte", "lovelace%40example.com"] {
        assert_eq!(found(q).await, std::slice::from_ref(&ada), "{q}");
    }
    for q in [".*", "%5E", "da", "%24", "%28", "a%7Cb", "%5B", "%5C", "example"] {
        assert_eq!(found(q).await, [""; 0], "{q}");
    }
    assert_eq!(found("").await.len(), 3);
    let long = format!("q={}", "x".repeat(65));
    for query in [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=ten",
        "limit=1&limit=2",
        "cursor=x",
        "cursor=",
        "q=%00",
        "sort=name",
        "q[$ne]=1",
        &long,
    ] {
        assert_eq!(get(&app, &moderator, &format!("/api/users?{query}")).await.status(), 400, "{query}");
    }
    app.finish().await;
}
