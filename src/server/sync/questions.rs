//! What only Clerk can settle: asked about, and carried out with its answer.
//!
//! An answer counts only over what it was asked about (`fold`). Knows neither when nor why it is asked.

use std::collections::HashMap;

use futures::StreamExt;

use crate::model::user::SyncSource;
use crate::server::clerk::client::MOST_IDS;
use crate::server::clerk::wire;
use crate::server::error::Error;
use crate::server::sync::apply::Incoming;
use crate::server::sync::attempts::fail;
use crate::server::sync::fold::{Answer, Case};
use crate::server::sync::mapping::from_fetched;
use crate::server::sync::ports::Ports;
use crate::server::sync::process::{Settled, settle};

/// How many questions to Clerk are open at once.
const QUESTIONS_AT_ONCE: usize = 16;

/// A case that only Clerk can settle.
#[derive(Clone, Debug)]
pub struct Question {
    pub case: Case,
    /// The etag of what is stored.
    pub over: Option<String>,
}

/// Asks Clerk about each of these and carries them out with its answer. What fails is put off; what changed meanwhile is
/// left in `asks`, because the answer may be older than that.
///
/// # Errors
/// Only those that concern all of them: MongoDB away.
pub async fn ask_and_settle<P: Ports>(ports: &P, questions: Vec<Question>) -> Result<Settled, Error> {
    let mut listed =
        if questions.len() > QUESTIONS_AT_ONCE { ask_by_list(ports, &questions).await } else { HashMap::new() };
    let answers: Vec<(Question, Result<Incoming, Error>)> = futures::stream::iter(questions)
        .map(|question| (listed.remove(&question.case.clerk_id), question))
        .map(async |(listed, question)| {
            let answer = match listed {
                Some(answer) => Ok(answer),
                // Whoever a list leaves out is asked about alone: nobody is deleted on the strength of a list.
                None => ask(ports, &question.case.clerk_id, SyncSource::Refetch).await,
            };
            (question, answer)
        })
        .buffer_unordered(QUESTIONS_AT_ONCE)
        .collect()
        .await;
    let (mut answered, mut failed) = (Vec::new(), Vec::new());
    for (Question { case, over }, answer) in answers {
        match answer {
            Ok(incoming) => answered.push(Case { answer: Some(Answer { incoming, over }), ..case }),
            Err(error) => {
                error.log("fetch_person");
                failed.push(fail(ports, case, error));
            }
        }
    }
    let mut settled = settle(ports, answered).await?;
    settled.ended.extend(failed);
    Ok(settled)
}

/// What Clerk says about many now, in few calls; for those who are not asked about, or not answered, there is another way.
async fn ask_by_list<P: Ports>(ports: &P, questions: &[Question]) -> HashMap<String, Incoming> {
    let mut answers = HashMap::with_capacity(questions.len());
    for some in questions.chunks(MOST_IDS) {
        let ids: Vec<&str> = some.iter().map(|question| question.case.clerk_id.as_str()).collect();
        match ports.fetch_people(&ids).await {
            Ok(people) => {
                let now = ports.now();
                let said =
                    |user: wire::User| (user.id.clone(), from_fetched(&user, SyncSource::Refetch, now, ports.fields()));
                answers.extend(people.into_iter().map(said));
            }
            Err(error) => {
                error.log("fetch_people");
                break;
            }
        }
    }
    answers
}

/// What Clerk says about a person now; gone there means deleted, if they were ever here.
///
/// # Errors
/// Clerk away, or refusing.
pub async fn ask<P: Ports>(ports: &P, clerk_id: &str, source: SyncSource) -> Result<Incoming, Error> {
    let fetched = ports.fetch_person(clerk_id).await?;
    let now = ports.now();
    Ok(match fetched {
        Some(user) => from_fetched(&user, source, now, ports.fields()),
        None => Incoming::Absent { clerk_id: clerk_id.to_owned(), at: now },
    })
}
