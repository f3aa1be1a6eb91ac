//! Every sign alone and beside others: which word it makes, and which is the worst.

use jiff::Timestamp;

use super::*;
use crate::model::alert::{AlertKind, Causes, UNREADABLE};

fn well() -> Signs {
    Signs { has_begun: true, has_secret: true, ..Signs::default() }
}

#[test]
fn e_01_one_word_says_how_the_mirror_is_and_the_worst_comes_first() {
    let silence = Some((SilenceCause::WrongSecret, 7_200));
    let cases = [
        (well(), Health::Healthy, ""),
        (Signs { has_begun: false, ..well() }, Health::Waiting, ""),
        (Signs { backlog: 3, oldest_pending_seconds: 10, ..well() }, Health::Healthy, ""),
        (
            Signs { backlog: 3, oldest_pending_seconds: 90, ..well() },
            Health::Behind,
            "3 events wait, the oldest for 1 minute.",
        ),
        (
            Signs { failed: 1, oldest_pending_seconds: 90, ..well() },
            Health::Degraded,
            "1 event could not be applied yet.",
        ),
        (Signs { dead: 2, failed: 1, ..well() }, Health::Degraded, "2 events were given up."),
        (Signs { failed: 1_000, ..well() }, Health::Degraded, "At least 1\u{202f}000 events could not be applied yet."),
        (Signs { failed: 5_000, ..well() }, Health::Degraded, "About 5\u{202f}000 events could not be applied yet."),
        (Signs { lost_effects: 1, ..well() }, Health::Degraded, "1 effect was given up, or may have happened."),
        (Signs { drift: 4, ..well() }, Health::Degraded, "4 people differ from Clerk by the last proof."),
        (Signs { drift: 4, is_mended: true, ..well() }, Health::Degraded, ""),
        (Signs { is_endpoint_gone: true, ..well() }, Health::Degraded, ""),
        (Signs { is_circuit_open: true, ..well() }, Health::Degraded, ""),
        (
            Signs { silence, dead: 2, ..well() },
            Health::Silent,
            "No event for 2 hours. Deliveries come, and none is signed by a secret that is configured here.",
        ),
        (
            Signs { silence: Some((SilenceCause::Late, 5)), ..well() },
            Health::Silent,
            "The canary's webhook did not come back in time, although others come.",
        ),
        (Signs { is_key_refused: true, silence, ..well() }, Health::Broken, ""),
        (Signs { refuses_all: true, has_begun: false, ..well() }, Health::Broken, ""),
        (Signs { has_secret: false, ..well() }, Health::Broken, ""),
    ];
    for (signs, health, reason) in cases {
        let judgement = signs.judge();
        assert_eq!(judgement.health, health, "{signs:?}");
        assert!(reason.is_empty() || judgement.reason == reason, "{judgement:?}");
        assert!(!judgement.reason.is_empty() && judgement.next_step.ends_with(['.', 'w']), "{judgement:?}");
    }
}

#[test]
fn e_01_e_32_nothing_is_healthy_while_an_alert_is_open_or_the_last_proof_proved_nothing() {
    let open = |kind, cause: &str| {
        let (first_seen_at, last_seen_at) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        AlertRow {
            kind,
            cause: cause.to_owned(),
            count: 1,
            first_seen_at,
            last_seen_at,
            causes: Causes::default(),
            muted_until: None,
        }
    };
    for (kind, cause, path) in [
        (AlertKind::ProofOld, "", "/admin/sync/runs"),
        (AlertKind::DeletionsHeld, "", "/admin/sync/runs"),
        (AlertKind::EventsDead, UNREADABLE, "/admin/sync/runs"),
    ] {
        let alert = open(kind, cause);
        assert!(alert.is_untold(), "{kind:?}");
        let judgement = Signs { alert: Some(alert.clone()), ..well() }.judge();
        assert_eq!((judgement.health, judgement.link.as_deref()), (Health::Degraded, Some(path)), "{kind:?}");
        assert_eq!((judgement.reason, &*judgement.next_step), (format!("{}.", alert.headline()), &*alert.advice()));
    }
    assert!(!open(AlertKind::EventsDead, "").is_untold(), "the events themselves are counted");
    let stopped = Signs { unproved: Some("proof stopped at 3 of 9: the counts differ".to_owned()), ..well() };
    let judgement = Signs { proof_id: Some("run_1".to_owned()), ..stopped }.judge();
    assert_eq!((judgement.health, judgement.link.as_deref()), (Health::Degraded, Some("/admin/sync/runs/run_1")));
    assert!(judgement.reason.contains("proof stopped at 3 of 9"), "{judgement:?}");
}

#[test]
fn numbers_and_times_are_for_people() {
    let shown = [grouped(7), grouped(1_234), grouped(1_234_567)];
    assert_eq!(shown, ["7", "1\u{202f}234", "1\u{202f}234\u{202f}567"]);
    let times = [duration(1), duration(90), duration(7_200), duration(200_000)];
    assert_eq!(times, ["1 second", "1 minute", "2 hours", "2 days"]);
    let lags = [milliseconds(12), milliseconds(1_250), milliseconds(60_000), milliseconds(600_000)];
    assert_eq!(lags, ["12 ms", "1.2 s", "60 s", "10 min"]);
}
