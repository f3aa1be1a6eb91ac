//! The state file: what a restart must not lose, and what must not be readable in it.

use rollcall::standin::Options;
use rollcall::standin::people::PASSWORD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::standin::clerk::{Clerk, text};
use crate::support::eventually;

fn options(folder: &TempDir) -> Options {
    Options { state_file: Some(folder.path().join("state.json")), ..Options::default() }
}

/// Without the addresses of pictures, which name the port.
fn without_pictures(mut users: Vec<Value>) -> Vec<Value> {
    for user in &mut users {
        (user["image_url"], user["profile_image_url"]) = (Value::Null, Value::Null);
    }
    users
}

#[tokio::test]
async fn a_restart_keeps_users_sessions_tickets_and_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = Clerk::with(options(&folder)).await;
    let ada = first.sign_in("ada").await;
    let gone = first.id_of("uma_user");
    first.standin.delete_user(&gone);
    first.standin.create_user(json!({ "email_address": ["new@example.com"], "private_metadata": { "a": 1 } }));
    let person = json!({ "user_id": first.id_of("cher@example.com") });
    let ticket = first.backend("POST /sign_in_tokens").json(person).gives(200).await;
    let token =
        first.frontend("POST /v1/client/sessions/{session_id}/tokens", &ada.key).of(&ada.session).gives(200).await;
    let before = (
        without_pictures(first.standin.users()),
        first.standin.jwt_key(),
        first.standin.webhook_secret().to_owned(),
        first.standin.publishable_key().to_owned(),
        first.standin.instance_id().to_owned(),
    );
    first.standin.clone().stop().await;

    let second = Clerk::with(options(&folder)).await;
    let after = (
        without_pictures(second.standin.users()),
        second.standin.jwt_key(),
        second.standin.webhook_secret().to_owned(),
        second.standin.publishable_key().to_owned(),
        second.standin.instance_id().to_owned(),
    );
    assert_eq!(after, before);
    assert_eq!(second.claims(&text(&token["jwt"]))["sid"], ada.session.as_str(), "the old token still verifies");
    assert_eq!(second.sessions(&ada.key).await[0]["id"], ada.session.as_str());
    second.frontend("POST /v1/client/sessions/{session_id}/tokens", &ada.key).of(&ada.session).gives(200).await;
    second.backend("GET /users/{user_id}").of(&gone).refused(404, "resource_not_found").await;
    second.sign_in("sam.smith@example.com").await;
    let key = second.new_browser().await;
    let form = [("strategy", "ticket"), ("ticket", ticket["token"].as_str().expect("a token"))];
    second.frontend("POST /v1/client/sign_ins", &key).form(&form).gives(200).await;
}

#[tokio::test]
async fn changes_are_on_disk_soon_and_passwords_never() {
    let folder = tempfile::tempdir().expect("a folder");
    let clerk = Clerk::with(options(&folder)).await;
    clerk.standin.create_user(json!({ "username": "just_in_time", "password": "Sup3r-secret-pw!" }));
    let path = folder.path().join("state.json");
    let saved = eventually("the file knows the new user", || async {
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        if text.contains("just_in_time") { Ok(text) } else { Err(format!("{} bytes", text.len())) }
    })
    .await;
    assert!(!saved.contains("Sup3r-secret-pw!") && !saved.contains(PASSWORD));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "it holds a private key");
    }
}

#[tokio::test]
async fn a_spoilt_state_file_is_an_error_and_not_a_fresh_start() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("state.json"), "{ \"version\": 1,").expect("written");
    let refused = rollcall::standin::Standin::start(options(&folder)).await;
    assert_eq!(refused.expect_err("refused").kind(), std::io::ErrorKind::InvalidData);
}
