//! `userMongoId`, `role` and `isAdmin` into Clerk's public metadata (A2-07), and Clerk's answer back through the engine.
//!
//! A state to reach: it reads what both sides hold now, so that asking twice costs one question and no write (D2-37).

use std::time::Duration;

use jiff::Timestamp;
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
use crate::server::sync::apply::{Claims, Incoming};
use crate::server::sync::effects::metadata_of;
use crate::server::sync::mapping::{claims_of, from_fetched};
use crate::server::sync::ports::Ports;
use crate::server::sync::process::write;

pub const KIND: JobKind = JobKind::Metadata;

/// A key that Clerk refuses is not shown to it again for so long (D2-15).
const AFTER_REFUSAL: Duration = Duration::from_mins(1);

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

async fn push(state: &AppState, clerk_id: &str) -> Result<End, Error> {
    if !state.plan.metadata {
        return Ok(End::Done("not configured"));
    }
    let theirs = state.clerk.in_background().fetch_user(clerk_id).await?;
    let Some(user) = newest(state, clerk_id, &theirs).await? else { return Ok(End::Done("nobody by this id")) };
    if user.deleted_at.is_some() {
        return Ok(End::Done("deleted meanwhile"));
    }
    let wanted = Claims::wanted(&user);
    if claims_of(&theirs) == wanted {
        // A crash may have come between the write at Clerk and its answer's way back.
        if user.role_pending {
            write(state, pushed(state, &theirs)).await?;
        }
        return Ok(End::Done("was there already"));
    }
    let answer = state.clerk.merge_user_metadata(clerk_id, &change(&user)).await?;
    write(state, pushed(state, &answer)).await?;
    Ok(End::Done("written"))
}

/// The person as stored, after what Clerk knows and we do not yet: a role that was given in Clerk's dashboard a moment ago
/// must not be undone by our older one. A role that was set here stands (design 2.5).
async fn newest(state: &AppState, clerk_id: &str, theirs: &wire::User) -> Result<Option<User>, Error> {
    let stored = state.store.users.find(clerk_id).await?;
    let Some(user) = &stored else { return Ok(None) };
    let incoming = from_fetched(theirs, SyncSource::Push, Timestamp::now(), &state.settings.fields);
    let is_newer =
        matches!(&incoming, Incoming::Person { version, .. } if version.updated_at > user.version.updated_at);
    if user.deleted_at.is_some() || !is_newer {
        return Ok(stored);
    }
    let (_, user) = write(state, incoming).await?;
    Ok(user)
}

fn pushed(state: &AppState, theirs: &wire::User) -> Incoming {
    from_fetched(theirs, SyncSource::Push, Timestamp::now(), &state.settings.fields)
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
