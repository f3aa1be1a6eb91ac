//! What people set for their browser: times of their own zone or of UTC, and keys that save a way (E-16, E-21).

use leptos::ev::keydown;
use leptos::prelude::*;
use leptos::web_sys::{Element, HtmlElement};
use wasm_bindgen::JsCast;

use crate::app::shell::Choices;

const BUTTON: &str = "shortcuts-button";

/// The switches. Without scripts all times are those of UTC and there are no keys, so neither is there.
#[component]
pub fn Preferences() -> impl IntoView {
    let Choices { is_utc, has_shortcuts } = use_context::<Choices>().unwrap_or_default();
    let (zone, times) = if is_utc { ("local", "Show times of my zone") } else { ("utc", "Show times of UTC") };
    let (next, switch) = if has_shortcuts { ("off", "Switch them off") } else { ("on", "Switch them on") };
    let keys =
        [("/", "goes to the search of a page"), ("?", "shows this list"), ("Esc", "closes it")].map(|(key, does)| {
            view! {
                <dt>
                    <kbd>{key}</kbd>
                </dt>
                <dd>{does}</dd>
            }
        });
    view! {
        <div class="needs-script mt-2 flex flex-wrap items-center justify-center gap-2">
            <form method="post" action="/preferences">
                <button class="btn btn-ghost btn-sm" type="submit" name="times" value=zone>
                    {times}
                </button>
            </form>
            <button class="btn btn-ghost btn-sm" id=BUTTON type="button" popovertarget="shortcuts">
                "Keyboard shortcuts"
            </button>
            <div id="shortcuts" class="confirm text-start" popover="auto" role="dialog" aria-labelledby="shortcuts-title">
                <h2 id="shortcuts-title" class="text-xl font-bold">
                    "Keyboard shortcuts"
                </h2>
                <p class="mt-2">{if has_shortcuts { "They are on, where nothing is being typed." } else { "They are off." }}</p>
                <dl class="mt-4 grid grid-cols-[3rem_1fr] gap-y-2">{keys.into_iter().collect_view()}</dl>
                <div class="mt-4 flex flex-wrap justify-end gap-2">
                    <button class="btn" type="button" popovertarget="shortcuts" popovertargetaction="hide" autofocus>
                        "Close"
                    </button>
                    <form method="post" action="/preferences">
                        <button class="btn btn-primary" type="submit" name="shortcuts" value=next>
                            {switch}
                        </button>
                    </form>
                </div>
            </div>
            {has_shortcuts.then(|| view! { <ShortcutKeys /> })}
        </div>
    }
    .into_any()
}

/// Hears the keys, but for those that are meant for a field or an open question.
#[island]
fn ShortcutKeys() -> impl IntoView {
    Effect::new(move |_| {
        window_event_listener(keydown, |event| {
            let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
            let is_meant =
                |target: Element| target.closest("input,select,textarea,dialog,[popover]").is_ok_and(|it| it.is_some());
            if event.ctrl_key() || event.alt_key() || event.meta_key() || target.is_some_and(is_meant) {
                return;
            }
            let key = event.key();
            let sought = match key.as_str() {
                "/" => "main input[type=search]",
                "?" => "#shortcuts-button",
                _ => return,
            };
            let found = document().query_selector(sought).ok().flatten();
            let Some(found) = found.and_then(|found| found.dyn_into::<HtmlElement>().ok()) else { return };
            event.prevent_default();
            if key == "/" {
                let _ = found.focus();
            } else {
                found.click();
            }
        });
    });
}
