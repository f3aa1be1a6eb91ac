//! Against a local server that records what it is asked and answers what it is told.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::answer::{LARGEST_ANSWER, LONGEST_PAUSE};
use super::*;
use crate::server::clerk::jwks::Lookup;
use crate::server::clerk::signer::{INSTANCE, KID};

/// One answer for every call, and the calls as they came.
pub(super) struct Server {
    pub(super) client: Client,
    pub(super) calls: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) async fn answering(status: u16, headers: &str, body: &str) -> Self {
        let text = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
            body.len()
        );
        Self::sending(text.into_bytes()).await
    }

    async fn sending(bytes: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut call = Vec::new();
                while !is_whole(&call) {
                    let mut buffer = [0; 4096];
                    let Ok(read @ 1..) = stream.read(&mut buffer).await else { break };
                    call.extend_from_slice(&buffer[..read]);
                }
                seen.lock().unwrap().push(String::from_utf8(call).unwrap());
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { client: client(&format!("http://{address}/v1")), calls }
    }

    fn call(&self) -> String {
        self.calls.lock().unwrap().last().cloned().unwrap()
    }

    fn line(&self) -> String {
        self.call().lines().next().unwrap().to_owned()
    }
}

fn is_whole(call: &[u8]) -> bool {
    let text = String::from_utf8_lossy(call);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}

pub(super) fn client(api_url: &str) -> Client {
    client_with(api_url, 1_000, Duration::from_secs(5))
}

pub(super) fn client_with(api_url: &str, calls_in_ten_seconds: u32, timeout: Duration) -> Client {
    Client::new(Config {
        api_url: Url::parse(api_url).unwrap(),
        secret_key: SecretKey::parse("sk_test_secret").unwrap(),
        timeout,
        user_agent: "rollcall/test".to_owned(),
        calls_in_ten_seconds,
        observe: |_| (),
    })
    .unwrap()
}

pub(super) const USER: &str = r#"{"id":"user_1"}"#;

#[tokio::test]
async fn every_call_says_who_asks_and_in_which_version() {
    let server = Server::answering(200, "", USER).await;
    assert_eq!(server.client.fetch_user("user_1").await.unwrap().id, "user_1");
    let call = server.call().to_lowercase();
    assert!(call.starts_with("get /v1/users/user_1 http/1.1\r\n"), "{call}");
    for header in ["authorization: bearer sk_test_secret", "clerk-api-version: 2026-05-12", "user-agent: rollcall/test"]
    {
        assert!(call.contains(header), "{header}");
    }
}

#[tokio::test]
async fn d2_35_a_page_is_asked_for_by_an_explicit_size_of_at_most_five_hundred() {
    let server = Server::answering(200, "", "[]").await;
    for (limit, expected) in [(0, "limit=1&"), (10, "limit=10&"), (500, "limit=500&"), (u16::MAX, "limit=500&")] {
        server.client.list_users(limit, None).await.unwrap();
        assert!(server.line().contains(expected), "{}", server.line());
    }
    server.client.list_users(500, Some("user_9")).await.unwrap();
    assert_eq!(server.line(), "GET /v1/users?limit=500&order_by=%2Bcreated_at&starting_after=user_9 HTTP/1.1");
}

#[tokio::test]
async fn the_list_is_asked_for_by_moment_by_change_and_by_id() {
    let server = Server::answering(200, "", "[]").await;
    server.client.list_users_since(500, 1_700).await.unwrap();
    assert_eq!(server.line(), "GET /v1/users?limit=500&order_by=%2Bcreated_at&created_at_after=1699 HTTP/1.1");
    server.client.list_changed_users(501, 450).await.unwrap();
    assert_eq!(server.line(), "GET /v1/users?limit=500&order_by=-updated_at&offset=450 HTTP/1.1");
    server.client.list_users_by_id(&["user_1", "no/id", "user_2"]).await.unwrap();
    assert_eq!(server.line(), "GET /v1/users?user_id=user_1&user_id=user_2&limit=500 HTTP/1.1");
    let calls = server.calls.lock().unwrap().len();
    assert!(server.client.list_users_by_id(&["no/id"]).await.unwrap().is_empty());
    assert_eq!(server.calls.lock().unwrap().len(), calls, "a question for nobody would be one for everybody");
}

