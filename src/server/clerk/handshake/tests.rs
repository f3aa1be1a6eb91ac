//! The decision, case by case: the matrix of `clerk.md` 2.4 and the rows of 2.1. What a handshake brings back is tested in
//! `consumption`, the way out in `departure`.

mod consumption;
mod departure;

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::server::clerk::jwks::Keys;
use crate::server::clerk::signer::{
    INSTANCE, ISSUER, NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, STRANGER, at, claims_with, encode, header_with, keys,
    now,
};

/// One request, in development unless said otherwise, navigating to a page.
#[derive(Clone)]
struct Visit {
    key: &'static str,
    method: Method,
    url: String,
    authorization: Option<String>,
    cookie: String,
    sec_fetch_dest: Option<&'static str>,
    accept: Option<&'static str>,
    redeemed: Redemption,
    refreshed: Refreshed,
    proxy: Option<&'static str>,
    keys: KeySet,
    seconds: i64,
}

fn visit(key: &'static str) -> Visit {
    Visit {
        key,
        method: Method::GET,
        url: "https://app.clerk.dev/page?a=1".to_owned(),
        authorization: None,
        cookie: String::new(),
        sec_fetch_dest: Some("document"),
        accept: None,
        redeemed: Redemption::NotTried,
        refreshed: Refreshed::NotTried,
        proxy: None,
        keys: keys(),
        seconds: 0,
    }
}

fn dev() -> Visit {
    visit(PUBLISHABLE_TEST).cookie("__clerk_db_jwt", "dvb_1")
}

fn live() -> Visit {
    visit(PUBLISHABLE_LIVE)
}

impl Visit {
    fn cookie(mut self, name: &str, value: &str) -> Self {
        write!(self.cookie, "{name}={value}; ").unwrap();
        self
    }

    fn session(self, changes: Value) -> Self {
        let token = INSTANCE.token(&claims_with(changes));
        self.cookie("__session", &token)
    }

    fn uat(self, seconds: i64) -> Self {
        self.cookie("__client_uat", &seconds.to_string())
    }

    fn url(mut self, url: &str) -> Self {
        url.clone_into(&mut self.url);
        self
    }

    fn bearer(mut self, token: &str) -> Self {
        self.authorization = Some(format!("Bearer {token}"));
        self
    }

    fn by_script(mut self) -> Self {
        self.sec_fetch_dest = Some("empty");
        self
    }

    fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    fn decide(&self) -> Decision {
        let publishable_key = PublishableKey::parse(self.key).unwrap();
        let config = Config {
            publishable_key,
            proxy_url: self.proxy.map(|text| ProxyUrl::parse(text).unwrap()),
            verify: VerifyOptions::for_issuer(ISSUER),
            satellite: None,
            satellites: Vec::new(),
            organizations: OrganizationPaths::default(),
            verified: Verified::default(),
        };
        let facts = Facts {
            method: &self.method,
            public_url: &Url::parse(&self.url).unwrap(),
            authorization: self.authorization.as_deref(),
            cookie: Some(&self.cookie),
            sec_fetch_dest: self.sec_fetch_dest,
            accept: self.accept,
            referer: None,
            redeemed: self.redeemed.clone(),
            refreshed: self.refreshed.clone(),
        };
        authenticate(&facts, &config, &self.keys, at(self.seconds))
    }

    /// The decision in two words: `in`, `pending`, `out <reason>`, `handshake <reason>`.
    fn verdict(&self) -> String {
        match self.decide() {
            Decision::SignedIn { .. } => "in".to_owned(),
            Decision::Pending { .. } => "pending".to_owned(),
            Decision::SignedOut { reason, .. } => format!("out {}", reason.text()),
            Decision::Handshake { reason, .. } => format!("handshake {}", reason.text()),
            Decision::RedeemNonce { nonce } => format!("redeem {nonce}"),
            Decision::Refresh(asked) => format!("refresh {}", asked.session_id),
            Decision::NeedKeys { kid } => format!("keys {kid}"),
        }
    }

    fn location(&self) -> Url {
        self.decide().location().unwrap().clone()
    }
}

