//! The admin API under `/__standin/`: levers, deliveries and users, for browser tests and for developers.
//!
//! Refuses pages of other origins, because any site in a developer's browser can reach a loopback port.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::standin::bapi::json_body;
use crate::standin::instance::Instance;
use crate::standin::refusal::Refusal;
use crate::standin::user::User;

type Clerk = State<Arc<Instance>>;
type Answer = Result<Json<Value>, Refusal>;

pub fn router(instance: Arc<Instance>) -> Router {
    Router::new()
        .route("/__standin/", get(summary))
        .route("/__standin", get(summary))
        .route("/__standin/levers", get(levers).put(set_levers).patch(move_levers))
        .route("/__standin/deliveries", get(deliveries))
        .route("/__standin/deliveries/{id}/resend", post(resend))
        .route("/__standin/replay_missing", post(replay_missing))
        .route("/__standin/users", get(users).post(create_user))
        .route("/__standin/users/{id}", patch(update_user).get(read_user).delete(delete_user))
        .route("/__standin/users/{id}/{action}", post(act))
        .route("/__standin/announce", post(announce))
        .route("/__standin/webhook", axum::routing::put(set_target))
        .route("/__standin/reset", post(reset))
        .layer(middleware::from_fn_with_state(Arc::clone(&instance), guard))
        .with_state(instance)
}

async fn guard(State(instance): Clerk, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).and_then(|value| value.to_str().ok());
    if origin.is_some_and(|origin| origin != instance.base_url && origin != instance.app_origin) {
        return Refusal::new(StatusCode::FORBIDDEN, "origin_invalid", "This page may not use the admin API.")
            .into_response();
    }
    next.run(request).await
}

async fn summary(State(instance): Clerk) -> Json<Value> {
    let deliveries = instance.outbox.deliveries();
    let world = instance.world();
    Json(json!({
        "url": instance.base_url, "app_origin": instance.app_origin, "instance_id": instance.signing.kid,
        "publishable_key": instance.publishable.text, "production": instance.production,
        "users": world.user_count(), "clients": world.clients.len(), "sessions": world.sessions.len(),
        "deliveries": deliveries.len(), "waiting": instance.outbox.waiting(), "levers": instance.levers(),
    }))
}

async fn levers(State(instance): Clerk) -> Json<Value> {
    Json(json!(instance.levers()))
}

/// Replaces all levers: one that is not named returns to rest.
async fn set_levers(State(instance): Clerk, body: Bytes) -> Answer {
    apply(&instance, json_body(&body)?)
}

/// Moves only the named levers.
async fn move_levers(State(instance): Clerk, body: Bytes) -> Answer {
    let mut all = json!(instance.levers());
    if let (Some(all), Value::Object(named)) = (all.as_object_mut(), json_body(&body)?) {
        all.extend(named);
    }
    apply(&instance, all)
}

fn apply(instance: &Instance, levers: Value) -> Answer {
    let levers = serde_json::from_value(levers);
    let levers = levers.map_err(|error| Refusal::form("levers", "form_param_value_invalid", error.to_string()))?;
    instance.set_levers(levers);
    Ok(Json(json!(instance.levers())))
}

async fn deliveries(State(instance): Clerk) -> Json<Value> {
    Json(json!(instance.outbox.deliveries()))
}

async fn resend(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    if instance.outbox.resend(&id) { Ok(Json(json!({ "resent": id }))) } else { Err(Refusal::not_found("delivery")) }
}

async fn replay_missing(State(instance): Clerk) -> Json<Value> {
    Json(json!({ "resent": instance.outbox.replay_missing() }))
}

async fn users(State(instance): Clerk) -> Json<Value> {
    Json(instance.world().by_age().map(|user| user.to_json(&instance.base_url)).collect())
}

async fn read_user(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    show(&instance, instance.world().get_user(&id).cloned())
}

async fn create_user(State(instance): Clerk, body: Bytes) -> Answer {
    show(&instance, instance.create_user(&json_body(&body)?))
}

/// Metadata is taken here too, replacing the old.
async fn update_user(State(instance): Clerk, Path(id): Path<String>, body: Bytes) -> Answer {
    show(&instance, instance.update_user(&id, &json_body(&body)?, true))
}

async fn delete_user(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    instance.delete_user(&id).map(Json)
}

async fn act(State(instance): Clerk, Path((id, action)): Path<(String, String)>) -> Answer {
    let changed = match action.as_str() {
        "ban" => instance.set_banned(&id, true),
        "unban" => instance.set_banned(&id, false),
        "lock" => instance.set_locked(&id, true),
        "unlock" => instance.set_locked(&id, false),
        _ => Err(Refusal::not_found("action")),
    };
    show(&instance, changed)
}

async fn announce(State(instance): Clerk) -> Json<Value> {
    instance.announce();
    Json(json!({ "waiting": instance.outbox.waiting() }))
}

async fn set_target(State(instance): Clerk, body: Bytes) -> Answer {
    let body = json_body(&body)?;
    let url = body.get("url").and_then(Value::as_str).ok_or_else(|| Refusal::missing("url"))?;
    instance.outbox.set_target(url);
    Ok(Json(json!({ "url": url })))
}

/// Back to the seeds, with levers at rest and nothing queued; says so to nobody.
async fn reset(State(instance): Clerk) -> Json<Value> {
    instance.reset();
    Json(json!({ "users": instance.world().user_count() }))
}

fn show(instance: &Instance, user: Result<User, Refusal>) -> Answer {
    user.map(|user| Json(user.to_json(&instance.base_url)))
}
