//! What of a profile is a file: the picture that is uploaded, and the export that is downloaded.
//!
//! Plain requests, not server functions: those have no limit for a body, and none for what they answer but JSON.

use std::sync::Arc;

use axum::Extension;
use axum::extract::multipart::{Multipart, MultipartError, MultipartRejection};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};

use crate::model::notice::Notice;
use crate::model::profile::LARGEST_PICTURE;
use crate::server::error::Error;
use crate::server::http::Shared;
use crate::server::http::outcome::lead_back;
use crate::server::profile;
use crate::server::profile::departure;
use crate::server::rpc::caller::Caller;
use crate::server::rpc::form::{failure, way_back};
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
    let said = set.await.unwrap_or_else(|error| told("set_picture", &error));
    lead_back(&state, "/profile", &Notice { form: Some("set_picture".to_owned()), ..said })
}

async fn read_picture(form: Result<Multipart, MultipartRejection>) -> Result<Vec<u8>, Error> {
    let refused = |message: &str| Error::Refused { field: "picture", message: message.to_owned() };
    let unreadable = |error: MultipartError| {
        let is_large = error.status() == StatusCode::PAYLOAD_TOO_LARGE;
        refused(if is_large { "At most 10 MB." } else { "The picture did not arrive whole. Try again." })
    };
    let mut form = form.map_err(|_| refused("Choose a file first."))?;
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        if part.name() == Some("picture") {
            return Ok(part.bytes().await.map_err(unreadable)?.to_vec());
        }
    }
    Err(refused("Choose a file first."))
}

/// `GET /profile/export`: a file to keep. Whoever may not have it is led to the page that says why.
pub async fn export(State(state): State<Arc<AppState>>, Extension(caller): Who) -> Response {
    let exported = async {
        let viewer = caller.viewer(&state).await?;
        let dossier = departure::export_profile(&state, &viewer).await?;
        serde_json::to_vec_pretty(&dossier).map_err(|_| Error::Unreadable)
    };
    match exported.await {
        Err(error) => {
            let (said, back) = (told("export_profile", &error), way_back(&error.public(), "/profile/data".to_owned()));
            lead_back(&state, &back, &Notice { form: Some("export_profile".to_owned()), ..said })
        }
        Ok(file) => {
            let headers = [
                (CONTENT_TYPE, "application/json"),
                (CONTENT_DISPOSITION, "attachment; filename=\"rollcall-my-data.json\""),
            ];
            (headers, file).into_response()
        }
    }
}

fn told(doing: &'static str, error: &Error) -> Notice {
    error.log(doing);
    failure(&error.public())
}
