//! `rollcall sync metadata`: Clerk's public metadata is compared with MongoDB, and what differs is pushed by the jobs of the engine.

use std::time::Duration;

use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use rollcall::server::jobs::metadata::push;
use rollcall::server::state::AppState;
use serde_json::{Value, json};

use crate::cli;
use crate::support::app::TestApp;
use crate::support::eventually;
use crate::sync::between::Between;
use crate::sync::world::World;

fn held(world: &World, id: &str) -> Value {
    world.app.clerk.user(id).expect("alive")["public_metadata"].clone()
}

#[tokio::test]
async fn a2_15_sync_metadata_pushes_whoever_differs_at_clerk_and_nobody_else() {
    let world = World::with(25, &[("ROLLCALL_METADATA", "true")]).await;
    world.imported().await;
    world.app.jobs_settled().await;
    let clean = world.sync(&["metadata", "--yes", "--json"]).await.expect(0).json();
    let none = json!({ "total": 25, "seen": 25, "differing": 0, "onTheirWay": 0, "absent": 0, "people": [] });
    assert_eq!(clean, json!({ "metadata": none, "dryRun": false }));

    world.webhooks(false).await;
    let ids = world.ids();
    let other_hand = json!({ "public_metadata": { "userMongoId": null, "role": "admin", "theirs": "stays" } });
    world.app.clerk.merge_metadata(&ids[4], other_hand);
    world.app.clerk.merge_metadata(&ids[7], json!({ "public_metadata": { "isAdmin": "maybe" } }));
    world.app.database.remove("users", doc! { "clerkId": &ids[9] }).await;
    world.webhooks(true).await;
    // As a role that was given here stands until Clerk has confirmed it.
    world.set(&ids[4], doc! { "role": "moderator", "rolePending": true }).await;
    world.sync(&["metadata"]).await.expect(2).says(&[
        "of everybody into Clerk's metadata",
        "[yes/no]",
        "not confirmed",
    ]);
    let foreseen = world.sync(&["metadata", "--dry-run"]).await.expect(1);
    foreseen.says(&["25 people compared: 2 would be pushed to Clerk, 0 on their way already, 1 not here", &ids[4]]);
    assert!(held(&world, &ids[4])["userMongoId"].is_null() && held(&world, &ids[7])["isAdmin"] == "maybe");

    let one = world.sync(&["metadata", "--user", &ids[7], "--yes", "--reason", "a question"]).await.expect(0);
    one.says(&["1 people compared: 1 pushed to Clerk", &ids[7], "rollcall jobs list --kind metadata"]);
    eventually("that one is written", || async {
        let held = held(&world, &ids[7]);
        if held["isAdmin"] == false { Ok(()) } else { Err(held.to_string()) }
    })
    .await;
    let rest = world.sync(&["metadata", "--yes", "--json"]).await.expect(1).json();
    assert_eq!((&rest["metadata"]["differing"], &rest["metadata"]["people"]), (&json!(1), &json!([ids[4]])));
    world.app.jobs_settled().await;
    let pushed = held(&world, &ids[4]);
    assert_eq!(
        (&pushed["role"], &pushed["isAdmin"], &pushed["theirs"]),
        (&json!("moderator"), &json!(false), &json!("stays"))
    );
    let stored = world.app.database.user(&ids[4]).await.expect("stored").get_object_id("_id").expect("an id");
    assert_eq!(pushed["userMongoId"], json!(stored.to_hex()));

    let nobody = world.sync(&["metadata", "--user", "nobody@example.com", "--yes"]).await.expect(1);
    nobody.says(&["nobody@example.com was not found"]);
    let entries = cli::run(&["audit", "list", "--action", "push_metadata", "--json"], &world.environment).await;
    let entries = entries.expect(0).json();
    let told = |number: usize| {
        let entry = &entries["entries"][number];
        (entry["actor"].clone(), entry["subject"].clone(), entry["reason"].clone())
    };
    assert_eq!(told(1), (json!(cli::operator()), json!(ids[7]), json!("a question")));
    assert_eq!(told(0), (json!(cli::operator()), json!("everybody"), Value::Null));
    assert_eq!(
        entries["entries"].as_array().map(Vec::len),
        Some(3),
        "no rehearsal, and nothing that was not confirmed"
    );
    world.finish().await;
}

#[tokio::test]
async fn a2_15_where_metadata_is_not_written_nothing_is_pushed() {
    let world = World::of(5).await;
    world.imported().await;
    let refused = world.sync(&["metadata", "--yes"]).await.expect(1);
    refused.says(&["Clerk's metadata is not written: ROLLCALL_METADATA is off."]);
    assert_eq!(world.app.database.count("jobs", doc! {}).await, 0);
    world.finish().await;
}

#[tokio::test]
async fn d2_38_a_role_is_confirmed_though_something_newer_is_here_before_clerks_answer() {
    let app = TestApp::new().await;
    let id = app.person(json!({ "email_address": ["ada@example.com"], "first_name": "Ada" })).await;
    let between = Between::start(&app.clerk).await;
    let mut settings = app.state.settings.clone();
    settings.clerk.api_url = between.url.parse().expect("an address");
    settings.effects.metadata = true;
    let pushing = AppState::assemble(settings).await.expect("a state");
    let given = doc! { "role": "admin", "rolePending": true, "etag": ObjectId::new() };
    app.database.set("users", doc! { "clerkId": &id }, given).await;
    let held_back = between.hold_back_merges().await;
    let pushed = tokio::spawn({
        let id = id.clone();
        async move { push(&pushing, &id).await }
    });
    eventually("Clerk holds the role", || async {
        match app.clerk.user(&id).expect("alive")["public_metadata"]["role"].as_str() {
            Some("admin") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    app.clerk.update_user(&id, json!({ "first_name": "Grace" }));
    assert!(app.clerk.drained(Duration::from_secs(10)).await);
    app.settled().await;
    let stored = app.database.user(&id).await.expect("stored");
    assert_eq!(
        (stored.get_str("firstName").ok(), stored.get_bool("rolePending").ok()),
        (Some("Grace"), Some(true)),
        "{stored}"
    );
    drop(held_back);
    pushed.await.expect("no panic").expect("pushed");
    let stored = app.database.user(&id).await.expect("stored");
    assert_eq!(
        (stored.get_str("role").ok(), stored.get_bool("rolePending").ok()),
        (Some("admin"), Some(false)),
        "{stored}"
    );
    app.finish().await;
}
