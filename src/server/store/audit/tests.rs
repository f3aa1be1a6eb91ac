//! A trail holds as it was written, and breaks where somebody's hand was in it.

use mongodb::bson::serialize_to_document;

use crate::model::audit::{Action, Actor, Source};

use super::*;

fn trail(length: usize) -> Vec<Document> {
    let actor = Actor { id: "cli:keeper".to_owned(), impersonator: None, session: None, source: Source::Cli };
    let mut end = End { number: 0, seal: BEGINNING.to_owned() };
    let mut rows = Vec::new();
    for turn in 0..length {
        let fact = Fact {
            actor: actor.clone(),
            action: Action::ChangeRole,
            subject: format!("user_{turn}"),
            before: Some("user".to_owned()),
            after: Some("admin".to_owned()),
            reason: None,
        };
        let entry = Entry::after(&end, &fact, Timestamp::UNIX_EPOCH);
        end = End { number: entry.number, seal: entry.seal.clone() };
        rows.push(serialize_to_document(&entry).unwrap());
    }
    rows
}

fn first_broken(rows: Vec<Document>) -> Option<(i64, &'static str)> {
    let mut chain = Chain::after(&End { number: 0, seal: BEGINNING.to_owned() });
    rows.into_iter().find_map(|row| chain.follow(row).err().map(|cause| (chain.number + 1, cause)))
}

#[test]
fn d7_06_a_trail_holds_as_it_was_written() {
    assert_eq!(first_broken(trail(4)), None);
}

#[test]
fn d7_06_every_change_removal_and_exchange_breaks_the_trail_where_it_is() {
    for (field, value) in [
        ("actor", "cli:other"),
        ("session", "sess_1"),
        ("source", "web"),
        ("action", "ban"),
        ("subject", "user_9"),
        ("before", "moderator"),
        ("after", "user"),
        ("reason", "because"),
    ] {
        let mut rows = trail(4);
        rows[1].insert(field, value);
        assert_eq!(first_broken(rows), Some((2, "it was changed")), "{field}");
    }
    let mut rows = trail(4);
    rows.remove(1);
    assert_eq!(first_broken(rows), Some((2, "it is missing")));
    let mut rows = trail(4);
    let (second, third) = (rows[1].clone(), rows[2].clone());
    rows[1] = third;
    rows[1].insert("_id", 2_i64);
    rows[2] = second;
    rows[2].insert("_id", 3_i64);
    assert_eq!(first_broken(rows), Some((2, "it does not follow the entry before it")));
    let mut rows = trail(4);
    rows[3].remove("actor");
    assert_eq!(first_broken(rows), Some((4, "it cannot be read")));
}
