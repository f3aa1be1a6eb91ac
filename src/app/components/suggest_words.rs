//! Suggestions for the word that is being typed, not only for the first: a `datalist` is held against the whole text, so each
//! of its words is put behind what stands before it.

use js_sys::Reflect;
use leptos::prelude::*;
use leptos::web_sys::Element;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;

/// For the field whose list is `event-words`. Without JavaScript its first word has suggestions.
#[island]
pub fn SuggestWords() -> impl IntoView {
    Effect::new(move |_| {
        let listener = Closure::<dyn FnMut()>::new(|| {
            // Without its field there is nothing to suggest.
            let _ = suggest();
        });
        let listener = listener.into_js_value();
        if let Ok(Some(field)) = document().query_selector("[list='event-words']") {
            let _ = field.add_event_listener_with_callback("input", listener.unchecked_ref());
        }
    });
}

fn suggest() -> Option<()> {
    let field = document().query_selector("[list='event-words']").ok()??;
    let typed = Reflect::get(&field, &"value".into()).ok()?.as_string()?;
    let before = typed.rfind(' ').map_or("", |end| &typed[..=end]);
    let words = document().query_selector_all("#event-words > option").ok()?;
    for index in 0..words.length() {
        let option = words.item(index)?.dyn_into::<Element>().ok()?;
        let word = option.get_attribute("data-word")?;
        option.set_attribute("value", &format!("{before}{word}")).ok()?;
    }
    Some(())
}
