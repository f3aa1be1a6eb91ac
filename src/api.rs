//! Every server function, and nothing but server functions: each a signature and one expression.
//!
//! Each is a public endpoint `/api/<noun>/<verb>`; permission is demanded in its body through `server::rpc`.
//! How it is called says whether it changes something, [`Read`] or [`Change`], and both refuse what it has no field for.

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

use http::Method;
use leptos::server_fn::client::Client;
use leptos::server_fn::codec::{Encoding, FromRes, GetUrl, IntoRes, Json, JsonEncoding, PostUrl};
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use leptos::server_fn::request::Req;
use leptos::server_fn::server::Server;
use leptos::server_fn::{Http, Protocol};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::model::error::AppError;

/// How deep arguments may be nested, as Leptos has it.
const DEEPEST: usize = 5;
const LONGEST_NAME: usize = 64;

/// How a function that only reads is called: by the query of an address.
#[derive(Clone, Copy, Debug)]
pub struct Read;

/// How one that changes something is called: by the body of a form.
#[derive(Clone, Copy, Debug)]
pub struct Change;

/// As `Http<GetUrl, Json>`, and what the function has no field for is refused (D5-10).
impl<I, O, C, S> Protocol<I, O, C, S, AppError> for Read
where
    I: Serialize + DeserializeOwned + Send,
    O: IntoRes<Json, S::Response, AppError> + FromRes<Json, C::Response, AppError> + Send,
    C: Client<AppError>,
    S: Server<AppError>,
{
    const METHOD: Method = GetUrl::METHOD;

    async fn run_server<F, Fut>(request: S::Request, function: F) -> Result<S::Response, AppError>
    where
        F: Fn(I) -> Fut + Send,
        Fut: Future<Output = Result<O, AppError>> + Send,
    {
        let arguments = read(request.as_query().unwrap_or_default())?;
        function(arguments).await?.into_res().await
    }

    async fn run_client(path: &str, arguments: I) -> Result<O, AppError> {
        <Http<GetUrl, Json> as Protocol<I, O, C, S, AppError>>::run_client(path, arguments).await
    }
}

/// As `Http<PostUrl, Json>`, the same.
impl<I, O, C, S> Protocol<I, O, C, S, AppError> for Change
where
    I: Serialize + DeserializeOwned + Send,
    O: IntoRes<Json, S::Response, AppError> + FromRes<Json, C::Response, AppError> + Send,
    C: Client<AppError>,
    S: Server<AppError>,
{
    const METHOD: Method = PostUrl::METHOD;

    async fn run_server<F, Fut>(request: S::Request, function: F) -> Result<S::Response, AppError>
    where
        F: Fn(I) -> Fut + Send,
        Fut: Future<Output = Result<O, AppError>> + Send,
    {
        let arguments = read(&request.try_into_string().await?)?;
        function(arguments).await?.into_res().await
    }

    async fn run_client(path: &str, arguments: I) -> Result<O, AppError> {
        <Http<PostUrl, Json> as Protocol<I, O, C, S, AppError>>::run_client(path, arguments).await
    }
}

/// The arguments in this text, if nothing else is in it.
fn read<I: DeserializeOwned>(text: &str) -> Result<I, AppError> {
    let refused = |error: serde_qs::Error| AppError::from_server_fn_error(ServerFnErrorErr::Args(error.to_string()));
    let config = serde_qs::Config::new(DEEPEST, false);
    let fields = serde_qs::Deserializer::with_config(&config, text.as_bytes()).map_err(refused)?;
    let mut unknown = None;
    let mut note = |path: serde_ignored::Path| {
        unknown.get_or_insert_with(|| path.to_string().replace(".?", "").chars().take(LONGEST_NAME).collect());
    };
    let arguments = serde_ignored::deserialize(fields, &mut note).map_err(refused)?;
    unknown.map_or(Ok(arguments), |field| {
        Err(AppError::Invalid { field, message: "There is no such field here.".to_owned() })
    })
}

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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        city: Option<String>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Arguments {
        name: String,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[test]
    fn d5_10_what_a_function_has_no_field_for_is_refused_by_name_however_it_is_written() {
        let known = |text: &str| read::<Arguments>(text).map(|arguments| arguments.name);
        for text in ["name=a", "name=a&inner[city]=b", "name=a&inner%5Bcity%5D=b", "n%61me=a"] {
            assert_eq!(known(text).as_deref(), Ok("a"), "{text}");
        }
        for (text, field) in [
            ("name=a&role=admin", "role"),
            ("role=admin&name=a", "role"),
            ("name=a&role", "role"),
            ("name=a&r%6Fle=admin", "role"),
            ("name=a&role[]=admin", "role"),
            ("name=a&role[a][b]=c", "role"),
            ("name=a&inner[role]=admin", "inner.role"),
            ("name=a&_id=1&role=admin", "_id"),
            ("name=a&__proto__[role]=admin", "__proto__"),
            ("name=a&%24set%5Brole%5D=admin", "$set"),
        ] {
            match known(text) {
                Err(AppError::Invalid { field: named, .. }) => assert_eq!(named, field, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(known("inner[city]=b").is_err(), "what is missing is missed");
        assert!(known(&format!("name=a&{}=b", "x".repeat(100_000))).is_err_and(|error| error.to_string().len() < 200));
    }
}
