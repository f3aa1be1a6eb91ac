//! `POST /api/webhooks/clerk`: what is accepted, what is refused, and what it does to MongoDB.

use mongodb::bson::{Bson, doc};
use rollcall::server::clerk::webhook::KNOWN_TYPES;
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::{Delivery, deleted_event, user_event};
use crate::support::eventually;

const NOW: i64 = 1_760_000_000_000;

#[tokio::test]
async fn a2_04_created_updated_and_deleted_reach_the_document() {
    let app = TestApp::new().await;
    app.deliver("msg_1", &user_event("user.created", "user_a", "Ada", NOW)).await;
    app.settled().await;
    let created = app.database.user("user_a").await.expect("a document");
    assert_eq!(created.get_str("firstName").ok(), Some("Ada"));
    assert_eq!(created.get_str("name").ok(), Some("Ada"));
    assert_eq!(created.get_str("email").ok(), Some("user_a@example.com"));
    assert_eq!(created.get_bool("emailVerified").ok(), Some(true));
    assert_eq!(created.get_str("role").ok(), Some("user"));
    assert_eq!(created.get_str("syncStatus").ok(), Some("active"));
    assert_eq!(created.get_str("authProvider").ok(), Some("clerk"));
    assert!(created.get_object_id("_id").is_ok());
    assert!(created.get_datetime("lastClerkSync").is_ok());
    assert_eq!(created.get("deletedAt"), Some(&Bson::Null));

    app.deliver("msg_2", &user_event("user.updated", "user_a", "Adele", NOW + 1)).await;
    app.settled().await;
    let updated = app.database.user("user_a").await.expect("a document");
    assert_eq!(updated.get_str("firstName").ok(), Some("Adele"));
    assert_eq!(updated.get_object_id("_id").ok(), created.get_object_id("_id").ok());

    app.deliver("msg_3", &deleted_event("user_a", NOW + 2)).await;
    app.settled().await;
    let deleted = app.database.user("user_a").await.expect("a tombstone");
    assert!(deleted.get_datetime("deletedAt").is_ok());
    assert_eq!(deleted.get("email"), Some(&Bson::Null));
    assert_eq!(deleted.get_str("syncStatus").ok(), Some("active"), "a4_30: deletion is not a sync error");
    assert_eq!(
        app.database.event("msg_2").await.expect("kept").get_str("decision").ok(),
        Some("updated firstName, name")
    );
    app.finish().await;
}

#[tokio::test]
async fn a_field_of_the_application_survives_an_update() {
    let app = TestApp::new().await;
    app.deliver("msg_1", &user_event("user.created", "user_a", "Ada", NOW)).await;
    app.settled().await;
    let own = doc! { "wishlist": ["book"], "address": { "city": "London" } };
    app.database.set("users", doc! { "clerkId": "user_a" }, own).await;
    app.deliver("msg_2", &user_event("user.updated", "user_a", "Adele", NOW + 1)).await;
    app.settled().await;
    let updated = app.database.user("user_a").await.expect("a document");
    assert_eq!(updated.get_str("firstName").ok(), Some("Adele"));
    assert_eq!(updated.get_array("wishlist").expect("kept").len(), 1);
    assert_eq!(updated.get_document("address").expect("kept").get_str("city").ok(), Some("London"));
    app.finish().await;
}

