//! Files and pictures: clerk-js and its components from a local folder, avatars with initials, the front page.
//!
//! Serves nothing outside the folder it was given.

use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::standin::instance::Instance;
use crate::standin::people::PASSWORD;
use crate::standin::user::User;

/// Looked for in the production binary by the test run: it must not be there.
const MARKER: &str = "rollcall-standin-marker";

pub fn router(instance: Arc<Instance>) -> Router {
    Router::new()
        .route("/", get(front_page))
        .route("/npm/@clerk/{package}/dist/{*file}", get(script))
        .route("/avatars/{file}", get(avatar))
        .route("/avatars/{user}/{image}", get(picture))
        .with_state(instance)
}

/// `package` is `clerk-js@6` or `ui@1.36.0`: the version chooses nothing, there is only one.
async fn script(State(instance): State<Arc<Instance>>, Path((package, file)): Path<(String, String)>) -> Response {
    let (name, version) = package.split_once('@').unwrap_or((&package, ""));
    let relative = FilePath::new(&file);
    let safe = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let folder = instance.clerk_js_dir.as_ref().filter(|_| safe && matches!(name, "clerk-js" | "ui"));
    let path: Option<PathBuf> = folder.map(|folder| folder.join(name).join("dist").join(relative));
    let Some(bytes) = read(path).await else {
        let text = format!("@clerk/{name} dist/{file} is not on this machine. `make setup` fetches it.\n");
        return embeddable((StatusCode::NOT_FOUND, text).into_response());
    };
    // An exact version never changes; a range such as `@6` may be something else tomorrow.
    let exact = version.split('.').count() == 3;
    let cache = if exact { "public, max-age=31536000, immutable" } else { "public, max-age=3600" };
    let kind = media_type(relative);
    embeddable(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, cache)], bytes).into_response())
}

async fn read(path: Option<PathBuf>) -> Option<Vec<u8>> {
    tokio::fs::read(path?).await.ok()
}

fn media_type(file: &FilePath) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        _ => "text/plain; charset=utf-8",
    }
}

async fn avatar(State(instance): State<Arc<Instance>>, Path(file): Path<String>) -> Response {
    let id = file.strip_suffix(".svg").unwrap_or(&file);
    let Some(picture) = instance.world().find_user(id).map(draw) else {
        return (StatusCode::NOT_FOUND, "There is no such user.\n").into_response();
    };
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "public, max-age=60")];
    embeddable((headers, picture).into_response())
}

/// An uploaded picture, for as long as it is its person's.
async fn picture(State(instance): State<Arc<Instance>>, Path((user, image)): Path<(String, String)>) -> Response {
    let current = instance.world().find_user(&user).and_then(|user| user.image.clone());
    let current = current.filter(|current| current.id == image);
    let content = current.and_then(|current| Some((STANDARD.decode(current.content).ok()?, current.media_type)));
    let Some((bytes, media_type)) = content else {
        return (StatusCode::NOT_FOUND, "There is no such picture.\n").into_response();
    };
    let headers = [(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "public, max-age=3600".to_owned())];
    embeddable((headers, bytes).into_response())
}

/// Initials on a colour that belongs to the id.
fn draw(user: &User) -> String {
    let hue = user.id.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) % 360;
    let names = user.names();
    let mut letters: String = names
        .split_whitespace()
        .filter_map(|word| word.chars().find(|letter| letter.is_alphanumeric()))
        .take(2)
        .collect();
    if letters.is_empty() {
        letters = user
            .identifier()
            .and_then(|text| text.chars().find(|letter| letter.is_alphanumeric()))
            .map(String::from)
            .unwrap_or_default();
    }
    let letters = escaped(&letters.to_uppercase());
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 96 96\" width=\"96\" height=\"96\">\
         <rect width=\"96\" height=\"96\" fill=\"hsl({hue} 45% 40%)\"/>\
         <text x=\"48\" y=\"50\" fill=\"#fff\" font-family=\"system-ui,sans-serif\" font-size=\"38\" \
         text-anchor=\"middle\" dominant-baseline=\"central\">{letters}</text></svg>"
    )
}

/// Any page may load scripts and pictures from here, whatever isolation it asks for.
fn embeddable(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn front_page(State(instance): State<Arc<Instance>>) -> Html<String> {
    let world = instance.world();
    let rows = world.by_age().take(20).map(row).collect::<Vec<_>>().concat();
    let (base, app) = (&instance.base_url, escaped(&instance.app_origin));
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"generator\" content=\"{MARKER}\">\
         <title>Stand-in Clerk</title>\
         <style>body{{font:16px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}}td{{padding:.1rem 1rem .1rem 0}}</style>\
         <h1>A Clerk on this machine</h1>\
         <p>It answers like Clerk's Backend API, Frontend API and webhooks, keeps {count} users in memory, and sends no mail. \
         The application is at <a href=\"{app}\">{app}</a>.</p>\
         <ul><li>Both APIs: <code>{base}/v1/…</code></li><li>Keys: <code>{base}/.well-known/jwks.json</code></li>\
         <li>State and levers: <a href=\"{base}/__standin/\">{base}/__standin/</a></li></ul>\
         <h2>Who can sign in</h2><p>Everybody's password is <code>{PASSWORD}</code>, and every code is <code>424242</code>.</p>\
         <table>{rows}</table></html>",
        count = world.user_count(),
    ))
}

fn row(user: &User) -> String {
    let identifier = escaped(user.identifier().unwrap_or("–"));
    let role = user.public_metadata.get("role").and_then(serde_json::Value::as_str).unwrap_or_default();
    let note = match (user.banned, user.locked) {
        (true, _) => "banned",
        (_, true) => "locked",
        _ => "",
    };
    let names = escaped(&user.names());
    format!(
        "<tr><td><code>{identifier}</code></td><td><bdi>{names}</bdi></td><td>{}</td><td>{note}</td></tr>",
        escaped(role)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_avatar_shows_initials_and_nothing_of_a_hostile_name() {
        let user =
            User { first_name: Some("<b>Bob</b>".to_owned()), last_name: Some("&amp".to_owned()), ..User::default() };
        let picture = draw(&user);
        assert!(picture.contains(">BA</text>"), "{picture}");
        assert!(!picture.contains("<b>"));
    }
}
