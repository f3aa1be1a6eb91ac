//! Looking for people, among so many that a query without an index would show: what is found, in which order, and by which
//! index (issue 5, items 5 and 6).

use mongodb::Collection;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use rollcall::model::user::Role;
use rollcall::server::store::directory::filter::Filter;
use rollcall::server::store::directory::{Order, Page, Wanted};

use crate::support::app::TestApp;

const CROWD: i64 = 2_000;

fn wanted<'a>(prefix: Option<&'a str>, after: Option<&'a str>) -> Wanted<'a> {
    Wanted { limit: 7, after, prefix, with_email: true, order: Order::Stored, filter: Filter::default() }
}

fn person(number: i64, first: &str, last: &str) -> Document {
    let at = DateTime::from_millis(1_760_000_000_000 + number * 1000);
    let mut person = doc! {
        "_id": ObjectId::new(), "clerkId": format!("user_{number}"), "name": format!("{first} {last}"),
        "firstName": first, "lastName": last, "username": format!("{}{number}", first.to_lowercase()),
        "email": format!("{}.{number}@example.com", last.to_lowercase()), "emailVerified": true,
        "role": if number == 5 { "admin" } else { "user" }, "banned": number % 500 == 3,
        "syncStatus": if number % 400 == 1 { "error" } else { "active" }, "authProvider": "clerk",
        "version": { "updatedAt": 1_i64, "eventAt": 1_i64 }, "createdAt": at, "updatedAt": at,
    };
    // A day has many of them.
    if number % 10 == 9 {
        person.insert("lastActiveAt", DateTime::from_millis(1_760_000_000_000 + number / 100 * 86_400_000));
    }
    person
}

async fn crowd(app: &TestApp) -> Collection<Document> {
    let users = app.database.handle().collection::<Document>("users");
    let firsts = ["Ada", "Ádám", "ada", "Bob", "Zoë", "محمد", "Ana"];
    let lasts = ["Lovelace", "Adams", "Müller", "Ørsted"];
    let pick = |number: i64, names: &[&str]| {
        let index = usize::try_from(number).unwrap_or(0) % names.len();
        names[index].to_owned()
    };
    let people = (0..CROWD).map(|number| person(number, &pick(number, &firsts), &pick(number / 7, &lasts)));
    users.insert_many(people).await.expect("stored");
    let gone = doc! { "$set": { "deletedAt": DateTime::now() } };
    users.update_many(doc! { "clerkId": { "$in": ["user_10", "user_20", "user_30"] } }, gone).await.expect("deleted");
    users
}

async fn walk(app: &TestApp, wanted: Wanted<'_>) -> Vec<String> {
    let mut names = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page: Page =
            app.state.store.directory.list(Wanted { after: after.as_deref(), ..wanted }).await.expect("a page");
        assert!(page.users.len() <= 7);
        names.extend(page.users.into_iter().map(|user| format!("{} {}", user.name, user.clerk_id)));
        match page.next {
            Some(next) => after = Some(next),
            None => return names,
        }
    }
}

#[tokio::test]
async fn e_20_a_search_finds_each_once_by_any_name_whatever_case_and_accents() {
    let app = TestApp::new().await;
    let users = crowd(&app).await;
    let found = walk(&app, wanted(Some("ADA"), None)).await;
    let mut expected = 0;
    let mut rows = users.find(doc! { "deletedAt": null }).await.expect("people");
    while rows.advance().await.expect("a row") {
        let row: Document = rows.deserialize_current().expect("a document");
        let names = [row.get_str("name"), row.get_str("lastName"), row.get_str("username"), row.get_str("email")];
        let plain = |text: &str| text.to_lowercase().replace('á', "a");
        expected += usize::from(names.into_iter().flatten().any(|text| plain(text).starts_with("ada")));
    }
    assert!(expected > 500, "{expected}");
    assert_eq!(found.len(), expected);
    let distinct: std::collections::BTreeSet<&String> = found.iter().collect();
    assert_eq!(distinct.len(), found.len(), "nobody twice");
    assert_eq!(walk(&app, wanted(Some("zoe"), None)).await.len(), walk(&app, wanted(Some("ZOË"), None)).await.len());
    assert!(!walk(&app, wanted(Some("محم"), None)).await.is_empty());
    assert_eq!(walk(&app, wanted(Some("müller.2@"), None)).await.len(), 0);
    assert_eq!(walk(&app, wanted(Some("adams.7@"), None)).await.len(), 1);
    let without = Wanted { with_email: false, ..wanted(Some("adams.7@"), None) };
    assert_eq!(walk(&app, without).await.len(), 0, "addresses are for those who may see them");
    app.finish().await;
}

