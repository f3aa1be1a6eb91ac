//! Alerts that do not spam.

use jiff::{SignedDuration, Timestamp};
use mongodb::bson::{DateTime, Document, doc};
use rollcall::model::alert::AlertKind;
use rollcall::server::jobs::watch::{check, raise};
use rollcall::server::store::mutes::{Mute, key_of_alert};
use serde_json::json;

use crate::support::app::{TestApp, Wishes};
use crate::support::receiver::{Receiver, SECRET};
use crate::support::smtp::Smtp;

const CAUSE: &str = "attempt 1 failed";

struct Operators {
    app: TestApp,
    smtp: Smtp,
    receiver: Receiver,
    start: Timestamp,
}

async fn start() -> Operators {
    let (smtp, receiver) = (Smtp::start().await, Receiver::replying(&[]).await);
    let variables = vec![
        ("ROLLCALL_SMTP_URL", smtp.url.clone()),
        ("ROLLCALL_MAIL_FROM", "app@example.com".to_owned()),
        ("ROLLCALL_ALERT_MAIL", "ops@example.com, night@example.com".to_owned()),
        ("ROLLCALL_ALERT_WEBHOOK_URL", receiver.url.clone()),
        ("ROLLCALL_WEBHOOK_SECRET", SECRET.to_owned()),
        ("ROLLCALL_SILENCE_AFTER", "24".to_owned()),
    ];
    let app = TestApp::with(Wishes { variables, ..Wishes::default() }).await;
    Operators { app, smtp, receiver, start: Timestamp::now() }
}

impl Operators {
    /// A look so many minutes from the start; then everything that follows is sent.
    async fn look(&self, minutes: i64) {
        let now = self.start.saturating_add(SignedDuration::from_mins(minutes)).expect("a time");
        check(&self.app.state, now).await.expect("a look");
        self.app.jobs_settled().await;
    }

    async fn fail_events(&self, from: usize, to: usize) {
        self.fail_events_for(CAUSE, from, to).await;
    }

    async fn fail_events_for(&self, cause: &str, from: usize, to: usize) {
        for index in from..to {
            let event = doc! {
                "_id": format!("msg_{index}"), "kind": "user.created", "clerkId": "user_secret", "payload": "{}",
                "state": "failed", "attempts": 1, "deliveries": 1, "decision": "attempt 1 failed", "cause": cause,
                "receivedAt": DateTime::now(), "dueAt": DateTime::from_millis(4_000_000_000_000),
            };
            self.app.database.insert("events", event).await;
        }
    }
}

#[tokio::test]
async fn a4_26_fifty_failures_in_a_window_are_one_message_and_their_end_is_another() {
    let operators = start().await;
    let Operators { app, smtp, receiver, .. } = &operators;
    operators.fail_events(0, 10).await;
    operators.look(0).await;
    assert_eq!(smtp.mails().len(), 0, "a single failed attempt is no news");
    operators.look(2).await;
    operators.fail_events(10, 50).await;
    operators.look(3).await;
    operators.look(30).await;
    assert_eq!((smtp.mails().len(), receiver.received().len()), (1, 1));
    let mail = &smtp.mails()[0];
    assert_eq!(mail.to, ["ops@example.com", "night@example.com"]);
    for part in ["Events cannot be applied", "Count: 10", "First seen: ", "Last seen: "] {
        assert!(mail.text.contains(part), "{part} is not in {}", mail.text);
    }
    assert!(!mail.text.contains("user_secret"));
    operators.look(63).await;
    assert_eq!(smtp.mails().len(), 2, "the window is over and there are more");
    assert!(smtp.mails()[1].text.contains("Count: 50"));
    app.database.remove("events", doc! {}).await;
    operators.look(64).await;
    operators.look(65).await;
    assert_eq!((smtp.mails().len(), receiver.received().len()), (3, 3));
    let over = receiver.received()[2].body();
    assert_eq!((over["type"].as_str(), over["data"]["kind"].as_str()), (Some("alert.closed"), Some("events-failing")));
    operators.app.finish().await;
}

