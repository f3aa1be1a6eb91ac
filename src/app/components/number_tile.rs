//! A number, what it means in a few words, and the way to what is behind it.

use leptos::prelude::*;

/// `live` names the figure that a script keeps up to date in it; what it means may have figures of its own.
#[component]
pub fn NumberTile(
    #[prop(into)] title: String,
    value: String,
    #[prop(into)] href: String,
    #[prop(optional, into)] live: Option<String>,
    /// The figure that says whether it is bad: `0` is well. Without a name it is the number itself.
    #[prop(optional)]
    frame: Option<(&'static str, String)>,
    #[prop(optional)] is_bad: bool,
    /// What is behind it does not open to whoever looks.
    #[prop(optional)]
    is_closed: bool,
    children: Children,
) -> impl IntoView {
    let class = if is_bad { "number-tile number-tile-bad" } else { "number-tile" };
    let (frame, state) = match frame {
        Some((name, state)) => (Some(name.to_owned()), state),
        None => (live.clone(), value.clone()),
    };
    view! {
        <li>
            <a class=class href=(!is_closed).then_some(href) data-value=state data-frame=frame>
                <span class="text-sm">{title}</span>
                <span class="text-2xl font-bold tabular-nums" data-live=live>
                    {value}
                </span>
                <span class="text-xs">{children()}</span>
            </a>
        </li>
    }
    .into_any()
}
