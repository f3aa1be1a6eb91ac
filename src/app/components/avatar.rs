//! A person's picture over their initials, which show where there is none or it does not load.

use leptos::prelude::*;

use crate::model::user::initials;

/// How large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Beside a line of text.
    Small,
    /// In a list.
    Medium,
    /// At the head of a page.
    Large,
}

impl Size {
    /// Pixels, and the same as a class.
    fn measures(self) -> (u16, &'static str) {
        match self {
            Self::Small => (
                24,
                "grid size-6 shrink-0 place-items-center overflow-hidden rounded-full bg-base-content/15 text-xs font-semibold",
            ),
            Self::Medium => (
                44,
                "grid size-11 shrink-0 place-items-center overflow-hidden rounded-full bg-base-content/15 font-semibold",
            ),
            Self::Large => (
                96,
                "grid size-24 shrink-0 place-items-center overflow-hidden rounded-full bg-base-content/15 text-3xl font-semibold",
            ),
        }
    }
}

/// No picture of Clerk's has a longer address.
const LONGEST_ADDRESS: usize = 2048;

/// Round. Only https pictures, and http ones of this machine, are shown (D5-02).
#[component]
pub fn Avatar(name: String, image_url: Option<String>, size: Size) -> impl IntoView {
    let (pixels, class) = size.measures();
    let shown = image_url.filter(|url| {
        let origins = ["https://", "http://localhost:", "http://127.0.0.1:"];
        url.len() <= LONGEST_ADDRESS && origins.iter().any(|origin| url.starts_with(origin))
    });
    let picture = shown.map(|url| {
        view! {
            <img
                class="col-start-1 row-start-1 size-full object-cover"
                src=url
                alt=""
                width=pixels
                height=pixels
                loading="lazy"
                referrerpolicy="no-referrer"
            />
        }
    });
    view! {
        <span class=class aria-hidden="true">
            <span class="col-start-1 row-start-1">{initials(&name)}</span>
            {picture}
        </span>
    }
    .into_any()
}
