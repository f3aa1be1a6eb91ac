//! Where in Clerk's list a run is, and the next page from there.
//!
//! The cursor is a person. If that person is deleted meanwhile, Clerk does not know the cursor any more: then the page begins
//! at the moment when they joined, without those who were seen (D2-34).

use jiff::Timestamp;

use crate::server::clerk;
use crate::server::clerk::client::LARGEST_PAGE;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::runs::Place;
use crate::server::sync::scan::patiently;

/// An import may give thousands the same moment; more are not remembered but asked for.
const LONGEST_TAIL: usize = 5_000;

impl Place {
    /// The place after this page.
    #[must_use]
    pub fn after(&self, page: &[wire::User]) -> Self {
        let Some(last) = page.last() else { return self.clone() };
        let joined_at = last.created_at.map(Timestamp::as_millisecond).or(self.joined_at);
        let mut tail = if joined_at == self.joined_at { self.tail.clone() } else { Vec::new() };
        let of_that_moment = page.iter().filter(|user| user.created_at.map(Timestamp::as_millisecond) == joined_at);
        tail.extend(of_that_moment.map(|user| user.id.clone()));
        tail.truncate(LONGEST_TAIL);
        Self { cursor: Some(last.id.clone()), joined_at, tail }
    }

    /// The moment up to which everybody was seen, but for some who joined in that very moment.
    pub fn reached(&self) -> Option<Timestamp> {
        self.joined_at.and_then(|at| Timestamp::from_millisecond(at).ok())
    }
}

/// The next page; empty is the end marker.
pub async fn fetch(state: &AppState, place: &Place) -> Result<Vec<wire::User>, Error> {
    let clerk = &state.clerk;
    let page = patiently(|| async { Ok(clerk.list_users(LARGEST_PAGE, place.cursor.as_deref()).await?) }).await;
    match (page, place.joined_at) {
        (Err(Error::Clerk(error)), Some(joined_at)) if is_of_cursor(&error) => {
            let page = patiently(|| async { Ok(clerk.list_users_since(LARGEST_PAGE, joined_at).await?) }).await?;
            Ok(without(page, &place.tail))
        }
        (page, _) => page,
    }
}

fn is_of_cursor(error: &clerk::Error) -> bool {
    match error {
        clerk::Error::NotFound => true,
        clerk::Error::Rejected { status, field, code, .. } => {
            let names_it = field.as_deref() == Some("starting_after") || code.contains("not_found");
            matches!(status, 400 | 404 | 422) && names_it
        }
        _ => false,
    }
}

/// A page of none but these is kept as it is: empty, it would be taken for the end.
fn without(page: Vec<wire::User>, tail: &[String]) -> Vec<wire::User> {
    let is_new = |user: &wire::User| !tail.contains(&user.id);
    if page.iter().any(is_new) { page.into_iter().filter(is_new).collect() } else { page }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str, joined_at: i64) -> wire::User {
        let created_at = Timestamp::from_millisecond(joined_at).ok();
        wire::User { id: id.to_owned(), created_at, ..wire::User::default() }
    }

    #[test]
    fn d2_34_the_place_after_a_page_knows_everybody_of_its_last_moment() {
        let place = Place::default().after(&[user("a", 1), user("b", 2), user("c", 2)]);
        assert_eq!(place, Place { cursor: Some("c".into()), joined_at: Some(2), tail: vec!["b".into(), "c".into()] });
        let same = place.after(&[user("d", 2)]);
        assert_eq!((same.cursor.as_deref(), same.tail.len()), (Some("d"), 3));
        let next = same.after(&[user("e", 3)]);
        assert_eq!(next.tail, ["e"]);
        assert_eq!(next.after(&[]), next);
    }

    #[test]
    fn d2_34_a_page_from_a_moment_leaves_out_who_was_seen_and_is_never_emptied_by_that() {
        let tail = ["b".to_owned(), "c".to_owned()];
        let ids = |page: Vec<wire::User>| page.into_iter().map(|user| user.id).collect::<Vec<_>>();
        assert_eq!(ids(without(vec![user("b", 2), user("d", 3)], &tail)), ["d"]);
        assert_eq!(ids(without(vec![user("b", 2), user("c", 2)], &tail)), ["b", "c"]);
    }

    #[test]
    fn d2_34_only_a_refusal_of_the_cursor_is_taken_for_one() {
        let refusal = |status, field: Option<&str>, code: &str| clerk::Error::Rejected {
            status,
            field: field.map(str::to_owned),
            code: code.to_owned(),
            message: String::new(),
        };
        assert!(is_of_cursor(&refusal(422, Some("starting_after"), "form_param_value_invalid")));
        assert!(is_of_cursor(&refusal(422, None, "form_resource_not_found")));
        assert!(!is_of_cursor(&refusal(403, Some("starting_after"), "forbidden")));
        assert!(!is_of_cursor(&refusal(422, Some("limit"), "form_param_format_invalid")));
        assert!(!is_of_cursor(&clerk::Error::Unauthorized));
    }
}
