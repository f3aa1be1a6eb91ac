//! Table `[database]`: the one MongoDB.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::server::settings::reader::Reader;

/// Names of the connection string's variable, first wins (requirements section 0).
pub const URI_VARIABLES: [&str; 3] = ["MONGODB_URI", "MONGODB_URL", "DB_URL"];

#[derive(Clone, Debug)]
pub struct Database {
    pub uri: SecretString,
    /// Used when the connection string names no database.
    pub name: String,
    /// How long to look for a usable server.
    pub timeout: Duration,
    pub pool: u32,
}

impl Database {
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let uri = read_uri(reader);
        let name = reader.required_text("database", "name", &["ROLLCALL_DATABASE"]);
        let timeout = reader.number("database", "timeout-ms", &["ROLLCALL_DATABASE_TIMEOUT_MS"], (100, 60_000));
        let pool = reader.number("database", "pool", &["ROLLCALL_DATABASE_POOL"], (1, 1_000));
        Some(Self {
            uri: uri?,
            name: name?,
            timeout: Duration::from_millis(timeout?),
            pool: u32::try_from(pool?).ok()?,
        })
    }
}

fn read_uri(reader: &mut Reader<'_>) -> Option<SecretString> {
    let set: Vec<(String, String)> =
        URI_VARIABLES.iter().filter_map(|name| Some(((*name).to_owned(), reader.variable(name)?))).collect();
    if let [(first, value), others @ ..] = set.as_slice()
        && let Some((other, _)) = others.iter().find(|(_, other)| other != value)
    {
        reader.warning(other, format!("differs from {first}, which is the one used"));
    }
    let Some((variable, uri)) = reader.secret(&URI_VARIABLES) else {
        return reader.problem(URI_VARIABLES[0], "is required: the connection string of a MongoDB replica set");
    };
    let text = uri.expose_secret();
    if !text.starts_with("mongodb://") && !text.starts_with("mongodb+srv://") {
        return reader.problem(&variable, "must begin with mongodb:// or mongodb+srv://");
    }
    if has_bare_password(text) {
        return reader.problem(&variable, "must have its user and password percent-encoded");
    }
    if weakens_durability(text) {
        return reader
            .problem(&variable, "must not weaken the write concern (w, journal): an acknowledged event is durable");
    }
    Some(uri)
}

/// A `/` or `?` in a password that is not encoded cuts it in two, and the rest would be shown as a host or an option.
fn has_bare_password(uri: &str) -> bool {
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    !authority.contains('@') && tail.contains('@')
}

/// An acknowledgement means journaled on a majority (D2-08), so options that say less are refused.
fn weakens_durability(uri: &str) -> bool {
    let Some((_, query)) = uri.split_once('?') else { return false };
    url::form_urlencoded::parse(query.as_bytes()).any(|(key, value)| match key.to_ascii_lowercase().as_str() {
        "w" => value != "majority",
        "journal" | "j" => value != "true",
        _ => false,
    })
}
