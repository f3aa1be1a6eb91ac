//! The table of people: every filter by its address, pages, columns, the file, and that an index serves the common ones.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{DateTime, Document, doc};
use serde_json::{Value, json};

use crate::admin_users::{page, read, someone, trail};
use crate::support::app::TestApp;

const CROWD: i64 = 2_000;

/// Many people, past Clerk: what is tested is how they are looked through.
async fn crowd(app: &TestApp) {
    let users = app.database.handle().collection::<Document>("users");
    let people = (0..CROWD).map(|number| {
        let at = DateTime::from_millis(1_760_000_000_000 + number * 86_400_000);
        let name = ["Bob", "=Eve", "Zoë"][usize::try_from(number % 3).unwrap_or(0)];
        let mut person = doc! {
            "_id": ObjectId::new(), "clerkId": format!("user_crowd{number}"), "name": format!("{name} {number}"),
            "username": format!("crowd{number}"), "email": format!("crowd{number}@example.com"), "emailVerified": true,
            "role": if number == 5 { "moderator" } else { "user" }, "banned": number % 500 == 3,
            "locked": number % 500 == 4, "syncStatus": if number % 400 == 1 { "error" } else { "active" },
            "authProvider": if number % 400 == 2 { "local" } else { "clerk" },
            "version": { "updatedAt": 1_i64, "eventAt": 1_i64 }, "createdAt": at, "updatedAt": at,
        };
        if number % 100 == 7 {
            person.insert("lastActiveAt", at);
        }
        person
    });
    users.insert_many(people).await.expect("stored");
}

async fn ids(app: &TestApp, by: &str, query: &str) -> Vec<String> {
    let table = read(app, by, &format!("list_users?{query}")).await;
    let rows = table["rows"].as_array().expect("rows");
    rows.iter().map(|row| row["clerk_id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn e_20_people_are_found_by_id_address_and_name_and_by_every_filter() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    crowd(&app).await;
    let mongo_id =
        app.database.user("user_crowd5").await.expect("stored").get_object_id("_id").expect("an id").to_hex();
    for query in [
        "query[q]=user_crowd5".to_owned(),
        format!("query[q]={mongo_id}"),
        "query[q]=CROWD5%40example".to_owned(),
        "query[role]=moderator".to_owned(),
        "query[joined_from]=2025-10-14&query[joined_to]=2025-10-14".to_owned(),
    ] {
        assert_eq!(ids(&app, &admin, &query).await, ["user_crowd5"], "{query}");
    }
    for (query, count) in [
        ("query[mark]=banned", 4),
        ("query[mark]=locked", 4),
        ("query[mark]=deleted", 0),
        ("query[state]=error", 5),
        ("query[provider]=local", 5),
        ("query[q]=bob&query[mark]=banned", 2),
        ("query[q]=crowd&query[active_from]=2000-01-01", 20),
        ("query[role]=user&query[state]=error&query[joined_to]=2025-12-31", 1),
    ] {
        assert_eq!(ids(&app, &admin, query).await.len(), count, "{query}");
    }
    let newest = ids(&app, &admin, "query[provider]=clerk").await;
    assert_eq!((newest.len(), newest[0].as_str()), (50, "user_crowd1999"));
    let by_name = read(&app, &admin, "list_users?query[sort]=name").await;
    assert_eq!(by_name["rows"][0]["name"], "=Eve 1");
    app.finish().await;
}

#[tokio::test]
async fn e_23_people_come_in_the_order_in_which_they_joined_or_were_here_last() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    crowd(&app).await;
    let oldest = ids(&app, &admin, "query[sort]=oldest").await;
    assert_eq!((oldest.len(), &oldest[..2]), (50, &["user_crowd0".to_owned(), "user_crowd1".to_owned()][..]));
    // The admin, who asks, is here today.
    let expected: Vec<String> = (0..20).rev().map(|hundred| format!("user_crowd{}", hundred * 100 + 7)).collect();
    let is_of_crowd = |id: &String| id.starts_with("user_crowd");
    let active: Vec<String> = ids(&app, &admin, "query[sort]=active").await.into_iter().filter(is_of_crowd).collect();
    assert_eq!(active, expected);
    let file = app.post_as(Some(&admin), "/admin/users/csv", "sort=active&columns=active").await;
    let text = file.text().await.expect("text");
    let rows = text.lines().filter_map(|line| line.split(',').next()).map(str::to_owned);
    assert_eq!(rows.filter(is_of_crowd).collect::<Vec<_>>(), expected, "the file is in the same order");
    for (sort, column, told) in
        [("oldest", "joined", "ascending"), ("active", "active", "descending"), ("joined", "joined", "descending")]
    {
        let (status, shown) = page(&app, &admin, &format!("/admin/users?sort={sort}&column={column}")).await;
        assert_eq!(status, 200, "{sort}");
        assert_eq!(shown.matches("aria-sort").count(), 1, "{sort}");
        assert!(shown.contains(&format!("aria-sort=\"{told}\"")), "{sort}");
        assert_eq!(shown.contains("Whoever never was here"), sort == "active", "{sort}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_21_a_question_that_is_none_is_400_and_the_form_is_there_to_mend_it() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    for query in ["role=king", "sort=$where", "joined_from=yesterday", "after=x", "column=passwordHash", "mark=all"] {
        let (status, shown) = page(&app, &admin, &format!("/admin/users?{query}")).await;
        assert_eq!(status, 400, "{query}");
        assert!(shown.contains("role=\"alert\"") && shown.contains("type=\"search\""), "{query}");
    }
    app.finish().await;
}

#[tokio::test]
async fn e_31_pages_filters_and_columns_are_in_the_address() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    crowd(&app).await;
    let (status, shown) = page(&app, &admin, "/admin/users?q=bob&column=username&column=mongo").await;
    assert_eq!(status, 200);
    assert!(shown.contains("crowd0") && shown.contains("MongoDB id") && !shown.contains("crowd0@example.com"));
    let next = shown.split("href=\"").filter_map(|rest| rest.split('"').next()).find(|link| link.contains("after="));
    let next = next.expect("a next page").replace("&amp;", "&");
    for kept in ["q=bob", "column=username", "column=mongo"] {
        assert!(next.contains(kept), "{kept}: {next}");
    }
    let (status, further) = page(&app, &admin, &next).await;
    assert_eq!(status, 200);
    assert!(further.contains("First page") && !further.contains(">Bob 0<"));
    let (_, nobody) = page(&app, &admin, "/admin/users?q=nobodyatall").await;
    assert!(nobody.contains("Ask for less"));
    app.finish().await;
}

#[tokio::test]
async fn d5_03_e_17_the_file_holds_everybody_asked_for_and_no_formula_and_is_on_record() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    crowd(&app).await;
    let ask = async |body: &str| app.post_as(Some(&admin), "/admin/users/csv", body).await;
    let answer = ask("mark=&role=user&sort=name&columns=email,role").await;
    assert_eq!(answer.status(), 200);
    let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
    assert!(header("content-type").starts_with("text/csv") && header("content-disposition").contains("people.csv"));
    // As bytes: what makes text of them takes the mark away.
    let text = String::from_utf8(answer.bytes().await.expect("bytes").to_vec()).expect("UTF-8");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 1999, "the head, and every user of all pages");
    assert_eq!(lines[0], "\u{feff}Clerk id,Name,E-mail,Role", "a mark, by which a spreadsheet knows UTF-8");
    assert_eq!(lines[1], "user_crowd1,'=Eve 1,crowd1@example.com,user");
    assert!(!text.contains(",=") && !text.contains("\n="));
    let entry = trail(&app, "users").await.pop().expect("an entry");
    assert_eq!((entry.action.as_str(), entry.after.as_deref()), ("export_users", Some("role: user")));
    assert_eq!(ask("role=king").await.status(), 400);
    assert_eq!(ask("passwordHash=1").await.status(), 422, "no such field");
    let text = ask("q=bob&mark=banned").await.text().await.expect("text");
    assert_eq!(text.lines().count(), 1 + 2, "the filter counts");
    let mongo_id =
        app.database.user("user_crowd5").await.expect("stored").get_object_id("_id").expect("an id").to_hex();
    for id in ["user_crowd5", &mongo_id] {
        let text = ask(&format!("q={id}&columns=role")).await.text().await.expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1..], ["user_crowd5,Zoë 5,moderator"], "{id}: as in the table");
    }
    app.finish().await;
}

