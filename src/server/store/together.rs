//! What many requests ask MongoDB for at once is asked together: whoever waits while a question is on its way is part of the
//! next one. A lone request waits for nobody, and every answer was read after its request came.
//!
//! A find costs MongoDB the same for one person and for fifty; with 64 readers of a page that is a third of the page.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::server::store::Error;

/// Questions of one kind on their way at the same time.
const AT_ONCE: usize = 2;
/// Keys in one question, at most.
const MOST: usize = 100;

/// Questions of one kind, each about one key; whom the answer does not name gets the default.
#[derive(Debug)]
pub struct Together<A> {
    waiting: Mutex<Waiting<A>>,
}

#[derive(Debug)]
struct Waiting<A> {
    askers: Vec<Asker<A>>,
    /// Questions on their way.
    under_way: usize,
}

#[derive(Debug)]
struct Asker<A> {
    key: String,
    answer: oneshot::Sender<Result<A, Arc<Error>>>,
}

/// One of the questions that may be on their way; given back however it ends.
struct Turn<A> {
    of: Arc<Together<A>>,
    is_over: bool,
}

impl<A> Default for Together<A> {
    fn default() -> Self {
        Self { waiting: Mutex::new(Waiting { askers: Vec::new(), under_way: 0 }) }
    }
}

impl<A: Clone + Default + Send + 'static> Together<A> {
    /// What `ask_many` answers about this key.
    pub async fn ask<Asking>(
        self: &Arc<Self>,
        key: &str,
        ask_many: impl Fn(Vec<String>) -> Asking + Send + Sync + 'static,
    ) -> Result<A, Arc<Error>>
    where
        Asking: Future<Output = Result<HashMap<String, A>, Error>> + Send,
    {
        let (answer, answered) = oneshot::channel();
        if let Some(mut turn) = self.turn(Asker { key: key.to_owned(), answer }) {
            // On its own: whoever gives up waiting must not take the others' answers along.
            tokio::spawn(async move {
                while let Some(askers) = turn.next() {
                    let keys = askers.iter().map(|asker| asker.key.clone()).collect();
                    tell(askers, ask_many(keys).await.map_err(Arc::new));
                }
            });
        }
        // Unanswered only while the process ends.
        answered.await.unwrap_or_else(|_| Err(Arc::new(Error::TimedOut)))
    }
}

impl<A> Together<A> {
    fn lock(&self) -> MutexGuard<'_, Waiting<A>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn for the one who asks now, unless enough are under way to come back for them.
    fn turn(self: &Arc<Self>, asker: Asker<A>) -> Option<Turn<A>> {
        let mut waiting = self.lock();
        waiting.askers.push(asker);
        if waiting.under_way >= AT_ONCE {
            return None;
        }
        waiting.under_way += 1;
        Some(Turn { of: Arc::clone(self), is_over: false })
    }
}

impl<A> Turn<A> {
    /// Who is asked about next. When nobody waits the turn is over in the same moment, so that whoever comes then takes
    /// their own.
    fn next(&mut self) -> Option<Vec<Asker<A>>> {
        let mut waiting = self.of.lock();
        if waiting.askers.is_empty() {
            waiting.under_way -= 1;
            self.is_over = true;
            return None;
        }
        let some = waiting.askers.len().min(MOST);
        Some(waiting.askers.drain(..some).collect())
    }
}

impl<A> Drop for Turn<A> {
    fn drop(&mut self) {
        if !self.is_over {
            self.of.lock().under_way -= 1;
        }
    }
}

/// Whoever has given up waiting is not told.
fn tell<A: Clone + Default>(askers: Vec<Asker<A>>, answers: Result<HashMap<String, A>, Arc<Error>>) {
    for Asker { key, answer } in askers {
        let own = answers.as_ref().map(|answers| answers.get(&key).cloned().unwrap_or_default()).map_err(Arc::clone);
        let _ = answer.send(own);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    async fn doubled(keys: Vec<String>) -> HashMap<String, String> {
        tokio::task::yield_now().await;
        keys.into_iter().filter(|key| key != "nobody").map(|key| (key.clone(), format!("{key}{key}"))).collect()
    }

    #[tokio::test]
    async fn each_gets_their_own_answer_of_few_questions() {
        let (together, questions) = (Arc::new(Together::<String>::default()), Arc::new(AtomicUsize::new(0)));
        let asked = (0..500).map(|number| {
            let (together, questions) = (Arc::clone(&together), Arc::clone(&questions));
            async move {
                let key = if number % 7 == 0 { "nobody".to_owned() } else { number.to_string() };
                let answer = together.ask(&key, move |keys| {
                    questions.fetch_add(1, Ordering::Relaxed);
                    async { Ok(doubled(keys).await) }
                });
                let expected = if number % 7 == 0 { String::new() } else { format!("{key}{key}") };
                assert_eq!(answer.await.expect("an answer"), expected);
            }
        });
        futures::future::join_all(asked).await;
        let questions = questions.load(Ordering::Relaxed);
        assert!((1..=10).contains(&questions), "{questions}");
    }

    #[tokio::test]
    async fn who_gives_up_takes_no_answer_along_and_a_failure_is_everybodys() {
        let together = Arc::new(Together::<String>::default());
        let ask = |key: &'static str| together.ask(key, |keys| async { Ok(doubled(keys).await) });
        let mut impatient = Box::pin(ask("a"));
        let _ = futures::poll!(&mut impatient);
        drop(impatient);
        assert_eq!(ask("b").await.expect("an answer"), "bb");
        let failed = together.ask("c", |_| async { Err(Error::TimedOut) }).await;
        assert!(failed.is_err());
        assert_eq!(ask("d").await.expect("an answer"), "dd", "the turn was given back");
    }
}
