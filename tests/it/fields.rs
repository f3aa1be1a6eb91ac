//! Fields of the application's own (A2-24, C-10): from Clerk's user, by the table of the settings file, into the document
//! and from there to whom they may go.

use mongodb::bson::{Bson, DateTime, Document, doc};
use rollcall::model::run::{RunKind, RunOptions, Starter};
use rollcall::server::settings::{DEFAULTS, Settings};
use rollcall::server::state::AppState;
use rollcall::server::store::users::new_id;
use rollcall::server::sync::scan::carry_on;
use rollcall::server::sync::scan::control::{Begun, Wanted, begin};
use rollcall::standin::Standin;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes, client, variables};
use crate::support::delivery::{Delivery, deleted_event, user_event};
use crate::support::eventually;
use crate::support::mongo::TestDatabase;
use crate::support::process::{Server, free_port, log_in, read_log};
use crate::support::receiver::{Received, Receiver, SECRET};

const NOW: i64 = 1_760_000_000_000;
const TABLE: &str = r#"
[[fields]]
name = "department"
from = "public_metadata.department"
type = "text"
default = "none"
personal = false

[[fields]]
name = "desk"
from = "public_metadata.desk"
type = "json"

[[fields]]
name = "skills"
from = "public_metadata.skills"
type = "list-of-text"

[[fields]]
name = "hiredAt"
from = "public_metadata.hired"
type = "timestamp"

[[fields]]
name = "grade"
from = "private_metadata.grade"
type = "integer"

[[fields]]
name = "theme"
from = "unsafe_metadata.theme"
type = "text"

[[fields]]
name = "phone"
from = "phone_number"
type = "text"

[[fields]]
name = "hasPassword"
from = "password_enabled"
type = "boolean"
"#;
const NAMES: [&str; 8] = ["department", "desk", "skills", "hiredAt", "grade", "theme", "phone", "hasPassword"];

async fn app() -> TestApp {
    TestApp::with(Wishes { config: TABLE, ..Wishes::default() }).await
}

/// An event about `user_a`, with this added to what Clerk says of them.
fn event(kind: &str, at: i64, more: Value) -> Value {
    let mut event = user_event(kind, "user_a", "Ada", at);
    let data = event["data"].as_object_mut().expect("an object");
    data.extend(more.as_object().expect("an object").clone());
    event
}

fn employee() -> Value {
    json!({
        "public_metadata": {
            "department": "Sales", "desk": { "floor": 3, "near": ["window", null] }, "skills": ["rust", "chess"],
            "hired": "2024-05-06T07:08:09.123456Z", "unmapped": "x",
        },
        "private_metadata": { "grade": 7 },
        "unsafe_metadata": { "theme": "dark" },
        "phone_numbers": [
            { "id": "idn_8", "phone_number": "+15555550100" }, { "id": "idn_9", "phone_number": "+15555550101" },
        ],
        "primary_phone_number_id": "idn_9",
        "password_enabled": true,
    })
}

fn own(user: &Document) -> Document {
    NAMES.into_iter().filter_map(|name| Some((name.to_owned(), user.get(name)?.clone()))).collect()
}

async fn decision(app: &TestApp, event: &str) -> String {
    let event = app.database.event(event).await.expect("kept");
    format!("{}: {}", event.get_str("state").expect("a state"), event.get_str("decision").unwrap_or_default())
}

async fn user(app: &TestApp) -> Document {
    app.settled().await;
    app.database.user("user_a").await.expect("a document")
}

