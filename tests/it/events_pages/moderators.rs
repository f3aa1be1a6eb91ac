//! What a moderator sees of the mirror (E-28): every page about what happened, with nothing on it that would change anything,
//! nothing personal and nothing of the audit trail; and that nothing else opens to them.

use std::collections::BTreeSet;
use std::time::Duration;

use mongodb::bson::{DateTime, Document, doc};
use reqwest::Response;
use reqwest::header::{ACCEPT, COOKIE, SET_COOKIE};
use serde_json::{Value, json};

use super::{ADA, clock, ended, page, says, send, with_events};
use crate::support::app::TestApp;

const WHY_NOT: &str = "Moderators look. Changes are for admins.";
/// What every page's frame posts.
const FRAME: [&str; 3] = ["/preferences", "/sign-out", "/theme"];
/// What stays the admins'.
const CLOSED: [&str; 4] = ["/admin/sync/connection", "/admin/sync/audit", "/admin/activity", "/admin/sync/replay"];
const CAUSE: &str = "MongoDB refused (code 121)";
const MUTED: &str = "the stored document cannot be read";

/// Somebody who was an admin and kept a filter with which the list begins, and is a moderator now.
async fn moderator(app: &TestApp, admin: &str) -> String {
    let attributes = json!({ "email_address": ["mo@example.com"], "public_metadata": { "role": "admin" } });
    let id = app.person(attributes).await;
    let kept = [("name", "Mine"), ("query", "state=dead")];
    assert_eq!(send(app, &id, "/api/events/save_filter", &kept).await.status(), 200);
    let begin = [("id", &*filter(app).await), ("wanted", "on")];
    assert_eq!(send(app, &id, "/api/events/set_default_filter", &begin).await.status(), 200);
    assert_eq!(open_list(app, &id).await.status(), 302, "on to the filter");
    let given = [("id", &*id), ("role", "moderator"), ("reason", "support")];
    assert_eq!(send(app, admin, "/api/admin_users/change_role", &given).await.status(), 200);
    // Clerk has it, and has said so.
    app.jobs_settled().await;
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    app.settled().await;
    id
}

/// The list as a browser opens it.
async fn open_list(app: &TestApp, id: &str) -> Response {
    let asked = app.client.get(app.at("/admin/sync/events")).bearer_auth(app.token(id)).header(ACCEPT, "text/html");
    asked.send().await.expect("an answer")
}

async fn filter(app: &TestApp) -> String {
    let kept = app.database.find("filters", doc! {}).await.expect("a filter");
    kept.get_object_id("_id").expect("an id").to_hex()
}

/// Two causes, one of them muted; an effect that was given up; a body that was shown. The admin, then the moderator.
async fn with_failures() -> (TestApp, String, String) {
    let (app, admin) = with_events().await;
    let moderator = moderator(&app, &admin).await;
    for (id, decision) in [("msg_t_1", CAUSE), ("msg_t_3", MUTED)] {
        app.database.set("events", doc! { "_id": id }, doc! { "state": "dead", "decision": decision }).await;
    }
    let job = doc! {
        "_id": "welcome:user_ada", "kind": "welcome", "clerkId": ADA, "body": "{}", "state": "dead", "attempts": 3,
        "generation": 1_i64, "cause": "refused (550)", "createdAt": DateTime::now(), "finishedAt": DateTime::now(),
    };
    app.database.insert("jobs", job).await;
    assert_eq!(
        send(&app, &admin, "/api/events/mute_failures", &[("cause", MUTED), ("hours", "8")]).await.status(),
        200
    );
    assert_eq!(send(&app, &admin, "/api/events/reveal_payload", &[("id", "msg_t_2")]).await.status(), 200);
    (app, admin, moderator)
}

/// Begins a proof; its id.
async fn begin_proof(app: &TestApp, admin: &str) -> String {
    let wish = [("kind", "proof"), ("reason", "in doubt")];
    assert_eq!(send(app, admin, "/api/runs/start_run", &wish).await.status(), 200);
    let run = app.database.find("runs", doc! { "kind": "proof" }).await.expect("a run");
    run.get_str("_id").expect("an id").to_owned()
}

/// Where the forms of a page post to.
fn posted(page: &str) -> BTreeSet<&str> {
    let tags = page.split("<form").skip(1).filter_map(|rest| rest.split('>').next());
    let posting = tags.filter(|tag| tag.contains("method=\"post\""));
    posting
        .map(|tag| tag.split_once("action=\"").and_then(|(_, rest)| rest.split('"').next()).expect("where"))
        .collect()
}

