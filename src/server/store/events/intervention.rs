//! What an operator does about one event, with its entry of the audit trail in one transaction.

use futures::FutureExt;
use jiff::Timestamp;
use mongodb::ClientSession;
use mongodb::bson::{Document, doc};
use mongodb::options::{ReadConcern, ReturnDocument};

use crate::model::audit::Fact;
use crate::model::event::EventState;
use crate::server::store::Error;
use crate::server::store::encoding::to_date;
use crate::server::store::events::{Events, pending};

/// What is decided about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervention {
    /// As if it had no outcome yet, whatever it was. Somebody else should look at it when it is due.
    Reopen { due_at: Timestamp },
    /// It shall not be tried again, if it is not finished yet.
    Discard { decision: String },
}

impl Events {
    /// Carries it out. `false`: the event is finished already, or not there.
    pub async fn intervene(&self, id: &str, intervention: Intervention, fact: &Fact) -> Result<bool, Error> {
        self.audit.ensure_end().await?;
        let context = (self.clone(), id.to_owned(), intervention, fact.clone());
        let mut session = self.documents.client().start_session().await?;
        let is_done = session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .and_run(context, |session, (events, id, intervention, fact)| {
                async move { events.intervene_in(session, id, intervention, fact).await }.boxed()
            })
            .await?;
        Ok(is_done)
    }

    async fn intervene_in(
        &self,
        session: &mut ClientSession,
        id: &str,
        intervention: &Intervention,
        fact: &Fact,
    ) -> mongodb::error::Result<bool> {
        let mut which = doc! { "_id": id };
        let (state, change) = match intervention {
            Intervention::Reopen { due_at } => (EventState::Received, reopened(*due_at)),
            Intervention::Discard { decision } => {
                which.insert("state", doc! { "$in": pending() });
                (EventState::Dead, discarded(decision))
            }
        };
        let changed = self.documents.find_one_and_update(which, change).return_document(ReturnDocument::Before);
        let Some(before) = changed.session(&mut *session).await? else { return Ok(false) };
        let text = |state: EventState| Some(state.as_str().to_owned());
        let fact = Fact { before: text(before.state), after: text(state), ..fact.clone() };
        self.audit.append_in(session, &fact).await?;
        Ok(true)
    }
}

fn reopened(due_at: Timestamp) -> Document {
    doc! {
        "$set": { "state": EventState::Received.as_str(), "dueAt": to_date(due_at) },
        "$unset": { "finishedAt": "" },
    }
}

fn discarded(decision: &str) -> Document {
    doc! {
        "$set": {
            "state": EventState::Dead.as_str(),
            "decision": decision,
            "finishedAt": to_date(Timestamp::now()),
        },
        "$unset": { "dueAt": "" },
    }
}
