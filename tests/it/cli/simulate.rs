//! `rollcall simulate signup`: the whole path, and what it says where the path is cut (A2-12).

use mongodb::bson::doc;
use rollcall::standin::levers::Levers;
use serde_json::{Value, json};

use super::{beside, operator, run, with};
use crate::support::app::{TestApp, Wishes};

const SIGNUP: [&str; 5] = ["simulate", "signup", "--yes", "--within", "10"];

#[tokio::test]
async fn a2_12_simulate_signup_runs_the_whole_path_and_cleans_up() {
    let variables = vec![("ROLLCALL_METADATA", "true".to_owned())];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    let environment = with(&beside(&app), "ROLLCALL_METADATA", "true");
    let asked = run(&["simulate", "signup"], &environment).await.expect(2);
    asked.says(&["Make a user at", "and delete it again? [yes/no]"]);
    run(&["simulate", "signup", "--dry-run"], &environment).await.expect(0).says(&["would make a user at"]);
    assert_eq!(app.database.count("users", doc! {}).await, 0);

    let told = run(&[&SIGNUP[..], &["--json"]].concat(), &environment).await.expect(0).json();
    let steps: Vec<&str> =
        told["steps"].as_array().expect("steps").iter().filter_map(|step| step["step"].as_str()).collect();
    assert_eq!(
        steps,
        [
            "create at Clerk",
            "stored by the webhook",
            "read back",
            "Clerk's metadata written",
            "delete at Clerk",
            "deleted by the webhook",
        ]
    );
    assert_eq!(told["failed"], Value::Null);
    let id = told["steps"][0]["seen"].as_str().expect("an id");
    assert!(app.clerk.user(id).is_none(), "it is gone at Clerk");
    let tombstone = app.database.user(id).await.expect("a tombstone");
    assert!(tombstone.get_datetime("deletedAt").is_ok() && tombstone.get_str("email").is_err(), "{tombstone}");
    let entry = app.state.store.audit.list_about(id).await.expect("entries").pop().expect("an entry");
    assert_eq!((entry.actor.as_str(), entry.action.as_str()), (operator(), "simulate_signup"));
    run(&SIGNUP, &environment).await.expect(0).says(&["ok", "stored by the webhook", "ms"]);
    app.finish().await;
}

#[tokio::test]
async fn a2_12_where_the_webhook_does_not_come_it_says_so_and_still_cleans_up() {
    let app = TestApp::new().await;
    app.clerk.set_levers(Levers { drop: 1.0, ..Levers::default() });
    let signup = ["simulate", "signup", "--yes", "--within", "1", "--json"];
    let told = run(&signup, &beside(&app)).await.expect(1).json();
    assert_eq!(told["failed"]["step"], json!("stored by the webhook"));
    assert!(told["failed"]["fix"].as_str().is_some_and(|fix| fix.contains("rollcall doctor")), "{told}");
    let id = told["steps"][0]["seen"].as_str().expect("an id");
    assert!(app.clerk.user(id).is_none(), "it is gone at Clerk");
    app.finish().await;
}

#[tokio::test]
async fn a2_12_never_with_the_keys_of_a_production_instance() {
    let app = TestApp::with(Wishes { production_clerk: true, ..Wishes::default() }).await;
    let before = app.clerk.backend_calls();
    let refused = run(&SIGNUP, &beside(&app)).await.expect(1);
    refused.says(&["Not with the keys of a production instance"]);
    let rehearsed = run(&["simulate", "signup", "--dry-run"], &beside(&app)).await.expect(1);
    rehearsed.says(&["Not with the keys of a production instance"]);
    assert_eq!(app.clerk.backend_calls(), before, "Clerk was not asked");
    app.finish().await;
}
