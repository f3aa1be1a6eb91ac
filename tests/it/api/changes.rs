//! What can be changed over the API, what cannot, and that it is so at the next request.

use mongodb::bson::doc;
use rollcall::standin::levers::Levers;
use rollcall::standin::token::TokenOptions;
use serde_json::{Value, json};

use crate::api::{app, ask, get, give_role, patch, someone, told};
use crate::support::app::{TestApp, claims_of};

async fn role_of(app: &TestApp, id: &str) -> Value {
    get(app, id, "/api/me").await.json::<Value>().await.expect("JSON")["role"].clone()
}

#[tokio::test]
async fn an_edit_goes_to_clerk_and_is_here_when_it_is_answered() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    // Clerk's own event about it comes later, so that what is seen is what the answer brought.
    app.clerk.set_levers(Levers { paused: true, ..app.clerk.levers() });
    let edit = json!({ "firstName": " Joan ", "lastName": "Doe", "username": "joan" });
    let answer = patch(&app, &id, "/api/profile", &edit).await;
    assert_eq!(answer.status(), 200);
    let profile: Value = answer.json().await.expect("JSON");
    assert_eq!((&profile["name"], &profile["username"]), (&json!("Joan Doe"), &json!("joan")));
    let stored = app.database.user(&id).await.expect("stored");
    assert_eq!((stored.get_str("name").ok(), stored.get_str("syncSource").ok()), (Some("Joan Doe"), Some("edit")));
    let at_clerk = app.clerk.user(&id).expect("at Clerk");
    assert_eq!((&at_clerk["first_name"], &at_clerk["username"]), (&json!("Joan"), &json!("joan")));
    for removed in [json!({ "lastName": null }), json!({ "username": "" })] {
        assert_eq!(patch(&app, &id, "/api/profile", &removed).await.status(), 200, "{removed}");
    }
    let profile: Value = get(&app, &id, "/api/profile").await.json().await.expect("JSON");
    let names = (&profile["firstName"], &profile["lastName"], &profile["username"]);
    assert_eq!(names, (&json!("Joan"), &Value::Null, &Value::Null), "what is not named stays");
    app.clerk.set_levers(Levers { paused: false, ..app.clerk.levers() });
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn what_clerk_refuses_is_422_with_the_field_and_changes_nothing() {
    let app = app().await;
    app.person(json!({ "email_address": ["first@example.com"], "username": "taken" })).await;
    let id = someone(&app, "Jo", "user").await;
    let long = "x".repeat(257);
    for (edit, field, words) in [
        (json!({ "username": "taken" }), "username", "taken"),
        (json!({ "username": "a b" }), "username", "letters"),
        (json!({ "firstName": long }), "firstName", "256"),
        (json!({ "lastName": "a\u{0}b" }), "lastName", "control"),
    ] {
        let answer = patch(&app, &id, "/api/profile", &edit).await;
        assert_eq!(answer.status(), 422, "{edit}");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["field"], field);
        assert!(body["error"].as_str().is_some_and(|text| text.contains(words)), "{body}");
    }
    let profile: Value = get(&app, &id, "/api/profile").await.json().await.expect("JSON");
    assert_eq!((&profile["firstName"], &profile["username"]), (&json!("Jo"), &Value::Null));
    app.finish().await;
}

#[tokio::test]
async fn what_clerk_refuses_without_saying_what_is_422_with_a_field_that_was_to_change() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    app.clerk.set_levers(Levers { bapi_status: Some(400), ..Levers::default() });
    for (edit, field) in [
        (json!({ "firstName": "Joan", "username": "joan" }), "username"),
        (json!({ "firstName": "Joan", "lastName": "Doe" }), "firstName"),
        (json!({ "lastName": "Doe" }), "lastName"),
    ] {
        let answer = patch(&app, &id, "/api/profile", &edit).await;
        assert_eq!(answer.status(), 422, "{edit}");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body, json!({ "error": "Clerk fails, on request.", "field": field }));
    }
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

#[tokio::test]
async fn with_clerk_away_an_edit_is_told_to_come_back() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    for (status, seconds) in [(500, "5"), (429, "7")] {
        app.clerk.set_levers(Levers { bapi_status: Some(status), retry_after_s: 7, ..Levers::default() });
        let answer = patch(&app, &id, "/api/profile", &json!({ "firstName": "Joan" })).await;
        assert_eq!(answer.headers()["retry-after"], seconds);
        assert_eq!(told(answer).await, (503, "Service unavailable".to_owned()));
    }
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

