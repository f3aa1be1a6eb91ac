//! Signing up with e-mail and password: the attempt, its verification by code, and the user it becomes.
//!
//! The code is always [`CODE`]; no mail is sent. A sign-up is kept with its client.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::standin::attributes::{self, Body, checked_email, checked_username};
use crate::standin::fapi::Answer;
use crate::standin::fapi::client::{ensure_client, open_session};
use crate::standin::fapi::request::Call;
use crate::standin::fapi::shapes::wrapped;
use crate::standin::ids;
use crate::standin::instance::Instance;
use crate::standin::password::Password;
use crate::standin::refusal::Refusal;
use crate::standin::session::Client;
use crate::standin::user::{Metadata, User};
use crate::standin::world::{World, taken};

/// What Clerk's test addresses use.
pub const CODE: &str = "424242";
const DAY_MS: i64 = 86_400_000;
const CODE_LIFE_MS: i64 = 600_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignUp {
    id: String,
    email: Option<String>,
    username: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    locale: Option<String>,
    password: Option<Password>,
    unsafe_metadata: Metadata,
    verified: bool,
    prepared: bool,
    attempts: u32,
    created: Option<Created>,
    at: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Created {
    user_id: String,
    session_id: String,
}

impl SignUp {
    fn new(now: i64) -> SignUp {
        SignUp {
            id: ids::fresh("sua"),
            email: None,
            username: None,
            first_name: None,
            last_name: None,
            locale: None,
            password: None,
            unsafe_metadata: Metadata::new(),
            verified: false,
            prepared: false,
            attempts: 0,
            created: None,
            at: now,
        }
    }

    fn missing(&self) -> Vec<&'static str> {
        let fields = [("email_address", self.email.is_none()), ("password", self.password.is_none())];
        fields.into_iter().filter(|(_, missing)| *missing).map(|(name, _)| name).collect()
    }

    pub fn to_json(&self) -> Value {
        let unverified: &[&str] = if self.verified || self.email.is_none() { &[] } else { &["email_address"] };
        let next_action = match (self.verified, self.prepared) {
            (true, _) => "",
            (false, true) => "needs_attempt",
            (false, false) => "needs_prepare",
        };
        let status = if self.verified { "verified" } else { "unverified" };
        let verification = self.email.as_ref().map(|_| {
            json!({
                "object": "verification_otp", "status": status, "strategy": "email_code", "attempts": self.attempts,
                "expire_at": self.at + CODE_LIFE_MS, "next_action": next_action, "supported_strategies": ["email_code"],
            })
        });
        json!({
            "object": "sign_up_attempt", "id": self.id,
            "status": if self.created.is_some() { "complete" } else { "missing_requirements" },
            "required_fields": ["email_address", "password"], "optional_fields": ["first_name", "last_name", "username"],
            "missing_fields": self.missing(), "unverified_fields": unverified,
            "verifications": { "email_address": verification, "phone_number": null, "web3_wallet": null, "external_account": null },
            "username": self.username, "email_address": self.email, "phone_number": null, "web3_wallet": null,
            "password_enabled": self.password.is_some(), "first_name": self.first_name, "last_name": self.last_name,
            "unsafe_metadata": self.unsafe_metadata, "public_metadata": {}, "custom_action": false, "external_id": null,
            "created_session_id": self.created.as_ref().map(|created| created.session_id.clone()),
            "created_user_id": self.created.as_ref().map(|created| created.user_id.clone()),
            "abandon_at": self.at + DAY_MS, "legal_accepted_at": null, "locale": self.locale,
        })
    }

    fn into_user(self, now: i64) -> User {
        let address = attributes::contact(self.email.unwrap_or_default(), true, "email_code", now);
        User {
            id: ids::fresh("user"),
            username: self.username,
            first_name: self.first_name,
            last_name: self.last_name,
            locale: self.locale,
            password: self.password,
            password_last_updated_at: Some(now),
            primary_email_address_id: Some(address.id.clone()),
            email_addresses: vec![address],
            unsafe_metadata: self.unsafe_metadata,
            delete_self_enabled: true,
            last_sign_in_at: Some(now),
            last_active_at: Some(now - now.rem_euclid(DAY_MS)),
            created_at: now,
            updated_at: now,
            ..User::default()
        }
    }
}

pub fn create(instance: &Instance, call: &mut Call) -> Answer {
    let now = instance.clock.now_ms();
    let mut world = instance.world();
    refuse_second_session(instance, &world, call)?;
    let mut sign_up = SignUp::new(now);
    fill(&mut sign_up, &world, call)?;
    finish(instance, &mut world, call, sign_up)
}

