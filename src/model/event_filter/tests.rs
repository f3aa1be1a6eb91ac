//! What each search means, and what is said about one that means nothing.

use super::*;

const NOW: i64 = 1_790_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn search(q: &str) -> Result<EventFilter, Unclear> {
    EventQuery { q: Some(q.to_owned()), ..EventQuery::default() }.read(now())
}

fn message(q: &str) -> String {
    search(q).unwrap_err().message
}

#[test]
fn e_08_qualifiers_narrow_and_free_text_is_the_beginning_of_an_id() {
    let found =
        search("type:user.updated  status:dead user:user_x before:2026-11-01 after:2026-10-01T10:30 msg_2").unwrap();
    let expected = EventFilter {
        states: vec![EventState::Dead],
        kind: Some("user.updated".to_owned()),
        person: Some("user_x".to_owned()),
        person_begins: None,
        id_begins: Some("msg_2".to_owned()),
        cause: None,
        since: Some("2026-10-01T10:30:00Z".parse().unwrap()),
        before: Some("2026-11-01T00:00:00Z".parse().unwrap()),
    };
    assert_eq!(found, expected);
    assert_eq!(search("user_2x").unwrap().person_begins.as_deref(), Some("user_2x"));
    assert_eq!(search("after:2h").unwrap().since, Timestamp::from_second(NOW - 7_200).ok());
    assert!(search("").unwrap().is_empty() && search("  \"\" ").unwrap().is_empty());
    let quoted = search("cause:\"Clerk is away\"").unwrap();
    assert_eq!(quoted.cause.as_deref(), Some("Clerk is away"));
    assert_eq!(quoted.states, [EventState::Failed, EventState::Dead], "nothing else fails");
}

#[test]
fn e_08_what_is_not_understood_is_named() {
    let unknown = message("colour:red");
    assert!(unknown.starts_with("colour: is not known here. There are type:, status:, user:"), "{unknown}");
    assert_eq!(message("type:"), "type: what? Nothing follows it.");
    assert!(message("status:lost").contains("lost is no state. There are received, applied"));
    assert!(message("before:yesterday").contains("yesterday is no time"));
    assert!(message("after:99999999999d").contains("is no time"));
    assert!(message("after:é").contains("is no time"));
    assert_eq!(message("type:a type:b"), "type is said twice: a and b.");
    assert_eq!(message("status:dead status:failed"), "An event is in one state only.");
    assert_eq!(message(&"x".repeat(LONGEST_TEXT + 1)), "This is too long.");
}

#[test]
fn e_10_presets_and_the_exact_range_narrow_each_other() {
    let query = EventQuery {
        range: Some("1h".to_owned()),
        from: Some("2020-01-01T00:00".to_owned()),
        to: Some("2026-01-01".to_owned()),
        q: Some("before:2025-01-01".to_owned()),
        ..EventQuery::default()
    };
    let filter = query.read(now()).unwrap();
    assert_eq!(filter.since, Timestamp::from_second(NOW - 3_600).ok());
    assert_eq!(filter.before, "2025-01-01T00:00:00Z".parse().ok());
    let wrong = EventQuery { to: Some("soon".to_owned()), ..EventQuery::default() }.read(now()).unwrap_err();
    assert_eq!(wrong.field, "to");
    let yesterday = EventQuery { range: Some("yesterday".to_owned()), ..EventQuery::default() }.read(now()).unwrap();
    let midnight = NOW.div_euclid(86_400) * 86_400;
    assert_eq!(yesterday.since, Timestamp::from_second(midnight - 86_400).ok());
    assert_eq!(yesterday.before, Timestamp::from_second(midnight).ok(), "the whole day, and nothing of today");
    for (range, _) in RANGES {
        assert!(EventQuery { range: Some(range.to_owned()), ..EventQuery::default() }.read(now()).is_ok(), "{range}");
    }
}

#[test]
fn e_31_a_filter_is_an_address() {
    let query =
        EventQuery { q: Some("a&c=\"é b\"".to_owned()), state: Some("dead".to_owned()), ..EventQuery::default() };
    assert_eq!(query.encoded(), "q=a%26c%3D%22%C3%A9%20b%22&state=dead");
    let parts = query.parts();
    let part = |name: &str| parts.iter().find(|part| part.0 == name).and_then(|part| part.1).map(str::to_owned);
    assert_eq!(EventQuery::of(part), query);
    assert_eq!(EventQuery::of(|_| Some(" ".to_owned())), EventQuery::default());
    assert_eq!(EventQuery::default().encoded(), "");
    let filter = query.read(now()).unwrap();
    assert!(filter.describe().starts_with("events in the state dead, whose id begins with "), "{}", filter.describe());
    let plan = ReplayPlan { ids: vec!["msg_1".to_owned(), "msg_2".to_owned()], ..ReplayPlan::default() };
    assert_eq!(plan.describe(), "2 selected events");
}
