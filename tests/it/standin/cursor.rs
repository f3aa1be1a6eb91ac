//! Walking the list of users: limits, and the cursor that must meet everybody once.

use rollcall::standin::Options;
use serde_json::{Value, json};

use crate::standin::clerk::{Clerk, text};

fn ids(page: &Value) -> Vec<String> {
    page.as_array().expect("a list").iter().map(|user| text(&user["id"])).collect()
}

async fn crowd(count: usize) -> Clerk {
    Clerk::with(Options { seed_users: count, ..Options::default() }).await
}

#[tokio::test]
async fn d2_35_a_limit_of_501_silently_gives_10() {
    let clerk = crowd(600).await;
    for (limit, expected) in [("500", 500), ("501", 10), ("1", 1)] {
        let page = clerk.backend("GET /users").query("limit", limit).gives(200).await;
        assert_eq!(ids(&page).len(), expected, "limit={limit}");
    }
    assert_eq!(ids(&clerk.backend("GET /users").gives(200).await).len(), 10);
}

#[tokio::test]
async fn d2_34_a_cursor_meets_everybody_exactly_once_even_while_people_come_and_go() {
    let clerk = crowd(123).await;
    let before: Vec<String> = clerk.standin.users().iter().map(|user| text(&user["id"])).collect();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let call = clerk.backend("GET /users").query("limit", "50").query("order_by", "+created_at");
        let call = if let Some(last) = seen.last() { call.query("starting_after", last) } else { call };
        let page = ids(&call.gives(200).await);
        let short = page.len() < 50;
        seen.extend(page);
        if short {
            break;
        }
        if seen.len() == 50 {
            clerk.standin.delete_user(&seen[0]);
            clerk.standin.create_user(json!({ "email_address": ["late@example.com"] }));
        }
    }
    assert_eq!(seen[..123], before);
    assert_eq!(seen.len(), 124, "the one who came late is the last");
    let newest = clerk.backend("GET /users").query("limit", "500").gives(200).await;
    seen.remove(0);
    seen.reverse();
    assert_eq!(ids(&newest), seen, "the default order is newest first");
}

#[tokio::test]
async fn a_cursor_that_cannot_work_is_422() {
    let clerk = Clerk::new().await;
    let id = clerk.id_of("ada");
    let call = || clerk.backend("GET /users").query("starting_after", &id).query("order_by", "created_at");
    assert_eq!(ids(&call().gives(200).await).len(), 10);
    assert_eq!(ids(&call().query("offset", "0").gives(200).await).len(), 10, "an offset of nothing is none");
    call().query("offset", "5").gives(422).await;
    for order in ["-updated_at", "username", "last_sign_in_at"] {
        clerk.backend("GET /users").query("starting_after", &id).query("order_by", order).gives(422).await;
    }
    clerk.backend("GET /users").query("starting_after", "user_nobody").gives(422).await;
}