#[tokio::test]
async fn a2_24_what_the_table_names_stands_in_the_document_with_its_type_and_follows_clerk() {
    let app = app().await;
    app.deliver("msg_1", &event("user.created", NOW, employee())).await;
    let created = user(&app).await;
    let hired = DateTime::from_millis(1_714_979_289_123);
    let expected = doc! {
        "department": "Sales", "desk": { "floor": 3_i64, "near": ["window", Bson::Null] }, "skills": ["rust", "chess"],
        "hiredAt": hired, "grade": 7_i64, "theme": "dark", "phone": "+15555550101", "hasPassword": true,
    };
    assert_eq!(own(&created), expected);
    assert!(!created.contains_key("unmapped") && !created.contains_key("fields"), "{created}");

    let mut moved = employee();
    moved["public_metadata"]["department"] = json!("Research");
    moved["private_metadata"]["grade"] = json!(8);
    app.deliver("msg_2", &event("user.updated", NOW + 1, moved.clone())).await;
    let updated = user(&app).await;
    assert_eq!((updated.get_str("department").ok(), updated.get_i64("grade").ok()), (Some("Research"), Some(8)));
    assert_eq!(decision(&app, "msg_2").await, "applied: updated department, grade", "named, and without their values");

    // Gone at Clerk: the default, or null.
    app.deliver("msg_3", &event("user.updated", NOW + 2, json!({ "password_enabled": true }))).await;
    let bare = user(&app).await;
    assert_eq!((bare.get_str("department").ok(), bare.get_bool("hasPassword").ok()), (Some("none"), Some(true)));
    for name in ["desk", "skills", "hiredAt", "grade", "theme", "phone"] {
        assert_eq!(bare.get(name), Some(&Bson::Null), "{name}");
    }

    // Late, or the same again: nothing changes.
    app.deliver("msg_4", &event("user.updated", NOW + 1, moved)).await;
    app.deliver("msg_5", &event("user.updated", NOW + 2, json!({ "password_enabled": true }))).await;
    assert_eq!(own(&user(&app).await), own(&bare));
    assert!(decision(&app, "msg_4").await.starts_with("stale"));
    assert_eq!(decision(&app, "msg_5").await, "duplicate: exactly this was already stored");
    app.finish().await;
}

#[tokio::test]
async fn a2_24_a_value_of_another_type_becomes_the_default_and_loses_nothing_else() {
    let app = app().await;
    app.deliver("msg_1", &event("user.created", NOW, employee())).await;
    app.settled().await;
    let mut wrong = employee();
    wrong["public_metadata"] = json!({
        "department": 5, "desk": { "$where": "x", "n": u64::MAX }, "skills": "rust", "hired": "soon",
    });
    wrong["private_metadata"]["grade"] = json!("high");
    wrong["first_name"] = json!("Adele");
    app.deliver("msg_2", &event("user.updated", NOW + 1, wrong)).await;
    let updated = user(&app).await;
    assert_eq!(updated.get_str("firstName").ok(), Some("Adele"));
    assert_eq!((updated.get_str("department").ok(), updated.get_str("theme").ok()), (Some("none"), Some("dark")));
    for name in ["desk", "skills", "hiredAt", "grade"] {
        assert_eq!(updated.get(name), Some(&Bson::Null), "{name}");
    }
    assert!(decision(&app, "msg_2").await.starts_with("applied"));
    app.finish().await;
}

#[tokio::test]
async fn a2_24_the_applications_other_fields_are_untouched_and_what_is_ours_is_put_right() {
    let app = app().await;
    app.deliver("msg_1", &event("user.created", NOW, employee())).await;
    app.settled().await;
    let theirs = doc! { "wishlist": ["book"], "unmapped": { "a": 1 }, "favourite": Bson::Null, "skills": { "foreign": 1.5 },
    "grade": mongodb::bson::oid::ObjectId::new() };
    app.database.set("users", doc! { "clerkId": "user_a" }, theirs.clone()).await;
    app.deliver("msg_2", &event("user.updated", NOW + 1, employee())).await;
    let updated = user(&app).await;
    for name in ["wishlist", "unmapped", "favourite"] {
        assert_eq!(updated.get(name), theirs.get(name), "{name}");
    }
    assert_eq!(updated.get_array("skills").map(Vec::len).ok(), Some(2));
    assert_eq!(updated.get_i64("grade").ok(), Some(7));
    assert_eq!(decision(&app, "msg_2").await, "applied: updated grade, skills");
    app.finish().await;
}