#[tokio::test]
async fn e_20_lists_are_whole_and_in_order() {
    let app = TestApp::new().await;
    crowd(&app).await;
    let living = usize::try_from(CROWD).expect("a number") - 3;
    let by_name = walk(&app, Wanted { order: Order::Name, ..wanted(None, None) }).await;
    assert_eq!(by_name.len(), living);
    let first_of = |start: &str| by_name.iter().position(|name| name.starts_with(start)).expect("somebody");
    assert!(first_of("Ádám") < first_of("Ana") && first_of("Ana") < first_of("Bob"), "as in a dictionary");
    let newest = walk(&app, Wanted { order: Order::Newest, ..wanted(None, None) }).await;
    assert_eq!((newest.len(), newest[0].ends_with("user_1999")), (living, true));
    let mut oldest = walk(&app, Wanted { order: Order::Oldest, ..wanted(None, None) }).await;
    oldest.reverse();
    assert_eq!(oldest, newest);
    let active = walk(&app, Wanted { order: Order::Active, ..wanted(None, None) }).await;
    let number_of = |name: &String| name.rsplit('_').next().and_then(|end| end.parse::<i64>().ok()).expect("a number");
    let days: Vec<i64> = active.iter().map(|name| number_of(name) / 100).collect();
    let distinct: std::collections::BTreeSet<&String> = active.iter().collect();
    assert_eq!((active.len(), distinct.len()), (200, 200), "whoever was here, each once");
    assert!(days.is_sorted_by(|one, next| one >= next), "{days:?}");
    assert_eq!(walk(&app, wanted(None, None)).await.len(), living);
    let gone = Filter { is_deleted: true, ..Filter::default() };
    assert_eq!(walk(&app, Wanted { filter: gone, ..wanted(None, None) }).await.len(), 3);
    let foreign = app.state.store.directory.list(Wanted { order: Order::Name, ..wanted(None, None) }).await;
    let next = foreign.expect("a page").next;
    let again = app.state.store.directory.list(wanted(None, next.as_deref())).await.expect("a page");
    assert!(again.users[0].clerk_id == "user_0", "a cursor of another order begins anew");
    app.finish().await;
}

/// Ends what MongoDB's profiler writes down: every query went by an index and looked at few.
async fn assert_few_are_looked_at(app: &TestApp, what: &str) {
    let database = app.database.handle();
    let profile = database.collection::<Document>("system.profile");
    let about = doc! { "op": "query", "ns": format!("{}.users", database.name()) };
    let mut seen = profile.find(about).await.expect("the profile");
    let mut queries = 0;
    while seen.advance().await.expect("a row") {
        let query: Document = seen.deserialize_current().expect("a document");
        let plan = query.get_str("planSummary").unwrap_or_default();
        assert!(!plan.contains("COLLSCAN"), "{what}: {plan}");
        assert!(!query.get_bool("hasSortStage").unwrap_or(false), "{what} sorts in memory: {plan}");
        let examined = query.get_i32("keysExamined").unwrap_or(i32::MAX);
        assert!(examined <= 60, "{what}: {examined} keys: {plan}");
        queries += 1;
    }
    assert!(queries > 0, "{what}");
    database.run_command(doc! { "profile": 0 }).await.expect("the profiler");
    profile.drop().await.expect("emptied");
}

