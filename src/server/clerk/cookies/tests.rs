//! The choice between the two sets, step by step, and what is written.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::server::clerk::signer::{ISSUER, NOW, PUBLISHABLE_LIVE, PUBLISHABLE_TEST, at, encode, now};

const DEV: &str = "QvfNY2dr";
const LIVE: &str = "1Z8AzTQD";

/// A token that can be read; nothing here looks at signatures.
fn token(iss: &str, iat: i64) -> String {
    let claims = json!({"iss": iss, "iat": NOW + iat, "exp": NOW + iat + 60});
    format!("{}.{}.{}", encode("{}"), encode(claims.to_string()), encode("s"))
}

fn own(iat: i64) -> String {
    token("https://clerk.clerk.dev", iat)
}

fn choose(header: &str, key: &str) -> Chosen {
    Chosen::from_cookies(&Cookies::parse(header), &PublishableKey::parse(key).unwrap(), ISSUER, now())
}

/// `S`/`s` plain and suffixed session, `U`/`u` plain and suffixed time; what is absent is left out.
fn suffixed(production: bool, plain: (Option<&str>, Option<&str>), own: (Option<&str>, Option<&str>)) -> bool {
    let (key, suffix) = if production { (PUBLISHABLE_LIVE, LIVE) } else { (PUBLISHABLE_TEST, DEV) };
    let pair = |name: String, value: Option<&str>| value.map(|value| format!("{name}={value}"));
    let pairs = [
        pair("__session".to_owned(), plain.0),
        pair("__client_uat".to_owned(), plain.1),
        pair(format!("__session_{suffix}"), own.0),
        pair(format!("__client_uat_{suffix}"), own.1),
    ];
    choose(&pairs.into_iter().flatten().collect::<Vec<_>>().join("; "), key).suffixed
}

#[test]
fn each_step_of_the_choice_decides_where_it_should() {
    let no_issuer = format!("{}.{}.", encode("{}"), encode("{}"));
    let foreign = token("https://other.clerk.accounts.dev", 0);
    let (older, newer, expired) = (own(-30), own(0), own(-120));
    let (older, newer, expired, foreign) = (Some(&*older), Some(&*newer), Some(&*expired), Some(&*foreign));
    let http = token("http://clerk.clerk.dev", 0);
    for (step, production, plain, own, expected) in [
        (1, false, (Some("garbage"), Some("1")), (newer, Some("1")), false),
        (1, true, (Some(&*no_issuer), None), (newer, Some("1")), false),
        (2, false, (foreign, Some("1")), (None, None), true),
        (2, true, (foreign, Some("1")), (newer, Some("1")), true),
        (2, false, (Some("a.b.c"), Some("1")), (newer, Some("1")), false),
        (3, false, (newer, Some("1")), (None, None), false),
        (3, true, (None, None), (None, None), false),
        (3, true, (Some(&*http), None), (Some(""), Some("")), false),
        (4, true, (newer, Some("1")), (older, Some("1")), false),
        (4, true, (newer, None), (older, Some("1")), false),
        (4, true, (older, Some("1")), (newer, Some("1")), true),
        (4, true, (newer, Some("1")), (newer, Some("1")), true),
        (4, false, (newer, Some("1")), (None, Some("1")), false),
        (5, true, (None, Some("1")), (None, Some("0")), false),
        (5, true, (None, None), (newer, Some("0")), false),
        (5, true, (None, Some("0")), (newer, Some("0")), true),
        (6, false, (None, Some("0")), (expired, Some("1")), false),
        (6, true, (None, Some("0")), (expired, Some("1")), true),
        (6, false, (None, Some("0")), (newer, Some("1")), true),
        (6, false, (None, Some("0")), (Some("garbage"), Some("1")), true),
        (7, true, (None, Some("1")), (newer, None), false),
        (7, true, (None, Some("0")), (newer, None), false),
        (8, true, (None, Some("1")), (newer, Some("1")), true),
        (8, true, (None, None), (None, Some("1")), true),
    ] {
        assert_eq!(suffixed(production, plain, own), expected, "step {step}: {plain:?} {own:?}");
    }
}

#[test]
fn d4_21_a_foreign_plain_session_never_counts_as_ours() {
    let foreign = token("https://other.clerk.accounts.dev", 0);
    let chosen = choose(&format!("__session={foreign}; __client_uat={NOW}"), PUBLISHABLE_TEST);
    assert_eq!(chosen, Chosen { suffixed: true, ..Chosen::default() });
    let beside = format!(
        "__session={foreign}; __client_uat=5; __session_{DEV}={}; __client_uat_{DEV}=7; __clerk_db_jwt_{DEV}=d",
        own(0)
    );
    let chosen = choose(&beside, PUBLISHABLE_TEST);
    assert_eq!((chosen.session, chosen.client_uat, chosen.dev_browser.as_deref()), (Some(own(0)), 7, Some("d")));
}

#[test]
fn the_refresh_token_is_only_read_with_the_suffix() {
    assert_eq!(choose("__refresh=r", PUBLISHABLE_LIVE).refresh, None);
    assert_eq!(choose(&format!("__refresh_{LIVE}=r"), PUBLISHABLE_LIVE).refresh.as_deref(), Some("r"));
    assert_eq!(choose(&format!("__refresh_{DEV}=r"), PUBLISHABLE_LIVE).refresh, None);
}