#[tokio::test]
async fn a2_24_a_tombstone_keeps_none_of_them_and_all_that_is_the_applications() {
    let app = app().await;
    app.deliver("msg_1", &event("user.created", NOW, employee())).await;
    app.settled().await;
    app.database.set("users", doc! { "clerkId": "user_a" }, doc! { "wishlist": ["book"] }).await;
    app.deliver("msg_2", &deleted_event("user_a", NOW + 1)).await;
    app.deliver("msg_3", &event("user.updated", NOW + 2, employee())).await;
    let tombstone = user(&app).await;
    assert!(tombstone.get_datetime("deletedAt").is_ok());
    for name in NAMES {
        assert_eq!(tombstone.get(name), Some(&Bson::Null), "{name}");
    }
    assert_eq!(tombstone.get_array("wishlist").map(Vec::len).ok(), Some(1));
    app.finish().await;
}

/// How many people it met and how many it wrote.
async fn backfill(state: &AppState) -> (u64, u64) {
    let (starter, options) = (Starter::Timer, RunOptions::default());
    let wanted = Wanted { kind: RunKind::Backfill, starter, options, anew: true };
    let Begun::New(run) = begin(state, wanted, &new_id()).await.expect("a run") else { return (0, 0) };
    let ended = carry_on(state, *run, &|_| ()).await.expect("an end");
    (ended.progress.counts.seen, ended.progress.counts.written)
}

#[tokio::test]
async fn c_10_a_table_that_changes_reaches_everybody_by_the_next_scan_and_is_no_drift_after_it() {
    let app = TestApp::new().await;
    let id = app
        .person(json!({ "phone_number": ["+15555550123"], "public_metadata": { "department": "Sales", "desk": 1 } }))
        .await;
    app.person(json!({ "email_address": ["plain@example.com"], "password": "a-Long-one-4711" })).await;
    app.settled().await;
    let with_table = async |rows: &str| {
        let environment = variables(&app.clerk, &app.database.uri, &app.url);
        let settings = Settings::load(&format!("{DEFAULTS}\n{rows}"), &environment).expect("settings");
        AppState::assemble(settings).await.expect("a state")
    };
    let first = with_table(TABLE).await;
    assert_eq!(backfill(&first).await, (2, 2), "seen and written");
    let user = app.database.user(&id).await.expect("there");
    assert_eq!((user.get_str("department").ok(), user.get_str("phone").ok()), (Some("Sales"), Some("+15555550123")));
    assert_eq!(backfill(&first).await, (2, 0));

    // Another type and a row less: the one changes, the other stays as it is and is the application's from now on.
    let rows = "[[fields]]\nname = \"desk\"\nfrom = \"public_metadata.desk\"\ntype = \"text\"";
    let second = with_table(rows).await;
    assert_eq!(backfill(&second).await, (2, 1));
    let user = app.database.user(&id).await.expect("there");
    assert_eq!((user.get("desk"), user.get_str("department").ok()), (Some(&Bson::Null), Some("Sales")));
    app.finish().await;
}