/// In single-session mode, whoever is signed in must sign out first.
pub fn refuse_second_session(instance: &Instance, world: &World, call: &Call) -> Result<(), Refusal> {
    let client = call.browser.as_ref().and_then(|key| world.client_of(key));
    if client.and_then(|client| world.current_session(client, instance.clock.now_ms())).is_some() {
        let text = "You're currently in single session mode. You can only be signed into one account at a time.";
        return Err(Refusal::new(http::StatusCode::BAD_REQUEST, "session_exists", "Session already exists")
            .with_long_message(text));
    }
    Ok(())
}

pub fn read(instance: &Instance, call: &Call, id: &str) -> Answer {
    let world = instance.world();
    let sign_up = current(&world, call, id)?.to_json();
    Ok(wrapped(instance, &world, call, sign_up))
}

pub fn update(instance: &Instance, call: &mut Call, id: &str) -> Answer {
    let mut world = instance.world();
    let mut sign_up = current(&world, call, id)?;
    fill(&mut sign_up, &world, call)?;
    finish(instance, &mut world, call, sign_up)
}

pub fn prepare(instance: &Instance, call: &mut Call, id: &str) -> Answer {
    let mut world = instance.world();
    let mut sign_up = current(&world, call, id)?;
    if call.field("strategy").is_some_and(|strategy| strategy != "email_code") {
        return Err(Refusal::form("strategy", "form_param_value_invalid", "Only email_code can verify here."));
    }
    sign_up.prepared = true;
    finish(instance, &mut world, call, sign_up)
}

pub fn attempt(instance: &Instance, call: &mut Call, id: &str) -> Answer {
    let mut world = instance.world();
    let mut sign_up = current(&world, call, id)?;
    sign_up.attempts += 1;
    if call.require("code")? != CODE {
        ensure_client(instance, &mut world, call).sign_up = Some(sign_up);
        return Err(Refusal::form("code", "form_code_incorrect", "Incorrect code"));
    }
    sign_up.verified = true;
    finish(instance, &mut world, call, sign_up)
}

fn current(world: &World, call: &Call, id: &str) -> Result<SignUp, Refusal> {
    let client: Option<&Client> = call.browser.as_ref().and_then(|key| world.client_of(key));
    let sign_up = client.and_then(|client| client.sign_up.clone()).filter(|sign_up| sign_up.id == id);
    sign_up.ok_or_else(|| Refusal::not_found("sign up"))
}

/// Takes over what the form holds; an address that changes has to be verified again.
fn fill(sign_up: &mut SignUp, world: &World, call: &Call) -> Result<(), Refusal> {
    if let Some(email) = call.field("email_address") {
        let email = checked_email(email)?;
        if world.email_is_taken(&email) {
            return Err(taken("email_address"));
        }
        if sign_up.email.as_ref() != Some(&email) {
            (sign_up.verified, sign_up.prepared) = (false, false);
        }
        sign_up.email = Some(email);
    }
    if let Some(username) = call.field("username") {
        let username = checked_username(username)?;
        if world.username_is_taken(&username) {
            return Err(taken("username"));
        }
        sign_up.username = Some(username);
    }
    if let Some(password) = call.field("password") {
        sign_up.password = Some(Password::checked(password)?);
    }
    if let Some(Ok(metadata)) = call.field("unsafe_metadata").map(serde_json::from_str) {
        sign_up.unsafe_metadata = metadata;
    }
    let mut names = User {
        first_name: sign_up.first_name.take(),
        last_name: sign_up.last_name.take(),
        locale: sign_up.locale.take(),
        ..User::default()
    };
    attributes::apply_profile(
        &mut names,
        &Body::new(&call.form.pick(&["first_name", "last_name", "locale"]))?,
        sign_up.at,
    )?;
    (sign_up.first_name, sign_up.last_name, sign_up.locale) = (names.first_name, names.last_name, names.locale);
    Ok(())
}

/// Keeps the attempt, or turns it into a user with a session once nothing is missing.
fn finish(instance: &Instance, world: &mut World, call: &mut Call, mut sign_up: SignUp) -> Answer {
    if !sign_up.verified || !sign_up.missing().is_empty() {
        let shape = sign_up.to_json();
        ensure_client(instance, world, call).sign_up = Some(sign_up);
        return Ok(wrapped(instance, world, call, shape));
    }
    let user = sign_up.clone().into_user(instance.clock.now_ms());
    world.put(user.clone())?;
    instance.emit("user.created", user.to_json(&instance.base_url));
    let session = open_session(instance, world, call, &user.id, "email_code");
    sign_up.created = Some(Created { user_id: user.id, session_id: session.id });
    ensure_client(instance, world, call).sign_up = None;
    Ok(wrapped(instance, world, call, sign_up.to_json()))
}
