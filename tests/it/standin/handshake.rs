//! The handshake: where it sends the visitor, and what its envelope tells the application's server.

use std::collections::BTreeMap;

use rollcall::standin::Options;
use rollcall::standin::keys::cookie_suffix;
use rollcall::standin::people::PASSWORD;
use serde_json::Value;

use crate::standin::clerk::{APP, Clerk, text};

/// The cookies of the envelope, by name, each with its value and its attributes.
async fn handshake(clerk: &Clerk, browser: Option<&str>) -> BTreeMap<String, (String, String)> {
    let target = format!("{APP}/profile?tab=1");
    let call = clerk.frontend("GET /v1/client/handshake", browser.unwrap_or_default()).query("redirect_url", &target);
    let answer = call.raw().await;
    assert_eq!(answer.status(), 307);
    assert!(answer.headers()["cache-control"].to_str().expect("text").contains("no-store"));
    let location = url::Url::parse(answer.headers()["location"].to_str().expect("text")).expect("an address");
    assert!(location.as_str().starts_with(&target), "{location}");
    let envelope = location.query_pairs().find(|(name, _)| name == "__clerk_handshake").expect("an envelope").1;
    let claims = clerk.claims(&envelope);
    assert_eq!(claims.as_object().expect("claims").keys().collect::<Vec<_>>(), ["handshake"]);
    let lines = claims["handshake"].as_array().expect("cookies").iter().map(text);
    let cookie = |line: String| {
        let (name, rest) = line.split_once('=').expect("a name");
        let (value, attributes) = rest.split_once("; ").expect("attributes");
        (name.to_owned(), (value.to_owned(), attributes.to_owned()))
    };
    lines.map(cookie).collect()
}

fn assert_in_pairs(clerk: &Clerk, cookies: &BTreeMap<String, (String, String)>) {
    let suffix = cookie_suffix(clerk.standin.publishable_key());
    for name in ["__clerk_db_jwt", "__client_uat", "__session"] {
        assert_eq!(cookies[name], cookies[&format!("{name}_{suffix}")], "{name}");
        assert!(cookies[name].1.contains("Path=/"), "{name}: {}", cookies[name].1);
    }
    let is_signed_in = cookies.contains_key(&format!("__refresh_{suffix}"));
    assert_eq!(cookies.len(), if is_signed_in { 7 } else { 6 }, "{:?}", cookies.keys());
}

#[tokio::test]
async fn a_stranger_gets_a_browser_and_no_session() {
    let clerk = Clerk::new().await;
    let cookies = handshake(&clerk, None).await;
    assert_in_pairs(&clerk, &cookies);
    assert_eq!(cookies["__client_uat"].0, "0");
    assert_eq!(cookies["__session"].0, "");
    assert!(cookies["__session"].1.contains("Max-Age=0"));
    let key = &cookies["__clerk_db_jwt"].0;
    assert_eq!(clerk.frontend("GET /v1/client", key).gives(200).await["response"], Value::Null);
}

#[tokio::test]
async fn a_signed_in_browser_gets_its_token_and_loses_it_by_signing_out() {
    let clerk = Clerk::new().await;
    let ada = clerk.sign_in("ada").await;
    let cookies = handshake(&clerk, Some(&ada.key)).await;
    assert_in_pairs(&clerk, &cookies);
    assert_eq!(cookies["__clerk_db_jwt"].0, ada.key);
    let claims = clerk.claims(&cookies["__session"].0);
    let names: Vec<&String> = claims.as_object().expect("claims").keys().collect();
    assert_eq!(names, ["exp", "fva", "iat", "iss", "jti", "nbf", "sid", "sts", "sub", "v"], "no azp: no page asked");
    assert_eq!((text(&claims["sub"]), text(&claims["sid"])), (clerk.id_of("ada"), ada.session));
    let since: i64 = cookies["__client_uat"].0.parse().expect("seconds");
    assert!(since > 0 && since <= claims["iat"].as_i64().expect("seconds"));
    clerk.frontend("DELETE /v1/client/sessions", &ada.key).gives(200).await;
    let cookies = handshake(&clerk, Some(&ada.key)).await;
    assert_eq!((cookies["__client_uat"].0.as_str(), cookies["__session"].0.as_str()), ("0", ""));
}

#[tokio::test]
async fn a_handshake_leads_nowhere_but_to_an_address_of_the_web() {
    let clerk = Clerk::new().await;
    for target in ["", "nonsense", "javascript:alert(1)", "/relative"] {
        clerk.frontend("GET /v1/client/handshake", "").query("redirect_url", target).gives(422).await;
    }
}

#[tokio::test]
async fn a_production_instance_answers_by_cookie_and_has_no_browser_keys() {
    let clerk = Clerk::with(Options { production: true, ..Options::default() }).await;
    clerk.frontend("GET /v1/environment", "").gives(200).await;
    let form = [("identifier", "ada"), ("password", PASSWORD)];
    let (headers, _) = clerk.frontend("POST /v1/client/sign_ins", "").form(&form).answer(200).await;
    let client = headers["set-cookie"].to_str().expect("text").split(';').next().expect("a cookie").to_owned();
    assert!(client.starts_with("__client="), "{client}");
    let target = format!("{APP}/profile");
    let call = clerk.frontend("GET /v1/client/handshake", "").query("redirect_url", &target);
    let answer = call.header("cookie", &client).raw().await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["location"].to_str().expect("text")),
        (307, target.as_str())
    );
    let cookie = answer.headers()["set-cookie"].to_str().expect("text");
    let envelope = cookie.strip_prefix("__clerk_handshake=").and_then(|rest| rest.split(';').next());
    let claims = clerk.claims(envelope.expect("an envelope"));
    let lines: Vec<String> = claims["handshake"].as_array().expect("cookies").iter().map(text).collect();
    let is_known =
        |line: &String| ["__session", "__client_uat", "__refresh_"].iter().any(|name| line.starts_with(name));
    assert!(lines.iter().all(is_known), "{lines:?}");
    let token = lines.iter().find_map(|line| line.strip_prefix("__session=")).expect("a session");
    let claims = clerk.claims(token.split(';').next().expect("a token"));
    assert_eq!(text(&claims["sub"]), clerk.id_of("ada"));
}
