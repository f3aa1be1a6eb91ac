//! What admins do about somebody, what is refused to whom, and what is on record afterwards.

use mongodb::bson::{Document, doc};
use rollcall::standin::levers::Levers;
use rollcall::standin::token::TokenOptions;
use serde_json::{Value, json};

use crate::admin_users::{page, post, read, someone, submit, text_of, trail};
use crate::support::app::TestApp;
use crate::support::eventually;

#[tokio::test]
async fn e_13_a_role_given_by_a_plain_form_is_in_force_on_record_and_can_be_undone() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let path = format!("/admin/users/{member}");
    let body = format!("id={member}&role=moderator&reason=helps+out");
    let (location, shown) = submit(&app, &admin, "/api/admin_users/change_role", &body).await;
    assert_eq!(location, path);
    assert!(shown.contains("\u{2068}Mo\u{2069} is moderator now, was user."), "said once");
    assert!(shown.contains("helps out"), "on the person's page, with its reason");
    for field in
        ["name=\"role\" value=\"user\"", "name=\"expected\" value=\"moderator\"", "name=\"reason\" value=\"undo\""]
    {
        assert!(shown.contains(field), "the way back: {field}");
    }
    assert_eq!(app.get_as(&member, "/admin/users").await.status(), 200, "in force at the next request");
    let back = format!("id={member}&role=user&expected=moderator&reason=undo");
    submit(&app, &admin, "/api/admin_users/change_role", &back).await;
    assert_eq!(text_of(&app, &member, "role").await, "user");
    assert_eq!(app.get_as(&member, "/admin/users").await.status(), 403);
    let entries = trail(&app, &member).await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.after.as_deref(), entry.reason.as_deref())).collect();
    assert_eq!(told, [(Some("moderator"), Some("helps out")), (Some("user"), Some("undo"))]);
    app.finish().await;
}

#[tokio::test]
async fn e_13_a_role_that_somebody_else_changed_meanwhile_is_not_undone() {
    let app = TestApp::new().await;
    let (ad, eve) = (someone(&app, "Ad", "admin").await, someone(&app, "Eve", "admin").await);
    let member = someone(&app, "Mo", "user").await;
    assert_eq!(post(&app, &ad, "change_role", &format!("id={member}&role=moderator")).await.status(), 200);
    assert_eq!(post(&app, &eve, "change_role", &format!("id={member}&role=admin")).await.status(), 200);
    let back = format!("id={member}&role=user&expected=moderator&reason=undo");
    assert_eq!(post(&app, &ad, "change_role", &back).await.status(), 422);
    let (_, shown) = submit(&app, &ad, "/api/admin_users/change_role", &back).await;
    assert!(
        shown.contains("\u{2068}Mo\u{2069} is admin by now: the role was changed meanwhile, so it stays."),
        "{shown}"
    );
    assert!(!shown.contains("value=\"undo\""), "it is no reason that somebody typed");
    assert_eq!(text_of(&app, &member, "role").await, "admin");
    assert_eq!(trail(&app, &member).await.len(), 2, "what was refused is not on record");
    app.finish().await;
}