/// `clerk.md` 2.4: instance, dev browser, time and session, against what a navigation gets; anything else gets signed out
/// for the same reason.
#[test]
fn the_matrix_of_the_official_library_holds() {
    let sessions = ["none", "ok", "exp", "early", "bad"];
    for (key, dev_browser) in [(PUBLISHABLE_TEST, false), (PUBLISHABLE_TEST, true), (PUBLISHABLE_LIVE, false)] {
        for uat in [None, Some(0), Some(NOW - 100)] {
            for session in sessions {
                let mut visit = visit(key);
                if dev_browser {
                    visit = visit.cookie("__clerk_db_jwt", "dvb_1");
                }
                let set = uat.is_some_and(|uat| uat > 0);
                // "early" is a session older than the last change; the change is moved after it.
                let uat = if set && session == "early" { Some(NOW + 1) } else { uat };
                if let Some(uat) = uat {
                    visit = visit.uat(uat);
                }
                visit = match session {
                    "none" => visit,
                    "exp" => visit.session(json!({"iat": NOW - 90, "exp": NOW - 30})),
                    "bad" => visit.cookie("__session", &STRANGER.token(&claims_with(json!({})))),
                    _ => visit.session(json!({})),
                };
                let expected = match (key == PUBLISHABLE_TEST && !dev_browser, set, session) {
                    (true, _, _) => "handshake dev-browser-missing",
                    (_, false, "none") => "out session-token-and-uat-missing",
                    (_, false, _) => "handshake session-token-but-no-client-uat",
                    (_, true, "none") => "handshake client-uat-but-no-session-token",
                    (_, true, "ok") => "in",
                    (_, true, "exp") => "handshake session-token-expired-refresh-non-eligible-no-refresh-cookie",
                    (_, true, "early") => "handshake session-token-iat-before-client-uat",
                    _ => "out token-invalid-signature",
                };
                assert_eq!(visit.verdict(), expected, "{key} {dev_browser} {uat:?} {session}");
                let out = expected.replace("handshake ", "out ");
                assert_eq!(visit.clone().by_script().verdict(), out);
                let unread_out = out.replace("no-refresh-cookie", "non-get");
                for method in [Method::POST, Method::HEAD, Method::PUT] {
                    assert_eq!(visit.clone().method(method).verdict(), unread_out);
                }
            }
        }
    }
}

#[test]
fn matters_of_time_are_mended_and_others_are_not() {
    let base = || live().uat(NOW - 100);
    for (asked, expected) in [
        (base().session(json!({"nbf": NOW + 60})), "handshake session-token-nbf"),
        (base().session(json!({"iat": NOW + 60})), "handshake session-token-iat-in-the-future"),
        (base().session(json!({"exp": NOW - 30})).cookie("__refresh_1Z8AzTQD", "r"), "refresh sess_1"),
        (base().session(json!({"sid": null})), "out token-verification-failed"),
        (base().session(json!({"sts": "pending"})), "pending"),
        (base().cookie("__session", "a.b.c"), "out token-invalid"),
        (base().session(json!({"sub": "mch_1"})), "out token-type-mismatch"),
    ] {
        assert_eq!(asked.verdict(), expected);
    }
    for changes in [json!({"cat": "cl_B7d4PD222AAA"}), json!({"cat": "cl_B7d4PD333AAA"}), json!({"typ": "at+jwt"})] {
        let token = INSTANCE.token_with(&header_with(changes), &claims_with(json!({})));
        assert_eq!(base().cookie("__session", &token).verdict(), "out token-type-mismatch");
        assert_eq!(live().bearer(&token).verdict(), "out token-type-mismatch");
    }
}

#[test]
fn d4_23_a_header_token_wins_outright() {
    let good = INSTANCE.token(&claims_with(json!({})));
    let cookies = || live().uat(NOW).session(json!({}));
    for (authorization, expected) in [
        (format!("Bearer {good}"), "in"),
        (good.clone(), "in"),
        (format!("Bearer {good} more"), "in"),
        ("Bearer garbage".to_owned(), "out token-invalid"),
        (format!("Bearer  {good}"), "out token-invalid"),
        ("Bearer".to_owned(), "out token-invalid"),
        ("Bearer ".to_owned(), "out token-invalid"),
    ] {
        let asked = Visit { authorization: Some(authorization.clone()), ..live().uat(0) };
        assert_eq!(asked.verdict(), expected, "{authorization:.30}");
        let beside = Visit { authorization: Some(authorization), ..cookies() };
        assert_eq!(beside.verdict(), expected);
    }
    for other in [format!("bearer {good}"), format!("Basic {good}"), String::new(), " x".to_owned()] {
        assert_eq!(Visit { authorization: Some(other.clone()), ..cookies() }.verdict(), "in", "{other:.20}");
        assert_eq!(Visit { authorization: Some(other), ..live() }.verdict(), "out session-token-and-uat-missing");
    }
    let expired = INSTANCE.token(&claims_with(json!({"exp": NOW - 30})));
    let reason = "session-token-expired-refresh-non-eligible-no-refresh-cookie";
    assert_eq!(live().bearer(&expired).verdict(), format!("handshake {reason}"));
    assert_eq!(live().bearer(&expired).by_script().verdict(), format!("out {reason}"));
}

