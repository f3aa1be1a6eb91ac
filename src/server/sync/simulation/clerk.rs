//! The model of Clerk: people, what changes about them, and the events it makes of that.
//!
//! It keeps Clerk's promises and no others: a person's `updated_at` never goes back (two changes shortly after one another
//! share it), a username has one living owner, an id is never used again. An answer may lag: it then gives a person as they were,
//! with the `updated_at` of that time, and does not know who joined since. It does not know how events are delivered.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::server::clerk::wire;
use crate::server::sync::simulation::history::{EventTime, Lag, What};

/// When the simulation begins, in milliseconds.
pub const START: i64 = 1_760_000_000_000;

/// How finely Clerk's clock ticks, in milliseconds. A real one ticks every millisecond, and much happens in one; here a call
/// takes a few, so that somebody can ask between two changes of one time.
pub const TICK: i64 = 20;

/// One person at Clerk.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: String,
    pub username: Option<&'static str>,
    pub is_deleted: bool,
    first_name: String,
    banned: bool,
    role: Option<&'static str>,
    mongo_id: Option<String>,
    created_at: i64,
    updated_at: i64,
    event_at: i64,
    /// The instant of the newest change that was not ours: another one shortly after it has the same `updated_at`.
    changed_at: Option<i64>,
    time: EventTime,
}

/// An event as it will be delivered.
#[derive(Clone, Debug)]
pub struct Made {
    pub id: String,
    pub payload: String,
}

#[derive(Debug, Default)]
pub struct Clerk {
    pub members: Vec<Member>,
    /// By how many milliseconds an answer lags, by its number.
    pub lags: BTreeMap<u32, i64>,
    answers: u32,
    /// How often a person was given as they no longer were.
    pub lagged: u32,
    /// As people were before each `updated_at`, and until when; `None`: not there.
    past: Vec<(i64, String, Option<Member>)>,
    events: u32,
}

pub fn clerk_id(person: usize) -> String {
    format!("user_sim{person:06}")
}

/// Everybody has one proven address, for ever.
pub fn email(person: usize) -> String {
    format!("Person{person}@example.com")
}

impl Clerk {
    pub fn lagging(lags: &[Lag]) -> Self {
        Self { lags: lags.iter().map(|lag| (lag.answer, lag.by)).collect(), ..Self::default() }
    }

    /// Somebody does something at Clerk. Nothing comes of it if the person is deleted.
    pub fn change(&mut self, person: usize, what: &What, time: EventTime, is_later: bool, now: i64) -> Option<Made> {
        if *what == What::Other {
            let payload =
                json!({ "type": "session.created", "object": "event", "timestamp": now, "data": { "id": "s" } });
            return Some(self.made(&payload));
        }
        let id = clerk_id(person);
        let is_new = !self.members.iter().any(|member| member.id == id);
        if is_new {
            self.members.push(Member::new(id.clone(), person, time, now));
        }
        let place = self.members.iter().position(|member| member.id == id)?;
        let wish = if let What::Username(name) = what { *name } else { None };
        let is_taken = wish.is_some()
            && self.members.iter().any(|other| other.id != id && !other.is_deleted && other.username == wish);
        let member = &mut self.members[place];
        if member.is_deleted {
            return None;
        }
        let before = member.clone();
        if member.tick(is_later, now) {
            self.past.push((now, id, (!is_new).then_some(before)));
        }
        match what {
            What::Name(name) => member.first_name = format!("Name {name}"),
            What::Username(_) if is_taken => {}
            What::Username(name) => member.username = *name,
            What::Role(role) => member.role = Some(role),
            What::Ban => member.banned = !member.banned,
            What::Delete if !is_new => member.is_deleted = true,
            What::Delete | What::Other => {}
        }
        let kind = match (member.is_deleted, is_new) {
            (true, _) => "user.deleted",
            (false, true) => "user.created",
            (false, false) => "user.updated",
        };
        let payload = member.event(kind);
        Some(self.made(&payload))
    }

