//! Edits that meet with something: what was typed is there again, and nobody overwrites what they have not seen.

use reqwest::Response;
use reqwest::header::{COOKIE, SET_COOKIE};
use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::profile::{FIELDS, input, jo, landed, page, send, text};
use crate::support::app::{TestApp, Wishes};

fn set_cookies(answer: &Response) -> Vec<String> {
    let lines = answer.headers().get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.filter(|line| line.starts_with("rollcall_notice")).map(str::to_owned).collect()
}

/// So many letters that hardly repeat.
fn letters(count: u32, first: u32) -> String {
    (0..count)
        .filter_map(|place| {
            char::from_u32(0x4e00 + first.wrapping_add(place.wrapping_mul(place).wrapping_mul(7919)) % 20_000)
        })
        .collect()
}

#[tokio::test]
async fn e_19_a_long_bio_of_any_script_is_still_there_after_it_was_refused() {
    let app = TestApp::new().await;
    let (_, token) = jo(&app).await;
    for typed in ["あ".repeat(1_000), letters(1_000, 0)] {
        let refused = format!("{typed}\u{7}");
        let answer = send(&app, &token, "/api/profile/edit_bio", &[("bio", &refused), ("original[bio]", "")]).await;
        let page = landed(&app, &token, answer, "/profile").await;
        assert!(page.contains("At most 1000 characters; this has 1001."), "{page}");
        assert!(page.contains(&typed), "nothing is lost");
    }
    // With what stood there before, too, which is as long: in several cookies, which go together.
    assert_eq!(send(&app, &token, "/api/profile/edit_bio", &[("bio", &letters(1_000, 1))]).await.status(), 303);
    let (typed, stood) = (letters(1_000, 2), letters(1_000, 3));
    let answer = send(&app, &token, "/api/profile/edit_bio", &[("bio", &typed), ("original[bio]", &stood)]).await;
    let set = set_cookies(&answer);
    assert!(set.len() > 1 && set.iter().all(|line| line.len() <= 4_096), "{}", set.len());
    let pairs: Vec<&str> = set.iter().filter_map(|line| line.split(';').next()).collect();
    let shown = app.client.get(app.at("/profile")).bearer_auth(&token).header(COOKIE, pairs.join("; "));
    let shown = shown.send().await.expect("an answer");
    let gone = set_cookies(&shown);
    assert!(gone.len() == set.len() && gone.iter().all(|line| line.contains("Max-Age=0")), "{gone:?}");
    let page = shown.text().await.expect("text");
    assert!(page.contains("Changed meanwhile to") && page.contains(&typed), "{page}");
    app.finish().await;
}

#[tokio::test]
async fn e_19_a_form_that_was_open_for_long_changes_what_was_changed_in_it_and_overwrites_nothing_unseen() {
    let app = TestApp::new().await;
    let (id, token) = jo(&app).await;
    let stood = [("original[first_name]", "Jo"), ("original[last_name]", "Doe"), ("original[username]", "jojo")];
    let shown = page(&app, &token, "/profile").await;
    for (name, value) in stood {
        assert!(shown.contains(&format!("name=\"{name}\" value=\"{value}\"")), "{name}: {shown}");
    }
    let save = async |first_name, last_name, stood: &[(&str, &str)]| {
        let names = [("first_name", first_name), ("last_name", last_name), ("username", "jojo")];
        let answer = send(&app, &token, "/api/profile/edit_profile", &[&names[..], stood].concat()).await;
        landed(&app, &token, answer, "/profile").await
    };
    let names = || {
        let user = app.clerk.user(&id).expect("there");
        [user["first_name"].clone(), user["last_name"].clone()]
    };
    // Two tabs: what each changes holds.
    assert!(save("Joan", "Doe", &stood).await.contains("Your names are saved."));
    assert!(save("Jo", "Roe", &stood).await.contains("Your names are saved."));
    assert_eq!(names(), [json!("Joan"), json!("Roe")]);
    // A third one changes what has changed, at Clerk's dashboard: it is told so at the field.
    app.clerk.update_user(&id, json!({ "first_name": "Johanna" }));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let refused = save("Joe", "Doe", &stood).await;
    assert!(refused.contains("Changed meanwhile to Johanna."), "{refused}");
    let (first, last) = (input(&refused, "edit_profile-firstName"), input(&refused, "edit_profile-lastName"));
    assert!(first.contains("aria-invalid=\"true\"") && first.contains("value=\"Joe\""), "{first}");
    assert!(last.contains("value=\"Roe\""), "what was left alone shows what is stored: {last}");
    assert_eq!(names(), [json!("Johanna"), json!("Roe")]);
    // Having seen it, they may.
    let seen = [("original[first_name]", "Johanna"), ("original[last_name]", "Roe"), ("original[username]", "jojo")];
    assert!(refused.contains("name=\"original[first_name]\" value=\"Johanna\""), "{refused}");
    assert!(save("Joe", "Roe", &seen).await.contains("Your names are saved."));
    assert_eq!(names(), [json!("Joe"), json!("Roe")]);
    app.finish().await;
}

