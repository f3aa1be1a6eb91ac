//! The Backend API: every route in its published shape, every refusal, metadata, and the limits.

use std::collections::BTreeSet;

use rollcall::standin::Options;
use serde_json::{Value, json};

use crate::standin::clerk::{Clerk, text};

#[tokio::test]
async fn all_twenty_people_have_the_published_shape_however_they_are_read() {
    let clerk = Clerk::new().await;
    let listed = clerk.backend("GET /users").query("limit", "500").gives(200).await;
    let listed = listed.as_array().expect("a plain array");
    assert_eq!(listed.len(), 20);
    for person in listed {
        let read = clerk.backend("GET /users/{user_id}").of(&text(&person["id"])).gives(200).await;
        assert_eq!(&read, person);
        assert!(person["image_url"].as_str().expect("an address").starts_with(&clerk.standin.url()));
    }
    let mut listed = listed.clone();
    listed.reverse();
    assert_eq!(listed, clerk.standin.users(), "newest first, and nothing else than the handle shows");
    assert_eq!(clerk.backend("GET /users/count").gives(200).await["total_count"], 20);
}

#[tokio::test]
async fn every_route_answers_in_its_published_shape() {
    let clerk = Clerk::new().await;
    clerk.backend("GET /users").gives(200).await;
    clerk.backend("GET /users/count").gives(200).await;
    users_come_and_go(&clerk).await;
    sessions_come_and_go(&clerk).await;
    assert_eq!(clerk.backend("GET /instance").gives(200).await["id"], clerk.standin.instance_id());
    let keys = clerk.backend("GET /jwks").gives(200).await;
    assert_eq!(keys["keys"][0]["kid"], clerk.standin.instance_id());
    clerk.backend("POST /testing_tokens").gives(200).await;
    assert!(clerk.unasked("bapi").is_empty(), "{:?}", clerk.unasked("bapi"));
}

async fn users_come_and_go(clerk: &Clerk) {
    let everything = json!({
        "email_address": ["Jane@Example.com", "jane.two@example.com"], "phone_number": ["+1 (555) 555-0199"],
        "username": "Jane_D", "first_name": "Jane", "last_name": "", "external_id": "crm-7", "locale": "en-GB",
        "password": "Sup3r-secret-pw!", "created_at": "2020-01-02T03:04:05Z", "legal_accepted_at": "2020-01-02T03:04:05Z",
        "public_metadata": { "role": "admin" }, "private_metadata": { "a": [1] }, "unsafe_metadata": { "b": null },
        "delete_self_enabled": false,
    });
    let jane = clerk.backend("POST /users").json(everything).gives(200).await;
    assert_eq!(jane["created_at"], 1_577_934_245_000_i64);
    assert_eq!((&jane["username"], &jane["last_name"]), (&json!("jane_d"), &Value::Null));
    assert_eq!(jane["email_addresses"][0]["email_address"], "jane@example.com");
    assert_eq!(jane["primary_email_address_id"], jane["email_addresses"][0]["id"]);
    clerk.backend("POST /users").json(json!({ "skip_user_requirement": true })).gives(200).await;
    let id = text(&jane["id"]);
    assert_eq!(clerk.backend("GET /users/{user_id}").of(&id).gives(200).await, jane);
    let second =
        json!({ "first_name": null, "username": "", "primary_email_address_id": jane["email_addresses"][1]["id"] });
    let changed = clerk.backend("PATCH /users/{user_id}").of(&id).json(second).gives(200).await;
    assert_eq!((&changed["first_name"], &changed["username"]), (&Value::Null, &Value::Null));
    assert!(changed["updated_at"].as_i64() > jane["updated_at"].as_i64());
    for route in ["PATCH /users/{user_id}/metadata", "PUT /users/{user_id}/metadata"] {
        clerk.backend(route).of(&id).json(json!({ "public_metadata": { "x": 1 } })).gives(200).await;
    }
    for (verb, field, value) in
        [("ban", "banned", true), ("unban", "banned", false), ("lock", "locked", true), ("unlock", "locked", false)]
    {
        let user = clerk.backend(&format!("POST /users/{{user_id}}/{verb}")).of(&id).gives(200).await;
        assert_eq!(user[field], value, "{verb}");
    }
    for verb in ["ban", "unban"] {
        let two = json!({ "user_ids": [id, clerk.id_of("ada")] });
        let users = clerk.backend(&format!("POST /users/{verb}")).json(two).gives(200).await;
        assert_eq!(users.as_array().map(Vec::len), Some(2));
    }
    pictures_come_and_go(clerk, &id).await;
    let deleted = clerk.backend("DELETE /users/{user_id}").of(&id).gives(200).await;
    assert_eq!(deleted, json!({ "object": "user", "id": id, "deleted": true, "external_id": "crm-7" }));
    clerk.backend("GET /users/{user_id}").of(&id).refused(404, "resource_not_found").await;
}