#[tokio::test]
async fn a3_26_d5_10_fields_that_nobody_may_set_are_refused_and_set_nothing() {
    let app = app().await;
    let admin = someone(&app, "Admin", "admin").await;
    let id = someone(&app, "Jo", "user").await;
    // That they were here today is noted whatever they ask for.
    let stored = async || {
        let user = app.database.user(&id).await.expect("a document");
        user.into_iter().filter(|(name, _)| name != "lastActiveAt").collect::<Vec<_>>()
    };
    let before = stored().await;
    for field in ["role", "isAdmin", "clerkId", "syncStatus", "_id", "email", "publicMetadata", "first_name", "$set"] {
        let answer = patch(&app, &id, "/api/profile", &json!({ "firstName": "X", field: "admin" })).await;
        let (status, words) = told(answer).await;
        assert_eq!(status, 400, "{field}");
        assert!(words.contains("unknown field") && words.contains(field), "{words}");
    }
    for body in [
        json!({ "role": "moderator", "isAdmin": true }),
        json!({ "role": "owner" }),
        json!({ "role": { "$ne": null } }),
        json!({ "role": null }),
        json!({}),
        json!([]),
    ] {
        assert_eq!(patch(&app, &admin, &format!("/api/users/{id}/role"), &body).await.status(), 400, "{body}");
    }
    assert_eq!(stored().await, before);
    app.finish().await;
}

#[tokio::test]
async fn a_body_must_be_json_whole_and_small() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    let send = async |content_type: Option<&str>, body: String| {
        let mut request = app.client.patch(app.at("/api/profile")).bearer_auth(app.token(&id)).body(body);
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.headers()["content-type"], "application/json");
        answer.status().as_u16()
    };
    for other in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")] {
        assert_eq!(send(other, "{}".to_owned()).await, 415, "{other:?}");
    }
    let json = Some("application/json");
    assert_eq!(send(json, format!("{{\"firstName\":\"{}\"}}", "x".repeat(65 * 1024))).await, 413);
    for broken in ["", "{", "null", "{\"firstName\":1}", "{\"firstName\":\"a\",\"firstName\":\"b\"}", "{} {}"] {
        assert_eq!(send(json, broken.to_owned()).await, 400, "{broken}");
    }
    assert_eq!(send(Some("application/json; charset=utf-8"), "{}".to_owned()).await, 200);
    app.finish().await;
}

#[tokio::test]
async fn a_role_given_here_is_in_force_at_the_next_request() {
    let app = app().await;
    let admin = someone(&app, "Admin", "admin").await;
    let id = someone(&app, "Jo", "user").await;
    assert_eq!(get(&app, &id, "/api/users").await.status(), 403);
    let answer = give_role(&app, &admin, &id, "moderator").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.expect("JSON")["role"], "moderator");
    assert_eq!(role_of(&app, &id).await, "moderator");
    assert_eq!(get(&app, &id, "/api/users").await.status(), 200);
    let stored = app.database.user(&id).await.expect("stored");
    assert_eq!(stored.get_bool("rolePending").ok(), Some(true), "Clerk has yet to be told");
    let by_document = stored.get_object_id("_id").expect("an id").to_hex();
    assert_eq!(give_role(&app, &admin, &by_document, "user").await.status(), 200, "by MongoDB's id");
    assert_eq!(get(&app, &id, "/api/users").await.status(), 403);
    app.finish().await;
}

/// Who asks is known with every request: the stored person, whose role counts, and Clerk's word: the session and its claims.
#[tokio::test]
async fn a3_05_a_request_carries_the_stored_person_the_session_and_its_claims() {
    let app = app().await;
    let admin = someone(&app, "Admin", "admin").await;
    let id = someone(&app, "Jo", "user").await;
    let token = |claims: Value| {
        let claims = claims.as_object().expect("an object").clone();
        app.clerk.session_token(&admin, TokenOptions { claims, ..TokenOptions::asked_by(&app.url) })
    };
    let path = format!("/api/users/{id}/role");
    // A role in the token is not what counts: that of the stored person is.
    let own = token(json!({ "role": "user", "metadata": { "role": "user" } }));
    let given = ask(&app, "PATCH", &path, Some(&own), Some(&json!({ "role": "moderator" }))).await;
    assert_eq!(given.status(), 200);
    let me: Value = ask(&app, "GET", "/api/me", Some(&own), None).await.json().await.expect("JSON");
    let stored = app.database.user(&admin).await.expect("stored").get_object_id("_id").expect("an id").to_hex();
    assert_eq!((&me["mongoId"], &me["role"]), (&json!(stored), &json!("admin")));
    // Person and session are the token's.
    let claims = claims_of(&own);
    assert_eq!((&me["userId"], &me["sessionId"]), (&claims["sub"], &claims["sid"]));
    let entries = app.state.store.audit.list_about(&id).await.expect("entries");
    let entry = entries.first().expect("an entry");
    assert_eq!(
        (Some(entry.actor.as_str()), entry.session.as_deref()),
        (claims["sub"].as_str(), claims["sid"].as_str())
    );
    // So are the other claims: in another's name nothing that matters is done.
    let lent = token(json!({ "act": { "sub": "user_support" } }));
    let refused = ask(&app, "PATCH", &path, Some(&lent), Some(&json!({ "role": "admin" }))).await;
    assert_eq!(refused.status(), 403);
    assert_eq!(role_of(&app, &id).await, "moderator");
    app.finish().await;
}

