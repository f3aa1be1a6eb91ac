//! What a handshake brings back, by either transport, and what of it is refused.

use super::*;

/// A handshake with a session that began `iat` seconds from now.
fn directives(iat: i64) -> Vec<String> {
    let session = INSTANCE.token(&claims_with(json!({"iat": NOW + iat, "nbf": NOW + iat - 10, "exp": NOW + iat + 60})));
    vec![
        format!("__client_uat={}; Path=/; Domain=clerk.dev; Max-Age=315360000; SameSite=Lax; Secure", NOW + iat),
        format!("__session={session}; Path=/; Secure; SameSite=Lax"),
        format!("__session_1Z8AzTQD={session}; Path=/; Secure; SameSite=Lax"),
    ]
}

fn envelope(directives: &[String]) -> String {
    INSTANCE.token(&json!({"handshake": directives}))
}

fn in_url(visit: Visit, token: &str) -> Visit {
    visit.url(&format!("https://app.clerk.dev/page?a=1&__clerk_handshake={token}&__clerk_help=1"))
}

fn in_cookie(visit: Visit, token: &str) -> Visit {
    visit.cookie("__clerk_handshake", token)
}

fn answer(visit: &Visit) -> (String, Vec<String>, Option<String>) {
    let decision = visit.decide();
    (visit.verdict(), decision.set_cookies().to_vec(), decision.location().map(Url::to_string))
}

const CLEAN: &str = "https://app.clerk.dev/page?a=1";

#[test]
fn a_handshake_in_the_url_signs_in_sets_its_cookies_and_leaves_the_address_bar() {
    for visit in [visit(PUBLISHABLE_TEST), live()] {
        let sent = if visit.key == PUBLISHABLE_TEST { directives(0)[..2].to_vec() } else { directives(0) };
        let (verdict, cookies, location) = answer(&in_url(visit, &envelope(&sent)));
        assert_eq!((verdict.as_str(), cookies, location.as_deref()), ("in", sent, Some(CLEAN)));
    }
}

#[test]
fn a_handshake_cookie_signs_in_without_a_redirect_and_is_removed() {
    let (verdict, cookies, location) = answer(&in_cookie(live(), &envelope(&directives(0))));
    assert_eq!((verdict.as_str(), location), ("in", None));
    assert_eq!(cookies[..3], directives(0));
    let removed: Vec<_> = cookies[3..].iter().map(String::as_str).collect();
    assert_eq!(
        removed,
        [
            "__clerk_handshake=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; SameSite=Lax; Secure",
            "__clerk_handshake=; Path=/; Domain=app.clerk.dev; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; SameSite=Lax; Secure",
            "__clerk_handshake=; Path=/; Domain=clerk.dev; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; SameSite=Lax; Secure",
        ]
    );
}

#[test]
fn the_url_comes_before_the_cookie_and_the_nonce_before_the_token() {
    let other = INSTANCE.token(&json!({"handshake": []}));
    assert_eq!(in_url(in_cookie(live(), &other), &envelope(&directives(0))).verdict(), "in");
    assert_eq!(
        in_cookie(live(), &envelope(&directives(0))).cookie("__clerk_handshake_nonce", "n1").verdict(),
        "redeem n1"
    );
    let both = live().cookie("__clerk_handshake_nonce", "n1").url("https://app.clerk.dev/?__clerk_handshake_nonce=n2");
    assert_eq!(both.verdict(), "redeem n2");
}

#[test]
fn a_nonce_is_redeemed_and_then_decided_like_a_token() {
    for url in [None, Some("https://app.clerk.dev/page?a=1&__clerk_handshake_nonce=n1")] {
        let asked = url.map_or_else(|| live().cookie("__clerk_handshake_nonce", "n1"), |url| live().url(url));
        assert_eq!(asked.verdict(), "redeem n1");
        let redeemed = Visit { redeemed: Redemption::Directives(directives(0)), ..asked.clone() };
        assert_eq!((redeemed.verdict().as_str(), redeemed.decide().location().is_some()), ("in", url.is_some()));
        let failed = Visit { redeemed: Redemption::Failed, ..asked };
        assert_eq!(failed.verdict(), "out session-token-missing");
    }
    for unsound in ["x".repeat(257), "a\u{e9}".to_owned()] {
        assert_eq!(live().cookie("__clerk_handshake_nonce", &unsound).verdict(), "out session-token-missing");
    }
}

