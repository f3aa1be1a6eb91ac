//! Admins who do something to each other in the same moment (D5-12). Clerk answers late, so that each is under way while the
//! other begins.

use mongodb::bson::doc;
use rollcall::standin::levers::Levers;

use crate::admin_users::{post, someone};
use crate::support::app::TestApp;

async fn slow() -> TestApp {
    let app = TestApp::new().await;
    app.clerk.set_levers(Levers { bapi_delay_ms: 400, ..app.clerk.levers() });
    app
}

/// Admins who can act as such.
async fn admins(app: &TestApp) -> u64 {
    app.database.count("users", doc! { "role": "admin", "banned": { "$ne": true }, "deletedAt": null }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d5_12_of_two_admins_who_ban_lock_or_erase_each_other_at_once_one_does() {
    let app = slow().await;
    let mut stays = someone(&app, "Ada", "admin").await;
    let rounds = [("ban", "unban"), ("lock", "unlock"), ("ban", "unban"), ("erase_user", "")];
    for (number, (verb, back)) in rounds.into_iter().enumerate() {
        let other = someone(&app, &format!("Eve{number}"), "admin").await;
        let about = |id: &str| if verb == "erase_user" { format!("id={id}&typed={id}") } else { format!("id={id}") };
        let (first, second) = (about(&other), about(&stays));
        let (first, second) = tokio::join!(post(&app, &stays, verb, &first), post(&app, &other, verb, &second));
        let statuses = [first.status().as_u16(), second.status().as_u16()];
        assert!(statuses.contains(&200) && statuses.contains(&403), "{verb}: {statuses:?}");
        let (one, gone) = if statuses[0] == 200 { (stays, other) } else { (other, stays) };
        assert_eq!(admins(&app).await, if verb == "lock" { 2 } else { 1 }, "{verb}");
        if !back.is_empty() {
            assert_eq!(post(&app, &one, back, &format!("id={gone}")).await.status(), 200, "{back}");
            assert_eq!(post(&app, &one, "change_role", &format!("id={gone}&role=user")).await.status(), 200, "{back}");
        }
        // Nothing of it holds up what comes next.
        assert_eq!(app.database.count("locks", doc! { "departures.0": { "$exists": true } }).await, 0, "{verb}");
        stays = one;
    }
    app.clerk.set_levers(Levers::default());
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn d5_12_whoever_is_locked_is_no_admin_to_leave_everything_to() {
    let app = TestApp::new().await;
    let (ada, eve) = (someone(&app, "Ada", "admin").await, someone(&app, "Eve", "admin").await);
    assert_eq!(post(&app, &ada, "lock", &format!("id={eve}")).await.status(), 200);
    // Eve's session goes on, but once it is over she cannot begin another.
    for (verb, rest) in [("lock", String::new()), ("ban", String::new()), ("change_role", "&role=user".to_owned())] {
        let refused = post(&app, &eve, verb, &format!("id={ada}{rest}")).await;
        assert_eq!(refused.status(), 422, "{verb}");
    }
    assert_eq!(post(&app, &eve, "erase_user", &format!("id={ada}&typed={ada}")).await.status(), 422);
    let leave = app.post_as(Some(&ada), "/api/profile/delete_account", &format!("typed={ada}")).await;
    assert_eq!(leave.status(), 422);
    assert_eq!(post(&app, &ada, "unlock", &format!("id={eve}")).await.status(), 200);
    assert_eq!(post(&app, &eve, "lock", &format!("id={ada}")).await.status(), 200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d5_12_however_two_admins_go_at_once_one_stays() {
    let app = slow().await;
    let mut stays = someone(&app, "Ada", "admin").await;
    let leave = async |id: &str| {
        app.post_as(Some(id), "/api/profile/delete_account", &format!("typed={id}")).await.status().as_u16()
    };
    for (number, verb) in ["", "change_role", "ban", "erase_user"].into_iter().enumerate() {
        let other = someone(&app, &format!("Eve{number}"), "admin").await;
        let body = format!("id={stays}&role=user&typed={stays}");
        let (left, second) = tokio::join!(leave(&stays), async {
            match verb {
                "" => leave(&other).await,
                verb => post(&app, &other, verb, &body).await.status().as_u16(),
            }
        });
        assert!(left == 200 || second == 200, "{verb}: {left} {second}");
        assert!(admins(&app).await >= 1, "{verb}: {left} {second}");
        assert_eq!(app.database.count("locks", doc! { "departures.0": { "$exists": true } }).await, 0, "{verb}");
        if admins(&app).await == 1 {
            let left =
                app.database.find("users", doc! { "role": "admin", "banned": { "$ne": true }, "deletedAt": null });
            stays = left.await.expect("one").get_str("clerkId").expect("an id").to_owned();
        }
    }
    app.clerk.set_levers(Levers::default());
    assert!(app.clerk.drained(std::time::Duration::from_secs(10)).await);
    app.finish().await;
}

#[tokio::test]
async fn d5_12_a_ban_of_which_nobody_knows_the_end_counts_until_it_is_known() {
    let app = TestApp::new().await;
    let (ada, eve) = (someone(&app, "Ada", "admin").await, someone(&app, "Eve", "admin").await);
    app.clerk.set_levers(Levers { bapi_status: Some(503), ..app.clerk.levers() });
    assert_eq!(post(&app, &ada, "ban", &format!("id={eve}")).await.status(), 503);
    app.clerk.set_levers(Levers::default());
    // Clerk may have done it: as long as that can be, Ada is the last.
    let refused = post(&app, &eve, "change_role", &format!("id={ada}&role=user")).await;
    assert_eq!(refused.status(), 403, "whoever is about to go");
    let left = app.post_as(Some(&ada), "/api/profile/delete_account", &format!("typed={ada}")).await;
    assert_eq!(left.status(), 422);
    assert!(left.text().await.expect("text").contains("The last admin cannot leave."));
    // What was asked for can be asked for again, and then its end is known.
    assert_eq!(post(&app, &ada, "ban", &format!("id={eve}")).await.status(), 200);
    assert_eq!(post(&app, &ada, "unban", &format!("id={eve}")).await.status(), 200);
    let past = mongodb::bson::DateTime::from_millis(0);
    app.database.set("locks", doc! { "_id": "roles" }, doc! { "departures.$[].until": past }).await;
    assert_eq!(post(&app, &eve, "lock", &format!("id={ada}")).await.status(), 200, "its time was over");
    assert_eq!(app.database.count("locks", doc! { "departures.0": { "$exists": true } }).await, 0);
    app.finish().await;
}
