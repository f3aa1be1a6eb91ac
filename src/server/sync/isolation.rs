//! What a panic of ours leaves, or a command of many that MongoDB refuses: carried out in ever smaller parts, so that the event
//! that causes it ends by itself and with its cause, and holds up nobody else.
//!
//! For a while only. Does not know when that is (`worker`).

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::model::event::EventState;
use crate::server::error::Error;
use crate::server::sync::attempts::fail;
use crate::server::sync::fold::{Case, end};
use crate::server::sync::ports::Ports;
use crate::server::sync::process::{Ended, Settled, settle};
use crate::server::sync::questions::{Question, ask_and_settle};

/// What became of it, or nothing if it panicked.
pub async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

/// As `settle`, and what fails as a whole again in halves, until it is one event.
///
/// # Errors
/// Only those that concern all of them: MongoDB away, or each refused.
pub async fn settle_apart<P: Ports>(ports: &P, cases: Vec<Case>) -> Result<Settled, Error> {
    let work = |group| settle(ports, group).boxed();
    in_parts(ports, cases, work, |group| halves(group).or_else(halves_of_one), |case| case).await
}

/// As `ask_and_settle`, the same, until it is one question.
///
/// # Errors
/// Only those that concern all of them: MongoDB away, or each refused.
pub async fn ask_apart<P: Ports>(ports: &P, questions: Vec<Question>) -> Result<Settled, Error> {
    let work = |group| ask_and_settle(ports, group).boxed();
    in_parts(ports, questions, work, halves, |question| question.case).await
}

/// `split` makes two of a group, or gives back what cannot be taken apart.
async fn in_parts<'a, P: Ports, T: Clone>(
    ports: &'a P,
    all: Vec<T>,
    work: impl Fn(Vec<T>) -> BoxFuture<'a, Result<Settled, Error>>,
    split: impl Fn(Vec<T>) -> Result<[Vec<T>; 2], Vec<T>>,
    case_of: impl Fn(T) -> Case,
) -> Result<Settled, Error> {
    let mut ends = Ends::default();
    let mut groups = vec![all];
    while let Some(group) = groups.pop() {
        let Some(failed) = ends.take(unless_it_panics(work(group.clone())).await)? else { continue };
        match split(group) {
            Ok([first, second]) => groups.extend([second, first]),
            Err(mut alone) => ends.give_up(alone.pop().map(&case_of), failed),
        }
    }
    ends.whole(ports)
}

/// Both halves in their order; what is one, or nothing, as it is.
fn halves<T>(mut group: Vec<T>) -> Result<[Vec<T>; 2], Vec<T>> {
    if group.len() < 2 {
        return Err(group);
    }
    let second = group.split_off(group.len() / 2);
    Ok([group, second])
}

/// Of one person the first half of what is said, and the second.
fn halves_of_one(group: Vec<Case>) -> Result<[Vec<Case>; 2], Vec<Case>> {
    match <[Case; 1]>::try_from(group) {
        Ok([case]) => match halves(case.said.clone()) {
            Ok(halves) => Ok(halves.map(|said| vec![Case { said, ..case.clone() }])),
            Err(_) => Err(vec![case]),
        },
        Err(group) => Err(group),
    }
}

/// How a group failed as a whole.
enum Failed {
    Panicked,
    Refused(Error),
}

/// What came of them so far.
#[derive(Default)]
struct Ends {
    settled: Settled,
    /// MongoDB refused these by themselves.
    refused: Vec<(Case, Error)>,
    has_written: bool,
}

impl Ends {
    /// `ended` is none of a panic. Answers how it failed, if not for what passes by itself.
    fn take(&mut self, ended: Option<Result<Settled, Error>>) -> Result<Option<Failed>, Error> {
        match ended {
            Some(Ok(ended)) => {
                let mut outcomes = ended.ended.iter().flat_map(|ended| &ended.outcomes);
                self.has_written |= outcomes.any(|outcome| outcome.state == EventState::Applied);
                self.settled.absorb(ended);
                Ok(None)
            }
            Some(Err(error)) if error.is_passing() => Err(error),
            Some(Err(error)) => Ok(Some(Failed::Refused(error))),
            None => Ok(Some(Failed::Panicked)),
        }
    }

    /// What cannot be taken apart any more.
    fn give_up(&mut self, alone: Option<Case>, failed: Failed) {
        match (alone, failed) {
            (None, _) => {}
            (Some(case), Failed::Panicked) => self.settled.ended.push(give_up(case)),
            (Some(case), Failed::Refused(error)) => self.refused.push((case, error)),
        }
    }

    /// Where others were written it is the event's own fault. Where none was it may be MongoDB's, rights taken away say, and no
    /// event is given up for that.
    fn whole<P: Ports>(mut self, ports: &P) -> Result<Settled, Error> {
        if !self.has_written
            && let Some((_, error)) = self.refused.pop()
        {
            return Err(error);
        }
        self.settled.ended.extend(self.refused.into_iter().map(|(case, error)| fail(ports, case, error)));
        Ok(self.settled)
    }
}

fn give_up(case: Case) -> Ended {
    const CAUSE: &str = "a fault of ours: it panicked";
    let outcomes = case.said.iter().map(|_| end(EventState::Dead, CAUSE)).collect();
    tracing::error!(user.id = case.clerk_id, events = case.said.len(), "an event that makes us panic is given up");
    Ended { case, outcomes, user: None, before: None, error: Some(Error::Panicked) }
}