#[tokio::test]
async fn c_10_what_is_private_at_clerk_reaches_no_browser_and_no_front_end() {
    let app = app().await;
    let attributes = json!({
        "email_address": ["jo@example.com"], "first_name": "Jo", "phone_number": ["+15555550199"],
        "public_metadata": { "role": "moderator", "department": "Sales", "hired": 1_714_979_289_123_i64, "skills": ["a", "b"] },
        "private_metadata": { "grade": 471_147 },
    });
    let id = app.person(attributes).await;
    app.settled().await;
    assert_eq!(app.database.user(&id).await.expect("there").get_i64("grade").ok(), Some(471_147));
    let profile: Value = app.get_as(&id, "/api/profile").await.json().await.expect("JSON");
    let shown = json!({
        "department": "Sales", "desk": null, "skills": ["a", "b"], "hiredAt": "2024-05-06T07:08:09.123Z", "theme": null,
        "phone": "+15555550199", "hasPassword": false,
    });
    assert_eq!(profile["fields"], shown);
    for path in ["/api/profile", "/api/users", "/api/me", "/api/profile/get_profile", "/profile"] {
        let answer = app.get_as(&id, path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.expect("text");
        assert!(!text.contains("471147") && !text.contains("grade"), "{path}: {text}");
        if path.ends_with("profile") {
            assert!(text.to_lowercase().contains("department") && text.contains("+15555550199"), "{path}: {text}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a2_24_c_10_what_is_not_personal_is_shown_in_history_differences_and_tables_and_nothing_else_is() {
    let app = app().await;
    let attributes = json!({
        "email_address": ["jo@example.com"], "public_metadata": { "department": "Sales", "role": "admin" },
        "unsafe_metadata": { "theme": "dark" }, "private_metadata": { "grade": 7 },
    });
    let id = app.person(attributes).await;
    app.settled().await;
    let change = json!({
        "public_metadata": { "department": "Board" }, "unsafe_metadata": { "theme": "light" },
        "private_metadata": { "grade": 8 },
    });
    app.clerk.merge_metadata(&id, change);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let user = app.database.user(&id).await.expect("there");
    let entries = user.get_array("history").expect("a history");
    let last = entries.last().and_then(Bson::as_document).expect("an entry");
    let values = |name: &str| {
        let changes = last.get_array("fields").expect("fields").iter().filter_map(Bson::as_document);
        let change =
            changes.into_iter().find(|change| change.get_str("field").ok() == Some(name)).expect("a change").clone();
        (change.get_str("before").ok().map(str::to_owned), change.get_str("after").ok().map(str::to_owned))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(values("department"), (text("Sales"), text("Board")));
    assert_eq!((values("theme"), values("grade")), ((None, None), (None, None)), "personal, and named all the same");

    let table = app.post_as(Some(&id), "/admin/users/csv", "").await;
    assert_eq!(table.status(), 200);
    let table = table.text().await.expect("text");
    assert!(table.lines().next().is_some_and(|titles| titles.ends_with(",department")), "{table}");
    assert!(table.contains(",Board") && !table.contains("light") && !table.contains("grade"), "{table}");
    // Their own export has both.
    let dossier = app.state.store.find_dossier(&id).await.expect("a query").expect("somebody");
    assert_eq!((&dossier.user["department"], &dossier.user["theme"]), (&json!("Board"), &json!("light")));

    // Long enough ago to be no news on its way.
    app.database.set("users", doc! { "clerkId": &id }, doc! { "department": "Elsewhere", "theme": "blue" }).await;
    let starter = Starter::Timer;
    let wanted = Wanted { kind: RunKind::Proof, starter, options: RunOptions::default(), anew: true };
    let Begun::New(run) = begin(&app.state, wanted, &new_id()).await.expect("a run") else { panic!("another goes on") };
    let ended = carry_on(&app.state, *run, &|_| ()).await.expect("an end");
    let found = app.state.store.findings.list_differences(&ended.id, None, 10).await.expect("a query");
    let difference = found.first().expect("a difference");
    let shown: Vec<_> = difference
        .fields
        .iter()
        .map(|field| (field.field.as_str(), field.here.as_deref(), field.clerk.as_deref()))
        .collect();
    assert_eq!(shown, [("department", Some("Elsewhere"), Some("Board")), ("theme", None, None)]);
    app.finish().await;
}

#[tokio::test]
async fn c_10_a_downstream_system_is_told_all_of_them() {
    let receiver = Receiver::replying(&[]).await;
    let told = vec![("ROLLCALL_WEBHOOK_URL", receiver.url.clone()), ("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned())];
    let app = TestApp::with(Wishes { config: TABLE, variables: told, ..Wishes::default() }).await;
    app.deliver("msg_1", &event("user.created", NOW, employee())).await;
    app.settled().await;
    let mut promoted = employee();
    promoted["private_metadata"]["grade"] = json!(8);
    app.deliver("msg_2", &event("user.updated", NOW + 1, promoted)).await;
    app.settled().await;
    app.deliver("msg_3", &deleted_event("user_a", NOW + 2)).await;
    app.settled().await;
    app.jobs_settled().await;
    let mut bodies: Vec<Value> = receiver.received().iter().map(Received::verified).collect();
    bodies.sort_by_key(|body| body["timestamp"].as_str().map(str::to_owned));
    let [created, updated, deleted] = bodies.as_slice() else { panic!("{bodies:#?}") };
    let expected = json!({
        "department": "Sales", "desk": { "floor": 3, "near": ["window", null] }, "skills": ["rust", "chess"],
        "hiredAt": "2024-05-06T07:08:09.123Z", "grade": 7, "theme": "dark", "phone": "+15555550101", "hasPassword": true,
    });
    assert_eq!(created["data"]["fields"], expected);
    assert_eq!(updated["data"]["fields"]["grade"], 8, "a change of a field alone is told");
    assert!(deleted["data"].get("fields").is_none(), "{deleted}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a2_24_c_10_the_binary_takes_the_table_from_its_settings_file_and_says_once_what_does_not_fit() {
    let clerk = Standin::start(rollcall::standin::Options::default()).await.expect("the stand-in");
    let (database, port, folder) = (TestDatabase::new().await, free_port(), tempfile::tempdir().expect("a folder"));
    let (config, log) = (folder.path().join("own.toml"), log_in(folder.path(), "server"));
    std::fs::write(&config, format!("{DEFAULTS}\n{TABLE}")).expect("written");
    let url = format!("http://127.0.0.1:{port}");
    let environment = variables(&clerk, &database.uri, &url);
    let arguments = ["--config", config.to_str().expect("UTF-8")];
    let mut server = Server::start_with(&arguments, port, &environment, &log).await;
    for index in 0..3 {
        let mut body = event("user.updated", NOW + index, employee());
        body["data"]["id"] = json!(format!("user_{index}"));
        body["data"]["public_metadata"]["skills"] = json!({ "neverToBeLogged": index });
        let delivery = Delivery::signed(clerk.webhook_secret(), &format!("msg_{index}"), body.to_string().as_bytes());
        let answer = delivery.request_to(&client(), &server.webhook_url()).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
    eventually("all three are stored", || async {
        let stored = doc! { "department": "Sales", "skills": Bson::Null, "grade": 7_i64 };
        match database.count("users", stored).await {
            3 => Ok(()),
            count => Err(format!("{count}")),
        }
    })
    .await;
    let said = read_log(&log);
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains(" WARN ")).collect();
    let [warning] = warnings.as_slice() else { panic!("{said}") };
    for word in ["skills", "list-of-text", "object", "user_"] {
        assert!(warning.contains(word), "{warning}");
    }
    assert!(!said.contains("neverToBeLogged"), "{said}");
    server.kill();
    clerk.stop().await;
    database.drop().await;
}

/// Where it is only shown it is cut; a file is all of it (E-17).
#[tokio::test]
async fn e_17_the_file_of_people_has_the_whole_of_a_field() {
    let app = app().await;
    let long = "d".repeat(500);
    app.person(json!({ "email_address": ["a@example.com"], "public_metadata": { "department": &long } })).await;
    let admin = app.person(json!({ "email_address": ["b@example.com"], "public_metadata": { "role": "admin" } })).await;
    let file = app.post_as(Some(&admin), "/admin/users/csv", "").await.text().await.expect("text");
    assert!(file.contains(&format!(",{long}")) && !file.contains('…'), "{file}");
    app.finish().await;
}
