//! A person's name in the middle of a text.

use leptos::prelude::*;

/// A text with the name in it set apart: read from the right, it leaves the order of the words around it alone (E-30).
#[component]
pub fn Named(text: String, name: Option<String>) -> impl IntoView {
    let around = name.as_deref().filter(|name| !name.is_empty()).and_then(|name| text.split_once(name));
    let part = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let Some((before, after)) = around.map(|(before, after)| (part(before), part(after))) else {
        return text.into_any();
    };
    view! {
        {before}
        <bdi>{name}</bdi>
        {after}
    }
    .into_any()
}
