//! One person's page: fields with their origin, the way of a role, and everything that happened.

use std::time::Duration;

use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use crate::admin_users::{page, post, read, someone, submit, trail};
use crate::support::app::{TestApp, Wishes};
use crate::support::eventually;

fn entries(timeline: &Value) -> &[Value] {
    timeline["entries"].as_array().expect("entries")
}

async fn drained(app: &TestApp) {
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    app.settled().await;
}

#[tokio::test]
async fn e_18_the_page_is_found_by_either_id_and_says_where_each_field_comes_from() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let mongo_id = app.database.user(&member).await.expect("stored").get_object_id("_id").expect("an id").to_hex();
    for id in [&member, &mongo_id] {
        let (status, shown) = page(&app, &admin, &format!("/admin/users/{id}")).await;
        assert_eq!(status, 200);
        for text in [member.as_str(), mongo_id.as_str(), "mo@example.com", "derived", "ours", "Change role", "Erase"] {
            assert!(shown.contains(text), "{text}");
        }
    }
    let person = read(&app, &admin, &format!("get_person?id={member}")).await;
    let origin = |name: &str| {
        let fields = person["fields"].as_array().expect("fields");
        fields.iter().find(|field| field["name"] == name).expect(name)["origin"].clone()
    };
    assert_eq!((origin("E-mail"), origin("Name"), origin("Role")), (json!("Clerk"), json!("Derived"), json!("Ours")));
    for nobody in ["user_nobody", "mo@example.com", "mo_name"] {
        let (status, _) = page(&app, &admin, &format!("/admin/users/{nobody}")).await;
        assert_eq!(status, 404, "{nobody} is no id");
    }
    app.finish().await;
}

#[tokio::test]
async fn e_30_a_name_in_a_question_and_in_a_notice_turns_nothing_around_it() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    let member = app.person(json!({ "email_address": ["aisha@example.com"], "first_name": "عائشة" })).await;
    let (_, shown) = page(&app, &admin, &format!("/admin/users/{member}")).await;
    for question in [
        "End every session of \u{2068}عائشة\u{2069}?",
        "Ban \u{2068}عائشة\u{2069}?",
        "Lock \u{2068}عائشة\u{2069}?",
        "Erase \u{2068}عائشة\u{2069} for ever?",
    ] {
        assert!(shown.contains(question), "{question}");
    }
    let (_, shown) = submit(&app, &admin, "/api/admin_users/lock", &format!("id={member}&reason=r")).await;
    assert!(shown.contains("\u{2068}عائشة\u{2069} is locked"), "{shown}");
    app.finish().await;
}

#[tokio::test]
async fn c_6_every_source_is_on_the_timeline_with_reason_and_diff_and_nothing_personal() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    app.clerk.update_user(&member, json!({ "first_name": "Maria" }));
    drained(&app).await;
    app.clerk.lock(&member);
    drained(&app).await;
    // Clerk's own event comes after its answer.
    app.clerk.set_levers(Levers { paused: true, ..app.clerk.levers() });
    assert_eq!(post(&app, &admin, "ban", &format!("id={member}&reason=spam")).await.status(), 200);
    app.clerk.set_levers(Levers { paused: false, ..app.clerk.levers() });
    drained(&app).await;
    assert_eq!(post(&app, &admin, "change_role", &format!("id={member}&role=moderator&reason=r")).await.status(), 200);
    let timeline = read(&app, &admin, &format!("list_timeline?id={member}")).await;
    assert_eq!(timeline["unexplained"], json!([]));
    let changes = |what: &str| -> Vec<Value> {
        let all = entries(&timeline).iter().flat_map(|entry| entry["fields"].as_array().expect("fields"));
        all.filter(|change| change["field"] == what).cloned().collect()
    };
    assert_eq!(changes("firstName"), [json!({ "field": "firstName", "before": null, "after": null })]);
    assert_eq!(changes("locked")[0], json!({ "field": "locked", "before": "false", "after": "true" }));
    assert_eq!(changes("banned")[0], json!({ "field": "banned", "before": "false", "after": "true" }));
    let text = timeline.to_string();
    assert!(!text.contains("Maria") && !text.contains("mo@example.com"), "no personal value");
    let titles: Vec<&str> = entries(&timeline).iter().map(|entry| entry["title"].as_str().expect("text")).collect();
    for title in ["change role", "ban", "moderation", "user.updated", "user.created"] {
        assert!(titles.contains(&title), "{title}: {titles:?}");
    }
    assert_eq!(
        (entries(&timeline)[0]["title"].as_str(), entries(&timeline)[0]["reason"].as_str()),
        (Some("change role"), Some("r"))
    );
    assert!(entries(&timeline)[0]["text"].as_str().expect("text").contains("user → moderator"));
    let moment = |entry: &Value| entry["at"].as_str().and_then(|at| at.parse::<Timestamp>().ok()).expect("a time");
    let moments: Vec<Timestamp> = entries(&timeline).iter().map(moment).collect();
    assert!(moments.is_sorted_by(|a, b| a >= b), "the newest first");
    // Another program writes into the document, past everything on record.
    app.database.set("users", doc! { "clerkId": &member }, doc! { "role": "admin" }).await;
    let timeline = read(&app, &admin, &format!("list_timeline?id={member}")).await;
    assert_eq!(timeline["unexplained"], json!(["role"]));
    let (_, shown) = page(&app, &admin, &format!("/admin/users/{member}")).await;
    assert!(shown.contains("another program wrote there") && shown.contains("user.updated"));
    app.finish().await;
}

