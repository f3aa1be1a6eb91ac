//! Pages as the server renders them, for whom, with which status and headers.

use futures::StreamExt;
use rollcall::standin::levers::Levers;
use serde_json::json;

use crate::support::app::{TestApp, Wishes, files_of};

async fn body(answer: reqwest::Response) -> String {
    answer.text().await.expect("text")
}

#[tokio::test]
async fn the_profile_shows_ones_own_document() {
    let app = TestApp::new().await;
    let attributes =
        json!({ "email_address": ["jo@example.com"], "first_name": "Jo", "last_name": "Doe", "username": "jojo" });
    let id = app.person(attributes).await;
    let answer = app.get_as(&id, "/profile").await;
    assert_eq!(answer.status(), 200);
    let page = body(answer).await;
    for text in ["Your profile", "Jo Doe", "jo@example.com (verified)", &id] {
        assert!(page.contains(text), "{text}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a3_25_the_profile_of_somebody_new_is_never_404() {
    let app = TestApp::with(Wishes { seed_users: 3, ..Wishes::default() }).await;
    let id =
        app.clerk.find_user("user@example.com").expect("a seeded person")["id"].as_str().expect("an id").to_owned();
    assert!(app.database.user(&id).await.is_none());
    assert_eq!(app.get_as(&id, "/profile").await.status(), 200);
    assert!(app.database.user(&id).await.is_some());
    app.finish().await;
}

#[tokio::test]
async fn anonymous_visitors_of_the_profile_are_sent_to_sign_in_and_back() {
    let app = TestApp::with(Wishes { production_clerk: true, ..Wishes::default() }).await;
    let answer = app.visit("", "/profile").await;
    assert_eq!(answer.status(), 302);
    assert_eq!(answer.headers()["location"], "/sign-in?redirect_url=%2Fprofile");
    app.finish().await;
}

#[tokio::test]
async fn the_sync_page_is_for_admins_and_shows_what_became_of_events() {
    let app = TestApp::new().await;
    let member = app.person(json!({ "email_address": ["jo@example.com"] })).await;
    let admin =
        app.person(json!({ "email_address": ["ad@example.com"], "public_metadata": { "role": "admin" } })).await;
    app.settled().await;
    let refused = app.get_as(&member, "/admin/sync").await;
    assert_eq!(refused.status(), 403);
    assert!(body(refused).await.contains("Admins only"));
    let shown = app.get_as(&admin, "/admin/sync").await;
    assert_eq!(shown.status(), 200);
    let page = body(shown).await;
    for text in ["Last 50 events", "user.created", "applied", "created", &member, "Healthy"] {
        assert!(page.contains(text), "{text}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_role_taken_away_at_clerk_closes_the_page() {
    let app = TestApp::new().await;
    let id = app.person(json!({ "email_address": ["ad@example.com"], "public_metadata": { "role": "admin" } })).await;
    let token = app.token(&id);
    let ask = || app.client.get(app.at("/admin/sync")).bearer_auth(&token).send();
    assert_eq!(ask().await.expect("an answer").status(), 200);
    app.clerk.merge_metadata(&id, json!({ "public_metadata": { "role": null } }));
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    assert_eq!(ask().await.expect("an answer").status(), 403, "the role is MongoDB's, not the token's");
    app.finish().await;
}

#[tokio::test]
async fn a3_08_admin_email_makes_admins_in_development_if_the_address_is_verified() {
    let listed = vec![("ADMIN_EMAIL", "Boss@Example.com, other@example.com".to_owned())];
    let app = TestApp::with(Wishes { variables: listed, ..Wishes::default() }).await;
    let boss = app.person(json!({ "email_address": ["boss@example.com"] })).await;
    assert_eq!(app.get_as(&boss, "/admin/sync").await.status(), 200);
    app.finish().await;
}

#[tokio::test]
async fn a_page_that_is_none_says_404() {
    let app = TestApp::new().await;
    let answer = app.get("/no/such/page").await;
    assert_eq!(answer.status(), 404);
    assert!(body(answer).await.contains("Page not found"));
    app.finish().await;
}

#[tokio::test]
async fn a_missing_asset_is_404_for_everybody() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/pkg/missing.js").await.status(), 404);
    assert_eq!(app.get("/api/no/such_function").await.status(), 404);
    app.finish().await;
}

#[tokio::test]
async fn d2_06_d5_26_with_mongodb_away_pages_say_so_and_when_to_come_back() {
    let away = vec![
        ("MONGODB_URI", "mongodb://127.0.0.1:9/rollcall".to_owned()),
        ("ROLLCALL_DATABASE_TIMEOUT_MS", "300".to_owned()),
    ];
    let app = TestApp::with(Wishes { variables: away, seed_users: 1, ..Wishes::default() }).await;
    let id = app.clerk.users()[0]["id"].as_str().expect("an id").to_owned();
    let answer = app.get_as(&id, "/profile").await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let page = body(answer).await;
    assert!(page.contains("Not available right now"));
    assert!(!page.contains("Sign in") && !page.contains("127.0.0.1:9"), "neither a wrong claim nor an address");
    app.finish().await;
}

#[tokio::test]
async fn d5_26_a_page_that_takes_too_long_is_given_up_with_words_and_so_is_too_much_of_one_address() {
    let variables = [("ROLLCALL_REQUEST_TIMEOUT", "1"), ("ROLLCALL_ADDRESS_REQUESTS", "40")];
    let variables = variables.map(|(name, value)| (name, value.to_owned())).to_vec();
    let app = TestApp::with(Wishes { variables, seed_users: 1, ..Wishes::default() }).await;
    let id = app.clerk.users()[0]["id"].as_str().expect("an id").to_owned();
    let token = app.token(&id);
    let visit = |path: &str| {
        let request = app.client.get(app.at(path)).header("accept", "text/html").bearer_auth(&token);
        async { request.send().await.expect("an answer") }
    };
    assert_eq!(visit("/profile").await.status(), 200);
    app.clerk.set_levers(Levers { bapi_delay_ms: 3_000, ..Levers::default() });
    let answer = visit("/profile/sessions").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert_eq!(answer.headers()["content-security-policy"], "default-src 'none'");
    assert_eq!(answer.headers()["cache-control"], "private, no-store");
    let page = body(answer).await;
    assert!(page.contains("<h1>Not answered in time</h1>") && page.contains("Try again in 5 s."), "{page}");
    app.clerk.set_levers(Levers::default());

    let mut refused = visit("/").await;
    for _ in 0..100 {
        if refused.status() != 200 {
            break;
        }
        refused = visit("/").await;
    }
    assert_eq!(refused.status(), 429);
    let wait = refused.headers()["retry-after"].to_str().expect("text").to_owned();
    let page = body(refused).await;
    assert!(page.contains("<h1>Too many requests</h1>") && page.contains(&format!("in {wait} s.")), "{page}");
    app.finish().await;
}

#[tokio::test]
async fn d5_01_a_name_with_markup_is_text() {
    let app = TestApp::new().await;
    let name = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    let id = app.person(json!({ "email_address": ["x@example.com"], "first_name": name })).await;
    let page = body(app.get_as(&id, "/profile").await).await;
    assert!(!page.contains("<script>alert(1)") && !page.contains("<img src=x"), "unescaped");
    assert!(page.contains("&lt;script&gt;alert(1)"));
    app.finish().await;
}

#[tokio::test]
async fn d6_every_page_carries_its_policy_with_a_fresh_nonce() {
    let app = TestApp::new().await;
    for (path, with_clerk) in [("/", false), ("/sign-in", true), ("/sign-up", true), ("/none", false)] {
        let answer = app.get(path).await;
        let header = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}");
        assert!(policy.contains("'strict-dynamic' 'wasm-unsafe-eval'"), "{path}");
        assert!(header("permissions-policy").contains("camera=(), display-capture=()"), "{path}");
        assert_eq!(policy.contains("'unsafe-inline'"), with_clerk, "{path}");
        assert_eq!(policy.contains("challenges.cloudflare.com"), with_clerk, "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("cache-control"), "private, no-store");
        assert!(answer.headers().get_all("vary").iter().any(|value| value == "Cookie"), "{path}");
        let nonce =
            policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).expect("a nonce").to_owned();
        assert!(nonce.len() >= 16);
        let page = body(answer).await;
        assert!(page.contains(&format!("nonce=\"{nonce}\"")), "{path}");
        let again = app.get(path).await;
        assert!(!again.headers()["content-security-policy"].to_str().expect("text").contains(&nonce), "{path}");
    }
    app.finish().await;
}

#[tokio::test]
async fn e_24_the_chosen_theme_is_in_the_first_byte() {
    let app = TestApp::new().await;
    let post = app.client.post(app.at("/theme")).header("sec-fetch-site", "same-origin");
    let post = post.header("content-type", "application/x-www-form-urlencoded").header("referer", app.at("/sign-in"));
    let answer = post.body("theme=dark").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().expect("text")), (303, "/sign-in"));
    let cookie = answer.headers()["set-cookie"].to_str().expect("text").split(';').next().expect("a pair").to_owned();
    let page = body(app.client.get(app.at("/")).header("cookie", cookie).send().await.expect("an answer")).await;
    assert!(page.contains("data-theme=\"dark\""));
    app.finish().await;
}

