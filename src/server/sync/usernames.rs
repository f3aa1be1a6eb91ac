//! Who of several people has a username they all want: the one who joined Clerk first, whatever the order of events (A4-05).
//!
//! Everybody else carries a suffix until the name is free. The application's own people keep theirs. Runs after every change
//! that may matter and from time to time, so that a crash in the middle heals.

use std::collections::HashSet;

use jiff::Timestamp;

use crate::model::job::JobKind;
use crate::server::error::Error;
use crate::server::store::users::User;
use crate::server::store::users::writes::{Guard, Write, Written};
use crate::server::sync::apply::give_suffix;
use crate::server::sync::effects::{Step, effects_of};
use crate::server::sync::fold::Suffix;
use crate::server::sync::history::entry_of;
use crate::server::sync::ports::{Holder, Ports};

/// Gives every contested username to whom it belongs, as far as it can be had.
///
/// # Errors
/// MongoDB away.
pub async fn settle_usernames<P: Ports>(ports: &P) -> Result<(), Error> {
    let mut settled = HashSet::new();
    // They come in the order of their claims, so the first of a name is the best of those who carry a suffix.
    for contender in ports.list_username_conflicts().await? {
        let Some(name) = contender.clerk_username.clone() else { continue };
        if settled.insert(name.clone()) {
            settle_name(ports, contender, &name).await?;
        }
    }
    Ok(())
}

async fn settle_name<P: Ports>(ports: &P, contender: User, name: &str) -> Result<(), Error> {
    match ports.find_username(name).await? {
        Holder::Nobody => {}
        Holder::Person(holder)
            if claim(&contender) < claim(&holder) && holder.clerk_username.as_deref() == Some(name) =>
        {
            let mut suffixed = (*holder).clone();
            give_suffix(&mut suffixed, Suffix::Short);
            if write(ports, &holder, suffixed).await? != Written::Done {
                return Ok(());
            }
        }
        Holder::Person(_) | Holder::Local => return Ok(()),
    }
    let mut owner = contender.clone();
    owner.username = Some(name.to_owned());
    owner.username_conflict = false;
    owner.sync_reason = None;
    // Lost to somebody quicker: whoever that was settles it again.
    write(ports, &contender, owner).await.map(|_| ())
}

/// The earlier, the better.
fn claim(user: &User) -> (Timestamp, &str) {
    (user.created_at, &user.clerk_id)
}

/// One guarded write; the jobs of its effects are made by the next sweep of the outboxes.
async fn write<P: Ports>(ports: &P, before: &User, mut after: User) -> Result<Written, Error> {
    after.etag = Some(ports.new_id());
    let guard = Guard::Unchanged(before.etag.clone());
    let step = Step { before: Some(before), after: &after, claims: None, guard: &guard };
    let mut effects = effects_of(step, ports.plan(), ports.now());
    // Clerk's own username is untouched.
    effects.retain(|effect| effect.kind != JobKind::Metadata);
    let history = entry_of(ports.now(), before, &after, ports.fields()).into_iter().collect();
    let write = Write { user: after, before: Some(Box::new(before.clone())), guard, effects, history };
    let ends = ports.write_people(&[write]).await?;
    Ok(ends.into_iter().next().unwrap_or(Written::Lost))
}
