//! Claims about the listing of users.

use super::*;
use crate::standin::people::people;

fn crowd(count: usize) -> World {
    let mut world = World::default();
    for user in people(count) {
        world.put(user).unwrap();
    }
    world
}

fn ids(world: &World, query: &str) -> Result<Vec<String>, Refusal> {
    page(world, &Params::parse(query.as_bytes())).map(|page| page.into_iter().map(|user| user.id.clone()).collect())
}

#[test]
fn a_limit_above_500_silently_becomes_10() {
    let world = crowd(700);
    assert_eq!(ids(&world, "limit=500").unwrap().len(), 500);
    assert_eq!(ids(&world, "limit=501").unwrap().len(), 10);
    assert_eq!(ids(&world, "").unwrap().len(), 10);
    assert_eq!(ids(&world, "limit=0").unwrap_err().status.as_u16(), 422);
}

#[test]
fn a_cursor_visits_everyone_once_in_both_directions() {
    let world = crowd(123);
    for order in ["%2Bcreated_at", "-created_at", "created_at", "+created_at"] {
        let mut seen = ids(&world, &format!("limit=50&order_by={order}")).unwrap();
        while let Some(last) = seen.last().cloned() {
            let next = ids(&world, &format!("limit=50&order_by={order}&starting_after={last}")).unwrap();
            if next.is_empty() {
                break;
            }
            seen.extend(next);
        }
        let whole: Vec<String> = world.by_age().map(|user| user.id.clone()).collect();
        if order == "-created_at" {
            seen.reverse();
        }
        assert_eq!(seen, whole, "{order}");
    }
}

#[test]
fn a_cursor_with_another_order_or_an_offset_is_refused() {
    let world = crowd(3);
    let id = world.by_age().next().unwrap().id.clone();
    for query in [format!("starting_after={id}&order_by=-updated_at"), format!("starting_after={id}&offset=1")] {
        assert_eq!(ids(&world, &query).unwrap_err().status.as_u16(), 422, "{query}");
    }
    assert_eq!(ids(&world, &format!("starting_after={id}&offset=0&order_by=created_at")).unwrap().len(), 2);
    assert_eq!(ids(&world, "starting_after=user_nobody").unwrap_err().status.as_u16(), 422);
}

#[test]
fn filters_narrow_and_combine() {
    let world = crowd(30);
    assert_eq!(ids(&world, "email_address[]=admin@example.com&email_address=USER@example.com").unwrap().len(), 2);
    assert_eq!(ids(&world, "username=ada&banned=true").unwrap().len(), 0);
    assert_eq!(ids(&world, "banned=true").unwrap().len(), 1);
    assert_eq!(ids(&world, "query=o%27brien").unwrap().len(), 1);
    assert_eq!(ids(&world, "order_by=shoe_size").unwrap_err().status.as_u16(), 422);
}
