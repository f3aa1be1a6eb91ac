//! Claims about the whole stand-in, over HTTP.

use std::collections::VecDeque;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::json;

use super::*;

type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A receiver of webhooks that answers with the given statuses first, and then with 200.
async fn receiver(answers: &[u16]) -> (String, Received) {
    let received: Received = Arc::default();
    let answers: Arc<Mutex<VecDeque<u16>>> = Arc::new(Mutex::new(answers.iter().copied().collect()));
    let accept = |State((received, answers)): State<(Received, Arc<Mutex<VecDeque<u16>>>)>,
                  headers: HeaderMap,
                  body: Bytes| async move {
        received.lock().unwrap().push((headers, body));
        let status = answers.lock().unwrap().pop_front().unwrap_or(200);
        StatusCode::from_u16(status).unwrap()
    };
    let app = Router::new().route("/hook", post(accept)).with_state((Arc::clone(&received), answers));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, received)
}

async fn standin(options: Options) -> Standin {
    Standin::start(options).await.unwrap()
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap()
}

async fn bapi(standin: &Standin, method: &str, path: &str, body: Value) -> (u16, Value) {
    let request =
        http().request(method.parse().unwrap(), format!("{}{path}", standin.url())).bearer_auth(standin.secret_key());
    let request = if body.is_null() { request } else { request.json(&body) };
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    assert!(response.headers().contains_key("date"));
    (response.status().as_u16(), response.json().await.unwrap())
}

