//! From a difference to its repair, and to the word that it is repaired; and who did what about a run or an effect.

use std::time::Duration;

use mongodb::bson::{DateTime, Document, doc};
use reqwest::header::ACCEPT;
use serde_json::{Value, json};

use super::{ADA, audited, clock, ended, listed, page, says, send, with_events};
use crate::support::app::TestApp;
use crate::support::eventually_within;

async fn overview(app: &TestApp, admin: &str) -> Value {
    app.get_as(admin, "/api/admin_sync/get_overview").await.json().await.expect("JSON")
}

#[tokio::test]
async fn e_01_once_drift_is_repaired_the_next_step_is_the_proof_and_after_it_the_word_is_healthy() {
    // Ada and Bob are nobody at Clerk.
    let (app, admin) = with_events().await;
    let stop = clock(&app);
    assert_eq!(send(&app, &admin, "/api/runs/start_run", &[("kind", "proof")]).await.status(), 200);
    let proof = ended(&app, "proof", "done").await;
    let path = format!("/admin/sync/runs/{}", proof.get_str("_id").expect("an id"));
    let drifted = overview(&app, &admin).await;
    assert_eq!((&drifted["health"], &drifted["link"]), (&json!("Degraded"), &json!(path)));
    assert!(drifted["next_step"].as_str().is_some_and(|text| text.ends_with("Then prove it.")), "{drifted}");
    says(
        &page(&app, &admin, &path).await,
        &["Bring user_ada up to date?", "becomes a tombstone", "2 people differed.", "Prove it again"],
    );

    let wish = [("id", ADA), ("reason", "left in spring")];
    assert_eq!(send(&app, &admin, "/api/runs/refresh_user", &wish).await.status(), 200);
    assert_eq!(audited(&app, "refresh_user").await.get_str("reason").ok(), Some("left in spring"));
    let row = |shown: &str, id: &str| {
        let row = shown.split("<tr>").find(|row| row.contains(&format!("/admin/users/{id}\""))).map(str::to_owned);
        row.unwrap_or_else(|| panic!("{id} is not in {shown}"))
    };
    let shown = page(&app, &admin, &path).await;
    let (ada, bob) = (row(&shown, ADA), row(&shown, "user_bob"));
    assert!(ada.contains("Brought up to date") && !ada.contains("Bring up to date"), "{ada}");
    assert!(!bob.contains("Brought up to date") && bob.contains("Bring up to date"), "{bob}");
    let mended = overview(&app, &admin).await;
    assert_eq!(mended["next_step"], "Some of it was mended since: prove it.");

    let wish =
        [("kind", "reconcile"), ("allow_deletions", "on"), ("typed", "delete"), ("reason", "the spring clean-up")];
    for missing in 2..4 {
        let refused = send(&app, &admin, "/api/runs/start_run", &wish[..missing]).await;
        assert_eq!(refused.status(), 422, "without the word, or a reason");
    }
    assert_eq!(app.database.count("runs", doc! { "kind": "reconcile" }).await, 0);
    assert_eq!(send(&app, &admin, "/api/runs/start_run", &wish).await.status(), 200);
    ended(&app, "reconcile", "done").await;
    assert_eq!(overview(&app, &admin).await["next_step"], "Some of it was mended since: prove it.");
    says(&page(&app, &admin, &path).await, &["Prove it again"]);
    assert_eq!(send(&app, &admin, "/api/runs/start_run", &[("kind", "proof")]).await.status(), 200);
    eventually_within(Duration::from_secs(30), "the mirror is proved", || async {
        let overview = overview(&app, &admin).await;
        if overview["health"] == "Healthy" && overview["proof"]["is_clean"] == true {
            Ok(())
        } else {
            Err(overview["reason"].to_string())
        }
    })
    .await;
    assert_eq!(app.database.count("runs", doc! { "kind": "proof", "state": "done" }).await, 2);
    let _ = stop.send(true);
    app.finish().await;
}

