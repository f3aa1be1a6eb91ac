//! The way through a long list, a page at a time. Links only: a page can be opened in another tab, and going back works.

use leptos::prelude::*;

/// `first` is the address of the list's beginning, if this page is not it; `next` that of the page after this one. Where two lists
/// are on one page, each has a `label` of its own.
#[component]
pub fn Pager(
    first: Option<String>,
    next: Option<String>,
    #[prop(default = "Pages")] label: &'static str,
) -> impl IntoView {
    if first.is_none() && next.is_none() {
        return ().into_any();
    }
    let first = first.map(|address| {
        view! {
            <a class="btn btn-sm" href=address>
                "First page"
            </a>
        }
    });
    let next = match next {
        Some(address) => view! {
            <a class="btn btn-sm" href=address rel="next">
                "Next page"
            </a>
        }
        .into_any(),
        None => view! { <span class="text-sm">"End of the list"</span> }.into_any(),
    };
    view! {
        <nav class="mt-4 flex items-center justify-end gap-2" aria-label=label>
            {first}
            {next}
        </nav>
    }
    .into_any()
}