fn claims_of(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn a_wrong_key_and_an_unknown_version_are_refused_in_clerks_shape() {
    let standin = standin(Options::default()).await;
    let response = http().get(format!("{}/v1/users", standin.url())).bearer_auth("sk_test_wrong").send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.json::<Value>().await.unwrap()["errors"][0]["code"], "clerk_key_invalid");
    let request = http().get(format!("{}/v1/users", standin.url())).bearer_auth(standin.secret_key());
    assert_eq!(request.header("Clerk-API-Version", "1999-01-01").send().await.unwrap().status(), 400);
    assert_eq!(bapi(&standin, "GET", "/v1/users/user_nobody", Value::Null).await.0, 404);
    assert_eq!(bapi(&standin, "GET", "/v1/users?limit=3", Value::Null).await.1.as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_profile_changes_but_not_its_metadata_through_the_newest_patch() {
    let standin = standin(Options::default()).await;
    let id = standin.find_user("ada").unwrap()["id"].as_str().unwrap().to_owned();
    let before = standin.user(&id).unwrap()["updated_at"].as_i64().unwrap();
    let (status, user) =
        bapi(&standin, "PATCH", &format!("/v1/users/{id}"), json!({ "first_name": "Augusta", "last_name": null }))
            .await;
    assert_eq!((status, &user["first_name"], &user["last_name"]), (200, &json!("Augusta"), &Value::Null));
    assert!(user["updated_at"].as_i64().unwrap() > before);
    let (status, body) = bapi(&standin, "PATCH", &format!("/v1/users/{id}"), json!({ "public_metadata": {} })).await;
    assert_eq!((status, &body["errors"][0]["code"]), (422, &json!("form_param_unknown")));
    let (status, body) = bapi(&standin, "PATCH", &format!("/v1/users/{id}"), json!({ "username": "uma_user" })).await;
    assert_eq!((status, &body["errors"][0]["code"]), (422, &json!("form_identifier_exists")));
    let (_, user) = bapi(
        &standin,
        "PATCH",
        &format!("/v1/users/{id}/metadata"),
        json!({ "public_metadata": { "role": null, "a": 1 } }),
    )
    .await;
    assert_eq!(user["public_metadata"], json!({ "a": 1 }));
}

#[tokio::test]
async fn webhooks_verify_with_svix_and_are_retried_under_the_same_id() {
    let (url, received) = receiver(&[500, 301]).await;
    let standin = standin(Options { webhook_url: Some(url), retry_scale: 0.0001, ..Options::default() }).await;
    let user = standin.create_user(json!({ "email_address": ["new@example.com"] }));
    assert!(standin.drained(Duration::from_secs(10)).await);
    let received = received.lock().unwrap().clone();
    assert_eq!(received.len(), 3);
    let verifier = svix::webhooks::Webhook::new(standin.webhook_secret()).unwrap();
    for (headers, body) in &received {
        verifier.verify(body, headers).unwrap();
        assert_eq!(headers["svix-id"], received[0].0["svix-id"]);
        assert_eq!(headers["content-type"], "application/json");
    }
    let event: Value = serde_json::from_slice(&received[0].1).unwrap();
    assert_eq!((&event["object"], &event["type"], &event["data"]), (&json!("event"), &json!("user.created"), &user));
    assert_eq!(event["instance_id"], standin.instance_id());
    let delivery = &standin.deliveries()[0];
    assert_eq!(delivery.state, webhooks::State::Delivered);
    assert_eq!(
        delivery.attempts.iter().map(|attempt| attempt.status).collect::<Vec<_>>(),
        [Some(500), Some(301), Some(200)]
    );
}

#[tokio::test]
async fn a_wrong_secret_does_not_verify_and_a_pause_holds_everything() {
    let (url, received) = receiver(&[]).await;
    let standin = standin(Options { webhook_url: Some(url), ..Options::default() }).await;
    standin.set_levers(Levers { paused: true, signing_secret: Some("whsec_d3Jvbmc=".to_owned()), ..Levers::default() });
    standin.announce();
    assert!(!standin.drained(Duration::ZERO).await);
    standin.set_levers(Levers { paused: false, ..standin.levers() });
    assert!(standin.drained(Duration::from_secs(10)).await);
    let received = received.lock().unwrap().clone();
    assert_eq!(received.len(), 20);
    let verifier = svix::webhooks::Webhook::new(standin.webhook_secret()).unwrap();
    assert!(verifier.verify(&received[0].1, &received[0].0).is_err());
    assert!(received[0].0["svix-id"].to_str().unwrap().starts_with("msg_seed_user_"));
}

#[tokio::test]
async fn a_session_token_has_the_claims_of_version_two() {
    let standin = standin(Options::default()).await;
    let user = standin.find_user("admin@example.com").unwrap();
    let options = TokenOptions { azp: Some("http://localhost:3000".to_owned()), ..TokenOptions::default() };
    let token = standin.session_token(user["id"].as_str().unwrap(), options);
    let key = jsonwebtoken::DecodingKey::from_rsa_pem(standin.jwt_key().as_bytes()).unwrap();
    let rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    let claims = jsonwebtoken::decode::<Value>(&token, &key, &rules).unwrap().claims;
    assert_eq!(claims["iss"], "https://rollcall-local-1.clerk.accounts.dev");
    assert_eq!(claims["sub"], user["id"]);
    assert_eq!(
        (&claims["v"], &claims["sts"], &claims["azp"]),
        (&json!(2), &json!("active"), &json!("http://localhost:3000"))
    );
    let time = |name: &str| claims[name].as_i64().unwrap();
    assert_eq!((time("exp") - time("iat"), time("iat") - time("nbf")), (60, 10));
}

/// Signs up in a fresh browser, and gives back its dev-browser token.
async fn signed_up(standin: &Standin, email: &str) -> String {
    let browser: Value = fapi(standin, "/v1/dev_browser", "", &[]).await.1;
    let token = browser["id"].as_str().unwrap().to_owned();
    let (status, body) = fapi(
        standin,
        "/v1/client/sign_ups",
        &token,
        &[("email_address", email), ("password", "Sup3r-secret-pw!"), ("first_name", "Jane")],
    )
    .await;
    assert_eq!((status, &body["response"]["status"]), (200, &json!("missing_requirements")));
    let path = format!("/v1/client/sign_ups/{}", body["response"]["id"].as_str().unwrap());
    fapi(standin, &format!("{path}/prepare_verification"), &token, &[("strategy", "email_code")]).await;
    let (status, body) = fapi(standin, &format!("{path}/attempt_verification"), &token, &[("code", "000000")]).await;
    assert_eq!((status, &body["errors"][0]["code"]), (422, &json!("form_code_incorrect")));
    let (status, body) = fapi(standin, &format!("{path}/attempt_verification"), &token, &[("code", "424242")]).await;
    assert_eq!((status, &body["response"]["status"]), (200, &json!("complete")));
    assert_eq!(body["client"]["sessions"][0]["id"], body["response"]["created_session_id"]);
    token
}

async fn fapi(standin: &Standin, path: &str, browser: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let joint = if path.contains('?') { '&' } else { '?' };
    let request = http().post(format!("{}{path}{joint}__clerk_db_jwt={browser}", standin.url())).form(form);
    let response = request.header("Origin", "http://localhost:3000").send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "http://localhost:3000");
    assert_eq!(response.headers()["access-control-allow-credentials"], "true");
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_handshake_carries_the_browser_and_a_token_that_names_no_page() {
    let standin = standin(Options::default()).await;
    let browser = signed_up(&standin, "jane@example.com").await;
    let url = format!(
        "{}/v1/client/handshake?redirect_url=http%3A%2F%2Flocalhost%3A3000%2Fa%3Fb%3Dc&__clerk_db_jwt={browser}",
        standin.url()
    );
    let response = http().get(url).send().await.unwrap();
    assert_eq!(response.status(), 307);
    let location = url::Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    let query: std::collections::HashMap<String, String> = location.query_pairs().into_owned().collect();
    assert_eq!(query["b"], "c");
    let lines = claims_of(&query["__clerk_handshake"])["handshake"].clone();
    let lines: Vec<&str> = lines.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let suffix = keys::cookie_suffix(standin.publishable_key());
    for name in ["__clerk_db_jwt", "__client_uat", "__session"] {
        assert!(lines.iter().any(|line| line.starts_with(&format!("{name}="))), "{name}");
        assert!(lines.iter().any(|line| line.starts_with(&format!("{name}_{suffix}="))), "{name} with suffix");
    }
    let token = lines.iter().find_map(|line| line.strip_prefix("__session=")).unwrap().split(';').next().unwrap();
    assert!(claims_of(token).get("azp").is_none());
    let uat: i64 = lines
        .iter()
        .find_map(|line| line.strip_prefix("__client_uat="))
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(uat > 0 && uat <= claims_of(token)["iat"].as_i64().unwrap());
}

#[tokio::test]
async fn wrong_sign_ins_get_the_codes_the_components_understand() {
    let standin = standin(Options::default()).await;
    let browser = fapi(&standin, "/v1/dev_browser", "", &[]).await.1["id"].as_str().unwrap().to_owned();
    let sign_in = async |identifier: &str, password: &str| {
        let (status, body) =
            fapi(&standin, "/v1/client/sign_ins", &browser, &[("identifier", identifier), ("password", password)])
                .await;
        (status, body["errors"][0]["code"].as_str().unwrap_or_default().to_owned(), body)
    };
    assert_eq!(sign_in("nobody@example.com", "x").await.1, "form_identifier_not_found");
    assert_eq!(sign_in("admin@example.com", "wrong").await.1, "form_password_incorrect");
    assert_eq!(sign_in("banned@example.com", people::PASSWORD).await.1, "user_banned");
    assert_eq!(sign_in("locked@example.com", people::PASSWORD).await.1, "user_locked");
    let (status, _, body) = sign_in("ada", people::PASSWORD).await;
    assert_eq!((status, &body["response"]["status"]), (200, &json!("complete")));
    let taken = [("email_address", "admin@example.com"), ("password", "Sup3r-secret-pw!")];
    fapi(&standin, "/v1/client/sessions?_method=DELETE", &browser, &[]).await;
    let (status, body) = fapi(&standin, "/v1/client/sign_ups", &browser, &taken).await;
    assert_eq!((status, &body["errors"][0]["code"]), (422, &json!("form_identifier_exists")));
    assert_eq!(body["errors"][0]["meta"]["param_name"], "email_address");
    assert_eq!(
        fapi(&standin, "/v1/client/sign_ins", "dvb_unknown", &[]).await.1["errors"][0]["code"],
        "dev_browser_unauthenticated"
    );
}

#[tokio::test]
async fn a_ban_ends_the_session_and_its_tokens() {
    let standin = standin(Options::default()).await;
    let browser = signed_up(&standin, "jane@example.com").await;
    let id = standin.find_user("jane@example.com").unwrap()["id"].as_str().unwrap().to_owned();
    let (_, sessions) = bapi(&standin, "GET", &format!("/v1/sessions?user_id={id}&status=active"), Value::Null).await;
    let session = sessions[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/client/sessions/{session}/tokens");
    assert_eq!(fapi(&standin, &path, &browser, &[]).await.1["object"], "token");
    assert_eq!(bapi(&standin, "POST", &format!("/v1/users/{id}/ban"), Value::Null).await.1["banned"], true);
    assert_eq!(fapi(&standin, &path, &browser, &[]).await.0, 401);
}

#[tokio::test]
async fn the_owner_reads_changes_and_deletes_their_account() {
    let (url, _) = receiver(&[]).await;
    let standin = standin(Options { webhook_url: Some(url), ..Options::default() }).await;
    let browser = signed_up(&standin, "jane@example.com").await;
    let me = http().get(format!("{}/v1/me?__clerk_db_jwt={browser}", standin.url())).send().await.unwrap();
    let me: Value = me.json().await.unwrap();
    assert!(me["response"].get("private_metadata").is_none());
    let (_, body) =
        fapi(&standin, "/v1/me?_method=PATCH", &browser, &[("first_name", "Janet"), ("last_name", "")]).await;
    assert_eq!((&body["response"]["first_name"], &body["response"]["last_name"]), (&json!("Janet"), &Value::Null));
    let metadata = [("unsafe_metadata", r#"{"theme":"dark"}"#)];
    let (_, body) = fapi(&standin, "/v1/me/metadata?_method=PATCH", &browser, &metadata).await;
    assert_eq!(body["response"]["unsafe_metadata"], json!({ "theme": "dark" }));
    let (_, body) = fapi(&standin, "/v1/me?_method=PATCH", &browser, &metadata).await;
    assert_eq!(body["errors"][0]["code"], "form_param_unknown");
    let (_, body) = fapi(&standin, "/v1/me?_method=DELETE", &browser, &[]).await;
    assert_eq!(body["response"]["deleted"], true);
    assert_eq!(fapi(&standin, "/v1/me", &browser, &[]).await.0, 401);
    let kinds: Vec<String> = standin.deliveries().into_iter().map(|delivery| delivery.kind).collect();
    assert_eq!(kinds, ["user.created", "session.created", "user.updated", "user.updated", "user.deleted"]);
}

#[tokio::test]
async fn a_production_instance_knows_its_browsers_by_cookie() {
    let standin = standin(Options { production: true, ..Options::default() }).await;
    assert!(standin.publishable_key().starts_with("pk_live_"));
    let form = [("identifier", "ada"), ("password", people::PASSWORD)];
    let response = http().post(format!("{}/v1/client/sign_ins", standin.url())).form(&form).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let cookies: Vec<String> =
        response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    assert!(cookies[0].starts_with("__client=ck_") && cookies[0].contains("HttpOnly"));
    assert!(cookies[1].starts_with("__client_uat=1"));
    let url = format!("{}/v1/client/handshake?redirect_url=http://localhost:3000/", standin.url());
    let response = http().get(url).header("cookie", cookies[0].split(';').next().unwrap()).send().await.unwrap();
    assert_eq!(response.headers()["location"], "http://localhost:3000/");
    assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("__clerk_handshake="));
}

#[tokio::test]
async fn a_restart_keeps_users_sessions_and_the_signing_key() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { state_file: Some(folder.path().join("state.json")), ..Options::default() };
    let first = standin(options.clone()).await;
    let browser = signed_up(&first, "jane@example.com").await;
    let (key, secret) = (first.jwt_key(), first.webhook_secret().to_owned());
    first.stop().await;
    let text = std::fs::read_to_string(folder.path().join("state.json")).unwrap();
    assert!(!text.contains("Sup3r-secret-pw!"));
    let second = standin(options).await;
    assert_eq!((second.jwt_key(), second.webhook_secret()), (key, secret.as_str()));
    assert_eq!(second.users().len(), 21);
    let client = http().get(format!("{}/v1/client?__clerk_db_jwt={browser}", second.url())).send().await.unwrap();
    assert_eq!(client.json::<Value>().await.unwrap()["response"]["sessions"][0]["user"]["first_name"], "Jane");
}

#[tokio::test]
async fn levers_break_the_backend_api_and_limits_bound_it() {
    let standin = standin(Options { rate_limits: true, ..Options::default() }).await;
    let levers = json!({ "bapi_status": 429, "retry_after_s": 3 });
    http().put(format!("{}/__standin/levers", standin.url())).json(&levers).send().await.unwrap();
    let url = format!("{}/v1/instance", standin.url());
    let client = http();
    let call = async || client.get(&url).bearer_auth(standin.secret_key()).send().await.unwrap();
    let refused = call().await;
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "3"));
    standin.set_levers(Levers::default());
    for _ in 0..100 {
        assert_eq!(call().await.status(), 200);
    }
    assert_eq!(call().await.status(), 429);
}

#[tokio::test]
async fn ten_thousand_webhooks_leave_without_losing_one() {
    let (url, received) = receiver(&[]).await;
    let standin = standin(Options { webhook_url: Some(url), seed_users: 10_000, ..Options::default() }).await;
    standin.announce();
    assert!(standin.drained(Duration::from_mins(1)).await);
    assert_eq!(received.lock().unwrap().len(), 10_000);
}
