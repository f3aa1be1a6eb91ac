//! Edits that meet with something: what was typed is there again, and nobody overwrites what they have not seen.

use reqwest::Response;
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::json;

use crate::profile::{jo, landed, send, text};
use crate::support::app::TestApp;

fn set_cookies(answer: &Response) -> Vec<String> {
    let lines = answer.headers().get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.filter(|line| line.starts_with("rollcall_notice")).map(str::to_owned).collect()
}

/// So many letters that hardly repeat.
fn letters(count: u32, first: u32) -> String {
    (0..count).filter_map(|place| char::from_u32(0x4e00 + (first + place * place * 7919) % 20_000)).collect()
}

#[tokio::test]
async fn e_19_a_long_bio_of_any_script_is_still_there_after_it_was_refused() {
    let app = TestApp::new().await;
    let (_, token) = jo(&app).await;
    for typed in ["あ".repeat(1_000), letters(1_000, 0)] {
        let refused = format!("{typed}\u{7}");
        let answer = send(&app, &token, "/api/profile/edit_bio", &[("bio", &refused), ("original", "")]).await;
        let page = landed(&app, &token, answer, "/profile").await;
        assert!(page.contains("At most 1000 characters; this has 1001.") && page.contains(&typed), "nothing is lost");
    }
    // With what stood there before, too, which is as long: in several cookies, which go together.
    assert_eq!(send(&app, &token, "/api/profile/edit_bio", &[("bio", &letters(1_000, 1))]).await.status(), 303);
    let (typed, stood) = (letters(1_000, 2), letters(1_000, 3));
    let answer = send(&app, &token, "/api/profile/edit_bio", &[("bio", &typed), ("original", &stood)]).await;
    let set = set_cookies(&answer);
    assert!(set.len() > 1 && set.iter().all(|line| line.len() <= 4_096), "{}", set.len());
    let pairs: Vec<&str> = set.iter().filter_map(|line| line.split(';').next()).collect();
    let shown = app.client.get(app.at("/profile")).bearer_auth(&token).header(COOKIE, pairs.join("; "));
    let shown = shown.send().await.expect("an answer");
    let gone = set_cookies(&shown);
    assert!(gone.len() == set.len() && gone.iter().all(|line| line.contains("Max-Age=0")), "{gone:?}");
    let page = shown.text().await.expect("text");
    assert!(page.contains("Changed meanwhile to") && page.contains(&typed), "{page}");
    app.finish().await;
}
