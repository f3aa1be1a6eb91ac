//! What an operator has decided is settled: it is trouble to nobody any more.

use mongodb::bson::doc;
use rollcall::server::jobs::watch as alerts;
use serde_json::Value;

use super::{ADA, audited, listed, page, says, send, with_events};
use crate::support::delivery::user_event;
use crate::support::eventually;

#[tokio::test]
async fn e_29_what_was_given_up_is_settled_once_somebody_discards_it() {
    let (app, admin) = with_events().await;
    let word = || async {
        let overview = app.get_as(&admin, "/api/admin_sync/get_overview").await;
        overview.json::<Value>().await.expect("JSON")["health"].as_str().expect("a word").to_owned()
    };
    let alert = || async {
        alerts::check(&app.state, jiff::Timestamp::now()).await.expect("looked");
        let alert = app.database.find("alerts", doc! { "kind": "events-dead" }).await.expect("an alert");
        alert.get_str("state").expect("a state").to_owned()
    };
    let cause = "MongoDB refused (code 121)";
    let dead = doc! { "state": "dead", "decision": format!("given up after 8 attempts: {cause}"), "cause": cause };
    app.database.set("events", doc! { "_id": "msg_t_1" }, dead).await;
    assert_eq!((word().await.as_str(), alert().await.as_str()), ("Degraded", "open"));
    says(&page(&app, &admin, "/admin/sync/events/msg_t_1").await, &["Discard this event?", "discard it"]);

    let wish = [("id", "msg_t_1"), ("reason", "of a test")];
    assert_eq!(send(&app, &admin, "/api/events/discard_event", &wish).await.status(), 200);
    assert_eq!((word().await.as_str(), alert().await.as_str()), ("Healthy", "closed"));
    assert!(!page(&app, &admin, "/admin/sync/failures").await.contains(cause));
    assert_eq!(listed(&page(&app, &admin, "/admin/sync/events?state=discarded").await), ["msg_t_1"]);
    let shown = page(&app, &admin, "/admin/sync/events/msg_t_1").await;
    says(&shown, &["discarded: of a test", "shall not be tried again", "discard_event"]);
    assert!(!shown.contains("Discard this event?"));
    let fact = audited(&app, "discard_event").await;
    assert_eq!((fact.get_str("before").ok(), fact.get_str("reason").ok()), (Some("dead"), Some("of a test")));
    // Clerk's word of it again changes nothing of that.
    app.deliver("msg_t_1", &user_event("user.created", ADA, "Ada", 1_750_000_001_000)).await;
    eventually("it is counted", || async {
        match app.database.count("events", doc! { "_id": "msg_t_1", "deliveries": 2 }).await {
            1 => Ok(()),
            _ => Err("once".to_owned()),
        }
    })
    .await;
    assert_eq!(app.database.count("events", doc! { "_id": "msg_t_1", "state": "discarded" }).await, 1);
    app.finish().await;
}
