//! The way between the pages about the mirror, as far as whoever looks may go: admins change things there, moderators look
//! (E-28).

use leptos::prelude::*;

use crate::api::session::get_viewer;
use crate::model::person::Permit;

/// Pages about the mirror, in the order in which they are looked at.
const PAGES: [(&str, &str); 5] = [
    ("/admin/sync", "Overview"),
    ("/admin/sync/events", "Events"),
    ("/admin/sync/failures", "Failures"),
    ("/admin/sync/runs", "Runs"),
    ("/admin/sync/effects", "Effects"),
];
/// Those after them, for admins only.
const ADMINS: [(&str, &str); 3] =
    [("/admin/sync/connection", "Connection"), ("/admin/sync/audit", "Audit"), ("/admin/activity", "Activity")];

/// Whether whoever looks may change what they see.
pub async fn can_change() -> bool {
    get_viewer().await.is_ok_and(|viewer| viewer.is_some_and(|viewer| viewer.role.is_admin()))
}

/// Whether a page about the mirror opens to whoever looks.
pub fn is_open(path: &str, can_change: bool) -> bool {
    can_change || ADMINS.iter().all(|(page, _)| *page != path)
}

/// The pages, with the one that is shown marked, or the one above it (`within`). `here` is one of their paths. Whoever cannot
/// change anything is told why.
#[component]
pub fn AdminNav(here: &'static str, can_change: bool, #[prop(optional)] within: bool) -> impl IntoView {
    let current = if within { "true" } else { "page" };
    let pages = PAGES.into_iter().chain(ADMINS).filter(|(path, _)| is_open(path, can_change));
    let links = pages.map(|(path, name)| {
        let class = if path == here { "tab tab-active" } else { "tab" };
        view! {
            <a class=class href=path aria-current=(path == here).then_some(current)>
                {name}
            </a>
        }
    });
    let why_not = Permit::Look.explanation().filter(|_| !can_change);
    view! {
        <nav class="tabs tabs-border mb-6 flex-wrap" aria-label="Sync pages">
            {links.collect_view()}
        </nav>
        {why_not.map(|text| view! { <p class="alert mb-6">{text}</p> })}
    }
    .into_any()
}