#[tokio::test]
async fn e_32_a4_26_what_fails_after_most_was_repaired_is_told_though_it_is_less_than_before() {
    let operators = start().await;
    let Operators { app, smtp, .. } = &operators;
    operators.fail_events(0, 50).await;
    operators.look(0).await;
    operators.look(2).await;
    assert!(smtp.mails()[0].text.contains("Count: 50"));
    let repaired: Vec<String> = (0..45).map(|index| format!("msg_{index}")).collect();
    app.database
        .handle()
        .collection::<Document>("events")
        .delete_many(doc! { "_id": { "$in": repaired } })
        .await
        .expect("gone");
    operators.look(70).await;
    assert_eq!(smtp.mails().len(), 1, "there are fewer");
    operators.fail_events(50, 90).await;
    operators.look(140).await;
    operators.look(141).await;
    assert_eq!(smtp.mails().len(), 2, "there are more than were left");
    assert!(smtp.mails()[1].text.contains("Count: 45"), "{}", smtp.mails()[1].text);
    app.database.remove("events", doc! {}).await;
    operators.app.finish().await;
}

#[tokio::test]
async fn e_32_what_is_muted_is_not_said_to_be_over_and_is_told_when_its_time_is_over() {
    let operators = start().await;
    let Operators { app, smtp, receiver, .. } = &operators;
    operators.fail_events(0, 3).await;
    operators.look(0).await;
    operators.look(2).await;
    assert_eq!((smtp.mails().len(), receiver.received().len()), (1, 1));
    let until = operators.start.saturating_add(SignedDuration::from_mins(60)).expect("a time");
    let mute = Mute { cause: CAUSE.to_owned(), until, by: "user_admin".to_owned() };
    app.state.store.mutes.set(&mute).await.expect("muted");
    operators.look(3).await;
    operators.look(30).await;
    let subjects: Vec<String> = smtp.mails().iter().map(|mail| mail.text.clone()).collect();
    assert_eq!((smtp.mails().len(), receiver.received().len()), (1, 1), "they still fail: {subjects:?}");
    assert_eq!(app.database.count("alerts", doc! { "_id": "events-failing", "state": "closed" }).await, 1);
    operators.look(64).await;
    operators.look(66).await;
    assert_eq!(smtp.mails().len(), 2, "the mute is over");
    assert!(smtp.mails()[1].text.contains("Count: 3"));
    app.database.remove("events", doc! {}).await;
    operators.look(67).await;
    assert!(smtp.mails()[2].text.contains("This has not been seen any more."));
    operators.app.finish().await;
}

#[tokio::test]
async fn e_32_an_alert_of_any_kind_can_be_muted_and_is_told_when_that_is_over() {
    let operators = start().await;
    let Operators { app, smtp, receiver, .. } = &operators;
    let key = key_of_alert(AlertKind::JobsDead, "");
    let until = operators.start.saturating_add(SignedDuration::from_mins(60)).expect("a time");
    let mute = Mute { cause: key, until, by: "user_admin".to_owned() };
    app.state.store.mutes.set(&mute).await.expect("muted");
    let job = doc! {
        "_id": "welcome:user_ada", "kind": "welcome", "clerkId": "user_ada", "body": null, "state": "dead", "attempts": 3,
        "generation": 1_i64, "cause": "refused (550)", "createdAt": DateTime::now(), "finishedAt": DateTime::now(),
    };
    app.database.insert("jobs", job).await;
    for minutes in [0, 5, 59] {
        operators.look(minutes).await;
    }
    assert_eq!((smtp.mails().len(), receiver.received().len()), (0, 0), "nobody is told");
    assert_eq!(app.database.count("alerts", doc! { "_id": "jobs-dead", "state": "open" }).await, 1, "it is shown");
    operators.fail_events(0, 3).await;
    operators.look(50).await;
    operators.look(52).await;
    assert_eq!(smtp.mails().len(), 1, "others are told of");
    assert!(smtp.mails()[0].text.contains("Events cannot be applied"));
    operators.look(61).await;
    assert_eq!(smtp.mails().len(), 2, "the mute is over");
    assert!(smtp.mails()[1].text.contains(AlertKind::JobsDead.headline()), "{}", smtp.mails()[1].text);
    app.database.remove("events", doc! {}).await;
    operators.app.finish().await;
}