#[test]
fn a_handshake_without_a_session_signs_out_and_still_cleans_up() {
    let removal = vec![
        "__client_uat=0; Path=/".to_owned(),
        "__session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT".to_owned(),
    ];
    for sent in [removal.clone(), vec![]] {
        let (verdict, cookies, location) = answer(&in_url(visit(PUBLISHABLE_TEST), &envelope(&sent)));
        assert_eq!((verdict.as_str(), cookies, location.as_deref()), ("out session-token-missing", sent, Some(CLEAN)));
    }
    for claims in [json!({}), json!({"handshake": "x"}), json!({"handshake": [1, null, {"a": 1}]})] {
        assert_eq!(in_url(live(), &INSTANCE.token(&claims)).verdict(), "out session-token-missing", "{claims}");
    }
}

#[test]
fn the_last_session_directive_counts() {
    let mut sent = directives(0);
    sent.push("__session=; Path=/".to_owned());
    assert_eq!(in_url(live(), &envelope(&sent)).verdict(), "out session-token-missing");
}

#[test]
fn d4_27_only_clerks_cookies_with_known_attributes_are_passed_on() {
    let accepted = [
        "__client_uat=5; path=/; DOMAIN=clerk.dev; Expires=Thu, 01 Jan 1970 00:00:00 GMT; secure; HttpOnly; Partitioned",
        "__refresh_1Z8AzTQD=r; Path=/; HttpOnly; SameSite=None; Max-Age=5;",
    ];
    let refused = [
        "admin=1; Path=/",
        "__sessionx=1",
        "__session_QvfNY2dr=1",
        "__session_other=1",
        "__clerk_db_jwt=1; Path=/",
        "__Host-x=1",
        "x",
        "=1",
        "",
        "__session",
        "__clerk_redirect_count=0",
        "__client_uat=5; Path=/; Evil=1",
        "__client_uat=5\r\nSet-Cookie: x=1",
        "__client_uat=\u{e9}",
        "__client_uat=5;\tPath=/",
    ];
    let long = format!("__client_uat=5{}", "0".repeat(9000));
    let mut sent: Vec<String> = accepted.iter().chain(&refused).map(ToString::to_string).collect();
    sent.push(long);
    sent.extend(directives(0));
    let (verdict, cookies, _) = answer(&in_url(live(), &envelope(&sent)));
    let expected: Vec<String> = accepted.iter().map(ToString::to_string).chain(directives(0)).collect();
    assert_eq!((verdict.as_str(), cookies), ("in", expected));

    let many = vec!["__client_uat=5; Path=/".to_owned(); 300];
    assert_eq!(in_url(live(), &envelope(&many)).decide().set_cookies().len(), 32);
}

#[test]
fn the_dev_browser_cookie_is_taken_in_development_only() {
    let mut sent = directives(0)[..2].to_vec();
    sent.push("__clerk_db_jwt_QvfNY2dr=dvb_9; Path=/".to_owned());
    assert_eq!(in_url(visit(PUBLISHABLE_TEST), &envelope(&sent)).decide().set_cookies().len(), 3);
    assert_eq!(in_url(live(), &envelope(&sent)).decide().set_cookies().len(), 2);
}

#[test]
fn d4_09_a_template_or_machine_token_is_no_handshake() {
    let sent = json!({"handshake": directives(0)});
    for changes in [
        json!({"cat": "cl_B7d4PD222AAA"}),
        json!({"cat": "cl_B7d4PD333AAA"}),
        json!({"typ": "at+jwt"}),
        json!({"alg": "none"}),
        json!({"crit": ["x"]}),
    ] {
        let token = INSTANCE.token_with(&header_with(changes.clone()), &sent);
        assert_eq!(in_url(live(), &token).verdict(), "out session-token-and-uat-missing", "{changes}");
    }
    for changes in [json!({"cat": null}), json!({"cat": "cl_I7d4PD111III"})] {
        assert_eq!(in_url(live(), &INSTANCE.token_with(&header_with(changes), &sent)).verdict(), "in");
    }
}

