//! Who of several people has a username they all want: the one who joined Clerk first, whatever the order of events (A4-05).
//!
//! Everybody else carries a suffix until the name is free. The application's own people keep theirs. Runs after every change
//! that may matter, for the names that it is about; and from time to time for some of all that are contested, so that a crash
//! in the middle heals.

use std::collections::{BTreeSet, HashSet};

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

/// Gives each of these usernames to whom it belongs, as far as it can be had.
///
/// # Errors
/// MongoDB away.
pub async fn settle_usernames<P: Ports>(ports: &P, names: &BTreeSet<String>) -> Result<(), Error> {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    while !names.is_empty() {
        let contenders = ports.list_username_conflicts(&names).await?;
        let last = if contenders.len() < names.len() { None } else { last_name(&contenders) };
        settle_each(ports, contenders).await?;
        // Of the last name the best was among them; however many more want it, they are passed over.
        names.retain(|name| last.as_deref().is_some_and(|last| *name > last));
    }
    Ok(())
}

/// The same of some that are contested, those behind `place`, which is moved on; after the last it begins at the front, so
/// that every name has its turn however many nobody can have.
///
/// # Errors
/// MongoDB away.
pub async fn settle_some<P: Ports>(ports: &P, place: &mut Option<String>) -> Result<(), Error> {
    let before = place.take();
    let mut contenders = ports.list_username_conflicts_after(before.as_deref().unwrap_or_default()).await?;
    if contenders.is_empty() && before.is_some() {
        contenders = ports.list_username_conflicts_after("").await?;
    }
    // Before they are settled: one that fails must not hold up those behind it.
    *place = last_name(&contenders);
    settle_each(ports, contenders).await
}

fn last_name(contenders: &[User]) -> Option<String> {
    contenders.last().and_then(|contender| contender.clerk_username.clone())
}

async fn settle_each<P: Ports>(ports: &P, contenders: Vec<User>) -> Result<(), Error> {
    let mut settled = HashSet::new();
    // They come in the order of their claims, so the first of a name is the best of those who carry a suffix.
    for contender in contenders {
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
            if demote(ports, &holder).await? != Written::Done {
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

/// Gives whoever has a name its suffixed form, the longer one if somebody has the shorter.
async fn demote<P: Ports>(ports: &P, holder: &User) -> Result<Written, Error> {
    let mut end = Written::UsernameTaken;
    for suffix in [Suffix::Short, Suffix::Whole] {
        let mut suffixed = holder.clone();
        give_suffix(&mut suffixed, suffix);
        end = write(ports, holder, suffixed).await?;
        if end != Written::UsernameTaken {
            break;
        }
    }
    Ok(end)
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