#[tokio::test]
async fn d3_26_every_other_type_is_acknowledged_and_kept_as_ignored() {
    let app = TestApp::new().await;
    let others: Vec<&str> = KNOWN_TYPES.iter().copied().filter(|kind| !kind.starts_with("user.")).collect();
    assert_eq!(others.len(), 42);
    for (index, kind) in others.iter().chain(&["some.future_type"]).enumerate() {
        let body = json!({ "object": "event", "type": kind, "data": { "id": "x_1" }, "timestamp": NOW });
        app.deliver(&format!("msg_{index}"), &body).await;
    }
    app.settled().await;
    assert_eq!(app.database.count("events", doc! { "state": "ignored" }).await, 43);
    assert_eq!(app.database.count("users", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn d3_08_d2_20_a_redelivery_is_acknowledged_and_changes_nothing() {
    let app = TestApp::new().await;
    for _ in 0..5 {
        app.deliver("msg_1", &user_event("user.created", "user_a", "Ada", NOW)).await;
    }
    app.settled().await;
    assert_eq!(app.database.count("events", doc! {}).await, 1);
    let event = app.database.event("msg_1").await.expect("kept");
    assert_eq!(
        event.get("deliveries").and_then(Bson::as_i64).or(event.get_i32("deliveries").ok().map(i64::from)),
        Some(5)
    );
    assert_eq!(event.get_str("state").ok(), Some("applied"));
    app.finish().await;
}

#[tokio::test]
async fn d2_21_d2_24_late_and_reordered_events_do_not_win() {
    let app = TestApp::new().await;
    app.deliver("msg_3", &user_event("user.updated", "user_a", "Newest", NOW + 3)).await;
    app.deliver("msg_1", &user_event("user.created", "user_a", "Oldest", NOW + 1)).await;
    app.settled().await;
    assert_eq!(app.database.user("user_a").await.expect("there").get_str("firstName").ok(), Some("Newest"));
    assert_eq!(app.database.event("msg_1").await.expect("kept").get_str("state").ok(), Some("stale"));
    app.deliver("msg_5", &deleted_event("user_a", NOW + 5)).await;
    app.deliver("msg_4", &user_event("user.updated", "user_a", "Revived", NOW + 9)).await;
    app.settled().await;
    let tombstone = app.database.user("user_a").await.expect("a tombstone");
    assert!(tombstone.get_datetime("deletedAt").is_ok());
    assert_eq!(tombstone.get("firstName"), Some(&Bson::Null));
    app.finish().await;
}

#[tokio::test]
async fn d2_25_two_contents_of_one_version_are_settled_by_clerk() {
    let app = TestApp::new().await;
    let user = app.clerk.create_user(json!({ "email_address": ["tie@example.com"], "first_name": "Truth" }));
    let id = user["id"].as_str().expect("an id");
    app.settled().await;
    let version = user["updated_at"].as_i64().expect("a time");
    let event_at = eventually("the document", || async {
        let found = app.database.user(id).await.ok_or_else(|| "none".to_owned())?;
        found.get_document("version").and_then(|version| version.get_i64("eventAt")).map_err(|error| error.to_string())
    })
    .await;
    let mut lie = user_event("user.updated", id, "Lie", version);
    lie["timestamp"] = json!(event_at);
    app.deliver("msg_lie", &lie).await;
    app.settled().await;
    assert_eq!(app.database.user(id).await.expect("there").get_str("firstName").ok(), Some("Truth"));
    app.finish().await;
}

#[tokio::test]
async fn a4_05_d2_39_one_username_for_two_people_gives_the_second_a_suffix() {
    let app = TestApp::new().await;
    for id in ["user_aaaaaa", "user_bbbbbb"] {
        let mut body = user_event("user.created", id, "Ada", NOW);
        body["data"]["username"] = json!("ada");
        body["data"]["email_addresses"][0]["email_address"] = json!("shared@example.com");
        app.deliver(&format!("msg_{id}"), &body).await;
        app.settled().await;
    }
    let first = app.database.user("user_aaaaaa").await.expect("there");
    let second = app.database.user("user_bbbbbb").await.expect("there");
    assert_eq!(first.get_str("username").ok(), Some("ada"));
    assert_eq!(second.get_str("username").ok(), Some("ada-bbbbbb"));
    assert_eq!(second.get_str("clerkUsername").ok(), Some("ada"));
    assert_eq!(second.get_str("email").ok(), first.get_str("email").ok(), "two people may share an address");
    app.finish().await;
}

#[tokio::test]
async fn d3_01_to_d3_11_ten_forgeries_are_refused_without_a_trace() {
    let app = TestApp::new().await;
    let secret = app.clerk.webhook_secret().to_owned();
    let body = user_event("user.created", "user_forged", "Mallory", NOW).to_string();
    let good = Delivery::signed(&secret, "msg_forged", body.as_bytes());
    let now = jiff::Timestamp::now().as_second();
    let other_secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let changed = |change: &dyn Fn(&mut Delivery)| {
        let mut delivery = good.clone();
        change(&mut delivery);
        delivery
    };
    let forgeries = [
        ("no signature", changed(&|delivery| delivery.signature.clear())),
        ("cut signature", changed(&|delivery| drop(delivery.signature.split_off(10)))),
        ("flipped signature", changed(&|delivery| delivery.signature = delivery.signature.replace("v1,", "v1,A"))),
        ("unknown version", changed(&|delivery| delivery.signature = delivery.signature.replace("v1,", "v2,"))),
        ("changed body", changed(&|delivery| delivery.body = body.replace("Mallory", "Malory!").into_bytes())),
        ("whitespace", changed(&|delivery| delivery.body.push(b' '))),
        ("other id", changed(&|delivery| delivery.id = "msg_other".to_owned())),
        ("other secret", Delivery::signed(other_secret, "msg_forged", body.as_bytes())),
        ("too old", Delivery::signed_at(&secret, "msg_forged", body.as_bytes(), now - 310)),
        ("too new", Delivery::signed_at(&secret, "msg_forged", body.as_bytes(), now + 310)),
    ];
    for (name, forgery) in forgeries {
        assert_eq!(forgery.send(&app).await.status(), 400, "{name}");
    }
    let unsigned = app.client.post(app.at("/api/webhooks/clerk")).body(body.clone()).send().await.expect("an answer");
    assert_eq!(unsigned.status(), 400);
    assert_eq!(app.database.count("events", doc! {}).await, 0);
    assert_eq!(app.database.count("users", doc! {}).await, 0);
    assert_eq!(good.send(&app).await.status(), 200, "the unspoilt one is good");
    app.finish().await;
}

#[tokio::test]
async fn d3_05_any_of_several_secrets_will_do() {
    let second = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let both = format!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,{second}");
    let app =
        TestApp::with(Wishes { variables: vec![("CLERK_WEBHOOK_SIGNING_SECRET", both)], ..Wishes::default() }).await;
    let body = user_event("user.created", "user_a", "Ada", NOW).to_string();
    assert_eq!(Delivery::signed(second, "msg_1", body.as_bytes()).send(&app).await.status(), 200);
    app.finish().await;
}

#[tokio::test]
async fn d3_13_a_body_over_the_limit_is_413_declared_or_not() {
    let limit = vec![("ROLLCALL_WEBHOOK_BODY_LIMIT", "2048".to_owned())];
    let app = TestApp::with(Wishes { variables: limit, ..Wishes::default() }).await;
    let large = vec![b'x'; 4096];
    let delivery = Delivery::signed(app.clerk.webhook_secret(), "msg_large", &large);
    assert_eq!(delivery.send(&app).await.status(), 413);
    let chunks = futures::stream::iter(
        large.chunks(512).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>(),
    );
    let chunked = delivery.request(&app).body(reqwest::Body::wrap_stream(chunks)).send().await.expect("an answer");
    assert_eq!(chunked.status(), 413);
    app.finish().await;
}

#[tokio::test]
async fn d3_14_d3_18_d3_19_encodings_methods_and_other_paths_are_refused() {
    let app = TestApp::new().await;
    let body = user_event("user.created", "user_a", "Ada", NOW).to_string();
    let delivery = Delivery::signed(app.clerk.webhook_secret(), "msg_1", body.as_bytes());
    let encoded = delivery.request(&app).header("content-encoding", "gzip").send().await.expect("an answer");
    assert_eq!(encoded.status(), 415);
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let answer = app.client.request(method, app.at("/api/webhooks/clerk")).send().await.expect("an answer");
        assert_eq!(answer.status(), 405);
        assert_eq!(answer.headers()["allow"], "POST");
    }
    for path in ["/api/webhooks/clerk/", "/api//webhooks/clerk", "/api/webhooks/CLERK", "/api/webhooks%2Fclerk"] {
        let answer = app.client.post(app.at(path)).body(body.clone()).send().await.expect("an answer");
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
    assert_eq!(app.database.count("events", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn d3_16_d3_17_d3_20_signed_nonsense_is_400() {
    let app = TestApp::new().await;
    let deep = format!("{{\"type\":\"user.created\",\"data\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"nonsense".to_vec(),
        b"[]".to_vec(),
        b"7".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        deep.into_bytes(),
        json!({ "type": "user.created", "data": { "id": { "$gt": "" } } }).to_string().into_bytes(),
        json!({ "type": "user.created", "data": {} }).to_string().into_bytes(),
        json!({ "type": "user.deleted", "data": { "deleted": true } }).to_string().into_bytes(),
        json!({ "type": 7, "data": {} }).to_string().into_bytes(),
    ];
    for (index, body) in bodies.iter().enumerate() {
        let delivery = Delivery::signed(app.clerk.webhook_secret(), &format!("msg_{index}"), body);
        let status = delivery.send(&app).await.status();
        assert_eq!(status, 400, "body {index}");
    }
    let mut not_text = Delivery::signed(app.clerk.webhook_secret(), "msg_text", b"{}");
    not_text.body = b"\xff\xfe{}".to_vec();
    assert_eq!(not_text.send(&app).await.status(), 400);
    assert_eq!(app.database.count("events", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn d3_21_d3_24_odd_keys_and_names_are_kept_as_values() {
    let app = TestApp::new().await;
    let mut body = user_event("user.created", "user_odd", "\u{202e}Ada\u{200b} 👩‍🚀 <script>", NOW);
    body["data"]["public_metadata"] =
        json!({ "$set": { "role": "admin" }, "a.b": 1, "": 2, "__proto__": {}, "nul\u{0}": 3 });
    app.deliver("msg_1", &body).await;
    app.settled().await;
    let stored = app.database.user("user_odd").await.expect("there");
    assert_eq!(stored.get_str("role").ok(), Some("user"));
    assert_eq!(stored.get_str("firstName").ok(), Some("\u{202e}Ada\u{200b} 👩‍🚀 <script>"));
    let payload = app.database.event("msg_1").await.expect("kept");
    let kept: Value = serde_json::from_str(payload.get_str("payload").expect("text")).expect("JSON");
    assert_eq!(kept, body);
    app.finish().await;
}

#[tokio::test]
async fn a2_17_d3_29_without_a_secret_development_answers_500() {
    let unset = vec![("CLERK_WEBHOOK_SIGNING_SECRET", String::new())];
    let app = TestApp::with(Wishes { variables: unset, ..Wishes::default() }).await;
    let body = user_event("user.created", "user_a", "Ada", NOW).to_string();
    let delivery = Delivery::signed("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_1", body.as_bytes());
    assert_eq!(delivery.send(&app).await.status(), 500);
    assert_eq!(app.database.count("events", doc! {}).await, 0);
    app.finish().await;
}

#[tokio::test]
async fn d2_06_with_mongodb_away_the_answer_is_503_with_retry_after() {
    let away = vec![
        ("MONGODB_URI", "mongodb://127.0.0.1:9/rollcall".to_owned()),
        ("ROLLCALL_DATABASE_TIMEOUT_MS", "300".to_owned()),
    ];
    let app = TestApp::with(Wishes { variables: away, ..Wishes::default() }).await;
    let body = user_event("user.created", "user_a", "Ada", NOW).to_string();
    let answer = Delivery::signed(app.clerk.webhook_secret(), "msg_1", body.as_bytes()).send(&app).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    assert_eq!(app.get("/healthz").await.status(), 200);
    app.finish().await;
}

#[tokio::test]
async fn d2_29_a_document_that_cannot_be_read_holds_up_nobody_else() {
    let app =
        TestApp::with(Wishes { variables: vec![("ROLLCALL_ATTEMPTS", "1".to_owned())], ..Wishes::default() }).await;
    // The seed's defect: a document keyed by the Clerk id (A1-13), in the way of the person it is about.
    let broken = doc! {
        "_id": "user_odd", "clerkId": "user_odd", "name": "Odd", "role": "user", "syncStatus": "active",
        "authProvider": "clerk", "version": {}, "createdAt": mongodb::bson::DateTime::now(),
        "updatedAt": mongodb::bson::DateTime::now(),
    };
    app.database.insert("users", broken).await;
    app.deliver("msg_1", &user_event("user.updated", "user_odd", "Odd", NOW)).await;
    app.deliver("msg_2", &user_event("user.created", "user_fine", "Fine", NOW)).await;
    app.settled().await;
    assert_eq!(app.database.user("user_fine").await.expect("there").get_str("firstName").ok(), Some("Fine"));
    let given_up = app.database.event("msg_1").await.expect("kept");
    assert_eq!(given_up.get_str("state").ok(), Some("dead"));
    assert!(given_up.get_str("decision").expect("a cause").contains("cannot be read"));
    app.finish().await;
}

#[tokio::test]
async fn documents_from_before_us_are_taken_over_and_those_without_a_clerk_id_left_alone() {
    let app = TestApp::new().await;
    app.database.relax("users").await;
    let before = mongodb::bson::DateTime::now();
    let old = doc! { "clerkId": "user_old", "email": "old@example.com", "plan": "gold", "createdAt": before, "updatedAt": before };
    app.database.insert("users", old).await;
    for name in ["first", "second"] {
        app.database.insert("users", doc! { "nickname": name, "clerkId": Bson::Null }).await;
    }
    app.deliver("msg_1", &user_event("user.updated", "user_old", "Olda", NOW)).await;
    app.settled().await;
    let taken = app.database.user("user_old").await.expect("there");
    assert_eq!((taken.get_str("firstName").ok(), taken.get_str("plan").ok()), (Some("Olda"), Some("gold")));
    assert_eq!(app.database.count("users", doc! { "nickname": { "$exists": true } }).await, 2);
    app.finish().await;
}

#[tokio::test]
async fn d2_14_an_event_is_never_given_up_because_clerk_is_away() {
    let app =
        TestApp::with(Wishes { variables: vec![("ROLLCALL_ATTEMPTS", "1".to_owned())], ..Wishes::default() }).await;
    let user = app.clerk.create_user(json!({ "email_address": ["t@example.com"], "first_name": "Truth" }));
    let id = user["id"].as_str().expect("an id");
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.settled().await;
    let stored = app.database.user(id).await.expect("there");
    let event_at = stored.get_document("version").and_then(|version| version.get_i64("eventAt")).expect("a time");
    app.clerk.set_levers(Levers { bapi_status: Some(500), ..app.clerk.levers() });
    let mut lie = user_event("user.updated", id, "Lie", user["updated_at"].as_i64().expect("a time"));
    lie["timestamp"] = json!(event_at);
    app.deliver("msg_lie", &lie).await;
    eventually("an attempt fails", || async {
        let event = app.database.event("msg_lie").await.ok_or_else(|| "none".to_owned())?;
        if event.get_str("state").ok() == Some("failed") { Ok(()) } else { Err(event.to_string()) }
    })
    .await;
    app.clerk.set_levers(Levers::default());
    app.settled().await;
    assert_eq!(app.database.user(id).await.expect("there").get_str("firstName").ok(), Some("Truth"));
    app.finish().await;
}

#[tokio::test]
async fn a4_27_what_happens_at_clerk_arrives_here() {
    let app = TestApp::new().await;
    let id = app.person(json!({ "email_address": ["jo@example.com"], "first_name": "Jo", "username": "jojo" })).await;
    app.clerk.update_user(&id, json!({ "first_name": "Joan" }));
    app.clerk.merge_metadata(&id, json!({ "public_metadata": { "role": "moderator" } }));
    app.clerk.ban(&id);
    eventually("the ban arrives", || async {
        let user = app.database.user(&id).await.ok_or_else(|| "none".to_owned())?;
        if user.get_bool("banned").ok() == Some(true) { Ok(()) } else { Err(format!("{user}")) }
    })
    .await;
    app.settled().await;
    let user = app.database.user(&id).await.expect("there");
    assert_eq!(user.get_str("firstName").ok(), Some("Joan"));
    assert_eq!(user.get_str("role").ok(), Some("moderator"));
    app.clerk.delete_user(&id);
    eventually("the deletion arrives", || async {
        let user = app.database.user(&id).await.ok_or_else(|| "none".to_owned())?;
        user.get_datetime("deletedAt").map(|_| ()).map_err(|error| error.to_string())
    })
    .await;
    app.finish().await;
}
