//! What an operator does about one event, with its entry of the audit trail in one transaction.

use jiff::Timestamp;
use mongodb::bson::{Document, doc};

use crate::model::audit::Fact;
use crate::model::event::EventState;
use crate::server::store::Error;
use crate::server::store::encoding::to_date;
use crate::server::store::events::Events;
use crate::server::store::events::outcomes::{becoming, literal};

/// What is decided about an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervention {
    /// As if it had no outcome yet, whatever it was. Somebody else should look at it when it is due.
    Reopen { due_at: Timestamp },
    /// It shall not be tried again, if it waits, failed or was given up.
    Discard { decision: String },
}

impl Events {
    /// Carries it out. `false`: the event is finished already, or not there.
    pub async fn intervene(&self, id: &str, intervention: Intervention, fact: &Fact) -> Result<bool, Error> {
        let mut which = doc! { "_id": id };
        let (state, change) = match intervention {
            Intervention::Reopen { due_at } => (EventState::Received, reopened(due_at)),
            Intervention::Discard { decision } => {
                let open = EventState::ALL.into_iter().filter(|state| state.is_open()).map(EventState::as_str);
                which.insert("state", doc! { "$in": open.collect::<Vec<_>>() });
                (EventState::Discarded, discarded(&decision))
            }
        };
        let fact = Fact { after: Some(state.as_str().to_owned()), ..fact.clone() };
        self.audit.intervene(&self.documents, (which, change.to_vec().into()), fact).await
    }
}

fn reopened(due_at: Timestamp) -> [Document; 2] {
    becoming(EventState::Received, doc! { "dueAt": to_date(due_at) }, &["finishedAt", "cause", "triedAt"])
}

fn discarded(decision: &str) -> [Document; 2] {
    let fields = doc! { "decision": literal(decision), "finishedAt": to_date(Timestamp::now()) };
    becoming(EventState::Discarded, fields, &["dueAt", "cause", "triedAt"])
}