#[tokio::test]
async fn those_who_joined_before_a_moment_are_counted_by_clerk() {
    let server = Server::answering(200, "", r#"{"object":"total_count","total_count":3}"#).await;
    let at = Timestamp::from_millisecond(1_700).unwrap();
    assert_eq!(server.client.count_users_before(at).await.unwrap(), 3);
    assert_eq!(server.line(), "GET /v1/users/count?created_at_before=1700 HTTP/1.1");
}

#[tokio::test]
async fn metadata_is_merged_by_patch_and_untouched_parts_are_not_sent() {
    let server = Server::answering(200, "", USER).await;
    let public = json!({"role": "admin", "old": null}).as_object().unwrap().clone();
    let change = MetadataChange { public, ..MetadataChange::default() };
    server.client.merge_user_metadata("user_1", &change).await.unwrap();
    assert_eq!(server.line(), "PATCH /v1/users/user_1/metadata HTTP/1.1");
    let body: Value = serde_json::from_str(server.call().split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body, json!({"public_metadata": {"role": "admin", "old": null}}));
    assert!(!format!("{change:?}").contains("admin"));
}

#[tokio::test]
async fn a_profile_is_changed_by_patch_and_what_is_not_named_is_not_sent() {
    let server = Server::answering(200, "", USER).await;
    let change =
        ProfileChange { first_name: Some("Ada".to_owned()), username: Some(String::new()), ..ProfileChange::default() };
    server.client.update_user("user_1", &change).await.unwrap();
    assert_eq!(server.line(), "PATCH /v1/users/user_1 HTTP/1.1");
    let body: Value = serde_json::from_str(server.call().split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(body, json!({"first_name": "Ada", "username": ""}));
    assert!(!format!("{change:?}").contains("Ada"));
}

#[tokio::test]
async fn the_other_calls_go_where_clerk_has_them() {
    let server = Server::answering(
        200,
        "",
        r#"{"id":"x_1","object":"total_count","total_count":7,"directives":["__session=x"]}"#,
    )
    .await;
    assert_eq!(server.client.count_users().await.unwrap(), 7);
    assert_eq!(server.line(), "GET /v1/users/count HTTP/1.1");
    server.client.revoke_session("sess_1").await.unwrap();
    assert_eq!(server.line(), "POST /v1/sessions/sess_1/revoke HTTP/1.1");
    assert_eq!(server.client.fetch_instance().await.unwrap().id, "x_1");
    assert_eq!(server.line(), "GET /v1/instance HTTP/1.1");
    assert_eq!(server.client.redeem_handshake_nonce("a&b=/c").await.unwrap().directives, ["__session=x"]);
    assert_eq!(server.line(), "GET /v1/clients/handshake_payload?nonce=a%26b%3D%2Fc HTTP/1.1");
    let server = Server::answering(200, "", r#"{"object":"cookies","cookies":["__session=x"]}"#).await;
    let mut asked = refresh("sess_1");
    assert_eq!(server.client.refresh_session(&asked, &Map::new()).await.unwrap().cookies, ["__session=x"]);
    assert_eq!(server.line(), "POST /v1/sessions/sess_1/refresh HTTP/1.1");
    asked.suffixed = true;
    server.client.refresh_session(&asked, &Map::new()).await.unwrap();
    assert_eq!(server.line(), "POST /v1/sessions/sess_1/refresh?suffixed_cookies=true HTTP/1.1");
    let server = Server::answering(200, "", r#"[{"id":"sess_1","status":"active","expire_at":1700000000000}]"#).await;
    assert_eq!(server.client.list_sessions("user_1").await.unwrap()[0].status, "active");
    assert_eq!(server.line(), "GET /v1/sessions?user_id=user_1&status=active&limit=500 HTTP/1.1");
}

fn refresh(session_id: &str) -> RefreshRequest {
    RefreshRequest {
        session_id: session_id.to_owned(),
        suffixed: false,
        expired_token: "old".to_owned(),
        refresh_token: "secret-refresh".to_owned(),
        origin: "https://app.example.com".to_owned(),
    }
}

#[tokio::test]
async fn a_refresh_that_is_refused_says_why_and_is_not_about_our_key() {
    let body = r#"{"errors":[{"code":"invalid_refresh_token","message":"m"}]}"#;
    let server = Server::answering(401, "", body).await;
    let error = server.client.refresh_session(&refresh("sess_1"), &Map::new()).await.unwrap_err();
    assert!(
        matches!(&error, Error::Rejected { status: 401, code, .. } if code == "invalid_refresh_token"),
        "{error:?}"
    );
    assert!(!format!("{:?}", refresh("sess_1")).contains("secret-refresh"));
    assert!(matches!(server.client.refresh_session(&refresh("../x"), &Map::new()).await, Err(Error::NotFound)));
}

#[tokio::test]
async fn the_keys_are_read() {
    let server = Server::answering(200, "", &json!({"keys": [INSTANCE.jwk(KID)]}).to_string()).await;
    assert!(matches!(server.client.fetch_jwks().await.unwrap().find(Some(KID)), Lookup::Found(_)));
}

#[tokio::test]
async fn an_id_that_could_be_a_path_is_not_asked_for() {
    let server = Server::answering(200, "", USER).await;
    for id in ["", "..", ".", "a/b", "user_1?x", "user_1#", "%2e%2e", "user 1", "\u{e9}"] {
        assert!(matches!(server.client.fetch_user(id).await, Err(Error::NotFound)), "{id}");
        assert!(matches!(server.client.revoke_session(id).await, Err(Error::NotFound)), "{id}");
        assert!(matches!(server.client.list_users(1, Some(id)).await, Err(Error::NotFound)), "{id}");
    }
    assert!(server.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_404_means_absence_only_in_clerks_own_words() {
    let own = r#"{"errors":[{"code":"resource_not_found","message":"not found","long_message":"No user"}]}"#;
    assert!(matches!(Server::answering(404, "", own).await.client.fetch_user("user_1").await, Err(Error::NotFound)));
    for body in
        ["<html>404</html>", "", "{}", r#"{"errors":[]}"#, r#"{"errors":[{"code":"other"}]}"#, r#"{"errors":null}"#]
    {
        let error = Server::answering(404, "", body).await.client.fetch_user("user_1").await.unwrap_err();
        assert!(matches!(error, Error::Rejected { status: 404, .. }), "{body}");
    }
}

#[tokio::test]
async fn d2_13_d2_15_refusals_are_told_apart() {
    let fail = async |status, headers: &'static str, body: &'static str| {
        Server::answering(status, headers, body).await.client.fetch_user("user_1").await.unwrap_err()
    };
    assert!(matches!(fail(401, "", "{}").await, Error::Unauthorized));
    assert!(matches!(fail(503, "", "").await, Error::UnavailableStatus(503)));
    assert!(matches!(fail(500, "", "<html>").await, Error::UnavailableStatus(500)));
    for (headers, expected) in [
        ("", None),
        ("retry-after: 7\r\n", Some(Duration::from_secs(7))),
        ("retry-after: 0\r\n", Some(Duration::ZERO)),
        ("retry-after: 99999999999\r\n", Some(LONGEST_PAUSE)),
        ("retry-after: -1\r\n", None),
        ("retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n", None),
    ] {
        let error = fail(429, headers, "").await;
        assert!(
            matches!(&error, Error::RateLimited { retry_after } if *retry_after == expected),
            "{headers} {error:?}"
        );
    }
    let body = r#"{"errors":[{"code":"form_param_invalid","message":"short","long_message":"long","meta":{"param_name":"username"}}]}"#;
    let Error::Rejected { status: 422, code, field, message } = fail(422, "", body).await else {
        panic!("422 is a refusal")
    };
    assert_eq!((code.as_str(), field.as_deref(), message.as_str()), ("form_param_invalid", Some("username"), "long"));
}

#[tokio::test]
async fn d2_16_an_answer_of_a_wrong_shape_is_malformed() {
    for body in ["", "<html>", "[]x", "{}", r#"{"id":7}"#, "null"] {
        let error = Server::answering(200, "", body).await.client.fetch_user("user_1").await.unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{body} {error:?}");
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    let mut bytes = b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n\"".to_vec();
    bytes.resize(LARGEST_ANSWER + 1024, b'x');
    let error = Server::sending(bytes).await.client.fetch_user("user_1").await.unwrap_err();
    assert!(matches!(&error, Error::Malformed(source) if source.to_string().contains("too large")), "{error:?}");
}

#[tokio::test]
async fn redirects_are_not_followed_and_carry_the_key_nowhere() {
    let thief = Server::answering(200, "", USER).await;
    let location = format!("location: {}users/user_1\r\n", thief.client.api_url);
    let error = Server::answering(302, &location, "").await.client.fetch_user("user_1").await.unwrap_err();
    assert!(matches!(error, Error::Rejected { status: 302, .. }));
    assert!(thief.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn clerks_clock_is_read_from_any_answer() {
    for status in [200, 401, 500] {
        let server = Server::answering(status, "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "").await;
        assert_eq!(server.client.fetch_server_time().await.unwrap().as_second(), 784_111_777);
    }
    for headers in ["", "date: yesterday\r\n"] {
        assert!(matches!(
            Server::answering(200, headers, "").await.client.fetch_server_time().await,
            Err(Error::Malformed(_))
        ));
    }
}

#[tokio::test]
async fn no_answer_is_unavailable_and_names_no_address() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error =
        client(&format!("http://127.0.0.1:{port}/v1/")).redeem_handshake_nonce("secret-nonce").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)) && error.is_transient());
    assert!(!format!("{error:?}").contains("secret-nonce"));
}

#[test]
fn an_address_without_a_path_is_refused_and_nothing_secret_is_shown() {
    let config = |api_url| Config {
        api_url: Url::parse(api_url).unwrap(),
        secret_key: SecretKey::parse("sk_test_verysecret").unwrap(),
        timeout: Duration::from_secs(1),
        user_agent: "x".to_owned(),
        calls_in_ten_seconds: 100,
        observe: |_| (),
    };
    assert!(matches!(Client::new(config("mailto:a@b.test")), Err(Error::Malformed(_))));
    let good = || config("https://api.clerk.com/v1");
    let shown = format!("{:?} {:?}", good(), Client::new(good()).unwrap());
    assert!(!shown.contains("verysecret"), "{shown}");
}
