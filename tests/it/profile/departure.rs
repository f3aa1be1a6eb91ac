//! Taking one's data along, and leaving (E-13, E-19, C-11).

use std::time::Duration;

use mongodb::bson::{Bson, doc};
use reqwest::header::{CONTENT_DISPOSITION, LOCATION, SET_COOKIE};
use serde_json::{Value, json};

use crate::profile::{FIELDS, jo, landed, page, send, text};
use crate::support::app::{TestApp, Wishes};

const DELETE: &str = "/api/profile/delete_account";

#[tokio::test]
async fn e_19_ones_data_comes_as_a_file_without_what_is_somebody_elses() {
    let app = TestApp::with(Wishes { config: FIELDS, ..Wishes::default() }).await;
    let attributes = json!({
        "email_address": ["jo@example.com"], "first_name": "Jo", "private_metadata": { "grade": 7_719_283_746_i64 },
    });
    let id = app.person(attributes).await;
    let token = app.token(&id);
    let eve = app.person(json!({ "email_address": ["eve@example.com"] })).await;
    send(&app, &token, "/api/profile/edit_bio", &[("bio", "Mathematician.")]).await;
    app.settled().await;
    let export = || send(&app, &token, "/profile/export", &[]);
    assert_eq!(export().await.status(), 200);
    let answer = export().await;
    assert_eq!(answer.headers()[CONTENT_DISPOSITION], "attachment; filename=\"rollcall-my-data.json\"");
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    let whole = answer.text().await.expect("text");
    let file: Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!((&file["user"]["clerkId"], &file["user"]["bio"]), (&json!(id), &json!("Mathematician.")));
    assert_eq!(file["events"][0]["payload"]["data"]["id"], json!(id));
    assert_eq!(file["audit"][0]["action"], "export_user");
    assert!(!whole.contains("7719283746") && !whole.contains("private_metadata") && !whole.contains(&eve), "{whole}");
    assert_eq!(app.post_as(None, "/profile/export", "").await.status(), 401);
    assert_eq!(app.get_as(&id, "/profile/export").await.status(), 405, "no link can ask for it");
    assert_eq!(app.database.count("audit", doc! { "action": "export_user", "actor": &id, "subject": &id }).await, 2);
    app.finish().await;
}

#[tokio::test]
async fn e_13_an_account_is_deleted_only_by_its_name_and_then_everywhere() {
    let app = TestApp::new().await;
    let (id, token) = jo(&app).await;
    let shown = page(&app, &token, "/profile/data").await;
    assert!(shown.contains("Download your data") && shown.contains("jojo"), "{shown}");
    let wrong = send(&app, &token, DELETE, &[("typed", "somebody")]).await;
    assert!(
        landed(&app, &token, wrong, "/profile/data").await.contains("This is not your username or e-mail address.")
    );
    assert!(app.clerk.user(&id).is_some());
    let answer = send(&app, &token, DELETE, &[("typed", " JoJo ")]).await;
    let cookies: Vec<String> =
        answer.headers().get_all(SET_COOKIE).iter().map(|line| line.to_str().expect("text").to_owned()).collect();
    assert!(cookies.iter().any(|cookie| cookie.starts_with("__session=;")), "{cookies:?}");
    assert!(cookies.iter().any(|cookie| cookie.starts_with("rollcall_ended=sess_")), "{cookies:?}");
    let home = landed(&app, &token, answer, "/").await;
    assert!(home.contains("Your account is deleted.") && home.contains("Sign in"), "{home}");
    assert!(app.clerk.user(&id).is_none());
    let tombstone = app.database.user(&id).await.expect("a tombstone");
    assert!(tombstone.get_datetime("deletedAt").is_ok() && text(&tombstone, "name") == "Deleted person");
    assert_eq!(app.get_as(&id, "/profile").await.status(), 403);
    assert_eq!(app.database.count("audit", doc! { "action": "delete_account", "actor": &id, "subject": &id }).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn e_13_whoever_deletes_their_own_account_leaves_nothing_also_where_the_deleted_are_kept() {
    let variables = vec![("ROLLCALL_DELETIONS", "kept".to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let (id, token) = jo(&app).await;
    send(&app, &token, "/api/profile/edit_bio", &[("bio", "Mathematician.")]).await;
    send(&app, &token, DELETE, &[("typed", "jojo")]).await;
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    app.settled().await;
    let left = app.database.user(&id).await.expect("a tombstone");
    assert!(left.get_datetime("deletedAt").is_ok() && text(&left, "name") == "Deleted person", "{left}");
    for field in ["email", "firstName", "lastName", "username", "clerkUsername"] {
        assert_eq!(left.get(field), Some(&Bson::Null), "{field}");
    }
    assert!(!left.contains_key("bio"), "{left}");
    app.finish().await;
}

#[tokio::test]
async fn d5_12_the_last_admin_cannot_leave() {
    let app = TestApp::new().await;
    let admin = |address: &str| json!({ "email_address": [address], "public_metadata": { "role": "admin" } });
    let first = app.person(admin("a@example.com")).await;
    let token = app.token(&first);
    let refused = send(&app, &token, DELETE, &[("typed", "a@example.com")]).await;
    assert!(landed(&app, &token, refused, "/profile/data").await.contains("The last admin cannot leave."));
    assert!(app.clerk.user(&first).is_some());
    app.person(admin("b@example.com")).await;
    let left = send(&app, &token, DELETE, &[("typed", "a@example.com")]).await;
    assert_eq!(left.headers()[LOCATION], "/");
    assert!(app.clerk.user(&first).is_none());
    app.finish().await;
}
