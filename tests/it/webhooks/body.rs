//! What was signed: bodies that are no event, odd texts, odd numbers (D3-16, D3-17, D3-21 to D3-24).

use mongodb::bson::doc;
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::delivery::{Delivery, user_event};
use crate::webhooks::{NOW, assert_never_accepted};

/// An event about a person whose `data` is this JSON text.
fn about(data: &str) -> String {
    format!(r#"{{"object":"event","type":"user.created","timestamp":{NOW},"data":{data}}}"#)
}

/// Signed bodies that no repetition can mend, by name. Every one is answered 400.
fn never_an_event() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str, close: &str| about(&format!("{}1{}", open.repeat(10_000), close.repeat(10_000)));
    let user = |rest: &str| about(&format!(r#"{{"id":"user_a"{rest}}}"#));
    let texts = [
        ("empty", String::new()),
        ("space", "  ".to_owned()),
        ("nonsense", "nonsense".to_owned()),
        ("array", "[]".to_owned()),
        ("array of the fields", r#"["user.created",1,"ins",{"id":"user_a"}]"#.to_owned()),
        ("number", "7".to_owned()),
        ("text", "\"user.created\"".to_owned()),
        ("null", "null".to_owned()),
        ("truth", "true".to_owned()),
        ("object without anything", "{}".to_owned()),
        ("byte order mark", format!("\u{feff}{}", user(""))),
        ("two values", format!("{}{}", user(""), user(""))),
        ("cut off", user("").trim_end_matches('}').to_owned()),
        ("lone surrogate", user(r#","first_name":"\ud800""#)),
        ("control character", user(",\"first_name\":\"a\u{1}b\"")),
        ("single quotes", user("").replace('"', "'")),
        ("trailing comma", about(r#"{"id":"user_a",}"#)),
        ("comment", about(r#"{"id":"user_a"/**/}"#)),
        ("id twice", about(r#"{"id":"user_a","id":"user_b"}"#)),
        ("type twice", r#"{"type":"user.created","type":"user.deleted","data":{"id":"user_a"}}"#.to_owned()),
        ("data twice", r#"{"type":"user.created","data":{"id":"user_a"},"data":{"id":"user_b"}}"#.to_owned()),
        ("1e400", user(r#","created_at":1e400"#)),
        ("not a number", user(r#","created_at":NaN"#)),
        ("deep arrays", deep("[", "]")),
        ("deep objects", deep(r#"{"a":"#, "}")),
        ("deep metadata", user(&format!(r#","public_metadata":{}1{}"#, r#"{"a":"#.repeat(200), "}".repeat(200)))),
        ("an operator for an address", user(r#","email_addresses":[{"email_address":{"$gt":""}}]"#)),
        ("an operator for a name", user(r#","first_name":{"$ne":null}"#)),
        ("an operator for a username", user(r#","username":["$where"]"#)),
        ("text for metadata", user(r#","public_metadata":"admin""#)),
        ("text for a flag", user(r#","banned":"false""#)),
        ("an object for the list of addresses", user(r#","email_addresses":{"0":{}}"#)),
    ];
    texts.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

#[tokio::test]
async fn d3_16_d3_22_signed_bodies_that_are_no_event_are_400_and_change_nobody() {
    let app = TestApp::new().await;
    for (name, body) in never_an_event() {
        assert_never_accepted(&app, name, &body).await;
    }
    app.settled().await;
    assert_eq!(app.database.count("users", doc! {}).await, 0);
    assert_eq!(app.database.count("events", doc! { "state": { "$ne": "dead" } }).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn d3_16_of_what_is_no_json_only_the_hash_is_kept() {
    let app = TestApp::new().await;
    let (cut, whole) = (r#"{"first_name":"Ada""#, r#"{"first_name":"Ada"}"#);
    for (id, body) in [("msg_cut", cut), ("msg_whole", whole)] {
        assert_eq!(
            Delivery::signed_bytes(app.clerk.webhook_secret(), id, body.as_bytes()).send(&app).await.status(),
            400
        );
    }
    app.settled().await;
    let kept = async |id: &str| app.state.store.events.find(id).await.expect("an answer").expect("kept").payload;
    assert_eq!(kept("msg_cut").await, "sha256:f9acb6649ca501e651075bbadbdf2b78fc78a009848ee17568ddc444bf555d4f");
    assert_eq!(kept("msg_whole").await, whole, "what can be read can be looked at");
    app.finish().await;
}

#[tokio::test]
async fn d3_17_signed_bytes_that_are_no_text_are_400() {
    let app = TestApp::new().await;
    let whole = user_event("user.created", "user_a", "Ada", NOW).to_string();
    for bytes in [&b"\xff\xfe"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"] {
        let before = [bytes, whole.as_bytes()].concat();
        assert_never_accepted(&app, &format!("before {bytes:?}"), &before).await;
        let place = whole.find("Ada").expect("the name");
        let inside = [&whole.as_bytes()[..place], bytes, &whole.as_bytes()[place..]].concat();
        assert_never_accepted(&app, &format!("inside {bytes:?}"), &inside).await;
    }
    assert_eq!(app.database.count("users", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn d3_21_odd_keys_are_kept_as_values_and_become_no_operator() {
    let app = TestApp::new().await;
    let hundred: Value =
        serde_json::from_str(&format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100))).expect("JSON");
    for (index, metadata) in [
        json!({ "$set": { "role": "admin" }, "$where": "1", "$": 1 }),
        json!({ "a.b": 1, "role.": "admin", ".role": "admin", "": 2 }),
        json!({ "__proto__": { "role": "admin" }, "constructor": { "prototype": {} } }),
        json!({ "nul\u{0}": 3, "\u{0}": "\u{0}", "ro\u{0}le": "admin" }),
        json!({ "deep": hundred }),
    ]
    .into_iter()
    .enumerate()
    {
        let (id, message) = (format!("user_odd{index}"), format!("msg_{index}"));
        let mut body = user_event("user.created", &id, "Odd", NOW);
        for part in ["public_metadata", "private_metadata", "unsafe_metadata"] {
            body["data"][part] = metadata.clone();
        }
        body["data"]["unsafe_metadata"]["role"] = json!("admin");
        body["$set"] = json!({ "state": "applied" });
        app.deliver(&message, &body).await;
        app.settled().await;
        let stored = app.database.user(&id).await.expect("there");
        assert_eq!(stored.get_str("role").ok(), Some("user"), "{metadata}");
        let kept = app.state.store.events.find(&message).await.expect("MongoDB").expect("kept");
        let kept: Value = serde_json::from_str(&kept.payload).expect("JSON");
        assert_eq!(kept, body);
    }
    app.finish().await;
}

#[tokio::test]
async fn d3_23_absurd_numbers_are_no_time_and_no_error() {
    let app = TestApp::new().await;
    let numbers = [
        "0",
        "-1",
        "-9223372036854775808",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "1e300",
        "-1e300",
        "1.5",
        "253402300800000",
        "\"yesterday\"",
        "null",
        "{}",
        "[1]",
        "true",
    ];
    for (index, number) in numbers.into_iter().enumerate() {
        let id = format!("user_time{index}");
        let body = format!(
            r#"{{"type":"user.created","timestamp":{number},"data":{{"id":"{id}","created_at":{number},"updated_at":{number},"last_sign_in_at":{number}}}}}"#
        );
        let delivery = Delivery::signed(app.clerk.webhook_secret(), &format!("msg_{index}"), body.as_bytes());
        assert_eq!(delivery.send(&app).await.status(), 200, "{number}");
        app.settled().await;
        let stored = app.database.user(&id).await.expect("there");
        let version =
            stored.get_document("version").and_then(|version| version.get_i64("updatedAt")).expect("a version");
        assert!((0..=jiff::Timestamp::now().as_millisecond()).contains(&version), "{number}: {version}");
    }
    assert_eq!(app.database.count("events", doc! { "state": "applied" }).await, numbers.len() as u64);
    app.finish().await;
}

#[tokio::test]
async fn d3_23_a_version_of_the_next_century_wins_nothing_and_is_healed() {
    const CENTURY: i64 = 4_102_444_800_000;
    let app = TestApp::new().await;
    let id = app.person(json!({ "email_address": ["c@example.com"], "first_name": "Truth" })).await;
    let mut lie = user_event("user.updated", &id, "Lie", CENTURY);
    lie["timestamp"] = json!(NOW);
    app.deliver("msg_lie", &lie).await;
    app.settled().await;
    assert_eq!(app.database.user(&id).await.expect("there").get_str("firstName").ok(), Some("Truth"));
    // As if it had come when nobody looked at that.
    let ahead = doc! { "version.updatedAt": CENTURY, "firstName": "Lie" };
    app.database.set("users", doc! { "clerkId": &id }, ahead).await;
    app.clerk.update_user(&id, json!({ "first_name": "Newer" }));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let healed = app.database.user(&id).await.expect("there");
    assert_eq!(healed.get_str("firstName").ok(), Some("Newer"));
    let version = healed.get_document("version").and_then(|version| version.get_i64("updatedAt")).expect("a version");
    assert!(version <= jiff::Timestamp::now().as_millisecond(), "{version}");
    app.finish().await;
}

#[tokio::test]
async fn d3_24_odd_letters_and_a_name_of_a_megabyte_are_kept_whole() {
    let app = TestApp::new().await;
    let names = [
        "\u{202e}Ada\u{200b} 👩\u{200d}🚀 <script>".to_owned(),
        format!("Z{}", "\u{301}".repeat(5_000)),
        "=cmd|' /C calc'!A0".to_owned(),
        "\u{feff}Ada\u{2028}\u{2029}".to_owned(),
        "名".repeat(300_000),
        "n".repeat(1_000_000),
    ];
    for (index, name) in names.into_iter().enumerate() {
        let id = format!("user_name{index}");
        app.deliver(&format!("msg_{index}"), &user_event("user.created", &id, &name, NOW)).await;
        app.settled().await;
        let stored = app.database.user(&id).await.expect("there");
        assert_eq!(stored.get_str("firstName").ok(), Some(name.trim()), "{name:.20}");
    }
    app.finish().await;
}
