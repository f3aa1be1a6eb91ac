//! The HTML document around every page.
//!
//! The theme is decided before the first byte, so nothing flashes (E-24).

use leptos::config::LeptosOptions;
use leptos::hydration::HydrationScripts;
use leptos::prelude::*;
use leptos_meta::MetaTags;
use leptos_router::location::Url;
use leptos_router::params::ParamsMap;

use crate::app::App;

/// The theme a person chose, or none: the system's. Provided as context by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    System,
    Light,
    Dark,
}

/// What a person set for their browser, as far as a page shows it. Provided as context by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices {
    /// Times stay those of UTC.
    pub is_utc: bool,
    pub has_shortcuts: bool,
}

impl Default for Choices {
    fn default() -> Self {
        Self { is_utc: false, has_shortcuts: true }
    }
}

/// Whoever asks has a step of signing in left at Clerk. Provided as context by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingSession;

/// What the log calls the request that asked for this page. Provided as context by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

/// What a script of a notice must carry. Provided as context by the server, beside the notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(pub String);

/// The page's own address, read once before anything else. The router's is worked out by whoever asks for it first, and on the
/// server several threads may: one of two who do at the same time finds it taken, and the page is never answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Here {
    pub path: String,
    pub query: String,
}

pub fn here() -> Here {
    use_context().unwrap_or_default()
}

/// What the page's address asks for. The router decodes it twice: `%2526` would be `&`, and divide what it was part of.
pub fn asked() -> ParamsMap {
    let mut asked = ParamsMap::new();
    let query = here().query;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let [name, value] = [name, value].map(|text| text.replace('+', " "));
        // What is inserted is decoded.
        asked.insert(Url::unescape(&name), value);
    }
    asked
}

impl Theme {
    /// The value of `data-theme`, which daisyUI reads; none leaves the choice to the system.
    pub fn attribute(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }
}

/// The document, for `options.output_name`'s assets.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let theme = use_context::<Theme>().unwrap_or(Theme::System);
    let times = use_context::<Choices>().filter(|choices| choices.is_utc).map(|_| "utc");
    let stylesheet = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.attribute() data-times=times>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="stylesheet" href=stylesheet />
                <MetaTags />
                <HydrationScripts options=options.clone() islands=true />
            </head>
            <body class="flex min-h-screen flex-col bg-base-100 text-base-content">
                <App />
            </body>
        </html>
    }
}
