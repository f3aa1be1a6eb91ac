//! The proof (C-1): it finds every kind of difference, reconciliation mends them, and live traffic raises no false alarm.

use mongodb::bson::{Bson, DateTime, Document, doc};
use serde_json::{Value, json};

use crate::support::eventually;
use crate::sync::world::{Traffic, World};

const PEOPLE: usize = 3_000;
/// Of each kind.
const PLANTED: usize = 8;

/// One changed field each, as somebody else's hand leaves it; the name under which it is found.
fn spoilt() -> Vec<(&'static str, Document)> {
    vec![
        ("email", doc! { "email": "other@example.com" }),
        ("emailVerified", doc! { "emailVerified": false }),
        ("emails", doc! { "emails": [] }),
        ("firstName", doc! { "firstName": "Other" }),
        ("lastName", doc! { "lastName": Bson::Null }),
        ("name", doc! { "name": "Other" }),
        ("username", doc! { "clerkUsername": "other" }),
        ("imageUrl", doc! { "imageUrl": Bson::Null }),
        ("role", doc! { "role": "admin" }),
        ("banned", doc! { "banned": true }),
        ("locked", doc! { "locked": true }),
        ("createdAt", doc! { "createdAt": DateTime::from_millis(1_700_000_000_000) }),
        ("updatedAt", doc! { "updatedAt": DateTime::from_millis(1_700_000_000_000) }),
    ]
}

