//! The JSON API through the front door: who gets what, in which words, from which origin.

mod callers;
mod changes;
mod origins;
mod own_routes;
mod shapes;

use reqwest::{Method, Response};
use rollcall::standin::token::TokenOptions;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes};

/// The front end that the application under test is told of.
const CLIENT: &str = "https://front.example.com";

async fn app() -> TestApp {
    TestApp::with(with_client(Vec::new())).await
}

fn with_client(mut variables: Vec<(&'static str, String)>) -> Wishes {
    variables.push(("CLIENT_URL", CLIENT.to_owned()));
    Wishes { variables, ..Wishes::default() }
}

/// Somebody with this role, known here.
async fn someone(app: &TestApp, name: &str, role: &str) -> String {
    let address = format!("{}@example.com", name.to_lowercase());
    let attributes = json!({ "email_address": [address], "first_name": name, "public_metadata": { "role": role } });
    app.person(attributes).await
}

/// A request with this token, if any; bodies are JSON.
async fn ask(app: &TestApp, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Response {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = app.client.request(method, app.at(path));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    request.send().await.expect("an answer")
}

async fn get(app: &TestApp, id: &str, path: &str) -> Response {
    ask(app, "GET", path, Some(&app.token(id)), None).await
}

async fn patch(app: &TestApp, id: &str, path: &str, body: &Value) -> Response {
    ask(app, "PATCH", path, Some(&app.token(id)), Some(body)).await
}

async fn give_role(app: &TestApp, by: &str, id: &str, role: &str) -> Response {
    patch(app, by, &format!("/api/users/{id}/role"), &json!({ "role": role })).await
}

/// Status, and the words of a refusal.
async fn told(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.unwrap_or_default();
    (status, body["error"].as_str().unwrap_or_default().to_owned())
}

fn expired(app: &TestApp, id: &str) -> String {
    app.clerk.session_token(id, TokenOptions { iat_offset_s: -120, ..TokenOptions::asked_by(&app.url) })
}
