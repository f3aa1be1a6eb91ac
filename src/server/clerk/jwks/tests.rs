//! What counts as a key, and when keys are fetched.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::server::clerk::signer::{INSTANCE, KID, STRANGER, at, now};

/// A Clerk that counts how often it is asked, and answers what is put into it.
#[derive(Clone, Default)]
struct FakeClerk {
    asked: Arc<AtomicUsize>,
    answer: Arc<RwLock<Answer>>,
}

#[derive(Clone, Copy, Default)]
enum Answer {
    #[default]
    Keys,
    /// A new key beside the one before it.
    Rotating,
    /// Only the new one.
    Rotated,
    Down,
    Refuses,
}

impl FakeClerk {
    fn keys(&self) -> Keys {
        let clerk = self.clone();
        Keys::remote(move || {
            let clerk = clerk.clone();
            async move {
                clerk.asked.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(150)).await;
                let answer = *clerk.answer.read().unwrap();
                match answer {
                    Answer::Keys => Ok(INSTANCE.key_set(KID)),
                    Answer::Rotating => KeySet::from_json(
                        json!({ "keys": [INSTANCE.jwk(KID), STRANGER.jwk("ins_new")] }).to_string().as_bytes(),
                    ),
                    Answer::Rotated => Ok(STRANGER.key_set("ins_new")),
                    Answer::Down => Err(Error::UnavailableStatus(503)),
                    Answer::Refuses => Err(Error::Unauthorized),
                }
            }
        })
    }

    fn answer(&self, answer: Answer) {
        *self.answer.write().unwrap() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn knows(keys: &KeySet, kid: &str) -> bool {
    matches!(keys.find(Some(kid)), Lookup::Found([_]))
}

#[test]
fn only_keys_for_rs256_signatures_are_taken() {
    let with = |name: &str, value: Value| {
        let mut key = INSTANCE.jwk("k");
        key[name] = value;
        json!({"keys": [key]}).to_string()
    };
    for document in [
        with("kty", json!("EC")),
        with("kty", json!("oct")),
        with("use", json!("enc")),
        with("alg", json!("RS512")),
        with("kid", json!("")),
        with("kid", json!(7)),
        with("kid", json!("k".repeat(300))),
        with("n", json!("***")),
        with("n", json!(null)),
        with("e", json!(null)),
        json!({"keys": []}).to_string(),
        json!({"keys": [1, null, "x", []]}).to_string(),
        json!({}).to_string(),
        "[]".to_owned(),
        "<html>".to_owned(),
    ] {
        assert!(matches!(KeySet::from_json(document.as_bytes()), Err(Error::Malformed(_))), "{document:.80}");
    }
    let mixed = json!({"keys": [{"kty": "EC"}, INSTANCE.jwk("a"), STRANGER.jwk("b")]}).to_string();
    let keys = KeySet::from_json(mixed.as_bytes()).unwrap();
    assert!(knows(&keys, "a") && knows(&keys, "b") && !knows(&keys, "c"));
    assert_eq!(keys.len(), 2);
}

#[test]
fn a_public_key_is_taken_however_it_was_pasted() {
    let pem = INSTANCE.pem();
    let bare: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    for text in [pem.clone(), pem.replace('\n', "\\n"), pem.replace('\n', "\r\n"), format!("\n  {pem}\n"), bare] {
        assert!(KeySet::from_pems(&[text.as_str()]).is_ok(), "{text:.60}");
    }
    for (text, error) in [
        ("", PemError::Unreadable),
        ("hello", PemError::Unreadable),
        ("-----BEGIN PUBLIC KEY-----", PemError::Unreadable),
        (&pem.replace("BEGIN", "END"), PemError::Unreadable),
        ("AAAA", PemError::Unreadable),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", PemError::Private),
    ] {
        assert_eq!(KeySet::from_pems(&[text]).unwrap_err(), error, "{text}");
    }
    assert_eq!(KeySet::from_pems::<&str>(&[]).unwrap_err(), PemError::None);
}

#[tokio::test]
async fn fixed_keys_ask_nobody() {
    let keys = Keys::fixed(KeySet::from_pems(&[INSTANCE.pem()]).unwrap());
    assert!(knows(&keys.current(now()).await, "anything"));
    assert!(knows(&keys.refetched(now()).await, "anything"));
}

#[tokio::test]
async fn a_crowd_at_the_start_causes_one_fetch() {
    let clerk = FakeClerk::default();
    let keys = clerk.keys();
    let visitors: Vec<_> = (0..50)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { keys.current(now()).await })
        })
        .collect();
    for visitor in visitors {
        assert!(knows(&visitor.await.unwrap(), KID));
    }
    assert_eq!(clerk.asked(), 1);
}

#[tokio::test]
async fn a_visitor_who_leaves_does_not_interrupt_the_fetch() {
    let clerk = FakeClerk::default();
    let keys = clerk.keys();
    assert!(tokio::time::timeout(Duration::from_millis(2), keys.current(now())).await.is_err());
    assert!(knows(&keys.current(now()).await, KID));
    assert_eq!(clerk.asked(), 1);
}

