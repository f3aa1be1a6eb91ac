//! What is refused: nothing that was typed is lost, the way back is whole, and it is said on a page, with what to do next.

use std::hint::black_box;
use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use mongodb::bson::{Document, doc};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, REFERER, SET_COOKIE};
use reqwest::{RequestBuilder, Response};
use rollcall::server::http::{Shared, layers};
use rollcall::standin::levers::Levers;
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::user_event;

async fn someone(app: &TestApp, name: &str, role: &str) -> String {
    let address = format!("{}@example.com", name.to_lowercase());
    let attributes = json!({ "email_address": [address], "first_name": name, "public_metadata": { "role": role } });
    app.person(attributes).await
}

/// A form as a browser without JavaScript sends it from this page.
fn form(app: &TestApp, path: &str, body: &str, from: &str) -> RequestBuilder {
    let post = app.client.post(app.at(path)).header("sec-fetch-site", "same-origin").header(ACCEPT, "text/html");
    let post = post.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.to_owned());
    post.header(REFERER, app.at(from))
}

/// The page that this answer leads to, which must be this one.
async fn led_to(app: &TestApp, by: &str, answer: Response, path: &str) -> String {
    let location = answer.headers().get(LOCATION).map(|value| value.to_str().expect("text"));
    assert_eq!((answer.status().as_u16(), location), (303, Some(path)));
    let cookie = answer.headers()[SET_COOKIE].to_str().expect("text").split(';').next().expect("a pair").to_owned();
    let page = app.client.get(app.at(path)).bearer_auth(app.token(by)).header(COOKIE, cookie);
    page.send().await.expect("an answer").text().await.expect("text")
}

/// A form that is refused leads back to the page it was sent from.
async fn refused(app: &TestApp, by: &str, path: &str, body: &str, from: &str) -> String {
    let answer = form(app, path, body, from).bearer_auth(app.token(by)).send().await.expect("an answer");
    led_to(app, by, answer, from).await
}

/// The question with this id, if it is asked again.
#[track_caller]
fn question<'a>(page: &'a str, id: &str) -> &'a str {
    let dialog = format!("<dialog id=\"{id}\"");
    assert!(page.contains(&dialog), "no {id} in:\n{page}");
    let rest = page.split_once(&dialog).expect("it is there").1;
    let question = rest.split_once("</dialog>").expect("its end").0;
    let tag = question.split_once('>').expect("a tag").0;
    assert!(tag.contains(" open"), "{id} is not asked again: {tag}");
    question
}

#[track_caller]
fn says(page: &str, words: &[&str]) {
    for word in words {
        assert!(page.contains(word), "{word:?} is not in:\n{page}");
    }
}

/// The notice's own tag.
#[track_caller]
fn notice(page: &str) -> &str {
    assert!(page.contains("role=\"alert\""), "no notice in:\n{page}");
    let at = page.find("role=\"alert\"").expect("it is there");
    let start = page[..at].rfind('<').expect("a tag");
    page[start..].split_once('>').expect("its end").0
}

#[tokio::test]
async fn c_11_a_wrongly_typed_id_erases_nobody_and_leaves_them_at_clerk_the_second_time_too() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let path = format!("/admin/users/{member}");
    let body = format!("id={member}&typed=user_typo&keep_at_clerk=true&reason=asked+for");
    let page = refused(&app, &admin, "/api/admin_users/erase_user", &body, &path).await;
    let again = question(&page, "erase");
    says(
        again,
        &["value=\"user_typo\"", "value=\"asked for\"", " checked", "nobody was erased", "aria-invalid=\"true\""],
    );
    assert!(!notice(&page).contains("autofocus"), "the field has the focus");
    let without = format!("id={member}&typed=user_typo");
    let page = refused(&app, &admin, "/api/admin_users/erase_user", &without, &path).await;
    assert!(!question(&page, "erase").contains(" checked"), "what was not ticked is not ticked");
    let body = format!("id={member}&typed={member}&keep_at_clerk=true&reason=asked+for");
    let answer = form(&app, "/api/admin_users/erase_user", &body, &path).bearer_auth(app.token(&admin));
    let page = led_to(&app, &admin, answer.send().await.expect("an answer"), &path).await;
    says(&page, &["Erased."]);
    assert!(app.clerk.user(&member).is_some(), "still at Clerk");
    app.finish().await;
}

