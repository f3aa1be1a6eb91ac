//! The Backend API of a user's picture: a file in a form, or none.

use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::{MethodRouter, post};
use serde_json::Value;

use crate::standin::instance::Instance;
use crate::standin::refusal::Refusal;
use crate::standin::user::{Image, LARGEST_IMAGE, User};

/// A form is a little more than its file.
pub const LARGEST_BODY: usize = LARGEST_IMAGE + 64 * 1024;

type Clerk = State<Arc<Instance>>;
type Answer = Result<Json<Value>, Refusal>;

pub fn route() -> MethodRouter<Arc<Instance>> {
    post(set).delete(remove).layer(DefaultBodyLimit::max(LARGEST_BODY))
}

async fn set(State(instance): Clerk, Path(id): Path<String>, form: Multipart) -> Answer {
    let bytes = file(form).await.map_err(|_| Refusal::image("The form could not be read."))?;
    let bytes = bytes.ok_or_else(|| Refusal::image("file must be included."))?;
    show(&instance, instance.set_image(&id, Some(Image::read(&bytes)?)))
}

async fn remove(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    show(&instance, instance.set_image(&id, None))
}

/// The form's file, if it has one.
pub async fn file(mut form: Multipart) -> Result<Option<Vec<u8>>, MultipartError> {
    while let Some(part) = form.next_field().await? {
        if part.name() == Some("file") {
            return Ok(Some(part.bytes().await?.to_vec()));
        }
    }
    Ok(None)
}

fn show(instance: &Instance, user: Result<User, Refusal>) -> Answer {
    user.map(|user| Json(user.to_json(&instance.base_url)))
}