#[tokio::test]
async fn keys_are_kept_for_an_hour_and_then_refreshed_without_waiting() {
    let clerk = FakeClerk::default();
    let keys = clerk.keys();
    keys.current(now()).await;
    keys.current(at(3599)).await;
    assert_eq!(clerk.asked(), 1);
    clerk.answer(Answer::Rotated);
    assert!(knows(&keys.current(at(3600)).await, KID), "whoever asks is served with what is there");
    while !knows(&keys.current(at(3601)).await, "ins_new") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(clerk.asked(), 2);
}

#[tokio::test]
async fn d4_04_unknown_key_ids_cause_at_most_one_fetch_in_thirty_seconds() {
    let clerk = FakeClerk::default();
    let keys = clerk.keys();
    keys.current(now()).await;
    for second in 0..30 {
        let set = keys.current(at(second)).await;
        assert!(matches!(set.find(Some("forged")), Lookup::Unknown { refetch: false }));
        keys.refetched(at(second)).await;
    }
    assert_eq!(clerk.asked(), 1);
    assert!(matches!(keys.current(at(30)).await.find(Some("forged")), Lookup::Unknown { refetch: true }));
    let flood: Vec<_> = (0..50)
        .map(|_| {
            let keys = keys.clone();
            tokio::spawn(async move { keys.refetched(at(30)).await })
        })
        .collect();
    for answer in flood {
        assert!(matches!(answer.await.unwrap().find(Some("forged")), Lookup::Unknown { refetch: false }));
    }
    assert_eq!(clerk.asked(), 2);
}

#[tokio::test]
async fn key_ids_that_no_key_has_are_not_worth_a_fetch() {
    let keys = FakeClerk::default().keys();
    keys.current(now()).await;
    let set = keys.current(at(60)).await;
    for kid in [None, Some(""), Some(&*"k".repeat(10_000))] {
        assert!(matches!(set.find(kid), Lookup::Unknown { refetch: false }));
    }
}

#[tokio::test]
async fn d4_26_a_rotated_key_works_after_one_fetch_and_the_old_one_for_as_long_as_clerk_says() {
    let clerk = FakeClerk::default();
    let keys = clerk.keys();
    keys.current(now()).await;
    clerk.answer(Answer::Rotating);
    let both = keys.refetched(at(31)).await;
    assert!(knows(&both, "ins_new") && knows(&both, KID));
    clerk.answer(Answer::Rotated);
    // Its last tokens ran out long before: a key that Clerk takes back opens nothing from the next look on.
    let new = keys.refetched(at(62)).await;
    assert!(knows(&new, "ins_new") && !knows(&new, KID));
}

#[tokio::test]
async fn d2_17_a_key_that_is_unknown_while_clerk_is_away_may_be_one_of_its() {
    let clerk = FakeClerk::default();
    let keys = clerk.keys();
    keys.current(now()).await;
    assert!(!keys.are_failing());
    clerk.answer(Answer::Down);
    keys.refetched(at(31)).await;
    assert!(keys.are_failing());
    clerk.answer(Answer::Rotated);
    assert!(knows(&keys.refetched(at(62)).await, "ins_new") && !keys.are_failing());
}

#[tokio::test]
async fn d2_17_old_keys_serve_for_a_day_of_outage_and_then_none_do() {
    let clerk = FakeClerk::default();
    let keys = clerk.keys();
    keys.current(now()).await;
    clerk.answer(Answer::Down);
    for hours in [1, 12, 23] {
        assert!(knows(&keys.current(at(hours * 3600)).await, KID), "{hours}");
    }
    let closed = keys.current(at(24 * 3600)).await;
    assert!(matches!(closed.find(Some(KID)), Lookup::Unavailable { reason: Reason::JwkRemoteFailedToLoad, .. }));
    clerk.answer(Answer::Keys);
    assert!(knows(&keys.current(at(24 * 3600 + 60)).await, KID));
}

#[tokio::test]
async fn a_failing_start_is_tried_again_with_pauses() {
    let clerk = FakeClerk::default();
    clerk.answer(Answer::Refuses);
    let keys = clerk.keys();
    for second in 0..10 {
        let set = keys.current(at(second)).await;
        assert!(matches!(
            set.find(Some(KID)),
            Lookup::Unavailable { reason: Reason::SecretKeyInvalid, refetch: false }
        ));
    }
    assert_eq!(clerk.asked(), 1);
    clerk.answer(Answer::Keys);
    assert!(knows(&keys.current(at(10)).await, KID));
}

#[tokio::test]
async fn d2_19_a_clock_set_back_does_not_stop_refreshing() {
    let clerk = FakeClerk::default();
    let keys = clerk.keys();
    keys.current(at(7200)).await;
    keys.refetched(at(7199)).await;
    assert_eq!(clerk.asked(), 1, "a second backwards is only another request's time");
    keys.refetched(now()).await;
    assert_eq!(clerk.asked(), 2);
}