#[tokio::test]
async fn e_32_an_alert_says_its_causes_and_a_new_one_does_not_hide_in_the_count_of_an_old_one() {
    let operators = start().await;
    let Operators { app, smtp, receiver, .. } = &operators;
    operators.fail_events_for("MongoDB refused (code 121)", 0, 12).await;
    operators.look(0).await;
    operators.look(2).await;
    assert!(smtp.mails()[0].text.contains("- MongoDB refused (code 121): 12, first seen "), "{}", smtp.mails()[0].text);
    assert!(smtp.mails()[0].text.contains("/admin/sync/failures"));
    operators.fail_events_for("Clerk refused (422 form_param)", 12, 13).await;
    operators.look(3).await;
    operators.look(4).await;
    assert_eq!((smtp.mails().len(), receiver.received().len()), (2, 2), "within the window, and once");
    let told = receiver.received()[1].body();
    let causes = told["data"]["causes"].as_array().expect("causes");
    let causes: Vec<_> = causes.iter().map(|cause| (cause["cause"].as_str(), cause["count"].as_u64())).collect();
    let expected = [(Some("MongoDB refused (code 121)"), Some(12)), (Some("Clerk refused (422 form_param)"), Some(1))];
    assert_eq!((causes.as_slice(), told["data"]["otherCauses"].as_u64()), (expected.as_slice(), Some(0)));

    // It stays a handful, however many causes there are.
    for number in 20..60 {
        operators.fail_events_for(&format!("Clerk refused (422 number_{number})"), number, number + 1).await;
    }
    for minutes in [5, 6, 7, 30, 59] {
        operators.look(minutes).await;
    }
    let mails = smtp.mails();
    assert!(mails.len() <= 4, "{}", mails.len());
    let last = mails.last().and_then(|mail| mail.text.split("<!doctype html>").next()).expect("a mail");
    assert_eq!(last.matches("\n- ").count(), 6, "{last}");
    assert!(last.contains("- and 37 more causes") && !last.contains("user_secret"), "{last}");
    let admin = json!({ "email_address": ["a@example.com"], "public_metadata": { "role": "admin" } });
    let admin = app.person(admin).await;
    let page = app.get_as(&admin, "/admin/sync").await.text().await.expect("a page");
    for words in ["<code class=\"wrap-anywhere\">MongoDB refused (code 121)</code>", "and 37 more causes"] {
        assert!(page.contains(words), "{words} is not in {page}");
    }
    app.database.remove("events", doc! {}).await;
    operators.app.finish().await;
}

#[tokio::test]
async fn a4_26_of_two_processes_that_look_at_once_one_sends() {
    let operators = start().await;
    let second = operators.app.second_process().await;
    for _ in 0..50 {
        raise(&operators.app.state, AlertKind::Drift, "").await.expect("raised");
    }
    let (one, other) = futures::join!(check(&operators.app.state, operators.start), check(&second, operators.start));
    one.and(other).expect("both look");
    operators.look(0).await;
    let groups = operators.app.database.all("alerts").await;
    assert_eq!((groups.len(), groups[0].get_i64("count").ok()), (1, Some(50)));
    assert_eq!((operators.smtp.mails().len(), operators.receiver.received().len()), (1, 1));
    operators.receiver.received()[0].verified();
    operators.app.finish().await;
}

#[tokio::test]
async fn c_4_silence_after_events_is_an_alert_and_silence_before_any_is_none() {
    let operators = start().await;
    let Operators { app, smtp, .. } = &operators;
    operators.look(3 * 24 * 60).await;
    assert_eq!(smtp.mails().len(), 0, "nothing ever came");
    app.person(json!({ "email_address": ["ada@example.com"] })).await;
    operators.look(23 * 60).await;
    assert_eq!(smtp.mails().len(), 0);
    operators.look(25 * 60).await;
    operators.look(27 * 60).await;
    assert_eq!(smtp.mails().len(), 1);
    let told = smtp.mails()[0].text.clone();
    for words in ["No event arrives any more", "Not even an attempt reaches this address. Check the connection"] {
        assert!(told.contains(words), "{words} is not in {told}");
    }
    operators.look(0).await;
    assert!(smtp.mails()[1].text.contains("Over: No event arrives any more"));
    operators.app.finish().await;
}
