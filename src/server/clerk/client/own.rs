//! What people change of themselves beside their names: the metadata that is theirs to write, and their picture.

use std::fmt;

use http::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Map, Value, json};

use crate::server::clerk::Error;
use crate::server::clerk::client::{Client, checked};
use crate::server::clerk::wire::User;

/// A picture as it was uploaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// Of what the bytes are, not of what somebody called them.
    pub media_type: &'static str,
    pub bytes: Vec<u8>,
}

impl Client {
    /// Deep merge of what the person may write themselves; answers with them as they are then. Limited as `merge_user_metadata`.
    pub async fn merge_unsafe_metadata(&self, id: &str, change: &Map<String, Value>) -> Result<User, Error> {
        let body = json!({ "unsafe_metadata": change });
        self.request(Method::PATCH, &["users", checked(id)?, "metadata"], |call| call.json(&body)).await
    }

    /// Answers with the person as they are then.
    pub async fn set_profile_image(&self, id: &str, picture: Picture) -> Result<User, Error> {
        let part = Part::bytes(picture.bytes).file_name("picture").mime_str(picture.media_type);
        let part = part.map_err(|error| Error::Malformed(error.into()))?;
        let form = Form::new().part("file", part);
        self.request(Method::POST, &["users", checked(id)?, "profile_image"], |call| call.multipart(form)).await
    }

    /// Clerk draws one in its place. Answers with the person as they are then.
    pub async fn delete_profile_image(&self, id: &str) -> Result<User, Error> {
        self.request(Method::DELETE, &["users", checked(id)?, "profile_image"], |call| call).await
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture").field("media_type", &self.media_type).field("size", &self.bytes.len()).finish()
    }
}
