//! What is done about a person in their own name by somebody else is on record, with both of them (D4-17), and so is Clerk's
//! no to it. By their own hand, nothing is.

use crate::model::audit::{Action, Fact};
use crate::server::access::Viewer;
use crate::server::accounts::moderation::{nobody_or, undo};
use crate::server::clerk;
use crate::server::error::Error;
use crate::server::state::AppState;

/// What was put on record, if anything.
#[derive(Debug)]
pub struct Noted(Option<Fact>);

/// Puts it on record before it happens. Whoever counts how often does so before, for each is kept for long.
///
/// # Errors
/// MongoDB's.
pub async fn note(state: &AppState, viewer: &Viewer, action: Action) -> Result<Noted, Error> {
    if viewer.actor().is_none() {
        return Ok(Noted(None));
    }
    let fact = own_fact(viewer, action);
    state.store.audit.append(&fact).await?;
    Ok(Noted(Some(fact)))
}

impl Noted {
    /// Clerk's no to it, which is recorded too.
    pub async fn undone(self, state: &AppState, error: clerk::Error) -> Error {
        match self.0 {
            Some(fact) => undo(state, fact, error).await,
            None => nobody_or(error),
        }
    }
}

/// Something that the viewer did about themselves.
pub fn own_fact(viewer: &Viewer, action: Action) -> Fact {
    let subject = viewer.user().clerk_id.clone();
    Fact { actor: viewer.as_actor(), action, subject, before: None, after: None, reason: None }
}