/// In place of the people stands a view of them that takes its time over each ordinary one.
#[tokio::test]
async fn d5_22_e_17_a_file_that_takes_too_long_to_begin_is_refused_in_words_and_not_on_record() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    crowd(&app).await;
    let server = app.database.client.database("admin");
    let rename = |from: &str, to: &str| {
        let [from, to] = [from, to].map(|name| format!("{}.{name}", app.database.name));
        server.run_command(doc! { "renameCollection": from, "to": to })
    };
    rename("users", "people").await.expect("renamed");
    let sum = doc! { "$reduce": {
        "input": { "$range": [0, 500_000] }, "initialValue": 0, "in": { "$add": ["$$value", "$$this"] },
    } };
    let slow = doc! { "$addFields": { "slow": { "$cond": [{ "$eq": ["$role", "user"] }, sum, 0] } } };
    let view = doc! { "create": "users", "viewOn": "people", "pipeline": [slow] };
    app.database.handle().run_command(view).await.expect("a view");
    let answer = app.post_as(Some(&admin), "/admin/users/csv", "role=user").await;
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    app.database.handle().collection::<Document>("users").drop().await.expect("dropped");
    rename("people", "users").await.expect("renamed");
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("That takes too long."), "{text}");
    assert_eq!(trail(&app, "users").await, [], "nothing left");
    app.finish().await;
}

