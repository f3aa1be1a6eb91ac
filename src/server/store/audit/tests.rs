//! A trail holds as it was written, and breaks where somebody's hand was in it.

use mongodb::bson::{Bson, deserialize_from_document, serialize_to_document};

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

fn with_reason(words: &str) -> Document {
    let actor = Actor { id: "cli:keeper".to_owned(), impersonator: None, session: None, source: Source::Cli };
    let fact = Fact {
        actor,
        action: Action::Ban,
        subject: "user_1".to_owned(),
        before: None,
        after: None,
        reason: Some(words.to_owned()),
    };
    let end = End { number: 0, seal: BEGINNING.to_owned() };
    serialize_to_document(&Entry::after(&end, &fact, Timestamp::UNIX_EPOCH)).unwrap()
}

#[test]
fn c_11_d7_06_the_words_of_a_reason_can_go_and_cannot_be_others() {
    let row = with_reason("a quarrel");
    assert_eq!(first_broken(vec![row.clone()]), None);
    let mut erased = row.clone();
    erased.insert("reason", Bson::Null);
    erased.remove("reasonSalt");
    assert_eq!(first_broken(vec![erased.clone()]), None);
    let other = serialize_to_document(&with_reason("another")).unwrap();
    for (field, value) in [
        ("reason", Bson::from("something else")),
        ("reason", Bson::Null),
        ("reasonSalt", Bson::Null),
        ("reasonDigest", Bson::Null),
        ("reasonDigest", other.get("reasonDigest").cloned().unwrap()),
    ] {
        let mut changed = row.clone();
        changed.insert(field, value);
        assert_eq!(first_broken(vec![changed]), Some((1, "it was changed")), "{field}");
    }
    erased.insert("reason", "new words");
    assert_eq!(first_broken(vec![erased]), Some((1, "it was changed")));
    let guess = row.get_str("reasonDigest").unwrap();
    assert_ne!(with_reason("a quarrel").get_str("reasonDigest").unwrap(), guess, "it is salted");
}

#[test]
fn d7_06_an_entry_from_before_there_were_digests_holds_with_its_words_under_the_seal() {
    let mut entry: Entry = deserialize_from_document(with_reason("a quarrel")).unwrap();
    (entry.reason_digest, entry.reason_salt) = (None, None);
    entry.seal = entry.sealed();
    let row = serialize_to_document(&entry).unwrap();
    assert_eq!(first_broken(vec![row.clone()]), None);
    let mut changed = row;
    changed.insert("reason", Bson::Null);
    assert_eq!(first_broken(vec![changed]), Some((1, "it was changed")));
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
