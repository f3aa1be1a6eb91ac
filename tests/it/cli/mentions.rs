//! Where words of people, filters and runs speak of somebody, for `erase`.

use std::time::Duration;

use jiff::Timestamp;
use mongodb::bson::{DateTime, doc};
use rollcall::model::event_filter::{EventFilter, ReplayPlan};
use rollcall::model::run::{RunKind, RunOptions, RunState, Starter};
use rollcall::server::store::mutes::Mute;
use rollcall::server::store::runs::{Place, Run, Suspect};
use rollcall::server::sync::scan::control::{Wanted, new_run};

use super::erase::other;
use super::users::users;
use crate::support::app::TestApp;

/// Whoever has the username `zephy_quill` and the name Zephyrine Quillfeather is spoken of everywhere.
pub async fn mention(app: &TestApp, id: &str) {
    let bob = other(app).await;
    app.quiet().await;
    users(app, &["lock", &bob, "--yes", "--reason", "quarrels with @zephy_quill"]).await.expect(0);
    filter(app, id, "Zephyrine's own", "state=dead").await;
    filter(app, "user_admin", "zephy_quill", "state=dead").await;
    filter(app, "user_admin", "the one of yesterday", "person=zephy_quill&state=dead").await;
    filter(app, "user_admin", "searched", "q=type%3Auser.updated%20user%3Azephy_quill").await;
    filter(app, "user_admin", "the dead", "state=dead").await;
    discarded(app, id, "msg_theirs", "Zephyrine asked").await;
    discarded(app, "user_bob", "msg_bobs", "for Zephyrine Quillfeather.").await;
    let mut job = app.database.find("jobs", doc! { "clerkId": id }).await.expect("a job");
    job.extend(doc! { "_id": "webhook:bobs", "clerkId": "user_bob", "state": "discarded" });
    job.insert("cause", "discarded: zephy_quill said so; before: no such mailbox: zephyrine@quill.example");
    job.remove("body");
    app.database.insert("jobs", job).await;
    let run = paused_at(id);
    assert!(app.state.store.runs.insert(&run).await.expect("stored"));
    let far = Timestamp::now() + Duration::from_hours(24 * 90);
    let mute = Mute { cause: "a cause".to_owned(), until: far, by: id.to_owned() };
    app.state.store.mutes.set(&mute).await.expect("stored");
}

async fn filter(app: &TestApp, owner: &str, name: &str, query: &str) {
    app.database.insert("filters", doc! { "owner": owner, "name": name, "query": query, "isDefault": false }).await;
}

/// An event that somebody discarded for a reason, once more after a replay; and the run of that, which left it out.
async fn discarded(app: &TestApp, clerk_id: &str, event: &str, reason: &str) {
    let decision = format!("discarded: {reason}");
    let before = doc! { "at": DateTime::now(), "state": "discarded", "decision": &decision };
    let fields = doc! { "state": "discarded", "decision": &decision, "earlier": [before] };
    app.database.recorded().await;
    app.database.set("events", doc! { "_id": event }, fields).await;
    let finding = doc! {
        "_id": format!("a_run:s:{event}"), "runId": "a_run", "runKind": "replay", "at": DateTime::now(), "dryRun": false,
        "clerkId": clerk_id, "kind": mongodb::bson::Bson::Null, "fields": [], "reason": format!("{event}: {decision}"),
    };
    app.database.insert("findings", finding).await;
}

/// A run that waits where it saw them, and is about them.
fn paused_at(id: &str) -> Run {
    let wanted = Wanted { kind: RunKind::Replay, starter: Starter::Timer, options: RunOptions::default(), anew: false };
    let mut run = Run { state: RunState::Paused, ..new_run(wanted, "", None) };
    run.progress.place = Place { cursor: Some(id.to_owned()), joined_at: Some(1), tail: vec![id.to_owned()] };
    run.progress.suspects = vec![Suspect { clerk_id: id.to_owned(), updated_at: None, seen_at: 1, moves: 0 }];
    run.progress.held = vec![id.to_owned()];
    let filter = EventFilter { person: Some(id.to_owned()), ..EventFilter::default() };
    run.replay = Some(ReplayPlan { filter, ..ReplayPlan::default() });
    run
}
