//! The running instance: what every API of this Clerk shares, and the one way to change a user.
//!
//! Invariant: a change and its webhook happen under the same lock, so webhooks are queued in the order of the changes.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::standin::clock::Clock;
use crate::standin::ids;
use crate::standin::keys::{Publishable, SigningKey};
use crate::standin::levers::Levers;
use crate::standin::refusal::Refusal;
use crate::standin::session::{Session, Status};
use crate::standin::user::User;
use crate::standin::webhooks::Outbox;
use crate::standin::world::World;

pub struct Instance {
    pub base_url: String,
    pub app_origin: String,
    pub production: bool,
    pub rate_limits: bool,
    pub seed_users: usize,
    pub clerk_js_dir: Option<PathBuf>,
    pub secret_key: String,
    pub publishable: Publishable,
    pub signing: SigningKey,
    pub clock: Clock,
    pub outbox: Outbox,
    /// Says that the state file is out of date.
    pub changed: Notify,
    /// Requests to the Backend API so far, refused ones included.
    pub backend_calls: AtomicU64,
    /// Those of them that were above a limit.
    pub limited_calls: AtomicU64,
    pub requests: Mutex<std::collections::HashMap<String, VecDeque<Instant>>>,
    pub world: Mutex<World>,
    pub levers: RwLock<Levers>,
}

impl Instance {
    /// A panic elsewhere must not take the whole stand-in down, so poisoning is ignored.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn levers(&self) -> Levers {
        self.levers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_levers(&self, levers: Levers) {
        self.clock.set_offset_ms(levers.clock_offset_ms);
        self.outbox.obey(levers.clone());
        *self.levers.write().unwrap_or_else(PoisonError::into_inner) = levers;
    }

    /// Changes one user: `updated_at` grows, identifiers stay unique, `user.updated` goes out.
    pub fn change_user(&self, id: &str, edit: impl FnOnce(&mut User) -> Result<(), Refusal>) -> Result<User, Refusal> {
        let mut world = self.world();
        self.change_user_in(&mut world, id, edit)
    }

    pub fn change_user_in(
        &self,
        world: &mut World,
        id: &str,
        edit: impl FnOnce(&mut User) -> Result<(), Refusal>,
    ) -> Result<User, Refusal> {
        let mut user = world.get_user(id)?.clone();
        edit(&mut user)?;
        user.updated_at = self.clock.now_ms().max(user.updated_at + 1);
        world.put(user.clone())?;
        self.emit("user.updated", user.to_json(&self.base_url));
        Ok(user)
    }

    /// Ends sessions in one of Clerk's ways and tells the webhook of each.
    pub fn close_sessions(&self, world: &mut World, ids: &[String], status: Status) {
        let now = self.clock.now_ms();
        for id in ids {
            let Some(session) = world.sessions.get_mut(id).filter(|session| session.is_active(now)) else { continue };
            session.status = status;
            session.updated_at = now;
            let session = session.clone();
            if let Some(client) = world.clients.get_mut(&session.client_id) {
                client.updated_at = now.max(client.updated_at + 1);
                if client.last_active_session_id.as_ref() == Some(id) {
                    client.last_active_session_id = None;
                }
            }
            self.emit_session(&format!("session.{}", status.name()), world, &session);
        }
        self.changed.notify_one();
    }

    pub fn emit_session(&self, kind: &str, world: &World, session: &Session) {
        let mut data = session.to_json(self.clock.now_ms());
        // Webhooks have a version of their own, which knows no tasks.
        data.as_object_mut().and_then(|fields| fields.remove("tasks"));
        data["user"] = world.find_user(&session.user_id).map_or(Value::Null, |user| user.to_json(&self.base_url));
        self.emit(kind, data);
    }

    pub fn emit(&self, kind: &str, data: Value) {
        self.emit_as(&ids::fresh("msg"), kind, data);
    }

    pub fn emit_as(&self, svix_id: &str, kind: &str, data: Value) {
        let user_id = data.get("user_id").or(data.get("id")).and_then(Value::as_str).unwrap_or_default().to_owned();
        let event = json!({
            "object": "event", "type": kind, "data": data, "timestamp": self.clock.now_ms(),
            "instance_id": self.signing.kid,
            "event_attributes": { "http_request": { "client_ip": "127.0.0.1", "user_agent": "" } },
        });
        self.outbox.push(svix_id, kind, &user_id, event.to_string());
        self.changed.notify_one();
    }

    /// `user.created` for everyone, under message ids that are always the same, for an app that starts after the fact.
    pub fn announce(&self) {
        let world = self.world();
        for user in world.by_age() {
            self.emit_as(&format!("msg_seed_{}", user.id), "user.created", user.to_json(&self.base_url));
        }
    }

    pub fn deleted_object(user: &User) -> Value {
        let mut deleted = json!({ "object": "user", "id": user.id, "deleted": true });
        if let Some(external_id) = &user.external_id {
            deleted["external_id"] = json!(external_id);
        }
        deleted
    }
}