async fn pictures_come_and_go(clerk: &Clerk, id: &str) {
    let set = |content: &[u8]| clerk.backend("POST /users/{user_id}/profile_image").of(id).file(content);
    let shown = async |user: &Value| reqwest::get(text(&user["image_url"])).await.expect("an answer");
    let png = b"\x89PNG\r\n\x1a\nnearly".as_slice();
    let changed = set(png).gives(200).await;
    assert_eq!(changed["has_image"], true);
    let picture = shown(&changed).await;
    assert_eq!(picture.headers()["content-type"], "image/png");
    assert_eq!(picture.bytes().await.expect("a body"), png);
    let again = set(b"\xff\xd8\xffnearly").gives(200).await;
    assert_ne!(again["image_url"], changed["image_url"], "no cache shows the old one");
    assert_eq!(shown(&changed).await.status(), 404);
    set(b"<svg/>").refused(400, "image_invalid").await;
    let route = "DELETE /users/{user_id}/profile_image";
    let removed = clerk.backend(route).of(id).gives(200).await;
    assert_eq!(removed["has_image"], false);
    assert_eq!(shown(&removed).await.headers()["content-type"], "image/svg+xml");
    clerk.backend(route).of("user_nobody").refused(404, "resource_not_found").await;
}

async fn sessions_come_and_go(clerk: &Clerk) {
    let id = clerk.id_of("ada");
    let session = clerk.backend("POST /sessions").json(json!({ "user_id": id })).gives(200).await;
    let session_id = text(&session["id"]);
    let listed = clerk.backend("GET /sessions").query("user_id", &id).query("status", "active").gives(200).await;
    assert_eq!(listed, json!([session]));
    assert_eq!(clerk.backend("GET /sessions/{session_id}").of(&session_id).gives(200).await, session);
    let token = clerk.backend("POST /sessions/{session_id}/tokens").of(&session_id).gives(200).await;
    assert_eq!(token["object"], "token");
    let revoked = clerk.backend("POST /sessions/{session_id}/revoke").of(&session_id).gives(200).await;
    assert_eq!(revoked["status"], "revoked");
    clerk.backend("POST /sessions/{session_id}/tokens").of(&session_id).refused(404, "resource_not_found").await;
    let ticket = clerk.backend("POST /sign_in_tokens").json(json!({ "user_id": id })).gives(200).await;
    assert_eq!((&ticket["status"], &ticket["user_id"]), (&json!("pending"), &json!(id)));
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_the_published_shape() {
    let clerk = Clerk::new().await;
    let users = || clerk.backend("GET /users");
    users().key("sk_test_wrong").refused(401, "clerk_key_invalid").await;
    users().header("clerk-api-version", "2026-05-12").gives(200).await;
    users().header("clerk-api-version", "1999-01-01").refused(400, "api_version_invalid").await;
    let both = users().header("clerk-api-version", "2026-05-12").query("__clerk_api_version", "2026-05-12");
    both.refused(400, "api_version_invalid").await;
    for (name, value) in
        [("limit", "0"), ("limit", "many"), ("offset", "-1"), ("order_by", "shoe_size"), ("banned", "x")]
    {
        assert_eq!(users().query(name, value).gives(422).await["errors"][0]["meta"]["param_name"], name);
    }
    clerk.backend("GET /users/{user_id}").of("user_nobody").refused(404, "resource_not_found").await;
    clerk.backend("PATCH /users/{user_id}").of("user_nobody").json(json!({})).refused(404, "resource_not_found").await;
    clerk.backend("DELETE /users/{user_id}").of("user_nobody").refused(404, "resource_not_found").await;
    clerk.backend("GET /sessions/{session_id}").of("sess_none").refused(404, "resource_not_found").await;
    clerk.backend("POST /sessions/{session_id}/revoke").of("sess_none").refused(404, "resource_not_found").await;
    clerk.backend("GET /sessions").gives(422).await;
    for (user, status, code) in
        [(json!("user_nobody"), 404, "resource_not_found"), (json!(7), 422, "form_param_format_invalid")]
    {
        for route in ["POST /sessions", "POST /sign_in_tokens"] {
            clerk.backend(route).json(json!({ "user_id": user })).refused(status, code).await;
        }
    }
    for (body, code) in [
        (json!({ "publicMetadata": {} }), "form_param_unknown"),
        (json!({ "public_metadata": 1 }), "form_param_format_invalid"),
    ] {
        for route in ["PATCH /users/{user_id}/metadata", "PUT /users/{user_id}/metadata"] {
            clerk.backend(route).of(&clerk.id_of("ada")).json(body.clone()).refused(422, code).await;
            clerk.backend(route).of("user_nobody").json(json!({})).refused(404, "resource_not_found").await;
        }
    }
    let create = |body: Value| clerk.backend("POST /users").json(body);
    create(json!([])).refused(400, "request_body_invalid").await;
    create(json!({})).refused(422, "form_data_missing").await;
    create(json!({ "email_address": ["nonsense"] })).refused(422, "form_param_format_invalid").await;
    create(json!({ "email_address": ["new@example.com"], "password": "short" })).gives(422).await;
    for (name, body) in [
        ("email_address", json!({ "email_address": ["ADMIN@example.com"] })),
        ("phone_number", json!({ "phone_number": ["+15555550105"] })),
        ("username", json!({ "username": "ADA" })),
    ] {
        assert_eq!(create(body).refused(422, "form_identifier_exists").await["meta"]["param_name"], name);
    }
    assert_eq!(clerk.standin.users().len(), 20, "a refusal changes nothing");
}

#[tokio::test]
async fn metadata_merges_deeply_by_patch_and_is_replaced_by_put() {
    let clerk = Clerk::new().await;
    let id = clerk.id_of("sam.stone@example.com");
    let old = json!({ "plan": "pro", "team": { "name": "Ops", "size": 4 }, "beta": true });
    assert_eq!(clerk.standin.user(&id).expect("seeded")["public_metadata"], old);
    let patch = json!({ "public_metadata": { "beta": null, "team": { "size": 5, "lead": { "x": null, "y": 1 } } }, "private_metadata": { "p": 1 } });
    let merged = clerk.backend("PATCH /users/{user_id}/metadata").of(&id).json(patch).gives(200).await;
    let expected = json!({ "plan": "pro", "team": { "name": "Ops", "size": 5, "lead": { "y": 1 } } });
    assert_eq!((&merged["public_metadata"], &merged["private_metadata"]), (&expected, &json!({ "p": 1 })));
    let whole = json!({ "public_metadata": { "role": null } });
    let replaced = clerk.backend("PUT /users/{user_id}/metadata").of(&id).json(whole).gives(200).await;
    assert_eq!(replaced["public_metadata"], json!({ "role": null }), "a null is kept");
    assert_eq!(replaced["private_metadata"], json!({ "p": 1 }), "what is not named stays");
}

#[tokio::test]
async fn a_profile_takes_metadata_only_before_the_newest_version() {
    let clerk = Clerk::new().await;
    let id = clerk.id_of("ada");
    let patch = || clerk.backend("PATCH /users/{user_id}").of(&id).json(json!({ "public_metadata": { "new": 1 } }));
    patch().refused(422, "form_param_unknown").await;
    patch().header("clerk-api-version", "2026-05-12").refused(422, "form_param_unknown").await;
    assert_eq!(clerk.standin.user(&id).expect("Ada")["public_metadata"], json!({ "role": "admin" }));
    let older = patch().header("clerk-api-version", "2025-11-10").raw().await;
    assert_eq!(older.json::<Value>().await.expect("JSON")["public_metadata"], json!({ "new": 1 }));
}

#[tokio::test]
async fn rate_limits_are_clerks_and_say_when_to_come_back() {
    let clerk = Clerk::with(Options { rate_limits: true, ..Options::default() }).await;
    let (ada, uma) = (clerk.id_of("ada"), clerk.id_of("uma_user"));
    let patch = |id: &str| clerk.backend("PATCH /users/{user_id}").of(id).json(json!({ "locale": "de" }));
    for _ in 0..10 {
        patch(&ada).gives(200).await;
    }
    let (headers, body) = patch(&ada).answer(429).await;
    let wait: u64 = headers["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(body["errors"][0]["code"], "too_many_requests");
    patch(&uma).gives(200).await;
    for _ in 0..88 {
        clerk.backend("GET /users/count").gives(200).await;
    }
    let (headers, _) = clerk.backend("GET /users/count").answer(429).await;
    assert!(headers.contains_key("retry-after"));
    clerk.backend("GET /jwks").gives(200).await;
}

#[tokio::test]
async fn the_filters_of_the_listing_narrow_the_count_too() {
    let clerk = Clerk::new().await;
    for (name, value, expected) in
        [("query", "sam", 2), ("username", "ada", 1), ("banned", "true", 1), ("email_address", "nobody@example.com", 0)]
    {
        let listed = clerk.backend("GET /users").query(name, value).gives(200).await;
        let ids: BTreeSet<String> = listed.as_array().expect("a list").iter().map(|user| text(&user["id"])).collect();
        assert_eq!(ids.len(), expected, "{name}={value}");
        let count = clerk.backend("GET /users/count").query(name, value).gives(200).await;
        assert_eq!(count["total_count"], expected, "{name}={value}");
    }
}