/// Asks MongoDB's profiler what it did: the queries are those of the product, not copies of them.
#[tokio::test]
async fn e_20_every_list_and_search_is_served_by_an_index() {
    let app = TestApp::new().await;
    crowd(&app).await;
    let database = app.database.handle();
    database.run_command(doc! { "profile": 2 }).await.expect("the profiler");
    let admins = Filter { role: Some(Role::Admin), ..Filter::default() };
    let banned = Filter { is_banned: true, ..Filter::default() };
    let failed = Filter { status: Some(rollcall::model::user::SyncStatus::Error), ..Filter::default() };
    let gone = Filter { is_deleted: true, ..Filter::default() };
    let open = Filter { without_banned: true, ..Filter::default() };
    for (what, wanted) in [
        ("stored", wanted(None, None)),
        ("name", Wanted { order: Order::Name, ..wanted(None, None) }),
        ("newest", Wanted { order: Order::Newest, ..wanted(None, None) }),
        ("oldest", Wanted { order: Order::Oldest, ..wanted(None, None) }),
        ("active", Wanted { order: Order::Active, ..wanted(None, None) }),
        ("search", wanted(Some("bob"), None)),
        ("search for an address", wanted(Some("adams.7@"), None)),
        ("search for nobody", wanted(Some("nobody"), None)),
        ("admins", Wanted { filter: admins, ..wanted(None, None) }),
        ("banned", Wanted { filter: banned, ..wanted(None, None) }),
        ("failed", Wanted { filter: failed, ..wanted(None, None) }),
        ("deleted", Wanted { filter: gone, ..wanted(None, None) }),
        ("people", Wanted { order: Order::Name, filter: open, ..wanted(None, None) }),
        ("people to each other", Wanted { with_email: false, order: Order::Name, filter: open, ..wanted(None, None) }),
        ("search for people", Wanted { with_email: false, filter: open, ..wanted(Some("bob"), None) }),
    ] {
        let page = app.state.store.directory.list(wanted).await.expect("a page");
        if let Some(next) = page.next {
            let further = Wanted { after: Some(&next), ..wanted };
            app.state.store.directory.list(further).await.expect("a page");
        }
        assert_few_are_looked_at(&app, what).await;
        database.run_command(doc! { "profile": 2 }).await.expect("the profiler");
    }
    database.run_command(doc! { "profile": 0 }).await.expect("the profiler");
    app.finish().await;
}

#[tokio::test]
async fn d5_19_whoever_has_no_name_comes_last_by_an_index_of_their_own() {
    let app = TestApp::new().await;
    let users = crowd(&app).await;
    let nameless = (0..20).map(|number| {
        let mut person = person(CROWD + number, "Hidden", "Address");
        for field in ["firstName", "lastName", "username"] {
            person.insert(field, Bson::Null);
        }
        person
    });
    users.insert_many(nameless).await.expect("stored");
    app.database.handle().run_command(doc! { "profile": 2 }).await.expect("the profiler");
    let everybody = Wanted { with_email: false, order: Order::Name, ..wanted(None, None) };
    let found = walk(&app, everybody).await;
    assert_few_are_looked_at(&app, "everybody").await;
    let named = usize::try_from(CROWD).expect("a number") - 3;
    assert_eq!(found.len(), named + 20);
    assert!(found[named..].iter().all(|name| name.starts_with("Hidden Address")), "{:?}", &found[named..]);
    let distinct: std::collections::BTreeSet<&String> = found.iter().collect();
    assert_eq!(distinct.len(), found.len(), "nobody twice");
    let looked_for = wanted(Some("hidden"), None);
    assert_eq!(walk(&app, Wanted { with_email: false, ..looked_for }).await, Vec::<String>::new());
    assert_eq!(walk(&app, looked_for).await.len(), 20, "for those who may see addresses");
    app.finish().await;
}

/// Many at once are asked for together: fewer questions than people, and everybody gets their own answer.
#[tokio::test]
async fn people_who_are_looked_for_at_once_are_asked_for_together() {
    let app = TestApp::new().await;
    crowd(&app).await;
    let database = app.database.handle();
    database.run_command(doc! { "profile": 2 }).await.expect("the profiler");
    let lookups = (0..300).map(|number| {
        let users = app.state.store.users.clone();
        async move {
            let id = if number % 10 == 0 { format!("nobody_{number}") } else { format!("user_{number}") };
            let found = users.find_together(&id).await.expect("an answer").map(|user| user.clerk_id);
            assert_eq!(found, (number % 10 != 0).then_some(id));
        }
    });
    futures::future::join_all(lookups).await;
    database.run_command(doc! { "profile": 0 }).await.expect("the profiler");
    let profile = database.collection::<Document>("system.profile");
    let asked = profile.count_documents(doc! { "op": "query", "ns": format!("{}.users", database.name()) }).await;
    let asked = asked.expect("a count");
    assert!((1..=20).contains(&asked), "{asked} questions");
    app.finish().await;
}
