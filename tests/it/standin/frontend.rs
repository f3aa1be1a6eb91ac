//! The Frontend API: the whole journey of a browser, in the published shapes.

use serde_json::{Value, json};

use crate::standin::browser::CODE;
use crate::standin::clerk::{APP, Clerk, text};

const PASSWORD: &str = "Sup3r-secret-pw!";

#[tokio::test]
async fn a_browser_goes_every_way_in_the_published_shapes() {
    let clerk = Clerk::new().await;
    let key = clerk.new_browser().await;
    clerk.frontend("GET /v1/environment", &key).gives(200).await;
    clerk.frontend("GET /.well-known/jwks.json", &key).gives(200).await;
    assert_eq!(clerk.frontend("GET /v1/client", &key).gives(200).await["response"], Value::Null);
    let client = clerk.frontend("PUT /v1/client", &key).gives(200).await;
    assert_eq!(client["response"]["sessions"], json!([]));
    clerk.frontend("POST /v1/client", &key).gives(200).await;
    sign_up(&clerk, &key).await;
    use_session(&clerk, &key).await;
    live_as_oneself(&clerk, &key).await;
    manage_addresses(&clerk, &key).await;
    clerk.frontend("DELETE /v1/client/sessions", &key).gives(200).await;
    assert!(clerk.sessions(&key).await.is_empty());
    sign_in_by_code(&clerk, &key).await;
    forget_the_password(&clerk, &key).await;
    let id = clerk.id_of("jane@example.com");
    clerk.backend("PATCH /users/{user_id}").of(&id).json(json!({ "external_id": "crm-7" })).gives(200).await;
    let farewell = clerk.frontend("DELETE /v1/me", &key).gives(200).await;
    assert_eq!(farewell["response"], json!({ "object": "user", "id": id, "deleted": true }));
    clerk.frontend("DELETE /v1/client", &key).gives(200).await;
    assert_eq!(clerk.unasked("fapi"), ["fapi GET /v1/client/handshake"], "which answers with a redirect");
}

async fn sign_up(clerk: &Clerk, key: &str) {
    let form = [("email_address", "jane@example.com"), ("password", PASSWORD), ("first_name", "Jane")];
    let created = clerk.frontend("POST /v1/client/sign_ups", key).form(&form).gives(200).await;
    assert_eq!(created["response"]["status"], "missing_requirements");
    assert_eq!(created["client"]["sign_up"], created["response"]);
    let id = text(&created["response"]["id"]);
    let step = |route: &str| clerk.frontend(route, key).of(&id);
    let verify = "POST /v1/client/sign_ups/{sign_up_id}/attempt_verification";
    let named = step("PATCH /v1/client/sign_ups/{sign_up_id}").form(&[("last_name", "Doe")]).gives(200).await;
    assert_eq!(named["response"]["last_name"], "Doe");
    let prepare = step("POST /v1/client/sign_ups/{sign_up_id}/prepare_verification");
    prepare.form(&[("strategy", "email_code")]).gives(200).await;
    step("GET /v1/client/sign_ups/{sign_up_id}").gives(200).await;
    step(verify).form(&[("strategy", "email_code"), ("code", "000000")]).refused(422, "form_code_incorrect").await;
    let done = step(verify).form(&[("strategy", "email_code"), ("code", CODE)]).gives(200).await;
    assert_eq!(done["response"]["status"], "complete");
    assert_eq!(done["client"]["last_active_session_id"], done["response"]["created_session_id"]);
    assert_eq!(done["client"]["sessions"][0]["user"]["id"], done["response"]["created_user_id"]);
    let again = clerk.frontend("POST /v1/client/sign_ups", key).form(&[("email_address", "x@example.com")]);
    again.refused(400, "session_exists").await;
}

async fn use_session(clerk: &Clerk, key: &str) {
    let session = clerk.sessions(key).await[0].clone();
    let id = text(&session["id"]);
    let call = |route: &str| clerk.frontend(route, key).of(&id);
    assert_eq!(call("GET /v1/client/sessions/{session_id}").gives(200).await["response"]["id"], session["id"]);
    call("POST /v1/client/sessions/{session_id}/touch").gives(200).await;
    let token = call("POST /v1/client/sessions/{session_id}/tokens").gives(200).await;
    let claims = clerk.claims(&text(&token["jwt"]));
    assert_eq!((&claims["sub"], &claims["sid"], &claims["azp"]), (&session["user"]["id"], &session["id"], &json!(APP)));
    assert_eq!((&claims["v"], &claims["sts"]), (&json!(2), &json!("active")));
}

