//! Claims about the outbox that need no network.

use super::*;

#[test]
fn the_schedule_is_svixs_and_scales() {
    assert_eq!(scaled(5, 1.0), Duration::from_secs(5));
    assert_eq!(scaled(300, 0.001), Duration::from_millis(300));
    assert_eq!(SCHEDULE_S.iter().sum::<u64>() / 3600, 27);
    assert_eq!(scaled(5, f64::NAN), Duration::from_secs(5));
}

#[test]
fn without_a_target_nothing_is_kept() {
    let outbox = Outbox::new(None, String::new(), 1.0);
    outbox.push("msg_1", "user.created", "user_1", "{}".to_owned());
    assert!(outbox.deliveries().is_empty());
    assert_eq!(outbox.waiting(), 0);
}

#[test]
fn the_levers_drop_and_duplicate() {
    let outbox = Outbox::new(Some("http://localhost:1/".to_owned()), String::new(), 1.0);
    outbox.obey(Levers { drop: 1.0, ..Levers::default() });
    outbox.push("msg_1", "user.created", "user_1", "{}".to_owned());
    assert_eq!(outbox.deliveries()[0].state, State::Dropped);
    assert_eq!(outbox.waiting(), 0);
    outbox.obey(Levers { duplicate: 2.0, ..Levers::default() });
    outbox.push("msg_2", "user.created", "user_1", "{}".to_owned());
    assert_eq!(outbox.waiting(), 3);
}

#[tokio::test]
async fn a_reorder_window_shuffles_but_not_far() {
    let outbox = Outbox::new(Some("http://localhost:1/".to_owned()), String::new(), 1.0);
    outbox.obey(Levers { reorder: 5, ..Levers::default() });
    for number in 0..50_usize {
        outbox.push(&number.to_string(), "user.created", "user_1", "{}".to_owned());
    }
    let mut order: Vec<usize> = Vec::new();
    while outbox.waiting() > order.len() {
        order.push(outbox.next().await.0.svix_id.parse().unwrap());
    }
    assert!(!order.is_sorted());
    assert!(order.iter().enumerate().all(|(place, number)| place.abs_diff(*number) < 5), "{order:?}");
}

#[tokio::test]
async fn failures_follow_the_schedule_until_the_eighth() {
    let outbox = Outbox::new(Some("http://localhost:1/".to_owned()), String::new(), 1.0);
    outbox.push("msg_1", "user.created", "user_1", "{}".to_owned());
    let refused = attempt::Outcome { delivered: false, aborted: false, status: Some(500), at_ms: 0 };
    let mut pauses = Vec::new();
    loop {
        let next = outbox.book().queue.pop_first();
        let Some(((due, ..), errand)) = next else { break };
        pauses.push((due - Instant::now() + Duration::from_millis(500)).as_secs());
        outbox.settle(errand, &refused);
    }
    assert_eq!(pauses, [&[0], SCHEDULE_S.as_slice()].concat());
    assert_eq!(outbox.deliveries()[0].state, State::Failed);
    assert_eq!(outbox.deliveries()[0].attempts.len(), 8);
    assert!(outbox.drained(Duration::ZERO).await);
}

#[tokio::test]
async fn an_abort_ends_the_retries() {
    let outbox = Outbox::new(Some("http://localhost:1/".to_owned()), String::new(), 1.0);
    outbox.push("msg_1", "user.created", "user_1", "{}".to_owned());
    let (errand, _) = outbox.next().await;
    outbox.settle(errand, &attempt::Outcome { delivered: false, aborted: true, status: Some(500), at_ms: 0 });
    assert_eq!(outbox.deliveries()[0].state, State::Failed);
    assert_eq!(outbox.waiting(), 0);
}
