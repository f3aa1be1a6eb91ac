//! One person as admins see them: every field with its origin, what may be done, and how far the last role change is (C-13).

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::model::audit::Action;
use crate::model::event_filter::EventFilter;
use crate::model::job::JobState;
use crate::model::person::{Field, Origin, Permit, Person, Shown, Step, StepState};
use crate::server::access::Moderator;
use crate::server::accounts::{NOBODY, text_of};
use crate::server::error::Error;
use crate::server::state::AppState;
use crate::server::store::audit::Entry;
use crate::server::store::events::Event;
use crate::server::store::jobs::Job;
use crate::server::store::users::User;
use crate::server::sync::effects::metadata_of;

/// How long Clerk's session tokens live; browsers renew them before that.
const TOKEN_LIVES: SignedDuration = SignedDuration::from_secs(60);
const EVENTS_LOOKED_AT: u16 = 50;

/// The person by Clerk's id or MongoDB's; the deleted too.
///
/// # Errors
/// `NotFound`, or MongoDB's.
pub async fn find_anybody(state: &AppState, id: &str) -> Result<User, Error> {
    let found = state.store.directory.find_exact(id).await?;
    found.into_iter().find(|user| user.clerk_id == id || user.id == id).ok_or(NOBODY)
}

/// Everything about them.
///
/// # Errors
/// `NotFound`, or MongoDB's.
pub async fn get_person(state: &AppState, moderator: &Moderator, id: &str) -> Result<Person, Error> {
    let user = find_anybody(state, id).await?;
    let is_admin = user.role.is_admin() && user.deleted_at.is_none();
    let is_last_admin = is_admin && !state.store.roles.has_other_admin(&user.clerk_id).await?;
    Ok(Person {
        fields: fields_of(state, &user),
        permit: permit_of(state, moderator, &user),
        saga: saga_of(state, &user, moderator.is_admin(state)).await?,
        is_deleted: user.deleted_at.is_some(),
        is_last_admin,
        clerk_id: user.clerk_id,
        id: user.id,
        name: user.name,
        image_url: user.image_url,
        role: user.role,
        banned: user.banned,
        locked: user.locked,
    })
}

fn permit_of(state: &AppState, moderator: &Moderator, user: &User) -> Permit {
    let viewer = moderator.viewer();
    if !moderator.is_admin(state) {
        Permit::Look
    } else if viewer.actor().is_some() {
        Permit::InAnothersName
    } else if viewer.user().clerk_id == user.clerk_id {
        Permit::Oneself
    } else {
        Permit::Everything
    }
}

fn fields_of(state: &AppState, user: &User) -> Vec<Field> {
    let text = |text: &Option<String>| text.clone().map_or(Shown::Nothing, Shown::Text);
    let flag = |is_so: bool| Shown::Text(if is_so { "yes" } else { "no" }.to_owned());
    let moment = |at: Option<Timestamp>| at.map_or(Shown::Nothing, Shown::Moment);
    let others: Vec<&str> = user
        .emails
        .iter()
        .map(|email| email.address.as_str())
        .filter(|address| Some(*address) != user.email.as_deref())
        .collect();
    let others = (!others.is_empty()).then(|| others.join(", "));
    let status = user.sync_reason.as_ref().map(|reason| format!("{}: {reason}", user.sync_status.as_str()));
    let status = status.unwrap_or_else(|| user.sync_status.as_str().to_owned());
    let rows = [
        ("E-mail", text(&user.email), Origin::Clerk),
        ("E-mail verified", flag(user.email_verified), Origin::Clerk),
        ("Other addresses", text(&others), Origin::Clerk),
        ("First name", text(&user.first_name), Origin::Clerk),
        ("Last name", text(&user.last_name), Origin::Clerk),
        ("Name", Shown::Text(user.name.clone()), Origin::Derived),
        ("Username at Clerk", text(&user.clerk_username), Origin::Clerk),
        ("Username", text(&user.username), Origin::Derived),
        ("Picture", text(&user.image_url), Origin::Clerk),
        ("Banned", flag(user.banned), Origin::Clerk),
        ("Locked", flag(user.locked), Origin::Clerk),
        ("Joined", Shown::Moment(user.created_at), Origin::Clerk),
        ("Changed at Clerk", Shown::Moment(user.updated_at), Origin::Clerk),
        ("Role", Shown::Text(format!("{}, {}", user.role, role_standing(state, user))), Origin::Ours),
        ("Sync state", Shown::Text(status), Origin::Ours),
        ("Newest change by", Shown::Text(user.sync_source.as_str().to_owned()), Origin::Ours),
        ("Compared with Clerk", moment(user.last_clerk_sync), Origin::Ours),
        ("Last active on", Shown::Text(day_of(user.last_active_at)), Origin::Ours),
        ("Deleted", moment(user.deleted_at), Origin::Ours),
    ];
    let own = state.settings.fields.shown(&user.fields).map(|(name, value)| Field {
        name: name.to_owned(),
        value: text_of(&value).map_or(Shown::Nothing, Shown::Text),
        origin: Origin::Clerk,
    });
    let rows = rows.into_iter().map(|(name, value, origin)| Field { name: name.to_owned(), value, origin });
    rows.chain(own).collect()
}

