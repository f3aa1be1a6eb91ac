//! Signing in: by password, by the code a mail would carry, by ticket, and through a forgotten password.
//!
//! A sign-in is kept with its client. The code is that of `sign_up`.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::standin::fapi::Answer;
use crate::standin::fapi::client::{ensure_client, open_session};
use crate::standin::fapi::request::Call;
use crate::standin::fapi::shapes::wrapped;
use crate::standin::fapi::sign_up::{CODE, refuse_second_session};
use crate::standin::ids;
use crate::standin::instance::Instance;
use crate::standin::password::Password;
use crate::standin::refusal::Refusal;
use crate::standin::user::User;
use crate::standin::world::World;

const DAY_MS: i64 = 86_400_000;
const RESET: &str = "reset_password_email_code";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignIn {
    id: String,
    user_id: Option<String>,
    identifier: Option<String>,
    /// The first factor under way, and whether it succeeded.
    strategy: Option<String>,
    verified: bool,
    attempts: u32,
    session_id: Option<String>,
    at: i64,
}

impl SignIn {
    fn status(&self) -> &'static str {
        match self {
            SignIn { session_id: Some(_), .. } => "complete",
            SignIn { user_id: None, .. } => "needs_identifier",
            SignIn { verified: true, .. } => "needs_new_password",
            _ => "needs_first_factor",
        }
    }

    pub fn to_json(&self, instance: &Instance, world: &World) -> Value {
        let user = self.user_id.as_ref().and_then(|id| world.find_user(id));
        let verification = self.strategy.as_ref().map(|strategy| {
            let kind = match strategy.as_str() {
                "password" | "ticket" => format!("verification_{strategy}"),
                _ => "verification_otp".to_owned(),
            };
            let status = if self.verified { "verified" } else { "unverified" };
            json!({ "object": kind, "status": status, "strategy": strategy, "attempts": self.attempts, "expire_at": self.at + 600_000 })
        });
        let user_data = user.map(|user| {
            json!({ "first_name": user.first_name, "last_name": user.last_name, "image_url": user.image_url(&instance.base_url), "has_image": false })
        });
        json!({
            "object": "sign_in_attempt", "id": self.id, "status": self.status(),
            "supported_identifiers": ["email_address", "username"], "supported_first_factors": user.map(factors),
            "supported_second_factors": null, "first_factor_verification": verification, "second_factor_verification": null,
            "identifier": self.identifier, "user_data": user_data, "created_session_id": self.session_id,
            "abandon_at": self.at + DAY_MS,
        })
    }
}

/// The ways this user can prove to be themselves.
fn factors(user: &User) -> Vec<Value> {
    let mut factors = Vec::new();
    if user.password.is_some() {
        factors.push(json!({ "strategy": "password" }));
    }
    for address in &user.email_addresses {
        let primary = Some(&address.id) == user.primary_email_address_id.as_ref();
        for strategy in ["email_code", RESET] {
            factors.push(json!({
                "strategy": strategy, "email_address_id": address.id, "safe_identifier": masked(&address.value), "primary": primary,
            }));
        }
    }
    factors
}

/// `a*****@example.com`.
fn masked(email: &str) -> String {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    let first: String = local.chars().take(1).collect();
    format!("{first}*****@{domain}")
}

pub fn create(instance: &Instance, call: &mut Call) -> Answer {
    let mut world = instance.world();
    refuse_second_session(instance, &world, call)?;
    let mut sign_in = SignIn {
        id: ids::fresh("sia"),
        user_id: None,
        identifier: None,
        strategy: None,
        verified: false,
        attempts: 0,
        session_id: None,
        at: instance.clock.now_ms(),
    };
    if call.field("strategy") == Some("ticket") {
        sign_in.user_id = Some(redeem(instance, &mut world, call.require("ticket")?)?);
        (sign_in.verified, sign_in.strategy) = (true, Some("ticket".to_owned()));
        return complete(instance, &mut world, call, sign_in);
    }
    let Some(identifier) = call.field("identifier") else { return Ok(keep(instance, &mut world, call, sign_in)) };
    let Some(user) = world.find_by_identifier(identifier) else {
        return Err(Refusal::form("identifier", "form_identifier_not_found", "Couldn't find your account."));
    };
    sign_in.user_id = Some(user.id.clone());
    sign_in.identifier = Some(identifier.to_owned());
    if call.field("password").is_some() {
        return try_password(instance, &mut world, call, sign_in);
    }
    Ok(keep(instance, &mut world, call, sign_in))
}

pub fn read(instance: &Instance, call: &Call, id: &str) -> Answer {
    let world = instance.world();
    let shape = current(&world, call, id)?.to_json(instance, &world);
    Ok(wrapped(instance, &world, call, shape))
}

pub fn prepare(instance: &Instance, call: &mut Call, id: &str) -> Answer {
    let mut world = instance.world();
    let mut sign_in = current(&world, call, id)?;
    match call.field("strategy") {
        Some(strategy @ ("email_code" | RESET)) => sign_in.strategy = Some(strategy.to_owned()),
        _ => {
            return Err(Refusal::form(
                "strategy",
                "form_param_value_invalid",
                "This strategy needs no preparation, or is not offered.",
            ));
        }
    }
    Ok(keep(instance, &mut world, call, sign_in))
}

