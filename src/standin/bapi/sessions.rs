//! The Backend API of sessions, session tokens, sign-in tokens and testing tokens.
//!
//! Does not know browsers; sessions made here belong to a client nobody holds.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::standin::attributes::Body;
use crate::standin::bapi;
use crate::standin::ids;
use crate::standin::instance::Instance;
use crate::standin::params::Params;
use crate::standin::refusal::Refusal;
use crate::standin::session::{Client, Session, Status};
use crate::standin::token::TokenOptions;
use crate::standin::world::{Ticket, World};

type Clerk = State<Arc<Instance>>;
type Answer = Result<Json<Value>, Refusal>;

pub async fn list(State(instance): Clerk, RawQuery(query): RawQuery) -> Answer {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let (user, client, status) = (params.given("user_id"), params.given("client_id"), params.given("status"));
    if user.is_none() && client.is_none() {
        return Err(Refusal::missing("user_id"));
    }
    let now = instance.clock.now_ms();
    let world = instance.world();
    let mut found: Vec<&Session> = world
        .sessions
        .values()
        .filter(|session| {
            user.is_none_or(|id| session.user_id == id) && client.is_none_or(|id| session.client_id == id)
        })
        .filter(|session| status.is_none_or(|name| session.status_name(now) == name))
        .collect();
    found.sort_by(|left, right| (right.created_at, &right.id).cmp(&(left.created_at, &left.id)));
    let total = found.len();
    let skip = usize::try_from(params.number("offset")?.unwrap_or(0)).map_err(|_| Refusal::format("offset"))?;
    let take = usize::try_from(params.number("limit")?.unwrap_or(10)).map_err(|_| Refusal::format("limit"))?.min(500);
    let page: Vec<Value> = found.into_iter().skip(skip).take(take).map(|session| session.to_json(now)).collect();
    let paginated = params.flag("paginated")?.unwrap_or(false);
    Ok(Json(if paginated { json!({ "data": page, "total_count": total }) } else { json!(page) }))
}

pub async fn read(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    show(&instance, &instance.world(), &id)
}

pub async fn revoke(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    let mut world = instance.world();
    if !world.sessions.contains_key(&id) {
        return Err(Refusal::not_found("session"));
    }
    instance.close_sessions(&mut world, std::slice::from_ref(&id), Status::Revoked);
    show(&instance, &world, &id)
}

/// Refused in production, as at Clerk.
pub async fn create(State(instance): Clerk, body: Bytes) -> Answer {
    if instance.production {
        let text = "Creating sessions is only for testing, in development instances.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "operation_not_allowed_on_production_instance", text));
    }
    let body = bapi::json_body(&body)?;
    let Some(Some(user_id)) = Body::new(&body)?.text("user_id")? else { return Err(Refusal::missing("user_id")) };
    let session = instance.open_detached_session(&user_id)?;
    instance.emit_session("session.created", &instance.world(), &session);
    Ok(Json(session.to_json(instance.clock.now_ms())))
}

pub async fn token(State(instance): Clerk, Path(id): Path<String>, body: Bytes) -> Answer {
    let body = bapi::json_body(&body)?;
    let ttl_s = body.get("expires_in_seconds").and_then(Value::as_i64).unwrap_or(60);
    if !(30..=315_360_000).contains(&ttl_s) {
        return Err(Refusal::format("expires_in_seconds"));
    }
    let world = instance.world();
    let now = instance.clock.now_ms();
    let session = world
        .sessions
        .get(&id)
        .filter(|session| session.is_active(now))
        .ok_or_else(|| Refusal::not_found("session"))?;
    let jwt = instance.mint(session, &TokenOptions { ttl_s, ..TokenOptions::default() });
    Ok(Json(json!({ "object": "token", "jwt": jwt })))
}