/// Whether Clerk has the role too, in words. It is MongoDB's in any case.
pub fn role_standing(state: &AppState, user: &User) -> &'static str {
    match (user.role_pending, state.plan.metadata) {
        (false, _) => "as at Clerk",
        (true, true) => "set here; Clerk has yet to confirm it",
        (true, false) => "set here",
    }
}

/// A day needs no time, and has none in any other zone.
pub fn day_of(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "not on record".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// The steps of the last role that was given here: asked for, in force, at Clerk, come back, in the tokens. Who asked for it,
/// and why, is for admins.
async fn saga_of(state: &AppState, user: &User, is_admin: bool) -> Result<Vec<Step>, Error> {
    let entries = state.store.audit.list_about(&user.clerk_id).await?;
    let is_of_role = |entry: &&Entry| entry.action == Action::ChangeRole.as_str();
    let Some(given) = entries.iter().rev().find(is_of_role) else { return Ok(Vec::new()) };
    let job = state.store.jobs.find(&metadata_of(user).key).await?;
    let pushed = push_step(state, user, given, job.as_ref());
    let pushed_at = pushed.at.filter(|_| pushed.state == StepState::Done);
    let seen = if state.plan.metadata { Some(echo_step(state, user, given).await?) } else { None };
    let roles =
        format!("{} to {}", given.before.as_deref().unwrap_or("none"), given.after.as_deref().unwrap_or("none"));
    let step =
        |name: &str, state, text: String, at| Step { name: name.to_owned(), state, text, at, reason: None, link: None };
    let by = if is_admin { format!(", by {}", given.actor) } else { String::new() };
    let asked = Step {
        reason: given.reason.clone().filter(|_| is_admin),
        ..step("Asked for", StepState::Done, format!("{roles}{by}"), Some(given.at))
    };
    let written = "in force since the next request: every permission is read from here".to_owned();
    let written = step("Written in MongoDB", StepState::Done, written, Some(given.at));
    let token = pushed_at.map(|at| token_step(at, Timestamp::now()));
    Ok([Some(asked), Some(written), Some(pushed), seen, token].into_iter().flatten().collect())
}

fn push_step(state: &AppState, user: &User, given: &Entry, job: Option<&Job>) -> Step {
    let name = "Written at Clerk".to_owned();
    let step = |state, text: String, at| Step { name: name.clone(), state, text, at, reason: None, link: None };
    if !state.plan.metadata {
        return step(StepState::Off, "not configured: the role is MongoDB's alone".to_owned(), None);
    }
    let attempts = |job: &Job| match (job.attempts, &job.cause) {
        (0, _) => "not tried yet".to_owned(),
        (1, Some(cause)) => format!("tried once: {cause}"),
        (count, cause) => format!("tried {count} times: {}", cause.as_deref().unwrap_or("no cause was kept")),
    };
    match job {
        // The effect is in the outbox, and a job soon.
        None => step(StepState::Waiting, "about to be told".to_owned(), None),
        Some(job) => match job.state {
            JobState::Waiting => step(StepState::Waiting, attempts(job), job.due_at),
            JobState::Done if job.finished_at.is_some_and(|at| at >= given.at) && !user.role_pending => {
                step(StepState::Done, "in the public metadata".to_owned(), job.finished_at)
            }
            JobState::Done => step(StepState::Waiting, "about to be told".to_owned(), None),
            JobState::Dead | JobState::Unsure | JobState::Discarded => {
                step(StepState::Failed, format!("{}; {}", job.state.as_str(), attempts(job)), job.finished_at)
            }
        },
    }
}

/// Clerk tells of every change, of ours too: the first event that says this role.
async fn echo_step(state: &AppState, user: &User, given: &Entry) -> Result<Step, Error> {
    let filter = EventFilter {
        kind: Some("user.updated".to_owned()),
        person: Some(user.clerk_id.clone()),
        since: Some(given.at),
        ..EventFilter::default()
    };
    let page = state.store.events.list_whole(&filter, None, EVENTS_LOOKED_AT).await?;
    let name = "Clerk's event about it".to_owned();
    let says_so = |event: &&Event| role_in(&event.payload).as_deref() == given.after.as_deref();
    let Some(event) = page.rows.iter().rev().find(says_so) else {
        let text = "none has arrived since".to_owned();
        return Ok(Step { name, state: StepState::Waiting, text, at: None, reason: None, link: None });
    };
    Ok(Step {
        name,
        state: StepState::Done,
        text: event.decision.clone().unwrap_or_default(),
        at: Some(event.received_at),
        reason: None,
        link: Some(format!("/admin/sync/events/{}", event.id)),
    })
}

/// What Clerk says of the role of the person whom an event is about.
fn role_in(payload: &str) -> Option<String> {
    let payload: Value = serde_json::from_str(payload).ok()?;
    payload.pointer("/data/public_metadata/role")?.as_str().map(str::to_owned)
}

/// What front ends read of a token is as old as the token.
fn token_step(pushed_at: Timestamp, now: Timestamp) -> Step {
    let by = pushed_at.saturating_add(TOKEN_LIVES).unwrap_or(Timestamp::MAX);
    let (state, text) = if by <= now {
        (StepState::Done, "every session token was renewed since")
    } else {
        (StepState::Waiting, "session tokens live a minute: by then every one is renewed")
    };
    let name = "In the session tokens".to_owned();
    Step { name, state, text: text.to_owned(), at: Some(by), reason: None, link: None }
}
