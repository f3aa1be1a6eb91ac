//! The Backend API of one user: read, create, change, ban, lock, delete.
//!
//! Thin: the rules are in `accounts`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use serde_json::Value;

use crate::standin::attributes::Body;
use crate::standin::bapi;
use crate::standin::instance::Instance;
use crate::standin::refusal::Refusal;
use crate::standin::user::User;

type Clerk = State<Arc<Instance>>;
type Answer = Result<Json<Value>, Refusal>;

pub async fn read(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    show(&instance, instance.world().get_user(&id).cloned())
}

pub async fn create(State(instance): Clerk, body: Bytes) -> Answer {
    show(&instance, instance.create_user(&bapi::json_body(&body)?))
}

pub async fn update(
    State(instance): Clerk,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let takes_metadata = bapi::version(&uri, &headers)? < bapi::LATEST;
    show(&instance, instance.update_user(&id, &bapi::json_body(&body)?, takes_metadata))
}

pub async fn delete(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    instance.delete_user(&id).map(Json)
}

pub async fn merge_metadata(State(instance): Clerk, Path(id): Path<String>, body: Bytes) -> Answer {
    show(&instance, instance.merge_metadata(&id, &bapi::json_body(&body)?))
}

pub async fn replace_metadata(State(instance): Clerk, Path(id): Path<String>, body: Bytes) -> Answer {
    show(&instance, instance.replace_metadata(&id, &bapi::json_body(&body)?))
}

pub async fn ban(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    show(&instance, instance.set_banned(&id, true))
}

pub async fn unban(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    show(&instance, instance.set_banned(&id, false))
}

pub async fn lock(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    show(&instance, instance.set_locked(&id, true))
}

pub async fn unlock(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    show(&instance, instance.set_locked(&id, false))
}

pub async fn ban_many(State(instance): Clerk, body: Bytes) -> Answer {
    set_banned_many(&instance, &body, true)
}

pub async fn unban_many(State(instance): Clerk, body: Bytes) -> Answer {
    set_banned_many(&instance, &body, false)
}

fn set_banned_many(instance: &Instance, body: &Bytes, banned: bool) -> Answer {
    let body = bapi::json_body(body)?;
    let ids = Body::new(&body)?.texts("user_ids")?;
    if !(1..=50).contains(&ids.len()) {
        return Err(Refusal::form("user_ids", "form_param_value_invalid", "user_ids must hold between 1 and 50 ids."));
    }
    // All or nothing: one unknown id refuses the whole call.
    for id in &ids {
        instance.world().get_user(id)?;
    }
    let users: Result<Vec<User>, Refusal> = ids.iter().map(|id| instance.set_banned(id, banned)).collect();
    Ok(Json(users?.iter().map(|user| user.to_json(&instance.base_url)).collect()))
}

fn show(instance: &Instance, user: Result<User, Refusal>) -> Answer {
    user.map(|user| Json(user.to_json(&instance.base_url)))
}