/// A new token for one that has run out, against the refresh token that a handshake left with the browser.
pub async fn refresh(State(instance): Clerk, Path(id): Path<String>, RawQuery(query): RawQuery, body: Bytes) -> Answer {
    let body = bapi::json_body(&body)?;
    let given = |name: &str| body.get(name).and_then(Value::as_str).ok_or_else(|| Refusal::missing(name));
    let (expired, refresh_token) = (given("expired_token")?, given("refresh_token")?);
    given("request_origin")?;
    let suffixed = Params::parse(query.unwrap_or_default().as_bytes()).flag("suffixed_cookies")?.unwrap_or(false);
    let refuse = |code| Refusal::new(StatusCode::UNAUTHORIZED, code, "The session cannot be refreshed.");
    let now = instance.clock.now_ms();
    let world = instance.world();
    let session = world.sessions.get(&id).filter(|session| session.is_active(now));
    let session = session.ok_or_else(|| refuse("session_not_active"))?;
    if refresh_token != instance.refresh_token(&session.id) {
        return Err(refuse("invalid_refresh_token"));
    }
    if !instance.signing.has_signed(expired) {
        return Err(refuse("invalid_expired_token"));
    }
    let jwt = instance.mint(session, &TokenOptions::default());
    if body.get("format").and_then(Value::as_str) != Some("cookie") {
        return Ok(Json(json!({ "object": "token", "jwt": jwt })));
    }
    let mut names = vec!["__session".to_owned()];
    if suffixed {
        names.push(format!("__session_{}", instance.publishable.cookie_suffix));
    }
    let cookies: Vec<String> =
        names.iter().map(|name| format!("{name}={jwt}; Path=/; Max-Age=31536000; SameSite=Lax")).collect();
    Ok(Json(json!({ "object": "cookies", "cookies": cookies })))
}

pub async fn testing_token(State(instance): Clerk) -> Json<Value> {
    let now = instance.clock.now_s();
    Json(json!({ "object": "testing_token", "token": format!("{now}-{}", ids::fresh("c")), "expires_at": now + 3_600 }))
}

pub async fn sign_in_token(State(instance): Clerk, body: Bytes) -> Answer {
    let body = bapi::json_body(&body)?;
    let Some(Some(user_id)) = Body::new(&body)?.text("user_id")? else { return Err(Refusal::missing("user_id")) };
    let ttl_s = body.get("expires_in_seconds").and_then(Value::as_i64).unwrap_or(2_592_000);
    if ttl_s < 1 {
        return Err(Refusal::format("expires_in_seconds"));
    }
    let now = instance.clock.now_ms();
    let mut world = instance.world();
    world.get_user(&user_id)?;
    let ticket = Ticket {
        id: ids::fresh("sit"),
        user_id: user_id.clone(),
        status: "pending".to_owned(),
        expires_at: now.saturating_add(ttl_s.saturating_mul(1_000)),
        created_at: now,
    };
    let token = instance.signing.sign(&json!({ "iss": instance.publishable.issuer(), "sid": ticket.id, "st": "sign_in_token", "exp": ticket.expires_at / 1_000 }));
    let answer = json!({
        "object": "sign_in_token", "id": ticket.id, "status": ticket.status, "user_id": user_id, "token": token,
        "url": format!("{}/sign-in?__clerk_ticket={token}", instance.app_origin), "created_at": now, "updated_at": now,
    });
    world.tickets.insert(token, ticket);
    instance.changed.notify_one();
    Ok(Json(answer))
}

impl Instance {
    /// What a handshake leaves with the browser for one session. Unlike a token it says nothing about when.
    pub fn refresh_token(&self, session_id: &str) -> String {
        self.signing.sign(&json!({ "sid": session_id, "st": "refresh_token" }))
    }

    /// A session without a browser, for the Backend API and for tests. Emits nothing.
    pub fn open_detached_session(&self, user_id: &str) -> Result<Session, Refusal> {
        let now = self.clock.now_ms();
        let mut world = self.world();
        world.get_user(user_id)?;
        let mut client = Client::new(now);
        let session = Session::new(user_id, &client.id, "", now);
        client.sessions.push(session.id.clone());
        client.last_active_session_id = Some(session.id.clone());
        world.clients.insert(client.id.clone(), client);
        world.sessions.insert(session.id.clone(), session.clone());
        Ok(session)
    }
}

fn show(instance: &Instance, world: &World, id: &str) -> Answer {
    let session = world.sessions.get(id).ok_or_else(|| Refusal::not_found("session"))?;
    Ok(Json(session.to_json(instance.clock.now_ms())))
}
