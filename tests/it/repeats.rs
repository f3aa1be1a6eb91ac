//! Forms that come with a token that has run out: sent once more from the page that they are answered with, within the
//! same session and no other (issue 5, 1).

use reqwest::Response;
use serde_json::json;

use crate::support::app::{TestApp, claims_of};

const BIO: &str = "/api/profile/edit_bio";
const TYPED: &str = "\"Two\" & <b>more</b>";
const AGAIN: &str = "action=\"/api/profile/edit_bio?again\"";

async fn jo(app: &TestApp) -> String {
    app.person(json!({ "email_address": ["jo@example.com"], "first_name": "Jo" })).await
}

/// Two tokens of one session: of now, and of two minutes ago.
struct Tokens {
    fresh: String,
    old: String,
}

fn session_of(app: &TestApp, id: &str) -> Tokens {
    let fresh = app.token(id);
    let mut claims = claims_of(&fresh);
    for name in ["iat", "nbf", "exp"] {
        claims[name] = (claims[name].as_i64().expect("a time") - 120).into();
    }
    Tokens { old: app.clerk.sign(&claims), fresh }
}

fn cookies(token: &str) -> String {
    format!("__clerk_db_jwt=dvb_test; __client_uat=1; __session={token}")
}

async fn send(app: &TestApp, cookies: &str, path: &str, bio: &str) -> Response {
    let post = app.client.post(app.at(path)).header("sec-fetch-site", "same-origin").header("accept", "text/html");
    let post = post.header("referer", app.at("/profile")).header("cookie", cookies);
    post.form(&[("bio", bio)]).send().await.expect("an answer")
}

/// The notice that an answer leaves for the next page, as cookies.
fn notice_of(answer: &Response) -> String {
    let lines = answer.headers().get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.filter(|line| line.starts_with("rollcall_notice")).filter_map(|line| line.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}

/// The page that a form is answered with, for whoever holds this token by then.
async fn next_page(app: &TestApp, answer: &Response, token: &str) -> String {
    let page = app.visit(&format!("{}; {}", cookies(token), notice_of(answer)), "/profile").await;
    assert_eq!(page.status(), 200);
    page.text().await.expect("text")
}

#[tokio::test]
async fn a_form_whose_token_has_run_out_is_sent_once_more_by_the_next_page() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let session = session_of(&app, &id);

    let refused = send(&app, &cookies(&session.old), BIO, TYPED).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["location"]),
        (303, &"/profile".parse().expect("a path"))
    );
    assert_eq!(refused.headers()["x-clerk-auth-reason"], "session-token-expired-refresh-non-eligible-non-get");
    let page = app.visit(&format!("{}; {}", cookies(&session.fresh), notice_of(&refused)), "/profile").await;
    let policy = page.headers()["content-security-policy"].to_str().expect("text").to_owned();
    let page = page.text().await.expect("text");
    assert!(page.contains("Your session had run out, so nothing was changed."), "{page}");
    let form = page.split(AGAIN).nth(1).and_then(|rest| rest.split("</form>").next()).expect("the form");
    assert!(form.contains("value=\"&quot;Two&quot; &amp; &lt;b&gt;more&lt;/b&gt;\""), "{form}");
    let nonce = form.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
    assert!(policy.contains(&format!("'nonce-{nonce}'")), "{policy}");

    let saved = send(&app, &cookies(&session.fresh), &format!("{BIO}?again"), TYPED).await;
    assert_eq!((saved.status().as_u16(), &saved.headers()["location"]), (303, &"/profile".parse().expect("a path")));
    let page = next_page(&app, &saved, &session.fresh).await;
    assert!(page.contains("Your bio is saved.") && !page.contains(AGAIN), "{page}");
    let stored = app.database.user(&id).await.expect("the person");
    assert_eq!(stored.get_str("bio").ok(), Some(TYPED));
    app.finish().await;
}

#[tokio::test]
async fn what_was_sent_in_one_session_is_sent_again_in_no_other_nor_a_third_time() {
    let app = TestApp::new().await;
    let id = jo(&app).await;
    let other = app.person(json!({ "email_address": ["mo@example.com"], "first_name": "Mo" })).await;
    let session = session_of(&app, &id);
    let refused = send(&app, &cookies(&session.old), BIO, TYPED).await;
    for (who, token) in [("another session", app.token(&id)), ("somebody else", app.token(&other))] {
        let page = next_page(&app, &refused, &token).await;
        assert!(page.contains("Please send it once more.") && !page.contains(AGAIN), "{who}: {page}");
    }
    let cases = [
        ("the second time", cookies(&session.old), format!("{BIO}?again"), TYPED.to_owned()),
        ("a token of nobody", cookies(&format!("{}x", session.old)), BIO.to_owned(), TYPED.to_owned()),
        ("no token", "__clerk_db_jwt=dvb_test; __client_uat=0".to_owned(), BIO.to_owned(), TYPED.to_owned()),
        ("too long", cookies(&session.old), BIO.to_owned(), "long ".repeat(20_000)),
    ];
    for (case, cookies, path, bio) in cases {
        let refused = send(&app, &cookies, &path, &bio).await;
        assert_eq!(refused.status(), 303, "{case}");
        let page = next_page(&app, &refused, &session.fresh).await;
        assert!(page.contains("Please send it once more.") && !page.contains(AGAIN), "{case}: {page}");
    }
    let script = app.client.post(app.at(BIO)).header("sec-fetch-site", "same-origin").form(&[("bio", "b")]);
    let script = script.header("cookie", cookies(&session.old)).send().await.expect("an answer");
    assert_eq!(script.status(), 401, "a script is told, and sends it again itself");
    assert_eq!(script.headers()["x-clerk-auth-reason"], "session-token-expired-refresh-non-eligible-non-get");
    assert_eq!(app.database.user(&id).await.expect("the person").get("bio"), None);
    app.finish().await;
}
