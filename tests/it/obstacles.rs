//! One document in the way: what is about others is neither held up nor lost, and what it concerns itself stays visible.

use std::time::Duration;

use jiff::Timestamp;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, DateTime, Document, doc};
use mongodb::error::ErrorKind;
use rollcall::server::jobs::watch;
use rollcall::standin::{self, Standin};
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes, client, variables};
use crate::support::delivery::{Delivery, user_event};
use crate::support::eventually;
use crate::support::invariants::settled;
use crate::support::mongo::TestDatabase;
use crate::support::process::{free_port, start};

const NOW: i64 = 1_760_000_000_000;

/// A person as documents look that were not written by us, with these fields besides.
fn person(id: &str, besides: Document) -> Document {
    let mut person = doc! {
        "_id": ObjectId::new(), "clerkId": id, "name": "Odd", "role": "user", "syncStatus": "active",
        "authProvider": "clerk", "version": {}, "createdAt": DateTime::now(), "updatedAt": DateTime::now(),
    };
    person.extend(besides);
    person
}

/// The seed's defect: a document keyed by the Clerk id (A1-13).
fn unreadable(id: &str, besides: Document) -> Document {
    let mut person = person(id, besides);
    person.insert("_id", id);
    person
}

/// From now on MongoDB takes only documents of this kind there.
async fn only(database: &TestDatabase, collection: &str, validator: Document) {
    database.handle().run_command(doc! { "collMod": collection, "validator": validator }).await.expect("changed");
}

