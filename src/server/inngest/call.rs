//! A call (F.7): which events it is about, and whom an event of Clerk's names, in each shape seen in the wild (F.9).
//!
//! Read tolerantly: unknown fields are ignored. What an event says of a person beyond their id and version is not even read,
//! because nobody has signed it.

use serde_json::{Map, Value};

/// Longer than the id of any event.
const LONGEST_ID: usize = 512;
/// A payload in a payload in a payload; nobody nests deeper.
const DEEPEST: usize = 4;

/// What a function is called with.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// At least one; several when they were batched. Empty if they must be fetched.
    pub events: Vec<Event>,
    pub run_id: Option<String>,
    /// From zero.
    pub attempt: u64,
    /// The events were too large to be sent along: fetch them by the run.
    pub fetch_by_run: bool,
}

/// One event of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What its sender called it, or an id of Inngest's.
    pub id: Option<String>,
    pub name: String,
    /// When it was sent, in ms since 1970.
    pub sent_at: Option<i64>,
    pub data: Value,
}

/// Whom an event is about. A claim, not a fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The Clerk id.
    pub id: String,
    /// The version, in ms or s since 1970.
    pub updated_at: Option<i64>,
}

/// Why a body is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("the call is not a JSON object")]
    NotAnObject,
    #[error("the call names no event")]
    NoEvent,
    #[error("the call asks to fetch its events and names no run")]
    NoRun,
}

impl Call {
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(body) else { return Err(ParseError::NotAnObject) };
        let context = match fields.remove("ctx") {
            Some(Value::Object(context)) => context,
            _ => Map::new(),
        };
        let is_true = |fields: &Map<String, Value>| fields.get("use_api").and_then(Value::as_bool).unwrap_or(false);
        let fetch_by_run = is_true(&context) || is_true(&fields);
        let run_id = context.get("run_id").and_then(Value::as_str).map(str::to_owned);
        let event = fields.remove("event").and_then(Event::of);
        let batch = fields.remove("events").map(Event::list_of).unwrap_or_default();
        let events = if batch.is_empty() { event.into_iter().collect() } else { batch };
        match (fetch_by_run, &run_id, events.is_empty()) {
            (true, None, _) => Err(ParseError::NoRun),
            (false, _, true) => Err(ParseError::NoEvent),
            _ => {
                let attempt = context.get("attempt").and_then(Value::as_u64).unwrap_or(0);
                Ok(Self { events, run_id, attempt, fetch_by_run })
            }
        }
    }
}

impl Event {
    /// The events in a list.
    pub fn list_of(list: Value) -> Vec<Self> {
        match list {
            Value::Array(events) => events.into_iter().filter_map(Self::of).collect(),
            _ => Vec::new(),
        }
    }

    fn of(value: Value) -> Option<Self> {
        let Value::Object(mut fields) = value else { return None };
        let id = fields.get("id").and_then(Value::as_str);
        let id = id.filter(|id| !id.is_empty() && id.len() <= LONGEST_ID).map(str::to_owned);
        let name = fields.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let sent_at = fields.get("ts").and_then(Value::as_i64);
        Some(Self { id, name, sent_at, data: fields.remove("data").unwrap_or_default() })
    }

    /// The person it is about, wherever they stand: in `data`, in `data.user`, in a whole envelope, or in the raw body of one.
    pub fn person(&self) -> Option<Named> {
        person_in(&self.data, DEEPEST)
    }

    /// Whether it says that the person is gone, in either style of name.
    pub fn is_deletion(&self) -> bool {
        self.name.ends_with("user.deleted")
    }
}