/// The same page by both: what there is to do on it is the admin's, and the words are there for both.
async fn assert_looked_at(app: &TestApp, (admin, moderator): (&str, &str), path: &str, done: &[&str], words: &[&str]) {
    let (theirs, own) = (page(app, admin, path).await, page(app, moderator, path).await);
    says(&theirs, words);
    says(&own, words);
    assert!(done.iter().all(|action| posted(&theirs).contains(action)), "{path}: {:?}", posted(&theirs));
    assert_eq!(posted(&own), BTreeSet::from(FRAME), "{path}");
    assert_eq!((own.matches(WHY_NOT).count(), theirs.matches(WHY_NOT).count()), (1, 0), "{path}");
    for closed in CLOSED {
        let is_led = ["href", "action", "formaction"].iter().any(|way| own.contains(&format!("{way}=\"{closed}")));
        assert!(!is_led, "{path} leads to {closed}");
    }
    for word in ["in doubt", "Done about it", "Mine"] {
        assert!(!own.contains(word), "{path}: {word}");
    }
}

#[tokio::test]
async fn e_28_a_moderator_reads_every_page_about_the_mirror_and_finds_no_form_that_changes_anything() {
    let (app, admin, moderator) = with_failures().await;
    let both = (&*admin, &*moderator);
    let going_on = begin_proof(&app, &admin).await;
    let going_on_path = format!("/admin/sync/runs/{going_on}");
    let control = &["/api/runs/control_run"][..];
    assert_looked_at(&app, both, &going_on_path, control, &["running"]).await;
    assert_looked_at(&app, both, "/admin/sync/runs", control, &["Going on: "]).await;
    app.database.remove("runs", doc! { "_id": going_on }).await;
    // Ada and Bob are nobody at Clerk.
    let stop = clock(&app);
    begin_proof(&app, &admin).await;
    let proof = ended(&app, "proof", "done").await;
    let _ = stop.send(true);
    let proof_path = format!("/admin/sync/runs/{}", proof.get_str("_id").expect("an id"));
    for (path, done, words) in [
        ("/admin/sync", &[][..], &["Last 50 events", "s limit", "Look at the proof"][..]),
        ("/admin/sync/events?type=user.created", &["/api/events/save_filter"], &["msg_t_1", "msg_t_3"]),
        ("/admin/sync/events?type=none", &[], &["Nothing matches"]),
        ("/admin/sync/events/msg_t_1?preview=1", &["/api/events/replay_event"], &[CAUSE]),
        ("/admin/sync/events/msg_t_1", &["/api/events/discard_event", "/api/events/reveal_payload"], &[CAUSE]),
        (
            "/admin/sync/events/msg_t_2",
            &["/api/events/reveal_payload"],
            &["updated firstName", "Personal data is masked."],
        ),
        (
            "/admin/sync/failures",
            &["/api/events/mute_failures", "/api/events/unmute_failures"],
            &[CAUSE, MUTED, "Muted until", "Show them"],
        ),
        ("/admin/sync/runs", &["/api/runs/start_run"], &["History", &*proof_path]),
        (
            &*proof_path,
            &["/api/runs/refresh_user", "/api/runs/start_run"],
            &["gone at Clerk", ADA, "2 people differed."],
        ),
        ("/admin/sync/effects", &["/api/effects/retry_job", "/api/effects/discard_job"], &["welcome:user_ada"]),
    ] {
        assert_looked_at(&app, both, path, done, words).await;
    }
    // The list begins with everything: whoever keeps filters is an admin.
    let list = open_list(&app, &moderator).await;
    assert_eq!(list.status(), 200);
    says(&list.text().await.expect("text"), &["msg_t_4", "href=\"/admin/users/user_bob\""]);
    let overview = page(&app, &moderator, "/admin/sync").await;
    for path in ["", "/events", "/failures", "/runs", "/effects"] {
        assert!(overview.contains(&format!("href=\"/admin/sync{path}\"")), "the way to {path}");
    }
    says(&page(&app, &moderator, "/").await, &["See the sync"]);
    // From somebody's timeline to the events of it.
    says(&page(&app, &moderator, &format!("/admin/users/{ADA}")).await, &["href=\"/admin/sync/events/msg_t_1\""]);
    app.finish().await;
}