#[tokio::test]
async fn the_same_role_again_changes_nothing() {
    let app = app().await;
    let admin = someone(&app, "Admin", "admin").await;
    let id = someone(&app, "Jo", "user").await;
    let before = app.database.user(&id).await;
    assert_eq!(give_role(&app, &admin, &id, "user").await.status(), 200);
    assert_eq!(app.database.user(&id).await, before);
    assert_eq!(give_role(&app, &admin, &admin, "admin").await.status(), 200, "one's own, too");
    app.finish().await;
}

#[tokio::test]
async fn nobody_is_found_by_an_id_that_is_none() {
    let app = app().await;
    let admin = someone(&app, "Admin", "admin").await;
    let deleted = someone(&app, "Deleted", "user").await;
    app.clerk.delete_user(&deleted);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    for id in ["user_nobody", "66b1f0c2a4d3e5f6a7b8c9d0", "%24ne", "..%2f..%2fusers", "a.b", &deleted] {
        let refused = give_role(&app, &admin, id, "moderator").await;
        assert_eq!(told(refused).await, (404, "User not found".to_owned()), "{id}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_12_nobody_changes_their_own_role() {
    let app = app().await;
    let admin = someone(&app, "Admin", "admin").await;
    someone(&app, "Other", "admin").await;
    for role in ["user", "moderator"] {
        let refused = give_role(&app, &admin, &admin, role).await;
        assert_eq!(told(refused).await, (422, "You cannot change your own role.".to_owned()));
    }
    assert_eq!(role_of(&app, &admin).await, "admin");
    app.finish().await;
}

#[tokio::test]
async fn d5_12_the_last_admin_stays_one() {
    let listed = vec![("ADMIN_EMAIL", "boss@example.com".to_owned())];
    let app = TestApp::with(crate::api::with_client(listed)).await;
    // An admin by address only is none that counts.
    let boss = someone(&app, "Boss", "user").await;
    let last = someone(&app, "Last", "admin").await;
    let banned = someone(&app, "Banned", "admin").await;
    app.clerk.ban(&banned);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let refused = give_role(&app, &boss, &last, "user").await;
    assert_eq!(refused.status(), 422);
    assert_eq!(refused.json::<Value>().await.expect("JSON")["field"], "role");
    assert_eq!(role_of(&app, &last).await, "admin");
    let another = someone(&app, "Another", "user").await;
    assert_eq!(give_role(&app, &boss, &another, "admin").await.status(), 200);
    assert_eq!(give_role(&app, &boss, &last, "user").await.status(), 200);
    app.finish().await;
}

#[tokio::test]
async fn d5_12_of_two_admins_who_demote_each_other_at_once_one_stays() {
    let app = app().await;
    for round in 0..5 {
        let one = someone(&app, &format!("One{round}"), "admin").await;
        let two = someone(&app, &format!("Two{round}"), "admin").await;
        let (first, second) = futures::join!(give_role(&app, &one, &two, "user"), give_role(&app, &two, &one, "user"));
        let statuses = [first.status().as_u16(), second.status().as_u16()];
        assert!(statuses.contains(&200) && statuses.contains(&403), "round {round}: {statuses:?}");
        let admins = doc! { "role": "admin", "clerkId": { "$in": [&one, &two] } };
        assert_eq!(app.database.count("users", admins).await, 1, "round {round}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d7_08_edits_and_lists_have_a_pace_for_each_person() {
    let app = app().await;
    let id = someone(&app, "Jo", "user").await;
    let moderator = someone(&app, "Mo", "moderator").await;
    let edits = (0..8).map(|turn| {
        let app = &app;
        let id = &id;
        async move { patch(app, id, "/api/profile", &json!({ "firstName": format!("Jo{turn}") })).await }
    });
    let edited = futures::future::join_all(edits).await;
    let lists = futures::future::join_all((0..60).map(|_| get(&app, &moderator, "/api/users?limit=1&q=j"))).await;
    for (answers, most) in [(edited, 5..=7), (lists, 40..=55)] {
        let (fine, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status() == 200);
        assert!(most.contains(&fine.len()), "{} passed", fine.len());
        for answer in refused {
            let wait: u64 = answer.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
            assert!((1..=60).contains(&wait));
            assert_eq!(told(answer).await, (429, "Too many requests".to_owned()));
        }
    }
    assert_eq!(patch(&app, &moderator, "/api/profile", &json!({ "firstName": "Moe" })).await.status(), 200);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}
