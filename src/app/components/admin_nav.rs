//! The way between the pages about the mirror.

use leptos::prelude::*;

/// Every page about the mirror, in the order in which they are looked at.
const PAGES: [(&str, &str); 8] = [
    ("/admin/sync", "Overview"),
    ("/admin/sync/events", "Events"),
    ("/admin/sync/failures", "Failures"),
    ("/admin/sync/runs", "Runs"),
    ("/admin/sync/effects", "Effects"),
    ("/admin/sync/connection", "Connection"),
    ("/admin/sync/audit", "Audit"),
    ("/admin/activity", "Activity"),
];

/// The pages, with the one that is shown marked, or the one above it (`within`). `here` is one of their paths.
#[component]
pub fn AdminNav(here: &'static str, #[prop(optional)] within: bool) -> impl IntoView {
    let current = if within { "true" } else { "page" };
    let links = PAGES.map(|(path, name)| {
        let class = if path == here { "tab tab-active" } else { "tab" };
        view! {
            <a class=class href=path aria-current=(path == here).then_some(current)>
                {name}
            </a>
        }
    });
    view! {
        <nav class="tabs tabs-border mb-6 flex-wrap" aria-label="Sync pages">
            {links.into_view()}
        </nav>
    }
}
