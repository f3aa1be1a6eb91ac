//! The browser and its sessions: introduction, reading, touching, tokens, signing out, production cookies.
//!
//! Does not sign anybody in; `sign_in` and `sign_up` do, through [`open_session`].

use axum::http::{HeaderMap, HeaderValue, header};
use serde_json::{Value, json};

use crate::standin::fapi::Answer;
use crate::standin::fapi::request::Call;
use crate::standin::fapi::shapes::{bare, client_json, session_json, wrapped};
use crate::standin::ids;
use crate::standin::instance::Instance;
use crate::standin::refusal::Refusal;
use crate::standin::session::{Client, Session, Status};
use crate::standin::token::TokenOptions;
use crate::standin::world::World;

const YEAR_S: u32 = 31_536_000;

pub fn create_browser(instance: &Instance) -> Value {
    let key = new_browser(&mut instance.world());
    instance.changed.notify_one();
    json!({ "object": "dev_browser", "id": key, "token": key })
}

pub fn new_browser(world: &mut World) -> String {
    let key = ids::fresh("dvb");
    world.browsers.insert(key.clone(), None);
    key
}

pub fn read(instance: &Instance, call: &Call) -> Value {
    let world = instance.world();
    let client = call.browser.as_ref().and_then(|key| world.client_of(key));
    bare(client.map_or(Value::Null, |client| client_json(instance, &world, client, &call.page)))
}

pub fn create(instance: &Instance, call: &mut Call) -> Value {
    let mut world = instance.world();
    ensure_client(instance, &mut world, call);
    let client = call.browser.as_ref().and_then(|key| world.client_of(key));
    bare(client.map_or(Value::Null, |client| client_json(instance, &world, client, &call.page)))
}

/// The client of this browser, made now if there was none; in production the browser gets its cookie with it.
pub fn ensure_client<'a>(instance: &Instance, world: &'a mut World, call: &mut Call) -> &'a mut Client {
    let key = call.browser.get_or_insert_with(|| ids::fresh("ck")).clone();
    let id = world.browsers.get(&key).cloned().flatten().filter(|id| world.clients.contains_key(id));
    let id = id.unwrap_or_else(|| {
        let client = Client::new(instance.clock.now_ms());
        let id = client.id.clone();
        world.clients.insert(id.clone(), client);
        world.browsers.insert(key, Some(id.clone()));
        id
    });
    instance.changed.notify_one();
    world.clients.entry(id).or_insert_with(|| Client::new(0))
}

/// Signs a user in on this browser. As in Clerk's default, one session at a time.
pub fn open_session(instance: &Instance, world: &mut World, call: &mut Call, user_id: &str, strategy: &str) -> Session {
    let now = instance.clock.now_ms();
    let old = ensure_client(instance, world, call).sessions.clone();
    instance.close_sessions(world, &old, Status::Removed);
    let user_agent = call.user_agent.clone();
    let client = ensure_client(instance, world, call);
    let session = Session::new(user_id, &client.id, &user_agent, now);
    client.sessions = vec![session.id.clone()];
    client.last_active_session_id = Some(session.id.clone());
    client.last_authentication_strategy = Some(strategy.to_owned());
    client.updated_at = now;
    world.sessions.insert(session.id.clone(), session.clone());
    instance.emit_session("session.created", world, &session);
    session
}

pub fn remove_sessions(instance: &Instance, call: &mut Call) -> Value {
    let mut world = instance.world();
    let sessions = ensure_client(instance, &mut world, call).sessions.clone();
    instance.close_sessions(&mut world, &sessions, Status::Removed);
    let client = call.browser.as_ref().and_then(|key| world.client_of(key));
    bare(client.map_or(Value::Null, |client| client_json(instance, &world, client, &call.page)))
}

pub fn read_session(instance: &Instance, call: &Call, id: &str) -> Answer {
    let world = instance.world();
    let session = own_session(instance, &world, call, id)?;
    Ok(wrapped(instance, &world, call, session_json(instance, &world, session, &call.page)))
}

pub fn touch(instance: &Instance, call: &Call, id: &str) -> Answer {
    let now = instance.clock.now_ms();
    let mut world = instance.world();
    let client_id = own_session(instance, &world, call, id)?.client_id.clone();
    if let Some(session) = world.sessions.get_mut(id) {
        session.last_active_at = now;
    }
    if let Some(client) = world.clients.get_mut(&client_id) {
        client.last_active_session_id = Some(id.to_owned());
    }
    instance.changed.notify_one();
    let session = own_session(instance, &world, call, id)?;
    Ok(wrapped(instance, &world, call, session_json(instance, &world, session, &call.page)))
}

/// The one answer of this API that is not wrapped.
pub fn token(instance: &Instance, call: &Call, id: &str) -> Answer {
    let world = instance.world();
    let session = own_session(instance, &world, call, id)?;
    Ok(json!({ "object": "token", "jwt": instance.mint(session, &TokenOptions::asked_by(&call.page)) }))
}

pub fn close(instance: &Instance, call: &Call, id: &str, action: &str) -> Answer {
    let status = if action == "end" { Status::Ended } else { Status::Removed };
    let mut world = instance.world();
    own_session(instance, &world, call, id)?;
    instance.close_sessions(&mut world, &[id.to_owned()], status);
    let session = world.sessions.get(id).ok_or_else(|| Refusal::not_found("session"))?;
    Ok(wrapped(instance, &world, call, session_json(instance, &world, session, &call.page)))
}

/// An active session of this very browser.
pub fn own_session<'a>(instance: &Instance, world: &'a World, call: &Call, id: &str) -> Result<&'a Session, Refusal> {
    let client = call.browser.as_ref().and_then(|key| world.client_of(key)).ok_or_else(Refusal::signed_out)?;
    let session = world.sessions.get(id).filter(|session| session.client_id == client.id);
    session.filter(|session| session.is_active(instance.clock.now_ms())).ok_or_else(Refusal::signed_out)
}

/// The second of the last sign-in or sign-out; 0 while nobody is signed in.
pub fn signed_in_since(instance: &Instance, world: &World, client: Option<&Client>) -> i64 {
    let now = instance.clock.now_ms();
    client
        .filter(|client| world.current_session(client, now).is_some())
        .map_or(0, |client| client.updated_at.div_euclid(1000))
}

/// The cookies by which a production instance knows its browsers.
pub fn set_cookies(instance: &Instance, call: &Call, headers: &mut HeaderMap) {
    let world = instance.world();
    let Some(key) = &call.browser else { return };
    let Some(client) = world.client_of(key) else { return };
    let since = signed_in_since(instance, &world, Some(client));
    let suffix = &instance.publishable.cookie_suffix;
    for cookie in [
        format!("__client={key}; Path=/; Max-Age={YEAR_S}; HttpOnly; SameSite=Lax"),
        format!("__client_uat={since}; Path=/; Max-Age={YEAR_S}; SameSite=Lax"),
        format!("__client_uat_{suffix}={since}; Path=/; Max-Age={YEAR_S}; SameSite=Lax"),
    ] {
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            headers.append(header::SET_COOKIE, value);
        }
    }
}
