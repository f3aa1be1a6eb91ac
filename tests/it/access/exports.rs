//! Files that are taken away: one at a time for each person (D5-22), by no link (D5-05), and on record.

use mongodb::bson::{DateTime, Document, doc};
use reqwest::Response;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};

use crate::profile::{landed, send};
use crate::support::app::TestApp;
use crate::support::eventually;

const TRAIL: &str = "/admin/sync/audit/export";
/// More than the two ends of a connection hold between them.
const ENTRIES: i64 = 2_000;
const LONG: usize = 20_000;

async fn admin(app: &TestApp, name: &str) -> String {
    let address = format!("{name}@example.com");
    app.person(json!({ "email_address": [address], "public_metadata": { "role": "admin" } })).await
}

/// A trail that takes a while to send.
async fn long_trail(app: &TestApp) {
    let entry = |number: i64| {
        doc! {
            "_id": number, "at": DateTime::now(), "actor": "cli:keeper", "session": null, "source": "cli", "action": "ban",
            "subject": "user_x", "before": null, "after": null, "reason": "r".repeat(LONG), "previous": "", "seal": "",
        }
    };
    let entries: Vec<Document> = (1..=ENTRIES).map(entry).collect();
    app.database.handle().collection("audit").insert_many(entries).await.expect("entries");
}

async fn export(app: &TestApp, id: &str, path: &str, body: &str) -> Response {
    app.post_as(Some(id), path, body).await
}

async fn taken(app: &TestApp) -> u64 {
    let files = ["export_audit", "export_users", "export_user"];
    app.database.count("audit", doc! { "action": { "$in": files.to_vec() } }).await
}

#[tokio::test]
async fn d5_22_a_second_file_waits_for_the_first_and_its_turn_comes_when_that_is_done_or_given_up() {
    let app = TestApp::new().await;
    let (one, other) = (admin(&app, "one").await, admin(&app, "other").await);
    long_trail(&app).await;
    let files = [
        (TRAIL, "format=csv".to_owned()),
        ("/admin/users/csv", String::new()),
        ("/admin/users/export", format!("id={other}")),
        ("/profile/export", String::new()),
    ];
    // The beginning of it is read, and then nothing more.
    let mut first = export(&app, &one, TRAIL, "format=json").await;
    assert_eq!(first.status(), 200);
    assert!(first.chunk().await.expect("a part").is_some());
    for (path, body) in &files {
        let second = export(&app, &one, path, body).await;
        assert_eq!(second.status(), 429, "{path}");
        assert!(second.headers()[RETRY_AFTER].to_str().is_ok_and(|text| text.parse::<u32>().is_ok()), "{path}");
        assert!(second.text().await.expect("text").contains("another export of yours"), "{path}");
    }
    let token = app.token(&one);
    let plain = send(&app, &token, "/profile/export", &[]).await;
    assert!(landed(&app, &token, plain, "/").await.contains("Another export of yours is still on its way."));
    assert_eq!(taken(&app).await, 1, "what was refused was not taken");
    // Somebody else's turn is their own.
    for (path, body) in &files[1..] {
        let theirs = export(&app, &other, path, body).await;
        assert_eq!(theirs.status(), 200, "{path}");
        theirs.bytes().await.expect("the whole file");
    }
    assert_eq!(taken(&app).await, 4);
    // Whoever goes away in the middle gives the turn back.
    drop(first);
    let again = eventually("the turn is given back", || async {
        let answer = export(&app, &one, TRAIL, "format=csv").await;
        if answer.status() == 200 { Ok(answer) } else { Err(answer.status().to_string()) }
    })
    .await;
    let whole = again.bytes().await.expect("the whole file");
    assert!(whole.len() > LONG * usize::try_from(ENTRIES).expect("a number"));
    // And so does its end.
    for (path, body) in &files[1..] {
        let next = eventually("the next file", || async {
            let answer = export(&app, &one, path, body).await;
            if answer.status() == 200 { Ok(answer) } else { Err(format!("{path}: {}", answer.status())) }
        });
        next.await.bytes().await.expect("the whole file");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_22_of_many_files_asked_for_at_once_each_person_gets_one() {
    let app = TestApp::new().await;
    let admins = [admin(&app, "one").await, admin(&app, "other").await];
    long_trail(&app).await;
    let asks = admins.iter().flat_map(|id| (0..8).map(|_| export(&app, id, TRAIL, "format=json")));
    let answers = futures::future::join_all(asks).await;
    for of_one in answers.chunks(8) {
        let count = |status: u16| of_one.iter().filter(|answer| answer.status() == status).count();
        assert_eq!((count(200), count(429)), (1, 7));
    }
    assert_eq!(taken(&app).await, 2);
    drop(answers);
    app.finish().await;
}

#[tokio::test]
async fn d5_05_e_17_the_trail_is_taken_by_a_form_as_csv_or_as_lines_of_json_and_that_is_in_it() {
    let app = TestApp::new().await;
    let id = admin(&app, "one").await;
    for path in [TRAIL, "/profile/export", "/admin/users/csv", "/admin/users/export"] {
        assert_eq!(app.get_as(&id, path).await.status(), 405, "{path}");
        let foreign = app.client.post(app.at(path)).header("sec-fetch-site", "cross-site").bearer_auth(app.token(&id));
        assert_eq!(foreign.send().await.expect("an answer").status(), 403, "{path}");
    }
    assert_eq!(taken(&app).await, 0, "a link takes nothing, and leaves no trace");
    let shown = app.get_as(&id, "/admin/sync/audit?action=ban&actor=a%26b").await.text().await.expect("text");
    for text in ["action=\"/admin/sync/audit/export\"", "value=\"json\"", "value=\"ban\"", "value=\"a&amp;b\""] {
        assert!(shown.contains(text), "{text}: {shown}");
    }
    let csv = export(&app, &id, TRAIL, "").await;
    assert_eq!(csv.headers()["content-disposition"], "attachment; filename=\"audit.csv\"");
    assert_eq!(csv.headers()["cache-control"], "private, no-store");
    let csv = csv.text().await.expect("text");
    assert!(csv.starts_with("\u{feff}number,at,actor,") && csv.contains("\"export_audit\",\"audit.csv\""), "{csv}");
    let lines = export(&app, &id, TRAIL, "format=json&action=export_audit&from=2020-01-01").await;
    assert_eq!(lines.headers()["content-disposition"], "attachment; filename=\"audit.jsonl\"");
    let lines = lines.text().await.expect("text");
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let subjects: Vec<&str> = rows.iter().filter_map(|row| row["subject"].as_str()).collect();
    assert_eq!(subjects, ["audit.jsonl", "audit.csv"]);
    let none = export(&app, &id, TRAIL, "format=json&action=ban").await.text().await.expect("text");
    assert_eq!(none, "");
    app.finish().await;
}
