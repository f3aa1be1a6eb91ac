//! The way out to Clerk: who is sent, where to, and how often.

use http::HeaderValue;

use super::*;

#[test]
fn the_redirect_carries_clerks_parameters_in_clerks_order() {
    let token = INSTANCE.token(&claims_with(json!({"exp": NOW - 30})));
    let sent = dev().uat(NOW - 100).cookie("__session", &token).location();
    assert!(sent.as_str().starts_with("https://clerk.clerk.dev/v1/client/handshake?redirect_url="));
    let pairs: Vec<_> = sent.query_pairs().into_owned().collect();
    let expected = [
        ("redirect_url", "https://app.clerk.dev/page?a=1"),
        ("__clerk_api_version", "2026-05-12"),
        ("suffixed_cookies", "false"),
        ("__clerk_hs_reason", "session-token-expired-refresh-non-eligible-no-refresh-cookie"),
        ("format", "nonce"),
        ("__session", &token),
        ("__clerk_db_jwt", "dvb_1"),
    ];
    assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn the_way_back_is_letter_by_letter_this_page() {
    for (url, back) in [
        ("https://app.clerk.dev/p?x=%20+&y&&z=a%2Fb", "https://app.clerk.dev/p?x=%20+&y&&z=a%2Fb"),
        ("https://app.clerk.dev/p?__clerk_handshake=x", "https://app.clerk.dev/p"),
        ("http://localhost:3000/?__dev_session=1&a=1&__clerk_help=1", "http://localhost:3000/?a=1"),
        ("https://app.clerk.dev//evil.test/?__clerk%5Fdb_jwt=1", "https://app.clerk.dev//evil.test/"),
    ] {
        // The handshake parameter here is no token, so the request's own cookies decide.
        let sent = live().uat(NOW).url(url).location();
        assert_eq!(query(&sent, "redirect_url").as_deref(), Some(back), "{url}");
    }
}

#[test]
fn a_proxy_takes_the_place_of_clerks_host() {
    for (proxy, expected) in [
        ("/__clerk", "https://app.clerk.dev/__clerk/v1/client/handshake"),
        ("/__clerk//", "https://app.clerk.dev/__clerk/v1/client/handshake"),
        ("http://127.0.0.1:8080/fapi/", "http://127.0.0.1:8080/fapi/v1/client/handshake"),
        ("https://proxy.test", "https://proxy.test/v1/client/handshake"),
    ] {
        let sent = Visit { proxy: Some(proxy), ..live().uat(NOW) }.location();
        assert_eq!(sent.as_str().split('?').next(), Some(expected), "{proxy}");
    }
    for bad in [
        "",
        "//evil.test",
        "ftp://x.test",
        "clerk",
        "/a?b",
        "/a#b",
        "/\\evil.test",
        "https://u:p@x.test/",
        "javascript:alert(1)",
        "/a b",
    ] {
        assert!(ProxyUrl::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn d4_27_the_loop_guard_counts_on_the_whole_site_and_holds_at_three_or_more() {
    for (count, next) in
        [(None, Some(1)), (Some("0"), Some(1)), (Some("2"), Some(3)), (Some("x"), Some(1)), (Some("-1"), Some(1))]
    {
        let asked = count.iter().fold(live().uat(NOW), |asked, count| asked.cookie("__clerk_redirect_count", count));
        let Decision::Handshake { set_cookies, .. } = asked.decide() else { panic!("a handshake was due: {count:?}") };
        let expected =
            format!("__clerk_redirect_count={}; SameSite=Lax; HttpOnly; Max-Age=2; Path=/; Secure", next.unwrap_or(0));
        assert_eq!(set_cookies, [expected]);
    }
    let plain = dev().uat(NOW).url("http://localhost:3000/").decide();
    let Decision::Handshake { set_cookies, .. } = plain else { panic!("a handshake was due without https") };
    assert_eq!(set_cookies, ["__clerk_redirect_count=1; SameSite=Lax; HttpOnly; Max-Age=2; Path=/"]);
    for count in ["3", "4", "4294967295"] {
        let asked = live().uat(NOW).cookie("__clerk_redirect_count", count);
        assert_eq!(asked.verdict(), "out client-uat-but-no-session-token", "{count}");
    }
}

#[test]
fn d4_27_answers_say_not_to_store_redirects() {
    let headers = live().uat(NOW).decide().headers();
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(headers["x-clerk-auth-status"], "handshake");
    assert_eq!(headers["x-clerk-auth-reason"], "client-uat-but-no-session-token");
    assert!(headers["location"].to_str().unwrap().starts_with("https://clerk.clerk.dev/"));
    let out = live().decide().headers();
    assert_eq!((out.len(), &out["x-clerk-auth-status"]), (2, &HeaderValue::from_static("signed-out")));
    assert!(live().uat(NOW).session(json!({})).decide().headers().is_empty());
}

#[test]
fn only_navigations_are_redirected() {
    for (dest, accept, redirected) in [
        (Some("document"), None, true),
        (Some("iframe"), None, true),
        (Some("empty"), Some("text/html"), false),
        (Some("image"), None, false),
        (Some("Document"), None, false),
        (None, Some("text/html,application/xhtml+xml"), true),
        (Some(""), Some("text/html"), true),
        (None, Some("application/json, text/html"), false),
        (None, Some("*/*"), false),
        (None, None, false),
    ] {
        let asked = Visit { sec_fetch_dest: dest, accept, ..visit(PUBLISHABLE_TEST) };
        assert_eq!(matches!(asked.decide(), Decision::Handshake { .. }), redirected, "{dest:?} {accept:?}");
    }
}
