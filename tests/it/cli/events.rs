//! `rollcall events`: what Clerk sent is listed and shown, carried out again, or given up.

use mongodb::bson::{DateTime, doc};
use serde_json::{Value, json};

use super::{Ended, beside, operator, run};
use crate::support::app::TestApp;
use crate::support::delivery::user_event;

const ADA: &str = "user_ada";

async fn events(app: &TestApp, arguments: &[&str]) -> Ended {
    run(&[&["events"], arguments].concat(), &beside(app)).await
}

fn ids(listed: &Value) -> Vec<String> {
    let rows = listed["events"].as_array().expect("events");
    rows.iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

/// Ada created as `msg_1` and renamed by `msg_2`; Bob created by `msg_3`; `msg_4` about a session.
pub async fn with_events() -> TestApp {
    let app = TestApp::new().await;
    app.deliver("msg_1", &user_event("user.created", ADA, "Ada", 1_750_000_001_000)).await;
    app.settled().await;
    app.deliver("msg_2", &user_event("user.updated", ADA, "Augusta", 1_750_000_002_000)).await;
    app.deliver("msg_3", &user_event("user.created", "user_bob", "Bob", 1_750_000_003_000)).await;
    app.deliver("msg_4", &json!({ "object": "event", "type": "session.created", "data": { "id": "sess_1" } })).await;
    app.settled().await;
    app
}

#[tokio::test]
async fn e_34_events_list_filters_and_pages_whatever_arrived_in_one_moment() {
    let app = with_events().await;
    let all = events(&app, &["list"]).await.expect(0);
    all.says(&["msg_1", "user.created", ADA, "applied", "created", "msg_4", "ignored", "session.created"]);
    for (filter, expected) in [
        (&["--state", "ignored"][..], &["msg_4"][..]),
        (&["--type", "user.created", "--person", ADA], &["msg_1"]),
        (&["--person", "user_bob"], &["msg_3"]),
        (&["--since", "1h", "--state", "applied", "--person", ADA], &["msg_2", "msg_1"]),
        (&["--before", "1h"], &[]),
        (&["--before", "2020-01-01T00:00:00Z"], &[]),
    ] {
        let found = events(&app, &[&["list", "--json"], filter].concat()).await.expect(0).json();
        assert_eq!(ids(&found), expected, "{filter:?}");
    }
    events(&app, &["list", "--state", "lost"]).await.expect(2).says(&["stale"]);
    events(&app, &["list", "--since", "yesterday"]).await.expect(2).says(&["or as 2h"]);
    events(&app, &["list", "--cursor", "nonsense"]).await.expect(2).says(&["must be what the page before said"]);

    // Three of one millisecond, and one before them.
    let moment = DateTime::from_millis(1_760_000_000_000);
    for id in ["msg_2", "msg_3", "msg_4"] {
        app.database.set("events", doc! { "_id": id }, doc! { "receivedAt": moment }).await;
    }
    let earlier = DateTime::from_millis(1_750_000_000_000);
    app.database.set("events", doc! { "_id": "msg_1" }, doc! { "receivedAt": earlier }).await;
    for limit in ["1", "2", "3"] {
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut arguments = vec!["list", "--json", "--limit", limit];
            if let Some(cursor) = &cursor {
                arguments.extend(["--cursor", cursor.as_str()]);
            }
            let page = events(&app, &arguments).await.expect(0).json();
            seen.extend(ids(&page));
            cursor = page["nextCursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, ["msg_2", "msg_3", "msg_4", "msg_1"], "pages of {limit}");
    }
    events(&app, &["list", "--limit", "2"]).await.expect(0).says(&["more: --cursor 1760000000000.msg_3"]);
    app.finish().await;
}

#[tokio::test]
async fn e_34_events_show_gives_body_decision_attempts_and_place() {
    let app = with_events().await;
    let shown = events(&app, &["show", "msg_1", "--json"]).await.expect(0).json();
    assert_eq!(shown["payload"], user_event("user.created", ADA, "Ada", 1_750_000_001_000));
    assert_eq!((&shown["decision"], &shown["attempts"]), (&json!("created"), &json!(1)));
    assert!(shown["place"]["batch"].is_string() && shown["place"]["number"] == json!(0), "{shown}");
    events(&app, &["show", "msg_1"]).await.expect(0).says(&["person", ADA, "applied", "number 0", "\"first_name\""]);
    events(&app, &["show", "msg_9"]).await.expect(1).says(&["This event was not found."]);
    app.database.remove("deliveries", doc! {}).await;
    events(&app, &["show", "msg_1"]).await.expect(0).says(&["is not kept any more"]);
    events(&app, &["replay", "msg_1", "--yes"]).await.expect(1).says(&["msg_1: Its body is not kept any more."]);
    assert_eq!(app.database.count("audit", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn e_34_events_replay_decides_again_over_what_is_stored_and_is_audited() {
    let app = with_events().await;
    // Somebody else's hand: as if the second event had never been applied.
    let hand = doc! { "firstName": "Wrong", "version": { "updatedAt": 1_750_000_001_000_i64, "eventAt": 1_i64 } };
    app.database.set("users", doc! { "clerkId": ADA }, hand).await;
    let name = async || app.database.user(ADA).await.expect("stored").get_str("firstName").expect("a name").to_owned();

    events(&app, &["replay", "msg_2"]).await.expect(2).says(&["Replay msg_2? [yes/no]", "not confirmed"]);
    let foreseen = events(&app, &["replay", "msg_2", "--dry-run"]).await.expect(0);
    foreseen.says(&["would be applied", "updated firstName", "1 document would change: firstName 1"]);
    foreseen.says(&["effects that would follow: none; mails and webhooks only with --effects"]);
    assert_eq!((name().await.as_str(), app.database.count("audit", doc! {}).await), ("Wrong", 0));

    let replayed =
        events(&app, &["replay", "msg_2", "--yes", "--reason", "a restore", "--json"]).await.expect(0).json();
    assert_eq!(
        (&replayed["events"][0]["before"], &replayed["events"][0]["state"]),
        (&json!("applied"), &json!("applied"))
    );
    assert_eq!(name().await, "Augusta");
    let event = app.database.event("msg_2").await.expect("stored");
    let shown = events(&app, &["show", "msg_2", "--json"]).await.expect(0).json();
    assert_eq!((&shown["attempts"], &shown["state"]), (&json!(2), &json!("applied")));
    assert!(!event.contains_key("dueAt") && event.get_datetime("finishedAt").is_ok(), "{event}");

    // Nothing newer is overwritten by what is older.
    events(&app, &["replay", "msg_1", "msg_9", "--yes"]).await.expect(1).says(&["stale", "This event was not found."]);
    assert_eq!(name().await, "Augusta");
    let entries = app.state.store.audit.list_about("msg_2").await.expect("entries");
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.actor.as_str(), entry.action.as_str(), entry.before.as_deref(), entry.reason.as_deref()))
        .collect();
    assert_eq!(told, [(operator(), "replay_event", Some("applied"), Some("a restore"))]);
    app.finish().await;
}

#[tokio::test]
async fn c_7_what_events_replay_counts_rehearsed_is_what_it_then_counts_done() {
    let app = with_events().await;
    // Ada as before both of her events, which are carried out one after the other; Bob is gone.
    let hand = doc! {
        "firstName": "Wrong", "name": "Wrong", "banned": true, "version": { "updatedAt": 1_700_000_000_000_i64, "eventAt": 1_i64 },
    };
    app.database.set("users", doc! { "clerkId": ADA }, hand).await;
    app.database.remove("users", doc! { "clerkId": "user_bob" }).await;
    let before = app.database.all("users").await;
    let sums = json!({
        "documents": 2, "fields": { "banned": 1, "everything": 1, "firstName": 2, "name": 2 }, "effects": {}, "asked": 0, "isMost": false,
    });
    let all = ["replay", "msg_1", "msg_2", "msg_3", "msg_4", "--json"];
    let foreseen = events(&app, &[&all[..], &["--dry-run"]].concat()).await.expect(0).json();
    assert_eq!(foreseen["sums"], sums);
    let states: Vec<&Value> = (0..4).map(|place| &foreseen["events"][place]["state"]).collect();
    assert_eq!(states, ["applied", "applied", "applied", "ignored"]);
    let banned = json!({ "field": "banned", "here": "true", "clerk": "false" });
    assert!(foreseen["events"][0]["fields"].as_array().is_some_and(|fields| fields.contains(&banned)), "{foreseen}");
    assert_eq!(app.database.all("users").await, before, "nothing is written");
    let done = events(&app, &[&all[..], &["--yes"]].concat()).await.expect(0).json();
    assert_eq!((&done["sums"], &done["events"]), (&sums, &foreseen["events"]));
    let again = events(&app, &["replay", "--person", ADA, "--dry-run"]).await.expect(0);
    again.says(&["0 documents would change: nothing", "effects that would follow: none"]);
    // Another's hand under the very version: which of the two is right, only Clerk knows.
    app.database.set("users", doc! { "clerkId": ADA }, doc! { "firstName": "Wrong" }).await;
    let asked = events(&app, &["replay", "msg_2", "--dry-run"]).await.expect(0);
    asked.says(&["would be received", "not foreseen: 1 event: Clerk would be asked", "0 documents would change"]);
    app.finish().await;
}

#[tokio::test]
async fn e_34_events_replay_by_filter_says_how_many_and_refuses_to_mean_all() {
    let app = with_events().await;
    events(&app, &["replay", "--yes"]).await.expect(2).says(&["name events, or say which: --state"]);
    events(&app, &["replay", "msg_1", "--state", "applied", "--yes"]).await.expect(2).says(&["cannot be used with"]);
    events(&app, &["replay", "--person", ADA]).await.expect(2).says(&["Replay 2 events? [yes/no]"]);
    let replayed = events(&app, &["replay", "--person", ADA, "--yes", "--json"]).await.expect(0).json();
    assert_eq!(ids(&replayed), ["msg_1", "msg_2"], "the oldest first");
    assert_eq!(
        (&replayed["events"][0]["state"], &replayed["events"][1]["state"]),
        (&json!("stale"), &json!("duplicate"))
    );
    assert_eq!(app.database.count("audit", doc! { "action": "replay_event" }).await, 2);
    let nothing = events(&app, &["replay", "--person", "user_nobody"]).await.expect(0);
    nothing.says(&["no event matches: nothing is to be done"]);
    app.finish().await;
}

#[tokio::test]
async fn e_34_events_discard_wants_a_reason_and_gives_up_what_waits() {
    let app = with_events().await;
    let later = DateTime::from_millis(jiff::Timestamp::now().as_millisecond() + 3_600_000);
    let failed = doc! { "state": "failed", "dueAt": later, "decision": "attempt 1 failed: Clerk is away" };
    app.database.set("events", doc! { "_id": "msg_2" }, failed).await;
    events(&app, &["discard", "msg_2", "--yes"]).await.expect(2).says(&["--reason"]);
    let discard = ["discard", "msg_2", "--reason", "of a test"];
    events(&app, &discard).await.expect(2).says(&["Discard msg_2? [yes/no]"]);
    events(&app, &[&discard[..], &["--dry-run"]].concat()).await.expect(0).says(&["would be discarded", "of a test"]);
    let state =
        async || app.database.event("msg_2").await.expect("stored").get_str("state").expect("a state").to_owned();
    assert_eq!(state().await, "failed");
    let done = events(&app, &[&discard[..], &["--yes", "--json"]].concat()).await.expect(0).json();
    assert_eq!(
        (&done["event"]["state"], &done["event"]["decision"]),
        (&json!("discarded"), &json!("discarded: of a test"))
    );
    let event = app.database.event("msg_2").await.expect("stored");
    assert!(event.get_str("state").ok() == Some("discarded") && !event.contains_key("dueAt"), "{event}");
    events(&app, &[&discard[..], &["--yes"]].concat()).await.expect(1).says(&["msg_2: It is finished: discarded."]);
    let entry = app.state.store.audit.list_about("msg_2").await.expect("entries").pop().expect("an entry");
    assert_eq!((entry.action.as_str(), entry.before.as_deref()), ("discard_event", Some("failed")));
    events(&app, &["replay", "msg_2", "--yes"]).await.expect(0).says(&["was discarded"]);
    assert_ne!(state().await, "discarded");
    let dead = doc! { "state": "dead", "decision": "given up after 8 attempts: x", "cause": "x" };
    app.database.set("events", doc! { "_id": "msg_2" }, dead).await;
    events(&app, &[&discard[..], &["--yes"]].concat()).await.expect(0).says(&["discarded: of a test"]);
    assert!(!app.database.event("msg_2").await.expect("stored").contains_key("cause"));
    app.finish().await;
}
