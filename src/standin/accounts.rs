//! What can happen to an account: creation, change, metadata, ban, lock, deletion. Both APIs and the handle come here.
//!
//! Does not know HTTP; takes the published request bodies as JSON.

use serde_json::{Map, Value};

use crate::standin::attributes::{self, Body};
use crate::standin::ids;
use crate::standin::instance::Instance;
use crate::standin::refusal::Refusal;
use crate::standin::session::Status;
use crate::standin::user::{Image, Metadata, User};

const METADATA: [&str; 3] = ["public_metadata", "private_metadata", "unsafe_metadata"];

impl Instance {
    /// `POST /v1/users`.
    pub fn create_user(&self, body: &Value) -> Result<User, Refusal> {
        let body = Body::new(body)?;
        let now = self.clock.now_ms();
        let mut user = User {
            id: ids::fresh("user"),
            delete_self_enabled: true,
            create_organization_enabled: false,
            created_at: now,
            updated_at: now,
            ..User::default()
        };
        attributes::apply_identifiers(&mut user, &body, now)?;
        attributes::apply_profile(&mut user, &body, now)?;
        for name in METADATA {
            if let Some(value) = body.object(name)? {
                metadata_of(&mut user, name).clone_from(value);
            }
        }
        user.banned = body.flag("banned")?.unwrap_or(false);
        user.locked = body.flag("locked")?.unwrap_or(false);
        let anonymous = user.email_addresses.is_empty() && user.phone_numbers.is_empty() && user.username.is_none();
        if anonymous && !body.flag("skip_user_requirement")?.unwrap_or(false) {
            return Err(Refusal::form(
                "email_address",
                "form_data_missing",
                "email_address, phone_number or username must be included.",
            ));
        }
        self.insert_user(user)
    }

    /// Adds a user that is already whole, and tells the webhook.
    pub fn insert_user(&self, user: User) -> Result<User, Refusal> {
        let mut world = self.world();
        world.put(user.clone())?;
        self.emit("user.created", user.to_json(&self.base_url));
        Ok(user)
    }

    /// `PATCH /v1/users/{id}`. Versions before 2026-05-12 also replaced metadata here.
    pub fn update_user(&self, id: &str, body: &Value, takes_metadata: bool) -> Result<User, Refusal> {
        let body = Body::new(body)?;
        body.refuse_unknown(attributes::UPDATABLE, if takes_metadata { &METADATA } else { &[] })?;
        let now = self.clock.now_ms();
        let user = self.change_user(id, |user| {
            attributes::apply_profile(user, &body, now)?;
            attributes::apply_primaries(user, &body)?;
            for name in METADATA {
                if let Some(value) = body.object(name)? {
                    metadata_of(user, name).clone_from(value);
                }
            }
            Ok(())
        })?;
        if body.flag("sign_out_of_other_sessions")?.unwrap_or(false) {
            self.revoke_all(id);
        }
        Ok(user)
    }

    /// `PATCH /v1/users/{id}/metadata`: a deep merge in which null deletes.
    pub fn merge_metadata(&self, id: &str, body: &Value) -> Result<User, Refusal> {
        self.edit_metadata(id, body, merge)
    }

    /// `PUT /v1/users/{id}/metadata`: each supplied object replaces the old one, nulls and all.
    pub fn replace_metadata(&self, id: &str, body: &Value) -> Result<User, Refusal> {
        self.edit_metadata(id, body, Clone::clone_from)
    }

    fn edit_metadata(&self, id: &str, body: &Value, edit: impl Fn(&mut Metadata, &Metadata)) -> Result<User, Refusal> {
        let body = Body::new(body)?;
        body.refuse_unknown(&METADATA, &[])?;
        self.change_user(id, |user| {
            for name in METADATA {
                if let Some(patch) = body.object(name)? {
                    edit(metadata_of(user, name), patch);
                }
            }
            Ok(())
        })
    }

    /// A picture of the user's own in place of the drawn one, or none any more.
    pub fn set_image(&self, id: &str, image: Option<Image>) -> Result<User, Refusal> {
        self.change_user(id, |user| {
            user.image = image;
            Ok(())
        })
    }

    /// A ban also revokes every session of the user.
    pub fn set_banned(&self, id: &str, banned: bool) -> Result<User, Refusal> {
        let user = self.change_user(id, |user| {
            user.banned = banned;
            Ok(())
        })?;
        if banned {
            self.revoke_all(id);
        }
        Ok(user)
    }

    pub fn set_locked(&self, id: &str, locked: bool) -> Result<User, Refusal> {
        self.change_user(id, |user| {
            user.locked = locked;
            Ok(())
        })
    }

    pub fn delete_user(&self, id: &str) -> Result<Value, Refusal> {
        let mut world = self.world();
        let user = world.remove(id).ok_or_else(|| Refusal::not_found("user"))?;
        let deleted = Instance::deleted_object(&user);
        self.emit("user.deleted", deleted.clone());
        Ok(deleted)
    }

    fn revoke_all(&self, user_id: &str) {
        let mut world = self.world();
        let ids: Vec<String> = world
            .sessions
            .values()
            .filter(|session| session.user_id == user_id)
            .map(|session| session.id.clone())
            .collect();
        self.close_sessions(&mut world, &ids, Status::Revoked);
    }
}

fn metadata_of<'a>(user: &'a mut User, name: &str) -> &'a mut Metadata {
    match name {
        "public_metadata" => &mut user.public_metadata,
        "private_metadata" => &mut user.private_metadata,
        _ => &mut user.unsafe_metadata,
    }
}

/// Clerk's deep merge: objects merge, null deletes at any depth, everything else replaces.
pub fn merge(current: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (key, value) in patch {
        match (current.get_mut(key), value) {
            (_, Value::Null) => {
                current.remove(key);
            }
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, Value::Object(new)) => {
                let mut fresh = Map::new();
                merge(&mut fresh, new);
                current.insert(key.clone(), Value::Object(fresh));
            }
            _ => {
                current.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(current: Value, patch: Value) -> Value {
        let (Value::Object(mut current), Value::Object(patch)) = (current, patch) else { panic!("two objects") };
        merge(&mut current, &patch);
        Value::Object(current)
    }

    #[test]
    fn metadata_merges_deeply_and_null_deletes_at_any_depth() {
        let current =
            json!({ "role": "admin", "plan": { "name": "pro", "seats": 3, "old": { "a": 1 } }, "tags": [1, 2] });
        let patch = json!({ "role": null, "plan": { "seats": 4, "old": { "a": null }, "new": { "b": null, "c": 1 } }, "tags": [3] });
        let expected = json!({ "plan": { "name": "pro", "seats": 4, "old": {}, "new": { "c": 1 } }, "tags": [3] });
        assert_eq!(merged(current, patch), expected);
    }

    #[test]
    fn deleting_an_absent_key_changes_nothing() {
        assert_eq!(merged(json!({ "a": 1 }), json!({ "b": null })), json!({ "a": 1 }));
    }
}