    /// Our own push into the public metadata, and the answer to it; no event if that says what is there.
    pub fn merge(&mut self, id: &str, mongo_id: &str, role: &str, now: i64) -> Option<(wire::User, Option<Made>)> {
        let member = self.members.iter_mut().find(|member| member.id == id && !member.is_deleted)?;
        if member.mongo_id.as_deref() == Some(mongo_id) && member.role == Some(role) {
            return Some((self.answer(id)?, None));
        }
        self.past.push((now, id.to_owned(), Some(member.clone())));
        member.mongo_id = Some(mongo_id.to_owned());
        member.role = ROLES.into_iter().find(|known| *known == role);
        member.changed_at = None;
        member.tick(false, now);
        member.changed_at = None;
        let payload = member.event("user.updated");
        Some((self.answer(id)?, Some(self.made(&payload))))
    }

    /// The Backend API's answer.
    pub fn answer(&self, id: &str) -> Option<wire::User> {
        let member = self.members.iter().find(|member| member.id == id && !member.is_deleted)?;
        Some(member.answer())
    }

    /// The same of several, by a copy that may lag. Of somebody who does not say when they changed nobody could know that it does.
    pub fn answer_late(&mut self, ids: &[&str], now: i64) -> Vec<wire::User> {
        self.answers += 1;
        let at = now - self.lags.get(&self.answers).copied().unwrap_or_default();
        let mut answers = Vec::new();
        for id in ids {
            let was = self.past.iter().find(|(until, of, _)| of == id && *until > at).map(|(_, _, was)| was);
            let is_dated = |was: &&Option<Member>| was.as_ref().is_none_or(|was| was.time != EventTime::Undated);
            let was = was.filter(is_dated);
            self.lagged += u32::from(was.is_some());
            answers.extend(was.map_or_else(|| self.answer(id), |was| was.as_ref().map(Member::answer)));
        }
        answers
    }

    fn made(&mut self, payload: &Value) -> Made {
        self.events += 1;
        Made { id: format!("msg_{}", self.events), payload: payload.to_string() }
    }
}

pub const ROLES: [&str; 3] = ["user", "moderator", "admin"];

impl Member {
    fn new(id: String, person: usize, time: EventTime, now: i64) -> Self {
        Self {
            id,
            username: None,
            is_deleted: false,
            first_name: format!("First {person}"),
            banned: false,
            role: None,
            mongo_id: None,
            created_at: now,
            updated_at: now,
            event_at: now,
            changed_at: None,
            time,
        }
    }

    fn person(&self) -> usize {
        self.id.trim_start_matches("user_sim").parse().unwrap_or_default()
    }

    /// The times of a change; whether `updated_at` is another now.
    fn tick(&mut self, is_later: bool, now: i64) -> bool {
        if self.changed_at.is_some_and(|at| now - at < TICK) {
            self.event_at += i64::from(is_later);
            return false;
        }
        self.updated_at = now.max(self.updated_at + 1);
        self.event_at = now.max(self.event_at + 1);
        self.changed_at = Some(now);
        true
    }

    fn answer(&self) -> wire::User {
        serde_json::from_value(self.json()).expect("our own JSON is Clerk's")
    }

    fn event(&self, kind: &str) -> Value {
        let data =
            if self.is_deleted { json!({ "id": self.id, "object": "user", "deleted": true }) } else { self.json() };
        let mut event = json!({ "type": kind, "object": "event", "instance_id": "ins_sim", "data": data });
        match self.time {
            EventTime::Milliseconds => event["timestamp"] = json!(self.event_at),
            EventTime::Seconds => event["timestamp"] = json!(self.event_at / 1_000),
            EventTime::Missing | EventTime::Undated => {}
        }
        event
    }

    fn json(&self) -> Value {
        let mut metadata = Map::new();
        if let Some(id) = &self.mongo_id {
            metadata.insert("userMongoId".to_owned(), json!(id));
        }
        if let Some(role) = self.role {
            metadata.insert("role".to_owned(), json!(role));
            metadata.insert("isAdmin".to_owned(), json!(role == "admin"));
        }
        let address = json!({ "id": "idn_1", "email_address": email(self.person()),
            "verification": { "status": "verified", "strategy": "email_code" } });
        let updated_at = (self.time != EventTime::Undated).then_some(self.updated_at);
        json!({
            "id": self.id, "object": "user", "username": self.username, "first_name": self.first_name,
            "last_name": null, "image_url": null, "primary_email_address_id": "idn_1", "email_addresses": [address],
            "public_metadata": metadata, "banned": self.banned, "locked": false,
            "created_at": self.created_at, "updated_at": updated_at,
        })
    }
}
