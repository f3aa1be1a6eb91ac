//! `rollcall users`: each command against a database that a running application fills.

use mongodb::bson::{Bson, DateTime, doc};
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use super::{Ended, answered, beside, folder, nothing, operator, run, run_in, with};
use crate::support::app::TestApp;

async fn someone(app: &TestApp, name: &str, role: &str) -> String {
    let address = format!("{}@example.com", name.to_lowercase());
    let attributes = json!({
        "email_address": [address], "first_name": name, "username": format!("{}_name", name.to_lowercase()),
        "public_metadata": { "role": role },
    });
    app.person(attributes).await
}

pub async fn users(app: &TestApp, arguments: &[&str]) -> Ended {
    run(&[&["users"], arguments].concat(), &beside(app)).await
}

async fn role_of(app: &TestApp, id: &str) -> String {
    app.database.user(id).await.expect("stored").get_str("role").expect("a role").to_owned()
}

/// The entries of the audit trail about somebody: actor, action, before, after, reason.
async fn trail(app: &TestApp, id: &str) -> Vec<[String; 5]> {
    let entries = app.state.store.audit.list_about(id).await.expect("entries");
    let row = |entry: rollcall::server::store::audit::Entry| {
        let text = |text: Option<String>| text.unwrap_or_default();
        [entry.actor, entry.action, text(entry.before), text(entry.after), text(entry.reason)]
    };
    entries.into_iter().map(row).collect()
}

#[tokio::test]
async fn d7_07_who_did_it_is_whom_the_operating_system_knows_and_no_variable_says_otherwise() {
    let app = TestApp::new().await;
    let bob = someone(&app, "Bob", "user").await;
    // Who is root may have become so by sudo, whose word counts then; it could write anything anyway.
    let behind_sudo = if operator() == "cli:root" { "cli:mallory" } else { operator() };
    for (variable, expected) in [("USER", operator()), ("LOGNAME", operator()), ("SUDO_USER", behind_sudo)] {
        let environment = with(&beside(&app), variable, "mallory");
        run(&["users", "lock", &bob, "--yes"], &environment).await.expect(0);
        let actor = trail(&app, &bob).await.pop().expect("an entry")[0].clone();
        assert_eq!(actor, expected, "{variable}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a2_13_users_list_shows_everybody_by_role_state_ban_and_deletion_page_by_page() {
    let app = TestApp::new().await;
    let ada = someone(&app, "Ada", "admin").await;
    let bob = someone(&app, "Bob", "user").await;
    let cyd = someone(&app, "Cyd", "moderator").await;
    let dan = someone(&app, "Dan", "user").await;
    app.clerk.ban(&bob);
    app.clerk.delete_user(&dan);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    app.database.set("users", doc! { "clerkId": &cyd }, doc! { "syncStatus": "error" }).await;

    let all = users(&app, &["list"]).await.expect(0);
    let lines: Vec<&str> = all.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", all.out);
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), [&ada, "admin", "active", "Ada", "ada@example.com"]);
    assert!(lines[1].ends_with("banned"), "{}", all.out);
    assert!(all.err.is_empty(), "{}", all.err);

    for (filter, expected) in [
        (&["--role", "admin"][..], &ada),
        (&["--role", "moderator"], &cyd),
        (&["--state", "error"], &cyd),
        (&["--banned"], &bob),
        (&["--deleted"], &dan),
    ] {
        let found = users(&app, &[&["list", "--json"], filter].concat()).await.expect(0).json();
        let ids: Vec<&str> =
            found["users"].as_array().expect("users").iter().map(|user| user["clerkId"].as_str().unwrap()).collect();
        assert_eq!(ids, [expected.as_str()], "{filter:?}");
        assert_eq!(found["users"][0]["deletedAt"].is_string(), filter == ["--deleted"], "{found}");
    }

    let first = users(&app, &["list", "--limit", "2", "--json"]).await.expect(0).json();
    let cursor = first["nextCursor"].as_str().expect("a cursor");
    let second = users(&app, &["list", "--limit", "2", "--cursor", cursor]).await.expect(0);
    assert!(second.out.lines().count() == 1 && second.out.contains(&cyd), "{}", second.out);
    users(&app, &["list", "--limit", "2"]).await.expect(0).says(&["more: --cursor", cursor]);
    users(&app, &["list", "--cursor", "nonsense"]).await.expect(2).says(&["must be what the page before said"]);
    users(&app, &["list", "--role", "owner"]).await.expect(2).says(&["user, moderator, admin"]);
    app.finish().await;
}

