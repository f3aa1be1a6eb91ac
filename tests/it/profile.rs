//! What people do about themselves: their document, names, bio, custom fields and picture (E-19, A2-24).

pub mod departure;
pub mod edits;
pub mod sign_ins;

use mongodb::bson::{Document, doc};
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes, multipart};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnearly a picture";

/// A form as a browser without JavaScript sends it.
pub async fn send(app: &TestApp, token: &str, path: &str, fields: &[(&str, &str)]) -> Response {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    post(app, token, path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body)
        .send()
        .await
        .expect("an answer")
}

fn post(app: &TestApp, token: &str, path: &str) -> reqwest::RequestBuilder {
    let request = app.client.post(app.at(path)).bearer_auth(token).header(ACCEPT, "text/html");
    request.header("sec-fetch-site", "same-origin")
}

async fn upload(app: &TestApp, token: &str, content: &[u8]) -> String {
    let (kind, body) = multipart("picture", content);
    let answer = post(app, token, "/profile/picture").header(CONTENT_TYPE, kind).body(body).send().await;
    landed(app, token, answer.expect("an answer"), "/profile").await
}

/// The page that the form led to, which must be this one, with what it says of the form.
pub async fn landed(app: &TestApp, token: &str, answer: Response, path: &str) -> String {
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()[LOCATION], path);
    let cookies: Vec<String> = answer
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok()?.split(';').next())
        .filter(|pair| !pair.ends_with('='))
        .map(str::to_owned)
        .collect();
    let page = app.client.get(app.at(path)).bearer_auth(token).header(COOKIE, cookies.join("; "));
    page.send().await.expect("an answer").text().await.expect("text")
}

async fn page(app: &TestApp, token: &str, path: &str) -> String {
    let answer = app.client.get(app.at(path)).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.expect("text")
}

/// A text of a document; empty if there is none.
fn text<'a>(document: &'a Document, field: &str) -> &'a str {
    document.get_str(field).unwrap_or_default()
}

/// The documents, for what somebody else writes into them.
fn users(app: &TestApp) -> mongodb::Collection<Document> {
    app.database.client.database(&app.database.name).collection("users")
}

async fn jo(app: &TestApp) -> (String, String) {
    let attributes =
        json!({ "email_address": ["jo@example.com"], "first_name": "Jo", "last_name": "Doe", "username": "jojo" });
    let id = app.person(attributes).await;
    let token = app.token(&id);
    (id, token)
}

#[tokio::test]
async fn e_19_the_profile_says_what_we_hold_and_where_each_part_comes_from() {
    let app = TestApp::with(Wishes { config: FIELDS, ..Wishes::default() }).await;
    let (id, token) = jo(&app).await;
    app.clerk.merge_metadata(
        &id,
        json!({ "private_metadata": { "grade": 7_719_283_746_i64 }, "public_metadata": { "floor": 3 } }),
    );
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let page = page(&app, &token, "/profile").await;
    for text in ["Everything we hold about you", "jo@example.com (verified)", "jojo", &id, "Brought by", "webhook"] {
        assert!(page.contains(text), "{text}");
    }
    for text in ["Signs in by", "Last active on", "What changed", "First name", "user, as at Clerk"] {
        assert!(page.contains(text), "{text}");
    }
    for origin in ["Derived", "Rollcall", "Clerk, public metadata", "Clerk, your own metadata"] {
        assert!(page.contains(origin), "{origin}");
    }
    assert!(
        !page.contains("7719283746") && !page.contains("Grade"),
        "what Clerk keeps from front ends is kept from pages"
    );
    assert!(!page.contains("Under way") && !page.contains("clerk.browser.js"));
    app.finish().await;
}

