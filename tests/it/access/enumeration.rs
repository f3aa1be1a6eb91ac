//! Who is not signed in learns about nobody whether they are here (D5-19): not by an answer, and not by the time it takes, for
//! the same is done for both.

use mongodb::bson::{Document, doc};
use reqwest::Response;
use serde_json::json;

use crate::access::callers::Ask;
use crate::support::app::TestApp;

/// Of equal length, so that no address is longer than the other.
const HERE: [&str; 3] = ["known_name", "known@example.com", "Known"];
const NOT_HERE: [&str; 3] = ["other_name", "other@example.com", "Other"];

/// All of an answer but what is of each one's own: its id, when it was made, its nonce; and what the request itself said.
async fn told(answer: Response, of: &[(&str, &str)]) -> String {
    let own = ["date", "x-request-id", "server-timing"];
    let headers = answer.headers().iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let mut headers: Vec<String> =
        headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default())).collect();
    headers.sort();
    let status = answer.status();
    let text = format!("{status}\n{}\n\n{}", headers.join("\n"), answer.text().await.expect("text"));
    // Wherever it stands: Leptos writes it into links, too.
    let nonce = text.split_once("'nonce-").and_then(|(_, rest)| rest.split('\'').next()).unwrap_or_default().to_owned();
    let text = if nonce.is_empty() { text } else { text.replace(&nonce, "") };
    of.iter().fold(text, |text, (here, not_here)| text.replace(here, not_here))
}

#[tokio::test]
async fn d5_19_who_is_here_is_told_to_nobody_who_is_not_signed_in_nor_by_what_is_done_for_it() {
    let app = TestApp::new().await;
    let [username, address, first] = HERE;
    let known = json!({ "email_address": [address], "username": username, "first_name": first });
    let id = app.person(known).await;
    app.settled().await;
    app.jobs_settled().await;
    let event = app.database.all("events").await.remove(0).get_str("_id").expect("an id").to_owned();
    let mongo_id = app.database.user(&id).await.expect("stored").get_object_id("_id").expect("an id").to_hex();
    let changed = |id: &str| {
        let last = if id.ends_with('0') { '1' } else { '0' };
        format!("{}{last}", &id[..id.len() - 1])
    };
    let (no_id, no_event, no_mongo_id) = (changed(&id), changed(&event), changed(&mongo_id));
    let mut pairs: Vec<(&str, &str)> = HERE.into_iter().zip(NOT_HERE).collect();
    pairs.extend([(&*id, &*no_id), (&*event, &*no_event), (&*mongo_id, &*no_mongo_id)]);
    let other = |text: &str| pairs.iter().fold(text.to_owned(), |text, (here, not_here)| text.replace(here, not_here));
    let asks: Vec<(&str, String, String)> = vec![
        ("GET", format!("/people/{username}"), String::new()),
        ("GET", format!("/people?q={first}"), String::new()),
        ("GET", format!("/api/people/get_person?username={username}"), String::new()),
        ("GET", format!("/api/people/list_people?q={first}"), String::new()),
        ("GET", format!("/admin/users/{id}"), String::new()),
        ("GET", format!("/admin/users/{mongo_id}"), String::new()),
        ("GET", format!("/admin/users?q={username}"), String::new()),
        ("GET", format!("/admin/sync/events/{event}"), String::new()),
        ("GET", format!("/api/admin_users/get_person?id={id}"), String::new()),
        ("GET", format!("/api/admin_users/list_timeline?id={id}"), String::new()),
        ("GET", format!("/api/events/get_event?id={event}"), String::new()),
        ("GET", format!("/api/users?q={username}"), String::new()),
        ("GET", format!("/sign-in?identifier={username}"), String::new()),
        ("PATCH", format!("/api/users/{id}/role"), "{\"role\":\"user\"}".to_owned()),
        ("POST", "/api/admin_users/ban".to_owned(), format!("id={id}")),
        ("POST", "/api/runs/refresh_user".to_owned(), format!("id={id}")),
        ("POST", "/api/profile/delete_account".to_owned(), format!("typed={username}")),
        ("POST", "/admin/users/export".to_owned(), format!("id={id}")),
        ("POST", "/admin/users/csv".to_owned(), format!("q={username}")),
    ];
    let database = app.database.handle();
    database.run_command(doc! { "profile": 2 }).await.expect("the profiler");
    for (method, path, body) in &asks {
        let here = Ask { method, path, body }.send(&app, None).await;
        let (path, body) = (other(path), other(body));
        let not_here = Ask { method, path: &path, body: &body }.send(&app, None).await;
        assert_eq!(told(here, &pairs).await, told(not_here, &[]).await, "{method} {path}");
    }
    // MongoDB was asked about neither, so neither can have taken longer.
    let texts: Vec<&str> = pairs.iter().flat_map(|(here, not_here)| [*here, *not_here]).collect();
    assert_eq!(asked_about(&app, &texts).await, Vec::<String>::new());
    // The profiler would have told: whoever is signed in is looked up.
    assert_eq!(app.get_as(&id, &format!("/people/{username}")).await.status(), 200);
    assert!(!asked_about(&app, &texts).await.is_empty());
    database.run_command(doc! { "profile": 0 }).await.expect("the profiler");
    app.finish().await;
}

/// What MongoDB was asked in which one of these texts stands. The profiler rests meanwhile: it writes over its oldest rows, and
/// whoever reads them then loses their place.
async fn asked_about(app: &TestApp, texts: &[&str]) -> Vec<String> {
    let database = app.database.handle();
    database.run_command(doc! { "profile": 0 }).await.expect("the profiler");
    let own = format!("{}.system.profile", database.name());
    let mut rows =
        database.collection::<Document>("system.profile").find(doc! { "ns": { "$ne": own } }).await.expect("rows");
    let mut found = Vec::new();
    while rows.advance().await.expect("a row") {
        let row: Document = rows.deserialize_current().expect("a document");
        let asked = row.get_document("command").map(ToString::to_string).unwrap_or_default();
        if texts.iter().any(|text| asked.contains(text)) {
            found.push(asked);
        }
    }
    database.run_command(doc! { "profile": 2 }).await.expect("the profiler");
    found
}