#[tokio::test]
async fn c_6_a_long_history_comes_in_pages_and_each_once() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    for turn in 0..60 {
        app.clerk.update_user(&member, json!({ "last_name": format!("Turn{turn}") }));
    }
    drained(&app).await;
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = read(&app, &admin, &format!("list_timeline?id={member}{before}")).await;
        seen.extend(entries(&page).iter().map(|entry| entry["id"].as_str().expect("an id").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        before = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), 61, "every event");
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 61, "each once");
    let wrong = app.get_as(&admin, &format!("/api/admin_users/list_timeline?id={member}&cursor=x")).await;
    assert_eq!(wrong.status(), 400);
    app.finish().await;
}

#[tokio::test]
async fn c_6_what_a_walk_found_is_on_the_timeline() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    app.database
        .insert(
            "findings",
            doc! {
                "_id": format!("run_1:d:{member}"), "runId": "run_1", "runKind": "reconcile", "dryRun": false,
                "at": mongodb::bson::DateTime::now(), "clerkId": &member, "kind": "differing",
                "fields": [{ "field": "banned", "here": "true", "clerk": "false" }, { "field": "name" }],
            },
        )
        .await;
    let timeline = read(&app, &admin, &format!("list_timeline?id={member}")).await;
    let found = entries(&timeline).iter().find(|entry| entry["kind"] == "Finding").expect("a finding");
    assert_eq!((&found["title"], &found["by"]), (&json!("differs"), &json!("reconcile")));
    assert_eq!(found["fields"][0], json!({ "field": "banned", "before": "true", "after": "false" }));
    app.finish().await;
}

#[tokio::test]
async fn c_13_a_role_is_seen_on_its_way_waiting_for_clerk_written_there_come_back_and_in_the_tokens() {
    let metadata = vec![("ROLLCALL_METADATA", "true".to_owned())];
    let app = TestApp::with(Wishes { variables: metadata, ..Wishes::default() }).await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    drained(&app).await;
    app.jobs_settled().await;
    drained(&app).await;
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..Levers::default() });
    assert_eq!(post(&app, &admin, "change_role", &format!("id={member}&role=moderator")).await.status(), 200);
    let steps = || async {
        let person = read(&app, &admin, &format!("get_person?id={member}")).await;
        let steps = person["saga"].as_array().expect("steps").clone();
        steps.iter().map(|step| step["state"].as_str().expect("a state").to_owned()).collect::<Vec<_>>()
    };
    eventually("Clerk was asked and failed", || async {
        let job = app.database.job(&format!("metadata:{member}")).await;
        let tried = job.and_then(|job| job.get_i32("attempts").ok()).unwrap_or_default();
        if tried > 0 { Ok(()) } else { Err(format!("{tried} attempts")) }
    })
    .await;
    assert_eq!(steps().await, ["Done", "Done", "Waiting", "Waiting"], "in force, and not at Clerk yet");
    // Something else of them changes at Clerk meanwhile: its event says nothing of the role.
    app.clerk.update_user(&member, json!({ "last_name": "Meanwhile" }));
    drained(&app).await;
    assert_eq!(steps().await, ["Done", "Done", "Waiting", "Waiting"], "another change is not this one");
    let (_, shown) = page(&app, &admin, &format!("/admin/users/{member}")).await;
    assert!(shown.contains("Written at Clerk") && shown.contains("none has arrived since"));
    app.clerk.set_levers(Levers::default());
    let now = doc! { "dueAt": mongodb::bson::DateTime::now() };
    eventually("the role is at Clerk and has come back", || async {
        app.database.set("jobs", doc! { "_id": format!("metadata:{member}"), "state": "waiting" }, now.clone()).await;
        app.state.wake.notify_one();
        let steps = steps().await;
        if steps == ["Done", "Done", "Done", "Done", "Waiting"] { Ok(()) } else { Err(format!("{steps:?}")) }
    })
    .await;
    assert_eq!(app.clerk.user(&member).expect("at Clerk")["public_metadata"]["role"], "moderator");
    // All of it as if it had been two minutes earlier, and back: a session token lives for one.
    for (way, last) in [("$dateSubtract", "Done"), ("$dateAdd", "Waiting")] {
        for (collection, filter, field) in [
            ("jobs", doc! { "_id": format!("metadata:{member}") }, "finishedAt"),
            ("audit", doc! { "action": "change_role", "subject": &member }, "at"),
        ] {
            let at = doc! { way: { "startDate": format!("${field}"), "unit": "minute", "amount": 2 } };
            let documents = app.database.handle().collection::<Document>(collection);
            let moved = documents.update_one(filter, vec![doc! { "$set": { field: at } }]).await.expect("moved");
            assert_eq!(moved.modified_count, 1, "{collection}");
        }
        assert_eq!(steps().await, ["Done", "Done", "Done", "Done", last]);
    }
    let path = format!("/admin/users/{member}");
    let (shown_to_admins, shown_to_moderators) =
        (page(&app, &admin, &path).await.1, page(&app, &member, &path).await.1);
    for shown in [shown_to_admins, shown_to_moderators] {
        assert!(shown.contains("Last role given here") && shown.contains("/admin/sync/events/"), "{shown}");
    }
    app.jobs_settled().await;
    drained(&app).await;
    app.finish().await;
}

