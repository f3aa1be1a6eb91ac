//! The signed-in user about themselves: profile, metadata, picture, password, addresses, devices, farewell.
//!
//! The user is that of the session clerk-js names, or of the browser's current one.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::standin::accounts;
use crate::standin::attributes::{self, Body, checked_email};
use crate::standin::fapi::Answer;
use crate::standin::fapi::client::own_session;
use crate::standin::fapi::request::Call;
use crate::standin::fapi::shapes::{session_json, wrapped};
use crate::standin::fapi::sign_up::CODE;
use crate::standin::instance::Instance;
use crate::standin::password::Password;
use crate::standin::refusal::Refusal;
use crate::standin::session::{Session, Status};
use crate::standin::user::{Contact, Image, User};
use crate::standin::world::{World, taken};

pub fn answer(instance: &Instance, call: &mut Call, path: &[&str]) -> Answer {
    let session = signed_in(instance, call)?;
    let user_id = session.user_id.as_str();
    match (call.method.as_str(), path) {
        ("GET", []) => show_user(instance, call, read(instance, user_id)),
        ("PATCH", []) => show_user(instance, call, update(instance, call, user_id)),
        ("DELETE", []) => show(instance, call, farewell(instance, user_id)),
        ("PATCH", ["metadata"]) => show_user(instance, call, merge_metadata(instance, call, user_id)),
        ("POST", ["profile_image"]) => show(instance, call, set_image(instance, call, user_id)),
        ("DELETE", ["profile_image"]) => show(instance, call, remove_image(instance, user_id)),
        ("POST", ["change_password"]) => show_user(instance, call, change_password(instance, call, &session)),
        ("GET", ["sessions"] | ["sessions", "active"]) => Ok(list_sessions(instance, call, user_id)),
        ("POST", ["sessions", id, "revoke"]) => revoke(instance, call, user_id, id),
        (_, ["email_addresses", rest @ ..]) => addresses(instance, call, user_id, rest),
        ("GET", ["organization_memberships" | "organization_invitations" | "organization_suggestions"]) => {
            show(instance, call, Ok(json!({ "data": [], "total_count": 0 })))
        }
        _ => Err(Refusal::not_found("resource")),
    }
}

fn signed_in(instance: &Instance, call: &Call) -> Result<Session, Refusal> {
    let world = instance.world();
    if let Some(id) = call.query.given("_clerk_session_id") {
        return own_session(instance, &world, call, id).cloned();
    }
    let client = call.browser.as_ref().and_then(|key| world.client_of(key)).ok_or_else(Refusal::signed_out)?;
    world.current_session(client, instance.clock.now_ms()).cloned().ok_or_else(Refusal::signed_out)
}

fn show_user(instance: &Instance, call: &Call, user: Result<User, Refusal>) -> Answer {
    show(instance, call, user.map(|user| user.to_browser_json(&instance.base_url)))
}

fn show(instance: &Instance, call: &Call, answer: Answer) -> Answer {
    let answer = answer?;
    Ok(wrapped(instance, &instance.world(), call, answer))
}

/// The deleted object of this API, which names no external id.
fn farewell(instance: &Instance, user_id: &str) -> Answer {
    let deleted = instance.delete_user(user_id)?;
    Ok(json!({ "object": deleted["object"], "id": deleted["id"], "deleted": true }))
}

fn read(instance: &Instance, user_id: &str) -> Result<User, Refusal> {
    instance.world().get_user(user_id).cloned()
}

fn update(instance: &Instance, call: &Call, user_id: &str) -> Result<User, Refusal> {
    if let Some(name) = ["unsafe_metadata", "public_metadata", "private_metadata"]
        .into_iter()
        .find(|name| call.form.get(name).is_some())
    {
        return Err(Refusal::form(
            name,
            "form_param_unknown",
            format!("{name} is not a valid parameter for this request."),
        ));
    }
    let picked = call.form.pick(&[
        "first_name",
        "last_name",
        "username",
        "locale",
        "primary_email_address_id",
        "primary_phone_number_id",
    ]);
    let body = Body::new(&picked)?;
    instance.change_user(user_id, |user| {
        attributes::apply_profile(user, &body, instance.clock.now_ms())?;
        attributes::apply_primaries(user, &body)
    })
}

/// Only the unsafe metadata is the browser's to write.
fn merge_metadata(instance: &Instance, call: &Call, user_id: &str) -> Result<User, Refusal> {
    let patch =
        serde_json::from_str(call.require("unsafe_metadata")?).map_err(|_| Refusal::format("unsafe_metadata"))?;
    instance.change_user(user_id, |user| {
        accounts::merge(&mut user.unsafe_metadata, &patch);
        Ok(())
    })
}

fn set_image(instance: &Instance, call: &Call, user_id: &str) -> Answer {
    let bytes = call.file.as_deref().ok_or_else(|| Refusal::image("file must be included."))?;
    let image = Image::read(bytes)?;
    let id = image.id.clone();
    let user = instance.set_image(user_id, Some(image))?;
    Ok(json!({ "object": "image", "id": id, "public_url": user.image_url(&instance.base_url) }))
}

