//! Keeps one part of a page up to date by loading the page again behind it. Without JavaScript the page loads itself.

use std::time::Duration;

use js_sys::{Function, Promise, Reflect};
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::web_sys::Element;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::app::components::renewal::renew_if_due;
use crate::app::components::time::localize;

const EVERY: Duration = Duration::from_secs(2);

/// Exchanges the part with this id for its newest version every two seconds, unless the tab is hidden. Where its
/// `data-state` is another than before, the whole page is loaded, for then other things can be done.
#[island]
pub fn KeepFresh(part: String) -> impl IntoView {
    Effect::new(move |_| {
        let part = part.clone();
        set_interval(
            move || {
                let part = part.clone();
                spawn_local(async move {
                    let _ = exchange(&part).await;
                });
            },
            EVERY,
        );
    });
}

async fn exchange(part: &str) -> Result<(), JsValue> {
    let (window, document) = (window(), document());
    if document.hidden() {
        return Ok(());
    }
    renew_if_due().await;
    let fetch: Function = Reflect::get(&window, &"fetch".into())?.dyn_into()?;
    let asked: Promise = fetch.call1(&window, &window.location().href()?.into())?.dyn_into()?;
    let answer = JsFuture::from(asked).await?;
    if Reflect::get(&answer, &"ok".into())?.is_falsy() {
        return Ok(());
    }
    let text: Function = Reflect::get(&answer, &"text".into())?.dyn_into()?;
    let read: Promise = text.call0(&answer)?.dyn_into()?;
    let html = JsFuture::from(read).await?;
    let parser: Function = Reflect::get(&window, &"DOMParser".into())?.dyn_into()?;
    let parser = Reflect::construct(&parser, &js_sys::Array::new())?;
    let parse: Function = Reflect::get(&parser, &"parseFromString".into())?.dyn_into()?;
    let page = parse.call2(&parser, &html, &"text/html".into())?;
    let find: Function = Reflect::get(&page, &"getElementById".into())?.dyn_into()?;
    let new = find.call1(&page, &part.into())?.dyn_into::<Element>();
    let (Ok(new), Some(old)) = (new, document.get_element_by_id(part)) else { return Ok(()) };
    if new.get_attribute("data-state") != old.get_attribute("data-state") {
        return window.location().reload();
    }
    old.set_inner_html(&new.inner_html());
    localize();
    Ok(())
}

/// The same without JavaScript: the page loads itself again, until somebody would rather have it still.
#[component]
pub fn ReloadWithoutScripts(still: bool, path: String) -> impl IntoView {
    if still {
        return view! {
            <noscript>
                <a class="link" href=path>
                    "Keep this page up to date"
                </a>
            </noscript>
        }
        .into_any();
    }
    view! {
        <noscript>
            <meta http-equiv="refresh" content="5" />
            <a class="link" href=format!("{path}?still=1")>
                "Keep this page still"
            </a>
        </noscript>
    }
    .into_any()
}