#[tokio::test]
async fn users_find_and_show_know_people_by_each_of_their_names() {
    let app = TestApp::new().await;
    let ada = someone(&app, "Ada", "user").await;
    someone(&app, "Bob", "user").await;
    for text in ["AD", "ada@", "ada_n"] {
        let found = users(&app, &["find", text]).await.expect(0);
        assert!(found.out.lines().count() == 1 && found.out.contains(&ada), "{text}: {}", found.out);
    }
    users(&app, &["find", "zz"]).await.expect(0);
    let document = app.database.user(&ada).await.expect("stored").get_object_id("_id").expect("an id").to_hex();
    for who in [ada.as_str(), &document, "ada@example.com", "ADA@example.com", "ada_name"] {
        let shown = users(&app, &["show", who, "--json"]).await.expect(0).json();
        assert_eq!((&shown["clerkId"], &shown["id"], &shown["role"]), (&json!(ada), &json!(document), &json!("user")));
    }
    users(&app, &["show", &ada]).await.expect(0).says(&[
        "Clerk id",
        &ada,
        "MongoDB id",
        &document,
        "ada@example.com",
        "last change by",
        "webhook",
    ]);
    let nobody = users(&app, &["show", "nobody@example.com"]).await.expect(1);
    nobody.says(&["rollcall: nobody@example.com was not found."]);
    assert!(nobody.out.is_empty(), "{}", nobody.out);

    let twin = app.person(json!({ "email_address": ["twin@example.com"] })).await;
    app.database.set("users", doc! { "clerkId": &twin }, doc! { "email": "ada@example.com" }).await;
    users(&app, &["show", "ada@example.com"]).await.expect(1).says(&["is 2 people", &ada, &twin]);
    app.finish().await;
}

#[tokio::test]
async fn a2_16_d7_07_promote_and_demote_ask_first_keep_the_last_admin_and_are_audited() {
    let app = TestApp::new().await;
    let ada = someone(&app, "Ada", "user").await;
    let asked = users(&app, &["promote", &ada]).await.expect(2);
    asked.says(&[&format!("Make Ada ({ada}) admin instead of user? [yes/no]"), "not confirmed", "--yes"]);
    answered("no\n", &["users", "promote", &ada], &beside(&app)).await.expect(2);
    let rehearsed = users(&app, &["promote", &ada, "--dry-run"]).await.expect(0);
    assert_eq!(rehearsed.out, format!("Ada ({ada}): would be admin, was user\n"));
    assert_eq!((role_of(&app, &ada).await.as_str(), app.database.count("audit", doc! {}).await), ("user", 0));

    let done = answered("yes\n", &["users", "promote", "ada@example.com"], &beside(&app)).await.expect(0);
    assert_eq!(done.out, format!("Ada ({ada}): admin, was user\n"));
    assert_eq!(role_of(&app, &ada).await, "admin");
    users(&app, &["promote", &ada, "--yes"]).await.expect(0).says(&["is admin already"]);
    users(&app, &["promote", &ada, "--role", "moderator", "--yes"]).await.expect(1).says(&["demote"]);

    for dry in [&["--dry-run"][..], &["--yes"]] {
        let refused = users(&app, &[&["demote", &ada], dry].concat()).await.expect(1);
        refused.says(&["The last admin stays one."]);
        assert!(refused.out.is_empty(), "{}", refused.out);
    }
    let bob = someone(&app, "Bob", "admin").await;
    let arguments = ["demote", &ada, "--role", "moderator", "--yes", "--reason", "on leave", "--json"];
    let done = users(&app, &arguments).await.expect(0).json();
    assert_eq!((&done["user"]["role"], &done["dryRun"]), (&json!("moderator"), &json!(false)));
    assert_eq!(role_of(&app, &bob).await, "admin");
    let told = trail(&app, &ada).await;
    let row = |cells: [&str; 5]| cells.map(str::to_owned);
    assert_eq!(
        told,
        [
            row([operator(), "change_role", "user", "admin", ""]),
            row([operator(), "change_role", "admin", "moderator", "on leave"]),
        ]
    );
    users(&app, &["promote", "user_nobody", "--yes"]).await.expect(1).says(&["user_nobody was not found"]);
    app.finish().await;
}

