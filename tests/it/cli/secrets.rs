//! `rollcall secrets` over a rotation as Clerk's dashboard makes one (C-9).

use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use super::{beside, run, with};
use crate::support::app::{TestApp, Wishes};
use crate::support::delivery::{Delivery, user_event};
use crate::support::eventually;

const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn rows(app: &TestApp) -> Vec<Value> {
    let both = with(&beside(app), "CLERK_WEBHOOK_SIGNING_SECRET", &format!("{OLD},{NEW}"));
    let told = run(&["secrets", "--json"], &both).await.expect(0).json();
    told["secrets"].as_array().expect("secrets").clone()
}

/// Delivers once, signed so, and waits until `rollcall secrets` knows.
async fn use_of(app: &TestApp, secret: &str, id: &str, place: usize) {
    let body = user_event("user.created", &format!("user_{id}"), "Ada", 1_790_000_000_000).to_string();
    let answer = Delivery::signed(secret, id, body.as_bytes()).send(app).await;
    assert_eq!(answer.status(), 200, "no delivery is refused");
    eventually("the use is stored", || async {
        let rows = rows(app).await;
        if rows[place]["lastUsedAt"].is_string() { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await;
}

#[tokio::test]
async fn c_9_during_a_rotation_no_delivery_is_refused_and_the_old_secret_is_named_when_it_can_go() {
    let variables = vec![("CLERK_WEBHOOK_SIGNING_SECRET", format!("{OLD},{NEW}"))];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    app.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    let advice = |rows: &[Value]| rows.iter().map(|row| row["safeToRetire"].clone()).collect::<Vec<_>>();
    let before = rows(&app).await;
    assert_eq!(advice(&before), [json!(false), json!(false)]);
    assert_eq!(before[0]["lastUsedAt"], Value::Null);
    use_of(&app, OLD, "one", 0).await;
    let begun = rows(&app).await;
    assert_eq!(advice(&begun), [json!(false), json!(false)], "the new one has not been used");
    use_of(&app, NEW, "two", 1).await;
    let over = rows(&app).await;
    assert_eq!(advice(&over), [json!(true), json!(false)]);
    assert!(over[0]["advice"].as_str().is_some_and(|text| text.contains("delete its endpoint at Clerk")));

    let both = with(&beside(&app), "CLERK_WEBHOOK_SIGNING_SECRET", &format!("{OLD},{NEW}"));
    let text = run(&["secrets"], &both).await.expect(0);
    text.says(&["fingerprint", "safe to retire", "in use"]);
    assert!(!text.out.contains(&OLD[6..14]) && !text.out.contains(&NEW[6..14]), "{}", text.out);
    let only = with(&beside(&app), "CLERK_WEBHOOK_SIGNING_SECRET", NEW);
    run(&["secrets"], &only).await.expect(0).says(&["not configured any more"]);
    app.finish().await;
}