#[tokio::test]
async fn d5_14_two_people_asking_at_once_never_see_each_other() {
    let app = TestApp::new().await;
    let mut people = Vec::new();
    for index in 0..4 {
        let name = format!("Marker{index}Person");
        let attributes = json!({ "email_address": [format!("m{index}@example.com")], "first_name": name });
        people.push((app.person(attributes).await, name));
    }
    let asks = (0..100).map(|index| {
        let (id, name) = &people[index % people.len()];
        let app = &app;
        async move { (name.clone(), body(app.get_as(id, "/profile").await).await) }
    });
    for (name, page) in futures::future::join_all(asks).await {
        for (_, other) in &people {
            assert_eq!(page.contains(other.as_str()), *other == name, "{other} on the page of {name}");
        }
    }
    app.finish().await;
}

/// Two hundred people, each at several pages, all in between each other: nothing of one reaches another's (D5-15).
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d5_15_of_two_hundred_people_at_once_each_sees_themselves_only() {
    const PATHS: [&str; 6] =
        ["/profile", "/", "/profile/data", "/no-such-page", "/api/session/get_viewer", "/api/profile/get_profile"];
    let app = TestApp::new().await;
    let mut people = Vec::new();
    for number in 0..200 {
        let attributes = json!({
            "email_address": [format!("marker{number}end@example.com")], "first_name": format!("Marker{number}End"),
            "username": format!("marker{number}end"),
        });
        people.push(app.clerk.create_user(attributes)["id"].as_str().expect("an id").to_owned());
    }
    assert!(app.clerk.drained(std::time::Duration::from_secs(30)).await);
    app.settled().await;
    // One path after another for one person, one person after another for one path.
    let asks = (0..1200).map(|number| {
        let (person, path) = (number * 7 % people.len(), PATHS[number / people.len() % PATHS.len()]);
        let (app, id) = (&app, &people[person]);
        async move {
            let page = body(app.get_as(id, path).await).await.to_lowercase();
            let seen: std::collections::BTreeSet<String> =
                page.split("marker").skip(1).filter_map(|rest| Some(rest.split_once("end")?.0.to_owned())).collect();
            (person, path, seen)
        }
    });
    let answers: Vec<_> = futures::stream::iter(asks).buffer_unordered(64).collect().await;
    assert_eq!(answers.len(), 1200);
    for (person, path, seen) in answers {
        assert!(seen.iter().all(|number| *number == person.to_string()), "{path} of {person}: {seen:?}");
        let is_about_them = path.contains("profile") || path.ends_with("get_viewer");
        assert!(!seen.is_empty() || !is_about_them, "{path} of {person}");
    }
    app.finish().await;
}

