//! A button that copies a text. Without JavaScript there is none: the text stands beside it anyway.

use leptos::prelude::*;
use leptos::task::spawn_local;
use wasm_bindgen_futures::JsFuture;

/// `label` says what is copied ("the address"): read out, and shown as a tip.
#[island]
pub fn CopyButton(text: String, label: String) -> impl IntoView {
    let copied = RwSignal::new(None::<bool>);
    let copy = move |_| {
        let text = text.clone();
        spawn_local(async move {
            let written = JsFuture::from(window().navigator().clipboard().write_text(&text)).await;
            copied.set(Some(written.is_ok()));
        });
    };
    let said = move || match copied.get() {
        None => "Copy",
        Some(true) => "Copied",
        Some(false) => "Not copied",
    };
    let name = format!("Copy {label}");
    let title = name.clone();
    view! {
        <button class="btn btn-xs needs-script" type="button" title=title on:click=copy>
            <span aria-hidden="true">{said}</span>
            <span class="sr-only" aria-live="polite">
                {move || if copied.get().is_some() { said().to_owned() } else { name.clone() }}
            </span>
        </button>
    }
}