#[test]
fn a_handshake_that_cannot_be_verified_leaves_the_decision_to_the_requests_cookies() {
    let forged = STRANGER.token(&json!({"handshake": directives(0)}));
    for token in [forged.as_str(), "garbage", "a.b.c", &encode("x".repeat(20_000))] {
        let signed_in = in_cookie(live().uat(NOW).session(json!({})), token).decide();
        assert!(
            matches!(&signed_in, Decision::SignedIn { set_cookies, .. } if set_cookies.is_empty()),
            "a neighbour's stays"
        );
        assert_eq!(in_url(live(), token).verdict(), "out session-token-and-uat-missing");
        assert_eq!(in_url(dev().uat(NOW), token).verdict(), "handshake client-uat-but-no-session-token");
    }
}

#[test]
fn a_bad_session_inside_a_good_handshake_is_not_believed() {
    let of = |session: String| vec![format!("__session={session}; Path=/")];
    for session in [
        STRANGER.token(&claims_with(json!({}))),
        INSTANCE.token(&claims_with(json!({"iss": "https://evil.test"}))),
        INSTANCE.token_with(&header_with(json!({"cat": "cl_B7d4PD222AAA"})), &claims_with(json!({}))),
        INSTANCE.token(&claims_with(json!({"exp": NOW - 30}))),
        "garbage".to_owned(),
    ] {
        let asked = in_cookie(live(), &envelope(&of(session.clone())));
        assert_eq!(asked.verdict(), "out session-token-and-uat-missing");
        assert!(
            asked.decide().set_cookies().iter().all(|text| text.starts_with("__clerk_handshake=; ")),
            "only the removal"
        );
        assert_eq!(in_url(live(), &envelope(&of(session))).verdict(), "out session-token-and-uat-missing");
    }
    let pending = INSTANCE.token(&claims_with(json!({"sts": "pending"})));
    assert_eq!(in_url(live(), &envelope(&of(pending))).verdict(), "pending");
}

#[test]
fn a_wrong_clock_is_forgiven_for_a_day_in_development_only() {
    for seconds in [3600, -3600] {
        let asked = |visit| Visit { seconds, ..in_url(visit, &envelope(&directives(0)[..2])) };
        assert_eq!(asked(visit(PUBLISHABLE_TEST)).verdict(), "in", "{seconds}");
        assert_eq!(asked(live()).verdict(), "out session-token-and-uat-missing", "{seconds}");
    }
    let old = Visit { seconds: 25 * 3600, ..in_url(visit(PUBLISHABLE_TEST), &envelope(&directives(0)[..2])) };
    assert_eq!(old.verdict(), "handshake dev-browser-missing");
}

#[test]
fn a_handshake_cookie_older_than_the_browsers_last_change_does_not_undo_it() {
    let since = in_cookie(live().uat(NOW + 1), &envelope(&directives(0)));
    assert_eq!(since.verdict(), "handshake client-uat-but-no-session-token");
    assert!(since.decide().set_cookies().iter().any(|text| text.starts_with("__clerk_handshake=; ")));
    assert_eq!(in_cookie(live().uat(NOW), &envelope(&directives(0))).verdict(), "in");
}

#[test]
fn a_form_is_never_sent_again_to_clean_its_url() {
    let asked = in_url(live(), &envelope(&directives(0))).method(Method::POST);
    assert_eq!((asked.verdict().as_str(), asked.decide().location()), ("in", None));
}

#[test]
fn a_header_token_leaves_a_handshake_alone() {
    let good = INSTANCE.token(&claims_with(json!({})));
    assert_eq!(answer(&in_url(live(), &envelope(&[])).bearer(&good)), ("in".to_owned(), vec![], None));
}

#[tokio::test]
async fn a_handshake_by_an_unknown_key_asks_for_it() {
    let clerk = Keys::remote(|| async { Ok(INSTANCE.key_set("ins_old")) });
    clerk.current(now()).await;
    let asked = Visit { keys: clerk.current(at(60)).await, ..in_url(live(), &envelope(&directives(0))) };
    assert_eq!(asked.verdict(), "keys ins_test");
}
