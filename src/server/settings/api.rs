//! Table `[api]`: whether other front ends may ask, and which.

use url::Url;

use crate::server::settings::Environment;
use crate::server::settings::reader::Reader;

/// Where the tools of front ends serve from while one is written.
const LOCAL_CLIENT: &str = "http://localhost:5173";

#[derive(Clone, Debug)]
pub struct Api {
    pub is_enabled: bool,
    /// The front ends' exact origins: for CORS, for the check of mutations, and as parties of session tokens.
    pub client_origins: Vec<String>,
}

impl Api {
    /// Unless told, the API is on where somebody is there to ask: with `CLIENT_URL` set, and in development.
    pub fn read(reader: &mut Reader<'_>, environment: Environment) -> Option<Self> {
        let told = read_enabled(reader);
        let mut client_origins = reader.list("api", "client-url", &["CLIENT_URL"]);
        for origin in &client_origins {
            if !is_origin(origin) {
                reader.problem::<()>(
                    "CLIENT_URL",
                    format!("{origin:?} must be scheme, host and port only, such as https://app.example.com"),
                );
            }
        }
        let is_set = !client_origins.is_empty();
        let is_enabled = told?.unwrap_or(is_set || environment == Environment::Development);
        match environment {
            Environment::Development if !is_set => client_origins.push(LOCAL_CLIENT.to_owned()),
            // A0-18: no guess at whom to let in.
            Environment::Production if !is_set && is_enabled => {
                reader.problem::<()>("CLIENT_URL", "is required in production when ROLLCALL_API is true");
            }
            _ => {}
        }
        Some(Self { is_enabled, client_origins })
    }
}

/// What is said, if anything is; `None` outside for what is neither.
#[expect(clippy::option_option, reason = "not said and wrongly said are two things")]
fn read_enabled(reader: &mut Reader<'_>) -> Option<Option<bool>> {
    match reader.text("api", "enabled", &["ROLLCALL_API"]).as_deref().map(str::trim) {
        None => Some(None),
        Some("true") => Some(Some(true)),
        Some("false") => Some(Some(false)),
        Some(_) => reader.problem("ROLLCALL_API", "must be true or false"),
    }
}

/// An origin as browsers spell it, and one only: a pattern would match nobody, for no origin is compared with one.
fn is_origin(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text && !text.contains('*')
}