#[tokio::test]
async fn a3_10_e_28_moderators_look_and_every_form_of_theirs_is_403() {
    let app = TestApp::new().await;
    let (moderator, member) = (someone(&app, "Mo", "moderator").await, someone(&app, "Jo", "user").await);
    let (status, shown) = page(&app, &moderator, &format!("/admin/users/{member}")).await;
    assert_eq!(status, 200);
    assert!(shown.contains("Moderators look.") && shown.contains("jo@example.com"));
    assert!(!shown.contains("Change role") && !shown.contains("/api/admin_users/"), "no way to change anything");
    let (status, shown) = page(&app, &moderator, "/admin/users").await;
    assert_eq!(status, 200);
    assert!(shown.contains("jo@example.com") && !shown.contains("Download as CSV") && !shown.contains("name=\"id\""));
    for (verb, body) in [
        ("change_role", format!("id={member}&role=admin")),
        ("change_roles", format!("ids={member}&role=admin")),
        ("ban", format!("id={member}")),
        ("unban", format!("id={member}")),
        ("lock", format!("id={member}")),
        ("unlock", format!("id={member}")),
        ("revoke_sessions", format!("id={member}")),
        ("refresh_user", format!("id={member}")),
        ("erase_user", format!("id={member}&typed={member}")),
    ] {
        assert_eq!(post(&app, &moderator, verb, &body).await.status(), 403, "{verb}");
    }
    for (file, body) in [("csv", String::new()), ("export", format!("id={member}"))] {
        assert_eq!(app.post_as(Some(&moderator), &format!("/admin/users/{file}"), &body).await.status(), 403, "{file}");
    }
    assert_eq!(trail(&app, &member).await, []);
    app.finish().await;
}