/// Decided by `object` and `id`: an envelope and an e-mail address have ids as well.
fn person_in(value: &Value, depth: usize) -> Option<Named> {
    let fields = value.as_object().filter(|_| depth > 0)?;
    let id = fields.get("id").and_then(Value::as_str).unwrap_or_default();
    let is_person = match fields.get("object").and_then(Value::as_str) {
        Some(object) => object == "user",
        None => id.starts_with("user_"),
    };
    if is_person && !id.is_empty() {
        let updated_at = fields.get("updated_at").and_then(Value::as_i64);
        return Some(Named { id: id.to_owned(), updated_at });
    }
    let mut inner = ["user", "data"].iter().filter_map(|name| fields.get(*name));
    inner.find_map(|inner| person_in(inner, depth - 1)).or_else(|| {
        let raw = fields.get("raw").and_then(Value::as_str)?;
        person_in(&serde_json::from_str(raw).ok()?, depth - 1)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn person(data: Value) -> Option<String> {
        let event = Event { id: None, name: "clerk/user.updated".to_owned(), sent_at: None, data };
        event.person().map(|named| named.id)
    }

    #[test]
    fn f_9_the_person_is_found_in_every_shape_seen_in_the_wild() {
        let user = json!({ "object": "user", "id": "user_1", "email_addresses": [{ "id": "idn_1" }] });
        let envelope = json!({ "object": "event", "type": "user.updated", "data": user, "id": "evt_1" });
        for data in [
            user.clone(),
            json!({ "id": "user_1", "deleted": true }),
            json!({ "id": "user_1", "object": "user", "deleted": true }),
            json!({ "user": user }),
            envelope.clone(),
            json!({ "raw": envelope.to_string(), "headers": {}, "data": envelope }),
            json!({ "raw": envelope.to_string(), "headers": {} }),
            json!({ "raw": user.to_string(), "headers": {}, "data": user }),
        ] {
            assert_eq!(person(data.clone()).as_deref(), Some("user_1"), "{data}");
        }
    }

    #[test]
    fn f_9_what_names_nobody_is_nobody() {
        let deep = json!({ "data": { "data": { "data": { "data": { "id": "user_1", "object": "user" } } } } });
        for data in [
            json!(null),
            json!("user_1"),
            json!({}),
            json!({ "id": 7 }),
            json!({ "id": "" , "object": "user" }),
            json!({ "id": { "$gt": "" }, "object": "user" }),
            json!({ "id": "sess_1" }),
            json!({ "id": "user_1", "object": "session" }),
            json!({ "user": [] }),
            json!({ "raw": "not JSON" }),
            deep,
        ] {
            assert_eq!(person(data.clone()), None, "{data}");
        }
    }

    #[test]
    fn f_7_a_call_is_read_tolerantly() {
        let event =
            json!({ "id": "msg_1", "name": "clerk/user.created", "data": { "id": "user_1" }, "ts": 1, "v": "1" });
        let parse = |body: Value| Call::parse(body.to_string().as_bytes());
        let full = parse(json!({
            "event": event, "events": [event], "steps": {}, "version": 2, "unknown": [1],
            "ctx": { "fn_id": "0", "run_id": "01GQ", "attempt": 3, "stack": { "stack": null, "current": 0 }, "use_api": false },
        }));
        let full = full.expect("a call");
        assert_eq!((full.run_id.as_deref(), full.attempt, full.fetch_by_run), (Some("01GQ"), 3, false));
        assert_eq!((full.events.len(), full.events[0].id.as_deref()), (1, Some("msg_1")));
        let bare = parse(json!({ "event": { "name": "x" }, "ctx": null })).expect("a call");
        assert_eq!((bare.events[0].id.as_deref(), bare.attempt), (None, 0));
        let batch = parse(json!({ "event": event, "events": [event, event] })).expect("a call");
        assert_eq!(batch.events.len(), 2);
        let by_run = parse(json!({ "use_api": true, "ctx": { "run_id": "01GQ" } })).expect("a call");
        assert!(by_run.fetch_by_run && by_run.events.is_empty());
    }

    #[test]
    fn f_7_what_is_no_call_is_refused() {
        for (body, error) in [
            ("", ParseError::NotAnObject),
            ("[]", ParseError::NotAnObject),
            ("{", ParseError::NotAnObject),
            ("{}", ParseError::NoEvent),
            (r#"{"event":1,"events":7}"#, ParseError::NoEvent),
            (r#"{"ctx":{"use_api":true}}"#, ParseError::NoRun),
        ] {
            assert_eq!(Call::parse(body.as_bytes()), Err(error), "{body}");
        }
    }
}