#[tokio::test]
async fn e_05_whoever_a_run_found_or_skipped_is_listed_a_page_at_a_time_each_list_for_itself() {
    let (app, admin) = with_events().await;
    let stop = clock(&app);
    assert_eq!(send(&app, &admin, "/api/runs/start_run", &[("kind", "proof")]).await.status(), 200);
    let proof = ended(&app, "proof", "done").await;
    let id = proof.get_str("_id").expect("an id");
    let finding = |letter: char, number: usize| {
        let who = format!("user_{letter}{number:03}");
        let (kind, reason) = if letter == 'd' { (Some("missing"), None) } else { (None, Some("Clerk refused it")) };
        doc! {
            "_id": format!("{id}:{letter}:{who}"), "runId": id, "runKind": "proof", "at": DateTime::now(), "dryRun": false,
            "clerkId": who, "kind": kind, "fields": [], "reason": reason,
        }
    };
    let many = (0..120).flat_map(|number| [finding('d', number), finding('s', number)]);
    let findings = app.database.handle().collection::<Document>("findings");
    findings.delete_many(doc! {}).await.expect("removed");
    findings.insert_many(many).await.expect("stored");
    let counts = doc! { "progress.counts.missing": 120_i64, "progress.counts.skipped": 120_i64 };
    app.database.set("runs", doc! { "_id": id }, counts).await;

    let path = format!("/admin/sync/runs/{id}");
    let listed = |shown: &str, letter: char| {
        let sign = format!("href=\"/admin/users/user_{letter}");
        let numbers = shown.match_indices(&sign).map(|(place, _)| shown[place + sign.len()..][..3].to_owned());
        numbers.collect::<Vec<_>>()
    };
    let link = |shown: &str, label: &str, name: &str| {
        let pager = shown.split(&format!("aria-label=\"{label}\"")).nth(1)?.split("</nav>").next()?.to_owned();
        let link = pager.split("<a ").find(|link| link.contains(name))?.split("href=\"").nth(1)?.split('"').next()?;
        Some(link.replace("&amp;", "&"))
    };
    let names = |from: usize, to: usize| (from..to).map(|number| format!("{number:03}")).collect::<Vec<_>>();
    let first = page(&app, &admin, &path).await;
    assert_eq!((listed(&first, 'd'), listed(&first, 's')), (names(0, 50), names(0, 50)));
    says(&first, &["Skipped: 120", "Clerk refused it"]);
    let skipped = "Pages of those skipped";
    assert_eq!(link(&first, skipped, "First page"), None);
    let next = link(&first, skipped, "Next page").expect("more of them");
    let second = page(&app, &admin, &next).await;
    assert_eq!((listed(&second, 'd'), listed(&second, 's')), (names(0, 50), names(50, 100)));
    let next = link(&second, "Pages of differences", "Next page").expect("more of them");
    let both = page(&app, &admin, &next).await;
    assert_eq!((listed(&both, 'd'), listed(&both, 's')), (names(50, 100), names(50, 100)));
    let last = page(&app, &admin, &link(&both, skipped, "Next page").expect("more of them")).await;
    assert_eq!((listed(&last, 'd'), listed(&last, 's')), (names(50, 100), names(100, 120)));
    assert_eq!(link(&last, skipped, "Next page"), None);
    assert_eq!(link(&last, skipped, "First page"), Some(format!("{path}?after=user_d049")));
    let _ = stop.send(true);
    app.finish().await;
}

#[tokio::test]
async fn e_29_a_run_says_who_began_and_cancelled_it_and_why() {
    let (app, admin) = with_events().await;
    let wish = [("kind", "proof"), ("reason", "doubt")];
    assert_eq!(send(&app, &admin, "/api/runs/start_run", &wish).await.status(), 200);
    let run = app.database.find("runs", doc! { "kind": "proof" }).await.expect("a run");
    let id = run.get_str("_id").expect("an id");
    // Without scripts it stands still, so that a question stays open; who wants it anew every few seconds has no question.
    let path = format!("/admin/sync/runs/{id}");
    let (still, moving) = (page(&app, &admin, &path).await, page(&app, &admin, &format!("{path}?fresh=1")).await);
    let is_shown = |page: &str| (page.contains("http-equiv=\"refresh\""), page.contains("Cancel the run"));
    assert_eq!((is_shown(&still), is_shown(&moving)), ((false, true), (true, false)));
    says(&still, &[&format!("{path}?fresh=1")]);
    let wish = [("id", id), ("wish", "cancel"), ("reason", "no doubt any more")];
    assert_eq!(send(&app, &admin, "/api/runs/control_run", &wish).await.status(), 200);
    let shown = page(&app, &admin, &format!("/admin/sync/runs/{id}")).await;
    says(&shown, &["start_run", "doubt", "cancel_run", "no doubt any more", &format!("/admin/users/{admin}")]);
    // The page above it is where one is within, not the page itself.
    assert!(shown.contains("aria-current=\"true\"") && !shown.contains("aria-current=\"page\""));
    says(&page(&app, &admin, "/admin/sync/audit").await, &[&format!("href=\"/admin/sync/runs/{id}\"")]);
    app.finish().await;
}

