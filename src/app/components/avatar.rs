//! A person's picture, or their initials.

use leptos::prelude::*;

use crate::model::user::initials;

/// A round picture of `size` pixels. Only https pictures, and http ones of this machine, are shown (D5-02).
#[component]
pub fn Avatar(name: String, image_url: Option<String>, size: u16) -> impl IntoView {
    let shown = image_url.filter(|url| {
        ["https://", "http://localhost:", "http://127.0.0.1:"].iter().any(|origin| url.starts_with(origin))
    });
    match shown {
        Some(url) => view! {
            <img class="rounded-full" src=url alt="" width=size height=size loading="lazy" referrerpolicy="no-referrer" />
        }
        .into_any(),
        None => view! {
            <span class="avatar avatar-placeholder" aria-hidden="true">
                <span class="w-6 rounded-full bg-neutral text-xs text-neutral-content">{initials(&name)}</span>
            </span>
        }
        .into_any(),
    }
}