#[tokio::test]
async fn the_day_somebody_was_last_here_is_noted_once_and_is_no_change_of_theirs() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let before = app.database.user(&member).await.expect("stored");
    assert!(!before.contains_key("lastActiveAt"), "an event is not them");
    assert_eq!(app.get_as(&member, "/profile").await.status(), 200);
    eventually("the day is noted", || async {
        let stored = app.database.user(&member).await.expect("stored");
        stored.get_datetime("lastActiveAt").map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
    let after = app.database.user(&member).await.expect("stored");
    assert_eq!((after.get("etag"), after.get("version")), (before.get("etag"), before.get("version")));
    let at = after.get_datetime("lastActiveAt").expect("a day").timestamp_millis();
    assert_eq!(at % 86_400_000, 0, "a day and no more");
    let day = Timestamp::from_millisecond(at).expect("a time").strftime("%Y-%m-%d").to_string();
    let table = read(&app, &admin, &format!("list_users?query[active_from]={day}&query[active_to]={day}")).await;
    let found: Vec<&str> =
        table["rows"].as_array().expect("rows").iter().map(|row| row["clerk_id"].as_str().expect("an id")).collect();
    assert!(found.contains(&member.as_str()), "{found:?}");
    let later = read(&app, &admin, "list_users?query[active_from]=2999-01-01").await;
    assert_eq!(later["rows"], json!([]));
    assert_eq!(trail(&app, &member).await, []);
    app.clerk.delete_user(&member);
    drained(&app).await;
    eventually("nothing personal stays", || async {
        let stored = app.database.user(&member).await.expect("stored");
        if stored.contains_key("lastActiveAt") { Err(stored.to_string()) } else { Ok(()) }
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn e_18_the_last_admin_is_let_in_again_and_nothing_is_offered_that_would_take_them_away() {
    let listed = vec![("ADMIN_EMAIL", "boss@example.com".to_owned())];
    let app = TestApp::with(Wishes { variables: listed, ..Wishes::default() }).await;
    let (boss, last) = (someone(&app, "Boss", "user").await, someone(&app, "Ad", "admin").await);
    let doors = async || {
        let (_, shown) = page(&app, &boss, &format!("/admin/users/{last}")).await;
        assert!(shown.contains("The last admin stays one."), "{shown}");
        let is_there = |verb: &&str| shown.contains(&format!("action=\"/api/admin_users/{verb}\""));
        ["change_role", "ban", "unban", "lock", "unlock", "erase_user"].into_iter().filter(is_there).collect::<Vec<_>>()
    };
    assert_eq!(doors().await, [""; 0]);
    app.clerk.ban(&last);
    app.clerk.lock(&last);
    drained(&app).await;
    assert_eq!(doors().await, ["unban", "unlock"]);
    app.finish().await;
}