#[test]
fn d4_22_a_session_in_the_url_is_no_session() {
    let good = INSTANCE.token(&claims_with(json!({})));
    let asked = live().url(&format!("https://app.clerk.dev/?__session={good}&token={good}"));
    assert_eq!(asked.verdict(), "out session-token-and-uat-missing");
}

#[test]
fn d4_21_a_neighbours_session_is_neither_believed_nor_a_loop() {
    let foreign = INSTANCE.token(&claims_with(json!({"iss": "https://other.clerk.accounts.dev"})));
    let alone = live().uat(NOW).cookie("__session", &foreign);
    assert_eq!(alone.verdict(), "out session-token-and-uat-missing");
    let own = INSTANCE.token(&claims_with(json!({})));
    let beside = alone.cookie("__session_1Z8AzTQD", &own).cookie("__client_uat_1Z8AzTQD", &NOW.to_string());
    assert_eq!(beside.verdict(), "in");
}

#[test]
fn d4_28_the_dev_browser_parameter_is_obeyed_in_development_and_ignored_in_production() {
    let url = "https://app.clerk.dev/page?__clerk_db_jwt=dvb_2&a=1";
    let asked = dev().uat(NOW).session(json!({})).url(url);
    assert_eq!(asked.verdict(), "handshake dev-browser-sync");
    assert_eq!(query(&asked.location(), "__clerk_db_jwt").as_deref(), Some("dvb_2"));
    assert_eq!(query(&asked.location(), "redirect_url").as_deref(), Some("https://app.clerk.dev/page?a=1"));

    assert_eq!(live().uat(NOW).session(json!({})).url(url).verdict(), "in");
    let sent = live().uat(NOW).url(url).location();
    assert_eq!(query(&sent, "__clerk_db_jwt"), None);
    assert_eq!(query(&sent, "redirect_url").as_deref(), Some("https://app.clerk.dev/page?a=1"));
}

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[test]
fn no_redirect_because_of_where_a_visitor_came_from() {
    // Row 13 is for satellites, and none is configured; `tests/oracle` has those that are.
    assert_eq!(live().uat(NOW).session(json!({})).verdict(), "in");
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_and_only_for_a_plausible_token() {
    let clerk = Keys::remote(|| async { Ok(INSTANCE.key_set("ins_old")) });
    clerk.current(now()).await;
    let asks = Visit { keys: clerk.current(at(60)).await, seconds: 30, ..live().uat(NOW) };
    assert_eq!(asks.clone().session(json!({})).verdict(), "keys ins_test");
    assert_eq!(asks.clone().bearer(&INSTANCE.token(&claims_with(json!({})))).verdict(), "keys ins_test");
    assert_eq!(
        asks.clone().session(json!({"iss": "https://clerk.clerk.dev/"})).verdict(),
        "out session-token-and-uat-missing"
    );
    let hopeless = INSTANCE.token(&claims_with(json!({"iss": "https://evil.test"})));
    assert_eq!(asks.clone().bearer(&hopeless).verdict(), "out jwk-kid-mismatch");
    let unsigned = INSTANCE.token_with(&header_with(json!({"alg": "none"})), &claims_with(json!({})));
    assert_eq!(asks.clone().bearer(&unsigned).verdict(), "out jwk-kid-mismatch");
    let answered = Visit { keys: clerk.refetched(at(60)).await, ..asks };
    assert_eq!(answered.session(json!({})).verdict(), "out jwk-kid-mismatch");
}

proptest! {
    #[test]
    fn no_request_makes_the_decision_panic(
        cookie in "((__session|__client_uat|__clerk_db_jwt|__clerk_handshake|__clerk_handshake_nonce|__clerk_redirect_count)(_QvfNY2dr)?=.{0,20}; ){0,6}",
        query in "((__clerk_handshake|__clerk_db_jwt|__clerk_handshake_nonce|a)=[a-z.%&]{0,12}&){0,4}",
        authorization in proptest::option::of(".{0,30}"),
        live in any::<bool>(),
    ) {
        let key = if live { PUBLISHABLE_LIVE } else { PUBLISHABLE_TEST };
        let asked = Visit { authorization, cookie, ..visit(key).url(&format!("https://app.clerk.dev/?{query}")) };
        let decision = asked.decide();
        let _ = decision.headers();
        let is_in = matches!(decision, Decision::SignedIn { .. } | Decision::Pending { .. });
        prop_assert!(!is_in);
    }
}
