//! `userMongoId`, `role` and `isAdmin` into Clerk's public metadata (A2-07), and Clerk's answer back through the engine.
//!
//! A state to reach: it reads what both sides hold now, so that asking twice costs one question and no write (D2-37).

use std::time::Duration;

use serde_json::json;

use crate::model::job::JobKind;
use crate::model::user::SyncSource;
use crate::server::clerk;
use crate::server::clerk::client::MetadataChange;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::jobs::{End, Later};
use crate::server::state::AppState;
use crate::server::store::jobs::Job;
use crate::server::store::users::User;
use crate::server::sync::apply::{Claims, Incoming, may_not_be_known_yet};
use crate::server::sync::effects::metadata_of;
use crate::server::sync::mapping::{claims_of, from_fetched};
use crate::server::sync::ports::Ports;
use crate::server::sync::process::write;

pub const KIND: JobKind = JobKind::Metadata;

/// A key that Clerk refuses is not shown to it again for so long (D2-15).
const AFTER_REFUSAL: Duration = Duration::from_mins(1);
/// So often one attempt looks again at once, when something newer came between.
const MOST_ROUNDS: usize = 5;

/// Brings Clerk's copy of one person's role to MongoDB's.
pub async fn run(state: &AppState, job: &Job) -> Result<End, Error> {
    match push(state, job.clerk_id.as_deref().unwrap_or_default()).await {
        Err(Error::Clerk(clerk::Error::NotFound)) => Ok(End::Done("Clerk has no such person")),
        Err(Error::Clerk(clerk::Error::Unauthorized)) => {
            let cause = "Clerk refused the secret key".to_owned();
            Ok(End::Later(Later { cause, is_passing: true, pause: Some(AFTER_REFUSAL) }))
        }
        // It understood and will not. Any other refusal may be of a wrong address of ours, which somebody mends.
        Err(error @ Error::Clerk(clerk::Error::Rejected { status: 400 | 413 | 422, .. })) => {
            Ok(End::Dead(error.cause()))
        }
        ended => ended,
    }
}

/// The same where everything is a port. A role that was set here is confirmed by Clerk's answer to our own write; if something
/// newer came between, it is looked at again, because nothing else would ever confirm it.
///
/// # Errors
/// `Behind` if something came between each time; MongoDB's or Clerk's.
pub async fn push<P: Ports>(ports: &P, clerk_id: &str) -> Result<End, Error> {
    if !ports.plan().metadata {
        return Ok(End::Done("not configured"));
    }
    for _ in 0..MOST_ROUNDS {
        if let Some(end) = push_once(ports, clerk_id).await? {
            return Ok(end);
        }
    }
    Err(Error::Behind)
}

/// `None`: Clerk holds it, and that is not confirmed here.
async fn push_once<P: Ports>(ports: &P, clerk_id: &str) -> Result<Option<End>, Error> {
    let done = |cause: &'static str| Ok(Some(End::Done(cause)));
    let Some(theirs) = ports.fetch_person(clerk_id).await? else {
        let here = ports.find_people(&[clerk_id]).await?.users;
        let is_early = here.iter().any(|user| may_not_be_known_yet(user, ports.now()));
        // Nothing else would ever write it, so it is tried until Clerk knows them or they are deleted.
        let early = End::Early("Clerk does not know this newcomer yet");
        return if is_early { Ok(Some(early)) } else { done("Clerk has no such person") };
    };
    let Some(user) = newest(ports, clerk_id, &theirs).await? else { return done("nobody by this id") };
    if user.deleted_at.is_some() {
        return done("deleted meanwhile");
    }
    let is_there = claims_of(&theirs) == Claims::wanted(&user);
    // A crash may have come between the write at Clerk and its answer's way back.
    if is_there && !user.role_pending {
        return done("was there already");
    }
    let answer = if is_there { theirs } else { ports.merge_metadata(clerk_id, &change(&user)).await? };
    let (_, after) = write(ports, pushed(ports, &answer)).await?;
    if after.is_some_and(|after| after.role_pending && after.role == user.role) {
        return Ok(None);
    }
    done(if is_there { "was there already" } else { "written" })
}

/// The person as stored, after what Clerk knows and we do not yet: a role that was given in Clerk's dashboard a moment ago
/// must not be undone by our older one. A role that was set here stands (design 2.5).
async fn newest<P: Ports>(ports: &P, clerk_id: &str, theirs: &wire::User) -> Result<Option<User>, Error> {
    let found = ports.find_people(&[clerk_id]).await?;
    if !found.unreadable.is_empty() {
        return Err(Error::Unreadable);
    }
    let Some(user) = found.users.into_iter().next() else { return Ok(None) };
    let incoming = pushed(ports, theirs);
    let is_newer =
        matches!(&incoming, Incoming::Person { version, .. } if version.updated_at > user.version.updated_at);
    if user.deleted_at.is_some() || !is_newer {
        return Ok(Some(user));
    }
    let (_, user) = write(ports, incoming).await?;
    Ok(user)
}

fn pushed<P: Ports>(ports: &P, theirs: &wire::User) -> Incoming {
    from_fetched(theirs, SyncSource::Push, ports.now(), ports.fields())
}

/// Our three keys; every other stays as it is, for Clerk merges.
fn change(user: &User) -> MetadataChange {
    let mut change = MetadataChange::default();
    change.public.insert("userMongoId".to_owned(), json!(user.id));
    change.public.insert("role".to_owned(), json!(user.role.as_str()));
    change.public.insert("isAdmin".to_owned(), json!(user.role.is_admin()));
    change
}

/// Asks for it now. Without metadata configured, the role is MongoDB's alone and nothing is asked for.
///
/// # Errors
/// MongoDB away.
pub async fn push_role(state: &AppState, user: &User) -> Result<(), Error> {
    if !state.plan.metadata {
        return Ok(());
    }
    state.add_jobs(&[metadata_of(user)]).await
}
