//! What a panic of ours leaves, or a command of many that MongoDB refuses: each event carried out alone, so that the one that
//! causes it ends by itself and with its cause, and holds up nobody else.
//!
//! Slow, and for a while only. Does not know when that is (`worker`).

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;

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

/// As `settle`, event by event.
///
/// # Errors
/// Only those that concern all of them: MongoDB away, or each refused.
pub async fn settle_apart<P: Ports>(ports: &P, cases: Vec<Case>) -> Result<Settled, Error> {
    let mut ends = Ends::default();
    for case in cases.into_iter().flat_map(apart) {
        let ended = unless_it_panics(settle(ports, vec![case.clone()])).await;
        ends.take(case, ended)?;
    }
    ends.whole(ports)
}

/// As `ask_and_settle`, question by question.
///
/// # Errors
/// Only those that concern all of them: MongoDB away, or each refused.
pub async fn ask_apart<P: Ports>(ports: &P, questions: Vec<Question>) -> Result<Settled, Error> {
    let mut ends = Ends::default();
    for question in questions {
        let ended = unless_it_panics(ask_and_settle(ports, vec![question.clone()])).await;
        ends.take(question.case, ended)?;
    }
    ends.whole(ports)
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
    /// `ended` is none of a panic.
    fn take(&mut self, case: Case, ended: Option<Result<Settled, Error>>) -> Result<(), Error> {
        match ended {
            Some(Ok(ended)) => {
                let mut outcomes = ended.ended.iter().flat_map(|ended| &ended.outcomes);
                self.has_written |= outcomes.any(|outcome| outcome.state == EventState::Applied);
                self.settled.absorb(ended);
            }
            Some(Err(error)) if error.is_passing() => return Err(error),
            Some(Err(error)) => self.refused.push((case, error)),
            None => self.settled.ended.push(give_up(case)),
        }
        Ok(())
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

fn apart(case: Case) -> impl Iterator<Item = Case> {
    let Case { clerk_id, said, answer, suffix, is_quiet } = case;
    said.into_iter().map(move |said| Case {
        clerk_id: clerk_id.clone(),
        said: vec![said],
        answer: answer.clone(),
        suffix,
        is_quiet,
    })
}

fn give_up(case: Case) -> Ended {
    const CAUSE: &str = "a fault of ours: it panicked";
    let outcomes = case.said.iter().map(|_| end(EventState::Dead, CAUSE)).collect();
    tracing::error!(user.id = case.clerk_id, events = case.said.len(), "an event that makes us panic is given up");
    Ended { case, outcomes, user: None, before: None, error: Some(Error::Panicked) }
}
