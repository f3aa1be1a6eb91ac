//! What a browser sees: client, session and the `{response, client}` wrapper, after the published Frontend API.
//!
//! Changes nothing.

use serde_json::{Value, json};

use crate::standin::fapi::request::Call;
use crate::standin::fapi::sign_up::SignUp;
use crate::standin::instance::Instance;
use crate::standin::session::{Client, Session};
use crate::standin::token::TokenOptions;
use crate::standin::world::World;

/// An answer with the browser's client riding along.
pub fn wrapped(instance: &Instance, world: &World, call: &Call, response: Value) -> Value {
    let client = call.browser.as_ref().and_then(|key| world.client_of(key));
    json!({ "response": response, "client": client.map(|client| client_json(instance, world, client, &call.page)) })
}

/// A read of the client itself, which carries no second copy.
pub fn bare(response: Value) -> Value {
    json!({ "response": response, "client": null })
}

pub fn client_json(instance: &Instance, world: &World, client: &Client, page: &str) -> Value {
    let now = instance.clock.now_ms();
    let sessions: Vec<Value> = world
        .active_sessions(client, now)
        .into_iter()
        .map(|session| session_json(instance, world, session, page))
        .collect();
    json!({
        "object": "client", "id": client.id, "sessions": sessions,
        "sign_in": client.sign_in.as_ref().map(|sign_in| sign_in.to_json(instance, world)),
        "sign_up": client.sign_up.as_ref().map(SignUp::to_json),
        "last_active_session_id": world.current_session(client, now).map(|session| session.id.clone()),
        "last_authentication_strategy": client.last_authentication_strategy,
        "cookie_expires_at": null, "captcha_bypass": true,
        "created_at": client.created_at, "updated_at": client.updated_at,
    })
}

pub fn session_json(instance: &Instance, world: &World, session: &Session, page: &str) -> Value {
    let now = instance.clock.now_ms();
    let user = world.find_user(&session.user_id);
    let token = session.is_active(now).then(|| instance.mint(session, &TokenOptions::asked_by(page)));
    json!({
        "object": "session", "id": session.id, "status": session.status_name(now),
        "expire_at": session.expire_at(), "abandon_at": session.abandon_at(), "last_active_at": session.last_active_at,
        "last_active_organization_id": null, "actor": null, "tasks": null,
        "last_active_token": token.map(|jwt| json!({ "object": "token", "jwt": jwt })),
        "factor_verification_age": [((now - session.created_at).max(0)) / 60_000, -1],
        "user": user.map(|user| user.to_browser_json(&instance.base_url)),
        "public_user_data": user.map(|user| user.to_public_json(&instance.base_url)),
        "created_at": session.created_at, "updated_at": session.updated_at,
    })
}