pub fn attempt(instance: &Instance, call: &mut Call, id: &str) -> Answer {
    let mut world = instance.world();
    let mut sign_in = current(&world, call, id)?;
    let strategy = call.field("strategy").unwrap_or("password").to_owned();
    if strategy == "password" {
        return try_password(instance, &mut world, call, sign_in);
    }
    sign_in.attempts += 1;
    if call.require("code")? != CODE {
        ensure_client(instance, &mut world, call).sign_in = Some(sign_in);
        return Err(Refusal::form("code", "form_code_incorrect", "Incorrect code"));
    }
    (sign_in.verified, sign_in.strategy) = (true, Some(strategy.clone()));
    if strategy == RESET {
        if let Some(password) = call.field("password") {
            set_password(instance, &mut world, &sign_in, password)?;
            return complete(instance, &mut world, call, sign_in);
        }
        return Ok(keep(instance, &mut world, call, sign_in));
    }
    complete(instance, &mut world, call, sign_in)
}

pub fn reset_password(instance: &Instance, call: &mut Call, id: &str) -> Answer {
    let mut world = instance.world();
    let sign_in = current(&world, call, id)?;
    if sign_in.status() != "needs_new_password" {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "verification_missing", "The code has to be verified first."));
    }
    set_password(instance, &mut world, &sign_in, call.require("password")?)?;
    complete(instance, &mut world, call, sign_in)
}

fn set_password(instance: &Instance, world: &mut World, sign_in: &SignIn, password: &str) -> Result<(), Refusal> {
    let password = Password::checked(password)?;
    let now = instance.clock.now_ms();
    instance.change_user_in(world, sign_in.user_id.as_deref().unwrap_or_default(), |user| {
        user.password = Some(password);
        user.password_last_updated_at = Some(now);
        Ok(())
    })?;
    Ok(())
}

fn try_password(instance: &Instance, world: &mut World, call: &mut Call, mut sign_in: SignIn) -> Answer {
    let given = call.require("password")?;
    let user = world.get_user(sign_in.user_id.as_deref().unwrap_or_default())?;
    let right = user.password.as_ref().is_some_and(|password| password.matches(given));
    sign_in.strategy = Some("password".to_owned());
    sign_in.attempts += 1;
    if !right {
        ensure_client(instance, world, call).sign_in = Some(sign_in);
        let text = "Password is incorrect. Try again, or use another method.";
        return Err(Refusal::form("password", "form_password_incorrect", text));
    }
    sign_in.verified = true;
    complete(instance, world, call, sign_in)
}

/// The user a ticket stands for; a ticket works once.
fn redeem(instance: &Instance, world: &mut World, text: &str) -> Result<String, Refusal> {
    let invalid = || Refusal::form("ticket", "ticket_invalid_code", "Ticket is invalid.");
    let ticket = world.tickets.get_mut(text).ok_or_else(invalid)?;
    if ticket.status != "pending" {
        return Err(Refusal::form(
            "ticket",
            "sign_in_token_already_used_code",
            "This sign in token has already been used.",
        ));
    }
    if ticket.expires_at <= instance.clock.now_ms() {
        return Err(Refusal::form("ticket", "ticket_expired_code", "Ticket is expired."));
    }
    "accepted".clone_into(&mut ticket.status);
    Ok(ticket.user_id.clone())
}

/// Opens the session, unless the account may not sign in.
fn complete(instance: &Instance, world: &mut World, call: &mut Call, mut sign_in: SignIn) -> Answer {
    let user_id = sign_in.user_id.clone().unwrap_or_default();
    let user = world.get_user(&user_id)?;
    if user.banned {
        let text = "This account has been banned and can no longer sign in.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "user_banned", text));
    }
    if user.locked {
        let text = "Your account is locked. For more information, please contact your administrator.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "user_locked", text)
            .with_meta("lockout_expires_in_seconds", Value::Null));
    }
    let now = instance.clock.now_ms();
    instance.change_user_in(world, &user_id, |user| {
        user.last_sign_in_at = Some(now);
        user.last_active_at = Some(now - now.rem_euclid(DAY_MS));
        Ok(())
    })?;
    let strategy = sign_in.strategy.clone().unwrap_or_default();
    let session = open_session(instance, world, call, &user_id, &strategy);
    sign_in.session_id = Some(session.id);
    ensure_client(instance, world, call).sign_in = None;
    let shape = sign_in.to_json(instance, world);
    Ok(wrapped(instance, world, call, shape))
}

fn keep(instance: &Instance, world: &mut World, call: &mut Call, sign_in: SignIn) -> Value {
    let shape = sign_in.to_json(instance, world);
    ensure_client(instance, world, call).sign_in = Some(sign_in);
    wrapped(instance, world, call, shape)
}

fn current(world: &World, call: &Call, id: &str) -> Result<SignIn, Refusal> {
    let client = call.browser.as_ref().and_then(|key| world.client_of(key));
    let sign_in = client.and_then(|client| client.sign_in.clone()).filter(|sign_in| sign_in.id == id);
    sign_in.ok_or_else(|| Refusal::not_found("sign in"))
}