#[tokio::test]
async fn d7_07_ban_and_unban_go_to_clerk_and_come_back_with_its_version() {
    let app = TestApp::new().await;
    let bob = someone(&app, "Bob", "user").await;
    // Clerk's own event about it comes later, so that what is seen is what the answer brought.
    app.clerk.set_levers(Levers { paused: true, ..app.clerk.levers() });
    users(&app, &["ban", &bob]).await.expect(2).says(&[&format!("Ban Bob ({bob})? [yes/no]")]);
    users(&app, &["ban", &bob, "--dry-run"]).await.expect(0).says(&["would be banned"]);
    assert_eq!(app.clerk.user(&bob).expect("at Clerk")["banned"], json!(false));
    let done = users(&app, &["ban", "bob_name", "--yes", "--reason", "spam", "--json"]).await.expect(0).json();
    assert_eq!(done["user"]["banned"], json!(true));
    let at_clerk = app.clerk.user(&bob).expect("at Clerk");
    let stored = app.database.user(&bob).await.expect("stored");
    let version = stored.get_document("version").expect("a version").get_i64("updatedAt").expect("a time");
    assert_eq!((&at_clerk["banned"], &at_clerk["updated_at"]), (&json!(true), &json!(version)));
    assert_eq!((stored.get_bool("banned").ok(), stored.get_str("syncSource").ok()), (Some(true), Some("moderation")));
    assert_eq!(app.get_as(&bob, "/profile").await.status(), 403, "at the next request");
    users(&app, &["unban", &bob, "--yes"]).await.expect(0).says(&["not banned"]);
    assert_eq!(app.clerk.user(&bob).expect("at Clerk")["banned"], json!(false));

    app.clerk.set_levers(Levers { paused: true, bapi_status: Some(422), ..app.clerk.levers() });
    users(&app, &["ban", &bob, "--yes"]).await.expect(2).says(&["Clerk"]);
    app.clerk.set_levers(Levers { paused: false, ..Levers::default() });
    let told: Vec<[String; 3]> =
        trail(&app, &bob).await.into_iter().map(|[_, action, before, after, _]| [action, before, after]).collect();
    let row = |cells: [&str; 3]| cells.map(str::to_owned);
    assert_eq!(
        told,
        [
            row(["ban", "not banned", "banned"]),
            row(["unban", "banned", "not banned"]),
            row(["ban", "not banned", "banned"]),
            row(["undone", "banned", "not banned"]),
        ]
    );
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn d5_12_the_last_admin_is_not_banned() {
    let app = TestApp::new().await;
    let ada = someone(&app, "Ada", "admin").await;
    users(&app, &["ban", &ada, "--yes"]).await.expect(1).says(&["The last admin cannot be banned."]);
    assert_eq!(app.clerk.user(&ada).expect("at Clerk")["banned"], json!(false));
    assert!(trail(&app, &ada).await.is_empty());
    app.finish().await;
}

#[tokio::test]
async fn users_export_gives_everything_that_is_kept_about_one_person_and_nobody_else() {
    let app = TestApp::new().await;
    let ada = someone(&app, "Ada", "user").await;
    let bob = someone(&app, "Bob", "user").await;
    let own = doc! { "favourite": "blue", "passwordHash": "kept here by the application" };
    app.database.set("users", doc! { "clerkId": &ada }, own).await;
    users(&app, &["export", &ada, "--dry-run"]).await.expect(0).says(&["1 events", "0 entries"]);
    let exported = users(&app, &["export", &ada, "--json"]).await.expect(0).json();
    assert_eq!((&exported["user"]["clerkId"], &exported["user"]["favourite"]), (&json!(ada), &json!("blue")));
    assert_eq!(exported["user"]["passwordHash"], Value::Null);
    let event = &exported["events"][0];
    assert_eq!((&event["kind"], &event["payload"]["data"]["id"]), (&json!("user.created"), &json!(ada)));
    assert_eq!(exported["audit"][0]["action"], json!("export_user"));
    assert!(!exported.to_string().contains(&bob), "{exported}");

    let folder = folder();
    let arguments = ["users", "export", &ada, "--output", "ada.json"];
    let written = run_in(folder.path(), &arguments, &beside(&app)).await.expect(0);
    assert!(written.out.is_empty(), "{}", written.out);
    let file = std::fs::read_to_string(folder.path().join("ada.json")).expect("a file");
    assert_eq!(serde_json::from_str::<Value>(&file).expect("JSON")["user"]["clerkId"], json!(ada));
    run_in(folder.path(), &arguments, &beside(&app)).await.expect(2).says(&["cannot make ada.json"]);
    app.finish().await;
}

#[tokio::test]
async fn every_command_says_which_setting_is_missing_and_when_mongodb_is_away() {
    let commands = [&["users", "list"][..], &["jobs", "list"], &["secrets"], &["simulate", "signup", "--yes"]];
    for command in commands {
        run(command, &nothing()).await.expect(2).says(&["5 problem(s)", "MONGODB_URI"]);
    }
    let app = TestApp::new().await;
    let away = with(&beside(&app), "MONGODB_URI", "mongodb://127.0.0.1:1/rollcall?replicaSet=rs0");
    let away = with(&away, "ROLLCALL_DATABASE_TIMEOUT_MS", "300");
    for command in &commands[..3] {
        run(command, &away).await.expect(2).says(&["rollcall: MongoDB is not available"]);
    }
    app.finish().await;
}

#[tokio::test]
async fn completions_are_scripts_that_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell], &nothing()).await.expect(0);
        script.says(&["rollcall", "users", "promote", "doctor"]);
        assert!(script.err.is_empty(), "{}", script.err);
    }
    run(&["completions", "cmd"], &nothing()).await.expect(2).says(&["possible values", "bash"]);
}