async fn live_as_oneself(clerk: &Clerk, key: &str) {
    let own = clerk.frontend("GET /v1/me", key).gives(200).await;
    assert!(own["response"].get("private_metadata").is_none());
    let form = [("first_name", "Janet"), ("username", "janet")];
    let named = clerk.frontend("PATCH /v1/me", key).form(&form).gives(200).await;
    assert_eq!((&named["response"]["first_name"], &named["response"]["username"]), (&json!("Janet"), &json!("janet")));
    let taken = clerk.frontend("PATCH /v1/me", key).form(&[("username", "ada")]);
    taken.refused(422, "form_identifier_exists").await;
    let metadata = [("unsafe_metadata", r#"{"theme":"dark"}"#)];
    let merged = clerk.frontend("PATCH /v1/me/metadata", key).form(&metadata).gives(200).await;
    assert_eq!(merged["response"]["unsafe_metadata"], json!({ "theme": "dark" }));
    clerk.frontend("PATCH /v1/me", key).form(&metadata).refused(422, "form_param_unknown").await;
    let image =
        clerk.frontend("POST /v1/me/profile_image", key).file(b"\x89PNG\r\n\x1a\nas good as one").gives(200).await;
    assert_eq!(image["response"]["object"], "image");
    let shown = clerk.frontend("GET /v1/me", key).gives(200).await;
    assert_eq!(
        (&shown["response"]["has_image"], &shown["response"]["image_url"]),
        (&json!(true), &image["response"]["public_url"])
    );
    clerk.frontend("POST /v1/me/profile_image", key).file(b"<svg/>").refused(400, "image_invalid").await;
    let gone = clerk.frontend("DELETE /v1/me/profile_image", key).gives(200).await;
    assert_eq!((&gone["response"]["id"], &gone["response"]["deleted"]), (&image["response"]["id"], &json!(true)));
    assert_eq!(clerk.frontend("GET /v1/me", key).gives(200).await["response"]["has_image"], false);
    clerk.frontend("DELETE /v1/me/profile_image", key).refused(404, "resource_not_found").await;
    let wrong = [("current_password", "wrong"), ("new_password", "An0ther-secret!")];
    let change = |form: &[(&str, &str)]| clerk.frontend("POST /v1/me/change_password", key).form(form);
    change(&wrong).refused(422, "form_password_incorrect").await;
    change(&[("current_password", PASSWORD), ("new_password", "An0ther-secret!")]).gives(200).await;
    let elsewhere = json!({ "user_id": own["response"]["id"] });
    let elsewhere = clerk.backend("POST /sessions").json(elsewhere).gives(200).await;
    for route in ["GET /v1/me/sessions", "GET /v1/me/sessions/active"] {
        assert_eq!(clerk.frontend(route, key).gives(200).await.as_array().map(Vec::len), Some(2), "{route}");
    }
    let revoke = clerk.frontend("POST /v1/me/sessions/{session_id}/revoke", key).of(&text(&elsewhere["id"]));
    assert_eq!(revoke.gives(200).await["response"]["status"], "revoked");
    for kind in ["memberships", "invitations", "suggestions"] {
        let lists = clerk.frontend(&format!("GET /v1/me/organization_{kind}"), key).gives(200).await;
        assert_eq!(lists["response"], json!({ "data": [], "total_count": 0 }));
    }
}

async fn manage_addresses(clerk: &Clerk, key: &str) {
    let add = |email: &str| clerk.frontend("POST /v1/me/email_addresses", key).form(&[("email_address", email)]);
    add("ADMIN@example.com").refused(422, "form_identifier_exists").await;
    let id = text(&add("second@example.com").gives(200).await["response"]["id"]);
    let call = |route: &str| clerk.frontend(route, key).of(&id);
    call("GET /v1/me/email_addresses/{email_id}").gives(200).await;
    let prepare = call("POST /v1/me/email_addresses/{email_id}/prepare_verification");
    prepare.form(&[("strategy", "email_code")]).gives(200).await;
    let attempt = call("POST /v1/me/email_addresses/{email_id}/attempt_verification");
    let verified = attempt.form(&[("code", CODE)]).gives(200).await;
    assert_eq!(verified["response"]["verification"]["status"], "verified");
    let removed = call("DELETE /v1/me/email_addresses/{email_id}").gives(200).await;
    assert_eq!(removed["response"]["deleted"], true);
    call("GET /v1/me/email_addresses/{email_id}").refused(404, "resource_not_found").await;
}

async fn sign_in_by_code(clerk: &Clerk, key: &str) {
    let create = |form: &[(&str, &str)]| clerk.frontend("POST /v1/client/sign_ins", key).form(form);
    assert_eq!(create(&[]).gives(200).await["response"]["status"], "needs_identifier");
    create(&[("identifier", "nobody@example.com")]).refused(422, "form_identifier_not_found").await;
    let begun = create(&[("identifier", "jane@example.com")]).gives(200).await;
    assert_eq!(begun["response"]["status"], "needs_first_factor");
    let id = text(&begun["response"]["id"]);
    let step = |route: &str| clerk.frontend(route, key).of(&id);
    let attempt = "POST /v1/client/sign_ins/{sign_in_id}/attempt_first_factor";
    let wrong = [("strategy", "password"), ("password", "wrong")];
    step(attempt).form(&wrong).refused(422, "form_password_incorrect").await;
    step("GET /v1/client/sign_ins/{sign_in_id}").gives(200).await;
    let prepare = step("POST /v1/client/sign_ins/{sign_in_id}/prepare_first_factor");
    prepare.form(&[("strategy", "email_code")]).gives(200).await;
    let done = step(attempt).form(&[("strategy", "email_code"), ("code", CODE)]).gives(200).await;
    assert_eq!(done["response"]["status"], "complete");
    let session = text(&done["response"]["created_session_id"]);
    let end = clerk.frontend("POST /v1/client/sessions/{session_id}/end", key).of(&session).gives(200).await;
    assert_eq!(end["response"]["status"], "ended");
    let tokens = clerk.frontend("POST /v1/client/sessions/{session_id}/tokens", key).of(&session);
    tokens.refused(401, "signed_out").await;
}

async fn forget_the_password(clerk: &Clerk, key: &str) {
    let reset = "reset_password_email_code";
    let create = |form: &[(&str, &str)]| clerk.frontend("POST /v1/client/sign_ins", key).form(form);
    let begun = create(&[("identifier", "jane@example.com")]).gives(200).await;
    let id = text(&begun["response"]["id"]);
    let step = |verb: &str| clerk.frontend(&format!("POST /v1/client/sign_ins/{{sign_in_id}}/{verb}"), key).of(&id);
    step("prepare_first_factor").form(&[("strategy", reset)]).gives(200).await;
    let proven = step("attempt_first_factor").form(&[("strategy", reset), ("code", CODE)]).gives(200).await;
    assert_eq!(proven["response"]["status"], "needs_new_password");
    step("reset_password").form(&[("password", "short")]).gives(422).await;
    let done = step("reset_password").form(&[("password", "Brand-n3w-secret")]).gives(200).await;
    let session = text(&done["response"]["created_session_id"]);
    let remove = clerk.frontend("POST /v1/client/sessions/{session_id}/remove", key).of(&session).gives(200).await;
    assert_eq!(remove["response"]["status"], "removed");
    let again = create(&[("identifier", "jane@example.com"), ("password", "Brand-n3w-secret")]).gives(200).await;
    assert_eq!(again["response"]["status"], "complete");
}

#[tokio::test]
async fn every_one_of_the_twenty_signs_in_or_is_told_why_not() {
    let clerk = Clerk::new().await;
    for user in clerk.standin.users() {
        let ticket = clerk.backend("POST /sign_in_tokens").json(json!({ "user_id": user["id"] })).gives(200).await;
        let key = clerk.new_browser().await;
        let form = [("strategy", "ticket"), ("ticket", ticket["token"].as_str().expect("a token"))];
        let sign_in = || clerk.frontend("POST /v1/client/sign_ins", &key).form(&form);
        match (user["banned"] == true, user["locked"] == true) {
            (true, _) => drop(sign_in().refused(403, "user_banned").await),
            (_, true) => drop(sign_in().refused(403, "user_locked").await),
            _ => {
                assert_eq!(sign_in().gives(200).await["client"]["sessions"][0]["user"]["id"], user["id"]);
                clerk.frontend("GET /v1/me", &key).gives(200).await;
                clerk.frontend("DELETE /v1/client/sessions", &key).gives(200).await;
                sign_in().gives(422).await;
            }
        }
    }
}

#[tokio::test]
async fn a_browser_without_a_key_must_introduce_itself() {
    let clerk = Clerk::new().await;
    for key in ["", "dvb_unknown"] {
        clerk.frontend("GET /v1/client", key).refused(401, "dev_browser_unauthenticated").await;
    }
    let key = clerk.new_browser().await;
    clerk.frontend("GET /v1/me", &key).refused(401, "signed_out").await;
    let ada = clerk.sign_in("ada").await;
    let foreign = clerk.frontend("POST /v1/client/sessions/{session_id}/tokens", &key).of(&ada.session);
    foreign.refused(401, "signed_out").await;
}
