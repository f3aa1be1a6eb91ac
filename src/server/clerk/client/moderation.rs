//! Who may sign in: Clerk's bans and locks.

use http::Method;
use serde_json::json;

use crate::server::clerk::Error;
use crate::server::clerk::client::{Client, checked};
use crate::server::clerk::wire::User;

/// What Clerk is told about whether a person may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moderation {
    /// Ends every session of theirs, and they begin no other.
    Ban,
    Unban,
    /// They begin no new session, as after too many wrong passwords.
    Lock,
    Unlock,
}

impl Client {
    /// Answers with the person as they are then.
    pub async fn moderate_user(&self, id: &str, moderation: Moderation) -> Result<User, Error> {
        let word = match moderation {
            Moderation::Ban => "ban",
            Moderation::Unban => "unban",
            Moderation::Lock => "lock",
            Moderation::Unlock => "unlock",
        };
        self.request(Method::POST, &["users", checked(id)?, word], |call| call.json(&json!({}))).await
    }
}