#[tokio::test]
async fn e_19_what_is_under_way_is_said_until_it_has_happened() {
    let metadata = vec![("ROLLCALL_METADATA", "true".to_owned())];
    let app = TestApp::with(Wishes { variables: metadata, ..Wishes::default() }).await;
    let (id, token) = jo(&app).await;
    app.jobs_settled().await;
    app.clerk.set_levers(Levers { bapi_status: Some(503), ..Levers::default() });
    let change = doc! { "$set": { "rolePending": true }, "$push": { "outbox": {
        "key": format!("metadata:{id}"), "kind": "metadata", "clerkId": &id,
    } } };
    users(&app).update_one(doc! { "clerkId": &id }, change).await.expect("written");
    let shown = page(&app, &token, "/profile").await;
    for text in ["Under way", "Clerk has not confirmed it yet", "Your id and role are on their way to Clerk"] {
        assert!(shown.contains(text), "{text}");
    }
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

#[tokio::test]
async fn e_19_e_20_names_are_changed_at_clerk_and_the_echo_changes_nothing() {
    let app = TestApp::new().await;
    let (id, token) = jo(&app).await;
    let names = [("first_name", " Joan "), ("last_name", ""), ("username", "joan_d")];
    let answer = send(&app, &token, "/api/profile/edit_profile", &names).await;
    let page = landed(&app, &token, answer, "/profile").await;
    assert!(page.contains("Your names are saved.") && page.contains("joan_d"), "{page}");
    let at_clerk = app.clerk.user(&id).expect("there");
    assert_eq!(
        (&at_clerk["first_name"], &at_clerk["last_name"], &at_clerk["username"]),
        (&json!("Joan"), &Value::Null, &json!("joan_d"))
    );
    let edited = app.database.user(&id).await.expect("stored");
    assert_eq!(text(&edited, "name"), "Joan", "by Clerk's answer, before any event");
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let echoed = app.database.user(&id).await.expect("stored");
    for field in ["name", "username", "updatedAt"] {
        assert_eq!(echoed.get(field), edited.get(field), "{field}");
    }
    let calls = app.clerk.backend_calls();
    let same = send(
        &app,
        &token,
        "/api/profile/edit_profile",
        &[("first_name", "Joan"), ("last_name", ""), ("username", "joan_d")],
    );
    assert!(landed(&app, &token, same.await, "/profile").await.contains("Nothing was changed."));
    assert_eq!(app.clerk.backend_calls(), calls, "nothing to ask Clerk for");
    app.finish().await;
}

#[tokio::test]
async fn e_19_what_clerk_refuses_is_said_at_the_field_and_what_was_typed_stays() {
    let app = TestApp::new().await;
    let (_, token) = jo(&app).await;
    app.person(json!({ "email_address": ["eve@example.com"], "username": "eve" })).await;
    let names = [("first_name", "Joan \"J\" Doe"), ("last_name", "Doe"), ("username", "eve")];
    let answer = send(&app, &token, "/api/profile/edit_profile", &names).await;
    let page = landed(&app, &token, answer, "/profile").await;
    assert!(page.contains("That username is taken."), "{page}");
    assert!(page.contains("aria-invalid=\"true\"") && page.contains("Joan &quot;J&quot; Doe"), "{page}");
    app.clerk.set_levers(Levers { bapi_status: Some(429), retry_after_s: 3, ..Levers::default() });
    let names = [("first_name", "Joan"), ("last_name", "Doe"), ("username", "jojo")];
    let answer = send(&app, &token, "/api/profile/edit_profile", &names).await;
    let page = landed(&app, &token, answer, "/profile").await;
    let field = page.split_once("id=\"edit_profile-firstName\"").expect("the field").1;
    let field = field.split_once('>').expect("its end").0;
    assert!(field.contains("aria-invalid=\"true\"") && field.contains("autofocus"), "{field}");
    assert!(page.contains("role=\"alert\"") && page.contains("Try again in a moment"), "{page}");
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

/// Whatever it refuses with, of the names and of the picture.
#[tokio::test]
async fn e_19_clerks_409_422_and_429_are_said_at_the_field() {
    let app = TestApp::new().await;
    let (_, token) = jo(&app).await;
    let names = [("first_name", "Joan"), ("last_name", "Doe"), ("username", "jojo")];
    for (status, words) in
        [(409, "Clerk fails, on request."), (422, "Clerk fails, on request."), (429, "Try again in a moment")]
    {
        app.clerk.set_levers(Levers { bapi_status: Some(status), retry_after_s: 3, ..Levers::default() });
        let answer = send(&app, &token, "/api/profile/edit_profile", &names).await;
        let refused = landed(&app, &token, answer, "/profile").await;
        for (page, field) in
            [(refused, "edit_profile-firstName"), (upload(&app, &token, PNG).await, "set_picture-picture")]
        {
            let field = input(&page, field);
            assert!(page.contains(words) && field.contains("aria-invalid=\"true\""), "{status}: {field}");
        }
        // What Clerk asks us to wait for.
        app.clerk.set_levers(Levers::default());
    }
    app.finish().await;
}

#[tokio::test]
async fn e_19_a_bio_is_ours_survives_what_clerk_sends_and_goes_with_the_person() {
    let app = TestApp::new().await;
    let (id, token) = jo(&app).await;
    let bio = |text: String| {
        let (app, token) = (&app, &token);
        async move {
            landed(app, token, send(app, token, "/api/profile/edit_bio", &[("bio", &text)]).await, "/profile").await
        }
    };
    assert!(bio("Mathematician.\r\n<b>Not bold.</b>".to_owned()).await.contains("Your bio is saved."));
    let stored = |user: Document| user.get_str("bio").map(str::to_owned).ok();
    let kept = Some("Mathematician.\n<b>Not bold.</b>".to_owned());
    assert_eq!(stored(app.database.user(&id).await.expect("stored")), kept);
    app.clerk.update_user(&id, json!({ "first_name": "Joan" }));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let synced = app.database.user(&id).await.expect("stored");
    assert_eq!((text(&synced, "firstName"), stored(synced.clone())), ("Joan", kept.clone()));
    let long = "é".repeat(1001);
    let refused = bio(long.clone()).await;
    assert!(refused.contains("At most 1000 characters; this has 1001.") && refused.contains(&long), "{refused}");
    assert!(bio("a\u{7}b".to_owned()).await.contains("No control characters."));
    assert_eq!(stored(app.database.user(&id).await.expect("stored")), kept);
    app.clerk.delete_user(&id);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let tombstone = app.database.user(&id).await.expect("a tombstone");
    assert!(!tombstone.contains_key("bio"), "{tombstone}");
    app.finish().await;
}

/// What ends the field in which it stands would be markup; the framework escapes nothing there.
#[tokio::test]
async fn d5_01_a_bio_leaves_its_field_neither_stored_nor_refused() {
    let app = TestApp::new().await;
    let (_, token) = jo(&app).await;
    let harm = "</textarea><script>harm()</script> &lt;b>";
    let escaped = "\n&lt;/textarea&gt;&lt;script&gt;harm()&lt;/script&gt; &amp;lt;b&gt;";
    for (bio, answer) in [(harm.to_owned(), "Your bio is saved."), (format!("{harm}\u{7}"), "No control characters.")] {
        let sent = send(&app, &token, "/api/profile/edit_bio", &[("bio", &bio)]).await;
        let shown = landed(&app, &token, sent, "/profile").await;
        assert!(shown.contains(answer) && shown.contains(escaped) && !shown.contains("<script>harm"), "{shown}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_bio_that_the_application_keeps_in_its_own_way_is_left_alone() {
    let app = TestApp::new().await;
    let (id, _) = jo(&app).await;
    let own = doc! { "$set": { "bio": { "en": "Hello" } } };
    users(&app).update_one(doc! { "clerkId": &id }, own).await.expect("written");
    app.clerk.update_user(&id, json!({ "first_name": "Joan" }));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let user = app.database.user(&id).await.expect("stored");
    assert_eq!((text(&user, "firstName"), user.get_document("bio").ok()), ("Joan", Some(&doc! { "en": "Hello" })));
    app.finish().await;
}

const FIELDS: &str = r#"
[[fields]]
name = "team"
from = "unsafe_metadata.work.team"
type = "text"
editable = true

[[fields]]
name = "homeOffice"
from = "unsafe_metadata.home"
type = "boolean"
editable = true

[[fields]]
name = "floor"
from = "public_metadata.floor"
type = "integer"

[[fields]]
name = "grade"
from = "private_metadata.grade"
type = "integer"
"#;

#[tokio::test]
async fn a2_24_d5_10_people_change_the_fields_that_are_theirs_and_no_others() {
    let app = TestApp::with(Wishes { config: FIELDS, ..Wishes::default() }).await;
    let (id, token) = jo(&app).await;
    app.clerk.merge_metadata(&id, json!({ "unsafe_metadata": { "work": { "desk": 7 }, "other": true } }));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let shown = page(&app, &token, "/profile").await;
    assert!(
        shown.contains("More about you") && shown.contains("Home office") && !shown.contains("values[floor]"),
        "{shown}"
    );
    let path = "/api/profile/edit_fields";
    let answer = send(&app, &token, path, &[("values[team]", " Blue "), ("values[homeOffice]", "true")]).await;
    assert!(landed(&app, &token, answer, "/profile").await.contains("Your details are saved."));
    let metadata = app.clerk.user(&id).expect("there")["unsafe_metadata"].clone();
    assert_eq!(metadata, json!({ "work": { "desk": 7, "team": "Blue" }, "home": true, "other": true }));
    let user = app.database.user(&id).await.expect("stored");
    assert_eq!((text(&user, "team"), user.get_bool("homeOffice").ok()), ("Blue", Some(true)));
    for (name, value, text) in [
        ("values[floor]", "9", "There is no such field to change."),
        ("values[role]", "admin", "There is no such field to change."),
        ("values[homeOffice]", "perhaps", "Must be true or false."),
    ] {
        let answer = send(&app, &token, path, &[(name, value)]).await;
        assert!(landed(&app, &token, answer, "/profile").await.contains(text), "{name}");
    }
    assert_eq!(app.clerk.user(&id).expect("there")["unsafe_metadata"], metadata);
    app.finish().await;
}

#[tokio::test]
async fn e_19_a_picture_is_uploaded_to_clerk_shown_and_removed() {
    let app = TestApp::new().await;
    let (id, token) = jo(&app).await;
    let drawn = app.clerk.user(&id).expect("there")["image_url"].clone();
    assert!(upload(&app, &token, PNG).await.contains("Your picture is saved."));
    let uploaded = app.clerk.user(&id).expect("there")["image_url"].as_str().expect("an address").to_owned();
    assert_ne!(uploaded, drawn);
    assert_eq!(reqwest::get(&uploaded).await.expect("an answer").bytes().await.expect("a body"), PNG);
    assert_eq!(text(&app.database.user(&id).await.expect("stored"), "imageUrl"), uploaded);
    assert!(page(&app, &token, "/profile").await.contains(&uploaded));
    for (content, text) in [
        (b"<svg onload=alert(1)/>".to_vec(), "Only PNG, JPEG, GIF and WebP pictures."),
        (Vec::new(), "Choose a file first."),
        ([PNG, &vec![0; 10 * 1024 * 1024]].concat(), "At most 10 MB."),
        ([PNG, &vec![0; 11 * 1024 * 1024]].concat(), "At most 10 MB."),
        ([PNG, &vec![0; 40 * 1024 * 1024]].concat(), "At most 10 MB."),
    ] {
        let page = upload(&app, &token, &content).await;
        assert!(page.contains(text), "{text}");
    }
    let nothing = post(&app, &token, "/profile/picture").body("x").send().await.expect("an answer");
    assert!(landed(&app, &token, nothing, "/profile").await.contains("Choose a file first."));
    let removed = send(&app, &token, "/api/profile/remove_picture", &[]).await;
    assert!(landed(&app, &token, removed, "/profile").await.contains("Your picture is removed."));
    assert_eq!(app.clerk.user(&id).expect("there")["image_url"], drawn);
    app.finish().await;
}

#[tokio::test]
async fn d7_08_changes_of_oneself_have_a_pace() {
    let app = TestApp::new().await;
    let (_, token) = jo(&app).await;
    let mut last = String::new();
    for turn in 0..6 {
        let text = format!("Turn {turn}");
        let answer = send(&app, &token, "/api/profile/edit_bio", &[("bio", &text)]).await;
        last = landed(&app, &token, answer, "/profile").await;
    }
    assert!(last.contains("Too often."), "{last}");
    app.finish().await;
}

/// The tag of the input with this id.
fn input<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("id=\"{id}\"")).expect("the field");
    rest.split_once('>').expect("its end").0
}

#[tokio::test]
async fn e_19_d7_08_what_comes_too_often_is_said_at_the_field_of_names_and_of_the_picture() {
    let app = TestApp::new().await;
    let (_, token) = jo(&app).await;
    let mut last = String::new();
    for turn in 0..6 {
        let first_name = format!("Turn {turn}");
        let names = [("first_name", first_name.as_str()), ("last_name", "Doe"), ("username", "jojo")];
        let answer = send(&app, &token, "/api/profile/edit_profile", &names).await;
        last = landed(&app, &token, answer, "/profile").await;
    }
    let field = input(&last, "edit_profile-firstName");
    assert!(last.contains("Too often.") && field.contains("aria-invalid=\"true\""), "{field}");
    assert!(field.contains("Turn 5"), "what was typed stays: {field}");
    let shown = upload(&app, &token, PNG).await;
    let field = input(&shown, "set_picture-picture");
    assert!(shown.contains("Too often.") && field.contains("aria-invalid=\"true\""), "{field}");
    app.finish().await;
}
