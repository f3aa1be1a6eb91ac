//! People looked for by many requests at once: whoever waits while a question is on its way is asked for by the next one,
//! together. A lone request waits for nobody, and every answer was read after its request came.
//!
//! A find costs MongoDB the same for one person and for fifty; with 64 readers this is a third of what a page costs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::server::store::Error;
use crate::server::store::users::{User, Users};

/// Questions on their way at the same time.
const AT_ONCE: usize = 2;
/// People one question is about, at most.
const MOST: usize = 100;

type Answer = Result<Option<Box<User>>, Arc<Error>>;

/// Who waits to be looked for.
#[derive(Debug, Default)]
pub struct Lookups {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    people: Vec<Lookup>,
    /// Questions on their way.
    under_way: usize,
}

#[derive(Debug)]
struct Lookup {
    clerk_id: String,
    answer: oneshot::Sender<Answer>,
}

/// One of the questions that may be on their way; given back however it ends.
struct Turn {
    lookups: Arc<Lookups>,
    is_over: bool,
}

impl Turn {
    /// The next to be asked for. When nobody waits the turn is over in the same moment, so that whoever comes then takes
    /// their own.
    fn next(&mut self) -> Option<Vec<Lookup>> {
        let mut waiting = self.lookups.lock();
        if waiting.people.is_empty() {
            waiting.under_way -= 1;
            self.is_over = true;
            return None;
        }
        let some = waiting.people.len().min(MOST);
        Some(waiting.people.drain(..some).collect())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_over {
            self.lookups.lock().under_way -= 1;
        }
    }
}

impl Lookups {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn for the one who waits now, unless enough are under way to come back for them.
    fn turn(self: &Arc<Self>, lookup: Lookup) -> Option<Turn> {
        let mut waiting = self.lock();
        waiting.people.push(lookup);
        if waiting.under_way >= AT_ONCE {
            return None;
        }
        waiting.under_way += 1;
        Some(Turn { lookups: Arc::clone(self), is_over: false })
    }
}

impl Users {
    /// As `find`, together with whoever else is looked for at this moment.
    pub async fn find_together(&self, clerk_id: &str) -> Result<Option<User>, Arc<Error>> {
        let (answer, answered) = oneshot::channel();
        if let Some(mut turn) = self.lookups.turn(Lookup { clerk_id: clerk_id.to_owned(), answer }) {
            let users = self.clone();
            // On its own: whoever gives up waiting must not take the others' answers along.
            tokio::spawn(async move {
                while let Some(people) = turn.next() {
                    users.answer(people).await;
                }
            });
        }
        match answered.await {
            Ok(answer) => Ok(answer?.map(|user| *user)),
            // The process is ending.
            Err(_) => Ok(self.find(clerk_id).await?),
        }
    }

    async fn answer(&self, people: Vec<Lookup>) {
        let ids: Vec<&str> = people.iter().map(|lookup| lookup.clerk_id.as_str()).collect();
        match self.find_many(&ids).await {
            Ok(found) => {
                let users: HashMap<String, User> =
                    found.users.into_iter().map(|user| (user.clerk_id.clone(), user)).collect();
                for Lookup { clerk_id, answer } in people {
                    let known = users.get(&clerk_id).cloned().map(Box::new);
                    let known = if found.unreadable.contains(&clerk_id) {
                        // Its error is its own.
                        self.find(&clerk_id).await.map(|user| user.map(Box::new)).map_err(Arc::new)
                    } else {
                        Ok(known)
                    };
                    let _ = answer.send(known);
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for lookup in people {
                    let _ = lookup.answer.send(Err(Arc::clone(&error)));
                }
            }
        }
    }
}