#[test]
fn the_first_of_two_cookies_with_one_name_counts() {
    assert_eq!(choose("__client_uat=5; __client_uat=9", PUBLISHABLE_LIVE).client_uat, 5);
}

#[test]
fn only_plain_digits_are_a_time() {
    for (text, expected) in
        [("5", 5), ("0", 0), ("", 0), ("12abc", 0), ("-5", 0), ("+5", 0), ("1e3", 0), ("9999999999999", 0), ("1.5", 0)]
    {
        assert_eq!(choose(&format!("__client_uat={text}"), PUBLISHABLE_LIVE).client_uat, expected, "{text}");
    }
}

#[test]
fn values_are_decoded_after_splitting() {
    let cookies =
        Cookies::parse("__session=a%3B%20__client_uat%3D5; other=1; __clerk_handshake=\"x\"; __clerk_db_jwt=%ff");
    assert_eq!(cookies.find("__session"), Some("a; __client_uat=5"));
    assert_eq!(cookies.find("__client_uat"), None);
    assert_eq!(cookies.find("__clerk_handshake"), Some("\"x\""), "quotes belong to the value, as at Clerk's library");
    assert_eq!(cookies.find("__clerk_db_jwt"), Some("%ff"));
    assert_eq!(cookies.find("other"), None);
}

#[test]
fn d4_20_the_number_of_cookies_read_is_bounded() {
    let many = (0..200).map(|index| format!("__session_{index}=x")).collect::<Vec<_>>().join("; ");
    assert_eq!(Cookies::parse(&many).pairs.len(), MOST_COOKIES);
    let crowded = format!("{}__session=ours", "unrelated=1; ".repeat(200));
    assert_eq!(Cookies::parse(&crowded).find("__session"), Some("ours"));
    assert_eq!(Cookies::parse(&format!("__session={}", "x".repeat(LONGEST_HEADER))).find("__session"), None);
}

#[test]
fn our_sign_out_removes_both_sessions_with_what_renews_them_and_zeroes_both_times() {
    let key = PublishableKey::parse(PUBLISHABLE_LIVE).unwrap();
    let texts = clear_session_cookies(&key, &Url::parse("https://app.clerk.dev/x").unwrap());
    assert_eq!(
        texts,
        [
            "__session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; SameSite=Lax; Secure",
            "__session_1Z8AzTQD=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; SameSite=Lax; Secure",
            "__refresh=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; SameSite=Lax; Secure",
            "__refresh_1Z8AzTQD=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; SameSite=Lax; Secure",
            "__client_uat=0; Path=/; Domain=clerk.dev; Max-Age=31536000; SameSite=Lax; Secure",
            "__client_uat_1Z8AzTQD=0; Path=/; Domain=clerk.dev; Max-Age=31536000; SameSite=Lax; Secure",
        ]
    );
}

#[test]
fn a_domain_is_only_named_where_the_instance_shares_it() {
    for (key, url, expected) in [
        (PUBLISHABLE_LIVE, "https://clerk.dev/", Some("clerk.dev")),
        (PUBLISHABLE_LIVE, "https://a.b.clerk.dev/", Some("clerk.dev")),
        (PUBLISHABLE_LIVE, "https://notclerk.dev/", None),
        (PUBLISHABLE_LIVE, "https://127.0.0.1/", None),
        (PUBLISHABLE_LIVE, "http://localhost:3000/", None),
        (PUBLISHABLE_TEST, "https://app.clerk.dev/", None),
    ] {
        let (key, url) = (PublishableKey::parse(key).unwrap(), Url::parse(url).unwrap());
        assert_eq!(shared_domain(&key, &url), expected, "{url}");
    }
}

#[test]
fn removing_everywhere_covers_the_host_and_what_lies_above() {
    let texts = clear_everywhere("__clerk_handshake", &Url::parse("https://a.b.example.com/").unwrap());
    let domains: Vec<_> = texts.iter().filter_map(|text| text.split("Domain=").nth(1)?.split(';').next()).collect();
    assert_eq!(domains, ["a.b.example.com", "b.example.com", "example.com"]);
    assert_eq!(clear_everywhere("x", &Url::parse("http://localhost:3000/").unwrap()).len(), 1);
    assert_eq!(clear_everywhere("x", &Url::parse("http://[::1]/").unwrap()).len(), 1);
    let deep = format!("https://{}example.com/", "a.".repeat(100));
    assert_eq!(clear_everywhere("x", &Url::parse(&deep).unwrap()).len(), 5);
}

proptest! {
    #[test]
    fn no_header_makes_the_reader_panic(
        header in "(__session|__client_uat|__clerk_db_jwt|_QvfNY2dr|=|;|%|[0-9]|.){0,60}", seconds in -1_000_000_i64..1_000_000,
    ) {
        for key in [PUBLISHABLE_LIVE, PUBLISHABLE_TEST] {
            let _ = Chosen::from_cookies(&Cookies::parse(&header), &PublishableKey::parse(key).unwrap(), ISSUER, at(seconds));
        }
    }
}
