//! One thread that polls everybody's futures in an order that the seed decides, and moves the clock when nobody can go on.
//!
//! Nothing happens that the seed does not decide, so a run can be repeated exactly. It knows nothing of the engine.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures::future::BoxFuture;
use rand::Rng;

use crate::server::sync::simulation::world::{Shared, Universe, enter};

/// Whose task it is: those of a process die with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    Process(usize),
    Outside,
}

type Ready = Arc<Mutex<Vec<u64>>>;

struct Task {
    owner: Owner,
    future: BoxFuture<'static, ()>,
    waker: Waker,
}

struct Wakes {
    task: u64,
    ready: Ready,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().expect("nobody panics with it");
        if !ready.contains(&self.task) {
            ready.push(self.task);
        }
    }
}

/// Everybody's tasks.
#[derive(Default)]
pub struct Scheduler {
    tasks: BTreeMap<u64, Task>,
    ready: Ready,
    count: u64,
}

impl Scheduler {
    /// Runs until `is_done`, at most to the instant `limit`; answers whether it was done by then.
    pub fn run(&mut self, shared: &Shared, limit: i64, is_done: impl Fn(&Universe) -> bool) -> bool {
        loop {
            self.take_over(shared);
            let Some(task) = self.choose(shared) else {
                let mut universe = enter(shared);
                if is_done(&universe) {
                    return true;
                }
                let Some((at, _)) = universe.timers.first_key_value().map(|(key, _)| *key) else { return false };
                if at > limit {
                    return false;
                }
                universe.now = universe.now.max(at);
                let later = universe.timers.split_off(&(at + 1, 0));
                let due = std::mem::replace(&mut universe.timers, later);
                drop(universe);
                due.into_values().for_each(Waker::wake);
                continue;
            };
            if let Some(found) = self.tasks.get_mut(&task) {
                let waker = found.waker.clone();
                if found.future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    self.tasks.remove(&task);
                }
            }
        }
    }

    fn choose(&self, shared: &Shared) -> Option<u64> {
        let mut ready = self.ready.lock().expect("nobody panics with it");
        if ready.is_empty() {
            return None;
        }
        let place = enter(shared).rng.random_range(0..ready.len());
        Some(ready.remove(place))
    }

    /// Buries the tasks of processes that died, and takes new tasks over.
    fn take_over(&mut self, shared: &Shared) {
        let (dead, born) = {
            let mut universe = enter(shared);
            (std::mem::take(&mut universe.crashes), std::mem::take(&mut universe.spawned))
        };
        for process in dead {
            self.tasks.retain(|_, task| task.owner != Owner::Process(process));
        }
        for (owner, future) in born {
            self.count += 1;
            let waker = Waker::from(Arc::new(Wakes { task: self.count, ready: Arc::clone(&self.ready) }));
            waker.wake_by_ref();
            self.tasks.insert(self.count, Task { owner, future, waker });
        }
    }
}

/// Waits in virtual time.
pub struct Pause {
    shared: Shared,
    until: i64,
}

/// For so many milliseconds.
pub fn pause(shared: &Shared, milliseconds: i64) -> Pause {
    Pause { shared: Arc::clone(shared), until: enter(shared).now + milliseconds }
}

impl Future for Pause {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut universe = enter(&self.shared);
        if universe.now >= self.until {
            return Poll::Ready(());
        }
        universe.wake_at(self.until, context.waker().clone());
        Poll::Pending
    }
}
