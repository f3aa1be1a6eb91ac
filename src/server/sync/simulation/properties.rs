//! Properties of the pure half over many people at once: whatever becomes of the deliveries on their way, the people end
//! alike.
//!
//! Histories are the simulation's; here is no scheduler and no fault, only `read`, `group`, `fold` and `apply`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::model::event::EventState;
use crate::model::user::SyncSource;
use crate::server::settings::fields::FieldValue;
use crate::server::store::events::Event;
use crate::server::store::users::{User, Version};
use crate::server::sync::apply::{Incoming, News, apply};
use crate::server::sync::effects::Plan;
use crate::server::sync::fold::{Answer, Folded, Fresh, Reading, Said, fold, group, read};
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::simulation::clerk::{Clerk, Made, START};
use crate::server::sync::simulation::history::History;
use crate::server::sync::simulation::world::FIELDS;

type People = BTreeMap<String, User>;

const ID: &str = "507f1f77bcf86cd799439011";

/// Clerk at the end of a history, and all that it said about people.
fn said_by(history: &History) -> (Clerk, Vec<Said>) {
    let mut clerk = Clerk::default();
    let mut made = Vec::new();
    for step in &history.steps {
        made.extend(clerk.change(step.person, &step.what, step.time, step.is_later, START + step.at));
    }
    let said = made
        .into_iter()
        .filter_map(|made| read(&stored(made), Reading { fields: &FIELDS, instance: None }).ok())
        .collect();
    (clerk, said)
}

fn stored(made: Made) -> Event {
    Event {
        id: made.id,
        kind: "user".to_owned(),
        clerk_id: None,
        instance_id: None,
        payload: made.payload,
        headers: String::new(),
        place: None,
        state: EventState::Received,
        attempts: 0,
        waits: 0,
        deliveries: 1,
        decision: None,
        event_at: None,
        received_at: now(),
        due_at: None,
        finished_at: None,
        cause: None,
        trace: None,
        tried_at: None,
        earlier: Vec::new(),
    }
}

fn now() -> Timestamp {
    // Late enough that nobody is a newcomer whom Clerk may not know yet.
    Timestamp::from_millisecond(START + 600_000).expect("within range")
}

fn answer(clerk: &Clerk, clerk_id: &str) -> Incoming {
    match clerk.answer(clerk_id) {
        Some(user) => from_fetched(&user, SyncSource::Refetch, now(), &FIELDS),
        None => Incoming::Absent { clerk_id: clerk_id.to_owned(), at: now() },
    }
}

/// One batch, decided and written without anybody in between.
fn deliver(people: &mut People, batch: Vec<Said>, clerk: &Clerk) {
    for mut case in group(batch) {
        let fresh = Fresh { id: ID, etag: ID, now: now(), plan: Plan::default(), fields: &FIELDS };
        let decide = |stored: Option<&User>, incoming: &Incoming, id: &str| apply(stored, incoming, id, now());
        let before = people.get(&case.clerk_id).cloned();
        let mut folded = fold(before.as_ref(), None, &case, fresh, decide);
        if folded == Folded::Ask {
            let over = before.as_ref().and_then(|before| before.etag.clone());
            case.answer = Some(Answer { incoming: answer(clerk, &case.clerk_id), over });
            folded = fold(before.as_ref(), None, &case, fresh, decide);
        }
        match folded {
            Folded::Write(write, _) => drop(people.insert(case.clerk_id, write.user)),
            Folded::Settled(_) => {}
            Folded::Ask | Folded::Behind => panic!("Clerk's answer was no answer"),
        }
    }
}

fn in_batches(said: &[Said], sizes: &[usize], clerk: &Clerk) -> People {
    let mut people = People::new();
    let mut rest = said;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (batch, later) = rest.split_at(rest.len().min(*size));
        deliver(&mut people, batch.to_vec(), clerk);
        rest = later;
    }
    people
}

/// What must be equal however it came about: a tombstone says only that it is one.
fn comparable(people: People) -> People {
    let same = |mut user: User| {
        user.sync_source = SyncSource::Webhook;
        if user.deleted_at.is_some() {
            user.created_at = Timestamp::UNIX_EPOCH;
            user.updated_at = Timestamp::UNIX_EPOCH;
            user.deleted_at = Some(Timestamp::UNIX_EPOCH);
            user.version = Version::default();
            user.fields.retain(|_, value| *value != FieldValue::default());
        }
        user
    };
    people.into_iter().map(|(id, user)| (id, same(user))).collect()
}

/// Everything at least once, some of it more often, in any order.
fn scattered(said: &[Said], keys: &[u32], again: &[Index]) -> Vec<Said> {
    let more = again.iter().filter(|_| !said.is_empty()).map(|index| index.get(said));
    let mut keyed: Vec<(u32, &Said)> = keys.iter().copied().cycle().zip(said.iter().chain(more)).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, said)| said.clone()).collect()
}

fn histories() -> impl Strategy<Value = History> {
    any::<u64>().no_shrink().prop_map(History::of)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn d8_any_order_repetition_and_batching_end_in_the_same_people(
        history in histories(),
        keys in prop::collection::vec(any::<u32>(), 61),
        again in prop::collection::vec(any::<Index>(), 0..20),
        sizes in prop::collection::vec(1_usize..7, 1..5),
    ) {
        let (clerk, said) = said_by(&history);
        let expected = comparable(in_batches(&said, &[1], &clerk));
        let people = in_batches(&scattered(&said, &keys, &again), &sizes, &clerk);
        prop_assert_eq!(comparable(people), expected, "{}", history);
    }

    #[test]
    fn d8_everything_again_after_the_end_changes_nothing(
        history in histories(),
        keys in prop::collection::vec(any::<u32>(), 61),
        sizes in prop::collection::vec(1_usize..7, 1..5),
    ) {
        let (clerk, said) = said_by(&history);
        let mut people = in_batches(&said, &sizes, &clerk);
        let before = people.clone();
        for said in scattered(&said, &keys, &[]) {
            deliver(&mut people, vec![said], &clerk);
        }
        prop_assert_eq!(people, before, "{}", history);
    }

    #[test]
    fn d8_loss_made_good_by_a_rescan_ends_as_if_nothing_was_lost(
        history in histories(),
        keys in prop::collection::vec(any::<u32>(), 61),
        is_lost in prop::collection::vec(any::<bool>(), 17),
        sizes in prop::collection::vec(1_usize..7, 1..5),
    ) {
        let (clerk, said) = said_by(&history);
        let without_versions = |people: People| {
            let mut people = comparable(people);
            for user in people.values_mut() {
                user.version = Version::default();
            }
            people
        };
        let expected = without_versions(in_batches(&said, &[1], &clerk));
        let delivered = said.iter().zip(is_lost.iter().cycle()).filter(|(_, lost)| !**lost);
        let kept: Vec<Said> = delivered.map(|(said, _)| said.clone()).collect();
        let mut people = in_batches(&scattered(&kept, &keys, &[]), &sizes, &clerk);
        for member in &clerk.members {
            let incoming = match answer(&clerk, &member.id) {
                Incoming::Absent { clerk_id, at } => {
                    let news = Some(News { at, is_deletion: true, updated_at: None });
                    Incoming::Hint { clerk_id, source: SyncSource::Refetch, news }
                }
                person => person,
            };
            deliver(&mut people, vec![Said { event: None, attempts: 0, waits: 0, incoming, trace: None }], &clerk);
        }
        prop_assert_eq!(without_versions(people), expected, "{}", history);
    }
}
