//! What of a profile is a file: the picture.
//!
//! A plain request, not a server function: those have no limit for a body.

use std::sync::Arc;

use axum::Extension;
use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};

use crate::model::error::AppError;
use crate::model::notice::Notice;
use crate::model::profile::LARGEST_PICTURE;
use crate::server::error::Error;
use crate::server::http::Shared;
use crate::server::http::api::refusal::Refusal;
use crate::server::http::outcome::lead_back;
use crate::server::profile;
use crate::server::rpc::caller::Caller;
use crate::server::rpc::form::{failure, wants_page};
use crate::server::state::AppState;

/// A browser shows no answer to what it could not send: so much is read of what is too large, and thrown away.
const READ_AT_MOST: usize = 64 * 1024 * 1024;

type Who = Extension<Arc<Caller>>;

/// `POST /profile/picture`.
pub fn picture_route() -> MethodRouter<Shared> {
    post(set_picture).layer(DefaultBodyLimit::max(READ_AT_MOST))
}

async fn set_picture(
    State(state): State<Arc<AppState>>,
    Extension(caller): Who,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let set = async {
        let viewer = caller.viewer(&state).await?;
        let turn = state.limits.uploads.begin(&viewer.user().clerk_id);
        let _turn = turn.map_err(|_| refused("Another picture is still on its way."))?;
        profile::set_picture(&state, &viewer, read_picture(form).await?).await
    };
    let said = match set.await {
        Ok(said) => said,
        Err(error) if !wants_page(&headers) => return Refusal::of("set_picture", &error).into_response(),
        Err(error) => {
            error.log("set_picture");
            match error.public() {
                // Sent too soon: the same again, from the same field.
                error @ AppError::TooOften => Notice { field: Some("picture".to_owned()), ..failure(&error) },
                error => failure(&error),
            }
        }
    };
    lead_back(&state, "/profile", &Notice { form: Some("set_picture".to_owned()), ..said })
}

fn refused(message: &str) -> Error {
    Error::Refused { field: "picture", message: message.to_owned() }
}

/// One byte more than a picture may have is kept, and no more.
async fn read_picture(form: Result<Multipart, MultipartRejection>) -> Result<Vec<u8>, Error> {
    let unreadable = |error: MultipartError| {
        let is_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
        refused(if is_large { "At most 10 MB." } else { "The picture did not arrive whole. Try again." })
    };
    let mut form = form.map_err(|_| refused("Choose a file first."))?;
    let mut picture = None;
    while let Some(mut part) = form.next_field().await.map_err(unreadable)? {
        if part.name() != Some("picture") || picture.is_some() {
            return Err(refused("There is one field here, the picture."));
        }
        let mut bytes = Vec::new();
        while let Some(more) = part.chunk().await.map_err(unreadable)? {
            let room = LARGEST_PICTURE + 1 - bytes.len();
            bytes.extend_from_slice(&more[..more.len().min(room)]);
        }
        picture = Some(bytes);
    }
    picture.ok_or_else(|| refused("Choose a file first."))
}
