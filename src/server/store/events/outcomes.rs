//! One outcome in the place of another: the earlier ones stay with the event, as many of the newest as anybody looks at.

use std::collections::HashMap;

use jiff::Timestamp;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use crate::model::event::EventState;
use crate::server::store::Error;
use crate::server::store::commands::write_each;
use crate::server::store::encoding::{date, to_date};
use crate::server::store::events::{Events, Outcome};

const MOST_EARLIER: i32 = 20;

/// What became of an earlier attempt, or was decided then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    #[serde(with = "date")]
    pub at: Timestamp,
    pub state: EventState,
    #[serde(default)]
    pub decision: Option<String>,
}

impl Events {
    /// Writes what became of attempts at events that are in one of these states.
    pub(super) async fn finish(
        &self,
        outcomes: Vec<(String, Outcome)>,
        from: &[EventState],
        now: Timestamp,
    ) -> Result<(), Error> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let from: Vec<&str> = from.iter().map(|state| state.as_str()).collect();
        // A command that is repeated because its answer was lost finds by this what it did, and counts no attempt twice.
        let record = ObjectId::new();
        let mut alike: HashMap<Outcome, Vec<String>> = HashMap::new();
        for (id, outcome) in outcomes {
            alike.entry(outcome).or_default().push(id);
        }
        let alike: Vec<(Outcome, Vec<String>)> = alike.into_iter().collect();
        let statement = |outcome: &Outcome, ids: &[String]| {
            let which = doc! { "_id": { "$in": ids.to_vec() }, "state": { "$in": &from }, "record": { "$ne": record } };
            doc! { "q": which, "u": attempted(outcome, record, now).to_vec(), "multi": true }
        };
        let statements = alike.iter().map(|(outcome, ids)| statement(outcome, ids)).collect();
        let answer = write_each(&self.documents, "update", statements).await?;
        if answer.refused.is_empty() {
            return Ok(());
        }
        // A statement stops at the event that is refused, before others of its kind: now each has its own.
        let refused = answer.refused.iter().filter_map(|refusal| alike.get(refusal.place));
        let alone = refused.flat_map(|(outcome, ids)| ids.iter().map(move |id| (outcome, id)));
        let statements = alone.map(|(outcome, id)| statement(outcome, std::slice::from_ref(id))).collect();
        write_each(&self.documents, "update", statements).await?.whole()
    }
}

/// After one more attempt.
fn attempted(outcome: &Outcome, record: ObjectId, now: Timestamp) -> [Document; 2] {
    let waited = doc! { "$add": [{ "$ifNull": ["$waits", 0] }, i32::from(outcome.is_wait)] };
    let mut fields = doc! { "attempts": { "$add": ["$attempts", 1] }, "waits": waited, "record": record };
    let mut gone = Vec::new();
    match outcome.cause() {
        Some(cause) => drop(fields.insert("cause", literal(cause))),
        None => gone.push("cause"),
    }
    if let Some(due_at) = outcome.due_at {
        fields.extend(doc! { "dueAt": to_date(due_at), "triedAt": to_date(now) });
        gone.push("finishedAt");
    } else {
        fields.insert("finishedAt", to_date(now));
        gone.extend(["dueAt", "triedAt"]);
    }
    fields.insert("decision", literal(&outcome.decision));
    becoming(outcome.state, fields, &gone)
}

/// An update to this state, with these fields and without those, which keeps the outcome that it replaces. What only waits
/// for its turn has none.
pub(super) fn becoming(state: EventState, mut fields: Document, gone: &[&str]) -> [Document; 2] {
    let at = doc! { "$ifNull": ["$triedAt", "$finishedAt", "$receivedAt"] };
    let outcome = doc! { "at": at, "state": "$state", "decision": "$decision" };
    let all = doc! { "$concatArrays": [{ "$ifNull": ["$earlier", []] }, [outcome]] };
    let kept = doc! { "$slice": [all, -MOST_EARLIER] };
    let had_none = doc! { "$eq": ["$state", EventState::Received.as_str()] };
    fields.insert("earlier", doc! { "$cond": [had_none, "$earlier", kept] });
    fields.insert("state", state.as_str());
    [doc! { "$set": fields }, doc! { "$unset": gone.to_vec() }]
}

/// As it is, though it may look like the name of a field.
pub(super) fn literal(text: &str) -> Document {
    doc! { "$literal": text }
}
