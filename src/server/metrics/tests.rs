//! Labels, and that the rules of alerts name those that there are.

use super::*;

#[test]
fn d3_27_types_that_clerk_does_not_have_share_one_label() {
    let metrics = Metrics::new();
    for number in 0..10_000 {
        metrics.received(&format!("invented.{number}"), number);
    }
    for kind in KNOWN_TYPES {
        metrics.received(kind, 0);
    }
    let text = metrics.render(Now::default()).unwrap();
    let series = text.lines().filter(|line| line.starts_with("rollcall_webhooks_total{")).count();
    assert_eq!(series, KNOWN_TYPES.len() + 1, "{text}");
    assert!(text.contains("rollcall_webhooks_total{type=\"unknown\"} 10000"), "{text}");
    assert!(text.contains("rollcall_webhooks_verified_total{secret=\"4 or more\"} 9997"), "{text}");
    assert!(!text.contains("invented"), "{text}");
}

/// With every metric used once.
fn used() -> String {
    let metrics = Metrics::new();
    metrics.received("user.created", 0);
    metrics.refused("encoded");
    metrics.ended(&[EventState::Applied]);
    metrics.batch(Step::Store, 3);
    metrics.asked_clerk(Seen { outcome: "ok", waited: Duration::ZERO });
    metrics.job_ended(JobKind::Webhook, JobState::Done);
    metrics.too_often("requests");
    let backlog = Some(Backlog { events: 3, oldest_s: 7 });
    let proof = Some(Proof { is_clean: false, differences: 2, people: 9, at_s: 1_790_000_000 });
    metrics
        .render(Now { backlog, is_circuit_open: true, proof, missed: Some(4), alerts: Some([0; 9]), ..Now::default() })
        .unwrap()
}

#[test]
fn while_mongodb_cannot_say_the_canary_is_as_it_was_said_last() {
    let metrics = Metrics::new();
    let failing = Some(Canary { is_failing: true, took: None });
    for canary in [failing, None] {
        let text = metrics.render(Now { canary, ..Now::default() }).unwrap();
        assert!(text.contains("rollcall_canary_failing 1"), "{canary:?}: {text}");
    }
}

/// A name that nobody exports would be a panel without numbers, or an alert that never comes.
#[test]
fn every_metric_of_the_dashboard_and_of_the_alert_rules_is_exported() {
    let text = used();
    let is_of_name = |character: char| character.is_ascii_lowercase() || character == '_';
    for (file, least) in [(include_str!("../../../ops/grafana.json"), 15), (include_str!("../../../ops/alerts.yml"), 8)]
    {
        let names: std::collections::BTreeSet<&str> = file
            .match_indices("rollcall_")
            .map(|(place, _)| &file[place..])
            .map(|rest| &rest[..rest.find(|next| !is_of_name(next)).unwrap_or(rest.len())])
            .collect();
        assert!(names.len() >= least, "{names:?}");
        for name in names {
            assert!(
                text.lines()
                    .any(|line| line.starts_with(&format!("{name}{{")) || line.starts_with(&format!("{name} "))),
                "{name}"
            );
        }
    }
}

#[test]
fn every_metric_has_a_help_text_and_every_time_its_unit() {
    let text = used();
    for name in ["webhooks_total counter", "webhook_ack_seconds histogram", "event_lag_seconds histogram"] {
        assert!(text.contains(&format!("# TYPE rollcall_{name}")), "{name}: {text}");
    }
    let count = |word: &str| text.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("# HELP rollcall_"), count("# TYPE rollcall_")), (24, 24), "{text}");
    for series in [
        "oldest_pending_seconds 7",
        "clerk_circuit_open 1",
        "proof_clean 0",
        "proof_differences 2",
        "proof_people 9",
        "proof_timestamp_seconds 1790000000",
        "missed_events_total 4",
    ] {
        assert!(text.contains(&format!("rollcall_{series}\n")), "{series}: {text}");
    }
}

/// The increase of a series that is not there is nothing, and of one that begins with its first, as well.
#[test]
fn a4_26_every_label_that_an_alert_rule_names_is_there_before_anything_happened() {
    let text = Metrics::new().render(Now { alerts: Some([0; 9]), ..Now::default() }).unwrap();
    let mut seen = 0;
    for expression in
        include_str!("../../../ops/alerts.yml").lines().filter_map(|line| line.trim().strip_prefix("expr: "))
    {
        for place in expression.match_indices("rollcall_").map(|(place, _)| place) {
            let rest = &expression[place..];
            let Some((name, labels)) = rest.split_once('{') else { continue };
            if !name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_') {
                continue;
            }
            let (label, values) = labels.split_once('}').unwrap().0.split_once('=').unwrap();
            for value in values.trim_start_matches('~').trim_matches('"').split('|') {
                let series = format!("{label}=\"{value}\"");
                let is_it = |line: &str| line.starts_with(&format!("{name}{{")) && line.contains(&series);
                assert!(text.lines().any(|line| is_it(line) && line.ends_with(" 0")), "{name}: {series}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 6, "only {seen} labels were found");
    assert!(text.contains("rollcall_webhooks_total{type=\"user.created\"} 0"), "{text}");
}

#[test]
fn every_reason_for_which_a_webhook_is_refused_is_on_the_list() {
    for rest in include_str!("../http/webhooks.rs").split("METRICS.refused(").skip(1) {
        let argument = rest.split_once(");").unwrap().0;
        for word in argument.split('"').skip(1).step_by(2) {
            assert!(REFUSED.contains(&word), "{word}");
        }
    }
}

/// A zero would be a proof of 1970 that failed.
#[test]
fn c_1_before_the_first_proof_nothing_is_said_of_it() {
    let text = Metrics::new().render(Now::default()).unwrap();
    assert!(!text.lines().any(|line| line.starts_with("rollcall_proof") || line.starts_with("rollcall_missed")));
}
