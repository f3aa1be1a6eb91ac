//! What the stand-in sends: every kind in its published shape, signed, in order, and again after a failure.

use rollcall::standin::webhooks::State;
use serde_json::{Value, json};

use crate::standin::clerk::{Clerk, text};
use crate::standin::inbox::Inbox;
use crate::standin::shapes;

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a type")).collect()
}

#[tokio::test]
async fn every_kind_of_webhook_is_signed_and_has_its_published_shape() {
    let inbox = Inbox::answering(&[]).await;
    let clerk = Clerk::with(inbox.options()).await;
    let id = text(&clerk.standin.create_user(json!({ "email_address": ["a@example.com"], "external_id": "x" }))["id"]);
    clerk.standin.update_user(&id, json!({ "first_name": "A" }));
    clerk.backend("POST /sessions").json(json!({ "user_id": id })).gives(200).await;
    clerk.standin.ban(&id);
    for action in ["end", "remove"] {
        let browser = clerk.sign_in("ada").await;
        clerk
            .frontend(&format!("POST /v1/client/sessions/{{session_id}}/{action}"), &browser.key)
            .of(&browser.session)
            .gives(200)
            .await;
    }
    clerk.standin.delete_user(&id);
    let events = inbox.events(&clerk.standin).await;
    let mut seen = kinds(&events);
    seen.sort_unstable();
    seen.dedup();
    let mut published: Vec<&str> =
        shapes::routes("webhooks").filter_map(|name| name.strip_prefix("webhooks ")).collect();
    published.sort_unstable();
    assert_eq!(seen, published);
    for event in &events {
        assert_eq!(event["instance_id"], clerk.standin.instance_id());
    }
    let deleted = events.last().expect("the deletion");
    assert_eq!(deleted["data"], json!({ "object": "user", "id": id, "deleted": true, "external_id": "x" }));
}

#[tokio::test]
async fn all_twenty_people_are_announced_in_the_published_shape_under_ids_that_stay() {
    let inbox = Inbox::answering(&[]).await;
    let clerk = Clerk::with(inbox.options()).await;
    clerk.standin.announce();
    let events = inbox.events(&clerk.standin).await;
    assert_eq!(events.len(), 20);
    let by_id = |value: &Value| text(&value["id"]);
    let mut told: Vec<Value> = events.into_iter().map(|event| event["data"].clone()).collect();
    told.sort_by_key(by_id);
    let mut people = clerk.standin.users();
    people.sort_by_key(by_id);
    assert_eq!(told, people, "a webhook shows what the Backend API shows");
    clerk.standin.announce();
    let all = inbox.all(&clerk.standin).await;
    let ids: std::collections::BTreeSet<&str> = all.iter().map(crate::standin::inbox::Received::id).collect();
    assert_eq!((all.len(), ids.len()), (40, 20));
}

#[tokio::test]
async fn a_refused_webhook_comes_again_under_the_same_id_with_a_fresh_signature() {
    let inbox = Inbox::answering(&[500, 302]).await;
    let clerk = Clerk::with(inbox.options()).await;
    let user = clerk.standin.create_user(json!({ "username": "again" }));
    let events = inbox.events(&clerk.standin).await;
    assert_eq!(kinds(&events), ["user.created"; 3]);
    assert!(events.iter().all(|event| event["data"] == user));
    let received = inbox.all(&clerk.standin).await;
    assert!(received.iter().all(|copy| copy.id() == received[0].id() && copy.raw == received[0].raw));
    let delivery = &clerk.standin.deliveries()[0];
    let statuses: Vec<Option<u16>> = delivery.attempts.iter().map(|attempt| attempt.status).collect();
    assert_eq!((statuses, delivery.state), (vec![Some(500), Some(302), Some(200)], State::Delivered));
    assert!(clerk.standin.resend(received[0].id()));
    assert_eq!(inbox.all(&clerk.standin).await.len(), 4);
    assert!(!clerk.standin.resend("msg_unknown"));
}

#[tokio::test]
async fn a_webhook_that_is_always_refused_is_given_up_after_eight_attempts() {
    let inbox = Inbox::answering(&[503; 20]).await;
    let options = rollcall::standin::Options { retry_scale: 0.000_001, ..inbox.options() };
    let clerk = Clerk::with(options).await;
    clerk.standin.create_user(json!({ "username": "never" }));
    assert_eq!(inbox.all(&clerk.standin).await.len(), 8);
    assert_eq!(clerk.standin.deliveries()[0].state, State::Failed);
}

#[tokio::test]
async fn the_changes_of_one_person_are_told_in_the_order_they_happened() {
    let inbox = Inbox::answering(&[]).await;
    let clerk = Clerk::with(inbox.options()).await;
    let id = clerk.id_of("ada");
    for step in 0..5 {
        clerk.standin.update_user(&id, json!({ "first_name": format!("Ada {step}") }));
        inbox.all(&clerk.standin).await;
    }
    let events = inbox.events(&clerk.standin).await;
    let versions: Vec<i64> = events.iter().filter_map(|event| event["data"]["updated_at"].as_i64()).collect();
    assert_eq!(versions.len(), 5);
    assert!(versions.is_sorted_by(|left, right| left < right), "updated_at grows: {versions:?}");
}