#[tokio::test]
async fn e_13_e_20_a_reason_that_was_typed_is_there_again_in_every_form_about_people() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let path = format!("/admin/users/{member}?before=1750000000000.0");
    app.clerk.set_levers(Levers { bapi_status: Some(422), ..app.clerk.levers() });
    for (verb, id) in [("ban", "ban"), ("lock", "lock"), ("revoke_sessions", "revoke-sessions")] {
        let body = format!("id={member}&reason=because+of+{verb}");
        let page = refused(&app, &admin, &format!("/api/admin_users/{verb}"), &body, &path).await;
        says(question(&page, id), &[&format!("value=\"because of {verb}\"")]);
        assert!(notice(&page).contains("autofocus"), "{verb}: no field says it, so the notice is read out");
        assert_eq!(page.matches(&format!("because of {verb}")).count(), 1, "{verb}: in no other form");
    }
    app.clerk.set_levers(Levers::default());
    let long = "x".repeat(501);
    let body = format!("id={member}&role=moderator&reason={long}");
    let page = refused(&app, &admin, "/api/admin_users/change_role", &body, &path).await;
    says(&page, &[&long, "At most 500 characters", "<option value=\"moderator\" selected"]);
    let from = format!("/admin/role-changes?id={member}&role=moderator");
    let body = format!("ids={member}&role=moderator&reason={long}");
    let page = refused(&app, &admin, "/api/admin_users/change_roles", &body, &from).await;
    says(&page, &[&long, "At most 500 characters", "Make 1 person moderator"]);
    app.finish().await;
}

#[tokio::test]
async fn e_20_what_was_typed_and_picked_about_events_runs_and_effects_is_there_again() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    app.deliver("msg_r_1", &user_event("user.created", "user_ada", "Ada", 1_750_000_001_000)).await;
    app.settled().await;
    let begun = app.post_as(Some(&admin), "/api/runs/start_run", "kind=proof").await;
    assert_eq!(begun.status(), 200);
    // Another run is going on, so no replay begins.
    let from = "/admin/sync/replay?id=msg_r_1";
    let body = "ids=msg_r_1&query=&effects=on&reason=after+a+restore";
    let page = refused(&app, &admin, "/api/events/replay_events", body, from).await;
    says(question(&page, "replay"), &["value=\"after a restore\"", " checked", "msg_r_1"]);
    let from = "/admin/sync/runs?before=zzz";
    let begun = form(&app, "/api/runs/start_run", "kind=everything&dry_run=on&reason=doubt", from);
    let begun = begun.bearer_auth(app.token(&admin)).send().await.expect("an answer");
    assert_eq!(begun.headers()[LOCATION].to_str().ok(), Some(from), "with what its address says");
    for (path, body, words, from) in [
        ("/api/events/mute_failures", "cause=x&hours=0", "for an hour to a month", "/admin/sync/failures?state=dead"),
        ("/api/effects/retry_job", "id=none&reason=r", "This job was not found.", "/admin/sync/effects?state=dead"),
        ("/api/effects/discard_job", "id=none&reason=r", "This job was not found.", "/admin/sync/effects?state=dead"),
    ] {
        says(&refused(&app, &admin, path, body, from).await, &[words]);
    }
    let from = "/admin/sync/events/msg_r_1";
    let page = refused(&app, &admin, "/api/events/discard_event", "id=msg_r_1&reason=mistaken", from).await;
    assert!(notice(&page).contains("autofocus"), "it is finished, and no field says so");
    app.finish().await;
}

#[tokio::test]
async fn e_31_every_link_leads_through_sign_in_and_back_to_all_of_its_address() {
    let app = TestApp::with(Wishes { production_clerk: true, ..Wishes::default() }).await;
    for path in [
        "/admin/sync/events/msg_1",
        "/admin/sync/events?type=user.created&status=dead&q=user%3Aada",
        "/admin/sync/runs/run_1?page=2",
        "/admin/sync/effects?state=dead&person=user_1",
        "/admin/sync/audit?action=ban",
        "/admin/sync/replay?id=msg_1&id=msg_2",
        "/admin/sync/failures?state=dead",
        "/admin/users?q=a%26b&role=user",
        "/admin/users/user_1?before=1.0",
        "/admin/role-changes?id=user_1&role=moderator",
        "/people?q=a%26b%23c%25",
    ] {
        let answer = app.visit("", path).await;
        let location = answer.headers()[LOCATION].to_str().expect("text");
        let asked = url::Url::parse("http://localhost").and_then(|base| base.join(location)).expect("an address");
        let back = asked.query_pairs().find(|(name, _)| name == "redirect_url").expect("the way back").1;
        assert_eq!((answer.status().as_u16(), asked.path(), back.as_ref()), (302, "/sign-in", path));
    }
    app.finish().await;
}

