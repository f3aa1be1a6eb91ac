//! Sign-in and sign-up: Clerk's own components on our pages (A2-01).

use leptos::prelude::*;
use leptos_meta::Title;

use crate::app::components::clerk_widget::{ClerkAddresses, ClerkPart, ClerkWidget};
use crate::app::shell::asked;

#[component]
pub fn SignInPage() -> impl IntoView {
    view! {
        <Title text="Sign in" />
        <h1 class="text-center text-3xl font-bold">"Sign in"</h1>
        <div class="mt-8 flex justify-center">
            <ClerkWidget part=ClerkPart::SignIn redirect_url=redirect_target(asked().get("redirect_url")) />
        </div>
    }
}

#[component]
pub fn SignUpPage() -> impl IntoView {
    view! {
        <Title text="Sign up" />
        <h1 class="text-center text-3xl font-bold">"Sign up"</h1>
        <div class="mt-8 flex justify-center">
            <ClerkWidget part=ClerkPart::SignUp redirect_url=redirect_target(asked().get("redirect_url")) />
        </div>
    }
}

/// Where to go afterwards: `redirect_url` if it is one of our own pages or a satellite's, else the profile.
fn redirect_target(asked: Option<String>) -> String {
    let satellites = use_context::<ClerkAddresses>().map(|addresses| addresses.satellites).unwrap_or_default();
    let is_known = |url: &String| is_own_path(url) || is_of_satellite(url, &satellites);
    asked.filter(is_known).unwrap_or_else(|| "/profile".to_owned())
}

/// A path on a site that takes its sessions over from here.
fn is_of_satellite(url: &str, satellites: &[String]) -> bool {
    satellites.iter().any(|origin| url.strip_prefix(origin.as_str()).is_some_and(is_own_path))
}

/// A path on this site and nothing else: no host in any spelling, no backslash, no control character (D5-07), nor what would
/// be a host once its dots are worked out.
pub fn is_own_path(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    url.starts_with('/') && !path.contains("//") && !url.chars().any(|letter| letter.is_control() || letter == '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_07_only_paths_of_this_site_are_followed() {
        for path in ["/", "/profile", "/admin/sync?state=dead", "/a#b", "/people?q=//"] {
            assert!(is_own_path(path), "{path}");
        }
        for foreign in [
            "",
            "profile",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/a\\b",
            " /profile",
            "http:/evil.example",
            "///evil.example",
            "data:text/html,x",
            "/.//evil.example",
            "/a/..//evil.example",
        ] {
            assert!(!is_own_path(foreign), "{foreign}");
        }
    }

    #[test]
    fn d5_07_of_other_sites_only_satellites_are_followed() {
        let satellites = ["https://satellite.example".to_owned()];
        assert!(is_of_satellite("https://satellite.example/page?__clerk_synced=false", &satellites));
        for foreign in [
            "https://satellite.example.evil.example/",
            "https://satellite.example@evil.example/",
            "https://satellite.example:8443/",
            "https://satellite.example",
            "http://satellite.example/",
            "https://satellite.example//evil.example",
            "/page",
        ] {
            assert!(!is_of_satellite(foreign, &satellites), "{foreign}");
        }
        assert!(!is_of_satellite("https://satellite.example/", &[]));
    }
}
