//! Held against Inngest's own SDK for JavaScript: the same requests to both, compared answer by answer.
//!
//! Where we differ we differ on purpose: `DEVIATIONS` is the whole list, and a row that no longer happens fails too.

use std::process::Stdio;

use rollcall::standin::levers::Levers;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::app::{TestApp, Wishes};
use crate::support::inngest::{Answered, Ask, FALLBACK_KEY, FOREIGN_KEY, FakeInngest, KEY, event};

/// Compared by value.
const VALUES: [&str; 5] =
    ["x-inngest-no-retry", "retry-after", "x-inngest-req-version", "x-inngest-sync-kind", "x-inngest-sdk-handled"];
/// Compared by whether they are there.
const PRESENCES: [&str; 4] = ["x-inngest-sdk", "x-inngest-framework", "x-inngest-signature", "x-inngest-env"];

const NAMED: &str = "an error shows its name and message; the SDK adds a stack, which may carry secrets, and a mark";
const SAID: &str = "whether to call again is said, not left to the caller (F.7)";
const MORE: &str = "the introspection has the fields of F.5, those about a fallback key among them";
const DOCUMENT: &str =
    "we observe no features; version and platform are named, if only to say that there is none (F.5)";

/// Request, what differs (`answer` is all of it), and why.
const DEVIATIONS: &[(&str, &str, &str)] = &[
    ("introspection", "body", MORE),
    ("introspection by the fallback key", "body", MORE),
    ("registration unsigned", "answer", "nobody registers us unasked (F.5, security rule for PUT)"),
    ("registration refused", "status", "Inngest's refusal is a failure; the SDK answers 200"),
    ("in-band registration", "body", DOCUMENT),
    ("in-band registration without a body", "answer", "a body that is missing is one that is malformed: 400, not 500"),
    ("call with letters after its time", "answer", "the time is digits (F.2); the SDK reads as far as it can"),
    ("call with one more blank", "answer", "the raw bytes are what is signed; the SDK writes them anew (F.2)"),
    ("call that is not JSON", "answer", "what is signed is answered in the protocol; express refuses it with a page"),
    ("call without an event", "body", NAMED),
    ("call without an event", "x-inngest-no-retry", SAID),
    ("call about nobody", "body", NAMED),
    ("call while Clerk is away", "body", NAMED),
    ("call while Clerk is slow", "body", NAMED),
    ("call of an unknown function", "body", NAMED),
    ("call of an unknown function", "x-inngest-no-retry", SAID),
    ("call of no function", "body", NAMED),
    ("call of no function", "x-inngest-no-retry", SAID),
    ("probe without a body", "answer", "the time alone can be signed as well; to the SDK no body is no signature"),
    ("unknown probe", "body", NAMED),
    ("development introspection", "body", MORE),
    ("development in-band registration", "body", DOCUMENT),
    ("development call about nobody", "body", NAMED),
    ("development call by a foreign key", "answer", "a signature that is there is checked in development too (F.2)"),
];

/// One request, and how the worlds around both servers are while it is answered.
struct Case {
    name: &'static str,
    ask: Ask,
    clerk_status: Option<u16>,
    inngest_says: Option<(u16, Value)>,
}

fn case(name: &'static str, ask: Ask) -> Case {
    Case { name, ask, clerk_status: None, inngest_says: None }
}

fn call(data: &Value) -> Ask {
    Ask::call("rollcall-sync-user", &event("clerk/user.created", data))
}

fn in_band(body: &[u8]) -> Ask {
    Ask::signed("PUT", "", body).with("x-inngest-sync-kind", "in_band")
}

const ADDRESS: &[u8] = br#"{"url":"https://app.example.com/api/inngest"}"#;

