//! Every server function, and nothing but server functions: each a signature and one expression.
//!
//! Each is a public endpoint `/api/<noun>/<verb>`; permission is demanded in its body through `server::rpc`.

pub mod activity;
pub mod admin_sync;
pub mod admin_users;
pub mod connection;
pub mod effects;
pub mod events;
pub mod people;
pub mod profile;
pub mod runs;
pub mod session;
pub mod trail;

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};

use crate::model::error::AppError;

/// Transport failures, in the words of `AppError`; what they say of our insides is dropped.
impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(message) | ServerFnErrorErr::MissingArg(message) => {
                Self::Invalid { field: "request".to_owned(), message }
            }
            ServerFnErrorErr::Request(_) => Self::Unavailable,
            _ => Self::Internal,
        }
    }
}
