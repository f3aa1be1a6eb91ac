//! `rollcall audit`: the trail is listed by filter, and its chain followed.

use mongodb::bson::doc;
use rollcall::model::audit::{Action, Actor, Fact, Source};
use serde_json::json;

use super::{beside, run};
use crate::support::app::TestApp;

#[tokio::test]
async fn d7_06_the_trail_is_listed_and_verified_from_the_command_line() {
    let app = TestApp::new().await;
    for (subject, action) in [("user_1", Action::Ban), ("user_2", Action::Unban), ("user_1", Action::Unban)] {
        let actor = Actor { id: "cli:keeper".to_owned(), impersonator: None, session: None, source: Source::Cli };
        let fact = Fact { actor, action, subject: subject.to_owned(), before: None, after: None, reason: None };
        app.state.store.audit.append(&fact).await.expect("appended");
    }
    let environment = beside(&app);
    let audit = |arguments: &'static [&'static str]| run_audit(arguments, &environment);
    let listed = audit(&["list", "--json"]).await.expect(0).json();
    assert_eq!(listed["entries"].as_array().map(Vec::len), Some(3));
    assert_eq!((&listed["entries"][0]["number"], &listed["nextCursor"]), (&json!(3), &json!(null)), "the newest first");
    let some =
        audit(&["list", "--subject", "user_1", "--action", "ban", "--actor", "cli:keeper", "--since", "1h", "--json"]);
    assert_eq!(some.await.expect(0).json()["entries"][0]["number"], json!(1));
    let own = audit(&["list", "--actor", "me", "--json"]).await.expect(0).json();
    assert_eq!(own["entries"], json!([]), "what somebody else did at the console is not theirs");
    let first = audit(&["list", "--limit", "2", "--json"]).await.expect(0).json();
    assert_eq!(first["nextCursor"], json!(2));
    audit(&["list", "--limit", "2", "--cursor", "2"]).await.expect(0).says(&["cli:keeper", "ban", "user_1"]);
    audit(&["list", "--action", "fly"]).await.expect(2).says(&["change_role"]);
    audit(&["verify"]).await.expect(0).says(&["3 entries, and the chain is unbroken."]);
    app.database.set("audit", doc! { "_id": 3_i64 }, doc! { "actor": "cli:other" }).await;
    audit(&["verify"]).await.expect(1).says(&["Entry 3 does not hold: it was changed"]);
    let broken = audit(&["verify", "--json"]).await.expect(1).json();
    assert_eq!((&broken["entries"], &broken["broken"]["number"]), (&json!(2), &json!(3)));
    // What came of it is on the page for whoever did not see it here.
    let admin = app.person(json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } })).await;
    let page = app.get_as(&admin, "/admin/sync/audit").await.text().await.expect("a page");
    assert!(page.contains("Last verified ") && page.contains("broken at entry 3: it was changed"), "{page}");
    assert!(page.contains("<code>cli:"), "{page}");
    app.finish().await;
}

async fn run_audit(
    arguments: &[&str],
    environment: &rollcall::server::settings::environment::Variables,
) -> super::Ended {
    run(&[&["audit"], arguments].concat(), environment).await
}