#[tokio::test]
async fn e_28_moderators_see_what_was_done_to_somebody_and_not_by_which_admin_nor_why() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Jo", "user").await);
    let moderator = someone(&app, "Mo", "moderator").await;
    for (verb, body) in [("change_role", "&role=moderator"), ("lock", "")] {
        let body = format!("id={member}{body}&reason=seen+at+the+pub");
        assert_eq!(post(&app, &admin, verb, &body).await.status(), 200, "{verb}");
    }
    app.settled().await;
    for (who, is_admin) in [(&admin, true), (&moderator, false)] {
        let timeline = read(&app, who, &format!("list_timeline?id={member}")).await;
        let entries = timeline["entries"].as_array().expect("entries");
        let done: Vec<&Value> = entries.iter().filter(|entry| entry["kind"] == "Admin").collect();
        let titles: Vec<&str> = done.iter().filter_map(|entry| entry["title"].as_str()).collect();
        assert_eq!(titles, ["lock", "change role"]);
        assert!(done.iter().all(|entry| entry["text"].is_string()), "what was done: {done:?}");
        let person = read(&app, who, &format!("get_person?id={member}")).await;
        assert!(person["saga"][0]["text"].as_str().expect("text").starts_with("user to moderator"), "{person}");
        let (_, shown) = page(&app, who, &format!("/admin/users/{member}")).await;
        for text in [timeline.to_string(), person.to_string(), shown] {
            assert_eq!((text.contains(&admin), text.contains("seen at the pub")), (is_admin, is_admin), "{text}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn d4_17_whoever_acts_in_anothers_name_changes_nothing_and_takes_nothing_away() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let mut options = TokenOptions::asked_by(&app.url);
    options.claims.insert("act".to_owned(), json!({ "sub": "user_support" }));
    let token = app.clerk.session_token(&admin, options);
    for (path, body) in [
        ("/api/admin_users/change_role", format!("id={member}&role=admin")),
        ("/api/admin_users/change_roles", format!("ids={member}&role=admin")),
        ("/api/admin_users/ban", format!("id={member}")),
        ("/api/admin_users/refresh_user", format!("id={member}")),
        ("/api/admin_users/revoke_sessions", format!("id={member}")),
        ("/api/admin_users/erase_user", format!("id={member}&typed={member}")),
        ("/admin/users/csv", String::new()),
        ("/admin/users/export", format!("id={member}")),
    ] {
        let ask = app.client.post(app.at(path)).header("content-type", "application/x-www-form-urlencoded").body(body);
        assert_eq!(ask.bearer_auth(&token).send().await.expect("an answer").status(), 403, "{path}");
    }
    assert_eq!(trail(&app, &member).await, []);
    app.finish().await;
}

#[tokio::test]
async fn d5_12_of_two_admins_who_demote_each_other_at_once_one_stays() {
    let app = TestApp::new().await;
    let (one, other) = (someone(&app, "Ada", "admin").await, someone(&app, "Eve", "admin").await);
    for round in 0..4 {
        let (first, second) = (format!("id={other}&role=user"), format!("id={one}&role=user"));
        let (first, second) =
            tokio::join!(post(&app, &one, "change_role", &first), post(&app, &other, "change_role", &second));
        let statuses = [first.status().as_u16(), second.status().as_u16()];
        assert!(statuses.contains(&200) && statuses.iter().any(|status| [403, 422].contains(status)), "{statuses:?}");
        let left = app.database.count("users", doc! { "role": "admin" }).await;
        assert_eq!(left, 1, "round {round}");
        let demoted = if statuses[0] == 200 { (&one, &other) } else { (&other, &one) };
        let again = format!("id={}&role=admin", demoted.1);
        assert_eq!(post(&app, demoted.0, "change_role", &again).await.status(), 200, "round {round}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_12_nobody_demotes_bans_locks_or_erases_themselves_and_a_plain_form_says_why() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    for (verb, body) in [
        ("change_role", format!("id={admin}&role=user")),
        ("ban", format!("id={admin}")),
        ("lock", format!("id={admin}")),
        ("erase_user", format!("id={admin}&typed={admin}")),
    ] {
        let answer = post(&app, &admin, verb, &body).await;
        assert_eq!(answer.status(), 422, "{verb}");
        assert!(answer.text().await.expect("text").contains("our"), "{verb}: in words");
    }
    let body = format!("id={admin}&role=user");
    let (_, shown) = submit(&app, &admin, "/api/admin_users/change_role", &body).await;
    assert!(shown.contains("You cannot change your own role."));
    let (_, shown) = page(&app, &admin, &format!("/admin/users/{admin}")).await;
    assert!(shown.contains("This is you") && !shown.contains("Change role"), "no button, and why (E-18)");
    app.finish().await;
}

#[tokio::test]
async fn a2_13_ban_and_lock_reach_clerk_and_come_back_at_once() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    // Clerk's own events come later: what is seen is what its answers brought.
    app.clerk.set_levers(Levers { paused: true, ..app.clerk.levers() });
    for (verb, field, is_so) in
        [("lock", "locked", true), ("unlock", "locked", false), ("ban", "banned", true), ("unban", "banned", false)]
    {
        let (_, shown) =
            submit(&app, &admin, &format!("/api/admin_users/{verb}"), &format!("id={member}&reason=a+test")).await;
        let stored = app.database.user(&member).await.expect("stored");
        assert_eq!(stored.get_bool(field).ok(), Some(is_so), "{verb} here");
        assert_eq!(app.clerk.user(&member).expect("at Clerk")[field], is_so, "{verb} at Clerk");
        assert!(shown.contains(if is_so { "Un" } else { "Ban" }), "{verb}: the way back");
        let open = app.get_as(&member, "/profile").await.status();
        assert_eq!(open, if verb == "ban" { 403 } else { 200 }, "{verb}");
    }
    let actions: Vec<String> = trail(&app, &member).await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions, ["lock", "unlock", "ban", "unban"]);
    app.clerk.set_levers(Levers { bapi_status: Some(422), ..Levers::default() });
    assert_ne!(post(&app, &admin, "lock", &format!("id={member}")).await.status(), 200);
    let last = trail(&app, &member).await.pop().expect("an entry");
    assert_eq!((last.action.as_str(), last.after.as_deref()), ("undone", Some("not locked")), "what Clerk refused");
    app.clerk.set_levers(Levers::default());
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn a_sync_now_mends_what_another_hand_wrote_and_sessions_end() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    app.database.set("users", doc! { "clerkId": &member }, doc! { "banned": true, "name": "Somebody" }).await;
    assert_eq!(post(&app, &admin, "refresh_user", &format!("id={member}")).await.status(), 200);
    let stored = app.database.user(&member).await.expect("stored");
    assert_eq!((stored.get_bool("banned").ok(), stored.get_str("name").ok()), (Some(false), Some("Mo")));
    app.token(&member);
    let sessions = app.state.clerk.list_sessions(&member).await.expect("sessions").len();
    assert!(sessions > 0);
    let answer = post(&app, &admin, "revoke_sessions", &format!("id={member}")).await;
    assert!(answer.text().await.expect("text").contains("ended"));
    assert_eq!(app.state.clerk.list_sessions(&member).await.expect("sessions").len(), 0);
    let actions: Vec<String> = trail(&app, &member).await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions, ["refresh_user", "revoke_sessions"]);
    app.finish().await;
}