fn remove_image(instance: &Instance, user_id: &str) -> Answer {
    let image = read(instance, user_id)?.image.ok_or_else(|| Refusal::not_found("image"))?;
    instance.set_image(user_id, None)?;
    Ok(json!({ "object": "image", "id": image.id, "deleted": true }))
}

fn change_password(instance: &Instance, call: &Call, session: &Session) -> Result<User, Refusal> {
    let new = call.require("new_password")?;
    let password = Password::checked(new)?;
    let current = call.field("current_password").unwrap_or_default();
    let user = instance.change_user(&session.user_id, |user| {
        if user.password.as_ref().is_some_and(|old| !old.matches(current)) {
            let text = "Password is incorrect. Try again, or use another method.";
            return Err(Refusal::form("current_password", "form_password_incorrect", text));
        }
        user.password = Some(password);
        user.password_last_updated_at = Some(instance.clock.now_ms());
        Ok(())
    })?;
    if call.field("sign_out_of_other_sessions") == Some("true") {
        let mut world = instance.world();
        let others = world.sessions.values().filter(|other| other.user_id == session.user_id && other.id != session.id);
        let others: Vec<String> = others.map(|other| other.id.clone()).collect();
        instance.close_sessions(&mut world, &others, Status::Revoked);
    }
    Ok(user)
}

/// Unlike everything else of this API, a plain array.
fn list_sessions(instance: &Instance, call: &Call, user_id: &str) -> Value {
    let now = instance.clock.now_ms();
    let world = instance.world();
    let active = world.sessions.values().filter(|session| session.user_id == user_id && session.is_active(now));
    active.map(|session| device_json(instance, &world, call, session)).collect()
}

/// A session as the list of devices shows it: with its activity, and without a token, which is its own browser's.
fn device_json(instance: &Instance, world: &World, call: &Call, session: &Session) -> Value {
    let mut shape = session_json(instance, world, session, &call.page);
    shape["last_active_token"] = Value::Null;
    shape["latest_activity"] = session.activity();
    shape
}

fn revoke(instance: &Instance, call: &Call, user_id: &str, id: &str) -> Answer {
    let mut world = instance.world();
    if world.sessions.get(id).is_none_or(|session| session.user_id != user_id) {
        return Err(Refusal::not_found("session"));
    }
    instance.close_sessions(&mut world, &[id.to_owned()], Status::Revoked);
    let session = world.sessions.get(id).ok_or_else(|| Refusal::not_found("session"))?;
    let session = device_json(instance, &world, call, session);
    Ok(wrapped(instance, &world, call, session))
}

fn addresses(instance: &Instance, call: &Call, user_id: &str, path: &[&str]) -> Answer {
    let now = instance.clock.now_ms();
    match (&call.method, path) {
        (&Method::POST, []) => {
            let email = checked_email(call.require("email_address")?)?;
            if instance.world().email_is_taken(&email) {
                return Err(taken("email_address"));
            }
            let contact = attributes::contact(email, false, "email_code", now);
            let id = contact.id.clone();
            let user = instance.change_user(user_id, |user| {
                user.email_addresses.push(contact);
                Ok(())
            })?;
            show(instance, call, address_json(&user, &id))
        }
        (&Method::GET, [id]) | (&Method::POST, [id, "prepare_verification"]) => {
            let user = read(instance, user_id)?;
            show(instance, call, address_json(&user, id))
        }
        (&Method::POST, [id, "attempt_verification"]) => {
            show(instance, call, verify_address(instance, call, user_id, id))
        }
        (&Method::DELETE, [id]) => show(instance, call, remove_address(instance, user_id, id)),
        _ => Err(Refusal::not_found("resource")),
    }
}

fn address_json(user: &User, id: &str) -> Answer {
    let address = user.email_addresses.iter().find(|address| address.id == id);
    address.map(Contact::to_email_json).ok_or_else(|| Refusal::not_found("email address"))
}

fn verify_address(instance: &Instance, call: &Call, user_id: &str, id: &str) -> Answer {
    if call.require("code")? != CODE {
        return Err(Refusal::form("code", "form_code_incorrect", "Incorrect code"));
    }
    let user = instance.change_user(user_id, |user| {
        let address = user.email_addresses.iter_mut().find(|address| address.id == id);
        address.ok_or_else(|| Refusal::not_found("email address"))?.verified = true;
        Ok(())
    })?;
    address_json(&user, id)
}

fn remove_address(instance: &Instance, user_id: &str, id: &str) -> Answer {
    instance.change_user(user_id, |user| {
        if user.primary_email_address_id.as_deref() == Some(id) {
            let text = "The primary email address cannot be removed.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, "identification_deletion_failed", text));
        }
        user.email_addresses.retain(|address| address.id != id);
        Ok(())
    })?;
    Ok(json!({ "object": "email_address", "id": id, "deleted": true }))
}
