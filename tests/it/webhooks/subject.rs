//! Whom it is about: ids that are none, other instances, other types (D3-20, D3-22, D3-25 to D3-27).

use mongodb::bson::doc;
use rollcall::server::clerk::webhook::KNOWN_TYPES;
use serde_json::{Value, json};

use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::{Delivery, deleted_event, user_event};
use crate::webhooks::{NOW, assert_never_accepted};

async fn status_of(app: &TestApp, id: &str, body: &Value) -> u16 {
    let delivery = Delivery::signed(app.clerk.webhook_secret(), id, body.to_string().as_bytes());
    delivery.send(app).await.status().as_u16()
}

#[tokio::test]
async fn d3_20_d3_22_a_subject_without_a_usable_id_is_400_and_touches_nobody() {
    let app = TestApp::new().await;
    app.deliver("msg_ada", &user_event("user.created", "user_a", "Ada", NOW)).await;
    app.settled().await;
    let before = app.database.all("users").await;
    let ids = [
        json!(null),
        json!(""),
        json!(7),
        json!(true),
        json!({ "$gt": "" }),
        json!({ "$ne": null }),
        json!(["user_a"]),
        json!("$where"),
        json!("user_a.name"),
        json!("user_a\u{0}"),
        json!("../users"),
        json!("user a"),
        json!("x".repeat(129)),
        json!("x".repeat(500_000)),
    ];
    for kind in ["user.created", "user.updated", "user.deleted"] {
        for id in &ids {
            let mut body = user_event(kind, "user_a", "Mallory", NOW + 1);
            body["data"]["id"] = id.clone();
            assert_never_accepted(&app, &format!("{kind} of {id}"), body.to_string().as_bytes()).await;
        }
        for data in [json!({}), json!("user_a"), json!([{ "id": "user_a" }]), json!(null)] {
            let body = json!({ "type": kind, "timestamp": NOW, "data": data });
            assert_never_accepted(&app, &format!("{kind} with {data}"), body.to_string().as_bytes()).await;
        }
    }
    // As Clerk's schema allows it for a deleted object.
    let body = json!({ "type": "user.deleted", "data": { "object": "user", "deleted": true } });
    assert_never_accepted(&app, "a deletion of nobody", body.to_string().as_bytes()).await;
    assert_eq!(app.database.all("users").await, before);
    app.finish().await;
}

#[tokio::test]
async fn a_deletion_of_somebody_unknown_leaves_a_tombstone() {
    let app = TestApp::new().await;
    app.deliver("msg_1", &deleted_event("user_unknown", NOW)).await;
    app.settled().await;
    let tombstone = app.database.user("user_unknown").await.expect("a tombstone");
    assert!(tombstone.get_datetime("deletedAt").is_ok());
    app.finish().await;
}

#[tokio::test]
async fn d3_25_events_of_another_instance_are_refused_when_one_is_pinned_and_stay_visible() {
    let variables = vec![("ROLLCALL_CLERK_INSTANCE_ID", "ins_ours".to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let mut body = user_event("user.created", "user_a", "Ada", NOW);
    body["instance_id"] = json!("ins_other");
    let foreign = Delivery::signed(app.clerk.webhook_secret(), "msg_foreign", body.to_string().as_bytes());
    let answer = foreign.send(&app).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.headers()["webhook-delivery"], "abort-message");
    assert_eq!(app.database.event("msg_foreign").await.expect("kept").get_str("state").ok(), Some("dead"));

    let mut admin = user_event("user.created", "user_admin", "Root", NOW);
    admin["instance_id"] = json!("ins_ours");
    admin["data"]["public_metadata"] = json!({ "role": "admin" });
    app.deliver("msg_admin", &admin).await;
    app.settled().await;
    let again = app.post_as(Some("user_admin"), "/api/events/replay_event", "id=msg_foreign&reason=in+vain").await;
    assert_eq!(again.status(), 200);
    assert_eq!(app.database.event("msg_foreign").await.expect("kept").get_str("state").ok(), Some("dead"), "again");
    assert!(app.database.user("user_a").await.is_none());
    body["instance_id"] = json!("ins_ours");
    app.deliver("msg_own", &body).await;
    app.settled().await;
    assert!(app.database.user("user_a").await.is_some());
    app.finish().await;
}

#[tokio::test]
async fn d3_25_the_instance_that_an_event_comes_from_is_kept_with_it() {
    let app = TestApp::new().await;
    let kept = async |message: &str| {
        let event = app.database.event(message).await.expect("kept");
        event.get_str("instanceId").ok().map(str::to_owned)
    };
    for (index, (instance, expected)) in [
        (json!("ins_other"), Some("ins_other")),
        (json!(null), None),
        (json!({ "$gt": "" }), None),
        (json!("ins $"), None),
        (json!("x".repeat(10_000)), None),
    ]
    .into_iter()
    .enumerate()
    {
        let mut body = user_event("user.created", &format!("user_{index}"), "Ada", NOW);
        body["instance_id"] = instance;
        let message = format!("msg_{index}");
        app.deliver(&message, &body).await;
        assert_eq!(kept(&message).await.as_deref(), expected, "{index}");
    }
    app.finish().await;
}

#[tokio::test]
async fn d3_26_all_45_types_are_acknowledged_whatever_their_data() {
    let app = TestApp::new().await;
    assert_eq!(KNOWN_TYPES.len(), 45);
    for (index, kind) in KNOWN_TYPES.iter().enumerate() {
        let body = user_event(kind, "user_a", "Ada", NOW);
        assert_eq!(status_of(&app, &format!("msg_{index}"), &body).await, 200, "{kind}");
    }
    for (index, data) in
        [json!(null), json!(1), json!("x"), json!([1]), json!({ "id": { "$gt": 1 } })].iter().enumerate()
    {
        let body = json!({ "type": "session.created", "timestamp": NOW, "data": data });
        assert_eq!(status_of(&app, &format!("msg_data_{index}"), &body).await, 200, "{data}");
    }
    app.settled().await;
    assert_eq!(app.database.count("events", doc! { "state": "ignored" }).await, 42 + 5);
    app.finish().await;
}

#[tokio::test]
async fn d3_27_a_type_that_cannot_be_a_label_is_400_and_an_unknown_object_is_nothing_special() {
    let app = TestApp::new().await;
    let kinds =
        [json!("x".repeat(10_000)), json!("x".repeat(129)), json!(""), json!(7), json!(null), json!({ "$gt": "" })];
    for kind in &kinds {
        let mut body = user_event("user.created", "user_a", "Ada", NOW);
        body["type"] = kind.clone();
        assert_never_accepted(&app, &format!("type {kind}"), body.to_string().as_bytes()).await;
    }
    for (index, object) in [json!("robot"), json!(null), json!(7), json!("x".repeat(10_000))].into_iter().enumerate() {
        let mut body = user_event("user.created", &format!("user_{index}"), "Ada", NOW);
        (body["object"], body["data"]["object"]) = (object.clone(), object);
        assert_eq!(status_of(&app, &format!("msg_object_{index}"), &body).await, 200, "{index}");
    }
    app.settled().await;
    assert_eq!(app.database.count("users", doc! {}).await, 4);
    app.finish().await;
}