async fn is_there(database: &TestDatabase, collection: &str, filter: Document) {
    eventually(&format!("{collection} has {filter}"), || async {
        match database.count(collection, filter.clone()).await {
            0 => Err(format!("{:?}", database.all(collection).await)),
            _ => Ok(()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d2_29_documents_that_cannot_be_read_stop_no_retry_and_no_recovery() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    let options = standin::Options { app_origin: url.clone(), seed_users: 0, ..standin::Options::default() };
    let clerk = Standin::start(options).await.expect("the stand-in");
    let database = TestDatabase::new().await;
    database.insert("users", unreadable("user_odd", doc! { "username": "ada" })).await;
    let environment = variables(&clerk, &database.uri, &url);
    let mut server = start(port, &environment).await;
    let mut second = user_event("user.created", "user_second", "Ada", NOW);
    second["data"]["username"] = json!("ada");
    let bodies: [(&str, Value); 3] = [
        ("msg_second", second),
        ("msg_failed", user_event("user.created", "user_failed", "Failed", NOW)),
        ("msg_left", user_event("user.created", "user_left", "Left", NOW)),
    ];
    for (id, body) in bodies {
        let delivery = Delivery::signed(clerk.webhook_secret(), id, body.to_string().as_bytes());
        let answer = delivery.request_to(&client(), &server.webhook_url()).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        database.recorded().await;
    }
    let left = database.event("msg_left").await.expect("recorded");
    server.kill();

    // An event whose next attempt is due, a batch that nobody finished, an effect that is no job yet, and a job.
    let past = DateTime::from_millis(NOW);
    for id in ["user_failed", "user_left"] {
        database.remove("users", doc! { "clerkId": id }).await;
    }
    database.set("events", doc! { "_id": "msg_failed" }, doc! { "state": "failed", "dueAt": past }).await;
    database.remove("events", doc! { "_id": "msg_left" }).await;
    let batch = left.get_document("place").and_then(|place| place.get_object_id("batch")).expect("a place");
    database.set("deliveries", doc! { "_id": batch }, doc! { "dueAt": past }).await;
    let effect = doc! { "key": "welcome:user_second", "kind": "welcome", "clerkId": "user_second" };
    database.set("users", doc! { "clerkId": "user_second" }, doc! { "outbox": [effect] }).await;
    let job = doc! {
        "_id": "welcome:user_job", "kind": "welcome", "clerkId": "user_job", "state": "waiting", "attempts": 0,
        "generation": 1_i64, "dueAt": past, "createdAt": past,
    };
    database.insert("jobs", job).await;
    // In front of each, one that cannot be read.
    let first = DateTime::from_millis(0);
    database.insert("users", unreadable("user_contender", doc! { "usernameConflict": true, "createdAt": first })).await;
    let boxed = doc! { "outbox": [{ "key": "webhook:odd", "kind": 7, "clerkId": "user_boxed" }] };
    database.insert("users", person("user_boxed", boxed)).await;
    let odd = doc! { "_id": "msg_odd", "kind": 7, "state": "failed", "dueAt": first };
    database.insert("events", odd).await;
    database.insert("jobs", doc! { "_id": "welcome:odd", "kind": "welcome", "state": 7, "dueAt": first }).await;

    let server = start(port, &environment).await;
    is_there(&database, "users", doc! { "clerkId": "user_failed", "firstName": "Failed" }).await;
    is_there(&database, "users", doc! { "clerkId": "user_left", "firstName": "Left" }).await;
    is_there(&database, "events", doc! { "_id": "msg_left", "state": "applied" }).await;
    is_there(&database, "jobs", doc! { "_id": "welcome:user_second", "state": "done" }).await;
    is_there(&database, "jobs", doc! { "_id": "welcome:user_job", "state": "done" }).await;
    assert_eq!(
        database.user("user_second").await.expect("there").get_str("username").ok(),
        Some("ada-second"),
        "whoever cannot be read keeps the name"
    );
    drop(server);
    clerk.stop().await;
    database.drop().await;
}

/// Of a command that MongoDB refuses as a whole nothing is recorded, whoever it is about: not a document is at fault.
#[tokio::test]
async fn d2_29_while_no_event_can_be_recorded_none_is_let_go_and_later_each_is() {
    const EVENTS: u64 = 5;
    const NAMESPACE_EXISTS: i32 = 48;
    let app = TestApp::new().await;
    let database = app.database.handle();
    let rename = async |from: &str, to: &str| {
        let (from, to) = (format!("{}.{from}", database.name()), format!("{}.{to}", database.name()));
        let renamed = doc! { "renameCollection": from, "to": to };
        database.client().database("admin").run_command(renamed).await
    };
    // What is written to a view is refused, and no document of it is named.
    rename("events", "events_kept").await.expect("renamed");
    database.run_command(doc! { "create": "events", "viewOn": "events_kept" }).await.expect("a view");
    for number in 0..EVENTS {
        let id = format!("user_{number}");
        let body = user_event("user.created", &id, "Ada", NOW);
        let delivery =
            Delivery::signed(app.clerk.webhook_secret(), &format!("msg_{number}"), body.to_string().as_bytes());
        assert_eq!(delivery.send(&app).await.status(), 200, "it is stored");
        // One batch each: while one is decided, what came of the one before is recorded.
        is_there(&app.database, "users", doc! { "clerkId": &id, "firstName": "Ada" }).await;
    }
    assert_eq!(app.database.open_batches().await, EVENTS, "what is acknowledged is still there");
    database.run_command(doc! { "drop": "events" }).await.expect("no view any more");
    // Unless the first record was quicker, and made the collection anew.
    if let Err(error) = rename("events_kept", "events").await {
        let ErrorKind::Command(refused) = *error.kind else { panic!("{error}") };
        assert_eq!(refused.code, NAMESPACE_EXISTS);
    }
    for number in 0..EVENTS {
        let done = doc! { "$in": ["applied", "duplicate"] };
        is_there(&app.database, "events", doc! { "_id": format!("msg_{number}"), "state": done }).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn c_8_an_effect_whose_job_mongodb_refuses_is_kept_and_the_others_become_jobs() {
    let variables = vec![("ROLLCALL_METADATA", "true".to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    only(&app.database, "jobs", doc! { "clerkId": { "$ne": "user_odd" } }).await;
    app.deliver("msg_odd", &user_event("user.created", "user_odd", "Odd", NOW)).await;
    app.deliver("msg_fine", &user_event("user.created", "user_fine", "Fine", NOW)).await;
    app.settled().await;
    is_there(&app.database, "users", doc! { "clerkId": "user_fine", "outbox": [] }).await;
    is_there(&app.database, "jobs", doc! { "_id": "metadata:user_fine" }).await;
    let kept = doc! { "clerkId": "user_odd", "outbox.key": "metadata:user_odd" };
    assert_eq!(app.database.count("users", kept).await, 1, "an effect is not lost because its job was refused");
    only(&app.database, "jobs", doc! {}).await;
    app.second_process().await;
    is_there(&app.database, "jobs", doc! { "_id": "metadata:user_odd" }).await;
    app.jobs_settled().await;
    app.finish().await;
}

#[tokio::test]
async fn d2_29_an_event_that_mongodb_will_not_keep_is_dead_with_its_cause_and_its_neighbours_are_recorded() {
    let app = TestApp::new().await;
    only(&app.database, "events", doc! { "clerkId": { "$ne": "user_odd" } }).await;
    let odd = user_event("user.created", "user_odd", "Odd", NOW);
    let fine = user_event("user.created", "user_fine", "Fine", NOW);
    tokio::join!(app.deliver("msg_odd", &odd), app.deliver("msg_fine", &fine));
    app.settled().await;
    let dead = app.database.event("msg_odd").await.expect("it stays visible");
    assert_eq!(dead.get_str("state").ok(), Some("dead"));
    assert!(dead.get_str("decision").is_ok_and(|decision| decision.contains("code 121")), "{dead}");
    assert_eq!(app.database.event("msg_fine").await.expect("kept").get_str("state").ok(), Some("applied"));
    app.finish().await;
}

#[tokio::test]
async fn d2_29_an_end_that_mongodb_will_not_record_keeps_back_no_other() {
    let app = TestApp::new().await;
    for id in ["a_odd", "fine"] {
        app.deliver(&format!("msg_{id}"), &user_event("user.created", &format!("user_{id}"), "Ada", NOW)).await;
    }
    app.settled().await;
    let is_other = doc! { "_id": { "$ne": "msg_a_odd" } };
    only(&app.database, "events", doc! { "$or": [is_other, { "state": { "$ne": "duplicate" } }] }).await;
    let due = doc! { "state": "failed", "dueAt": DateTime::from_millis(NOW) };
    let events = app.database.handle().collection::<Document>("events");
    events.update_many(doc! {}, doc! { "$set": due }).await.expect("changed");
    is_there(&app.database, "events", doc! { "_id": "msg_fine", "state": "duplicate" }).await;
    is_there(&app.database, "events", doc! { "_id": "msg_a_odd", "state": "failed" }).await;
    only(&app.database, "events", doc! {}).await;
    app.database.set("events", doc! { "_id": "msg_a_odd" }, doc! { "dueAt": DateTime::from_millis(NOW) }).await;
    app.finish().await;
}

#[tokio::test]
async fn what_a_burst_left_in_the_outboxes_goes_on_at_once_and_messages_before_metadata() {
    let app = TestApp::new().await;
    // When an event is applied the first look at what others left is over, and takes nothing of what follows.
    app.deliver("msg_first", &user_event("user.created", "user_first", "First", NOW)).await;
    app.settled().await;
    let effect = |kind: &str, id: &str| doc! { "key": format!("{kind}:{id}"), "kind": kind, "clerkId": id };
    let mut people: Vec<Document> = (0..700)
        .map(|number| {
            let id = format!("user_{number:03}");
            person(&id, doc! { "outbox": [effect("metadata", &id)] })
        })
        .collect();
    people.push(person("user_z", doc! { "outbox": [effect("metadata", "user_z"), effect("welcome", "user_z")] }));
    app.database.handle().collection::<Document>("users").insert_many(people).await.expect("inserted");
    let first = app.state.store.users.list_outboxes(2).await.expect("a list");
    let ids: Vec<&str> = first.iter().map(|outbox| outbox.clerk_id.as_str()).collect();
    assert_eq!(ids, ["user_z", "user_000"]);
    // Its first look is at what others left.
    app.second_process().await;
    eventually("every outbox is empty", || async {
        match app.database.count("users", doc! { "outbox.0": { "$exists": true } }).await {
            0 => Ok(()),
            left => Err(left.to_string()),
        }
    })
    .await;
    app.finish().await;
}

/// What was asked for after the list was made stays for the next one, though no event tells the two apart.
#[tokio::test]
async fn issue_3_an_effect_that_is_asked_for_again_meanwhile_is_not_taken_for_the_one_before() {
    let app = TestApp::new().await;
    app.deliver("msg_first", &user_event("user.created", "user_first", "First", NOW)).await;
    app.settled().await;
    let effect =
        |change: &str| doc! { "key": "metadata:user_b", "kind": "metadata", "clerkId": "user_b", "change": change };
    app.database.insert("users", person("user_b", doc! { "outbox": [effect("first")] })).await;
    let users = &app.state.store.users;
    let left =
        async || app.database.count("users", doc! { "clerkId": "user_b", "outbox.key": "metadata:user_b" }).await;
    let listed = users.list_outboxes(9).await.expect("a list");
    app.database
        .set("users", doc! { "clerkId": "user_b" }, doc! { "outbox": [effect("first"), effect("second")] })
        .await;
    users.clear_outboxes(&listed).await.expect("cleared");
    assert_eq!(left().await, 1);
    users.clear_outboxes(&users.list_outboxes(9).await.expect("a list")).await.expect("cleared");
    assert_eq!(left().await, 0);
    app.finish().await;
}

#[tokio::test]
async fn d2_29_deliveries_that_cannot_be_read_are_given_up_and_operators_are_told() {
    let app = TestApp::new().await;
    app.deliver("msg_fine", &user_event("user.created", "user_fine", "Fine", NOW)).await;
    app.settled().await;
    let past = DateTime::from_millis(NOW);
    let nonsense = Binary { subtype: BinarySubtype::Generic, bytes: vec![7; 30] };
    let batch = doc! { "_id": ObjectId::new(), "receivedAt": past, "dueAt": past, "count": 3_i64, "content": nonsense };
    app.database.insert("deliveries", batch).await;
    app.database.insert("deliveries", doc! { "_id": "batch_odd", "dueAt": past }).await;
    app.settled().await;
    assert_eq!(app.database.count("deliveries", doc! { "unreadable": true }).await, 2);
    watch::check(&app.state, Timestamp::now()).await.expect("a look");
    let alert = doc! { "_id": "events-dead:unreadable-deliveries", "state": "open", "count": 2_i64 };
    assert_eq!(app.database.count("alerts", alert).await, 1, "{:?}", app.database.all("alerts").await);
    app.finish().await;
}

#[tokio::test]
async fn what_still_waits_never_leaves_by_its_age() {
    let app = TestApp::new().await;
    app.deliver("msg_done", &user_event("user.created", "user_done", "Done", NOW)).await;
    app.settled().await;
    let open = doc! { "closedAt": { "$exists": true }, "dueAt": { "$exists": true } };
    assert_eq!(app.database.count("deliveries", open).await, 0);
    assert_eq!(app.database.count("deliveries", doc! { "closedAt": { "$type": "date" } }).await, 1);
    // As an earlier version left them: one that is finished, and one that waits.
    let deliveries = app.database.handle().collection::<Document>("deliveries");
    deliveries.update_many(doc! {}, doc! { "$unset": { "closedAt": "" } }).await.expect("changed");
    let waiting = doc! { "_id": ObjectId::new(), "receivedAt": DateTime::now(), "dueAt": DateTime::MAX };
    deliveries.insert_one(waiting).await.expect("inserted");
    let by_arrival = mongodb::IndexModel::builder().keys(doc! { "receivedAt": 1 }).build();
    deliveries.create_index(by_arrival).await.expect("an index");
    app.state.store.apply_retention(&app.state.settings.retention).await.expect("retention");
    let names = deliveries.list_index_names().await.expect("names");
    assert!(!names.iter().any(|name| name == "receivedAt_1"), "{names:?}");
    let waits = doc! { "closedAt": { "$exists": false }, "dueAt": { "$exists": true } };
    assert_eq!(app.database.count("deliveries", waits).await, 1);
    assert_eq!(app.database.count("deliveries", doc! { "closedAt": { "$type": "date" } }).await, 1);
    app.database.remove("deliveries", doc! { "dueAt": DateTime::MAX }).await;
    app.finish().await;
}

#[tokio::test]
async fn d3_24_people_whose_names_are_a_megabyte_each_are_written_in_as_many_commands_as_it_takes() {
    let app = TestApp::new().await;
    let name = "ä".repeat(450_000);
    let (app_of_all, name) = (&app, &name);
    for (kind, at) in [("user.created", NOW), ("user.updated", NOW + 1)] {
        let deliveries = (0..24).map(|number| async move {
            let name = format!("{at}{name}");
            let body = user_event(kind, &format!("user_long{number:02}"), &name, at);
            let id = format!("msg_{at}_{number}");
            let delivery = Delivery::signed(app_of_all.clerk.webhook_secret(), &id, body.to_string().as_bytes());
            assert_eq!(delivery.send(app_of_all).await.status(), 200);
        });
        futures::future::join_all(deliveries).await;
        // Forty megabytes, read and packed by a build that is not optimized.
        settled(&app.database, Duration::from_mins(1)).await;
    }
    let first = format!("{}ä", NOW + 1);
    let long = doc! { "clerkId": { "$regex": "^user_long" }, "firstName": { "$regex": format!("^{first}") } };
    assert_eq!(app.database.count("users", long).await, 24);
    assert_eq!(app.database.count("events", doc! { "state": { "$in": ["dead", "failed"] } }).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn what_waits_until_its_body_is_gone_is_asked_of_clerk() {
    let app = TestApp::new().await;
    let known = app.person(json!({ "email_address": ["late@example.com"], "first_name": "Late" })).await;
    app.settled().await;
    app.database.set("users", doc! { "clerkId": &known }, doc! { "firstName": "Old", "etag": null }).await;
    let version = doc! { "version": { "updatedAt": 1_i64, "eventAt": 1_i64 } };
    app.database.set("users", doc! { "clerkId": &known }, version).await;
    let event = app.database.find("events", doc! { "clerkId": &known }).await.expect("an event");
    let waits = doc! {
        "state": "failed", "attempts": 3, "place": null, "decision": "attempt 3 failed: the key was refused",
        "finishedAt": null, "dueAt": DateTime::from_millis(NOW),
    };
    let id = event.get_str("_id").expect("an id");
    app.database.set("events", doc! { "_id": id }, waits).await;
    eventually("Clerk is asked", || async {
        let user = app.database.user(&known).await.ok_or_else(|| "nobody".to_owned())?;
        if user.get_str("firstName").ok() == Some("Late") { Ok(()) } else { Err(user.to_string()) }
    })
    .await;
    app.settled().await;
    let event = app.database.event(id).await.expect("it is there");
    assert!(event.get_str("state").is_ok_and(|state| state != "dead" && state != "failed"), "{event}");
    app.finish().await;
}
