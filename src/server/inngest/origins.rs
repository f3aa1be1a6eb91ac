//! Where Inngest is (F.1): the cloud, a development server, or a host of one's own. From configuration only.

use url::Url;

const CLOUD_API: &str = "https://api.inngest.com";
const CLOUD_EVENTS: &str = "https://inn.gs";
const DEVELOPMENT: &str = "http://localhost:8288";

/// What `INNGEST_DEV` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DevServer {
    Off,
    /// At its usual address.
    On,
    At(Url),
}

impl DevServer {
    /// `0` and `false` are off, `1` and `true` on; anything else is where it is. `None` if it cannot be.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "0" | "false" => Some(Self::Off),
            "1" | "true" => Some(Self::On),
            _ => origin(text, "http").map(Self::At),
        }
    }
}

/// The addresses that are configured, each over the one that is more general.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub base: Option<Url>,
    pub api: Option<Url>,
    pub events: Option<Url>,
}

/// The API's origin and that of events.
pub fn origins(server: &DevServer, overrides: &Overrides) -> (Url, Url) {
    let usual = |cloud: &str| match server {
        DevServer::Off => fixed(cloud),
        DevServer::On => fixed(DEVELOPMENT),
        DevServer::At(url) => url.clone(),
    };
    let first =
        |own: &Option<Url>, cloud: &str| own.clone().or_else(|| overrides.base.clone()).unwrap_or_else(|| usual(cloud));
    (first(&overrides.api, CLOUD_API), first(&overrides.events, CLOUD_EVENTS))
}

/// Scheme, host and port; `scheme` where none is written. Nothing more: a path, a query or a user is no origin.
pub fn origin(text: &str, scheme: &str) -> Option<Url> {
    let text = text.trim();
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("{scheme}://{text}")) }.ok()?;
    let is_host = url.host_str()?.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte));
    let is_origin = url.as_str().trim_end_matches('/') == url.origin().ascii_serialization();
    (matches!(url.scheme(), "http" | "https") && is_host && is_origin).then_some(url)
}

fn fixed(address: &str) -> Url {
    Url::parse(address).expect("the addresses of Inngest are addresses")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_1_one_variable_says_whether_it_is_the_cloud_and_where_the_development_server_is() {
        for (text, expected) in [
            ("0", Some("off")),
            ("false", Some("off")),
            ("1", Some("on")),
            ("TRUE", Some("on")),
            ("http://dev.example:9999", Some("http://dev.example:9999/")),
            ("dev.example:9999", Some("http://dev.example:9999/")),
            ("https://dev.example/", Some("https://dev.example/")),
            ("http://dev.example/path", None),
            ("http://user@dev.example", None),
            ("ftp://dev.example", None),
            ("!nonsense!", None),
            ("", None),
        ] {
            let read = DevServer::parse(text).map(|server| match server {
                DevServer::Off => "off".to_owned(),
                DevServer::On => "on".to_owned(),
                DevServer::At(url) => url.to_string(),
            });
            assert_eq!(read.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn f_1_each_address_overrides_the_more_general_one() {
        let url = |text: &str| origin(text, "http");
        let at = DevServer::parse("http://dev.example").expect("an address");
        let base = Overrides { base: url("http://base.example"), ..Overrides::default() };
        let each = Overrides { api: url("http://api.example"), events: url("http://events.example"), ..base.clone() };
        for (server, overrides, api, events) in [
            (&DevServer::Off, Overrides::default(), "https://api.inngest.com/", "https://inn.gs/"),
            (&DevServer::On, Overrides::default(), "http://localhost:8288/", "http://localhost:8288/"),
            (&at, Overrides::default(), "http://dev.example/", "http://dev.example/"),
            (&at, base.clone(), "http://base.example/", "http://base.example/"),
            (&DevServer::Off, base, "http://base.example/", "http://base.example/"),
            (&DevServer::Off, each, "http://api.example/", "http://events.example/"),
        ] {
            let (found_api, found_events) = origins(server, &overrides);
            assert_eq!((found_api.as_str(), found_events.as_str()), (api, events));
        }
    }
}