#[tokio::test]
async fn e_28_what_is_personal_and_what_admins_did_is_told_to_no_moderator() {
    let (app, admin, moderator) = with_failures().await;
    let asked = app.client.post(app.at("/api/events/reveal_payload")).bearer_auth(app.token(&admin));
    let answer = asked.header(ACCEPT, "text/html").form(&[("id", "msg_t_2")]).send().await.expect("an answer");
    let cookie = answer.headers()[SET_COOKIE].to_str().expect("text").split(';').next().expect("a pair").to_owned();
    let mut bodies = Vec::new();
    for id in [&admin, &moderator] {
        let look = app.client.get(app.at("/admin/sync/events/msg_t_2")).bearer_auth(app.token(id));
        let shown = look.header(COOKIE, &cookie).send().await.expect("an answer").text().await.expect("text");
        bodies.push(shown.contains("Augusta") || shown.contains("user_ada@example.com"));
    }
    assert_eq!(bodies, [true, false], "not even by what an admin was shown");
    let read = async |id: &str, path: &str| app.get_as(id, path).await.json::<Value>().await.expect("JSON");
    let run = begin_proof(&app, &admin).await;
    for path in ["/api/events/get_event?id=msg_t_2".to_owned(), format!("/api/runs/get_run?id={run}")] {
        let entries = async |id: &str| read(id, &path).await["trail"].as_array().map(Vec::len);
        let (theirs, own) = (entries(&admin).await, entries(&moderator).await);
        assert!(theirs.is_some_and(|entries| entries > 0) && own == Some(0), "{path}: {theirs:?}, {own:?}");
    }
    let event = read(&moderator, "/api/events/get_event?id=msg_t_2").await;
    assert_eq!(event["payload"]["Kept"]["is_masked"], true, "{event}");
    let choices = read(&moderator, "/api/events/list_choices").await;
    assert!(choices["kinds"].as_array().is_some_and(|kinds| !kinds.is_empty()), "{choices}");
    assert_eq!(choices["saved"], json!([]));
    app.finish().await;
}

/// All that a change could be seen by.
async fn state(app: &TestApp) -> Vec<Vec<Document>> {
    let mut all = Vec::new();
    for collection in ["events", "jobs", "runs", "mutes", "filters", "audit"] {
        all.push(app.database.all(collection).await);
    }
    all
}

#[tokio::test]
async fn e_28_every_change_and_every_page_of_the_admins_is_refused_to_a_moderator() {
    let (app, admin, moderator) = with_failures().await;
    let run = begin_proof(&app, &admin).await;
    let filter = filter(&app).await;
    app.jobs_settled().await;
    app.settled().await;
    let before = state(&app).await;
    let (run, filter, own) = (&*run, &*filter, &*moderator);
    for (path, fields) in [
        ("/api/events/reveal_payload", &[("id", "msg_t_2")][..]),
        ("/api/events/replay_event", &[("id", "msg_t_1"), ("reason", "r")]),
        ("/api/events/discard_event", &[("id", "msg_t_1"), ("reason", "r")]),
        ("/api/events/mute_failures", &[("cause", CAUSE), ("hours", "8")]),
        ("/api/events/unmute_failures", &[("cause", MUTED)]),
        ("/api/events/replay_events", &[("query", "state=dead"), ("reason", "r")]),
        ("/api/events/replay_events", &[("query", "state=dead"), ("rehearsal", "on")]),
        ("/api/events/save_filter", &[("name", "New"), ("query", "state=dead")]),
        ("/api/events/rename_filter", &[("id", filter), ("name", "New")]),
        ("/api/events/set_default_filter", &[("id", filter)]),
        ("/api/events/delete_filter", &[("id", filter)]),
        ("/api/runs/start_run", &[("kind", "backfill")]),
        ("/api/runs/control_run", &[("id", run), ("wish", "pause")]),
        ("/api/runs/control_run", &[("id", run), ("wish", "cancel"), ("reason", "r")]),
        ("/api/runs/refresh_user", &[("id", ADA), ("reason", "r")]),
        ("/api/effects/retry_job", &[("id", "welcome:user_ada")]),
        ("/api/effects/discard_job", &[("id", "welcome:user_ada"), ("reason", "r")]),
        ("/api/trail/verify_trail", &[]),
        ("/api/connection/send_test_event", &[]),
        ("/api/connection/examine", &[]),
        ("/api/admin_users/change_role", &[("id", own), ("role", "admin")]),
        ("/admin/sync/audit/export", &[("format", "csv")]),
    ] {
        assert_eq!(send(&app, &moderator, path, fields).await.status(), 403, "{path} {fields:?}");
    }
    for path in CLOSED.into_iter().chain([
        "/admin/sync/replay?state=dead",
        "/admin/role-changes",
        "/api/events/get_replay_preview?query=state%3Ddead",
        "/api/connection/get_connection",
        "/api/trail/list_trail",
        "/api/activity/get_activity",
    ]) {
        let answer = app.get_as(&moderator, path).await;
        assert_eq!(answer.status(), 403, "{path}");
        let shown = answer.text().await.expect("text");
        assert!(!shown.contains("aria-label=\"Sync pages\"") && posted(&shown).len() <= FRAME.len(), "{path}: {shown}");
    }
    assert_eq!(state(&app).await, before, "nothing is changed, and nothing is on record");
    app.finish().await;
}
