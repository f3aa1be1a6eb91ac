//! People as they see each other: the directory and the public pages (issue 5, item 5).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mongodb::bson::{DateTime, Document, doc, oid::ObjectId};
use serde_json::json;

use crate::support::app::{TestApp, Wishes};

async fn page(app: &TestApp, id: &str, path: &str) -> String {
    let answer = app.get_as(id, path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.expect("text")
}

fn named(first: &str, last: &str, username: &str) -> serde_json::Value {
    json!({
        "email_address": [format!("{username}@example.com")], "first_name": first, "last_name": last, "username": username,
    })
}

/// As if they had come from Clerk long ago.
async fn crowd(app: &TestApp, count: i64) {
    let users = app.database.handle().collection::<Document>("users");
    let person = |number: i64| {
        let at = DateTime::from_millis(1_760_000_000_000 + number * 1000);
        doc! {
            "_id": ObjectId::new(), "clerkId": format!("user_{number}"), "name": format!("Person {number:05}"),
            "username": format!("person{number:05}"), "email": format!("p{number}@example.com"), "role": "user",
            "syncStatus": "active", "authProvider": "clerk", "version": { "updatedAt": 1_i64, "eventAt": 1_i64 },
            "createdAt": at, "updatedAt": at,
        }
    };
    users.insert_many((0..count).map(person)).await.expect("stored");
}

/// The address of the next page.
fn next_of(page: &str) -> Option<String> {
    let link = page.split("<a ").find(|link| link.contains("rel=\"next\""))?;
    let address = link.split("href=\"").nth(1)?.split('"').next()?;
    Some(address.replace("&amp;", "&"))
}

/// Whoever had to make room for another has a name that ends in a Clerk id, which has letters of both cases.
#[tokio::test]
async fn issue_5_whoever_is_listed_has_a_page_whatever_their_username_ends_in() {
    let app = TestApp::new().await;
    let (zoe, bob) = (app.person(named("Zoë", "Adams", "zoe")).await, app.person(named("Bob", "Burr", "bob")).await);
    let suffixed = format!("zoe-{bob}");
    app.database.set("users", doc! { "clerkId": &bob }, doc! { "username": &suffixed, "usernameConflict": true }).await;
    let listed = page(&app, &zoe, "/people").await;
    assert!(
        listed.contains(&format!("href=\"/people/{suffixed}\"")) && suffixed != suffixed.to_lowercase(),
        "{listed}"
    );
    assert!(page(&app, &zoe, &format!("/people/{suffixed}")).await.contains("Bob Burr"));
    assert!(page(&app, &zoe, "/people/ZOE").await.contains("Zoë Adams"));
    app.database.set("users", doc! { "clerkId": &bob }, doc! { "username": "bob", "usernameConflict": false }).await;
    app.finish().await;
}

#[tokio::test]
async fn the_directory_lists_the_living_by_name_and_pages_through_all_of_them() {
    let app = TestApp::new().await;
    let zoe = app.person(named("Zoë", "Adams", "zoe")).await;
    crowd(&app, 100).await;
    let mut seen = Vec::new();
    let mut path = Some("/people".to_owned());
    while let Some(address) = path {
        let shown = page(&app, &zoe, &address).await;
        let links = shown.split("href=\"/people/").skip(1).filter_map(|rest| rest.split('"').next());
        seen.extend(links.map(str::to_owned));
        path = next_of(&shown);
    }
    let mut expected: Vec<String> = (0..100).map(|number| format!("person{number:05}")).collect();
    expected.push("zoe".to_owned());
    assert_eq!(seen, expected, "in the order of a dictionary, nobody twice, nobody left out");
    app.finish().await;
}

#[tokio::test]
async fn d5_19_the_banned_take_no_place_on_a_page_and_no_way_on_names_them() {
    let app = TestApp::new().await;
    let zoe = app.person(named("Zoë", "Adams", "zoe")).await;
    crowd(&app, 160).await;
    let users = app.database.handle().collection::<Document>("users");
    // More than a page at the beginning, and whoever would end the first page.
    for (from, before) in [(0, 60), (107, 109)] {
        let some = doc! { "name": { "$gte": format!("Person {from:05}"), "$lt": format!("Person {before:05}") } };
        users.update_many(some, doc! { "$set": { "banned": true } }).await.expect("banned");
    }
    for begin in ["/people", "/people?q=person"] {
        let (mut seen, mut pages) = (Vec::new(), Vec::new());
        let mut path = Some(begin.to_owned());
        while let Some(address) = path {
            let shown = page(&app, &zoe, &address).await;
            let links = shown.split("href=\"/people/").skip(1).filter_map(|rest| rest.split('"').next());
            let links: Vec<String> = links.map(str::to_owned).collect();
            path = next_of(&shown);
            if let Some(next) = &path {
                let cursor = next.split("after=").nth(1).and_then(|rest| rest.split('&').next()).expect("a cursor");
                let cursor = URL_SAFE_NO_PAD.decode(cursor).expect("base64");
                let last = links.last().expect("somebody").replace("person", "Person ");
                assert!(String::from_utf8_lossy(&cursor).contains(&last), "{last}");
            }
            pages.push(links.len());
            seen.extend(links);
        }
        let shown = (60..107).chain(109..160).map(|number| format!("person{number:05}"));
        let expected: Vec<String> = shown.chain((begin == "/people").then(|| "zoe".to_owned())).collect();
        assert_eq!(seen, expected, "{begin}");
        assert!(pages[..pages.len() - 1].iter().all(|count| *count == 48), "{begin}: {pages:?}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_19_d5_20_a_search_finds_by_name_and_username_never_by_address() {
    let app = TestApp::new().await;
    let zoe = app.person(named("Zoë", "Adams", "zed")).await;
    app.person(named("Bob", "<b>Bold</b>", "bob")).await;
    for (text, finds_zoe, finds_bob) in [
        ("zoe", true, false),
        ("ADA", true, false),
        ("ze", true, false),
        ("b", false, true),
        ("bob%40", false, false),
        (".*", false, false),
    ] {
        let shown = page(&app, &zoe, &format!("/people?q={text}")).await;
        let found = (shown.contains("href=\"/people/zed\""), shown.contains("href=\"/people/bob\""));
        assert_eq!(found, (finds_zoe, finds_bob), "{text}");
        assert!(!shown.contains("<b>Bold"), "text is text");
        assert!(!shown.contains("@example.com"), "an address is nobody's to see");
    }
    assert!(page(&app, &zoe, "/people?q=nobody").await.contains("Nobody's name or username begins so."));
    app.finish().await;
}

#[tokio::test]
async fn d5_19_whoever_has_no_name_is_neither_called_nor_found_by_their_address() {
    let app = TestApp::new().await;
    let zoe = app.person(named("Zoë", "Adams", "zoe")).await;
    let nameless = app.person(json!({ "email_address": ["hidden.bob@example.com"] })).await;
    app.person(json!({ "email_address": ["else@example.com"], "username": "handle" })).await;
    let mut attributes = named("Mo", "Bold", "moe");
    attributes["public_metadata"] = json!({ "role": "moderator" });
    let moderator = app.person(attributes).await;
    assert_eq!(app.database.user(&nameless).await.expect("stored").get_str("name").ok(), Some("hidden.bob"));
    let listed: serde_json::Value = app.get_as(&zoe, "/api/people/list_people").await.json().await.expect("JSON");
    let names: Vec<&str> =
        listed["people"].as_array().expect("people").iter().filter_map(|person| person["name"].as_str()).collect();
    assert_eq!(names, ["handle", "Mo Bold", "Zoë Adams", "Unnamed"], "at the end, wherever the address would stand");
    for path in ["/people", "/people?q=hidden", "/people?q=unnamed"] {
        let shown = page(&app, &zoe, path).await;
        assert!(!shown.contains("hidden.bob"), "{path}");
        assert_eq!(shown.contains("Nobody's name or username begins so."), path != "/people", "{path}");
    }
    assert!(page(&app, &moderator, "/admin/users?q=hidden").await.contains("hidden.bob@example.com"));
    app.finish().await;
}

#[tokio::test]
async fn d7_08_whoever_looks_for_people_too_often_is_told_when_to_come_back() {
    let app = TestApp::new().await;
    let mut attributes = named("Zoë", "Adams", "zoe");
    attributes["public_metadata"] = json!({ "role": "moderator" });
    let zoe = app.person(attributes).await;
    for path in [
        "/api/people/list_people".to_owned(),
        "/people".to_owned(),
        // An id that is looked for is a search as well.
        format!("/api/admin_users/list_users?query[q]={zoe}"),
        format!("/admin/users?q={zoe}"),
    ] {
        let answers = futures::future::join_all((0..60).map(|_| app.get_as(&zoe, &path))).await;
        let refused: Vec<_> = answers.into_iter().filter(|answer| answer.status() == 429).collect();
        assert!(!refused.is_empty(), "{path}");
        for answer in refused {
            let wait: u64 = answer.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
            assert!((1..=60).contains(&wait), "{path}: {wait}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_page_of_a_person_shows_what_is_public_and_nothing_else() {
    let app = TestApp::new().await;
    let zoe = app.person(named("Zoë", "Adams", "zoe")).await;
    let bob = app.person(named("Bob", "Bold", "bob")).await;
    let users = app.database.handle().collection::<Document>("users");
    let bio = doc! { "$set": { "bio": "I build <script>alert(1)</script> things." } };
    users.update_one(doc! { "clerkId": &zoe }, bio).await.expect("written");
    let shown = page(&app, &bob, "/people/Zoe").await;
    for text in
        ["Zoë Adams", "@<bdi>zoe</bdi>", "I build &lt;script&gt;alert(1)", "Joined", "<title>Zoë Adams · Rollcall"]
    {
        assert!(shown.contains(text), "{text}");
    }
    for hidden in ["zoe@example.com", "Edit your profile", "Role"] {
        assert!(!shown.contains(hidden), "{hidden}");
    }
    assert!(page(&app, &zoe, "/people/zoe").await.contains("Edit your profile"));
    app.finish().await;
}

#[tokio::test]
async fn the_settings_say_what_is_public_and_whether_there_is_a_directory() {
    let config = "[[fields]]\nname = \"team\"\nfrom = \"public_metadata.team\"\ntype = \"text\"";
    let public = vec![("ROLLCALL_PUBLIC_FIELDS", "role,team".to_owned())];
    let app = TestApp::with(Wishes { variables: public, config, ..Wishes::default() }).await;
    let mut attributes = named("Zoë", "Adams", "zoe");
    attributes["public_metadata"] = json!({ "team": "Blue" });
    let zoe = app.person(attributes).await;
    let users = app.database.handle().collection::<Document>("users");
    users.update_one(doc! { "clerkId": &zoe }, doc! { "$set": { "bio": "Hello" } }).await.expect("written");
    let shown = page(&app, &zoe, "/people/zoe").await;
    assert!(shown.contains("Blue") && shown.contains("Role"), "{shown}");
    let main = shown.split("<main").nth(1).expect("a page");
    assert!(!main.contains("Hello") && !main.contains("Joined") && !main.contains("<img"), "{main}");
    app.finish().await;
    let off = vec![("ROLLCALL_DIRECTORY", "false".to_owned())];
    let app = TestApp::with(Wishes { variables: off, ..Wishes::default() }).await;
    let zoe = app.person(named("Zoë", "Adams", "zoe")).await;
    for path in ["/people", "/people/zoe", "/api/people/list_people", "/api/people/get_person?username=zoe"] {
        assert_eq!(app.get_as(&zoe, path).await.status(), 404, "{path}");
    }
    assert!(!page(&app, &zoe, "/").await.contains("href=\"/people\""));
    app.finish().await;
}

#[tokio::test]
async fn d5_19_who_is_banned_deleted_or_not_there_is_the_same_nobody() {
    let app = TestApp::new().await;
    let viewer = app.person(named("Bob", "Bold", "bob")).await;
    let banned = app.person(named("Zoë", "Adams", "zoe")).await;
    let deleted = app.person(named("Ada", "Adams", "ada")).await;
    app.clerk.ban(&banned);
    app.clerk.delete_user(&deleted);
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let mut pages = Vec::new();
    for name in ["zoe", "ada", "eve"] {
        let answer = app.get_as(&viewer, &format!("/people/{name}")).await;
        assert_eq!(answer.status(), 404, "{name}");
        let id = answer.headers()["x-request-id"].to_str().expect("text").to_owned();
        let shown = answer.text().await.expect("text");
        let main = shown.split("<main").nth(1).and_then(|rest| rest.split("</main>").next()).expect("a page");
        pages.push(main.replace(name, "somebody").replace(&id, "an id"));
    }
    assert_eq!(pages[0], pages[1]);
    assert_eq!(pages[1], pages[2]);
    let listed = page(&app, &viewer, "/people").await;
    assert!(listed.contains("/people/bob") && !listed.contains("Zoë") && !listed.contains("Deleted person"));
    app.finish().await;
}

/// What MongoDB's profiler saw of the pages' own queries.
#[tokio::test]
async fn the_pages_of_people_are_served_by_indexes() {
    let app = TestApp::new().await;
    let zoe = app.person(named("Zoë", "Adams", "zoe")).await;
    crowd(&app, 2_000).await;
    let next = next_of(&page(&app, &zoe, "/people").await).expect("a next page");
    let found = next_of(&page(&app, &zoe, "/people?q=person").await).expect("a next page");
    let database = app.database.handle();
    database.run_command(doc! { "profile": 2 }).await.expect("the profiler");
    let paths =
        ["/people", &next, "/people?q=person", &found, "/people?q=nobody", "/people/person00007", "/people/nobody"];
    for path in paths {
        app.get_as(&zoe, path).await;
    }
    database.run_command(doc! { "profile": 0 }).await.expect("the profiler");
    let profile = database.collection::<Document>("system.profile");
    let about = doc! { "ns": format!("{}.users", app.database.name), "op": { "$in": ["query", "command"] } };
    let mut rows = profile.find(about).await.expect("the profile");
    let mut queries = 0;
    while rows.advance().await.expect("a row") {
        let row: Document = rows.deserialize_current().expect("a document");
        let plan = row.get_str("planSummary").unwrap_or_default();
        assert!(!plan.contains("COLLSCAN") && !row.contains_key("hasSortStage"), "{row}");
        let examined = row.get_i32("docsExamined").unwrap_or_default();
        assert!(examined <= 60, "{examined}: {row}");
        queries += 1;
    }
    assert!(queries >= 7, "{queries}");
    app.finish().await;
}