#[tokio::test]
async fn e_34_d7_07_lock_and_unlock_go_to_clerk_in_the_words_of_the_pages() {
    let app = TestApp::new().await;
    let bob = someone(&app, "Bob", "user").await;
    let ada = someone(&app, "Ada", "admin").await;
    app.clerk.set_levers(Levers { paused: true, ..app.clerk.levers() });
    users(&app, &["lock", &bob]).await.expect(2).says(&[&format!("Lock Bob ({bob})? [yes/no]"), "not confirmed"]);
    let foreseen = users(&app, &["lock", &bob, "--dry-run"]).await.expect(0);
    assert_eq!(foreseen.out, format!("Bob ({bob}): would be locked\n"));
    assert_eq!(app.clerk.user(&bob).expect("at Clerk")["locked"], json!(false));
    let done = users(&app, &["lock", "bob_name", "--yes", "--reason", "too many tries", "--json"]).await;
    let done = done.expect(0).json();
    assert_eq!((&done["user"]["clerkId"], &done["dryRun"]), (&json!(bob), &json!(false)));
    assert_eq!(app.clerk.user(&bob).expect("at Clerk")["locked"], json!(true));
    assert_eq!(app.database.user(&bob).await.expect("stored").get_bool("locked").ok(), Some(true));
    users(&app, &["show", &bob]).await.expect(0).says(&["locked"]);
    let done = users(&app, &["unlock", &bob, "--yes"]).await.expect(0);
    assert_eq!(done.out, format!("Bob ({bob}): not locked\n"));
    assert_eq!(app.clerk.user(&bob).expect("at Clerk")["locked"], json!(false));
    users(&app, &["lock", &ada, "--yes"]).await.expect(1).says(&["The last admin cannot be locked."]);
    users(&app, &["lock", "user_nobody", "--yes"]).await.expect(1).says(&["user_nobody was not found"]);
    let row = |cells: [&str; 5]| cells.map(str::to_owned);
    assert_eq!(
        trail(&app, &bob).await,
        [
            row([operator(), "lock", "not locked", "locked", "too many tries"]),
            row([operator(), "unlock", "locked", "not locked", ""]),
        ]
    );
    app.clerk.set_levers(Levers::default());
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn e_34_sessions_are_listed_and_all_of_them_ended() {
    let app = TestApp::new().await;
    let ada = someone(&app, "Ada", "user").await;
    users(&app, &["sessions", &ada]).await.expect(0).says(&[&format!("Ada ({ada}) is not signed in")]);
    let none = users(&app, &["revoke-sessions", &ada, "--yes"]).await.expect(0);
    assert_eq!(none.out, format!("Ada ({ada}): sessions ended: 0\n"));
    let (one, other) = (app.token(&ada), app.token(&ada));
    assert_ne!(one, other);
    let listed = users(&app, &["sessions", "ada@example.com", "--json"]).await.expect(0).json();
    let sessions = listed["sessions"].as_array().expect("sessions");
    assert!(!sessions.is_empty() && sessions.iter().all(|session| session["status"] == "active"), "{listed}");
    let first = sessions[0]["id"].as_str().expect("an id");
    users(&app, &["sessions", &ada]).await.expect(0).says(&[first]);

    let asked = users(&app, &["revoke-sessions", &ada]).await.expect(2);
    asked.says(&[&format!("End every session of Ada ({ada})? [yes/no]"), "not confirmed"]);
    let foreseen = users(&app, &["revoke-sessions", &ada, "--dry-run", "--json"]).await.expect(0).json();
    assert_eq!(foreseen, json!({ "clerkId": ada, "ended": sessions.len(), "dryRun": true }));
    let arguments = ["revoke-sessions", &ada, "--yes", "--reason", "a lost telephone"];
    let done = users(&app, &arguments).await.expect(0);
    assert_eq!(done.out, format!("Ada ({ada}): sessions ended: {}\n", sessions.len()));
    users(&app, &["sessions", &ada]).await.expect(0).says(&["is not signed in"]);
    let [actor, action, before, _, reason] = trail(&app, &ada).await.remove(0);
    let before_expected = format!("{} sessions", sessions.len());
    assert_eq!([actor, action, before, reason], [operator(), "revoke_sessions", &before_expected, "a lost telephone"]);
    users(&app, &["sessions", "nobody@example.com"]).await.expect(1).says(&["nobody@example.com was not found"]);
    app.clerk.set_levers(Levers { bapi_status: Some(503), ..Levers::default() });
    users(&app, &["sessions", &ada]).await.expect(2).says(&["Clerk"]);
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}

#[tokio::test]
async fn e_34_refresh_writes_what_clerk_says_of_whoever_was_missed_too() {
    let app = TestApp::new().await;
    let ada = someone(&app, "Ada", "user").await;
    app.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    app.clerk.update_user(&ada, json!({ "first_name": "Augusta" }));
    let bob = app.clerk.create_user(json!({ "email_address": ["bob@example.com"] }));
    let bob = bob["id"].as_str().expect("an id");

    let asked = users(&app, &["refresh", &ada]).await.expect(2);
    asked.says(&[&format!("Ask Clerk about {ada} and write what it says? [yes/no]"), "not confirmed"]);
    let foreseen = users(&app, &["refresh", "ada_name", "--dry-run"]).await.expect(0);
    assert_eq!(foreseen.out, format!("{ada}: would be: updated firstName, name\n"));
    assert_eq!(app.database.user(&ada).await.expect("stored").get_str("firstName").ok(), Some("Ada"));
    assert_eq!(app.database.count("audit", doc! {}).await, 0);
    let done = users(&app, &["refresh", &ada, "--yes", "--reason", "a question", "--json"]).await.expect(0).json();
    let decision = "updated firstName, name";
    assert_eq!(done, json!({ "clerkId": ada, "state": "applied", "decision": decision, "dryRun": false }));
    assert_eq!(app.database.user(&ada).await.expect("stored").get_str("firstName").ok(), Some("Augusta"));
    users(&app, &["refresh", &ada, "--yes"]).await.expect(0).says(&["exactly this was already stored"]);
    let [actor, action, _, _, reason] = trail(&app, &ada).await.remove(0);
    assert_eq!([actor, action, reason], [operator(), "refresh_user", "a question"]);

    users(&app, &["refresh", bob, "--yes"]).await.expect(0).says(&[&format!("{bob}: created")]);
    assert!(app.database.user(bob).await.is_some());
    app.clerk.delete_user(bob);
    // Somebody who has just joined may not be known to all of Clerk yet, and a deletion is for ever.
    users(&app, &["refresh", bob, "--yes"]).await.expect(2).says(&["may be older", "ask again in some minutes"]);
    let long_ago = DateTime::from_millis(DateTime::now().timestamp_millis() - 300_000);
    app.database.set("users", doc! { "clerkId": bob }, doc! { "createdAt": long_ago }).await;
    users(&app, &["refresh", bob, "--yes"]).await.expect(0).says(&[&format!("{bob}: deleted")]);
    users(&app, &["refresh", "nobody@example.com", "--yes"]).await.expect(1).says(&["was not found"]);
    // Nobody is gone on the word of a key that is of another instance (D2-27).
    app.clerk.delete_user(&ada);
    let first = doc! { "instanceId": "ins_first" };
    app.database.set("clerkInstance", doc! { "_id": "only" }, first).await;
    let refused = users(&app, &["refresh", &ada, "--yes"]).await.expect(2);
    refused.says(&["CLERK_SECRET_KEY is of another Clerk instance"]);
    assert_eq!(app.database.user(&ada).await.expect("stored").get("deletedAt"), Some(&Bson::Null));
    assert_eq!(app.database.count("alerts", doc! { "_id": "key-refused:another-instance", "state": "open" }).await, 1);
    app.clerk.set_levers(Levers::default());
    app.finish().await;
}