/// What is asked of both in cloud mode. `user` is somebody at Clerk.
fn cloud_cases(user: &str) -> Vec<Case> {
    let get = Ask::signed("GET", "", b"");
    let put = Ask::signed("PUT", "", b"");
    let person = call(&json!({ "id": user, "object": "user" }));
    let upper = person.signature.clone().map(|signature| {
        let (time, code) = signature.split_once("&s=").expect("two parts");
        format!("{time}&s={}", code.to_uppercase())
    });
    let not_json = Ask::signed("POST", "fnId=rollcall-sync-user&stepId=step", b"{");
    let no_event = Ask::signed("POST", "fnId=rollcall-sync-user&stepId=step", br#"{"ctx":{}}"#);
    vec![
        case("introspection", get.clone()),
        case("introspection by the fallback key", get.clone().signed_by(FALLBACK_KEY, 0)),
        case("introspection by a foreign key", get.clone().signed_by(FOREIGN_KEY, 0)),
        case("introspection too old", get.clone().signed_by(KEY, -310)),
        case("introspection too early", get.clone().signed_by(KEY, 310)),
        case("introspection unsigned", Ask::unsigned("GET", "", b"")),
        case("registration", put.clone()),
        case("registration of a deployment", Ask::signed("PUT", "deployId=dep_1", b"")),
        case("registration unsigned", Ask::unsigned("PUT", "", b"")),
        Case { inngest_says: Some((400, json!({ "error": "invalid" }))), ..case("registration refused", put.clone()) },
        Case { inngest_says: Some((200, json!("what?"))), ..case("registration not understood", put) },
        case("in-band registration", in_band(ADDRESS)),
        case("in-band registration unsigned", Ask { signature: None, ..in_band(ADDRESS) }),
        case("in-band registration malformed", in_band(br#"{"address":1}"#)),
        case("in-band registration without a body", in_band(b"")),
        case("call", person.clone()),
        case("call by the fallback key", person.clone().signed_by(FALLBACK_KEY, 0)),
        case("call by a foreign key", person.clone().signed_by(FOREIGN_KEY, 0)),
        case("call unsigned", Ask { signature: None, ..person.clone() }),
        case("call too old", person.clone().signed_by(KEY, -310)),
        case("call too early", person.clone().signed_by(KEY, 310)),
        case("call with an upper-case signature", Ask { signature: upper, ..person.clone() }),
        case("call with half a signature", Ask { signature: Some("t=1760000000".to_owned()), ..person.clone() }),
        case("call with letters after its time", person.clone().signed_at(KEY, &soon("abc"))),
        case("call with another body", Ask { body: b"{\"event\":{}}".to_vec(), ..person.clone() }),
        case("call with one more blank", Ask { body: [person.body.as_slice(), b" "].concat(), ..person.clone() }),
        case("call that is not JSON", not_json),
        case("call without an event", no_event),
        case("call about nobody", call(&json!({}))),
        Case { clerk_status: Some(503), ..case("call while Clerk is away", call(&json!({ "id": "user_away" }))) },
        Case { clerk_status: Some(429), ..case("call while Clerk is slow", call(&json!({ "id": "user_slow" }))) },
        case("call of an unknown function", Ask::call("rollcall-launch", &event("x", &json!({})))),
        case("call of no function", Ask::signed("POST", "stepId=step", &person.body)),
        case("probe", Ask::signed("POST", "probe=trust", b"{}")),
        case("probe unsigned", Ask::unsigned("POST", "probe=trust", b"{}")),
        case("probe without a body", Ask::signed("POST", "probe=trust", b"")),
        case("unknown probe", Ask::signed("POST", "probe=other", b"{}")),
        case("another method", Ask::signed("DELETE", "", b"")),
        case("another method unsigned", Ask::unsigned("PATCH", "", b"")),
    ]
}

/// What is asked of both beside a development server.
fn development_cases(user: &str) -> Vec<Case> {
    let unsigned = |ask: Ask| Ask { signature: None, ..ask };
    let person = call(&json!({ "id": user, "object": "user" }));
    vec![
        case("development introspection", Ask::unsigned("GET", "", b"")),
        case("development registration", Ask::unsigned("PUT", "", b"")),
        case("development in-band registration", unsigned(in_band(ADDRESS))),
        case("development call", unsigned(person.clone())),
        case("development call about nobody", unsigned(call(&json!({})))),
        case("development call by a foreign key", person.signed_by(FOREIGN_KEY, 0)),
        case("development probe", Ask::unsigned("POST", "probe=trust", b"{}")),
        case("development, another method", Ask::unsigned("DELETE", "", b"")),
    ]
}

/// Now, with something after it.
fn soon(letters: &str) -> String {
    format!("{}{letters}", jiff::Timestamp::now().as_second())
}

/// The SDK's server, with the same environment; it ends with this value.
struct Sdk {
    url: String,
    _process: Child,
}

impl Sdk {
    async fn start(variables: &[(&'static str, String)], app: &TestApp) -> Self {
        let root = env!("CARGO_MANIFEST_DIR");
        let mut process = Command::new("node")
            .arg("tests/it/inngest/sdk.mjs")
            .current_dir(root)
            .envs(variables.iter().map(|(name, value)| (*name, value.as_str())))
            .env("INNGEST_SERVE_ORIGIN", &app.url)
            .env("INNGEST_SERVE_PATH", "/api/inngest")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is there: `make setup`");
        let out = process.stdout.take().expect("piped");
        let port = BufReader::new(out).lines().next_line().await.expect("text").expect("a port: `npm ci`");
        Self { url: format!("http://127.0.0.1:{port}"), _process: process }
    }
}

/// What is the same of two answers, by aspect.
fn aspects(answer: &Answered) -> Vec<(String, String)> {
    let header = |name: &str| answer.header(name).map(str::to_owned);
    let mut aspects = vec![("status".to_owned(), answer.status.to_string()), ("body".to_owned(), shape(answer))];
    aspects.extend(VALUES.iter().map(|name| ((*name).to_owned(), header(name).unwrap_or_default())));
    aspects.extend(PRESENCES.iter().map(|name| ((*name).to_owned(), header(name).is_some().to_string())));
    let content = header("content-type").unwrap_or_default();
    aspects.push(("content-type".to_owned(), content.split(';').next().unwrap_or_default().to_owned()));
    aspects
}

/// The keys of an object; of anything else what it is.
fn shape(answer: &Answered) -> String {
    match serde_json::from_str::<Value>(&answer.text) {
        Ok(Value::Object(fields)) => fields.keys().map(String::as_str).collect::<Vec<_>>().join(" "),
        Ok(other) => other.to_string(),
        Err(_) if answer.text.is_empty() => "nothing".to_owned(),
        Err(_) => "no JSON".to_owned(),
    }
}

/// Asks both everything; answers how they differ, as request and aspect, with what was seen.
async fn differences(
    app: &TestApp,
    sdk: &Sdk,
    inngest: &FakeInngest,
    cases: Vec<Case>,
) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for case in cases {
        let rest = Levers { drop: 1.0, retry_after_s: 7, ..Levers::default() };
        app.clerk.set_levers(Levers { bapi_status: case.clerk_status, ..rest });
        let (status, says) = case.inngest_says.unwrap_or((200, json!({ "ok": true, "modified": true })));
        inngest.answer("/fn/register", status, says);
        let (ours, theirs) = (case.ask.send(app).await, case.ask.send_to(&sdk.url).await);
        for ((aspect, ours), (_, theirs)) in aspects(&ours).into_iter().zip(aspects(&theirs)) {
            if ours != theirs {
                found.push((case.name.to_owned(), aspect, format!("ours {ours:?}, the SDK's {theirs:?}")));
            }
        }
    }
    found
}

#[tokio::test]
async fn f_10_every_answer_is_the_sdks_but_for_the_listed_deviations() {
    let inngest = FakeInngest::start().await;
    // The SDK takes the name of a branch from wherever a build host writes one, unless it is told.
    let said = [("INNGEST_ENV", "test".to_owned())];
    let cloud = [inngest.variables(), vec![("INNGEST_DEV", "0".to_owned())], said.to_vec()].concat();
    let app = TestApp::with(Wishes { variables: cloud.clone(), ..Wishes::default() }).await;
    let user = app.clerk.create_user(json!({ "email_address": ["ada@example.com"] }));
    let user = user["id"].as_str().expect("an id");
    let sdk = Sdk::start(&cloud, &app).await;
    let mut found = differences(&app, &sdk, &inngest, cloud_cases(user)).await;

    let ours = in_band(ADDRESS).send(&app).await.expect(200).json();
    let theirs = in_band(ADDRESS).send_to(&sdk.url).await.expect(200).json();
    assert_eq!(ours["functions"], theirs["functions"], "the functions are registered alike");
    app.finish().await;

    let dev = vec![("INNGEST_DEV", inngest.url.clone()), ("INNGEST_SIGNING_KEY", KEY.to_owned())];
    let variables = [dev, said.to_vec()].concat();
    let app = TestApp::with(Wishes { variables: variables.clone(), ..Wishes::default() }).await;
    let user = app.clerk.create_user(json!({ "email_address": ["ada@example.com"] }));
    let user = user["id"].as_str().expect("an id");
    let sdk = Sdk::start(&variables, &app).await;
    found.extend(differences(&app, &sdk, &inngest, development_cases(user)).await);
    app.finish().await;

    let covers = |row: &&(&str, &str, &str), (name, aspect, _): &(String, String, String)| {
        row.0 == name && (row.1 == "answer" || row.1 == aspect)
    };
    let unlisted: Vec<String> = found
        .iter()
        .filter(|difference| !DEVIATIONS.iter().any(|row| covers(&row, difference)))
        .map(|(name, aspect, seen)| format!("{name}: {aspect}: {seen}"))
        .collect();
    assert!(unlisted.is_empty(), "{} difference(s) without a reason:\n{}", unlisted.len(), unlisted.join("\n"));
    let gone: Vec<_> =
        DEVIATIONS.iter().filter(|row| !found.iter().any(|difference| covers(row, difference))).collect();
    assert!(gone.is_empty(), "listed, but no longer so: {gone:?}");
}