#[tokio::test]
async fn c_11_e_13_erasing_wants_the_id_typed_and_leaves_a_tombstone_to_look_at() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    app.get_as(&member, "/profile").await;
    let (_, shown) =
        submit(&app, &admin, "/api/admin_users/erase_user", &format!("id={member}&typed=Mo&reason=asked")).await;
    assert!(shown.contains("nobody was erased"));
    assert!(app.clerk.user(&member).is_some());
    let body = format!("id={member}&typed={member}&reason=asked");
    let (location, shown) = submit(&app, &admin, "/api/admin_users/erase_user", &body).await;
    assert_eq!(location, format!("/admin/users/{member}"));
    assert!(shown.contains("Erased. They are deleted at Clerk too.") && shown.contains("Deleted person"));
    assert!(app.clerk.user(&member).is_none());
    let stored = app.database.user(&member).await.expect("a tombstone");
    for gone in ["history", "lastActiveAt"] {
        assert!(!stored.contains_key(gone), "{gone} of the erased");
    }
    assert!(!stored.to_string().contains("mo@example.com"));
    app.finish().await;
}

#[tokio::test]
async fn c_11_an_erasure_that_clerk_refuses_is_on_record_as_undone() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let calls = app.clerk.backend_calls();
    app.clerk.set_levers(Levers { bapi_delay_ms: 500, ..Levers::default() });
    let refuse = async {
        // Clerk still says that it knows them, and refuses what comes next.
        eventually("Clerk is asked", || async {
            if app.clerk.backend_calls() > calls { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;
        app.clerk.set_levers(Levers { bapi_status: Some(422), ..Levers::default() });
    };
    let body = format!("id={member}&typed={member}&reason=asked");
    let (answer, ()) = tokio::join!(post(&app, &admin, "erase_user", &body), refuse);
    assert_eq!(answer.status(), 500);
    app.clerk.set_levers(Levers::default());
    assert!(app.clerk.user(&member).is_some());
    assert_eq!(text_of(&app, &member, "name").await, "Mo", "nothing of theirs is gone");
    let told: Vec<_> = trail(&app, &member).await.into_iter().map(|entry| (entry.action, entry.reason)).collect();
    let row = |action: &str, reason: &str| (action.to_owned(), Some(reason.to_owned()));
    assert_eq!(
        told,
        [row("erase_user", "asked"), row("undone", "Clerk refused (422 internal_clerk_error)")],
        "the trail says both"
    );
    app.finish().await;
}

#[tokio::test]
async fn one_persons_data_is_a_file_for_admins_and_on_record() {
    let app = TestApp::new().await;
    let (admin, member) = (someone(&app, "Ad", "admin").await, someone(&app, "Mo", "user").await);
    let answer = app.post_as(Some(&admin), "/admin/users/export", &format!("id={member}")).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["content-disposition"].to_str().expect("text").starts_with("attachment"));
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    let dossier: Value = answer.json().await.expect("JSON");
    assert_eq!(dossier["user"]["clerkId"], member.as_str());
    assert_eq!(trail(&app, &member).await.len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn e_13_one_role_for_many_that_fails_half_way_says_how_far_it_came() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    let jo = someone(&app, "Jo", "user").await;
    let mo = someone(&app, "Mo", "user").await;
    let zed = someone(&app, "Zed", "user").await;
    let demand = async |validator: Document| {
        let change = doc! { "collMod": "users", "validator": validator };
        app.database.handle().run_command(change).await.expect("changed");
    };
    demand(doc! { "$nor": [{ "clerkId": &mo, "role": "moderator" }] }).await;
    let body = format!("ids={jo},{mo},{zed}&role=moderator&reason=together");
    let (location, shown) = submit(&app, &admin, "/api/admin_users/change_roles", &body).await;
    assert_eq!(location, "/admin/users");
    let said = "1 person is moderator now; then something failed, and 2 are as before. Try again.";
    assert!(shown.contains(said) && shown.contains("alert-error"), "{shown}");
    for (id, role, entries) in [(&jo, "moderator", 1), (&mo, "user", 0), (&zed, "user", 0)] {
        assert_eq!(text_of(&app, id, "role").await, role, "{id}");
        assert_eq!(trail(&app, id).await.len(), entries, "{id}: on record is what was done");
        let pending = app.database.user(id).await.expect("stored").get_bool("rolePending").unwrap_or(false);
        assert_eq!(pending, entries == 1, "{id}: nothing else waits for Clerk");
    }
    let first = post(&app, &admin, "change_roles", &format!("ids={mo},{zed}&role=moderator")).await;
    assert_eq!(first.status(), 500, "where nothing was done, that is all there is to say");
    assert_eq!(text_of(&app, &zed, "role").await, "user");
    demand(doc! {}).await;
    let (_, shown) = submit(&app, &admin, "/api/admin_users/change_roles", &body).await;
    assert!(shown.contains("3 people are moderator now."), "{shown}");
    for id in [&jo, &mo, &zed] {
        assert_eq!(trail(&app, id).await.len(), 1, "{id}: once each");
    }
    app.finish().await;
}

#[tokio::test]
async fn one_role_for_many_is_shown_before_and_summed_up_after() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    let (jo, mo) = (someone(&app, "Jo", "user").await, someone(&app, "Mo", "moderator").await);
    let asked = format!("/admin/role-changes?id={jo}&id={mo}&id={admin}&id=user_gone&role=moderator");
    let (status, shown) = page(&app, &admin, &asked).await;
    assert_eq!(status, 200);
    for text in [
        "1 of 4 would be moderator.",
        "Is moderator already.",
        "You cannot change your own role.",
        "There is nobody by this id any more.",
        "Make 1 person moderator",
    ] {
        assert!(shown.contains(text), "{text}");
    }
    assert_eq!(text_of(&app, &jo, "role").await, "user", "only shown");
    assert_eq!(app.database.count("locks", doc! { "_id": "roles" }).await, 0, "nobody's turn is taken for a look");
    let body = format!("ids={jo},{admin}&role=moderator&reason=together");
    let (location, shown) = submit(&app, &admin, "/api/admin_users/change_roles", &body).await;
    assert_eq!(location, "/admin/users");
    assert!(shown.contains("1 person is moderator now. Refused: 1.") && shown.contains("your own role"));
    assert_eq!(text_of(&app, &jo, "role").await, "moderator");
    let reasons: Vec<_> = trail(&app, &jo).await.into_iter().map(|entry| entry.reason).collect();
    assert_eq!(reasons, [Some("together".to_owned())]);
    let preview = read(&app, &admin, "list_role_changes").await;
    assert_eq!(preview["rows"], json!([]));
    let wrong = app.get_as(&admin, "/api/admin_users/list_role_changes?ids=a&role=king").await;
    assert_eq!(wrong.status(), 400);

    // Once was asked for above.
    for number in 2..=6 {
        let many = app.client.post(app.at("/api/admin_users/change_roles")).bearer_auth(app.token(&admin));
        let answer = many.form(&[("ids", jo.as_str()), ("role", "moderator"), ("reason", "again")]).send().await;
        let answer = answer.expect("an answer");
        let is_told = answer.headers().contains_key("retry-after");
        assert_eq!((answer.status().as_u16(), is_told), if number < 6 { (200, false) } else { (429, true) }, "d7_08");
    }
    app.finish().await;
}
