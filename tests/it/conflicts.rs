//! Two who want the same: a username, an address, or to be the person that the application already knows.

use mongodb::IndexModel;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use mongodb::options::IndexOptions;
use rollcall::server::health;
use rollcall::server::sync::outboxes::sweep;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::{deleted_event, user_event};
use crate::support::eventually;

const NOW: i64 = 1_760_000_000_000;

fn named(id: &str, username: &str, joined: i64, updated_at: i64) -> Value {
    let mut body = user_event("user.updated", id, "Somebody", updated_at);
    body["data"]["username"] = json!(username);
    body["data"]["created_at"] = json!(joined);
    body
}

async fn username_is(app: &TestApp, id: &str, expected: &str) {
    eventually("the username is settled", || async {
        let user = app.database.user(id).await.ok_or_else(|| "nobody".to_owned())?;
        match user.get_str("username") {
            Ok(username) if username == expected => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

fn local(email: &str, is_verified: bool) -> Document {
    doc! {
        "_id": ObjectId::new(), "email": email, "emailVerified": is_verified, "name": "Local", "role": "user",
        "authProvider": "local", "passwordHash": "$argon2id$…", "wishlist": ["book"], "syncStatus": "active",
        "version": {}, "createdAt": DateTime::now(), "updatedAt": DateTime::now(),
    }
}

/// More than are looked at in one go.
const CROWD: i64 = 600;

/// Somebody whose username carries a suffix; they joined before everybody else.
fn suffixed(number: i64, name: &str) -> Document {
    let joined = DateTime::from_millis(NOW - 1_000_000 + number);
    doc! {
        "_id": ObjectId::new(), "clerkId": format!("user_loser{number:06}"), "name": "Loser", "emailVerified": false,
        "clerkUsername": name, "username": format!("{name}-{number:06}"), "usernameConflict": true, "role": "user",
        "syncStatus": "active", "authProvider": "clerk", "version": { "updatedAt": NOW, "eventAt": NOW },
        "etag": ObjectId::new(), "lastClerkSync": joined, "createdAt": joined, "updatedAt": joined,
    }
}

/// A person of the application's own who has this username, and keeps it.
fn keeper(name: &str) -> Document {
    let mut keeper = local(&format!("{name}@example.com"), false);
    keeper.insert("username", name);
    keeper
}

async fn insert(app: &TestApp, people: Vec<Document>) {
    app.database.relax("users").await;
    app.database.handle().collection::<Document>("users").insert_many(people).await.expect("inserted");
}

/// What MongoDB's profiler saw of the searches for those who want a name: each in an index, in its order.
async fn searched_in_order(app: &TestApp) -> Vec<Document> {
    let profile = app.database.handle().collection::<Document>("system.profile");
    let about = doc! { "op": "query", "command.sort.clerkUsername": 1 };
    let mut rows = profile.find(about).await.expect("the profile");
    let mut seen = Vec::new();
    while rows.advance().await.expect("a row") {
        let row: Document = rows.deserialize_current().expect("a document");
        let plan = row.get_str("planSummary").unwrap_or_default();
        assert!(plan.contains("IXSCAN") && !plan.contains("COLLSCAN"), "{row}");
        assert!(!row.get_bool("hasSortStage").unwrap_or(false), "{row}");
        seen.push(row);
    }
    seen
}

#[tokio::test]
async fn a4_05_a_name_is_taken_back_at_once_however_many_wait_in_front_for_what_they_cannot_have() {
    let app = TestApp::new().await;
    let losers = (0..CROWD).map(|number| suffixed(number, "crowded"));
    insert(&app, losers.chain([keeper("crowded")]).collect()).await;
    for (id, joined) in [("user_older", NOW - 9_000), ("user_younger", NOW - 1_000)] {
        app.deliver(&format!("msg_{id}"), &named(id, "zoe", joined, NOW)).await;
        app.settled().await;
    }
    username_is(&app, "user_younger", "zoe-ounger").await;
    let database = app.database.handle();
    database.run_command(doc! { "profile": 2 }).await.expect("the profiler");
    app.deliver("msg_renamed", &named("user_older", "zelda", NOW - 9_000, NOW + 1)).await;
    username_is(&app, "user_younger", "zoe").await;
    database.run_command(doc! { "profile": 0 }).await.expect("the profiler");
    let searches = searched_in_order(&app).await;
    let of_names = searches.iter().filter(|row| row.to_string().contains("$in"));
    let examined: Vec<i32> = of_names.map(|row| row.get_i32("keysExamined").unwrap_or(i32::MAX)).collect();
    assert!(!examined.is_empty() && examined.iter().all(|keys| *keys <= 5), "{examined:?}");
    assert_eq!(app.database.count("users", doc! { "clerkUsername": "crowded", "usernameConflict": true }).await, 600);
    app.finish().await;
}

#[tokio::test]
async fn a4_05_the_sweep_comes_to_every_name_though_it_takes_only_some_at_once() {
    let app = TestApp::new().await;
    let names: Vec<String> = (0..CROWD).map(|number| format!("n{number:06}")).collect();
    let losers = (0..CROWD).zip(&names).map(|(number, name)| suffixed(number, name));
    let people = losers.chain(names.iter().map(|name| keeper(name)));
    // As a crash may leave it: nobody has the name.
    insert(&app, people.chain([suffixed(CROWD, "zoe")]).collect()).await;
    // What is looked up of each name would push out what is to be seen.
    let profiler = doc! { "profile": 1, "filter": { "command.sort.clerkUsername": 1 } };
    app.database.handle().run_command(profiler).await.expect("the profiler");
    let mut place = None;
    sweep(app.state.as_ref(), &mut place).await.expect("a sweep");
    assert_eq!(place.as_deref(), Some("n000499"));
    sweep(app.state.as_ref(), &mut place).await.expect("a sweep");
    assert_eq!(place.as_deref(), Some("zoe"));
    username_is(&app, "user_loser000600", "zoe").await;
    sweep(app.state.as_ref(), &mut place).await.expect("a sweep");
    assert_eq!(place.as_deref(), Some("n000499"), "and begins at the front again");
    app.database.handle().run_command(doc! { "profile": 0 }).await.expect("the profiler");
    assert!(searched_in_order(&app).await.len() >= 3);
    assert_eq!(app.database.count("users", doc! { "usernameConflict": true }).await, 600);
    app.finish().await;
}

#[tokio::test]
async fn a4_05_d2_39_the_first_to_join_has_the_name_in_either_order_and_the_suffix_heals() {
    for order in [["user_older", "user_younger"], ["user_younger", "user_older"]] {
        let app = TestApp::new().await;
        for id in order {
            let joined = if id == "user_older" { NOW - 9_000 } else { NOW - 1_000 };
            app.deliver(&format!("msg_{id}"), &named(id, "ada", joined, NOW)).await;
            app.settled().await;
        }
        username_is(&app, "user_older", "ada").await;
        username_is(&app, "user_younger", "ada-ounger").await;
        let younger = app.database.user("user_younger").await.expect("stored");
        assert_eq!(younger.get_str("clerkUsername").ok(), Some("ada"), "Clerk's own is kept beside it");
        assert!(younger.get_str("syncReason").is_ok_and(|reason| reason.contains("taken")));

        app.deliver("msg_renamed", &named("user_older", "adele", NOW - 9_000, NOW + 1)).await;
        username_is(&app, "user_younger", "ada").await;
        app.finish().await;
    }
}

#[tokio::test]
async fn a4_05_whoever_must_let_go_of_a_name_does_so_though_somebody_has_its_suffixed_form() {
    let app = TestApp::new().await;
    for (id, name, joined) in
        [("user_younger", "ada", NOW - 1_000), ("user_third", "ada-ounger", NOW), ("user_older", "ada", NOW - 9_000)]
    {
        app.deliver(&format!("msg_{id}"), &named(id, name, joined, NOW)).await;
        app.settled().await;
    }
    username_is(&app, "user_older", "ada").await;
    username_is(&app, "user_younger", "ada-user_younger").await;
    username_is(&app, "user_third", "ada-ounger").await;
    app.finish().await;
}

#[tokio::test]
async fn a4_05_a_name_is_free_again_when_its_owner_is_deleted() {
    let app = TestApp::new().await;
    app.deliver("msg_1", &named("user_first", "ada", NOW - 9_000, NOW)).await;
    app.settled().await;
    app.deliver("msg_2", &named("user_second", "ada", NOW - 1_000, NOW)).await;
    app.settled().await;
    username_is(&app, "user_second", "ada-second").await;
    app.deliver("msg_3", &deleted_event("user_first", NOW + 5)).await;
    username_is(&app, "user_second", "ada").await;
    app.finish().await;
}

#[tokio::test]
async fn d2_39_a2_20_two_people_with_one_address_are_both_kept() {
    let app = TestApp::new().await;
    for id in ["user_a", "user_b"] {
        let mut body = user_event("user.created", id, id, NOW);
        body["data"]["email_addresses"][0]["email_address"] = json!("shared@example.com");
        app.deliver(&format!("msg_{id}"), &body).await;
    }
    app.settled().await;
    assert_eq!(app.database.count("users", doc! { "email": "shared@example.com", "syncStatus": "active" }).await, 2);
    app.finish().await;
}

#[tokio::test]
async fn a4_06_a_local_person_with_the_same_verified_address_is_adopted_and_loses_the_hash() {
    let app = TestApp::new().await;
    let known = local("user_a@example.com", true);
    let id = known.get_object_id("_id").expect("an id");
    app.database.relax("users").await;
    app.database.insert("users", known).await;
    app.deliver("msg_1", &user_event("user.created", "user_a", "Ada", NOW)).await;
    app.settled().await;
    assert_eq!(app.database.count("users", doc! {}).await, 1);
    let adopted = app.database.user("user_a").await.expect("adopted");
    assert_eq!(adopted.get_object_id("_id").ok(), Some(id));
    assert_eq!(adopted.get_str("authProvider").ok(), Some("clerk"));
    assert_eq!(adopted.get_str("firstName").ok(), Some("Ada"));
    assert!(!adopted.contains_key("passwordHash"));
    assert_eq!(adopted.get_array("wishlist").expect("kept").len(), 1);
    app.finish().await;
}

#[tokio::test]
async fn a4_06_who_is_banned_or_deleted_is_adopted_by_nobody_and_who_has_a_role_keeps_it() {
    let variables = vec![("ROLLCALL_METADATA", "true".to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let besides = [doc! { "banned": true }, doc! { "deletedAt": DateTime::now() }, doc! { "role": "admin" }];
    let mut people = Vec::new();
    for (number, besides) in besides.into_iter().enumerate() {
        let mut person = local(&format!("local{number}@example.com"), true);
        person.extend(besides);
        people.push(person);
    }
    insert(&app, people.clone()).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(app.person(json!({ "email_address": [format!("local{number}@example.com")] })).await);
    }
    for person in &people[..2] {
        let stored = app.database.find("users", doc! { "_id": person.get("_id") }).await.expect("still there");
        assert_eq!(&stored, person, "left alone");
    }
    let admin = app.database.user(&ids[2]).await.expect("adopted");
    assert_eq!((admin.get("_id"), admin.get_str("role").ok()), (people[2].get("_id"), Some("admin")));
    app.jobs_settled().await;
    let there = app.clerk.user(&ids[2]).expect("at Clerk");
    assert_eq!(there["public_metadata"]["role"], json!("admin"), "Clerk is told");
    app.finish().await;
}

#[tokio::test]
async fn a4_06_the_case_of_an_address_does_not_matter_and_its_letters_do() {
    let app = TestApp::new().await;
    let (known, similar) = (local("Ada@X.com", true), local("adá@x.com", true));
    let id = known.get_object_id("_id").expect("an id");
    let others = (0..100).map(|number| local(&format!("other{number}@x.com"), true));
    insert(&app, others.chain([similar, known]).collect()).await;
    app.database.handle().run_command(doc! { "profile": 2 }).await.expect("the profiler");
    for (number, (user, address)) in [("user_a", "ada@x.com"), ("user_b", "ada@x.co")].into_iter().enumerate() {
        let mut body = user_event("user.created", user, "Ada", NOW);
        body["data"]["email_addresses"][0]["email_address"] = json!(address);
        app.deliver(&format!("msg_{number}"), &body).await;
        app.settled().await;
    }
    app.database.handle().run_command(doc! { "profile": 0 }).await.expect("the profiler");
    let adopted = app.database.user("user_a").await.expect("adopted");
    assert_eq!(adopted.get_object_id("_id").ok(), Some(id));
    assert_eq!(adopted.get_str("email").ok(), Some("ada@x.com"), "as Clerk spells it");
    assert_eq!(app.database.count("users", doc! {}).await, 103);
    assert_eq!(app.database.count("users", doc! { "email": "adá@x.com", "authProvider": "local" }).await, 1);
    let profile = app.database.handle().collection::<Document>("system.profile");
    let asked = doc! { "op": "query", "command.filter.authProvider": "local" };
    let by_index = doc! { "planSummary": "IXSCAN { email: 1, _id: 1 }" };
    let all = profile.count_documents(asked.clone()).await.expect("a count");
    let by_index = profile.count_documents(doc! { "$and": [asked, by_index] }).await.expect("a count");
    assert!(all >= 4 && by_index == all, "{by_index} of {all} by the index");
    app.finish().await;
}

#[tokio::test]
async fn a4_06_an_address_that_either_side_has_not_verified_adopts_nobody() {
    let app = TestApp::new().await;
    app.database.relax("users").await;
    for (email, is_verified) in [("user_a@example.com", false), ("user_b@example.com", true)] {
        app.database.insert("users", local(email, is_verified)).await;
    }
    app.deliver("msg_a", &user_event("user.created", "user_a", "Ada", NOW)).await;
    let mut unproved = user_event("user.created", "user_b", "Bob", NOW);
    unproved["data"]["email_addresses"][0]["verification"]["status"] = json!("unverified");
    app.deliver("msg_b", &unproved).await;
    app.settled().await;
    assert_eq!(app.database.count("users", doc! {}).await, 4);
    let untouched = doc! { "authProvider": "local", "passwordHash": { "$exists": true } };
    assert_eq!(app.database.count("users", untouched).await, 2);
    app.finish().await;
}

#[tokio::test]
async fn a4_06_a_local_person_whose_id_is_none_of_ours_is_left_alone_and_holds_up_nobody() {
    let app = TestApp::new().await;
    app.database.relax("users").await;
    for (number, id) in
        [Bson::from("0191d2f0-uuid"), Bson::from(7), Bson::from("65f0c0ffee65f0c0ffee65f0")].iter().enumerate()
    {
        let mut local = local(&format!("local{number}@example.com"), true);
        local.insert("_id", id.clone());
        app.database.insert("users", local).await;
    }
    for number in 0..4 {
        let id = format!("user_new{number}");
        let mut body = user_event("user.created", &id, "Newcomer", NOW);
        body["data"]["email_addresses"][0]["email_address"] = json!(format!("local{number}@example.com"));
        app.deliver(&format!("msg_{id}"), &body).await;
    }
    app.settled().await;
    assert_eq!(app.database.count("users", doc! { "clerkId": { "$regex": "^user_new" } }).await, 4);
    let left_alone = doc! { "authProvider": "local", "clerkId": null, "passwordHash": "$argon2id$…" };
    assert_eq!(app.database.count("users", left_alone).await, 3);
    assert_eq!(app.database.count("events", doc! { "state": "applied" }).await, 4);
    app.finish().await;
}

#[tokio::test]
async fn a2_20_d2_29_a_unique_index_that_is_none_of_ours_makes_the_event_dead_with_its_cause() {
    let variables = vec![("ROLLCALL_ATTEMPTS", "2".to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let users = app.database.handle().collection::<Document>("users");
    let unique = IndexOptions::builder().unique(true).name("legacy_email".to_owned()).build();
    let model = IndexModel::builder().keys(doc! { "email": 1, "legacy": 1 }).options(unique).build();
    users.create_index(model).await.expect("an index");
    let looked = health::database::examine(&app.state.store).await;
    assert!(looked.iter().any(|finding| finding.seen.contains("legacy_email")), "doctor says so: {looked:?}");
    for id in ["user_first", "user_second", "user_third"] {
        let mut body = user_event("user.created", id, "Somebody", NOW);
        let address = if id == "user_third" { "third@example.com" } else { "same@example.com" };
        body["data"]["email_addresses"][0]["email_address"] = json!(address);
        app.deliver(&format!("msg_{id}"), &body).await;
    }
    let refused = eventually("the second is given up", || async {
        let event = app.database.event("msg_user_second").await.ok_or_else(|| "no event".to_owned())?;
        if event.get_str("state").ok() == Some("dead") { Ok(event) } else { Err(event.to_string()) }
    })
    .await;
    assert!(refused.get_str("decision").is_ok_and(|decision| decision.contains("11000")), "{refused}");
    assert_eq!(app.database.count("users", doc! { "clerkId": { "$in": ["user_first", "user_third"] } }).await, 2);
    app.database.remove("events", doc! {}).await;
    app.finish().await;
}
