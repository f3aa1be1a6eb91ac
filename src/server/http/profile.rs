//! What of a profile is a file: the picture.
//!
//! A plain request, not a server function: those have no limit for a body.

use std::sync::Arc;

use axum::Extension;
use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, post};

use crate::model::error::AppError;
use crate::model::notice::Notice;
use crate::model::profile::LARGEST_PICTURE;
use crate::server::error::Error;
use crate::server::http::Shared;
use crate::server::http::outcome::lead_back;
use crate::server::profile;
use crate::server::rpc::caller::Caller;
use crate::server::rpc::form::failure;
use crate::server::state::AppState;

/// The form around the picture.
const FRAME: usize = 64 * 1024;

type Who = Extension<Arc<Caller>>;

/// `POST /profile/picture`.
pub fn picture_route() -> MethodRouter<Shared> {
    post(set_picture).layer(DefaultBodyLimit::max(LARGEST_PICTURE + FRAME))
}

async fn set_picture(
    State(state): State<Arc<AppState>>,
    Extension(caller): Who,
    form: Result<Multipart, MultipartRejection>,
) -> Response {
    let set = async {
        let viewer = caller.viewer(&state).await?;
        profile::set_picture(&state, &viewer, read_picture(form).await?).await
    };
    let said = set.await.unwrap_or_else(|error| {
        error.log("set_picture");
        match error.public() {
            // Sent too soon: the same again, from the same field.
            error @ AppError::TooOften => Notice { field: Some("picture".to_owned()), ..failure(&error) },
            error => failure(&error),
        }
    });
    lead_back(&state, "/profile", &Notice { form: Some("set_picture".to_owned()), ..said })
}

async fn read_picture(form: Result<Multipart, MultipartRejection>) -> Result<Vec<u8>, Error> {
    let refused = |message: &str| Error::Refused { field: "picture", message: message.to_owned() };
    let unreadable = |error: MultipartError| {
        let is_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
        refused(if is_large { "At most 10 MB." } else { "The picture did not arrive whole. Try again." })
    };
    let mut form = form.map_err(|_| refused("Choose a file first."))?;
    let mut picture = None;
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        match part.name() {
            Some("picture") if picture.is_none() => picture = Some(part.bytes().await.map_err(unreadable)?.to_vec()),
            _ => return Err(refused("There is one field here, the picture.")),
        }
    }
    picture.ok_or_else(|| refused("Choose a file first."))
}