/// A file that is sent while a page is made must not take that page's headers along: neither its policy nor its cookies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d5_14_a_file_takes_nothing_from_a_page_that_is_made_meanwhile() {
    let site = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(site.path().join("pkg")).expect("a folder");
    std::fs::write(site.path().join("pkg/rollcall.css"), "body {}").expect("a file");
    let root = site.path().to_string_lossy().into_owned();
    let app = TestApp::with(Wishes { variables: vec![("LEPTOS_SITE_ROOT", root)], ..Wishes::default() }).await;
    let member = app.person(serde_json::json!({ "email_address": ["ada@example.com"] })).await;
    let front = body(app.get("/").await).await;
    let style = files_of(&front).into_iter().find(|file| file.ends_with("rollcall.css")).expect("a style");
    let readers = (0..8).map(|_| async {
        for _ in 0..40 {
            let page = app.get_as(&member, "/profile").await;
            assert!(page.headers().contains_key("content-security-policy"), "{:?}", page.headers());
            page.bytes().await.expect("a page");
        }
    });
    let loaders = (0..8).map(|_| async {
        for _ in 0..200 {
            let file = app.get(&style).await;
            assert_eq!(file.status(), 200);
            let of_a_page = ["content-security-policy", "set-cookie"].map(|name| file.headers().contains_key(name));
            assert_eq!(of_a_page, [false, false], "{:?}", file.headers());
        }
    });
    futures::join!(futures::future::join_all(readers), futures::future::join_all(loaders));
    app.finish().await;
}

#[tokio::test]
async fn e_16_e_21_times_of_utc_and_no_shortcuts_are_a_choice_that_a_browser_keeps() {
    let app = TestApp::new().await;
    let plain = body(app.get("/").await).await;
    assert!(plain.contains("Show times of UTC") && plain.contains("Switch them off"), "{plain}");
    assert!(!plain.contains("data-times"));
    let answer = app.post_as(None, "/preferences", "times=utc&shortcuts=off").await;
    assert_eq!(answer.status(), 303);
    let cookies =
        answer.headers().get_all("set-cookie").iter().filter_map(|line| line.to_str().ok()?.split(';').next());
    let cookies = cookies.collect::<Vec<_>>().join("; ");
    let chosen = body(app.client.get(app.at("/")).header("cookie", cookies).send().await.expect("an answer")).await;
    assert!(chosen.contains("data-times=\"utc\"") && chosen.contains("Show times of my zone"), "{chosen}");
    assert!(chosen.contains("Switch them on"), "{chosen}");
    assert_eq!(app.post_as(None, "/preferences", "times=mars").await.status(), 422);
    app.finish().await;
}