#[tokio::test]
async fn e_19_a_bio_and_own_fields_that_changed_meanwhile_are_not_overwritten_unseen() {
    let app = TestApp::with(Wishes { config: FIELDS, ..Wishes::default() }).await;
    let (id, token) = jo(&app).await;
    let save = async |path: &str, fields: &[(&str, &str)]| {
        let answer = send(&app, &token, &format!("/api/profile/{path}"), fields).await;
        landed(&app, &token, answer, "/profile").await
    };
    assert!(save("edit_bio", &[("bio", "One\r\ntwo"), ("original[bio]", "")]).await.contains("Your bio is saved."));
    let refused = save("edit_bio", &[("bio", "Three"), ("original[bio]", "")]).await;
    assert!(refused.contains("Changed meanwhile to One\ntwo.") && refused.contains("Three"), "{refused}");
    let unchanged = save("edit_bio", &[("bio", "One\r\ntwo"), ("original[bio]", "One\r\ntwo")]).await;
    assert!(unchanged.contains("Nothing was changed."), "{unchanged}");
    assert_eq!(text(&app.database.user(&id).await.expect("stored"), "bio"), "One\ntwo");

    let stood = [("original[team]", ""), ("original[homeOffice]", "")];
    let first = [&[("values[team]", "Blue"), ("values[homeOffice]", "")], &stood[..]].concat();
    assert!(save("edit_fields", &first).await.contains("Your details are saved."));
    let other = [&[("values[team]", ""), ("values[homeOffice]", "true")], &stood[..]].concat();
    assert!(save("edit_fields", &other).await.contains("Your details are saved."));
    let metadata = || app.clerk.user(&id).expect("there")["unsafe_metadata"].clone();
    assert_eq!(metadata(), json!({ "work": { "team": "Blue" }, "home": true }));
    let late = [&[("values[team]", "Red"), ("values[homeOffice]", "false")], &stood[..]].concat();
    let refused = save("edit_fields", &late).await;
    assert!(refused.contains("Changed meanwhile to") && refused.contains("Red"), "{refused}");
    assert!(refused.contains("<option value=\"false\" selected"), "what was chosen is chosen again: {refused}");
    let alone = [&[("values[team]", ""), ("values[homeOffice]", "false")], &stood[..]].concat();
    let refused = save("edit_fields", &alone).await;
    let choice = refused.split("name=\"values[homeOffice]\"").nth(1).and_then(|rest| rest.split('>').next());
    let choice = choice.expect("the choice");
    assert!(
        choice.contains("autofocus") && choice.contains("aria-invalid=\"true\""),
        "it is where it is wrong: {choice}"
    );
    assert_eq!(metadata(), json!({ "work": { "team": "Blue" }, "home": true }));
    app.finish().await;
}

/// A field of one line shows a text of several without the breaks, and sends it so.
#[tokio::test]
async fn e_19_what_a_field_of_one_line_cannot_show_is_not_changed_by_it() {
    let app = TestApp::with(Wishes { config: FIELDS, ..Wishes::default() }).await;
    let (id, token) = jo(&app).await;
    app.clerk.merge_metadata(&id, json!({ "unsafe_metadata": { "work": { "team": "Blue\nGreen" } } }));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let sent = [
        ("values[team]", "BlueGreen"),
        ("original[team]", "Blue\r\nGreen"),
        ("values[homeOffice]", "true"),
        ("original[homeOffice]", ""),
    ];
    let answer = send(&app, &token, "/api/profile/edit_fields", &sent).await;
    assert!(landed(&app, &token, answer, "/profile").await.contains("Your details are saved."));
    let metadata = app.clerk.user(&id).expect("there")["unsafe_metadata"].clone();
    assert_eq!(metadata, json!({ "work": { "team": "Blue\nGreen" }, "home": true }));
    // One of several lines shows them: whoever takes the break out of a bio means it.
    let begun = [("bio", "One\r\ntwo")];
    assert_eq!(send(&app, &token, "/api/profile/edit_bio", &begun).await.status(), 303);
    let sent = [("bio", "Onetwo"), ("original[bio]", "One\r\ntwo")];
    assert_eq!(send(&app, &token, "/api/profile/edit_bio", &sent).await.status(), 303);
    assert_eq!(text(&app.database.user(&id).await.expect("stored"), "bio"), "Onetwo");
    app.finish().await;
}

#[tokio::test]
async fn e_19_what_clerk_refuses_of_ones_own_fields_is_said_at_the_first_that_was_changed() {
    let app = TestApp::with(Wishes { config: FIELDS, ..Wishes::default() }).await;
    let (_, token) = jo(&app).await;
    app.clerk.set_levers(Levers { bapi_status: Some(422), ..Levers::default() });
    let typed = [("values[homeOffice]", "true"), ("values[team]", "Blue")];
    let answer = send(&app, &token, "/api/profile/edit_fields", &typed).await;
    app.clerk.set_levers(Levers::default());
    let page = landed(&app, &token, answer, "/profile").await;
    let field = input(&page, "edit_fields-team");
    assert!(field.contains("aria-invalid=\"true\"") && field.contains("value=\"Blue\""), "{field}");
    assert!(page.contains("Clerk fails, on request."), "{page}");
    app.finish().await;
}