/// Asks MongoDB's profiler what the page's own queries did.
#[tokio::test]
async fn e_27_the_common_questions_are_served_by_an_index_and_look_at_few() {
    let app = TestApp::new().await;
    // One alone would ask too often.
    let admins = [someone(&app, "Ad", "admin").await, someone(&app, "Ed", "admin").await];
    crowd(&app).await;
    let database = app.database.handle();
    let profile = database.collection::<Document>("system.profile");
    let filters = [
        "",
        "query[q]=bob",
        "query[q]=crowd77%40",
        "query[role]=admin",
        "query[role]=moderator",
        "query[role]=user",
        "query[state]=error",
        "query[state]=pending",
        "query[state]=active",
        "query[provider]=local",
        "query[provider]=clerk",
        "query[mark]=banned",
        "query[mark]=locked",
        "query[mark]=deleted",
        "query[joined_from]=2026-01-01&query[joined_to]=2026-01-31",
        "query[active_from]=2026-01-01",
    ];
    let orders = ["joined", "oldest", "name", "active"];
    let all = filters.iter().flat_map(|filter| orders.map(|order| format!("query[sort]={order}&{filter}")));
    // Of those who joined in some days, whoever was here is found by looking at all of either.
    let all = all.filter(|query| !(query.contains("[sort]=active") && query.contains("joined_from")));
    for (query, admin) in all.zip(admins.iter().cycle()) {
        database.run_command(doc! { "profile": 2 }).await.expect("the profiler");
        read(&app, admin, &format!("list_users?{query}")).await;
        database.run_command(doc! { "profile": 0 }).await.expect("the profiler");
        let about = doc! { "op": "query", "ns": format!("{}.users", database.name()) };
        let mut seen = profile.find(about).await.expect("the profile");
        let mut queries = 0;
        while seen.advance().await.expect("a row") {
            let row: Document = seen.deserialize_current().expect("a document");
            let plan = row.get_str("planSummary").unwrap_or_default();
            assert!(!plan.contains("COLLSCAN"), "{query}: {plan}");
            let number = |name: &str| row.get_i32(name).unwrap_or(i32::MAX);
            let (keys, people, returned) = (number("keysExamined"), number("docsExamined"), number("nreturned"));
            let few = 2 * returned + 10;
            assert!(keys.max(people) <= few, "{query}: {keys} keys, {people} people for {returned}: {plan}");
            queries += 1;
        }
        assert!(queries > 0, "{query}");
        profile.drop().await.expect("emptied");
    }
    app.finish().await;
}

#[tokio::test]
async fn d5_01_names_with_markup_are_text_in_the_table_on_the_page_and_in_the_file() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    let name = "<img src=x onerror=alert(1)>";
    let id = app.person(json!({ "email_address": ["x@example.com"], "first_name": name })).await;
    for path in
        ["/admin/users".to_owned(), format!("/admin/users/{id}"), format!("/admin/role-changes?id={id}&role=admin")]
    {
        let (status, shown) = page(&app, &admin, &path).await;
        assert_eq!(status, 200, "{path}");
        assert!(!shown.contains("<img src=x") && shown.contains("&lt;img src=x"), "{path}");
    }
    let row: Value = read(&app, &admin, &format!("list_users?query[q]={id}")).await["rows"][0].clone();
    assert_eq!(row["name"], name);
    app.finish().await;
}

#[tokio::test]
async fn e_12_e_23_everybody_on_a_page_is_chosen_at_once_and_the_order_is_told() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    someone(&app, "Mo", "user").await;
    let (_, shown) = page(&app, &admin, "/admin/users?column=joined&role=user").await;
    assert!(shown.contains("aria-sort=\"descending\"") && shown.contains("Choose everybody on this page"), "{shown}");
    let boxes = |shown: &str| {
        shown
            .split("name=\"id\"")
            .skip(1)
            .filter(|rest| rest.split_once('>').is_some_and(|tag| tag.0.contains(" checked")))
            .count()
    };
    assert_eq!(boxes(&shown), 0);
    let (_, chosen) = page(&app, &admin, "/admin/users?sort=name&chosen=page").await;
    assert_eq!((boxes(&chosen), chosen.matches("name=\"id\"").count()), (2, 2));
    assert!(chosen.contains("aria-sort=\"ascending\"") && chosen.contains("Choose nobody"), "{chosen}");
    app.finish().await;
}

#[tokio::test]
async fn e_23_where_there_is_no_choice_of_an_order_none_is_offered_or_marked() {
    let app = TestApp::new().await;
    let admin = someone(&app, "Ad", "admin").await;
    someone(&app, "Mo", "user").await;
    let is_told = |shown: &str| (shown.contains("aria-label=\"Order\""), shown.contains("aria-sort"));
    for sort in ["", "name"] {
        for (asked, is_choice) in [("role=user", true), ("q=mo", false), ("q=%20mo%20", false)] {
            let (_, shown) = page(&app, &admin, &format!("/admin/users?column=joined&sort={sort}&{asked}")).await;
            assert!(shown.contains("Choose Mo"), "{asked}");
            assert_eq!(is_told(&shown), (is_choice, is_choice), "{asked}, {sort}");
        }
    }
    app.database.set("users", doc! { "name": "Mo" }, doc! { "deletedAt": DateTime::now() }).await;
    let (_, shown) = page(&app, &admin, "/admin/users?column=joined&sort=name&mark=deleted").await;
    assert!(shown.contains("Choose Mo"), "{shown}");
    assert_eq!(is_told(&shown), (false, false));
    app.finish().await;
}