/// Differences of every kind; what each field's count must be.
async fn plant(world: &World) -> Value {
    let ids = world.ids();
    // Spread over the whole list, on and beside the ends of pages.
    let mut picked = (0..).map(|number| ids[100 + (number * 499) % (PEOPLE - 200)].clone());
    let mut fields = serde_json::Map::new();
    for (field, change) in spoilt() {
        for id in picked.by_ref().take(PLANTED) {
            world.set(&id, change.clone()).await;
        }
        fields.insert(field.to_owned(), json!(PLANTED));
    }
    for id in picked.by_ref().take(PLANTED) {
        world.app.database.remove("users", doc! { "clerkId": id }).await;
    }
    for id in picked.by_ref().take(PLANTED) {
        world.app.clerk.delete_user(&id);
    }
    for id in picked.by_ref().take(PLANTED) {
        world.app.clerk.update_user(&id, json!({ "first_name": "Stale" }));
    }
    fields["firstName"] = json!(2 * PLANTED);
    fields["name"] = json!(2 * PLANTED);
    fields["updatedAt"] = json!(2 * PLANTED);
    // Before everybody, among them, after everybody.
    for (number, joined_at) in
        [1_000, 1_767_603_600_000 + 30 * 61 * 3_600_000, 4_000_000_000_000].into_iter().enumerate()
    {
        let joined_at = DateTime::from_millis(joined_at);
        world.insert_stranger(&format!("user_stranger{number}"), joined_at).await;
    }
    Value::Object(fields)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c_1_d2_26_d2_27_every_difference_is_found_and_mended_and_none_is_false_under_live_traffic() {
    let world = World::of(PEOPLE).await;
    world.imported().await;
    let equal = world.sync(&["prove"]).await.expect(0);
    equal.says(&["MongoDB equals Clerk as of", &format!("{PEOPLE} people, 0 differences")]);

    world.webhooks(false).await;
    let fields = plant(&world).await;
    world.webhooks(true).await;
    let traffic = Traffic::start(&world.app, 20);
    let proof = world.sync(&["prove", "--json"]).await.expect(1).json();
    let counts = &proof["counts"];
    assert_eq!(counts["missing"], json!(PLANTED), "{proof}");
    assert_eq!(counts["gone"], json!(PLANTED + 3), "{proof}");
    assert_eq!(counts["differing"], json!(PLANTED * (spoilt().len() + 1)), "{proof}");
    assert_eq!((&counts["revived"], &counts["unreadable"], &counts["unsettled"]), (&json!(0), &json!(0), &json!(0)));
    assert_eq!(proof["fields"], fields);
    assert_eq!(proof["counts"]["written"], json!(0), "a proof mends nothing");
    let shown = proof["differences"].to_string();
    assert!(!shown.contains("other@example.com") && !shown.contains("Stale"), "personal values are shown: {shown}");

    let dry = world.sync(&["reconcile", "--dry-run"]).await.expect(1);
    dry.says(&["would mend"]);
    let mended = world.sync(&["reconcile", "--yes", "--json"]).await.expect(0).json();
    assert_eq!(mended["counts"]["deleted"], json!(PLANTED + 3), "{mended}");
    assert_eq!(mended["counts"]["written"], json!(PLANTED * (spoilt().len() + 2)), "{mended}");
    let again = world.sync(&["reconcile", "--yes", "--json"]).await.expect(0).json();
    assert_eq!((&again["counts"]["written"], &again["counts"]["deleted"]), (&json!(0), &json!(0)), "{again}");
    world.sync(&["prove"]).await.expect(0).says(&["MongoDB equals Clerk", "0 differences"]);
    assert!(traffic.stop().await > 100, "there was traffic all the time");
    world.sync(&["status"]).await.expect(0).says(&["MongoDB equals Clerk as of", "MongoDB differs from Clerk as of"]);
    world.app.settled().await;
    assert_eq!(world.living().await, world.app.clerk.users().len() as u64);
    world.finish().await;
}

#[tokio::test]
async fn a2_15_d2_37_a_write_back_that_never_arrived_is_a_difference_and_is_asked_for_again() {
    let world = World::with(25, &[("ROLLCALL_METADATA", "true")]).await;
    world.imported().await;
    world.app.jobs_settled().await;
    world.sync(&["prove"]).await.expect(0);
    world.webhooks(false).await;
    let id = world.ids().remove(4);
    world.app.clerk.merge_metadata(&id, json!({ "public_metadata": { "userMongoId": null } }));
    world.webhooks(true).await;
    let proof = world.sync(&["prove", "--json"]).await.expect(1).json();
    assert_eq!(proof["fields"], json!({ "metadata": 1, "updatedAt": 1 }));
    let mended = world.sync(&["reconcile", "--yes", "--json"]).await.expect(0).json();
    assert_eq!(mended["counts"]["pushed"], json!(1));
    // The same without a newer version at Clerk: nothing is to be written here, and still it is asked for.
    eventually("Clerk holds it again", || async {
        let held = world.app.clerk.user(&id).expect("alive")["public_metadata"]["userMongoId"].clone();
        if held.is_string() { Ok(()) } else { Err(held.to_string()) }
    })
    .await;
    // Its echo is here too, and nothing of it is on its way any more, which would explain what differs next.
    world.webhooks(true).await;
    world.app.settled().await;
    world.app.jobs_settled().await;
    let other = doc! { "_id": mongodb::bson::oid::ObjectId::new() };
    let mut stored = world.app.database.user(&id).await.expect("stored");
    world.app.database.remove("users", doc! { "clerkId": &id }).await;
    stored.extend(other);
    world.app.database.insert("users", stored).await;
    let proof = world.sync(&["prove", "--json"]).await.expect(1).json();
    assert_eq!(proof["fields"], json!({ "metadata": 1 }));
    let mended = world.sync(&["reconcile", "--yes", "--json"]).await.expect(0).json();
    assert_eq!((&mended["counts"]["pushed"], &mended["counts"]["written"]), (&json!(1), &json!(0)));
    world.app.jobs_settled().await;
    world.sync(&["prove"]).await.expect(0);
    world.finish().await;
}

#[tokio::test]
async fn d2_33_what_cannot_be_mended_is_listed_with_its_reason() {
    let world = World::of(30).await;
    world.imported().await;
    let ids = world.ids();
    world.app.database.relax("users").await;
    world.set(&ids[5], doc! { "role": 5, "deletedAt": Bson::Null }).await;
    world.set(&ids[6], doc! { "deletedAt": DateTime::now() }).await;
    world.sync(&["prove"]).await.expect(1).says(&["unreadable here", "deleted here, alive at Clerk"]);
    let left = world.sync(&["reconcile", "--yes"]).await.expect(1);
    left.says(&["2 skipped", "the stored document cannot be read", "deleted here, which is for ever"]);
    let left = world.sync(&["backfill", "--yes"]).await.expect(1);
    left.says(&["2 skipped", &format!("skipped {}", ids[5]), "the stored document cannot be read"]);
    world.finish().await;
}

#[tokio::test]
async fn d2_27_more_deletions_than_can_be_true_stop_the_run_and_raise_an_alarm() {
    let world = World::of(60).await;
    world.imported().await;
    world.webhooks(false).await;
    for id in &world.ids()[20..35] {
        world.app.clerk.delete_user(id);
    }
    let rehearsed = world.sync(&["reconcile", "--dry-run"]).await.expect(1);
    rehearsed.says(&["would mend 15 of 45 people", "it would stop instead", "over the limit of 10"]);
    let stopped = world.sync(&["reconcile", "--yes"]).await.expect(1);
    stopped.says(&["reconcile stopped", "over the limit of 10; nobody was deleted"]);
    assert_eq!(world.tombstones().await, 0);
    let alarm = doc! { "_id": "deletions-held", "state": "open", "count": 15_i64 };
    assert_eq!(world.app.database.count("alerts", alarm).await, 1);
    world.sync(&["reconcile", "--yes", "--allow-deletions"]).await.expect(0).says(&["15 deleted"]);
    assert_eq!(world.tombstones().await, 15);
    assert_eq!(world.app.database.count("alerts", doc! { "state": "open" }).await, 0);
    world.sync(&["prove"]).await.expect(0).says(&["45 people, 0 differences"]);
    world.finish().await;
}
