//! Which effects a change has. Pure: the effects go into the person's outbox with the change itself, and become jobs.
//!
//! Knows no settings but the plan, and not how an effect is carried out (`server::jobs`).

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::model::job::JobKind;
use crate::model::user::SyncSource;
use crate::server::store::jobs::Effect;
use crate::server::store::users::User;
use crate::server::store::users::writes::Guard;
use crate::server::sync::apply::Claims;

/// Whoever joined Clerk longer ago than this is no newcomer, whatever brings them here for the first time: filling an empty
/// mirror must not write to everybody.
const NEWCOMER_FOR: SignedDuration = SignedDuration::from_hours(48);

/// Which effects are configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub metadata: bool,
    pub welcome: bool,
    pub webhook: bool,
}

impl Plan {
    /// Without what others would notice. What brings Clerk's metadata in line stays: it tells nobody anything.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { metadata: self.metadata, ..Self::default() }
    }
}

/// A change that is about to be written: `before` is what is stored, `after` what will be, with its etag.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    pub before: Option<&'a User>,
    pub after: &'a User,
    /// What Clerk holds of ours, if it said so.
    pub claims: Option<&'a Claims>,
    pub guard: &'a Guard,
}

/// The effects of a change, each with a key of its own. An echo of our own push has none for Clerk (D2-37).
pub fn effects_of(step: Step<'_>, plan: Plan, now: Timestamp) -> Vec<Effect> {
    let Step { before, after, claims, guard } = step;
    let is_deleted = after.deleted_at.is_some();
    let mut effects = Vec::new();
    if plan.metadata && !is_deleted && claims != Some(&Claims::wanted(after)) {
        effects.push(metadata_of(after));
    }
    let is_new = *guard == Guard::New && now.duration_since(after.created_at) < NEWCOMER_FOR;
    if plan.welcome && is_new && !is_deleted {
        effects.push(effect(JobKind::Welcome.key(&after.clerk_id), JobKind::Welcome, after, None));
    }
    // What is said of somebody's time after their deletion concerns nobody outside.
    let was_living = before.is_none_or(|before| before.deleted_at.is_none());
    if plan.webhook && was_living && is_visible(before, after) {
        let key = format!("webhook:{}:{}", after.clerk_id, after.etag.as_deref().unwrap_or_default());
        effects.push(effect(key, JobKind::Webhook, after, Some(body(before, after, now))));
    }
    effects
}

/// Whether somebody who reads the document sees a difference; a confirmation only moves the version.
fn is_visible(before: Option<&User>, after: &User) -> bool {
    let Some(before) = before else { return true };
    let mut same = before.clone();
    same.version = after.version;
    same.etag.clone_from(&after.etag);
    same.sync_source = after.sync_source;
    same.last_clerk_sync = after.last_clerk_sync;
    same.updated_at = after.updated_at;
    same.role_pending = after.role_pending;
    same != *after
}

/// The effect that brings a person's id and role into Clerk's metadata.
pub fn metadata_of(user: &User) -> Effect {
    effect(JobKind::Metadata.key(&user.clerk_id), JobKind::Metadata, user, None)
}

fn effect(key: String, kind: JobKind, user: &User, body: Option<String>) -> Effect {
    Effect {
        key,
        kind,
        clerk_id: user.clerk_id.clone(),
        body,
        trace: None,
        events: Vec::new(),
        change: user.etag.clone(),
    }
}

/// What a downstream system is told: the event's type in Clerk's words, and the person as stored.
fn body(before: Option<&User>, after: &User, now: Timestamp) -> String {
    let kind = match (before, after.deleted_at) {
        (_, Some(_)) => "user.deleted",
        (None, None) => "user.created",
        (Some(_), None) => "user.updated",
    };
    let mut data = match after.deleted_at {
        Some(at) => json!({ "id": after.id, "clerkId": after.clerk_id, "deletedAt": at.to_string() }),
        None => json!({
            "id": after.id,
            "clerkId": after.clerk_id,
            "email": after.email,
            "emailVerified": after.email_verified,
            "firstName": after.first_name,
            "lastName": after.last_name,
            "name": after.name,
            "username": after.username,
            "imageUrl": after.image_url,
            "role": after.role.as_str(),
            "banned": after.banned,
            "locked": after.locked,
            "createdAt": after.created_at.to_string(),
            "updatedAt": after.updated_at.to_string(),
        }),
    };
    if after.deleted_at.is_none() && !after.fields.is_empty() {
        data["fields"] = after.fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect();
    }
    json!({ "type": kind, "timestamp": now.to_string(), "source": source(after.sync_source), "data": data }).to_string()
}

/// What brought the change, as one word for machines.
fn source(source: SyncSource) -> serde_json::Value {
    serde_json::to_value(source).unwrap_or_default()
}
