//! Everything this Clerk remembers, with the indexes that make 100 000 users bearable.
//!
//! Owns consistency of the indexes and uniqueness of identifiers. Emits nothing and checks no permissions.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::standin::refusal::Refusal;
use crate::standin::session::{Client, Session};
use crate::standin::user::User;

#[derive(Debug, Default)]
pub struct World {
    users: HashMap<String, User>,
    by_created: BTreeSet<(i64, String)>,
    /// `email:…`, `phone:…`, `username:…` and `external:…` to the user who has it.
    owners: HashMap<String, String>,
    pub sessions: HashMap<String, Session>,
    pub clients: HashMap<String, Client>,
    /// Dev-browser token or `__client` cookie to the client, once there is one.
    pub browsers: HashMap<String, Option<String>>,
    pub tickets: HashMap<String, Ticket>,
}

/// A sign-in token made by the Backend API, or a code that a ticket stands for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ticket {
    pub id: String,
    pub user_id: String,
    pub status: String,
    pub expires_at: i64,
    pub created_at: i64,
}

impl World {
    pub fn find_user(&self, id: &str) -> Option<&User> {
        self.users.get(id)
    }

    pub fn get_user(&self, id: &str) -> Result<&User, Refusal> {
        self.users.get(id).ok_or_else(|| Refusal::not_found("user"))
    }

    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// Users from the oldest to the newest.
    pub fn by_age(&self) -> impl DoubleEndedIterator<Item = &User> {
        self.by_created.iter().filter_map(|(_, id)| self.users.get(id))
    }

    /// The users on one side of a cursor, nearest first.
    pub fn beyond<'a>(&'a self, cursor: &User, descending: bool) -> Box<dyn Iterator<Item = &'a User> + 'a> {
        use std::ops::Bound::{Excluded, Unbounded};
        let at = (cursor.created_at, cursor.id.clone());
        if descending {
            Box::new(self.by_created.range(..at).rev().filter_map(|(_, id)| self.users.get(id)))
        } else {
            Box::new(self.by_created.range((Excluded(at), Unbounded)).filter_map(|(_, id)| self.users.get(id)))
        }
    }

    /// Whom an e-mail address, a phone number or a username belongs to.
    pub fn find_by_identifier(&self, identifier: &str) -> Option<&User> {
        let text = identifier.trim().to_lowercase();
        let keys = [
            format!("email:{text}"),
            format!("username:{text}"),
            format!("phone:{}", text.replace([' ', '-', '(', ')'], "")),
        ];
        keys.iter().find_map(|key| self.owners.get(key)).and_then(|id| self.users.get(id))
    }

    pub fn email_is_taken(&self, email: &str) -> bool {
        self.owners.contains_key(&format!("email:{}", email.to_lowercase()))
    }

    pub fn username_is_taken(&self, username: &str) -> bool {
        self.owners.contains_key(&format!("username:{}", username.to_lowercase()))
    }

    /// Inserts or replaces a user, refusing what belongs to another one.
    pub fn put(&mut self, user: User) -> Result<(), Refusal> {
        for (key, param) in claims(&user) {
            if self.owners.get(&key).is_some_and(|owner| *owner != user.id) {
                return Err(taken(param));
            }
        }
        self.forget_indexes(&user.id);
        for (key, _) in claims(&user) {
            self.owners.insert(key, user.id.clone());
        }
        self.by_created.insert((user.created_at, user.id.clone()));
        self.users.insert(user.id.clone(), user);
        Ok(())
    }

    /// Removes a user and every session of theirs.
    pub fn remove(&mut self, id: &str) -> Option<User> {
        self.forget_indexes(id);
        self.sessions.retain(|_, session| session.user_id != id);
        let sessions = &self.sessions;
        for client in self.clients.values_mut() {
            client.sessions.retain(|session| sessions.contains_key(session));
            if client.last_active_session_id.as_ref().is_some_and(|last| !sessions.contains_key(last)) {
                client.last_active_session_id = None;
            }
        }
        self.users.remove(id)
    }

    fn forget_indexes(&mut self, id: &str) {
        let Some(user) = self.users.get(id) else { return };
        self.by_created.remove(&(user.created_at, user.id.clone()));
        for (key, _) in claims(user) {
            self.owners.remove(&key);
        }
    }

    pub fn client_of(&self, browser: &str) -> Option<&Client> {
        self.clients.get(self.browsers.get(browser)?.as_ref()?)
    }

    /// The active sessions of a client, in the order they began.
    pub fn active_sessions(&self, client: &Client, now: i64) -> Vec<&Session> {
        client.sessions.iter().filter_map(|id| self.sessions.get(id)).filter(|session| session.is_active(now)).collect()
    }

    /// The session a browser uses: the last active one if it still lives, otherwise any that does.
    pub fn current_session(&self, client: &Client, now: i64) -> Option<&Session> {
        let active = self.active_sessions(client, now);
        let last = active.iter().find(|session| Some(&session.id) == client.last_active_session_id.as_ref());
        last.or(active.first()).copied()
    }
}

/// The index keys of a user, each with the parameter Clerk blames when it is taken.
fn claims(user: &User) -> Vec<(String, &'static str)> {
    let mut claims = Vec::with_capacity(3);
    for email in &user.email_addresses {
        claims.push((format!("email:{}", email.value), "email_address"));
    }
    for phone in &user.phone_numbers {
        claims.push((format!("phone:{}", phone.value), "phone_number"));
    }
    if let Some(username) = &user.username {
        claims.push((format!("username:{}", username.to_lowercase()), "username"));
    }
    if let Some(external) = &user.external_id {
        claims.push((format!("external:{external}"), "external_id"));
    }
    claims
}

pub fn taken(param: &str) -> Refusal {
    let message = match param {
        "email_address" => "That email address is taken. Please try another.",
        "username" => "That username is taken. Please try another.",
        "phone_number" => "That phone number is taken. Please try another.",
        _ => "That external ID is taken. Please try another.",
    };
    Refusal::form(param, "form_identifier_exists", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: &str, username: &str, created_at: i64) -> User {
        User { id: id.to_owned(), username: Some(username.to_owned()), created_at, ..User::default() }
    }

    #[test]
    fn a_username_belongs_to_one_user_and_is_free_again_after_a_change() {
        let mut world = World::default();
        world.put(named("user_1", "ada", 1)).unwrap();
        let refusal = world.put(named("user_2", "Ada", 2)).unwrap_err();
        assert_eq!(refusal.code, "form_identifier_exists");
        world.put(named("user_1", "eve", 1)).unwrap();
        world.put(named("user_2", "ada", 2)).unwrap();
        assert_eq!(world.find_by_identifier("ADA").unwrap().id, "user_2");
    }

    #[test]
    fn a_removed_user_leaves_no_trace_in_the_indexes() {
        let mut world = World::default();
        world.put(named("user_1", "ada", 1)).unwrap();
        assert!(world.remove("user_1").is_some());
        assert!(world.find_by_identifier("ada").is_none());
        assert_eq!(world.by_age().count(), 0);
    }
}