#[tokio::test]
async fn e_29_a_discarded_effect_says_why_on_its_row_and_the_trail_leads_there() {
    let (app, admin) = with_events().await;
    for (key, kind) in [("welcome:user_ada", "welcome"), ("webhook:user_bob:1", "webhook")] {
        let job = doc! {
            "_id": key, "kind": kind, "clerkId": key.split(':').nth(1).expect("a person"), "body": null, "state": "dead",
            "attempts": 3, "generation": 1_i64, "cause": "refused (550)", "createdAt": DateTime::now(),
        };
        app.database.insert("jobs", job).await;
    }
    let wish = [("id", "welcome:user_ada"), ("reason", "she knows")];
    assert_eq!(send(&app, &admin, "/api/effects/discard_job", &wish).await.status(), 200);
    let shown = page(&app, &admin, "/admin/sync/effects?person=user_ada").await;
    says(
        &shown,
        &["discarded: she knows; before: refused (550)", "u•••@example.com", "id=\"effect-welcome:user_ada\""],
    );
    assert!(!shown.contains("user_ada@example.com"), "the address is on her page only");
    let trail = page(&app, &admin, "/admin/sync/audit").await;
    says(&trail, &["/admin/sync/effects?kind=welcome&amp;person=user_ada#effect-welcome:user_ada"]);
    app.finish().await;
}

#[tokio::test]
async fn e_09_the_list_begins_with_the_filter_that_an_admin_chose_and_shows_everything_when_asked() {
    let (app, admin) = with_events().await;
    let saved = [("name", "About nobody"), ("query", "state=ignored")];
    assert_eq!(send(&app, &admin, "/api/events/save_filter", &saved).await.status(), 200);
    let id = app.database.find("filters", doc! {}).await.expect("one").get_object_id("_id").expect("an id").to_hex();
    let choose = |is_wanted: bool| {
        let (app, admin, id) = (&app, &admin, &id);
        async move {
            let mut fields = vec![("id", id.as_str())];
            fields.extend(is_wanted.then_some(("wanted", "on")));
            send(app, admin, "/api/events/set_default_filter", &fields).await.status().as_u16()
        }
    };
    let visit = |path: &'static str| {
        let asked = app.client.get(app.at(path)).bearer_auth(app.token(&admin)).header(ACCEPT, "text/html");
        async move { asked.send().await.expect("an answer") }
    };
    let list = "/admin/sync/events";
    assert_eq!(visit(list).await.status(), 200);
    assert_eq!(choose(true).await, 200);
    let led = visit(list).await;
    assert_eq!(led.status(), 302);
    assert_eq!(led.headers()["location"], format!("{list}?state=ignored"));
    assert_eq!(listed(&page(&app, &admin, "/admin/sync/events?all=1").await).len(), 4);
    assert_eq!(listed(&page(&app, &admin, "/admin/sync/events?state=applied").await).len(), 3);
    says(&page(&app, &admin, "/admin/sync/events?state=ignored").await, &["(the first view)"]);
    assert_eq!(choose(false).await, 200);
    assert_eq!(visit(list).await.status(), 200);
    // What can be asked for is said also where something was not understood.
    let unclear = app.get_as(&admin, "/admin/sync/events?q=colour%3Ared").await;
    assert_eq!(unclear.status(), 400);
    says(&unclear.text().await.expect("text"), &["type:user.updated", "About nobody"]);
    app.finish().await;
}