#[tokio::test]
async fn e_03_a_failure_says_its_id_and_the_next_step_and_no_wrong_one() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    for (path, list) in [
        ("/admin/sync/events/msg_none", "/admin/sync/events"),
        ("/admin/sync/runs/none", "/admin/sync/runs"),
        ("/admin/users/user_none", "/admin/users"),
        ("/people/nobody", "/people"),
    ] {
        let answer = app.get_as(&admin, path).await;
        assert_eq!(answer.status(), 404, "{path}");
        let id = answer.headers()["x-request-id"].to_str().expect("text").to_owned();
        let page = answer.text().await.expect("text");
        says(&page, &[&id, "Tell an operator this id", "was not found", &format!("href=\"{list}\"")]);
        assert!(!page.contains("Sign in again") && !page.contains("Sign out and in again"), "{path}");
    }
    let page = app.get_as(&member, "/admin/users").await.text().await.expect("text");
    says(&page, &["Admins only", "Ask an admin for the role."]);
    let boss = someone(&app, "Boss", "admin").await;
    assert_eq!(app.post_as(Some(&boss), "/api/admin_users/ban", &format!("id={admin}")).await.status(), 200);
    let answer = app.get_as(&admin, "/admin/users").await;
    assert_eq!(answer.status(), 403);
    let page = answer.text().await.expect("text");
    says(&page, &["This account is banned or deleted."]);
    assert!(!page.contains("Ask an admin for the role"), "a role would not help");
    app.finish().await;
}

#[tokio::test]
async fn e_14_what_no_field_says_has_the_focus() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    someone(&app, "Boss", "admin").await;
    let path = format!("/admin/users/{admin}");
    for (verb, words) in [("ban", "You cannot ban yourself."), ("change_role", "You cannot change your own role.")] {
        let body = format!("id={admin}&role=user&reason=r");
        let body = if verb == "ban" { format!("id={admin}&reason=r") } else { body };
        let page = refused(&app, &admin, &format!("/api/admin_users/{verb}"), &body, &path).await;
        says(&page, &[words]);
        assert!(notice(&page).contains("autofocus"), "{verb}: {}", notice(&page));
    }
    app.finish().await;
}

#[tokio::test]
async fn e_03_a_file_that_is_refused_and_a_sign_out_that_fails_are_said_on_a_page() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let from = format!("/admin/users/{member}?before=1.0");
    let nobody = refused(&app, &admin, "/admin/users/export", "id=user_nobody", &from).await;
    says(&nobody, &["This person was not found.", "Rollcall"]);
    let refused_to_member = refused(&app, &member, "/admin/users/csv", "", "/profile").await;
    says(&refused_to_member, &["You are not allowed to do this.", "Your profile"]);
    let trail = refused(&app, &admin, "/admin/sync/audit/export", "action=nothing", "/admin/sync/audit").await;
    says(&trail, &["Nothing is called nothing."]);
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..app.clerk.levers() });
    let token = app.token(&admin);
    let out = form(&app, "/sign-out", "", "/people?q=a")
        .header(COOKIE, format!("__clerk_db_jwt=dvb_test; __client_uat=1; __session={token}"));
    let out = out.send().await.expect("an answer");
    app.clerk.set_levers(Levers::default());
    says(&led_to(&app, &admin, out, "/people?q=a").await, &["you are still signed in"]);
    app.finish().await;
}

/// Somebody else's hand was in a document: a page like any other says so, with the id by which the log tells the cause.
#[tokio::test]
async fn d5_26_e_03_what_is_our_fault_is_a_page_with_an_id_and_no_cause() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let users = app.database.handle().collection::<Document>("users");
    let spoil = users.update_one(doc! { "clerkId": &member }, doc! { "$set": { "createdAt": "long ago" } });
    spoil.bypass_document_validation(true).await.expect("spoiled");
    let answer = app.get_as(&admin, &format!("/admin/users/{member}")).await;
    assert_eq!(answer.status(), 500);
    let id = answer.headers()["x-request-id"].to_str().expect("text").to_owned();
    let page = answer.text().await.expect("text");
    says(&page, &["Something went wrong", "tell an operator the id below", &id, "Load again"]);
    assert!(!page.contains("createdAt") && !page.contains("long ago"), "{page}");
    users.delete_one(doc! { "clerkId": &member }).await.expect("gone");
    app.finish().await;
}

#[tokio::test]
async fn d5_26_what_panics_is_answered_with_an_id_and_no_cause() {
    let app = TestApp::new().await;
    let shared = Shared(Arc::clone(&app.state));
    let fault = || async { black_box(None::<&str>).expect("a fault of ours") };
    let surround = from_fn_with_state(shared.clone(), layers::surround);
    let router: Router = Router::new().route("/fault", get(fault)).layer(surround).with_state(shared);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = format!("http://{}/fault", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    for _ in 0..2 {
        let answer = app.client.get(&address).send().await.expect("an answer");
        assert_eq!(answer.status(), 500);
        assert_eq!(answer.headers()["x-request-id"].len(), 32);
        assert_eq!(answer.text().await.expect("text"), "Something went wrong on our side.");
    }
    app.finish().await;
}
