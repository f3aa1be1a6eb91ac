//! One person by Clerk's id, looked for together with whoever else is looked for at this moment.

use std::collections::HashMap;
use std::sync::Arc;

use crate::server::store::Error;
use crate::server::store::users::{User, Users};

/// What was found of one person.
#[derive(Clone, Debug, Default)]
pub enum Found {
    #[default]
    Nobody,
    Person(Box<User>),
    /// Somebody else's hand was in the document.
    Unreadable,
}

impl Users {
    /// As `find`.
    pub async fn find_together(&self, clerk_id: &str) -> Result<Option<User>, Arc<Error>> {
        let users = self.clone();
        let found = self.lookups.ask(clerk_id, move |ids| {
            let users = users.clone();
            async move { users.look_up(&ids).await }
        });
        match found.await? {
            Found::Nobody => Ok(None),
            Found::Person(user) => Ok(Some(*user)),
            // Its error is its own.
            Found::Unreadable => Ok(self.find(clerk_id).await?),
        }
    }

    async fn look_up(&self, clerk_ids: &[String]) -> Result<HashMap<String, Found>, Error> {
        let ids: Vec<&str> = clerk_ids.iter().map(String::as_str).collect();
        let found = self.find_many(&ids).await?;
        let people = found.users.into_iter().map(|user| (user.clerk_id.clone(), Found::Person(Box::new(user))));
        Ok(people.chain(found.unreadable.into_iter().map(|id| (id, Found::Unreadable))).collect())
    }
}
