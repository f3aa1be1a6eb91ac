//! Effects on their way from a person's outbox, where they were written with the change, into `jobs` (C-8).
//!
//! Safe to repeat: a job's key is the effect's. What MongoDB will not have as a job stays where it is.

use std::collections::HashSet;

use crate::model::job::JobKind;
use crate::server::error::Error;
use crate::server::store::users::outbox::Outbox;
use crate::server::sync::ports::{PEOPLE_AT_ONCE, Ports};
use crate::server::sync::usernames::settle_some;

/// So many people's metadata become jobs in a second. Clerk takes at most a hundred changes a second, so under a burst the
/// rest is as well off in the outboxes as among the jobs, and costs nothing there.
pub const PUSHES_A_SECOND: usize = 100;

/// Effects into jobs, then out of the outboxes. Answers whether any outbox was emptied.
///
/// # Errors
/// MongoDB away.
pub async fn relay<P: Ports>(ports: &P, outboxes: &[Outbox]) -> Result<bool, Error> {
    if outboxes.is_empty() {
        return Ok(false);
    }
    let effects: Vec<_> = outboxes.iter().flat_map(|outbox| outbox.outbox.iter().cloned()).collect();
    let refused = ports.add_each(&effects).await?;
    if refused.is_empty() {
        return ports.clear_outboxes(outboxes).await.map(|()| true);
    }
    for refused in &refused {
        tracing::error!(job.id = refused.key, code = refused.code, "an effect waits: MongoDB refused its job");
    }
    let keys: HashSet<&str> = refused.iter().map(|refused| refused.key.as_str()).collect();
    let is_taken = |outbox: &&Outbox| outbox.outbox.iter().all(|effect| !keys.contains(effect.key.as_str()));
    let taken: Vec<Outbox> = outboxes.iter().filter(is_taken).cloned().collect();
    ports.clear_outboxes(&taken).await?;
    Ok(!taken.is_empty())
}

/// Leaves out what is not worth a write yet; answers whether there was any.
pub fn put_back(outboxes: &mut Vec<Outbox>, pushes: &mut usize) -> bool {
    let is_push = |outbox: &Outbox| outbox.outbox.iter().all(|effect| effect.kind == JobKind::Metadata);
    let before = outboxes.len();
    outboxes.retain(|outbox| match (is_push(outbox), *pushes) {
        (true, 0) => false,
        (is_push, _) => {
            *pushes -= usize::from(is_push);
            true
        }
    });
    outboxes.len() < before
}

/// Finishes what a crash left between a change and its jobs, or between two people of one username; answers whether more
/// effects may be left. Of the usernames it takes some, from `place` on, which it moves for the next sweep.
///
/// # Errors
/// MongoDB away.
pub async fn sweep<P: Ports>(ports: &P, place: &mut Option<String>) -> Result<bool, Error> {
    let settled = settle_some(ports, place).await;
    let has_more = relay_some(ports, PEOPLE_AT_ONCE).await?;
    settled.map(|()| has_more)
}

/// Makes jobs of effects that were left in the outboxes of so many people; answers whether there may be more.
///
/// # Errors
/// MongoDB away.
pub async fn relay_some<P: Ports>(ports: &P, people: usize) -> Result<bool, Error> {
    relay(ports, &ports.list_outboxes(people).await?).await
}
