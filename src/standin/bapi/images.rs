//! The Backend API of a user's picture: a file in a form, or none.

use std::sync::Arc;

use axum::Json;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{MethodRouter, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::standin::ids;
use crate::standin::instance::Instance;
use crate::standin::refusal::Refusal;
use crate::standin::user::{Image, User};

/// Clerk takes pictures of up to ten megabytes, and a form is a little more.
const LARGEST: usize = 10 * 1024 * 1024;
const LARGEST_BODY: usize = LARGEST + 64 * 1024;
/// How files of each kind begin.
const KINDS: [(&[u8], &str); 4] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
];

type Clerk = State<Arc<Instance>>;
type Answer = Result<Json<Value>, Refusal>;

pub fn route() -> MethodRouter<Arc<Instance>> {
    post(set).delete(remove).layer(DefaultBodyLimit::max(LARGEST_BODY))
}

async fn set(State(instance): Clerk, Path(id): Path<String>, form: Multipart) -> Answer {
    let bytes = file(form).await.map_err(|_| invalid("The form could not be read."))?;
    let bytes = bytes.ok_or_else(|| invalid("file must be included."))?;
    if bytes.len() > LARGEST {
        return Err(invalid("The image must be 10 MB or smaller."));
    }
    let kind = KINDS.into_iter().find(|(beginning, _)| bytes.starts_with(beginning)).map(|(_, kind)| kind);
    let kind = kind.ok_or_else(|| invalid("The image must be a PNG, JPEG, GIF or WebP file."))?;
    let image = Image { id: ids::fresh("img"), media_type: kind.to_owned(), content: STANDARD.encode(bytes) };
    show(&instance, instance.set_image(&id, Some(image)))
}

async fn remove(State(instance): Clerk, Path(id): Path<String>) -> Answer {
    show(&instance, instance.set_image(&id, None))
}

async fn file(mut form: Multipart) -> Result<Option<Vec<u8>>, MultipartError> {
    while let Some(part) = form.next_field().await? {
        if part.name() == Some("file") {
            return Ok(Some(part.bytes().await?.to_vec()));
        }
    }
    Ok(None)
}

fn invalid(text: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "image_invalid", text).with_meta("param_name", "file".into())
}

fn show(instance: &Instance, user: Result<User, Refusal>) -> Answer {
    user.map(|user| Json(user.to_json(&instance.base_url)))
}
