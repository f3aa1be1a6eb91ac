//! Keeps parts of a page up to date by loading the page again behind it. Without JavaScript the page loads itself.

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

/// Exchanges the part with this id for its newest version every two seconds, unless the tab is hidden.
#[island]
pub fn KeepFresh(part: String) -> impl IntoView {
    Effect::new(move |_| {
        let parts = format!("#{part}");
        set_interval(move || exchange(parts.clone()), EVERY);
    });
}

/// Exchanges what is in all of these parts for what a page that is loaded now has in those of the same ids. Where the
/// `data-state` of one is another than before, or is no more, the whole page is loaded, for then other things can be done.
pub fn exchange(parts: String) {
    spawn_local(async move {
        let _ = try_exchange(&parts).await;
    });
}

async fn try_exchange(parts: &str) -> Result<(), JsValue> {
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
    let parts = document.query_selector_all(parts)?;
    for index in 0..parts.length() {
        let Some(old) = parts.item(index).and_then(|node| node.dyn_into::<Element>().ok()) else { continue };
        let new = find.call1(&page, &old.id().into())?.dyn_into::<Element>().ok();
        if new.as_ref().and_then(|new| new.get_attribute("data-state")) != old.get_attribute("data-state") {
            // A question that is open, and what was typed there, stays. So does a page that another is about to replace, which
            // will say what came of the form: loaded anew, it would never get there.
            if document.query_selector(":popover-open,[data-sent]").ok().flatten().is_some() {
                continue;
            }
            return window.location().reload();
        }
        if let Some(new) = new {
            old.set_inner_html(&new.inner_html());
        }
    }
    localize();
    Ok(())
}

/// The same without JavaScript, for who wants it: the page loads itself again, which would close a question that is open.
#[component]
pub fn ReloadWithoutScripts(is_still: bool, path: String) -> impl IntoView {
    if is_still {
        let sign = if path.contains('?') { '&' } else { '?' };
        return view! {
            <noscript>
                <a class="link" href=format!("{path}{sign}fresh=1")>
                    "Load this page anew every 5 seconds"
                </a>
            </noscript>
        }
        .into_any();
    }
    view! {
        <noscript>
            <meta http-equiv="refresh" content="5" />
        </noscript>
        <p class="mt-2">
            <a class="link" href=path>
                "Keep this page still, to pause or cancel the run"
            </a>
        </p>
    }
    .into_any()
}
